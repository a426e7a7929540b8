//! The only code that changes the state: pure, and tested action by action.

use crate::protocol::{Event, Snapshot};

use super::action::Action;
use super::dialogs::{self, Dialog};
use super::effect::Effect;
use super::pages::{groups, history, inventory, log, review, watch};
use super::state::{Page, State};

/// What an action does, seen from wherever the operator is.
pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    // What stops work asks about the work there is now, not about a picture of earlier work.
    if action == Action::Suspend {
        return dialogs::suspend(state, snapshot);
    }
    let live = snapshot;
    let frozen = state.frozen.clone();
    let snapshot = frozen.as_deref().unwrap_or(live);
    match action {
        Action::Engine(event) => return engine(state, event),
        Action::Past(Ok(runs)) => {
            history::came(state, runs);
            return None;
        }
        Action::OpenedRun {
            run,
            text: Ok(text),
        } => {
            history::opened(state, &run, &text);
            return None;
        }
        Action::Said(Ok(text)) => {
            state.say(text);
            return None;
        }
        Action::Said(Err(text))
        | Action::Past(Err(text))
        | Action::OpenedRun {
            text: Err(text), ..
        } => {
            state.complain(text);
            return None;
        }
        Action::Resize { columns, rows } => {
            (state.columns, state.rows) = (columns, rows);
            return None;
        }
        Action::Redraw => return Some(Effect::Redraw),
        _ => {}
    }
    state.message = None;
    if state.dialog().is_some() {
        return dialogs::update(state, live, action);
    }
    // A line of text that is being typed has the keys.
    if state.page == Page::Inventory && state.pages.inventory.typing {
        return inventory::update(state, snapshot, action);
    }
    match action {
        Action::Go(page) => go(state, snapshot, page),
        Action::NextPage => go(state, snapshot, state.page.next(1)),
        Action::PreviousPage => go(state, snapshot, state.page.next(-1)),
        Action::Help => {
            state.dialogs.push(Dialog::help(state.page));
            None
        }
        Action::CommandLine => {
            state.dialogs.push(Dialog::command_line());
            None
        }
        Action::Quit => dialogs::quit(state, live),
        Action::CancelAll => dialogs::confirm_cancel_all(state, live),
        Action::Freeze => {
            freeze(state, snapshot);
            None
        }
        action => match state.page {
            Page::Inventory => inventory::update(state, snapshot, action),
            Page::Groups => groups::update(state, snapshot, action),
            Page::Review => review::update(state, snapshot, action),
            Page::Watch => watch::update(state, snapshot, action),
            Page::Log => log::update(state, snapshot, action),
            Page::History => history::update(state, snapshot, action),
        },
    }
}

fn go(state: &mut State, snapshot: &Snapshot, page: Page) -> Option<Effect> {
    state.page = page;
    if page == Page::Inventory {
        inventory::refresh(state, snapshot);
    }
    (page == Page::History).then_some(Effect::ReadHistory)
}

fn freeze(state: &mut State, snapshot: &Snapshot) {
    if state.frozen.take().is_none() {
        state.frozen = Some(std::sync::Arc::new(snapshot.clone()));
        state.say("the display is frozen; transfers go on");
    }
}

/// What the engine reports besides its snapshots.
fn engine(state: &mut State, event: Event) -> Option<Effect> {
    match event {
        Event::Refused { ref reason, .. } => {
            state.complain(format!("refused: {reason}"));
            review::online::arrived(state, event);
        }
        event @ (Event::Probed { .. } | Event::Held { .. }) => {
            review::online::arrived(state, event);
        }
        Event::Notice { text, .. } => state.complain(text),
        Event::Viewers { others, .. } => state.engine.others = others,
        Event::Did { who, what, .. } => state.say(format!("{who} {what}")),
        Event::Peers { image, peers, .. } => {
            state.peers.insert(image, peers);
            groups::arrived(state);
        }
        Event::Directory {
            server,
            path,
            listing,
            ..
        } => {
            state.listings.insert((server, path), listing);
            groups::arrived(state);
        }
        _ => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;

    #[test]
    fn suspending_asks_when_work_runs_and_goes_at_once_when_idle() {
        let mut state = testing::state();
        let (idle, busy) = (testing::idle(), testing::snapshot());
        let suspended = update(&mut state, &idle, Action::Suspend);
        assert_eq!(suspended, Some(Effect::Suspend));
        assert!(state.dialogs.is_empty());
        // Also when the picture was frozen before there was work, and once however often asked.
        state.frozen = Some(std::sync::Arc::new(idle));
        for _ in 0..2 {
            assert_eq!(update(&mut state, &busy, Action::Suspend), None);
            assert_eq!(state.dialogs.len(), 1);
        }
        assert_eq!(update(&mut state, &busy, Action::No), None);
        assert!(state.dialogs.is_empty());
        update(&mut state, &busy, Action::Suspend);
        let suspended = update(&mut state, &busy, Action::Yes);
        assert_eq!(suspended, Some(Effect::Suspend));
        assert!(state.dialogs.is_empty());
    }
    /// A picture that was frozen before there was work must not let anybody leave unasked.
    #[test]
    fn leaving_and_cancelling_ask_about_live_work_also_when_the_display_is_frozen() {
        let (idle, busy) = (testing::idle(), testing::snapshot());
        for (keys, said) in [("q", "Leave"), (":quit<Enter>", "Leave"), ("X", "Cancel")] {
            let mut state = testing::state();
            state.frozen = Some(std::sync::Arc::new(idle.clone()));
            assert_eq!(testing::press(&mut state, &busy, keys), [], "{keys}");
            match state.dialog() {
                Some(Dialog::Confirm { title, .. }) => assert!(title.starts_with(said), "{title}"),
                other => panic!("{keys}: {other:?}"),
            }
        }
    }
}

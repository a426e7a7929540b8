//! The only code that changes the state: pure, and tested action by action.

use crate::protocol::{Command, Event, Snapshot};

use super::action::Action;
use super::dialogs::{self, Dialog, Outcome};
use super::effect::Effect;
use super::guide::Guide;
use super::keymap::Scope;
use super::pages::State;
use super::state::Shared;
use super::stopping;

/// What an action does, seen from wherever the operator is.
pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let shared = &mut state.shared;
    // What stops work asks about the work there is now, not about a picture of earlier work.
    if action == Action::Suspend {
        return stopping::suspend(shared, snapshot);
    }
    let live = snapshot;
    let frozen = shared.frozen.clone();
    let snapshot = frozen.as_deref().unwrap_or(live);
    match action {
        Action::Engine(event) => {
            engine(state, event);
            return None;
        }
        Action::Said(message) => {
            shared.message = Some(message);
            return None;
        }
        Action::Past(_) | Action::OpenedRun { .. } => return state.act(snapshot, action),
        Action::Resize { columns, rows } => {
            (shared.columns, shared.rows) = (columns, rows);
            return None;
        }
        Action::Redraw => return Some(Effect::Redraw),
        _ => {}
    }
    shared.message = None;
    if shared.dialog().is_some() {
        return dialog(state, live, action);
    }
    let here = shared.page;
    if state.screen().is_typing() {
        return state.act(snapshot, action);
    }
    match action {
        Action::Go(page) => state.go(snapshot, page),
        Action::NextPage => state.go(snapshot, here.next(1)),
        Action::PreviousPage => state.go(snapshot, here.next(-1)),
        Action::Help => {
            let help = Dialog::help(state.shared.keys(), Scope::Page(here));
            state.shared.dialogs.push(help);
            None
        }
        Action::CommandLine => {
            state.shared.dialogs.push(Dialog::command_line());
            None
        }
        Action::Guide => {
            guide(&mut state.shared);
            None
        }
        Action::Quit => stopping::quit(&mut state.shared, live),
        Action::CancelAll => stopping::confirm_cancel_all(&mut state.shared, live),
        Action::Freeze => {
            freeze(state, snapshot);
            None
        }
        action => state.act(snapshot, action),
    }
}

fn dialog(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let rows = state.shared.list_rows();
    let is_of_hosts =
        matches!(state.shared.dialog(), Some(Dialog::List { intent, .. }) if intent.asks_hosts());
    if action == Action::Back && is_of_hosts && !state.shared.answers.asking.is_empty() {
        state.shared.answers.asking.clear();
        state.shared.say("nobody is asked any more");
        state.hear_of_peers();
        return Some(Effect::Send(vec![Command::CancelInspection]));
    }
    let shared = &mut state.shared;
    match dialogs::update(&mut shared.dialogs, &shared.settings.keys, rows, action) {
        Outcome::Nothing => None,
        Outcome::Answered(asked, answer) => state.answered(snapshot, asked, answer),
        Outcome::Command(action) => update(state, snapshot, action),
        Outcome::Complain(text) => {
            state.shared.complain(text);
            None
        }
        Outcome::Effect(effect) => Some(effect),
    }
}

fn guide(shared: &mut Shared) {
    if !shared.is_practice {
        return shared.say("the guided steps are for `subtend demo`, where nothing can break");
    }
    shared.guide = match shared.guide {
        Some(_) => None,
        None => Some(Guide::new()),
    };
}

fn freeze(state: &mut State, snapshot: &Snapshot) {
    if state.shared.frozen.take().is_none() {
        state.shared.frozen = Some(std::sync::Arc::new(snapshot.clone()));
        (state.shared).say("the display is frozen; transfers go on");
    }
}

/// What the engine reports besides its snapshots.
fn engine(state: &mut State, event: Event) {
    let shared = &mut state.shared;
    match &event {
        Event::Refused { reason, .. } => {
            shared.answers.asking.clear();
            shared.complain(format!("refused: {reason}"));
        }
        Event::Notice { text, .. } => shared.complain(text),
        Event::Viewers { others, .. } => shared.engine.others = *others,
        Event::Did { who, what, .. } => shared.say(format!("{who} {what}")),
        Event::Peers { image, peers, .. } => {
            shared.answers.asking.remove(image);
            shared.answers.peers.insert(image.clone(), peers.clone());
        }
        Event::Directory {
            server,
            path,
            listing,
            ..
        } => {
            let directory = (server.clone(), path.clone());
            shared.answers.listings.insert(directory, listing.clone());
        }
        _ => {}
    }
    state.hear(&event);
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
        assert!(state.shared.dialogs.is_empty());
        // Also when the picture was frozen before there was work, and once however often asked.
        state.shared.frozen = Some(std::sync::Arc::new(idle));
        for _ in 0..2 {
            assert_eq!(update(&mut state, &busy, Action::Suspend), None);
            assert_eq!(state.shared.dialogs.len(), 1);
        }
        assert_eq!(update(&mut state, &busy, Action::No), None);
        assert!(state.shared.dialogs.is_empty());
        update(&mut state, &busy, Action::Suspend);
        let suspended = update(&mut state, &busy, Action::Yes);
        assert_eq!(suspended, Some(Effect::Suspend));
        assert!(state.shared.dialogs.is_empty());
    }
    /// A picture that was frozen before there was work must not let anybody leave unasked.
    #[test]
    fn leaving_and_cancelling_ask_about_live_work_also_when_the_display_is_frozen() {
        let (idle, busy) = (testing::idle(), testing::snapshot());
        for (keys, said) in [("q", "Leave"), (":quit<Enter>", "Leave"), ("X", "Cancel")] {
            let mut state = testing::state();
            state.shared.frozen = Some(std::sync::Arc::new(idle.clone()));
            assert_eq!(testing::press(&mut state, &busy, keys), [], "{keys}");
            match state.shared.dialog() {
                Some(Dialog::Confirm { title, .. }) => assert!(title.starts_with(said), "{title}"),
                other => panic!("{keys}: {other:?}"),
            }
        }
    }
}

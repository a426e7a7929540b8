//! The review page: what a start will do, before anything is sent.
//!
//! The rulebook works it out, `lines` says it. Passwords are asked for one after another when the start
//! is ordered; each goes to the engine as soon as it is given, and is kept nowhere here.

mod lines;
pub(crate) mod online;
mod plan;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::dialogs::{Answer, Dialog, Intent, Row};
use crate::console::effect::Effect;
use crate::console::pages::watch;
use crate::console::state::{Page, State};
use crate::model::text::{quoted, shown};
use crate::model::{Name, SecretSource};
#[cfg(test)]
use crate::plan::said;
use crate::protocol::{Command, GroupSpec, Snapshot};
use crate::terminal::{Palette, Theme};

use online::{Online, Question};
use plan::{Password, Start};

#[derive(Debug, Default)]
pub(crate) struct View {
    /// What is to be started.
    pub(crate) specs: Vec<GroupSpec>,
    /// Whether entities that have the image get it too.
    pub(crate) force: bool,
    /// The first line that is shown.
    offset: usize,
    /// What hosts said about it.
    online: Online,
}

/// What this page asks in dialogs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// Which password to give.
    Which,
    /// The password of these credentials; a start goes on with it.
    Password { credentials: Name, then: Then },
}

/// What goes on when all passwords are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Start,
    Look(Question),
}

/// Shows what starting these groups would do.
pub(crate) fn open(state: &mut State, specs: Vec<GroupSpec>) {
    state.pages.review = View {
        specs,
        online: state.pages.review.online.abandoned(),
        ..View::default()
    };
    state.page = Page::Review;
}

pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    match action {
        Action::Start | Action::Details => return start(state, snapshot),
        Action::Probe => return look(state, snapshot, Question::Probe),
        Action::Verify => return look(state, snapshot, Question::Verify),
        Action::Back if state.pages.review.online.goes_on => return online::stop(state),
        Action::Back => state.page = Page::Groups,
        Action::Force => {
            state.pages.review.force = !state.pages.review.force;
            state.say(if state.pages.review.force {
                "entities that have the image get it again"
            } else {
                "entities that have the image are skipped"
            });
        }
        Action::Password => which_password(state, snapshot),
        action => scroll(state, snapshot, &action),
    }
    None
}

/// A text has no cursor: moving moves what is shown.
fn scroll(state: &mut State, snapshot: &Snapshot, action: &Action) {
    let rows = state.page_rows().max(1);
    // Looks don't change how many lines there are, and drawing keeps to the text in any case.
    let theme = Theme {
        palette: Palette::Mono,
        ascii: false,
    };
    let start = current(state, snapshot);
    let len = lines::lines(state, &start, &theme, usize::from(state.columns)).len();
    let most = len.saturating_sub(rows);
    let offset = state.pages.review.offset.min(most);
    state.pages.review.offset = match action {
        Action::Up => offset.saturating_sub(1),
        Action::Down => offset + 1,
        Action::PageUp => offset.saturating_sub(rows - 1),
        Action::PageDown => offset + (rows - 1),
        Action::First => 0,
        Action::Last => most,
        _ => offset,
    }
    .min(most);
}

fn current(state: &State, snapshot: &Snapshot) -> Start {
    let View { specs, force, .. } = &state.pages.review;
    plan::start(&state.site, snapshot, specs, *force)
}

/// What stands against a start.
#[cfg(test)]
pub(crate) fn against(state: &State, snapshot: &Snapshot) -> Vec<String> {
    said(&current(state, snapshot).plan.blockers)
}

fn start(state: &mut State, snapshot: &Snapshot) -> Option<Effect> {
    if state.pages.review.specs.is_empty() {
        state.say("nothing is selected; choose groups on the Groups page");
        return None;
    }
    let start = current(state, snapshot);
    if !start.plan.blockers.is_empty() {
        // They stand at the top, where there is room for whole sentences.
        state.pages.review.offset = 0;
        state.complain("it can't be started like this: the lines with X say why");
        return None;
    }
    if ask_first(state, &start.passwords, Then::Start) {
        return None;
    }
    state.pages.review.online = Online::default();
    let groups = std::mem::take(&mut state.pages.review.specs);
    let force = std::mem::take(&mut state.pages.review.force);
    state.pages.review.offset = 0;
    watch::expect(state, &groups);
    state.page = Page::Watch;
    Some(Effect::Send(vec![Command::Start { groups, force }]))
}

/// Asks hosts about what is shown.
fn look(state: &mut State, snapshot: &Snapshot, question: Question) -> Option<Effect> {
    if state.pages.review.specs.is_empty() {
        state.say("nothing is selected; choose groups on the Groups page");
        return None;
    }
    if state.pages.review.online.goes_on {
        state.say("hosts are being asked; Esc stops that");
        return None;
    }
    let start = current(state, snapshot);
    if ask_first(state, &start.passwords, Then::Look(question)) {
        return None;
    }
    online::ask(state, question)
}

/// Asks for the first password that is missing, if one is.
fn ask_first(state: &mut State, passwords: &[Password], then: Then) -> bool {
    let Some(password) = passwords.first() else {
        return false;
    };
    ask(state, password, passwords.len(), then);
    true
}

fn ask(state: &mut State, password: &Password, left: usize, then: Then) {
    let mut lines = vec![format!("User {}.", quoted(&password.user))];
    if let Some(reason) = &password.missing {
        lines.push(format!("It could not be looked up: {}", shown(reason)));
    }
    if left > 1 {
        lines.push(format!("{left} passwords are needed."));
    }
    let title = format!("Password of {}", shown(&password.credentials));
    let intent = Intent::Review(Asked::Password {
        credentials: password.credentials.clone(),
        then,
    });
    (state.dialogs).push(Dialog::password(title, lines, intent));
}

/// Also one that was given before may have been wrong.
fn which_password(state: &mut State, snapshot: &Snapshot) {
    let start = current(state, snapshot);
    let waiting = |name: &Name| start.passwords.iter().any(|one| one.credentials == *name);
    let rows: Vec<Row> = (state.site.inventory.credentials.iter())
        .filter(|one| waiting(&one.name) || one.secret == SecretSource::Ask)
        .map(|one| Row {
            label: one.name.to_string(),
            detail: if waiting(&one.name) {
                format!("user {}, not given yet", one.user)
            } else {
                format!("user {}, given", one.user)
            },
            value: one.name.to_string(),
        })
        .collect();
    if rows.is_empty() {
        state.say("no password is to be asked for");
        return;
    }
    let intent = Intent::Review(Asked::Which);
    (state.dialogs).push(Dialog::list("Whose password?", rows, intent));
}

pub(crate) fn answered(
    state: &mut State,
    snapshot: &Snapshot,
    asked: Asked,
    answer: Answer,
) -> Option<Effect> {
    match (asked, answer) {
        (Asked::Which, Answer::Chosen(name)) => {
            let known = state.site.inventory.credentials.iter();
            let found = known.into_iter().find(|one| *one.name == *name)?;
            let password = Password {
                credentials: found.name.clone(),
                user: found.user.clone(),
                missing: state.site.without_password.get(&found.name).cloned(),
            };
            ask(state, &password, 1, Then::Nothing);
            None
        }
        (Asked::Password { credentials, then }, Answer::Secret(password)) => {
            state.site.to_ask.remove(&credentials);
            state.site.without_password.remove(&credentials);
            let mut commands = vec![Command::Login {
                credentials: credentials.to_string(),
                password,
            }];
            let more = match then {
                Then::Nothing => {
                    state.say(format!("the password of {} is set", shown(&credentials)));
                    None
                }
                Then::Start => start(state, snapshot),
                Then::Look(question) => look(state, snapshot, question),
            };
            if let Some(Effect::Send(more)) = more {
                commands.extend(more);
            }
            Some(Effect::Send(commands))
        }
        _ => None,
    }
}

pub(crate) fn draw(
    state: &State,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let start = current(state, snapshot);
    let lines = lines::lines(state, &start, theme, usize::from(area.width));
    let rows = usize::from(area.height);
    let offset = state
        .pages
        .review
        .offset
        .min(lines.len().saturating_sub(rows));
    let left = lines.len().saturating_sub(offset + rows);
    for (line, row) in lines.into_iter().skip(offset).zip(area.rows()) {
        frame.render_widget(line, row);
    }
    if left > 0
        && let Some(last) = area.rows().next_back()
    {
        let more = Line::styled(format!("{} more lines below ", left + 1), theme.hint());
        frame.render_widget(ratatui::widgets::Clear, last);
        frame.render_widget(more.right_aligned(), last);
    }
}

//! What lies over a page until it is answered: questions, lines of text, lists, texts to read.
//!
//! A dialog knows how it is shown and moved in; what its answer means is a value ([`Asked`]) that it
//! gives back with the answer.

mod command;
mod draw;
mod find;
mod help;
mod secret;

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use crate::terminal::Theme;

use super::action::Action;
use super::asked::{Answer, Asked, OfReport};
use super::effect::Effect;
use super::keymap::{self, Keymap, Kind, Scope};
use super::scroll::Scroll;
use find::Find;
use secret::Typed;

#[derive(Debug, Clone)]
pub(crate) enum Dialog {
    /// A question that says what yes will do. `No` is never an order.
    Confirm {
        title: String,
        lines: Vec<String>,
        intent: Asked,
    },
    /// The same, of what goes on: Enter is yes, once it could be read.
    Sheet {
        title: String,
        lines: Vec<String>,
        /// What Enter does, and what Esc does.
        keys: [&'static str; 2],
        intent: Asked,
    },
    Text {
        title: String,
        lines: Vec<String>,
        input: Input,
        intent: Asked,
    },
    /// Nothing of what is typed is shown.
    Password {
        title: String,
        lines: Vec<String>,
        typed: Typed,
        intent: Asked,
    },
    Command {
        input: Input,
        /// Which of the commands that are offered is chosen, once Up or Down was pressed.
        chosen: Option<usize>,
    },
    List {
        title: String,
        rows: Vec<Row>,
        /// Among the rows that `find` leaves.
        scroll: Scroll,
        find: Find,
        /// The values of the rows that are ticked, where rows can be.
        ticks: Option<BTreeSet<String>>,
        intent: Asked,
    },
    /// Something to read; `file` is the name it can be written to.
    Reading {
        title: String,
        lines: Vec<String>,
        scroll: Scroll,
        find: Find,
        file: Option<String>,
        /// The run that a report can be written of.
        run: Option<String>,
    },
}

/// One row of a list: what is shown, and what choosing it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) label: String,
    /// Faint, behind the label.
    pub(crate) detail: String,
    pub(crate) value: String,
}

impl Dialog {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Confirm { .. } => Kind::Confirm,
            Self::Sheet { .. } => Kind::Sheet,
            Self::Text { .. } | Self::Password { .. } => Kind::Text,
            Self::Command { .. } => Kind::Command,
            Self::List { find, .. } | Self::Reading { find, .. } if find.is_typed => Kind::Find,
            Self::List { ticks: Some(_), .. } => Kind::Ticks,
            Self::List { .. } => Kind::List,
            Self::Reading { .. } => Kind::Reading,
        }
    }

    pub(crate) fn help(keys: &Keymap, scope: Scope) -> Self {
        help::dialog(keys, scope)
    }

    /// Other rows for a list; the cursor stays on what it was on. `shown` are on the screen.
    pub(crate) fn put_rows(&mut self, new: Vec<Row>, shown: usize) {
        let Self::List {
            rows, scroll, find, ..
        } = self
        else {
            return;
        };
        let here = find.left(rows).get(scroll.cursor).copied();
        let here = here
            .and_then(|at| rows.get(at))
            .map(|row| row.value.clone());
        *rows = new;
        let left = find.left(rows);
        let row = left
            .iter()
            .position(|at| Some(&rows[*at].value) == here.as_ref());
        scroll.to(row.unwrap_or(0), left.len(), shown);
    }

    pub(crate) fn command_line() -> Self {
        Self::Command {
            input: Input::default(),
            chosen: None,
        }
    }

    pub(crate) fn confirm(
        title: impl Into<String>,
        lines: impl IntoIterator<Item = String>,
        intent: Asked,
    ) -> Self {
        Self::Confirm {
            title: title.into(),
            lines: lines.into_iter().collect(),
            intent,
        }
    }

    pub(crate) fn sheet(
        title: impl Into<String>,
        lines: Vec<String>,
        keys: [&'static str; 2],
        intent: Asked,
    ) -> Self {
        Self::Sheet {
            title: title.into(),
            lines,
            keys,
            intent,
        }
    }

    pub(crate) fn text(title: impl Into<String>, value: &str, intent: Asked) -> Self {
        Self::Text {
            title: title.into(),
            lines: Vec::new(),
            input: Input::new(value.to_owned()),
            intent,
        }
    }

    pub(crate) fn password(title: impl Into<String>, lines: Vec<String>, intent: Asked) -> Self {
        Self::Password {
            title: title.into(),
            lines,
            typed: Typed::default(),
            intent,
        }
    }

    pub(crate) fn list(title: impl Into<String>, rows: Vec<Row>, intent: Asked) -> Self {
        Self::List {
            title: title.into(),
            rows,
            scroll: Scroll::default(),
            find: Find::default(),
            ticks: None,
            intent,
        }
    }

    /// A list of which these rows are ticked, by their values; the answer is which are at the end.
    pub(crate) fn ticks(
        title: impl Into<String>,
        rows: Vec<Row>,
        ticked: BTreeSet<String>,
        intent: Asked,
    ) -> Self {
        let mut list = Self::list(title, rows, intent);
        if let Self::List { ticks, .. } = &mut list {
            *ticks = Some(ticked);
        }
        list
    }

    pub(crate) fn reading(title: impl Into<String>, lines: Vec<String>) -> Self {
        Self::Reading {
            title: title.into(),
            lines,
            scroll: Scroll::default(),
            find: Find::default(),
            file: None,
            run: None,
        }
    }
}

/// What an action in a dialog comes to.
pub(crate) enum Outcome {
    /// The dialog has taken it.
    Nothing,
    Answered(Asked, Answer),
    /// A command was given by its name.
    Command(Action),
    Complain(String),
    Effect(Effect),
}

/// The dialog on top has the action; `rows` of a list or a text are shown.
pub(crate) fn update(
    dialogs: &mut Vec<Dialog>,
    keys: &Keymap,
    rows: usize,
    action: Action,
) -> Outcome {
    if action == Action::Help {
        match dialogs.last() {
            // Those keys are what is shown.
            Some(Dialog::Reading { title, .. }) if title == help::KEYS => {
                dialogs.pop();
            }
            Some(dialog) => {
                let kind = dialog.kind();
                dialogs.push(Dialog::help(keys, Scope::Dialog(kind)));
            }
            None => {}
        }
        return Outcome::Nothing;
    }
    if finds(dialogs.last_mut(), &action, rows) {
        return Outcome::Nothing;
    }
    if action == Action::Back || action == Action::No {
        dialogs.pop();
        return Outcome::Nothing;
    }
    let Some(dialog) = dialogs.last_mut() else {
        return Outcome::Nothing;
    };
    let outcome = match (dialog, action) {
        (Dialog::Confirm { intent, .. } | Dialog::Sheet { intent, .. }, Action::Yes) => {
            Outcome::Answered(intent.clone(), Answer::Yes)
        }
        (Dialog::List { intent, .. }, Action::Ask) => {
            return match intent.asks_hosts() {
                true => Outcome::Answered(intent.clone(), Answer::Ask),
                false => Outcome::Complain("there is nobody to be asked in this list".into()),
            };
        }
        (Dialog::Text { input, intent, .. }, Action::Submit) => {
            let text = input.value().to_owned();
            Outcome::Answered(intent.clone(), Answer::Text(text))
        }
        (Dialog::Password { typed, intent, .. }, Action::Submit) => {
            Outcome::Answered(intent.clone(), Answer::Secret(typed.secret()))
        }
        (Dialog::Password { typed, .. }, Action::Edit(request)) => {
            typed.handle(request);
            return Outcome::Nothing;
        }
        (Dialog::Text { input, .. }, Action::Edit(request)) => {
            input.handle(request);
            return Outcome::Nothing;
        }
        (Dialog::Command { input, chosen }, Action::Edit(request)) => {
            input.handle(request);
            *chosen = None;
            return Outcome::Nothing;
        }
        (Dialog::Command { input, chosen }, Action::Complete) => {
            command::complete(input);
            *chosen = None;
            return Outcome::Nothing;
        }
        (Dialog::Command { input, chosen }, action @ (Action::Up | Action::Down)) => {
            let last = command::matching(input.value()).len().checked_sub(1);
            *chosen = match (action, *chosen) {
                (Action::Up, Some(at)) => at.checked_sub(1),
                (Action::Down, Some(at)) => last.map(|last| (at + 1).min(last)),
                (Action::Down, None) => last.map(|_| 0),
                _ => None,
            };
            return Outcome::Nothing;
        }
        (Dialog::Command { input, chosen }, Action::Submit) => command::run(input.value(), *chosen),
        (
            Dialog::List {
                rows: all,
                ticks: Some(ticks),
                intent,
                ..
            },
            Action::Submit,
        ) => {
            let ticked = all.iter().filter(|row| ticks.contains(&row.value));
            let ticked = ticked.map(|row| row.value.clone()).collect();
            Outcome::Answered(intent.clone(), Answer::Ticked(ticked))
        }
        (
            Dialog::List {
                rows: all,
                scroll,
                find,
                ticks: Some(ticks),
                ..
            },
            action @ (Action::Mark | Action::MarkAll | Action::MarkNone | Action::MarkInvert),
        ) => {
            let left = find.left(all);
            let here = left.get(scroll.cursor).copied();
            for at in left.iter().copied() {
                let value = &all[at].value;
                let is_ticked = ticks.contains(value);
                let ticked = match action {
                    Action::Mark if here == Some(at) => !is_ticked,
                    Action::MarkAll => true,
                    Action::MarkNone => false,
                    Action::MarkInvert => !is_ticked,
                    _ => is_ticked,
                };
                match ticked {
                    true => ticks.insert(value.clone()),
                    false => ticks.remove(value),
                };
            }
            if action == Action::Mark {
                scroll.by(1, left.len(), rows);
            }
            return Outcome::Nothing;
        }
        (
            Dialog::List {
                rows: all,
                scroll,
                find,
                intent,
                ..
            },
            Action::Submit,
        ) => match (find.left(all).get(scroll.cursor)).and_then(|at| all.get(*at)) {
            Some(row) if *intent == Asked::Key => match keymap::named(&row.value) {
                Some(action) => Outcome::Command(action.clone()),
                None => return Outcome::Nothing,
            },
            Some(row) => Outcome::Answered(intent.clone(), Answer::Chosen(row.value.clone())),
            None => return Outcome::Nothing,
        },
        (
            Dialog::List {
                rows: all,
                scroll,
                find,
                ..
            },
            action,
        ) => {
            scroll.follow(&action, find.left(all).len(), rows);
            return Outcome::Nothing;
        }
        // It stays open below what is asked.
        (Dialog::Reading { run: Some(run), .. }, Action::Report) => {
            let asked = Asked::Report(OfReport::Which { run: run.clone() });
            return Outcome::Answered(asked, Answer::Yes);
        }
        (Dialog::Reading { file: None, .. }, Action::Report) => return Outcome::Nothing,
        (Dialog::Reading { lines, file, .. }, Action::Submit | Action::Report) => match file {
            Some(file) => Outcome::Effect(Effect::Write {
                file: file.clone(),
                text: lines.join("\n") + "\n",
            }),
            None => Outcome::Nothing,
        },
        (Dialog::Reading { lines, .. }, Action::Copy) => {
            // It stays open.
            return Outcome::Effect(Effect::Copy(lines.join("\n") + "\n"));
        }
        (Dialog::Reading { lines, scroll, .. }, action) => {
            read(scroll, &action, lines.len(), rows);
            return Outcome::Nothing;
        }
        _ => return Outcome::Nothing,
    };
    dialogs.pop();
    outcome
}

/// Looking for words in a list or a text; `false` for any other action.
fn finds(dialog: Option<&mut Dialog>, action: &Action, rows: usize) -> bool {
    match dialog {
        Some(Dialog::List {
            rows: all,
            scroll,
            find,
            ticks,
            ..
        }) => match action {
            Action::Find => find.is_typed = true,
            // What is ticked is not answered by the end of a search.
            Action::Submit if find.is_typed && ticks.is_some() => find.is_typed = false,
            Action::Back if find.is_typed || !find.is_empty() => {
                let here = find.left(all).get(scroll.cursor).copied();
                find.clear();
                scroll.to(here.unwrap_or(0), all.len(), rows);
            }
            action if find.is_typed && find.edit(action) => {
                *scroll = Scroll::default();
            }
            _ => return false,
        },
        Some(Dialog::Reading {
            lines,
            scroll,
            find,
            ..
        }) => match action {
            Action::Find => {
                find.clear();
                find.is_typed = true;
            }
            Action::Submit if find.is_typed => find.is_typed = false,
            Action::Back if find.is_typed => find.clear(),
            Action::FindNext => to_found(lines, scroll, find, rows, scroll.offset + 1, false),
            Action::FindPrevious => to_found(lines, scroll, find, rows, scroll.offset, true),
            action if find.is_typed && find.edit(action) => {
                to_found(lines, scroll, find, rows, scroll.offset, false);
            }
            _ => return false,
        },
        _ => return false,
    }
    true
}

/// To the next line from `from` on that was found, or to the one before it; behind the last one to the first.
fn to_found(
    lines: &[String],
    scroll: &mut Scroll,
    find: &Find,
    rows: usize,
    from: usize,
    back: bool,
) {
    let found = |at: &usize| lines.get(*at).is_some_and(|line| find.holds(line));
    let place = match back {
        false => (from..lines.len()).chain(0..from).find(found),
        true => (0..from).rev().chain((from..lines.len()).rev()).find(found),
    };
    if let Some(place) = place {
        scroll.offset = place.min(lines.len().saturating_sub(rows));
    }
}

/// A text has no cursor: moving moves what is shown.
fn read(scroll: &mut Scroll, action: &Action, len: usize, rows: usize) {
    let most = len.saturating_sub(rows);
    scroll.offset = match action {
        Action::Up => scroll.offset.saturating_sub(1),
        Action::Down => scroll.offset + 1,
        Action::PageUp => scroll.offset.saturating_sub(rows),
        Action::PageDown => scroll.offset + rows,
        Action::First => 0,
        Action::Last => most,
        _ => scroll.offset,
    }
    .min(most);
}

pub(crate) fn draw(
    dialogs: &[Dialog],
    keys: &Keymap,
    rows: usize,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    for dialog in dialogs {
        draw::draw(dialog, keys, rows, theme, frame, area);
    }
}

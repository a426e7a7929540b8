//! What lies over a page until it is answered: questions, lines of text, lists, texts to read.
//!
//! A dialog knows how it is shown and moved in; what its answer means is a value ([`Asked`]) that it
//! gives back with the answer.

mod command;
mod draw;
mod help;
mod secret;

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use crate::terminal::Theme;

use super::action::Action;
use super::asked::{Answer, Asked};
use super::effect::Effect;
use super::keymap::Kind;
use super::page::Page;
use super::scroll::Scroll;
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
    },
    List {
        title: String,
        rows: Vec<Row>,
        scroll: Scroll,
        intent: Asked,
    },
    /// Something to read; `file` is the name it can be written to.
    Reading {
        title: String,
        lines: Vec<String>,
        scroll: Scroll,
        file: Option<String>,
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
            Self::List { .. } => Kind::List,
            Self::Reading { .. } => Kind::Reading,
        }
    }

    pub(crate) fn help(page: Page) -> Self {
        help::dialog(page)
    }

    pub(crate) fn command_line() -> Self {
        Self::Command {
            input: Input::default(),
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
            intent,
        }
    }

    pub(crate) fn reading(title: impl Into<String>, lines: Vec<String>) -> Self {
        Self::Reading {
            title: title.into(),
            lines,
            scroll: Scroll::default(),
            file: None,
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
pub(crate) fn update(dialogs: &mut Vec<Dialog>, rows: usize, action: Action) -> Outcome {
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
        (Dialog::Text { input, .. } | Dialog::Command { input }, Action::Edit(request)) => {
            input.handle(request);
            return Outcome::Nothing;
        }
        (Dialog::Command { input }, Action::Complete) => {
            command::complete(input);
            return Outcome::Nothing;
        }
        (Dialog::Command { input }, Action::Submit) => command::run(input.value()),
        (
            Dialog::List {
                rows: all,
                scroll,
                intent,
                ..
            },
            Action::Submit,
        ) => match all.get(scroll.cursor) {
            Some(row) => Outcome::Answered(intent.clone(), Answer::Chosen(row.value.clone())),
            None => return Outcome::Nothing,
        },
        (
            Dialog::List {
                rows: all, scroll, ..
            },
            action,
        ) => {
            scroll.follow(&action, all.len(), rows);
            return Outcome::Nothing;
        }
        (Dialog::Reading { lines, file, .. }, Action::Submit) => match file {
            Some(file) => Outcome::Effect(Effect::Write {
                file: file.clone(),
                text: lines.join("\n") + "\n",
            }),
            None => Outcome::Nothing,
        },
        (Dialog::Reading { lines, scroll, .. }, action) => {
            read(scroll, &action, lines.len(), rows);
            return Outcome::Nothing;
        }
        _ => return Outcome::Nothing,
    };
    dialogs.pop();
    outcome
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
    rows: usize,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    for dialog in dialogs {
        draw::draw(dialog, rows, theme, frame, area);
    }
}

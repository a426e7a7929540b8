//! What lies over a page until it is answered: questions, lines of text, lists, texts to read.
//!
//! A dialog knows how it is shown and moved in; what its answer means is its [`Intent`], and is
//! carried out by the page that asked.

mod command;
mod draw;
mod help;
mod secret;

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::Input;

use crate::model::{EntityState, Name};
use crate::protocol::{Command, Secret, Snapshot, Target};

use super::action::Action;
use super::effect::Effect;
use super::pages::{groups, log, review, watch};
use super::state::{Page, Scroll, State};
use crate::terminal::Theme;
use secret::Typed;

/// Kinds of dialogs: the keymap tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Confirm,
    Text,
    Command,
    List,
    Reading,
}

#[derive(Debug, Clone)]
pub(crate) enum Dialog {
    /// A question that says what yes will do. `No` is never an order.
    Confirm {
        title: String,
        lines: Vec<String>,
        intent: Intent,
    },
    Text {
        title: String,
        lines: Vec<String>,
        input: Input,
        intent: Intent,
    },
    /// Nothing of what is typed is shown.
    Password {
        title: String,
        lines: Vec<String>,
        typed: Typed,
        intent: Intent,
    },
    Command {
        input: Input,
    },
    List {
        title: String,
        rows: Vec<Row>,
        scroll: Scroll,
        intent: Intent,
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

/// What an answer is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Intent {
    Quit,
    Suspend,
    Cancel(Target),
    /// The page that asked carries it out, with what was typed or chosen.
    Groups(groups::Asked),
    Review(review::Asked),
    Watch(watch::Asked),
    Log(log::Asked),
}

/// How a dialog was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    Text(String),
    Secret(Secret),
    /// The value of the chosen row.
    Chosen(String),
}

impl Dialog {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Confirm { .. } => Kind::Confirm,
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
        intent: Intent,
    ) -> Self {
        Self::Confirm {
            title: title.into(),
            lines: lines.into_iter().collect(),
            intent,
        }
    }

    pub(crate) fn text(title: impl Into<String>, value: &str, intent: Intent) -> Self {
        Self::Text {
            title: title.into(),
            lines: Vec::new(),
            input: Input::new(value.to_owned()),
            intent,
        }
    }

    pub(crate) fn password(title: impl Into<String>, lines: Vec<String>, intent: Intent) -> Self {
        Self::Password {
            title: title.into(),
            lines,
            typed: Typed::default(),
            intent,
        }
    }

    pub(crate) fn list(title: impl Into<String>, rows: Vec<Row>, intent: Intent) -> Self {
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

/// Rows of a list or a text that a dialog shows at most on this screen.
pub(crate) fn list_rows(state: &State) -> usize {
    state.page_rows().saturating_sub(4).max(1)
}

/// The dialog on top has the action.
pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let rows = list_rows(state);
    if action == Action::Back || action == Action::No {
        state.dialogs.pop();
        return None;
    }
    let dialog = state.dialogs.last_mut()?;
    let (intent, answer) = match (dialog, action) {
        (Dialog::Confirm { intent, .. }, Action::Yes) => (intent.clone(), Answer::Yes),
        (Dialog::Text { input, intent, .. }, Action::Submit) => {
            (intent.clone(), Answer::Text(input.value().to_owned()))
        }
        (Dialog::Password { typed, intent, .. }, Action::Submit) => {
            (intent.clone(), Answer::Secret(typed.secret()))
        }
        (Dialog::Password { typed, .. }, Action::Edit(request)) => {
            typed.handle(request);
            return None;
        }
        (Dialog::Text { input, .. } | Dialog::Command { input }, Action::Edit(request)) => {
            input.handle(request);
            return None;
        }
        (Dialog::Command { input }, Action::Complete) => {
            command::complete(input);
            return None;
        }
        (Dialog::Command { input }, Action::Submit) => {
            let typed = input.value().to_owned();
            state.dialogs.pop();
            return command::run(state, snapshot, &typed);
        }
        (
            Dialog::List {
                rows: all,
                scroll,
                intent,
                ..
            },
            Action::Submit,
        ) => (
            intent.clone(),
            Answer::Chosen(all.get(scroll.cursor)?.value.clone()),
        ),
        (
            Dialog::List {
                rows: all, scroll, ..
            },
            action,
        ) => {
            scroll.follow(&action, all.len(), rows);
            return None;
        }
        (
            Dialog::Reading {
                lines,
                file: Some(file),
                ..
            },
            Action::Submit,
        ) => {
            let (file, text) = (file.clone(), lines.join("\n") + "\n");
            state.dialogs.pop();
            return Some(Effect::Write { file, text });
        }
        (Dialog::Reading { .. }, Action::Submit) => {
            state.dialogs.pop();
            return None;
        }
        (Dialog::Reading { lines, scroll, .. }, action) => {
            read(scroll, &action, lines.len(), rows);
            return None;
        }
        _ => return None,
    };
    state.dialogs.pop();
    answered(state, snapshot, intent, answer)
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

fn answered(
    state: &mut State,
    snapshot: &Snapshot,
    intent: Intent,
    answer: Answer,
) -> Option<Effect> {
    match intent {
        Intent::Quit => match answer {
            Answer::Chosen(choice) if choice == LEAVE => Some(Effect::Quit { cancel: false }),
            Answer::Chosen(choice) if choice == STAY => None,
            _ => Some(Effect::Quit { cancel: true }),
        },
        Intent::Suspend => Some(Effect::Suspend),
        Intent::Cancel(target) => Some(Effect::Send(vec![Command::Cancel { target }])),
        Intent::Groups(asked) => groups::answered(state, snapshot, asked, answer),
        Intent::Review(asked) => review::answered(state, snapshot, asked, answer),
        Intent::Watch(asked) => watch::answered(state, snapshot, asked, answer),
        Intent::Log(asked) => log::answered(state, asked, answer),
    }
}

/// How one can leave an engine that is a process of its own.
const LEAVE: &str = "leave";
const CANCEL: &str = "cancel";
const STAY: &str = "stay";

/// Leaves, or asks if work runs.
pub(crate) fn quit(state: &mut State, snapshot: &Snapshot) -> Option<Effect> {
    let running = unfinished(snapshot, &Target::All);
    if running.is_empty() {
        return Some(Effect::Quit { cancel: false });
    }
    if state.engine.watch_only || state.engine.is_gone {
        return Some(Effect::Quit { cancel: false });
    }
    if state.engine.shared {
        let row = |label: &str, detail: &str, value: &str| Row {
            label: label.into(),
            detail: detail.into(),
            value: value.into(),
        };
        let rows = vec![
            row("Leave it running", "`subtend attach` shows it again", LEAVE),
            row(
                "Cancel it and leave",
                "entities keep the file they have",
                CANCEL,
            ),
            row("Stay", "", STAY),
        ];
        let dialog = Dialog::list("Work runs. Leave?", rows, Intent::Quit);
        state.dialogs.push(dialog);
        return None;
    }
    let mut lines = what_is_left(&running);
    lines.insert(0, "Work runs. Leaving cancels it.".into());
    state
        .dialogs
        .push(Dialog::confirm("Leave and cancel?", lines, Intent::Quit));
    None
}

/// Stops the program until `fg`, or asks if work runs.
pub(crate) fn suspend(state: &mut State, snapshot: &Snapshot) -> Option<Effect> {
    let asks = |dialog: &Dialog| {
        matches!(
            dialog,
            Dialog::Confirm {
                intent: Intent::Suspend,
                ..
            }
        )
    };
    if state.dialog().is_some_and(asks) {
        return None;
    }
    if state.engine.shared || unfinished(snapshot, &Target::All).is_empty() {
        return Some(Effect::Suspend);
    }
    let lines = [
        "Transfers stop until `fg`. A server that hears nothing for too".to_owned(),
        "long may end the session, and its entity then fails.".to_owned(),
    ];
    state
        .dialogs
        .push(Dialog::confirm("Suspend?", lines, Intent::Suspend));
    None
}

pub(crate) fn confirm_cancel_all(state: &mut State, snapshot: &Snapshot) -> Option<Effect> {
    confirm_cancel(state, snapshot, Target::All, "Cancel everything?")
}

/// Asks, and says what will be left on the entities.
pub(crate) fn confirm_cancel(
    state: &mut State,
    snapshot: &Snapshot,
    target: Target,
    title: &str,
) -> Option<Effect> {
    let running = unfinished(snapshot, &target);
    if running.is_empty() {
        state.say("nothing runs there");
        return None;
    }
    let lines = what_is_left(&running);
    state
        .dialogs
        .push(Dialog::confirm(title, lines, Intent::Cancel(target)));
    None
}

/// The entities that a cancellation would stop.
fn unfinished(snapshot: &Snapshot, target: &Target) -> Vec<(Name, EntityState)> {
    let groups = snapshot.running().filter(|group| match target {
        Target::All => true,
        Target::Group(name) | Target::Entity { group: name, .. } => *group.group == **name,
    });
    groups
        .flat_map(|group| group.unfinished())
        .filter(|entity| match target {
            Target::Entity { entity: name, .. } => *entity.entity == **name,
            _ => true,
        })
        .map(|entity| (entity.entity.clone(), entity.state))
        .collect()
}

fn what_is_left(running: &[(Name, EntityState)]) -> Vec<String> {
    let count = running.len();
    let whom = match running {
        [(name, state)] => format!("{name} is {state}."),
        _ => format!("{count} entities are not finished."),
    };
    vec![
        whom,
        "They keep the file they have now: what was sent goes to a staging".into(),
        "file, which is removed. One that renames at this moment is delivered.".into(),
    ]
}

pub(crate) fn draw(
    state: &State,
    _snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    for dialog in &state.dialogs {
        draw::draw(dialog, list_rows(state), theme, frame, area);
    }
}

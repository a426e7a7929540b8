//! What a key does where, and what the help, the status line and the messages call it.
//!
//! - `table`: the keys as they are where nobody has bound them anew; `names`: what actions are called
//! - `bind`: keys that are bound anew, and what must hold of them
//! - `key`: one key
//!
//! Keys follow habits, and nothing needs Alt, a function key or a mouse.

mod bind;
mod key;
mod names;
mod table;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

use super::action::Action;
use super::page::Page;
use table::{Binding, KEYS, Spot};

pub(crate) use bind::Context;
pub(crate) use key::Key;
pub(crate) use names::{commands, named};
pub(crate) use table::help_of;

/// Where one is: it decides what a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Page(Page),
    /// A line of text is being typed on a page.
    Typing,
    Dialog(Kind),
}

/// Kinds of dialogs: the keymap tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Confirm,
    /// A question that Enter answers.
    Sheet,
    Text,
    Command,
    List,
    /// A list of which rows are ticked.
    Ticks,
    Reading,
    /// Words are typed that are looked for in a list or a text.
    Find,
}

/// What a page wants in the status line.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Hints {
    /// These come first, in place of what the table says of the same key.
    pub(crate) first: Vec<Hint>,
    /// These are left out.
    pub(crate) without: Vec<Action>,
}

/// An action, and what its key does now, in a word or two.
pub(crate) type Hint = (Action, &'static str);

/// The keys that are in force.
#[derive(Clone)]
pub struct Keymap {
    /// Those of the table, one for each place that they are for.
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    binding: &'static Binding,
    spot: Spot,
    keys: Vec<Key>,
    /// How many of them the help shows: the first ones.
    shown: usize,
}

impl Row {
    fn of(binding: &'static Binding, spot: Spot) -> Self {
        let known = |names: &'static str| {
            let names = names.split_whitespace();
            names.filter_map(|name| Key::written(name).ok())
        };
        let keys: Vec<Key> = known(binding.keys).collect();
        Self {
            binding,
            spot,
            shown: keys.len(),
            keys: keys.into_iter().chain(known(binding.hidden)).collect(),
        }
    }

    pub(crate) fn action(&self) -> &'static Action {
        &self.binding.action
    }

    /// What it does, in a few words.
    pub(crate) fn help(&self) -> &'static str {
        self.binding.help
    }

    /// Its name, where keys are bound.
    pub(crate) fn name(&self) -> &'static str {
        names::name_of(&self.binding.action)
    }

    /// Its keys, for the help; empty without one.
    pub(crate) fn keys_shown(&self) -> String {
        let keys = self.keys.iter().take(self.shown);
        let keys: Vec<String> = keys.map(Key::to_string).collect();
        keys.join(" ")
    }

    /// The same; without one the command that does it.
    pub(crate) fn label(&self) -> String {
        match self.keys_shown() {
            none if none.is_empty() => by_name(self.action()),
            keys => keys,
        }
    }

    fn is(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }
}

/// How something is done that has no key.
fn by_name(action: &Action) -> String {
    names::command_of(action).map_or_else(|| "(no key)".to_owned(), |name| format!(":{name}"))
}

impl Default for Keymap {
    fn default() -> Self {
        let rows = KEYS.iter().flat_map(|binding| {
            let spots = binding.place.spots().into_iter();
            spots.map(|spot| Row::of(binding, spot))
        });
        Self {
            rows: rows.collect(),
        }
    }
}

impl Keymap {
    /// What a key means there; `None` if nothing.
    pub(crate) fn action(&self, event: &KeyEvent, scope: Scope) -> Option<Action> {
        let key = Key::of(event)?;
        // A torn screen and a shell that is needed do not wait for a dialog to be answered.
        if let Some(row) = self.always().find(|row| row.is(key)) {
            return Some(row.action().clone());
        }
        let bound = (self.rows(scope))
            .find(|row| row.is(key))
            .map(|row| row.action().clone());
        match scope {
            Scope::Typing => typing(event),
            Scope::Dialog(Kind::Text | Kind::Command | Kind::Find) => bound.or_else(|| edit(event)),
            _ => bound,
        }
    }

    /// What works wherever one is.
    fn always(&self) -> impl Iterator<Item = &Row> {
        let is_always = |row: &&Row| matches!(row.action(), Action::Redraw | Action::Suspend);
        self.rows.iter().filter(is_always)
    }

    /// The rows that count there, in the order of the table.
    pub(crate) fn rows(&self, scope: Scope) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.spot.fits(scope))
    }

    /// What the wheel of a mouse does, which is what the cursor keys would.
    pub(crate) fn wheel(&self, action: &Action, scope: Scope) -> Option<Action> {
        let moves = scope == Scope::Typing || self.rows(scope).any(|row| row.action() == action);
        moves.then(|| action.clone())
    }

    /// The key to name there for an action; how else it is done where it has none.
    pub(crate) fn key(&self, scope: Scope, action: &Action) -> String {
        let keys = |row: &Row| row.keys.first().map(Key::to_string);
        let mut rows = self.rows(scope).filter(|row| row.action() == action);
        rows.find_map(keys).unwrap_or_else(|| by_name(action))
    }

    /// The key of a page.
    pub(crate) fn on(&self, page: Page, action: &Action) -> String {
        self.key(Scope::Page(page), action)
    }

    /// The first row of the table for an action, wherever it is.
    pub(crate) fn row_of(&self, action: &Action) -> Option<&Row> {
        let of_action = || self.rows.iter().filter(|row| row.action() == action);
        of_action()
            .find(|row| !row.keys.is_empty())
            .or_else(|| of_action().next())
    }

    /// What is said of a key that means nothing there: it may have been meant for another page.
    pub(crate) fn means_nothing(&self, event: &KeyEvent, scope: Scope) -> Option<String> {
        let name = Key::of(event)?;
        let key = |action| self.key(scope, &action);
        Some(match scope {
            Scope::Page(page) => format!(
                "{name} means nothing on page {}: {} shows its keys",
                page.title(),
                key(Action::Help)
            ),
            Scope::Dialog(Kind::Confirm) => format!(
                "{name} is no answer: {} is yes, {} is no",
                key(Action::Yes),
                key(Action::No)
            ),
            Scope::Dialog(Kind::Sheet) => format!(
                "{name} is no answer: {} goes on, {} does not",
                key(Action::Yes),
                key(Action::No)
            ),
            Scope::Dialog(Kind::List | Kind::Ticks | Kind::Reading) => format!(
                "{name} means nothing here: {} shows the keys, {} closes",
                key(Action::Help),
                key(Action::Back)
            ),
            Scope::Dialog(_) => {
                format!("{name} means nothing here: {} closes", key(Action::Back))
            }
            Scope::Typing => return None,
        })
    }

    /// The status line: the hints that fit, the most local ones first.
    pub(crate) fn hints(&self, scope: Scope, columns: u16, wanted: &Hints) -> String {
        if scope == Scope::Typing {
            return "Enter keep the filter  Esc clear it".into();
        }
        let width = |hints: &[String]| hints.iter().map(|hint| hint.chars().count() + 2).sum();
        let width = |hints: &[String]| -> usize { width(hints) };
        let everywhere = |row: &Row| row.spot == Spot::Everywhere;
        let hint = |row: &Row| {
            let key = row.keys.first()?;
            row.binding.hint.map(|what| format!("{key} {what}"))
        };
        // How to get help, and out, comes before everything else.
        let general = self.rows(scope).filter(|row| everywhere(row));
        let mut last: Vec<String> = general.filter_map(hint).collect();
        let mut first: Vec<String> = Vec::new();
        let is_left_out = |row: &&Row| {
            let others = wanted.first.iter().map(|(action, _)| action);
            let mut others = others.chain(&wanted.without);
            others.any(|other| other == row.action())
        };
        let fits = |first: &[String], last: &[String]| {
            (width(first) + width(last)).saturating_sub(2) <= usize::from(columns)
        };
        while !last.is_empty() && !fits(&[], &last) {
            last.remove(0);
        }
        let of_table = self.rows(scope).filter(|row| !everywhere(row));
        let of_table = of_table.filter(|row| !is_left_out(row)).filter_map(hint);
        let wanted = wanted.first.iter();
        let wanted = wanted.map(|(action, what)| format!("{} {what}", self.key(scope, action)));
        for hint in wanted.chain(of_table) {
            first.push(hint);
            if !fits(&first, &last) {
                first.pop();
            }
        }
        first.append(&mut last);
        first.join("  ")
    }
}

/// While a filter is typed, everything that can be typed belongs to it.
fn typing(event: &KeyEvent) -> Option<Action> {
    match event.code {
        KeyCode::Enter => Some(Action::Submit),
        KeyCode::Esc => Some(Action::Back),
        KeyCode::Up => Some(Action::Up),
        KeyCode::Down => Some(Action::Down),
        KeyCode::Char('c') if event.modifiers.contains(KeyModifiers::CONTROL) => Some(Action::Back),
        _ => edit(event),
    }
}

fn edit(event: &KeyEvent) -> Option<Action> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let request = match (event.code, control) {
        (KeyCode::Char('u'), true) => InputRequest::DeleteLine,
        (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
        (KeyCode::Char('h'), true) | (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
        (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
        (KeyCode::Left, _) => InputRequest::GoToPrevChar,
        (KeyCode::Right, _) => InputRequest::GoToNextChar,
        (KeyCode::Char(c), false) => InputRequest::InsertChar(c),
        _ => return None,
    };
    Some(Action::Edit(request))
}

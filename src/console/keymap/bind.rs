//! Keys that are bound anew: where, and what must hold of all of them together.

use std::fmt;

use super::key::Key;
use super::table::Spot;
use super::{Keymap, Kind, Row, Scope, edit, typing};
use crate::console::action::Action;
use crate::console::page::Page;

/// Where keys are bound: on all pages, on one, in dialogs of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    Global,
    Page(Page),
    Dialog(Kind),
}

/// The kinds of dialogs, by the words that are written for them.
const KINDS: [(&str, Kind); 8] = [
    ("question", Kind::Confirm),
    ("sheet", Kind::Sheet),
    ("text", Kind::Text),
    ("command", Kind::Command),
    ("list", Kind::List),
    ("ticks", Kind::Ticks),
    ("reading", Kind::Reading),
    ("find", Kind::Find),
];

const PAGES: [(&str, Page); 7] = [
    ("overview", Page::Overview),
    ("inventory", Page::Inventory),
    ("groups", Page::Groups),
    ("review", Page::Review),
    ("watch", Page::Watch),
    ("log", Page::Log),
    ("history", Page::History),
];

impl Context {
    /// All but those of dialogs, by the words that are written for them.
    pub(crate) fn pages() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        let pages = PAGES.into_iter();
        std::iter::once(("global", Self::Global))
            .chain(pages.map(|(word, page)| (word, Self::Page(page))))
    }

    pub(crate) fn dialogs() -> impl Iterator<Item = (&'static str, Self)> + Clone {
        let kinds = KINDS.into_iter();
        kinds.map(|(word, kind)| (word, Self::Dialog(kind)))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |kind: &Kind| KINDS.iter().find(|(_, one)| one == kind);
        match self {
            Self::Page(page) => write!(f, "on page {}", page.title()),
            Self::Typing => f.write_str("where text is typed"),
            Self::Dialog(kind) => {
                write!(f, "in a {}", word(kind).map_or("dialog", |(word, _)| word))
            }
        }
    }
}

/// What must not be, and the rows it is about: the first one is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rows: Vec<usize>,
    /// What it is, wherever that is.
    pub(crate) what: String,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// What opens a review, from which the next key may start it.
const OPENERS: [(Page, Action); 5] = [
    (Page::Inventory, Action::Upgrade),
    (Page::Groups, Action::Start),
    (Page::Groups, Action::Activate),
    (Page::Watch, Action::Activate),
    (Page::Review, Action::Start),
];

/// Whether a row is on all pages, so that it can be bound for all at once.
fn is_global(row: &Row) -> bool {
    match row.spot {
        Spot::Everywhere => true,
        Spot::On(_) => row.binding.place.spots().len() == PAGES.len(),
        Spot::In(_) => false,
    }
}

fn fits(row: &Row, context: Context) -> bool {
    match context {
        Context::Global => is_global(row),
        Context::Page(page) => row.spot == Spot::On(page),
        Context::Dialog(kind) => row.spot == Spot::In(kind),
    }
}

impl Keymap {
    /// The rows of the table that an action has in a context, by their places in it.
    pub(crate) fn places(&self, context: Context, name: &str) -> Vec<usize> {
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| fits(row, context) && row.name() == name)
            .map(|(at, _)| at)
            .collect()
    }

    /// What can be bound in a context, with its keys and what it does. What all pages have in common is listed once,
    /// where it is the same.
    pub(crate) fn bound(&self, context: Context) -> Vec<(&'static str, Vec<Key>, &'static str)> {
        let mut all: Vec<(&'static str, Vec<Key>, &'static str)> = Vec::new();
        let is_told_here = |row: &&Row| {
            let of_all = is_global(row) && self.is_uniform(row);
            fits(row, context) && of_all == (context == Context::Global)
        };
        for row in self.rows.iter().filter(is_told_here) {
            match all.iter_mut().find(|(name, ..)| *name == row.name()) {
                Some((_, keys, _)) => {
                    let new = row.keys.iter().filter(|key| !keys.contains(key));
                    let new: Vec<Key> = new.copied().collect();
                    keys.extend(new);
                }
                None => all.push((row.name(), row.keys.clone(), row.help())),
            }
        }
        all
    }

    /// Whether it has the same keys wherever it is.
    fn is_uniform(&self, row: &Row) -> bool {
        let same = |other: &&Row| std::ptr::eq(other.binding, row.binding);
        let mut others = self.rows.iter().filter(same);
        others.all(|other| {
            other.keys.len() == row.keys.len() && row.keys.iter().all(|key| other.is(*key))
        })
    }

    /// Gives the rows at these places other keys. Where one had Ctrl-C it keeps it, and rows that have all that is
    /// wanted stay as they are.
    pub(crate) fn bind(&mut self, places: &[usize], keys: &[Key]) {
        let mut spots: Vec<Spot> = Vec::new();
        let has_all = |spot: Spot| {
            let rows = places.iter().filter_map(|at| self.rows.get(*at));
            let now: Vec<Key> = rows
                .filter(|row| row.spot == spot)
                .flat_map(|row| row.keys.clone())
                .collect();
            let kept = |key: &Key| keys.contains(key) || *key == Key::CANCEL;
            now.iter().all(kept) && keys.iter().all(|key| now.contains(key))
        };
        let rows = self.rows.iter().enumerate();
        let mut unchanged: Vec<Spot> = Vec::new();
        for (_, row) in rows.filter(|(at, _)| places.contains(at)) {
            if has_all(row.spot) {
                unchanged.push(row.spot);
            }
        }
        for at in places {
            let Some(row) = self.rows.get_mut(*at) else {
                continue;
            };
            if unchanged.contains(&row.spot) {
                continue;
            }
            // Of several rows for one action in one place the first has all its keys.
            let is_first = !spots.contains(&row.spot);
            spots.push(row.spot);
            let cancels = row.keys.contains(&Key::CANCEL) && !keys.contains(&Key::CANCEL);
            row.keys = match is_first {
                true => keys.to_vec(),
                false => Vec::new(),
            };
            row.shown = row.keys.len();
            row.keys.extend(cancels.then_some(Key::CANCEL));
        }
    }

    /// Everything that must not be.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let pages = PAGES.map(|(_, page)| Scope::Page(page));
        let kinds = KINDS.map(|(_, kind)| Scope::Dialog(kind));
        for scope in pages.into_iter().chain(kinds) {
            self.doubles(scope, &mut faults);
        }
        for (at, row) in self.rows.iter().enumerate() {
            faults.extend(
                row.keys
                    .iter()
                    .filter_map(|key| self.misplaced(at, row, *key)),
            );
        }
        self.starts(&mut faults);
        faults
    }

    /// Those that count there, with what works wherever one is.
    fn in_scope(&self, scope: Scope) -> Vec<(usize, &Row)> {
        let is_always = |row: &Row| matches!(row.action(), Action::Redraw | Action::Suspend);
        let rows = self.rows.iter().enumerate();
        rows.filter(|(_, row)| row.spot.fits(scope) || is_always(row))
            .collect()
    }

    fn doubles(&self, scope: Scope, faults: &mut Vec<Fault>) {
        let rows = self.in_scope(scope);
        for (place, (at, row)) in rows.iter().enumerate() {
            for key in &row.keys {
                let before = rows[..place].iter().find(|(_, other)| other.is(*key));
                let Some((other, before)) = before else {
                    continue;
                };
                let names = format!("`{}` and `{}`", before.name(), row.name());
                faults.push(Fault {
                    rows: vec![*at, *other],
                    message: format!("{key} is bound twice {scope}: to {names}"),
                    what: format!("{key}: {names}"),
                    help: "bind one of them to another key",
                });
            }
        }
    }

    /// A key that must not do that.
    fn misplaced(&self, at: usize, row: &Row, key: Key) -> Option<Fault> {
        let leaves = matches!(row.action(), Action::Back | Action::No | Action::Quit);
        let types = matches!(row.spot, Spot::In(Kind::Text | Kind::Command | Kind::Find))
            && matches!(key, Key::Char(_));
        let always = matches!(row.action(), Action::Redraw | Action::Suspend);
        let event = key.event();
        let (message, help) = match key {
            Key::CANCEL if !leaves => (
                format!("{key} can't be `{}`", row.name()),
                "it always leaves or closes: choose another key",
            ),
            Key::ESCAPE if !leaves => (
                format!("{key} can't be `{}`", row.name()),
                "it never does work: bind it to `back`, `no` or `quit` alone",
            ),
            _ if types => (
                format!("{key} is typed there, so it can't be `{}`", row.name()),
                "choose a key that is no character, like `F5` or `ctrl-t`",
            ),
            _ if always && (typing(&event).is_some() || edit(&event).is_some()) => (
                format!(
                    "{key} means something where text is typed, so it can't be `{}`",
                    row.name()
                ),
                "that works wherever one is: choose a key like `F5` or `ctrl-t`",
            ),
            _ => return None,
        };
        Some(Fault {
            rows: vec![at],
            what: message.clone(),
            message,
            help,
        })
    }

    /// A key that is pressed twice must never open a review and start it.
    fn starts(&self, faults: &mut Vec<Fault>) {
        let of = |page: Page, action: &Action| {
            let rows = self.rows.iter().enumerate();
            let found = rows.filter(|(_, row)| row.spot.fits(Scope::Page(page)));
            let found = found.filter(|(_, row)| row.action() == action);
            found.collect::<Vec<_>>()
        };
        for (begin, row) in of(Page::Review, &Action::Begin) {
            for (page, action) in &OPENERS {
                for (opener, other) in of(*page, action) {
                    for key in row.keys.iter().filter(|key| other.is(**key)) {
                        faults.push(Fault {
                            rows: vec![begin, opener],
                            what: format!("{key}: {} and {}", other.name(), row.name()),
                            message: format!(
                                "{key} is both `{}` on page {} and `{}` on page Review",
                                other.name(),
                                page.title(),
                                row.name()
                            ),
                            help: "pressed twice it would open a review and start it: bind one of \
                                   them to another key",
                        });
                    }
                }
            }
        }
    }
}

impl Keymap {
    /// Whether rows must not be without a key: those that Ctrl-C stands for.
    pub(crate) fn is_way_out(&self, places: &[usize]) -> bool {
        let mut rows = places.iter().filter_map(|at| self.rows.get(*at));
        rows.any(|row| row.is(Key::CANCEL))
    }
}

/// Two are equal where each key does the same in both.
impl PartialEq for Keymap {
    fn eq(&self, other: &Self) -> bool {
        let contexts = || Context::pages().chain(Context::dialogs());
        let of = |keymap: &Self, context| {
            let bound = keymap.bound(context).into_iter();
            let sorted = bound.map(|(name, keys, _)| {
                let mut keys: Vec<String> = keys.iter().map(Key::to_string).collect();
                keys.sort_unstable();
                (name, keys)
            });
            sorted.collect::<Vec<_>>()
        };
        contexts().all(|(_, context)| of(self, context) == of(other, context))
    }
}

impl Eq for Keymap {}

impl fmt::Debug for Keymap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keymap").finish_non_exhaustive()
    }
}

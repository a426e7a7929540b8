//! The one table of keys: what a key does where, and what the help and the status line say of it.
//!
//! Keys follow habits, and nothing needs Alt, a function key or a mouse.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

use super::action::Action;
use super::dialogs::Kind;
use super::state::{Page, State};

/// Where one is: it decides what a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Page(Page),
    /// A line of text is being typed on a page.
    Typing,
    Dialog(Kind),
}

pub(crate) fn scope(state: &State) -> Scope {
    match state.dialog() {
        Some(dialog) => Scope::Dialog(dialog.kind()),
        None if state.page == Page::Inventory && state.inventory.typing => Scope::Typing,
        None => Scope::Page(state.page),
    }
}

/// One row of the table.
pub(crate) struct Binding {
    /// As an operator would write it, for the help.
    pub(crate) keys: &'static str,
    on: &'static [Key],
    action: Action,
    place: Place,
    /// What it does, in a few words.
    pub(crate) help: &'static str,
    /// In the status line, where it matters most; short.
    hint: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Char(char),
    Ctrl(char),
    Code(KeyCode),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On every page.
    Everywhere,
    /// On pages with a list.
    Lists,
    On(&'static [Page]),
    In(&'static [Kind]),
}

use Key::{Char, Code, Ctrl};

const LISTS: &[Page] = &[
    Page::Inventory,
    Page::Groups,
    Page::Review,
    Page::Watch,
    Page::Log,
    Page::History,
];

macro_rules! bind {
    ($keys:literal, [$($on:expr),+], $place:expr, $action:expr, $help:literal) => {
        Binding { keys: $keys, on: &[$($on),+], action: $action, place: $place, help: $help, hint: None }
    };
    ($keys:literal, [$($on:expr),+], $place:expr, $action:expr, $help:literal, $hint:literal) => {
        Binding {
            keys: $keys, on: &[$($on),+], action: $action, place: $place, help: $help, hint: Some($hint),
        }
    };
}

const INVENTORY: Place = Place::On(&[Page::Inventory]);
const GROUPS: Place = Place::On(&[Page::Groups]);
const REVIEW: Place = Place::On(&[Page::Review]);
const WATCH: Place = Place::On(&[Page::Watch]);
const LOG: Place = Place::On(&[Page::Log]);
const YES_NO: Place = Place::In(&[Kind::Confirm]);
const TEXT: Place = Place::In(&[Kind::Text, Kind::Command]);
const CHOICE: Place = Place::In(&[Kind::List, Kind::Reading]);

/// The table. Where two rows fit, the first one counts.
pub(crate) static KEYS: &[Binding] = &[
    bind!(
        "Space Insert",
        [Char(' '), Code(KeyCode::Insert)],
        INVENTORY,
        Action::Mark,
        "mark the entity",
        "Space mark"
    ),
    bind!(
        "v",
        [Char('v')],
        INVENTORY,
        Action::MarkRange,
        "mark from the last mark to here"
    ),
    bind!(
        "a",
        [Char('a')],
        INVENTORY,
        Action::MarkAll,
        "mark all that are shown"
    ),
    bind!(
        "*",
        [Char('*')],
        INVENTORY,
        Action::MarkInvert,
        "invert the marks of what is shown"
    ),
    bind!(
        "u",
        [Char('u')],
        INVENTORY,
        Action::MarkNone,
        "clear all marks"
    ),
    bind!(
        "/",
        [Char('/')],
        Place::On(&[Page::Inventory]),
        Action::Filter,
        "filter: words, type:adsl, !word excludes",
        "/ filter"
    ),
    bind!(
        "n",
        [Char('n')],
        Place::On(&[Page::Inventory, Page::Groups]),
        Action::NewGroup,
        "make a group from the marks, else from what is shown",
        "n new group"
    ),
    bind!(
        "A",
        [Char('A')],
        Place::On(&[Page::Inventory, Page::Groups]),
        Action::AutoGroup,
        "make groups by type, version or both"
    ),
    bind!(
        "+",
        [Char('+')],
        GROUPS,
        Action::AddMembers,
        "add the marked entities"
    ),
    bind!(
        "-",
        [Char('-')],
        GROUPS,
        Action::RemoveMembers,
        "remove the marked entities"
    ),
    bind!(
        "i",
        [Char('i')],
        GROUPS,
        Action::PickImage,
        "choose the image",
        "i image"
    ),
    bind!(
        "o",
        [Char('o')],
        GROUPS,
        Action::PickSource,
        "choose the source",
        "o source"
    ),
    bind!(
        "N",
        [Char('N')],
        GROUPS,
        Action::RenameGroup,
        "rename the group"
    ),
    bind!(
        "D",
        [Char('D')],
        GROUPS,
        Action::DeleteGroup,
        "delete the group"
    ),
    bind!(
        "y",
        [Char('y')],
        GROUPS,
        Action::ShowYaml,
        "show the groups made here as YAML"
    ),
    bind!(
        "L",
        [Char('L')],
        GROUPS,
        Action::Laggards,
        "what becomes of slow entities"
    ),
    bind!(
        "T",
        [Char('T')],
        GROUPS,
        Action::Retries,
        "how often entities are tried again"
    ),
    bind!(
        "P",
        [Char('P')],
        GROUPS,
        Action::Parallel,
        "how many entities at a time"
    ),
    bind!(
        "Space Insert",
        [Char(' '), Code(KeyCode::Insert)],
        GROUPS,
        Action::Mark,
        "select the group for the start",
        "Space select"
    ),
    bind!(
        "S",
        [Char('S')],
        GROUPS,
        Action::Start,
        "start what is selected, after a review",
        "S start"
    ),
    bind!(
        "S Enter",
        [Char('S'), Code(KeyCode::Enter)],
        REVIEW,
        Action::Start,
        "start what is shown",
        "S start"
    ),
    bind!(
        "F",
        [Char('F')],
        REVIEW,
        Action::Force,
        "send also to entities that have the image, or not",
        "F force"
    ),
    bind!(
        "o",
        [Char('o')],
        REVIEW,
        Action::Probe,
        "look at the hosts: reachable, login, directory, room",
        "o online check"
    ),
    bind!(
        "v",
        [Char('v')],
        REVIEW,
        Action::Verify,
        "look what the entities hold now"
    ),
    bind!(
        "v",
        [Char('v')],
        WATCH,
        Action::Verify,
        "look what the group's entities hold now"
    ),
    bind!(
        "P",
        [Char('P')],
        REVIEW,
        Action::Password,
        "give a password, also instead of one given before",
        "P password"
    ),
    bind!(
        "x",
        [Char('x')],
        WATCH,
        Action::Cancel,
        "cancel the entity or the group, after a question",
        "x cancel"
    ),
    bind!(
        "r",
        [Char('r')],
        WATCH,
        Action::Retry,
        "try again what failed in the group",
        "r retry"
    ),
    bind!(
        "e",
        [Char('e')],
        WATCH,
        Action::Zoom,
        "dense view: a cell an entity, or back",
        "e dense"
    ),
    bind!(
        "m",
        [Char('m')],
        WATCH,
        Action::NextFailure,
        "jump to the next failure",
        "m next failure"
    ),
    bind!(
        "s",
        [Char('s')],
        Place::On(&[Page::Inventory, Page::Watch]),
        Action::Sort,
        "sort by the next column",
        "s sort"
    ),
    bind!(
        "R",
        [Char('R')],
        Place::On(&[Page::Inventory, Page::Watch]),
        Action::SortReverse,
        "reverse the order"
    ),
    bind!(
        "Left h",
        [Code(KeyCode::Left), Char('h')],
        Place::On(&[Page::Watch, Page::Log]),
        Action::Left,
        "the previous group; dense view: the cell before; log: fewer levels"
    ),
    bind!(
        "Right l",
        [Code(KeyCode::Right), Char('l')],
        Place::On(&[Page::Watch, Page::Log]),
        Action::Right,
        "the next group; dense view: the next cell; log: more levels"
    ),
    bind!(
        "+",
        [Char('+')],
        LOG,
        Action::LogMore,
        "show more levels",
        "+/- levels"
    ),
    bind!("-", [Char('-')], LOG, Action::LogLess, "show fewer levels"),
    bind!(
        "t",
        [Char('t')],
        LOG,
        Action::LogTargets,
        "choose targets; Left and Right are the level of one then",
        "t targets"
    ),
    bind!(
        "Enter",
        [Code(KeyCode::Enter)],
        LOG,
        Action::LogToggle,
        "targets: hide or show"
    ),
    bind!(
        "a",
        [Char('a')],
        LOG,
        Action::LogToggleAll,
        "targets: hide or show all"
    ),
    bind!(
        "E",
        [Char('E')],
        LOG,
        Action::LogEntity,
        "only the lines of one entity",
        "E entity"
    ),
    bind!(
        "Up k",
        [Code(KeyCode::Up), Char('k')],
        Place::Lists,
        Action::Up,
        "up"
    ),
    bind!(
        "Down j",
        [Code(KeyCode::Down), Char('j')],
        Place::Lists,
        Action::Down,
        "down"
    ),
    bind!(
        "PgUp Ctrl-B",
        [Code(KeyCode::PageUp), Ctrl('b')],
        Place::Lists,
        Action::PageUp,
        "a page up"
    ),
    bind!(
        "PgDn Ctrl-F",
        [Code(KeyCode::PageDown), Ctrl('f')],
        Place::Lists,
        Action::PageDown,
        "a page down"
    ),
    bind!(
        "Home g",
        [Code(KeyCode::Home), Char('g')],
        Place::Lists,
        Action::First,
        "to the first"
    ),
    bind!(
        "End G",
        [Code(KeyCode::End), Char('G')],
        Place::Lists,
        Action::Last,
        "to the last"
    ),
    bind!(
        "Enter",
        [Code(KeyCode::Enter)],
        Place::On(&[Page::Inventory, Page::Groups, Page::Watch, Page::History]),
        Action::Details,
        "details",
        "Enter details"
    ),
    bind!(
        "Esc",
        [Code(KeyCode::Esc)],
        Place::Lists,
        Action::Back,
        "back; never aborts work"
    ),
    bind!(
        "X",
        [Char('X')],
        Place::Everywhere,
        Action::CancelAll,
        "cancel everything that runs, after a question"
    ),
    bind!(
        "f",
        [Char('f')],
        Place::Everywhere,
        Action::Freeze,
        "freeze the display; transfers go on"
    ),
    bind!(
        "Tab",
        [Code(KeyCode::Tab)],
        Place::Everywhere,
        Action::NextPage,
        "the next page"
    ),
    bind!(
        "Shift-Tab",
        [Code(KeyCode::BackTab)],
        Place::Everywhere,
        Action::PreviousPage,
        "the previous page"
    ),
    bind!(
        "1",
        [Char('1')],
        Place::Everywhere,
        Action::Go(Page::Inventory),
        "inventory"
    ),
    bind!(
        "2",
        [Char('2')],
        Place::Everywhere,
        Action::Go(Page::Groups),
        "groups"
    ),
    bind!(
        "3",
        [Char('3')],
        Place::Everywhere,
        Action::Go(Page::Review),
        "review"
    ),
    bind!(
        "4",
        [Char('4')],
        Place::Everywhere,
        Action::Go(Page::Watch),
        "watch"
    ),
    bind!(
        "5",
        [Char('5')],
        Place::Everywhere,
        Action::Go(Page::Log),
        "log"
    ),
    bind!(
        "H",
        [Char('H')],
        Place::Everywhere,
        Action::Go(Page::History),
        "past runs, from the journal"
    ),
    bind!(
        ":",
        [Char(':')],
        Place::Everywhere,
        Action::CommandLine,
        "a command by name",
        ": command"
    ),
    bind!(
        "?",
        [Char('?')],
        Place::Everywhere,
        Action::Help,
        "help for this page",
        "? help"
    ),
    bind!(
        "Ctrl-L",
        [Ctrl('l')],
        Place::Everywhere,
        Action::Redraw,
        "draw the screen anew"
    ),
    bind!(
        "Ctrl-Z",
        [Ctrl('z')],
        Place::Everywhere,
        Action::Suspend,
        "suspend; `fg` comes back"
    ),
    bind!(
        "q Ctrl-C",
        [Char('q'), Ctrl('c')],
        Place::Everywhere,
        Action::Quit,
        "leave; asks if work runs",
        "q quit"
    ),
    // Dialogs.
    bind!(
        "y",
        [Char('y'), Char('Y')],
        YES_NO,
        Action::Yes,
        "yes",
        "y yes"
    ),
    bind!(
        "n Esc",
        [Char('n'), Char('N'), Code(KeyCode::Esc), Ctrl('c')],
        YES_NO,
        Action::No,
        "no",
        "n no"
    ),
    bind!(
        "Tab",
        [Code(KeyCode::Tab)],
        TEXT,
        Action::Complete,
        "complete",
        "Tab complete"
    ),
    bind!(
        "Enter",
        [Code(KeyCode::Enter)],
        TEXT,
        Action::Submit,
        "take it",
        "Enter ok"
    ),
    bind!(
        "Esc",
        [Code(KeyCode::Esc), Ctrl('c')],
        TEXT,
        Action::Back,
        "close",
        "Esc close"
    ),
    bind!(
        "Up k",
        [Code(KeyCode::Up), Char('k')],
        CHOICE,
        Action::Up,
        "up"
    ),
    bind!(
        "Down j",
        [Code(KeyCode::Down), Char('j')],
        CHOICE,
        Action::Down,
        "down"
    ),
    bind!(
        "PgUp",
        [Code(KeyCode::PageUp)],
        CHOICE,
        Action::PageUp,
        "a page up"
    ),
    bind!(
        "PgDn Space",
        [Code(KeyCode::PageDown), Char(' ')],
        CHOICE,
        Action::PageDown,
        "a page down"
    ),
    bind!(
        "Home g",
        [Code(KeyCode::Home), Char('g')],
        CHOICE,
        Action::First,
        "to the first"
    ),
    bind!(
        "End G",
        [Code(KeyCode::End), Char('G')],
        CHOICE,
        Action::Last,
        "to the last"
    ),
    bind!(
        "w",
        [Char('w')],
        Place::In(&[Kind::Reading]),
        Action::Submit,
        "write it to a file, where there is one to write"
    ),
    bind!(
        "Enter",
        [Code(KeyCode::Enter), Code(KeyCode::Right)],
        CHOICE,
        Action::Submit,
        "take it",
        "Enter ok"
    ),
    bind!(
        "Esc q",
        [Code(KeyCode::Esc), Char('q'), Char('?'), Ctrl('c')],
        CHOICE,
        Action::Back,
        "close",
        "Esc close"
    ),
];

impl Place {
    fn fits(self, scope: Scope) -> bool {
        match (self, scope) {
            (Self::Everywhere, Scope::Page(_)) => true,
            (Self::Lists, Scope::Page(page)) => LISTS.contains(&page),
            (Self::On(pages), Scope::Page(page)) => pages.contains(&page),
            (Self::In(kinds), Scope::Dialog(kind)) => kinds.contains(&kind),
            _ => false,
        }
    }
}

impl Key {
    fn is(self, event: &KeyEvent) -> bool {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        match self {
            Char(c) => event.code == KeyCode::Char(c) && !control,
            Ctrl(c) => event.code == KeyCode::Char(c) && control,
            Code(code) => event.code == code,
        }
    }
}

/// What a key means there; `None` if nothing.
pub(crate) fn action(event: &KeyEvent, scope: Scope) -> Option<Action> {
    // A torn screen and a shell that is needed do not wait for a dialog to be answered.
    let always = (KEYS.iter())
        .filter(|binding| matches!(binding.action, Action::Redraw | Action::Suspend))
        .find(|binding| binding.on.iter().any(|key| key.is(event)));
    if let Some(binding) = always {
        return Some(binding.action.clone());
    }
    let bound = (bindings(scope))
        .find(|binding| binding.on.iter().any(|key| key.is(event)))
        .map(|binding| binding.action.clone());
    match scope {
        Scope::Typing => typing(event),
        Scope::Dialog(Kind::Text | Kind::Command) => bound.or_else(|| edit(event)),
        _ => bound,
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

/// The rows of the table that count there, in its order.
pub(crate) fn bindings(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    KEYS.iter().filter(move |binding| binding.place.fits(scope))
}

/// The status line: the hints that fit, the most local ones first.
pub(crate) fn hints(scope: Scope, columns: u16) -> String {
    if scope == Scope::Typing {
        return "Enter keep the filter  Esc clear it".into();
    }
    let width = |hints: &[&str]| hints.iter().map(|hint| hint.len() + 2).sum::<usize>();
    let everywhere = |binding: &&Binding| binding.place == Place::Everywhere;
    // How to get help, and out, comes before everything else.
    let general = |binding: &'static Binding| binding.hint.filter(|_| everywhere(&binding));
    let mut last: Vec<&str> = bindings(scope).filter_map(general).collect();
    let mut first: Vec<&str> = Vec::new();
    let fits = |first: &[&str], last: &[&str]| {
        (width(first) + width(last)).saturating_sub(2) <= usize::from(columns)
    };
    while !last.is_empty() && !fits(&[], &last) {
        last.remove(0);
    }
    for hint in bindings(scope)
        .filter(|binding| !everywhere(binding))
        .filter_map(|one| one.hint)
    {
        first.push(hint);
        if !fits(&first, &last) {
            first.pop();
        }
    }
    first.append(&mut last);
    first.join("  ")
}

/// Commands that can be typed by name (`:`): every action of the table that needs no cursor keys.
pub(crate) fn commands() -> impl Iterator<Item = (&'static str, Action)> {
    [
        ("inventory", Action::Go(Page::Inventory)),
        ("groups", Action::Go(Page::Groups)),
        ("review", Action::Go(Page::Review)),
        ("watch", Action::Go(Page::Watch)),
        ("log", Action::Go(Page::Log)),
        ("history", Action::Go(Page::History)),
        ("help", Action::Help),
        ("start", Action::Start),
        ("cancel", Action::Cancel),
        ("cancel-all", Action::CancelAll),
        ("retry", Action::Retry),
        ("force", Action::Force),
        ("password", Action::Password),
        ("online", Action::Probe),
        ("verify", Action::Verify),
        ("freeze", Action::Freeze),
        ("dense", Action::Zoom),
        ("next-failure", Action::NextFailure),
        ("sort", Action::Sort),
        ("reverse", Action::SortReverse),
        ("filter", Action::Filter),
        ("mark-all", Action::MarkAll),
        ("mark-none", Action::MarkNone),
        ("mark-invert", Action::MarkInvert),
        ("new-group", Action::NewGroup),
        ("auto-group", Action::AutoGroup),
        ("add", Action::AddMembers),
        ("remove", Action::RemoveMembers),
        ("rename", Action::RenameGroup),
        ("laggards", Action::Laggards),
        ("retries", Action::Retries),
        ("parallel", Action::Parallel),
        ("delete", Action::DeleteGroup),
        ("image", Action::PickImage),
        ("source", Action::PickSource),
        ("yaml", Action::ShowYaml),
        ("log-more", Action::LogMore),
        ("log-less", Action::LogLess),
        ("log-targets", Action::LogTargets),
        ("log-toggle", Action::LogToggle),
        ("log-toggle-all", Action::LogToggleAll),
        ("log-entity", Action::LogEntity),
        ("redraw", Action::Redraw),
        ("suspend", Action::Suspend),
        ("quit", Action::Quit),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes() -> Vec<Scope> {
        let pages = Page::ALL.into_iter().chain([Page::History]);
        let pages = pages.map(Scope::Page);
        let kinds = [
            Kind::Confirm,
            Kind::Text,
            Kind::Command,
            Kind::List,
            Kind::Reading,
        ];
        pages.chain(kinds.map(Scope::Dialog)).collect()
    }

    /// Two rows for one key in one place: the second could never be reached.
    #[test]
    fn no_key_is_bound_twice_in_one_place() {
        for scope in scopes() {
            let keys: Vec<Key> = bindings(scope)
                .flat_map(|binding| binding.on)
                .copied()
                .collect();
            for (at, key) in keys.iter().enumerate() {
                assert!(!keys[..at].contains(key), "{key:?} twice in {scope:?}");
            }
        }
    }

    #[test]
    fn escape_and_control_c_never_do_work() {
        let harmless = [Action::Back, Action::No, Action::Quit];
        for scope in scopes() {
            for event in [
                KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
                KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL),
            ] {
                let meant = action(&event, scope).unwrap();
                assert!(
                    harmless.contains(&meant),
                    "{event:?} means {meant:?} in {scope:?}"
                );
            }
        }
    }

    #[test]
    fn redrawing_and_suspending_work_wherever_one_is() {
        for scope in scopes().into_iter().chain([Scope::Typing]) {
            for (key, wanted) in [('l', Action::Redraw), ('z', Action::Suspend)] {
                let event = KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
                assert_eq!(action(&event, scope), Some(wanted), "{scope:?}");
            }
        }
    }

    #[test]
    fn the_status_line_fits_and_tells_how_to_get_help_and_out() {
        for page in Page::ALL.into_iter().chain([Page::History]) {
            let line = hints(Scope::Page(page), 80);
            assert!(
                line.len() <= 80 && line.contains("? help") && line.contains("q quit"),
                "{line}"
            );
        }
        assert!(hints(Scope::Page(Page::Watch), 20).len() <= 20);
    }
}

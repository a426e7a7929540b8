//! The one table of keys: what a key does where, and what the help and the status line say of it.
//!
//! Keys follow habits, and nothing needs Alt, a function key or a mouse.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::InputRequest;

use super::action::Action;
use super::page::Page;

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
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints {
    /// These come first, in place of what the table says of the same key.
    pub(crate) first: Vec<&'static str>,
    /// Keys, as the hints of the table begin.
    pub(crate) without: Vec<&'static str>,
}

/// One row of the table.
pub(crate) struct Binding {
    /// As an operator would write it, for the help.
    pub(crate) keys: &'static str,
    /// More keys, which the help does not show.
    hidden: &'static str,
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
    On(&'static [Page]),
    In(&'static [Kind]),
}

use Key::{Char, Code, Ctrl};

macro_rules! keys {
    ($($place:ident $keys:literal $(+ $hidden:literal)? => $action:ident $(($page:ident))?, $help:literal $(, $hint:literal)?;)+) => {
        &[$(Binding {
            keys: $keys,
            hidden: concat!($($hidden)?),
            action: Action::$action $((Page::$page))?,
            place: $place,
            help: $help,
            hint: keys!(hint $($hint)?),
        }),+]
    };
    (hint) => { None };
    (hint $hint:literal) => { Some($hint) };
}

const EVERYWHERE: Place = Place::Everywhere;
const LISTS: Place = Place::On(&[
    Page::Overview,
    Page::Inventory,
    Page::Groups,
    Page::Review,
    Page::Watch,
    Page::Log,
    Page::History,
]);
const INVENTORY: Place = Place::On(&[Page::Inventory]);
const GROUPS: Place = Place::On(&[Page::Groups]);
const REVIEW: Place = Place::On(&[Page::Review]);
const WATCH: Place = Place::On(&[Page::Watch]);
const HISTORY: Place = Place::On(&[Page::History]);
const LOG: Place = Place::On(&[Page::Log]);
const MAKING: Place = Place::On(&[Page::Inventory, Page::Groups]);
const ACTIVATED: Place = Place::On(&[Page::Groups, Page::Watch]);
const SORTED: Place = Place::On(&[Page::Inventory, Page::Watch]);
const SIDEWAYS: Place = Place::On(&[Page::Watch, Page::Log]);
const DETAILED: Place = Place::On(&[
    Page::Overview,
    Page::Inventory,
    Page::Groups,
    Page::Watch,
    Page::History,
]);
const YES_NO: Place = Place::In(&[Kind::Confirm]);
const SHEET: Place = Place::In(&[Kind::Sheet]);
const COMMAND: Place = Place::In(&[Kind::Command]);
const TEXT: Place = Place::In(&[Kind::Text, Kind::Command]);
const LIST: Place = Place::In(&[Kind::List]);
const TICKS: Place = Place::In(&[Kind::Ticks]);
const PAGED: Place = Place::In(&[Kind::List, Kind::Reading]);
const CHOICE: Place = Place::In(&[Kind::List, Kind::Ticks, Kind::Reading]);
const FINDING: Place = Place::In(&[Kind::Find]);
const READING: Place = Place::In(&[Kind::Reading]);

/// The table: where, which keys (those behind `+` are not shown), what they mean, the help, and the hint in the status
/// line where it matters most. Where two rows fit, the first one counts.
pub(crate) static KEYS: &[Binding] = keys! {
    INVENTORY "U" => Upgrade, "upgrade these: the marked, else what a filter leaves, else this one", "U upgrade";
    INVENTORY "Space Insert" => Mark, "mark the entity", "Space mark";
    INVENTORY "v" => MarkRange, "mark from the last mark to here";
    INVENTORY "a" => MarkAll, "mark all that are shown";
    INVENTORY "*" => MarkInvert, "invert the marks of what is shown";
    INVENTORY "u" => MarkNone, "clear all marks";
    INVENTORY "/" => Filter, "filter: names, types, labels, whole versions; type:adsl; !word excludes", "/ filter";
    MAKING "n" => NewGroup, "make a group from the marks, else from what is shown", "n new group";
    MAKING "A" => AutoGroup, "make groups by type, version or both";
    GROUPS "+" => AddMembers, "add the marked entities";
    GROUPS "-" => RemoveMembers, "remove the marked entities";
    GROUPS "i" => PickImage, "choose the image", "i image";
    GROUPS "o" => PickSource, "choose the source", "o source";
    GROUPS "N" => RenameGroup, "rename the group";
    GROUPS "D" => DeleteGroup, "delete the group";
    GROUPS "y" => ShowYaml, "show the groups made here as YAML";
    GROUPS "L" => Laggards, "what becomes of slow entities";
    GROUPS "T" => Retries, "how often entities are tried again";
    GROUPS "P" => Parallel, "how many entities at a time";
    GROUPS "E" => Extent, "deliver only, or make devices run the image too";
    GROUPS "Space Insert" => Mark, "select the group for the start", "Space select";
    GROUPS "S" + "U" => Start, "review a start of what is selected", "S start";
    REVIEW "Y" => Begin, "start what is shown here", "Y start";
    REVIEW "S" => Start, "review a start, after a look at what entities hold";
    REVIEW "t" => Widen, "of `U`: all that are like them, and back";
    REVIEW "i" => PickImage, "of `U`: another image";
    REVIEW "s" => PickSource, "of `U`: another source";
    REVIEW "E" => Extent, "of `U`: make devices run it too, or not";
    REVIEW "x" => LeaveOut, "leave out what the online check found something against";
    REVIEW "F" => Force, "send also to entities that have the image, or not", "F force";
    REVIEW "o" => Probe, "look at the hosts: reachable, login, directory, room", "o online check";
    REVIEW "v" => Verify, "look what the entities hold now";
    WATCH "v" => Verify, "look what the group's entities hold now";
    REVIEW "P" => Password, "give a password, also instead of one given before", "P password";
    WATCH "x" => Cancel, "cancel the entity or the group, after a question", "x cancel";
    WATCH "p" => Pause, "pause the group: no other entity begins; or go on, after a question", "p pause";
    WATCH "r" => Retry, "try again what failed in the group", "r retry";
    WATCH "/" => Filter, "show only those with these words in name, state or cause", "/ find";
    WATCH "F" => NextSet, "show only: failed, not done, slow, unproven; all again";
    WATCH "e" => Zoom, "dense view: a cell an entity, or back", "e dense";
    WATCH "m" => NextFailure, "jump to the next failure", "m next failure";
    WATCH "w" => Report, "write a report of this run to a file: HTML, CSV, text, JUnit";
    SORTED "s" => Sort, "sort by the next column", "s sort";
    SORTED "R" => SortReverse, "reverse the order";
    ACTIVATED "a" => Activate, "make devices run the image they hold, after a review", "a activate";
    SIDEWAYS "Left h" => Left, "the previous group; dense view: the cell before; log: fewer levels";
    SIDEWAYS "Right l" => Right, "the next group; dense view: the next cell; log: more levels";
    LOG "+" => LogMore, "show more levels", "+/- levels";
    LOG "-" => LogLess, "show fewer levels";
    LOG "t" => LogTargets, "choose targets; Left and Right are the level of one then", "t targets";
    LOG "Enter" => LogToggle, "targets: hide or show";
    LOG "a" => LogToggleAll, "targets: hide or show all";
    LOG "E" => LogEntity, "only the lines of one entity", "E entity";
    LISTS "Up k" => Up, "up";
    LISTS "Down j" => Down, "down";
    LISTS "PgUp Ctrl-B" => PageUp, "a page up";
    LISTS "PgDn Ctrl-F" => PageDown, "a page down";
    LISTS "Home g" => First, "to the first";
    LISTS "End G" => Last, "to the last";
    DETAILED "Enter" => Details, "details; overview: the group on the watch page", "Enter details";
    HISTORY "w" => Report, "write a report of the run to a file: HTML, CSV, text, JUnit", "w report";
    LISTS "Esc" => Back, "back; never aborts work";
    EVERYWHERE "X" => CancelAll, "cancel everything that runs, after a question";
    EVERYWHERE "f" => Freeze, "freeze the display; transfers go on";
    EVERYWHERE "Tab" => NextPage, "the next page";
    EVERYWHERE "Shift-Tab" => PreviousPage, "the previous page";
    EVERYWHERE "0" => Go(Overview), "overview: all groups, and how the run went";
    EVERYWHERE "1" => Go(Inventory), "inventory";
    EVERYWHERE "2" => Go(Groups), "groups";
    EVERYWHERE "3" => Go(Review), "review";
    EVERYWHERE "4" => Go(Watch), "watch";
    EVERYWHERE "5" => Go(Log), "log";
    EVERYWHERE "H" => Go(History), "past runs, from the journal";
    EVERYWHERE ":" => CommandLine, "a command by name", ": command";
    EVERYWHERE "?" => Help, "help for this page", "? help";
    EVERYWHERE "Ctrl-L" => Redraw, "draw the screen anew";
    EVERYWHERE "Ctrl-Z" => Suspend, "suspend; `fg` comes back";
    EVERYWHERE "q Ctrl-C" => Quit, "leave; asks if work runs", "q quit";
    // Dialogs.
    YES_NO "y" => Yes, "yes", "y yes";
    YES_NO "n Esc" + "N Ctrl-C" => No, "no", "n no";
    SHEET "Enter" => Yes, "go on", "Enter go on";
    SHEET "Esc q" + "n N Ctrl-C" => No, "leave it as it is", "Esc leave it";
    COMMAND "Tab" => Complete, "complete", "Tab complete";
    COMMAND "Up" => Up, "the one above";
    COMMAND "Down" => Down, "the one below";
    TEXT "Enter" => Submit, "take it", "Enter ok";
    TEXT "Esc" + "Ctrl-C" => Back, "close", "Esc close";
    CHOICE "Up k" => Up, "up";
    CHOICE "Down j" => Down, "down";
    CHOICE "PgUp" => PageUp, "a page up";
    CHOICE "PgDn" => PageDown, "a page down";
    PAGED "Space" => PageDown, "a page down";
    TICKS "Space" => Mark, "tick it, or not", "Space tick";
    TICKS "a" => MarkAll, "tick all";
    TICKS "u" => MarkNone, "tick none";
    TICKS "*" => MarkInvert, "tick the others";
    CHOICE "Home g" => First, "to the first";
    CHOICE "End G" => Last, "to the last";
    LIST "a" => Ask, "ask the hosts in the list, where it has some";
    CHOICE "/" => Find, "find words", "/ find";
    READING "n" => FindNext, "to the next place that was found";
    READING "N" => FindPrevious, "to the place before";
    READING "w" => Report, "write it, or a report of it, to a file, where there is one to write";
    CHOICE "Enter" + "Right" => Submit, "take it", "Enter ok";
    CHOICE "?" => Help, "these keys";
    CHOICE "Esc q" + "Ctrl-C" => Back, "close", "Esc close";
    FINDING "Enter" => Submit, "take it", "Enter take it";
    FINDING "Esc" + "Ctrl-C" => Back, "find no longer", "Esc show all";
    FINDING "Up" => Up, "up";
    FINDING "Down" => Down, "down";
};

impl Place {
    fn fits(self, scope: Scope) -> bool {
        match (self, scope) {
            (Self::Everywhere, Scope::Page(_)) => true,
            (Self::On(pages), Scope::Page(page)) => pages.contains(&page),
            (Self::In(kinds), Scope::Dialog(kind)) => kinds.contains(&kind),
            _ => false,
        }
    }
}

impl Binding {
    fn on(&self) -> impl Iterator<Item = Key> {
        let names = self.keys.split(' ').chain(self.hidden.split_whitespace());
        names.filter_map(Key::named)
    }

    fn is(&self, event: &KeyEvent) -> bool {
        self.on().any(|key| key.is(event))
    }
}

impl Key {
    /// As the table has it.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Space" => Char(' '),
            "Enter" => Code(KeyCode::Enter),
            "Esc" => Code(KeyCode::Esc),
            "Tab" => Code(KeyCode::Tab),
            "Shift-Tab" => Code(KeyCode::BackTab),
            "Insert" => Code(KeyCode::Insert),
            "Up" => Code(KeyCode::Up),
            "Down" => Code(KeyCode::Down),
            "Left" => Code(KeyCode::Left),
            "Right" => Code(KeyCode::Right),
            "PgUp" => Code(KeyCode::PageUp),
            "PgDn" => Code(KeyCode::PageDown),
            "Home" => Code(KeyCode::Home),
            "End" => Code(KeyCode::End),
            _ => match name.strip_prefix("Ctrl-") {
                Some(letter) => Ctrl(letter.parse::<char>().ok()?.to_ascii_lowercase()),
                None => Char(name.parse().ok()?),
            },
        })
    }

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
        .find(|binding| binding.is(event));
    if let Some(binding) = always {
        return Some(binding.action.clone());
    }
    let bound = (bindings(scope))
        .find(|binding| binding.is(event))
        .map(|binding| binding.action.clone());
    match scope {
        Scope::Typing => typing(event),
        Scope::Dialog(Kind::Text | Kind::Command | Kind::Find) => bound.or_else(|| edit(event)),
        _ => bound,
    }
}

/// What is said of a key that means nothing there: it may have been meant for another page.
pub(crate) fn means_nothing(event: &KeyEvent, scope: Scope) -> Option<String> {
    let name = name_of(event)?;
    Some(match scope {
        Scope::Page(page) => format!(
            "{name} means nothing on page {}: ? shows its keys",
            page.title()
        ),
        Scope::Dialog(Kind::Confirm) => format!("{name} is no answer: y is yes, n is no"),
        Scope::Dialog(Kind::Sheet) => format!("{name} is no answer: Enter goes on, Esc does not"),
        Scope::Dialog(_) => format!("{name} means nothing here: ? shows the keys, Esc closes"),
        Scope::Typing => return None,
    })
}

/// As the help writes it; `None` for what is no key on its own.
fn name_of(event: &KeyEvent) -> Option<String> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char(' ') => "Space".into(),
        KeyCode::Char(c) if control => format!("Ctrl-{}", c.to_ascii_uppercase()),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::F(number) => format!("F{number}"),
        KeyCode::BackTab => "Shift-Tab".into(),
        KeyCode::PageUp => "PgUp".into(),
        KeyCode::PageDown => "PgDn".into(),
        KeyCode::Modifier(_) | KeyCode::Null => return None,
        code => code.to_string(),
    })
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

/// The first row of the table for an action.
pub(crate) fn binding_of(action: &Action) -> Option<&'static Binding> {
    KEYS.iter().find(|binding| binding.action == *action)
}

/// What the row with these keys does on a page.
pub(crate) fn action_of(page: Page, keys: &str) -> Option<Action> {
    let mut rows = bindings(Scope::Page(page));
    let row = rows.find(|binding| binding.keys == keys);
    row.map(|binding| binding.action.clone())
}

/// The rows of the table that count there, in its order.
pub(crate) fn bindings(scope: Scope) -> impl Iterator<Item = &'static Binding> {
    KEYS.iter().filter(move |binding| binding.place.fits(scope))
}

/// The status line: the hints that fit, the most local ones first.
pub(crate) fn hints(scope: Scope, columns: u16, wanted: &Hints) -> String {
    if scope == Scope::Typing {
        return "Enter keep the filter  Esc clear it".into();
    }
    let width = |hints: &[&str]| hints.iter().map(|hint| hint.len() + 2).sum::<usize>();
    let everywhere = |binding: &&Binding| binding.place == Place::Everywhere;
    // How to get help, and out, comes before everything else.
    let general = |binding: &'static Binding| binding.hint.filter(|_| everywhere(&binding));
    let mut last: Vec<&str> = bindings(scope).filter_map(general).collect();
    let mut first: Vec<&str> = Vec::new();
    let key = |hint: &'static str| hint.split(' ').next().unwrap_or_default();
    let is_left_out = |hint: &&'static str| {
        let others = wanted.first.iter().copied().map(key);
        let mut others = others.chain(wanted.without.iter().copied());
        others.any(|other| other == key(hint))
    };
    let fits = |first: &[&str], last: &[&str]| {
        (width(first) + width(last)).saturating_sub(2) <= usize::from(columns)
    };
    while !last.is_empty() && !fits(&[], &last) {
        last.remove(0);
    }
    let of_table = bindings(scope)
        .filter(|binding| !everywhere(binding))
        .filter_map(|one| one.hint)
        .filter(|hint| !is_left_out(hint));
    for hint in wanted.first.iter().copied().chain(of_table) {
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
        ("overview", Action::Go(Page::Overview)),
        ("inventory", Action::Go(Page::Inventory)),
        ("groups", Action::Go(Page::Groups)),
        ("review", Action::Go(Page::Review)),
        ("watch", Action::Go(Page::Watch)),
        ("log", Action::Go(Page::Log)),
        ("history", Action::Go(Page::History)),
        ("help", Action::Help),
        ("start", Action::Start),
        ("upgrade", Action::Upgrade),
        ("begin", Action::Begin),
        ("widen", Action::Widen),
        ("leave-out", Action::LeaveOut),
        ("cancel", Action::Cancel),
        ("cancel-all", Action::CancelAll),
        ("pause", Action::Pause),
        ("retry", Action::Retry),
        ("force", Action::Force),
        ("password", Action::Password),
        ("online", Action::Probe),
        ("verify", Action::Verify),
        ("report", Action::Report),
        ("freeze", Action::Freeze),
        ("dense", Action::Zoom),
        ("next-failure", Action::NextFailure),
        ("sort", Action::Sort),
        ("reverse", Action::SortReverse),
        ("filter", Action::Filter),
        ("next-set", Action::NextSet),
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
        ("extent", Action::Extent),
        ("activate", Action::Activate),
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
            Kind::Sheet,
            Kind::Text,
            Kind::Command,
            Kind::List,
            Kind::Ticks,
            Kind::Reading,
            Kind::Find,
        ];
        pages.chain(kinds.map(Scope::Dialog)).collect()
    }

    #[test]
    fn every_name_in_the_table_is_a_key() {
        for binding in KEYS {
            let names = binding
                .keys
                .split(' ')
                .chain(binding.hidden.split_whitespace());
            assert_eq!(binding.on().count(), names.count(), "{}", binding.keys);
        }
    }

    /// Two rows for one key in one place: the second could never be reached.
    #[test]
    fn no_key_is_bound_twice_in_one_place() {
        for scope in scopes() {
            let keys: Vec<Key> = bindings(scope).flat_map(Binding::on).collect();
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
            let line = hints(Scope::Page(page), 80, &Hints::default());
            assert!(
                line.len() <= 80 && line.contains("? help") && line.contains("q quit"),
                "{line}"
            );
        }
        let watch = Scope::Page(Page::Watch);
        assert!(hints(watch, 20, &Hints::default()).len() <= 20);
        let wanted = Hints {
            first: vec!["a activate", "p go on"],
            without: vec!["x"],
        };
        let line = hints(watch, 80, &wanted);
        assert!(line.starts_with("a activate  p go on  r retry"), "{line}");
        assert!(
            !line.contains("pause") && !line.contains("cancel"),
            "{line}"
        );
    }
}

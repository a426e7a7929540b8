//! The one table of keys, as they are where nobody has bound them anew.

use super::{Kind, Scope};
use crate::console::action::Action;
use crate::console::page::Page;

/// One row of the table.
#[derive(Debug)]
pub(super) struct Binding {
    /// As an operator would write them, for the help.
    pub(super) keys: &'static str,
    /// More keys, which the help does not show.
    pub(super) hidden: &'static str,
    pub(super) action: Action,
    pub(super) place: Place,
    /// What it does, in a few words.
    pub(super) help: &'static str,
    /// In the status line behind the key, where it matters most; short.
    pub(super) hint: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On every page.
    Everywhere,
    On(&'static [Page]),
    In(&'static [Kind]),
}

/// One of the places that a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Everywhere,
    On(Page),
    In(Kind),
}

impl Place {
    pub(super) fn spots(self) -> Vec<Spot> {
        match self {
            Self::Everywhere => vec![Spot::Everywhere],
            Self::On(pages) => pages.iter().copied().map(Spot::On).collect(),
            Self::In(kinds) => kinds.iter().copied().map(Spot::In).collect(),
        }
    }
}

impl Spot {
    pub(super) fn fits(self, scope: Scope) -> bool {
        match (self, scope) {
            (Self::Everywhere, Scope::Page(_)) => true,
            (Self::On(here), Scope::Page(page)) => here == page,
            (Self::In(here), Scope::Dialog(kind)) => here == kind,
            _ => false,
        }
    }
}

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
pub(super) static KEYS: &[Binding] = keys! {
    INVENTORY "U" => Upgrade, "upgrade these: the marked, else what a filter leaves, else this one", "upgrade";
    INVENTORY "Space Insert" => Mark, "mark the entity", "mark";
    INVENTORY "v" => MarkRange, "mark from the last mark to here";
    INVENTORY "a" => MarkAll, "mark all that are shown";
    INVENTORY "*" => MarkInvert, "invert the marks of what is shown";
    INVENTORY "u" => MarkNone, "clear all marks";
    INVENTORY "/" => Filter, "filter: names, types, labels, whole versions; type:adsl; !word excludes", "filter";
    INVENTORY "F" => SavedFilters, "choose one of the filters that have a name in the settings";
    MAKING "n" => NewGroup, "make a group from the marks, else from what is shown", "new group";
    MAKING "A" => AutoGroup, "make groups by type, version or both";
    GROUPS "+" => AddMembers, "add the marked entities";
    GROUPS "-" => RemoveMembers, "remove the marked entities";
    GROUPS "i" => PickImage, "choose the image", "image";
    GROUPS "o" => PickSource, "choose the source", "source";
    GROUPS "N" => RenameGroup, "rename the group";
    GROUPS "D" => DeleteGroup, "delete the group";
    GROUPS "y" => ShowYaml, "show the groups made here as YAML";
    GROUPS "L" => Laggards, "what becomes of slow entities";
    GROUPS "T" => Retries, "how often entities are tried again";
    GROUPS "P" => Parallel, "how many entities at a time";
    GROUPS "E" => Extent, "deliver only, or make devices run the image too";
    GROUPS "Space Insert" => Mark, "select the group for the start", "select";
    GROUPS "S" + "U" => Start, "review a start of what is selected", "start";
    REVIEW "Y" => Begin, "start what is shown here", "start";
    REVIEW "S" => Start, "review a start, after a look at what entities hold";
    REVIEW "t" => Widen, "of an upgrade: all that are like them, and back";
    REVIEW "i" => PickImage, "of an upgrade: another image";
    REVIEW "s" => PickSource, "of an upgrade: another source";
    REVIEW "E" => Extent, "of an upgrade: make devices run it too, or not";
    REVIEW "x" => LeaveOut, "leave out what the online check found something against";
    REVIEW "F" => Force, "send also to entities that have the image, or not", "force";
    REVIEW "o" => Probe, "look at the hosts: reachable, login, directory, room", "online check";
    REVIEW "v" => Verify, "look what the entities hold now";
    WATCH "v" => Verify, "look what the group's entities hold now";
    REVIEW "P" => Password, "give a password, also instead of one given before", "password";
    WATCH "x" => Cancel, "cancel the entity or the group, after a question", "cancel";
    WATCH "p" => Pause, "pause the group: no other entity begins; or go on, after a question", "pause";
    WATCH "r" => Retry, "try again what failed in the group", "retry";
    WATCH "/" => Filter, "show only those with these words in name, state or cause", "find";
    WATCH "F" => NextSet, "show only: failed, not done, slow, unproven; all again";
    WATCH "y" => Copy, "copy the entity with its cause, or on the group the whole list, to the clipboard";
    WATCH "e" => Zoom, "dense view: a cell an entity, or back", "dense";
    WATCH "m" => NextFailure, "jump to the next failure", "next failure";
    WATCH "w" => Report, "write a report of this run to a file: HTML, CSV, text, JUnit";
    SORTED "s" => Sort, "sort by the next column", "sort";
    SORTED "R" => SortReverse, "reverse the order";
    ACTIVATED "a" => Activate, "make devices run the image they hold, after a review", "activate";
    SIDEWAYS "Left h" => Left, "the previous group; dense view: the cell before; log: fewer levels";
    SIDEWAYS "Right l" => Right, "the next group; dense view: the next cell; log: more levels";
    LOG "+" => LogMore, "show more levels", "levels";
    LOG "-" => LogLess, "show fewer levels";
    LOG "t" => LogTargets, "choose targets; sideways is the level of one then", "targets";
    LOG "Enter" => LogToggle, "targets: hide or show";
    LOG "a" => LogToggleAll, "targets: hide or show all";
    LOG "E" => LogEntity, "only the lines of one entity", "entity";
    LISTS "Up k" => Up, "up";
    LISTS "Down j" => Down, "down";
    LISTS "PgUp Ctrl-B" => PageUp, "a page up";
    LISTS "PgDn Ctrl-F" => PageDown, "a page down";
    LISTS "Home g" => First, "to the first";
    LISTS "End G" => Last, "to the last";
    DETAILED "Enter" => Details, "details; overview: the group on the watch page", "details";
    HISTORY "w" => Report, "write a report of the run to a file: HTML, CSV, text, JUnit", "report";
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
    EVERYWHERE ":" => CommandLine, "a command by name", "command";
    EVERYWHERE "?" => Help, "help for this page", "help";
    EVERYWHERE "Z" => Guide, "the guided steps of the demo: on, or off";
    EVERYWHERE "Ctrl-L" => Redraw, "draw the screen anew";
    EVERYWHERE "Ctrl-Z" => Suspend, "suspend; `fg` comes back";
    EVERYWHERE "q Ctrl-C" => Quit, "leave; asks if work runs", "quit";
    // Dialogs.
    YES_NO "y" => Yes, "yes", "yes";
    YES_NO "n Esc" + "N Ctrl-C" => No, "no", "no";
    SHEET "Enter" => Yes, "go on", "go on";
    SHEET "Esc q" + "n N Ctrl-C" => No, "leave it as it is", "leave it";
    COMMAND "Tab" => Complete, "complete", "complete";
    COMMAND "Up" => Up, "the one above";
    COMMAND "Down" => Down, "the one below";
    TEXT "Enter" => Submit, "take it", "ok";
    TEXT "Esc" + "Ctrl-C" => Back, "close", "close";
    CHOICE "Up k" => Up, "up";
    CHOICE "Down j" => Down, "down";
    CHOICE "PgUp" => PageUp, "a page up";
    CHOICE "PgDn" => PageDown, "a page down";
    PAGED "Space" => PageDown, "a page down";
    TICKS "Space" => Mark, "tick it, or not", "tick";
    TICKS "a" => MarkAll, "tick all";
    TICKS "u" => MarkNone, "tick none";
    TICKS "*" => MarkInvert, "tick the others";
    CHOICE "Home g" => First, "to the first";
    CHOICE "End G" => Last, "to the last";
    LIST "a" => Ask, "ask the hosts in the list, where it has some";
    CHOICE "/" => Find, "find words", "find";
    READING "n" => FindNext, "to the next place that was found";
    READING "N" => FindPrevious, "to the place before";
    READING "y" => Copy, "copy it to the clipboard";
    READING "w" => Report, "write it, or a report of it, to a file, where there is one to write";
    CHOICE "Enter" + "Right" => Submit, "take it", "ok";
    CHOICE "?" => Help, "these keys";
    CHOICE "Esc q" + "Ctrl-C" => Back, "close", "close";
    FINDING "Enter" => Submit, "take it", "take it";
    FINDING "Esc" + "Ctrl-C" => Back, "find no longer", "show all";
    FINDING "Up" => Up, "up";
    FINDING "Down" => Down, "down";
};

/// What an action does, in the words of the first row for it.
pub(crate) fn help_of(action: &Action) -> &'static str {
    let row = KEYS.iter().find(|row| row.action == *action);
    row.map_or("", |row| row.help)
}

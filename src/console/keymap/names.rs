//! What actions are called, where a command is typed (`:`) and where keys are bound. The names stay as they are.

use crate::console::action::Action;
use crate::console::page::Page;

/// Commands that can be typed by name: every action of the table that needs no cursor keys.
static COMMANDS: &[(&str, Action)] = &[
    ("guide", Action::Guide),
    ("copy", Action::Copy),
    ("report", Action::Report),
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
    ("freeze", Action::Freeze),
    ("dense", Action::Zoom),
    ("next-failure", Action::NextFailure),
    ("sort", Action::Sort),
    ("reverse", Action::SortReverse),
    ("filter", Action::Filter),
    ("filters", Action::SavedFilters),
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
];

/// What means something with a key alone.
static OTHERS: &[(&str, Action)] = &[
    ("up", Action::Up),
    ("down", Action::Down),
    ("left", Action::Left),
    ("right", Action::Right),
    ("page-up", Action::PageUp),
    ("page-down", Action::PageDown),
    ("first", Action::First),
    ("last", Action::Last),
    ("next-page", Action::NextPage),
    ("previous-page", Action::PreviousPage),
    ("mark", Action::Mark),
    ("mark-range", Action::MarkRange),
    ("details", Action::Details),
    ("back", Action::Back),
    ("command", Action::CommandLine),
    ("find", Action::Find),
    ("find-next", Action::FindNext),
    ("find-previous", Action::FindPrevious),
    ("yes", Action::Yes),
    ("no", Action::No),
    ("submit", Action::Submit),
    ("ask", Action::Ask),
    ("complete", Action::Complete),
];

pub(crate) fn commands() -> impl Iterator<Item = (&'static str, &'static Action)> {
    COMMANDS.iter().map(|(name, action)| (*name, action))
}

/// What it is called; every action of the table has a name.
pub(crate) fn name_of(action: &Action) -> &'static str {
    let mut all = COMMANDS.iter().chain(OTHERS);
    all.find(|(_, one)| one == action)
        .map_or("", |(name, _)| name)
}

pub(crate) fn named(name: &str) -> Option<&'static Action> {
    let mut all = COMMANDS.iter().chain(OTHERS);
    all.find(|(one, _)| *one == name).map(|(_, action)| action)
}

/// What can be typed to the same end where no key does it.
pub(super) fn command_of(action: &Action) -> Option<&'static str> {
    let mut all = COMMANDS.iter();
    all.find(|(_, one)| one == action).map(|(name, _)| *name)
}

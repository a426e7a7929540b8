//! What a key press, an event of the engine or a change of the terminal means.

use tui_input::InputRequest;

use crate::protocol::Event;

use super::message::Message;
use super::page::Page;
use super::past_run::PastRun;

/// Everything that can change the state. Which of them a key means depends on where one is
/// ([`super::keymap`]); what each does is in [`super::update`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    // Moving.
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
    NextPage,
    PreviousPage,
    Go(Page),
    // Marking entities.
    Mark,
    /// From the last one that was marked to the cursor.
    MarkRange,
    MarkAll,
    MarkInvert,
    MarkNone,
    // Looking.
    /// Look for words in what is shown.
    Find,
    FindNext,
    FindPrevious,
    /// The next set of entities: failed, not done, slow, unproven, all.
    NextSet,
    Filter,
    /// One of the filters of the settings (inventory).
    SavedFilters,
    Sort,
    SortReverse,
    Details,
    Back,
    Freeze,
    /// The dense view of a group, or back.
    Zoom,
    NextFailure,
    Redraw,
    Help,
    CommandLine,
    // Groups.
    NewGroup,
    AutoGroup,
    AddMembers,
    RemoveMembers,
    RenameGroup,
    DeleteGroup,
    PickImage,
    PickSource,
    ShowYaml,
    Laggards,
    /// How often and how long an entity is tried again.
    Retries,
    Parallel,
    /// Whether devices are made to run the image too.
    Extent,
    // Work.
    /// To the review of what is selected.
    Start,
    /// Upgrade what is picked: to a review of that.
    Upgrade,
    /// All that are like what is picked (review).
    Widen,
    /// Leave out what a check has found something against (review).
    LeaveOut,
    /// Start what the review shows.
    Begin,
    /// Make devices run the image that they hold: to the review of that.
    Activate,
    Cancel,
    /// Lets no other entity of the group begin; one that is paused goes on, after a question.
    Pause,
    CancelAll,
    Retry,
    /// Send to entities too that have the image already, or not (review).
    Force,
    /// Look at the hosts that a start would need (review).
    Probe,
    /// Look what entities hold (review, watch).
    Verify,
    /// Write a report of a run to a file (watch, history).
    Report,
    /// Give a password (review).
    Password,
    // The log.
    LogMore,
    LogLess,
    LogTargets,
    LogToggle,
    LogToggleAll,
    LogEntity,
    // Answers to dialogs and lines of text.
    Yes,
    No,
    Submit,
    /// Ask the hosts that a list is about.
    Ask,
    Complete,
    Edit(InputRequest),
    // Leaving.
    Suspend,
    Quit,
    // From outside.
    Engine(Event),
    /// What an effect came to, to be shown.
    Said(Message),
    /// Past runs were read.
    Past(Vec<PastRun>),
    /// One of them was read whole.
    OpenedRun {
        run: String,
        text: String,
    },
    Resize {
        columns: u16,
        rows: u16,
    },
    /// To the clipboard.
    Copy,
    /// The guided steps, on or off.
    Guide,
    /// A cell that was clicked, counted from the top left of the screen.
    Click {
        column: u16,
        row: u16,
    },
}

//! What dialogs ask, and what is answered: plain values, which the shell hands back to the page that asked.

use crate::model::{GroupSpec, Name, ReportFormat};
use crate::protocol::{Held, Secret, Target};

use super::action::Action;

/// What an answer is for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Quit,
    Suspend,
    Cancel(Target),
    /// What a key of the page does, chosen in its help.
    Key,
    /// The page that asked carries it out, with what was typed or chosen.
    Groups(OfGroups),
    Review(OfReview),
    Watch(OfWatch),
    Log(OfLog),
    Inventory(OfInventory),
    Report(OfReport),
}

impl Asked {
    /// Whether yes begins work: then a key that was typed before the question could be read is no answer.
    pub(crate) fn begins_work(&self) -> bool {
        match self {
            Self::Review(of) => matches!(of, OfReview::Activate),
            Self::Watch(_) => true,
            _ => false,
        }
    }

    /// Whether it is about hosts that can be asked.
    pub(crate) fn asks_hosts(&self) -> bool {
        matches!(self, Self::Groups(OfGroups::Source { .. }))
    }
}

/// How a dialog was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    Text(String),
    Secret(Secret),
    /// The value of the chosen row.
    Chosen(String),
    /// The hosts in the list are to be asked; it stays open.
    Ask,
    /// The values of the rows that were ticked.
    Ticked(Vec<String>),
}

/// What the groups page asks. A group is given by its index: while a dialog is open, none is made or
/// deleted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfGroups {
    /// The name of a new group of these entities.
    Name {
        entities: Vec<usize>,
    },
    /// How to group these entities.
    How {
        entities: Vec<usize>,
    },
    /// Whether to do this to a copy of a group of the inventory.
    Copy {
        at: usize,
        then: Box<Action>,
    },
    Rename {
        at: usize,
    },
    Delete {
        at: usize,
    },
    Laggards {
        at: usize,
    },
    LaggardLimit {
        at: usize,
    },
    Retries {
        at: usize,
    },
    Parallel {
        at: usize,
    },
    Extent {
        at: usize,
    },
    Image {
        at: usize,
    },
    /// Which file server to look at.
    Server {
        at: usize,
    },
    Browse(Place),
    /// The type of the entities that a file is for, then its version.
    FileType(File),
    FileVersion(File),
    /// Whether a file of this version is meant, which is lower than what entities have.
    LowerVersion {
        file: File,
        version: String,
    },
    Source {
        at: usize,
    },
}

/// A directory of a file server, on behalf of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) server: String,
    /// Below the server's url; empty there.
    pub(crate) path: String,
}

/// A file that was found, and what is known of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) at: usize,
    pub(crate) server: String,
    /// Below the server's url.
    pub(crate) file: String,
    pub(crate) size: Option<u64>,
    pub(crate) type_: String,
}

/// What the review asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfReview {
    /// Whose secret to give.
    Which,
    /// Which image, and from where, what is picked gets.
    Image,
    Source,
    /// Whether devices are to be made to run another image.
    Activate,
    /// How many entities a start is for, to be typed where they are many.
    HowMany {
        entities: usize,
    },
    /// The secret of these credentials; a start goes on with it.
    Password {
        credentials: Name,
        then: Then,
    },
}

/// What goes on when all passwords are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Nothing,
    Start,
    Look(Question),
}

/// What is asked of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// What a run would meet.
    Probe,
    /// What entities hold at their final path.
    Verify,
}

/// What the watch page asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OfWatch {
    /// Which of these are tried again.
    Retry(Box<Retry>),
    /// Whether a group goes on that is held like this.
    Resume { group: Name, held: Box<Held> },
}

/// What a retry would start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retry {
    pub(crate) spec: GroupSpec,
    /// Some of the entities are at the version already, as far as the inventory knows, and got the
    /// image all the same: without force they would now be skipped.
    pub(crate) force: bool,
    pub(crate) entities: Vec<String>,
}

/// What the inventory page asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfInventory {
    /// Which of the filters that have a name.
    SavedFilter,
}

/// What is asked of a report of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfReport {
    /// Whether there is to be one, where the run was read.
    Which {
        run: String,
    },
    Format {
        run: String,
    },
    File {
        run: String,
        format: ReportFormat,
    },
}

/// What the log page asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfLog {
    Entity,
}

//! The reasons against a start, and what is to be said about one: typed, and in words here alone.

use std::fmt;

use crate::model::memory::TooLittleMemory;
use crate::model::text::{quoted, shown};
use crate::model::{Flaw, Name, Thing, names};

/// Why nothing can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocker {
    /// There can be no such group.
    Flaw {
        group: String,
        flaw: Flaw,
    },
    RunsAlready {
        group: String,
    },
    StartedTwice {
        group: String,
    },
    /// A group that runs has some of the entities.
    InARun {
        group: String,
        other: String,
        entities: Vec<Name>,
    },
    /// A group that runs may read some of the entities that would be written.
    ReadByARun {
        group: String,
        other: String,
        entities: Vec<Name>,
    },
    /// Both have these entities.
    NotTogether {
        one: String,
        other: String,
        entities: Vec<Name>,
    },
    /// The peer that the group has to read from is written by the other.
    SourceIsWritten {
        group: String,
        peer: Name,
        other: String,
    },
    /// All peers that the group could read from are written.
    NoPeerLeft {
        group: String,
        image: Name,
        written: Vec<Name>,
        /// Because entities that have the image get it too.
        force: bool,
    },
    Memory(TooLittleMemory),
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flaw { group, flaw } => match flaw {
                // It says the name already.
                Flaw::BadName(_)
                | Flaw::Unknown {
                    what: Thing::Group, ..
                } => flaw.fmt(f),
                flaw => write!(f, "group {}: {flaw}", quoted(group)),
            },
            Self::RunsAlready { group } => write!(f, "group {} runs already", quoted(group)),
            Self::StartedTwice { group } => {
                write!(f, "group {} is to be started twice", quoted(group))
            }
            Self::InARun {
                group,
                other,
                entities,
            } => write!(
                f,
                "{} {} in group {}, which runs; {} can start when that has ended",
                folded(entities),
                is_or_are(entities),
                quoted(other),
                quoted(group)
            ),
            Self::ReadByARun {
                group,
                other,
                entities,
            } => write!(
                f,
                "{} {} read by group {}, which runs; {} can start when that has ended",
                folded(entities),
                is_or_are(entities),
                quoted(other),
                quoted(group)
            ),
            Self::NotTogether {
                one,
                other,
                entities,
            } => write!(
                f,
                "groups {} and {} can't run together: both have {}",
                quoted(one),
                quoted(other),
                folded(entities)
            ),
            Self::SourceIsWritten { group, peer, other } => write!(
                f,
                "{}, the source of {}, is being upgraded in group {}",
                quoted(peer),
                quoted(group),
                quoted(other)
            ),
            Self::NoPeerLeft {
                group,
                image,
                written,
                force,
            } => write!(
                f,
                "group {} has no peer left to read {} from: {} would be read while the new image is \
                 written there; read it from a file server, or leave one of them out{}",
                quoted(group),
                quoted(image),
                folded(written),
                if *force {
                    ", or start without `--force`"
                } else {
                    ""
                }
            ),
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Blocker {}

/// What does not stand against a start, and is to be said all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Every entity has the image already.
    NothingToSend { group: Name },
    /// Peers that are not read, because they are written.
    PeersLeftOut { group: Name, peers: Vec<Name> },
    /// The password reaches these hosts unencrypted.
    ClearText { credentials: Name, hosts: Vec<Name> },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToSend { .. } => f.write_str("none: every entity has the image already"),
            Self::PeersLeftOut { peers, .. } => write!(
                f,
                "not {}, where the new image is written meanwhile",
                folded(peers)
            ),
            Self::ClearText { credentials, hosts } => write!(
                f,
                "{credentials}: sent in CLEAR TEXT (ftp://), readable on the way, to {}",
                names::compress(hosts).join(", ")
            ),
        }
    }
}

/// Each in words.
pub fn said(things: &[impl fmt::Display]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}

fn folded(entities: &[Name]) -> String {
    shown(&names::compress(entities).join(", "))
}

fn is_or_are<T>(things: &[T]) -> &'static str {
    if things.len() == 1 { "is" } else { "are" }
}

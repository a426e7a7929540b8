//! The reasons against a start, and what is to be said about one: typed, and in words here alone.

use std::fmt;

use thiserror::Error;

use crate::model::memory::TooLittleMemory;
use crate::model::text::{quoted, shown};
use crate::model::{Flaw, Name, Thing, names};

/// Why nothing can be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Blocker {
    /// There can be no such group.
    #[error("{}{flaw}", of_group(.group, .flaw))]
    Flaw { group: String, flaw: Flaw },
    #[error("group {} runs already", quoted(.group))]
    RunsAlready { group: String },
    #[error("group {} is to be started twice", quoted(.group))]
    StartedTwice { group: String },
    /// A group that runs has some of the entities.
    #[error(
        "{} {} in group {}, which runs; {} can start when that has ended",
        folded(.entities), is_or_are(.entities), quoted(.other), quoted(.group)
    )]
    InARun {
        group: String,
        other: String,
        entities: Vec<Name>,
    },
    /// A group that runs may read some of the entities that would be written.
    #[error(
        "{} {} read by group {}, which runs; {} can start when that has ended",
        folded(.entities), is_or_are(.entities), quoted(.other), quoted(.group)
    )]
    ReadByARun {
        group: String,
        other: String,
        entities: Vec<Name>,
    },
    /// Both have these entities.
    #[error(
        "groups {} and {} can't run together: both have {}",
        quoted(.one), quoted(.other), folded(.entities)
    )]
    NotTogether {
        one: String,
        other: String,
        entities: Vec<Name>,
    },
    /// The peer that the group has to read from is written by the other.
    #[error(
        "{}, the source of {}, is being upgraded in group {}",
        quoted(.peer), quoted(.group), quoted(.other)
    )]
    SourceIsWritten {
        group: String,
        peer: Name,
        other: String,
    },
    /// All peers that the group could read from are written. With `force`, because entities that have the
    /// image get it too.
    #[error(
        "group {} has no peer left to read {} from: {} would be read while the new image is \
         written there; read it from a file server, or leave one of them out{}",
        quoted(.group), quoted(.image), folded(.written),
        or_unforced(*.force)
    )]
    NoPeerLeft {
        group: String,
        image: Name,
        written: Vec<Name>,
        force: bool,
    },
    #[error(transparent)]
    Memory(TooLittleMemory),
}

fn or_unforced(force: bool) -> &'static str {
    match force {
        true => ", or start without `--force`",
        false => "",
    }
}

/// Nothing where the flaw says the name already.
fn of_group(group: &str, flaw: &Flaw) -> String {
    match flaw {
        Flaw::BadName(_)
        | Flaw::Unknown {
            what: Thing::Group, ..
        } => String::new(),
        _ => format!("group {}: ", quoted(group)),
    }
}

/// What does not stand against a start, and is to be said all the same.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Finding {
    #[error("none: every entity has the image already")]
    NothingToSend { group: Name },
    /// Peers that are not read, because they are written.
    #[error("not {}, where the new image is written meanwhile", folded(.peers))]
    PeersLeftOut { group: Name, peers: Vec<Name> },
    #[error(
        "{credentials}: sent in CLEAR TEXT (ftp://), readable on the way, to {}",
        names::compress(.hosts).join(", ")
    )]
    ClearText { credentials: Name, hosts: Vec<Name> },
    /// As [`Finding::ClearText`], for command lines over telnet.
    #[error(
        "{credentials}: sent in CLEAR TEXT (telnet), readable on the way, to the command line of {}",
        names::compress(.hosts).join(", ")
    )]
    ClearSession { credentials: Name, hosts: Vec<Name> },
    /// Hosts that may choose algorithms which are broken or nearly so.
    #[error(
        "old SSH algorithms are let in (`ssh_legacy`), which can be broken on the way, with {}",
        folded(.hosts)
    )]
    LegacySsh { group: Name, hosts: Vec<Name> },
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

//! The reasons against a start, and what is to be said about one: typed, and in words here alone.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Zoned;
use thiserror::Error;

use crate::model::campaign::start;
use crate::model::memory::TooLittleMemory;
use crate::model::procedure::Versions;
use crate::model::serve::Over;
use crate::model::text::{quoted, shown};
use crate::model::{Flaw, Name, Thing, names, units};

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
    /// Entities run something newer than the image, by the inventory.
    #[error(
        "group {}: the image {} is version {}, which is older than what {} of them {}: {}; write \
         `downgrade: allow` where that is meant, or leave them out",
        quoted(.group), quoted(.image), quoted(.version), number(.newer), run_or_runs(.newer), versions(.newer)
    )]
    Downgrade {
        group: String,
        image: Name,
        version: String,
        newer: Vec<(String, Vec<Name>)>,
    },
    /// Entities don't run what the image may be put on, or nobody can say so.
    #[error(
        "group {}: the image {} may be put on {} alone (`from`), and {} of them {} something else: {}; leave \
         them out, or bring them to such a version first",
        quoted(.group), quoted(.image), quoted(.from), number(.others), run_or_runs(.others), versions(.others)
    )]
    NotFrom {
        group: String,
        image: Name,
        from: String,
        others: Vec<(String, Vec<Name>)>,
    },
    #[error(transparent)]
    Memory(TooLittleMemory),
    /// An address that devices fetch from can't be listened at by this program.
    #[error("images can't be served to devices that fetch them: {why}")]
    NoRight { why: String },
}

fn number(by_version: &[(String, Vec<Name>)]) -> usize {
    by_version.iter().map(|(_, names)| names.len()).sum()
}

fn run_or_runs(by_version: &[(String, Vec<Name>)]) -> &'static str {
    match number(by_version) {
        1 => "runs",
        _ => "run",
    }
}

/// Each version with those that run it.
fn versions(by_version: &[(String, Vec<Name>)]) -> String {
    let said: Vec<String> = (by_version.iter())
        .map(|(version, names)| format!("{} on {}", quoted(version), folded(names)))
        .collect();
    said.join(", ")
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
        "{credentials}: sent in CLEAR TEXT, readable on the way, to {}",
        names::compress(.hosts).join(", ")
    )]
    ClearText { credentials: Name, hosts: Vec<Name> },
    /// As [`Finding::ClearText`], for command lines over telnet.
    #[error(
        "{credentials}: sent in CLEAR TEXT (telnet), readable on the way, to the command line of {}",
        names::compress(.hosts).join(", ")
    )]
    ClearSession { credentials: Name, hosts: Vec<Name> },
    /// As [`Finding::ClearText`], for the requests of a procedure.
    #[error(
        "{credentials}: sent in CLEAR TEXT (http), readable on the way, to the web server of {}",
        names::compress(.hosts).join(", ")
    )]
    ClearWeb { credentials: Name, hosts: Vec<Name> },
    /// Hosts that may choose algorithms which are broken or nearly so.
    #[error(
        "old SSH algorithms are let in (`ssh_legacy`), which can be broken on the way, with {}",
        folded(.hosts)
    )]
    LegacySsh { group: Name, hosts: Vec<Name> },
    /// Where some of its entities fetch the image from.
    #[error("{}, from where {} the image{}", served(.at), fetch(.by), waited(*.gather))]
    Served {
        group: Name,
        at: Vec<(Over, SocketAddr)>,
        by: Vec<Name>,
        /// How long the others wait for one to ask; absent: for as long as it takes.
        gather: Option<Duration>,
    },
    /// Versions that nobody can say of whether they are newer than the image's.
    #[error(
        "whether version {} is older can't be said, since these are not {}: {}",
        quoted(.version), .how.word(), versions(.unknown)
    )]
    NotCompared {
        group: Name,
        version: String,
        how: Versions,
        unknown: Vec<(String, Vec<Name>)>,
    },
    #[error("its start, {}, is past: it begins as soon as it may", start::in_words(.start))]
    StartIsPast { group: Name, start: Zoned },
    /// As far as is assumed.
    #[error(
        "one entity takes about {}{}, and its window is open for {}: nothing would ever begin; write a longer \
         `window`, or `takes: 20m` where that is known",
        units::duration(*.takes), at_rate(*.assumed), units::limit(*.open)
    )]
    TooLongForWindow {
        group: Name,
        takes: Duration,
        open: Duration,
        /// Bytes a second.
        assumed: Option<u64>,
    },
    /// What a change of clocks does to a window that is to come.
    #[error("{note}")]
    ClocksChange { group: Name, note: String },
}

fn at_rate(assumed: Option<u64>) -> String {
    assumed.map_or(String::new(), |rate| {
        format!(" at an assumed {}", units::rate(rate as f64))
    })
}

/// Each in words.
pub fn said(things: &[impl fmt::Display]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}

fn folded(entities: &[Name]) -> String {
    shown(&names::compress(entities).join(", "))
}

fn served(at: &[(Over, SocketAddr)]) -> String {
    let at: Vec<String> = at
        .iter()
        .map(|(over, at)| format!("{} {at}", over.word()))
        .collect();
    at.join(", ")
}

fn fetch(by: &[Name]) -> String {
    let verb = if by.len() == 1 { "fetches" } else { "fetch" };
    format!("{} {verb}", folded(by))
}

fn waited(gather: Option<Duration>) -> String {
    match gather {
        None => String::new(),
        Some(Duration::ZERO) => "; nobody waits for one that has not asked".into(),
        Some(time) => format!(
            "; the others wait up to {} for one to ask",
            units::limit(time)
        ),
    }
}

fn is_or_are<T>(things: &[T]) -> &'static str {
    if things.len() == 1 { "is" } else { "are" }
}

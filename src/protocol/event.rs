//! What happened, in order: the JSON lines of `run --json` are these, one object a line.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::campaign::{CampaignSummary, Change};
use crate::model::GroupSpec;
use crate::model::series;
use crate::model::{
    Bottleneck, Capped, EntityState, Holding, Holds, Name, Outcome, Probe, Standing, Step, Verified,
};

/// One thing that happened. `at` is UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run began, or a group joined it.
    Run {
        at: Timestamp,
        run: String,
        groups: Vec<Name>,
        memory: u64,
    },
    State {
        at: Timestamp,
        group: Name,
        entity: Name,
        state: EntityState,
        step: Option<Step>,
        /// Why it failed, is tried again, or is skipped; else null.
        cause: Option<String>,
        attempt: u32,
        /// What the entity holds now: of final states, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holds: Option<Holds>,
        /// How its copy was checked; only of `delivered`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verified: Option<Verified>,
        /// The version that the entity said last that it runs, where it was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runs: Option<String>,
    },
    /// Sampled from a snapshot by the watcher, never sent by the engine.
    Progress {
        at: Timestamp,
        group: Name,
        read: u64,
        size: Option<u64>,
        depth: usize,
        /// Why the depth was last changed; null while it is what the group began with.
        #[serde(default)]
        depth_reason: Option<String>,
        used: usize,
        buffer_size: u64,
        bottleneck: Bottleneck,
        /// Seconds until all is sent; null when it can't be known.
        #[serde(default)]
        time_left: Option<f64>,
        entities: Vec<EntityProgress>,
    },
    /// A group that is gone through in waves, or at certain times, went on or was stopped.
    Campaign {
        at: Timestamp,
        group: Name,
        #[serde(flatten)]
        change: Change,
    },
    Depth {
        at: Timestamp,
        group: Name,
        from: usize,
        to: usize,
        reason: String,
    },
    /// The beginning of a pass, and its end, which alone has `read`.
    Pass {
        at: Timestamp,
        group: Name,
        pass: u32,
        source: String,
        offset: u64,
        entities: Vec<Name>,
        #[serde(skip_serializing_if = "Option::is_none")]
        read: Option<u64>,
    },
    /// The source of a pass failed, and another one goes on from the same byte of the image.
    Source {
        at: Timestamp,
        group: Name,
        pass: u32,
        source: String,
        offset: u64,
        /// What became of the one before.
        cause: String,
    },
    /// Which entities of the image's type hold it.
    Peers {
        at: Timestamp,
        image: Name,
        peers: Vec<PeerCheck>,
    },
    /// A directory of a file server, or why it can't be looked at.
    Directory {
        at: Timestamp,
        server: Name,
        path: String,
        listing: Result<Listing, String>,
    },
    /// Some of the hosts that groups need were looked at.
    Probed {
        at: Timestamp,
        checks: Vec<ProbeCheck>,
        /// Hosts that have not answered.
        left: usize,
        /// This is the last answer.
        ended: bool,
        /// It was ended before all hosts had answered.
        stopped: bool,
    },
    /// Some of the entities were looked at for what they hold.
    Held {
        at: Timestamp,
        checks: Vec<Installed>,
        /// Entities that have not answered.
        left: usize,
        /// File bytes read so far, from sources and entities.
        read: u64,
        /// This is the last answer.
        ended: bool,
        /// It was ended before all entities had answered.
        stopped: bool,
    },
    /// A command that was refused, and why.
    Refused {
        at: Timestamp,
        reason: String,
    },
    /// Something that the operator should know and that is no fault of the run: the journal can't
    /// be written, an earlier run was cut off. On standard error where standard output is for JSON.
    Notice {
        at: Timestamp,
        text: String,
    },
    /// How many others watch the same engine. Of an engine in a process of its own.
    Viewers {
        at: Timestamp,
        others: usize,
    },
    /// Another client of the same engine gave an order: its user, and what it did.
    Did {
        at: Timestamp,
        who: String,
        what: String,
    },
    Summary(Summary),
    // For the journal alone: watchers find all of it in snapshots, which skip moments.
    /// A group as it starts, whole: it can be started again from this. Comes before the first
    /// states of its entities.
    Group {
        at: Timestamp,
        spec: Box<GroupSpec>,
        force: bool,
    },
    /// What an entity, a label or a file server is held to from now on, in place of what the inventory says; bytes a
    /// second, `None`: to nothing. Reported when it is changed, and when a run begins.
    Rate {
        at: Timestamp,
        on: Capped,
        rate: Option<u64>,
    },
    /// Nothing of the run is left to do. What is started from now on is another run.
    Ended {
        summary: Box<Summary>,
    },
    /// The image was read to its end.
    Image {
        at: Timestamp,
        group: Name,
        size: Option<u64>,
        /// Hex.
        sha256: String,
    },
    /// The entity holds the whole image under its final name. Followed by its state.
    Stored {
        at: Timestamp,
        group: Name,
        entity: Name,
        bytes: u64,
        verified: Verified,
    },
    /// A staging file could not be removed, or was kept as the only copy that there is.
    Left {
        at: Timestamp,
        group: Name,
        entity: Name,
        path: String,
    },
    /// What can be done about the failure that the entity has ended with.
    Advice {
        at: Timestamp,
        group: Name,
        entity: Name,
        advice: String,
    },
    /// How the figures of a group went, or with `None` those of its run, up to now: all of it, from the beginning.
    Series {
        at: Timestamp,
        group: Option<Name>,
        series: Box<series::Change>,
    },
}

impl Event {
    /// Whether watchers get it, or the journal alone.
    pub fn is_for_watchers(&self) -> bool {
        match self {
            Self::Group { .. }
            | Self::Rate { .. }
            | Self::Ended { .. }
            | Self::Image { .. }
            | Self::Stored { .. }
            | Self::Left { .. }
            | Self::Advice { .. }
            | Self::Series { .. } => false,
            Self::Run { .. }
            | Self::State { .. }
            | Self::Campaign { .. }
            | Self::Progress { .. }
            | Self::Depth { .. }
            | Self::Pass { .. }
            | Self::Source { .. }
            | Self::Peers { .. }
            | Self::Directory { .. }
            | Self::Probed { .. }
            | Self::Held { .. }
            | Self::Refused { .. }
            | Self::Notice { .. }
            | Self::Viewers { .. }
            | Self::Did { .. }
            | Self::Summary(_) => true,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityProgress {
    pub entity: Name,
    pub sent: u64,
    pub lag: u64,
    pub rate: f64,
}

/// What one entity said when it was asked for an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerCheck {
    pub entity: Name,
    /// Bytes of the file at its path, where it reports it; `Err`: why it can't be read.
    pub file: Result<Option<u64>, String>,
    /// Whether its file can be the image: right version, and right size as far as that is known.
    pub has_it: bool,
}

/// What came of looking at one host before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeCheck {
    pub group: Name,
    /// An entity's name, or a source's as in a summary.
    pub host: Name,
    pub is_source: bool,
    /// What would make a run fail.
    pub problem: Option<String>,
    /// What an operator may want to know before.
    pub notes: Vec<String>,
    /// Bytes of a source's file, where it reports it.
    pub size: Option<u64>,
    /// Of an entity that answered.
    pub probe: Option<Probe>,
    /// Of one with a procedure that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedure: Option<ProcedureCheck>,
}

/// What came of trying the steps of a procedure that change nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcedureCheck {
    /// To the command line; `false` where there is none.
    pub logged_in: bool,
    /// How many steps were tried.
    pub steps: usize,
    /// The version that the device says it runs.
    pub runs: Option<String>,
}

/// What one entity holds at its final path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    pub group: Name,
    pub entity: Name,
    pub holds: Holding,
    /// How that was found out; `none` where it was not.
    pub verified: Verified,
    /// Bytes of its file, where known.
    pub size: Option<u64>,
    pub cause: Option<String>,
}

/// Files and directories of a file server. Names are as the server sent them, without any that
/// could not be part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub entries: Vec<Entry>,
}

/// What a directory holds under one name. The name is fit to be part of a path: UTF-8, without
/// `/`, CR, LF and NUL, and neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub is_directory: bool,
    /// Bytes, where the host reports it.
    pub size: Option<u64>,
}

/// The whole run, at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub at: Timestamp,
    pub run: String,
    pub outcome: Outcome,
    pub seconds: f64,
    pub memory: u64,
    pub peak_pool_bytes: u64,
    /// File bytes read from sources, file servers and peers alike.
    pub source_bytes: u64,
    /// File bytes confirmed by entities.
    pub delivered_bytes: u64,
    /// Entities of those that were delivered whose copy was checked by its size alone, or not.
    #[serde(default)]
    pub delivered_unproven: usize,
    pub groups: Vec<GroupSummary>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSummary {
    pub group: Name,
    pub image: Name,
    pub source: String,
    pub size: Option<u64>,
    pub sha256: Option<String>,
    pub seconds: f64,
    pub source_bytes: u64,
    pub passes: u32,
    /// As above, of this group.
    #[serde(default)]
    pub delivered_unproven: usize,
    /// How it was gone through; absent where all entities began at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Box<CampaignSummary>>,
    pub entities: Vec<EntitySummary>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntitySummary {
    pub entity: Name,
    pub state: EntityState,
    /// The step that failed.
    pub step: Option<Step>,
    /// Bytes confirmed by the entity.
    pub bytes: u64,
    pub seconds: f64,
    pub attempts: u32,
    pub staged: bool,
    pub verified: Verified,
    pub cause: Option<String>,
    /// What it holds now; null while it is not known.
    #[serde(default)]
    pub holds: Option<Holds>,
    /// The version that it said last that it runs, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// A staging file that could not be removed, or was kept as the only copy that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

impl EntitySummary {
    pub fn standing(&self) -> Standing {
        Standing::of(self.state, self.verified)
    }
}

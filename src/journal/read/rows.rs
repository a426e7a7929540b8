//! What is known of runs, groups and entities: plain data that becomes JSON as it stands.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::columns::word;
use crate::journal::after_crash::AfterCrash;
use crate::journal::found::Found;
use crate::journal::origin::Origin;
use crate::model::{EntityState, GroupSpec, Holds, Outcome, Series, Standing, Verified};

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    Ended,
    /// Its process is there.
    Running,
    /// Its process is gone, and there are entities that it was not done with.
    CutOff,
}

/// One run in figures. An entity that was in several of its groups counts as it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    pub run: String,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub status: RunStatus,
    /// As the summary said; of a process that was killed after the last entity, from the states.
    pub outcome: Option<Outcome>,
    #[serde(flatten)]
    pub origin: Origin,
    #[serde(flatten)]
    pub process: Process,
    pub inventory_file: String,
    pub practice: bool,
    pub groups: Vec<String>,
    #[serde(flatten)]
    pub counts: Counts,
    #[serde(flatten)]
    pub amounts: Amounts,
    /// When a run that was cut off was dealt with.
    pub settled: Option<Timestamp>,
    /// Its process ended while the journal could not be written: records are missing.
    pub in_doubt: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Process {
    pub pid: u32,
    /// Its version.
    pub subtend: String,
}

/// Entities of a run, by how they ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub entities: usize,
    pub delivered: usize,
    /// Of those: by size alone, or without any check.
    pub delivered_unproven: usize,
    pub upgraded: usize,
    pub skipped: usize,
    pub failed: usize,
    pub rolled_back: usize,
    pub cancelled: usize,
    /// Without a final state.
    pub unfinished: usize,
}

/// Bytes of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amounts {
    pub memory: u64,
    pub peak_pool_bytes: Option<u64>,
    pub source_bytes: Option<u64>,
    pub delivered_bytes: Option<u64>,
}

/// One run with all that is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunWhole {
    pub run: RunRow,
    pub groups: Vec<GroupRow>,
    pub inventory: serde_json::Value,
    /// How its figures went; `None` where that was not written.
    pub series: Option<Series>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupRow {
    pub group: String,
    pub started: Timestamp,
    pub image: String,
    pub version: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub file: String,
    pub size: Option<u64>,
    pub sha256: Option<String>,
    pub source: String,
    pub force: bool,
    /// From which it can be started again.
    #[serde(skip)]
    pub spec: Option<GroupSpec>,
    pub passes: Vec<PassRow>,
    pub notes: Vec<Note>,
    pub entities: Vec<EntityRow>,
    /// How its figures went; `None` where that was not written.
    #[serde(skip)]
    pub series: Option<Series>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PassRow {
    pub pass: u32,
    pub at: Timestamp,
    pub source: String,
    pub offset: u64,
    pub ended: Option<Timestamp>,
    pub read: Option<u64>,
}

/// A change of depth (`depth`), or of the source within a pass (`source`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    pub at: Timestamp,
    pub kind: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityRow {
    pub entity: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub address: String,
    pub path: String,
    pub state: EntityState,
    pub step: Option<String>,
    pub cause: Option<String>,
    pub attempts: u32,
    pub at: Timestamp,
    #[serde(flatten)]
    pub copied: Copied,
    /// What stands under its final name; null where a later run says.
    pub holds: Option<Holds>,
    /// What that means for a run that was cut off.
    pub after_crash: AfterCrash,
    /// What was seen and done after the run.
    pub found: Option<Found>,
    /// The version that it said last that it runs.
    pub runs: Option<String>,
    /// What can be done about its failure.
    pub advice: Option<String>,
    pub changes: Vec<Change>,
    /// What was done on it beside its image.
    pub steps: Vec<StepRow>,
}

impl GroupRow {
    /// Whether its entities were also to run the image.
    pub fn activates(&self) -> bool {
        match &self.spec {
            Some(GroupSpec::Made(made)) => made.policy.extent.activates(),
            _ => false,
        }
    }
}

/// What was written to an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    pub bytes: u64,
    pub verified: Option<String>,
    /// Of the pass that it was in last.
    pub source: Option<String>,
    /// A staging file that could not be removed.
    pub left: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub at: Timestamp,
    pub state: EntityState,
    pub step: Option<String>,
    pub cause: Option<String>,
    pub attempt: u32,
    pub holds: Option<Holds>,
}

/// One step of a procedure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRow {
    pub at: Timestamp,
    pub part: String,
    /// From 0.
    pub number: usize,
    pub what: String,
    pub ended: Option<Timestamp>,
    /// Null where nothing was written down of it after it had begun.
    pub outcome: Option<String>,
    pub said: Option<String>,
}

/// One entity in one group of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRow {
    pub run: String,
    pub user: String,
    pub group: String,
    pub image: String,
    pub version: String,
    pub sha256: Option<String>,
    #[serde(flatten)]
    pub entity: EntityRow,
}

/// The image that an entity got, as far as the journal knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    pub entity: String,
    pub address: String,
    pub path: String,
    pub image: String,
    pub version: String,
    #[serde(rename = "type")]
    pub type_: String,
    /// Bytes; not known of one that was made to run an image of which the journal has no delivery.
    pub size: Option<u64>,
    pub sha256: Option<String>,
    pub verified: Option<String>,
    pub at: Timestamp,
    pub run: String,
}

impl Known {
    /// Whether a later run has copied nothing: it only made the entity run what is known of here, and knows less of it.
    pub(super) fn is_still_so_after(&self, later: &Self) -> bool {
        let is_same_digest = match (&self.sha256, &later.sha256) {
            (Some(known), Some(later)) => known == later,
            _ => true,
        };
        let is_same_file = self.address == later.address
            && self.path == later.path
            && self.type_ == later.type_
            && self.version == later.version;
        later.verified.is_none() && is_same_file && is_same_digest
    }
}

/// A run whose process is gone before it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CutOff {
    pub run: String,
    pub started: Timestamp,
    pub user: String,
    /// How many entities hold what.
    pub holds: BTreeMap<AfterCrash, usize>,
}

impl EntityRow {
    pub fn standing(&self) -> Standing {
        Standing::of(self.state, self.verified())
    }

    /// How its copy was checked; where nothing says so, it was not.
    pub fn verified(&self) -> Verified {
        let verified = self.copied.verified.as_deref().and_then(word);
        verified.unwrap_or(Verified::None)
    }
}

impl CutOff {
    /// What is said of it at the next start.
    pub fn sentence(&self) -> String {
        format!(
            "run {} was cut off: {}; `subtend recover {}` shows what each entity has, and takes it \
             up again",
            self.run,
            counted(&self.holds),
            self.run
        )
    }
}

/// `12 delivered, 3 staged`.
fn counted(holds: &BTreeMap<AfterCrash, usize>) -> String {
    let parts: Vec<String> = (holds.iter())
        .map(|(holds, number)| format!("{number} {holds}"))
        .collect();
    parts.join(", ")
}

impl RunWhole {
    /// The run with its groups whole, where [`RunRow`] has their names.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        let mut run = serde_json::to_value(&self.run)?;
        run["groups"] = serde_json::to_value(&self.groups)?;
        run["inventory"] = self.inventory.clone();
        Ok(run)
    }
}

/// A run that was asked for and can't be meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoRun {
    #[error("no run begins with `{0}`; `subtend history` lists them")]
    Unknown(String),
    #[error("`{prefix}` can be any of {}; write more of it", .runs.join(", "))]
    Several { prefix: String, runs: Vec<String> },
}

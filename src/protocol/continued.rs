//! A group of a run that the engine was lost of, or that was left waiting, as far as it came: it goes on from there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::campaign::Change;
use crate::model::{EntityState, GroupSpec, Holds, Name, Step, Verified};

/// One group. Entities that are not among `ended` begin anew, whatever they were doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continued {
    /// With all entities that it began with, so that its waves are the same.
    pub spec: GroupSpec,
    pub force: bool,
    /// The run that it was a part of.
    pub run: String,
    pub ended: Vec<EndedBefore>,
    pub offline: Vec<OfflineBefore>,
    /// In order.
    pub changes: Vec<ChangedBefore>,
}

impl Continued {
    /// What it was held to last, where that was changed.
    pub fn rate(&self) -> Option<Option<u64>> {
        let mut rates = self
            .changes
            .iter()
            .filter_map(|before| match &before.change {
                Change::Rate { rate } => Some(*rate),
                _ => None,
            });
        rates.next_back()
    }

    /// What an entity has come to; `None`: it begins anew.
    pub fn of(&self, entity: &str) -> Option<&EndedBefore> {
        self.ended.iter().find(|ended| &*ended.entity == entity)
    }

    /// Since when an entity can't be reached.
    pub fn offline_since(&self, entity: &str) -> Option<Timestamp> {
        let mut offline = self.offline.iter();
        let found = offline.find(|one| &*one.entity == entity);
        found.map(|one| one.since)
    }
}

impl EndedBefore {
    /// Whether it was left out from the beginning, because the inventory said that it has the image. One that was
    /// asked for it and has it was a part of the run.
    pub fn is_left_out(&self) -> bool {
        let asked = |cause: &str| cause.starts_with(DELIVERED_BY_RUN);
        self.state == EntityState::Skipped && !self.cause.as_deref().is_some_and(asked)
    }
}

/// How the cause begins why an entity is skipped that an earlier run has delivered the image to.
pub const DELIVERED_BY_RUN: &str = "delivered by run ";

/// An entity that came to an end there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedBefore {
    pub entity: Name,
    pub state: EntityState,
    pub step: Option<Step>,
    pub cause: Option<String>,
    pub attempts: u32,
    pub holds: Option<Holds>,
    pub runs: Option<String>,
    pub verified: Verified,
    /// Confirmed by it.
    pub bytes: u64,
}

/// One that could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflineBefore {
    pub entity: Name,
    /// When it was first found to be offline.
    pub since: Timestamp,
}

/// What happened to the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedBefore {
    pub at: Timestamp,
    pub change: Change,
}

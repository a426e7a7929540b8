//! How everything stands at one moment: what a screen draws from.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::campaign::CampaignSnapshot;
use crate::model::{
    Bottleneck, EntityState, Holds, Laggards, Name, Outcome, Series, Standing, Step, Timeline,
    Verified,
};

/// The whole engine. Groups stand in the order in which they were started and stay after they end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub at: Timestamp,
    pub run: String,
    /// Bytes available for software download.
    pub memory: u64,
    /// Bytes that the pools hold now, and the most that they ever held.
    pub pool_bytes: u64,
    pub peak_pool_bytes: u64,
    pub groups: Vec<Arc<GroupSnapshot>>,
    /// How the groups of this run went together, from its beginning. Over a socket it goes by itself, in parts.
    #[serde(skip)]
    pub series: Arc<Series>,
}

impl Snapshot {
    /// The groups that have not ended.
    pub fn running(&self) -> impl Iterator<Item = &Arc<GroupSnapshot>> {
        self.groups.iter().filter(|group| !group.phase.is_ended())
    }

    /// Whether any work is left.
    pub fn is_busy(&self) -> bool {
        self.running().next().is_some()
    }
}

impl GroupSnapshot {
    /// Whether it has not ended, and nothing is done in it at this moment: it is paused, or waits.
    pub fn is_at_rest(&self) -> bool {
        let campaign = self.campaign.as_ref();
        !self.phase.is_ended() && campaign.is_some_and(|campaign| campaign.is_at_rest())
    }

    /// The entities that it is not done with, which no other group may have meanwhile.
    pub fn unfinished(&self) -> impl Iterator<Item = &EntitySnapshot> {
        self.entities.iter().filter(|one| !one.state.is_final())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupPhase {
    /// Choosing and opening the source.
    Starting,
    /// The transfer agent reads.
    Transferring,
    /// The image was read to its end; the download agents empty the pool (step 312).
    Draining,
    Ended(Outcome),
}

impl GroupPhase {
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSnapshot {
    pub group: Name,
    pub image: Name,
    pub version: String,
    /// As chosen, and once a pass began as it is: a file server's name or `peer:NAME`.
    pub source: String,
    /// Why another source was read before it, or passed over; absent where it is the preferred one.
    #[serde(default)]
    pub source_reason: Option<String>,
    pub phase: GroupPhase,
    pub laggards: Laggards,
    /// Bytes of the image, as soon as the source has reported.
    pub size: Option<u64>,
    /// Hex, once the image was read to its end.
    pub sha256: Option<String>,
    /// Bytes read by the newest pass, and by all passes from all sources.
    pub read: u64,
    pub source_bytes: u64,
    pub passes: u32,
    /// Bytes a second out of the source.
    pub rate: f64,
    /// The pools of all passes: number of buffers, how many of them hold a block, bytes of one.
    pub depth: usize,
    /// Why the depth was last changed; absent while it is what the group began with.
    #[serde(default)]
    pub depth_reason: Option<String>,
    pub used: usize,
    pub buffer_size: u64,
    pub bottleneck: Bottleneck,
    /// Seconds until all is sent, as things go; absent when it can't be known.
    #[serde(default)]
    pub time_left: Option<f64>,
    pub seconds: f64,
    /// How the group is gone through; absent where all entities begin at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<Box<CampaignSnapshot>>,
    pub entities: Vec<EntitySnapshot>,
    /// How it went from its beginning. Over a socket it goes by itself, in parts.
    #[serde(skip)]
    pub series: Arc<Series>,
}

/// What can be done about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// Trying again may help, with nothing done in between.
    pub may_pass: bool,
    /// In one line, where the cause does not say it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntitySnapshot {
    pub entity: Name,
    pub state: EntityState,
    pub step: Option<Step>,
    /// Why it failed, or why it is tried again.
    pub cause: Option<String>,
    pub attempt: u32,
    /// Bytes sent in this attempt, and bytes that the entity has confirmed.
    pub sent: u64,
    pub confirmed: u64,
    /// Blocks behind the newest one in the pool.
    pub lag: u64,
    /// Bytes a second.
    pub rate: f64,
    pub seconds: f64,
    /// Whether the data went to a staging name first.
    pub staged: bool,
    pub verified: Verified,
    /// What it holds now, once it has a final state and this is known.
    #[serde(default)]
    pub holds: Option<Holds>,
    /// The version that it said last that it runs, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// A staging file that could not be removed.
    pub left: Option<String>,
    /// When it was first not reached, while it is offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_since: Option<Timestamp>,
    /// Since when it has taken nothing although there is something for it, once that has lasted some seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Timestamp>,
    /// When it is tried again, while it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// Of one that failed, or is tried again: what can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Box<Hint>>,
    /// The wave that it belongs to, from 1; absent where there are no waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<usize>,
    /// How it has come to its state.
    #[serde(default)]
    pub past: Arc<Timeline>,
}

impl EntitySnapshot {
    pub fn standing(&self) -> Standing {
        Standing::of(self.state, self.verified)
    }
}

impl GroupSnapshot {
    /// Number of entities that were delivered without proof of their content.
    pub fn unproven(&self) -> usize {
        let unproven = |entity: &&EntitySnapshot| entity.standing() == Standing::Unproven;
        self.entities.iter().filter(unproven).count()
    }
}

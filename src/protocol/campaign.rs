//! How a group is gone through: what changed, and how it stands.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What changed. Enough to know, after the engine was killed at any moment, where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Change {
    /// Entities of this wave may begin.
    WaveBegins {
        /// From 1.
        wave: usize,
        entities: usize,
    },
    /// Each of them has come to an end, or is offline.
    WaveEnds {
        wave: usize,
        /// The image is proven there, and runs where that was asked for.
        good: usize,
        /// Delivered, with a content that nobody has looked at.
        unproven: usize,
        failed: usize,
        offline: usize,
    },
    /// No other entity begins until somebody says to go on.
    Paused(PauseReason),
    Resumed {
        /// Failures that stop it no more.
        forgiven: usize,
    },
    /// No other entity begins for now.
    Waits(Wait),
    /// What was waited for has come.
    Goes,
    /// Its maximum rate from now on, in bytes per second; `None`: no limit.
    Rate { rate: Option<u64> },
}

/// What has paused a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum PauseReason {
    Operator,
    /// Its engine was gone, and this one was not started to go on with it.
    CutOff,
    /// The wave went well, and the operator is asked before the next one.
    Asks {
        wave: usize,
    },
    /// So many have failed, and stop at so many.
    Failures {
        failed: usize,
        stops_at: usize,
    },
    /// Nothing in the wave is proven, so that it shows nothing.
    Unproven {
        wave: usize,
        unproven: usize,
        failed: usize,
        offline: usize,
    },
    /// Some of the wave have failed, and nothing says how many may.
    WaveFailed {
        wave: usize,
        failed: usize,
    },
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Wait {
    /// The time of the start.
    Start { until: Timestamp },
    /// The window opens then; `None`: never again.
    Window { until: Option<Timestamp> },
    /// What is left of the window is too short for one more; the next one opens then.
    Room {
        until: Option<Timestamp>,
        /// Seconds that one takes, as far as is known.
        takes: u64,
    },
    /// Passwords of these credentials, which the engine does not have.
    Secrets { credentials: Vec<String> },
}

impl Wait {
    /// Whether it is the same wait, though it may have become longer.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Room { until, .. }, Self::Room { until: later, .. }) => until == later,
            _ => self == other,
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignSnapshot {
    /// In order; one where the group has no waves.
    pub waves: Vec<WaveSnapshot>,
    /// The one that is under way, or was last, from 1; 0 before the first.
    pub wave: usize,
    /// Since when, and why, no other entity begins.
    pub held: Option<Held>,
    /// Entities that may begin when nothing holds them.
    pub untouched: usize,
    pub offline: usize,
    /// Failures so far that count, since the group was last resumed, and the number at which it stops.
    pub failed: usize,
    pub stops_at: Option<usize>,
    /// Bytes a second that the group is held to.
    pub rate: Option<u64>,
}

/// How it stood at the end of a run, for the summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignSummary {
    /// In order; one where the group has no waves.
    pub waves: Vec<WaveSnapshot>,
    /// The one that was under way, or was last, from 1; 0 where none has begun.
    pub wave: usize,
    /// Entities that have not begun.
    pub untouched: usize,
    pub offline: usize,
    /// Since when, and why, no other entity begins.
    pub held: Option<Held>,
}

impl From<&CampaignSnapshot> for CampaignSummary {
    fn from(campaign: &CampaignSnapshot) -> Self {
        Self {
            waves: campaign.waves.clone(),
            wave: campaign.wave,
            untouched: campaign.untouched,
            offline: campaign.offline,
            held: campaign.held.clone(),
        }
    }
}

/// Why no other entity begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub since: Timestamp,
    pub by: HeldBy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldBy {
    Pause(PauseReason),
    Wait(Wait),
}

/// One wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WaveSnapshot {
    pub entities: usize,
    /// Begun, and not at an end.
    pub under_way: usize,
    pub good: usize,
    pub unproven: usize,
    pub failed: usize,
    pub offline: usize,
}

//! How the entities of a group are gone through: who begins when, how fast, and what stops it. Plain data, as the
//! inventory describes it; what follows from it is decided in `campaign/`.
//!
//! | file | what |
//! | --- | --- |
//! | `share` | sizes of waves, and failures to stop at |
//! | `window` | days, hours, and both with a zone |
//! | `start` | times with a zone |
//! | `absence` | since when one can't be reached |
//! | `offline` | how long what can't be reached is asked again |
//! | `fit` | whether an image may be put on what an entity runs |
//! | `requirement` | versions that an image may be put on |
//! | `rules` | what is wrong with it for a group |
//! | `words` | what is set, for people |
//! | `written` | all of it as an inventory has it |

mod absence;
mod fit;
mod offline;
pub mod requirement;
pub mod rules;
mod share;
pub mod start;
mod window;
mod words;
mod written;

use std::time::Duration;

use jiff::Zoned;
use serde::{Deserialize, Serialize};

pub use absence::Absence;
pub use fit::Fit;
pub use requirement::Requirement;
pub use rules::{BadCampaign, Judged};
pub use share::{Percent, StopAfter, Wave};
pub use window::{Days, TimeOfDay, Window};

/// By default all entities begin at once, whenever the group is started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Campaign {
    /// How many entities each wave has; none: all are one wave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// Entities with equal values of this label are in one wave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Labels that the entities are sorted by, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<OrderBy>,
    #[serde(skip_serializing_if = "Proceed::is_default")]
    pub proceed: Proceed,
    /// When so many have failed, no other begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<StopAfter>,
    /// None begins before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Zoned>,
    /// None begins outside, or what can't be done by its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The image is brought at any time; the window is for making devices run it.
    #[serde(skip_serializing_if = "is_false")]
    pub window_is_for_activation: bool,
    /// How long one entity takes, as the operator knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Duration>,
    /// Bytes a second to all entities of the group together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    #[serde(skip_serializing_if = "Offline::is_default")]
    pub offline: Offline,
    /// Entities with equal values of this label are never under way at one time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub never_together: Option<String>,
    #[serde(skip_serializing_if = "Downgrade::is_default")]
    pub downgrade: Downgrade,
    /// Versions that the image may be put on, as `>=2.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Campaign {
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A label, and the order of its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBy {
    pub label: String,
    /// These come first, in this order; the others behind them, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What follows a wave that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proceed {
    /// The next one.
    #[default]
    Auto,
    /// A pause, until the operator says to go on.
    Ask,
}

impl Proceed {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ask => "ask",
        }
    }
}

/// What becomes of an entity that can't be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Offline {
    /// It fails, after its retries.
    #[default]
    Fail,
    /// It is asked again and again, after `first`, and then after twice the time each time, up to [`Self::LONGEST`].
    Wait {
        /// Since it was first found to be offline; then it fails.
        at_most: Duration,
        first: Duration,
    },
}

impl Offline {
    /// The first interval where none is written.
    pub const FIRST: Duration = Duration::from_secs(60);
    /// The longest interval.
    pub const LONGEST: Duration = Duration::from_secs(12 * 3600);

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether entities may get an image older than what they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Downgrade {
    #[default]
    Refuse,
    Allow,
}

impl Downgrade {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Allow => "allow",
        }
    }
}

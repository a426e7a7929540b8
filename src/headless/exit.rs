//! Exit codes (`docs/scripting.md`): scripts branch on these.

use super::Ended;
use crate::model::{EntityState, Outcome};
use crate::protocol::Summary;

/// Every entity was delivered, or skipped because it already has the image.
pub const OK: u8 = 0;
/// Some entity was not delivered.
pub const NOT_DELIVERED: u8 = 1;
/// The command line or the inventory is wrong, and nothing was started.
pub const USAGE: u8 = 2;
/// Something waits: a pause, a window, or entities that are offline.
pub const WAITS: u8 = 3;
/// Stopped by the operator.
pub const CANCELLED: u8 = 130;

/// The exit code of a run that came to a summary. A failure is worth a look, whatever waits beside it.
pub fn exit_code(summary: &Summary) -> u8 {
    let entities = || summary.groups.iter().flat_map(|group| &group.entities);
    let failed = |state| matches!(state, EntityState::Failed | EntityState::RolledBack);
    match summary.outcome {
        Outcome::Waiting if entities().any(|one| failed(one.state)) => NOT_DELIVERED,
        Outcome::Delivered => OK,
        Outcome::Partial | Outcome::Failed => NOT_DELIVERED,
        Outcome::Cancelled => CANCELLED,
        Outcome::Waiting => WAITS,
    }
}

impl Ended {
    /// The exit code of a run, however it ended.
    pub fn exit_code(&self) -> u8 {
        match self {
            Ended::Summary { summary, refused } if refused.is_empty() => exit_code(summary),
            Ended::Summary { summary, .. } if summary.groups.is_empty() => USAGE,
            // What was refused was not delivered, whatever became of the rest.
            Ended::Summary { summary, .. } => exit_code(summary).max(NOT_DELIVERED),
            Ended::Left => CANCELLED,
            Ended::Lost => NOT_DELIVERED,
        }
    }
}

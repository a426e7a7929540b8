//! Where each entity is on its way, as far as waves and pauses care.

use crate::model::{EntityState, Verified};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing was done to it.
    Untouched,
    /// The same, and it may begin.
    Admitted,
    UnderWay,
    /// It can't be reached, and is asked again later.
    Offline,
    /// Proven to have the image, and to run it where that was asked for.
    Good,
    /// Delivered, with a content that nobody has looked at.
    Unproven,
    Failed,
    Cancelled,
}

impl Standing {
    /// Of a state that was reported; `None` where it says nothing new.
    pub fn of(state: EntityState, verified: Verified) -> Option<Self> {
        Some(match state {
            EntityState::Waiting => return None,
            EntityState::Offline => Self::Offline,
            EntityState::Delivered if !verified.is_proof() => Self::Unproven,
            // One that is skipped was asked, and has proven it.
            EntityState::Delivered | EntityState::Upgraded | EntityState::Skipped => Self::Good,
            EntityState::Failed | EntityState::RolledBack => Self::Failed,
            EntityState::Cancelled => Self::Cancelled,
            EntityState::Connecting
            | EntityState::Preparing
            | EntityState::Sending
            | EntityState::Fetching
            | EntityState::CatchingUp
            | EntityState::Confirming
            | EntityState::Verifying
            | EntityState::Retrying
            | EntityState::Activating
            | EntityState::Restarting
            | EntityState::Checking => Self::UnderWay,
        })
    }

    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Good | Self::Unproven | Self::Failed | Self::Cancelled
        )
    }

    /// Whether nothing was done to it.
    pub fn is_untouched(self) -> bool {
        matches!(self, Self::Untouched | Self::Admitted)
    }
}

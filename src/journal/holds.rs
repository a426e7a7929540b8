//! What an entity holds after a run that did not end, from what was written before it was done.

use std::fmt;

use serde::Serialize;

use crate::model::EntityState;

/// Of a run's image. Every answer but `Unknown` is certain, whatever moment the process ended at:
/// an entity is changed only after the journal says that it is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterCrash {
    /// The whole image, checked, under its final name.
    Delivered,
    /// It was left out of the run: it has the image, as the inventory says.
    Skipped,
    /// Its file is as it was; the staging file may be there, whole or in part.
    Staged,
    /// Its file is as it was, and this run left nothing beside it.
    Untouched,
    /// A later run wrote to it: that one tells.
    Later,
    /// It was about to get the final name, or was written under it at once: its file is the old one
    /// or the image, or, where the entity can't rename, a part of it.
    Unknown,
}

impl AfterCrash {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Skipped => "skipped",
            Self::Staged => "staged",
            Self::Untouched => "untouched",
            Self::Later => "later",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the image has to be sent to it again, unless a look at it says otherwise.
    pub fn lacks_image(self) -> bool {
        !matches!(self, Self::Delivered | Self::Skipped | Self::Later)
    }
}

impl fmt::Display for AfterCrash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was written down last before something was done to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastTouch {
    Nothing,
    /// Opened under the staging name.
    Staging,
    /// About to be renamed, or opened under the final name.
    Final,
}

/// `left`: a staging file is known to be there.
pub(super) fn holds(state: EntityState, touch: LastTouch, left: bool) -> AfterCrash {
    match (state, touch) {
        (EntityState::Delivered, _) => AfterCrash::Delivered,
        (EntityState::Skipped, _) => AfterCrash::Skipped,
        (_, LastTouch::Final) => AfterCrash::Unknown,
        // What was written had been removed again when it was said that it failed.
        (EntityState::Failed | EntityState::Cancelled, LastTouch::Staging) if !left => {
            AfterCrash::Untouched
        }
        (_, LastTouch::Staging) => AfterCrash::Staged,
        (_, LastTouch::Nothing) => AfterCrash::Untouched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_said_and_nothing_else() {
        use EntityState::{
            Cancelled, Delivered, Failed, Retrying, Sending, Skipped, Verifying, Waiting,
        };
        use LastTouch::{Final, Nothing, Staging};
        for (state, touch, left, expected) in [
            (Waiting, Nothing, false, AfterCrash::Untouched),
            // The state is older than the touch: an agent does not wait for its report.
            (Waiting, Staging, false, AfterCrash::Staged),
            (Waiting, Final, false, AfterCrash::Unknown),
            (Sending, Staging, false, AfterCrash::Staged),
            (Retrying, Staging, false, AfterCrash::Staged),
            (Verifying, Final, false, AfterCrash::Unknown),
            (Delivered, Final, false, AfterCrash::Delivered),
            (Skipped, Nothing, false, AfterCrash::Skipped),
            (Failed, Nothing, false, AfterCrash::Untouched),
            (Failed, Staging, false, AfterCrash::Untouched),
            (Cancelled, Staging, true, AfterCrash::Staged),
            (Failed, Final, false, AfterCrash::Unknown),
        ] {
            assert_eq!(
                holds(state, touch, left),
                expected,
                "{state} {touch:?} {left}"
            );
        }
    }
}

//! What an entity holds after a run that did not end, from what was written before it was done and
//! what was found since.

use std::fmt;

use serde::Serialize;

use super::found::{Found, StagingFile};
use crate::model::{EntityState, Holds};

/// Of a run's image. Every answer but `Unknown` is certain, whatever moment the process ended at:
/// an entity is changed only after the journal says that it is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterCrash {
    /// The whole image, checked, under its final name.
    Delivered,
    /// It was left out of the run: it has the image, as the inventory says.
    Skipped,
    /// The same, and it was being made to run it: what it runs is for it to say.
    Activating,
    /// Its file is as it was; the staging file may be there, whole or in part.
    Staged,
    /// Its file is as it was, and this run left nothing beside it.
    Untouched,
    /// A later run wrote to it: that one says.
    Later,
    /// It was about to get the final name, or was written under it at once: its file is the old one
    /// or the image, or, where the entity can't rename, a part of it. Also where the final name is
    /// known to have none of them.
    Unknown,
}

impl AfterCrash {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Skipped => "skipped",
            Self::Activating => "activating",
            Self::Staged => "staged",
            Self::Untouched => "untouched",
            Self::Later => "later",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the image has to be sent to it again, unless a look at it says otherwise.
    pub fn lacks_image(self) -> bool {
        !matches!(
            self,
            Self::Delivered | Self::Skipped | Self::Activating | Self::Later
        )
    }

    /// Whether anything is left to do.
    pub fn is_open(self) -> bool {
        self.lacks_image() || self == Self::Activating
    }

    /// The same where its run was also to make it run the image: that is left to do.
    pub fn of_a_run(self, state: EntityState, activates: bool) -> Self {
        match self {
            Self::Delivered if activates && !state.is_final() => Self::Activating,
            other => other,
        }
    }

    /// The same in the words of a failure; none where a later run says.
    pub(super) fn holds(self) -> Option<Holds> {
        match self {
            Self::Delivered | Self::Skipped | Self::Activating => Some(Holds::New),
            Self::Staged | Self::Untouched => Some(Holds::Old),
            Self::Unknown => Some(Holds::Unknown),
            Self::Later => None,
        }
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

/// What the journal says of one entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) state: EntityState,
    pub(super) touch: LastTouch,
    /// A staging file is known to be there.
    pub(super) left: bool,
    /// What its agent knew when it was done with it.
    pub(super) holds: Option<Holds>,
    /// What was found since.
    pub(super) found: Option<Found>,
}

pub(super) fn after_crash(said: Said) -> AfterCrash {
    let as_it_was = |left| match left {
        true => AfterCrash::Staged,
        false => AfterCrash::Untouched,
    };
    if let Some(found) = said.found {
        return match found.holds {
            Holds::New => AfterCrash::Delivered,
            Holds::Old => as_it_was(!matches!(
                found.staging,
                StagingFile::Absent | StagingFile::Removed
            )),
            Holds::NewStaged | Holds::Nothing | Holds::Unknown => AfterCrash::Unknown,
        };
    }
    match (said.state, said.holds, said.touch) {
        (EntityState::Delivered | EntityState::Upgraded | EntityState::RolledBack, ..) => {
            AfterCrash::Delivered
        }
        (EntityState::Activating | EntityState::Restarting | EntityState::Checking, ..) => {
            AfterCrash::Activating
        }
        (EntityState::Skipped, ..) => AfterCrash::Skipped,
        (EntityState::Failed | EntityState::Cancelled, Some(holds), _) => match holds {
            Holds::New => AfterCrash::Delivered,
            Holds::Old => as_it_was(said.left),
            Holds::NewStaged | Holds::Nothing | Holds::Unknown => AfterCrash::Unknown,
        },
        (_, _, LastTouch::Final) => AfterCrash::Unknown,
        // What was written had been removed again when it was said that it failed.
        (EntityState::Failed | EntityState::Cancelled, _, LastTouch::Staging) => {
            as_it_was(said.left)
        }
        (_, _, LastTouch::Staging) => AfterCrash::Staged,
        (_, _, LastTouch::Nothing) => AfterCrash::Untouched,
    }
}

/// The word for what it holds: the agent's own, or what follows from the rest.
pub(super) fn holds(said: Said, after: AfterCrash) -> Option<Holds> {
    match (said.found, said.holds) {
        _ if after == AfterCrash::Later => None,
        (Some(found), _) => Some(found.holds),
        (None, Some(holds)) => Some(holds),
        (None, None) => after.holds(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(state: EntityState, touch: LastTouch, left: bool) -> Said {
        Said {
            state,
            touch,
            left,
            holds: None,
            found: None,
        }
    }

    #[test]
    fn what_is_certain_is_said_and_nothing_else() {
        use EntityState::{
            Cancelled, Delivered, Failed, Offline, Retrying, Sending, Skipped, Verifying, Waiting,
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
            // One that can't be reached is as it was when it was done with last.
            (Offline, Nothing, false, AfterCrash::Untouched),
            (Offline, Staging, false, AfterCrash::Staged),
            (Offline, Final, false, AfterCrash::Unknown),
            (Delivered, Final, false, AfterCrash::Delivered),
            (Skipped, Nothing, false, AfterCrash::Skipped),
            (Failed, Nothing, false, AfterCrash::Untouched),
            (Failed, Staging, false, AfterCrash::Untouched),
            (Cancelled, Staging, true, AfterCrash::Staged),
            (Failed, Final, false, AfterCrash::Unknown),
        ] {
            assert_eq!(
                after_crash(said(state, touch, left)),
                expected,
                "{state} {touch:?} {left}"
            );
        }
    }

    #[test]
    fn what_the_agent_knew_goes_before_what_was_about_to_be_done() {
        for (holds, left, expected) in [
            (Holds::Old, false, AfterCrash::Untouched),
            (Holds::Old, true, AfterCrash::Staged),
            (Holds::New, false, AfterCrash::Delivered),
            // Never `Staged`: what is there may be all that it has, and no litter.
            (Holds::NewStaged, true, AfterCrash::Unknown),
            (Holds::Nothing, false, AfterCrash::Unknown),
            (Holds::Unknown, false, AfterCrash::Unknown),
        ] {
            let said = Said {
                holds: Some(holds),
                ..said(EntityState::Failed, LastTouch::Final, left)
            };
            assert_eq!(after_crash(said), expected, "{holds}");
            assert_eq!(super::holds(said, expected), Some(holds));
        }
    }

    #[test]
    fn what_was_found_since_goes_before_all() {
        use StagingFile::{Absent, Removed, There, Unknown};
        for (holds, staging, expected) in [
            (Holds::Old, Removed, AfterCrash::Untouched),
            (Holds::Old, Absent, AfterCrash::Untouched),
            (Holds::Old, There, AfterCrash::Staged),
            (Holds::Old, Unknown, AfterCrash::Staged),
            (Holds::New, Absent, AfterCrash::Delivered),
            (Holds::NewStaged, There, AfterCrash::Unknown),
            (Holds::Nothing, Removed, AfterCrash::Unknown),
        ] {
            let found = Some(Found { holds, staging });
            for state in [EntityState::Verifying, EntityState::Delivered] {
                let said = Said {
                    found,
                    ..said(state, LastTouch::Final, false)
                };
                assert_eq!(after_crash(said), expected, "{state} {holds} {staging}");
                assert_eq!(super::holds(said, expected), Some(holds));
            }
        }
    }
}

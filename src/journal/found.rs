//! What was found on an entity after a run, or done there: by `recover`, which looks and removes.
//!
//! It is written down, for it changes what the files that are left mean: after the staging file was
//! removed, that there is none is no sign of a rename.

use std::fmt;

use serde::Serialize;

use crate::model::Holds;

/// What a look at an entity has shown, after what was done there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Found {
    pub holds: Holds,
    pub staging: StagingFile,
}

/// What became of a run's staging file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StagingFile {
    Absent,
    There,
    /// It was there, and was removed after the run.
    Removed,
    Unknown,
}

impl StagingFile {
    const ALL: [Self; 4] = [Self::Absent, Self::There, Self::Removed, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::There => "there",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

impl fmt::Display for StagingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

//! What an entity answers when it is asked about its files, whatever the protocol.

use crate::model::{Failure, Fault, Step, Verified, VerifyMode};

/// What a look at a name shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    Present {
        /// Bytes, where the entity says so.
        size: Option<u64>,
    },
    Absent,
    /// The entity does not say whether there is such a file.
    Unknown,
}

impl Seen {
    pub fn is_present(self) -> bool {
        matches!(self, Self::Present { .. })
    }

    pub fn size(self) -> Option<u64> {
        match self {
            Self::Present { size } => size,
            Self::Absent | Self::Unknown => None,
        }
    }

    /// Two names with files of different sizes are two files.
    pub fn differs_in_size(self, other: Self) -> bool {
        matches!((self.size(), other.size()), (Some(one), Some(other)) if one != other)
    }
}

/// What a deletion or a rename was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Done,
    Refused(Refusal),
}

impl Reply {
    /// Where the protocol has no such request: `what` it would do to a file.
    pub(super) fn no_way(protocol: &str, step: Step, what: &str) -> Self {
        let reason = format!("{protocol} has no way to {what} a file");
        Self::Refused(Refusal {
            failure: Failure::new(step, Fault::Local(reason)),
            kind: RefusalKind::NotKnown,
        })
    }
}

/// As what it counts that nothing can be renamed, where the protocol has no request for it.
pub(super) fn no_rename(protocol: &str) -> Failure {
    let reply = format!("{protocol} has no way to do it");
    Failure::new(Step::Prepare, Fault::NoRename { reply })
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub failure: Failure,
    pub kind: RefusalKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// It may be granted a moment later.
    ForNow,
    ForGood,
    /// The entity does not know the command.
    NotKnown,
    /// There is nothing to rename.
    NoSource,
}

/// How a copy compares with the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// As far as was looked.
    Same(Verified),
    /// It is another file, and why.
    Other(Failure),
    /// There is no such file, as the entity says.
    Missing(Failure),
    /// It can't be looked at in that way.
    Untold(Failure),
}

/// How thoroughly a copy is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As the operator asked.
    As(VerifyMode),
    /// The entity's digest, else the file read back.
    Content,
}

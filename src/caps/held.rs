//! How long was waited at caps, for what watches: nothing at a cap is decided by it.

use std::time::Duration;

use crate::pool::{Stopwatch, Wait};

/// Whose cap it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The entity's own; of a source that of its file server.
    Own,
    Label,
    Group,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::Label, Self::Group];
}

/// The waits of one stream of bytes.
#[derive(Debug, Default)]
pub(crate) struct HeldMeter {
    kinds: [Stopwatch; 3],
    /// At caps that all entities of the group come under.
    common: Stopwatch,
}

/// One wait, as long as it is kept.
pub(super) struct Waits<'a> {
    _kind: Wait<'a>,
    _common: Option<Wait<'a>>,
}

impl HeldMeter {
    pub(super) fn waits(&self, kind: Kind, is_common: bool) -> Waits<'_> {
        Waits {
            _kind: self.kinds[kind as usize].start(),
            _common: is_common.then(|| self.common.start()),
        }
    }

    /// By [`Kind::ALL`], the present wait included.
    pub(crate) fn totals(&self) -> [Duration; 3] {
        Kind::ALL.map(|kind| self.kinds[kind as usize].total())
    }

    /// At whichever cap.
    pub(crate) fn total(&self) -> Duration {
        self.totals().iter().sum()
    }

    /// At caps that hold all entities of the group alike: nobody is to blame for that.
    pub(crate) fn common(&self) -> Duration {
        self.common.total()
    }
}

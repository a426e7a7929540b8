//! The columns of the inventory page, and the order of its rows.

use crate::model::EntityState;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Column {
    #[default]
    Name,
    Type,
    Version,
    Address,
    Group,
    State,
}

impl Column {
    pub(crate) const ALL: [Self; 6] = [
        Self::Name,
        Self::Type,
        Self::Version,
        Self::Address,
        Self::Group,
        Self::State,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Type => "Type",
            Self::Version => "Version",
            Self::Address => "Address",
            Self::Group => "Group",
            Self::State => "State",
        }
    }

    pub(super) fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

/// What needs a look first, what was never started last.
pub(super) fn urgency(state: Option<EntityState>) -> u8 {
    use EntityState as S;
    match state {
        Some(S::Failed | S::RolledBack) => 0,
        Some(S::Retrying | S::Offline) => 1,
        Some(S::CatchingUp) => 2,
        Some(S::Connecting | S::Preparing) => 3,
        Some(S::Sending | S::Fetching) => 4,
        Some(S::Confirming) => 5,
        Some(S::Verifying | S::Activating | S::Restarting | S::Checking) => 6,
        Some(S::Waiting) => 7,
        Some(S::Cancelled) => 8,
        Some(S::Skipped) => 9,
        Some(S::Delivered | S::Upgraded) => 10,
        None => 11,
    }
}

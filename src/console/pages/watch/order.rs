//! The order in which a group's entities are shown; kept until a snapshot or a key changes it, so
//! that drawing sorts nothing.

use std::cmp::Ordering;

use crate::protocol::{EntitySnapshot, GroupSnapshot};

use super::figures;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    /// As the group has them.
    #[default]
    Name,
    /// What needs a look first.
    State,
    /// The furthest behind first.
    Lag,
    /// The slowest of those that work first, then those that don't.
    Rate,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Name => Self::State,
            Self::State => Self::Lag,
            Self::Lag => Self::Rate,
            Self::Rate => Self::Name,
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Lag => "lag",
            Self::Rate => "rate",
        }
    }

    fn compare(self, one: &EntitySnapshot, other: &EntitySnapshot) -> Ordering {
        match self {
            Self::Name => Ordering::Equal,
            Self::State => figures::rank(one.standing()).cmp(&figures::rank(other.standing())),
            Self::Lag => other.lag.cmp(&one.lag),
            Self::Rate => {
                let idle = |entity: &EntitySnapshot| entity.rate < 1.0;
                idle(one)
                    .cmp(&idle(other))
                    .then(one.rate.total_cmp(&other.rate))
            }
        }
    }
}

/// The places of the entities in the group, as they are shown.
pub(super) fn order(group: &GroupSnapshot, sort: Sort, reverse: bool) -> Vec<usize> {
    let entities = &group.entities;
    let mut order: Vec<usize> = (0..entities.len()).collect();
    // Stable, so that equal ones stay in the group's own order.
    order.sort_by(|one, other| sort.compare(&entities[*one], &entities[*other]));
    if reverse {
        order.reverse();
    }
    order
}

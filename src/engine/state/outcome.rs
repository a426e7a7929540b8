//! What the states of entities come to.

use crate::model::{EntityState, Outcome};

/// What states come to, of one group or of many. Where nothing is under way, and some are offline or have not begun, it
/// goes on later, whatever became of the others; where something is, that counts as not reached so far.
pub(in crate::engine) fn outcome(states: impl Iterator<Item = EntityState>) -> Outcome {
    let (mut delivered, mut cancelled, mut failed) = (false, false, false);
    let (mut waits, mut is_under_way) = (false, false);
    for state in states {
        match state {
            state if state.is_success() => delivered = true,
            EntityState::Cancelled => cancelled = true,
            EntityState::Failed | EntityState::RolledBack => failed = true,
            EntityState::Offline | EntityState::Waiting => waits = true,
            _ => is_under_way = true,
        }
    }
    if waits && !is_under_way {
        return Outcome::Waiting;
    }
    match (cancelled, failed || is_under_way, delivered) {
        (true, ..) => Outcome::Cancelled,
        (_, false, _) => Outcome::Delivered,
        (_, true, true) => Outcome::Partial,
        (_, true, false) => Outcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_has_come_to_nothing_yet() {
        use EntityState::{
            Cancelled, Delivered, Failed, Offline, RolledBack, Sending, Skipped, Upgraded, Waiting,
        };
        for (states, expected) in [
            (&[][..], Outcome::Delivered),
            (&[Delivered, Skipped, Upgraded], Outcome::Delivered),
            (&[Delivered, Failed], Outcome::Partial),
            (&[RolledBack, Failed], Outcome::Failed),
            (&[Delivered, Failed, Cancelled], Outcome::Cancelled),
            (&[Delivered, Offline], Outcome::Waiting),
            (&[Failed, Offline], Outcome::Waiting),
            (&[Cancelled, Offline], Outcome::Waiting),
            (&[Delivered, Waiting], Outcome::Waiting),
            // As far as it is known.
            (&[Delivered, Offline, Sending], Outcome::Partial),
            (&[Waiting, Sending], Outcome::Failed),
        ] {
            assert_eq!(outcome(states.iter().copied()), expected, "{states:?}");
        }
    }
}

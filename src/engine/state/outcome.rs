//! What the states of entities come to.

use crate::model::{EntityState, Outcome};

/// What states come to, of one group or of many. Where nothing is under way, and some are offline or have not begun, it
/// goes on later, whatever became of the others; where something is, that counts as not reached so far.
///
/// It is cancelled where the operator has stopped the whole of it, or nothing came of it but what was cancelled. One that
/// was cancelled by itself did not get its image, and the others count as they are.
pub(crate) fn outcome(states: impl Iterator<Item = EntityState>, is_stopped: bool) -> Outcome {
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
    let is_all = !delivered && !failed && !is_under_way;
    match (cancelled, failed || is_under_way || cancelled, delivered) {
        (true, ..) if is_stopped || is_all => Outcome::Cancelled,
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
            (&[Delivered, Offline], Outcome::Waiting),
            (&[Failed, Offline], Outcome::Waiting),
            (&[Cancelled, Offline], Outcome::Waiting),
            (&[Delivered, Waiting], Outcome::Waiting),
            // As far as it is known.
            (&[Delivered, Offline, Sending], Outcome::Partial),
            (&[Waiting, Sending], Outcome::Failed),
        ] {
            for is_stopped in [false, true] {
                let outcome = outcome(states.iter().copied(), is_stopped);
                assert_eq!(outcome, expected, "{states:?}");
            }
        }
    }

    #[test]
    fn one_that_is_cancelled_does_not_cancel_the_others() {
        use EntityState::{Cancelled, Delivered, Failed};
        for (states, alone, stopped) in [
            (
                &[Delivered, Cancelled][..],
                Outcome::Partial,
                Outcome::Cancelled,
            ),
            (&[Failed, Cancelled], Outcome::Failed, Outcome::Cancelled),
            (
                &[Delivered, Failed, Cancelled],
                Outcome::Partial,
                Outcome::Cancelled,
            ),
            (
                &[Cancelled, Cancelled],
                Outcome::Cancelled,
                Outcome::Cancelled,
            ),
            // It came too late for all of them.
            (&[Delivered, Failed], Outcome::Partial, Outcome::Partial),
        ] {
            let of = |is_stopped| outcome(states.iter().copied(), is_stopped);
            assert_eq!((of(false), of(true)), (alone, stopped), "{states:?}");
        }
    }
}

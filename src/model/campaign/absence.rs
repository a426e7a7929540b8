//! Since when an entity can't be reached, from the states that it was reported to be in. One rule for what is shown
//! and for what another engine goes on with.

use jiff::Timestamp;

use super::super::state::EntityState;

/// Of one entity, as its states come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Absence {
    since: Option<Timestamp>,
    /// Its command line was asked for. What comes next shows whether it was reached.
    is_at_steps: bool,
}

impl Absence {
    /// It was reported to be in this state.
    pub fn saw(&mut self, at: Timestamp, state: EntityState) {
        match state {
            // However often it was asked before.
            EntityState::Offline => {
                self.since.get_or_insert(at);
                self.is_at_steps = false;
            }
            EntityState::Preparing | EntityState::Checking => self.is_at_steps = true,
            // Its engine was asked to end.
            EntityState::Cancelled => {}
            // It is asked again, or was when its engine ended.
            EntityState::Connecting | EntityState::Retrying | EntityState::Waiting
                if !self.is_at_steps => {}
            _ => *self = Self::default(),
        }
    }

    /// When it was first not reached; `None`: it was reached since, or never missed.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EntityState::{
        Cancelled, Checking, Connecting, Offline, Preparing, Retrying, Sending, Waiting,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_entity_is_offline_since_it_was_first_not_reached() {
        for (states, since) in [
            (vec![Waiting, Connecting], None),
            (vec![Waiting, Connecting, Retrying], None),
            (vec![Waiting, Connecting, Offline], Some(3)),
            (vec![Waiting, Connecting, Offline, Connecting], Some(3)),
            (
                vec![Waiting, Offline, Connecting, Offline, Connecting, Retrying],
                Some(2),
            ),
            (
                vec![Waiting, Offline, Connecting, Offline, Cancelled],
                Some(2),
            ),
            // Something answered in its place, and not its command line.
            (vec![Waiting, Preparing, Offline, Offline], Some(3)),
            (vec![Offline, Preparing, Preparing, Offline], Some(1)),
            (vec![Offline, Checking, Offline, Checking], Some(1)),
            // It was reached between.
            (
                vec![Offline, Connecting, Sending, Retrying, Offline],
                Some(5),
            ),
            (vec![Offline, Preparing, Connecting, Offline], Some(4)),
            (vec![Offline, Checking, Waiting, Offline], Some(4)),
            (vec![Offline, Connecting, Sending], None),
            (vec![Offline, Connecting, Sending, Cancelled], None),
        ] {
            let mut absence = Absence::default();
            for (second, state) in (1..).zip(&states) {
                absence.saw(at(second), *state);
            }
            assert_eq!(absence.since(), since.map(at), "{states:?}");
        }
    }
}

//! How an entity has come to where it is in its run: the states that it was in, since when, and what it had taken.
//!
//! A bounded number of them: the first one and the newest stay. Pure: times count from the beginning of its group, by a
//! clock that never goes back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::EntityState;

/// Marks at most.
pub const MOST: usize = 24;
/// Characters of a cause at most; the whole of the newest one is beside its state.
const CAUSE: usize = 200;

/// A state that it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Milliseconds since its group began.
    pub at: u64,
    pub state: EntityState,
    pub attempt: u32,
    /// Bytes that it had taken in its attempt by then.
    #[serde(default)]
    pub sent: u64,
    /// Why it came to it, as far as there is anything to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timeline {
    marks: Vec<Mark>,
    /// Marks after the first one that are not kept.
    #[serde(default)]
    left_out: u32,
}

/// A time that it was in one state for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch<'t> {
    pub mark: &'t Mark,
    pub from: Duration,
    /// When it came to the next state; `None`: it is in this one.
    pub until: Option<Duration>,
    /// Bytes that it took meanwhile, as far as that is known.
    pub took: Option<u64>,
    /// Stretches between this one and the next that are not kept.
    pub left_out: u32,
}

impl Timeline {
    /// It comes to a state; again to the same one in the same attempt is nothing new.
    pub fn enter(&mut self, mark: Mark) {
        let newest = self.marks.last();
        if newest.is_some_and(|newest| (newest.state, newest.attempt) == (mark.state, mark.attempt))
        {
            return;
        }
        if self.marks.len() >= MOST {
            self.marks.remove(1);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.marks.push(Mark {
            cause: mark.cause.map(|cause| cause.chars().take(CAUSE).collect()),
            ..mark
        });
    }

    /// The times that it was in one state for, the first one first.
    pub fn stretches(&self) -> impl DoubleEndedIterator<Item = Stretch<'_>> {
        let marks = self.marks.iter().enumerate();
        marks.map(|(at, mark)| {
            let next = self.marks.get(at + 1);
            let left_out = if at == 0 { self.left_out } else { 0 };
            // Another attempt counts anew, and of what is left out nothing is known.
            let follows = next.filter(|next| left_out == 0 && next.attempt == mark.attempt);
            Stretch {
                mark,
                from: Duration::from_millis(mark.at),
                until: next.map(|next| Duration::from_millis(next.at)),
                took: follows.and_then(|next| next.sent.checked_sub(mark.sent)),
                left_out,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EntityState as S;

    fn mark(at: u64, state: EntityState, attempt: u32, sent: u64) -> Mark {
        Mark {
            at,
            state,
            attempt,
            sent,
            cause: None,
        }
    }

    #[test]
    fn stretches_say_how_long_it_was_in_a_state_and_what_it_took_in_it() {
        let mut timeline = Timeline::default();
        for one in [
            mark(0, S::Waiting, 0, 0),
            mark(1000, S::Sending, 1, 0),
            mark(1500, S::Sending, 1, 70),
            mark(3000, S::Retrying, 1, 100),
            mark(4000, S::Sending, 2, 0),
        ] {
            timeline.enter(one);
        }
        let of = |one: Stretch<'_>| {
            let until = one.until.map(|until| until.as_millis());
            (one.mark.state, one.from.as_millis(), until, one.took)
        };
        let stretches: Vec<_> = timeline.stretches().map(of).collect();
        assert_eq!(
            stretches,
            [
                (S::Waiting, 0, Some(1000), None),
                (S::Sending, 1000, Some(3000), Some(100)),
                (S::Retrying, 3000, Some(4000), None),
                (S::Sending, 4000, None, None),
            ]
        );
    }

    #[test]
    fn it_is_bounded_and_keeps_the_first_and_the_newest() {
        let mut timeline = Timeline::default();
        for attempt in 0..100 {
            timeline.enter(Mark {
                cause: Some("x".repeat(1000)),
                ..mark(u64::from(attempt), S::Retrying, attempt, 5)
            });
        }
        let stretches: Vec<_> = timeline.stretches().collect();
        assert_eq!(stretches.len(), MOST);
        let attempts: Vec<u32> = stretches.iter().map(|one| one.mark.attempt).collect();
        assert_eq!((attempts[0], attempts[1], attempts[MOST - 1]), (0, 77, 99));
        assert_eq!((stretches[0].left_out, stretches[1].left_out), (76, 0));
        assert_eq!(stretches[0].took, None, "what came between is not known");
        let causes = stretches.iter().map(|one| one.mark.cause.as_ref());
        assert!(causes.flatten().all(|cause| cause.len() == CAUSE));
    }
}

//! Trying again: what may pass is tried again with growing delays, up to a number of times and for
//! a time, both a group's own; what will not pass is not.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::model::{Failure, Fault, Limits, Step};

/// The first delay. A session slot or a listening port is often back at once.
pub(super) const SHORTEST: Duration = Duration::from_millis(500);
/// A device that reboots takes a minute or two; it is not asked more often than this.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// The attempts at one thing so far.
#[derive(Debug)]
pub(super) struct Tries {
    limits: Limits,
    delays: ExponentialBackoff,
    /// When the first one failed.
    since: Option<Instant>,
    failed: u32,
    /// The failure that came furthest.
    telling: Option<Failure>,
}

impl Tries {
    pub(super) fn new(limits: Limits) -> Self {
        Self::seeded(limits, RandomState::new().hash_one(0))
    }

    /// As [`Self::new`], with the delays that this number gives.
    pub(super) fn seeded(limits: Limits, seed: u64) -> Self {
        // Jitter: devices that were cut off together must not come back together.
        let delays = ExponentialBuilder::new()
            .with_min_delay(SHORTEST)
            .with_max_delay(LONGEST)
            .without_max_times()
            .with_jitter()
            .with_jitter_seed(seed);
        Self {
            limits,
            delays: delays.build(),
            since: None,
            failed: 0,
            telling: None,
        }
    }

    /// Counts a failure. How long to wait before the next attempt; `None` when there is to be none.
    pub(super) fn after(&mut self, failure: &Failure, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        self.failed += 1;
        let earlier = self.telling.take();
        self.telling = Some(match earlier {
            // What ends it for good is what has to be known.
            Some(earlier) if failure.is_transient() && earlier.step > failure.step => earlier,
            _ => failure.clone(),
        });
        if !may_pass(failure) || self.failed > self.limits.retries {
            return None;
        }
        let delay = self.delays.next()?;
        (now.duration_since(since) + delay <= self.limits.retry_for).then_some(delay)
    }

    /// How long the next attempt waited for others when it was due: that time is not held against it.
    pub(super) fn gathered(&mut self, waited: Duration) {
        self.since = self.since.map(|since| since + waited);
    }

    /// The failure to be reported at the end, and its cause in words, with what became of the attempts
    /// after it.
    pub(super) fn verdict(&self, last: &Failure) -> (Failure, String) {
        let telling = self.telling.as_ref().unwrap_or(last);
        let again = match self.failed.saturating_sub(1) {
            0 => String::new(),
            1 => "; tried again once".to_owned(),
            times => format!("; tried again {times} times"),
        };
        let then = if telling == last {
            String::new()
        } else {
            format!(", at last: {last}")
        };
        (telling.clone(), format!("{}{again}{then}", telling.fault))
    }
}

/// Whether trying again can help an entity. A source has been tried again by its transfer agent.
fn may_pass(failure: &Failure) -> bool {
    failure.is_transient() && !matches!(failure.fault, Fault::Source { .. })
}

/// Whether the entity had all of the file when its attempt failed: it may hold it, whole or under
/// another name, or have gone to install it. Nothing is sent to it again before it was looked at.
pub(super) fn may_hold_all(failure: &Failure) -> bool {
    failure.step >= Step::Confirm
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;

    fn limits(retries: u32, retry_for: u64) -> Limits {
        Limits {
            retries,
            retry_for: Duration::from_secs(retry_for),
            ..Limits::default()
        }
    }

    fn refused() -> Failure {
        let address = "192.0.2.7:21".into();
        Failure::new(
            Step::Connect,
            Fault::Refused {
                address,
                server: "FTP",
            },
        )
    }

    fn reset() -> Failure {
        let reason = "reset".into();
        let side = Side::Data;
        Failure::new(Step::Send, Fault::Lost { side, reason })
    }

    fn full() -> Failure {
        let text = "full".into();
        Failure::new(Step::Send, Fault::Reply { code: 552, text })
    }

    #[test]
    fn delays_grow_and_end_with_the_number_of_retries() {
        let mut tries = Tries::new(limits(8, 10_000));
        let now = Instant::now();
        let delays: Vec<_> = (0..8).map(|_| tries.after(&refused(), now)).collect();
        for (attempt, delay) in delays.iter().enumerate() {
            let least = (SHORTEST * 2_u32.pow(u32::try_from(attempt).unwrap())).min(LONGEST);
            let delay = delay.unwrap();
            assert!(delay >= least && delay <= least * 2, "{attempt}: {delay:?}");
        }
        assert_eq!(tries.after(&refused(), now), None);
        let (_, cause) = tries.verdict(&refused());
        assert!(cause.ends_with("running?; tried again 8 times"), "{cause}");
    }

    #[test]
    fn no_attempt_begins_after_the_time() {
        let mut tries = Tries::new(limits(100, 3));
        let now = Instant::now();
        assert!(tries.after(&refused(), now).is_some());
        assert_eq!(tries.after(&refused(), now + Duration::from_secs(3)), None);

        let mut tries = Tries::new(limits(100, 5));
        assert!(tries.after(&refused(), now).is_some());
        tries.gathered(Duration::from_secs(7));
        let later = now + Duration::from_secs(8);
        assert!(tries.after(&refused(), later).is_some(), "it had to wait");
        let later = now + Duration::from_secs(13);
        assert_eq!(tries.after(&refused(), later), None);
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        let now = Instant::now();
        assert_eq!(Tries::new(limits(5, 60)).after(&full(), now), None);
        assert_eq!(Tries::new(limits(0, 60)).after(&reset(), now), None);
        let (name, failure) = ("hq".into(), Box::new(reset()));
        let source = Failure::new(Step::Read, Fault::Source { name, failure });
        assert_eq!(Tries::new(limits(5, 60)).after(&source, now), None);
    }

    #[test]
    fn the_cause_is_that_of_the_attempt_that_came_furthest_or_that_ended_it() {
        let now = Instant::now();
        let mut tries = Tries::new(limits(1, 60));
        tries.after(&reset(), now);
        tries.after(&refused(), now);
        let (told, cause) = tries.verdict(&refused());
        assert_eq!(told, reset());
        assert!(
            cause.starts_with(
                "the data connection was lost: reset; tried again once, at last: connect: "
            ),
            "{cause}"
        );

        let mut tries = Tries::new(limits(1, 60));
        tries.after(&reset(), now);
        let ends = Failure {
            step: Step::Login,
            ..full()
        };
        tries.after(&ends, now);
        let (told, cause) = tries.verdict(&ends);
        assert_eq!(told, ends);
        assert_eq!(cause, "the server said 552 full; tried again once");
    }

    #[test]
    fn what_was_sent_whole_is_looked_at_first() {
        let lost = |step| {
            let (side, reason) = (Side::Control, "reset".into());
            Failure::new(step, Fault::Lost { side, reason })
        };
        for (step, expected) in [
            (Step::Connect, false),
            (Step::Open, false),
            (Step::Read, false),
            (Step::Send, false),
            (Step::Confirm, true),
            (Step::Verify, true),
            (Step::Rename, true),
        ] {
            assert_eq!(may_hold_all(&lost(step)), expected, "{step}");
        }
    }
}

//! How long an acknowledgement is waited for before what was sent is sent again (RFC 6298).

use std::time::Duration;

/// Before anything was measured (RFC 6298 section 2.1).
const FIRST: Duration = Duration::from_secs(1);
/// Some devices write their flash before they acknowledge: what is sent again too early costs them more.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(8);
/// Where it is likely that something was lost: a host that is busy answers later than was measured.
const SOONEST: Duration = Duration::from_millis(10);

#[derive(Debug, Clone)]
pub(in crate::transport) struct Timer {
    /// The mean time of an answer, and how far answers are from it.
    measured: Option<(Duration, Duration)>,
    wait: Duration,
}

impl Timer {
    pub(in crate::transport) fn new() -> Self {
        Self {
            measured: None,
            wait: FIRST,
        }
    }

    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// As [`Self::wait`], where it is likely that there will be no answer.
    pub(super) fn wait_less(&self) -> Duration {
        let measured = self.measured.map(|(mean, spread)| mean + spread * 4);
        measured.map_or(self.wait, |time| time.max(SOONEST).min(self.wait))
    }

    /// The time of an answer to what was sent once.
    pub(super) fn measured(&mut self, time: Duration) {
        let (mean, spread) = match self.measured {
            None => (time, time / 2),
            Some((mean, spread)) => (
                (mean * 7 + time) / 8,
                (spread * 3 + mean.abs_diff(time)) / 4,
            ),
        };
        self.measured = Some((mean, spread));
        self.wait = (mean + spread * 4).clamp(SHORTEST, LONGEST);
    }

    /// There was none in time.
    pub(super) fn back_off(&mut self) {
        self.wait = (self.wait * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_what_it_has_seen_and_twice_as_long_each_time() {
        let millis = Duration::from_millis;
        let mut timer = Timer::new();
        assert_eq!(timer.wait(), FIRST);
        timer.measured(millis(400));
        assert_eq!(timer.wait(), millis(1200));
        timer.measured(millis(400));
        assert_eq!(timer.wait(), millis(1000));
        timer.back_off();
        assert_eq!(timer.wait(), millis(2000));
        for _ in 0..100 {
            timer.measured(millis(1));
        }
        assert_eq!(timer.wait(), SHORTEST);
        for _ in 0..100 {
            timer.back_off();
        }
        assert_eq!(timer.wait(), LONGEST);
    }

    #[test]
    fn where_a_loss_is_likely_it_waits_for_what_it_has_seen_alone() {
        let millis = Duration::from_millis;
        let mut timer = Timer::new();
        assert_eq!(timer.wait_less(), FIRST, "nothing was seen");
        timer.measured(millis(30));
        assert_eq!((timer.wait_less(), timer.wait()), (millis(90), SHORTEST));
        for _ in 0..100 {
            timer.measured(millis(1));
        }
        assert_eq!(timer.wait_less(), SOONEST);
        timer.measured(Duration::from_secs(100));
        assert_eq!(timer.wait_less(), LONGEST);
    }
}

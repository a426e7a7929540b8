//! Whether a source brings the image fast enough to be read on: a source that sends a byte a second
//! never stalls, and never comes to an end.
//!
//! Only the time counts in which the source is what is waited for: while the pool has no room, a
//! source can't show what it is able to, nor while a cap holds it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::caps::HeldMeter;
use crate::model::{Fault, Timeouts};

/// How fast one reading of a source goes. Time is given, never asked for.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second; 0: none is asked for.
    least: u64,
    /// Time for which a source is waited for before it is judged, and then anew.
    window: Duration,
    waited: Duration,
    got: u64,
    /// The waits for its cap, and how long they were at the last look.
    held: Arc<HeldMeter>,
    held_before: Duration,
}

impl Pace {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        Self {
            least: timeouts.min_rate,
            window: timeouts.progress,
            waited: Duration::ZERO,
            got: 0,
            held: Arc::default(),
            held_before: Duration::ZERO,
        }
    }

    /// What is read waits for a cap meanwhile, as counted there.
    pub(super) fn held_by(self, held: Arc<HeldMeter>) -> Self {
        Self {
            held_before: held.total(),
            held,
            ..self
        }
    }

    /// The source was asked for bytes at one moment, and brought this number of them at the other.
    ///
    /// # Errors
    /// It is too slow.
    pub(super) fn brought(
        &mut self,
        bytes: usize,
        asked: Instant,
        now: Instant,
    ) -> Result<(), Fault> {
        let held = self.held.total();
        let at_caps = held.saturating_sub(std::mem::replace(&mut self.held_before, held));
        self.waited += (now.saturating_duration_since(asked)).saturating_sub(at_caps);
        self.got += bytes as u64;
        if self.waited < self.window || self.waited.is_zero() {
            return Ok(());
        }
        let after = std::mem::take(&mut self.waited);
        let rate = std::mem::take(&mut self.got) as f64 / after.as_secs_f64();
        if rate >= self.least as f64 {
            return Ok(());
        }
        Err(Fault::TooSlow {
            rate: rate as u64,
            least: self.least,
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);
    const SECOND: Duration = Duration::from_secs(1);

    fn pace(least: u64) -> Pace {
        Pace::new(Timeouts {
            progress: WINDOW,
            min_rate: least,
            ..Timeouts::default()
        })
    }

    /// Reads that each take `wait` and bring `bytes`, and after each of which the pool has no room
    /// for `full`: after how many of them the source is left, and for which rate.
    fn left(
        least: u64,
        reads: u32,
        mut read: impl FnMut(u32) -> (usize, Duration, Duration),
    ) -> Option<(u32, u64)> {
        let mut pace = pace(least);
        let mut now = Instant::now();
        (1..=reads).find_map(|number| {
            let (bytes, wait, full) = read(number);
            let asked = now;
            now += wait;
            let brought = pace.brought(bytes, asked, now);
            now += full;
            match brought {
                Ok(()) => None,
                Err(Fault::TooSlow { rate, .. }) => Some((number, rate)),
                Err(other) => unreachable!("{other}"),
            }
        })
    }

    #[test]
    fn sources_are_judged_by_what_they_bring_while_they_are_waited_for() {
        let none = Duration::ZERO;
        type Read = (usize, Duration, Duration);
        for (what, least, read, expected) in [
            ("a byte a second", 1024, (1, SECOND, none), Some((60, 1))),
            (
                "just too slow",
                1024,
                (1023, SECOND, none),
                Some((60, 1023)),
            ),
            ("just fast enough", 1024, (1024, SECOND, none), None),
            ("no rate is asked for", 0, (1, SECOND, none), None),
            // One read may take nearly as long as the deadline for it.
            ("rare reads", 1024, (9, 50 * SECOND, none), Some((2, 0))),
            ("rare but large", 1024, (60_000, 50 * SECOND, none), None),
            // The pool is full for an hour after each read: entities are slow, the source is not.
            (
                "slow entities",
                1024,
                (64, SECOND / 100, 3600 * SECOND),
                None,
            ),
            (
                "slow beside slow entities",
                1024,
                (1, SECOND, 3600 * SECOND),
                Some((60, 1)),
            ),
            ("at once", 1024, (1, none, none), None),
        ] as [(&str, u64, Read, Option<(u32, u64)>); 9]
        {
            assert_eq!(left(least, 7000, |_| read), expected, "{what}");
        }
    }

    #[test]
    fn what_was_fast_before_does_not_help_for_longer_than_two_windows() {
        let slows = |number| {
            let bytes = if number <= 90 { 1 << 20 } else { 1 };
            (bytes, SECOND, Duration::ZERO)
        };
        assert_eq!(left(1024, 1000, slows), Some((180, 1)));
        // And one that was slow for a while is judged anew.
        let wakes = |number| {
            let bytes = if number <= 50 { 1 } else { 1 << 20 };
            (bytes, SECOND, Duration::ZERO)
        };
        assert_eq!(left(1024, 1000, wakes), None);
    }
}

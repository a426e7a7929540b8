//! When another pass over the whole image may begin, so that hundreds of entities which are tried
//! again need few of them: every pass reads the image once more, for one entity or for all.
//!
//! The first pass for those that are tried again begins when one of them can; each one after it
//! waits until the longest delay has passed that an entity may have after that number of attempts
//! (`retry.rs`), and a moment. So all gather that have failed in the pass before, and in any
//! stretch of time there are no more passes than such delays, and one. An entity that is alone waits for
//! none (`members.rs`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::retry::{LONGEST, SHORTEST};

/// A pass that began longer ago says nothing about the present.
const PAST: Duration = Duration::from_secs(600);
/// Entities fail a moment after their pass began.
const MOMENT: Duration = Duration::from_secs(1);
/// An entity whose file is open and that has no byte yet is kept waiting no longer than this: what
/// stands still for a minute may be closed by its server.
const LATE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// When the passes of the last minutes began.
    begun: VecDeque<Instant>,
}

impl Gathering {
    /// Whether a pass can begin.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.is_over_after(Duration::MAX, now)
    }

    /// As [`is_over`](Self::is_over), for those whose file is open and waits.
    pub(super) fn is_over_for_late(&self, now: Instant) -> bool {
        self.is_over_after(LATE, now)
    }

    fn is_over_after(&self, longest: Duration, now: Instant) -> bool {
        let recent = self.begun.iter().filter(|begun| now < **begun + PAST);
        let delay = delay_after(recent.count()).min(longest);
        self.begun.back().is_none_or(|last| *last + delay <= now)
    }

    pub(super) fn pass_begins(&mut self, now: Instant) {
        self.begun.retain(|begun| now < *begun + PAST);
        self.begun.push_back(now);
    }
}

/// Time from the last pass to the next one, after this number of passes.
fn delay_after(passes: usize) -> Duration {
    if passes == 0 {
        return Duration::ZERO;
    }
    let doubled = u32::try_from(passes).ok();
    let factor = doubled.and_then(|doubled| 2_u32.checked_pow(doubled));
    let shortest = SHORTEST.saturating_mul(factor.unwrap_or(u32::MAX));
    // A delay is drawn between this and twice that.
    2 * shortest.min(LONGEST) + MOMENT
}

/// How many delays there are from one pass to the next in a stretch of time.
#[cfg(test)]
pub(super) fn delays_within(time: Duration) -> usize {
    let mut sum = Duration::ZERO;
    (1..)
        .map(delay_after)
        .take_while(|delay| {
            sum += *delay;
            sum <= time
        })
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passes_come_after_delays_that_grow() {
        let start = Instant::now();
        let mut gathering = Gathering::default();
        let mut begun = Vec::new();
        // Somebody can always begin.
        for tick in 0..6000 {
            let now = start + Duration::from_millis(100) * tick;
            if gathering.is_over(now) {
                gathering.pass_begins(now);
                begun.push((now - start).as_millis());
            }
        }
        let expected = [
            0, 3000, 8000, 17000, 34000, 67000, 128000, 189000, 250000, 311000, 372000, 433000,
            494000, 555000,
        ];
        assert_eq!(begun, expected);
        let late = start + 2 * PAST;
        assert!(gathering.is_over(late));
        gathering.pass_begins(late);
        assert_eq!(gathering.begun.len(), 1, "what is past is forgotten");
    }

    proptest! {
        #[test]
        fn however_many_can_begin_there_are_no_more_passes_than_delays_and_one(
            waits in prop::collection::vec(1_u64..40_000, 1..400),
        ) {
            let start = Instant::now();
            let (mut now, mut gathering, mut begun) = (start, Gathering::default(), Vec::new());
            for wait in waits {
                now += Duration::from_millis(wait);
                if gathering.is_over(now) {
                    gathering.pass_begins(now);
                    begun.push(now);
                }
            }
            for (index, first) in begun.iter().enumerate() {
                for (passes, last) in begun[index..].iter().enumerate() {
                    let stretch = *last - *first;
                    if stretch < PAST {
                        prop_assert!(passes <= delays_within(stretch), "{passes} in {stretch:?}");
                    }
                }
            }
        }
    }
}

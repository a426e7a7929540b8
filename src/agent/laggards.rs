//! Who holds the others up.
//!
//! A bounded pool moves at the pace of its slowest reader. An entity holds the others up while the
//! pool is full of blocks that it has not taken and most of those that are further are waiting for
//! more. Time in which that is so adds up; time in which it is not makes up for it in part, so
//! that an entity which pauses now and then is left alone, and one that keeps up at times is
//! forgiven at once. What adds up is time that the others lost, and the limit is one on that. Time in
//! which it waits for its turn at a cap that holds them all is not its doing.

use std::time::{Duration, Instant};

/// Part of the time in which no other is held up that is taken off what has added up: an entity that
/// costs the others less than about a quarter of their time is not worth a second reading.
const FORGIVEN: f64 = 0.3;
/// A look that comes late (a busy host) is not all charged to the entity.
const LONGEST_LOOK: Duration = Duration::from_millis(500);

/// How a reader stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Blocks behind the newest one.
    pub(super) lag: u64,
    /// It waits for a block.
    pub(super) starves: bool,
    /// How long it has waited so far at caps that hold all alike.
    pub(super) excused: Duration,
}

/// The readers of one pool, by place.
#[derive(Debug)]
pub(super) struct Watch {
    looked: Instant,
    held_up: Vec<Duration>,
    /// At the last look.
    excused: Vec<Duration>,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            looked: now,
            held_up: Vec::new(),
            excused: Vec::new(),
        }
    }

    /// The places of those that have held up the others for longer than `limit`. `standing` says
    /// of each place, `None` of one that was left; `used` and `depth` are the pool's.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        (used, depth): (usize, usize),
        standing: &[Option<Standing>],
        limit: Duration,
    ) -> Vec<usize> {
        let elapsed = now.duration_since(self.looked).min(LONGEST_LOOK);
        self.looked = now;
        self.held_up.resize(standing.len(), Duration::ZERO);
        self.excused.resize(standing.len(), Duration::ZERO);
        let is_full = used + 1 >= depth;
        // The oldest block held, or the one after it: an entity that lets it go gets no further than that
        // while the source fills the buffer again.
        let holds = |one: &Standing| is_full && one.lag > 0 && one.lag + 1 >= used as u64;
        let (mut others, mut starving) = (0_usize, 0_usize);
        for one in standing.iter().flatten().filter(|one| !holds(one)) {
            others += 1;
            starving += usize::from(one.starves);
        }
        let held = others > 0 && starving * 2 >= others;
        let mut over = Vec::new();
        let sums = self.held_up.iter_mut().zip(&mut self.excused);
        for (index, (one, (sum, excused))) in standing.iter().zip(sums).enumerate() {
            let total = one.map_or(*excused, |one| one.excused);
            let waited = total.saturating_sub(std::mem::replace(excused, total));
            match one {
                Some(one) if holds(one) && held => *sum += elapsed.saturating_sub(waited),
                Some(one) if holds(one) => *sum = sum.saturating_sub(elapsed.mul_f64(FORGIVEN)),
                _ => *sum = Duration::ZERO,
            }
            if *sum > limit {
                over.push(index);
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(2);
    const LOOK: Duration = Duration::from_millis(100);
    const DEPTH: usize = 25;

    fn at(lag: u64) -> Option<Standing> {
        let starves = lag == 0;
        Some(Standing {
            lag,
            starves,
            excused: Duration::ZERO,
        })
    }

    /// Looks ten times a second until an entity is over the limit: which one, and after how long.
    fn until(
        looks: usize,
        used: usize,
        standing: impl Fn(usize) -> Vec<Option<Standing>>,
    ) -> Option<(Vec<usize>, Duration)> {
        let start = Instant::now();
        let mut watch = Watch::new(start);
        (1..=looks).find_map(|look| {
            let now = start + LOOK * u32::try_from(look).unwrap();
            let over = watch.sample(now, (used, DEPTH), &standing(look), LIMIT);
            (!over.is_empty()).then(|| (over, now - start))
        })
    }

    #[test]
    fn a_silent_entity_is_over_after_the_limit() {
        let found = until(100, DEPTH, |_| vec![at(0), at(25), at(0)]);
        assert_eq!(found, Some((vec![1], LIMIT + LOOK)));
    }

    #[test]
    fn several_are_over_together_and_do_not_hide_behind_each_other() {
        let found = until(100, DEPTH, |_| vec![at(0), at(25), at(25), at(24), at(25)]);
        assert_eq!(found.unwrap().0, [1, 2, 3, 4]);
    }

    #[test]
    fn nobody_is_over_while_the_pool_is_not_full() {
        assert_eq!(until(1000, 20, |_| vec![at(0), at(20), at(0)]), None);
    }

    #[test]
    fn entities_that_are_all_slow_hold_nobody_up() {
        // The last one is always the same; the others are busy with blocks of their own.
        assert_eq!(until(1000, DEPTH, |_| vec![at(3), at(25), at(7)]), None);
        assert_eq!(until(1000, DEPTH, |_| vec![at(25), at(25)]), None);
        assert_eq!(until(1000, DEPTH, |_| vec![at(25)]), None, "it is alone");
    }

    #[test]
    fn a_slow_one_is_over_and_one_that_is_slightly_slower_is_not() {
        // The others wait in this number of six samples.
        let slower = |held: usize| {
            move |look: usize| vec![if look % 6 < held { at(0) } else { at(2) }, at(25)]
        };
        let (over, after) = until(1000, DEPTH, slower(5)).unwrap();
        assert_eq!(over, [1]);
        assert!(after < LIMIT * 2, "{after:?}");
        assert_eq!(until(10_000, DEPTH, slower(1)), None);
    }

    #[test]
    fn pauses_of_400_ms_never_count() {
        // Paused for four looks of every twenty, and behind but moving in between.
        let pausing = |look: usize| vec![if look % 20 < 4 { at(0) } else { at(1) }, at(25)];
        assert_eq!(until(10_000, DEPTH, pausing), None);
        // A longer one counts, but is forgotten when it has caught up.
        let catches_up = |look: usize| vec![at(0), if look % 20 < 18 { at(25) } else { at(10) }];
        assert_eq!(until(10_000, DEPTH, catches_up), None);
    }

    #[test]
    fn who_waits_for_its_turn_at_a_cap_of_all_holds_nobody_up() {
        // The last of each round, and always the same one; this part of each look it waits for its turn.
        let waits = |part: f64| {
            move |look: usize| {
                let mut last = at(25);
                let looks = u32::try_from(look).unwrap();
                last.as_mut().unwrap().excused = LOOK.mul_f64(part) * looks;
                vec![at(0), last, at(0)]
            }
        };
        assert_eq!(until(10_000, DEPTH, waits(1.0)), None);
        // What it loses besides is its own doing.
        let (over, after) = until(10_000, DEPTH, waits(0.5)).unwrap();
        assert_eq!(over, [1]);
        assert!(after >= LIMIT * 2, "{after:?}");
    }

    #[test]
    fn a_place_that_was_left_is_nobody() {
        assert_eq!(until(1000, DEPTH, |_| vec![None, at(25), None]), None);
    }
}

//! The passes of a group that run at one time: their pools, which entity reads which, and how the group's
//! buffers are split between them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::pool::ReaderMeter;

use super::laggards::{Standing, Watch};
use super::subscription::Subscription;
use super::{PassCounters, Pool, Reader};

/// Maximum number of passes of a group at one time: each has its share of the memory,
/// and each is a session at a source.
const MOST: usize = 4;

pub(super) struct Pass {
    pub(super) number: u32,
    /// Offset in the image of the pool's first block.
    pub(super) origin: u64,
    pub(super) pool: Pool,
    /// Bytes of a block.
    block: u64,
    /// The name of the one that is read now, or was read last.
    pub(super) source: Arc<Mutex<String>>,
    pub(super) counters: Arc<PassCounters>,
    pub(super) broken: CancellationToken,
    /// Its transfer agent has not ended.
    pub(super) reads: bool,
    /// By the place at which they sit; all that ever sat here.
    pub(super) entities: Vec<usize>,
    sitting: Vec<Sitting>,
    watch: Watch,
}

struct Sitting {
    meter: ReaderMeter,
    leave: CancellationToken,
}

impl Pass {
    pub(super) fn new(number: u32, origin: u64, pool: Pool, block: usize, source: String) -> Self {
        Self {
            number,
            origin,
            pool,
            block: (block as u64).max(1),
            source: Arc::new(Mutex::new(source)),
            counters: Arc::default(),
            broken: CancellationToken::new(),
            reads: true,
            entities: Vec::new(),
            sitting: Vec::new(),
            watch: Watch::new(Instant::now()),
        }
    }

    /// A place for an entity that needs the byte at `position` and all that follow, if the pass
    /// still holds that byte, or will come to it.
    pub(super) fn subscribe_at(&mut self, entity: usize, position: u64) -> Option<Subscription> {
        let index = position.checked_sub(self.origin)? / self.block;
        let reader = self.pool.join_at(index)?;
        Some(self.subscription(entity, reader))
    }

    fn subscription(&mut self, entity: usize, reader: Reader) -> Subscription {
        let leave = CancellationToken::new();
        self.entities.push(entity);
        self.sitting.push(Sitting {
            meter: reader.meter(),
            leave: leave.clone(),
        });
        Subscription {
            pass: self.number,
            next: self.origin + reader.start() * self.block,
            reader,
            broken: self.broken.clone(),
            leave,
        }
    }

    /// Offset in the image up to which blocks were published.
    pub(super) fn position(&self) -> u64 {
        self.origin + self.pool.stats().published * self.block
    }

    /// Its source was read to the end, and everybody has what it brought.
    pub(super) fn is_over(&self) -> bool {
        !self.reads && self.pool.stats().readers == 0
    }

    /// Asks those entities to leave that have held up the others for longer than `limit`. `excused` says how long an
    /// entity has waited so far for what all wait for.
    pub(super) fn evict_laggards(
        &mut self,
        now: Instant,
        limit: Duration,
        excused: impl Fn(usize) -> Duration,
    ) {
        let stats = self.pool.stats();
        if stats.ended || self.sitting.len() < 2 {
            return;
        }
        let standing: Vec<Option<Standing>> = (self.sitting.iter().zip(&self.entities))
            .map(|(one, entity)| {
                (!one.meter.left()).then(|| Standing {
                    lag: one.meter.lag(),
                    starves: one.meter.starves(),
                    excused: excused(*entity),
                })
            })
            .collect();
        let places = (stats.used, stats.depth);
        for index in self.watch.sample(now, places, &standing, limit) {
            self.sitting[index].leave.cancel();
        }
    }
}

/// Maximum number of passes of a group with this number of buffers: one that is filled while
/// another is sent makes two for each.
pub(super) fn most(depth: usize) -> usize {
    (depth / 2).clamp(1, MOST)
}

/// Splits `depth` buffers between passes, the oldest first. `used` says of each how many of its
/// buffers hold a block that is still needed, if it reads no more, and is `None` while it reads.
/// A pass that was read to its end needs no more than it holds; of the others the oldest has the
/// most entities, and the later ones get a small share.
pub(super) fn split(depth: usize, used: &[Option<usize>]) -> Vec<usize> {
    let held: usize = used.iter().flatten().sum();
    let reading = used.iter().filter(|used| used.is_none()).count();
    let rest = depth.saturating_sub(held).max(reading);
    let small = if reading > 1 {
        (rest / (2 * reading)).max(1)
    } else {
        0
    };
    let large = rest
        .saturating_sub(small * reading.saturating_sub(1))
        .max(1);
    let mut is_first = true;
    let share = |used: &Option<usize>| match used {
        Some(used) => (*used).max(1),
        None if std::mem::take(&mut is_first) => large,
        None => small,
    };
    used.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn later_passes_get_a_small_share() {
        assert_eq!(split(26, &[None]), [26]);
        assert_eq!(split(26, &[None, None]), [20, 6]);
        assert_eq!(split(32, &[None, None, None, None]), [20, 4, 4, 4]);
        assert_eq!(split(4, &[None, None]), [3, 1]);
        assert_eq!(split(2, &[None, None]), [1, 1]);
    }

    #[test]
    fn a_pass_that_reads_no_more_keeps_what_it_holds() {
        assert_eq!(split(26, &[Some(10), None]), [10, 16]);
        assert_eq!(split(26, &[Some(0), None, None]), [1, 20, 6]);
        assert_eq!(
            split(26, &[Some(26), None]),
            [26, 1],
            "it has to wait for the others' buffers"
        );
        assert_eq!(split(26, &[Some(3)]), [3]);
    }

    #[test]
    fn the_number_of_passes_follows_from_the_memory() {
        assert_eq!([1, 2, 3, 4, 6, 8, 100].map(most), [1, 1, 1, 2, 3, 4, 4]);
    }

    proptest! {
        #[test]
        fn what_reads_never_gets_more_than_there_is(
            depth in 1_usize..500,
            used in prop::collection::vec(prop::option::of(0_usize..50), 1..5),
        ) {
            let shares = split(depth, &used);
            let reading = used.iter().filter(|used| used.is_none()).count();
            let held: usize = used.iter().flatten().sum();
            prop_assert!(shares.iter().all(|share| *share >= 1));
            let given: usize = (shares.iter().zip(&used))
                .filter(|(_, used)| used.is_none())
                .map(|(share, _)| share)
                .sum();
            prop_assert!(given <= depth.saturating_sub(held).max(reading));
        }
    }
}

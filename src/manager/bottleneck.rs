//! What a group is waiting for, from how its pool was used since the last look.

use std::time::{Duration, Instant};

use crate::model::{Bottleneck, Name};
use crate::pool::PoolStats;

/// A side that waited for more than this part of the time is held up by the other one.
const WAITED: f64 = 0.3;
/// Shorter looks say more about the scheduler than about the network.
const SHORTEST: Duration = Duration::from_millis(400);

#[derive(Debug)]
pub(super) struct BottleneckFinder {
    since: Instant,
    writer_waited: Duration,
    found: Bottleneck,
}

impl BottleneckFinder {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            writer_waited: Duration::ZERO,
            found: Bottleneck::None,
        }
    }

    /// `slowest` is the entity that is furthest behind.
    pub(super) fn look(&mut self, pool: Option<&PoolStats>, slowest: Option<&Name>) -> Bottleneck {
        let Some(pool) = pool else {
            return Bottleneck::None;
        };
        let elapsed = self.since.elapsed();
        if elapsed < SHORTEST {
            return self.found.clone();
        }
        // A new pass has a new pool, which starts to count anew.
        let waited = pool
            .writer_waited
            .checked_sub(self.writer_waited)
            .unwrap_or_default();
        let part = waited.as_secs_f64() / elapsed.as_secs_f64();
        self.found = if pool.ended {
            // Only the entities are left to wait for.
            slowest
                .cloned()
                .map_or(Bottleneck::None, Bottleneck::Entity)
        } else if part > WAITED {
            slowest
                .cloned()
                .map_or(Bottleneck::Memory, Bottleneck::Entity)
        } else if pool.readers > 0 && pool.used * 4 <= pool.depth {
            Bottleneck::Source
        } else {
            Bottleneck::None
        };
        self.since = Instant::now();
        self.writer_waited = pool.writer_waited;
        self.found.clone()
    }
}

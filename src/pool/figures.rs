//! What the pool reports about itself: for screens, and for finding the bottleneck. Figures only;
//! nothing in the pool is decided by them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::sync::Plain;

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStats {
    /// Number of buffers that the pool may have.
    pub depth: usize,
    /// Number that it has: they are allocated when first needed, and go late after a shrink.
    pub allocated: usize,
    /// Number that hold a block.
    pub used: usize,
    /// Bytes of one buffer.
    pub buffer_size: usize,
    /// Blocks so far.
    pub published: u64,
    /// Whether the writer has ended, in whichever way.
    pub ended: bool,
    pub readers: usize,
    /// Total time in which the writer waited for a buffer, the present wait included.
    pub writer_waited: Duration,
    /// Whether it waits at this moment.
    pub writer_waits: bool,
}

/// One reader's progress, to be read from anywhere, also after the reader has left.
#[derive(Clone)]
pub struct ReaderMeter {
    pub(super) gauge: Plain<Gauge>,
    pub(super) pool: Plain<PoolFigures>,
}

impl ReaderMeter {
    /// Blocks published that this reader has not yet let go: 0 when it keeps up, the depth of the
    /// pool when it holds up the others. 0 once it has left.
    pub fn lag(&self) -> u64 {
        if self.gauge.left.load(Relaxed) {
            return 0;
        }
        let done = self.gauge.let_go.load(Relaxed);
        self.pool.published.load(Relaxed).saturating_sub(done)
    }

    /// Whether the reader has left.
    pub fn left(&self) -> bool {
        self.gauge.left.load(Relaxed)
    }

    /// The index of the block that the reader gets next.
    pub fn position(&self) -> u64 {
        self.gauge.position.load(Relaxed)
    }

    /// Total time that the reader spent waiting for a block, the present wait included.
    pub fn starved(&self) -> Duration {
        self.gauge.starved.total()
    }

    /// Whether it waits for a block at this moment.
    pub fn starves(&self) -> bool {
        self.gauge.starved.runs()
    }
}

impl std::fmt::Debug for ReaderMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReaderMeter")
            .field("position", &self.position())
            .field("lag", &self.lag())
            .field("starved", &self.starved())
            .finish()
    }
}

pub(super) struct PoolFigures {
    pub(super) published: AtomicU64,
    pub(super) waited: Stopwatch,
}

impl PoolFigures {
    pub(super) fn new() -> Self {
        Self {
            published: AtomicU64::new(0),
            waited: Stopwatch::new(),
        }
    }
}

pub(super) struct Gauge {
    position: AtomicU64,
    /// Blocks done with, those before the reader's first one included.
    let_go: AtomicU64,
    left: AtomicBool,
    pub(super) starved: Stopwatch,
}

impl Gauge {
    pub(super) fn new(start: u64) -> Self {
        Self {
            position: AtomicU64::new(start),
            let_go: AtomicU64::new(start),
            left: AtomicBool::new(false),
            starved: Stopwatch::new(),
        }
    }

    pub(super) fn moved(&self, position: u64) {
        self.position.store(position, Relaxed);
    }

    pub(super) fn let_go(&self) {
        self.let_go.fetch_add(1, Relaxed);
    }

    pub(super) fn leave(&self) {
        self.left.store(true, Relaxed);
    }
}

/// Adds up time that one task spends waiting, readable from another at any moment.
pub(crate) struct Stopwatch {
    epoch: Instant,
    /// Nanoseconds of waits that are over.
    total: AtomicU64,
    /// When the present wait began, in nanoseconds since the epoch, plus one; 0 for none.
    since: AtomicU64,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stopwatch").field(&self.total()).finish()
    }
}

impl Stopwatch {
    fn new() -> Self {
        Self {
            epoch: Instant::now(),
            total: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// Runs until the result is dropped, however the wait ends.
    pub(crate) fn start(&self) -> Wait<'_> {
        self.since.store(self.now(), Relaxed);
        Wait(self)
    }

    pub(crate) fn total(&self) -> Duration {
        let since = self.since.load(Relaxed);
        let present = match since {
            0 => 0,
            since => self.now().saturating_sub(since),
        };
        Duration::from_nanos(self.total.load(Relaxed).saturating_add(present))
    }

    pub(super) fn runs(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos())
            .unwrap_or(u64::MAX - 1)
            .saturating_add(1)
    }
}

/// A wait that is being timed.
pub(crate) struct Wait<'a>(&'a Stopwatch);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let since = self.0.since.swap(0, Relaxed);
        let waited = self.0.now().saturating_sub(since);
        self.0.total.fetch_add(waited, Relaxed);
    }
}

//! The handle of a pool: how readers join, how its depth is changed, how it stands.

use std::sync::OnceLock;

use super::budget::Budget;
use super::figures::PoolStats;
use super::reader::Reader;
use super::ring::Phase;
use super::shared::Shared;
use super::sync::{Arc, Plain};
use super::writer::Writer;

/// A pool of buffers between one writer and any number of readers (\[0018\]). `T` is what the
/// writer reports at the end of the image, `E` why its source failed; every reader gets a clone.
pub struct BufferPool<T, E> {
    shared: Arc<Shared>,
    ending: Plain<OnceLock<Result<T, E>>>,
}

impl<T: Clone, E: Clone> BufferPool<T, E> {
    /// A pool of `depth` buffers, at least 1, of `buffer_size` bytes each, between 1 and the limit
    /// of the budget. Buffers are allocated when first needed, each charged to `budget`.
    pub fn new(budget: &Budget, buffer_size: usize, depth: usize) -> (Self, Writer<T, E>) {
        let pool = Self {
            shared: Arc::new(Shared::new(budget, buffer_size, depth)),
            ending: Plain::new(OnceLock::new()),
        };
        let writer = Writer::new(pool.shared.clone(), pool.ending.clone());
        (pool, writer)
    }

    /// A reader that begins with the oldest block held ([`Reader::start`]): block 0 unless that was
    /// freed already. Until a first reader joins, no block is freed.
    pub fn join(&self) -> Reader<T, E> {
        let start = self.shared.change(|ring| ring.join());
        Reader::new(self.shared.clone(), self.ending.clone(), start)
    }

    /// A reader that needs block `index` and all that follow; `None` if that block was freed
    /// already, or the writer has learnt that no reader is left, and is about to go. Where the pool has not come so far, the reader gets the blocks before it too
    /// ([`Reader::start`]).
    pub fn join_at(&self, index: u64) -> Option<Reader<T, E>> {
        let start = self.shared.change(|ring| ring.join_at(index))?;
        Some(Reader::new(self.shared.clone(), self.ending.clone(), start))
    }
}

impl<T, E> BufferPool<T, E> {
    /// Changes the number of buffers while the pool is in use (\[0025\]); at least 1. More may be
    /// allocated at once, if the budget has the bytes. Fewer: free ones go at once, those in use
    /// when their last reader lets them go.
    pub fn set_depth(&self, depth: usize) {
        self.shared.change(|ring| ring.set_depth(depth));
    }

    pub fn stats(&self) -> PoolStats {
        let standing = self.shared.lock().ring.standing();
        let waited = &self.shared.figures.waited;
        PoolStats {
            depth: standing.depth,
            allocated: standing.allocated,
            used: standing.used,
            buffer_size: self.shared.buffer_size,
            published: standing.published,
            ended: standing.phase != Phase::Open,
            readers: standing.readers,
            writer_waited: waited.total(),
            writer_waits: waited.runs(),
        }
    }
}

impl<T, E> Clone for BufferPool<T, E> {
    fn clone(&self) -> Self {
        self.shared.change(|ring| ring.add_handle());
        Self {
            shared: self.shared.clone(),
            ending: self.ending.clone(),
        }
    }
}

impl<T, E> Drop for BufferPool<T, E> {
    fn drop(&mut self) {
        self.shared.change(|ring| ring.remove_handle());
    }
}

impl<T, E> std::fmt::Debug for BufferPool<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BufferPool").field(&self.stats()).finish()
    }
}

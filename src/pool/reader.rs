//! The reading end: a download agent takes block after block and lets each go (step 308).

use std::future::poll_fn;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use super::buffer::BlockRef;
use super::figures::{Gauge, ReaderMeter};
use super::ring::Read;
use super::shared::{Seat, Shared};
use super::sync::{Arc, Plain};

/// What a reader gets next.
#[derive(Debug)]
pub enum Next<T, E> {
    Block(BlockRef),
    /// The image ended, and this reader has had every block of it.
    End(T),
    /// The source failed; blocks that were still unread are gone.
    Failed(E),
    /// The writer went away without a word; otherwise as `Failed`.
    Abandoned,
}

/// One reader of a pool, with a cursor of its own. Dropping it lets go at once of all blocks that
/// it has not yet had; those in its hands go when they are dropped.
pub struct Reader<T, E> {
    shared: Arc<Shared>,
    ending: Plain<OnceLock<Result<T, E>>>,
    gauge: Plain<Gauge>,
    start: u64,
    cursor: u64,
    seat: Option<Seat>,
}

impl<T: Clone, E: Clone> Reader<T, E> {
    /// For a reader that has just joined the ring at block `start`.
    pub(super) fn new(
        shared: Arc<Shared>,
        ending: Plain<OnceLock<Result<T, E>>>,
        start: u64,
    ) -> Self {
        Self {
            shared,
            ending,
            gauge: Plain::new(Gauge::new(start)),
            start,
            cursor: start,
            seat: None,
        }
    }

    /// The next block that this reader has not yet had, or how the image ended; the end is told
    /// again as often as it is asked for.
    ///
    /// Let a block go before asking for the next: blocks are freed in order, and one that is held
    /// holds up all that follow. Cancel safe: no block is lost.
    pub async fn next(&mut self) -> Next<T, E> {
        let gauge = self.gauge.clone();
        let mut wait = None;
        poll_fn(|cx| {
            let next = self.poll_next(cx);
            if next.is_pending() {
                wait.get_or_insert_with(|| gauge.starved.start());
            }
            next
        })
        .await
    }

    /// Waits until there is a block for this reader, which it does not take yet: `true`; or until
    /// the image has ended, or its source failed: `false`.
    pub async fn arrived(&mut self) -> bool {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            let mut cursor = self.cursor;
            let old = match state.ring.read(&mut cursor) {
                Read::Block { .. } => return Poll::Ready(true),
                Read::Ended => return Poll::Ready(false),
                Read::Wait => state.readers.register(&mut self.seat, cx.waker()),
            };
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next<T, E>> {
        let mut state = self.shared.lock();
        let read = state.ring.read(&mut self.cursor);
        match read {
            Read::Block { index, buffer } => {
                drop(state);
                self.gauge.moved(self.cursor);
                let gauge = self.gauge.clone();
                let block = BlockRef::new(index, buffer, self.shared.clone(), gauge);
                Poll::Ready(Next::Block(block))
            }
            Read::Ended => {
                drop(state);
                Poll::Ready(match self.ending.get() {
                    Some(Ok(end)) => Next::End(end.clone()),
                    Some(Err(failure)) => Next::Failed(failure.clone()),
                    None => Next::Abandoned,
                })
            }
            Read::Wait => {
                let old = state.readers.register(&mut self.seat, cx.waker());
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }
}

impl<T, E> Reader<T, E> {
    /// The index of the block at which this reader joined: 0 if it gets the whole image.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The index of the block that it gets next.
    pub fn position(&self) -> u64 {
        self.cursor
    }

    /// This reader's progress, for a watcher in another task.
    pub fn meter(&self) -> ReaderMeter {
        ReaderMeter {
            gauge: self.gauge.clone(),
            pool: self.shared.figures.clone(),
        }
    }
}

impl<T, E> Drop for Reader<T, E> {
    fn drop(&mut self) {
        self.gauge.leave();
        let waker = self.shared.change_state(|state| {
            state.ring.leave(self.cursor);
            state.readers.vacate(self.seat)
        });
        drop(waker);
    }
}

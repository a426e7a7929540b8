//! The writing end: a transfer agent asks for a free buffer, fills it, publishes it (step 306), and
//! says at the end how the image ended (step 310).

use std::future::poll_fn;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use super::budget::Claim;
use super::buffer::{Buffer, FreeBuffer};
use super::figures::Wait;
use super::ring::Supply;
use super::shared::{Shared, State};
use super::sync::{Arc, Plain};

/// No reader is left that the image could be read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads from the buffer pool any more")]
pub struct Abandoned;

/// The only writer of a pool. Dropped without [`Writer::finish`] or [`Writer::fail`], it leaves the
/// readers with [`Next::Abandoned`](super::Next::Abandoned): they never wait for ever.
pub struct Writer<T, E> {
    shared: Arc<Shared>,
    ending: Plain<OnceLock<Result<T, E>>>,
    /// Kept between blocks for its capacity.
    wakers: Vec<Option<Waker>>,
    /// The last free buffer was waited for.
    waited: bool,
    ended: bool,
}

impl<T, E> Writer<T, E> {
    pub(super) fn new(shared: Arc<Shared>, ending: Plain<OnceLock<Result<T, E>>>) -> Self {
        Self {
            shared,
            ending,
            wakers: Vec::new(),
            waited: false,
            ended: false,
        }
    }

    /// Waits for a free buffer: one that the last of its readers lets go, or, below the depth of the
    /// pool, a new one as soon as the budget allows.
    ///
    /// Cancel safe: no buffer is lost. A wait for the budget that is taken up again after a cancel
    /// starts at the end of the line, so keep the future while other pools want memory too.
    ///
    /// # Errors
    /// [`Abandoned`] if every reader has left, or none has joined and no handle is left to join by.
    /// Nobody can join by [`BufferPool::join_at`](super::BufferPool::join_at) any more after that.
    pub async fn free(&mut self) -> Result<FreeBuffer, Abandoned> {
        let mut request = Request {
            shared: &self.shared,
            claim: Claim::new(&self.shared.budget, self.shared.buffer_size as u64),
            wait: None,
        };
        let buffer = poll_fn(|cx| request.poll(cx)).await?;
        self.waited = request.wait.is_some();
        Ok(FreeBuffer::new(buffer, self.shared.clone()))
    }

    /// Whether the last free buffer was waited for: then the readers have blocks ahead of them, and nobody
    /// waits for the next one.
    pub fn has_waited(&self) -> bool {
        self.waited
    }

    /// Waits until [`Writer::free`] would say [`Abandoned`]; for use beside a slow read. Cancel safe.
    pub async fn abandoned(&mut self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            if state.ring.gives_up() {
                return Poll::Ready(());
            }
            let old = state.register_writer(cx.waker());
            drop(state);
            drop(old);
            Poll::Pending
        })
        .await;
    }

    /// The bytes filled into the buffer are the next block. An empty buffer is no block: it is just
    /// free again. Fill a buffer to the brim before the end of the image, so that blocks are of one
    /// size.
    ///
    /// # Panics
    /// If the buffer comes from another pool.
    pub fn publish(&mut self, buffer: FreeBuffer) {
        assert!(
            Arc::ptr_eq(&self.shared, &buffer.home),
            "a buffer is published in the pool that it comes from"
        );
        if buffer.is_empty() {
            return;
        }
        let Some(buffer) = buffer.take() else { return };
        let figures = self.shared.figures.clone();
        self.tell_readers(|state| {
            state.ring.publish(buffer);
            figures
                .published
                .store(state.ring.standing().published, Relaxed);
        });
    }

    /// The image has ended. Readers get the blocks that they have not yet had, and then `end`
    /// (step 312). Buffers that nobody will fill any more go back to the budget.
    pub fn finish(mut self, end: T) {
        // The writer is consumed by every way to end, so the place is empty.
        let _ = self.ending.set(Ok(end));
        self.end(|state| state.ring.finish());
    }

    /// The source has failed. Every reader sees it at once, and blocks still unread are dropped.
    pub fn fail(mut self, failure: E) {
        let _ = self.ending.set(Err(failure));
        self.end(|state| state.ring.break_off());
    }

    fn end(&mut self, change: impl FnOnce(&mut State)) {
        self.ended = true;
        self.tell_readers(change);
    }

    fn tell_readers(&mut self, change: impl FnOnce(&mut State)) {
        let wakers = &mut self.wakers;
        self.shared.change_state(|state| {
            change(state);
            state.readers.swap(wakers);
        });
        for waker in self.wakers.drain(..).flatten() {
            waker.wake();
        }
    }
}

impl<T, E> Drop for Writer<T, E> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(|state| state.ring.break_off());
        }
    }
}

/// A wait for a free buffer. Dropping it leaves nothing behind.
struct Request<'a> {
    shared: &'a Shared,
    claim: Claim<'a>,
    wait: Option<Wait<'a>>,
}

impl Request<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Buffer>, Abandoned>> {
        let result = self.poll_untimed(cx);
        if result.is_pending() {
            self.wait
                .get_or_insert_with(|| self.shared.figures.waited.start());
        }
        result
    }

    fn poll_untimed(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<Buffer>, Abandoned>> {
        loop {
            let mut state = self.shared.lock();
            let full = match state.ring.supply() {
                Supply::Buffer(buffer) => return Poll::Ready(Ok(buffer)),
                Supply::Abandoned => return Poll::Ready(Err(Abandoned)),
                Supply::Full => true,
                Supply::Room => false,
            };
            // Registered before the budget is asked: whichever comes first, a buffer of our own or
            // the bytes for a new one, wakes this task.
            let old = state.register_writer(cx.waker());
            drop(state);
            drop(old);
            if full {
                // No room for what the budget might grant: let the others have it.
                self.claim.withdraw();
                return Poll::Pending;
            }
            let Poll::Ready(charge) = self.claim.poll_take(cx) else {
                return Poll::Pending;
            };
            // The depth may have shrunk, or the last reader left, between the two locks.
            if self.shared.change(|ring| ring.grow()) {
                let buffer = Buffer::new(self.shared.buffer_size, charge);
                return Poll::Ready(Ok(Arc::new(buffer)));
            }
        }
    }
}

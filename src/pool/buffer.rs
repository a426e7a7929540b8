//! One buffer, as the writer fills it and as the readers see it.
//!
//! A buffer is allocated once and then goes round: free, with the writer, holding a block, free. A
//! block is never copied: readers share the buffer, and the last to let go hands it back.

use std::fmt;
use std::ops::Deref;

use super::budget::Charge;
use super::figures::Gauge;
use super::shared::Shared;
use super::sync::{Arc, Plain};

pub(super) struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
    /// Held for its drop: the bytes go back to the budget with the buffer.
    _charge: Charge,
}

impl Buffer {
    pub(super) fn new(size: usize, charge: Charge) -> Self {
        Self {
            bytes: vec![0; size].into_boxed_slice(),
            filled: 0,
            _charge: charge,
        }
    }
}

/// A buffer for the writer to fill, in as many steps as it likes. Dropped without
/// [`Writer::publish`](super::Writer::publish), it is free again.
pub struct FreeBuffer {
    /// Present until the buffer is published or dropped.
    buffer: Option<Arc<Buffer>>,
    pub(super) home: Arc<Shared>,
}

impl FreeBuffer {
    pub(super) fn new(buffer: Arc<Buffer>, home: Arc<Shared>) -> Self {
        let mut free = Self {
            buffer: Some(buffer),
            home,
        };
        free.clear();
        free
    }

    /// The part that is still to be filled; empty when the buffer is full.
    pub fn spare(&mut self) -> &mut [u8] {
        let buffer = self.only();
        buffer.bytes.get_mut(buffer.filled..).unwrap_or_default()
    }

    /// `count` more bytes of [`FreeBuffer::spare`] were filled.
    pub fn advance(&mut self, count: usize) {
        let buffer = self.only();
        debug_assert!(count <= buffer.bytes.len() - buffer.filled);
        buffer.filled = buffer.filled.saturating_add(count).min(buffer.bytes.len());
    }

    /// The bytes filled so far.
    pub fn filled(&self) -> &[u8] {
        filled(self.buffer.as_ref())
    }

    /// Number of bytes filled so far.
    pub fn len(&self) -> usize {
        self.filled().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Bytes that the buffer can hold.
    pub fn capacity(&self) -> usize {
        self.buffer.as_ref().map_or(0, |buffer| buffer.bytes.len())
    }

    /// Forgets what was filled in.
    pub fn clear(&mut self) {
        self.only().filled = 0;
    }

    pub(super) fn take(mut self) -> Option<Arc<Buffer>> {
        self.buffer.take()
    }

    #[expect(
        clippy::expect_used,
        reason = "the ring hands a buffer out only when its last reader has let it go"
    )]
    fn only(&mut self) -> &mut Buffer {
        self.buffer
            .as_mut()
            .and_then(Arc::get_mut)
            .expect("a free buffer has no reader")
    }
}

impl Drop for FreeBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.home.change(|ring| ring.put_back(buffer));
        }
    }
}

impl fmt::Debug for FreeBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreeBuffer")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// One block of the image, shared with the other readers. Dropping it lets the block go.
pub struct BlockRef {
    // Dropped in this order: when the last hold goes, the buffer must be nobody's any more.
    buffer: Arc<Buffer>,
    hold: Hold,
}

/// What one reader's block counts for in the ring.
struct Hold {
    index: u64,
    home: Arc<Shared>,
    gauge: Plain<Gauge>,
}

impl BlockRef {
    pub(super) fn new(
        index: u64,
        buffer: Arc<Buffer>,
        home: Arc<Shared>,
        gauge: Plain<Gauge>,
    ) -> Self {
        let hold = Hold { index, home, gauge };
        Self { buffer, hold }
    }

    /// The number of this block in the image, from 0. All blocks but the last are of one size.
    pub fn index(&self) -> u64 {
        self.hold.index
    }
}

impl Deref for BlockRef {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        filled(Some(&self.buffer))
    }
}

impl AsRef<[u8]> for BlockRef {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockRef")
            .field("index", &self.index())
            .field("len", &self.len())
            .finish()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gauge.let_go();
        self.home.change(|ring| ring.release(self.index));
    }
}

fn filled(buffer: Option<&Arc<Buffer>>) -> &[u8] {
    buffer
        .and_then(|buffer| buffer.bytes.get(..buffer.filled))
        .unwrap_or_default()
}

//! The core of the pool: which block is where, which readers still need it, and when a buffer is free again.
//!
//! A plain state machine: no locks, no clocks, no futures, and no idea of what a buffer is. The
//! blocks that are held are a window of the image, `base..published`, in order. Each counts the
//! readers that still need it, so letting go costs the same with two readers and with a thousand.
//!
//! What a change threw out waits in `surplus` until the caller has released its lock, because
//! dropping a buffer gives its bytes back to the budget and may wake another pool.

use std::collections::VecDeque;

/// Room made in advance; a deeper ring grows once, as it fills.
const RESERVE: usize = 1024;

pub(super) struct Ring<B> {
    /// The blocks held: the first is block `base`.
    slots: VecDeque<Slot<B>>,
    base: u64,
    /// Buffers that hold nothing.
    free: Vec<B>,
    /// How many buffers there should be.
    depth: usize,
    /// How many there are: free, holding a block, or with the writer.
    allocated: usize,
    readers: usize,
    /// Whether the writer has learnt that no reader is left.
    given_up: bool,
    /// Whether any reader ever joined: until then every block is kept for the first.
    joined: bool,
    /// Handles through which a reader could still join.
    handles: usize,
    phase: Phase,
    surplus: Vec<B>,
    /// Whether the writer, if it waits, should look again.
    news: bool,
}

struct Slot<B> {
    buffer: B,
    /// Readers that have not yet let this block go.
    needed_by: usize,
}

/// Whether more blocks will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// The image ended; what is held can still be read.
    Finished,
    /// The source failed or the writer went away; nothing can be read any more.
    Broken,
}

/// What the writer gets when it asks for a buffer.
pub(super) enum Supply<B> {
    Buffer(B),
    /// None is free, but there may be one more.
    Room,
    Full,
    /// No reader is left that the image could be read for.
    Abandoned,
}

/// What a reader gets when it asks for its next block.
pub(super) enum Read<B> {
    Block {
        index: u64,
        buffer: B,
    },
    /// It has had every block so far.
    Wait,
    Ended,
}

/// How the ring stands.
pub(super) struct Standing {
    pub(super) depth: usize,
    pub(super) allocated: usize,
    pub(super) used: usize,
    pub(super) published: u64,
    pub(super) readers: usize,
    pub(super) phase: Phase,
}

impl<B: Clone> Ring<B> {
    /// A ring with one handle and no readers.
    pub(super) fn new(depth: usize) -> Self {
        let depth = depth.max(1);
        Self {
            slots: VecDeque::with_capacity(depth.min(RESERVE)),
            base: 0,
            free: Vec::with_capacity(depth.min(RESERVE)),
            depth,
            allocated: 0,
            readers: 0,
            joined: false,
            given_up: false,
            handles: 1,
            phase: Phase::Open,
            surplus: Vec::new(),
            news: false,
        }
    }

    pub(super) fn supply(&mut self) -> Supply<B> {
        if self.gives_up() {
            Supply::Abandoned
        } else if let Some(buffer) = self.free.pop() {
            Supply::Buffer(buffer)
        } else if self.has_room() {
            Supply::Room
        } else {
            Supply::Full
        }
    }

    /// Counts one more buffer, if there may still be one more.
    pub(super) fn grow(&mut self) -> bool {
        let grows = self.has_room() && !self.is_abandoned();
        self.allocated += usize::from(grows);
        grows
    }

    /// Takes back a buffer that the writer had and did not publish.
    pub(super) fn put_back(&mut self, buffer: B) {
        self.retire(buffer);
    }

    /// The next block of the image; every reader that is here needs it.
    pub(super) fn publish(&mut self, buffer: B) {
        self.slots.push_back(Slot {
            buffer,
            needed_by: self.readers,
        });
        // Without any reader left it is free again at once.
        self.sweep();
    }

    /// Gives the reader at `cursor` its next block and moves it on.
    pub(super) fn read(&self, cursor: &mut u64) -> Read<B> {
        if self.phase == Phase::Broken {
            return Read::Ended;
        }
        match self.slot_of(*cursor).and_then(|at| self.slots.get(at)) {
            Some(slot) => {
                let index = *cursor;
                *cursor += 1;
                Read::Block {
                    index,
                    buffer: slot.buffer.clone(),
                }
            }
            None if self.phase == Phase::Open => Read::Wait,
            None => Read::Ended,
        }
    }

    /// One reader less needs this block. The last one frees it.
    pub(super) fn release(&mut self, index: u64) {
        // A block that went with a failed source is not here any more.
        let at = self.slot_of(index);
        if let Some(slot) = at.and_then(|at| self.slots.get_mut(at)) {
            slot.needed_by = slot.needed_by.saturating_sub(1);
            self.sweep();
        }
    }

    /// A reader joins at the oldest block held; the index of that block.
    pub(super) fn join(&mut self) -> u64 {
        self.readers += 1;
        self.joined = true;
        for slot in &mut self.slots {
            slot.needed_by += 1;
        }
        self.base
    }

    /// A reader joins that needs block `index` and all that follow, if that block has not gone yet;
    /// the block at which it begins. That is `index`, or the next one to be published where that
    /// is still before it.
    ///
    /// Nobody joins once the writer has learnt that no reader is left: it is about to go.
    pub(super) fn join_at(&mut self, index: u64) -> Option<u64> {
        if self.given_up {
            return None;
        }
        let at = self.slot_of(index)?.min(self.slots.len());
        let start = self.base + at as u64;
        self.readers += 1;
        self.joined = true;
        for slot in self.slots.range_mut(at..) {
            slot.needed_by += 1;
        }
        // Of a pool that nobody had joined, the first reader may need less than there is.
        self.sweep();
        Some(start)
    }

    /// A reader leaves that had every block below `cursor`. Those in its hands it still releases.
    pub(super) fn leave(&mut self, cursor: u64) {
        self.readers -= 1;
        let unread = self.slot_of(cursor).unwrap_or(0).min(self.slots.len());
        for slot in self.slots.range_mut(unread..) {
            slot.needed_by = slot.needed_by.saturating_sub(1);
        }
        self.sweep();
        self.drop_useless();
    }

    pub(super) fn add_handle(&mut self) {
        self.handles += 1;
    }

    pub(super) fn remove_handle(&mut self) {
        self.handles -= 1;
        self.drop_useless();
    }

    /// At least 1. What is over it goes at once if it is free, and else when it becomes free.
    pub(super) fn set_depth(&mut self, depth: usize) {
        self.depth = depth.max(1);
        while self.allocated > self.depth {
            let Some(buffer) = self.free.pop() else { break };
            self.allocated -= 1;
            self.surplus.push(buffer);
        }
        self.news = true;
    }

    pub(super) fn finish(&mut self) {
        self.phase = Phase::Finished;
        self.drop_useless();
    }

    /// Nothing can be read any more: what is held goes at once, read or not.
    pub(super) fn break_off(&mut self) {
        self.phase = Phase::Broken;
        self.base += self.slots.len() as u64;
        self.allocated -= self.slots.len();
        self.surplus
            .extend(self.slots.drain(..).map(|slot| slot.buffer));
        self.drop_useless();
    }

    /// No reader is left, and either all left or none can come.
    pub(super) fn is_abandoned(&self) -> bool {
        self.readers == 0 && (self.joined || self.handles == 0)
    }

    /// As [`Self::is_abandoned`], for a writer that acts on it: from then on nobody can join.
    pub(super) fn gives_up(&mut self) -> bool {
        self.given_up |= self.is_abandoned();
        self.is_abandoned()
    }

    /// Buffers to drop once the lock is released.
    pub(super) fn take_surplus(&mut self) -> Vec<B> {
        std::mem::take(&mut self.surplus)
    }

    /// Whether something changed that a waiting writer waits for.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.news)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            depth: self.depth,
            allocated: self.allocated,
            used: self.slots.len(),
            published: self.base + self.slots.len() as u64,
            readers: self.readers,
            phase: self.phase,
        }
    }

    fn has_room(&self) -> bool {
        self.allocated < self.depth
    }

    fn slot_of(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.base)?).ok()
    }

    /// Frees blocks that nobody needs, the oldest first: a reader takes and releases in order, so
    /// a younger block is never done with before an older one.
    fn sweep(&mut self) {
        while self.joined && self.slots.front().is_some_and(|slot| slot.needed_by == 0) {
            if let Some(slot) = self.slots.pop_front() {
                self.base += 1;
                self.retire(slot.buffer);
            }
        }
    }

    /// A buffer holds nothing any more: it is kept if somebody will fill it again.
    fn retire(&mut self, buffer: B) {
        if self.allocated <= self.depth && self.is_filled_again() {
            self.free.push(buffer);
        } else {
            self.allocated -= 1;
            self.surplus.push(buffer);
        }
        self.news = true;
    }

    fn is_filled_again(&self) -> bool {
        self.phase == Phase::Open && !self.is_abandoned()
    }

    fn drop_useless(&mut self) {
        if !self.is_filled_again() {
            self.allocated -= self.free.len();
            self.surplus.append(&mut self.free);
            self.news = true;
        }
    }
}

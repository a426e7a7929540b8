//! Sending a file over TFTP once the server has taken the request (RFC 1350, windows as in RFC 7440), without
//! sockets and clocks: acknowledgements and timeouts go in, blocks to be sent come out.
//!
//! An acknowledgement that brings nothing new is never answered: else each one that the network doubles would
//! double all blocks after it (RFC 1123 section 4.2.3.1).

use std::collections::VecDeque;

/// How blocks are numbered beyond the last number: 0 or 1 follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::transport) struct Numbers {
    /// 65,535, but for tests.
    pub(in crate::transport) last: u16,
    pub(in crate::transport) after: u16,
}

impl Numbers {
    /// The number of a block, the first of which is 1.
    pub(super) fn of(self, block: u64) -> u16 {
        let (last, after) = (u64::from(self.last), u64::from(self.after));
        let number = match block <= last {
            true => block,
            false => (block - last - 1) % (last + 1 - after) + after,
        };
        // Not beyond the last one.
        number as u16
    }
}

/// A block that is to be sent.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// Its place in the file, from 1 on.
    pub(super) place: u64,
    pub(super) number: u16,
    pub(super) data: &'a [u8],
    /// It was not sent before, and the server answers it at once, as far as it follows RFC 7440.
    pub(super) is_answered: bool,
}

/// The blocks that are under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::transport) struct Machine {
    block_size: usize,
    window: u64,
    numbers: Numbers,
    /// Blocks that were acknowledged.
    acknowledged: u64,
    /// Those behind them that are full, or the last one.
    waiting: VecDeque<Vec<u8>>,
    /// The one that is being filled.
    filling: Vec<u8>,
    /// The last block is in `waiting`, or was acknowledged.
    ended: bool,
    /// The next block to be sent.
    next: u64,
    /// Blocks up to this one were sent when it was last gone back: an acknowledgement among them tells of no
    /// new loss.
    gone_back: u64,
}

impl Machine {
    pub(super) fn new(block_size: usize, window: u64, numbers: Numbers) -> Self {
        Self {
            block_size,
            window,
            numbers,
            acknowledged: 0,
            waiting: VecDeque::new(),
            filling: Vec::new(),
            ended: false,
            next: 1,
            gone_back: 0,
        }
    }

    /// Takes bytes of the file, as many as there is room for: 0 until an acknowledgement makes some.
    pub(super) fn push(&mut self, data: &[u8]) -> usize {
        if !self.has_room() {
            return 0;
        }
        let count = data.len().min(self.block_size - self.filling.len());
        self.filling.extend_from_slice(&data[..count]);
        if self.filling.len() == self.block_size {
            self.waiting.push_back(std::mem::take(&mut self.filling));
        }
        count
    }

    /// Whether [`Self::push`] would take anything.
    pub(in crate::transport) fn has_room(&self) -> bool {
        !self.ended && (self.waiting.len() as u64) < self.window
    }

    /// There are no more bytes; `false`: there is no room for the last block yet, which is shorter than the
    /// others, and empty where the file fills them.
    pub(super) fn end(&mut self) -> bool {
        if self.has_room() {
            self.waiting.push_back(std::mem::take(&mut self.filling));
            self.ended = true;
        }
        self.ended
    }

    /// Whether the server has acknowledged the last block.
    pub(in crate::transport) fn is_done(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }

    /// The next block to be sent, until [`Self::sent`] says that it was.
    ///
    /// The first one that is numbered anew is sent alone, until it is acknowledged: a server that goes on with
    /// another number than 0 would take one of those behind it in its place.
    pub(super) fn next(&self) -> Option<Block<'_>> {
        let again = u64::from(self.numbers.last) + 1;
        if self.acknowledged < again && self.next > again {
            return None;
        }
        let index = usize::try_from(self.next - self.acknowledged - 1).ok()?;
        let data = self.waiting.get(index)?;
        let is_full = self.waiting.len() as u64 >= self.window;
        Some(Block {
            place: self.next,
            number: self.numbers.of(self.next),
            data,
            is_answered: self.next > self.gone_back
                && index + 1 == self.waiting.len()
                && (is_full || self.ended),
        })
    }

    pub(super) fn sent(&mut self) {
        self.next += 1;
    }

    /// Blocks that were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether blocks were sent that are not acknowledged.
    pub(super) fn is_under_way(&self) -> bool {
        self.next > self.acknowledged + 1
    }

    /// Whether the block that waits for its acknowledgement is the first one that is numbered anew.
    pub(super) fn is_numbered_anew(&self) -> bool {
        self.acknowledged == u64::from(self.numbers.last) && !self.waiting.is_empty()
    }

    /// Whether an acknowledgement is that of the block before those that wait.
    pub(super) fn is_last(&self, number: u16) -> bool {
        self.acknowledged > 0 && self.numbers.of(self.acknowledged) == number
    }

    /// Whether an acknowledgement that brings nothing new may tell that the first block behind it was lost (RFC 7440
    /// section 4). One of blocks that were sent twice may be the answer to their second coming; and where one block at a
    /// time is sent, it is one that was doubled on the way.
    pub(super) fn may_tell_of_loss(&self, number: u16) -> bool {
        let was_sent_once = self.gone_back == 0 || self.acknowledged > self.gone_back;
        self.window > 1
            && self.is_under_way()
            && was_sent_once
            && !self.is_numbered_anew()
            && self.numbers.of(self.acknowledged) == number
    }

    /// An acknowledgement; whether it brings anything new.
    pub(super) fn acknowledge(&mut self, number: u16) -> bool {
        let sent = self.acknowledged + 1..self.next;
        let Some(block) = sent.clone().find(|block| self.numbers.of(*block) == number) else {
            return false;
        };
        self.waiting.drain(..(block - self.acknowledged) as usize);
        self.acknowledged = block;
        // In the middle of what was sent, it tells that the next block was lost.
        if block + 1 < self.next && block > self.gone_back {
            self.go_back();
        }
        true
    }

    /// Nothing came for a while: what is not acknowledged is sent again.
    pub(super) fn time_out(&mut self) {
        self.go_back();
    }

    fn go_back(&mut self) {
        self.gone_back = self.next - 1;
        self.next = self.acknowledged + 1;
    }
}

#[cfg(test)]
mod tests;

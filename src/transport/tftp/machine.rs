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
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SIZE: usize = 2;

    /// What may be on the network at one time.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    struct World {
        machine: Machine,
        given: usize,
        data: VecDeque<(u16, Vec<u8>)>,
        acks: VecDeque<u16>,
        file: Vec<u8>,
        /// Blocks that the receiver has, and those since its last acknowledgement.
        have: u64,
        since: u64,
        whole: bool,
        faults: u32,
        /// 0 until something was lost.
        losses: u32,
        sent: Vec<u8>,
    }

    impl World {
        fn pump(&mut self, image: &[u8]) {
            loop {
                let count = self.machine.push(&image[self.given..]);
                self.given += count;
                if count == 0 {
                    break;
                }
            }
            if self.given == image.len() {
                self.machine.end();
            }
            while let Some(block) = self.machine.next() {
                let number = block.number;
                self.data.push_back((number, block.data.to_vec()));
                self.machine.sent();
                let times = &mut self.sent[number as usize % 64];
                *times = (*times + 1).min(2);
            }
        }

        fn receive(&mut self, numbers: Numbers, window: u64, (number, block): (u16, Vec<u8>)) {
            if !self.whole && number == numbers.of(self.have + 1) {
                self.whole = block.len() < SIZE;
                self.file.extend(block);
                self.have += 1;
                self.since += 1;
                if self.whole || self.since >= window {
                    self.acks.push_back(numbers.of(self.have));
                    self.since = 0;
                }
            } else if self.have > 0 {
                self.acks.push_back(numbers.of(self.have));
                self.since = 0;
            }
        }

        fn steps(&self, numbers: Numbers, window: u64, image: &[u8], reorders: bool) -> Vec<Self> {
            let mut next = Vec::new();
            let mut add = |mut world: Self| {
                world.pump(image);
                next.push(world);
            };
            let reach = |len: usize| {
                if reorders && self.faults > 0 {
                    len
                } else {
                    len.min(1)
                }
            };
            for at in 0..reach(self.data.len()) {
                let mut taken = self.clone();
                let one = taken.data.remove(at).unwrap();
                taken.faults -= u32::from(at > 0);
                if taken.faults > 0 {
                    let mut lost = taken.clone();
                    lost.faults -= 1;
                    lost.losses = 1;
                    add(lost);
                    let mut twice = taken.clone();
                    twice.faults -= 1;
                    twice.data.push_back(one.clone());
                    twice.receive(numbers, window, one.clone());
                    add(twice);
                }
                taken.receive(numbers, window, one);
                add(taken);
            }
            for at in 0..reach(self.acks.len()) {
                let mut taken = self.clone();
                let one = taken.acks.remove(at).unwrap();
                taken.faults -= u32::from(at > 0);
                if taken.faults > 0 {
                    let mut lost = taken.clone();
                    lost.faults -= 1;
                    lost.losses = 1;
                    add(lost);
                    let mut twice = taken.clone();
                    twice.faults -= 1;
                    twice.acks.push_back(one);
                    twice.machine.acknowledge(one);
                    add(twice);
                }
                taken.machine.acknowledge(one);
                add(taken);
            }
            let silent = self.data.is_empty() && self.acks.is_empty();
            if !self.machine.is_done() && (silent || self.faults > 0) {
                let mut late = self.clone();
                late.faults -= u32::from(!silent);
                late.losses = 1;
                late.machine.time_out();
                add(late);
            }
            next
        }
    }

    /// All histories with up to this number of faults: each lost, doubled, late or overtaken packet is one.
    fn walk(numbers: Numbers, window: u64, length: usize, faults: u32, reorders: bool) -> usize {
        let (seen, done) = walk_with(numbers, numbers, window, length, faults, reorders);
        assert!(done > 0);
        seen
    }

    /// `theirs`: how the receiver numbers blocks. Also how many histories have come to their end.
    fn walk_with(
        numbers: Numbers,
        theirs: Numbers,
        window: u64,
        length: usize,
        faults: u32,
        reorders: bool,
    ) -> (usize, usize) {
        let image: Vec<u8> = (0..length).map(|at| at as u8 + 1).collect();
        let mut first = World {
            machine: Machine::new(SIZE, window, numbers),
            given: 0,
            data: VecDeque::new(),
            acks: VecDeque::new(),
            file: Vec::new(),
            have: 0,
            since: 0,
            whole: false,
            faults,
            losses: 0,
            sent: vec![0; 64],
        };
        first.pump(&image);
        let (mut seen, mut left, mut done) = (HashSet::new(), vec![first], 0);
        while let Some(world) = left.pop() {
            if !seen.insert(world.clone()) {
                continue;
            }
            assert!(image.starts_with(&world.file), "{world:?}");
            if world.machine.is_done() {
                assert!(world.whole && world.file == image, "{world:?}");
                done += 1;
            }
            // Only a packet that was doubled, in order: nothing is ever sent twice for it.
            if world.losses == 0 && window == 1 && numbers.last > 60 {
                assert!(world.sent.iter().all(|times| *times <= 1), "{world:?}");
            }
            left.extend(world.steps(theirs, window, &image, reorders));
        }
        (seen.len(), done)
    }

    #[test]
    fn the_receivers_file_is_a_prefix_in_all_histories_and_at_the_end_the_image() {
        let numbers = Numbers {
            last: 65_535,
            after: 0,
        };
        let mut all = 0;
        for window in 1..=3 {
            for length in [0, 1, 2, 7, 8] {
                all += walk(numbers, window, length, 2, true);
            }
        }
        assert!(all > 1000, "{all}");
    }

    /// It takes no block for the one that it waits for, and so never comes to an end.
    #[test]
    fn a_receiver_that_goes_on_with_another_number_takes_no_wrong_block() {
        for (ours, theirs) in [(0, 1), (1, 0)] {
            let [ours, theirs] = [ours, theirs].map(|after| Numbers { last: 15, after });
            for window in 1..=4 {
                let (seen, done) = walk_with(ours, theirs, window, 41, 1, false);
                assert!(seen > 20 && done == 0, "{window}: {seen} {done}");
            }
        }
    }

    #[test]
    fn numbers_begin_again_at_0_or_at_1() {
        for after in [0, 1] {
            let numbers = Numbers {
                last: 65_535,
                after,
            };
            assert_eq!(numbers.of(65_535), 65_535);
            assert_eq!(numbers.of(65_536), after);
            let numbered = 65_536 - u64::from(after);
            assert_eq!(numbers.of(65_536 + numbered), after);
            // As few numbers as a window and what is late need.
            let few = Numbers { last: 15, after };
            assert!(walk(few, 2, 41, 1, false) > 20);
        }
    }
}

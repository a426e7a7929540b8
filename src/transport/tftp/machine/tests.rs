//! All histories of a file on its way, with up to a number of faults.

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
    /// An acknowledgement came that may tell of a loss, and how often something was sent again for one.
    is_likely: bool,
    likely: u32,
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

    fn answered(&mut self, number: u16) {
        self.is_likely = match self.machine.acknowledge(number) {
            true => false,
            false => self.is_likely || self.machine.may_tell_of_loss(number),
        };
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
                twice.answered(one);
                add(twice);
            }
            taken.answered(one);
            add(taken);
        }
        let silent = self.data.is_empty() && self.acks.is_empty();
        if !self.machine.is_done() && (silent || self.faults > 0) {
            let mut late = self.clone();
            late.faults -= u32::from(!silent);
            late.losses = 1;
            late.is_likely = false;
            late.machine.time_out();
            add(late);
        }
        if self.is_likely {
            let mut soon = self.clone();
            (soon.is_likely, soon.likely) = (false, soon.likely + 1);
            soon.machine.time_out();
            add(soon);
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
        is_likely: false,
        likely: 0,
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
        // However early: what is sent twice has nothing else sent twice in turn.
        assert!(world.likely + world.faults <= faults, "{world:?}");
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

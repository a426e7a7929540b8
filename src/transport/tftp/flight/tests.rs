//! Files on their way over a network that loses, doubles and reorders, and what is sent again when.

use super::*;

/// The same in each run.
struct Chance(u32);

impl Chance {
    fn one_in(&mut self, number: u32) -> bool {
        self.below(number as usize) == 0
    }

    fn below(&mut self, number: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % number
    }
}

/// Packets on their way: some are lost, doubled, or overtaken by the one behind them.
#[derive(Default)]
struct Network(Vec<Vec<u8>>);

impl Network {
    fn put(&mut self, packet: Vec<u8>, chance: &mut Chance, faults: u32) {
        if faults > 0 && chance.one_in(faults) {
            return;
        }
        if faults > 0 && chance.one_in(faults) {
            self.0.push(packet.clone());
        }
        self.0.push(packet);
        let last = self.0.len() - 1;
        if faults > 0 && last > 0 && chance.one_in(faults) {
            self.0.swap(last - 1, last);
        }
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

/// A device as RFC 7440 has it: packets sent, and what it has.
fn fetched(window: u64, blocks: usize, faults: u32, grants: bool, seed: u32) -> (usize, Vec<u8>) {
    let agreed = Agreed {
        block_size: 1,
        window,
    };
    let numbers = Numbers {
        last: u16::MAX,
        after: 0,
    };
    let image: Vec<u8> = (0..blocks).map(|at| (at % 251) as u8).collect();
    let mut now = Instant::now();
    let mut flight = Flight::new(agreed, numbers, Timer::new(), now);
    if grants {
        flight = flight.granting(packet::granted(&[("blksize", 1)]));
    }
    let mut chance = Chance(seed);
    let (mut to, mut from) = (Network::default(), Network::default());
    let (mut given, mut sent) = (0, 0);
    let (mut has, mut since, mut whole) = (Vec::new(), 0, false);
    while !flight.machine().is_done() {
        // The image comes in pieces of all sizes.
        let until = blocks.min(given + chance.below(40));
        given += flight.push(&image[given..until]);
        if given == blocks {
            flight.end();
        }
        while let Some(packet) = flight.next().map(<[u8]>::to_vec) {
            to.put(packet, &mut chance, faults);
            flight.sent(now);
            sent += 1;
        }
        if let Some(packet) = to.take() {
            let number = u16::from_be_bytes([packet[2], packet[3]]);
            let at = has.len() as u64 + u64::from(whole);
            let answer = if packet[1] == 6 {
                Some(0)
            } else if !whole && number == numbers.of(at + 1) {
                has.extend_from_slice(&packet[4..]);
                whole = packet.len() == 4;
                since += 1;
                (whole || since == window).then_some(number)
            } else {
                Some(numbers.of(at))
            };
            if let Some(answer) = answer {
                since = 0;
                from.put(answer.to_be_bytes().to_vec(), &mut chance, faults);
            }
        }
        if let Some(answer) = from.take() {
            let number = u16::from_be_bytes([answer[0], answer[1]]);
            flight.acknowledged(number, now);
        }
        assert!(image.starts_with(&has));
        let silent = to.0.is_empty() && from.0.is_empty();
        // More of the image may come, and then acknowledgements do.
        let waits = given == blocks || !flight.machine().has_room();
        if silent && waits && flight.unanswered(now).is_some() && !flight.has_next() {
            now = flight.again();
            flight.time_out();
        }
    }
    assert!(whole && has == image);
    (sent, has)
}

#[test]
fn a_file_arrives_as_it_is_whatever_is_lost_doubled_or_overtaken() {
    for window in 1..=16 {
        for (blocks, faults) in [(0, 5), (1, 5), (160, 10), (1000, 20), (70_000, 500)] {
            for grants in [true, false] {
                fetched(
                    window,
                    blocks,
                    faults,
                    grants,
                    2_463_534_242 + window as u32,
                );
            }
        }
    }
}

/// A sender of windows of four blocks, all of which are under way, and the time.
fn under_way() -> (Flight, Instant) {
    let agreed = Agreed {
        block_size: 1,
        window: 4,
    };
    let numbers = Numbers {
        last: u16::MAX,
        after: 0,
    };
    let now = Instant::now();
    let mut flight = Flight::new(agreed, numbers, Timer::new(), now);
    let mut number = 0;
    // What is measured is a millisecond.
    for at in 0..20 {
        let now = now + Duration::from_millis(at);
        assert!(number == 0 || flight.acknowledged(number, now));
        flight.push(b"abcd");
        number += u16::try_from(all_sent(&mut flight, now)).unwrap();
    }
    (flight, now + Duration::from_millis(19))
}

fn all_sent(flight: &mut Flight, now: Instant) -> usize {
    let mut sent = 0;
    while flight.next().is_some() {
        flight.sent(now);
        sent += 1;
    }
    sent
}

#[test]
fn a_window_whose_first_block_was_lost_is_sent_again_soon_and_once() {
    let (mut flight, now) = under_way();
    let (timer, soon) = (Duration::from_millis(200), Duration::from_millis(10));
    assert_eq!(flight.again(), now + timer);
    for later in 0..3 {
        // Each block behind the lost one is answered so, by some.
        assert!(!flight.acknowledged(76, now + Duration::from_millis(later)));
        assert_eq!(flight.again(), now + soon);
    }
    let now = flight.again();
    flight.time_out();
    assert_eq!(all_sent(&mut flight, now), 4);
    // What comes now may be the answer to the first coming: the timer has not been backed off, and counts.
    assert!(!flight.acknowledged(76, now));
    assert_eq!(flight.again(), now + timer);
    assert!(flight.acknowledged(80, now));
    flight.push(b"abcd");
    all_sent(&mut flight, now);
    assert!(!flight.acknowledged(80, now), "to the second coming");
    assert_eq!(flight.again(), now + timer);
    assert!(flight.acknowledged(84, now));
    flight.push(b"abcd");
    all_sent(&mut flight, now);
    assert!(!flight.acknowledged(84, now));
    assert_eq!(flight.again(), now + soon, "another loss");
}

#[test]
fn an_acknowledgement_that_was_doubled_has_nothing_sent_twice_where_the_next_one_comes() {
    let (mut flight, mut now) = under_way();
    for number in [80, 84, 88, 92] {
        assert!(flight.acknowledged(number, now));
        flight.push(b"abcd");
        assert_eq!(all_sent(&mut flight, now), 4);
        assert!(!flight.acknowledged(number, now));
        now += Duration::from_millis(9);
        assert!(now < flight.again() && !flight.has_next());
    }
}

/// Nothing is sent twice where nothing is lost, on past the last number too.
#[test]
fn without_a_fault_each_block_is_sent_once() {
    for window in [1, 2, 4, 8, 16] {
        let (sent, _) = fetched(window, 16 * 9000 - 1, 0, true, 7);
        assert_eq!(sent, 16 * 9000 + 1, "{window}");
    }
}

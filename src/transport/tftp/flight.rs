//! What is under way to the other side, and when it is sent again, without sockets: the time, acknowledgements and
//! bytes go in, packets come out. Both who writes to a server and who serves send their files so.

use std::time::Duration;

use tokio::time::Instant;

use super::machine::{Machine, Numbers};
use super::options::Agreed;
use super::packet;
use super::timer::Timer;

#[derive(Debug, Clone)]
pub(in crate::transport) struct Flight {
    /// The packet with the options that are granted (RFC 2347): it is acknowledged with 0 before any block is sent.
    granting: Option<Granting>,
    machine: Machine,
    timer: Timer,
    /// A block that is answered at once, and when it was sent.
    timed: Option<(u64, Instant)>,
    /// When something was last sent, or acknowledged.
    active: Instant,
    /// Since when nothing new was acknowledged, although something is under way.
    unanswered: Option<Instant>,
    /// What is sent.
    packet: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Granting {
    packet: Vec<u8>,
    is_sent: bool,
    /// It was sent before: its answer may be one to that.
    is_again: bool,
    /// When it was sent, as long as that was once.
    timed: Option<Instant>,
}

impl Flight {
    pub(in crate::transport) fn new(
        agreed: Agreed,
        numbers: Numbers,
        timer: Timer,
        now: Instant,
    ) -> Self {
        Self {
            granting: None,
            machine: Machine::new(agreed.block_size, agreed.window, numbers),
            timer,
            timed: None,
            active: now,
            unanswered: None,
            packet: Vec::new(),
        }
    }

    /// Begins with the packet that grants options.
    pub(in crate::transport) fn granting(mut self, packet: Vec<u8>) -> Self {
        self.granting = Some(Granting {
            packet,
            is_sent: false,
            is_again: false,
            timed: None,
        });
        self
    }

    pub(in crate::transport) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Takes bytes of the file, as many as there is room for.
    pub(in crate::transport) fn push(&mut self, data: &[u8]) -> usize {
        let mut taken = 0;
        while taken < data.len() {
            match self.machine.push(&data[taken..]) {
                0 => break,
                count => taken += count,
            }
        }
        taken
    }

    /// There are no more bytes; `false`: there is no room for the last block yet.
    pub(in crate::transport) fn end(&mut self) -> bool {
        self.machine.end()
    }

    /// The next packet to be sent, until [`Self::sent`] says that it was.
    pub(in crate::transport) fn next(&mut self) -> Option<&[u8]> {
        if let Some(granting) = &self.granting {
            return (!granting.is_sent).then_some(&granting.packet);
        }
        let block = self.machine.next()?;
        packet::data(block.number, block.data, &mut self.packet);
        Some(&self.packet)
    }

    pub(in crate::transport) fn has_next(&self) -> bool {
        match &self.granting {
            Some(granting) => !granting.is_sent,
            None => self.machine.next().is_some(),
        }
    }

    pub(in crate::transport) fn sent(&mut self, now: Instant) {
        self.active = now;
        self.unanswered.get_or_insert(now);
        if let Some(granting) = &mut self.granting {
            granting.is_sent = true;
            granting.timed = (!granting.is_again).then_some(now);
            return;
        }
        if let Some(block) = self.machine.next()
            && block.is_answered
        {
            self.timed = Some((block.place, now));
        }
        self.machine.sent();
    }

    /// An acknowledgement; whether it brings anything new.
    pub(in crate::transport) fn acknowledged(&mut self, number: u16, now: Instant) -> bool {
        if let Some(granting) = &self.granting {
            if number != 0 || !granting.is_sent {
                return false;
            }
            if let Some(sent) = granting.timed {
                self.timer.measured(now - sent);
            }
            self.granting = None;
        } else {
            if !self.machine.acknowledge(number) {
                return false;
            }
            // One before the block that is timed: that one was lost, or overtaken.
            if let Some((place, sent)) = self.timed.take()
                && self.machine.acknowledged() >= place
            {
                self.timer.measured(now - sent);
            }
        }
        self.active = now;
        self.unanswered = self.machine.is_under_way().then_some(now);
        true
    }

    /// When what is under way is sent again.
    pub(in crate::transport) fn again(&self) -> Instant {
        self.active + self.timer.wait()
    }

    /// For how long nothing new was acknowledged; `None`: nothing is under way.
    pub(in crate::transport) fn unanswered(&self, now: Instant) -> Option<Duration> {
        self.unanswered.map(|since| now - since)
    }

    /// Nothing came for a while: what is not acknowledged is sent again.
    pub(in crate::transport) fn time_out(&mut self) {
        match &mut self.granting {
            Some(granting) => (granting.is_sent, granting.is_again) = (false, true),
            None => self.machine.time_out(),
        }
        self.timer.back_off();
        self.timed = None;
    }
}

#[cfg(test)]
mod tests {
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
    fn fetched(
        window: u64,
        blocks: usize,
        faults: u32,
        grants: bool,
        seed: u32,
    ) -> (usize, Vec<u8>) {
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

    /// Nothing is sent twice where nothing is lost, on past the last number too.
    #[test]
    fn without_a_fault_each_block_is_sent_once() {
        for window in [1, 2, 4, 8, 16] {
            let (sent, _) = fetched(window, 16 * 9000 - 1, 0, true, 7);
            assert_eq!(sent, 16 * 9000 + 1, "{window}");
        }
    }
}

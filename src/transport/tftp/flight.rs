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
    /// An acknowledgement came once more: when what is under way is sent again, unless it is acknowledged before. It
    /// may have been doubled on the way, and is not acted on at once.
    likely_lost: Option<Instant>,
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
            likely_lost: None,
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
                if self.machine.may_tell_of_loss(number) {
                    let at = now + self.timer.wait_less();
                    self.likely_lost.get_or_insert(at);
                }
                return false;
            }
            self.likely_lost = None;
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
        let silent = self.active + self.timer.wait();
        self.likely_lost.map_or(silent, |at| at.min(silent))
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
        if self.likely_lost.take().is_none() {
            self.timer.back_off();
        }
        self.timed = None;
    }
}

#[cfg(test)]
mod tests;

//! A file on its way to a server, after the server has taken the request.
//!
//! Everything is done in the waits of its owner: there is no task, and what a wait that was given up had begun
//! is whole. No more is kept than the blocks of a window.

use std::io;
use std::net::SocketAddr;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout_at};

use crate::model::{Address, Failure, Fault, Side, Step, Timeouts};

use super::fault::fault;
use super::flight::Flight;
use super::machine::Numbers;
use super::packet::{self, Answer};
use super::request::{Taken, is_about_another, lost, not_ours};
use super::rollover::Rollover;

/// Packets that are read at once: those of strangers must not keep a task busy.
const AT_ONCE: usize = 32;
/// The block behind the last number was sent again this number of times, and each time the block before it
/// was acknowledged.
const NOT_TAKEN: u32 = 3;

pub(super) struct Transfer {
    socket: UdpSocket,
    server: SocketAddr,
    timeouts: Timeouts,
    flight: Flight,
    /// When the wait for room began.
    blocked_since: Option<Instant>,
    numbering: Numbering,
    /// The server does not wait for anything any more.
    over: bool,
}

/// Whether the server goes on after the last number as it was thought to.
struct Numbering {
    rollover: Rollover,
    address: Address,
    numbers: Numbers,
    /// The first block that is numbered anew was sent again since it was last answered.
    sent_again: bool,
    not_taken: u32,
}

impl Numbering {
    fn refused(&self) -> Fault {
        self.rollover.other_than(self.numbers, &self.address);
        let (last, after) = (self.numbers.last, self.numbers.after);
        let other = 1 - after.min(1);
        Fault::Lost {
            side: Side::Tftp,
            reason: format!(
                "the server does not take block {after} after block {last}; the next attempt goes on with \
                 {other}"
            ),
        }
    }
}

impl Transfer {
    pub(super) fn new(
        taken: Taken,
        timeouts: Timeouts,
        address: &Address,
        rollover: &Rollover,
    ) -> Self {
        let numbers = rollover.numbers(address);
        Self {
            socket: taken.socket,
            server: taken.server,
            timeouts,
            flight: Flight::new(taken.agreed, numbers, taken.timer, Instant::now()),
            blocked_since: None,
            numbering: Numbering {
                rollover: rollover.clone(),
                address: address.clone(),
                numbers,
                sent_again: false,
                not_taken: 0,
            },
            over: false,
        }
    }

    /// Takes some bytes, when there is room for them. Dropped while it waits, it has taken none.
    pub(super) async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let failed = |fault| Failure::new(Step::Send, fault);
        loop {
            let taken = self.flight.push(data);
            if taken > 0 || data.is_empty() {
                self.blocked_since = None;
                self.flush();
                return Ok(taken);
            }
            self.room().await.map_err(failed)?;
        }
    }

    /// Waits until a write would not wait, as [`Self::write`] does.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        while !self.flight.machine().has_room() {
            let waited = self.room().await;
            waited.map_err(|fault| Failure::new(Step::Send, fault))?;
        }
        self.blocked_since = None;
        Ok(())
    }

    /// Ends the file, and waits until the server has acknowledged the last block. What of the file is under
    /// way then has the time of a confirmation: a server may write all of it before it answers.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        while !self.flight.end() {
            let waited = self.room().await;
            waited.map_err(|fault| Failure::new(Step::Send, fault))?;
        }
        let failed = |fault| Failure::new(Step::Confirm, fault);
        let after = self.timeouts.confirm;
        let until = Instant::now() + after;
        self.flush();
        while !self.flight.machine().is_done() {
            let too_late = Fault::NotConfirmed { after };
            self.step(until, too_late).await.map_err(failed)?;
        }
        self.over = true;
        Ok(())
    }

    /// Waits for an acknowledgement. The deadline counts from when room was first missed, however often the
    /// wait was given up and begun again.
    async fn room(&mut self) -> Result<(), Fault> {
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        let after = self.timeouts.progress;
        self.step(since + after, Fault::Stalled { after }).await
    }

    /// Waits until something comes, or is to be sent again, and does what follows from it.
    async fn step(&mut self, until: Instant, too_late: Fault) -> Result<(), Fault> {
        // A stranger that keeps sending keeps nobody else from being served.
        consume_budget().await;
        let again = self.flight.again();
        let interest = match self.flight.has_next() {
            // The socket had no room.
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let ready = timeout_at(until.min(again), self.socket.ready(interest)).await;
        if let Ok(Err(error)) = ready {
            return Err(lost(&error));
        }
        if !self.take()? {
            // Packets that bring nothing must not keep the deadlines from being seen.
            let now = Instant::now();
            if now >= until {
                return Err(match self.flight.machine().is_numbered_anew() {
                    true => self.numbering.refused(),
                    false => too_late,
                });
            }
            if now >= again {
                self.flight.time_out();
                self.numbering.sent_again = true;
            }
        }
        self.flush();
        Ok(())
    }

    /// Sends what may be sent, as far as the socket takes it.
    fn flush(&mut self) {
        while let Some(packet) = self.flight.next() {
            match self.socket.try_send_to(packet, self.server) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // As if it were lost on the way: a route may come back before the deadline.
                Ok(_) | Err(_) => {}
            }
            self.flight.sent(Instant::now());
        }
    }

    /// Takes what has come; whether there was anything new.
    fn take(&mut self) -> Result<bool, Fault> {
        let mut buffer = [0; packet::LONGEST];
        for _ in 0..AT_ONCE {
            match self.socket.try_recv_from(&mut buffer) {
                Ok((count, from)) => {
                    if self.came(from, packet::parse(&buffer[..count]))? {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_about_another(&error) => {}
                Err(error) => return Err(lost(&error)),
            }
        }
        Ok(false)
    }

    fn came(&mut self, from: SocketAddr, answer: Answer) -> Result<bool, Fault> {
        if from.ip() != self.server.ip() {
            return Ok(false);
        }
        if from.port() != self.server.port() {
            not_ours(&self.socket, from, &answer);
            return match answer {
                // The file may have been opened once more, and so emptied, after blocks of it had come.
                Answer::Options(_) | Answer::Acknowledged(0) => Err(Fault::Lost {
                    side: Side::Tftp,
                    reason: "the server has begun with the file a second time, so that what it had may be \
                             gone"
                        .into(),
                }),
                _ => Ok(false),
            };
        }
        match answer {
            Answer::Acknowledged(number) => self.acknowledged(number),
            Answer::Error { code, text } => {
                self.over = true;
                Err(match code {
                    packet::GIVEN_UP | packet::ILLEGAL
                        if self.flight.machine().is_numbered_anew() =>
                    {
                        self.numbering.refused()
                    }
                    _ => fault(code, &text),
                })
            }
            Answer::Options(_) | Answer::Other => Ok(false),
        }
    }

    fn acknowledged(&mut self, number: u16) -> Result<bool, Fault> {
        if !self.flight.acknowledged(number, Instant::now()) {
            let again =
                self.flight.machine().is_numbered_anew() && self.flight.machine().is_last(number);
            if again && std::mem::take(&mut self.numbering.sent_again) {
                self.numbering.not_taken += 1;
                if self.numbering.not_taken >= NOT_TAKEN {
                    return Err(self.numbering.refused());
                }
            }
            return Ok(false);
        }
        self.blocked_since = None;
        self.numbering.sent_again = false;
        Ok(true)
    }

    /// Lets the server know, so that it doesn't wait, and can begin with another file.
    fn give_up(&self) {
        let error = packet::error(packet::GIVEN_UP, "given up");
        let _ = self.socket.try_send_to(&error, self.server);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if !self.over {
            self.give_up();
        }
    }
}

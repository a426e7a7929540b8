//! A file that is read, with requests under way for what follows. Answers may come in any order, and be
//! shorter than was asked for.

use std::collections::VecDeque;

use tokio::time::{Instant, timeout_at};

use crate::model::{Failure, Fault, Step};

use super::session::Session;
use super::status::Status;
use super::window::Window;
use super::wire::{self, Answer, Kind, Packet};

struct Request {
    id: u32,
    offset: u64,
    length: usize,
    sent: Instant,
    answer: Option<Piece>,
}

enum Piece {
    /// A packet, and where in it the bytes begin that were not taken yet.
    Data(Vec<u8>, usize),
    End,
    Refused(Status),
}

pub(super) struct Download {
    handle: Vec<u8>,
    /// In the order of the file.
    requests: VecDeque<Request>,
    window: Window,
    /// Where the next request begins.
    asked: u64,
    /// Bytes of the file, as it said. One request beyond them shows whether it has ended.
    size: Option<u64>,
    ended: bool,
    step: Step,
}

impl Download {
    pub(super) async fn open(
        session: &mut Session,
        path: &str,
        step: Step,
    ) -> Result<Vec<u8>, Failure> {
        let packet = |id| {
            let packet = Packet::new(Kind::Open, id).string(path.as_bytes());
            packet.u32(wire::READ).u32(0)
        };
        let opened = session.open_handle(step, packet).await?;
        opened.map_err(|status| Failure::new(step, status.fault_of_file()))
    }

    pub(super) fn new(
        handle: Vec<u8>,
        offset: u64,
        size: Option<u64>,
        step: Step,
        most: u64,
    ) -> Self {
        Self {
            handle,
            requests: VecDeque::new(),
            window: Window::new(most),
            asked: offset,
            size,
            ended: false,
            step,
        }
    }

    pub(super) fn handle(&self) -> &[u8] {
        &self.handle
    }

    /// Reads some bytes; 0: the server has said that this was all.
    pub(super) async fn read(
        &mut self,
        session: &mut Session,
        buffer: &mut [u8],
    ) -> Result<usize, Failure> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.ended {
                return Ok(0);
            }
            while let Some(answer) = session.next_now() {
                let answer = answer.map_err(|fault| self.failed(fault))?;
                self.take_in(answer)?;
            }
            self.ask_for_more(session);
            if let Some(count) = self.give(session, buffer)? {
                return Ok(count);
            }
            if self.ended {
                return Ok(0);
            }
            let progress = session.timeouts.progress;
            let answer = timeout_at(self.window.since() + progress, session.next()).await;
            let answer = answer.map_err(|_| self.failed(Fault::Stalled { after: progress }))?;
            let answer = answer.map_err(|fault| self.failed(fault))?;
            self.take_in(answer)?;
        }
    }

    fn failed(&self, fault: Fault) -> Failure {
        Failure::new(self.step, fault)
    }

    fn ask_for_more(&mut self, session: &mut Session) {
        let last = self.size.unwrap_or(u64::MAX);
        while self.window.has_room() && self.asked <= last {
            let length = session.longest_read.min(self.window.part());
            let request = self.request(session, self.asked, length);
            self.asked += length as u64;
            self.requests.push_back(request);
        }
    }

    fn request(&mut self, session: &mut Session, offset: u64, length: usize) -> Request {
        let (id, now) = (session.id(), Instant::now());
        let packet = Packet::new(Kind::Read, id).string(&self.handle).u64(offset);
        let asked = u32::try_from(length).unwrap_or(u32::MAX);
        session.post(packet.u32(asked).end());
        self.window.sent(length, now);
        Request {
            id,
            offset,
            length,
            sent: now,
            answer: None,
        }
    }

    /// Puts an answer where it belongs.
    fn take_in(&mut self, (id, answer): (u32, Answer)) -> Result<(), Failure> {
        let waiting = self.requests.iter_mut();
        let found = waiting
            .into_iter()
            .find(|one| one.id == id && one.answer.is_none());
        // Of a request that was given up.
        let Some(request) = found else {
            return Ok(());
        };
        let malformed = |reply: &str| Fault::Malformed {
            reply: reply.to_owned(),
        };
        let piece = match answer {
            Answer::Data { packet, begins } => match packet.len() - begins {
                0 => Err(malformed(
                    "a read of no bytes, which is no end of a file either",
                )),
                count if count > request.length => Err(malformed("more bytes than were asked for")),
                _ => Ok(Piece::Data(packet, begins)),
            },
            Answer::Status {
                code: wire::EOF, ..
            } => Ok(Piece::End),
            Answer::Status { code, text } => Ok(Piece::Refused(Status { code, text })),
            _ => Err(malformed("an answer to a read that is none")),
        };
        self.window
            .answered(request.length, request.sent, Instant::now());
        match piece {
            Ok(piece) => request.answer = Some(piece),
            Err(fault) => return Err(Failure::new(self.step, fault)),
        }
        Ok(())
    }

    /// Takes what follows in the file, if it is there.
    fn give(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        let Some(request) = self.requests.front_mut() else {
            return Ok(None);
        };
        match &mut request.answer {
            None => Ok(None),
            Some(Piece::End) => {
                self.ended = true;
                Ok(None)
            }
            Some(Piece::Refused(status)) => {
                let status = session.status(status.code, &status.text);
                Err(Failure::new(self.step, status.fault_of_file()))
            }
            Some(Piece::Data(packet, begins)) => {
                let there = packet.len() - *begins;
                let count = there.min(buffer.len());
                buffer[..count].copy_from_slice(&packet[*begins..*begins + count]);
                *begins += count;
                request.offset += count as u64;
                request.length -= count;
                if count == there {
                    let (offset, left) = (request.offset, request.length);
                    self.requests.pop_front();
                    // The rest of a short answer; at the end of the file it says so.
                    if left > 0 {
                        let rest = self.request(session, offset, left);
                        self.requests.push_front(rest);
                    }
                }
                Ok(Some(count))
            }
        }
    }
}

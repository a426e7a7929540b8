//! A file that is written, with writes under way that are not answered yet.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::model::{Failure, Fault, Step};

use super::session::{Session, no_reply};
use super::window::{self, Window};
use super::wire::{self, Answer, Kind, Packet};

/// What a new file may be used for: everybody may read it, as what is stored over FTP.
const MODE: u32 = 0o644;
/// A file that is given up waits no longer than this for what is still to arrive.
const SOON: Duration = Duration::from_millis(500);

pub(super) struct Upload {
    handle: Vec<u8>,
    is_closed: bool,
    offset: u64,
    /// Writes without an answer: how long they are, and when they were sent.
    unanswered: HashMap<u32, (usize, Instant)>,
    window: Window,
}

impl Upload {
    pub(super) async fn open(
        session: &mut Session,
        path: &str,
        directory: &str,
    ) -> Result<Self, Failure> {
        let opened = session.open_handle(Step::Open, |id| {
            let packet = Packet::new(Kind::Open, id).string(path.as_bytes());
            packet.u32(wire::WRITE).mode(MODE)
        });
        let handle = opened.await?;
        let handle = handle
            .map_err(|status| Failure::new(Step::Open, status.fault_of_directory(directory)))?;
        Ok(Self {
            handle,
            is_closed: false,
            offset: 0,
            unanswered: HashMap::new(),
            window: Window::new(window::MOST),
        })
    }

    /// Sends some bytes, as soon as what was sent before leaves room for them. Dropped while it waits, it
    /// has sent nothing.
    pub(super) async fn write(
        &mut self,
        session: &mut Session,
        data: &[u8],
    ) -> Result<usize, Failure> {
        self.ready(session).await?;
        // In one piece where the way is fast; never so that a slow one has it all at once.
        let most = session.longest_write.min(self.window.part());
        let piece = &data[..data.len().min(most)];
        let (id, now) = (session.id(), Instant::now());
        session.post(wire::write(id, &self.handle, self.offset, piece));
        self.window.sent(piece.len(), now);
        self.unanswered.insert(id, (piece.len(), now));
        self.offset += piece.len() as u64;
        Ok(piece.len())
    }

    /// Waits until more can be sent. A server that answers nothing that was sent fails by its progress
    /// deadline, which counts from its last answer.
    pub(super) async fn ready(&mut self, session: &mut Session) -> Result<(), Failure> {
        let progress = session.timeouts.progress;
        self.absorb(session)?;
        while !self.window.has_room() {
            let deadline = self.window.since() + progress;
            self.take_in(session, deadline, progress).await?;
        }
        Ok(())
    }

    /// Waits until everything was answered, and the file is stored.
    pub(super) async fn finish(&mut self, session: &mut Session) -> Result<(), Failure> {
        let failed = |fault| Failure::new(Step::Confirm, fault);
        let confirm = session.timeouts.confirm;
        let begun = Instant::now();
        self.absorb(session)?;
        while !self.window.is_empty() {
            let since = self.window.since().max(begun);
            self.take_in(session, since + confirm, confirm).await?;
        }
        let not_confirmed = |failure: Failure| match failure.fault {
            Fault::NoReply { after, .. } => failed(Fault::NotConfirmed { after }),
            _ => failure,
        };
        // One after the other on one handle, as a server has to (section 6.1 of the draft), so both are sent at once.
        let (fsync, close) = match session.offers.fsync {
            true => {
                let asked =
                    session.ask_all(Step::Confirm, "fsync and close", confirm, |[id, then]| {
                        let packet = Packet::new(Kind::Extended, id).string(b"fsync@openssh.com");
                        let close = Packet::new(Kind::Close, then).string(&self.handle);
                        [packet.string(&self.handle), close]
                    });
                let [fsync, close] = asked.await.map_err(not_confirmed)?;
                (Some(fsync), close)
            }
            false => {
                let asked = session.ask_within(Step::Confirm, "close", confirm, |id| {
                    Packet::new(Kind::Close, id).string(&self.handle)
                });
                (None, asked.await.map_err(not_confirmed)?)
            }
        };
        self.is_closed = true;
        match fsync {
            // Some file systems know nothing of it.
            Some(Err(status)) if !matches!(status.code, wire::UNSUPPORTED | wire::BAD_MESSAGE) => {
                Err(failed(status.fault()))
            }
            _ => close.map(drop).map_err(|status| failed(status.fault())),
        }
    }

    /// Gives the file up. `false`: what is under way would be waited for too long in this session.
    pub(super) fn abort(self, session: &mut Session) -> bool {
        if !self.is_closed {
            session.let_go(&self.handle);
        }
        self.window.is_empty() || self.window.time_left() < SOON
    }

    /// Takes the answers in that are there.
    fn absorb(&mut self, session: &mut Session) -> Result<(), Failure> {
        while let Some(answer) = session.next_now() {
            let answer = answer.map_err(|fault| Failure::new(Step::Send, fault))?;
            self.answered(session, answer)?;
        }
        Ok(())
    }

    async fn take_in(
        &mut self,
        session: &mut Session,
        deadline: Instant,
        after: Duration,
    ) -> Result<(), Failure> {
        let failed = |fault| Failure::new(Step::Send, fault);
        let answer = timeout_at(deadline, session.next()).await;
        let answer = answer.map_err(|_| failed(Fault::Stalled { after }))?;
        self.answered(session, answer.map_err(failed)?)
    }

    fn answered(&mut self, session: &Session, (id, answer): (u32, Answer)) -> Result<(), Failure> {
        // Of a request that was given up.
        let Some((length, sent)) = self.unanswered.remove(&id) else {
            return Ok(());
        };
        self.window.answered(length, sent, Instant::now());
        let failed = |fault| Err(Failure::new(Step::Send, fault));
        match answer {
            Answer::Status { code: wire::OK, .. } => Ok(()),
            Answer::Status { code, text } => failed(session.status(code, &text).fault()),
            _ => failed(Fault::Malformed {
                reply: "an answer to a write that is none".into(),
            }),
        }
    }
}

/// One file of some bytes.
pub(super) async fn whole(
    session: &mut Session,
    path: &str,
    directory: &str,
    data: &[u8],
) -> Result<(), Failure> {
    let mut upload = Upload::open(session, path, directory).await?;
    upload.write(session, data).await?;
    upload
        .finish(session)
        .await
        .map_err(|failure| match failure.fault {
            Fault::Stalled { after } => Failure::new(failure.step, no_reply("a write", after)),
            _ => failure,
        })
}

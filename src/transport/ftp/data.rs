//! Data connections, always watched together with their control connection.
//!
//! A server may say `552` and leave the data connection open: a plain write then waits for ever.
//! Giving a transfer up must reset the connection: a server takes a plain end for the end of the
//! file and keeps half an image.

use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::{Failure, Fault, Side, Step};

use super::passive;
use super::reply::Reply;
use super::session::Session;

/// After the data connection broke, the reply that says why is near or will not come.
const REASON: Duration = Duration::from_secs(2);

fn lost(error: &std::io::Error) -> Fault {
    Fault::Lost {
        side: Side::Data,
        reason: error.to_string(),
    }
}

/// A file on its way to the server (`STOR`). Dropping it resets the connection.
pub(super) struct Upload {
    stream: TcpStream,
    sent: u64,
    finished: bool,
}

impl Upload {
    pub(super) async fn open(session: &mut Session, path: &str) -> Result<Self, Failure> {
        let stream = passive::open_data(session, Step::Open).await?;
        let upload = Self {
            stream,
            sent: 0,
            finished: false,
        };
        session
            .expect(Step::Open, &format!("STOR {path}"), Reply::is_preliminary)
            .await?;
        session.begin_transfer();
        Ok(upload)
    }

    /// Writes some bytes, unless the server has already said how the transfer ended.
    pub(super) async fn write(
        &mut self,
        session: &mut Session,
        data: &[u8],
    ) -> Result<usize, Failure> {
        let progress = session.timeouts.progress;
        let sent = self.sent;
        let write = async {
            loop {
                // The control connection first: an early reply counts more than room in a socket.
                tokio::select! {
                    biased;
                    reply = session.reply(Step::Send) => {
                        let reply = reply?;
                        if reply.is_preliminary() {
                            continue;
                        }
                        let fault = if reply.is_done() {
                            Fault::EarlyConfirmation { sent }
                        } else {
                            reply.fault()
                        };
                        return Err(Failure::new(Step::Send, fault));
                    }
                    written = self.stream.write(data) => return match written {
                        Ok(0) => Err(Failure::new(Step::Send, Fault::Lost {
                            side: Side::Data,
                            reason: "the server takes no more".into(),
                        })),
                        Ok(count) => Ok(count),
                        Err(error) => {
                            let reason = session.final_reply(Step::Send, REASON, lost(&error));
                            Err(match reason.await {
                                Ok(reply) if reply.is_done() => {
                                    Failure::new(Step::Send, Fault::EarlyConfirmation { sent })
                                }
                                Ok(reply) => Failure::new(Step::Send, reply.fault()),
                                Err(_) => Failure::new(Step::Send, lost(&error)),
                            })
                        }
                    },
                }
            }
        };
        match timeout(progress, write).await {
            Ok(result) => {
                if let Ok(count) = result {
                    self.sent += count as u64;
                }
                result
            }
            Err(_) => Err(Failure::new(Step::Send, Fault::Stalled { after: progress })),
        }
    }

    /// Ends the file and waits for the reply that says that it is stored.
    pub(super) async fn finish(&mut self, session: &mut Session) -> Result<(), Failure> {
        let confirm = session.timeouts.confirm;
        // A reply that has come before the end of the file was sent can't be about all of it.
        match session.early_reply(Step::Confirm).await? {
            Some(reply) if reply.is_done() => {
                let fault = Fault::EarlyConfirmation { sent: self.sent };
                return Err(Failure::new(Step::Confirm, fault));
            }
            Some(reply) if !reply.is_preliminary() => {
                return Err(Failure::new(Step::Confirm, reply.fault()));
            }
            _ => {}
        }
        // The outcome is in the reply, whatever became of the data connection.
        let shutdown = self.stream.shutdown().await;
        let (deadline, fault) = match &shutdown {
            Ok(()) => (confirm, Fault::NotConfirmed { after: confirm }),
            Err(error) => (REASON, lost(error)),
        };
        let reply = session.final_reply(Step::Confirm, deadline, fault).await?;
        if !reply.is_done() {
            return Err(Failure::new(Step::Confirm, reply.fault()));
        }
        if let Err(error) = shutdown {
            return Err(Failure::new(Step::Confirm, lost(&error)));
        }
        self.finished = true;
        session.end_transfer();
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.finished {
            // Sends a reset instead of an end; if it can't be set, the staging name protects us.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// A file or a listing on its way from the server (`RETR`, `MLSD`, `LIST`, `NLST`).
pub(super) struct Download {
    stream: TcpStream,
    step: Step,
    verb: String,
    /// The server has said that all of the file was sent.
    confirmed: bool,
    /// The control connection broke after the transfer began; the data may still be whole.
    control_lost: Option<Failure>,
}

impl Download {
    /// Opens the file at `offset`. The second value is the preliminary reply's text.
    pub(super) async fn open(
        session: &mut Session,
        path: &str,
        offset: u64,
        step: Step,
    ) -> Result<(Self, Reply), Failure> {
        let opened = Self::of(session, &format!("RETR {path}"), offset, step).await;
        opened.map_err(|failure| match failure.fault {
            Fault::Reply { code: 550, text } => {
                let reply = format!("550 {text}");
                Failure::new(step, Fault::NoFile { reply })
            }
            _ => failure,
        })
    }

    /// Opens what a command sends, from `offset` on.
    pub(super) async fn of(
        session: &mut Session,
        command: &str,
        offset: u64,
        step: Step,
    ) -> Result<(Self, Reply), Failure> {
        let stream = passive::open_data(session, step).await?;
        if offset > 0 {
            // Right before the transfer command (RFC 3659 section 5.3).
            session
                .expect(step, &format!("REST {offset}"), |reply| reply.code == 350)
                .await?;
        }
        let reply = session.expect(step, command, Reply::is_preliminary).await?;
        session.begin_transfer();
        Ok((
            Self {
                stream,
                step,
                verb: command.split(' ').next().unwrap_or(command).to_owned(),
                confirmed: false,
                control_lost: None,
            },
            reply,
        ))
    }

    /// Reads some bytes; 0 is the end, once the server has said that it is.
    pub(super) async fn read(
        &mut self,
        session: &mut Session,
        buffer: &mut [u8],
    ) -> Result<usize, Failure> {
        let progress = session.timeouts.progress;
        let step = self.step;
        let read = async {
            loop {
                let watch = !self.confirmed && self.control_lost.is_none();
                tokio::select! {
                    biased;
                    count = self.stream.read(buffer) => return match count {
                        Ok(count) => Ok(count),
                        Err(error) => match session.final_reply(step, REASON, lost(&error)).await {
                            Ok(reply) if !reply.is_done() => Err(Failure::new(step, reply.fault())),
                            _ => Err(Failure::new(step, lost(&error))),
                        },
                    },
                    reply = session.reply(step), if watch => match reply {
                        Ok(reply) if reply.is_preliminary() => {}
                        // Servers confirm as soon as the last byte is in their socket.
                        Ok(reply) if reply.is_done() => self.confirmed = true,
                        Ok(reply) => return Err(Failure::new(step, reply.fault())),
                        Err(failure) => self.control_lost = Some(failure),
                    },
                }
            }
        };
        let count = match timeout(progress, read).await {
            Ok(result) => result?,
            Err(_) => return Err(Failure::new(step, Fault::Stalled { after: progress })),
        };
        if count == 0 && !buffer.is_empty() {
            self.wait_for_confirmation(session).await?;
        }
        Ok(count)
    }

    async fn wait_for_confirmation(&mut self, session: &mut Session) -> Result<(), Failure> {
        let deadline = session.timeouts.reply;
        if !self.confirmed && self.control_lost.is_none() {
            let fault = Fault::NoReply {
                command: self.verb.clone(),
                after: deadline,
            };
            match session.final_reply(self.step, deadline, fault).await {
                Ok(reply) if reply.is_done() => self.confirmed = true,
                Ok(reply) => return Err(Failure::new(self.step, reply.fault())),
                Err(failure) => self.control_lost = Some(failure),
            }
        }
        if self.confirmed {
            session.end_transfer();
        }
        Ok(())
    }

    /// The file is open: what goes wrong from here on does so while reading.
    pub(super) fn reading(self) -> Self {
        Self {
            step: Step::Read,
            ..self
        }
    }

    /// What became of the control connection, should the size not tell whether all has come.
    pub(super) fn unconfirmed(&self) -> Option<&Failure> {
        self.control_lost.as_ref()
    }
}

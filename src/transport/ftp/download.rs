//! A file or a listing on its way from the server.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::model::{Failure, Fault, Step};

use super::begin::{lost, start};
use super::reply::{Reply, verb};
use super::session::{REASON, Session};
use super::stream::{Stream, Tls};

/// A file or a listing on its way from the server (`RETR`, `MLSD`, `LIST`, `NLST`).
pub(super) struct Download {
    /// Absent once its end was read: some servers (proftpd) wait for our end before they confirm.
    stream: Option<Stream>,
    step: Step,
    verb: String,
    /// Offset in the file of the first byte that comes: less than was asked for where the server
    /// can't begin there.
    begins_at: u64,
    /// The server has said that all of the file was sent: with a reply of this code.
    confirmed: Option<u16>,
    /// The code of a reply in place of the preliminary one, which may have been the only one.
    perhaps: Option<u16>,
    /// The control connection broke after the transfer began; the data may still be whole.
    control_lost: Option<Failure>,
}

impl Download {
    /// Opens what a command sends, from `offset` on where the server can. The second value is the
    /// preliminary reply, where there was one.
    pub(super) async fn open(
        session: &mut Session,
        command: &str,
        offset: u64,
        step: Step,
    ) -> Result<(Self, Option<Reply>), Failure> {
        let begun = start(session, step, command, offset).await?;
        let perhaps = begun.reply.as_ref().filter(|reply| reply.is_done());
        Ok((
            Self {
                stream: Some(session.secured(begun.stream, step).await?),
                step,
                verb: verb(command).to_owned(),
                begins_at: begun.begins_at,
                confirmed: begun.confirmed,
                perhaps: perhaps.map(|reply| reply.code),
                control_lost: None,
            },
            begun.reply,
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
            let Some(stream) = &mut self.stream else {
                return Ok(0);
            };
            loop {
                let watch = self.confirmed.is_none() && self.control_lost.is_none();
                tokio::select! {
                    biased;
                    count = stream.read(buffer) => return match count {
                        Ok(count) => Ok(count),
                        Err(error) => match session.final_reply(step, REASON, lost(&error)).await {
                            Ok(reply) if !reply.is_done() => Err(session.transfer_failure(step, &reply)),
                            _ => Err(Failure::new(step, lost(&error))),
                        },
                    },
                    reply = session.reply(step), if watch => match reply {
                        Ok(reply) if reply.is_preliminary() => {}
                        // Servers confirm as soon as the last byte is in their socket.
                        Ok(reply) if reply.is_done() => self.confirmed = Some(reply.code),
                        Ok(reply) => return Err(session.transfer_failure(step, &reply)),
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
            if let Some(Tls(stream)) = &mut self.stream {
                // Some servers confirm when they have our `close_notify` too (vsftpd). All has
                // come already, so that nothing depends on it here.
                let _ = timeout(REASON, stream.shutdown()).await;
            }
            self.stream = None;
            self.wait_for_confirmation(session).await?;
        }
        Ok(count)
    }

    async fn wait_for_confirmation(&mut self, session: &mut Session) -> Result<(), Failure> {
        let deadline = match self.perhaps {
            None => session.timeouts.reply,
            Some(_) => REASON.min(session.timeouts.reply),
        };
        if self.confirmed.is_none() && self.control_lost.is_none() {
            let fault = Fault::NoReply {
                command: self.verb.clone(),
                after: deadline,
            };
            match session.final_reply(self.step, deadline, fault).await {
                Ok(reply) if reply.is_done() => self.confirmed = Some(reply.code),
                Ok(reply) => return Err(session.transfer_failure(self.step, &reply)),
                Err(failure) => match (self.perhaps, &failure.fault) {
                    // There was one reply alone, and it was this one.
                    (Some(code), Fault::NoReply { .. }) => {
                        session.goes_on_unanswered();
                        self.confirmed = Some(code);
                    }
                    _ => self.control_lost = Some(failure),
                },
            }
        }
        if let Some(code) = self.confirmed {
            session.end_transfer(code);
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

    pub(super) fn begins_at(&self) -> u64 {
        self.begins_at
    }

    /// What became of the control connection, should the size not tell whether all has come.
    pub(super) fn unconfirmed(&self) -> Option<&Failure> {
        self.control_lost.as_ref()
    }
}

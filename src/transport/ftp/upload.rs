//! A file on its way to the server, always watched together with the control connection.
//!
//! A server may say `552` and leave the data connection open: a plain write then waits for ever.
//! Giving a transfer up must reset the connection: a server takes a plain end for the end of the
//! file and keeps half an image.

use std::io;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::{Failure, Fault, Step};
use crate::transport::tcp::writable;

use super::begin::{lost, start};
use super::reply::{Kind, Reply, verb};
use super::session::{REASON, Session};
use super::stream::{Stream, Tls, socket};

/// A file on its way to the server (`STOR`). Dropping it resets the connection.
pub(super) struct Upload {
    stream: Stream,
    sent: u64,
    /// Since when the server takes no byte of those that it was offered.
    blocked_since: Option<Instant>,
    finished: bool,
}

/// How waiting for the server to take bytes ended.
enum Awaited<T> {
    Done(T),
    /// The server said how the transfer ended.
    Said(Reply),
    Broken(io::Error),
    ControlLost(Failure),
}

impl Upload {
    /// # Errors
    /// With whether the server may have begun to write the file.
    pub(super) async fn open(session: &mut Session, path: &str) -> Result<Self, (Failure, bool)> {
        let opened = Self::open_stream(session, path).await;
        opened.map_err(|failure| {
            let begun = session.is_transferring() || may_have_begun(&failure.fault);
            (failure, begun)
        })
    }

    async fn open_stream(session: &mut Session, path: &str) -> Result<Self, Failure> {
        before_store(session).await?;
        let command = format!("STOR {path}");
        let begun = start(session, Step::Open, &command, 0).await?;
        if begun.confirmed.is_some() {
            let fault = Fault::EarlyConfirmation { sent: 0 };
            return Err(Failure::new(Step::Open, fault));
        }
        Ok(Self {
            stream: session.secured(begun.stream, Step::Open).await?,
            sent: 0,
            blocked_since: None,
            finished: false,
        })
    }

    /// Writes some bytes, unless the server has already said how the transfer ended. Dropped while
    /// it waits, it has written nothing.
    pub(super) async fn write(
        &mut self,
        session: &mut Session,
        data: &[u8],
    ) -> Result<usize, Failure> {
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        let stream = &mut self.stream;
        let write = async {
            match stream.write(data).await {
                Ok(0) => Err(io::Error::other("the server takes no more")),
                written => written,
            }
        };
        let count = watched(session, write, self.sent, since).await?;
        self.blocked_since = None;
        self.sent += count as u64;
        Ok(count)
    }

    /// Waits until a write would not wait, as [`Self::write`] does.
    pub(super) async fn ready(&mut self, session: &mut Session) -> Result<(), Failure> {
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        watched(session, writable(socket(&self.stream)), self.sent, since).await?;
        self.blocked_since = None;
        Ok(())
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
                return Err(session.transfer_failure(Step::Confirm, &reply));
            }
            _ => {}
        }
        // The outcome is in the reply, whatever became of the data connection.
        let shutdown = self.end(session).await?;
        let (deadline, fault) = match &shutdown {
            Ok(()) => (confirm, Fault::NotConfirmed { after: confirm }),
            Err(error) => (REASON, lost(error)),
        };
        let reply = {
            let reply = session.final_reply(Step::Confirm, deadline, fault);
            tokio::pin!(reply);
            tokio::select! {
                biased;
                reply = &mut reply => reply,
                // Some servers end all data connections like this, and confirm when the flash is
                // written. When none comes, this is why.
                error = broken(socket(&self.stream)) => reply.await.map_err(|failure| match failure.fault {
                    Fault::NotConfirmed { .. } => Failure::new(Step::Confirm, lost(&error)),
                    _ => failure,
                }),
            }
        }?;
        if !reply.is_done() {
            return Err(session.transfer_failure(Step::Confirm, &reply));
        }
        if let Err(error) = shutdown {
            return Err(Failure::new(Step::Confirm, lost(&error)));
        }
        self.finished = true;
        session.end_transfer(reply.code);
        Ok(())
    }

    /// Sends the end of the file: over TLS behind what is not sent yet, and behind a
    /// `close_notify`, without which it would be a truncation.
    async fn end(&mut self, session: &mut Session) -> Result<io::Result<()>, Failure> {
        if let Tls(stream) = &mut self.stream {
            let since = *self.blocked_since.get_or_insert_with(Instant::now);
            watched(session, stream.flush(), self.sent, since).await?;
        }
        let progress = session.timeouts.progress;
        let ended = timeout(progress, self.stream.shutdown()).await;
        ended.or(Err(Failure::new(
            Step::Send,
            Fault::Stalled { after: progress },
        )))
    }
}

/// Waits until the server resets a connection that was ended from here; for ever, if it ends it in
/// good order.
async fn broken(stream: &TcpStream) -> io::Error {
    match stream.peek(&mut [0]).await {
        Err(error) => error,
        Ok(_) => std::future::pending().await,
    }
}

/// Waits for the server to take bytes, of which it has `sent`, and for what it says meanwhile. The
/// deadline counts from `since`, however often the wait was given up and begun again; what can be
/// done at once is done in any case.
async fn watched<T>(
    session: &mut Session,
    act: impl Future<Output = io::Result<T>>,
    sent: u64,
    since: Instant,
) -> Result<T, Failure> {
    let progress = session.timeouts.progress;
    let failed = |fault| Err(Failure::new(Step::Send, fault));
    let said = |session: &Session, reply: Reply| {
        failed(if reply.is_done() {
            Fault::EarlyConfirmation { sent }
        } else {
            session.transfer_fault(&reply)
        })
    };
    let awaited = {
        let work = async {
            tokio::pin!(act);
            loop {
                // The control connection first: an early reply counts more than room in a socket.
                tokio::select! {
                    biased;
                    reply = session.reply(Step::Send) => match reply {
                        Ok(reply) if reply.is_preliminary() => {}
                        Ok(reply) => return Awaited::Said(reply),
                        Err(failure) => return Awaited::ControlLost(failure),
                    },
                    done = &mut act => return match done {
                        Ok(done) => Awaited::Done(done),
                        Err(error) => Awaited::Broken(error),
                    },
                }
            }
        };
        tokio::pin!(work);
        match timeout_at(since + progress, &mut work).await {
            Ok(awaited) => Some(awaited),
            // It may have passed before this call. The runtime looks at its sockets before it
            // comes back, and sees what they could do all the time.
            Err(_) => tokio::select! {
                biased;
                awaited = &mut work => Some(awaited),
                () = tokio::task::yield_now() => None,
            },
        }
    };
    match awaited {
        Some(Awaited::Done(done)) => Ok(done),
        Some(Awaited::Said(reply)) => said(session, reply),
        Some(Awaited::ControlLost(failure)) => Err(failure),
        Some(Awaited::Broken(error)) => {
            let reason = session.final_reply(Step::Send, REASON, lost(&error));
            match reason.await {
                Ok(reply) => said(session, reply),
                Err(_) => failed(lost(&error)),
            }
        }
        None => failed(Fault::Stalled { after: progress }),
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.finished {
            // Sends a reset instead of an end; if it can't be set, the staging name protects us.
            let _ = SockRef::from(socket(&self.stream)).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Whether the command that writes a file may have been carried out, where no transfer is known to
/// have begun.
fn may_have_begun(fault: &Fault) -> bool {
    match fault {
        Fault::NoReply { command, .. } => command == "STOR",
        Fault::Lost { .. } | Fault::Malformed { .. } | Fault::EarlyConfirmation { .. } => true,
        _ => false,
    }
}

/// What the entity wants to be sent before each file, as the operator knows.
async fn before_store(session: &mut Session) -> Result<(), Failure> {
    // Room for a file may have to be erased first.
    let deadline = session.timeouts.confirm;
    for command in session.dialect.before_store.clone().iter() {
        let reply = session
            .command_within(Step::Open, command, deadline)
            .await?;
        if matches!(reply.kind(), Kind::Done | Kind::GoOn) {
            continue;
        }
        let fault = match reply.code {
            421 => reply.fault(),
            code => Fault::BeforeStore {
                verb: verb(command).to_owned(),
                code,
                text: reply.shown,
            },
        };
        return Err(Failure::new(Step::Open, fault));
    }
    Ok(())
}

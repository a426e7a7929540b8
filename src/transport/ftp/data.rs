//! Data connections, always watched together with their control connection.
//!
//! A server may say `552` and leave the data connection open: a plain write then waits for ever.
//! Giving a transfer up must reset the connection: a server takes a plain end for the end of the
//! file and keeps half an image.

use std::io;
use std::pin::pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::model::{Failure, Fault, Side, Step};

use super::connect::writable;
use super::passive::{self, Opening, Way, way_fault};
use super::reply::{Kind, Reply};
use super::session::{REASON, Session};
use super::stream::{Securing, Stream};

/// A server that says nothing before the end of a transfer may still refuse it, and does so at once.
const SILENT: Duration = Duration::from_millis(500);

fn lost(error: &std::io::Error) -> Fault {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    let reason = match error.kind() {
        // Which of them it is depends on the moment alone.
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected => {
            "the server closed it".into()
        }
        _ => error.to_string(),
    };
    Fault::Lost {
        side: Side::Data,
        reason,
    }
}

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
        watched(session, writable(self.stream.socket()), self.sent, since).await?;
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
                let fault = session.transfer_fault(&reply);
                return Err(Failure::new(Step::Confirm, fault));
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
                error = broken(self.stream.socket()) => reply.await.map_err(|failure| match failure.fault {
                    Fault::NotConfirmed { .. } => Failure::new(Step::Confirm, lost(&error)),
                    _ => failure,
                }),
            }
        }?;
        if !reply.is_done() {
            let fault = session.transfer_fault(&reply);
            return Err(Failure::new(Step::Confirm, fault));
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
        if let Stream::Tls(stream) = &mut self.stream {
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
            let _ = SockRef::from(self.stream.socket()).set_linger(Some(Duration::ZERO));
        }
    }
}

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
    /// Opens the file at `offset`, or at its beginning where the server can't. The second value is
    /// the preliminary reply, where there was one.
    pub(super) async fn open(
        session: &mut Session,
        path: &str,
        offset: u64,
        step: Step,
    ) -> Result<(Self, Option<Reply>), Failure> {
        Self::of(session, &format!("RETR {path}"), offset, step).await
    }

    /// Opens what a command sends, from `offset` on where the server can.
    pub(super) async fn of(
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
                            Ok(reply) if !reply.is_done() => {
                                Err(Failure::new(step, session.transfer_fault(&reply)))
                            }
                            _ => Err(Failure::new(step, lost(&error))),
                        },
                    },
                    reply = session.reply(step), if watch => match reply {
                        Ok(reply) if reply.is_preliminary() => {}
                        // Servers confirm as soon as the last byte is in their socket.
                        Ok(reply) if reply.is_done() => self.confirmed = Some(reply.code),
                        Ok(reply) => {
                            return Err(Failure::new(step, session.transfer_fault(&reply)));
                        }
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
            if let Some(Stream::Tls(stream)) = &mut self.stream {
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
                Ok(reply) => {
                    return Err(Failure::new(self.step, session.transfer_fault(&reply)));
                }
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

fn verb(command: &str) -> &str {
    command.split(' ').next().unwrap_or(command)
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

/// A transfer that has begun.
struct Begun {
    stream: Securing,
    /// What the server said; absent where it says nothing before the end.
    reply: Option<Reply>,
    begins_at: u64,
    /// The code of a reply that has ended the transfer already.
    confirmed: Option<u16>,
}

/// This side's end of a data connection while the command that uses it is sent.
enum DataEnd {
    Here(Securing),
    /// The server connects.
    ToCome(Opening),
}

/// Waits for the server to say that the transfer begins. Where it is silent for a moment, it may
/// wait for the TLS handshake of the data connection to say so: either may come first (RFC 4217
/// section 10), and here neither waits for the other. Not at once, for a command that is refused
/// would use up a ticket of the TLS session that the next data connection has to go on with.
async fn beside<T>(begins: impl Future<Output = T>, end: &mut DataEnd) -> T {
    let mut begins = pin!(begins);
    if let DataEnd::Here(securing @ Securing::Shaking(_)) = end {
        tokio::select! {
            biased;
            begun = &mut begins => return begun,
            () = sleep(SILENT) => {}
        }
        tokio::select! {
            biased;
            begun = &mut begins => return begun,
            () = securing.go_on() => {}
        }
    }
    begins.await
}

/// Opens a data connection and sends the command that uses it.
async fn start(
    session: &mut Session,
    step: Step,
    command: &str,
    offset: u64,
) -> Result<Begun, Failure> {
    let mut refused = None;
    loop {
        let opening = match (passive::open_data(session, step).await, refused.take()) {
            (Ok(opening), _) => opening,
            // It knows the one way alone, and has said what is wrong with it: for now, perhaps.
            (Err(failure), Some(refused)) if passive::is_unknown(&failure) => {
                session.avoids_epsv = false;
                session
                    .quirks
                    .learn(&session.address, |quirks| quirks.no_epsv = false);
                return Err(refused);
            }
            (Err(failure), _) => return Err(failure),
        };
        let way = opening.way;
        session.went_extended = way == Way::Extended;
        // Right before the transfer command (RFC 3659 section 5.3).
        let begins_at = match offset > 0 && restart(session, offset, step).await? {
            true => offset,
            false => 0,
        };
        let mut end = match opening.connected() {
            Ok(stream) => DataEnd::Here(session.securing(stream)),
            Err(opening) => DataEnd::ToCome(opening),
        };
        let reply = match beside(begin(session, step, command), &mut end).await {
            Ok(reply) => reply,
            Err(failure) => {
                let no_data = matches!(failure.fault, Fault::Reply { code: 425, .. });
                let is_first = way == Way::Extended && !session.avoids_epsv;
                if no_data && is_first && session.in_step() && session.peer.is_ipv4() {
                    // What answered at the port was something on the way, perhaps.
                    session.avoids_epsv = true;
                    refused = Some(failure);
                    continue;
                }
                let fault = match no_data {
                    true => way_fault(session, way, failure.fault),
                    false => failure.fault,
                };
                return Err(Failure::new(step, fault));
            }
        };
        let (stream, mut confirmed) = match end {
            DataEnd::Here(securing) => (securing, None),
            DataEnd::ToCome(opening) => {
                let (stream, ended) = opening.arrived(session, step, verb(command)).await?;
                (session.securing(stream), ended)
            }
        };
        if let Some(reply) = reply.as_ref().filter(|reply| reply.code == 226) {
            confirmed = Some(reply.code);
        }
        session
            .quirks
            .learn(&session.address, |quirks| quirks.opens_data = true);
        return Ok(Begun {
            stream,
            reply,
            begins_at,
            confirmed,
        });
    }
}

/// Sends a command that begins a transfer, and waits until the server says that it does. `None`: it
/// is known to say nothing before the end.
async fn begin(session: &mut Session, step: Step, command: &str) -> Result<Option<Reply>, Failure> {
    let is_silent = session.quirks.of(&session.address).no_preliminary;
    let deadline = match is_silent {
        true => SILENT.min(session.timeouts.reply),
        false => session.timeouts.reply,
    };
    match session.command_within(step, command, deadline).await {
        // Some say 200 or 250 in place of 150; with 226 all has been sent that there was.
        Ok(reply) if matches!(reply.kind(), Kind::Begun | Kind::Done) => {
            session.begin_transfer();
            Ok(Some(reply))
        }
        Ok(reply) => Err(Failure::new(step, refused(session, command, &reply))),
        Err(failure) if matches!(failure.fault, Fault::NoReply { .. }) => {
            if is_silent {
                session.goes_on_unanswered();
                return Ok(None);
            }
            session
                .quirks
                .learn(&session.address, |quirks| quirks.no_preliminary = true);
            Err(failure)
        }
        Err(failure) => Err(failure),
    }
}

fn refused(session: &Session, command: &str, reply: &Reply) -> Fault {
    match session.begin_fault(reply) {
        Fault::Reply { code: 550, .. } if verb(command) == "RETR" => reply.fault_of_file(),
        fault => fault,
    }
}

/// Asks the server to begin at `offset`. `Ok(false)`: it sends the file from its beginning.
async fn restart(session: &mut Session, offset: u64, step: Step) -> Result<bool, Failure> {
    if session.quirks.of(&session.address).no_rest {
        return Ok(false);
    }
    let has_none = |session: &Session| {
        session
            .quirks
            .learn(&session.address, |quirks| quirks.no_rest = true);
    };
    match session.command(step, &format!("REST {offset}")).await {
        Ok(reply) if reply.code == 350 => Ok(true),
        Ok(reply) if reply.code == 421 => Err(Failure::new(step, reply.fault())),
        Ok(reply) => {
            // A passing trouble says nothing about the next time.
            if !(400..500).contains(&reply.code) {
                has_none(session);
            }
            Ok(false)
        }
        Err(failure) => {
            if matches!(failure.fault, Fault::NoReply { .. }) {
                has_none(session);
            }
            Err(failure)
        }
    }
}

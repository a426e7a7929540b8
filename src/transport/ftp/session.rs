//! One control connection: commands with a deadline each, and the rule that a session which
//! missed a reply is never used again.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use suppaftp::FtpError;
use suppaftp::types::Response;
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::{Address, Dialect, Failure, Fault, Side, Step, Timeouts};
use crate::transport::Endpoint;

use super::connect::Connected;
use super::meaning::{Meant, fault_of, malformed, meant, no_reply};
use super::quirks::{Quirks, ServerQuirks};
use super::reply::{Kind, Reply, verb};

/// After a data connection broke, the reply that says why is near or will not come.
pub(super) const REASON: Duration = Duration::from_secs(2);
/// How long good manners may take at the end of a session.
const GOODBYE: Duration = Duration::from_millis(500);
/// The rest of a reply whose middle looked like an end is near or will not come.
const REST: Duration = Duration::from_millis(500);

pub(super) struct Session {
    pub(super) control: Connected,
    pub(super) address: Address,
    pub(super) timeouts: Timeouts,
    pub(super) dialect: Dialect,
    pub(super) quirks: ServerQuirks,
    /// The directory that the session is in, where files are named without it.
    pub(super) inside: Option<String>,
    /// What `FEAT` said, once it was asked.
    pub(super) features: Option<Option<String>>,
    pub(super) data: DataWays,
    replies: Replies,
}

/// What data connections of the session have come to so far.
#[derive(Default)]
pub(super) struct DataWays {
    /// `EPSV` was answered, and its connection did not come.
    pub(super) avoids_epsv: bool,
    /// The last data connection was asked for with `EPSV`.
    pub(super) went_extended: bool,
    /// Another address than the peer's that the last answer to `PASV` named.
    pub(super) named: Option<Ipv4Addr>,
}

/// Which replies have come, and which have not.
#[derive(Default)]
struct Replies {
    /// One is missing or made no sense: the next one would be taken for the wrong command.
    desynchronized: bool,
    /// `421`: the server said why it is closing.
    farewell: Option<Fault>,
    /// A transfer has begun, and the reply that ends it has not come.
    transferring: bool,
    /// The code that ended the last transfer, which some servers say twice.
    echo: Option<u16>,
    /// One of which a line in the middle looked like its end, and until when its rest may come.
    unfinished: Option<(Reply, Instant)>,
}

impl Session {
    pub(super) fn new(control: Connected, quirks: &ServerQuirks, endpoint: &Endpoint) -> Self {
        Self {
            control,
            address: endpoint.address.clone(),
            timeouts: endpoint.timeouts,
            dialect: endpoint.dialect.clone(),
            quirks: quirks.clone(),
            inside: None,
            features: None,
            data: DataWays::default(),
            replies: Replies::default(),
        }
    }

    /// What is known of the server by now.
    pub(super) fn known(&self) -> Quirks {
        self.quirks.of(&self.address)
    }

    pub(super) fn learn(&self, lesson: impl FnOnce(&mut Quirks)) {
        self.quirks.learn(&self.address, lesson);
    }

    pub(super) fn is_over_tls(&self) -> bool {
        self.control.tls.is_some()
    }

    /// A command as it is sent: without the directory that the session is in. `None`: it would only
    /// go there again.
    fn line<'a>(&self, command: &'a str) -> Option<Cow<'a, str>> {
        let Some(inside) = &self.inside else {
            return Some(command.into());
        };
        let Some((verb, argument)) = command.split_once(' ') else {
            return Some(command.into());
        };
        if verb == "CWD" && argument == inside {
            return None;
        }
        let (quote, path) = match argument.strip_prefix('"') {
            Some(path) => ("\"", path),
            None => ("", argument),
        };
        let below = match inside.as_str() {
            "/" => path.strip_prefix('/'),
            inside => path
                .strip_prefix(inside)
                .and_then(|rest| rest.strip_prefix('/')),
        };
        Some(match below {
            Some(name) => format!("{verb} {quote}{name}").into(),
            None => command.into(),
        })
    }

    /// Sends a command and reads its reply, whatever it says.
    pub(super) async fn command(&mut self, step: Step, command: &str) -> Result<Reply, Failure> {
        self.command_within(step, command, self.timeouts.reply)
            .await
    }

    /// As [`Self::command`]. `421` says that the session is over, and nothing of the command.
    pub(super) async fn ask(&mut self, step: Step, command: &str) -> Result<Reply, Failure> {
        let reply = self.command(step, command).await?;
        match reply.code {
            421 => Err(Failure::new(step, reply.fault())),
            _ => Ok(reply),
        }
    }

    pub(super) async fn command_within(
        &mut self,
        step: Step,
        command: &str,
        deadline: Duration,
    ) -> Result<Reply, Failure> {
        if !self.in_step() {
            let fault = self
                .replies
                .farewell
                .clone()
                .unwrap_or_else(|| Fault::Lost {
                    side: Side::Control,
                    reason: "an earlier reply is missing".into(),
                });
            return Err(Failure::new(step, fault));
        }
        let Some(line) = self.line(command) else {
            return Ok(Reply::new(250, "it is there already", &self.control.redact));
        };
        let verb = verb(command);
        self.take_unasked(step).await?;
        let until = Instant::now() + deadline;
        let late = || no_reply(verb, deadline);
        // If this future is dropped, a reply is left behind.
        self.replies.desynchronized = true;
        // Expecting nothing makes suppaftp hand over every reply, and read `FEAT` to its end.
        let result = timeout_at(until, self.control.ftp.custom_command(&*line, &[])).await;
        let mut reply = self.outcome(step, result.map_err(|_| late()))?;
        loop {
            if reply.ends_with != reply.code {
                self.begin_unfinished(reply);
                reply = self.reply_until(step, until, late()).await?;
            }
            match meant(verb, reply.code, self.replies.echo) {
                Meant::Answer => return Ok(reply),
                Meant::As(code) => return Ok(Reply { code, ..reply }),
                Meant::ReadOn if self.replies.farewell.is_none() => {
                    reply = self.reply_until(step, until, late()).await?;
                }
                Meant::ReadOn | Meant::Stray => {
                    // It is the reply to something else, and the one to this command is still to
                    // come.
                    self.replies.desynchronized = true;
                    let reply = format!("{reply}, to {verb}");
                    return Err(Failure::new(step, Fault::Malformed { reply }));
                }
            }
        }
    }

    /// What has come without being asked for was about what is over: a transfer that is confirmed
    /// twice, a welcome in pieces.
    async fn take_unasked(&mut self, step: Step) -> Result<(), Failure> {
        while let Some(reply) = self.early_reply(step).await? {
            if !matches!(reply.kind(), Kind::Begun | Kind::Done) {
                self.replies.desynchronized = true;
                return Err(Failure::new(step, reply.fault()));
            }
        }
        Ok(())
    }

    async fn reply_until(
        &mut self,
        step: Step,
        until: Instant,
        fault: Fault,
    ) -> Result<Reply, Failure> {
        self.replies.desynchronized = true;
        let reply = timeout_at(until, self.reply(step)).await;
        reply.unwrap_or_else(|_| {
            self.replies.desynchronized = true;
            Err(Failure::new(step, fault))
        })
    }

    fn begin_unfinished(&mut self, reply: Reply) {
        self.replies.unfinished = Some((reply, Instant::now() + REST));
    }

    /// Sends a command and turns a reply that `accept` does not take into a failure.
    pub(super) async fn expect(
        &mut self,
        step: Step,
        command: &str,
        accept: impl FnOnce(&Reply) -> bool,
    ) -> Result<Reply, Failure> {
        let reply = self.command(step, command).await?;
        if accept(&reply) {
            return Ok(reply);
        }
        Err(Failure::new(step, self.fault(&reply, verb(command))))
    }

    /// Reads a reply that no command of this moment asked for. Safe to cancel: a reply that was
    /// read in part is kept for the next call.
    pub(super) async fn reply(&mut self, step: Step) -> Result<Reply, Failure> {
        loop {
            let Some(until) = self.replies.unfinished.as_ref().map(|(_, until)| *until) else {
                let result = self.control.ftp.read_response_in(&[]).await;
                let reply = self.outcome(step, Ok(result))?;
                if reply.ends_with == reply.code {
                    return Ok(reply);
                }
                self.begin_unfinished(reply);
                continue;
            };
            let more = timeout_at(until, self.control.ftp.read_response_in(&[])).await;
            let Some((begun, _)) = self.replies.unfinished.take() else {
                continue;
            };
            match more {
                // The last line was the end, whatever its code: that is what counts.
                Err(_) => {
                    let code = begun.ends_with;
                    self.replies.desynchronized = code == 421;
                    return Ok(Reply { code, ..begun });
                }
                Ok(result) => {
                    let more = self.outcome(step, Ok(result))?;
                    if more.ends_with == begun.code || more.code == 421 {
                        return Ok(if more.code == 421 { more } else { begun });
                    }
                    self.begin_unfinished(begun);
                }
            }
        }
    }

    /// The reply that ends a transfer, after any number of preliminary ones, with one deadline
    /// for them all; when that passes the cause is `fault`.
    pub(super) async fn final_reply(
        &mut self,
        step: Step,
        deadline: Duration,
        fault: Fault,
    ) -> Result<Reply, Failure> {
        let ended = timeout(deadline, async {
            loop {
                let reply = self.reply(step).await?;
                if !reply.is_preliminary() {
                    return Ok(reply);
                }
            }
        })
        .await;
        ended.unwrap_or_else(|_| {
            self.replies.desynchronized = true;
            Err(Failure::new(step, fault))
        })
    }

    /// A reply that has already arrived.
    pub(super) async fn early_reply(&mut self, step: Step) -> Result<Option<Reply>, Failure> {
        tokio::select! {
            biased;
            reply = self.reply(step) => reply.map(Some),
            // The runtime looks at its sockets before it comes back.
            () = tokio::task::yield_now() => Ok(None),
        }
    }

    fn outcome(
        &mut self,
        step: Step,
        result: Result<Result<Response, FtpError>, Fault>,
    ) -> Result<Reply, Failure> {
        let fault = match result {
            Ok(Ok(response)) | Ok(Err(FtpError::UnexpectedResponse(response))) => {
                self.control.limiter.replied();
                match Reply::from_response(&response, &self.control.redact) {
                    Some(reply) => {
                        // The server is closing (RFC 959 section 5.4).
                        self.replies.desynchronized = reply.code == 421;
                        self.replies.farewell = self.replies.desynchronized.then(|| reply.fault());
                        return Ok(reply);
                    }
                    None => malformed(&response, &self.control.redact),
                }
            }
            Ok(Err(error)) => {
                let tls = match (&error, &self.control.tls) {
                    (FtpError::ConnectionError(error), Some(tls)) => {
                        tls.broken(Side::Control, error)
                    }
                    _ => None,
                };
                tls.unwrap_or_else(|| fault_of(error, &self.control.redact))
            }
            Err(fault) => fault,
        };
        self.replies.desynchronized = true;
        Err(Failure::new(step, fault))
    }

    /// The address that this host has towards the server.
    pub(super) async fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.control.ftp.get_ref().await.local_addr()
    }

    /// Whether the next reply would be that of the next command.
    pub(super) fn in_step(&self) -> bool {
        !self.replies.desynchronized
            && !self.replies.transferring
            && self.replies.unfinished.is_none()
    }

    /// The reply that was waited for in vain is the one of a transfer that goes on without it.
    pub(super) fn goes_on_unanswered(&mut self) {
        self.replies.desynchronized = false;
        self.replies.transferring = true;
    }

    /// A transfer began. Until it ends in good order the session is of no other use: when it is
    /// given up, its reply may come at any time.
    pub(super) fn begin_transfer(&mut self) {
        self.replies.transferring = true;
    }

    /// Whether a transfer began, and nobody knows how it ended.
    pub(super) fn is_transferring(&self) -> bool {
        self.replies.transferring
    }

    /// A transfer ended in good order, with a reply of this code.
    pub(super) fn end_transfer(&mut self, code: u16) {
        self.replies.transferring = false;
        self.replies.echo = Some(code);
    }

    /// Says goodbye where that makes sense. The connection is closed in any case.
    pub(super) async fn close(mut self) {
        if self.in_step() {
            let _ = self.command_within(Step::Discard, "QUIT", GOODBYE).await;
        }
    }
}

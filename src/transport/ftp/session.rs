//! One control connection: commands with a deadline each, and the rule that a session which
//! missed a reply is never used again.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::ExposeSecret;
use suppaftp::FtpError;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::{
    Address, Dialect, Failure, Fault, Login, RemotePath, Scheme, Side, Step, Timeouts, Tls, text,
};
use crate::transport::{Directory, Remote};

use super::advice;
use super::control::{self, Ftp, ReplyLimiter, Way};
use super::redact::Redact;
use super::reply::{Kind, Reply};
use super::stream::{Securing, Stream};
use super::tls::{self, TlsContext};
use super::{ServerQuirks, connect, features};

/// After a data connection broke, the reply that says why is near or will not come.
pub(super) const REASON: Duration = Duration::from_secs(2);
/// How long good manners may take at the end of a session.
const GOODBYE: Duration = Duration::from_millis(500);
/// A server with room for one session says `421` until it has noticed that the last one ended.
const ROOM: Duration = Duration::from_secs(2);
/// Between attempts to open a session meanwhile.
const AGAIN: Duration = Duration::from_millis(200);
/// The rest of a reply whose middle looked like an end is near or will not come.
const REST: Duration = Duration::from_millis(500);

/// The server of a session, and how it is spoken to.
#[derive(Clone, Copy)]
pub(super) struct Whom<'a> {
    address: &'a Address,
    login: &'a Login,
    timeouts: Timeouts,
    tls: &'a Tls,
    dialect: &'a Dialect,
}

impl<'a> From<&'a Remote> for Whom<'a> {
    fn from(remote: &'a Remote) -> Self {
        Self {
            address: &remote.address,
            login: &remote.login,
            timeouts: remote.timeouts,
            tls: &remote.tls,
            dialect: &remote.dialect,
        }
    }
}

impl<'a> From<&'a Directory> for Whom<'a> {
    fn from(directory: &'a Directory) -> Self {
        Self {
            address: &directory.address,
            login: &directory.login,
            timeouts: directory.timeouts,
            tls: &directory.tls,
            dialect: &directory.dialect,
        }
    }
}

pub(super) struct Session {
    ftp: Ftp,
    limiter: ReplyLimiter,
    /// For data connections too; absent in clear text.
    tls: Option<TlsContext>,
    pub(super) address: Address,
    pub(super) peer: SocketAddr,
    pub(super) timeouts: Timeouts,
    pub(super) quirks: ServerQuirks,
    pub(super) dialect: Dialect,
    redact: Redact,
    /// The directory that the session is in, where files are named without it.
    inside: Option<String>,
    /// What `FEAT` said, once it was asked.
    pub(super) features: Option<Option<String>>,
    /// `EPSV` was answered, and its connection did not come.
    pub(super) avoids_epsv: bool,
    /// The last data connection was asked for with `EPSV`.
    pub(super) went_extended: bool,
    /// Another address than the peer's that the last answer to `PASV` named.
    pub(super) named: Option<Ipv4Addr>,
    /// A reply is missing or made no sense: the next one would be taken for the wrong command.
    desynchronized: bool,
    /// `421`: the server said why it is closing.
    farewell: Option<Fault>,
    /// A transfer has begun, and the reply that ends it has not come.
    transferring: bool,
    /// The code that ended the last transfer, which some servers say twice.
    echo: Option<u16>,
    /// A reply of which a line in the middle looked like its end, and until when its rest may come.
    unfinished: Option<(Reply, Instant)>,
}

impl Session {
    /// Connects, logs in, asks for binary transfers, and goes where the file is.
    pub(super) async fn open(quirks: &ServerQuirks, remote: &Remote) -> Result<Self, Failure> {
        let mut session = Self::open_at(quirks, remote.into(), remote.path.as_str()).await?;
        session.go_to(&remote.path).await?;
        Ok(session)
    }

    /// As [`Self::open`], for more than one file. `path` shows what kind of names will be said.
    pub(super) async fn open_at(
        quirks: &ServerQuirks,
        whom: Whom<'_>,
        path: &str,
    ) -> Result<Self, Failure> {
        let until = Instant::now() + ROOM;
        // Some only hang up: a user that was let in before is let in again.
        let hangs_up = |failure: &Failure| {
            failure.step == Step::Connect
                && matches!(failure.fault, Fault::Lost { .. })
                && quirks.has_let_in(whom.address, &whom.login.user)
        };
        loop {
            // The largest part of whatever begins with a session, and soon over: memory of its own.
            match Box::pin(Self::open_once(quirks, whom, path)).await {
                Err(failure)
                    if (hangs_up(&failure)
                        || matches!(
                            failure.fault,
                            Fault::Reply { code: 421, .. } | Fault::Busy { .. }
                        ))
                        && Instant::now() < until =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    async fn open_once(quirks: &ServerQuirks, whom: Whom<'_>, path: &str) -> Result<Self, Failure> {
        let at_connect = |fault| Failure::new(Step::Connect, fault);
        let Whom {
            address,
            login,
            timeouts,
            dialect,
            ..
        } = whom;
        let redact = Redact::of(login, dialect.account.as_ref());
        let limiter = ReplyLimiter::default();
        let connected = connected(quirks, whom, &limiter, &redact).await;
        let Connected { ftp, peer, tls } = connected.map_err(at_connect)?;
        let mut session = Self {
            ftp,
            limiter,
            tls,
            address: address.clone(),
            peer,
            timeouts,
            quirks: quirks.clone(),
            dialect: dialect.clone(),
            redact,
            inside: None,
            features: None,
            avoids_epsv: false,
            went_extended: false,
            named: None,
            desynchronized: false,
            farewell: None,
            transferring: false,
            echo: None,
            unfinished: None,
        };
        let late = quirks.of(address).protects_late;
        let is_protected = match session.tls {
            Some(_) if !late => session.protect_data(false).await?,
            _ => false,
        };
        session.log_in(login).await?;
        if session.tls.is_some() && !is_protected {
            session.protect_data(true).await?;
            quirks.learn(address, |quirks| quirks.protects_late = true);
        }
        session.ask_for_binary().await?;
        if !path.is_ascii() {
            session.ask_for_utf8().await?;
        }
        Ok(session)
    }

    /// With TLS from the first byte on too, data connections are in clear text unless this is said
    /// (RFC 4217 sections 8 and 9). `Ok(false)`: the server may take it once somebody is logged in.
    async fn protect_data(&mut self, is_logged_in: bool) -> Result<bool, Failure> {
        for command in ["PBSZ 0", "PROT P"] {
            let reply = self.command(Step::Connect, command).await?;
            match reply.kind() {
                Kind::Done => continue,
                // A buffer size of 0 is the only one over TLS: a server that knows no other may know no
                // command for it.
                Kind::NotKnown if command == "PBSZ 0" => continue,
                Kind::ForNow => return Err(Failure::new(Step::Connect, reply.fault())),
                // Refused for what they are (RFC 2228 section 5), not for when they come.
                _ if !is_logged_in && !matches!(reply.code, 534 | 536) => return Ok(false),
                _ => {
                    let fault = Fault::TlsRefused {
                        command: command.into(),
                        reply: reply.to_string(),
                    };
                    return Err(Failure::new(Step::Connect, fault));
                }
            }
        }
        Ok(true)
    }

    /// `USER`, `PASS` and `ACCT`, as far as the server asks for them (RFC 959 section 5.4). The log
    /// of suppaftp, which would show them, is cut off above such lines.
    async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let step = Step::Login;
        let account = self.dialect.account.clone();
        let mut gives_account = account.is_some();
        let mut reply = self.command(step, &format!("USER {}", login.user)).await?;
        if reply.kind() == Kind::GoOn && reply.code != 332 {
            let command = format!("PASS {}", login.password.expose_secret());
            reply = self.command(step, &command).await?;
        }
        if let Some(account) = account.as_ref().filter(|_| reply.code == 332) {
            gives_account = false;
            let command = format!("ACCT {}", account.expose());
            reply = self.command(step, &command).await?;
        }
        if reply.kind() != Kind::Done {
            return Err(Failure::new(step, self.login_fault(&reply, login)));
        }
        if let Some(account) = account.filter(|_| gives_account) {
            // Not asked for at once, perhaps when a file is to be stored. Who does not know it does
            // without.
            let command = format!("ACCT {}", account.expose());
            let reply = self.command(step, &command).await?;
            if reply.code == 421 {
                return Err(Failure::new(step, reply.fault()));
            }
        }
        self.quirks.let_in(&self.address, &login.user);
        Ok(())
    }

    /// What a login that is refused means: a server may say the same for a wrong password and for
    /// one session too many.
    fn login_fault(&self, reply: &Reply, login: &Login) -> Fault {
        let is_refused = matches!(reply.kind(), Kind::ForNow | Kind::ForGood | Kind::NotKnown);
        let worked = || self.quirks.has_let_in(&self.address, &login.user);
        if is_refused && reply.code != 421 && (reply.tells_limit() || worked()) {
            return busy(reply);
        }
        self.fault(reply, "the login")
    }

    /// The default is ASCII, which mangles line ends (RFC 959 section 3.1.1.1). A server that does
    /// not know the command has one type, and size or digest tell which.
    async fn ask_for_binary(&mut self) -> Result<(), Failure> {
        let reply = self.command(Step::Prepare, "TYPE I").await?;
        let only_text = ["ascii", "text"];
        let text = reply.raw.to_ascii_lowercase();
        match reply.kind() {
            Kind::Done => Ok(()),
            Kind::NotKnown if !only_text.iter().any(|word| text.contains(word)) => Ok(()),
            _ => Err(Failure::new(Step::Prepare, self.fault(&reply, "TYPE"))),
        }
    }

    /// Some servers take names for another encoding until they are asked for UTF-8 (RFC 2640, and `OPTS UTF8`
    /// as it came to be).
    async fn ask_for_utf8(&mut self) -> Result<(), Failure> {
        let features = features::features(self).await?;
        let lists = |line: &str| line.trim().eq_ignore_ascii_case("UTF8");
        if features.is_some_and(|features| features.lines().any(lists)) {
            let reply = self.command(Step::Prepare, "OPTS UTF8 ON").await?;
            if reply.code == 421 {
                return Err(Failure::new(Step::Prepare, reply.fault()));
            }
        }
        Ok(())
    }

    /// Enters the directory of a file, where the server takes bare names only.
    async fn go_to(&mut self, path: &RemotePath) -> Result<(), Failure> {
        let Some((directory, _)) = path.as_str().rsplit_once('/').filter(|_| self.dialect.cwd)
        else {
            return Ok(());
        };
        let directory = if directory.is_empty() { "/" } else { directory };
        let reply = self
            .command(Step::Prepare, &format!("CWD {directory}"))
            .await?;
        match reply.kind() {
            Kind::Done => {
                self.inside = Some(directory.to_owned());
                Ok(())
            }
            Kind::ForGood => {
                let fault = Fault::NoDirectory {
                    directory: directory.to_owned(),
                    reply: reply.to_string(),
                };
                Err(Failure::new(Step::Prepare, fault))
            }
            _ => Err(Failure::new(Step::Prepare, self.fault(&reply, "CWD"))),
        }
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

    /// Makes a data connection what the session's transfers go over.
    pub(super) fn securing(&self, stream: TcpStream) -> Securing {
        match &self.tls {
            Some(tls) => Securing::over(tls.clone(), stream),
            None => Securing::Done(Ok(Stream::Plain(stream))),
        }
    }

    /// What a data connection has become, once the server has said that the transfer begins.
    pub(super) async fn secured(
        &mut self,
        mut securing: Securing,
        step: Step,
    ) -> Result<Stream, Failure> {
        let limit = self.timeouts.reply;
        let fault = match timeout(limit, securing.go_on()).await {
            Ok(()) => match securing {
                Securing::Done(Ok(stream)) => return Ok(stream),
                Securing::Done(Err(fault)) => fault,
                Securing::Shaking(_) => tls::late(Side::Data, limit),
            },
            Err(_) => tls::late(Side::Data, limit),
        };
        let ours = matches!(fault, Fault::TlsCertificate { .. });
        if !ours
            && let Ok(reply) = self.final_reply(step, REASON, fault.clone()).await
            && !reply.is_done()
        {
            return Err(Failure::new(step, self.transfer_fault(&reply)));
        }
        Err(Failure::new(step, fault))
    }

    /// What a reply that ends a transfer badly says.
    pub(super) fn transfer_fault(&self, reply: &Reply) -> Fault {
        if reply.is_done() {
            return self.fault(reply, "the transfer");
        }
        if reply.code == 425 && self.went_extended && self.peer.is_ipv4() {
            // Something on the way may know the other command alone: the next one tries it.
            self.quirks
                .learn(&self.address, |quirks| quirks.no_epsv = true);
        }
        match tls::transfer_fault(reply, self.tls.is_some()) {
            Fault::Reply { .. } => self.fault(reply, "the transfer"),
            fault => fault,
        }
    }

    /// What a reply means that was not taken: in the server's own words, and with the setting that
    /// it waits for where they show one. What reads like a success makes no sense in its place.
    pub(super) fn fault(&self, reply: &Reply, to: &str) -> Fault {
        if matches!(reply.kind(), Kind::Begun | Kind::Done)
            || reply.kind() == Kind::GoOn && reply.code != 332
        {
            let reply = format!("{reply}, to {to}");
            return Fault::Malformed { reply };
        }
        match advice::about(reply, &self.dialect, self.tls.is_some()) {
            Some(advice) => Fault::Wants {
                code: reply.code,
                text: reply.shown.clone(),
                advice,
            },
            None => reply.fault(),
        }
    }

    /// What a refusal of the command that begins a transfer means: of the file, unless it says that
    /// it is about the data connection.
    pub(super) fn begin_fault(&self, reply: &Reply) -> Fault {
        match self.transfer_fault(reply) {
            Fault::Reply { code, .. } if code >= 500 && reply.tells_no_data_connection() => {
                busy(reply)
            }
            fault => fault,
        }
    }

    /// What a refusal means that came while a data connection was to be opened, after a good login:
    /// the server may have more ports a moment later.
    pub(super) fn data_fault(&self, reply: &Reply, to: &str) -> Fault {
        let known = self.quirks.of(&self.address).opens_data;
        match reply.kind() {
            // Another protocol than that of this network (RFC 2428 section 2).
            Kind::ForGood if reply.code == 522 => self.fault(reply, to),
            Kind::ForGood => busy(reply),
            Kind::ForNow if reply.code == 500 => busy(reply),
            Kind::NotKnown if known || reply.tells_no_data_connection() || reply.tells_limit() => {
                busy(reply)
            }
            _ => self.fault(reply, to),
        }
    }

    /// Sends a command and reads its reply, whatever it says.
    pub(super) async fn command(&mut self, step: Step, command: &str) -> Result<Reply, Failure> {
        self.command_within(step, command, self.timeouts.reply)
            .await
    }

    pub(super) async fn command_within(
        &mut self,
        step: Step,
        command: &str,
        deadline: Duration,
    ) -> Result<Reply, Failure> {
        if !self.in_step() {
            let fault = self.farewell.clone().unwrap_or_else(|| Fault::Lost {
                side: Side::Control,
                reason: "an earlier reply is missing".into(),
            });
            return Err(Failure::new(step, fault));
        }
        let Some(line) = self.line(command) else {
            return Ok(Reply::new(250, "it is there already", &self.redact));
        };
        let verb = command.split(' ').next().unwrap_or(command);
        self.take_unasked(step).await?;
        let until = Instant::now() + deadline;
        let late = || no_reply(verb, deadline);
        // Whoever drops this future leaves a reply behind.
        self.desynchronized = true;
        // Expecting nothing makes suppaftp hand over every reply, and read `FEAT` to its end.
        let result = timeout_at(until, self.ftp.custom_command(&*line, &[])).await;
        let mut reply = self.outcome(step, result.map_err(|_| late()))?;
        loop {
            if reply.ends_with != reply.code {
                self.begin_unfinished(reply);
                reply = self.reply_until(step, until, late()).await?;
            }
            match meant(verb, reply.code, self.echo) {
                Meant::Answer => return Ok(reply),
                Meant::As(code) => return Ok(Reply { code, ..reply }),
                Meant::ReadOn if self.farewell.is_none() => {
                    reply = self.reply_until(step, until, late()).await?;
                }
                Meant::ReadOn | Meant::Stray => {
                    // It is the reply to something else, and the one to this command is still to
                    // come.
                    self.desynchronized = true;
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
                self.desynchronized = true;
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
        self.desynchronized = true;
        let reply = timeout_at(until, self.reply(step)).await;
        reply.unwrap_or_else(|_| {
            self.desynchronized = true;
            Err(Failure::new(step, fault))
        })
    }

    fn begin_unfinished(&mut self, reply: Reply) {
        self.unfinished = Some((reply, Instant::now() + REST));
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
        let verb = command.split(' ').next().unwrap_or(command);
        Err(Failure::new(step, self.fault(&reply, verb)))
    }

    /// Reads a reply that no command of this moment asked for. Safe to cancel: a reply that was
    /// read in part is kept for the next call.
    pub(super) async fn reply(&mut self, step: Step) -> Result<Reply, Failure> {
        loop {
            let Some(until) = self.unfinished.as_ref().map(|(_, until)| *until) else {
                let result = self.ftp.read_response_in(&[]).await;
                let reply = self.outcome(step, Ok(result))?;
                if reply.ends_with == reply.code {
                    return Ok(reply);
                }
                self.begin_unfinished(reply);
                continue;
            };
            let more = timeout_at(until, self.ftp.read_response_in(&[])).await;
            let Some((begun, _)) = self.unfinished.take() else {
                continue;
            };
            match more {
                // The last line was the end, whatever its code: that is what counts.
                Err(_) => {
                    let code = begun.ends_with;
                    self.desynchronized = code == 421;
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
            self.desynchronized = true;
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
        result: Result<Result<suppaftp::types::Response, FtpError>, Fault>,
    ) -> Result<Reply, Failure> {
        let fault = match result {
            Ok(Ok(response)) | Ok(Err(FtpError::UnexpectedResponse(response))) => {
                self.limiter.replied();
                match Reply::from_response(&response, &self.redact) {
                    Some(reply) => {
                        // The server is closing (RFC 959 section 5.4).
                        self.desynchronized = reply.code == 421;
                        self.farewell = self.desynchronized.then(|| reply.fault());
                        return Ok(reply);
                    }
                    None => malformed(&response, &self.redact),
                }
            }
            Ok(Err(error)) => {
                let tls = match (&error, &self.tls) {
                    (FtpError::ConnectionError(error), Some(tls)) => {
                        tls.broken(Side::Control, error)
                    }
                    _ => None,
                };
                tls.unwrap_or_else(|| fault_of(error, &self.redact))
            }
            Err(fault) => fault,
        };
        self.desynchronized = true;
        Err(Failure::new(step, fault))
    }

    /// The address that this host has towards the server.
    pub(super) async fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.ftp.get_ref().await.local_addr()
    }

    /// Whether the next reply would be that of the next command.
    pub(super) fn in_step(&self) -> bool {
        !self.desynchronized && !self.transferring && self.unfinished.is_none()
    }

    /// The reply that was waited for in vain is the one of a transfer that goes on without it.
    pub(super) fn goes_on_unanswered(&mut self) {
        self.desynchronized = false;
        self.transferring = true;
    }

    /// A transfer began. Until it ends in good order the session is of no other use: when it is
    /// given up, its reply may come at any time.
    pub(super) fn begin_transfer(&mut self) {
        self.transferring = true;
    }

    /// Whether a transfer began, and nobody knows how it ended.
    pub(super) fn is_transferring(&self) -> bool {
        self.transferring
    }

    /// A transfer ended in good order, with a reply of this code.
    pub(super) fn end_transfer(&mut self, code: u16) {
        self.transferring = false;
        self.echo = Some(code);
    }

    /// Says goodbye where that makes sense. The connection is closed in any case.
    pub(super) async fn close(mut self) {
        if self.in_step() {
            let _ = self.command_within(Step::Discard, "QUIT", GOODBYE).await;
        }
    }
}

/// A control connection that has been greeted, and is as safe as the address asks for.
struct Connected {
    ftp: Ftp,
    peer: SocketAddr,
    tls: Option<TlsContext>,
}

/// Connects to the first of the host's addresses that answers.
async fn connected(
    quirks: &ServerQuirks,
    whom: Whom<'_>,
    limiter: &ReplyLimiter,
    redact: &Redact,
) -> Result<Connected, Fault> {
    let limit = whom.timeouts.connect;
    let until = Instant::now() + limit;
    let resolved = timeout(limit, connect::resolve(whom.address)).await;
    let targets = resolved.map_err(|_| connect_timeout(whom))??;
    connected_to(&targets, until, quirks, whom, limiter, redact).await
}

fn connect_timeout(whom: Whom<'_>) -> Fault {
    Fault::ConnectTimeout {
        address: whom.address.to_string(),
        after: whom.timeouts.connect,
    }
}

/// As [`connected`], until a moment. Each address has an equal part of the time that is left: one
/// that is silent does not use up that of the others.
async fn connected_to(
    targets: &[SocketAddr],
    until: Instant,
    quirks: &ServerQuirks,
    whom: Whom<'_>,
    limiter: &ReplyLimiter,
    redact: &Redact,
) -> Result<Connected, Fault> {
    let address = whom.address;
    let mut last = connect::no_address(address);
    for (place, peer) in targets.iter().copied().enumerate() {
        let left = u32::try_from(targets.len() - place).unwrap_or(u32::MAX);
        let deadline = until.saturating_duration_since(Instant::now()) / left;
        let tls = match address.scheme {
            Scheme::Ftp => None,
            Scheme::FtpsExplicit | Scheme::FtpsImplicit => {
                let authorities = &quirks.authorities;
                Some(TlsContext::new(authorities, whom.tls, &address.host, peer.ip()).await?)
            }
        };
        let way = match (&tls, address.scheme) {
            (Some(context), Scheme::FtpsExplicit) => Way::Explicit(context.clone()),
            (Some(context), _) => Way::Implicit(context.clone()),
            (None, _) => Way::Clear,
        };
        let words = |error| fault_of(error, redact);
        let opened = control::open(peer, way, whom.timeouts, deadline, limiter, redact, words);
        match opened.await {
            Ok(ftp) => {
                limiter.replied();
                return Ok(Connected { ftp, peer, tls });
            }
            Err(Fault::ConnectTimeout { .. }) => last = connect_timeout(whom),
            Err(fault @ (Fault::Refused { .. } | Fault::Unreachable { .. })) => last = fault,
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

fn busy(reply: &Reply) -> Fault {
    Fault::Busy {
        code: reply.code,
        text: reply.shown.clone(),
    }
}

/// What a reply that comes after a command is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    Answer,
    /// The answer, in other words than most servers': those of this code.
    As(u16),
    /// Something before it, or about what is over.
    ReadOn,
    /// A reply too many or too few has come.
    Stray,
}

/// Refusals can be meant for any command. Of the others, those that belong to another command show
/// that a reply too many has come; `echo` is the one that ended the last transfer.
fn meant(verb: &str, code: u16, echo: Option<u16>) -> Meant {
    use Meant::{Answer, As, ReadOn, Stray};
    let is_transfer = matches!(verb, "STOR" | "RETR" | "MLSD" | "LIST" | "NLST");
    let is_login = matches!(verb, "USER" | "PASS" | "ACCT");
    // Commands whose answer is another one, however it is worded.
    let tells = matches!(
        verb,
        "SIZE" | "MDTM" | "FEAT" | "EPSV" | "PASV" | "REST" | "TYPE"
    );
    let answer = |is_answer: bool| if is_answer { Answer } else { Stray };
    match code {
        100..200 if is_transfer => Answer,
        // More is to come, also where most servers have nothing to say before the end.
        100..200 => ReadOn,
        221 => answer(verb == "QUIT"),
        227 => answer(verb == "PASV"),
        229 => answer(verb == "EPSV"),
        230 | 232 => answer(is_login),
        225 | 226 if echo.is_some() => ReadOn,
        226 => answer(is_transfer),
        250 if echo == Some(250) && tells => ReadOn,
        220 | 225 => Stray,
        200 | 250 if is_transfer => Answer,
        200 | 250 if verb == "RNFR" => As(350),
        200..300 => answer(!is_transfer),
        331 | 332 if is_login => Answer,
        350 => answer(matches!(verb, "RNFR" | "REST")),
        _ => answer((400..600).contains(&code)),
    }
}

fn no_reply(command: &str, after: Duration) -> Fault {
    Fault::NoReply {
        command: command.into(),
        after,
    }
}

fn lost(error: &std::io::Error) -> Fault {
    Fault::Lost {
        side: Side::Control,
        reason: error.to_string(),
    }
}

fn malformed(response: &suppaftp::types::Response, redact: &Redact) -> Fault {
    Fault::Malformed {
        reply: text::shown(&redact.hide(&String::from_utf8_lossy(&response.body))),
    }
}

/// What suppaftp says, in our words.
fn fault_of(error: FtpError, redact: &Redact) -> Fault {
    match error {
        // In place of a greeting, or of the agreement to TLS.
        FtpError::UnexpectedResponse(response) => match Reply::from_response(&response, redact) {
            Some(reply) if reply.code != 421 && reply.tells_limit() => busy(&reply),
            Some(reply) => reply.fault(),
            None => malformed(&response, redact),
        },
        FtpError::ConnectionError(error) => match error.kind() {
            std::io::ErrorKind::InvalidInput => Fault::Local(error.to_string()),
            std::io::ErrorKind::InvalidData => Fault::Malformed {
                reply: redact.hide(&error.to_string()),
            },
            std::io::ErrorKind::UnexpectedEof => Fault::Lost {
                side: Side::Control,
                reason: "the server closed it".into(),
            },
            _ => lost(&error),
        },
        FtpError::BadResponse => Fault::Malformed {
            reply: "it has no code".into(),
        },
        other => Fault::Local(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    /// A host that lets nobody in and does not say so, like one whose address is out of date: its
    /// queue of connections is full.
    #[cfg(target_os = "linux")]
    async fn silent() -> (Socket, Vec<TcpStream>) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let target = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        let connect = || timeout(Duration::from_millis(300), TcpStream::connect(target));
        while let Ok(connected) = connect().await {
            queue.push(connected.unwrap());
        }
        (listener, queue)
    }

    /// A name with an IPv6 address that nobody answers at is no reason not to reach its IPv4 one.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_is_silent_leaves_time_for_the_next() {
        let (silent, _queue) = silent().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let targets = [silent.local_addr().unwrap().as_socket().unwrap(), good];
        let address = Address {
            scheme: Scheme::Ftp,
            host: "device".into(),
            port: good.port(),
        };
        let timeouts = Timeouts {
            connect: Duration::from_secs(4),
            ..Timeouts::default()
        };
        let (quirks, tls, limiter) = (
            ServerQuirks::default(),
            Tls::default(),
            ReplyLimiter::default(),
        );
        let (login, dialect) = (Login::anonymous(), Dialect::default());
        let redact = Redact::of(&login, None);
        let until = Instant::now() + timeouts.connect;
        let whom = Whom {
            address: &address,
            login: &login,
            timeouts,
            tls: &tls,
            dialect: &dialect,
        };
        let connecting = connected_to(&targets, until, &quirks, whom, &limiter, &redact);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 here\r\n").await.unwrap();
            stream
        };
        let both = async { tokio::join!(connecting, serving) };
        let (connected, _server) = timeout(Duration::from_secs(20), both).await.unwrap();
        assert_eq!(connected.map(|one| one.peer).unwrap(), good);
        // On a host that answers at once even no time at all is enough.
        assert!(Instant::now() < until, "the first one had all of the time");
    }
}

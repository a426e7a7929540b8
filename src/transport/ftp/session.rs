//! One control connection: commands with a deadline each, and the rule that a session which
//! missed a reply is never used again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use suppaftp::FtpError;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::{Address, Failure, Fault, Login, Scheme, Side, Step, Timeouts, Tls, text};
use crate::transport::Remote;

use super::control::{self, Ftp, Talk};
use super::redact::Redact;
use super::reply::Reply;
use super::stream::Stream;
use super::tls::{self, TlsContext};
use super::{Memory, connect};

/// After a data connection broke, the reply that says why is near or will not come.
pub(super) const REASON: Duration = Duration::from_secs(2);
/// How long good manners may take at the end of a session.
const GOODBYE: Duration = Duration::from_millis(500);
/// A server with room for one session says `421` until it has noticed that the last one ended.
const ROOM: Duration = Duration::from_secs(2);
/// Between attempts to open a session meanwhile.
const AGAIN: Duration = Duration::from_millis(200);

pub(super) struct Session {
    ftp: Ftp,
    talk: Talk,
    /// For data connections too; absent in clear text.
    tls: Option<TlsContext>,
    pub(super) address: Address,
    pub(super) peer: SocketAddr,
    pub(super) timeouts: Timeouts,
    pub(super) memory: Memory,
    redact: Redact,
    /// A reply is missing or made no sense: the next one would be taken for the wrong command.
    out_of_step: bool,
    /// `421`: the server said why it is closing.
    farewell: Option<Fault>,
    /// A transfer has begun, and the reply that ends it has not come.
    transferring: bool,
}

impl Session {
    /// Connects, logs in and asks for binary transfers.
    pub(super) async fn open(memory: &Memory, remote: &Remote) -> Result<Self, Failure> {
        let Remote {
            address,
            login,
            timeouts,
            tls,
            ..
        } = remote;
        Self::open_at(memory, address, login, *timeouts, tls).await
    }

    /// As [`Self::open`], for more than one file.
    pub(super) async fn open_at(
        memory: &Memory,
        address: &Address,
        login: &Login,
        timeouts: Timeouts,
        tls: &Tls,
    ) -> Result<Self, Failure> {
        let until = Instant::now() + ROOM;
        loop {
            // The largest part of whatever begins with a session, and soon over: memory of its own.
            match Box::pin(Self::open_once(memory, address, login, timeouts, tls)).await {
                Err(failure)
                    if matches!(failure.fault, Fault::Reply { code: 421, .. })
                        && Instant::now() < until =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    async fn open_once(
        memory: &Memory,
        address: &Address,
        login: &Login,
        timeouts: Timeouts,
        tls: &Tls,
    ) -> Result<Self, Failure> {
        let at_connect = |fault| Failure::new(Step::Connect, fault);
        let redact = Redact::of(login);
        let talk = Talk::default();
        let connected = connected(memory, address, timeouts, tls, &talk, &redact).await;
        let Connected { ftp, peer, tls } = connected.map_err(at_connect)?;
        let mut session = Self {
            ftp,
            talk,
            tls,
            address: address.clone(),
            peer,
            timeouts,
            memory: memory.clone(),
            redact,
            out_of_step: false,
            farewell: None,
            transferring: false,
        };
        if address.scheme == Scheme::FtpsImplicit {
            session.protect_data().await?;
        }
        session.log_in(login).await?;
        // The default is ASCII, which mangles line ends (RFC 959 section 3.1.1.1).
        session
            .expect(Step::Prepare, "TYPE I", Reply::is_done)
            .await?;
        Ok(session)
    }

    /// With implicit TLS too, data connections are in clear text unless this is said (RFC 4217
    /// section 9).
    async fn protect_data(&mut self) -> Result<(), Failure> {
        for command in ["PBSZ 0", "PROT P"] {
            let reply = self.command(Step::Connect, command).await?;
            if reply.code == 421 {
                return Err(Failure::new(Step::Connect, reply.fault()));
            }
            if !reply.is_done() {
                let fault = Fault::TlsRefused {
                    command: command.into(),
                    reply: reply.to_string(),
                };
                return Err(Failure::new(Step::Connect, fault));
            }
        }
        Ok(())
    }

    /// Makes a data connection what the session's transfers go over, once the server has said that
    /// the transfer begins.
    pub(super) async fn protect(
        &mut self,
        stream: TcpStream,
        step: Step,
    ) -> Result<Stream, Failure> {
        let Some(tls) = &self.tls else {
            return Ok(Stream::Plain(stream));
        };
        let fault = match tls.connect(stream, Side::Data, self.timeouts.reply).await {
            Ok(stream) => return Ok(Stream::Tls(Box::new(stream))),
            Err(fault) => fault,
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
        tls::transfer_fault(reply, self.tls.is_some())
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        // Not a custom command: suppaftp writes those to its log, and this one holds the password.
        let attempt = self
            .ftp
            .login(login.user.as_str(), login.password.expose_secret());
        let fault = match timeout(self.timeouts.reply.saturating_mul(2), attempt).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => fault_of(error, &self.redact),
            Err(_) => no_reply("USER and PASS", self.timeouts.reply.saturating_mul(2)),
        };
        Err(Failure::new(Step::Login, fault))
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
        // Whoever drops this future leaves a reply behind.
        self.out_of_step = true;
        // Expecting nothing makes suppaftp hand over every reply, and read `FEAT` to its end.
        let result = timeout(deadline, self.ftp.custom_command(command, &[])).await;
        let verb = command.split(' ').next().unwrap_or(command);
        let reply = self.outcome(step, result.map_err(|_| no_reply(verb, deadline)))?;
        if !answers(verb, reply.code) {
            // It is the reply to something else, and the one to this command is still to come.
            self.out_of_step = true;
            let reply = format!("{reply}, to {verb}");
            return Err(Failure::new(step, Fault::Malformed { reply }));
        }
        Ok(reply)
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
            Ok(reply)
        } else {
            Err(Failure::new(step, reply.fault()))
        }
    }

    /// Reads a reply that no command of this moment asked for. Safe to cancel: a reply that was
    /// read in part is kept for the next call.
    pub(super) async fn reply(&mut self, step: Step) -> Result<Reply, Failure> {
        let result = self.ftp.read_response_in(&[]).await;
        self.outcome(step, Ok(result))
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
            self.out_of_step = true;
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
                self.talk.replied();
                match Reply::from_response(&response, &self.redact) {
                    Some(reply) => {
                        // The server is closing (RFC 959 section 5.4).
                        self.out_of_step = reply.code == 421;
                        self.farewell = self.out_of_step.then(|| reply.fault());
                        return Ok(reply);
                    }
                    None => malformed(&response, &self.redact),
                }
            }
            Ok(Err(error)) => fault_of(error, &self.redact),
            Err(fault) => fault,
        };
        self.out_of_step = true;
        Err(Failure::new(step, fault))
    }

    /// Whether the next reply would be that of the next command.
    pub(super) fn in_step(&self) -> bool {
        !self.out_of_step && !self.transferring
    }

    /// A transfer began. Until it ends in good order the session is of no other use: when it is
    /// given up, its reply may come at any time.
    pub(super) fn begin_transfer(&mut self) {
        self.transferring = true;
    }

    pub(super) fn end_transfer(&mut self) {
        self.transferring = false;
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
    memory: &Memory,
    address: &Address,
    timeouts: Timeouts,
    tls: &Tls,
    talk: &Talk,
    redact: &Redact,
) -> Result<Connected, Fault> {
    let until = Instant::now() + timeouts.connect;
    let resolved = timeout(timeouts.connect, connect::resolve(address)).await;
    let targets = resolved.map_err(|_| connect_timeout(address, timeouts))??;
    connected_to(
        &targets, until, memory, address, timeouts, tls, talk, redact,
    )
    .await
}

fn connect_timeout(address: &Address, timeouts: Timeouts) -> Fault {
    Fault::ConnectTimeout {
        address: address.to_string(),
        after: timeouts.connect,
    }
}

/// As [`connected`], until a moment. Each address has an equal part of the time that is left: one
/// that is silent does not use up that of the others.
#[expect(clippy::too_many_arguments, reason = "those of `connected`, and two")]
async fn connected_to(
    targets: &[SocketAddr],
    until: Instant,
    memory: &Memory,
    address: &Address,
    timeouts: Timeouts,
    tls: &Tls,
    talk: &Talk,
    redact: &Redact,
) -> Result<Connected, Fault> {
    let mut last = connect::no_address(address);
    for (place, peer) in targets.iter().copied().enumerate() {
        let left = u32::try_from(targets.len() - place).unwrap_or(u32::MAX);
        let deadline = until.saturating_duration_since(Instant::now()) / left;
        let context = || TlsContext::new(&memory.authorities, tls, &address.host, peer.ip());
        let implicit = match address.scheme {
            Scheme::FtpsImplicit => Some(context().await?),
            Scheme::Ftp | Scheme::FtpsExplicit => None,
        };
        let words = |error| fault_of(error, redact);
        let opened = control::open(peer, implicit.as_ref(), timeouts, deadline, talk, words).await;
        let ftp = match opened {
            Ok(ftp) => ftp,
            Err(Fault::ConnectTimeout { .. }) => {
                last = connect_timeout(address, timeouts);
                continue;
            }
            Err(fault @ (Fault::Refused { .. } | Fault::Unreachable { .. })) => {
                last = fault;
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if address.scheme != Scheme::FtpsExplicit {
            let tls = implicit;
            return Ok(Connected { ftp, peer, tls });
        }
        talk.replied();
        let context = context().await?;
        let ftp = control::secure(ftp, &context, timeouts, talk, redact, words).await?;
        let tls = Some(context);
        return Ok(Connected { ftp, peer, tls });
    }
    Err(last)
}

/// Whether a reply can be meant for this command. Refusals always can; of the others, those that
/// belong to another command show that a reply too many has come.
fn answers(verb: &str, code: u16) -> bool {
    let is_transfer = matches!(verb, "STOR" | "RETR" | "MLSD" | "LIST" | "NLST");
    match code {
        100..200 => is_transfer,
        221 => verb == "QUIT",
        227 => verb == "PASV",
        229 => verb == "EPSV",
        220 | 225 | 226 | 230 => false,
        200..300 => !is_transfer,
        350 => matches!(verb, "RNFR" | "REST"),
        _ => (400..600).contains(&code),
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
        FtpError::UnexpectedResponse(response) => match Reply::from_response(&response, redact) {
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
        let (memory, tls, talk) = (Memory::default(), Tls::default(), Talk::default());
        let redact = Redact::of(&Login::anonymous());
        let until = Instant::now() + timeouts.connect;
        let connecting = connected_to(
            &targets, until, &memory, &address, timeouts, &tls, &talk, &redact,
        );
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

//! From the TCP connection to the greeting, over TLS where it is asked for: a connector of ours
//! behind suppaftp's trait, because only ours keeps a handshake's cause and has a deadline.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use suppaftp::tokio::AsyncTlsConnector;
use suppaftp::{FtpError, FtpResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::model::{Fault, Side, Timeouts, text};
use crate::transport::tcp;
use crate::transport::tls::TlsContext;

use super::control::{Control, Ftp, ReplyLimiter, invalid, without_end};
use super::meaning::{fault_of, lost};
use super::redact::Redact;
use super::reply::{Kind, Reply};
use super::stream::Stream;

/// How far a [`Connector`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Waiting,
    /// There is a TCP connection whose other end is about to begin with TLS, or with its greeting.
    Connected,
    /// TLS, where it is asked for, and the first of the greeting, where one follows.
    Ready,
}

/// How a server comes to speak TLS, if at all.
#[derive(Clone)]
pub(super) enum Way {
    Clear,
    /// From the first byte on. (suppaftp calls that deprecated, and devices have it.)
    Implicit(TlsContext),
    /// In clear text up to the answer to `AUTH TLS` (RFC 4217 section 4).
    Explicit(TlsContext),
}

struct Connector {
    way: Way,
    timeouts: Timeouts,
    limiter: ReplyLimiter,
    redact: Redact,
    progress: watch::Sender<Progress>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

#[async_trait::async_trait]
impl AsyncTlsConnector for Connector {
    type Stream = Control;

    async fn connect(&self, _: &str, stream: TcpStream) -> FtpResult<Control> {
        self.progress.send_replace(Progress::Connected);
        tcp::prepare(&stream).map_err(FtpError::ConnectionError)?;
        match self.ready(stream).await {
            Ok(control) => {
                self.progress.send_replace(Progress::Ready);
                Ok(control)
            }
            Err(fault) => {
                let words = fault.to_string();
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                Err(FtpError::SecureError(words))
            }
        }
    }
}

impl Connector {
    /// All that comes before the session: the greeting's first bytes, or all of it, and the
    /// handshake. suppaftp would not let anybody choose when `PBSZ` and `PROT` are said.
    async fn ready(&self, stream: TcpStream) -> Result<Control, Fault> {
        let reply = self.timeouts.reply;
        let limiter = self.limiter.clone();
        let control = |stream, unread| Control {
            stream,
            unread,
            limiter,
        };
        match &self.way {
            Way::Clear => {
                let mut stream = Stream::Plain(stream);
                let code = self.greeted(&mut stream, lost).await?;
                Ok(control(stream, code.to_vec()))
            }
            Way::Implicit(context) => {
                let secured = context.connect(stream, Side::Control, reply).await?;
                let mut stream = Stream::Tls(Box::new(secured));
                let broken = |error: &io::Error| {
                    (context.refusal(Side::Control, error)).unwrap_or_else(|| lost(error))
                };
                let code = self.greeted(&mut stream, broken).await?;
                Ok(control(stream, code.to_vec()))
            }
            Way::Explicit(context) => {
                let mut stream = stream;
                let code = self.greeted(&mut stream, lost).await?;
                let greeting = within(reply, clear_reply(&mut stream, &code), lost).await?;
                if code != *b"220" {
                    // It is reported as any other greeting is.
                    return Ok(control(Stream::Plain(stream), greeting));
                }
                self.agree(&mut stream).await?;
                let secured = context.connect_agreed(stream, Side::Control, reply).await?;
                Ok(control(Stream::Tls(Box::new(secured)), greeting))
            }
        }
    }

    /// The code of the greeting that counts, after replies of `120`, which suppaftp does not
    /// expect: a server that is busy for some minutes has as long as for writing its flash.
    async fn greeted(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        lost: impl Fn(&io::Error) -> Fault,
    ) -> Result<[u8; 3], Fault> {
        let mut code = [0; 3];
        let first = stream.read_exact(&mut code);
        within(self.timeouts.reply, first, &lost).await?;
        let counts = async {
            let mut taken = 0;
            while code == *b"120" {
                let skipped = clear_reply(stream, &code).await;
                taken += skipped.as_ref().map_or(0, Vec::len);
                let is_endless = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
                if taken > ReplyLimiter::LONGEST || skipped.as_ref().is_err_and(is_endless) {
                    return Err(invalid("a greeting without an end"));
                }
                skipped?;
                stream.read_exact(&mut code).await?;
            }
            Ok(code)
        };
        within(self.timeouts.confirm, counts, &lost).await
    }

    /// `AUTH TLS`, in clear text.
    async fn agree(&self, stream: &mut TcpStream) -> Result<(), Fault> {
        const COMMAND: &str = "AUTH TLS";
        let after = self.timeouts.reply;
        let said = async {
            stream.write_all(b"AUTH TLS\r\n").await?;
            clear_reply(stream, b"").await
        };
        let said = timeout(after, said).await.map_err(|_| Fault::NoReply {
            command: COMMAND.into(),
            after,
        })?;
        let said = said.map_err(|error| lost(&error))?;
        let Some(reply) = Reply::from_bytes(&said, &self.redact) else {
            return Err(Fault::Malformed {
                reply: text::shown(&self.redact.hide(&String::from_utf8_lossy(&said))),
            });
        };
        match reply.kind() {
            Kind::Done => {}
            // Too busy for it at the moment (RFC 4217 section 4).
            Kind::ForNow => return Err(reply.fault()),
            _ => {
                return Err(Fault::TlsRefused {
                    command: COMMAND.into(),
                    reply: reply.to_string(),
                });
            }
        }
        // What follows in clear text was said by nobody whom anything vouches for, or by a server
        // that talks too much. The server itself has to wait for our first bytes.
        let mut junk = [0; 1024];
        while matches!(stream.try_read(&mut junk), Ok(count) if count > 0) {}
        Ok(())
    }
}

/// Reads a reply of a connection that suppaftp does not have yet, of which `begun` was taken
/// already: byte by byte, because what follows belongs to somebody else.
async fn clear_reply(stream: &mut (impl AsyncRead + Unpin), begun: &[u8]) -> io::Result<Vec<u8>> {
    let mut reply = begun.to_vec();
    let mut line = 0;
    loop {
        reply.push(stream.read_u8().await?);
        if reply.len() > ReplyLimiter::LONGEST {
            return Err(without_end());
        }
        if reply.last() != Some(&b'\n') {
            continue;
        }
        let line_said = &reply[line..];
        // As suppaftp has it; it never sees a `120`.
        let ends = matches!(line_said, [a, b, c, b' ', ..] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()))
            || begun == b"120" && line_said == b"120\r\n";
        if ends {
            return Ok(reply);
        }
        line = reply.len();
    }
}

fn no_greeting(after: Duration) -> Fault {
    Fault::NoReply {
        command: "the connection (no greeting)".into(),
        after,
    }
}

/// What is read of a greeting, by its deadline.
async fn within<T>(
    limit: Duration,
    read: impl Future<Output = io::Result<T>>,
    lost: impl Fn(&io::Error) -> Fault,
) -> Result<T, Fault> {
    let read = timeout(limit, read).await.map_err(|_| no_greeting(limit))?;
    read.map_err(|error| lost(&error))
}

/// What became of a handshake that suppaftp drove.
struct Watch {
    progress: watch::Receiver<Progress>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Watch {
    fn new(
        way: Way,
        timeouts: Timeouts,
        limiter: &ReplyLimiter,
        redact: &Redact,
    ) -> (Connector, Self) {
        let (progress, seen) = watch::channel(Progress::Waiting);
        let fault = Arc::default();
        let connector = Connector {
            way,
            timeouts,
            limiter: limiter.clone(),
            redact: redact.clone(),
            progress,
            fault: Arc::clone(&fault),
        };
        let progress = seen;
        (connector, Self { progress, fault })
    }

    fn has(&self, progress: Progress) -> bool {
        *self.progress.borrow() >= progress
    }

    /// Why a handshake failed.
    fn fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.take()
    }
}

/// suppaftp did not get further in time: to the handshake, or from there on.
enum Late {
    Before,
    After,
}

/// Lets suppaftp work with deadlines for what it does before the handshake, and for what it does
/// after that. The handshake has one of its own.
async fn drive(
    opening: impl Future<Output = FtpResult<Ftp>>,
    watch: &Watch,
    before: Duration,
    after: Duration,
) -> Result<FtpResult<Ftp>, Late> {
    let mut progress = watch.progress.clone();
    let mut opening = pin!(opening);
    for (wanted, deadline) in [(Progress::Connected, Some(before)), (Progress::Ready, None)] {
        let reached = async {
            tokio::select! {
                opened = &mut opening => Some(opened),
                _ = progress.wait_for(|now| *now >= wanted) => None,
            }
        };
        let reached = match deadline {
            Some(deadline) => timeout(deadline, reached).await.map_err(|_| Late::Before)?,
            None => reached.await,
        };
        if let Some(opened) = reached {
            return Ok(opened);
        }
    }
    timeout(after, opening).await.map_err(|_| Late::After)
}

/// Connects, within `deadline`, and comes to the greeting, over TLS where the way is one. (To
/// suppaftp all is TLS here, because only such a stream can be ours.)
pub(super) async fn open(
    target: SocketAddr,
    way: Way,
    timeouts: Timeouts,
    deadline: Duration,
    limiter: &ReplyLimiter,
    redact: &Redact,
) -> Result<Ftp, Fault> {
    let (connector, watch) = Watch::new(way, timeouts, limiter, redact);
    // The name is the context's.
    let opening = Ftp::connect_secure_implicit(target, connector, "");
    let opened = match drive(opening, &watch, deadline, timeouts.reply).await {
        Ok(opened) => opened,
        Err(Late::Before) => {
            return Err(Fault::ConnectTimeout {
                address: target.to_string(),
                after: deadline,
            });
        }
        Err(Late::After) => return Err(no_greeting(timeouts.reply)),
    };
    opened.map_err(|error| match (watch.fault(), error) {
        (Some(fault), _) => fault,
        (None, FtpError::ConnectionError(error)) if !watch.has(Progress::Connected) => {
            tcp::connect_fault(target.to_string(), &error)
        }
        (None, error) => fault_of(error, redact),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;

    /// A control connection is silent for as long as data flows.
    #[tokio::test]
    async fn keepalive_is_on() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let limiter = ReplyLimiter::default();
        let limit = Duration::from_secs(10);
        let redact = Redact::default();
        let timeouts = Timeouts::default();
        let opening = open(target, Way::Clear, timeouts, limit, &limiter, &redact);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 here\r\n").await.unwrap();
            stream
        };
        let (ftp, _server) = tokio::join!(opening, serving);
        let ftp = ftp.unwrap();
        let control = ftp.get_ref().await;
        let socket = SockRef::from(&*control);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), tcp::KEEPALIVE);
    }
}

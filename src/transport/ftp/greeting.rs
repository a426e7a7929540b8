//! From the TCP connection to the greeting, over TLS where it is asked for: a connector of ours
//! behind suppaftp's trait, because only ours keeps a handshake's cause and has deadlines.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use suppaftp::tokio::AsyncTlsConnector;
use suppaftp::{FtpError, FtpResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::model::{Fault, Scheme, Side, Timeouts, text};
use crate::transport::tcp;
use crate::transport::tls::TlsContext;

use super::control::{Control, Ftp, ReplyLimiter};
use super::meaning::{fault_of, lost};
use super::reply::{Kind, Reply};
use super::stream::{Plain, Stream, Tls};
use crate::transport::redact::Redact;

/// How a server comes to speak TLS, if at all.
#[derive(Debug, Clone)]
pub(super) enum Way {
    Clear,
    /// From the first byte on. (suppaftp calls that deprecated, and devices have it.)
    Implicit(TlsContext),
    /// In clear text up to the answer to `AUTH TLS` (RFC 4217 section 4).
    Explicit(TlsContext),
}

#[derive(Debug)]
struct Connector {
    way: Way,
    timeouts: Timeouts,
    limiter: ReplyLimiter,
    redact: Redact,
    outcome: Arc<Outcome>,
}

/// What the connector has come to, which suppaftp does not hand on.
#[derive(Debug, Default)]
struct Outcome {
    /// There is a TCP connection.
    is_connected: OnceLock<()>,
    fault: OnceLock<Fault>,
}

#[async_trait::async_trait]
impl AsyncTlsConnector for Connector {
    type Stream = Control;

    async fn connect(&self, _: &str, stream: TcpStream) -> FtpResult<Control> {
        let _ = self.outcome.is_connected.set(());
        tcp::prepare(&stream).map_err(FtpError::ConnectionError)?;
        let (stream, unread) = self.greeted(stream).await.map_err(|fault| {
            let words = fault.to_string();
            let _ = self.outcome.fault.set(fault);
            FtpError::SecureError(words)
        })?;
        Ok(Control {
            stream,
            unread,
            limiter: self.limiter.clone(),
        })
    }
}

impl Connector {
    /// All that comes before the session: the greeting, which suppaftp is given to read then, and the
    /// handshake. suppaftp would not let anybody choose when `PBSZ` and `PROT` are said.
    async fn greeted(&self, mut stream: TcpStream) -> Result<(Stream, Vec<u8>), Fault> {
        let reply = self.timeouts.reply;
        match &self.way {
            Way::Clear => {
                let greeting = self.greeting(&mut stream, lost).await?;
                Ok((Plain(stream), greeting))
            }
            Way::Implicit(context) => {
                let mut stream = context.connect(stream, Side::Control, reply).await?;
                let broken = |error: &io::Error| {
                    (context.refusal(Side::Control, error)).unwrap_or_else(|| lost(error))
                };
                let greeting = self.greeting(&mut stream, broken).await?;
                Ok((Tls(Box::new(stream)), greeting))
            }
            Way::Explicit(context) => {
                let greeting = self.greeting(&mut stream, lost).await?;
                if !greeting.starts_with(b"220") {
                    // It is reported as any other greeting is.
                    return Ok((Plain(stream), greeting));
                }
                self.agree(&mut stream).await?;
                let secured = context.connect_agreed(stream, Side::Control, reply).await?;
                Ok((Tls(Box::new(secured)), greeting))
            }
        }
    }

    /// The greeting that counts, after replies of `120`, which suppaftp does not expect: a server
    /// that is busy for some minutes has as long as for writing its flash.
    async fn greeting(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        lost: impl Fn(&io::Error) -> Fault,
    ) -> Result<Vec<u8>, Fault> {
        let mut greeting = within(self.timeouts.reply, whole_reply(stream), &lost).await?;
        let counts = async {
            let mut taken = 0;
            while greeting.starts_with(b"120") {
                taken += greeting.len();
                if taken > ReplyLimiter::LONGEST {
                    return Err(without_end(&greeting));
                }
                greeting = whole_reply(stream).await?;
            }
            Ok(greeting)
        };
        within(self.timeouts.confirm, counts, &lost).await
    }

    /// `AUTH TLS`, in clear text.
    async fn agree(&self, stream: &mut TcpStream) -> Result<(), Fault> {
        const COMMAND: &str = "AUTH TLS";
        let after = self.timeouts.reply;
        let said = async {
            stream.write_all(b"AUTH TLS\r\n").await?;
            whole_reply(stream).await
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

/// Reads a reply of a connection that suppaftp does not have yet, up to where it would take it for
/// whole; byte by byte, because what follows belongs to somebody else.
async fn whole_reply(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let is_code = |line: &[u8]| line.len() > 3 && line[..3].iter().all(u8::is_ascii_digit);
    let mut reply = Vec::new();
    let mut line = 0;
    loop {
        match stream.read_u8().await {
            Ok(byte) => reply.push(byte),
            // A last line may have no end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !reply.is_empty() => {
                return Ok(reply);
            }
            Err(error) => return Err(error),
        }
        if reply.len() > ReplyLimiter::LONGEST {
            return Err(without_end(&reply));
        }
        if !reply.ends_with(b"\n") {
            continue;
        }
        let said = &reply[line..];
        let is_none = !is_code(&reply) || reply.len() < 5;
        let ends =
            is_code(said) && said[3] == b' ' || reply.starts_with(b"120") && said == b"120\r\n";
        if is_none || ends {
            return Ok(reply);
        }
        line = reply.len();
    }
}

fn without_end(reply: &[u8]) -> io::Error {
    let reason = match reply.starts_with(b"120") {
        true => "a greeting without an end".into(),
        false => super::control::without_end(),
    };
    io::Error::new(io::ErrorKind::InvalidData, reason)
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
    let outcome = Arc::new(Outcome::default());
    let connector = Connector {
        way,
        timeouts,
        limiter: limiter.clone(),
        redact: redact.clone(),
        outcome: outcome.clone(),
    };
    // The name is the context's.
    let mut opening = pin!(Ftp::connect_secure_implicit(target, connector, ""));
    let opened = match timeout(deadline, &mut opening).await {
        Ok(opened) => opened,
        Err(_) if outcome.is_connected.get().is_none() => {
            return Err(Fault::ConnectTimeout {
                address: target.to_string(),
                after: deadline,
            });
        }
        // What it waits for then has deadlines of its own, and is over before this one.
        Err(_) => (timeout(timeouts.confirm + 5 * timeouts.reply, opening).await)
            .map_err(|_| no_greeting(timeouts.reply))?,
    };
    opened.map_err(|error| match (outcome.fault.get(), error) {
        (Some(fault), _) => fault.clone(),
        (None, FtpError::ConnectionError(error)) if outcome.is_connected.get().is_none() => {
            tcp::connect_fault(target.to_string(), Scheme::Ftp, &error)
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

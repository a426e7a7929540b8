//! The control connection as suppaftp wants it: a stream and a connector of ours behind its traits,
//! in clear text too, because only ours bound a reply, keep a handshake's cause and have a deadline.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use suppaftp::tokio::{AsyncTlsConnector, ImplAsyncFtpStream, TokioTlsStream};
use suppaftp::{FtpError, FtpResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::model::{Fault, Side, Timeouts, text};

use super::connect;
use super::redact::Redact;
use super::reply::{Kind, Reply};
use super::stream::Stream;
use super::tls::TlsContext;

/// suppaftp's client, in clear text or over TLS.
pub(super) type Ftp = ImplAsyncFtpStream<Control>;

/// Bytes that came since the last whole reply. suppaftp keeps up to 256 KiB of a reply that has no
/// end, which is too much to be kept for hundreds of hostile servers at once.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplyLimiter(Arc<AtomicUsize>);

impl ReplyLimiter {
    /// No reply is longer.
    const LONGEST: usize = 64 * 1024;

    /// A whole reply was taken.
    pub(super) fn replied(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn heard(&self, bytes: usize) -> io::Result<()> {
        let so_far = self.0.fetch_add(bytes, Ordering::Relaxed);
        if so_far.saturating_add(bytes) <= Self::LONGEST {
            return Ok(());
        }
        Err(without_end())
    }
}

/// A control connection.
#[derive(Debug)]
pub(super) struct Control {
    stream: Stream,
    /// Of the greeting, to be read first.
    unread: Vec<u8>,
    limiter: ReplyLimiter,
}

impl AsyncRead for Control {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.is_empty() {
            let before = buffer.filled().len();
            std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            return Poll::Ready(this.limiter.heard(buffer.filled().len() - before));
        }
        let count = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..count]);
        this.unread.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Control {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl TokioTlsStream for Control {
    type InnerStream = Stream;

    fn tcp_stream(self) -> FtpResult<TcpStream> {
        Ok(self.stream.into_socket())
    }

    fn get_ref(&self) -> &TcpStream {
        self.stream.socket()
    }

    fn mut_ref(&mut self) -> &mut Self::InnerStream {
        &mut self.stream
    }
}

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
        connect::prepare(&stream).map_err(FtpError::ConnectionError)?;
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
                let greeting = timeout(reply, clear_reply(&mut stream, &code)).await;
                let greeting = greeting.map_err(|_| no_greeting(reply))?;
                let greeting = greeting.map_err(|error| lost(&error))?;
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
        let reply = self.timeouts.reply;
        let mut code = [0; 3];
        let first = timeout(reply, stream.read_exact(&mut code)).await;
        first
            .map_err(|_| no_greeting(reply))?
            .map_err(|error| lost(&error))?;
        if code == *b"120" {
            let mut again = code.as_slice().chain(stream);
            let taken = timeout(self.timeouts.confirm, connect::take_not_yet(&mut again)).await;
            let taken = taken.map_err(|_| no_greeting(self.timeouts.confirm))?;
            code = taken.map_err(|error| lost(&error))?;
        }
        Ok(code)
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
async fn clear_reply(stream: &mut TcpStream, begun: &[u8]) -> io::Result<Vec<u8>> {
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
        // As suppaftp has it.
        let ends = matches!(&reply[line..], [a, b, c, b' ', ..] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()));
        if ends {
            return Ok(reply);
        }
        line = reply.len();
    }
}

fn without_end() -> io::Error {
    let most = ReplyLimiter::LONGEST >> 10;
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it has no end (over {most} KiB)"),
    )
}

fn no_greeting(after: Duration) -> Fault {
    Fault::NoReply {
        command: "the connection (no greeting)".into(),
        after,
    }
}

fn lost(error: &io::Error) -> Fault {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed it".into(),
        io::ErrorKind::InvalidData => {
            let reply = error.to_string();
            return Fault::Malformed { reply };
        }
        _ => error.to_string(),
    };
    let side = Side::Control;
    Fault::Lost { side, reason }
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

    fn fault(&self, error: FtpError, other: impl FnOnce(FtpError) -> Fault) -> Fault {
        let handshake = self
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        handshake.unwrap_or_else(|| other(error))
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
    fault_of: impl FnOnce(FtpError) -> Fault,
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
    opened.map_err(|error| {
        let is_connected = watch.has(Progress::Connected);
        watch.fault(error, |error| match error {
            FtpError::ConnectionError(error) if !is_connected => {
                connect::connect_fault(target.to_string(), &error)
            }
            error => fault_of(error),
        })
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
        let local = |error: FtpError| Fault::Local(error.to_string());
        let redact = Redact::default();
        let timeouts = Timeouts::default();
        let opening = open(
            target,
            Way::Clear,
            timeouts,
            limit,
            &limiter,
            &redact,
            local,
        );
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
        assert_eq!(socket.tcp_keepalive_time().unwrap(), connect::KEEPALIVE);
    }
}

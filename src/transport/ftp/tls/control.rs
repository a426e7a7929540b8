//! The control connection over TLS, as suppaftp wants it: a stream and a connector of ours behind
//! its traits, because only ours keep a handshake's cause and have a deadline.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use suppaftp::tokio::{AsyncTlsConnector, ImplAsyncFtpStream, TokioTlsStream};
use suppaftp::{FtpError, FtpResult};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::model::{Fault, Side, Timeouts};

use super::super::connect;
use super::super::redact::Redact;
use super::super::reply::Reply;
use super::TlsContext;

/// suppaftp's client, in clear text or over TLS.
pub(in super::super) type Ftp = ImplAsyncFtpStream<Secured>;

/// A control connection over TLS.
#[derive(Debug)]
pub(in super::super) struct Secured {
    stream: TlsStream<TcpStream>,
    /// Of the greeting, to be read first.
    unread: Vec<u8>,
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = this.unread.len().min(buffer.remaining());
        buffer.put_slice(&this.unread[..count]);
        this.unread.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Secured {
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

impl TokioTlsStream for Secured {
    type InnerStream = TlsStream<TcpStream>;

    fn tcp_stream(self) -> FtpResult<TcpStream> {
        Ok(self.stream.into_inner().0)
    }

    fn get_ref(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    fn mut_ref(&mut self) -> &mut Self::InnerStream {
        &mut self.stream
    }
}

/// How far a [`Connector`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Waiting,
    /// There is a TCP connection whose other end is about to begin with TLS.
    Connected,
    Secured,
}

struct Connector {
    context: TlsContext,
    timeouts: Timeouts,
    /// Whether the server greets after the handshake.
    greets: bool,
    progress: watch::Sender<Progress>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.context.fmt(f)
    }
}

#[async_trait::async_trait]
impl AsyncTlsConnector for Connector {
    type Stream = Secured;

    async fn connect(&self, _: &str, stream: TcpStream) -> FtpResult<Secured> {
        self.progress.send_replace(Progress::Connected);
        connect::prepare(&stream).map_err(FtpError::ConnectionError)?;
        match self.secured(stream).await {
            Ok(secured) => {
                self.progress.send_replace(Progress::Secured);
                Ok(secured)
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
    /// The handshake; and where it comes before the greeting, replies of `120`, which suppaftp does
    /// not expect: a server that is busy for some minutes has as long as for writing its flash.
    async fn secured(&self, stream: TcpStream) -> Result<Secured, Fault> {
        let handshake = (self.context).connect(stream, Side::Control, self.timeouts.reply);
        let mut stream = handshake.await?;
        if !self.greets {
            let unread = Vec::new();
            return Ok(Secured { stream, unread });
        }
        let mut code = [0; 3];
        let first = stream.read_exact(&mut code);
        let first = timeout(self.timeouts.reply, first).await;
        let first = first.map_err(|_| no_greeting(self.timeouts.reply))?;
        first.map_err(|error| lost(&error))?;
        if code == *b"120" {
            let mut again = code.as_slice().chain(&mut stream);
            let taken = timeout(self.timeouts.confirm, connect::take_not_yet(&mut again)).await;
            let taken = taken.map_err(|_| no_greeting(self.timeouts.confirm))?;
            code = taken.map_err(|error| lost(&error))?;
        }
        let unread = code.to_vec();
        Ok(Secured { stream, unread })
    }
}

fn no_greeting(after: Duration) -> Fault {
    Fault::NoReply {
        command: "the connection (no greeting)".into(),
        after,
    }
}

fn lost(error: &io::Error) -> Fault {
    Fault::Lost {
        side: Side::Control,
        reason: error.to_string(),
    }
}

/// What became of a handshake that suppaftp drove.
struct Watch {
    progress: watch::Receiver<Progress>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Watch {
    fn new(context: &TlsContext, timeouts: Timeouts, greets: bool) -> (Connector, Self) {
        let (progress, seen) = watch::channel(Progress::Waiting);
        let fault = Arc::default();
        let connector = Connector {
            context: context.clone(),
            timeouts,
            greets,
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
    for (wanted, deadline) in [
        (Progress::Connected, Some(before)),
        (Progress::Secured, None),
    ] {
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

/// Explicit TLS: `AUTH TLS`, the handshake, `PBSZ 0`, `PROT P`.
pub(in super::super) async fn secure(
    ftp: Ftp,
    context: &TlsContext,
    timeouts: Timeouts,
    redact: &Redact,
    fault_of: impl FnOnce(FtpError) -> Fault,
) -> Result<Ftp, Fault> {
    let (connector, watch) = Watch::new(context, timeouts, false);
    let (before, after) = (timeouts.reply, timeouts.reply.saturating_mul(2));
    let no_reply = |command: &str, after| Fault::NoReply {
        command: command.into(),
        after,
    };
    // The name is the context's.
    let opening = ftp.into_secure(connector, "");
    let opened = match drive(opening, &watch, before, after).await {
        Ok(opened) => opened,
        Err(Late::Before) => return Err(no_reply("AUTH TLS", before)),
        Err(Late::After) => return Err(no_reply("PBSZ 0 and PROT P", after)),
    };
    opened.map_err(|error| {
        let command = match watch.has(Progress::Secured) {
            true => "PBSZ 0, PROT P",
            false => "AUTH TLS",
        };
        watch.fault(error, |error| match error {
            FtpError::UnexpectedResponse(response) => match Reply::from_response(&response, redact)
            {
                // Too busy for it at the moment (RFC 4217 section 4).
                Some(reply) if matches!(reply.code, 421 | 431) => reply.fault(),
                Some(reply) => Fault::TlsRefused {
                    command: command.into(),
                    reply: reply.to_string(),
                },
                None => fault_of(FtpError::UnexpectedResponse(response)),
            },
            error => fault_of(error),
        })
    })
}

/// Implicit TLS: the handshake comes first, and then the greeting. (suppaftp calls it deprecated,
/// and devices have it.)
pub(in super::super) async fn implicit(
    target: SocketAddr,
    context: &TlsContext,
    timeouts: Timeouts,
    fault_of: impl FnOnce(FtpError) -> Fault,
) -> Result<Ftp, Fault> {
    let (connector, watch) = Watch::new(context, timeouts, true);
    let opening = Ftp::connect_secure_implicit(target, connector, "");
    let opened = match drive(opening, &watch, timeouts.connect, timeouts.reply).await {
        Ok(opened) => opened,
        Err(Late::Before) => {
            return Err(Fault::ConnectTimeout {
                address: target.to_string(),
                after: timeouts.connect,
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

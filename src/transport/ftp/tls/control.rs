//! The control connection over TLS, as suppaftp wants it: a stream and a connector of ours behind
//! its traits, because only ours keep a handshake's cause and have a deadline.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use suppaftp::tokio::{AsyncTlsConnector, ImplAsyncFtpStream, TokioTlsStream};
use suppaftp::{FtpError, FtpResult};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::model::{Fault, Side, Timeouts};

use super::super::connect;
use super::super::reply::Reply;
use super::TlsContext;

/// suppaftp's client, in clear text or over TLS.
pub(in super::super) type Ftp = ImplAsyncFtpStream<Secured>;

/// A control connection over TLS.
#[derive(Debug)]
pub(in super::super) struct Secured(TlsStream<TcpStream>);

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

impl TokioTlsStream for Secured {
    type InnerStream = TlsStream<TcpStream>;

    fn tcp_stream(self) -> FtpResult<TcpStream> {
        Ok(self.0.into_inner().0)
    }

    fn get_ref(&self) -> &TcpStream {
        self.0.get_ref().0
    }

    fn mut_ref(&mut self) -> &mut Self::InnerStream {
        &mut self.0
    }
}

/// How far a [`Connector`] has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Waiting,
    /// There is a TCP connection.
    Connected,
    Secured,
}

struct Connector {
    context: TlsContext,
    timeouts: Timeouts,
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
        let handshake = (self.context).connect(stream, Side::Control, self.timeouts.reply);
        match handshake.await {
            Ok(stream) => {
                self.progress.send_replace(Progress::Secured);
                Ok(Secured(stream))
            }
            Err(fault) => {
                let words = fault.to_string();
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                Err(FtpError::SecureError(words))
            }
        }
    }
}

/// What became of a handshake that suppaftp drove.
struct Watch {
    progress: watch::Receiver<Progress>,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Watch {
    fn new(context: &TlsContext, timeouts: Timeouts) -> (Connector, Self) {
        let (progress, seen) = watch::channel(Progress::Waiting);
        let fault = Arc::default();
        let connector = Connector {
            context: context.clone(),
            timeouts,
            progress,
            fault: Arc::clone(&fault),
        };
        let progress = seen;
        (connector, Self { progress, fault })
    }

    fn is(&self, progress: &Progress) -> bool {
        *self.progress.borrow() == *progress
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

/// Explicit TLS: `AUTH TLS`, the handshake, `PBSZ 0`, `PROT P`. Each reply and the handshake has
/// the deadline of a reply.
pub(in super::super) async fn secure(
    ftp: Ftp,
    context: &TlsContext,
    timeouts: Timeouts,
    fault_of: impl FnOnce(FtpError) -> Fault,
) -> Result<Ftp, Fault> {
    let (connector, watch) = Watch::new(context, timeouts);
    let deadline = timeouts.reply.saturating_mul(4);
    let command = || match watch.is(&Progress::Secured) {
        true => "PBSZ 0, PROT P",
        false => "AUTH TLS",
    };
    // The name is the context's.
    match timeout(deadline, ftp.into_secure(connector, "")).await {
        Ok(Ok(ftp)) => Ok(ftp),
        Ok(Err(error)) => Err(watch.fault(error, |error| match error {
            FtpError::UnexpectedResponse(response) => match Reply::from_response(&response) {
                // Too busy for it at the moment (RFC 4217 section 4).
                Some(reply) if matches!(reply.code, 421 | 431) => reply.fault(),
                Some(reply) => Fault::TlsRefused {
                    command: command().into(),
                    reply: reply.to_string(),
                },
                None => fault_of(FtpError::UnexpectedResponse(response)),
            },
            error => fault_of(error),
        })),
        Err(_) => Err(Fault::NoReply {
            command: command().into(),
            after: deadline,
        }),
    }
}

/// Implicit TLS: the handshake comes first, and then the greeting. (suppaftp calls it deprecated,
/// and devices have it.)
pub(in super::super) async fn implicit(
    target: SocketAddr,
    context: &TlsContext,
    timeouts: Timeouts,
    fault_of: impl FnOnce(FtpError) -> Fault,
) -> Result<Ftp, Fault> {
    let (connector, mut watch) = Watch::new(context, timeouts);
    let mut opening = pin!(Ftp::connect_secure_implicit(target, connector, ""));
    let connected = timeout(timeouts.connect, async {
        tokio::select! {
            opened = &mut opening => Some(opened),
            _ = watch.progress.wait_for(|progress| *progress != Progress::Waiting) => None,
        }
    });
    let opened = match connected.await {
        Ok(Some(opened)) => opened,
        Ok(None) => {
            let deadline = timeouts.reply.saturating_mul(2);
            timeout(deadline, opening)
                .await
                .map_err(|_| Fault::NoReply {
                    command: "the connection (no greeting)".into(),
                    after: deadline,
                })?
        }
        Err(_) => {
            return Err(Fault::ConnectTimeout {
                address: target.to_string(),
                after: timeouts.connect,
            });
        }
    };
    opened.map_err(|error| {
        let is_connected = !watch.is(&Progress::Waiting);
        watch.fault(error, |error| match error {
            FtpError::ConnectionError(error) if !is_connected => {
                connect::connect_fault(target.to_string(), &error)
            }
            error => fault_of(error),
        })
    })
}

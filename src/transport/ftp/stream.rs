//! A connection, in clear text or over TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::model::{Fault, Side};

use crate::transport::tls::TlsContext;

/// Over TLS an end without `close_notify` is an error when it is read (a truncation), and
/// `shutdown` sends one.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The socket itself: for its options, and for whether it has room.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// The socket alone, without what lies over it.
    pub(super) fn into_socket(self) -> TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.into_inner().0,
        }
    }
}

type Handshake = Pin<Box<dyn Future<Output = Result<Stream, Fault>> + Send>>;

/// A data connection on its way to what it is used as.
pub(super) enum Securing {
    /// Over TLS; has it begun, it is not begun again.
    Shaking(Handshake),
    Done(Result<Stream, Fault>),
}

impl Securing {
    pub(super) fn over(tls: TlsContext, stream: TcpStream) -> Self {
        Self::Shaking(Box::pin(async move {
            let secured = tls.agreed(stream, Side::Data).await?;
            Ok(Stream::Tls(Box::new(secured)))
        }))
    }

    /// Waits until it is done. Given up, it goes on from there with the next call.
    pub(super) async fn go_on(&mut self) {
        if let Self::Shaking(handshake) = self {
            *self = Self::Done(handshake.await);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    /// Pending only when no byte was taken, also over TLS, which may take bytes that it has not
    /// sent yet.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

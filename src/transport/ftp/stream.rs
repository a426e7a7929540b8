//! A connection, in clear text or over TLS.

use std::pin::Pin;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
pub(super) use tokio_util::either::Either::{Left as Plain, Right as Tls};

use crate::model::{Fault, Side};
use crate::transport::tls::TlsContext;

/// Over TLS an end without `close_notify` is an error when it is read (a truncation), and
/// `shutdown` sends one. A write waits only when no byte was taken, also over TLS, which may take bytes
/// that it has not sent yet.
pub(super) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// The socket itself: for its options, and for whether it has room.
pub(super) fn socket(stream: &Stream) -> &TcpStream {
    match stream {
        Plain(stream) => stream,
        Tls(stream) => stream.get_ref().0,
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
            Ok(Tls(Box::new(secured)))
        }))
    }

    /// Waits until it is done. Given up, it goes on from there with the next call.
    pub(super) async fn go_on(&mut self) {
        if let Self::Shaking(handshake) = self {
            *self = Self::Done(handshake.await);
        }
    }
}

//! The control connection as suppaftp wants it: a stream of ours behind its traits, in clear text
//! too, because only ours bounds a reply.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use suppaftp::FtpResult;
use suppaftp::tokio::{ImplAsyncFtpStream, TokioTlsStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::stream::{Plain, Stream, Tls, socket};

/// suppaftp's client, in clear text or over TLS.
pub(super) type Ftp = ImplAsyncFtpStream<Control>;

/// Bytes that came since the last whole reply. suppaftp keeps up to 256 KiB of a reply that has no
/// end, which is too much to be kept for hundreds of hostile servers at once.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplyLimiter(Arc<AtomicUsize>);

impl ReplyLimiter {
    /// No reply is longer.
    pub(super) const LONGEST: usize = 64 * 1024;

    /// A whole reply was taken.
    pub(super) fn replied(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn heard(&self, bytes: usize) -> io::Result<()> {
        let so_far = self.0.fetch_add(bytes, Ordering::Relaxed);
        if so_far.saturating_add(bytes) <= Self::LONGEST {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, without_end()))
    }
}

/// A control connection.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) stream: Stream,
    /// Of the greeting, to be read first.
    pub(super) unread: Vec<u8>,
    pub(super) limiter: ReplyLimiter,
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
        Ok(match self.stream {
            Plain(stream) => stream,
            Tls(stream) => stream.into_inner().0,
        })
    }

    fn get_ref(&self) -> &TcpStream {
        socket(&self.stream)
    }

    fn mut_ref(&mut self) -> &mut Self::InnerStream {
        &mut self.stream
    }
}

pub(super) fn without_end() -> String {
    format!("it has no end (over {} KiB)", ReplyLimiter::LONGEST >> 10)
}

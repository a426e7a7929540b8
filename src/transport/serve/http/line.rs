//! What is known of one connection by both its ends here: by what answers, and by what writes to the socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::super::Pieces;

#[derive(Default)]
pub(super) struct Line(Mutex<State>);

/// How far the image of a connection is.
#[derive(Default)]
struct State {
    /// While it is on its way; ready when nobody gives any more of it, or waits for it to be sent.
    over: Option<BoxFuture<'static, ()>>,
    /// hyper has all of it.
    handed_on: Option<Pieces>,
}

impl Line {
    pub(super) fn begin(&self, pieces: &Pieces) {
        self.lock().over = Some(Box::pin(pieces.over()));
    }

    /// The last bytes are in hyper's hands, and are flushed next.
    pub(super) fn handed_on(&self, pieces: Pieces) {
        self.lock().handed_on = Some(pieces);
    }

    /// Everything that hyper had was written.
    fn flushed(&self) {
        let mut state = self.lock();
        if let Some(pieces) = state.handed_on.take() {
            state.over = None;
            pieces.sent();
        }
    }

    /// Whether the device must not take what it has for whole.
    pub(super) fn is_partial(&self) -> bool {
        self.lock().over.is_some()
    }

    /// Ready when what is on its way is to be broken off. hyper asks for no more while a device takes nothing, and
    /// learns of it by this alone.
    pub(super) fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.lock().over {
            Some(over) => over.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The device's socket, which says when everything is written.
pub(super) struct Wire<'a> {
    pub(super) socket: TokioIo<&'a mut TcpStream>,
    pub(super) line: Arc<Line>,
}

impl Read for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl Write for Wire<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buffer)
    }

    /// hyper asks for it when it has written everything.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.line.flushed();
        Poll::Ready(Ok(()))
    }

    /// How a connection ends is for [`super::connection`] to decide.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, buffers)
    }
}

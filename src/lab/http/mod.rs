//! The HTTP face of a server (RFC 9110, 9112): hyper speaks the protocol over the lab's storage.
//!
//! - here: one connection, and how it ends
//! - `requests` what is asked, and who may ask; `reply` what is answered where it is no file
//! - `file` a file and its parts; `upload` one that is received, `form` out of a form
//! - `body` what is sent and received, as hyper has it
//!
//! hyper starts no tasks, and borrows the socket: what polls a connection decides whether its server is silent
//! or gone. A session of a server, as its settings count them, is one request.

mod body;
mod file;
mod form;
mod reply;
mod requests;
mod upload;

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::requests::Requests;
use super::life::Boot;
use super::server::Server;
use super::session::{Buffers, reset};
use super::storage::Storage;

/// Bytes that are held of a connection, each way.
const BUFFER: usize = 64 * 1024;
/// How long what a client goes on sending behind its answer is taken, so that it can read the answer: with bytes
/// that nobody read, the end of a connection is a reset (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(5);

/// What a request can do with its connection.
#[derive(Debug)]
struct Line {
    over: CancellationToken,
    /// It is over when everything that was said is sent.
    is_last: AtomicBool,
    is_reset: AtomicBool,
    unread: mpsc::UnboundedSender<Incoming>,
}

impl Line {
    /// Ends the connection.
    fn hang_up(&self) {
        self.over.cancel();
    }

    fn reset(&self) {
        self.is_reset.store(true, Ordering::Release);
        self.hang_up();
    }

    /// Ends the connection behind what was said. Nothing more may be said.
    fn end_when_sent(&self) {
        self.is_last.store(true, Ordering::Release);
    }

    /// Leaves what a client may still send with a request that is answered.
    fn leave(&self, body: Incoming) {
        // There is nobody to take it once the connection is over.
        let _ = self.unread.send(body);
    }
}

/// One connection, until either side closes it.
pub(super) async fn session(
    server: &Arc<Server>,
    boot: Boot,
    client: &mut TcpStream,
) -> io::Result<()> {
    Buffers::of(server).set(SockRef::from(&*client))?;
    let (unread, mut left) = mpsc::unbounded_channel();
    let line = Arc::new(Line {
        over: CancellationToken::new(),
        is_last: AtomicBool::new(false),
        is_reset: AtomicBool::new(false),
        unread,
    });
    let storage = Storage {
        server: Arc::clone(server),
        boot,
    };
    let requests = Requests::new(storage, Arc::clone(&line));
    let service = service_fn(|request| {
        let requests = requests.clone();
        async move { Ok::<_, Infallible>(requests.answered(request).await) }
    });
    let wire = Wire {
        client: TokioIo::new(&mut *client),
        line: &line,
    };
    let speaking = http1::Builder::new()
        .max_buf_size(BUFFER)
        .serve_connection(wire, service);
    let taking = async {
        while let Some(mut body) = left.recv().await {
            // Dropped where it has more, it ends the connection.
            let rest = async { while let Some(Ok(_)) = body::received(&mut body).await {} };
            let _ = timeout(LINGER, rest).await;
        }
    };
    let spoken = tokio::select! {
        biased;
        () = line.over.cancelled() => Ok(()),
        spoken = speaking => spoken.map_err(io::Error::other),
        () = taking => Ok(()),
    };
    match line.is_reset.load(Ordering::Acquire) {
        true => reset(server, client),
        // Where the client has gone, there is nothing to end.
        false => drop(client.shutdown().await),
    }
    spoken
}

/// The client's socket, which says when everything is sent.
struct Wire<'a> {
    client: TokioIo<&'a mut TcpStream>,
    line: &'a Line,
}

impl Read for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_read(cx, buffer)
    }
}

impl Write for Wire<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.client).poll_write(cx, buffer)
    }

    /// hyper asks for it when it has written everything.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.client).poll_flush(cx))?;
        if self.line.is_last.load(Ordering::Acquire) {
            self.line.hang_up();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.client.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.client).poll_write_vectored(cx, buffers)
    }
}

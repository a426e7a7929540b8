//! One connection of a device, and how it ends.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::Guard;
use super::answer::Answerer;
use super::line::{Line, Wire};
use crate::transport::tcp;

/// Bytes that are held of a connection each way, beside a piece of the image, and so the most of a head.
const BUFFER: usize = 16 * 1024;
/// A head is whole within this time, from the beginning of the connection on.
const HEAD: Duration = Duration::from_secs(10);
/// How long what a device goes on sending is taken behind its answer, so that it can read that: with bytes that
/// nobody read, the end of a connection is a reset (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(5);

pub(super) async fn serve(
    mut socket: TcpStream,
    by: SocketAddr,
    guard: Guard,
    cancel: CancellationToken,
) {
    let line = Arc::new(Line::default());
    let served = tokio::select! {
        biased;
        () = cancel.cancelled() => return,
        served = speak(&mut socket, by, guard, &line) => served,
    };
    if let Err(error) = served {
        tracing::debug!("a connection of {by} over HTTP ended: {error}");
    }
    if line.is_partial() {
        return;
    }
    tokio::select! {
        () = cancel.cancelled() => {}
        _ = timeout(LINGER, end(&mut socket)) => {}
    }
}

async fn speak(
    socket: &mut TcpStream,
    by: SocketAddr,
    guard: Guard,
    line: &Arc<Line>,
) -> io::Result<()> {
    SockRef::from(&*socket).set_linger(Some(Duration::ZERO))?;
    tcp::prepare(socket)?;
    let answerer = Answerer {
        by,
        guard,
        line: Arc::clone(line),
    };
    let service = service_fn(|request| {
        let answerer = answerer.clone();
        async move { Ok::<_, Infallible>(answerer.answer(request).await) }
    });
    let wire = Wire {
        socket: TokioIo::new(socket),
        line: Arc::clone(line),
    };
    let mut speaking = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(BUFFER)
            .keep_alive(false)
            .serve_connection(wire, service)
    );
    poll_fn(|cx| {
        if let Poll::Ready(spoken) = speaking.as_mut().poll(cx) {
            return Poll::Ready(spoken.map_err(io::Error::other));
        }
        line.poll_broken(cx)
            .map(|()| Err(io::Error::other("it was broken off")))
    })
    .await
}

/// Ends a connection in good order, so that all that was written arrives.
async fn end(socket: &mut TcpStream) -> io::Result<()> {
    SockRef::from(&*socket).set_linger(None)?;
    socket.shutdown().await?;
    let mut unread = [0; 1024];
    while socket.read(&mut unread).await? > 0 {}
    Ok(())
}

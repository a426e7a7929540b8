//! One image on its way to a device: the socket, and what is waited for.

use std::io;
use std::time::Duration;

use hyper::body::{Buf, Bytes};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use crate::model::text::shown;
use crate::transport::serve::{Next, Pieces};
use crate::transport::tftp::flight::Flight;
use crate::transport::tftp::packet::{self, Answer};

/// Packets that are read at once, before anything else is done.
const AT_ONCE: usize = 32;

/// How a transfer ended that did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// Nothing more can be had. The device is let know.
    #[error("the image can't be read to its end")]
    Image,
    /// The device does not wait for anything any more.
    #[error("the device gave it up: error {code}, {text}")]
    GivenUp { code: u16, text: String },
    #[error("the device has closed its port")]
    Lost,
    #[error("its socket can't be used: {0}")]
    Socket(String),
    #[error("the device has acknowledged nothing for {} seconds", .0.as_secs())]
    Silent(Duration),
}

/// Sends all pieces; returns when the device has acknowledged the last block. Dropped, it has sent what it has.
///
/// # Errors
/// It broke off.
pub(super) async fn send(
    socket: &UdpSocket,
    pieces: &mut Pieces,
    mut flight: Flight,
    patience: Duration,
) -> Result<(), Broken> {
    // What of the last piece there was no room for.
    let mut piece = Bytes::new();
    let mut is_all = false;
    loop {
        // A device that keeps sending keeps nobody else from being served.
        consume_budget().await;
        let taken = flight.push(&piece);
        piece.advance(taken);
        if is_all && piece.is_empty() {
            flight.end();
        }
        let mut is_closed = flush(socket, &mut flight);
        if flight.machine().is_done() {
            return Ok(());
        }
        let wants_more = piece.is_empty() && !is_all && flight.machine().has_room();
        let interest = match flight.has_next() {
            // The socket had no room.
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        let unanswered = flight.unanswered(Instant::now()).is_some();
        tokio::select! {
            biased;
            ready = socket.ready(interest) => {
                ready.map_err(broken)?;
                is_closed |= take(socket, &mut flight)?;
            }
            () = std::future::ready(()), if is_closed => is_closed |= take(socket, &mut flight)?,
            next = pieces.next(), if wants_more => match next {
                Next::Bytes(bytes) => piece = bytes,
                Next::End => is_all = true,
                Next::Broken => return Err(Broken::Image),
            },
            () = sleep_until(flight.again()), if unanswered => {}
        }
        // The last block may have been acknowledged before that.
        if is_closed && !flight.machine().is_done() {
            return Err(Broken::Lost);
        }
        // Packets that bring nothing must not keep this from being seen.
        let now = Instant::now();
        let Some(unanswered) = flight.unanswered(now) else {
            continue;
        };
        if unanswered >= patience {
            return Err(Broken::Silent(unanswered));
        }
        if now >= flight.again() {
            flight.time_out();
        }
    }
}

/// Sends what may be sent, as far as the socket takes it; whether the port at the other side is closed.
fn flush(socket: &UdpSocket, flight: &mut Flight) -> bool {
    while let Some(packet) = flight.next() {
        match socket.try_send(packet) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if is_closed(&error) => return true,
            // As if it were lost on the way: a route may come back.
            Ok(_) | Err(_) => {}
        }
        flight.sent(Instant::now());
    }
    false
}

/// Takes what has come, until something of it is new; whether the port at the other side is closed. That is
/// reported before what came earlier.
fn take(socket: &UdpSocket, flight: &mut Flight) -> Result<bool, Broken> {
    let mut closed = false;
    let mut buffer = [0; packet::LONGEST];
    for _ in 0..AT_ONCE {
        let count = match socket.try_recv(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if is_closed(&error) => {
                closed = true;
                continue;
            }
            Err(error) => return Err(broken(error)),
        };
        match packet::parse(&buffer[..count]) {
            Answer::Acknowledged(number) => {
                if flight.acknowledged(number, Instant::now()) && !closed {
                    break;
                }
            }
            Answer::Error { code, text } => {
                let text = shown(&text);
                return Err(Broken::GivenUp { code, text });
            }
            Answer::Options(_) | Answer::Other => {}
        }
    }
    Ok(closed)
}

/// The port at the other side is closed: the socket is connected to it, and so this is about it alone.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

fn broken(error: io::Error) -> Broken {
    Broken::Socket(error.to_string())
}

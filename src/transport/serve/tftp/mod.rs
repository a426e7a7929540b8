//! Serving over TFTP (RFC 1350, 2347, 2348, 2349, 7440): requests to read, in octet mode.
//!
//! - here: requests, each of which gets a socket, and a task, of its own
//! - `options` what is granted; `transfer` the image on its way
//!
//! What blocks are sent when is the same as where a file is written to a device: `transport/tftp`.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod options;
mod transfer;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::model::serve::Over;
use crate::model::text::shown;
use crate::transport::tftp::flight::Flight;
use crate::transport::tftp::is_about_another;
use crate::transport::tftp::machine::Numbers;
use crate::transport::tftp::packet::{self, Request};
use crate::transport::tftp::timer::Timer;

use super::{Admitted, Asked, Denied, Guard, Refusal, Visit, Wanted};

/// A device that acknowledges nothing new for this time is gone: it was sent everything about eight times.
const PATIENCE: Duration = Duration::from_secs(25);
/// Of the timeouts that a device asks for.
const TIMES: u32 = 5;
/// Before a socket is tried again that could not be read, or written.
const AGAIN: Duration = Duration::from_millis(100);
/// 0 follows the last number: no RFC says so, and nearly all devices do.
const NUMBERS: Numbers = Numbers {
    last: u16::MAX,
    after: 0,
};

/// A socket that takes requests.
#[derive(Debug)]
pub struct Tftp {
    socket: UdpSocket,
    address: SocketAddr,
}

/// Why a request gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("nothing is written here")]
    Write,
    /// As it is shown.
    #[error("only octet mode, not {0}")]
    Mode(String),
    #[error(transparent)]
    Now(#[from] Refusal),
}

impl Refused {
    /// What the device is answered. A stranger learns nothing.
    fn packet(&self) -> Vec<u8> {
        let (code, text) = match self {
            Self::Denied(Denied::Stranger | Denied::Elsewhere(_)) => {
                (packet::DENIED, "access violation".to_owned())
            }
            Self::Denied(Denied::NoSuchName) => (packet::NOT_FOUND, "file not found".to_owned()),
            Self::Write => (packet::DENIED, "access violation".to_owned()),
            Self::Mode(_) => (packet::GIVEN_UP, "only octet mode".to_owned()),
            Self::Now(why) => (packet::GIVEN_UP, why.to_string()),
        };
        packet::error(code, &text)
    }
}

impl Tftp {
    /// # Errors
    /// The address can't be had.
    pub async fn bind(at: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(at).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until cancelled; then nothing of it is left.
    pub async fn serve(self, guard: Guard, cancel: CancellationToken) {
        let mut transfers = JoinSet::new();
        // Who is being served: a request that is sent again is none more.
        let mut served: HashMap<Id, SocketAddr> = HashMap::new();
        // One byte more shows one that is too long.
        let mut buffer = [0; packet::REQUEST + 1];
        loop {
            let received = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(ended) = transfers.join_next_with_id() => {
                    let id = match ended {
                        Ok((id, ())) => id,
                        Err(error) => error.id(),
                    };
                    served.remove(&id);
                    continue;
                }
                received = self.socket.recv_from(&mut buffer) => received,
            };
            let (count, device) = match received {
                Ok(received) => received,
                // On some systems a socket reports that an earlier packet of it was refused.
                Err(error) if is_about_another(&error) => continue,
                Err(error) => {
                    tracing::warn!(
                        "requests over TFTP can't be read at {}: {error}",
                        self.address
                    );
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = sleep(AGAIN) => continue,
                    }
                }
            };
            // What is no request is never answered: an answer to an error would be answered in turn.
            let Some(request) =
                packet::asked(&buffer[..count]).filter(|_| count <= packet::REQUEST)
            else {
                continue;
            };
            if served.values().any(|other| *other == device) {
                continue;
            }
            let Some(admitted) = guard.admit(device.ip()) else {
                continue;
            };
            match found(&guard, device, &request) {
                Ok(visits) => {
                    let transfer = Transfer {
                        guard: guard.clone(),
                        local: SocketAddr::new(self.address.ip(), 0),
                        device,
                        request,
                        _admitted: admitted,
                    };
                    let task = transfers.spawn(transfer.run(visits, cancel.clone()));
                    served.insert(task.id(), device);
                }
                Err(refused) => {
                    guard.refused(Over::Tftp, device, &refused);
                    said(self.socket.send_to(&refused.packet(), device)).await;
                }
            }
        }
        // Each lets its device know.
        while transfers.join_next().await.is_some() {}
    }
}

/// Waits until a last packet is on its way; it is as good as lost where the host has no room for it.
async fn said(sending: impl Future<Output = io::Result<usize>>) {
    let _ = timeout(AGAIN, sending).await;
}

fn found(
    guard: &Guard,
    device: SocketAddr,
    request: &Request,
) -> Result<mpsc::Sender<Visit>, Refused> {
    let visits = guard.offers().find(device.ip(), &request.path);
    // A stranger is not answered more than that it is one.
    match visits {
        Err(Denied::Stranger) => Err(Denied::Stranger.into()),
        _ if request.writes => Err(Refused::Write),
        _ if request.mode != "octet" => Err(Refused::Mode(shown(&request.mode))),
        visits => Ok(visits?),
    }
}

/// One request that was let in.
struct Transfer {
    guard: Guard,
    local: SocketAddr,
    device: SocketAddr,
    request: Request,
    _admitted: Admitted,
}

impl Transfer {
    async fn run(self, visits: mpsc::Sender<Visit>, cancel: CancellationToken) {
        // The port of this socket is the transfer's, and nobody else is heard on it.
        let socket = match UdpSocket::bind(self.local).await {
            Ok(socket) => socket,
            Err(error) => return self.failed(&error),
        };
        if let Err(error) = socket.connect(self.device).await {
            return self.failed(&error);
        }
        let (device, over) = (self.device, Over::Tftp);
        let ended = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                let error = packet::error(packet::GIVEN_UP, "nothing is served any more");
                return said(socket.send(&error)).await;
            }
            ended = self.send(&socket, visits) => ended,
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => {
                tracing::debug!("what {device} reads over {over} broke off: {broken}");
                if broken == transfer::Broken::Image {
                    let error = packet::error(packet::GIVEN_UP, &broken.to_string());
                    said(socket.send(&error)).await;
                }
            }
            Err(refused) => {
                self.guard.refused(over, device, &refused);
                said(socket.send(&refused.packet())).await;
            }
        }
    }

    /// Asks for the image, and sends it.
    async fn send(
        &self,
        socket: &UdpSocket,
        visits: mpsc::Sender<Visit>,
    ) -> Result<Result<(), transfer::Broken>, Refused> {
        let gone = || Refusal::NotNow("it is not offered any more".into());
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            over: Over::Tftp,
            by: self.device,
            wanted: Wanted::Bytes {
                from: 0,
                until: None,
            },
            answer,
        };
        visits
            .try_send(Visit::Asked(asked))
            .map_err(|error| match error {
                TrySendError::Full(_) => Refusal::Busy,
                TrySendError::Closed(_) => gone(),
            })?;
        // It may take long: meanwhile the device asks again, and that is the same request.
        let answer = answered.await.map_err(|_| gone())??;
        let mut pieces = answer.pieces.ok_or_else(gone)?;
        let granted = options::grant(&self.request.options, answer.size);
        let mut flight = Flight::new(granted.agreed, NUMBERS, Timer::new(), Instant::now());
        if !granted.options.is_empty() {
            flight = flight.granting(packet::granted(&granted.options));
        }
        let patience = granted.timeout.unwrap_or_default() * TIMES;
        let sent = transfer::send(socket, &mut pieces, flight, patience.max(PATIENCE)).await;
        if sent.is_ok() {
            pieces.sent();
        }
        Ok(sent)
    }

    fn failed(&self, error: &io::Error) {
        tracing::warn!("{} gets no socket over TFTP: {error}", self.device);
    }
}

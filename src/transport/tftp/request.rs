//! Asking a server to take a file, with options and without, and which of its answers counts.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::model::{Fault, RemotePath};

use super::fault::fault;
use super::options::{Agreed, Asked, PLAIN};
use super::packet::{self, Answer};
use super::timer::Timer;

/// After the answer to a request, others to the same one are waited for no longer.
const SETTLED: Duration = Duration::from_secs(5);

/// A server that has taken a request.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) socket: UdpSocket,
    /// With the port that it uses for this transfer.
    pub(super) server: SocketAddr,
    pub(super) agreed: Agreed,
    pub(super) timer: Timer,
}

/// What came of a request.
enum Asking {
    Taken(Taken),
    /// Not with these options, and why.
    Options(Fault),
    Silent,
}

/// Asks the addresses of a host in turn, each for an equal part of the deadline: with options, and where they
/// are refused, or nothing comes for half of that, without.
///
/// # Errors
/// The request was refused, or nobody has answered.
pub(super) async fn ask(
    targets: &[SocketAddr],
    path: &RemotePath,
    asked: &Asked,
    limit: Duration,
) -> Result<Taken, Fault> {
    let Some(plain) = packet::request(path.as_str(), &[]) else {
        let reason = "the path is too long for a request of TFTP, which has 512 bytes";
        return Err(Fault::Local(reason.into()));
    };
    let with_options = packet::request(path.as_str(), asked.options());
    let share = limit / u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let mut last = None;
    for target in targets {
        let begun = Instant::now();
        if let Some(request) = &with_options {
            match try_once(*target, request, Some(asked), begun + share / 2).await {
                Ok(Asking::Taken(taken)) => return Ok(taken),
                Ok(Asking::Options(_) | Asking::Silent) => {}
                Err(unreachable @ Fault::Unreachable { .. }) => {
                    last = Some(unreachable);
                    continue;
                }
                Err(refused) => return Err(refused),
            }
        }
        match try_once(*target, &plain, None, begun + share).await {
            Ok(Asking::Taken(taken)) => return Ok(taken),
            Ok(Asking::Silent) => {}
            Ok(Asking::Options(refused)) => return Err(refused),
            Err(unreachable @ Fault::Unreachable { .. }) => last = Some(unreachable),
            Err(refused) => return Err(refused),
        }
    }
    Err(last.unwrap_or_else(|| Fault::NoReply {
        command: "the request to write".into(),
        after: limit,
    }))
}

/// One request, from a socket of its own: what comes late for another one finds nobody.
async fn try_once(
    target: SocketAddr,
    request: &[u8],
    asked: Option<&Asked>,
    until: Instant,
) -> Result<Asking, Fault> {
    let unreachable = |error: io::Error| Fault::Unreachable {
        address: target.to_string(),
        reason: error.to_string(),
    };
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(unreachable)?;
    let mut timer = Timer::new();
    let begun = Instant::now();
    let mut sent = 0;
    let (server, answer) = loop {
        let now = Instant::now();
        if now >= until {
            return Ok(Asking::Silent);
        }
        socket.send_to(request, target).await.map_err(unreachable)?;
        sent += 1;
        let wait = until.min(now + timer.wait());
        match answer_of(&socket, target, wait).await? {
            Some((server, answer)) => break (server, answer),
            None => timer.back_off(),
        }
    };
    let took = begun.elapsed();
    if sent == 1 {
        timer.measured(took);
    }
    let agreed = match answer {
        Answer::Options(options) => match granted(asked, options) {
            Ok(agreed) => agreed,
            Err(why) => {
                let refusal = packet::error(packet::OPTIONS, "these were not asked for");
                let _ = socket.send_to(&refusal, server).await;
                let reply = format!("it grants {why}");
                return Ok(Asking::Options(Fault::Malformed { reply }));
            }
        },
        Answer::Error { code, text } => {
            let refused = fault(code, &text);
            return match code {
                packet::OPTIONS | packet::ILLEGAL => Ok(Asking::Options(refused)),
                _ => Err(refused),
            };
        }
        Answer::Acknowledged(_) | Answer::Other => PLAIN,
    };
    let settled = Instant::now() + took.min(SETTLED);
    settle(&socket, server, until.min(settled)).await?;
    Ok(Asking::Taken(Taken {
        socket,
        server,
        agreed,
        timer,
    }))
}

/// # Errors
/// What is wrong with the options that were granted.
fn granted(
    asked: Option<&Asked>,
    options: Option<Vec<(String, String)>>,
) -> Result<Agreed, String> {
    match (asked, options) {
        (Some(asked), Some(options)) => asked.granted(&options),
        (Some(_), None) => Err("options that can't be read".into()),
        (None, _) => Err("options, and none were asked for".into()),
    }
}

/// The first answer to a request that makes sense, from whatever port of the host.
async fn answer_of(
    socket: &UdpSocket,
    target: SocketAddr,
    until: Instant,
) -> Result<Option<(SocketAddr, Answer)>, Fault> {
    while let Some((from, packet)) = received(socket, until).await? {
        if from.ip() != target.ip() {
            continue;
        }
        match packet {
            answer @ (Answer::Acknowledged(0) | Answer::Options(_) | Answer::Error { .. }) => {
                return Ok(Some((from, answer)));
            }
            Answer::Acknowledged(_) | Answer::Other => {}
        }
    }
    Ok(None)
}

/// A request that the network has doubled, or that was sent again, may be carried out twice by a server, which
/// empties the file each time that it opens it. So nothing is sent before its other answers had the time that
/// the first one took.
async fn settle(socket: &UdpSocket, server: SocketAddr, until: Instant) -> Result<(), Fault> {
    while let Some((from, answer)) = received(socket, until).await? {
        match answer {
            Answer::Error { code, text } if from == server => return Err(fault(code, &text)),
            _ if from.ip() != server.ip() || from == server => {}
            answer => not_ours(socket, from, &answer),
        }
    }
    Ok(())
}

/// Lets a server know that a transfer from this port is none of ours (RFC 1350 section 4). An error is never
/// answered.
pub(super) fn not_ours(socket: &UdpSocket, from: SocketAddr, answer: &Answer) {
    if !matches!(answer, Answer::Error { .. }) {
        let error = packet::error(packet::UNKNOWN_TRANSFER, "this is no transfer of mine");
        let _ = socket.try_send_to(&error, from);
    }
}

async fn received(
    socket: &UdpSocket,
    until: Instant,
) -> Result<Option<(SocketAddr, Answer)>, Fault> {
    let mut buffer = [0; packet::LONGEST];
    loop {
        // What others send must not keep the deadline from being seen.
        if Instant::now() >= until {
            return Ok(None);
        }
        match timeout_at(until, socket.recv_from(&mut buffer)).await {
            Err(_) => return Ok(None),
            Ok(Ok((count, from))) => return Ok(Some((from, packet::parse(&buffer[..count])))),
            Ok(Err(error)) if is_about_another(&error) => {}
            Ok(Err(error)) => return Err(lost(&error)),
        }
    }
}

/// On some systems a socket reports that an earlier packet of it was refused.
pub(in crate::transport) fn is_about_another(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

pub(super) fn lost(error: &io::Error) -> Fault {
    Fault::Local(format!("its socket can't be read: {error}"))
}

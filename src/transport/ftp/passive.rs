//! Opening a data connection: `EPSV` (RFC 2428), then `PASV` (RFC 959), what worked remembered; or
//! `PORT` and `EPRT`, where the inventory asks for active mode.
//!
//! Whatever host a reply names, the connection goes to the peer of the control connection, unless
//! the inventory says otherwise: a wrong address behind a NAT costs nothing, and a hostile one sends
//! us nowhere. In active mode nobody else is let in either.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout_at};

use crate::model::{Active, DataAddress, DataMode, Failure, Fault, Step};

use super::advice;
use super::reply::{Kind, Reply, verb};
use super::session::{REASON, Session};
use crate::transport::tcp::{accepted, connect_data};

/// Between attempts to get one of the ports that may be listened on.
const PORT_AGAIN: Duration = Duration::from_millis(100);

/// How a data connection is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Extended,
    Passive,
    Active,
}

/// A data connection before the command that uses it.
pub(super) struct Opening {
    pub(super) way: Way,
    end: End,
}

enum End {
    Connected(TcpStream),
    /// The server was asked to connect to this address.
    Listening(TcpListener, SocketAddr),
}

pub(super) async fn open_data(session: &mut Session, step: Step) -> Result<Opening, Failure> {
    session.data.named = None;
    if let DataMode::Active(how) = session.dialect.data.clone() {
        return active(session, step, &how).await;
    }
    let opened = |way, stream| Opening {
        way,
        end: End::Connected(stream),
    };
    let mut epsv_failure = None;
    if !session.known().no_epsv && !session.data.avoids_epsv {
        match extended(session, step).await {
            Ok(stream) => return Ok(opened(Way::Extended, stream)),
            // Without its reply the session is of no use for `PASV` either.
            Err(failure) if !session.in_step() => {
                if matches!(failure.fault, Fault::NoReply { .. }) {
                    session.learn(|quirks| quirks.no_epsv = true);
                }
                return Err(failure);
            }
            // `PASV` can't name an IPv6 address.
            Err(failure) if session.control.peer.is_ipv6() => return Err(failure),
            Err(failure) => epsv_failure = Some(failure),
        }
    }
    match passive(session, step).await {
        Ok(stream) => {
            session.learn(|quirks| quirks.no_epsv = true);
            Ok(opened(Way::Passive, stream))
        }
        Err(failure) => match epsv_failure {
            // A server that knows no `PASV`, or that is gone by then, has said what is wrong in its
            // answer to `EPSV`.
            Some(first) if is_unknown(&failure) || !session.in_step() && first.is_transient() => {
                Err(first)
            }
            _ => Err(failure),
        },
    }
    .map_err(without_passive)
}

pub(super) fn is_unknown(failure: &Failure) -> bool {
    let codes = [500, 502, 504];
    matches!(&failure.fault, Fault::Reply { code, .. } | Fault::Wants { code, .. } if codes.contains(code))
}

/// A server that knows neither way may know active mode.
fn without_passive(failure: Failure) -> Failure {
    match failure.fault {
        Fault::Reply {
            code: code @ (500 | 502 | 504 | 522),
            text,
        } => Failure::new(
            failure.step,
            Fault::Wants {
                code,
                text,
                advice: advice::active(),
            },
        ),
        _ => failure,
    }
}

async fn extended(session: &mut Session, step: Step) -> Result<TcpStream, Failure> {
    let reply = session.command(step, "EPSV").await?;
    if reply.code != 229 {
        return Err(Failure::new(step, session.data_fault(&reply, "EPSV")));
    }
    let Some(port) = port_of_epsv(&reply.raw) else {
        return Err(Failure::new(step, Fault::Malformed { reply: reply.shown }));
    };
    let target = at_port(session.control.peer, port);
    let connected = connect_data(target, session.timeouts.connect).await;
    connected.map_err(|fault| Failure::new(step, fault))
}

async fn passive(session: &mut Session, step: Step) -> Result<TcpStream, Failure> {
    let reply = session.command(step, "PASV").await?;
    if reply.code != 227 {
        return Err(Failure::new(step, session.data_fault(&reply, "PASV")));
    }
    let Some((named, port)) = of_pasv(&reply.raw) else {
        return Err(Failure::new(step, Fault::Malformed { reply: reply.shown }));
    };
    let is_other = IpAddr::V4(named) != session.control.peer.ip() && !named.is_unspecified();
    session.data.named = is_other.then_some(named);
    let target = match session.dialect.data_address {
        DataAddress::AsTold if is_other => SocketAddr::from((named, port)),
        _ => at_port(session.control.peer, port),
    };
    let connected = connect_data(target, session.timeouts.connect).await;
    connected.map_err(|fault| Failure::new(step, way_fault(session, Way::Passive, fault)))
}

/// Another port of the same host; on IPv6 also on the same link, which a zone names.
fn at_port(peer: SocketAddr, port: u16) -> SocketAddr {
    let mut target = peer;
    target.set_port(port);
    target
}

/// What is wrong with a data connection that did not come, and whether it was looked for at the
/// wrong place.
pub(super) fn way_fault(session: &Session, way: Way, fault: Fault) -> Fault {
    let named =
        (session.data.named).filter(|_| session.dialect.data_address == DataAddress::SameHost);
    match (way, named) {
        (Way::Passive, Some(named)) => Fault::DataWay {
            fault: Box::new(fault),
            hint: format!(
                "the server named {named} for its data: if that is the same device, write \
                 `data_address: as-told` beside its address"
            ),
        },
        _ => fault,
    }
}

async fn active(session: &mut Session, step: Step, how: &Active) -> Result<Opening, Failure> {
    let failed =
        |error: &dyn std::error::Error| Failure::new(step, Fault::Local(error.to_string()));
    let local = session.local_addr().await;
    let local = local.map_err(|error| failed(&error))?;
    let until = Instant::now() + session.timeouts.connect;
    let listener = listen(local, how, until)
        .await
        .map_err(|error| failed(&error))?;
    let port = listener.local_addr().map_err(|error| failed(&error))?;
    let told = match how.address {
        Some(address) => SocketAddr::from((address, port.port())),
        None => at_port(local, port.port()),
    };
    let (high, low) = (told.port() >> 8, told.port() & 0xFF);
    let commands = match told.ip() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            vec![
                format!("PORT {a},{b},{c},{d},{high},{low}"),
                format!("EPRT |1|{address}|{}|", told.port()),
            ]
        }
        IpAddr::V6(address) => vec![format!("EPRT |2|{address}|{}|", told.port())],
    };
    let last = commands.len() - 1;
    for (at, command) in commands.iter().enumerate() {
        let reply = session.command(step, command).await?;
        match reply.kind() {
            Kind::Done => break,
            Kind::NotKnown if at < last => {}
            _ => {
                let fault = session.data_fault(&reply, verb(command));
                return Err(Failure::new(step, fault));
            }
        }
    }
    Ok(Opening {
        way: Way::Active,
        end: End::Listening(listener, told),
    })
}

#[derive(Debug, thiserror::Error)]
#[error(
    "no port of `data: active` can be listened on ({0}); each entity that is sent to needs one of its \
     own"
)]
struct NotListening(String);

/// Listens at the address that is sent where that is one of this host's, else (behind a NAT) at the
/// one that this host has towards the server; on one of the ports that are free, or become so.
async fn listen(
    local: SocketAddr,
    how: &Active,
    until: Instant,
) -> Result<TcpListener, NotListening> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let ports: Vec<u16> = match &how.ports {
        Some(ports) => ports.clone().collect(),
        None => vec![0],
    };
    loop {
        let first = NEXT.fetch_add(1, Ordering::Relaxed) % ports.len();
        let mut last = None;
        for port in ports[first..].iter().chain(&ports[..first]) {
            let told = how
                .address
                .map(|address| SocketAddr::from((address, *port)));
            let bound = match told {
                Some(told) => match TcpListener::bind(told).await {
                    Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                        TcpListener::bind(at_port(local, *port)).await
                    }
                    bound => bound,
                },
                None => TcpListener::bind(at_port(local, *port)).await,
            };
            match bound {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        let is_taken = last
            .as_ref()
            .is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse);
        if !is_taken || Instant::now() >= until {
            let reason = last.map(|error| error.to_string()).unwrap_or_default();
            return Err(NotListening(reason));
        }
        sleep(PORT_AGAIN).await;
    }
}

/// What came first while a connection was waited for.
enum Came {
    Connection(io::Result<(TcpStream, SocketAddr)>),
    Reply(Result<Reply, Failure>),
}

impl Opening {
    /// The connection, where it is there before the command that uses it.
    pub(super) fn connected(self) -> Result<TcpStream, Self> {
        match self.end {
            End::Connected(stream) => Ok(stream),
            End::Listening(..) => Err(self),
        }
    }

    /// The connection, once the server has said that the transfer begins: in active mode it comes
    /// from there. The second value is the code of a reply that has ended the transfer meanwhile.
    pub(super) async fn arrived(
        self,
        session: &mut Session,
        step: Step,
        verb: &str,
    ) -> Result<(TcpStream, Option<u16>), Failure> {
        let (listener, told) = match self.end {
            End::Connected(stream) => return Ok((stream, None)),
            End::Listening(listener, told) => (listener, told),
        };
        let hint = |fault| {
            let fault = Fault::DataWay {
                fault: Box::new(fault),
                hint: format!("it was asked to connect to {told} (`data: active`)"),
            };
            Failure::new(step, fault)
        };
        let after = session.timeouts.connect;
        let mut until = Instant::now() + after;
        let mut ended = None;
        loop {
            let is_open = ended.is_none();
            let next = async {
                tokio::select! {
                    biased;
                    accepted = listener.accept() => Came::Connection(accepted),
                    reply = session.reply(step), if is_open => Came::Reply(reply),
                }
            };
            match timeout_at(until, next).await {
                Ok(Came::Reply(Ok(reply))) if reply.is_preliminary() => {}
                // All of a small file may have been sent by now.
                Ok(Came::Reply(Ok(reply))) if reply.is_done() => {
                    ended = Some(reply.code);
                    until = until.min(Instant::now() + REASON);
                }
                Ok(Came::Reply(Ok(reply))) => return Err(hint(session.transfer_fault(&reply))),
                Ok(Came::Reply(Err(failure))) => return Err(failure),
                Ok(Came::Connection(Ok((stream, from)))) => {
                    let as_told = session.dialect.data_address == DataAddress::AsTold;
                    if from.ip() != session.control.peer.ip() && !as_told {
                        continue;
                    }
                    let ready = accepted(&stream);
                    ready.map_err(|error| Failure::new(step, Fault::Local(error.to_string())))?;
                    return Ok((stream, ended));
                }
                Ok(Came::Connection(Err(error))) => {
                    return Err(Failure::new(step, Fault::Local(error.to_string())));
                }
                Err(_) => {
                    let command = format!("{verb} (no data connection came)");
                    return Err(hint(Fault::NoReply { command, after }));
                }
            }
        }
    }
}

/// The port in `Entering Extended Passive Mode (|||6446|)`; any delimiter (RFC 2428 section 3).
pub(super) fn port_of_epsv(text: &str) -> Option<u16> {
    let inner = &text[text.find('(')? + 1..];
    let delimiter = inner.chars().next()?;
    let port = inner.split(delimiter).nth(3)?;
    port.parse().ok().filter(|port| *port != 0)
}

/// The host and port in `Entering Passive Mode (h1,h2,h3,h4,p1,p2)`, with or without the
/// parentheses.
pub(super) fn of_pasv(text: &str) -> Option<(Ipv4Addr, u16)> {
    let is_part = |c: char| c.is_ascii_digit() || c == ',' || c == ' ';
    text.split(|c: char| !is_part(c))
        .find_map(|run| {
            let numbers: Option<Vec<u8>> = run
                .split(',')
                .map(|number| number.trim().parse().ok())
                .collect();
            match numbers?.as_slice() {
                [a, b, c, d, high, low] => {
                    let host = Ipv4Addr::new(*a, *b, *c, *d);
                    Some((host, u16::from_be_bytes([*high, *low])))
                }
                _ => None,
            }
        })
        .filter(|(_, port)| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::{at_port, of_pasv, port_of_epsv};
    use std::net::{SocketAddr, SocketAddrV6};

    #[test]
    fn ports_are_found_as_devices_write_them() {
        assert_eq!(
            port_of_epsv("Entering Extended Passive Mode (|||6446|)"),
            Some(6446)
        );
        assert_eq!(port_of_epsv("ok (!!!21!)."), Some(21));
        // The host that it names is not looked at.
        assert_eq!(port_of_epsv("ok (|1|192.0.2.1|21|)"), Some(21));
        assert_eq!(port_of_epsv("ok |||6446|"), None);
        assert_eq!(port_of_epsv("ok (|||70000|)"), None);
        let port_of_pasv = |text| of_pasv(text).map(|(_, port)| port);
        let host = of_pasv("Entering Passive Mode (213,229,112,130,216,4)")
            .unwrap()
            .0;
        assert_eq!(host.to_string(), "213.229.112.130");
        assert_eq!(
            port_of_pasv("Entering Passive Mode (213,229,112,130,216,4)"),
            Some(0xd804)
        );
        assert_eq!(
            port_of_pasv("Entering Passive Mode 10,0,0,1,4,1"),
            Some(0x0401)
        );
        assert_eq!(port_of_pasv("=10,0,0,1,4,1."), Some(0x0401));
        assert_eq!(port_of_pasv("Passive Mode (10,0,0,1,4,0)"), Some(0x0400));
        assert_eq!(port_of_pasv("Passive Mode (10,0,0,1,0,0)"), None);
        assert_eq!(port_of_pasv("Passive Mode (10,0,0,1,999,0)"), None);
    }

    /// Without it a link-local address leads to no link, or to a wrong one.
    #[test]
    fn the_zone_of_an_address_stays_on_its_data_connections() {
        let peer = SocketAddrV6::new("fe80::1".parse().unwrap(), 21, 0, 7);
        let SocketAddr::V6(target) = at_port(peer.into(), 6446) else {
            panic!("not IPv6");
        };
        assert_eq!((target.scope_id(), target.port()), (7, 6446));
        assert_eq!(target.ip(), peer.ip());
    }

    proptest::proptest! {
        #[test]
        fn no_reply_makes_the_parsers_fall_over(text in "\\PC*") {
            let _ = port_of_epsv(&text);
            let _ = of_pasv(&text);
        }
    }
}

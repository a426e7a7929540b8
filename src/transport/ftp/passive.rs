//! Opening a data connection: `EPSV` (RFC 2428), then `PASV` (RFC 959), what worked remembered.
//!
//! Whatever host a reply names, the connection goes to the peer of the control connection: a
//! wrong address behind a NAT costs nothing, and a hostile one sends us nowhere.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::model::{Failure, Fault, Step};

use super::connect::connect_data;
use super::session::Session;

pub(super) async fn open_data(session: &mut Session, step: Step) -> Result<TcpStream, Failure> {
    let mut epsv_failure = None;
    if !session.memory.of(&session.address).no_epsv {
        match extended(session, step).await {
            Ok(stream) => return Ok(stream),
            // Without its reply the session is of no use for `PASV` either.
            Err(failure) if !session.in_step() => {
                if matches!(failure.fault, Fault::NoReply { .. }) {
                    session
                        .memory
                        .learn(&session.address, |quirks| quirks.no_epsv = true);
                }
                return Err(failure);
            }
            // `PASV` can't name an IPv6 address.
            Err(failure) if session.peer.is_ipv6() => return Err(failure),
            Err(failure) => epsv_failure = Some(failure),
        }
    }
    match passive(session, step).await {
        Ok(stream) => {
            session
                .memory
                .learn(&session.address, |quirks| quirks.no_epsv = true);
            Ok(stream)
        }
        // A server that knows no `PASV` has said what is wrong in its answer to `EPSV`.
        Err(failure) => match (epsv_failure, &failure.fault) {
            (
                Some(first),
                Fault::Reply {
                    code: 500 | 502, ..
                },
            ) => Err(first),
            _ => Err(failure),
        },
    }
}

async fn extended(session: &mut Session, step: Step) -> Result<TcpStream, Failure> {
    let reply = session
        .expect(step, "EPSV", |reply| reply.code == 229)
        .await?;
    let Some(port) = port_of_epsv(&reply.raw) else {
        return Err(Failure::new(step, Fault::Malformed { reply: reply.shown }));
    };
    connect(session, step, port).await
}

async fn passive(session: &mut Session, step: Step) -> Result<TcpStream, Failure> {
    let reply = session
        .expect(step, "PASV", |reply| reply.code == 227)
        .await?;
    let Some(port) = port_of_pasv(&reply.raw) else {
        return Err(Failure::new(step, Fault::Malformed { reply: reply.shown }));
    };
    connect(session, step, port).await
}

async fn connect(session: &Session, step: Step, port: u16) -> Result<TcpStream, Failure> {
    let target = SocketAddr::new(session.peer.ip(), port);
    connect_data(target, session.timeouts.connect)
        .await
        .map_err(|fault| Failure::new(step, fault))
}

/// The port in `Entering Extended Passive Mode (|||6446|)`; any delimiter (RFC 2428 section 3).
pub(super) fn port_of_epsv(text: &str) -> Option<u16> {
    let inner = &text[text.find('(')? + 1..];
    let delimiter = inner.chars().next()?;
    let port = inner.split(delimiter).nth(3)?;
    port.parse().ok().filter(|port| *port != 0)
}

/// The port in `Entering Passive Mode (h1,h2,h3,h4,p1,p2)`, with or without the parentheses.
pub(super) fn port_of_pasv(text: &str) -> Option<u16> {
    let is_part = |c: char| c.is_ascii_digit() || c == ',' || c == ' ';
    text.split(|c: char| !is_part(c))
        .find_map(|run| {
            let numbers: Option<Vec<u8>> = run
                .split(',')
                .map(|number| number.trim().parse().ok())
                .collect();
            match numbers?.as_slice() {
                [_, _, _, _, high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            }
        })
        .filter(|port| *port != 0)
}

#[cfg(test)]
mod tests {
    use super::{port_of_epsv, port_of_pasv};

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

    proptest::proptest! {
        #[test]
        fn no_reply_makes_the_parsers_fall_over(text in "\\PC*") {
            let _ = port_of_epsv(&text);
            let _ = port_of_pasv(&text);
        }
    }
}

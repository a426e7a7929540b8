//! Reaching a server at one of its addresses, up to its greeting.

use std::net::SocketAddr;

use tokio::time::{Instant, timeout};

use crate::model::{Fault, Scheme};
use crate::transport::tls::TlsContext;
use crate::transport::{Endpoint, tcp};

use super::control::{Ftp, ReplyLimiter};
use super::greeting::{self, Way};
use super::quirks::ServerQuirks;
use crate::transport::redact::Redact;

/// A control connection that has been greeted, and is as safe as the address asks for.
pub(super) struct Connected {
    pub(super) ftp: Ftp,
    pub(super) peer: SocketAddr,
    /// For data connections too; absent in clear text.
    pub(super) tls: Option<TlsContext>,
    pub(super) limiter: ReplyLimiter,
    pub(super) redact: Redact,
}

/// Connects to the first of the host's addresses that answers.
pub(super) async fn connected(
    quirks: &ServerQuirks,
    endpoint: &Endpoint,
) -> Result<Connected, Fault> {
    let limit = endpoint.timeouts.connect;
    let until = Instant::now() + limit;
    let resolved = timeout(limit, tcp::resolve(&endpoint.address)).await;
    let targets = resolved.map_err(|_| connect_timeout(endpoint))??;
    connected_to(&targets, until, quirks, endpoint).await
}

fn connect_timeout(endpoint: &Endpoint) -> Fault {
    Fault::ConnectTimeout {
        address: endpoint.address.to_string(),
        after: endpoint.timeouts.connect,
    }
}

/// As [`connected`], until a moment. Each address has an equal part of the time that is left: one
/// that is silent does not use up that of the others.
async fn connected_to(
    targets: &[SocketAddr],
    until: Instant,
    quirks: &ServerQuirks,
    endpoint: &Endpoint,
) -> Result<Connected, Fault> {
    let address = &endpoint.address;
    let mut last = tcp::no_address(address);
    for (place, peer) in targets.iter().copied().enumerate() {
        let left = u32::try_from(targets.len() - place).unwrap_or(u32::MAX);
        let deadline = until.saturating_duration_since(Instant::now()) / left;
        let tls = match address.scheme {
            Scheme::FtpsExplicit | Scheme::FtpsImplicit => {
                let authorities = &quirks.authorities;
                Some(TlsContext::new(authorities, &endpoint.tls, &address.host, peer.ip()).await?)
            }
            _ => None,
        };
        let way = match (&tls, address.scheme) {
            (Some(context), Scheme::FtpsExplicit) => Way::Explicit(context.clone()),
            (Some(context), _) => Way::Implicit(context.clone()),
            (None, _) => Way::Clear,
        };
        let limiter = ReplyLimiter::default();
        let redact = Redact::of(&endpoint.login, endpoint.dialect.account.as_ref());
        let opened = greeting::open(peer, way, endpoint.timeouts, deadline, &limiter, &redact);
        match opened.await {
            Ok(ftp) => {
                limiter.replied();
                return Ok(Connected {
                    ftp,
                    peer,
                    tls,
                    limiter,
                    redact,
                });
            }
            Err(Fault::ConnectTimeout { .. }) => last = connect_timeout(endpoint),
            Err(fault @ (Fault::Refused { .. } | Fault::Unreachable { .. })) => last = fault,
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::model::{Address, Dialect, Login, Timeouts, Tls};

    /// A host that lets nobody in and does not say so, like one whose address is out of date: its
    /// queue of connections is full.
    #[cfg(target_os = "linux")]
    async fn silent() -> (Socket, Vec<TcpStream>) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let target = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        let connect = || timeout(Duration::from_millis(300), TcpStream::connect(target));
        while let Ok(connected) = connect().await {
            queue.push(connected.unwrap());
        }
        (listener, queue)
    }

    /// A name with an IPv6 address that nobody answers at is no reason not to reach its IPv4 one.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_is_silent_leaves_time_for_the_next() {
        let (silent, _queue) = silent().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let targets = [silent.local_addr().unwrap().as_socket().unwrap(), good];
        let timeouts = Timeouts {
            connect: Duration::from_secs(4),
            ..Timeouts::default()
        };
        let endpoint = Endpoint {
            address: Address {
                scheme: Scheme::Ftp,
                host: "device".into(),
                port: good.port(),
            },
            login: Login::anonymous().into(),
            timeouts,
            tls: Tls::default(),
            ssh: crate::model::Ssh::default(),
            dialect: Dialect::default(),
            http: crate::model::Http::default(),
        };
        let quirks = ServerQuirks::default();
        let until = Instant::now() + timeouts.connect;
        let connecting = connected_to(&targets, until, &quirks, &endpoint);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 here\r\n").await.unwrap();
            stream
        };
        let both = async { tokio::join!(connecting, serving) };
        let (connected, _server) = timeout(Duration::from_secs(20), both).await.unwrap();
        assert_eq!(connected.map(|one| one.peer).unwrap(), good);
        // On a host that answers at once even no time at all is enough.
        assert!(Instant::now() < until, "the first one had all of the time");
    }
}

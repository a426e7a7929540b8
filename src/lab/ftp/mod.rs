//! The FTP face of a server: libunftp speaks the protocol over the lab's storage.
//!
//! - `relay` the control connection, where latency, silence, death and odd replies are brought about
//! - `backend` the storage, as libunftp asks for it
//! - `login` who may log in; `site` what restarts the device

mod backend;
mod login;
mod relay;
mod site;

use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use async_trait::async_trait;
use libunftp::ServerBuilder;
use libunftp::options::Binder;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use self::backend::Backend;
use self::login::Logins;
use self::relay::Session;
use super::life::Boot;
use super::server::Server;
use super::session::Buffers;
use super::storage::Storage;

pub(super) use relay::session;

/// Runs one session on a control connection.
async fn serve(
    server: &Arc<Server>,
    boot: Boot,
    session: &Arc<Session>,
    control: TcpStream,
) -> io::Result<()> {
    let storage = Storage {
        server: Arc::clone(server),
        boot,
    };
    let backend = Backend {
        storage,
        session: Arc::clone(session),
    };
    let logins = Logins {
        user: server.user.clone(),
        refuse: server.behaviour.refuse_login,
    };
    // libunftp gives a server's binder to its first session only; so each session has a server.
    let unftp =
        ServerBuilder::with_authenticator(Box::new(move || backend.clone()), Arc::new(logins))
            .greeting("subtend lab")
            // Sessions end with their control connection, and with the lab.
            .idle_session_timeout(24 * 60 * 60)
            // Its own logger would write to whatever logger the process has, and it writes a lot.
            .logger(slog::Logger::root(slog::Discard, slog::o!()))
            .binder(Passive {
                buffers: Buffers::of(server),
            })
            .build()
            .map_err(io::Error::other)?;
    unftp.service(control).await.map_err(io::Error::other)
}

/// Opens the listeners of data connections: on the session's own address, on any free port.
#[derive(Debug)]
struct Passive {
    buffers: Buffers,
}

#[async_trait]
impl Binder for Passive {
    async fn bind(&mut self, ip: IpAddr, _: RangeInclusive<u16>) -> io::Result<TcpSocket> {
        let socket = match ip {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        self.buffers.set(SockRef::from(&socket))?;
        socket.bind((ip, 0).into())?;
        Ok(socket)
    }
}

//! One connection to a server, whatever is spoken over it: turned away or served, and reset where the server
//! vanishes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::life::Boot;
use super::server::Server;
use super::{ftp, http, sftp};
use crate::model::Scheme;

/// Bytes that the kernel may hold for a transfer, each way. With its own idea of it, a slow or silent entity
/// would seem to take megabytes that it never takes.
const SOCKET_BUFFER: u64 = 256 * 1024;
const SMALLEST_SOCKET_BUFFER: u64 = 16 * 1024;
/// From a confirmation to the reboot that follows it: it is read before all connections are reset.
const CONFIRMED: Duration = Duration::from_millis(50);

/// One session, from its beginning until either side closes it or the server is killed.
pub(super) async fn session(server: Arc<Server>, boot: Boot, mut client: TcpStream) {
    let session = async {
        client.set_nodelay(true)?;
        if server.scheme == Scheme::Http {
            // A session is one request there.
            return http::session(&server, boot, &mut client).await;
        }
        let (number, _counted) = server.open_session();
        if server.has_no_room(number) {
            return turned_away(&server, &mut client).await;
        }
        match server.scheme {
            Scheme::Sftp => sftp::session(&server, boot, &mut client).await,
            _ => ftp::session(&server, boot, &mut client).await,
        }
    };
    match server.while_alive(boot, session).await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::debug!(server = %server.name, "a session of the lab ended: {error}");
        }
        None => {
            // A server that vanishes does not take its leave.
            reset(&server, &client);
        }
    }
}

/// What is closed then is reset.
pub(super) fn reset(server: &Server, client: &TcpStream) {
    if let Err(error) = SockRef::from(client).set_linger(Some(Duration::ZERO)) {
        tracing::debug!(server = %server.name, "a session was closed, not reset: {error}");
    }
}

/// Bytes of socket buffers, for what a server moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers {
    receive: usize,
    send: usize,
}

impl Buffers {
    pub(super) fn of(server: &Server) -> Self {
        let behaviour = &server.behaviour;
        let buffer = |rate: Option<u64>| {
            let bytes = match rate {
                None => SOCKET_BUFFER,
                Some(rate) => (rate / 8).clamp(SMALLEST_SOCKET_BUFFER, SOCKET_BUFFER),
            };
            usize::try_from(bytes).unwrap_or(usize::MAX)
        };
        Self {
            receive: buffer(behaviour.rate),
            send: buffer(behaviour.read_rate.or(behaviour.rate)),
        }
    }

    pub(super) fn set(self, socket: SockRef<'_>) -> io::Result<()> {
        socket.set_recv_buffer_size(self.receive)?;
        socket.set_send_buffer_size(self.send)
    }
}

/// The reboot that follows a confirmation; [`Server::restart`] says what is returned.
pub(super) async fn reboot(
    server: &Arc<Server>,
    down_for: Duration,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    tokio::time::sleep(CONFIRMED).await;
    server.restart(down_for)
}

/// The same, where the confirmation that was asked for is not sent yet.
pub(super) fn reboots_soon(server: &Arc<Server>) {
    if let Some(time) = server.reboots_now() {
        let server = Arc::clone(server);
        // The lab's runtime ends it at the latest.
        tokio::spawn(async move {
            if let Some(back) = reboot(&server, time).await {
                back.await;
            }
        });
    }
}

async fn turned_away(server: &Server, client: &mut TcpStream) -> io::Result<()> {
    let usual = match server.scheme {
        // As OpenSSH does it.
        Scheme::Sftp => "Exceeded MaxStartups",
        _ => "421 Too many sessions, try later",
    };
    match server.behaviour.busy_reply.as_deref().unwrap_or(usual) {
        "" => {}
        said => client.write_all(format!("{said}\r\n").as_bytes()).await?,
    }
    client.shutdown().await
}

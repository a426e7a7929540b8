//! One connection to a server, whatever is spoken over it: turned away or served, and reset where the server
//! vanishes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::life::Boot;
use super::server::Server;
use super::{ftp, sftp};
use crate::model::Scheme;

/// One session, from its beginning until either side closes it or the server is killed.
pub(super) async fn session(server: Arc<Server>, boot: Boot, mut client: TcpStream) {
    let (number, _counted) = server.open_session();
    let session = async {
        let is_full = (server.behaviour.max_sessions).is_some_and(|most| number > most);
        if is_full || server.busy_now() {
            return turned_away(&server, &mut client).await;
        }
        client.set_nodelay(true)?;
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
            let reset = socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO));
            if let Err(error) = reset {
                tracing::debug!(server = %server.name, "a session was closed, not reset: {error}");
            }
        }
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

//! The SFTP face of a server: russh speaks SSH, russh-sftp reads and writes the packets.
//!
//! - here: one connection
//! - `login` the session of SSH: who may log in, and what may be asked for
//! - `requests` what SFTP asks of the storage; `reply` the status for each refusal
//!
//! The libraries keep the connection that they are given, in tasks of their own. So that a server can fall
//! silent or vanish at once, its clients' sockets are ours, and their bytes are passed on.

mod login;
mod reply;
mod requests;

use std::io;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use self::login::Login;
use super::life::Boot;
use super::server::Server;
use super::session::Buffers;
use super::ssh;
use super::storage::{Face, Storage};

/// What a session's requests can do with its connection.
#[derive(Debug, Clone)]
struct Line {
    cut: CancellationToken,
}

impl Face for Line {
    /// Each write was confirmed, and there is no other confirmation before the end.
    fn confirm_early(&self) {}

    fn hang_up(&self) {
        self.cut.cancel();
    }
}

/// One connection, until either side closes it.
pub(super) async fn session(
    server: &Arc<Server>,
    boot: Boot,
    client: &mut TcpStream,
) -> io::Result<()> {
    Buffers::of(server).set(SockRef::from(&*client))?;
    let line = Line {
        cut: CancellationToken::new(),
    };
    let storage = Storage {
        server: Arc::clone(server),
        boot,
    };
    let login = Login::new(storage, line.clone());
    let cut = line.cut.clone();
    ssh::speak(server, login, client, cut.cancelled()).await
}

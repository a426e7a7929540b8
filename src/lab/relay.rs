//! The control connection of one session, between the client and libunftp.
//!
//! libunftp takes a socket and keeps it. So that a server can be slow to answer, fall silent or
//! vanish at once, its clients' control connections are ours, and are passed on line by line over a
//! second connection inside this process. Data connections are not: they go straight to libunftp.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::life::Boot;
use super::server::Server;
use super::storage;

/// A command line is not longer than this; what is longer is cut off by closing the session.
const LONGEST_LINE: u64 = 8 * 1024;
/// From a confirmation to the reboot that follows it.
const CONFIRMED: Duration = Duration::from_millis(50);

/// One session, from its greeting until either side closes it or the server is killed.
pub(super) async fn session(server: Arc<Server>, boot: Boot, mut client: TcpStream) {
    let session = async {
        if server.busy_now() {
            return turned_away(&mut client).await;
        }
        relayed(&server, boot, &mut client).await
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

async fn turned_away(client: &mut TcpStream) -> io::Result<()> {
    client
        .write_all(b"421 Too many sessions, try later\r\n")
        .await?;
    client.shutdown().await
}

async fn relayed(server: &Arc<Server>, boot: Boot, client: &mut TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (inner, outer) = pair(SocketAddr::new(client.local_addr()?.ip(), 0)).await?;
    let (from_client, to_client) = client.split();
    let (from_inner, to_inner) = inner.into_split();
    let session = async {
        tokio::join!(
            storage::serve(server, boot, outer),
            up(server, from_client, to_inner),
        )
    };
    let replies = down(server, boot, from_inner, to_client);
    tokio::pin!(replies);
    // The session is over when libunftp has closed its end, and not when its last command is in.
    tokio::select! {
        ended = &mut replies => ended,
        (served, up) = session => {
            replies.await?;
            served.and(up)
        }
    }
}

/// Passes commands on.
async fn up(server: &Server, from: ReadHalf<'_>, mut to: OwnedWriteHalf) -> io::Result<()> {
    let behaviour = &server.behaviour;
    let mut from = BufReader::with_capacity(1024, from);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut from)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .await;
        match read {
            Ok(_) if line.last() == Some(&b'\n') => {}
            // The end, half a line, or a reset: for the server, the client has left.
            Ok(_) | Err(_) => return to.shutdown().await,
        }
        if let Some(latency) = behaviour.latency {
            tokio::time::sleep(latency).await;
        }
        let verb = line.trim_ascii_end().split(|byte| *byte == b' ').next();
        let verb = verb.unwrap_or_default().to_ascii_uppercase();
        if server.hangs_up_on(&verb) {
            return to.shutdown().await;
        }
        match verb.as_slice() {
            // libunftp has no back-end call for RNFR. This is a command that it does not know.
            b"RNFR" if behaviour.no_rename => drop(line.splice(..4, *b"XRNF")),
            // Nor can it tell who asks for facts of a file. There is no file of this name.
            b"SIZE" if behaviour.no_size => line = b"SIZE /no size is known/of it\r\n".to_vec(),
            _ => {}
        }
        to.write_all(&line).await?;
    }
}

/// Passes replies on.
async fn down(
    server: &Arc<Server>,
    boot: Boot,
    mut from: OwnedReadHalf,
    mut to: WriteHalf<'_>,
) -> io::Result<()> {
    let mut buffer = [0; 512];
    loop {
        let read = from.read(&mut buffer).await;
        if !server.serves(boot) {
            // What libunftp says of the end of a transfer can be here before the news that this
            // server is silent or gone; what polls this stops doing so.
            std::future::pending::<()>().await;
        }
        match read {
            Ok(0) | Err(_) => return to.shutdown().await,
            Ok(count) => {
                let reply = &buffer[..count];
                to.write_all(reply).await?;
                if reply.starts_with(b"226")
                    && let Some(time) = server.reboots_now()
                {
                    // Read by the client before all connections are reset.
                    tokio::time::sleep(CONFIRMED).await;
                    if let Some(back) = server.restart(time) {
                        tokio::spawn(back);
                    }
                }
            }
        }
    }
}

/// Two ends of a connection inside this process. They have the client's address family and host,
/// for libunftp derives those of data connections from them.
async fn pair(address: SocketAddr) -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(address).await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    loop {
        let (far, peer) = listener.accept().await?;
        // Anybody on this host can connect; only our own end is meant.
        if peer == near.local_addr()? {
            near.set_nodelay(true)?;
            far.set_nodelay(true)?;
            return Ok((near, far));
        }
    }
}

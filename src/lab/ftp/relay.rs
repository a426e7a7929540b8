//! The control connection of one session, between the client and libunftp.
//!
//! libunftp takes a socket and keeps it. So that a server can be slow to answer, fall silent or
//! vanish at once, its clients' control connections are ours, and are passed on line by line over a
//! second connection inside this process. Data connections are not: they go straight to libunftp.
//!
//! So what a device says differently is said here: a command can be answered without libunftp, and
//! the last reply to one can be replaced, changed or lost. A client waits for the reply to a command
//! before it says the next one, so that a reply belongs to the last command.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::site;
use crate::lab::cli::restart;
use crate::lab::life::Boot;
use crate::lab::server::Server;
use crate::lab::session::reboot;

/// A command line is not longer than this; what is longer is cut off by closing the session.
const LONGEST_LINE: u64 = 8 * 1024;

/// Commands with the name of a file.
const OF_FILES: [&[u8]; 8] = [
    b"STOR", b"RETR", b"SIZE", b"MDTM", b"MLST", b"RNFR", b"RNTO", b"DELE",
];

/// What one session's commands, replies and transfers know of each other.
#[derive(Debug)]
pub(super) struct Session {
    now: Mutex<Now>,
    own: mpsc::UnboundedSender<Own>,
}

/// The command that is carried out.
#[derive(Debug, Default)]
struct Now {
    verb: Vec<u8>,
    /// The session ends in place of its last reply.
    is_lost: bool,
    /// Said in place of its last reply.
    instead: Option<String>,
}

/// What is said or done without libunftp.
#[derive(Debug)]
enum Own {
    Reply(String),
    HangUp,
}

impl Session {
    /// Says a line.
    pub(super) fn say(&self, line: &str) {
        let _ = self.own.send(Own::Reply(format!("{line}\r\n")));
    }

    /// Ends the control connection.
    pub(super) fn hang_up(&self) {
        let _ = self.own.send(Own::HangUp);
    }

    /// Says a line in place of the last reply to the command that is carried out.
    pub(super) fn say_instead(&self, line: Option<&String>) {
        self.now().instead = line.cloned();
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session, from its greeting until either side closes it.
pub(in crate::lab) async fn session(
    server: &Arc<Server>,
    boot: Boot,
    client: &mut TcpStream,
) -> io::Result<()> {
    let (inner, outer) = pair(SocketAddr::new(client.local_addr()?.ip(), 0)).await?;
    let (from_client, to_client) = client.split();
    let (from_inner, to_inner) = inner.into_split();
    let (own, said) = mpsc::unbounded_channel();
    let session = Arc::new(Session {
        now: Mutex::default(),
        own,
    });
    let both = async {
        tokio::join!(
            super::serve(server, boot, &session, outer),
            up(server, &session, from_client, to_inner),
        )
    };
    let replies = down(server, boot, &session, said, from_inner, to_client);
    tokio::pin!(replies);
    // The session is over when libunftp has closed its end, and not when its last command is in.
    tokio::select! {
        ended = &mut replies => ended,
        (served, up) = both => {
            replies.await?;
            served.and(up)
        }
    }
}

/// Passes commands on.
async fn up(
    server: &Arc<Server>,
    session: &Session,
    from: ReadHalf<'_>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let behaviour = &server.behaviour;
    let mut from = BufReader::with_capacity(1024, from);
    let mut line = Vec::new();
    let (mut utf8, mut is_ready) = (false, behaviour.store_needs.is_none());
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
        let said = line.trim_ascii_end().to_ascii_uppercase();
        let verb = said.split(|byte| *byte == b' ').next().unwrap_or_default();
        let named = String::from_utf8_lossy(verb);
        if server.hangs_up_on(&named).await {
            return to.shutdown().await;
        }
        *session.now() = Now {
            verb: verb.to_vec(),
            is_lost: server.hangs_up_after(&named),
            instead: None,
        };
        utf8 |= said == b"OPTS UTF8 ON";
        if let Some(site) = site::answer(server, &line) {
            session.say(&site.said);
            if site.restarts {
                let server = Arc::clone(server);
                // It ends this very session. The lab's runtime ends it at the latest.
                tokio::spawn(async move { restart(&server).await });
            }
            continue;
        }
        if let Some(reply) = behaviour.replies.get(&*named) {
            session.say(reply);
            continue;
        }
        if let Some(needed) = &behaviour.store_needs {
            if said.starts_with(needed.to_ascii_uppercase().as_bytes()) {
                is_ready = true;
                session.say("200 Noted");
                continue;
            }
            if verb == b"STOR" && !is_ready {
                session.say(&match needed.eq_ignore_ascii_case("ACCT") {
                    true => "532 Need account for storing files".to_owned(),
                    false => format!("503 {needed} comes first"),
                });
                continue;
            }
        }
        match verb {
            // libunftp has no back-end call for RNFR.
            b"RNFR" if behaviour.no_rename => {
                session.say("502 RNFR is not implemented");
                continue;
            }
            // Nor can it tell what asks for facts of a file. There is no file of this name.
            b"SIZE" if behaviour.no_size => line = b"SIZE /no size is known/of it\r\n".to_vec(),
            verb if behaviour.no_paths && OF_FILES.contains(&verb) && line.contains(&b'/') => {
                session.say("553 Not a name of a file: change to its directory first");
                continue;
            }
            // In an encoding of its own each byte is a character.
            _ if behaviour.encode_names && !utf8 => {
                let text: String = line.iter().copied().map(char::from).collect();
                line = text.into();
            }
            _ => {}
        }
        to.write_all(&line).await?;
    }
}

/// Passes replies on.
async fn down(
    server: &Arc<Server>,
    boot: Boot,
    session: &Session,
    mut said: mpsc::UnboundedReceiver<Own>,
    from: OwnedReadHalf,
    mut to: WriteHalf<'_>,
) -> io::Result<()> {
    let mut from = BufReader::with_capacity(1024, from);
    let mut line = Vec::new();
    loop {
        // Half a line stays in `line` when the other of the two is first.
        let next = tokio::select! {
            Some(own) = said.recv() => Err(own),
            read = from.read_until(b'\n', &mut line) => Ok(read),
        };
        if !server.serves(boot) {
            // What libunftp says of the end of a transfer can be here before the news that this
            // server is silent or gone; what polls this stops doing so.
            std::future::pending::<()>().await;
        }
        let reply = match next {
            Ok(Ok(0) | Err(_)) | Err(Own::HangUp) => return to.shutdown().await,
            Ok(Ok(_)) => std::mem::take(&mut line),
            Err(Own::Reply(reply)) => reply.into_bytes(),
        };
        let Some(sent) = changed(server, session, &reply) else {
            return to.shutdown().await;
        };
        to.write_all(&sent).await?;
        if reply.starts_with(b"226")
            && let Some(time) = server.reboots_now()
        {
            // Nothing else is answered before that.
            if let Some(back) = reboot(server, time).await {
                tokio::spawn(back);
            }
        }
    }
}

/// What is said for a line of a reply; `None` where the session ends instead.
fn changed(server: &Server, session: &Session, line: &[u8]) -> Option<Vec<u8>> {
    let behaviour = &server.behaviour;
    // One that ends a command: not `150`, and not a line before the last one.
    let is_last = matches!(line, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ', ..]);
    if !is_last {
        return Some(line.to_vec());
    }
    let now = std::mem::take(&mut *session.now());
    if now.is_lost {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    let said = now.instead.or_else(|| match (&*now.verb, &line[..3]) {
        (b"SIZE", b"213") => {
            let size = text[4..].trim().parse().ok()?;
            Some(format!("213 {}", server.size_shown(size)))
        }
        (b"PASV", b"227") => {
            let host = behaviour.pasv_host?.to_string().replace('.', ",");
            let (before, numbers) = text.split_once('(')?;
            let port = numbers.splitn(5, ',').nth(4)?;
            Some(format!("{before}({host},{}", port.trim_end()))
        }
        (b"RNFR", b"550") if behaviour.rnfr_any => Some("350 To what?".into()),
        _ => None,
    });
    Some(said.map_or_else(|| line.to_vec(), |said| format!("{said}\r\n").into_bytes()))
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

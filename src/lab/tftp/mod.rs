//! The TFTP face of an entity (RFC 1350, 2347 to 2349, 7440): a device in its boot loader, which takes files and
//! answers no question.
//!
//! - here: requests, and the socket that each of them gets
//! - `receive` the blocks of a file, and their acknowledgements
//!
//! A device has nothing to end but its silence: what is a connection that is cut elsewhere is a session here that
//! answers nothing any more.

mod receive;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use self::receive::{Agreed, Receiver};
use super::life::Boot;
use super::server::Server;
use super::session::reboots_soon;
use super::storage::{Face, Refusal, Storage};
use super::upload::Upload;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

/// Bytes of a request (RFC 2347).
const REQUEST: usize = 512;

/// Clients whose files are being received: a request that is sent again is none more.
type Served = Arc<Mutex<HashSet<SocketAddr>>>;

/// One client, until its session is over.
struct Serving {
    served: Served,
    client: SocketAddr,
}

impl Serving {
    /// `None`: it is being served.
    fn begin(served: &Served, client: SocketAddr) -> Option<Self> {
        let mut all = served.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(client).then(|| Self {
            served: Arc::clone(served),
            client,
        })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let all = self.served.lock();
        all.unwrap_or_else(PoisonError::into_inner)
            .remove(&self.client);
    }
}

/// What an upload can do with its session.
struct Line {
    over: CancellationToken,
}

impl Face for Line {
    /// Blocks are acknowledged one by one.
    fn confirm_early(&self) {}

    fn hang_up(&self) {
        self.over.cancel();
    }
}

/// Takes requests until what polls it stops.
pub(super) async fn serve(server: &Arc<Server>, boot: Boot, socket: &UdpSocket) {
    let served = Served::default();
    let mut packet = [0; REQUEST];
    loop {
        // An error is about what was sent before.
        let Ok((length, client)) = socket.recv_from(&mut packet).await else {
            continue;
        };
        if let Some(request) = Request::read(&packet[..length])
            && let Some(serving) = Serving::begin(&served, client)
        {
            let storage = Storage {
                server: Arc::clone(server),
                boot,
            };
            server.begin(session(storage, serving, request));
        }
    }
}

/// What a client asks for.
struct Request {
    is_write: bool,
    path: String,
    /// Names in small letters.
    options: Vec<(String, String)>,
}

impl Request {
    /// `None`: it is none.
    fn read(packet: &[u8]) -> Option<Self> {
        let (kind, words) = packet.split_first_chunk()?;
        let is_write = match u16::from_be_bytes(*kind) {
            WRITE => true,
            READ => false,
            _ => return None,
        };
        let mut words = (words.strip_suffix(&[0])?.split(|byte| *byte == 0))
            .map(|word| String::from_utf8_lossy(word).into_owned());
        let (path, _mode) = (words.next()?, words.next()?);
        let mut options = Vec::new();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            options.push((name.to_ascii_lowercase(), value));
        }
        Some(Self {
            is_write,
            path,
            options,
        })
    }
}

/// One request, on a socket of its own.
async fn session(storage: Storage, serving: Serving, request: Request) {
    let server = Arc::clone(&storage.server);
    let boot = storage.boot;
    let work = async {
        let socket = UdpSocket::bind(SocketAddr::new(server.address.ip(), 0)).await?;
        socket.connect(serving.client).await?;
        let line = Line {
            over: CancellationToken::new(),
        };
        let refused = tokio::select! {
            biased;
            () = line.over.cancelled() => None,
            received = received(&storage, &line, &socket, &request) => received.err(),
        };
        if let Some(packet) = refused.as_ref().and_then(Wrong::packet) {
            socket.send(&packet).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    if let Some(Err(error)) = server.while_alive(boot, work).await {
        tracing::debug!(server = %server.name, "a session of the lab ended: {error}");
    }
}

async fn received(
    storage: &Storage,
    line: &Line,
    socket: &UdpSocket,
    request: &Request,
) -> Result<(), Wrong> {
    let server = &storage.server;
    let behaviour = &server.behaviour;
    let (number, _counted) = server.open_session();
    if server.has_no_room(number) {
        return Err(Refusal::Busy.into());
    }
    if server.hangs_up_on("STOR").await {
        return Err(Wrong::Silent);
    }
    if !request.is_write {
        return Err(Refusal::Denied("not to be read").into());
    }
    if let Some(line) = behaviour.replies.get("STOR") {
        return Err(Wrong::Said(line.clone()));
    }
    let upload = Upload::begin(storage, &request.path, 0)?;
    let (agreed, options) = Agreed::of(&request.options);
    let mut receiver = Receiver::new(socket, agreed);
    if !receiver.receive(line, upload, options).await? {
        return Ok(());
    }
    if server.hangs_up_after("STOR") {
        return Err(Wrong::Silent);
    }
    if let Some(line) = &behaviour.confirm_reply
        && line.starts_with(['4', '5'])
    {
        return Err(Wrong::Said(line.clone()));
    }
    receiver.confirm().await?;
    reboots_soon(server);
    receiver.linger().await;
    Ok(())
}

/// Why a file is not taken.
enum Wrong {
    Refused(Refusal),
    /// In the words of the settings.
    Said(String),
    /// Nothing is said any more.
    Silent,
}

impl<T: Into<Refusal>> From<T> for Wrong {
    fn from(refusal: T) -> Self {
        match refusal.into() {
            Refusal::Cut(_) => Self::Silent,
            refusal => Self::Refused(refusal),
        }
    }
}

impl Wrong {
    fn packet(&self) -> Option<Vec<u8>> {
        let (code, text): (u16, String) = match self {
            Self::Silent => return None,
            Self::Said(line) => (0, line.clone()),
            Self::Refused(refusal) => {
                let code = match refusal {
                    Refusal::NotThere(_) => 1,
                    Refusal::Name(_) | Refusal::Denied(_) => 2,
                    Refusal::Full => 3,
                    Refusal::Busy | Refusal::Cut(_) | Refusal::Io(_) => 0,
                };
                (code, refusal.to_string())
            }
        };
        let mut packet = ERROR.to_be_bytes().to_vec();
        packet.extend_from_slice(&code.to_be_bytes());
        packet.extend_from_slice(text.as_bytes());
        packet.push(0);
        Some(packet)
    }
}

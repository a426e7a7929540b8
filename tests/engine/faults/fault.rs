//! What is wrong with one server of a crowd, to the byte: settings of the scripted server, in the
//! words of the lab, and addresses at which none answers.
//!
//! A server is given the image that it will get, so that a crowd of them holds it once. Its sockets
//! hold little, so that a client can't have sent much more than what was taken: a fault at a byte
//! more than [`AHEAD`] before the end is seen while the client sends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::TcpStream;

use crate::support::PATH;
use crate::support::scripted::{Action, Behaviour, Data, Reply, Script, ScriptedServer, Store};

/// More than the client can have sent beyond what the server has taken.
pub const AHEAD: u64 = 768 << 10;
/// What every server has at first.
pub const OLD: [u8; 4096] = [0x0e; 4096];
/// A confirmation that comes late.
const LATE: Duration = Duration::from_millis(700);
/// Asked of the kernel, which takes it twice.
const RECEIVE: usize = 32 << 10;

/// What is wrong with a server. Bytes count from the beginning of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Its port is closed.
    Refused,
    /// No route leads to its address.
    Unreachable,
    /// It takes no connection and refuses none.
    ConnectTimeout,
    /// `busy_times` without an end.
    Busy,
    RefuseLogin,
    /// `425` to `STOR`.
    NoDataConnection,
    ReadOnly,
    NoOverwrite,
    /// As that, and the old file can't be renamed either. It can be deleted.
    Pinned,
    NoRename,
    DropAt(u64),
    /// `451` and a data connection that is closed.
    LocalError(u64),
    /// `452` and a data connection that stays open and unread.
    NoSpace(u64),
    DiskFullAt(u64),
    /// As `DropAt`, without a word.
    Reset(u64),
    SilentAt(u64),
    ConfirmAt(u64),
    HangUpAt(u64),
    NoConfirm,
    /// It is confirmed after a while, which is no fault of the upload.
    ConfirmAfter,
    /// `226` comes byte by byte, and never to its end.
    DripConfirmation,
    TruncateAt(u64),
    /// The server computes digests.
    CorruptAt(u64),
}

/// A server, and the address at which it is, or at which none answers.
pub struct FaultyServer {
    pub address: SocketAddr,
    pub server: ScriptedServer,
    /// Keeps a port that must not be anybody else's.
    _held: Option<(Socket, Vec<TcpStream>)>,
}

impl FaultyServer {
    /// Starts on a free port of 127.0.0.1, with an old file.
    pub async fn start(fault: Fault, image: &Arc<Vec<u8>>) -> Self {
        let server = ScriptedServer::start(script(fault, image)).await;
        server.put(PATH, OLD);
        let held = match fault {
            Fault::Refused | Fault::Unreachable | Fault::ConnectTimeout => Some(held(fault).await),
            _ => None,
        };
        let (address, held) = held.unzip();
        Self {
            address: address.unwrap_or(server.address()),
            server,
            _held: held,
        }
    }
}

fn script(fault: Fault, image: &Arc<Vec<u8>>) -> Script {
    let good = Behaviour::default;
    let interferes = |at: u64, reply, data| Store {
        at: Some(at),
        reply,
        // Said when the data connection has ended, where it ends.
        reply_after: (data == Data::Close).then_some(Duration::ZERO),
        data,
        ..Store::default()
    };
    let behaviour = match fault {
        Fault::Busy => Behaviour {
            busy_times: Some(u32::MAX),
            ..good()
        },
        Fault::RefuseLogin => Behaviour {
            refuse_login: true,
            ..good()
        },
        Fault::NoDataConnection => Behaviour {
            replies: [("STOR".to_owned(), "425 can't open it".to_owned())].into(),
            ..good()
        },
        Fault::ReadOnly => Behaviour {
            read_only: true,
            ..good()
        },
        Fault::NoOverwrite | Fault::Pinned => Behaviour {
            no_overwrite: true,
            ..good()
        },
        Fault::NoRename => Behaviour {
            no_rename: true,
            ..good()
        },
        Fault::DropAt(at) => Behaviour {
            drop_at: Some(at),
            ..good()
        },
        Fault::DiskFullAt(at) => Behaviour {
            disk_full_at: Some(at),
            ..good()
        },
        Fault::SilentAt(at) => Behaviour {
            silent_at: Some(at),
            ..good()
        },
        Fault::ConfirmAt(at) => Behaviour {
            confirm_at: Some(at),
            ..good()
        },
        Fault::HangUpAt(at) => Behaviour {
            hang_up_at: Some(at),
            ..good()
        },
        Fault::NoConfirm => Behaviour {
            no_confirm: true,
            ..good()
        },
        Fault::ConfirmAfter => Behaviour {
            confirm_after: Some(LATE),
            ..good()
        },
        Fault::TruncateAt(at) => Behaviour {
            truncate_at: Some(at),
            ..good()
        },
        Fault::CorruptAt(at) => Behaviour {
            corrupt_at: Some(at),
            ..good()
        },
        _ => good(),
    };
    let store = match fault {
        Fault::LocalError(at) => interferes(at, Some("451 flash controller failed"), Data::Close),
        Fault::NoSpace(at) => interferes(at, Some("452 no room for it"), Data::LeaveOpen),
        Fault::Reset(at) => interferes(at, None, Data::Reset),
        Fault::DripConfirmation => Store {
            drips: true,
            ..Store::default()
        },
        _ => Store::default(),
    };
    let digests = match fault {
        Fault::CorruptAt(_) => vec!["XSHA256"],
        _ => Vec::new(),
    };
    let script = Script {
        behaviour,
        store,
        digests,
        image: Arc::clone(image),
        receive_buffer: Some(RECEIVE),
        ..Script::default()
    };
    // What it holds is known by its size, so that a run is over soon.
    let script = script.on("RETR", Reply::line("502 never heard of it"));
    match fault {
        Fault::Pinned => script.handle(|line, state| {
            let deleted = (state.commands.iter()).any(|line| *line == format!("DELE {PATH}"));
            match line == format!("RNFR {PATH}") && !deleted {
                true => Action::Reply(Reply::line("553 it is in use")),
                false => Action::Default,
            }
        }),
        _ => script,
    }
}

/// An address at which none answers, and what keeps it so.
async fn held(fault: Fault) -> (SocketAddr, (Socket, Vec<TcpStream>)) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&SockAddr::from(any)).unwrap();
    // Bound and not listening: it refuses, and nobody else gets the port.
    let mut address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    match fault {
        Fault::Unreachable => {
            // The broadcast address of the loopback network: no TCP connection leads there.
            address.set_ip(IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255)));
        }
        Fault::ConnectTimeout => {
            socket.listen(0).unwrap();
            waiting = fill(address).await;
        }
        _ => {}
    }
    (address, (socket, waiting))
}

/// Connections until no more fit into the queue: the next one waits for ever.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut waiting = Vec::new();
    loop {
        let one = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address));
        match one.await {
            Ok(Ok(stream)) => waiting.push(stream),
            _ => return waiting,
        }
        assert!(waiting.len() < 100, "the queue of {address} is never full");
    }
}

//! FTP servers by the hundred in one process, each with one fault at one byte.
//!
//! Independent of libunftp, suppaftp and the scripted server: small enough to be seen through. A
//! server is told the image that it will get, compares what arrives with it on the fly, and keeps
//! nothing but how long each of its files is and whether that is a prefix of the image.
//!
//! Its sockets hold little, so that a client can't have sent much more than what was taken: a fault
//! at a byte more than [`AHEAD`] before the end is seen while the client sends.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// More than the client can have sent beyond what the server has taken.
pub const AHEAD: u64 = 768 << 10;
/// What every server has at first.
pub const OLD: Kept = Kept {
    length: 4096,
    is_prefix: false,
};
/// A confirmation that comes late, and one that comes too late for everybody.
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
    /// `421` in place of a greeting.
    Busy,
    /// `530` to the password.
    Login,
    /// `425` to `STOR`.
    NoDataConnection,
    /// `553` to `STOR`.
    ReadOnly,
    /// `553` to `RNTO` while there is an old file.
    NoOverwrite,
    /// As that, and the old file can't be renamed either. It can be deleted.
    Pinned,
    /// `RNFR` is not known.
    NoRename,
    /// `426` and a data connection that is reset.
    Aborted(u64),
    /// `451` and a data connection that is closed.
    LocalError(u64),
    /// `452` and a data connection that stays open and unread.
    NoSpace(u64),
    /// `552`, in the same way.
    Full(u64),
    /// The data connection is reset, without a word.
    Reset(u64),
    /// Nothing is read any more, and nothing is said.
    Stall(u64),
    /// `226` in the middle.
    EarlyConfirmation(u64),
    /// The control connection is closed; the data is taken to its end.
    ControlLost(u64),
    /// The file is taken, and its end is never confirmed.
    NoConfirmation,
    /// It is confirmed after a while, which is no fault of the upload.
    LateConfirmation,
    /// `226` comes byte by byte, and never to its end.
    DripConfirmation,
    /// A source that tells no size and never ends.
    EndlessImage,
    /// What comes after this byte is not stored, and all of it confirmed.
    Short(u64),
    /// This byte is stored wrong. The server computes digests.
    Wrong(u64),
}

/// A stored file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub length: u64,
    /// Whether it is the beginning of the image, or all of it.
    pub is_prefix: bool,
}

#[derive(Debug)]
struct Shared {
    fault: Fault,
    image: Arc<Vec<u8>>,
    files: Mutex<BTreeMap<String, Kept>>,
}

/// A running server, or an address at which none answers. Dropping it ends it.
#[derive(Debug)]
pub struct FaultyServer {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
    /// Keeps a port that must not be anybody else's.
    _held: Option<(Socket, Vec<TcpStream>)>,
}

impl FaultyServer {
    /// Starts on a free port of 127.0.0.1, with an old file under `path`.
    pub async fn start(fault: Fault, image: Arc<Vec<u8>>, path: &str) -> Self {
        let shared = Arc::new(Shared {
            fault,
            image,
            files: Mutex::new(BTreeMap::from([(path.to_owned(), OLD)])),
        });
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&SockAddr::from(any)).unwrap();
        let mut address = socket.local_addr().unwrap().as_socket().unwrap();
        let (mut task, mut held) = (None, None);
        match fault {
            // Bound and not listening: it refuses, and nobody else gets the port.
            Fault::Refused => held = Some((socket, Vec::new())),
            Fault::Unreachable => {
                // The broadcast address of the loopback network: no TCP connection leads there.
                address.set_ip(IpAddr::V4(Ipv4Addr::new(127, 255, 255, 255)));
                held = Some((socket, Vec::new()));
            }
            Fault::ConnectTimeout => {
                socket.listen(0).unwrap();
                held = Some((socket, fill(address).await));
            }
            _ => {
                socket.listen(64).unwrap();
                socket.set_nonblocking(true).unwrap();
                let listener = TcpListener::from_std(socket.into()).unwrap();
                task = Some(tokio::spawn(accept(listener, Arc::clone(&shared))));
            }
        }
        Self {
            address,
            shared,
            task,
            _held: held,
        }
    }

    /// What is stored, by path.
    pub fn files(&self) -> BTreeMap<String, Kept> {
        self.shared.files.lock().unwrap().clone()
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            // Its connections are in a set that belongs to the task, and end with it.
            task.abort();
        }
    }
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

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (control, _) = accepted.unwrap();
                let _ = control.set_nodelay(true);
                let session = Session {
                    control: BufReader::new(control),
                    shared: Arc::clone(&shared),
                    listener: None,
                    rename_from: None,
                    left_open: Vec::new(),
                };
                connections.spawn(session.run());
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
}

struct Session {
    control: BufReader<TcpStream>,
    shared: Arc<Shared>,
    listener: Option<TcpListener>,
    rename_from: Option<String>,
    /// Data connections that are not read any more.
    left_open: Vec<TcpStream>,
}

impl Session {
    async fn run(mut self) {
        // A client that left is not an error of the server's.
        let _ = self.serve().await;
    }

    async fn serve(&mut self) -> io::Result<()> {
        if self.shared.fault == Fault::Busy {
            return self.say("421 too many sessions").await;
        }
        self.say("220 ready").await?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.control.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
            if !self.answer(verb, argument).await? {
                return Ok(());
            }
        }
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\r\n");
        self.control.get_mut().write_all(line.as_bytes()).await
    }

    /// Whether the session goes on.
    async fn answer(&mut self, verb: &str, argument: &str) -> io::Result<bool> {
        let fault = self.shared.fault;
        let reply = match verb {
            "USER" => "331 password please".into(),
            "PASS" if fault == Fault::Login => "530 not you".into(),
            "PASS" => "230 welcome".into(),
            "TYPE" => "200 as you like".into(),
            "FEAT" if matches!(fault, Fault::Wrong(_)) => "211-I can\r\n XSHA256\r\n211 end".into(),
            "XSHA256" => self.digest(argument),
            "SIZE" if fault == Fault::EndlessImage => "502 not here".into(),
            "RETR" if fault == Fault::EndlessImage => {
                self.send_for_ever().await?;
                return Ok(false);
            }
            "SIZE" => match self.kept(argument) {
                Some(kept) => format!("213 {}", kept.length),
                None => "550 no such file".into(),
            },
            "RNFR" if fault == Fault::NoRename => "502 can't rename".into(),
            "RNFR" if fault == Fault::Pinned && self.kept(argument) == Some(OLD) => {
                "553 it is in use".into()
            }
            "RNFR" => match self.kept(argument) {
                Some(_) => {
                    self.rename_from = Some(argument.to_owned());
                    "350 to what?".into()
                }
                None => "550 no such file".into(),
            },
            "RNTO" => self.rename(argument).into(),
            "DELE" => match self.shared.files.lock().unwrap().remove(argument) {
                Some(_) => "250 deleted".into(),
                None => "550 no such file".into(),
            },
            "EPSV" => self.passive().await?,
            "STOR" => return self.store(argument).await,
            "QUIT" => {
                self.say("221 bye").await?;
                return Ok(false);
            }
            _ => "502 never heard of it".into(),
        };
        self.say(&reply).await?;
        Ok(true)
    }

    fn kept(&self, path: &str) -> Option<Kept> {
        self.shared.files.lock().unwrap().get(path).copied()
    }

    fn keep(&self, path: &str, kept: Kept) {
        let mut files = self.shared.files.lock().unwrap();
        files.insert(path.to_owned(), kept);
    }

    /// As [`Self::keep`], unless somebody has removed the file meanwhile.
    fn update(&self, path: &str, kept: Kept) {
        if let Some(file) = self.shared.files.lock().unwrap().get_mut(path) {
            *file = kept;
        }
    }

    fn rename(&mut self, to: &str) -> &'static str {
        let mut files = self.shared.files.lock().unwrap();
        let keeps = matches!(self.shared.fault, Fault::NoOverwrite | Fault::Pinned);
        if keeps && files.contains_key(to) {
            return "553 file exists";
        }
        let from = self.rename_from.take().and_then(|from| files.remove(&from));
        match from {
            Some(kept) => {
                files.insert(to.to_owned(), kept);
                "250 renamed"
            }
            None => "503 rename what?",
        }
    }

    fn digest(&self, path: &str) -> String {
        let Some(kept) = self.kept(path) else {
            return "550 no such file".into();
        };
        let length = usize::try_from(kept.length).unwrap();
        let digest = match kept.is_prefix {
            true => Sha256::digest(&self.shared.image[..length]),
            false => Sha256::digest(b"another file"),
        };
        format!("250 {}", hex::encode(digest))
    }

    async fn passive(&mut self) -> io::Result<String> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // Accepted connections have the same.
        socket.set_recv_buffer_size(RECEIVE)?;
        socket.bind(&SockAddr::from(any))?;
        socket.listen(1)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from_std(socket.into())?;
        let port = listener.local_addr()?.port();
        self.listener = Some(listener);
        Ok(format!("229 Entering Extended Passive Mode (|||{port}|)"))
    }

    async fn send_for_ever(&mut self) -> io::Result<()> {
        let Some(listener) = self.listener.take() else {
            return self.say("503 EPSV first").await;
        };
        self.say("150 here it comes").await?;
        let (mut data, _) = listener.accept().await?;
        let image = Arc::clone(&self.shared.image);
        loop {
            data.write_all(&image).await?;
        }
    }

    async fn store(&mut self, path: &str) -> io::Result<bool> {
        let fault = self.shared.fault;
        match fault {
            Fault::NoDataConnection => {
                self.say("425 can't open it").await?;
                return Ok(true);
            }
            Fault::ReadOnly => {
                self.say("553 not here").await?;
                return Ok(true);
            }
            _ => {}
        }
        let Some(listener) = self.listener.take() else {
            self.say("503 EPSV first").await?;
            return Ok(true);
        };
        self.say("150 go on").await?;
        let (mut data, _) = listener.accept().await?;
        drop(listener);
        let at = byte_of(fault);
        let image = Arc::clone(&self.shared.image);
        let mut file = Kept {
            length: 0,
            is_prefix: true,
        };
        self.keep(path, file);
        let mut buffer = vec![0; 32 << 10];
        let mut is_said = false;
        loop {
            if at == Some(file.length) && !is_said {
                is_said = true;
                self.update(path, file);
                match fault {
                    Fault::Aborted(_) => {
                        SockRef::from(&data).set_linger(Some(Duration::ZERO))?;
                        drop(data);
                        self.say("426 it broke").await?;
                        return Ok(true);
                    }
                    Fault::LocalError(_) => {
                        drop(data);
                        self.say("451 flash controller failed").await?;
                        return Ok(true);
                    }
                    Fault::NoSpace(_) | Fault::Full(_) | Fault::EarlyConfirmation(_) => {
                        self.left_open.push(data);
                        self.say(match fault {
                            Fault::NoSpace(_) => "452 no room for it",
                            Fault::Full(_) => "552 flash is full",
                            _ => "226 stored",
                        })
                        .await?;
                        return Ok(true);
                    }
                    Fault::Reset(_) => {
                        SockRef::from(&data).set_linger(Some(Duration::ZERO))?;
                        return Ok(true);
                    }
                    Fault::Stall(_) => {
                        self.left_open.push(data);
                        return Ok(true);
                    }
                    Fault::ControlLost(_) => self.control.get_mut().shutdown().await?,
                    _ => {}
                }
            }
            // Up to the byte of the fault, and not beyond it.
            let left = at.filter(|at| *at > file.length);
            let most = left.map_or(buffer.len(), |at| {
                usize::try_from(at - file.length)
                    .map_or(buffer.len(), |left| left.min(buffer.len()))
            });
            let count = match data.read(&mut buffer[..most]).await {
                Ok(0) => break,
                Ok(count) => count,
                Err(_) => {
                    self.update(path, file);
                    self.say("426 you broke it").await?;
                    return Ok(true);
                }
            };
            let begin = usize::try_from(file.length).unwrap();
            let is_same = image.get(begin..begin + count) == Some(&buffer[..count]);
            file.is_prefix &= is_same;
            file.length += count as u64;
        }
        drop(data);
        self.update(
            path,
            match fault {
                Fault::Short(at) => Kept {
                    length: at.min(file.length),
                    ..file
                },
                Fault::Wrong(_) => Kept {
                    is_prefix: false,
                    ..file
                },
                _ => file,
            },
        );
        match fault {
            Fault::NoConfirmation => return Ok(true),
            Fault::DripConfirmation => {
                self.control.get_mut().write_all(b"226 ").await?;
                loop {
                    self.control.get_mut().write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Fault::ControlLost(_) => return Ok(false),
            Fault::LateConfirmation => tokio::time::sleep(LATE).await,
            _ => {}
        }
        self.say("226 stored").await?;
        Ok(true)
    }
}

/// Where an upload is interfered with.
fn byte_of(fault: Fault) -> Option<u64> {
    match fault {
        Fault::Aborted(at)
        | Fault::LocalError(at)
        | Fault::NoSpace(at)
        | Fault::Full(at)
        | Fault::Reset(at)
        | Fault::Stall(at)
        | Fault::EarlyConfirmation(at)
        | Fault::ControlLost(at) => Some(at),
        _ => None,
    }
}

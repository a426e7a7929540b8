//! A small FTP server, written by hand, that misbehaves to the byte.
//!
//! It shares nothing with libunftp or suppaftp. Without a [`Script`] it is a good server, which
//! really converts line ends when the client forgot `TYPE I`. What devices do is said in the words of
//! the lab, [`Behaviour`]; whatever goes beyond them, to the byte, is an option of the script of its
//! own. What it saw is in its [`Log`], and what it stored in its files.
//!
//! ```ignore
//! let server = ScriptedServer::start(Script::behaving(Behaviour {
//!     disk_full_at: Some(4096),
//!     ..Behaviour::default()
//! }).on("EPSV", Reply::line("500 what?"))).await;
//! server.put("image.bin", b"...");
//! // ... a client at server.address() ...
//! server.until(|log| log.uploads.iter().any(|upload| upload.ended_by_reset())).await;
//! ```

mod control;
mod files;
mod script;
mod transfer;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use files::File;
pub use script::{
    Action, ConnState, Data, FOREVER, Greeting, Passive, Reply, Retrieve, Script, Store,
};
pub use subtend::lab::{Behaviour, NameCut};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::tls::ServerTls;

/// Maximum time that a test waits for the server.
const LIMIT: Duration = Duration::from_secs(30);

/// What a server saw.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Control connections in the order of their arrival.
    pub connections: Vec<Connection>,
    /// Data connections in the order of their arrival.
    pub data: Vec<DataConnection>,
    /// Uploads in the order in which they began.
    pub uploads: Vec<Upload>,
}

#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The lines received, without their ends.
    pub commands: Vec<String>,
    pub ended: bool,
}

#[derive(Debug, Clone)]
pub struct DataConnection {
    /// Index in [`Log::connections`].
    pub connection: usize,
    pub peer: SocketAddr,
    /// Whether it went on with a TLS session of before; `None` in clear text.
    pub resumed: Option<bool>,
    pub version: Option<rustls::ProtocolVersion>,
}

#[derive(Debug, Clone)]
pub struct Upload {
    pub connection: usize,
    pub path: String,
    /// Bytes taken from the data connection.
    pub taken: u64,
    pub end: UploadEnd,
}

/// How a client's data connection ended, as the server saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadEnd {
    /// Not yet. What a script left unread is looked at when the control connection has ended.
    Open,
    /// FIN: for any server, the end of the file.
    Closed,
    /// RST: the client gave up.
    Reset,
    /// FIN over TLS without its `close_notify`.
    Truncated,
    /// The script closed or reset it.
    ByServer,
}

impl Upload {
    pub fn ended_by_reset(&self) -> bool {
        self.end == UploadEnd::Reset
    }
}

impl Log {
    /// All commands of all connections.
    pub fn commands(&self) -> Vec<&str> {
        self.connections
            .iter()
            .flat_map(|connection| connection.commands.iter().map(String::as_str))
            .collect()
    }

    /// How many commands of that verb came.
    pub fn count(&self, verb: &str) -> usize {
        self.commands()
            .iter()
            .filter(|line| script::verb_of(line) == verb)
            .count()
    }
}

/// What all connections share.
struct Shared {
    script: Script,
    acceptor: Option<TlsAcceptor>,
    files: Mutex<BTreeMap<String, File>>,
    /// When an upload was last whole.
    stored: Mutex<Option<Instant>>,
    log: watch::Sender<Log>,
    /// Whether uploads that wait go on.
    goes_on: watch::Sender<bool>,
}

impl Shared {
    /// The one spelling of a path, from the root, as the server keeps it.
    fn kept(&self, path: &str, utf8: bool) -> String {
        script::kept(&self.script.behaviour, &clean(path), utf8)
    }
}

/// A running server. Dropping it ends it; [`ScriptedServer::stop`] also joins its tasks.
pub struct ScriptedServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl ScriptedServer {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(script: Script) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    /// Starts where somebody listens already.
    pub fn start_on(listener: TcpListener, script: Script) -> Self {
        script.assert_is_done();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            acceptor: script.tls.as_ref().map(ServerTls::acceptor),
            script,
            files: Mutex::default(),
            stored: Mutex::default(),
            log: watch::Sender::default(),
            goes_on: watch::Sender::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Self {
            address,
            shared,
            task,
            stop,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts a file there.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.shared
            .files
            .lock()
            .unwrap()
            .insert(self.shared.kept(path, true), File::from(bytes.into()));
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        let path = self.shared.kept(path, true);
        self.shared.files.lock().unwrap().remove(&path);
    }

    /// What is stored under a path, whole or not.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let path = self.shared.kept(path, true);
        let files = self.shared.files.lock().unwrap();
        files.get(&path).map(File::bytes)
    }

    /// All paths, from the root, sorted.
    pub fn files(&self) -> Vec<String> {
        self.shared.files.lock().unwrap().keys().cloned().collect()
    }

    pub fn log(&self) -> Log {
        self.shared.log.borrow().clone()
    }

    /// Waits until the log is so; panics when it does not come to that.
    pub async fn until(&self, mut so: impl FnMut(&Log) -> bool) -> Log {
        let mut log = self.shared.log.subscribe();
        let waited = tokio::time::timeout(LIMIT, log.wait_for(|log| so(log))).await;
        match waited {
            Ok(Ok(log)) => log.clone(),
            _ => panic!("the server never saw it: {:#?}", self.log()),
        }
    }

    /// Ends the wait of [`Store::waits`].
    pub fn go_on(&self) {
        self.shared.goes_on.send_replace(true);
    }

    /// Closes the listener and all connections, and joins all tasks.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        tokio::time::timeout(LIMIT, &mut self.task)
            .await
            .unwrap()
            .unwrap();
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        // Its connections are in a set that belongs to the task, and end with it.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = listener.accept() => {
                let (socket, _) = accepted.unwrap();
                connections.spawn(control::serve(socket, Arc::clone(&shared)));
            }
            Some(ended) = connections.join_next() => ended.unwrap(),
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// The one spelling of a path: from the root.
fn clean(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

//! The other side of the socket: a connection for one errand, or a link like that of an engine in
//! this process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nix::unistd::getuid;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::place::Place;
use super::wire::{
    Answer, Ask, GREETING, Hello, Incoming, LONGEST_TELL, PROTOCOL, Tell, Wants, Welcome,
    WireError, write,
};
use crate::protocol::{Command, Event, Link, Snapshot, Target};

/// Orders that wait to be sent, as in one process.
const ORDERS: usize = 64;
/// Number of attempts to make a broken connection again, and the pause between two.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Error)]
pub enum RemoteError {
    #[error("the engine's socket {} can't be used: {reason}", .socket.display())]
    Io {
        socket: std::path::PathBuf,
        reason: io::Error,
    },
    #[error("another user (uid {uid}) listens at {}; nothing was sent there", .socket.display())]
    Stranger {
        socket: std::path::PathBuf,
        uid: u32,
    },
    #[error("{0}")]
    Refused(String),
    #[error("the engine can't be understood: {0}")]
    Malformed(String),
    #[error("the engine does not answer")]
    Silent,
    #[error("the engine has ended")]
    Ended,
}

/// What an engine reports.
#[derive(Debug)]
pub enum Remote {
    Snapshot(Arc<Snapshot>),
    Event(Box<Event>),
}

/// A client that was let in.
pub struct Connection {
    place: Place,
    hello: Hello,
    incoming: Incoming<OwnedReadHalf>,
    to: OwnedWriteHalf,
    newest: Option<Arc<Snapshot>>,
    pub welcome: Welcome,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Asks the engine at a place to be let in. `None`: there is none, or it is just ending.
    ///
    /// # Errors
    /// It is of another version, belongs to somebody else, or does not answer.
    pub async fn open(place: &Place, wants: Wants, who: &str) -> Result<Option<Self>, RemoteError> {
        let hello = Hello {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            wants,
            who: who.into(),
        };
        Self::with(place, hello).await
    }

    async fn with(place: &Place, hello: Hello) -> Result<Option<Self>, RemoteError> {
        let socket = place.socket.clone();
        let failed = |reason| RemoteError::Io {
            socket: socket.clone(),
            reason,
        };
        let stream = match UnixStream::connect(&place.socket).await {
            Ok(stream) => stream,
            // Never there, or left by one that was killed.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let uid = stream.peer_cred().map_err(failed)?.uid();
        if uid != getuid().as_raw() {
            return Err(RemoteError::Stranger { socket, uid });
        }
        let (from, mut to) = stream.into_split();
        let mut incoming = Incoming::new(from, LONGEST_TELL);
        let answer = timeout(GREETING, async {
            // An engine that refuses may have closed already, and has said why.
            let _ = write(&mut to, &hello).await;
            incoming.next::<Answer>().await
        });
        let welcome = match answer.await {
            Ok(Ok(Some(Answer::Welcome(welcome)))) => *welcome,
            Ok(Ok(Some(Answer::Refuse { reason }))) => return Err(RemoteError::Refused(reason)),
            Ok(Ok(None)) | Ok(Err(WireError::Io(_))) => return Ok(None),
            Ok(Err(error)) => return Err(RemoteError::Malformed(error.to_string())),
            Err(_) => return Err(RemoteError::Silent),
        };
        Ok(Some(Self {
            place: place.clone(),
            hello,
            incoming,
            to,
            newest: None,
            welcome,
        }))
    }

    /// Gives an order.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn order(&mut self, order: Command) -> Result<(), RemoteError> {
        self.ask(&Ask::Order { order }).await
    }

    /// Tells the engine to end when what runs has ended, or to cancel it first.
    ///
    /// # Errors
    /// The engine is gone.
    pub async fn stop(&mut self, cancel: bool) -> Result<(), RemoteError> {
        self.ask(&Ask::Stop { cancel }).await
    }

    async fn ask(&mut self, ask: &Ask) -> Result<(), RemoteError> {
        match write(&mut self.to, ask).await {
            Ok(()) => Ok(()),
            Err(WireError::Io(_)) => Err(RemoteError::Ended),
            Err(error) => Err(RemoteError::Malformed(error.to_string())),
        }
    }

    /// What the engine reports next. Safe to give up and call again.
    ///
    /// # Errors
    /// It has ended, or has cut this client off.
    pub async fn next(&mut self) -> Result<Remote, RemoteError> {
        match self.incoming.next::<Tell>().await {
            Ok(Some(Tell::Snapshot { delta })) => {
                let snapshot = delta.apply(self.newest.as_deref());
                let snapshot =
                    snapshot.map_err(|error| RemoteError::Malformed(error.to_string()))?;
                let snapshot = Arc::new(snapshot);
                self.newest = Some(snapshot.clone());
                Ok(Remote::Snapshot(snapshot))
            }
            Ok(Some(Tell::Event { event })) => Ok(Remote::Event(event)),
            Ok(Some(Tell::Dropped { reason })) => Err(RemoteError::Refused(reason)),
            Ok(None) | Err(WireError::Io(_)) => Err(RemoteError::Ended),
            Err(error) => Err(RemoteError::Malformed(error.to_string())),
        }
    }

    /// How everything stands.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn snapshot(&mut self) -> Result<Arc<Snapshot>, RemoteError> {
        loop {
            if let Remote::Snapshot(snapshot) = self.next().await? {
                return Ok(snapshot);
            }
        }
    }

    /// The same link as in the engine's own process, and the task that carries it. `seen` is called
    /// with each event; `greeting` comes before what the engine reports.
    ///
    /// [`Command::Finish`] leaves the engine its work, unless this link has cancelled everything:
    /// then the end of that is waited for. A connection that breaks off is made again.
    ///
    /// # Errors
    /// The engine has ended meanwhile.
    pub async fn link(
        mut self,
        seen: fn(&Event),
        greeting: Option<Event>,
    ) -> Result<(Link, JoinHandle<Parted>), RemoteError> {
        let (events, events_out) = mpsc::unbounded_channel();
        if let Some(greeting) = greeting {
            let _ = events.send(greeting);
        }
        let first = loop {
            match self.next().await? {
                Remote::Snapshot(snapshot) => break snapshot,
                Remote::Event(event) => {
                    let _ = events.send(*event);
                }
            }
        };
        let (commands_in, commands) = mpsc::channel(ORDERS);
        let (snapshots, snapshots_out) = watch::channel(first);
        let link = Link {
            commands: commands_in,
            snapshots: snapshots_out,
            events: events_out,
        };
        let pump = Pump {
            connection: self,
            commands,
            snapshots,
            events,
            seen,
            cancelled: false,
            leaving: false,
            over: false,
        };
        Ok((link, tokio::spawn(pump.run())))
    }
}

/// How a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parted {
    /// The console has left; the engine goes on.
    Left,
    /// The engine has said its last word.
    Ended,
    /// The engine is gone.
    Lost,
}

struct Pump {
    connection: Connection,
    commands: mpsc::Receiver<Command>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    events: mpsc::UnboundedSender<Event>,
    seen: fn(&Event),
    cancelled: bool,
    leaving: bool,
    /// The engine has said its last word.
    over: bool,
}

impl Pump {
    async fn run(mut self) -> Parted {
        loop {
            let received = tokio::select! {
                command = self.commands.recv(), if !self.leaving => {
                    let Some(command) = command else {
                        return Parted::Left;
                    };
                    match self.order(command).await {
                        Ok(true) => continue,
                        Ok(false) => return Parted::Left,
                        Err(error) => Err(error),
                    }
                }
                received = self.connection.next() => received,
            };
            match received {
                Ok(Remote::Snapshot(snapshot)) => {
                    let busy = snapshot.is_busy();
                    self.snapshots.send_replace(snapshot);
                    if self.leaving && !busy {
                        return Parted::Left;
                    }
                }
                Ok(Remote::Event(event)) => {
                    (self.seen)(&event);
                    self.over |= matches!(*event, Event::Summary(_));
                    let _ = self.events.send(*event);
                }
                Err(error) => {
                    if self.over {
                        return Parted::Ended;
                    }
                    if self.leaving || !self.again(&error).await {
                        return Parted::Lost;
                    }
                }
            }
        }
    }

    /// Whether the link goes on.
    async fn order(&mut self, command: Command) -> Result<bool, RemoteError> {
        if command == Command::Finish {
            self.leaving = self.cancelled && self.snapshots.borrow().is_busy();
            return Ok(self.leaving);
        }
        let all = Target::All;
        self.cancelled |= command == Command::Cancel { target: all };
        self.connection.order(command).await.map(|()| true)
    }

    /// Whether the same engine could be reached again.
    async fn again(&mut self, error: &RemoteError) -> bool {
        tracing::warn!("the connection to the engine broke off: {error}");
        for _ in 0..TRIES {
            let opened = Connection::with(&self.connection.place, self.connection.hello.clone());
            match opened.await {
                Ok(Some(new)) if new.welcome.process == self.connection.welcome.process => {
                    tracing::info!("connected to the engine again");
                    self.connection = new;
                    return true;
                }
                Err(RemoteError::Io { .. } | RemoteError::Silent) => sleep(PAUSE).await,
                // It is gone; or there is another one, which knows nothing of what was here.
                Ok(_) | Err(_) => break,
            }
        }
        let _ = self.events.send(Event::Notice {
            at: Timestamp::now(),
            text:
                "the engine is gone; `subtend` starts a new one, and `subtend recover` tells what \
                   each entity has"
                    .into(),
        });
        false
    }
}

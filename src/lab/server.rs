//! One server of the lab: what it is, what it counts, and whether it still lives.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::device::Device;
use super::relay;
use super::settings::Behaviour;
use crate::model::Address;

/// What a server of the lab stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServedKind {
    FileServer,
    Entity,
}

impl ServedKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileServer => "file server",
            Self::Entity => "entity",
        }
    }
}

/// What is served, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub name: String,
    pub kind: ServedKind,
    pub address: Address,
    /// Its settings in words; empty for a server that just serves.
    pub does: String,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ServedKind::FileServer => "file server",
            ServedKind::Entity => "entity",
        };
        let address = self.address.to_string();
        write!(f, "{address:<21}  {kind:<11}  {}", self.name)?;
        if self.does.is_empty() {
            Ok(())
        } else {
            write!(f, "  ({})", self.does)
        }
    }
}

/// How alive a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Serving,
    /// Connections stay open; nothing is read, answered or sent.
    Silent,
    /// Gone, with all its connections.
    Dead,
}

/// A number that only grows, and that can be waited for.
#[derive(Debug, Default)]
pub(super) struct Counter {
    value: AtomicU64,
    grown: Notify,
}

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::AcqRel);
        self.grown.notify_waiters();
    }

    pub(super) fn get(&self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    pub(super) async fn at_least(&self, value: u64) {
        loop {
            // Registered before looking, so that no growth is missed in between.
            let grown = self.grown.notified();
            if self.get() >= value {
                return;
            }
            grown.await;
        }
    }
}

/// One server: a file server or an entity.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) kind: ServedKind,
    pub(super) address: SocketAddr,
    pub(super) behaviour: Behaviour,
    /// The only user who may log in; absent: anybody.
    pub(super) user: Option<String>,
    pub(super) device: Device,
    /// File bytes sent by `RETR`.
    pub(super) sent: Counter,
    /// File bytes received by `STOR`.
    pub(super) received: Counter,
    /// Control connections accepted.
    pub(super) sessions: Counter,
    drops: AtomicU32,
    life: watch::Sender<Life>,
    tasks: TaskTracker,
}

impl Server {
    pub(super) fn new(
        name: &str,
        kind: ServedKind,
        address: SocketAddr,
        behaviour: Behaviour,
        user: Option<String>,
        device: Device,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            address,
            behaviour,
            user,
            device,
            sent: Counter::default(),
            received: Counter::default(),
            sessions: Counter::default(),
            drops: AtomicU32::new(0),
            life: watch::Sender::new(Life::Serving),
            tasks: TaskTracker::new(),
        }
    }

    /// Accepts control connections until the server is killed.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let _token = self.token();
        let accepting = async {
            loop {
                match listener.accept().await {
                    Ok((client, _)) => {
                        self.sessions.add(1);
                        let server = Arc::clone(&self);
                        self.tasks.spawn(relay::session(server, client));
                    }
                    Err(error) => {
                        // Out of files, most likely: others have to close theirs first.
                        tracing::warn!(server = %self.name, "no connection accepted: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        self.while_alive(accepting).await;
    }

    /// Polls a future while the server lives and answers. A silent server's work is neither done
    /// nor given up: its sockets stay open. `None` once the server is dead.
    pub(super) async fn while_alive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut life = self.life.subscribe();
        tokio::pin!(work);
        tokio::select! {
            biased;
            _ = life.wait_for(|life| *life != Life::Serving) => {}
            done = &mut work => return Some(done),
        }
        // The sender is ours: waiting can't fail before the server is gone.
        let _ = life.wait_for(|life| *life == Life::Dead).await;
        None
    }

    /// Whether it is neither silent nor dead.
    pub(super) fn serves(&self) -> bool {
        *self.life.borrow() == Life::Serving
    }

    pub(super) fn silence(&self) {
        self.life.send_if_modified(|life| {
            let serving = *life == Life::Serving;
            if serving {
                *life = Life::Silent;
            }
            serving
        });
    }

    pub(super) fn kill(&self) {
        self.life.send_replace(Life::Dead);
        self.tasks.close();
    }

    /// Waits until a killed server has let go of its listener and its connections.
    pub(super) async fn gone(&self) {
        self.tasks.wait().await;
    }

    /// Held by whoever holds a connection of this server.
    pub(super) fn token(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Whether this transfer is to be cut at `drop_at`; counts the ones that were.
    pub(super) fn drops_now(&self) -> bool {
        let times = self.behaviour.drop_times.unwrap_or(u32::MAX);
        self.drops
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |done| {
                (done < times).then(|| done.saturating_add(1))
            })
            .is_ok()
    }

    pub(super) fn served_address(&self) -> Address {
        Address {
            scheme: crate::model::Scheme::Ftp,
            host: self.address.ip().to_string(),
            port: self.address.port(),
        }
    }
}

/// A listener on an address, or where it can't be had and `or_free` says so, on a free port.
pub(super) fn bind(wanted: SocketAddr, or_free: bool) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(wanted).or_else(|error| {
        let elsewhere = matches!(
            error.kind(),
            io::ErrorKind::AddrInUse
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::PermissionDenied
        );
        if or_free && elsewhere {
            // 127.0.0.2 and the like don't exist on every system.
            let ip = match error.kind() {
                io::ErrorKind::AddrNotAvailable => std::net::Ipv4Addr::LOCALHOST.into(),
                _ => wanted.ip(),
            };
            std::net::TcpListener::bind(SocketAddr::new(ip, 0))
        } else {
            Err(error)
        }
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

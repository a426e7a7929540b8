//! One server of the lab: what it is, what it counts, and how it goes and comes back.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::behaviour::Behaviour;
use super::cli::{Over, Unit};
use super::counter::Counter;
use super::device::Device;
use super::life::{Boot, Life};
use super::served::ServedKind;
use super::session::session;
use super::{cli, ssh, tftp};
use crate::model::{Address, HostKey, Scheme};

/// Between two attempts at what the system refuses for now.
const AGAIN: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted, as the standard library has it.
const BACKLOG: u32 = 128;

/// Where a server's clients come in.
#[derive(Debug)]
pub(super) enum Door {
    Connections(TcpListener),
    Packets(UdpSocket),
    CommandLine(Over, TcpListener),
}

/// A socket for packets.
pub(super) fn packets(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// One server: a file server or an entity.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) kind: ServedKind,
    pub(super) scheme: Scheme,
    pub(super) address: SocketAddr,
    pub(super) behaviour: Behaviour,
    /// The only user who may log in; absent: anybody.
    pub(super) user: Option<String>,
    pub(super) device: Device,
    /// What boots the files of the device, where something does.
    pub(super) unit: Option<Unit>,
    /// File bytes sent.
    pub(super) sent: Counter,
    /// File bytes received.
    pub(super) received: Counter,
    /// Control connections accepted.
    pub(super) sessions: Counter,
    /// Control connections that are open.
    open: AtomicU32,
    done: Done,
    life: Life,
    tasks: TaskTracker,
}

/// What a server has done of its faults.
#[derive(Debug, Default)]
struct Done {
    drops: AtomicU32,
    busy: AtomicU32,
    busy_renames: AtomicU32,
    hang_ups: AtomicU32,
    stored: Mutex<Option<Instant>>,
    /// Whether an upload was taken that is to be followed by a reboot.
    to_reboot: AtomicBool,
    /// Whether that reboot is about to come.
    is_leaving: AtomicBool,
}

impl Server {
    pub(super) fn new(
        (name, kind): (&str, ServedKind),
        (scheme, address): (Scheme, SocketAddr),
        behaviour: Behaviour,
        user: Option<String>,
        (device, unit): (Device, Option<Unit>),
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            scheme,
            address,
            behaviour,
            user,
            device,
            unit,
            sent: Counter::default(),
            received: Counter::default(),
            sessions: Counter::default(),
            open: AtomicU32::new(0),
            done: Done::default(),
            life: Life::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Accepts sessions until the server is gone.
    pub(super) fn serve(
        self: Arc<Self>,
        doors: Vec<Door>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (boot, token) = (self.life.boot(), self.token());
        self.serve_in(boot, token, doors)
    }

    async fn serve_in(self: Arc<Self>, boot: Boot, _token: TaskTrackerToken, doors: Vec<Door>) {
        let accepting = doors.into_iter().map(|door| async {
            match door {
                Door::Connections(listener) => {
                    let begin = |client| self.begin(session(Arc::clone(&self), boot, client));
                    self.accept(listener, begin).await;
                }
                Door::Packets(socket) => tftp::serve(&self, boot, &socket).await,
                Door::CommandLine(over, listener) => {
                    let begin = |client| {
                        let session = cli::session(Arc::clone(&self), boot, over, client);
                        self.tasks.spawn(session);
                    };
                    self.accept(listener, begin).await;
                }
            }
        });
        self.while_alive(boot, join_all(accepting)).await;
    }

    async fn accept(&self, listener: TcpListener, begin: impl Fn(TcpStream)) {
        loop {
            match listener.accept().await {
                Ok((client, _)) => begin(client),
                Err(error) => {
                    // Out of files, most likely: others have to close theirs first.
                    tracing::warn!(server = %self.name, "no connection accepted: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// One more session, which is counted, and ends with this boot.
    pub(super) fn begin(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.sessions.add(1);
        self.tasks.spawn(session);
    }

    /// See [`Life::while_alive`].
    pub(super) async fn while_alive<T>(
        &self,
        boot: Boot,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        self.life.while_alive(boot, work).await
    }

    pub(super) fn boot(&self) -> Boot {
        self.life.boot()
    }

    /// Whether it is in that boot, and not silent.
    pub(super) fn serves(&self, boot: Boot) -> bool {
        self.life.serves(boot)
    }

    pub(super) fn silence(&self) {
        self.life.silence();
    }

    pub(super) fn kill(&self) {
        self.life.kill();
        self.tasks.close();
    }

    /// Waits until a server that went has let go of its listener and its connections.
    pub(super) async fn gone(&self) {
        self.tasks.wait().await;
    }

    pub(super) async fn until_serving(&self) {
        self.life.until_serving().await;
    }

    /// Goes away with all its connections. `None` when it is gone already; else the work of coming
    /// back at the same address when the time is over, which ends early when the server is killed.
    pub(super) fn restart(
        self: &Arc<Self>,
        down_for: Duration,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        self.life.go_down().then(|| {
            self.tasks.close();
            Arc::clone(self).come_back(down_for, false)
        })
    }

    /// As [`Self::restart`], for a server that was killed: it comes back at once, whatever it boots.
    pub(super) fn revive(self: &Arc<Self>) -> Option<impl Future<Output = ()> + Send + 'static> {
        (self.life.revive()).then(|| Arc::clone(self).come_back(Duration::ZERO, true))
    }

    async fn come_back(self: Arc<Self>, down_for: Duration, is_repaired: bool) {
        let back = tokio::time::Instant::now() + down_for;
        let listen = async {
            self.gone().await;
            if !Arc::clone(&self).boots().await && !is_repaired {
                self.life.kill();
            }
            self.doors_again(back).await
        };
        let doors = tokio::select! {
            () = self.life.until_dead() => return,
            doors = listen => doors,
        };
        let begun = self.life.come_up(|| {
            self.done.is_leaving.store(false, Ordering::Release);
            self.tasks.reopen();
            self.token()
        });
        if let Some((boot, token)) = begun {
            tokio::spawn(Arc::clone(&self).serve_in(boot, token, doors));
        }
    }

    /// Whether the machine behind the files comes up again, where there is one. It reads whole files.
    async fn boots(self: Arc<Self>) -> bool {
        let boots = move || {
            let unit = self.unit.as_ref();
            unit.is_none_or(|unit| unit.boot(&self.behaviour.cli, &self.device))
        };
        tokio::task::spawn_blocking(boots).await.unwrap_or(false)
    }

    /// All doors at their old addresses, which are open from that time on.
    async fn doors_again(&self, back: tokio::time::Instant) -> Vec<Door> {
        let mut entrances: Vec<_> = (self.unit.iter())
            .flat_map(|unit| unit.doors())
            .map(|&(over, address)| (Some(over), address))
            .collect();
        if !matches!(self.scheme, Scheme::Tftp | Scheme::Fetch) {
            entrances.push((None, self.address));
        }
        let mut held = Vec::new();
        for (over, address) in entrances {
            // Bound without listening: connections are refused, and nobody else gets the port.
            held.push((over, address, self.again(|| hold_port(address)).await));
        }
        tokio::time::sleep_until(back).await;
        let mut doors = Vec::new();
        if self.scheme == Scheme::Tftp {
            let socket = self.again(|| packets(self.address)).await;
            doors.push(Door::Packets(socket));
        }
        for (over, address, socket) in held {
            let listener = self.listening(socket, address).await;
            doors.push(match over {
                Some(over) => Door::CommandLine(over, listener),
                None => Door::Connections(listener),
            });
        }
        doors
    }

    async fn listening(&self, mut held: TcpSocket, address: SocketAddr) -> TcpListener {
        loop {
            match held.listen(BACKLOG) {
                Ok(listener) => return listener,
                Err(error) => {
                    tracing::warn!(server = %self.name, "can't listen yet: {error}");
                    tokio::time::sleep(AGAIN).await;
                    held = self.again(|| hold_port(address)).await;
                }
            }
        }
    }

    /// Tries until it works: the port may be somebody else's for a moment.
    async fn again<T>(&self, make: impl Fn() -> io::Result<T>) -> T {
        loop {
            match make() {
                Ok(made) => return made,
                Err(error) => {
                    tracing::warn!(server = %self.name, "not at {} yet: {error}", self.address);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Held by each connection of this server.
    pub(super) fn token(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// One more session, and which of those that are open it is; it is counted until the guard goes.
    pub(super) fn open_session(self: &Arc<Self>) -> (u32, OpenSession) {
        let number = self.open.fetch_add(1, Ordering::AcqRel) + 1;
        (number, OpenSession(Arc::clone(self)))
    }

    /// Whether this transfer is to be cut at `drop_at`; counts the ones that were.
    pub(super) fn drops_now(&self) -> bool {
        let times = self.behaviour.drop_times;
        counted(&self.done.drops, 0, times.unwrap_or(u32::MAX))
    }

    /// Whether the session that is this one of those that are open is to be turned away.
    pub(super) fn has_no_room(&self, number: u32) -> bool {
        self.behaviour
            .max_sessions
            .is_some_and(|most| number > most)
            || self.busy_now()
    }

    /// Counts those that are turned away whatever the room.
    fn busy_now(&self) -> bool {
        let (after, times) = (self.behaviour.busy_after, self.behaviour.busy_times);
        counted(&self.done.busy, after.unwrap_or(0), times.unwrap_or(0))
    }

    /// Whether this rename is refused for now; counts the ones that were.
    pub(super) fn rename_is_busy(&self) -> bool {
        let times = self.behaviour.busy_renames;
        counted(&self.done.busy_renames, 0, times.unwrap_or(0))
    }

    /// Waits as long as the settings have it before a command is answered; whether the session ends in place of
    /// that.
    pub(super) async fn hangs_up_on(&self, verb: &str) -> bool {
        let behaviour = &self.behaviour;
        let delay = behaviour.delays.get(verb).copied();
        let latency = behaviour.latency.unwrap_or_default() + delay.unwrap_or_default();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        self.hangs_up(behaviour.hang_up_on.as_ref(), verb)
    }

    /// Whether the session ends in place of the last answer to a command.
    pub(super) fn hangs_up_after(&self, verb: &str) -> bool {
        self.hangs_up(self.behaviour.hang_up_after.as_ref(), verb)
    }

    /// Whether the session ends with this command, which is `named` by the settings; counts them.
    fn hangs_up(&self, named: Option<&String>, verb: &str) -> bool {
        let (skip, times) = (self.behaviour.hang_up_skip, self.behaviour.hang_up_times);
        named.is_some_and(|named| named == verb)
            && counted(
                &self.done.hang_ups,
                skip.unwrap_or(0),
                times.unwrap_or(u32::MAX),
            )
    }

    /// An upload is whole.
    pub(super) fn stored(&self) {
        *self
            .done
            .stored
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let reboots = self.behaviour.reboot_after_store.is_some();
        self.done.to_reboot.store(reboots, Ordering::Release);
    }

    /// What is said of the size of a file: not known yet after the last upload, or in whole blocks.
    pub(super) fn size_shown(&self, size: u64) -> u64 {
        let stored = *self
            .done
            .stored
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_new = |late| stored.is_some_and(|at| at.elapsed() < late);
        if self.behaviour.size_after.is_some_and(is_new) {
            return 0;
        }
        (self.behaviour.size_block).map_or(size, |block| size.div_ceil(block) * block)
    }

    /// The time of the reboot that follows what was just confirmed, once.
    pub(super) fn reboots_now(&self) -> Option<Duration> {
        let time = self.behaviour.reboot_after_store?;
        let now = self.done.to_reboot.swap(false, Ordering::AcqRel);
        self.done.is_leaving.fetch_or(now, Ordering::AcqRel);
        now.then_some(time)
    }

    /// Whether an upload was confirmed, and its reboot is about to come.
    pub(super) fn is_leaving(&self) -> bool {
        self.done.is_leaving.load(Ordering::Acquire)
    }

    /// Any user, or the one whom the inventory names.
    pub(super) fn lets_in(&self, user: &str) -> bool {
        let is_known = self.user.as_deref().is_none_or(|known| known == user);
        is_known && !self.behaviour.refuse_login
    }

    /// As shown to those who are to believe it.
    pub(super) fn host_key(&self) -> Option<HostKey> {
        (self.scheme == Scheme::Sftp).then(ssh::host_key)?
    }

    /// The same, also for a command line.
    pub(super) fn shown_key(&self) -> Option<HostKey> {
        let doors = self.unit.iter().flat_map(Unit::doors);
        let has_ssh = doors.clone().any(|(over, _)| *over == Over::Ssh);
        self.host_key().or_else(|| has_ssh.then(ssh::host_key)?)
    }

    pub(super) fn served_address(&self) -> Address {
        Address {
            scheme: self.scheme,
            host: self.address.ip().to_string(),
            port: self.address.port(),
        }
    }
}

fn hold_port(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of its earlier life may still be on their way out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// A session that is open.
pub(super) struct OpenSession(Arc<Server>);

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Counts one more, and whether it is among those `times` that come after the first `skip`.
fn counted(done: &AtomicU32, skip: u32, times: u32) -> bool {
    let last = skip.saturating_add(times);
    let number = done.fetch_update(Ordering::AcqRel, Ordering::Acquire, |done| {
        (done < last).then(|| done.saturating_add(1))
    });
    number.is_ok_and(|number| number >= skip)
}

//! The engine's side: one task that lets clients in, carries their orders to the engine one at a
//! time, and passes on what happens. It ends the engine when the last client has left and nothing
//! runs, and never waits for a client.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use nix::unistd::getuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::place::Claimed;
use super::viewer::{self, Frame, Said, Seat};
use super::wire::{Ask, Hello, PROTOCOL, Tell, Wants, Welcome, frame};
use crate::model::text::shown;
use crate::protocol::{Command, Event, GroupSpec, Link, Snapshot, Target};

/// Clients at a time; short visits are let in besides, so that an order to end comes through.
const CLIENTS: usize = 64;
/// Those at a time that were not let in yet, and short visits. One more takes the place of the oldest
/// of them: one that says nothing keeps none out.
const VISITORS: usize = 64;
/// Events that wait for one client; one that is further behind is cut off.
const BACKLOG: usize = 16 << 10;
/// Orders that wait for the engine.
const ORDERS: usize = 1024;
/// What was reported before a client came, and still matters: runs that were cut off, no journal.
const NOTICES: usize = 16;
/// The first client comes within this time, or nobody does.
const FIRST: Duration = Duration::from_secs(20);
/// Nobody was there, and nothing ran, for this long.
const QUIET: Duration = Duration::from_secs(1);
/// What clients have not read at the end is lost after this time.
const PARTING: Duration = Duration::from_secs(2);

/// What an engine says of itself.
#[derive(Debug)]
pub struct About {
    pub inventory: PathBuf,
    /// The inventory as it was read.
    pub text: String,
}

/// Serves an engine's link at a place until the engine has ended. Each message of `stop` asks to
/// cancel what runs and end; a second one ends at once, and then `false` is returned.
pub async fn serve(
    link: Link,
    claimed: &mut Claimed,
    about: About,
    stop: &mut mpsc::Receiver<()>,
) -> bool {
    let Link {
        commands,
        snapshots,
        events,
    } = link;
    let (said, inbox) = mpsc::channel(64);
    let server = Server {
        about,
        since: Timestamp::now(),
        commands,
        snapshots,
        said,
        clients: BTreeMap::new(),
        tasks: JoinSet::new(),
        handles: BTreeMap::new(),
        next: 0,
        orders: VecDeque::new(),
        notices: VecDeque::new(),
        logins: BTreeSet::new(),
        ending: false,
        quiet_until: Instant::now() + FIRST,
    };
    server.run(claimed, events, inbox, stop).await
}

struct Client {
    who: String,
    wants: Wants,
    events: mpsc::Sender<Frame>,
}

struct Server {
    about: About,
    since: Timestamp,
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    said: mpsc::Sender<Said>,
    clients: BTreeMap<u64, Client>,
    /// Those at the door too.
    tasks: JoinSet<(u64, Result<(), String>)>,
    handles: BTreeMap<u64, AbortHandle>,
    next: u64,
    orders: VecDeque<Command>,
    notices: VecDeque<Frame>,
    logins: BTreeSet<String>,
    /// The engine knows that nothing more comes.
    ending: bool,
    /// Before this, being idle says nothing.
    quiet_until: Instant,
}

impl Server {
    async fn run(
        mut self,
        claimed: &mut Claimed,
        mut events: mpsc::UnboundedReceiver<Event>,
        mut inbox: mpsc::Receiver<Said>,
        stop: &mut mpsc::Receiver<()>,
    ) -> bool {
        let commands = self.commands.clone();
        let mut tick = interval(QUIET / 4);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signals = true;
        let mut stopped = false;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.tell(event),
                    None => break,
                },
                Some(said) = inbox.recv() => self.hear(said),
                permit = commands.reserve(), if !self.orders.is_empty() => match permit {
                    Ok(permit) => if let Some(order) = self.orders.pop_front() {
                        permit.send(order);
                        self.stir();
                    },
                    // Its last events say the rest.
                    Err(_) => self.orders.clear(),
                },
                stream = accept(claimed.listener.as_ref()) => self.accept(stream),
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok((id, result)) => self.left(id, result),
                    // Cut off by ourselves.
                    Err(_) => self.count(),
                },
                signal = stop.recv(), if signals => match signal {
                    Some(()) if stopped => return false,
                    Some(()) => {
                        stopped = true;
                        tracing::info!("told to end by a signal");
                        self.stop(true);
                    }
                    None => signals = false,
                },
                _ = tick.tick() => self.look(claimed),
            }
        }
        claimed.close();
        // Who has read everything leaves by itself.
        self.clients.clear();
        let _ = timeout(PARTING, async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        self.tasks.shutdown().await;
        true
    }

    fn is_busy(&self) -> bool {
        self.snapshots.borrow().is_busy()
    }

    /// Something happened: the engine is not idle yet.
    fn stir(&mut self) {
        self.quiet_until = self.quiet_until.max(Instant::now() + QUIET);
    }

    /// Ends the engine when nobody needs it.
    fn look(&mut self, claimed: &mut Claimed) {
        let busy = self.is_busy() || !self.orders.is_empty();
        if busy || !self.tasks.is_empty() {
            self.stir();
        }
        if !busy && !self.ending && self.quiet_until <= Instant::now() {
            tracing::info!("nobody is there and nothing runs: the engine ends");
            self.finish();
        }
        if self.ending && !busy {
            // Who comes now gets a new one.
            claimed.close();
        }
    }

    fn finish(&mut self) {
        if !self.ending {
            self.ending = true;
            self.orders.push_back(Command::Finish);
        }
    }

    fn stop(&mut self, cancel: bool) {
        if cancel {
            let target = Target::All;
            self.orders.push_back(Command::Cancel { target });
        }
        self.finish();
    }

    fn accept(&mut self, stream: std::io::Result<UnixStream>) {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!("a client can't be let in: {error}"),
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == getuid().as_raw() => {}
            Ok(peer) => {
                return tracing::warn!("user {} was not let in to the engine", peer.uid());
            }
            Err(error) => return tracing::warn!("a client was not let in: {error}"),
        }
        self.make_room();
        let id = self.next;
        self.next += 1;
        let said = self.said.clone();
        let task = async move { (id, viewer::serve(id, stream, said).await) };
        self.handles.insert(id, self.tasks.spawn(task));
    }

    /// At the door, and among the short visits.
    fn make_room(&mut self) {
        let watches = |id: &u64| {
            let client = self.clients.get(id);
            client.is_some_and(|client| client.wants != Wants::Errand)
        };
        let visitors: Vec<u64> = (self.handles.keys().copied())
            .filter(|id| !watches(id))
            .collect();
        if visitors.len() >= VISITORS
            && let Some(oldest) = visitors.first()
        {
            tracing::warn!("{VISITORS} clients are at the door; the oldest was sent away");
            self.clients.remove(oldest);
            if let Some(task) = self.handles.remove(oldest) {
                task.abort();
            }
        }
    }

    fn hear(&mut self, said: Said) {
        self.stir();
        match said {
            Said::Hello { id, hello, answer } => {
                // Unanswered, it tries again, and finds a new engine.
                if !self.ending || self.is_busy() {
                    if hello.wants != Wants::Errand && self.others(id) >= CLIENTS {
                        let reason = format!("{CLIENTS} others watch the engine already");
                        let _ = answer.send(Err(reason));
                        return;
                    }
                    let seat = self.seat(id, hello);
                    let _ = answer.send(Ok(seat));
                    self.count();
                }
            }
            Said::Ask { id, ask } => self.ask(id, ask),
        }
    }

    fn seat(&mut self, id: u64, hello: Hello) -> Seat {
        let (sender, events) = mpsc::channel(BACKLOG);
        for notice in &self.notices {
            let _ = sender.try_send(notice.clone());
        }
        // The first one has come: nobody else is waited for.
        self.quiet_until = Instant::now() + QUIET;
        let who: String = shown(&hello.who).chars().take(120).collect();
        if hello.wants != Wants::Errand {
            tracing::info!("{who} watches");
        }
        self.clients.insert(
            id,
            Client {
                who,
                wants: hello.wants,
                events: sender,
            },
        );
        Seat {
            welcome: Welcome {
                protocol: PROTOCOL,
                version: env!("CARGO_PKG_VERSION").into(),
                process: std::process::id(),
                since: self.since,
                inventory: self.about.inventory.clone(),
                text: self.about.text.clone(),
                logins: self.logins.iter().cloned().collect(),
                others: self.others(id),
            },
            events,
            snapshots: self.snapshots.clone(),
        }
    }

    fn ask(&mut self, id: u64, ask: Ask) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let (who, wants) = (client.who.clone(), client.wants);
        if wants == Wants::Watch {
            return self.refuse(
                id,
                "this console only watches; `subtend attach` without --watch gives orders",
            );
        }
        let what = match &ask {
            Ask::Stop { cancel: true } => Some("cancels everything and ends the engine".into()),
            Ask::Stop { cancel: false } => Some("ends the engine when what runs has ended".into()),
            Ask::Order { order } => done(order),
        };
        match ask {
            Ask::Stop { cancel } => self.stop(cancel),
            // An engine has several clients, and none of them ends it that way.
            Ask::Order {
                order: Command::Finish,
            } => {}
            Ask::Order {
                order: Command::Start { .. },
            } if self.ending => {
                return self.refuse(id, "the engine is ending, and starts nothing more");
            }
            Ask::Order { .. } if self.orders.len() >= ORDERS => {
                return self.refuse(id, "too many orders wait for the engine; try again later");
            }
            Ask::Order { order } => {
                if let Command::Login { credentials, .. } = &order {
                    self.logins.insert(credentials.clone());
                }
                self.orders.push_back(order);
            }
        }
        if let Some(what) = what {
            tracing::info!("{who} {what}");
            let did = Event::Did {
                at: Timestamp::now(),
                who,
                what,
            };
            self.send(&did, |other, client| {
                other != id || client.wants == Wants::Errand
            });
        }
    }

    fn refuse(&mut self, id: u64, reason: &str) {
        let refused = Event::Refused {
            at: Timestamp::now(),
            reason: reason.into(),
        };
        self.send(&refused, |other, _| other == id);
    }

    fn tell(&mut self, event: Event) {
        self.stir();
        if matches!(event, Event::Notice { .. })
            && let Some(frame) = framed(&event)
        {
            self.notices.push_back(frame);
            if self.notices.len() > NOTICES {
                self.notices.pop_front();
            }
        }
        self.send(&event, |_, _| true);
    }

    /// To some of the clients. Who has too much unread is cut off, which costs the others nothing.
    fn send(&mut self, event: &Event, to: impl Fn(u64, &Client) -> bool) {
        if self.clients.is_empty() {
            return;
        }
        let Some(frame) = framed(event) else { return };
        let mut full = Vec::new();
        for (id, client) in &self.clients {
            if to(*id, client) && client.events.try_send(frame.clone()).is_err() {
                full.push(*id);
            }
        }
        for id in full {
            if let Some(client) = self.clients.remove(&id) {
                tracing::warn!("{} reads nothing any more and was cut off", client.who);
                if let Some(task) = self.handles.remove(&id) {
                    task.abort();
                }
            }
        }
    }

    fn left(&mut self, id: u64, result: Result<(), String>) {
        self.stir();
        self.handles.remove(&id);
        let client = self.clients.remove(&id);
        let who = client.as_ref().map_or("a client", |client| &client.who);
        match result {
            Err(reason) => tracing::warn!("{who} was cut off: {}", shown(&reason)),
            Ok(()) => {
                if client
                    .as_ref()
                    .is_some_and(|one| one.wants != Wants::Errand)
                {
                    tracing::info!("{who} has left");
                }
            }
        }
        self.count();
    }

    fn others(&self, id: u64) -> usize {
        let watching =
            |(other, client): &(&u64, &Client)| **other != id && client.wants != Wants::Errand;
        self.clients.iter().filter(watching).count()
    }

    /// Tells each how many others there are.
    fn count(&mut self) {
        let ids: Vec<u64> = self.clients.keys().copied().collect();
        for id in ids {
            let viewers = Event::Viewers {
                at: Timestamp::now(),
                others: self.others(id),
            };
            self.send(&viewers, |other, _| other == id);
        }
    }
}

fn framed(event: &Event) -> Option<Frame> {
    let event = Box::new(event.clone());
    match frame(&Tell::Event { event }) {
        Ok(bytes) => Some(Arc::new(bytes)),
        Err(error) => {
            tracing::error!("an event can't be sent: {error}");
            None
        }
    }
}

async fn accept(listener: Option<&UnixListener>) -> std::io::Result<UnixStream> {
    match listener {
        Some(listener) => {
            let accepted = listener.accept().await;
            if accepted.is_err() {
                // No descriptors are left, which will not be better at once.
                sleep(QUIET / 4).await;
            }
            accepted.map(|(stream, _)| stream)
        }
        None => std::future::pending().await,
    }
}

/// What an order does, for the others; nothing where it changes nothing for them.
fn done(order: &Command) -> Option<String> {
    let named = |groups: &[GroupSpec]| {
        let names: Vec<String> = groups.iter().map(GroupSpec::name).map(shown).collect();
        names.join(", ")
    };
    Some(match order {
        Command::Start { groups, .. } => format!("starts {}", named(groups)),
        Command::Probe { groups, .. } => format!("looks at the hosts of {}", named(groups)),
        Command::Verify { groups, .. } => {
            format!("looks at what the entities of {} hold", named(groups))
        }
        Command::CancelInspection => "stops looking at entities".into(),
        Command::Cancel { target } => match target {
            Target::All => "cancels everything".into(),
            Target::Group(group) => format!("cancels {}", shown(group)),
            Target::Entity { group, entity } => {
                format!("cancels {} of {}", shown(entity), shown(group))
            }
        },
        Command::Login { credentials, .. } => {
            format!("gives the password of {}", shown(credentials))
        }
        _ => return None,
    })
}

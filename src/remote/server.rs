//! The engine's side: one task that lets clients in, carries their orders to the engine one at a
//! time, and passes on what happens. It ends the engine when the last client has left and nothing
//! runs, unless that one stays, and never waits for a client.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::clients::Clients;
use super::place::Claimed;
use super::viewer::{Admission, CutOff, Said};
use super::wire::{Ask, Hello, PROTOCOL, Wants, Welcome};
use crate::model::text::shown;
use crate::model::units;
use crate::protocol::{Command, Event, GroupSpec, Link, Snapshot, Target};

/// Clients at a time; short visits are let in besides, so that an order to end comes through.
const CLIENTS: usize = 64;
/// Orders that wait for the engine.
const ORDERS: usize = 1024;
/// The first client comes within this time, or nobody does.
const FIRST: Duration = Duration::from_secs(20);
/// Nobody was there, and nothing ran, for this long.
const QUIET: Duration = Duration::from_secs(1);

/// What an engine says of itself.
#[derive(Debug)]
pub struct About {
    pub inventory: PathBuf,
    /// The inventory as it was read.
    pub text: String,
    /// Credentials whose secrets it has from the beginning.
    pub logins: BTreeSet<String>,
    /// It does not end because nobody is there and nothing runs.
    pub stays: bool,
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
        logins: about.logins.clone(),
        about,
        since: Timestamp::now(),
        commands,
        snapshots,
        said,
        clients: Clients::default(),
        orders: VecDeque::new(),
        ending: false,
        quiet_until: Instant::now() + FIRST,
    };
    server.run(claimed, events, inbox, stop).await
}

struct Server {
    about: About,
    since: Timestamp,
    commands: mpsc::Sender<Command>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    said: mpsc::Sender<Said>,
    clients: Clients,
    orders: VecDeque<Command>,
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
                    Some(event) => {
                        self.postpone_end();
                        self.clients.publish(&event);
                    }
                    None => break,
                },
                Some(said) = inbox.recv() => self.handle(said),
                permit = commands.reserve(), if !self.orders.is_empty() => match permit {
                    Ok(permit) => if let Some(order) = self.orders.pop_front() {
                        permit.send(order);
                        self.postpone_end();
                    },
                    // Its last events say the rest.
                    Err(_) => self.orders.clear(),
                },
                stream = accept(claimed.listener.as_ref()) => self.clients.accept(stream, &self.said),
                Some(left) = self.clients.left() => match left {
                    Ok((id, result)) => {
                        self.postpone_end();
                        self.clients.remove(id, result);
                    }
                    // Cut off by ourselves.
                    Err(_) => self.clients.count(),
                },
                signal = stop.recv(), if signals => match signal {
                    Some(()) if stopped => return false,
                    Some(()) => {
                        stopped = true;
                        tracing::info!("asked to end by a signal");
                        self.stop(true);
                    }
                    None => signals = false,
                },
                _ = tick.tick() => self.end_when_idle(claimed),
            }
        }
        claimed.close();
        self.clients.part().await;
        true
    }

    fn is_busy(&self) -> bool {
        self.snapshots.borrow().is_busy()
    }

    /// Something happened: the engine is not idle yet.
    fn postpone_end(&mut self) {
        self.quiet_until = self.quiet_until.max(Instant::now() + QUIET);
    }

    /// Ends the engine when nobody needs it.
    fn end_when_idle(&mut self, claimed: &mut Claimed) {
        let busy = self.is_busy() || !self.orders.is_empty();
        if busy || !self.clients.is_empty() {
            self.postpone_end();
        }
        let may_end = !self.ending && !self.about.stays;
        if !busy && may_end && self.quiet_until <= Instant::now() {
            tracing::info!("nobody is there and nothing runs: the engine ends");
            self.finish();
        }
        if self.ending && !busy {
            // A client that comes now gets a new one.
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

    fn handle(&mut self, said: Said) {
        self.postpone_end();
        match said {
            Said::Hello { id, hello, answer } => {
                // Unanswered, it tries again, and finds a new engine.
                if !self.ending || self.is_busy() {
                    if hello.wants != Wants::Errand && self.clients.others(id) >= CLIENTS {
                        let _ = answer.send(Err(CutOff::Full { others: CLIENTS }));
                        return;
                    }
                    let _ = answer.send(Ok(self.admit(id, &hello)));
                    self.clients.count();
                }
            }
            Said::Ask { id, ask } => self.ask(id, ask),
        }
    }

    fn admit(&mut self, id: u64, hello: &Hello) -> Admission {
        // The first one has come: no other is waited for.
        self.quiet_until = Instant::now() + QUIET;
        Admission {
            events: self.clients.add(id, hello),
            welcome: Welcome {
                protocol: PROTOCOL,
                version: env!("CARGO_PKG_VERSION").into(),
                process: std::process::id(),
                since: self.since,
                inventory: self.about.inventory.clone(),
                text: self.about.text.clone(),
                logins: self.logins.iter().cloned().collect(),
                others: self.clients.others(id),
                stays: self.about.stays,
            },
            snapshots: self.snapshots.clone(),
        }
    }

    fn ask(&mut self, id: u64, ask: Ask) {
        let Some(client) = self.clients.get(id) else {
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
            self.clients.send(&did, |other, client| {
                other != id || client.wants == Wants::Errand
            });
        }
    }

    fn refuse(&mut self, id: u64, reason: &str) {
        let refused = Event::Refused {
            at: Timestamp::now(),
            reason: reason.into(),
        };
        self.clients.send(&refused, |other, _| other == id);
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
        Command::Rate { on, rate } => {
            let rate = rate.map_or("no rate any more".to_owned(), |rate| {
                units::rate(rate as f64)
            });
            format!("holds {} to {rate}", shown(&on.in_words()))
        }
        Command::Continue { groups } => {
            let names: Vec<String> = groups.iter().map(|one| shown(one.spec.name())).collect();
            format!("goes on with {}", names.join(", "))
        }
        Command::CancelInspection => "stops looking at entities".into(),
        Command::Pause { group } => format!("pauses {}", shown(group)),
        Command::Resume { group, .. } => format!("lets {} go on", shown(group)),
        Command::Cancel { target } => match target {
            Target::All => "cancels everything".into(),
            Target::Group(group) => format!("cancels {}", shown(group)),
            Target::Entity { group, entity } => {
                format!("cancels {} of {}", shown(entity), shown(group))
            }
        },
        Command::Login { credentials, .. } => {
            format!("gives the secret of {}", shown(credentials))
        }
        _ => return None,
    })
}

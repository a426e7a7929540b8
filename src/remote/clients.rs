//! The clients of an engine: let in, sent events, and cut off.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use nix::unistd::getuid;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::timeout;

use super::viewer::{self, CutOff, Frame, PARTING_ALL, Said};
use super::wire::{Hello, Tell, Wants, frame};
use crate::model::text::shown;
use crate::protocol::Event;

/// Those at a time that were not let in yet, and short visits. One more takes the place of the oldest
/// of them: one that says nothing keeps none out.
const VISITORS: usize = 64;
/// Events that wait for one client; one that is further behind is cut off.
const BACKLOG: usize = 16 << 10;
/// What was reported before a client came, and still matters: runs that were cut off, no journal.
const NOTICES: usize = 16;

pub(super) struct Client {
    pub(super) who: String,
    pub(super) wants: Wants,
    events: mpsc::Sender<Frame>,
}

#[derive(Default)]
pub(super) struct Clients {
    connected: BTreeMap<u64, Client>,
    /// Those at the door too.
    tasks: JoinSet<(u64, Result<(), CutOff>)>,
    handles: BTreeMap<u64, AbortHandle>,
    next: u64,
    notices: VecDeque<Frame>,
}

impl Clients {
    pub(super) fn accept(
        &mut self,
        stream: std::io::Result<UnixStream>,
        said: &mpsc::Sender<Said>,
    ) {
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
        let said = said.clone();
        let task = async move { (id, viewer::serve(id, stream, said).await) };
        self.handles.insert(id, self.tasks.spawn(task));
    }

    /// At the door, and among the short visits.
    fn make_room(&mut self) {
        let watches = |id: &u64| {
            let client = self.connected.get(id);
            client.is_some_and(|client| client.wants != Wants::Errand)
        };
        let visitors: Vec<u64> = (self.handles.keys().copied())
            .filter(|id| !watches(id))
            .collect();
        if visitors.len() >= VISITORS
            && let Some(oldest) = visitors.first()
        {
            tracing::warn!("{VISITORS} clients are at the door; the oldest was sent away");
            self.connected.remove(oldest);
            if let Some(task) = self.handles.remove(oldest) {
                task.abort();
            }
        }
    }

    /// One was let in. What comes for it: first what was reported before and still matters.
    pub(super) fn add(&mut self, id: u64, hello: &Hello) -> mpsc::Receiver<Frame> {
        let (sender, events) = mpsc::channel(BACKLOG);
        for notice in &self.notices {
            let _ = sender.try_send(notice.clone());
        }
        let who: String = shown(&hello.who).chars().take(120).collect();
        if hello.wants != Wants::Errand {
            tracing::info!("{who} watches");
        }
        self.connected.insert(
            id,
            Client {
                who,
                wants: hello.wants,
                events: sender,
            },
        );
        events
    }

    pub(super) fn get(&self, id: u64) -> Option<&Client> {
        self.connected.get(&id)
    }

    /// Also those at the door.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until one has left.
    pub(super) async fn left(&mut self) -> Option<Result<(u64, Result<(), CutOff>), JoinError>> {
        self.tasks.join_next().await
    }

    /// Nothing more is sent. Those that have read everything leave by themselves, the others are cut off.
    pub(super) async fn part(mut self) {
        self.connected.clear();
        let _ = timeout(PARTING_ALL, async {
            while self.tasks.join_next().await.is_some() {}
        })
        .await;
        self.tasks.shutdown().await;
    }

    /// To all.
    pub(super) fn publish(&mut self, event: &Event) {
        if matches!(event, Event::Notice { .. })
            && let Some(frame) = framed(event)
        {
            self.notices.push_back(frame);
            if self.notices.len() > NOTICES {
                self.notices.pop_front();
            }
        }
        self.send(event, |_, _| true);
    }

    /// To some of the clients. One that has too much unread is cut off, which costs the others nothing.
    pub(super) fn send(&mut self, event: &Event, to: impl Fn(u64, &Client) -> bool) {
        if self.connected.is_empty() {
            return;
        }
        let Some(frame) = framed(event) else { return };
        let mut full = Vec::new();
        for (id, client) in &self.connected {
            if to(*id, client) && client.events.try_send(frame.clone()).is_err() {
                full.push(*id);
            }
        }
        for id in full {
            if let Some(client) = self.connected.remove(&id) {
                tracing::warn!("{} reads nothing any more and was cut off", client.who);
                if let Some(task) = self.handles.remove(&id) {
                    task.abort();
                }
            }
        }
    }

    /// One has left, or was cut off.
    pub(super) fn remove(&mut self, id: u64, result: Result<(), CutOff>) {
        self.handles.remove(&id);
        let client = self.connected.remove(&id);
        let who = client.as_ref().map_or("a client", |client| &client.who);
        match result {
            Err(reason) => tracing::warn!("{who} was cut off: {}", shown(&reason.to_string())),
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

    /// Those that watch, besides one.
    pub(super) fn others(&self, id: u64) -> usize {
        let watching =
            |(other, client): &(&u64, &Client)| **other != id && client.wants != Wants::Errand;
        self.connected.iter().filter(watching).count()
    }

    /// Reports to each how many others there are.
    pub(super) fn count(&mut self) {
        let ids: Vec<u64> = self.connected.keys().copied().collect();
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

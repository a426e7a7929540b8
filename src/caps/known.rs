//! All caps that there are, by what they are on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::model::{self, Capped, Entity, Group, Name};

use super::cap::{Cap, Claim, Clock};
use super::held::Kind;
use super::lock;
use super::pacer::{Pacer, Under};

/// Of one engine, over all groups and passes. A stream looks up those that it comes under, and again when any has changed.
#[derive(Debug)]
pub(crate) struct Caps {
    known: Mutex<BTreeMap<Capped, (u64, Arc<Cap>)>>,
    pub(super) clock: Arc<Clock>,
    /// How often any was set.
    changes: watch::Sender<u64>,
}

impl Caps {
    pub(crate) fn new(caps: &[model::Cap]) -> Arc<Self> {
        let clock = Clock::new();
        let caps = caps.iter();
        let known = caps.map(|cap| {
            let made = Cap::new(cap.rate, clock.clone());
            (cap.on.clone(), (cap.rate, made))
        });
        Arc::new(Self {
            known: Mutex::new(known.collect()),
            clock,
            changes: watch::channel(0).0,
        })
    }

    /// Bytes a second that it is held to.
    pub(crate) fn rate(&self, on: &Capped) -> Option<u64> {
        lock(&self.known).get(on).map(|(rate, _)| *rate)
    }

    /// Sets a cap, changes it, or lifts it.
    pub(crate) fn set(&self, on: Capped, rate: Option<u64>) {
        {
            let mut known = lock(&self.known);
            match (known.get_mut(&on), rate) {
                (Some((before, cap)), Some(rate)) => {
                    *before = rate;
                    cap.change(Some(rate));
                }
                (Some((_, cap)), None) => {
                    cap.change(None);
                    known.remove(&on);
                }
                (None, Some(rate)) => {
                    known.insert(on, (rate, Cap::new(rate, self.clock.clone())));
                }
                (None, None) => return,
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn cap(&self, on: &Capped) -> Option<Arc<Cap>> {
        lock(&self.known).get(on).map(|(_, cap)| cap.clone())
    }
}

/// The caps that the streams of one group come under.
#[derive(Debug)]
pub(crate) struct GroupCaps {
    all: Arc<Caps>,
    group: Arc<Group>,
    /// Whether all entities of the group have a label, and with this value.
    everywhere: Mutex<HashMap<(Name, Name), bool>>,
}

impl GroupCaps {
    pub(crate) fn new(all: Arc<Caps>, group: Arc<Group>) -> Arc<Self> {
        Arc::new(Self {
            all,
            group,
            everywhere: Mutex::default(),
        })
    }

    /// Of what is sent to an entity, by its place in the group.
    pub(crate) fn to_entity(self: &Arc<Self>, entity: usize) -> Pacer {
        let entity = self.group.entities.get(entity).cloned();
        Pacer::new(self.clone(), entity.map_or(Under::Nothing, Under::Entity))
    }

    /// Of what is read from a file server.
    pub(crate) fn from_server(self: &Arc<Self>, name: Name) -> Pacer {
        Pacer::new(self.clone(), Under::FileServer(name))
    }

    pub(crate) fn of_group(&self) -> Capped {
        Capped::Group(self.group.name.clone())
    }

    /// Bytes a second that a cap is at.
    pub(crate) fn rate(&self, on: &Capped) -> Option<u64> {
        self.all.rate(on)
    }

    /// The label of an entity that it is held by: the slowest.
    pub(crate) fn label_of(&self, entity: usize) -> Option<Capped> {
        let labels = self.group.entities.get(entity)?.labels.iter();
        let caps = labels.map(|(label, value)| Capped::Label {
            label: label.as_str().into(),
            value: value.as_str().into(),
        });
        caps.filter_map(|on| Some((self.all.rate(&on)?, on)))
            .min()
            .map(|(_, on)| on)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.all.changes()
    }

    pub(super) fn clock(&self) -> &Arc<Clock> {
        &self.all.clock
    }

    /// In the order in which they are asked: its own first, which nobody else waits for, that of the group last.
    pub(super) fn claims(&self, under: &Under) -> Vec<Claim> {
        let mut claims = Vec::new();
        let mut claim = |on: &Capped, kind, is_common: &dyn Fn() -> bool| {
            if let Some(cap) = self.all.cap(on) {
                claims.push(Claim::new(cap, kind, is_common()));
            }
        };
        match under {
            Under::Nothing => {}
            Under::FileServer(name) => {
                claim(&Capped::FileServer(name.clone()), Kind::Own, &|| true);
            }
            Under::Entity(entity) => {
                claim(&Capped::Entity(entity.name.clone()), Kind::Own, &|| false);
                for (label, value) in &entity.labels {
                    let on = Capped::Label {
                        label: label.as_str().into(),
                        value: value.as_str().into(),
                    };
                    claim(&on, Kind::Label, &|| self.is_everywhere(label, value));
                }
                claim(&self.of_group(), Kind::Group, &|| true);
            }
        }
        claims
    }

    fn is_everywhere(&self, label: &str, value: &str) -> bool {
        let key = (Name::from(label), Name::from(value));
        let has = |entity: &Arc<Entity>| entity.labels.get(label).is_some_and(|own| own == value);
        *(lock(&self.everywhere).entry(key)).or_insert_with(|| self.group.entities.iter().all(has))
    }
}

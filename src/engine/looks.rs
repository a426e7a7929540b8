//! Looking at many hosts without changing any: what a run would meet, and what entities hold.
//!
//! A few hosts at a time, and an answer as soon as each has given its own: one that is dead costs
//! its own deadlines and nobody else's. Cancelled, no more hosts are begun, and those that are
//! looked at end without leaving anything behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::agent::{self, Expected, Held, Holders};
use crate::model::text::{quoted, shown};
use crate::model::{
    Abilities, Entity, Failure, Group, Holding, Inventory, Logins, Name, Probe, Staging, Verified,
    VerifyMode, units,
};
use crate::protocol::{Event, HeldCheck, ProbeCheck};
use crate::transport::Transport;

/// Maximum number of hosts that are looked at at one time.
const AT_ONCE: usize = 32;
/// How often it is reported how much was read.
const TOLD: Duration = Duration::from_millis(500);

/// What both ways of looking need.
pub(super) struct Looks<T> {
    pub(super) transport: Arc<T>,
    pub(super) inventory: Arc<Inventory>,
    pub(super) logins: Arc<Logins>,
    pub(super) holders: Holders,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) cancel: CancellationToken,
}

impl<T: Transport> Looks<T> {
    /// Nobody may be listening.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn probed(&self, checks: Vec<ProbeCheck>, left: usize, ended: bool) -> Event {
        Event::Probed {
            at: Timestamp::now(),
            checks,
            left,
            ended,
            stopped: ended && left > 0,
        }
    }

    /// Looks at the sources of groups and at the entities that they would write, each once.
    pub(super) async fn probe(self, groups: Vec<Arc<Group>>, force: bool) -> Event {
        let mut seen = HashSet::new();
        let mut hosts: Vec<(usize, Option<Arc<Entity>>)> =
            (0..groups.len()).map(|place| (place, None)).collect();
        for (place, group) in groups.iter().enumerate() {
            let sent = (group.entities.iter())
                .filter(|entity| force || !group.has_image(entity))
                .filter(|entity| seen.insert(entity.name.clone()));
            hosts.extend(sent.map(|entity| (place, Some(entity.clone()))));
        }
        let mut left = hosts.len();
        let mut next = hosts.into_iter();
        let mut looking = JoinSet::new();
        // What is free is compared with the image's size, which the source may have to tell first.
        let mut sources: Vec<Source> = groups.iter().map(|group| Source::of(group)).collect();
        loop {
            while looking.len() < AT_ONCE
                && !self.cancel.is_cancelled()
                && let Some((place, entity)) = next.next()
            {
                let group = groups[place].clone();
                self.begin_probe(&mut looking, place, group, entity);
            }
            let Some(looked) = looking.join_next().await else {
                break;
            };
            let (place, found) = match looked {
                Ok(Some(looked)) => looked,
                // Cancelled, so it does not count as answered.
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!("a host could not be looked at: {error}");
                    continue;
                }
            };
            let source = &mut sources[place];
            let mut checks = Vec::new();
            match found {
                Found::Source(found) => {
                    checks.push(source.answered(&groups[place], found));
                    for (entity, probe) in std::mem::take(&mut source.waiting) {
                        checks.push(entity_check(
                            &groups[place],
                            &entity,
                            source.size,
                            Ok(probe),
                        ));
                    }
                }
                Found::Entity(entity, Ok(probe)) if probe.free.is_some() && !source.is_known => {
                    source.waiting.push((entity, probe));
                }
                Found::Entity(entity, found) => {
                    checks.push(entity_check(&groups[place], &entity, source.size, found));
                }
            }
            left -= checks.len();
            if !checks.is_empty() {
                self.tell(self.probed(checks, left, false));
            }
        }
        self.probed(Vec::new(), left, true)
    }

    fn begin_probe(
        &self,
        looking: &mut JoinSet<Option<(usize, Found)>>,
        place: usize,
        group: Arc<Group>,
        entity: Option<Arc<Entity>>,
    ) {
        let (transport, logins) = (self.transport.clone(), self.logins.clone());
        let cancel = self.cancel.clone();
        match entity {
            Some(entity) => looking.spawn(async move {
                let found = agent::look_at_entity(&transport, &entity, &logins, &cancel).await;
                match found {
                    Err(failure) if failure.is_cancelled() => None,
                    found => Some((place, Found::Entity(entity, found))),
                }
            }),
            None => {
                let (holders, inventory) = (self.holders.clone(), self.inventory.clone());
                looking.spawn(async move {
                    let servers = &inventory.file_servers;
                    let look =
                        agent::look_at_source(&transport, &group, &logins, &holders, servers);
                    tokio::select! {
                        () = cancel.cancelled() => None,
                        found = look => Some((place, Found::Source(found))),
                    }
                })
            }
        };
    }

    /// What the entities of groups hold. `written`: those that are being upgraded, and in which
    /// group; they are not asked.
    pub(super) async fn verify(
        self,
        groups: Vec<Arc<Group>>,
        size_only: bool,
        written: HashMap<Name, Name>,
    ) -> Event {
        let read = Arc::new(AtomicU64::new(0));
        let mut left: usize = groups.iter().map(|group| group.entities.len()).sum();
        let mut looking: JoinSet<Vec<HeldCheck>> = JoinSet::new();
        // Images first; of one that several groups get, each reads its own source.
        let mut images: JoinSet<(usize, Result<Expected, Failure>)> = JoinSet::new();
        for (place, group) in groups.iter().enumerate() {
            let (transport, logins) = (self.transport.clone(), self.logins.clone());
            let (inventory, read) = (self.inventory.clone(), read.clone());
            let group = group.clone();
            images.spawn(async move {
                let servers = &inventory.file_servers;
                let expected =
                    agent::expected(&transport, &group, &logins, servers, size_only, &read);
                (place, expected.await)
            });
        }
        let mut next: std::collections::VecDeque<(usize, Arc<Entity>, Expected)> =
            Default::default();
        let mut told = interval(TOLD);
        told.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            while looking.len() < AT_ONCE
                && let Some((place, entity, expected)) = next.pop_front()
            {
                let (transport, logins) = (self.transport.clone(), self.logins.clone());
                let (group, read) = (groups[place].name.clone(), read.clone());
                looking.spawn(async move {
                    let held = agent::hold(&transport, &entity, &logins, expected, &read).await;
                    vec![held_check(&group, &entity, held)]
                });
            }
            if looking.is_empty() && images.is_empty() {
                break;
            }
            let checks = tokio::select! {
                biased;
                // Nothing is written, so nothing is left behind.
                () = self.cancel.cancelled() => break,
                Some(image) = images.join_next() => match image {
                    Ok((place, Ok(expected))) => {
                        let group = &groups[place];
                        let (busy, free): (Vec<_>, Vec<_>) = group.entities.iter()
                            .partition(|entity| written.contains_key(&entity.name));
                        next.extend(free.into_iter().map(|e| (place, e.clone(), expected)));
                        (busy.into_iter())
                            .map(|entity| {
                                let by = written.get(&entity.name).map_or("", |name| &**name);
                                let cause = format!("it is being upgraded in group {}", quoted(by));
                                held_check(&group.name, entity, unknown(cause))
                            })
                            .collect()
                    }
                    Ok((place, Err(failure))) => {
                        let cause = format!("what the image must be is not known: {failure}");
                        (groups[place].entities.iter())
                            .map(|entity| {
                                held_check(&groups[place].name, entity, unknown(cause.clone()))
                            })
                            .collect()
                    }
                    Err(error) => {
                        tracing::error!("an image could not be looked at: {error}");
                        Vec::new()
                    }
                },
                Some(looked) = looking.join_next() => looked.unwrap_or_else(|error| {
                    tracing::error!("an entity could not be looked at: {error}");
                    Vec::new()
                }),
                _ = told.tick() => Vec::new(),
            };
            left -= checks.len();
            self.tell(held(checks, left, &read, false));
        }
        looking.shutdown().await;
        images.shutdown().await;
        held(Vec::new(), left, &read, true)
    }
}

enum Found {
    Source(Result<(Name, Option<u64>), Failure>),
    Entity(Arc<Entity>, Result<Probe, Failure>),
}

/// The source of a group, and those whose free space waits for its size.
struct Source {
    size: Option<u64>,
    /// The size is known as well as it will be.
    is_known: bool,
    waiting: Vec<(Arc<Entity>, Probe)>,
}

impl Source {
    fn of(group: &Group) -> Self {
        Self {
            size: group.image.size,
            is_known: group.image.size.is_some(),
            waiting: Vec::new(),
        }
    }

    fn answered(
        &mut self,
        group: &Group,
        found: Result<(Name, Option<u64>), Failure>,
    ) -> ProbeCheck {
        self.is_known = true;
        let mut check = ProbeCheck {
            group: group.name.clone(),
            host: group.source.label().into(),
            is_source: true,
            problem: None,
            notes: Vec::new(),
            size: None,
            probe: None,
        };
        match found {
            Ok((name, size)) => {
                check.host = name;
                check.size = size;
                self.size = self.size.or(size);
                if size.is_none() {
                    check
                        .notes
                        .push("it does not tell the size of the image".into());
                }
            }
            Err(failure) => check.problem = Some(failure.to_string()),
        }
        check
    }
}

fn entity_check(
    group: &Group,
    entity: &Entity,
    image: Option<u64>,
    found: Result<Probe, Failure>,
) -> ProbeCheck {
    let mut check = ProbeCheck {
        group: group.name.clone(),
        host: entity.name.clone(),
        is_source: false,
        problem: None,
        notes: Vec::new(),
        size: None,
        probe: None,
    };
    match found {
        Ok(probe) => {
            check.problem = too_full(entity, image, &probe);
            check.notes = notes(entity, &probe);
            check.probe = Some(probe);
        }
        Err(failure) => check.problem = Some(failure.to_string()),
    }
    check
}

/// The old file stays until the new one is whole; what lies under the staging name goes first, and
/// without staging the old file does.
fn too_full(entity: &Entity, image: Option<u64>, probe: &Probe) -> Option<String> {
    let (free, image) = (probe.free?, image?);
    let freed = match entity.staging {
        Staging::Rename => probe.staging.as_ref().and_then(|staging| staging.size),
        Staging::Direct => probe.file,
    };
    let room = free.saturating_add(freed.unwrap_or(0));
    (room < image).then(|| {
        format!(
            "too little room: {} free, and the image has {}; remove what is not needed there",
            units::size(room),
            units::size(image)
        )
    })
}

fn notes(entity: &Entity, probe: &Probe) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(staging) = &probe.staging {
        let size = staging.size.map_or("of unknown size".into(), units::size);
        let since = match &staging.modified {
            Some(time) => format!(", of {}", time_of(time)),
            None => String::new(),
        };
        notes.push(format!(
            "{} lies there, {size}{since}: an earlier run left it, or another one writes it now; \
             a run replaces it",
            shown(&staging.path)
        ));
    }
    if let Some(left) = &probe.left {
        let left = shown(left);
        notes.push(format!(
            "{left}, one byte, could not be removed after the check"
        ));
    }
    if let Some(why) = unproven(entity.verify, &probe.can) {
        notes.push(format!("a delivery will be unproven: {why}"));
    }
    if entity.staging == Staging::Direct {
        notes.push("nothing was written: `staging: direct` has the final name alone".into());
    }
    notes
}

/// Why the content of a delivery to it can't be proven.
fn unproven(mode: VerifyMode, can: &Abilities) -> Option<&'static str> {
    match mode {
        VerifyMode::Best if can.digest.is_none() && can.read == Some(false) => {
            Some("it computes no digest and lets nobody read its file, so the size must do")
        }
        VerifyMode::Quick if can.digest.is_none() => Some(
            "it computes no digest, and `verify: quick` takes the size then; `best` reads back",
        ),
        VerifyMode::Size => Some("`verify: size` looks at the size alone"),
        VerifyMode::None => Some("`verify: none` looks at nothing"),
        VerifyMode::Best | VerifyMode::Quick | VerifyMode::Readback => None,
    }
}

/// `20260601120000` as `2026-06-01 12:00 UTC`; anything else as it is.
fn time_of(told: &str) -> String {
    let digits = told.as_bytes();
    if digits.len() < 12 || !digits[..12].iter().all(u8::is_ascii_digit) {
        return shown(told);
    }
    let (year, month, day) = (&told[..4], &told[4..6], &told[6..8]);
    format!(
        "{year}-{month}-{day} {}:{} UTC",
        &told[8..10],
        &told[10..12]
    )
}

fn unknown(cause: String) -> Held {
    Held {
        holds: Holding::Unknown,
        verified: Verified::None,
        size: None,
        cause: Some(cause),
    }
}

fn held_check(group: &Name, entity: &Entity, held: Held) -> HeldCheck {
    HeldCheck {
        group: group.clone(),
        entity: entity.name.clone(),
        holds: held.holds,
        verified: held.verified,
        size: held.size,
        cause: held.cause,
    }
}

fn held(checks: Vec<HeldCheck>, left: usize, read: &AtomicU64, ended: bool) -> Event {
    Event::Held {
        at: Timestamp::now(),
        checks,
        left,
        read: read.load(Ordering::Relaxed),
        ended,
        stopped: ended && left > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::entity;

    #[test]
    fn it_is_said_beforehand_what_can_not_be_proven_by_content() {
        let said = |verify, digest: Option<&str>, read| {
            let entity = Entity {
                verify,
                ..entity("e1", "1")
            };
            let can = Abilities {
                digest: digest.map(Into::into),
                read,
                ..Abilities::default()
            };
            let probe = Probe {
                can,
                ..Probe::default()
            };
            notes(&entity, &probe).join("; ")
        };
        let sha256 = Some("SHA-256");
        for (verify, digest, read, words) in [
            (VerifyMode::Best, None, Some(false), "lets nobody read"),
            (VerifyMode::Quick, None, None, "`best` reads back"),
            (VerifyMode::Size, sha256, None, "the size alone"),
            (VerifyMode::None, sha256, None, "looks at nothing"),
        ] {
            let said = said(verify, digest, read);
            assert!(
                said.starts_with("a delivery will be unproven: ") && said.contains(words),
                "{verify:?}: {said}"
            );
        }
        for (verify, digest, read) in [
            (VerifyMode::Best, None, Some(true)),
            (VerifyMode::Best, sha256, None),
            // A staging name that is taken: it could not be tried.
            (VerifyMode::Best, None, None),
            (VerifyMode::Quick, sha256, None),
            (VerifyMode::Readback, None, Some(true)),
        ] {
            assert_eq!(said(verify, digest, read), "", "{verify:?}");
        }
    }
}

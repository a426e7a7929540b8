//! Of a snapshot, what changed since the last one: entities that only moved on are a few figures,
//! those that did not change are left out. Of a series it is mostly one point.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::Series;
use crate::model::series::Change;
use crate::protocol::{EntitySnapshot, GroupSnapshot, Snapshot};

/// What makes a snapshot out of the one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Delta {
    at: Timestamp,
    pool: u64,
    peak: u64,
    /// In the first one of a run: nothing came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<Whole>,
    /// Groups are added at the end, and never go away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupDelta>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    series: Option<Box<Change>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Whole {
    run: String,
    memory: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct GroupDelta {
    place: usize,
    /// The group without its entities and its series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<Box<GroupSnapshot>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<(usize, EntitySnapshot)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moved: Vec<Moved>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    series: Option<Box<Change>>,
}

/// Place, `sent`, `confirmed`, `lag`, `rate`, `seconds` of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Moved(usize, u64, u64, u64, f64, f64);

#[derive(Debug, Error)]
#[error("a snapshot does not follow from the one before")]
pub(super) struct OutOfStep;

impl Delta {
    /// What `now` says besides `before`.
    pub(super) fn between(before: Option<&Snapshot>, now: &Snapshot) -> Self {
        // Of another run: its name goes with all the rest.
        let before = before.filter(|before| before.run == now.run);
        let whole = before.is_none().then(|| Whole {
            run: now.run.clone(),
            memory: now.memory,
        });
        let mut groups = Vec::new();
        for (place, group) in now.groups.iter().enumerate() {
            let known = before.and_then(|before| before.groups.get(place));
            match known {
                Some(known) if Arc::ptr_eq(known, group) => {}
                known => groups.extend(of_group(place, known.map(|known| &**known), group)),
            }
        }
        Self {
            at: now.at,
            pool: now.pool_bytes,
            peak: now.peak_pool_bytes,
            whole,
            groups,
            series: change(before.map(|before| &before.series), &now.series),
        }
    }

    /// The snapshot that follows.
    pub(super) fn apply(self, before: Option<&Snapshot>) -> Result<Snapshot, OutOfStep> {
        let before = before.filter(|_| self.whole.is_none());
        let (run, memory, mut groups) = match (self.whole, before) {
            (Some(whole), _) => (whole.run, whole.memory, Vec::new()),
            (None, Some(before)) => (before.run.clone(), before.memory, before.groups.clone()),
            (None, None) => return Err(OutOfStep),
        };
        let series = changed(before.map(|before| &before.series), self.series)?;
        for delta in self.groups {
            let group = groups.get(delta.place).cloned();
            let made = Arc::new(delta.group(group)?);
            let place = delta.place;
            match place.cmp(&groups.len()) {
                std::cmp::Ordering::Less => groups[place] = made,
                std::cmp::Ordering::Equal => groups.push(made),
                std::cmp::Ordering::Greater => return Err(OutOfStep),
            }
        }
        Ok(Snapshot {
            at: self.at,
            run,
            memory,
            pool_bytes: self.pool,
            peak_pool_bytes: self.peak,
            groups,
            series,
        })
    }
}

fn of_group(
    place: usize,
    known: Option<&GroupSnapshot>,
    now: &GroupSnapshot,
) -> Option<GroupDelta> {
    let head = head(now);
    let same_head = known.is_some_and(|known| self::head(known) == head);
    let mut delta = GroupDelta {
        place,
        head: (!same_head).then(|| Box::new(head)),
        changed: Vec::new(),
        moved: Vec::new(),
        series: change(known.map(|known| &known.series), &now.series),
    };
    for (at, entity) in now.entities.iter().enumerate() {
        match known.and_then(|known| known.entities.get(at)) {
            Some(known) if known == entity => {}
            Some(known) if is_same_but_moved(known, entity) => delta.moved.push(Moved(
                at,
                entity.sent,
                entity.confirmed,
                entity.lag,
                entity.rate,
                entity.seconds,
            )),
            _ => delta.changed.push((at, entity.clone())),
        }
    }
    let is_empty = delta.changed.is_empty() && delta.moved.is_empty();
    let says_nothing = same_head && is_empty && delta.series.is_none();
    (!says_nothing).then_some(delta)
}

fn change(known: Option<&Arc<Series>>, now: &Arc<Series>) -> Option<Box<Change>> {
    let change = match known {
        Some(known) if Arc::ptr_eq(known, now) => None,
        Some(known) => now.since(known),
        None => now.since(&Series::default()),
    };
    change.map(Box::new)
}

fn changed(
    known: Option<&Arc<Series>>,
    change: Option<Box<Change>>,
) -> Result<Arc<Series>, OutOfStep> {
    let known = known.cloned().unwrap_or_default();
    match change {
        None => Ok(known),
        Some(change) => known.with(*change).map(Arc::new).ok_or(OutOfStep),
    }
}

/// All but its entities and its series, without copying those.
fn head(group: &GroupSnapshot) -> GroupSnapshot {
    GroupSnapshot {
        group: group.group.clone(),
        image: group.image.clone(),
        version: group.version.clone(),
        source: group.source.clone(),
        source_reason: group.source_reason.clone(),
        phase: group.phase,
        laggards: group.laggards,
        size: group.size,
        sha256: group.sha256.clone(),
        read: group.read,
        source_bytes: group.source_bytes,
        passes: group.passes,
        rate: group.rate,
        depth: group.depth,
        depth_reason: group.depth_reason.clone(),
        used: group.used,
        buffer_size: group.buffer_size,
        bottleneck: group.bottleneck.clone(),
        time_left: group.time_left,
        seconds: group.seconds,
        campaign: group.campaign.clone(),
        entities: Vec::new(),
        series: Arc::default(),
    }
}

fn is_same_but_moved(known: &EntitySnapshot, now: &EntitySnapshot) -> bool {
    let EntitySnapshot {
        entity,
        state,
        step,
        cause,
        attempt,
        sent: _,
        confirmed: _,
        lag: _,
        rate: _,
        seconds: _,
        staged,
        verified,
        holds,
        runs,
        left,
        offline_since,
        silent_since,
        again_at,
        hint,
        wave,
        past,
    } = known;
    let is_same_state = (entity, state, step, cause, holds)
        == (&now.entity, &now.state, &now.step, &now.cause, &now.holds);
    is_same_state
        && (offline_since, silent_since, again_at, hint)
            == (
                &now.offline_since,
                &now.silent_since,
                &now.again_at,
                &now.hint,
            )
        && *past == now.past
        && (attempt, staged, verified, runs, left, wave)
            == (
                &now.attempt,
                &now.staged,
                &now.verified,
                &now.runs,
                &now.left,
                &now.wave,
            )
}

impl GroupDelta {
    fn group(&self, known: Option<Arc<GroupSnapshot>>) -> Result<GroupSnapshot, OutOfStep> {
        let mut entities = match &known {
            Some(known) => known.entities.clone(),
            None => Vec::new(),
        };
        let mut group = match (&self.head, &known) {
            (Some(head), _) => (**head).clone(),
            (None, Some(known)) => head(known),
            (None, None) => return Err(OutOfStep),
        };
        for (at, entity) in &self.changed {
            match at.cmp(&entities.len()) {
                std::cmp::Ordering::Less => entities[*at] = entity.clone(),
                std::cmp::Ordering::Equal => entities.push(entity.clone()),
                std::cmp::Ordering::Greater => return Err(OutOfStep),
            }
        }
        for Moved(at, sent, confirmed, lag, rate, seconds) in &self.moved {
            let entity = entities.get_mut(*at).ok_or(OutOfStep)?;
            (entity.sent, entity.confirmed, entity.lag) = (*sent, *confirmed, *lag);
            (entity.rate, entity.seconds) = (*rate, *seconds);
        }
        group.entities = entities;
        let series = known.as_ref().map(|known| &known.series);
        group.series = changed(series, self.series.clone())?;
        Ok(group)
    }
}

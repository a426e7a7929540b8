//! What agents report changes the state of a group here alone.

use std::sync::Arc;
use std::time::Duration;

use hex::FromHex as _;
use jiff::Timestamp;

use crate::agent::lock;
use crate::model::timeline::Mark;
use crate::model::{EntityState, Name};
use crate::protocol::{Event, GroupPhase, Hint};

use super::{EntityRecord, GroupState};

impl GroupState {
    /// The one place where what agents report changes the state. Fills in what the group alone knows.
    pub(in crate::engine) fn apply(&mut self, event: &mut Event) {
        match event {
            Event::State {
                at,
                entity,
                state,
                step,
                cause,
                attempt,
                holds,
                verified,
                runs,
                group: _,
            } => {
                let place = self.index.get(entity).copied();
                let sent = place.and_then(|place| self.meters.entities.get(place));
                let mark = Mark {
                    at: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
                    state: *state,
                    attempt: *attempt,
                    sent: sent.map_or(0, |meter| meter.sent()),
                    cause: cause.clone(),
                };
                if let Some(record) = self.record(entity) {
                    Arc::make_mut(&mut record.past).enter(mark);
                    record.enter(*at, (*state, *step), cause.clone(), *attempt);
                    record.holds = *holds;
                    record.runs = runs.clone().or(record.runs.take());
                    // What an earlier run has delivered was checked by that one.
                    let is_good = *state == EntityState::Delivered
                        || *state == EntityState::Upgraded && record.confirmed > 0;
                    *verified = is_good.then_some(record.verified);
                }
            }
            Event::Stored {
                entity,
                bytes,
                verified,
                ..
            } => {
                if let Some(record) = self.record(entity) {
                    (record.confirmed, record.verified) = (*bytes, *verified);
                }
            }
            Event::Left { entity, path, .. } => {
                if let Some(record) = self.record(entity) {
                    record.left = Some(path.clone());
                }
            }
            Event::Pass {
                pass, source, read, ..
            } => match read {
                Some(_) => self.pass_ended(),
                None => self.pass_began(*pass, source),
            },
            // What the group was asked to be read from, or what took its place, be it that all is read
            // anew from there; other sources of later passes are theirs.
            Event::Source {
                pass,
                source,
                offset,
                cause,
                ..
            } if *pass == 1 || *offset == 0 => {
                self.image.source.clone_from(source);
                self.image.source_reason = Some(cause.clone());
            }
            Event::Image { size, sha256, .. } => {
                self.image.sha256 = <[u8; 32]>::from_hex(&*sha256).ok();
                *size = self.image.size;
            }
            Event::Depth { reason, .. } => self.figures.depth_reason = Some(reason.clone()),
            _ => {}
        }
    }

    /// One that went well at once shows how long one takes: others have waited, or will wait, for something else.
    pub(in crate::engine) fn measure_how_long(&mut self, event: &Event) {
        if let Event::State {
            entity,
            state: EntityState::Delivered | EntityState::Upgraded,
            attempt: 1,
            ..
        } = event
            && !self.group.campaign.window_is_for_activation
            && let Some(seconds) = self.record(entity).and_then(|record| record.seconds)
            && let Ok(time) = Duration::try_from_secs_f64(seconds)
        {
            lock(&self.course).took(time);
        }
    }

    /// A file is open on an entity. What an earlier attempt left behind is overwritten.
    pub(in crate::engine) fn opened(&mut self, entity: usize, staged: bool) {
        if let Some(record) = self.entities.get_mut(entity) {
            (record.staged, record.left) = (staged, None);
        }
    }

    /// It waits to be tried again until then.
    pub(in crate::engine) fn again(&mut self, entity: usize, at: Timestamp) {
        if let Some(record) = self.entities.get_mut(entity)
            && record.state == EntityState::Retrying
        {
            record.again_at = Some(at);
        }
    }

    /// What can be done about the state that it has come to.
    pub(in crate::engine) fn hint(&mut self, entity: usize, hint: Hint) {
        if let Some(record) = self.entities.get_mut(entity) {
            record.hint = Some(Box::new(hint));
        }
    }

    /// What can be done about a failure that the entity has ended with.
    pub(in crate::engine) fn advice(&self, entity: usize, hint: &Hint) -> Option<Event> {
        let record = self.entities.get(entity)?;
        let failed = matches!(record.state, EntityState::Failed | EntityState::RolledBack);
        let advice = hint.advice.clone().filter(|_| failed)?;
        Some(Event::Advice {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            entity: record.name.clone(),
            advice,
        })
    }

    /// The source has reported how large the image is.
    pub(in crate::engine) fn sized(&mut self, size: u64) {
        self.image.size = Some(size);
    }

    fn pass_began(&mut self, pass: u32, source: &str) {
        self.image.reading += 1;
        self.phase = GroupPhase::Transferring;
        self.image.passes = self.image.passes.max(pass);
        if pass == 1 {
            source.clone_into(&mut self.image.source);
        }
    }

    fn pass_ended(&mut self) {
        self.image.reading = self.image.reading.saturating_sub(1);
        if self.image.reading == 0 {
            self.phase = GroupPhase::Draining;
        }
    }

    /// No task of the group runs any more. An entity that has no final state yet was left by a
    /// task that ended without a word.
    pub(in crate::engine) fn end(&mut self, at: Timestamp) -> Vec<Event> {
        let unfinished = self.entities.iter().filter(|one| !one.state.is_final());
        let mut events: Vec<Event> = unfinished
            .map(|record| Event::State {
                at,
                group: self.group.name.clone(),
                entity: record.name.clone(),
                state: EntityState::Failed,
                step: record.step,
                cause: Some("a fault in subtend itself; please report it".to_owned()),
                attempt: record.attempt,
                holds: None,
                verified: None,
                runs: None,
            })
            .collect();
        events.iter_mut().for_each(|event| self.apply(event));
        self.seconds = Some(self.started.elapsed().as_secs_f64());
        self.phase = GroupPhase::Ended(self.outcome());
        events
    }

    fn record(&mut self, entity: &Name) -> Option<&mut EntityRecord> {
        self.entities.get_mut(*self.index.get(entity)?)
    }
}

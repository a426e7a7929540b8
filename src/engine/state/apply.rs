//! The one place where reports change the state of a group.

use jiff::Timestamp;

use crate::agent::ReportKind;
use crate::model::{EntityState, Name};
use crate::protocol::{Event, GroupPhase};

use super::GroupState;

impl GroupState {
    /// The one place where reports change the state. What others need to know is returned.
    pub(in crate::engine) fn apply(&mut self, at: Timestamp, report: ReportKind) -> Option<Event> {
        let group = self.group.name.clone();
        let names = |places: &[usize]| places.iter().map(|&place| self.name(place)).collect();
        match report {
            ReportKind::State {
                entity,
                state,
                step,
                cause,
                attempt,
                holds,
            } => {
                let record = self.entities.get_mut(entity)?;
                record.enter(state, step, cause.clone(), attempt);
                record.holds = holds;
                let entity = record.name.clone();
                let verified = (state == EntityState::Delivered).then_some(record.verified);
                Some(Event::State {
                    at,
                    group,
                    entity,
                    state,
                    step,
                    cause,
                    attempt,
                    holds,
                    verified,
                })
            }
            ReportKind::Opened { entity, staged } => {
                let record = self.entities.get_mut(entity)?;
                // What an earlier attempt left behind is overwritten.
                (record.staged, record.left) = (staged, None);
                None
            }
            ReportKind::Stored {
                entity,
                bytes,
                verified,
            } => {
                let record = self.entities.get_mut(entity)?;
                (record.confirmed, record.verified) = (bytes, verified);
                let entity = record.name.clone();
                Some(Event::Stored {
                    at,
                    group,
                    entity,
                    bytes,
                    verified,
                })
            }
            ReportKind::Left { entity, path } => {
                let record = self.entities.get_mut(entity)?;
                record.left = Some(path.clone());
                let entity = record.name.clone();
                Some(Event::Left {
                    at,
                    group,
                    entity,
                    path,
                })
            }
            ReportKind::Pass {
                pass,
                source,
                offset,
                entities,
                read,
            } => {
                let entities = names(&entities);
                if read.is_some() {
                    self.image.reading = self.image.reading.saturating_sub(1);
                    if self.image.reading == 0 {
                        self.phase = GroupPhase::Draining;
                    }
                } else {
                    self.image.reading += 1;
                    self.phase = GroupPhase::Transferring;
                    self.image.passes = self.image.passes.max(pass);
                    // What the group was asked to be read from, or what took its place; the sources
                    // of later passes are theirs.
                    if pass == 1 {
                        self.image.source.clone_from(&source);
                    }
                }
                Some(Event::Pass {
                    at,
                    group,
                    pass,
                    source,
                    offset,
                    entities,
                    read,
                })
            }
            ReportKind::Source {
                pass,
                source,
                offset,
                cause,
            } => {
                if pass == 1 {
                    self.image.source.clone_from(&source);
                }
                Some(Event::Source {
                    at,
                    group,
                    pass,
                    source,
                    offset,
                    cause,
                })
            }
            ReportKind::Unproven { pass, source } => {
                let text = format!(
                    "{group}: pass {pass} reads {source}, and nothing proves that it holds the \
                     image: give the image's `sha256` in the inventory, or read a file server"
                );
                Some(Event::Notice { at, text })
            }
            ReportKind::Size(size) => {
                self.image.size = Some(size);
                None
            }
            ReportKind::Image { sha256 } => {
                self.image.sha256 = Some(sha256);
                Some(Event::Image {
                    at,
                    group,
                    size: self.image.size,
                    sha256: hex::encode(sha256),
                })
            }
            ReportKind::Depth { from, to, reason } => {
                self.figures.depth_reason = Some(reason.clone());
                Some(Event::Depth {
                    at,
                    group,
                    from,
                    to,
                    reason,
                })
            }
            // See `end`.
            ReportKind::Ended => None,
        }
    }

    /// No task of the group runs any more. An entity that has no final state yet was left by a
    /// task that ended without a word.
    pub(in crate::engine) fn end(&mut self, at: Timestamp) -> Vec<Event> {
        let unfinished: Vec<ReportKind> = (self.entities.iter().enumerate())
            .filter(|(_, record)| !record.state.is_final())
            .map(|(entity, record)| ReportKind::State {
                entity,
                state: EntityState::Failed,
                step: record.step,
                cause: Some("a fault in subtend itself; please report it".to_owned()),
                attempt: record.attempt,
                holds: None,
            })
            .collect();
        let events = unfinished
            .into_iter()
            .filter_map(|report| self.apply(at, report))
            .collect();
        self.seconds = Some(self.started.elapsed().as_secs_f64());
        self.phase = GroupPhase::Ended(self.outcome());
        events
    }

    pub(super) fn name(&self, place: usize) -> Name {
        self.entities
            .get(place)
            .map_or_else(|| "?".into(), |record| record.name.clone())
    }
}

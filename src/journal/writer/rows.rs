//! What becomes of one record: the rows of an event, and of what an agent is about to do.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::journal::gate::Touch;
use crate::model::Holds;
use crate::model::series::Change;
use crate::procedure::{StepBegins, StepEnded};
use crate::protocol::Event;

use super::{Rows, micros, signed};

/// The kind of notes that are a [`Change`](crate::protocol::Change), as JSON.
pub(in crate::journal) const CAMPAIGN: &str = "campaign";

/// The kind of notes that say what something is held to, of no group: what it is on and the rate, as JSON.
pub(in crate::journal) const RATE: &str = "rate";
/// The place of notes and series that are of no group.
pub(in crate::journal) const OF_RUN: i64 = 0;

pub(super) fn list(names: &[Arc<str>]) -> String {
    serde_json::to_string(names).unwrap_or_default()
}

impl Rows {
    pub(super) fn event(&mut self, to: &Connection, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::Run {
                at, run, memory, ..
            } => self.begin(to, *at, run, *memory),
            Event::Group { at, spec, force } => self.group(to, *at, spec, *force),
            Event::Rate { at, on, rate } => {
                let text = serde_json::to_string(&(on, rate)).unwrap_or_default();
                self.note(to, OF_RUN, *at, RATE, &text)
            }
            Event::Ended { summary } => self.end(to, summary),
            Event::Summary(summary) => self.end(to, summary),
            Event::State { .. }
            | Event::Stored { .. }
            | Event::Left { .. }
            | Event::Advice { .. } => self.of_entity(to, event),
            Event::Series { at, group, series } => {
                let place = (group.as_ref()).map_or(OF_RUN, |group| self.place(group));
                self.series(to, place, *at, series)
            }
            Event::Pass { .. }
            | Event::Source { .. }
            | Event::Image { .. }
            | Event::Campaign { .. }
            | Event::Depth { .. } => self.of_group(to, event),
            // Figures, and what was asked and answered, are no part of what became of a run.
            Event::Progress { .. }
            | Event::Peers { .. }
            | Event::Directory { .. }
            | Event::Probed { .. }
            | Event::Held { .. }
            | Event::Refused { .. }
            | Event::Notice { .. }
            | Event::Viewers { .. }
            | Event::Did { .. } => Ok(()),
        }
    }

    fn of_entity(&self, to: &Connection, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::State {
                at,
                group,
                entity,
                state,
                step,
                cause,
                attempt,
                holds,
                runs,
                ..
            } => {
                let place = self.place(group);
                let (at, state) = (micros(*at), state.as_str());
                let step = step.map(|step| step.to_string());
                let holds = holds.map(Holds::as_str);
                to.prepare_cached(
                    "INSERT INTO changes (run, place, entity, at, state, step, cause, attempt, holds)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    self.run, place, entity, at, state, step, cause, attempt, holds
                ])?;
                to.prepare_cached(
                    "UPDATE entities SET changed = ?4, state = ?5, step = ?6, cause = ?7,
                         attempt = ?8, holds = ?9, seq = ?10, runs = ifnull(?11, runs)
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                )?
                .execute(params![
                    self.run, place, entity, at, state, step, cause, attempt, holds, self.seq, runs
                ])?;
                Ok(())
            }
            Event::Stored {
                group,
                entity,
                bytes,
                verified,
                ..
            } => {
                to.execute(
                    "UPDATE entities SET bytes = ?4, verified = ?5
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                    params![
                        self.run,
                        self.place(group),
                        entity,
                        signed(*bytes),
                        verified.to_string()
                    ],
                )?;
                Ok(())
            }
            Event::Left {
                group,
                entity,
                path,
                ..
            } => {
                to.execute(
                    "UPDATE entities SET left_behind = ?4
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                    params![self.run, self.place(group), entity, path],
                )?;
                Ok(())
            }
            Event::Advice {
                group,
                entity,
                advice,
                ..
            } => {
                to.execute(
                    "UPDATE entities SET advice = ?4
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                    params![self.run, self.place(group), entity, advice],
                )?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn of_group(&self, to: &Connection, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::Pass {
                at,
                group,
                pass,
                source,
                offset,
                entities,
                read: None,
            } => self.pass_begins(
                to,
                (self.place(group), *pass),
                *at,
                (source, *offset),
                entities,
            ),
            Event::Pass {
                at,
                group,
                pass,
                read: Some(read),
                ..
            } => {
                to.execute(
                    "UPDATE passes SET ended = ?4, read = ?5
                     WHERE run = ?1 AND place = ?2 AND pass = ?3",
                    params![
                        self.run,
                        self.place(group),
                        pass,
                        micros(*at),
                        signed(*read)
                    ],
                )?;
                Ok(())
            }
            Event::Source {
                at,
                group,
                pass,
                source,
                offset,
                cause,
            } => {
                let place = self.place(group);
                let text = format!("pass {pass} goes on from {source} at byte {offset}: {cause}");
                self.note(to, place, *at, "source", &text)?;
                for entity in self.entities_of(to, place, *pass) {
                    self.source(to, place, &entity, source)?;
                }
                Ok(())
            }
            Event::Image {
                group,
                size,
                sha256,
                ..
            } => {
                to.execute(
                    "UPDATE groups SET size = ifnull(?3, size), sha256 = ?4
                     WHERE run = ?1 AND place = ?2",
                    params![self.run, self.place(group), size.map(signed), sha256],
                )?;
                Ok(())
            }
            Event::Campaign { at, group, change } => {
                let text = serde_json::to_string(change).unwrap_or_default();
                self.note(to, self.place(group), *at, CAMPAIGN, &text)
            }
            Event::Depth {
                at,
                group,
                from,
                to: buffers,
                reason,
            } => {
                let text = format!("{from} buffers become {buffers}: {reason}");
                self.note(to, self.place(group), *at, "depth", &text)
            }
            _ => Ok(()),
        }
    }

    /// The pass of a group reads from this source, from this byte on.
    fn pass_begins(
        &self,
        to: &Connection,
        (place, pass): (i64, u32),
        at: Timestamp,
        (source, offset): (&str, u64),
        entities: &[Arc<str>],
    ) -> rusqlite::Result<()> {
        to.execute(
            "INSERT OR IGNORE INTO passes (run, place, pass, at, source, first_byte, entities)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.run,
                place,
                pass,
                micros(at),
                source,
                signed(offset),
                list(entities)
            ],
        )?;
        for entity in entities {
            self.source(to, place, entity, source)?;
        }
        Ok(())
    }

    /// None of a pass whose row is missing or can't be read.
    fn entities_of(&self, to: &Connection, place: i64, pass: u32) -> Vec<String> {
        let entities: Option<String> = to
            .query_row(
                "SELECT entities FROM passes WHERE run = ?1 AND place = ?2 AND pass = ?3",
                params![self.run, place, pass],
                |row| row.get(0),
            )
            .ok();
        entities
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    pub(super) fn touch(&mut self, to: &Connection, touch: &Touch) -> rusqlite::Result<()> {
        to.prepare_cached(
            "INSERT INTO touches (run, at, address, path, what, staged, seq, place)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ifnull(
                 (SELECT max(place) FROM entities WHERE run = ?1 AND address = ?3 AND path = ?4),
                 0))",
        )?
        .execute(params![
            self.run,
            micros(touch.at),
            touch.address,
            touch.path,
            touch.what.word(),
            touch.staged,
            self.seq
        ])?;
        Ok(())
    }

    pub(super) fn step_begins(&self, to: &Connection, step: &StepBegins) -> rusqlite::Result<()> {
        to.prepare_cached(
            "INSERT INTO steps (seq, run, place, entity, at, part, number, what)
             VALUES (?1, ?2, ifnull(
                 (SELECT max(place) FROM entities WHERE run = ?2 AND name = ?3), 0),
                 ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            self.seq,
            self.run,
            step.entity,
            micros(step.at),
            step.part.word(),
            signed(step.number as u64),
            step.what
        ])?;
        Ok(())
    }

    /// The newest of its kind: steps of one entity come one after the other.
    pub(super) fn step_ended(&self, to: &Connection, step: &StepEnded) -> rusqlite::Result<()> {
        to.prepare_cached(
            "UPDATE steps SET ended = ?5, outcome = ?6, said = ?7 WHERE seq =
                 (SELECT max(seq) FROM steps
                  WHERE run = ?1 AND entity = ?2 AND part = ?3 AND number = ?4)",
        )?
        .execute(params![
            self.run,
            step.entity,
            step.part.word(),
            signed(step.number as u64),
            micros(step.at),
            step.end.word(),
            step.told()
        ])?;
        Ok(())
    }

    fn note(
        &self,
        to: &Connection,
        place: i64,
        at: Timestamp,
        kind: &str,
        text: &str,
    ) -> rusqlite::Result<()> {
        to.execute(
            "INSERT INTO notes (run, place, at, kind, text, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![self.run, place, micros(at), kind, text, self.seq],
        )?;
        Ok(())
    }

    fn series(
        &self,
        to: &Connection,
        place: i64,
        at: Timestamp,
        series: &Change,
    ) -> rusqlite::Result<()> {
        let content = serde_json::to_string(series).unwrap_or_default();
        to.execute(
            "INSERT OR REPLACE INTO series (run, place, at, content) VALUES (?1, ?2, ?3, ?4)",
            params![self.run, place, micros(at), content],
        )?;
        Ok(())
    }

    fn source(
        &self,
        to: &Connection,
        place: i64,
        entity: &str,
        source: &str,
    ) -> rusqlite::Result<()> {
        to.prepare_cached(
            "UPDATE entities SET source = ?4
             WHERE run = ?1 AND place = ?2 AND name = ?3
                 AND state NOT IN
                     ('delivered', 'upgraded', 'skipped', 'failed', 'rolled-back', 'cancelled')",
        )?
        .execute(params![self.run, place, entity, source])?;
        Ok(())
    }
}

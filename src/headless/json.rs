//! JSON lines (`docs/scripting.md`): every event, and progress sampled from snapshots.

use std::collections::HashMap;
use std::time::Duration;

use super::lines::shown_notice;
use super::watch::View;
use crate::model::Name;
use crate::protocol::{EntityProgress, Event, GroupPhase, GroupSnapshot, Snapshot, Summary};
use crate::terminal::Output;

pub(super) struct Json {
    out: Output,
    /// What is said to people: standard output is for the lines alone.
    notes: Output,
    /// The newest progress printed of each group that was announced.
    groups: HashMap<Name, Option<Event>>,
}

impl Json {
    pub(super) fn new(out: Output, notes: Output) -> Self {
        Self {
            out,
            notes,
            groups: HashMap::new(),
        }
    }

    fn print(&self, event: &Event) {
        match serde_json::to_string(event) {
            Ok(line) => self.out.line(&line),
            // Events are plain data and always can be written; were one not, say so and go on.
            Err(error) => self
                .notes
                .line(&format!("an event could not be written: {error}")),
        }
    }
}

impl View for Json {
    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn event(&mut self, event: &Event) {
        if let Event::Run { groups, .. } = event {
            for group in groups {
                self.groups.entry(group.clone()).or_default();
            }
        }
        match event {
            event if !event.is_for_watchers() => {}
            // Of an engine in another process.
            Event::Viewers { .. } | Event::Did { .. } => {}
            Event::Notice { text, .. } => self.notes.line(&shown_notice(text)),
            event => self.print(event),
        }
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        // A reader that is behind gets fewer figures, and all of the events.
        if !self.out.is_idle() {
            return;
        }
        for group in &snapshot.groups {
            // A snapshot may be ahead of the events; nothing is said of a group before its `run`.
            let Some(last) = self.groups.get_mut(&group.group) else {
                continue;
            };
            if matches!(group.phase, GroupPhase::Ended(_)) {
                continue;
            }
            let progress = progress(snapshot, group);
            if last.as_ref().is_some_and(|last| is_same(last, &progress)) {
                continue;
            }
            *last = Some(progress.clone());
            self.print(&progress);
        }
    }

    fn say(&mut self, text: &str) {
        self.notes.line(text);
    }

    fn end(&mut self, _snapshot: &Snapshot, summary: &Summary) {
        self.print(&Event::Summary(summary.clone()));
    }

    fn out(&mut self) -> &mut Output {
        &mut self.out
    }

    fn notes(&mut self) -> Option<&mut Output> {
        Some(&mut self.notes)
    }
}

fn progress(snapshot: &Snapshot, group: &GroupSnapshot) -> Event {
    Event::Progress {
        at: snapshot.at,
        group: group.group.clone(),
        read: group.read,
        size: group.size,
        depth: group.depth,
        depth_reason: group.depth_reason.clone(),
        used: group.used,
        buffer_size: group.buffer_size,
        bottleneck: group.bottleneck.clone(),
        time_left: group.time_left.filter(|left| left.is_finite()),
        entities: group
            .entities
            .iter()
            .map(|entity| EntityProgress {
                entity: entity.entity.clone(),
                sent: entity.sent,
                lag: entity.lag,
                // JSON knows no infinity: it would become null, and the field is a number.
                rate: if entity.rate.is_finite() {
                    entity.rate
                } else {
                    0.0
                },
            })
            .collect(),
    }
}

/// Whether two samples differ in their time only.
fn is_same(last: &Event, new: &Event) -> bool {
    let mut last = last.clone();
    if let (Event::Progress { at, .. }, Event::Progress { at: now, .. }) = (&mut last, new) {
        *at = *now;
    }
    last == *new
}

//! What the agents of groups report, and what becomes of it.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::agent::{Report, ReportKind, lock};
use crate::engine::state::GroupState;
use crate::model::{EntityState, Holds, Remembered};
use crate::protocol::Event;
use crate::transport::Transport;

use super::ImageManager;

/// Time between two times that the series of a run is kept while something of it is under way.
const KEEPS: Duration = Duration::from_secs(30);

/// Ticks between two snapshots while all waits.
const QUIET: u32 = 10;

impl<T: Transport> ImageManager<T> {
    /// Whether a snapshot is worth its while: a group of which all that is left waits, for days it may be, changes by
    /// what is reported of it, and by its age.
    pub(super) fn has_news(&mut self) -> bool {
        let (is_reported, passed) = &mut self.watchers.news;
        *passed += 1;
        let has_news = std::mem::take(is_reported)
            || *passed >= QUIET
            || self.groups.iter().any(GroupState::is_under_way);
        if has_news {
            *passed = 0;
        }
        has_news
    }

    pub(super) fn reduce(&mut self, report: Report) {
        self.watchers.news.0 = true;
        let Some(group) = self.groups.get_mut(report.group) else {
            return;
        };
        match report.kind {
            ReportKind::Event(mut event) => {
                group.apply(&mut event);
                group.measure_how_long(&event);
                self.remember(report.group, &event);
                self.tell(event);
            }
            ReportKind::Opened { entity, staged } => group.opened(entity, staged),
            ReportKind::Again { entity, at } => group.again(entity, at),
            ReportKind::Hint { entity, hint } => {
                let advice = group.advice(entity, &hint);
                group.hint(entity, hint);
                if let Some(event) = advice {
                    self.tell(event);
                }
            }
            ReportKind::Size(size) => group.sized(size),
            ReportKind::Ended => self.end_group(report.group),
        }
    }

    /// What this engine has delivered counts like what earlier runs did; what is not known to be as
    /// it was counts no more.
    pub(super) fn remember(&mut self, group_index: usize, event: &Event) {
        let Some(group) = self.groups.get(group_index) else {
            return;
        };
        let memories = &mut self.memories.0;
        match event {
            Event::Stored {
                at,
                entity,
                bytes,
                verified,
                ..
            } => {
                let remembered = Remembered {
                    type_: group.group.image.type_.clone(),
                    version: group.group.image.version.clone(),
                    size: Some(*bytes),
                    sha256: group.sha256(),
                    run: self.run.id.clone(),
                    at: *at,
                    proven: verified.is_proof(),
                };
                memories.insert(entity.clone(), remembered);
            }
            Event::State {
                entity,
                state: EntityState::Failed | EntityState::Cancelled,
                holds,
                ..
            } if *holds != Some(Holds::Old) => {
                memories.remove(entity);
            }
            _ => {}
        }
    }

    /// The memory of a group that ended goes to those that run.
    pub(super) fn end_group(&mut self, group_index: usize) {
        let Some(group) = self.groups.get_mut(group_index) else {
            return;
        };
        let never = group.group.campaign.never_together.clone();
        let unfinished = group.end(Timestamp::now());
        {
            let mut together = lock(&self.agents.together);
            for event in &unfinished {
                // No agent says so.
                if let Event::State { entity, state, .. } = event {
                    together.became(entity, *state, None);
                }
            }
            together.end(never.as_deref());
        }
        for event in unfinished {
            self.tell(event);
        }
        let changes = self.pools.depths.leave(group_index);
        self.change_depths(changes);
        self.publish();
        self.keep_series(Some(group_index));
        if !self.runs() {
            self.keep_series(None);
            self.end_run();
        }
    }

    /// How the figures of a group, or of the run, went up to now goes to the journal.
    fn keep_series(&self, group_index: Option<usize>) {
        let group = group_index.and_then(|index| self.groups.get(index));
        let series = match group {
            Some(group) => group.series(),
            None => self.run.series.clone(),
        };
        self.tell(Event::Series {
            at: Timestamp::now(),
            group: group.map(|group| group.group.name.clone()),
            series: Box::new(series.whole()),
        });
    }

    /// That of the run also now and then: what is known of it after a crash, or to who asks meanwhile.
    pub(super) fn keep_series_in_time(&mut self) {
        let is_due = self.run.kept.elapsed() >= KEEPS;
        if is_due && self.groups.iter().any(GroupState::is_under_way) {
            self.run.kept = Instant::now();
            self.keep_series(None);
        }
    }

    /// An agent's task has ended: normally after it said so, otherwise it is said for it.
    pub(super) fn joined(&mut self, id: tokio::task::Id) {
        let group_index = self
            .agents
            .handles
            .iter()
            .position(|handle| handle.id() == id);
        if let Some(group_index) =
            group_index.filter(|group_index| !self.groups[*group_index].is_ended())
        {
            tracing::error!(group = %self.groups[group_index].group.name, "its management agent failed");
            self.end_group(group_index);
        }
    }
}

//! Groups that are gone through in waves or at certain times: paused, resumed, and gone on with where another engine was.

use std::sync::Arc;

use jiff::Timestamp;

use crate::agent::{lock, report_changes};
use crate::engine::state::GroupState;
use crate::model::text::quoted;
use crate::model::{EntityState, Group, Name};
use crate::plan::{plan, said};
use crate::protocol::{Continued, EndedBefore, Event};
use crate::transport::Transport;
use crate::transport::serve::missing_right;

use super::ImageManager;
use super::runs::Starting;

impl<T: Transport> ImageManager<T> {
    pub(super) fn pause(&mut self, group: &str) {
        let now = Timestamp::now();
        match self.running(group) {
            Some(state) => {
                lock(&state.course).pause(now);
                self.report_changes(state);
            }
            None => self.refuse(format!("there is no running group {}", quoted(group))),
        }
    }

    /// `since`: the pause that is meant, where somebody has looked at it.
    pub(super) fn resume(&mut self, group: &str, since: Option<Timestamp>) {
        let now = Timestamp::now();
        let resumed = self.running(group).map(|state| {
            let mut course = lock(&state.course);
            let paused = course.paused_since();
            match (paused, since) {
                (Some(paused), Some(since)) if paused != since => Err(()),
                _ => Ok((course.resume(now), state)),
            }
        });
        match resumed {
            Some(Ok((true, state))) => self.report_changes(state),
            Some(Ok((false, _))) => {
                self.refuse(format!("group {} is not paused", quoted(group)));
            }
            Some(Err(())) => self.refuse(format!(
                "group {} is held by another pause than the one that was looked at; nothing was done",
                quoted(group)
            )),
            None => self.refuse(format!("there is no running group {}", quoted(group))),
        }
    }

    /// Without waiting for its agent, which may have nothing to do for a while. The next snapshot comes after it.
    fn report_changes(&self, state: &GroupState) {
        let index = self.groups.iter().position(|one| std::ptr::eq(one, state));
        if let Some(index) = index {
            let named = (index, &state.group.name);
            report_changes(&self.agents.reports, named, &state.course);
        }
    }

    /// Each for itself: what can't go on does not hold up the others.
    pub(super) fn go_on(&mut self, groups: Vec<Continued>) {
        let mut starting = Vec::new();
        for past in groups {
            let mut running = self.footprints();
            running.extend(starting.iter().map(Starting::footprint));
            let specs = std::slice::from_ref(&past.spec);
            let plan = plan(&self.inventory, &running, specs, past.force);
            let plan = plan.served(&self.inventory.serve, missing_right);
            let needs = (plan.credentials.iter())
                .filter(|one| !self.logins.contains(&one.name))
                .map(|one| one.name.clone())
                .collect();
            match plan.startable() {
                Ok(groups) => starting.extend(groups.into_iter().map(|group| Starting {
                    group,
                    force: past.force,
                    needs: Vec::clone(&needs),
                    past: Some(past.clone()),
                })),
                Err(blockers) => {
                    let (name, why) = (quoted(past.spec.name()), said(&blockers).join("; "));
                    self.refuse(format!(
                        "group {name} of run {} can't go on: {why}",
                        past.run
                    ));
                }
            }
        }
        self.start_all(starting);
    }

    /// Groups that have waited for a secret, and for no other, begin.
    pub(super) fn has_secrets(&mut self) {
        let logins = &self.logins;
        for state in &mut self.groups {
            let Some(held) = state
                .needs
                .take_if(|held| held.needs.iter().all(|one| logins.contains(one)))
            else {
                continue;
            };
            lock(&state.course).needs(Vec::new());
            // Its group may have been cancelled.
            let _ = held.begin.send(Arc::clone(logins));
        }
    }

    /// What an entity has come to in the run that is gone on with, as events of this one.
    pub(super) fn ended_before(group: &Group, past: &EndedBefore) -> Vec<Event> {
        let at = Timestamp::now();
        let (group, entity) = (group.name.clone(), past.entity.clone());
        let state = Event::State {
            at,
            group: group.clone(),
            entity: entity.clone(),
            state: past.state,
            step: past.step,
            cause: past.cause.clone(),
            attempt: past.attempts,
            holds: past.holds,
            verified: None,
            runs: past.runs.clone(),
        };
        let has_it = matches!(past.state, EntityState::Delivered | EntityState::Upgraded);
        let stored = (has_it && past.bytes > 0).then(|| Event::Stored {
            at,
            group,
            entity,
            bytes: past.bytes,
            verified: past.verified,
        });
        stored.into_iter().chain([state]).collect()
    }
}

/// What a group that waits for secrets begins by.
pub(in crate::engine) struct Needs {
    pub(in crate::engine) needs: Vec<Name>,
    pub(in crate::engine) begin: tokio::sync::oneshot::Sender<Arc<crate::model::Logins>>,
}

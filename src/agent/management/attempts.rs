//! Attempts of entities: which can begin, how they begin, and what comes of them.

use std::collections::HashSet;
use std::time::Instant;

use tracing::Instrument;

use crate::agent::devices::Why;
use crate::agent::download::{Attempt, DownloadAgent};
use crate::agent::fetch::Fetching;
use crate::agent::members::{Member, Phase};
use crate::agent::report::lock;
use crate::agent::spans;
use crate::agent::subscription::Subscription;
use crate::campaign::Gate;
use crate::inspect::{Server, server};
use crate::model::{EntityState, Failure, Fault, Holds, Step};
use crate::placement::Known;
use crate::transport::{Destination, Transport};

use super::{Delivery, Ended, Task, grant, not_delivered};

impl<T: Transport> Delivery<T> {
    /// Begins attempts of those whose turn it is: in a pass that is still at its start, or in a
    /// new one when the last one over the whole image was read to its end.
    pub(super) fn begin_attempts(&mut self, now: Instant) {
        if self.broken.is_some() {
            return;
        }
        let gate = lock(&self.work.course).gate();
        if gate == Gate::Closed {
            return;
        }
        let mut ready = self.members.ready(now);
        if gate == Gate::Started {
            let mut began = |&entity: &usize| {
                let member = self.members.of(entity);
                member.is_some_and(|member| member.attempt > 0)
            };
            ready.retain(&mut began);
        }
        // Those may need no pass. One that does asks for a subscription when its file is open.
        ready.retain(|&entity| {
            let looks_first = |member: &mut Member| member.looks_first;
            let looks_first = self.members.of(entity).is_some_and(looks_first);
            if looks_first {
                let attempt = self.members.begins(entity, now);
                self.begin_attempt(entity, attempt, None);
            }
            !looks_first
        });
        if ready.is_empty() {
            return;
        }
        if let Some(pass_index) = (self.passes.iter())
            .position(|pass| pass.reads && pass.origin == 0 && !pass.broken.is_cancelled())
        {
            ready.retain(
                |&entity| match self.passes[pass_index].subscribe_at(entity, 0) {
                    Some(subscription) => {
                        let attempt = self.members.begins(entity, now);
                        self.begin_attempt(entity, attempt, Some(subscription));
                        false
                    }
                    None => true,
                },
            );
            return;
        }
        if ready.is_empty() || !self.may_begin_pass() || !self.members.gathered(&ready, now) {
            return;
        }
        let Some(begun) = self.begin_pass(0, &ready) else {
            return;
        };
        self.members.pass_begins(&ready, now);
        // Every reader joins before the first block is there: one that connects late misses none.
        for entity in ready {
            let attempt = self.members.begins(entity, now);
            let subscription = self
                .passes
                .last_mut()
                .and_then(|pass| pass.subscribe_at(entity, 0));
            if let Some(subscription) = subscription {
                self.begin_attempt(entity, attempt, Some(subscription));
            }
        }
        // So do those that were late for the last one.
        for request in std::mem::take(&mut self.waiting) {
            match self.join_running(&request) {
                Some(subscription) => grant(request, subscription),
                None => self.waiting.push(request),
            }
        }
        self.begin_transfer(begun);
    }

    /// The servers of entities that have no final state: they are written to, or will be.
    pub(super) fn written(&self) -> HashSet<Server> {
        let entities = &self.work.group.entities;
        let unfinished = self
            .members
            .all
            .iter()
            .filter(|one| one.phase != Phase::Done);
        unfinished
            .map(|one| server(&entities[one.entity].address))
            .collect()
    }

    pub(super) fn begin_attempt(
        &mut self,
        entity: usize,
        attempt: u32,
        subscription: Option<Subscription>,
    ) {
        let work = &self.work;
        let target = &work.group.entities[entity];
        work.holders.forget(&target.name);
        let may_be_placed = (self.members.of(entity)).is_some_and(|member| member.may_be_placed);
        let known = (self.digests.image(&work.group.image)).map(|image| Known {
            image,
            may_be_placed,
        });
        let agent = DownloadAgent {
            transport: self.transport.clone(),
            entity,
            destination: Destination::of(target, self.transport.owner(), &work.logins),
            known,
            digests: self.digests.clone(),
            image: work.group.image.clone(),
            meters: work.meters.clone(),
            reporter: work.reporter.clone(),
            cancel: work.cancels[entity].clone(),
            laggards: work.group.laggards,
            limits: work.group.limits,
            requests: self.requests.clone(),
            attempt,
            fetching: self.fetching(entity),
        };
        let session = work.holders.session(&target.address, true);
        let attempt = async move {
            let ended = agent.run(subscription).await;
            drop(session);
            Ended::Download(ended)
        };
        let span = spans::entity(&target.name);
        (self.agents).spawn(Task::Download(entity), attempt.instrument(span));
    }

    /// What one needs that fetches its image.
    fn fetching(&self, entity: usize) -> Option<Fetching> {
        let work = &self.work;
        let procedure = work.group.procedure.clone();
        let procedure = procedure.filter(|_| work.group.entities[entity].fetches())?;
        let (_, named) = procedure.fetches()?;
        Some(Fetching {
            desk: work.desk.clone().unwrap_or_else(|| {
                let reason = "nothing is served to devices that fetch".to_owned();
                Err(Failure::new(Step::Select, Fault::Local(reason)))
            }),
            over: work.means.desk.serve().chosen(named).ok()?,
            procedure,
            means: work.means.clone(),
            logins: work.logins.clone(),
            run: work.run.clone(),
        })
    }

    pub(super) fn attempt_ended(&mut self, entity: usize, attempt: Attempt) {
        if let Some(member) = self.members.of(entity) {
            let fault = attempt.result.as_ref().err().map(|failure| &failure.fault);
            member.may_be_placed |= attempt.confirmed || matches!(fault, Some(Fault::Taken { .. }));
            member.holds = attempt.holds.or(member.holds);
        }
        let failure = match attempt.result {
            Ok(verified) => {
                self.devices.reached(entity);
                self.members.done(entity);
                if self.devices.activates() {
                    let attempt = self.members.of(entity).map_or(1, |member| member.attempt);
                    // Nobody reads it while it restarts.
                    let why = Why {
                        attempt,
                        ..Why::default()
                    };
                    return self.devices.activate(entity, why);
                }
                let group = &self.work.group;
                if let Some(sha256) = self.digests.proven(&group.image)
                    && verified.is_proof()
                    && group.entities[entity].address.scheme.can_give()
                {
                    (self.work.holders).add(&group.image, &group.entities[entity], sha256);
                }
                return self.state(entity, EntityState::Delivered, None, None, attempt.holds);
            }
            Err(failure) => failure,
        };
        let holds = self.holds(entity);
        let is_offline = self.devices.is_waited_for(entity, &failure);
        if !is_offline {
            self.devices.reached(entity);
        }
        if failure.is_cancelled() {
            self.members.done(entity);
            return self.state(
                entity,
                EntityState::Cancelled,
                Some(failure.step),
                None,
                holds,
            );
        }
        let now = Instant::now();
        // That is no fault of the entity, and does not count: peers that can deceive are few, and
        // each is left for good.
        let is_deceived = matches!(failure.fault, Fault::Deceived { .. });
        // One that was offline, and is so still, has no retries of its own.
        let is_offline_still = is_offline && self.devices.was_offline(entity);
        if is_deceived && self.members.again(entity, now)
            || !is_offline_still && self.members.failed(entity, &failure, now)
        {
            if is_offline {
                // A pass for one that is not there would be read for nothing.
                self.members.looks_first(entity);
            }
            let cause = Some(failure.fault.to_string());
            self.state(
                entity,
                EntityState::Retrying,
                Some(failure.step),
                cause,
                None,
            );
            if let Some(from) = self.members.again_from(entity) {
                let wait = from.saturating_duration_since(now);
                self.work.reporter.again(entity, wait);
            }
            self.work.reporter.hint(entity, &failure);
            return;
        }
        let (told, cause) = match self.members.of(entity) {
            Some(member) if !is_offline_still => member.tries.verdict(&failure),
            _ => (failure.clone(), failure.fault.to_string()),
        };
        if is_offline {
            return self.offline(entity, told, cause, holds);
        }
        self.state(
            entity,
            EntityState::Failed,
            Some(told.step),
            Some(cause),
            holds,
        );
        self.work.reporter.hint(entity, &told);
    }

    /// It can't be reached, and is waited for, unless that has taken long enough.
    fn offline(&mut self, entity: usize, told: Failure, cause: String, holds: Option<Holds>) {
        let attempt = self.members.of(entity).map_or(1, |member| member.attempt);
        match (self.devices).missed(entity, (told, cause), attempt, holds) {
            true => self.members.away(entity),
            false => self.members.done(entity),
        }
    }

    /// Those that wait for their turn, or to be tried again, and are cancelled meanwhile.
    pub(super) fn cancel_waiting(&mut self) {
        for entity in self.members.waiting() {
            if self.work.cancels[entity].is_cancelled() {
                let failure = Failure::new(Step::Connect, Fault::Cancelled);
                self.not_begun(entity, &failure);
            }
        }
    }

    pub(super) fn not_begun(&mut self, entity: usize, failure: &Failure) {
        self.devices.reached(entity);
        self.members.done(entity);
        let attempt = (self.members.of(entity)).map_or(1, |member| member.attempt.max(1));
        let holds = self.holds(entity);
        not_delivered(&self.work.reporter, entity, failure, attempt, holds);
    }

    /// What is known of an entity that did not get the image.
    pub(super) fn holds(&mut self, entity: usize) -> Option<Holds> {
        let member = self.members.of(entity)?;
        Some(member.holds.unwrap_or(Holds::Old))
    }

    pub(super) fn state(
        &mut self,
        entity: usize,
        state: EntityState,
        step: Option<Step>,
        cause: Option<String>,
        holds: Option<Holds>,
    ) {
        let attempt = self.members.of(entity).map_or(1, |member| member.attempt);
        (self.work.reporter).became(entity, (state, step), cause, attempt, holds);
    }
}

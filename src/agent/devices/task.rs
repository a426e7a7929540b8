//! One procedure on one entity, as a task: what it reports, and how it ends.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::agent::management::Assignment;
use crate::agent::report::Reporter;
use crate::agent::spans;
use crate::model::campaign::Fit;
use crate::model::procedure::{Deed, Part, Procedure, Values, Versions};
use crate::model::{EntityState, Failure, Fault, Group, Holds, Logins, Step};
use crate::procedure::{
    Arrived, Device, Doing, Hands as _, Means, PastStep, StepEnd, StepFailure, Verdict, Way, values,
};
use crate::transport::{Destination, Transport};

use super::Why;

/// What the steps before the image came to, and those that were carried out.
pub(super) type Before = (Result<(), StepFailure>, Vec<PastStep>);

fn steps_done(numbers: Vec<usize>) -> Vec<PastStep> {
    let done = |number| PastStep {
        part: Part::Before,
        number,
        end: Some(StepEnd::Done),
    };
    numbers.into_iter().map(done).collect()
}

/// Makes the tasks, whatever the transport.
pub(super) trait Tasks: Send + Sync {
    fn before(&self, entity: usize, done: Vec<PastStep>) -> BoxFuture<'static, Before>;

    fn activate(&self, entity: usize, why: Why) -> BoxFuture<'static, Arrived>;
}

pub(super) fn tasks<T: Transport>(transport: &Arc<T>, work: &Assignment) -> Arc<dyn Tasks> {
    Arc::new(Work {
        transport: transport.clone(),
        group: work.group.clone(),
        logins: work.logins.clone(),
        cancels: work.cancels.clone(),
        means: work.means.clone(),
        run: work.run.clone(),
        versions: work.versions,
        reporter: work.reporter.clone(),
    })
}

/// What tasks share.
struct Work<T> {
    transport: Arc<T>,
    group: Arc<Group>,
    logins: Arc<Logins>,
    cancels: Vec<CancellationToken>,
    means: Means,
    run: String,
    versions: Versions,
    reporter: Reporter,
}

/// What one task has.
struct One<T> {
    transport: Arc<T>,
    group: Arc<Group>,
    logins: Arc<Logins>,
    cancel: CancellationToken,
    means: Means,
    reporter: Reporter,
    entity: usize,
    procedure: Arc<Procedure>,
    values: Values,
    versions: Versions,
}

impl<T: Transport> Work<T> {
    /// `None` where there is no procedure: nobody asks for it then.
    fn one(&self, entity: usize) -> Option<One<T>> {
        Some(One {
            transport: self.transport.clone(),
            group: self.group.clone(),
            logins: self.logins.clone(),
            cancel: self.cancels[entity].clone(),
            means: self.means.clone(),
            reporter: self.reporter.clone(),
            entity,
            procedure: self.group.procedure.clone()?,
            values: values(&self.group.entities[entity], &self.group.image, &self.run),
            versions: self.versions,
        })
    }

    fn span(&self, entity: usize) -> tracing::Span {
        spans::entity(&self.group.entities[entity].name)
    }
}

impl<T: Transport> Tasks for Work<T> {
    fn before(&self, entity: usize, done: Vec<PastStep>) -> BoxFuture<'static, Before> {
        let (one, span) = (self.one(entity), self.span(entity));
        let run = async move {
            match one {
                Some(one) => one.before(done).await,
                None => (Ok(()), done),
            }
        };
        Box::pin(run.instrument(span))
    }

    fn activate(&self, entity: usize, why: Why) -> BoxFuture<'static, Arrived> {
        let (one, span) = (self.one(entity), self.span(entity));
        let run = async move {
            match one {
                Some(one) => one.activate(why).await,
                None => nothing(Verdict::RunsAnother),
            }
        };
        Box::pin(run.instrument(span))
    }
}

impl<T: Transport> One<T> {
    /// Taken before anything is done to it: another run may have it.
    async fn hold(&self) -> Result<(), Failure> {
        let entity = &self.group.entities[self.entity];
        let destination = Destination::of(entity, self.transport.owner(), &self.logins)?;
        self.transport.hold(&destination).await
    }

    fn device(&self) -> Device<T> {
        let entity = &self.group.entities[self.entity];
        let target = (self.means).target(entity, &self.procedure, &self.logins);
        Device::new(self.transport.clone(), target, self.cancel.clone())
    }

    fn way(&self) -> Way<'_> {
        Way {
            entity: &self.group.entities[self.entity].name,
            procedure: &self.procedure,
            values: &self.values,
            ledger: &*self.means.ledger,
            cancel: &self.cancel,
        }
    }

    /// `done`: steps that were carried out before the device went offline.
    async fn before(self, done: Vec<PastStep>) -> Before {
        if let Err(failure) = self.hold().await {
            return (Err(self.failed(Part::Before, failure)), done);
        }
        let mut device = self.device();
        let mut begun: Vec<usize> = done.iter().map(|step| step.number).collect();
        let doing = |doing: Doing<'_>| {
            begun.extend((doing.part == Part::Before).then_some(doing.number));
            let state = EntityState::Preparing;
            self.reporter.state(self.entity, state, Step::Command, 0);
        };
        let entity = &self.group.entities[self.entity];
        let mut past = self.means.open.of(entity, &self.group.image);
        past.extend(done);
        let admits = |runs: &str| self.admits(runs);
        let done = (self.way()).before(&mut device, &past, admits, doing).await;
        device.close().await;
        if let Err(failed) = &done {
            begun.retain(|number| failed.part != Part::Before || *number != failed.number);
        }
        (done, steps_done(begun))
    }

    /// Whether the image may be put on what the device says that it runs.
    fn admits(&self, runs: &str) -> Result<(), Failure> {
        let fit = Fit {
            campaign: &self.group.campaign,
            versions: self.versions,
            image: &self.group.image.version,
        };
        let refused = |why| Failure::new(Step::Command, Fault::Local(why));
        fit.judge(runs).map_err(refused)
    }

    async fn activate(self, why: Why) -> Arrived {
        if let Err(failure) = self.hold().await {
            let verdict = match failure.is_cancelled() {
                true => Verdict::Cancelled,
                false => Verdict::Untouched,
            };
            return Arrived {
                failures: vec![self.failed(Part::Activate, failure)],
                open: why.past,
                ..nothing(verdict)
            };
        }
        let mut device = self.device();
        let mut shown = None;
        let doing = |doing: Doing<'_>| {
            let state = state_of(doing);
            if shown.replace(state) != Some(state) {
                self.reporter
                    .state(self.entity, state, Step::Command, why.attempt);
            }
        };
        let way = self.way();
        let arrived = (way.activate(&mut device, &why.past, why.asks_first, doing)).await;
        device.close().await;
        let entity = &self.group.entities[self.entity];
        let open = arrived.open.clone();
        self.means.open.set(entity, &self.group.image, open);
        arrived
    }

    fn failed(&self, part: Part, failure: Failure) -> StepFailure {
        StepFailure {
            part,
            number: 0,
            of: self.procedure.part(part).len(),
            what: "before it".into(),
            failure,
        }
    }
}

fn nothing(verdict: Verdict) -> Arrived {
    Arrived {
        verdict,
        runs: None,
        failures: Vec::new(),
        open: Vec::new(),
    }
}

fn state_of(doing: Doing<'_>) -> EntityState {
    match (doing.part, &doing.step.deed) {
        (Part::Before | Part::Fetch, _) => EntityState::Preparing,
        (Part::Check, _) => EntityState::Checking,
        (Part::Activate | Part::Undo, Deed::Restart { .. }) => EntityState::Restarting,
        (Part::Activate | Part::Undo, _) => EntityState::Activating,
    }
}

/// Reports the final state of an entity whose image is in place.
pub(super) fn arrived(reporter: &Reporter, entity: usize, arrived: &Arrived, attempt: u32) {
    let state = match arrived.verdict {
        Verdict::Upgraded => EntityState::Upgraded,
        Verdict::RolledBack => EntityState::RolledBack,
        Verdict::Cancelled => EntityState::Cancelled,
        Verdict::RunsAnother | Verdict::Untouched | Verdict::Failed | Verdict::Unknown => {
            EntityState::Failed
        }
    };
    let step = arrived.failures.first().map(|failed| failed.failure.step);
    let step = step.filter(|_| state != EntityState::Upgraded);
    let (cause, runs) = (arrived.cause(), arrived.runs.clone());
    reporter.arrived(entity, (state, step), (cause, runs), attempt, Holds::New);
}

//! What is asked of and done on the entities of a group beside their image: whether they have it already, the steps
//! of their procedure that come before it, and those that make them run it.
//!
//! None of it holds up those that get the image: an entity joins them when what comes before is done.

mod task;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::model::procedure::Extent;
use crate::model::{EntityState, Failure, Fault, Holds, Laggards, Step};
use crate::procedure::{Arrived, PastStep, StepEnd, StepFailure, Verdict};
use crate::transport::Transport;

use super::management::{Assignment, not_delivered};
use super::presumed_installed::{Checks, PresumedInstalled, skip};
use super::report::{Reporter, lock};
use task::Tasks;

/// What one task came to.
enum Worked {
    Before(Result<(), StepFailure>),
    Activate(Arrived, u32),
}

/// What has happened to an entity.
pub(super) enum Happened {
    /// It gets the image.
    Joins(usize),
    /// It does not, and has its final state.
    Over,
    /// It does not, for this reason; and what it holds, where that is known.
    Refused(usize, Failure, Option<Holds>),
}

/// Why an activation begins.
#[derive(Debug, Clone, Default)]
pub(super) struct Why {
    /// Of the attempt that delivered the image; 0 where an earlier run has.
    pub(super) attempt: u32,
    pub(super) past: Vec<PastStep>,
    pub(super) asks_first: bool,
}

pub(super) struct Devices {
    reporter: Reporter,
    /// What earlier runs have delivered; only questions.
    checks: Checks,
    tasks: JoinSet<(usize, Worked)>,
    begin: Arc<dyn Tasks>,
    extent: Extent,
    has_before: bool,
    activates: bool,
    /// Those that may be asked by [`Checks`] once they have said that they run another version.
    presumed: BTreeMap<usize, PresumedInstalled>,
    /// Entities whose tasks decide whether they get the image.
    entering: usize,
    /// They get the image as soon as somebody asks.
    ready: Vec<usize>,
    /// Making them run the image has to be admitted.
    has_to_be_admitted: bool,
    /// They have the image, and wait for that.
    held: BTreeMap<usize, Why>,
}

impl Devices {
    pub(super) fn new<T: Transport>(transport: &Arc<T>, work: &Assignment) -> Self {
        let group = &work.group;
        let procedure = group.procedure.as_ref();
        let activates = group.extent.activates()
            && procedure.is_some_and(|procedure| !procedure.activate.is_empty());
        Self {
            reporter: work.reporter.clone(),
            checks: Checks::begin(transport, work),
            tasks: JoinSet::new(),
            begin: task::tasks(transport, work),
            extent: group.extent,
            has_before: procedure.is_some_and(|procedure| !procedure.before.is_empty()),
            activates,
            presumed: BTreeMap::new(),
            entering: 0,
            ready: Vec::new(),
            has_to_be_admitted: group.campaign.window_is_for_activation,
            held: BTreeMap::new(),
        }
    }

    /// Begins with what is to be known before any of the targets gets the image; those that need no question are left
    /// in `targets`.
    pub(super) fn admit(&mut self, work: &Assignment, targets: &mut Vec<usize>) {
        let admitted: HashSet<usize> = targets.iter().copied().collect();
        let presumed = work.presumed_installed.iter();
        let presumed = presumed.filter(|known| admitted.contains(&known.entity));
        let mut presumed: BTreeMap<usize, PresumedInstalled> =
            (presumed.map(|known| (known.entity, known.clone()))).collect();
        if self.activates {
            self.take_up(work, targets, &mut presumed);
        }
        targets.retain(|target| !presumed.contains_key(target));
        self.checks.extend(presumed.into_values());
        for entity in std::mem::take(targets) {
            self.enter(entity);
        }
        if self.extent != Extent::Activate {
            targets.append(&mut self.ready);
        }
    }

    /// Those that were being made to run the image when something ended it, and those that may run it already, are
    /// asked by their procedures before anything else.
    fn take_up(
        &mut self,
        work: &Assignment,
        targets: &mut Vec<usize>,
        presumed: &mut BTreeMap<usize, PresumedInstalled>,
    ) {
        let group = &work.group;
        let means = &work.means;
        let anew = work.force && self.extent == Extent::Upgrade;
        targets.retain(|&target| {
            let past = match anew {
                true => Vec::new(),
                false => means.open.of(&group.entities[target], &group.image),
            };
            let is_begun =
                |step: &PastStep| step.is_of_activation() && step.end != Some(StepEnd::Undone);
            let past: Vec<PastStep> = past.into_iter().filter(is_begun).collect();
            let known = presumed.remove(&target);
            if past.is_empty() && known.is_none() {
                return true;
            }
            // One of which something was begun does not come back from that to what it was taken for.
            if let Some(known) = known.filter(|_| past.is_empty()) {
                self.entering += 1;
                self.presumed.insert(target, known);
            }
            let why = Why {
                attempt: 0,
                past,
                asks_first: true,
            };
            self.activate(target, why);
            false
        });
    }

    /// One that needs the image, as far as is known.
    fn enter(&mut self, entity: usize) {
        if self.has_before && self.extent != Extent::Activate {
            self.entering += 1;
            let run = self.begin.before(entity);
            self.tasks
                .spawn(async move { (entity, Worked::Before(run.await)) });
        } else {
            self.ready.push(entity);
        }
    }

    /// Whether those that got the image are made to run it.
    pub(super) fn activates(&self) -> bool {
        self.activates
    }

    /// Makes an entity run the image that is in place on it, at once or when that is admitted. What something has cut
    /// off in the middle is not left there.
    pub(super) fn activate(&mut self, entity: usize, why: Why) {
        if !self.has_to_be_admitted || !why.past.is_empty() {
            return self.activate_now(entity, why);
        }
        let cause = "it has the image, and waits until it may be made to run it".to_owned();
        let waits = (EntityState::Waiting, None);
        (self.reporter).became(entity, waits, Some(cause), why.attempt, None);
        lock(&self.reporter.course).is_ready(entity);
        self.held.insert(entity, why);
    }

    /// It may be made to run the image. Whether it waits for that.
    pub(super) fn release(&mut self, entity: usize) -> bool {
        let held = self.held.remove(&entity);
        held.map(|why| self.activate_now(entity, why)).is_some()
    }

    /// It will not be made to run the image. Whether it has waited for that.
    pub(super) fn withdraw(&mut self, entity: usize) -> bool {
        self.held.remove(&entity).is_some()
    }

    fn activate_now(&mut self, entity: usize, why: Why) {
        let attempt = why.attempt;
        let run = self.begin.activate(entity, why);
        self.tasks
            .spawn(async move { (entity, Worked::Activate(run.await, attempt)) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.tasks.is_empty() && self.ready.is_empty()
    }

    /// Whether nobody's way to the image is open still.
    fn all_entered(&self) -> bool {
        self.checks.is_empty() && self.entering == 0 && self.ready.is_empty()
    }

    /// What happens next. `None`: nothing does. Can be dropped and called again.
    pub(super) async fn next(&mut self) -> Option<Happened> {
        loop {
            if let Some(entity) = self.ready.pop() {
                return Some(self.joins(entity));
            }
            if self.is_empty() {
                return None;
            }
            tokio::select! {
                biased;
                Some((entity, cause)) = self.checks.next() => match cause {
                    Ok(_) if self.activates => self.activate(entity, Why::default()),
                    Ok(cause) => {
                        skip(&self.reporter, entity, cause);
                        return Some(Happened::Over);
                    }
                    Err(why) if self.extent == Extent::Activate && !why.is_empty() => {
                        let reason = format!("it is not known to hold the image still: {why}");
                        let fault = Fault::Local(reason);
                        let failure = Failure::new(Step::Verify, fault);
                        return Some(Happened::Refused(entity, failure, None));
                    }
                    Err(_) => self.enter(entity),
                },
                Some(joined) = self.tasks.join_next() => match joined {
                    Ok((entity, worked)) => {
                        if let Some(happened) = self.worked(entity, worked) {
                            return Some(happened);
                        }
                    }
                    Err(error) => tracing::error!("a procedure failed: {error}"),
                },
                else => return None,
            }
        }
    }

    /// Only those that hold the image can be made to run it.
    fn joins(&self, entity: usize) -> Happened {
        if self.extent != Extent::Activate {
            return Happened::Joins(entity);
        }
        let reason = "no run is known to have delivered this image to it; `subtend run` does";
        let fault = Fault::Local(reason.into());
        Happened::Refused(entity, Failure::new(Step::Select, fault), None)
    }

    fn worked(&mut self, entity: usize, worked: Worked) -> Option<Happened> {
        match worked {
            Worked::Before(result) => {
                self.entering = self.entering.saturating_sub(1);
                Some(match result {
                    Ok(()) => Happened::Joins(entity),
                    Err(failed) => {
                        let cause = failed.to_string();
                        let fault = match failed.failure.is_cancelled() {
                            true => Fault::Cancelled,
                            false => Fault::Local(cause),
                        };
                        let failure = Failure::new(failed.failure.step, fault);
                        Happened::Refused(entity, failure, Some(Holds::Old))
                    }
                })
            }
            Worked::Activate(arrived, attempt) => {
                let presumed = self.presumed.remove(&entity);
                self.entering = self
                    .entering
                    .saturating_sub(usize::from(presumed.is_some()));
                if arrived.verdict == Verdict::RunsAnother {
                    match presumed {
                        Some(known) => self.checks.extend([known]),
                        None => self.enter(entity),
                    }
                    return None;
                }
                task::arrived(&self.reporter, entity, &arrived, attempt);
                Some(Happened::Over)
            }
        }
    }

    /// Waits for what comes before the image as long as the others may be held up: until nobody has become ready for
    /// that long. Adds those that are to get it.
    pub(super) async fn gather(&mut self, targets: &mut Vec<usize>) {
        let waits = self.reporter.group.laggards == Laggards::Wait;
        let limit = self.reporter.group.limits.laggard;
        let mut until = Instant::now() + limit;
        while !self.all_entered() || targets.is_empty() && !self.is_empty() {
            tokio::select! {
                biased;
                happened = self.next() => match happened {
                    Some(Happened::Joins(entity)) => {
                        targets.push(entity);
                        until = Instant::now() + limit;
                    }
                    Some(Happened::Over) => {}
                    Some(Happened::Refused(entity, failure, holds)) => {
                        not_delivered(&self.reporter, entity, &failure, 1, holds);
                    }
                    None => break,
                },
                () = sleep_until(until), if !waits && !targets.is_empty() => break,
            }
        }
    }
}

//! What is asked of and done on the entities of a group beside their image: whether they have it already, the steps
//! of their procedure that come before it, and those that make them run it.
//!
//! None of it holds up those that get the image: an entity joins them when what comes before is done.

mod away;
mod task;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::model::procedure::Extent;
use crate::model::{EntityState, Failure, Fault, Holds, Laggards, Step};
use crate::procedure::{Arrived, PastStep, StepEnd, Verdict};
use crate::transport::Transport;

use super::management::{Assignment, not_delivered};
use super::offline::{Absent, Turn};
use super::presumed_installed::{Checks, NotSkipped, PresumedInstalled, skip};
use super::report::{Reporter, lock};
use task::{Before, Tasks};

/// What one task came to.
enum Worked {
    Before(Before),
    Activate(Arrived, Why),
}

/// What is to be done on an entity first: at the start, and where it was offline, once it answers.
#[derive(Debug, Clone)]
enum Then {
    /// It may hold the image.
    Check(PresumedInstalled),
    /// But for steps that are done.
    Before(Vec<PastStep>),
    Activate {
        why: Why,
        /// It is asked by [`Checks`] once it has said that it runs another version.
        presumed: Option<PresumedInstalled>,
    },
    Image,
}

/// What has happened to an entity.
pub(super) enum Happened {
    /// It gets the image.
    Joins(usize),
    /// It was offline when it was to get the image, and answers now.
    Answers(usize),
    /// It has its final state.
    Over(usize),
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

fn is_begun(step: &PastStep) -> bool {
    step.is_of_activation() && step.end != Some(StepEnd::Undone)
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
    /// Those that can't be reached, and what is done on them when they can.
    absent: Absent,
    then: HashMap<usize, Then>,
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
            absent: Absent::new(&work.reporter, &work.cancels),
            then: HashMap::new(),
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
        let offline: HashMap<usize, Timestamp> = work.offline_before.iter().copied().collect();
        for target in std::mem::take(targets) {
            let then = self.first(work, target, presumed.remove(&target));
            let door = self.door(target, &then);
            match offline.get(&target) {
                Some(since) if self.absent.expect(target, *since, door) => {
                    self.then.insert(target, then);
                }
                _ => self.start(target, then),
            }
        }
        if self.extent != Extent::Activate {
            targets.append(&mut self.ready);
        }
    }

    /// What one begins with. Those that were being made to run the image when something ended it, and those that may
    /// run it already, are asked by their procedures before anything else.
    fn first(&self, work: &Assignment, target: usize, known: Option<PresumedInstalled>) -> Then {
        let group = &work.group;
        if self.activates {
            let anew = work.force && self.extent == Extent::Upgrade;
            let past = match anew {
                true => Vec::new(),
                false => (work.means.open).of(&group.entities[target], &group.image),
            };
            let past: Vec<PastStep> = past.into_iter().filter(is_begun).collect();
            if !past.is_empty() || known.is_some() {
                // One of which something was begun does not come back from that to what it was taken for.
                let presumed = known.filter(|_| past.is_empty());
                let why = Why {
                    attempt: 0,
                    past,
                    asks_first: true,
                };
                return Then::Activate { why, presumed };
            }
        }
        known.map_or_else(|| self.way_in(), Then::Check)
    }

    /// Of one that needs the image, as far as is known.
    fn way_in(&self) -> Then {
        match self.has_before && self.extent != Extent::Activate {
            true => Then::Before(Vec::new()),
            false => Then::Image,
        }
    }

    fn start(&mut self, entity: usize, then: Then) {
        match then {
            Then::Check(known) => self.checks.extend([known]),
            Then::Before(done) => {
                self.entering += 1;
                let run = self.begin.before(entity, done);
                self.tasks
                    .spawn(async move { (entity, Worked::Before(run.await)) });
            }
            Then::Activate { why, presumed } => {
                if let Some(known) = presumed {
                    self.entering += 1;
                    self.presumed.insert(entity, known);
                }
                self.activate(entity, why);
            }
            Then::Image => self.ready.push(entity),
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
        let run = self.begin.activate(entity, why.clone());
        self.tasks
            .spawn(async move { (entity, Worked::Activate(run.await, why)) });
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_busy() && self.absent.is_empty()
    }

    /// Whether anything is under way, other than that some are waited for.
    fn is_busy(&self) -> bool {
        !(self.checks.is_empty() && self.tasks.is_empty() && self.ready.is_empty())
    }

    /// One that gets the image, when somebody asks who does.
    pub(super) fn put_back(&mut self, entity: usize) {
        self.ready.push(entity);
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
                Some((known, cause)) = self.checks.next() => {
                    if let Some(happened) = self.checked(known, cause) {
                        return Some(happened);
                    }
                }
                Some(joined) = self.tasks.join_next() => match joined {
                    Ok((entity, worked)) => {
                        if let Some(happened) = self.worked(entity, worked) {
                            return Some(happened);
                        }
                    }
                    Err(error) => tracing::error!("a procedure failed: {error}"),
                },
                Some(turn) = self.absent.next() => match turn {
                    Turn::Answers(entity) => match self.then.remove(&entity) {
                        Some(Then::Image) | None => return Some(Happened::Answers(entity)),
                        Some(then) => self.start(entity, then),
                    },
                    Turn::Over(entity) => {
                        self.then.remove(&entity);
                        return Some(Happened::Over(entity));
                    }
                },
                else => return None,
            }
        }
    }

    /// One that may have held the image was looked at.
    fn checked(
        &mut self,
        known: PresumedInstalled,
        cause: Result<String, NotSkipped>,
    ) -> Option<Happened> {
        let entity = known.entity;
        if let Err(NotSkipped {
            failure: Some(failure),
            ..
        }) = &cause
            && self.absent.is_for(entity, failure)
        {
            return self.away(entity, Then::Check(known), failure, None);
        }
        self.absent.reached(entity);
        match cause {
            Ok(_) if self.activates => self.activate(entity, Why::default()),
            Ok(cause) => {
                skip(&self.reporter, entity, cause);
                return Some(Happened::Over(entity));
            }
            Err(NotSkipped { why, .. }) if self.extent == Extent::Activate && !why.is_empty() => {
                let reason = format!("it is not known to hold the image still: {why}");
                let failure = Failure::new(Step::Verify, Fault::Local(reason));
                return Some(Happened::Refused(entity, failure, None));
            }
            Err(_) => self.start(entity, self.way_in()),
        }
        None
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
            Worked::Before((result, done)) => {
                self.entering = self.entering.saturating_sub(1);
                if let Err(failed) = &result
                    && self.absent.is_for(entity, &failed.failure)
                {
                    let (failure, cause) = (&failed.failure, failed.to_string());
                    return self.away(entity, Then::Before(done), failure, Some(cause));
                }
                self.absent.reached(entity);
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
            Worked::Activate(arrived, why) => {
                let presumed = self.presumed.remove(&entity);
                self.entering = self
                    .entering
                    .saturating_sub(usize::from(presumed.is_some()));
                if let Some(failure) = self.is_away(entity, &arrived, &why) {
                    let (then, cause) = (Then::Activate { why, presumed }, arrived.cause());
                    return self.away(entity, then, &failure, cause);
                }
                self.absent.reached(entity);
                if arrived.verdict == Verdict::RunsAnother {
                    match presumed {
                        Some(known) => self.checks.extend([known]),
                        None => self.start(entity, self.way_in()),
                    }
                    return None;
                }
                task::arrived(&self.reporter, entity, &arrived, why.attempt);
                Some(Happened::Over(entity))
            }
        }
    }

    /// Waits for what comes before the image as long as the others may be held up: until nobody has become ready for
    /// that long. Adds those that are to get it.
    pub(super) async fn gather(&mut self, targets: &mut Vec<usize>) {
        let waits = self.reporter.group.laggards == Laggards::Wait;
        let limit = self.reporter.group.limits.laggard;
        let mut until = Instant::now() + limit;
        while !self.all_entered() || targets.is_empty() && self.is_busy() {
            tokio::select! {
                biased;
                happened = self.next() => match happened {
                    Some(Happened::Joins(entity) | Happened::Answers(entity)) => {
                        targets.push(entity);
                        until = Instant::now() + limit;
                    }
                    Some(Happened::Over(_)) => {}
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

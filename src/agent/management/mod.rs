//! The management agent (\[0016\], step 302): one per group, with a pool and a transfer agent per
//! pass and a download agent per entity.
//!
//! One task owns all of the group. It decides which entity reads from which pass: all from the first
//! one; one that had to leave it from a pass that begins where it stopped; one that is tried again,
//! or had to wait for its turn, from a later pass over the whole image, or from one that is still at
//! its start.

mod admission;
mod attempts;
mod passes;
mod tasks;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::campaign::Clock;
use crate::inspect::{PeerRegistry, Sources, server};
use crate::model::procedure::Versions;
use crate::model::{
    EntityState, Extent, Failure, Fault, FileServer, Group, Holds, Laggards, Logins, Step,
};
use crate::pool::Budget;
use crate::procedure::Means;
use crate::transport::Transport;
use crate::transport::serve::Desk;

use super::devices::{Devices, Happened};
use super::digests::Digests;
use super::members::Members;
use super::passes::Pass;
use super::presumed_installed::PresumedInstalled;
use super::report::{GroupMeters, Reporter, SharedCourse, lock};
use super::subscription::{Request, Subscription};
use super::transfer::PassEnd;
use admission::ASK;
use tasks::{Agents, Ended, Task};

/// How often laggards are detected and waiting entities admitted.
const LOOK: Duration = Duration::from_millis(100);
/// The same, while that is of no use.
const IDLE: Duration = Duration::from_secs(1);
/// Entities that are not further apart than this part of the image share a later pass.
const NEAR: u64 = 16;

/// What a management agent is to do.
pub(crate) struct Assignment {
    pub(crate) group: Arc<Group>,
    /// Says of those that get the image when they may begin; the others are skipped.
    pub(crate) course: SharedCourse,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where devices fetch their image, while any of the group does; or why they can't.
    pub(crate) desk: Option<Result<Arc<Desk>, Failure>>,
    /// One an entity of the group.
    pub(crate) cancels: Vec<CancellationToken>,
    pub(crate) cancel: CancellationToken,
    pub(crate) logins: Arc<Logins>,
    /// They take over from a peer that fails.
    pub(crate) file_servers: Vec<Arc<FileServer>>,
    pub(crate) holders: PeerRegistry,
    /// Targets that got this image in an earlier run: they are skipped if they hold it still.
    pub(crate) presumed_installed: Vec<PresumedInstalled>,
    /// Targets that an earlier engine could not reach, and since when.
    pub(crate) offline_before: Vec<(usize, Timestamp)>,
    /// What procedures are carried out with.
    pub(crate) means: Means,
    pub(crate) run: String,
    /// How versions of the image's type compare.
    pub(crate) versions: Versions,
    /// The operator wants it done whatever is known.
    pub(crate) force: bool,
    pub(crate) budget: Budget,
    /// Bytes of one buffer; fixed for the run of the group.
    pub(crate) buffer_size: usize,
    /// Number of buffers to keep in all pools of the group, as the manager sees fit.
    pub(crate) depth: watch::Receiver<usize>,
    pub(crate) meters: Arc<GroupMeters>,
    pub(crate) reporter: Reporter,
}

pub(crate) struct ManagementAgent<T: Transport> {
    pub(crate) transport: Arc<T>,
    pub(crate) work: Assignment,
}

/// What is left of a delivery when nothing of it runs any more: some of the group may begin later.
struct Left<T: Transport> {
    agent: ManagementAgent<T>,
    devices: Devices,
    known: Known,
}

/// What is known of the image by the passes so far.
#[derive(Default)]
struct Known {
    digests: Arc<Digests>,
    /// Number of passes.
    begun: u32,
}

impl<T: Transport> ManagementAgent<T> {
    /// As [`Self::run`], once there are the secrets that it needs.
    pub(crate) async fn run_with(mut self, mut secrets: oneshot::Receiver<Arc<Logins>>) {
        let mut ask = interval(ASK);
        ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.work.cancel.cancelled() => break,
                given = &mut secrets => {
                    if let Ok(logins) = given {
                        self.work.logins = logins;
                    }
                    break;
                }
                // It is said that it waits, and it may be paused and resumed meanwhile.
                _ = ask.tick() => {
                    lock(&self.work.course).look(self.work.clock.now());
                    self.work.reporter.campaign();
                }
            }
        }
        self.run().await;
    }

    /// Delivers the image. Ends when no task of the group runs any more and none will, and says so.
    pub(crate) async fn run(mut self) {
        let reporter = self.work.reporter.clone();
        let mut devices = Devices::new(&self.transport, &self.work);
        let mut known = Known::default();
        let mut admitted = self.first(&mut devices).await;
        while let Some(mut targets) = admitted {
            self.open_desk(&mut targets).await;
            devices.admit(&self.work, &mut targets);
            devices.gather(&mut targets).await;
            lock(&self.work.course).sort(&mut targets);
            if !targets.is_empty() {
                let left = self.deliver(&targets, devices, known).await;
                Left {
                    agent: self,
                    devices,
                    known,
                } = left;
            }
            if let Some(Ok(desk)) = self.work.desk.take() {
                self.work.means.desk.leave(desk).await;
            }
            admitted = self.next(&mut devices).await;
        }
        admission::cancel(&self.work, &mut devices, |_| true);
        devices.give_up(&Failure::new(Step::Connect, Fault::Cancelled));
        reporter.campaign();
        reporter.ended();
    }

    /// Before anything is done on a device that is to fetch. Where it can't be, they fail.
    async fn open_desk(&mut self, targets: &mut Vec<usize>) {
        let entities = &self.work.group.entities;
        let is_delivered = self.work.group.extent != Extent::Activate;
        // Others may begin beside those that do now.
        if !is_delivered || !entities.iter().any(|one| one.fetches()) {
            return;
        }
        let desk = self.work.means.desk.enter().await;
        if let Err(failure) = &desk {
            targets.retain(|&one| {
                let fetches = entities[one].fetches();
                if fetches {
                    not_delivered(&self.work.reporter, one, failure, 0, Some(Holds::Old));
                }
                !fetches
            });
        }
        self.work.desk = Some(desk);
    }

    async fn deliver(self, targets: &[usize], mut devices: Devices, known: Known) -> Left<T> {
        let work = &self.work;
        let chosen = tokio::select! {
            biased;
            () = work.cancel.cancelled() => Err(Failure::new(Step::Select, Fault::Cancelled)),
            chosen = Sources::choose(
                &self.transport,
                &work.group,
                &work.logins,
                &work.holders,
                &work.file_servers,
            ) => chosen,
        };
        let members = Members::new(
            targets,
            work.group.parallel,
            work.group.limits,
            Instant::now(),
        )
        .behind(work.group.entities.len(), |entity| {
            server(&work.group.entities[entity].address)
        });
        let sources = match chosen {
            Ok(sources) => sources,
            Err(failure) => {
                for &entity in targets {
                    not_delivered(&work.reporter, entity, &failure, 1, Some(Holds::Old));
                }
                loop {
                    // Nobody is waited for in vain.
                    devices.give_up(&failure);
                    let Some(happened) = devices.next().await else {
                        break;
                    };
                    let (entity, failure, holds) = match &happened {
                        Happened::Joins(entity) | Happened::Answers(entity) => {
                            (*entity, &failure, Some(Holds::Old))
                        }
                        Happened::Refused(entity, failure, holds) => (*entity, failure, *holds),
                        Happened::Over(_) => continue,
                    };
                    not_delivered(&work.reporter, entity, failure, 1, holds);
                }
                return Left {
                    agent: self,
                    devices,
                    known,
                };
            }
        };
        let (requests, asked) = mpsc::unbounded_channel();
        let share = *self.work.depth.borrow();
        let procedure = self.work.group.procedure.as_ref();
        let sums = procedure.map_or(Vec::new(), |procedure| procedure.digests());
        known.digests.wants(sums);
        let delivery = Delivery {
            transport: self.transport,
            work: self.work,
            deceived: sources.passed_over.clone(),
            sources: Arc::new(sources),
            members,
            devices,
            passes: Vec::new(),
            begun: known.begun,
            digests: known.digests,
            requests,
            waiting: Vec::new(),
            agents: Agents::default(),
            bounds: Bounds {
                share,
                one_at_a_time: false,
            },
            broken: None,
        };
        delivery.run(asked).await
    }
}

/// What bounds the number of passes at one time.
struct Bounds {
    /// Number of buffers that the group began with.
    share: usize,
    /// A source refused a second session: passes wait for each other.
    one_at_a_time: bool,
}

/// One group while its image is being delivered.
struct Delivery<T: Transport> {
    transport: Arc<T>,
    work: Assignment,
    sources: Arc<Sources>,
    members: Members,
    /// What is done on entities beside their image.
    devices: Devices,
    /// Those that run, or whose pools are still being emptied; the oldest first.
    passes: Vec<Pass>,
    /// Number of passes so far.
    begun: u32,
    digests: Arc<Digests>,
    requests: mpsc::UnboundedSender<Request>,
    /// Requests that no pass can serve yet.
    waiting: Vec<Request>,
    agents: Agents,
    bounds: Bounds,
    /// Why other sources are read no more, or were passed over, until one has taken their place.
    deceived: Option<String>,
    /// No source can be read any more: nothing new is begun.
    broken: Option<Failure>,
}

impl<T: Transport> Delivery<T> {
    /// Ends when nothing runs any more; some may begin later.
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Request>) -> Left<T> {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let cancel = self.work.cancel.clone();
        loop {
            self.admit();
            self.begin_what_can();
            if self.members.all_done() && self.agents.is_empty() && self.devices.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                Some((task, ended)) = self.agents.next() => self.task_ended(task, ended),
                Some(request) = asked.recv() => self.waiting.push(request),
                Some(happened) = self.devices.next() => match happened {
                    Happened::Joins(entity) => self.members.join(entity, Instant::now()),
                    Happened::Answers(entity) => self.members.answers(entity, Instant::now()),
                    Happened::Refused(entity, failure, holds) => {
                        not_delivered(&self.work.reporter, entity, &failure, 1, holds);
                    }
                    Happened::Over(entity) => self.members.done(entity),
                },
                Ok(()) = self.work.depth.changed() => {}
                () = cancel.cancelled(), if !self.members.waiting().is_empty() => {}
                _ = look.tick(), if !self.is_idle() => self.evict_laggards(Instant::now()),
                () = sleep(IDLE), if self.is_idle() => {}
            }
            self.cancel_waiting();
        }
        for pass in &self.passes {
            self.work.meters.end_pass(pass.number);
        }
        let (transport, work) = (self.transport, self.work);
        Left {
            agent: ManagementAgent { transport, work },
            devices: self.devices,
            known: Known {
                digests: self.digests,
                begun: self.begun,
            },
        }
    }

    /// Whether what can happen next makes itself known: all that is left is offline.
    fn is_idle(&self) -> bool {
        self.agents.is_empty()
            && self.passes.is_empty()
            && self.waiting.is_empty()
            && self.members.waiting().is_empty()
            && lock(&self.work.course).not_admitted().is_empty()
    }

    /// Laggards are sent away, and passes that nobody needs any more forgotten.
    fn evict_laggards(&mut self, now: Instant) {
        let group = &self.work.group;
        let meters = &self.work.meters;
        if group.laggards != Laggards::Wait {
            let gather = self.work.means.desk.serve().gather;
            let excused = |entity: usize| {
                let meter = &meters.entities[entity];
                meter.held.common() + meter.gathers.time(gather)
            };
            for pass in &mut self.passes {
                pass.evict_laggards(now, group.limits.laggard, excused);
            }
        }
        self.passes.retain(|pass| {
            let over = pass.is_over();
            if over {
                meters.end_pass(pass.number);
            }
            !over
        });
    }

    fn begin_what_can(&mut self) {
        if let Some(failure) = self.broken.clone() {
            for request in self.waiting.drain(..) {
                let _ = request.grant.send(Err(failure.clone()));
            }
            for entity in self.members.waiting() {
                self.not_begun(entity, &failure);
            }
            for entity in self.devices.give_up(&failure) {
                self.members.done(entity);
            }
        }
        let now = Instant::now();
        self.serve_requests(now);
        self.begin_attempts(now);
        self.share_out();
    }

    /// Gives those whose session waits a place: at a pass that runs and comes to their byte, or at
    /// a new one. Those that have nothing yet gather like those that are tried again.
    fn serve_requests(&mut self, now: Instant) {
        self.waiting.retain(|request| !request.grant.is_closed());
        self.waiting.sort_by_key(|request| request.position);
        let mut unserved = Vec::new();
        for request in std::mem::take(&mut self.waiting) {
            match self.join_running(&request) {
                Some(subscription) => grant(request, subscription),
                None => unserved.push(request),
            }
        }
        let may_begin =
            |request: &Request| request.position > 0 || self.members.may_begin_late(now);
        let first = unserved.iter().find(|request| may_begin(request));
        if let Some(first) = first.filter(|_| self.may_begin_pass()) {
            let near = self.near();
            let (position, until) = (first.position, first.position.saturating_add(near));
            let is_served = |at: u64| at >= position && at <= until;
            let entities: Vec<usize> = (unserved.iter())
                .filter(|request| is_served(request.position))
                .map(|request| request.entity)
                .collect();
            let Some(begun) = self.begin_pass(position, &entities) else {
                self.waiting = unserved;
                return;
            };
            if position == 0 {
                self.members.pass_begins(&[], now);
            }
            for request in unserved {
                let sits = match self.passes.last_mut() {
                    Some(pass) if is_served(request.position) => {
                        pass.subscribe_at(request.entity, request.position)
                    }
                    _ => None,
                };
                match sits {
                    Some(subscription) => grant(request, subscription),
                    None => self.waiting.push(request),
                }
            }
            self.begin_transfer(begun);
        } else {
            self.waiting = unserved;
        }
    }

    /// A place at the pass that comes to the byte soonest, unless it is too far behind to be
    /// waited for while there could be a pass of its own.
    fn join_running(&mut self, request: &Request) -> Option<Subscription> {
        let far = if self.may_begin_pass() {
            self.near()
        } else {
            u64::MAX
        };
        let mut able: Vec<(u64, usize)> = (self.passes.iter().enumerate())
            .filter(|(_, pass)| !request.left.contains(&pass.number))
            .filter(|(_, pass)| !pass.broken.is_cancelled())
            .map(|(pass_index, pass)| {
                (request.position.saturating_sub(pass.position()), pass_index)
            })
            .filter(|(behind, pass_index)| {
                *behind == 0 || self.passes[*pass_index].reads && *behind <= far
            })
            .collect();
        able.sort_unstable();
        able.into_iter().find_map(|(_, pass_index)| {
            self.passes[pass_index].subscribe_at(request.entity, request.position)
        })
    }

    fn near(&self) -> u64 {
        let pools = *self.work.depth.borrow() as u64 * self.work.buffer_size as u64;
        let size = self.digests.size(&self.work.group.image).unwrap_or(0);
        pools.max(size / NEAR)
    }

    fn task_ended(&mut self, task: Task, ended: Option<Ended>) {
        match (task, ended) {
            (Task::Download(entity), Some(Ended::Download(attempt))) => {
                self.attempt_ended(entity, attempt);
            }
            // Its state says so in the end.
            (Task::Download(entity), _) => self.members.done(entity),
            (Task::Transfer(pass), Some(Ended::Transfer(end))) => self.pass_ended(pass, end),
            // Its readers have seen that it is gone.
            (Task::Transfer(pass), _) => self.pass_ended(pass, PassEnd::Abandoned),
        }
    }
}

fn grant(request: Request, subscription: Subscription) {
    // If the requester was cancelled, dropping the reply drops its subscription.
    let _ = request.grant.send(Ok(subscription));
}

/// Nothing was sent in this attempt.
pub(super) fn not_delivered(
    reporter: &Reporter,
    entity: usize,
    failure: &Failure,
    attempt: u32,
    holds: Option<Holds>,
) {
    let (state, step, cause) = if failure.is_cancelled() {
        (EntityState::Cancelled, None, None)
    } else {
        let cause = failure.fault.to_string();
        (EntityState::Failed, Some(failure.step), Some(cause))
    };
    reporter.became(entity, (state, step), cause, attempt, holds);
}

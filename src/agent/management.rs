//! The management agent (\[0016\], step 302): one per group, with a pool and a transfer agent per
//! pass and a download agent per entity.
//!
//! One task owns all of the group. It decides which entity reads from which pass: all from the first
//! one; one that had to leave it from a pass that begins where it stopped; one that is tried again,
//! or had to wait for its turn, from a later pass over the whole image, or from one that is still at
//! its start.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::inspect::{Chosen, PeerRegistry, Server, Sources, of_source, server};
use crate::model::{EntityState, Failure, Fault, FileServer, Group, Holds, Laggards, Logins, Step};
use crate::placement::Known;
use crate::pool::{Budget, BufferPool, PoolStats};
use crate::transport::{Destination, Transport};

use super::Writer;
use super::digests::{Digests, State};
use super::download::{Attempt, DownloadAgent};
use super::members::{Member, Members, Phase};
use super::passes::{Pass, most, split};
use super::presumed_installed::{self, Checks, PresumedInstalled};
use super::report::{GroupMeters, PassMeter, ReportKind, Reporter};
use super::spans;
use super::subscription::{Request, Subscription};
use super::transfer::{PassEnd, TransferAgent, is_about_the_image};

/// How often laggards are detected and waiting entities admitted.
const LOOK: Duration = Duration::from_millis(100);
/// Entities that are not further apart than this part of the image share a later pass.
const NEAR: u64 = 16;

/// What a management agent is to do.
pub(crate) struct Assignment {
    pub(crate) group: Arc<Group>,
    /// The places in the group of those that get the image; the others are skipped.
    pub(crate) targets: Vec<usize>,
    /// One an entity of the group.
    pub(crate) cancels: Vec<CancellationToken>,
    pub(crate) cancel: CancellationToken,
    pub(crate) logins: Arc<Logins>,
    /// They take over from a peer that fails.
    pub(crate) file_servers: Vec<Arc<FileServer>>,
    pub(crate) holders: PeerRegistry,
    /// Targets that got this image in an earlier run: they are skipped if they hold it still.
    pub(crate) presumed_installed: Vec<PresumedInstalled>,
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

impl<T: Transport> ManagementAgent<T> {
    /// Delivers the image. Ends when no task of the group runs any more, and says so.
    pub(crate) async fn run(mut self) {
        let reporter = self.work.reporter.clone();
        let mut targets = std::mem::take(&mut self.work.targets);
        let presumed_installed: HashSet<usize> = self
            .work
            .presumed_installed
            .iter()
            .map(|one| one.entity)
            .collect();
        targets.retain(|target| !presumed_installed.contains(target));
        let mut checks = Checks::begin(&self.transport, &self.work);
        checks.gather(&self.work, &mut targets).await;
        if !targets.is_empty() {
            self.deliver(&targets, checks).await;
        }
        reporter.send(ReportKind::Ended);
    }

    async fn deliver(self, targets: &[usize], mut checks: Checks) {
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
        .behind(|entity| server(&work.group.entities[entity].address));
        let sources = match chosen {
            Ok(sources) => sources,
            Err(failure) => {
                let failure = of_source(&work.group.source.label(), failure);
                for &entity in targets {
                    not_delivered(&work.reporter, entity, &failure, 1, Some(Holds::Old));
                }
                while let Some((entity, held)) = checks.next().await {
                    match held {
                        Some(cause) => presumed_installed::skip(work, entity, cause),
                        None => {
                            not_delivered(&work.reporter, entity, &failure, 1, Some(Holds::Old))
                        }
                    }
                }
                return;
            }
        };
        let (requests, asked) = mpsc::unbounded_channel();
        let share = *self.work.depth.borrow();
        let delivery = Delivery {
            transport: self.transport,
            work: self.work,
            sources,
            members,
            checks,
            passes: Vec::new(),
            begun: 0,
            digests: Arc::default(),
            requests,
            waiting: Vec::new(),
            agents: JoinSet::new(),
            tasks: HashMap::new(),
            share,
            one_at_a_time: false,
            deceived: None,
            broken: None,
        };
        delivery.run(asked).await;
    }
}

/// Whom a task works for.
enum Task {
    /// The entity's place in the group.
    Download(usize),
    /// The pass's number.
    Transfer(u32),
}

/// How it ended.
enum Ended {
    Download(Attempt),
    Transfer(PassEnd),
}

/// A pass that is about to be read.
struct Begun {
    candidates: Vec<Chosen>,
    /// The state of the image's digest where it begins.
    state: State,
    writer: Writer,
}

/// One group while its image is being delivered.
struct Delivery<T: Transport> {
    transport: Arc<T>,
    work: Assignment,
    sources: Sources,
    members: Members,
    /// Entities that may have the image already, and have not proven it yet.
    checks: Checks,
    /// Those that run, or whose pools are still being emptied; the oldest first.
    passes: Vec<Pass>,
    /// Number of passes so far.
    begun: u32,
    digests: Arc<Digests>,
    requests: mpsc::UnboundedSender<Request>,
    /// Requests that no pass can serve yet.
    waiting: Vec<Request>,
    agents: JoinSet<Ended>,
    tasks: HashMap<Id, Task>,
    /// Number of buffers that the group began with.
    share: usize,
    /// A source refused a second session: passes wait for each other.
    one_at_a_time: bool,
    /// What peers sent that are read no more, until another source has taken their place.
    deceived: Option<String>,
    /// No source can be read any more: nothing new is begun.
    broken: Option<Failure>,
}

impl<T: Transport> Delivery<T> {
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<Request>) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let cancel = self.work.cancel.clone();
        loop {
            self.begin_what_can();
            if self.members.all_done() && self.agents.is_empty() && self.checks.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                Some(ended) = self.agents.join_next_with_id() => self.task_ended(ended),
                Some(request) = asked.recv() => self.waiting.push(request),
                Some((entity, held)) = self.checks.next() => match held {
                    Some(cause) => presumed_installed::skip(&self.work, entity, cause),
                    None => self.members.join(entity, Instant::now()),
                },
                Ok(()) = self.work.depth.changed() => {}
                () = cancel.cancelled(), if !self.members.waiting().is_empty() => {}
                _ = look.tick() => self.evict_laggards(Instant::now()),
            }
            self.cancel_waiting();
        }
        for pass in &self.passes {
            self.work.meters.end_pass(pass.number);
        }
    }

    /// Laggards are sent away, and passes that nobody needs any more forgotten.
    fn evict_laggards(&mut self, now: Instant) {
        let group = &self.work.group;
        if group.laggards != Laggards::Wait {
            for pass in &mut self.passes {
                pass.evict_laggards(now, group.limits.laggard);
            }
        }
        let meters = &self.work.meters;
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
            .map(|(place, pass)| (request.position.saturating_sub(pass.position()), place))
            .filter(|(behind, place)| *behind == 0 || self.passes[*place].reads && *behind <= far)
            .collect();
        able.sort_unstable();
        able.into_iter().find_map(|(_, place)| {
            self.passes[place].subscribe_at(request.entity, request.position)
        })
    }

    fn near(&self) -> u64 {
        let pools = *self.work.depth.borrow() as u64 * self.work.buffer_size as u64;
        let size = self.digests.size(&self.work.group.image).unwrap_or(0);
        pools.max(size / NEAR)
    }

    fn may_begin_pass(&self) -> bool {
        let most = if self.one_at_a_time {
            1
        } else {
            // What the pool gave back because it was empty comes again with another pass.
            most(self.share.max(*self.work.depth.borrow()))
        };
        let running = self.passes.iter().filter(|pass| pass.reads).count();
        self.broken.is_none() && running < most
    }

    /// Begins attempts of those whose turn it is: in a pass that is still at its start, or in a
    /// new one when the last one over the whole image was read to its end.
    fn begin_attempts(&mut self, now: Instant) {
        if self.broken.is_some() {
            return;
        }
        let mut ready = self.members.ready(now);
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
        if let Some(place) = (self.passes.iter())
            .position(|pass| pass.reads && pass.origin == 0 && !pass.broken.is_cancelled())
        {
            ready.retain(|&entity| match self.passes[place].subscribe_at(entity, 0) {
                Some(subscription) => {
                    let attempt = self.members.begins(entity, now);
                    self.begin_attempt(entity, attempt, Some(subscription));
                    false
                }
                None => true,
            });
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
    fn written(&self) -> HashSet<Server> {
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

    fn begin_attempt(&mut self, entity: usize, attempt: u32, subscription: Option<Subscription>) {
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
            meters: work.meters.clone(),
            reporter: work.reporter.clone(),
            cancel: work.cancels[entity].clone(),
            laggards: work.group.laggards,
            limits: work.group.limits,
            requests: self.requests.clone(),
            attempt,
        };
        let session = work.holders.session(&target.address, true);
        let attempt = async move {
            let ended = agent.run(subscription).await;
            drop(session);
            Ended::Download(ended)
        };
        let task = (self.agents).spawn(attempt.instrument(spans::entity(&target.name)));
        self.tasks.insert(task.id(), Task::Download(entity));
    }

    /// Makes the pool of a pass that begins at `position`, or a little before; `None`: every source
    /// was left, and nothing can be read any more.
    fn begin_pass(&mut self, position: u64, entities: &[usize]) -> Option<Begun> {
        let candidates = self.sources.order(self.begun > 0, &self.written());
        if candidates.is_empty() {
            let reason = (self.deceived.clone()).unwrap_or_else(|| "there is no source".into());
            let failure = Failure::new(Step::Select, Fault::NoPeer { reason });
            self.broken = Some(of_source(&self.work.group.source.label(), failure));
            return None;
        }
        let work = &self.work;
        self.begun += 1;
        let number = self.begun;
        let (origin, state) = self.digests.before(position);
        let source = (candidates.first())
            .map_or_else(|| work.group.source.label(), |first| first.name.to_string());
        let (pool, writer) = BufferPool::new(&work.budget, work.buffer_size, 1);
        let pass = Pass::new(number, origin, pool, work.buffer_size, source.clone());
        work.meters.begin_pass(PassMeter {
            pass: number,
            origin,
            pool: pass.pool.clone(),
            read: pass.read.clone(),
        });
        work.reporter.send(ReportKind::Pass {
            pass: number,
            source,
            offset: origin,
            entities: entities.to_vec(),
            read: None,
        });
        self.passes.push(pass);
        self.share_out();
        Some(Begun {
            candidates,
            state,
            writer,
        })
    }

    /// Every entity that is to be served from the first block on has a place now.
    fn begin_transfer(&mut self, begun: Begun) {
        let (work, Some(pass)) = (&self.work, self.passes.last()) else {
            return;
        };
        let number = pass.number;
        let agent = TransferAgent {
            transport: self.transport.clone(),
            pass: number,
            candidates: begun.candidates,
            limits: work.group.limits,
            origin: pass.origin,
            state: begun.state,
            proven: self.sources.proven(),
            before: self.deceived.take(),
            holders: work.holders.clone(),
            digests: self.digests.clone(),
            image: work.group.image.clone(),
            meters: work.meters.clone(),
            read: pass.read.clone(),
            reporter: work.reporter.clone(),
            cancel: work.cancel.clone(),
            broken: pass.broken.clone(),
        };
        let run = agent.run(begun.writer);
        let run = async move { Ended::Transfer(run.await) };
        let task = (self.agents).spawn(run.instrument(spans::pass(number)));
        self.tasks.insert(task.id(), Task::Transfer(number));
    }

    /// Splits the group's buffers between its passes.
    fn share_out(&mut self) {
        let depth = *self.work.depth.borrow_and_update();
        let stats: Vec<PoolStats> = (self.passes.iter()).map(|pass| pass.pool.stats()).collect();
        let used: Vec<Option<usize>> = (self.passes.iter().zip(&stats))
            .map(|(pass, stats)| (!pass.reads).then_some(stats.used))
            .collect();
        let shares = split(depth, &used);
        for ((pass, stats), share) in self.passes.iter().zip(&stats).zip(shares) {
            if stats.depth != share {
                pass.pool.set_depth(share);
            }
        }
    }

    fn task_ended(&mut self, ended: Result<(tokio::task::Id, Ended), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Some(ended)),
            Err(error) => {
                tracing::error!("an agent failed: {error}");
                (error.id(), None)
            }
        };
        match (self.tasks.remove(&id), ended) {
            (Some(Task::Download(entity)), Some(Ended::Download(attempt))) => {
                self.attempt_ended(entity, attempt);
            }
            // Its state says so in the end.
            (Some(Task::Download(entity)), _) => {
                if let Some(member) = self.members.of(entity) {
                    member.phase = Phase::Done;
                }
            }
            (Some(Task::Transfer(pass)), Some(Ended::Transfer(end))) => self.pass_ended(pass, end),
            // Its readers have seen that it is gone.
            (Some(Task::Transfer(pass)), _) => self.pass_ended(pass, PassEnd::Abandoned),
            (None, _) => {}
        }
    }

    fn pass_ended(&mut self, number: u32, end: PassEnd) {
        spans::pass(number).in_scope(|| tracing::debug!(?end, "ended"));
        let Some(pass) = self.passes.iter_mut().find(|pass| pass.number == number) else {
            return;
        };
        pass.reads = false;
        self.work.reporter.send(ReportKind::Pass {
            pass: number,
            source: pass.source.clone(),
            offset: pass.origin,
            entities: pass.entities.clone(),
            read: Some(pass.read.load(Ordering::Relaxed)),
        });
        if let PassEnd::Failed(failure) = end {
            if let Fault::Deceived { name, reason } = &failure.fault {
                // Entities that got those bytes are sent those of another source.
                self.deceived = Some(format!("what {name} sent is not the image: {reason}"));
            } else if self.passes.iter().any(|pass| pass.reads) && !is_about_the_image(&failure) {
                // Perhaps the source takes one session at a time.
                self.one_at_a_time = true;
            } else {
                self.broken = Some(failure);
            }
        }
    }

    fn attempt_ended(&mut self, entity: usize, attempt: Attempt) {
        if let Some(member) = self.members.of(entity) {
            let fault = attempt.result.as_ref().err().map(|failure| &failure.fault);
            member.may_be_placed |= attempt.confirmed || matches!(fault, Some(Fault::Taken { .. }));
            member.holds = attempt.holds.or(member.holds);
        }
        let failure = match attempt.result {
            Ok(verified) => {
                if let Some(member) = self.members.of(entity) {
                    member.phase = Phase::Done;
                }
                let group = &self.work.group;
                if let Some(sha256) = self.digests.proven(&group.image)
                    && verified.is_proof()
                {
                    (self.work.holders).add(&group.image, &group.entities[entity], sha256);
                }
                return self.state(entity, EntityState::Delivered, None, None, attempt.holds);
            }
            Err(failure) => failure,
        };
        let holds = self.holds(entity);
        if failure.is_cancelled() {
            if let Some(member) = self.members.of(entity) {
                member.phase = Phase::Done;
            }
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
        if is_deceived && self.members.again(entity, now)
            || self.members.failed(entity, &failure, now)
        {
            let cause = Some(failure.fault.to_string());
            return self.state(
                entity,
                EntityState::Retrying,
                Some(failure.step),
                cause,
                None,
            );
        }
        let (told, cause) = match self.members.of(entity) {
            Some(member) => member.tries.verdict(&failure),
            None => (failure.clone(), failure.fault.to_string()),
        };
        self.state(
            entity,
            EntityState::Failed,
            Some(told.step),
            Some(cause),
            holds,
        );
    }

    /// Those that wait for their turn, or to be tried again, and are cancelled meanwhile.
    fn cancel_waiting(&mut self) {
        for entity in self.members.waiting() {
            if self.work.cancels[entity].is_cancelled() {
                let failure = Failure::new(Step::Connect, Fault::Cancelled);
                self.not_begun(entity, &failure);
            }
        }
    }

    fn not_begun(&mut self, entity: usize, failure: &Failure) {
        let mut attempt = 1;
        if let Some(member) = self.members.of(entity) {
            member.phase = Phase::Done;
            attempt = member.attempt.max(1);
        }
        let holds = self.holds(entity);
        not_delivered(&self.work.reporter, entity, failure, attempt, holds);
    }

    /// What is known of an entity that did not get the image.
    fn holds(&mut self, entity: usize) -> Option<Holds> {
        let member = self.members.of(entity)?;
        Some(member.holds.unwrap_or(Holds::Old))
    }

    fn state(
        &mut self,
        entity: usize,
        state: EntityState,
        step: Option<Step>,
        cause: Option<String>,
        holds: Option<Holds>,
    ) {
        let attempt = self.members.of(entity).map_or(1, |member| member.attempt);
        self.work.reporter.send(ReportKind::State {
            entity,
            state,
            step,
            cause,
            attempt,
            holds,
        });
    }
}

fn grant(request: Request, subscription: Subscription) {
    // If the requester was cancelled, dropping the reply drops its subscription.
    let _ = request.grant.send(Ok(subscription));
}

/// Nothing was sent in this attempt.
fn not_delivered(
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
    reporter.send(ReportKind::State {
        entity,
        state,
        step,
        cause,
        attempt,
        holds,
    });
}

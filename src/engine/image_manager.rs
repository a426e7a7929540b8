//! The image manager's one task: it takes commands, starts management agents, shares the memory
//! out anew whenever a group joins or ends, and publishes what it knows.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::agent::{
    Assignment, GroupMeters, ManagementAgent, PresumedInstalled, Report, ReportKind, Reporter,
    spans,
};
use crate::inspect::{Expected, Inspector, PeerRegistry};
use crate::inventory::secrets;
use crate::model::lookup::Lookup;
use crate::model::memory::shares;
use crate::model::text::quoted;
use crate::model::{
    EntityState, Group, Holds, ImageSpec, Inventory, Logins, Memories, Name, Remembered,
};
use crate::plan::{Blocker, Footprint, find, find_image, plan, said};
use crate::pool::{self, Budget};
use crate::protocol::{Command, Event, GroupSnapshot, GroupSpec, Link, Secret, Snapshot, Target};
use crate::transport::Transport;

use super::depth::{Change, Depths};
use super::host::HostWatch;
use super::log;
use super::state::{GroupStart, GroupState};
use super::summary::summary;

/// Minimum interval between two snapshots; nobody reads faster.
const TICK: Duration = Duration::from_millis(100);
/// Commands wait here while one is carried out.
const COMMANDS: usize = 64;
/// Maximum number of questions that wait for answers; a watcher that asks more has lost count.
const QUESTIONS: usize = 64;
/// Time that the last inspections have to remove what they wrote when the engine ends.
const LAST_INSPECTION: Duration = Duration::from_secs(5);
const STILL_INSPECTING: &str = "another check is under way; wait for its end, or stop it";

type Groups = Vec<Arc<Group>>;

/// The image management software of the common element (\[0006\], \[0016\]).
pub struct ImageManager<T: Transport> {
    inventory: Arc<Inventory>,
    logins: Arc<Logins>,
    transport: Arc<T>,
    run: CurrentRun,
    began: Instant,
    holders: PeerRegistry,
    memories: Memories,
    pools: Pools,
    groups: Vec<GroupState>,
    agents: Agents,
    asked: Asked,
    watchers: Watchers,
    finishing: bool,
}

/// What is started while nothing runs is a run of its own.
struct CurrentRun {
    id: String,
    began: Instant,
    /// The place of its first group.
    first: usize,
    /// The most that the pools of earlier runs ever held.
    peak: u64,
}

/// The memory of all pools, and how it is shared out.
struct Pools {
    budget: Budget,
    depths: Depths,
    host: HostWatch,
}

/// The tasks of all groups, and what they report.
struct Agents {
    tasks: JoinSet<()>,
    /// One per group.
    handles: Vec<AbortHandle>,
    reports: mpsc::UnboundedSender<Report>,
    cancel: CancellationToken,
}

/// What hosts are asked without a run.
#[derive(Default)]
struct Asked {
    /// Each ends with the event that answers it.
    questions: JoinSet<Event>,
    cancel_questions: CancellationToken,
    /// Each reports what it has found so far, and ends with its last answer.
    inspections: JoinSet<Event>,
    cancel_inspections: CancellationToken,
    /// What is to be started when they have ended.
    postponed: Vec<(Vec<GroupSpec>, bool)>,
}

/// Where events and snapshots go.
struct Watchers {
    events: mpsc::UnboundedSender<Event>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// Of groups that have ended: these change no more.
    ended: Vec<Option<Arc<GroupSnapshot>>>,
}

impl<T: Transport> ImageManager<T> {
    /// Starts the manager's task. It ends after [`Command::Finish`], or when the sender of
    /// commands is gone, as soon as no group runs; its last event is the summary.
    pub fn start(
        inventory: Arc<Inventory>,
        logins: Logins,
        transport: T,
    ) -> (Link, JoinHandle<()>) {
        Self::start_with(inventory, logins, transport, Memories::default())
    }

    /// As [`Self::start`], with what earlier runs are known to have delivered. Entities that are
    /// said to have an image are asked before they are skipped or read.
    pub fn start_with(
        inventory: Arc<Inventory>,
        logins: Logins,
        transport: T,
        memories: Memories,
    ) -> (Link, JoinHandle<()>) {
        let holders = PeerRegistry::default();
        for image in &inventory.images {
            for entity in &inventory.entities {
                let known = memories.of(entity, image);
                if let Some(sha256) = known.and_then(Remembered::proven) {
                    holders.remember(image, entity, sha256);
                }
            }
        }
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (reports, incoming) = mpsc::unbounded_channel();
        let (events, outgoing) = mpsc::unbounded_channel();
        let run = run_id();
        let (snapshots, newest) = watch::channel(Arc::new(Snapshot {
            at: Timestamp::now(),
            run: run.clone(),
            memory: inventory.memory,
            pool_bytes: 0,
            peak_pool_bytes: 0,
            groups: Vec::new(),
        }));
        let manager = Self {
            holders,
            memories,
            pools: Pools {
                budget: Budget::new(inventory.memory),
                depths: Depths::new(inventory.memory, inventory.buffers.least_memory()),
                host: HostWatch::default(),
            },
            inventory,
            logins: Arc::new(logins),
            transport: Arc::new(transport),
            run: CurrentRun {
                id: run,
                began: Instant::now(),
                first: 0,
                peak: 0,
            },
            began: Instant::now(),
            groups: Vec::new(),
            agents: Agents {
                tasks: JoinSet::new(),
                handles: Vec::new(),
                reports,
                cancel: CancellationToken::new(),
            },
            asked: Asked::default(),
            watchers: Watchers {
                events,
                snapshots,
                ended: Vec::new(),
            },
            finishing: false,
        };
        let task = tokio::spawn(manager.manage(inbox, incoming));
        (
            Link {
                commands,
                snapshots: newest,
                events: outgoing,
            },
            task,
        )
    }

    async fn manage(
        mut self,
        mut inbox: mpsc::Receiver<Command>,
        mut incoming: mpsc::UnboundedReceiver<Report>,
    ) {
        let mut tick = interval(TICK);
        let mut closed = false;
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                Some(report) = incoming.recv() => self.reduce(report),
                Some(joined) = self.agents.tasks.join_next_with_id() => {
                    // Reports that were sent before the end come first.
                    while let Ok(report) = incoming.try_recv() {
                        self.reduce(report);
                    }
                    let id = joined.map_or_else(|error| error.id(), |(id, ())| id);
                    self.joined(id);
                }
                Some(answer) = self.asked.questions.join_next() => match answer {
                    Ok(event) => self.tell(event),
                    Err(error) => self.refuse(format!("a question has no answer: {error}")),
                },
                Some(answer) = self.asked.inspections.join_next() => self.inspected(answer),
                // A cancellation is still taken while the last groups run.
                command = inbox.recv(), if !closed => match command {
                    Some(command) => self.obey(command),
                    None => (self.finishing, closed) = (true, true),
                },
                _ = tick.tick() => if self.runs() {
                    self.adjust();
                    self.publish();
                },
            }
            if self.finishing
                && !self.runs()
                && self.agents.tasks.is_empty()
                && self.asked.postponed.is_empty()
            {
                break;
            }
        }
        self.cancel_inspection();
        // What they have written is removed meanwhile, unless the entity is dead.
        let ended = async { while self.asked.inspections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_INSPECTION, ended).await;
        self.asked.inspections.shutdown().await;
        self.asked.questions.shutdown().await;
        self.publish();
        let summary = summary(
            &self.watchers.snapshots.borrow(),
            self.began.elapsed().as_secs_f64(),
        );
        self.tell(Event::Summary(summary));
    }

    fn runs(&self) -> bool {
        self.groups.iter().any(|group| !group.is_ended())
    }

    /// Nobody may be listening.
    fn tell(&self, event: Event) {
        log::write(&event);
        let _ = self.watchers.events.send(event);
    }

    fn refuse(&self, reason: String) {
        tracing::warn!("refused: {reason}");
        self.tell(Event::Refused {
            at: Timestamp::now(),
            reason,
        });
    }

    fn obey(&mut self, command: Command) {
        tracing::debug!(?command, "command");
        match command {
            Command::Start { groups, force } => self.begin(groups, force),
            Command::Cancel { target } => self.stop(&target),
            Command::Login {
                credentials,
                password,
            } => self.log_in(&credentials, &password),
            Command::AskPeers { image } => self.ask_peers(&image),
            Command::Browse { server, path } => self.browse(server, path),
            Command::Probe { groups, force } => self.probe(&groups, force),
            Command::Verify { groups, size_only } => self.verify(&groups, size_only),
            Command::CancelInspection => self.cancel_inspection(),
            Command::Finish => self.finishing = true,
        }
    }

    /// All of the groups are started, or none. What a probe has written must be gone before a run
    /// writes there.
    fn begin(&mut self, specs: Vec<GroupSpec>, force: bool) {
        if !self.asked.inspections.is_empty() {
            self.asked.cancel_inspections.cancel();
            return self.asked.postponed.push((specs, force));
        }
        let running = self.footprints();
        let groups = match plan(&self.inventory, &running, &specs, force).startable() {
            Ok(groups) => groups,
            Err(blockers) => return self.refuse(said(&blockers).join("; ")),
        };
        if groups.is_empty() {
            return;
        }
        if !self.runs() {
            self.begin_run();
        }
        let names: Vec<Name> = groups.iter().map(|group| group.name.clone()).collect();
        self.tell(Event::Run {
            at: Timestamp::now(),
            run: self.run.id.clone(),
            groups: names,
            memory: self.inventory.memory,
        });
        let running = running.len();
        let shares = shares(self.inventory.memory, running + groups.len());
        let joining = shares[running..].to_vec();
        let changes = self.pools.depths.make_room(groups.len());
        self.change_depths(changes);
        for (group, share) in groups.into_iter().zip(joining) {
            self.begin_group(group, share, force);
        }
        self.publish();
    }

    /// The first run has its name from the start of the engine.
    fn begin_run(&mut self) {
        if !self.groups.is_empty() {
            let before = std::mem::take(&mut self.run.id);
            while self.run.id.is_empty() || self.run.id == before {
                self.run.id = run_id();
            }
            self.run.peak = self.run.peak.max(self.pools.budget.peak());
            self.pools.budget.forget_peak();
        }
        self.run.first = self.groups.len();
        self.run.began = Instant::now();
    }

    /// Whatever the engine is there for still, the run has ended.
    fn end_run(&self) {
        let snapshot = self.watchers.snapshots.borrow().clone();
        let groups = snapshot.groups.get(self.run.first..).unwrap_or_default();
        let of_run = Snapshot {
            peak_pool_bytes: self.pools.budget.peak(),
            groups: groups.to_vec(),
            ..(*snapshot).clone()
        };
        let summary = Box::new(summary(&of_run, self.run.began.elapsed().as_secs_f64()));
        self.tell(Event::Ended { summary });
    }

    fn begin_group(&mut self, group: Arc<Group>, share: u64, force: bool) {
        let layout = pool::layout(share, self.inventory.buffers);
        let names: Vec<Name> = group
            .entities
            .iter()
            .map(|entity| entity.name.clone())
            .collect();
        let meters = GroupMeters::new(&names);
        let cancel = self.agents.cancel.child_token();
        let (keep, depth) = watch::channel(layout.buffers);
        let place = self.groups.len();
        let reporter = Reporter {
            group: place,
            reports: self.agents.reports.clone(),
        };
        let mut state = GroupState::new(GroupStart {
            group: group.clone(),
            meters: meters.clone(),
            cancel: cancel.clone(),
            force,
            depth: keep,
            buffer_size: layout.buffer_size,
        });
        self.tell(Event::Group {
            at: Timestamp::now(),
            spec: Box::new(GroupSpec::of(&group)),
            force,
        });
        // What this engine has read of the image.
        let read = (self.groups.iter().rev())
            .filter(|other| other.group.image == group.image)
            .find_map(GroupState::sha256);
        let (mut targets, mut presumed_installed) = (Vec::new(), Vec::new());
        for (entity, wanted) in group.entities.iter().enumerate() {
            let skipped = !force && group.has_image(wanted);
            let kind = ReportKind::State {
                entity,
                state: if skipped {
                    EntityState::Skipped
                } else {
                    EntityState::Waiting
                },
                step: None,
                cause: skipped.then(|| group.has_image_in_words(wanted)),
                attempt: 0,
                holds: skipped.then_some(Holds::New),
            };
            if let Some(event) = state.apply(Timestamp::now(), kind) {
                self.tell(event);
            }
            if !skipped {
                let known = self.memories.of(wanted, &group.image);
                if let Some(known) = known.filter(|_| !force)
                    // An image that was built again under its version since is another one.
                    && !matches!((read, known.sha256), (Some(read), Some(known)) if read != known)
                {
                    presumed_installed.push(PresumedInstalled {
                        entity,
                        expected: Expected {
                            size: Some(known.size),
                            sha256: group.image.sha256.or(read).or(known.sha256),
                        },
                        run: known.run.clone(),
                        at: known.at,
                    });
                }
                targets.push(entity);
            }
        }
        let span = spans::group(&group.name);
        let agent = ManagementAgent {
            transport: self.transport.clone(),
            work: Assignment {
                group,
                targets,
                cancels: state.cancels.clone(),
                cancel,
                logins: self.logins.clone(),
                file_servers: self.inventory.file_servers.clone(),
                holders: self.holders.clone(),
                presumed_installed,
                budget: self.pools.budget.clone(),
                buffer_size: layout.buffer_size,
                depth,
                meters,
                reporter,
            },
        };
        self.pools
            .depths
            .join(place, layout.buffers, layout.buffer_size);
        self.groups.push(state);
        self.watchers.ended.push(None);
        self.agents
            .handles
            .push(self.agents.tasks.spawn(agent.run().instrument(span)));
    }

    /// Looks at how the pools are used, and moves depth between them.
    fn adjust(&mut self) {
        let mut usage = Vec::new();
        for (place, group) in self.groups.iter_mut().enumerate() {
            if !group.is_ended() {
                group.measure();
                usage.push((place, group.figures.usage.figures()));
            }
        }
        let now = Instant::now();
        let host = self.pools.host.sample(now);
        let changes = self.pools.depths.tick(now, host.as_ref(), &usage);
        self.change_depths(changes);
    }

    fn change_depths(&mut self, changes: Vec<Change>) {
        for change in changes {
            let Change {
                place,
                from,
                to,
                reason,
            } = change;
            let Some(group) = self.groups.get_mut(place) else {
                continue;
            };
            group.depth.send_replace(to);
            let report = ReportKind::Depth { from, to, reason };
            if let Some(event) = group.apply(Timestamp::now(), report) {
                self.tell(event);
            }
        }
    }

    fn probe(&mut self, specs: &[GroupSpec], force: bool) {
        let running = self.footprints();
        // Each for itself: groups that can't run together may still be looked at together.
        let found = specs.iter().map(|spec| {
            plan(&self.inventory, &running, std::slice::from_ref(spec), force).startable()
        });
        let found = found.collect();
        if let Some((inspector, groups)) = self.begin_inspection(found) {
            self.asked.inspections.spawn(inspector.probe(groups, force));
        }
    }

    fn verify(&mut self, specs: &[GroupSpec], size_only: bool) {
        let lookup = Lookup::new(&self.inventory);
        let found = specs.iter().map(|spec| Ok(vec![find(&lookup, spec)?]));
        let found = found.collect();
        let written = self.written();
        if let Some((inspector, groups)) = self.begin_inspection(found) {
            self.asked
                .inspections
                .spawn(inspector.verify(groups, size_only, written));
        }
    }

    /// One at a time: they would meet on the same entities.
    fn begin_inspection(
        &mut self,
        found: Vec<Result<Groups, Vec<Blocker>>>,
    ) -> Option<(Arc<Inspector<T>>, Groups)> {
        if !self.asked.inspections.is_empty() {
            self.refuse(STILL_INSPECTING.into());
            return None;
        }
        let (mut groups, mut wrong) = (Vec::new(), Vec::new());
        for found in found {
            match found {
                Ok(found) => groups.extend(found),
                Err(blockers) => wrong.extend(blockers),
            }
        }
        if !wrong.is_empty() {
            self.refuse(said(&wrong).join("; "));
            return None;
        }
        self.asked.cancel_inspections = CancellationToken::new();
        Some((self.inspector(&self.asked.cancel_inspections), groups))
    }

    fn inspector(&self, cancel: &CancellationToken) -> Arc<Inspector<T>> {
        Arc::new(Inspector {
            transport: self.transport.clone(),
            inventory: self.inventory.clone(),
            logins: self.logins.clone(),
            registry: self.holders.clone(),
            events: self.watchers.events.clone(),
            cancel: cancel.clone(),
        })
    }

    fn cancel_inspection(&mut self) {
        self.asked.cancel_inspections.cancel();
        std::mem::take(&mut self.asked.cancel_questions).cancel();
    }

    fn inspected(&mut self, answer: Result<Event, tokio::task::JoinError>) {
        match answer {
            Ok(event) => self.tell(event),
            Err(error) => self.refuse(format!("a check broke down: {error}")),
        }
        if self.asked.inspections.is_empty() {
            for (specs, force) in std::mem::take(&mut self.asked.postponed) {
                self.begin(specs, force);
            }
        }
    }

    /// What the groups that run take up.
    fn footprints(&self) -> Vec<Footprint> {
        let running = self.groups.iter().filter(|group| !group.is_ended());
        running.map(GroupState::footprint).collect()
    }

    /// The entities that running groups write, and which group does.
    fn written(&self) -> HashMap<Name, Name> {
        let running = self.groups.iter().filter(|group| !group.is_ended());
        running
            .flat_map(|group| group.written().map(|name| (name, group.group.name.clone())))
            .collect()
    }

    fn ask_peers(&mut self, image: &ImageSpec) {
        let image = match find_image(&self.inventory, image) {
            Ok(image) => image,
            Err(flaw) => return self.refuse(flaw.to_string()),
        };
        let written = self.written();
        let inspector = self.inspector(&self.asked.cancel_questions);
        self.look_up(inspector.peers(image, written));
    }

    fn browse(&mut self, server: String, path: String) {
        let inspector = self.inspector(&self.asked.cancel_questions);
        self.look_up(inspector.listing(server.into(), path));
    }

    /// Answers in a task of its own: the manager goes on meanwhile.
    fn look_up(&mut self, question: impl Future<Output = Event> + Send + 'static) {
        if self.asked.questions.len() >= QUESTIONS {
            return self.refuse(format!("{QUESTIONS} questions wait for answers; ask later"));
        }
        self.asked.questions.spawn(question);
    }

    /// Groups that are started from now on use the password.
    fn log_in(&mut self, credentials: &str, password: &Secret) {
        let known = self
            .inventory
            .credentials
            .iter()
            .find(|known| &*known.name == credentials);
        let Some(known) = known else {
            return self.refuse(format!(
                "the inventory has no credentials {}",
                quoted(credentials)
            ));
        };
        match secrets::login(known, password.expose().into()) {
            Ok(login) => Arc::make_mut(&mut self.logins).insert(known.name.clone(), login),
            Err(error) => self.refuse(error.to_string()),
        }
    }

    fn stop(&mut self, target: &Target) {
        let unknown = |what: String| format!("there is no {what} in this run");
        match target {
            Target::All => self.cancel_all(),
            Target::Group(name) => match self.running(name) {
                Some(group) => group.cancel.cancel(),
                None => self.refuse(unknown(format!("running group `{name}`"))),
            },
            Target::Entity { group, entity } => {
                let found = self.running(group).and_then(|state| {
                    state
                        .entities
                        .iter()
                        .position(|record| &*record.name == entity)
                        .map(|place| &state.cancels[place])
                });
                match found {
                    Some(cancel) => cancel.cancel(),
                    None => self.refuse(unknown(format!(
                        "entity `{entity}` in running group `{group}`"
                    ))),
                }
            }
        }
    }

    fn cancel_all(&mut self) {
        self.agents.cancel.cancel();
        // Groups that are started later are not meant.
        self.agents.cancel = CancellationToken::new();
    }

    fn running(&self, name: &str) -> Option<&GroupState> {
        self.groups
            .iter()
            .find(|group| &*group.group.name == name && !group.is_ended())
    }

    fn reduce(&mut self, report: Report) {
        let Some(group) = self.groups.get_mut(report.group) else {
            return;
        };
        if matches!(report.kind, ReportKind::Ended) {
            return self.end_group(report.group);
        }
        let Some(event) = group.apply(Timestamp::now(), report.kind) else {
            return;
        };
        self.remember(report.group, &event);
        self.tell(event);
    }

    /// What this engine has delivered counts like what earlier runs did; what is not known to be as
    /// it was counts no more.
    fn remember(&mut self, place: usize, event: &Event) {
        let Some(group) = self.groups.get(place) else {
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
                    size: *bytes,
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
    fn end_group(&mut self, place: usize) {
        let Some(group) = self.groups.get_mut(place) else {
            return;
        };
        for event in group.end(Timestamp::now()) {
            self.tell(event);
        }
        let changes = self.pools.depths.leave(place);
        self.change_depths(changes);
        self.publish();
        if !self.runs() {
            self.end_run();
        }
    }

    /// An agent's task has ended: normally after it said so, otherwise it is said for it.
    fn joined(&mut self, id: tokio::task::Id) {
        let place = self
            .agents
            .handles
            .iter()
            .position(|handle| handle.id() == id);
        if let Some(place) = place.filter(|place| !self.groups[*place].is_ended()) {
            tracing::error!(group = %self.groups[place].group.name, "its management agent failed");
            self.end_group(place);
        }
    }

    fn publish(&mut self) {
        let mut groups = Vec::with_capacity(self.groups.len());
        for (group, ended) in self.groups.iter_mut().zip(&mut self.watchers.ended) {
            let snapshot = match ended {
                // It does not change any more.
                Some(snapshot) => snapshot.clone(),
                None => Arc::new(group.snapshot()),
            };
            if group.is_ended() {
                *ended = Some(snapshot.clone());
            }
            groups.push(snapshot);
        }
        self.watchers.snapshots.send_replace(Arc::new(Snapshot {
            at: Timestamp::now(),
            run: self.run.id.clone(),
            memory: self.inventory.memory,
            pool_bytes: self.pools.budget.held(),
            peak_pool_bytes: self.run.peak.max(self.pools.budget.peak()),
            groups,
        }));
    }
}

/// When the run began, and a few digits that tell apart two that began in the same second.
fn run_id() -> String {
    let chance = RandomState::new().build_hasher().finish() & 0xffff;
    format!(
        "{}-{chance:04x}",
        Timestamp::now().strftime("%Y%m%dT%H%M%SZ")
    )
}

//! The image manager's one task: it takes commands, starts management agents, shares the memory
//! out anew whenever a group joins or ends, and publishes what it knows.

mod campaigns;
mod questions;
mod rates;
mod reports;
mod runs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runs::run_id;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::agent::Report;
use crate::campaign::{Clock, SharedTogether, SystemClock};
use crate::caps::Caps;
use crate::inspect::PeerRegistry;
use crate::model::series::Sample;
use crate::model::{Capped, Group, Inventory, Logins, Memories, Remembered, Series};
use crate::pool::Budget;
use crate::procedure::Means;
use crate::protocol::{Command, Event, GroupSnapshot, GroupSpec, Link, Snapshot, Target};
use crate::transport::Transport;

use super::depth::Depths;
use super::host::HostWatch;
use super::log;
use super::state::GroupState;
use super::summary::summary;

pub(super) use campaigns::Needs;

/// Minimum interval between two snapshots; nobody reads faster.
const TICK: Duration = Duration::from_millis(100);
/// Commands wait here while one is carried out.
const COMMANDS: usize = 64;
/// Maximum number of questions that wait for answers; a watcher that asks more has lost count.
const QUESTIONS: usize = 64;
/// Time that the last inspections have to remove what they wrote when the engine ends.
const LAST_INSPECTION: Duration = Duration::from_secs(5);

type Groups = Vec<Arc<Group>>;

/// The image management software of the common element (\[0006\], \[0016\]).
pub struct ImageManager<T: Transport> {
    inventory: Arc<Inventory>,
    logins: Arc<Logins>,
    transport: Arc<T>,
    run: CurrentRun,
    began: Instant,
    holders: PeerRegistry,
    caps: Arc<Caps>,
    /// Those that are not as the inventory has them; without those of groups.
    changed_rates: BTreeMap<Capped, Option<u64>>,
    memories: Memories,
    /// What procedures are carried out with.
    means: Means,
    clock: Arc<dyn Clock>,
    pools: Pools,
    groups: Vec<GroupState>,
    agents: Agents,
    asked: Asked,
    watchers: Watchers,
    finishing: bool,
}

/// What an engine finds where it is started.
#[derive(Debug)]
pub struct Surroundings {
    /// What earlier runs are known to have delivered.
    pub memories: Memories,
    /// What procedures are carried out with.
    pub means: Means,
    /// By which windows open.
    pub clock: Arc<dyn Clock>,
}

impl Surroundings {
    /// With the clock of the host.
    pub fn new(memories: Memories, means: Means) -> Self {
        Self {
            memories,
            means,
            clock: Arc::new(SystemClock),
        }
    }
}

/// What is started while nothing runs is a run of its own.
struct CurrentRun {
    id: String,
    began: Instant,
    /// The place of its first group.
    first: usize,
    /// The most that the pools of earlier runs ever held.
    peak: u64,
    /// How its groups went together.
    series: Arc<Series>,
    /// When that was given to the journal last.
    kept: Instant,
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
    /// Which of their entities are never under way at one time.
    together: SharedTogether,
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
    /// Whether anything was reported since the last snapshot, and how many ticks have passed without one.
    news: (bool, u32),
}

impl<T: Transport> ImageManager<T> {
    /// Starts the manager's task. It ends after [`Command::Finish`], or when the sender of
    /// commands is gone, as soon as no group runs; its last event is the summary.
    pub fn start(
        inventory: Arc<Inventory>,
        logins: Logins,
        transport: T,
    ) -> (Link, JoinHandle<()>) {
        let folder = inventory
            .file
            .parent()
            .map(Path::to_owned)
            .unwrap_or_default();
        let surroundings = Surroundings::new(Memories::default(), Means::unwritten(folder));
        Self::start_with(inventory, logins, transport, surroundings)
    }

    /// As [`Self::start`], in these surroundings. Entities that are said to have an image are asked before they are
    /// skipped or read.
    pub fn start_with(
        inventory: Arc<Inventory>,
        logins: Logins,
        transport: T,
        surroundings: Surroundings,
    ) -> (Link, JoinHandle<()>) {
        let Surroundings {
            memories,
            means,
            clock,
        } = surroundings;
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
            series: Arc::default(),
        }));
        let manager = Self {
            holders,
            memories,
            means: means.serving(inventory.serve),
            clock,
            pools: Pools {
                budget: Budget::new(inventory.memory),
                depths: Depths::new(inventory.memory, inventory.buffers.least_memory()),
                host: HostWatch::default(),
            },
            caps: Caps::new(&inventory.rates),
            changed_rates: BTreeMap::new(),
            inventory,
            logins: Arc::new(logins),
            transport: Arc::new(transport),
            run: CurrentRun {
                id: run,
                began: Instant::now(),
                first: 0,
                peak: 0,
                series: Arc::default(),
                kept: Instant::now(),
            },
            began: Instant::now(),
            groups: Vec::new(),
            agents: Agents {
                tasks: JoinSet::new(),
                handles: Vec::new(),
                reports,
                cancel: CancellationToken::new(),
                together: SharedTogether::default(),
            },
            asked: Asked::default(),
            watchers: Watchers {
                events,
                snapshots,
                ended: Vec::new(),
                news: (false, 0),
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
                _ = tick.tick() => if self.runs() && self.has_news() {
                    self.adjust();
                    self.publish();
                    self.keep_series_in_time();
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
            Command::Continue { groups } => self.go_on(groups),
            Command::Pause { group } => self.pause(&group),
            Command::Resume { group, since } => self.resume(&group, since),
            Command::Rate { on, rate } => self.hold_to(on, rate),
            Command::Login {
                credentials,
                secret,
            } => self.log_in(&credentials, &secret),
            Command::AskPeers { image } => self.ask_peers(&image),
            Command::Browse { server, path } => self.browse(server, path),
            Command::Probe { groups, force } => self.probe(&groups, force),
            Command::Verify { groups, size_only } => self.verify(&groups, size_only),
            Command::CancelInspection => self.cancel_inspection(),
            Command::Finish => self.finishing = true,
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
                        .map(|group_index| &state.cancels[group_index])
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

    fn publish(&mut self) {
        let mut groups = Vec::with_capacity(self.groups.len());
        let (mut is_sampled, mut all) = (false, Sample::default());
        let groups_now = self.groups.iter_mut().zip(&mut self.watchers.ended);
        for (place, (group, ended)) in groups_now.enumerate() {
            let snapshot = match ended {
                // It does not change any more.
                Some(snapshot) => snapshot.clone(),
                None => Arc::new(group.snapshot()),
            };
            if group.is_ended() {
                *ended = Some(snapshot.clone());
            }
            groups.push(snapshot);
            if place >= self.run.first {
                let (is_new, sample) = group.samples.newest(group.is_ended());
                is_sampled |= is_new;
                all.add(sample);
            }
        }
        if is_sampled {
            let series = Arc::make_mut(&mut self.run.series);
            series.push(self.run.began.elapsed(), &all);
        }
        self.watchers.snapshots.send_replace(Arc::new(Snapshot {
            at: Timestamp::now(),
            run: self.run.id.clone(),
            memory: self.inventory.memory,
            pool_bytes: self.pools.budget.held(),
            peak_pool_bytes: self.run.peak.max(self.pools.budget.peak()),
            groups,
            series: self.run.series.clone(),
        }));
    }
}

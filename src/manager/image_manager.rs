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

use crate::agent::{
    Assignment, GroupMeters, Holders, ManagementAgent, Report, ReportKind, Reporter,
};
use crate::inventory::{find_image, secrets};
use crate::link::{Command, Event, GroupSnapshot, GroupSpec, Link, Secret, Snapshot, Target};
use crate::model::memory::shares;
use crate::model::text::quoted;
use crate::model::{EntityState, Group, ImageSpec, Inventory, Logins, Name};
use crate::pool::{self, Budget};
use crate::transport::Transport;

use super::depth::{Change, Depths};
use super::host::HostWatch;
use super::log;
use super::questions;
use super::resolve::{Running, resolve};
use super::state::{GroupStart, GroupState};
use super::summary::summary;

/// A snapshot is made so often at most; nobody reads faster.
const TICK: Duration = Duration::from_millis(100);
/// Commands wait here while one is carried out.
const COMMANDS: usize = 64;
/// So many questions may wait for answers; a watcher that asks more has lost count.
const QUESTIONS: usize = 64;

/// The image management software of the common element (\[0006\], \[0016\]).
pub struct ImageManager<T: Transport> {
    inventory: Arc<Inventory>,
    logins: Arc<Logins>,
    transport: Arc<T>,
    run: String,
    began: Instant,
    budget: Budget,
    holders: Holders,
    depths: Depths,
    host: HostWatch,
    groups: Vec<GroupState>,
    ended_snapshots: Vec<Option<Arc<GroupSnapshot>>>,
    agents: JoinSet<()>,
    handles: Vec<AbortHandle>,
    /// Each ends with the event that answers it.
    questions: JoinSet<Event>,
    reports: mpsc::UnboundedSender<Report>,
    events: mpsc::UnboundedSender<Event>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    cancel: CancellationToken,
    finishing: bool,
}

impl<T: Transport> ImageManager<T> {
    /// Starts the manager's task. It ends after [`Command::Finish`], or when the sender of
    /// commands is gone, as soon as no group runs; its last event is the summary.
    pub fn start(
        inventory: Arc<Inventory>,
        logins: Logins,
        transport: T,
    ) -> (Link, JoinHandle<()>) {
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
            budget: Budget::new(inventory.memory),
            holders: Holders::default(),
            depths: Depths::new(inventory.memory, inventory.buffers.least_memory()),
            host: HostWatch::default(),
            inventory,
            logins: Arc::new(logins),
            transport: Arc::new(transport),
            run,
            began: Instant::now(),
            groups: Vec::new(),
            ended_snapshots: Vec::new(),
            agents: JoinSet::new(),
            handles: Vec::new(),
            questions: JoinSet::new(),
            reports,
            events,
            snapshots,
            cancel: CancellationToken::new(),
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
                Some(joined) = self.agents.join_next_with_id() => {
                    // Reports that were sent before the end come first.
                    while let Ok(report) = incoming.try_recv() {
                        self.reduce(report);
                    }
                    let id = joined.map_or_else(|error| error.id(), |(id, ())| id);
                    self.joined(id);
                }
                Some(answer) = self.questions.join_next() => match answer {
                    Ok(event) => self.tell(event),
                    Err(error) => self.refuse(format!("a question has no answer: {error}")),
                },
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
            if self.finishing && !self.runs() && self.agents.is_empty() {
                break;
            }
        }
        self.questions.shutdown().await;
        self.publish();
        let summary = summary(&self.snapshots.borrow(), self.began.elapsed().as_secs_f64());
        self.tell(Event::Summary(summary));
    }

    fn runs(&self) -> bool {
        self.groups.iter().any(|group| !group.is_ended())
    }

    /// Nobody may be listening.
    fn tell(&self, event: Event) {
        log::write(&event);
        let _ = self.events.send(event);
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
            Command::Start { groups, force } => self.begin(&groups, force),
            Command::Cancel { target } => self.stop(&target),
            Command::Login {
                credentials,
                password,
            } => self.log_in(&credentials, &password),
            Command::AskPeers { image } => self.ask_peers(&image),
            Command::Browse { server, path } => self.browse(&server, path),
            Command::Finish => self.finishing = true,
        }
    }

    /// All of the groups are started, or none.
    fn begin(&mut self, specs: &[GroupSpec], force: bool) {
        let running: Vec<Running> = (self.groups.iter())
            .filter(|state| !state.is_ended())
            .map(GroupState::running)
            .collect();
        let groups = match resolve(&self.inventory, &running, specs, force) {
            Ok(groups) => groups,
            Err(reasons) => return self.refuse(reasons.join("; ")),
        };
        if groups.is_empty() {
            return;
        }
        let names: Vec<Name> = groups.iter().map(|group| group.name.clone()).collect();
        self.tell(Event::Run {
            at: Timestamp::now(),
            run: self.run.clone(),
            groups: names,
            memory: self.inventory.memory,
        });
        let running = running.len();
        let shares = shares(self.inventory.memory, running + groups.len());
        let joining = shares[running..].to_vec();
        let changes = self.depths.make_room(groups.len());
        self.change_depths(changes);
        for (group, share) in groups.into_iter().zip(joining) {
            self.begin_group(group, share, force);
        }
        self.publish();
    }

    fn begin_group(&mut self, group: Arc<Group>, share: u64, force: bool) {
        let layout = pool::layout(share, self.inventory.buffers);
        let names: Vec<Name> = group
            .entities
            .iter()
            .map(|entity| entity.name.clone())
            .collect();
        let meters = GroupMeters::new(&names);
        let cancel = self.cancel.child_token();
        let (keep, depth) = watch::channel(layout.buffers);
        let place = self.groups.len();
        let reporter = Reporter {
            group: place,
            reports: self.reports.clone(),
        };
        let mut state = GroupState::new(GroupStart {
            group: group.clone(),
            meters: meters.clone(),
            cancel: cancel.clone(),
            force,
            depth: keep,
            buffer_size: layout.buffer_size,
        });
        let mut targets = Vec::new();
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
                cause: None,
                attempt: 0,
            };
            if let Some(event) = state.apply(Timestamp::now(), kind) {
                self.tell(event);
            }
            if !skipped {
                targets.push(entity);
            }
        }
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
                budget: self.budget.clone(),
                buffer_size: layout.buffer_size,
                depth,
                meters,
                reporter,
            },
        };
        self.depths.join(place, layout.buffers, layout.buffer_size);
        self.groups.push(state);
        self.ended_snapshots.push(None);
        self.handles.push(self.agents.spawn(agent.run()));
    }

    /// Looks at how the pools are used, and moves depth between them.
    fn adjust(&mut self) {
        let mut usage = Vec::new();
        for (place, group) in self.groups.iter_mut().enumerate() {
            if !group.is_ended() {
                group.measure();
                usage.push((place, group.usage.figures()));
            }
        }
        let now = Instant::now();
        let host = self.host.look(now);
        let changes = self.depths.tick(now, host.as_ref(), &usage);
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

    fn ask_peers(&mut self, image: &ImageSpec) {
        let image = match find_image(&self.inventory, image) {
            Ok(image) => image,
            Err(reason) => return self.refuse(reason),
        };
        let running = self.groups.iter().filter(|group| !group.is_ended());
        let written: HashMap<Name, Name> = running
            .flat_map(|group| group.written().map(|name| (name, group.group.name.clone())))
            .collect();
        self.look_up(questions::peers(
            self.transport.clone(),
            self.inventory.clone(),
            self.logins.clone(),
            image,
            written,
        ));
    }

    fn browse(&mut self, server: &str, path: String) {
        let directory = questions::locate(&self.inventory, &self.logins, server, &path);
        self.look_up(questions::directory(
            self.transport.clone(),
            directory,
            server.into(),
            path,
        ));
    }

    /// Answers in a task of its own: the manager goes on meanwhile.
    fn look_up(&mut self, question: impl Future<Output = Event> + Send + 'static) {
        if self.questions.len() >= QUESTIONS {
            return self.refuse(format!("{QUESTIONS} questions wait for answers; ask later"));
        }
        self.questions.spawn(question);
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
        self.cancel.cancel();
        // Groups that are started later are not meant.
        self.cancel = CancellationToken::new();
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
        if let Some(event) = group.apply(Timestamp::now(), report.kind) {
            self.tell(event);
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
        let changes = self.depths.leave(place);
        self.change_depths(changes);
        self.publish();
    }

    /// An agent's task has ended: normally after it said so, otherwise it is said for it.
    fn joined(&mut self, id: tokio::task::Id) {
        let place = self.handles.iter().position(|handle| handle.id() == id);
        if let Some(place) = place.filter(|place| !self.groups[*place].is_ended()) {
            tracing::error!(group = %self.groups[place].group.name, "its management agent failed");
            self.end_group(place);
        }
    }

    fn publish(&mut self) {
        let mut groups = Vec::with_capacity(self.groups.len());
        for (group, ended) in self.groups.iter_mut().zip(&mut self.ended_snapshots) {
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
        self.snapshots.send_replace(Arc::new(Snapshot {
            at: Timestamp::now(),
            run: self.run.clone(),
            memory: self.inventory.memory,
            pool_bytes: self.budget.held(),
            peak_pool_bytes: self.budget.peak(),
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

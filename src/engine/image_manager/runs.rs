//! How a run begins and ends, and how its groups begin and share the memory.

use std::hash::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tracing::Instrument;

use crate::agent::{
    Assignment, GroupMeters, ManagementAgent, Mates, OFFLINE_BEFORE, PresumedInstalled, Reporter,
    SharedCourse, lock, spans,
};
use crate::campaign::{Course, Terms};
use crate::engine::depth::Change;
use crate::engine::state::{GroupStart, GroupState};
use crate::engine::summary::summary;
use crate::inspect::Expected;
use crate::model::lookup::Lookup;
use crate::model::memory::shares;
use crate::model::{Capped, Entity, EntityState, Extent, Group, Holds, Name, Step};
use crate::plan::{Footprint, plan, said};
use crate::pool;
use crate::protocol::{ChangedBefore, Continued, Event, GroupSpec, Snapshot};
use crate::transport::Transport;
use crate::transport::serve::missing_right;

use super::ImageManager;
use super::campaigns::Needs;

/// A group that is about to begin.
pub(super) struct Starting {
    pub(super) group: Arc<Group>,
    pub(super) force: bool,
    /// Credentials whose secrets the engine does not have.
    pub(super) needs: Vec<Name>,
    /// What it goes on from.
    pub(super) past: Option<Continued>,
}

impl Starting {
    pub(super) fn footprint(&self) -> Footprint {
        let entities = self.group.entities.iter();
        let left = entities.filter(|entity| {
            let past = self.past.as_ref();
            past.and_then(|past| past.of(&entity.name)).is_none()
        });
        Footprint::of(&self.group, left, self.force)
    }
}

/// The places of those that are or were to get the image: those that the inventory says have it are in no wave.
fn targets(group: &Group, force: bool, past: Option<&Continued>) -> Vec<usize> {
    let has_it = |entity: &Entity| match past.and_then(|past| past.of(&entity.name)) {
        Some(ended) => ended.is_left_out(),
        None => !force && group.has_image(entity),
    };
    let places = group.entities.iter().enumerate();
    let places = places.filter(|(_, entity)| !has_it(entity));
    places.map(|(place, _)| place).collect()
}

/// The places of those that could not be reached, and since when.
fn offline_before(group: &Group, past: Option<&Continued>) -> Vec<(usize, Timestamp)> {
    let since = |entity: &Entity| past.and_then(|past| past.offline_since(&entity.name));
    let places = group.entities.iter().enumerate();
    places
        .filter_map(|(place, entity)| Some((place, since(entity)?)))
        .collect()
}

/// Where nobody knows its time zone, no window opens: the rulebook refuses such a group.
fn course(group: &Group, targets: &[usize]) -> SharedCourse {
    let terms = Terms::of(group, targets);
    Arc::new(Mutex::new(Course::new(terms, group.entities.len())))
}

/// When the run began, and a few digits that tell apart two that began in the same second.
pub(super) fn run_id() -> String {
    let chance = RandomState::new().build_hasher().finish() & 0xffff;
    format!(
        "{}-{chance:04x}",
        Timestamp::now().strftime("%Y%m%dT%H%M%SZ")
    )
}

impl<T: Transport> ImageManager<T> {
    /// All of the groups are started, or none. What a probe has written must be gone before a run
    /// writes there.
    pub(super) fn begin(&mut self, specs: Vec<GroupSpec>, force: bool) {
        if !self.asked.inspections.is_empty() {
            self.asked.cancel_inspections.cancel();
            return self.asked.postponed.push((specs, force));
        }
        let running = self.footprints();
        let plan = plan(&self.inventory, &running, &specs, force);
        let plan = plan.served(&self.inventory.serve, missing_right);
        let groups = match plan.startable() {
            Ok(groups) => groups,
            Err(blockers) => return self.refuse(said(&blockers).join("; ")),
        };
        let starting = groups.into_iter().map(|group| Starting {
            group,
            force,
            needs: Vec::new(),
            past: None,
        });
        self.start_all(starting.collect());
    }

    pub(super) fn start_all(&mut self, groups: Vec<Starting>) {
        if groups.is_empty() {
            return;
        }
        let running = self.footprints().len();
        let is_new = !self.runs();
        if is_new {
            self.begin_run();
        }
        let names: Vec<Name> = groups.iter().map(|one| one.group.name.clone()).collect();
        self.tell(Event::Run {
            at: Timestamp::now(),
            run: self.run.id.clone(),
            groups: names,
            memory: self.inventory.memory,
        });
        if is_new {
            self.tell_changed_rates();
        }
        let shares = shares(self.inventory.memory, running + groups.len());
        let joining = shares[running..].to_vec();
        let changes = self.pools.depths.make_room(groups.len());
        self.change_depths(changes);
        for (starting, share) in groups.into_iter().zip(joining) {
            self.begin_group(starting, share);
        }
        self.publish();
    }

    /// The first run has its name from the start of the engine.
    pub(super) fn begin_run(&mut self) {
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
        self.run.series = Arc::default();
        self.run.kept = self.run.began;
    }

    /// Whatever the engine is there for still, the run has ended.
    pub(super) fn end_run(&self) {
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

    pub(super) fn begin_group(&mut self, starting: Starting, share: u64) {
        let Starting {
            group,
            force,
            needs,
            past,
        } = starting;
        let layout = pool::layout(share, self.inventory.buffers);
        let changed = past.as_ref().and_then(Continued::rate);
        let rate = changed.unwrap_or(group.campaign.rate);
        self.caps.set(Capped::Group(group.name.clone()), rate);
        let meters = GroupMeters::new(&group, &self.caps);
        let cancel = self.agents.cancel.child_token();
        let (keep, depth) = watch::channel(layout.buffers);
        let group_index = self.groups.len();
        let targets = targets(&group, force, past.as_ref());
        let course = course(&group, &targets);
        let mut state = GroupState::new(GroupStart {
            group: group.clone(),
            course: course.clone(),
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
        let targets = self.begin_entities(&mut state, force, past.as_ref());
        if let Some(past) = &past {
            self.goes_on(&mut state, past);
        }
        // Nothing is sent to those that are activated, so nothing is sent anew either.
        let anew = force && group.extent != Extent::Activate;
        let mut presumed_installed = self.presumed_installed(&group, &targets);
        presumed_installed.retain(|known| {
            // What the run has delivered that is gone on with is as good as what this one has.
            !anew || past.as_ref().is_some_and(|past| past.run == known.run)
        });
        let together = self.agents.together.clone();
        let started = lock(&together).start(group.campaign.never_together.as_deref());
        let span = spans::group(&group.name);
        let agent = ManagementAgent {
            transport: self.transport.clone(),
            work: Assignment {
                desk: None,
                course: course.clone(),
                clock: self.clock.clone(),
                cancels: state.cancels.clone(),
                cancel,
                logins: self.logins.clone(),
                file_servers: self.inventory.file_servers.clone(),
                holders: self.holders.clone(),
                presumed_installed,
                offline_before: offline_before(&group, past.as_ref()),
                means: self.means.clone(),
                run: self.run.id.clone(),
                versions: Lookup::new(&self.inventory).versions(&group.image.type_),
                force: force && past.is_none(),
                budget: self.pools.budget.clone(),
                buffer_size: layout.buffer_size,
                depth,
                meters,
                reporter: Reporter {
                    index: group_index,
                    group: group.clone(),
                    reports: self.agents.reports.clone(),
                    course: course.clone(),
                    mates: Mates { together, started },
                },
                group,
            },
        };
        self.pools
            .depths
            .join(group_index, layout.buffers, layout.buffer_size);
        let run = match needs.is_empty() {
            true => agent.run().boxed(),
            false => {
                lock(&course).needs(needs.iter().map(ToString::to_string).collect());
                let (begin, secrets) = oneshot::channel();
                state.needs = Some(Needs { needs, begin });
                agent.run_with(secrets).boxed()
            }
        };
        self.groups.push(state);
        self.watchers.ended.push(None);
        self.agents
            .handles
            .push(self.agents.tasks.spawn(run.instrument(span)));
    }

    /// What has happened to the group in another engine belongs to this run, too.
    fn goes_on(&mut self, state: &mut GroupState, past: &Continued) {
        let changes = past.changes.iter().map(|one| (one.at, one.change.clone()));
        lock(&state.course).restore(changes);
        for ChangedBefore { at, change } in past.changes.clone() {
            let group = state.group.name.clone();
            self.tell(Event::Campaign { at, group, change });
        }
    }

    /// Skips the entities that have the image, and returns which of the others are to get it.
    fn begin_entities(
        &self,
        state: &mut GroupState,
        force: bool,
        past: Option<&Continued>,
    ) -> Vec<usize> {
        let group = state.group.clone();
        let mut targets = Vec::new();
        for (index, entity) in group.entities.iter().enumerate() {
            if let Some(ended) = past.and_then(|past| past.of(&entity.name)) {
                for mut event in Self::ended_before(&group, ended) {
                    lock(&state.course).heard(index, &event);
                    state.apply(&mut event);
                    self.tell(event);
                }
                continue;
            }
            let skipped = !force && group.has_image(entity);
            // At once, though it may be long before it is asked: this engine may be gone by then, too.
            let offline = past.filter(|_| !skipped);
            let offline = offline.and_then(|past| past.offline_since(&entity.name));
            let (now, step, cause) = match offline {
                Some(_) => {
                    let cause = OFFLINE_BEFORE.to_owned();
                    (EntityState::Offline, Some(Step::Connect), Some(cause))
                }
                None if skipped => {
                    let cause = group.has_image_in_words(entity);
                    (EntityState::Skipped, None, Some(cause))
                }
                None => (EntityState::Waiting, None, None),
            };
            let mut event = Event::State {
                at: offline.unwrap_or_else(Timestamp::now),
                group: group.name.clone(),
                entity: entity.name.clone(),
                state: now,
                step,
                cause,
                attempt: 0,
                holds: skipped.then_some(Holds::New),
                verified: None,
                runs: None,
            };
            state.apply(&mut event);
            self.tell(event);
            if !skipped {
                targets.push(index);
            }
        }
        targets
    }

    /// The targets to which an earlier run has delivered the image, as far as this host knows.
    fn presumed_installed(&self, group: &Group, targets: &[usize]) -> Vec<PresumedInstalled> {
        // What this engine has read of the image.
        let read = (self.groups.iter().rev())
            .filter(|other| other.group.image == group.image)
            .find_map(GroupState::sha256);
        let presumed = |entity: &usize| {
            let known = self.memories.of(&group.entities[*entity], &group.image)?;
            // An image that was built again under its version since is another one.
            if matches!((read, known.sha256), (Some(read), Some(known)) if read != known) {
                return None;
            }
            Some(PresumedInstalled {
                entity: *entity,
                expected: Expected {
                    size: known.size,
                    sha256: group.image.sha256.or(read).or(known.sha256),
                },
                run: known.run.clone(),
                at: known.at,
            })
        };
        targets.iter().filter_map(presumed).collect()
    }

    /// Looks at how the pools are used, and moves depth between them.
    pub(super) fn adjust(&mut self) {
        let mut usage = Vec::new();
        for (group_index, group) in self.groups.iter_mut().enumerate() {
            if !group.is_ended() {
                group.measure();
                usage.push((group_index, group.figures.usage.figures()));
            }
        }
        let now = Instant::now();
        let host = self.pools.host.sample(now);
        let changes = self.pools.depths.tick(now, host.as_ref(), &usage);
        self.change_depths(changes);
    }

    pub(super) fn change_depths(&mut self, changes: Vec<Change>) {
        for change in changes {
            let Change {
                group_index,
                from,
                to,
                reason,
            } = change;
            let Some(group) = self.groups.get_mut(group_index) else {
                continue;
            };
            group.depth.send_replace(to);
            let mut event = Event::Depth {
                at: Timestamp::now(),
                group: group.group.name.clone(),
                from,
                to,
                reason,
            };
            group.apply(&mut event);
            self.tell(event);
        }
    }
}

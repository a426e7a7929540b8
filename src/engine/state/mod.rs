//! The state of every group, and the one place where it changes: reports in, events out.

mod apply;
mod outcome;
mod samples;
mod silence;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::{GroupMeters, PassMeter, SharedCourse, lock};
use crate::caps::Kind;
use crate::model::campaign::Absence;
use crate::model::timeline::Mark;
use crate::model::{
    Bottleneck, Capped, EntityState, Group, Holds, Name, Outcome, Step, Timeline, Verified,
};
use crate::plan::Footprint;
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot, Hint};

pub(crate) use outcome::outcome;
use samples::Samples;
use silence::Silence;

use super::bottleneck::{BottleneckFinder, Finding, Progress};
use super::image_manager::Needs;
use super::rate::RateMeter;
use super::time_left::{Sending, TimeLeft};
use super::usage::{Reading, Usage};

/// One group of a run, from its start to its end and after.
pub(super) struct GroupState {
    pub(super) group: Arc<Group>,
    pub(super) course: SharedCourse,
    /// What it waits for before anything else.
    pub(super) needs: Option<Needs>,
    pub(super) meters: Arc<GroupMeters>,
    pub(super) cancel: CancellationToken,
    pub(super) cancels: Vec<CancellationToken>,
    pub(super) force: bool,
    pub(super) depth: watch::Sender<usize>,
    pub(super) buffer_size: usize,
    pub(super) entities: Vec<EntityRecord>,
    /// Where an entity stands among them.
    index: HashMap<Name, usize>,
    image: ImageRead,
    phase: GroupPhase,
    pub(super) figures: GroupFigures,
    pub(super) samples: Samples,
    started: Instant,
    seconds: Option<f64>,
}

/// What is known of the image while it is read.
#[derive(Debug)]
struct ImageRead {
    source: String,
    source_reason: Option<String>,
    size: Option<u64>,
    sha256: Option<[u8; 32]>,
    passes: u32,
    /// Passes whose sources are being read.
    reading: usize,
    /// Offset in the image up to which the leading pass has read.
    read: u64,
}

/// What is measured of a group at each tick, and what follows from it.
#[derive(Debug)]
pub(super) struct GroupFigures {
    rate: RateMeter,
    pub(super) usage: Usage,
    depth_reason: Option<String>,
    finder: BottleneckFinder,
    bottleneck: Finding,
    time_left: TimeLeft,
    seconds_left: Option<f64>,
}

/// One entity of a group.
#[derive(Debug)]
pub(super) struct EntityRecord {
    pub(super) name: Name,
    pub(super) state: EntityState,
    step: Option<Step>,
    cause: Option<String>,
    attempt: u32,
    confirmed: u64,
    staged: bool,
    verified: Verified,
    holds: Option<Holds>,
    runs: Option<String>,
    left: Option<String>,
    absence: Absence,
    again_at: Option<Timestamp>,
    hint: Option<Box<Hint>>,
    silence: Silence,
    silent_since: Option<Timestamp>,
    rate: RateMeter,
    /// Bytes of this attempt that are in the group's series.
    sampled: u64,
    past: Arc<Timeline>,
    began: Option<Instant>,
    seconds: Option<f64>,
}

/// What a group is made from when it is started.
pub(super) struct GroupStart {
    pub(super) group: Arc<Group>,
    pub(super) course: SharedCourse,
    pub(super) meters: Arc<GroupMeters>,
    pub(super) cancel: CancellationToken,
    pub(super) force: bool,
    pub(super) depth: watch::Sender<usize>,
    pub(super) buffer_size: usize,
}

impl GroupState {
    pub(super) fn new(start: GroupStart) -> Self {
        let GroupStart {
            group,
            course,
            meters,
            cancel,
            force,
            depth,
            buffer_size,
        } = start;
        let entities = group
            .entities
            .iter()
            .map(|entity| EntityRecord::new(&entity.name))
            .collect();
        let index = (group.entities.iter().enumerate())
            .map(|(at, entity)| (entity.name.clone(), at))
            .collect();
        let cancels = group
            .entities
            .iter()
            .map(|_| cancel.child_token())
            .collect();
        Self {
            image: ImageRead {
                source: group.source.label(),
                source_reason: None,
                size: None,
                sha256: None,
                passes: 0,
                reading: 0,
                read: 0,
            },
            group,
            course,
            needs: None,
            meters,
            cancel,
            cancels,
            force,
            depth,
            buffer_size,
            entities,
            index,
            phase: GroupPhase::Starting,
            figures: GroupFigures {
                rate: RateMeter::new(Instant::now()),
                usage: Usage::default(),
                depth_reason: None,
                finder: BottleneckFinder::default(),
                bottleneck: Finding::None,
                time_left: TimeLeft::default(),
                seconds_left: None,
            },
            samples: Samples::new(Instant::now()),
            started: Instant::now(),
            seconds: None,
        }
    }

    /// What the group still does: entities that have a final state are left out, for nothing
    /// touches them any more and another group may have them.
    pub(super) fn footprint(&self) -> Footprint {
        let unfinished = (self.group.entities.iter().zip(&self.entities))
            .filter(|(_, record)| !record.state.is_final())
            .map(|(entity, _)| entity);
        Footprint::of(&self.group, unfinished, self.force)
    }

    /// The entities that the group writes, or is about to.
    pub(super) fn written(&self) -> impl Iterator<Item = Name> {
        let unfinished = self.entities.iter().filter(|one| !one.state.is_final());
        unfinished.map(|one| one.name.clone())
    }

    /// Of the image, once it was read to its end.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        self.image.sha256
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.phase, GroupPhase::Ended(_))
    }

    /// Whether anything is done on an entity, or read for one.
    pub(super) fn is_under_way(&self) -> bool {
        self.image.reading > 0 || self.entities.iter().any(|one| is_active(one.state))
    }

    pub(super) fn outcome(&self) -> Outcome {
        let states = self.entities.iter().map(|record| record.state);
        outcome(states, self.cancel.is_cancelled())
    }

    pub(super) fn seconds(&self) -> f64 {
        self.seconds
            .unwrap_or_else(|| self.started.elapsed().as_secs_f64())
    }

    /// Reads the counters of the group's agents: at every tick, and only then, because what follows
    /// from them is about the time in between.
    pub(super) fn measure(&mut self) {
        let reading = Reading::take(&self.meters);
        self.figures.usage.sample(&reading);
        self.find_read();
        let progress: Vec<Progress> = (self.entities.iter().zip(&self.meters.entities))
            .map(|(record, meter)| Progress {
                is_active: is_active(record.state),
                sent: meter.sent(),
            })
            .collect();
        self.figures.bottleneck =
            self.figures
                .finder
                .sample(reading.at, self.figures.usage.figures(), &progress);
        let sending: Vec<Sending> = (self.entities.iter().zip(&progress))
            .map(|(record, progress)| Sending {
                sent: progress.sent,
                sends: record.state.is_sending(),
                catches_up: record.state == EntityState::CatchingUp,
                is_to_come: matches!(
                    record.state,
                    EntityState::Waiting
                        | EntityState::Connecting
                        | EntityState::Preparing
                        | EntityState::Retrying
                ),
            })
            .collect();
        let rate = self.holds_it().map(|(_, rate)| rate);
        self.figures.seconds_left = self.figures.time_left.sample(
            reading.at,
            self.image.size,
            self.image.read,
            &sending,
            (self.figures.bottleneck, rate),
        );
    }

    fn find_read(&mut self) {
        let passes = self.meters.passes();
        // The one that is furthest behind is the last to end, and the first is what most entities
        // read from: until it was read to its end it stands for the group.
        let leading = (passes.iter().find(|pass| !pool_ended(pass))).or(passes.first());
        if let Some(pass) = leading {
            self.image.read = pass.origin + pass.counters.read.load(Ordering::Relaxed);
        }
    }

    /// How the group stands now. Takes the time since the last look for rates, and for the series.
    pub(super) fn snapshot(&mut self) -> GroupSnapshot {
        self.find_read();
        let passes = self.meters.passes();
        let used: usize = passes.iter().map(|pass| pass.pool.stats().used).sum();
        self.sample(used);
        let course = lock(&self.course);
        let entities: Vec<EntitySnapshot> = (self.entities.iter_mut())
            .zip(&self.meters.entities)
            .enumerate()
            .map(|(place, (record, meter))| EntitySnapshot {
                wave: course.wave_of(place),
                ..record.snapshot(meter.sent(), meter.lag())
            })
            .collect();
        let (bottleneck, time_left) = match self.phase {
            GroupPhase::Ended(_) => (Bottleneck::None, None),
            _ => (self.bottleneck(), self.figures.seconds_left),
        };
        let source_bytes = self.meters.source_bytes.load(Ordering::Relaxed);
        let depth = *self.depth.borrow();
        let rate = self.figures.rate.sample(Instant::now(), source_bytes);
        GroupSnapshot {
            group: self.group.name.clone(),
            image: self.group.image.name.clone(),
            version: self.group.image.version.clone(),
            source: self.image.source.clone(),
            source_reason: self.image.source_reason.clone(),
            phase: self.phase,
            laggards: self.group.laggards,
            size: self.image.size,
            sha256: self.image.sha256.map(hex::encode),
            read: self.image.read,
            source_bytes,
            passes: self.image.passes,
            rate: if self.phase == GroupPhase::Transferring {
                rate
            } else {
                0.0
            },
            depth,
            depth_reason: self.figures.depth_reason.clone(),
            used,
            buffer_size: self.buffer_size as u64,
            bottleneck,
            time_left,
            seconds: self.seconds(),
            campaign: course.snapshot().map(Box::new),
            entities,
            series: self.samples.series(),
        }
    }
}

impl GroupState {
    fn bottleneck(&self) -> Bottleneck {
        match self.figures.bottleneck {
            Finding::Source => Bottleneck::Source,
            Finding::Memory => Bottleneck::Memory,
            Finding::None => Bottleneck::None,
            Finding::Capped(..) | Finding::GroupCap | Finding::SourceCap => {
                (self.holds_it().map(|(on, _)| on)).map_or(Bottleneck::None, Bottleneck::Cap)
            }
            // One that has come to its end since then is not waited for.
            Finding::Entity(entity_index) => (self.entities.get(entity_index))
                .filter(|record| is_active(record.state))
                .map_or(Bottleneck::None, |record| {
                    Bottleneck::Entity(record.name.clone())
                }),
        }
    }
}

impl GroupState {
    /// The cap that holds it up, and its bytes a second.
    fn holds_it(&self) -> Option<(Capped, u64)> {
        let caps = &self.meters.caps;
        let on = match self.figures.bottleneck {
            Finding::GroupCap => caps.of_group(),
            Finding::SourceCap => Capped::FileServer(self.image.source.as_str().into()),
            Finding::Capped(entity, Kind::Label) => caps.label_of(entity)?,
            Finding::Capped(entity, _) => Capped::Entity(self.entities.get(entity)?.name.clone()),
            _ => return None,
        };
        let rate = caps.rate(&on)?;
        Some((on, rate))
    }
}

impl EntityRecord {
    fn new(name: &Name) -> Self {
        let mut past = Timeline::default();
        past.enter(Mark {
            at: 0,
            state: EntityState::Waiting,
            attempt: 0,
            sent: 0,
            cause: None,
        });
        Self {
            name: name.clone(),
            state: EntityState::Waiting,
            step: None,
            cause: None,
            attempt: 0,
            confirmed: 0,
            staged: false,
            verified: Verified::None,
            holds: None,
            runs: None,
            left: None,
            absence: Absence::default(),
            again_at: None,
            hint: None,
            silence: Silence::default(),
            silent_since: None,
            rate: RateMeter::new(Instant::now()),
            sampled: 0,
            past: Arc::new(past),
            began: None,
            seconds: None,
        }
    }

    fn enter(
        &mut self,
        at: Timestamp,
        (state, step): (EntityState, Option<Step>),
        cause: Option<String>,
        attempt: u32,
    ) {
        self.absence.saw(at, state);
        (self.again_at, self.hint) = (None, None);
        (self.state, self.step, self.cause, self.attempt) = (state, step, cause, attempt);
        if state != EntityState::Waiting && self.began.is_none() {
            self.began = Some(Instant::now());
        }
        if state.is_final() {
            self.seconds = self.began.map(|began| began.elapsed().as_secs_f64());
        }
    }

    fn snapshot(&mut self, sent: u64, lag: u64) -> EntitySnapshot {
        let running = self.began.map(|began| began.elapsed().as_secs_f64());
        let now = Instant::now();
        let rate = self.rate.sample(now, sent);
        // One that fetches and has not begun has its own time for that.
        let is_due = lag > 0 && self.state.takes_bytes();
        let is_due = is_due && (sent > 0 || self.state.is_sending());
        let silent = self.silence.lasts(now, is_due.then_some(sent));
        // Taken down once: a time that moves by itself would be sent again with every snapshot.
        self.silent_since =
            silent.and_then(|lasts| self.silent_since.or_else(|| before_now(lasts)));
        EntitySnapshot {
            entity: self.name.clone(),
            state: self.state,
            step: self.step,
            cause: self.cause.clone(),
            attempt: self.attempt,
            sent,
            confirmed: self.confirmed,
            lag,
            rate: if self.state.takes_bytes() { rate } else { 0.0 },
            seconds: self.seconds.or(running).unwrap_or(0.0),
            staged: self.staged,
            verified: self.verified,
            holds: self.holds,
            runs: self.runs.clone(),
            left: self.left.clone(),
            offline_since: match self.state {
                EntityState::Offline => self.absence.since(),
                _ => None,
            },
            silent_since: self.silent_since,
            again_at: self.again_at,
            hint: self.hint.clone(),
            wave: None,
            past: self.past.clone(),
        }
    }
}

/// That long ago.
fn before_now(lasts: Duration) -> Option<Timestamp> {
    let lasts = SignedDuration::try_from(lasts).ok()?;
    Timestamp::now().checked_sub(lasts).ok()
}

/// Whether anything is done on it now, so that others may wait for it.
fn is_active(state: EntityState) -> bool {
    !state.is_final() && !matches!(state, EntityState::Waiting | EntityState::Offline)
}

fn pool_ended(pass: &PassMeter) -> bool {
    pass.pool.stats().ended
}

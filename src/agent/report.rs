//! What agents report: state changes as messages, progress as counters that are read when wanted.
//!
//! A message is never lost; a counter costs nothing to raise, however many blocks pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::campaign::{Answer, Course, SharedTogether, Started};
use crate::caps::{Caps, GroupCaps, HeldMeter};
use crate::model::advice::advice;
use crate::model::{EntityState, Failure, Group, Holds, Name, Step, Verified};
use crate::pool::ReaderMeter;
use crate::protocol::{Event, Hint};

use super::Pool;

/// A message about one group, by its index.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) group: usize,
    pub(crate) kind: ReportKind,
}

/// What happened is an event, as the journal and watchers get it; the rest is for the manager alone.
#[derive(Debug)]
pub(crate) enum ReportKind {
    Event(Event),
    /// A file is open on the entity: under its staging name, or directly under its final one.
    Opened {
        entity: usize,
        staged: bool,
    },
    /// It is tried again then.
    Again {
        entity: usize,
        at: Timestamp,
    },
    /// What can be done about why it failed, or is tried again.
    Hint {
        entity: usize,
        hint: Hint,
    },
    /// The source has reported how large the image is.
    Size(u64),
    /// No task of this group runs any more.
    Ended,
}

/// Who of a group may begin. The lock is held for a decision alone.
pub(crate) type SharedCourse = Arc<Mutex<Course>>;

/// The way of one group's reports. Agents name entities by their index in the group.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    pub(crate) index: usize,
    pub(crate) group: Arc<Group>,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
    /// Learns where each entity is before anybody else does.
    pub(crate) course: SharedCourse,
    pub(crate) mates: Mates,
}

/// What keeps an entity back while others are under way, and when its group was started.
#[derive(Debug, Clone)]
pub(crate) struct Mates {
    pub(crate) together: SharedTogether,
    pub(crate) started: Started,
}

impl Reporter {
    /// A manager that is gone has no use for reports.
    fn send(&self, kind: ReportKind) {
        let _ = self.reports.send(Report {
            group: self.index,
            kind,
        });
    }

    fn event(&self, event: Event) {
        self.send(ReportKind::Event(event));
    }

    fn name(&self, entity: usize) -> Name {
        let known = self.group.entities.get(entity);
        known.map_or_else(|| "?".into(), |entity| entity.name.clone())
    }

    pub(crate) fn ended(&self) {
        self.send(ReportKind::Ended);
    }

    pub(crate) fn opened(&self, entity: usize, staged: bool) {
        self.send(ReportKind::Opened { entity, staged });
    }

    /// After `wait` it is tried again. Follows the report that it waits for that.
    pub(crate) fn again(&self, entity: usize, wait: Duration) {
        let wait = jiff::SignedDuration::try_from(wait).unwrap_or_default();
        let at = Timestamp::now().saturating_add(wait);
        if let Ok(at) = at {
            self.send(ReportKind::Again { entity, at });
        }
    }

    /// What can be done about a failure. Follows the report of the state that it led to.
    pub(crate) fn hint(&self, entity: usize, failure: &Failure) {
        let hint = Hint {
            may_pass: failure.is_transient(),
            advice: advice(failure).map(str::to_owned),
        };
        self.send(ReportKind::Hint { entity, hint });
    }

    pub(crate) fn size(&self, size: u64) {
        self.send(ReportKind::Size(size));
    }

    pub(crate) fn state(&self, entity: usize, state: EntityState, step: Step, attempt: u32) {
        self.became(entity, (state, Some(step)), None, attempt, None);
    }

    /// With why, and with what the entity holds now, where that is known; of final states alone.
    pub(crate) fn became(
        &self,
        entity: usize,
        (state, step): (EntityState, Option<Step>),
        cause: Option<String>,
        attempt: u32,
        holds: Option<Holds>,
    ) {
        self.state_of(entity, (state, step), (cause, None), attempt, holds);
    }

    /// It was found to be offline by an earlier engine, and is waited for from here on.
    pub(crate) fn is_offline(&self, entity: usize) {
        lock(&self.course).became(entity, EntityState::Offline);
        self.tell_mates(entity, EntityState::Offline, None);
    }

    /// The same of a device that was asked what it runs.
    pub(crate) fn arrived(
        &self,
        entity: usize,
        became: (EntityState, Option<Step>),
        said: (Option<String>, Option<String>),
        attempt: u32,
        holds: Holds,
    ) {
        self.state_of(entity, became, said, attempt, Some(holds));
    }

    fn state_of(
        &self,
        entity: usize,
        (state, step): (EntityState, Option<Step>),
        (cause, runs): (Option<String>, Option<String>),
        attempt: u32,
        holds: Option<Holds>,
    ) {
        lock(&self.course).became(entity, state);
        self.event(Event::State {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            entity: self.name(entity),
            state,
            step,
            cause,
            attempt,
            holds,
            // The manager knows it.
            verified: None,
            runs,
        });
        // Nobody is seen to begin before it is said that this one has ended.
        self.tell_mates(entity, state, holds);
    }

    fn tell_mates(&self, entity: usize, state: EntityState, holds: Option<Holds>) {
        if let Some(known) = self.group.entities.get(entity) {
            lock(&self.mates.together).became(&known.name, state, holds);
        }
    }

    /// Whether an entity may begin beside those that are under way; then it is taken.
    pub(crate) fn take(&self, entity: usize) -> Answer {
        let known = self.group.entities.get(entity);
        known.map_or(Answer::Begins, |known| {
            lock(&self.mates.together).take(self.mates.started, known)
        })
    }

    /// What has changed about who may begin.
    pub(crate) fn campaign(&self) {
        report_changes(&self.reports, (self.index, &self.group.name), &self.course);
    }

    /// The entity holds the whole image under its final name. Followed by its state.
    pub(crate) fn stored(&self, entity: usize, bytes: u64, verified: Verified) {
        lock(&self.course).stored(entity, verified);
        self.event(Event::Stored {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            entity: self.name(entity),
            bytes,
            verified,
        });
    }

    /// Files could not be removed.
    pub(crate) fn left(&self, entity: usize, path: String) {
        self.event(Event::Left {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            entity: self.name(entity),
            path,
        });
    }

    /// A pass began; with `read`, its source was read to its end and closed.
    pub(crate) fn pass(
        &self,
        pass: u32,
        source: String,
        offset: u64,
        entities: &[usize],
        read: Option<u64>,
    ) {
        self.event(Event::Pass {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            pass,
            source,
            offset,
            entities: entities.iter().map(|&entity| self.name(entity)).collect(),
            read,
        });
    }

    /// The source of a pass failed, and another one goes on from the same byte.
    pub(crate) fn source(&self, pass: u32, source: String, offset: u64, cause: String) {
        self.event(Event::Source {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            pass,
            source,
            offset,
            cause,
        });
    }

    /// A pass reads a peer, and nothing is known that its bytes could be compared with.
    pub(crate) fn unproven(&self, pass: u32, source: &str) {
        let group = &self.group.name;
        let text = format!(
            "{group}: pass {pass} reads {source}, and nothing proves that it holds the image: give the \
             image's `sha256` in the inventory, or read a file server"
        );
        let at = Timestamp::now();
        self.event(Event::Notice { at, text });
    }

    /// The image was read to its end.
    pub(crate) fn image(&self, sha256: [u8; 32]) {
        self.event(Event::Image {
            at: Timestamp::now(),
            group: self.group.name.clone(),
            // The manager knows it.
            size: None,
            sha256: hex::encode(sha256),
        });
    }
}

/// Reports what has changed about which entities may begin. The agent of a group does, and the manager at once after an
/// order: that is written down before it is shown. The lock keeps what comes from both in the order in which it happened.
pub(crate) fn report_changes(
    reports: &mpsc::UnboundedSender<Report>,
    (group, name): (usize, &Name),
    course: &SharedCourse,
) {
    let mut course = lock(course);
    for (at, change) in course.changes() {
        let event = Event::Campaign {
            at,
            group: name.clone(),
            change,
        };
        // A manager that is gone has no use for it.
        let _ = reports.send(Report {
            group,
            kind: ReportKind::Event(event),
        });
    }
}

/// The counters of one entity.
#[derive(Debug, Default)]
pub(crate) struct EntityMeter {
    sent: AtomicU64,
    /// Its waits at caps.
    pub(crate) held: Arc<HeldMeter>,
    /// The pass that it reads from, and how it does, while it reads from one.
    reader: Mutex<Option<(u32, ReaderMeter)>>,
    /// That it was made to fetch, and has asked for nothing yet.
    pub(crate) gathers: Gathers,
}

/// How long a device has been on its way to ask for its image, which the others wait for.
#[derive(Debug, Default)]
pub(crate) struct Gathers(Mutex<(Option<Instant>, Duration)>);

impl Gathers {
    pub(crate) fn begins(&self) {
        lock(&self.0).0 = Some(Instant::now());
    }

    pub(crate) fn ends(&self) {
        let mut state = lock(&self.0);
        let (since, before) = *state;
        let since = since.map_or(Duration::ZERO, |since| since.elapsed());
        *state = (None, before + since);
    }

    /// In all, up to `most` at a time.
    pub(crate) fn time(&self, most: Duration) -> Duration {
        let (since, before) = *lock(&self.0);
        before + since.map_or(Duration::ZERO, |since| since.elapsed().min(most))
    }
}

impl EntityMeter {
    /// An attempt begins, from byte 0.
    pub(crate) fn begin(&self) {
        self.sent.store(0, Ordering::Relaxed);
    }

    pub(crate) fn joins(&self, pass: u32, reader: ReaderMeter) {
        *lock(&self.reader) = Some((pass, reader));
    }

    pub(crate) fn leaves(&self) {
        *lock(&self.reader) = None;
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes sent in this attempt.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The number of the pass that it reads from, and how it does.
    pub(crate) fn reader(&self) -> Option<(u32, ReaderMeter)> {
        lock(&self.reader).clone()
    }

    /// Blocks behind the newest one; 0 while it reads from no pool.
    pub(crate) fn lag(&self) -> u64 {
        lock(&self.reader)
            .as_ref()
            .map_or(0, |(_, reader)| reader.lag())
    }
}

/// One pass that runs, or whose pool is still being emptied.
#[derive(Debug, Clone)]
pub(crate) struct PassMeter {
    pub(crate) pass: u32,
    /// Offset in the image of the pool's first block.
    pub(crate) origin: u64,
    pub(crate) pool: Pool,
    pub(crate) counters: Arc<PassCounters>,
}

/// What the transfer agent of a pass counts.
#[derive(Debug, Default)]
pub(crate) struct PassCounters {
    /// Bytes read so far.
    pub(crate) read: AtomicU64,
    /// Its waits at the cap of its source.
    pub(crate) held: Arc<HeldMeter>,
}

/// The counters of one group, and the caps that hold up what is counted.
#[derive(Debug)]
pub(crate) struct GroupMeters {
    /// Bytes read by all passes.
    pub(crate) source_bytes: AtomicU64,
    pub(crate) entities: Vec<EntityMeter>,
    pub(crate) caps: Arc<GroupCaps>,
    /// In the order in which they began.
    passes: Mutex<Vec<PassMeter>>,
}

impl GroupMeters {
    pub(crate) fn new(group: &Arc<Group>, caps: &Arc<Caps>) -> Arc<Self> {
        let entities = group.entities.iter();
        Arc::new(Self {
            source_bytes: AtomicU64::new(0),
            entities: entities.map(|_| EntityMeter::default()).collect(),
            caps: GroupCaps::new(caps.clone(), group.clone()),
            passes: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn begin_pass(&self, pass: PassMeter) {
        lock(&self.passes).push(pass);
    }

    pub(crate) fn end_pass(&self, pass: u32) {
        lock(&self.passes).retain(|running| running.pass != pass);
    }

    /// The passes that run, the oldest first.
    pub(crate) fn passes(&self) -> Vec<PassMeter> {
        lock(&self.passes).clone()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! How figures went over the whole of a run, in a bounded number of points: what plots are drawn from.
//!
//! Time is divided into slots of one length, and a point is what happened in one of them. When there are too many points,
//! slots become twice as long and those that fall into one are merged: bytes are added, so that none are lost and a rate is
//! the mean over its time; of what was filled the most is kept, of counts the latest. Nothing depends on anything but the
//! samples and their times, so two that were given the same ones are equal. Slots in which nothing was sampled have no point.
//!
//! Pure: the time that comes with a sample is the time since the series began, by a clock that never goes back.

mod change;
pub(crate) mod scale;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use change::Change;

use super::state::{EntityState, Standing};

/// Points at most.
pub const MOST: usize = 240;
/// The length of a slot at first.
const SHORTEST: u64 = 1000;

/// How an entity counts in a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Waiting,
    UnderWay,
    Failed,
    /// Delivered, and nobody has looked at the content.
    Unproven,
    /// Delivered or upgraded, with proof.
    Proven,
    /// It had the image before.
    Skipped,
}

impl Class {
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::UnderWay,
        Self::Failed,
        Self::Unproven,
        Self::Proven,
        Self::Skipped,
    ];

    pub fn of(standing: Standing) -> Self {
        use EntityState as S;
        match standing {
            Standing::Unproven => Self::Unproven,
            Standing::In(S::Waiting | S::Offline) => Self::Waiting,
            Standing::In(S::Delivered | S::Upgraded) => Self::Proven,
            Standing::In(S::Skipped) => Self::Skipped,
            Standing::In(S::Failed | S::RolledBack | S::Cancelled) => Self::Failed,
            Standing::In(_) => Self::UnderWay,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::UnderWay => "under way",
            Self::Failed => "failed",
            Self::Unproven => "unproven",
            Self::Proven => "proven",
            Self::Skipped => "skipped",
        }
    }
}

/// Entities by their class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts([u32; Class::ALL.len()]);

impl Counts {
    pub fn of(standings: impl Iterator<Item = Standing>) -> Self {
        let mut counts = Self::default();
        for standing in standings {
            let count = &mut counts.0[Class::of(standing) as usize];
            *count = count.saturating_add(1);
        }
        counts
    }

    pub fn get(self, class: Class) -> u32 {
        self.0[class as usize]
    }

    pub fn all(self) -> u32 {
        self.0
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub fn add(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }
}

/// One look at what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Bytes that came from sources since the sample before, and bytes that entities took.
    pub read: u64,
    pub delivered: u64,
    /// Bytes that the pools' filled buffers hold, and that all of their buffers could.
    pub filled: u64,
    pub depth: u64,
    pub counts: Counts,
}

impl Sample {
    /// With what another group has at the same time.
    pub fn add(&mut self, other: Self) {
        self.read = self.read.saturating_add(other.read);
        self.delivered = self.delivered.saturating_add(other.delivered);
        self.filled = self.filled.saturating_add(other.filled);
        self.depth = self.depth.saturating_add(other.depth);
        self.counts.add(other.counts);
    }
}

/// What happened in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Flat", into = "Flat")]
pub struct Point {
    /// Its number, from 0 at the beginning of the series.
    pub slot: u64,
    pub read: u64,
    pub delivered: u64,
    /// The most in this slot.
    pub filled: u64,
    pub depth: u64,
    /// At the end of it.
    pub counts: Counts,
}

/// A point without the names of its fields: there are many.
type Flat = (u64, u64, u64, u64, u64, Counts);

impl From<Flat> for Point {
    fn from((slot, read, delivered, filled, depth, counts): Flat) -> Self {
        Self {
            slot,
            read,
            delivered,
            filled,
            depth,
            counts,
        }
    }
}

impl From<Point> for Flat {
    fn from(point: Point) -> Self {
        let Point {
            slot,
            read,
            delivered,
            filled,
            depth,
            counts,
        } = point;
        (slot, read, delivered, filled, depth, counts)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Milliseconds of a slot.
    interval: u64,
    /// Of the newest sample, in milliseconds.
    until: u64,
    /// Slots rise.
    points: Vec<Point>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            interval: SHORTEST,
            until: 0,
            points: Vec::new(),
        }
    }
}

impl Series {
    /// Takes a sample. A time before the one of the sample before counts as that one.
    pub fn push(&mut self, at: Duration, sample: &Sample) {
        let from = self.until;
        self.until = u64::try_from(at.as_millis()).unwrap_or(u64::MAX).max(from);
        let slot = self.until / self.interval;
        let (mut read, mut delivered) = (sample.read, sample.delivered);
        match self.points.last_mut() {
            Some(newest) if newest.slot == slot => {}
            before => {
                // What came since the sample before came in the slot before too, in proportion.
                if let Some(before) = before.filter(|before| before.slot + 1 == slot) {
                    let ended = slot * self.interval;
                    let part = (ended.saturating_sub(from), self.until - from);
                    for (bytes, of_before) in [
                        (&mut read, &mut before.read),
                        (&mut delivered, &mut before.delivered),
                    ] {
                        let share = share(*bytes, part);
                        *bytes -= share;
                        *of_before = of_before.saturating_add(share);
                    }
                }
                self.points.push(Point {
                    slot,
                    read: 0,
                    delivered: 0,
                    filled: 0,
                    depth: 0,
                    counts: sample.counts,
                });
            }
        }
        if let Some(newest) = self.points.last_mut() {
            newest.read = newest.read.saturating_add(read);
            newest.delivered = newest.delivered.saturating_add(delivered);
            newest.filled = newest.filled.max(sample.filled);
            newest.depth = newest.depth.max(sample.depth);
            newest.counts = sample.counts;
        }
        while self.points.len() > MOST {
            self.thin();
        }
    }

    /// Slots become twice as long.
    fn thin(&mut self) {
        self.interval = self.interval.saturating_mul(2);
        for point in &mut self.points {
            point.slot /= 2;
        }
        self.points.dedup_by(|later, kept| {
            let is_same = later.slot == kept.slot;
            if is_same {
                kept.read = kept.read.saturating_add(later.read);
                kept.delivered = kept.delivered.saturating_add(later.delivered);
                kept.filled = kept.filled.max(later.filled);
                kept.depth = kept.depth.max(later.depth);
                kept.counts = later.counts;
            }
            is_same
        });
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub fn newest(&self) -> Option<&Point> {
        self.points.last()
    }

    /// The length of a slot.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }

    /// When the newest sample was taken.
    pub fn until(&self) -> Duration {
        Duration::from_millis(self.until)
    }

    /// When a point begins, and when it ends: the newest one has not ended yet.
    pub fn span(&self, point: &Point) -> (Duration, Duration) {
        let begins = point.slot.saturating_mul(self.interval);
        let ends = begins.saturating_add(self.interval).min(self.until);
        let [begins, ends] = [begins, ends.max(begins)].map(Duration::from_millis);
        (begins, ends)
    }
}

/// `part.0` of `part.1` of them.
fn share(bytes: u64, part: (u64, u64)) -> u64 {
    let whole = u128::from(part.1.max(1));
    let share = u128::from(bytes) * u128::from(part.0.min(part.1)) / whole;
    u64::try_from(share).unwrap_or(bytes)
}

//! When entities that can't be reached are asked again, and when that is over. Pure: the time comes from outside,
//! and is that of a clock which never jumps.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::model::campaign::Offline;
use crate::model::units;

/// Whatever is written, nobody is asked more often.
const SHORTEST: Duration = Duration::from_millis(100);

/// For one that answers, and has to wait for something else.
const SOON: Duration = Duration::from_secs(1);

/// Where one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Until(Instant),
    /// It is being asked.
    Asked,
    /// It has answered, and whether it can really be reached is seen by what is done on it now: this time is not
    /// one of waiting.
    Answers,
}

#[derive(Debug)]
struct Absence {
    phase: Phase,
    /// Since when the time counts, and what came before that.
    since: Instant,
    before: Duration,
    /// How often it was asked.
    asked: u32,
    interval: Duration,
}

impl Absence {
    fn waited(&self, now: Instant) -> Duration {
        let now = match self.phase {
            Phase::Answers => Duration::ZERO,
            Phase::Until(_) | Phase::Asked => now.saturating_duration_since(self.since),
        };
        self.before.saturating_add(now)
    }
}

/// What comes of one that was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// It is asked after this time, and was asked so often by now.
    Waits { next: Duration, asked: u32 },
    /// It was waited for so long, and was asked so often.
    Over { waited: Duration, asked: u32 },
}

impl Missed {
    /// The end of a sentence that says why it was not reached.
    pub(super) fn words(self) -> String {
        let times = |asked| match asked {
            1 => "once".to_owned(),
            asked => format!("{asked} times"),
        };
        match self {
            Self::Waits { asked: 0, .. } => String::new(),
            Self::Waits { asked, .. } => format!("asked {} since then", times(asked)),
            Self::Over { waited, asked } => format!(
                "it was waited for as long as it may be: {}, and asked {} meanwhile",
                units::long(waited),
                times(asked)
            ),
        }
    }
}

/// The entities of a group that can't be reached.
#[derive(Debug)]
pub(super) struct Roll {
    at_most: Duration,
    first: Duration,
    all: BTreeMap<usize, Absence>,
    /// How long an earlier engine has waited.
    before: HashMap<usize, Duration>,
    chance: u64,
}

impl Roll {
    /// `None`: nobody is waited for. `chance`: any number; devices that went together are not asked together.
    pub(super) fn new(offline: Offline, chance: u64) -> Option<Self> {
        let Offline::Wait { at_most, first } = offline else {
            return None;
        };
        Some(Self {
            at_most,
            first: first.clamp(SHORTEST, Offline::LONGEST),
            all: BTreeMap::new(),
            before: HashMap::new(),
            chance,
        })
    }

    /// One that an earlier engine has waited for so long. It is asked at once.
    pub(super) fn expect(&mut self, entity: usize, waited: Duration, now: Instant) {
        self.before.insert(entity, waited);
        let absence = Absence {
            phase: Phase::Until(now),
            ..self.absence(entity, now)
        };
        self.all.insert(entity, absence);
    }

    fn absence(&self, entity: usize, now: Instant) -> Absence {
        Absence {
            phase: Phase::Asked,
            since: now,
            before: self.before.get(&entity).copied().unwrap_or_default(),
            asked: 0,
            interval: self.first,
        }
    }

    /// It was not reached: by what was to be done on it, or when it was asked.
    pub(super) fn missed(&mut self, entity: usize, now: Instant) -> Missed {
        let is_new = !self.all.contains_key(&entity);
        let new = self.absence(entity, now);
        let at_most = self.at_most;
        let chance = self.chance();
        let one = self.all.entry(entity).or_insert(new);
        if one.phase == Phase::Answers {
            one.since = now;
        }
        if !is_new {
            one.asked = one.asked.saturating_add(1);
        }
        one.phase = Phase::Asked;
        let (waited, asked) = (one.waited(now), one.asked);
        let left = at_most.saturating_sub(waited);
        if left.is_zero() {
            self.all.remove(&entity);
            return Missed::Over { waited, asked };
        }
        // The last one is when the time is over.
        let next = spread(one.interval, chance).min(left);
        one.interval = one.interval.saturating_mul(2).min(Offline::LONGEST);
        // Half a day at most: every clock goes that far.
        one.phase = Phase::Until(now.checked_add(next).unwrap_or(now));
        Missed::Waits { next, asked }
    }

    /// Those that are to be asked now, which are taken for being asked.
    pub(super) fn due(&mut self, now: Instant) -> Vec<usize> {
        let mut due = Vec::new();
        for (entity, one) in &mut self.all {
            if matches!(one.phase, Phase::Until(from) if from <= now) {
                one.phase = Phase::Asked;
                due.push(*entity);
            }
        }
        due
    }

    /// When the next one is due; `None`: not before one that is asked has answered, or nobody is waited for.
    pub(super) fn next(&self) -> Option<Instant> {
        let until = |one: &Absence| match one.phase {
            Phase::Until(from) => Some(from),
            Phase::Asked | Phase::Answers => None,
        };
        self.all.values().filter_map(until).min()
    }

    /// Somebody has answered at its address.
    pub(super) fn answered(&mut self, entity: usize, now: Instant) {
        if let Some(one) = self.all.get_mut(&entity) {
            one.before = one.waited(now);
            one.phase = Phase::Answers;
        }
    }

    /// Somebody has answered, and nothing can be done now: it is asked again soon.
    pub(super) fn postpone(&mut self, entity: usize, now: Instant) {
        if let Some(one) = self.all.get_mut(&entity) {
            one.phase = Phase::Until(now + SOON);
        }
    }

    /// It was really reached, or nobody waits for it any more.
    pub(super) fn strike(&mut self, entity: usize) {
        self.all.remove(&entity);
        self.before.remove(&entity);
    }

    /// Whether it was not really reached since it was missed.
    pub(super) fn has(&self, entity: usize) -> bool {
        self.all.contains_key(&entity)
    }

    /// As [`Self::has`], and nothing is done on it.
    pub(super) fn waits(&self, entity: usize) -> bool {
        let of = self.all.get(&entity);
        of.is_some_and(|one| one.phase != Phase::Answers)
    }

    /// Whether nobody is waited for.
    pub(super) fn is_empty(&self) -> bool {
        let mut all = self.all.values();
        all.all(|one| one.phase == Phase::Answers)
    }

    /// The next number (SplitMix64).
    fn chance(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Up to an eighth less.
fn spread(interval: Duration, chance: u64) -> Duration {
    let less = interval / 8;
    let part = u32::try_from(chance >> 40).unwrap_or(0);
    interval.saturating_sub(less.mul_f64(f64::from(part) / f64::from(1_u32 << 24)))
}

#[cfg(test)]
mod tests;

//! When the waves of a group may begin, and what of it fits into its window, as far as that is known before a start:
//! how fast entities are is assumed.

mod words;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::campaign::{ASSUMED_RATE, Calendar, Hours, takes, waves};
use crate::model::{Entity, Group};

use super::PlannedGroup;
use super::blocker::Finding;

pub use words::Row;

/// Windows that are looked ahead at most; a group that needs more is said to need more.
const MOST_WINDOWS: usize = 400;
/// Days ahead for which it is said what the change of clocks does to the window.
const DAYS_AHEAD: u32 = 14;

/// How a group would be gone through.
#[derive(Debug, Clone)]
pub struct Schedule {
    group: Arc<Group>,
    /// One where the group has no waves.
    pub waves: Vec<PlannedWave>,
    /// What one entity takes, as far as is known.
    pub pace: Pace,
    /// Entities that fit into one window, where there is one.
    pub fits: Option<usize>,
    /// Windows that all of them take, at that rate; `None` where it never comes to an end.
    pub windows: Option<usize>,
    pub notes: Vec<Finding>,
}

#[derive(Debug, Clone)]
pub struct PlannedWave {
    /// In the order in which they begin.
    pub entities: Vec<Arc<Entity>>,
    /// Not before, at the assumed rate, and if nothing goes wrong. `None`: never.
    pub begins: Option<Timestamp>,
}

/// How fast entities are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// One.
    pub one: Duration,
    /// Bytes of the image, where they are known and are sent at these times.
    pub size: Option<u64>,
    /// Bytes a second that all of them share.
    pub rate: Option<u64>,
    /// At a time.
    pub parallel: Option<usize>,
    /// Bytes a second to one entity that were assumed; `None` where the operator says how long one takes.
    pub assumed: Option<u64>,
}

impl Pace {
    fn of(group: &Group) -> Self {
        let campaign = &group.campaign;
        let sends = !campaign.window_is_for_activation;
        Self {
            one: takes(group),
            size: group.image.size.filter(|_| sends),
            rate: campaign.rate.filter(|rate| sends && *rate > 0),
            parallel: group.parallel.filter(|_| sends),
            assumed: (campaign.takes.is_none() && sends).then(|| {
                campaign
                    .rate
                    .map_or(ASSUMED_RATE, |rate| rate.min(ASSUMED_RATE))
            }),
        }
    }

    /// So many at a time, each of them as long as they take together.
    fn batch(&self, entities: usize) -> Duration {
        let shared = self.size.zip(self.rate).map(|(size, rate)| {
            let bytes = u128::from(size) * entities as u128;
            Duration::from_secs(u64::try_from(bytes.div_ceil(u128::from(rate))).unwrap_or(u64::MAX))
        });
        shared.map_or(self.one, |shared| shared.max(self.one))
    }

    /// How many of these are done within this time.
    fn within(&self, entities: usize, time: Duration) -> usize {
        let at_a_time = self.parallel.unwrap_or(entities).min(entities).max(1);
        let batch = self.batch(at_a_time);
        if batch.is_zero() {
            return entities;
        }
        let batches = time.as_nanos() / batch.as_nanos();
        let done = usize::try_from(batches)
            .unwrap_or(usize::MAX)
            .saturating_mul(at_a_time);
        if done > 0 || time < self.one {
            return done.min(entities);
        }
        // All at once share the rate for longer; some of them are done.
        let one = self.size.zip(self.rate).map_or(1, |(size, rate)| {
            let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
            usize::try_from(bytes / u128::from(size.max(1))).unwrap_or(usize::MAX)
        });
        one.min(at_a_time)
    }

    /// How long this number takes.
    fn all(&self, entities: usize) -> Duration {
        let at_a_time = self.parallel.unwrap_or(entities).min(entities).max(1);
        let batches = u32::try_from(entities.div_ceil(at_a_time)).unwrap_or(u32::MAX);
        self.batch(at_a_time).saturating_mul(batches)
    }
}

/// How a group that is about to be started would be gone through.
pub fn schedule(planned: &PlannedGroup, now: Timestamp) -> Schedule {
    let group = &planned.group;
    let campaign = &group.campaign;
    let pace = Pace::of(group);
    let mut notes = Vec::new();
    let start = campaign.start.as_ref();
    if let Some(start) = start.filter(|start| start.timestamp() < now) {
        notes.push(Finding::StartIsPast {
            group: group.name.clone(),
            start: start.clone(),
        });
    }
    let first = start.map_or(now, |start| start.timestamp().max(now));
    let calendar = campaign.window.as_ref();
    // An unknown zone is a flaw of the group.
    let calendar = calendar.and_then(|window| Calendar::new(window).ok());
    let window = campaign.window.as_ref();
    let open = window.map(|window| Duration::from_secs(u64::from(window.minutes()) * 60));
    let mut clock = Walk {
        calendar: calendar.as_ref(),
        pace,
        at: Some(first),
        windows: 0,
        open_until: None,
    };
    let planned_waves = waves(campaign, &planned.send).into_iter().map(|wave| {
        let entities: Vec<Arc<Entity>> = wave
            .into_iter()
            .filter_map(|place| planned.send.get(place).cloned())
            .collect();
        let begins = clock.go(entities.len());
        PlannedWave { entities, begins }
    });
    let waves: Vec<PlannedWave> = planned_waves.collect();
    let all = planned.send.len();
    let is_too_long = open.filter(|open| pace.one > *open);
    if let Some(open) = is_too_long {
        notes.push(Finding::TooLongForWindow {
            group: group.name.clone(),
            takes: pace.one,
            open,
            assumed: pace.assumed,
        });
    }
    if let Some(calendar) = &calendar {
        let said = calendar.notes(first, DAYS_AHEAD).into_iter();
        notes.extend(said.map(|note| Finding::ClocksChange {
            group: group.name.clone(),
            note,
        }));
    }
    let ends = clock.at.is_some();
    Schedule {
        group: Arc::clone(group),
        waves,
        pace,
        fits: open.map(|open| pace.within(all, open)),
        windows: (open.is_some() && ends).then_some(clock.windows),
        notes,
    }
}

/// Goes through the windows, wave by wave.
struct Walk<'a> {
    calendar: Option<&'a Calendar>,
    pace: Pace,
    /// Up to here everything is done. `None`: what comes next never begins.
    at: Option<Timestamp>,
    windows: usize,
    /// The end of the window that was counted last.
    open_until: Option<Timestamp>,
}

impl Walk<'_> {
    /// When the first of this number of entities begins. The schedule moves on to the end of the last one.
    fn go(&mut self, entities: usize) -> Option<Timestamp> {
        let mut left = entities;
        let mut begins = None;
        while left > 0 {
            let at = self.at?;
            let Some(calendar) = self.calendar else {
                begins.get_or_insert(at);
                self.at = later(at, self.pace.all(left));
                break;
            };
            match calendar.hours(at) {
                Hours::Closed { opens } => self.at = opens,
                Hours::Open { until } => {
                    let room = Duration::try_from(until.duration_since(at)).unwrap_or_default();
                    let done = self.pace.within(left, room).min(left);
                    if done > 0 {
                        begins.get_or_insert(at);
                        self.count(until);
                        left -= done;
                    }
                    self.at = match left {
                        0 => later(at, self.pace.all(done)).map(|end| end.min(until)),
                        // In the next one. One that never closes has no next.
                        _ if until == Timestamp::MAX => None,
                        _ => self.next(until, done == 0),
                    };
                }
            }
        }
        begins
    }

    fn count(&mut self, until: Timestamp) {
        if self.open_until != Some(until) {
            self.open_until = Some(until);
            self.windows += 1;
        }
    }

    /// Behind the window that ends there; `None` where that goes on for ever without anything being done.
    fn next(&mut self, until: Timestamp, was_empty: bool) -> Option<Timestamp> {
        if was_empty {
            self.count(until);
        }
        (self.windows < MOST_WINDOWS).then_some(until)
    }
}

fn later(at: Timestamp, time: Duration) -> Option<Timestamp> {
    let time = SignedDuration::try_from(time).ok()?;
    at.checked_add(time).ok()
}

#[cfg(test)]
mod tests;

//! How a group is gone through, in words: what changed, why nobody begins, what is next. Times are those of the zone that is given, which is the reader's.

mod steps;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use steps::{Mark, STEP_GAP, Step};

use super::campaign::{CampaignSnapshot, Change, Held, HeldBy, PauseReason, Wait, WaveSnapshot};
use crate::model::columns::count;
use crate::model::moments::{ahead, in_short, moment, of_today};
use crate::model::text::shown;
use crate::model::units;

impl Change {
    /// `at`: when it happened.
    pub fn in_words(&self, at: Timestamp, zone: &TimeZone) -> String {
        match self {
            Self::WaveBegins { wave, entities } => {
                format!("wave {wave} begins: {}", count(*entities, "entity"))
            }
            Self::WaveEnds {
                wave,
                good,
                unproven,
                failed,
                offline,
            } => {
                let more = not_good(*unproven, *failed, *offline);
                format!("wave {wave} has ended: {good} good{more}")
            }
            Self::Paused(reason) => format!("is paused: {reason}"),
            Self::Resumed { .. } => "goes on".into(),
            Self::Waits(wait) => format!("waits {}", wait.in_words(at, zone)),
            Self::Goes => "waits no more".into(),
            Self::Rate { rate: Some(rate) } => {
                format!("is held to {} from now on", units::rate(*rate as f64))
            }
            Self::Rate { rate: None } => "is held to no rate any more".into(),
        }
    }
}

/// `, 2 failed, 1 offline`: what there is any of.
fn more<const N: usize>(counts: [(usize, &str); N]) -> String {
    let counts = counts.iter().filter(|(many, _)| *many > 0);
    counts
        .map(|(many, what)| format!(", {many} {what}"))
        .collect()
}

/// What of a wave is not good.
fn not_good(unproven: usize, failed: usize, offline: usize) -> String {
    more([
        (unproven, "unproven"),
        (failed, "failed"),
        (offline, "offline"),
    ])
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("an operator has said so"),
            Self::CutOff => f.write_str("its engine was gone meanwhile"),
            Self::Asks { wave } => write!(f, "wave {wave} went well"),
            Self::Failures { failed, stops_at } => {
                write!(f, "{failed} failed, stops at {stops_at}")
            }
            Self::Unproven {
                wave,
                unproven,
                failed,
                offline,
            } => {
                let more = not_good(*unproven, *failed, *offline);
                write!(f, "nothing in wave {wave} is proven{more}")
            }
            Self::WaveFailed { wave, failed } => {
                write!(
                    f,
                    "{failed} failed in wave {wave}, and there is no `stop_after`"
                )
            }
        }
    }
}

impl Wait {
    /// Behind `waits`: what for, and until when.
    fn in_words(&self, now: Timestamp, zone: &TimeZone) -> String {
        let moment = |until: &Timestamp| moment(*until, now, zone);
        match self {
            Self::Start { until } => format!("for its start, {}", moment(until)),
            Self::Window { until: Some(until) } => {
                format!("for its window, opens {}", moment(until))
            }
            Self::Window { until: None } => "for its window, which never opens again".into(),
            Self::Room { until, takes } => {
                let opens = until.as_ref().map(moment);
                let opens = opens.map_or_else(String::new, |opens| format!(", opens {opens}"));
                let takes = units::duration(Duration::from_secs(*takes));
                format!("for its next window{opens} (one takes {takes}, too long for this one)")
            }
            Self::Secrets { credentials } => {
                let names: Vec<String> = credentials.iter().map(|name| shown(name)).collect();
                format!("for the secret of {}", names.join(", "))
            }
        }
    }

    /// When it ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Start { until } => Some(*until),
            Self::Window { until } | Self::Room { until, .. } => *until,
            Self::Secrets { .. } => None,
        }
    }
}

impl Held {
    /// When it ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match &self.by {
            HeldBy::Pause(_) => None,
            HeldBy::Wait(wait) => wait.until(),
        }
    }

    /// Why, since when, and how long still.
    pub fn in_words(&self, now: Timestamp, zone: &TimeZone) -> String {
        let since = of_today(self.since, now, zone);
        match &self.by {
            HeldBy::Pause(PauseReason::Operator) => format!("paused since {since} by an operator"),
            HeldBy::Pause(reason @ PauseReason::Failures { .. }) => {
                format!("stopped since {since}: {reason}")
            }
            HeldBy::Pause(reason) => format!("paused since {since}: {reason}"),
            HeldBy::Wait(wait) => {
                let text = format!("waits {}", wait.in_words(now, zone));
                match wait.until() {
                    Some(until) => format!("{text}, {}", ahead(until, now)),
                    None => format!("{text}, since {since}"),
                }
            }
        }
    }
}

impl CampaignSnapshot {
    /// What somebody has to say before another entity begins.
    pub fn pause(&self) -> Option<&PauseReason> {
        match &self.held.as_ref()?.by {
            HeldBy::Pause(reason) => Some(reason),
            HeldBy::Wait(_) => None,
        }
    }

    /// Entities that have begun, and are not at an end.
    pub fn under_way(&self) -> usize {
        self.waves.iter().map(|wave| wave.under_way).sum()
    }

    /// Whether nothing is done at this moment.
    pub fn is_at_rest(&self) -> bool {
        self.under_way() == 0 && (self.held.is_some() || self.offline > 0)
    }

    /// Why nobody begins, since when, and what is next; `None` where nothing holds it.
    pub fn held_in_words(&self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        let Some(held) = &self.held else {
            let text = || match self.offline {
                1 => "1 entity is offline, and asked again by itself".into(),
                many => format!("{many} entities are offline, and asked again by themselves"),
            };
            return self.is_at_rest().then(text);
        };
        let mut text = held.in_words(now, zone);
        match self.under_way() {
            0 => {}
            many => text += &format!("; {many} still under way"),
        }
        if matches!(self.pause(), Some(PauseReason::Failures { .. })) {
            text += &format!("; {} untouched", self.untouched);
        } else if let Some(next) = self.next_in_words() {
            text += &format!("; next: {next}");
        }
        Some(text)
    }

    /// Who begins when it goes on: `wave 2 of 3, 20 entities`.
    pub fn next_in_words(&self) -> Option<String> {
        let (at, next) = self.next()?;
        let untouched = next.untouched();
        let many = count(untouched, "entity");
        Some(match self.waves.len() {
            ..=1 => many,
            all if untouched == next.entities => format!("wave {at} of {all}, {many}"),
            all => format!("{untouched} more of wave {at} of {all}"),
        })
    }

    /// The wave that goes on or begins next, with its number.
    fn next(&self) -> Option<(usize, &WaveSnapshot)> {
        let waves = (1..).zip(&self.waves).skip(self.wave.saturating_sub(1));
        waves.into_iter().find(|(_, wave)| wave.untouched() > 0)
    }

    /// In at most eleven columns: `paused`, `waits 01:00`, `wave 2/3`; `None` where there is nothing to say.
    pub fn word(&self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        Some(match self.held.as_ref().map(|held| &held.by) {
            Some(HeldBy::Pause(PauseReason::Failures { .. })) => "stopped".into(),
            Some(HeldBy::Pause(_)) => "paused".into(),
            Some(HeldBy::Wait(Wait::Secrets { .. })) => "asks secret".into(),
            Some(HeldBy::Wait(wait)) => match wait.until() {
                Some(until) => format!("waits {}", in_short(until, now, zone)),
                None => "waits".into(),
            },
            None if self.is_at_rest() => format!("{} offline", self.offline),
            None if self.waves.len() > 1 => format!("wave {}/{}", self.wave, self.waves.len()),
            None => return None,
        })
    }
}

impl WaveSnapshot {
    /// Those that have come to an end, or are offline.
    fn done(&self) -> usize {
        self.good + self.unproven + self.failed + self.offline
    }

    /// Those that have not begun.
    pub fn untouched(&self) -> usize {
        self.entities.saturating_sub(self.done() + self.under_way)
    }
}

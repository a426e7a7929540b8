//! What follows from what has happened and how late it is: pauses, ends of waves, waits, and the next wave.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Course;
use crate::campaign::calendar::Hours;
use crate::campaign::standing::Standing;
use crate::model::campaign::Proceed;
use crate::protocol::{Change, PauseReason, Wait, WaveSnapshot};

impl Course {
    /// Brings it up to what has happened and how late it is.
    pub fn look(&mut self, now: Timestamp) {
        self.stop_where_too_many_failed(now);
        self.end_wave(now);
        self.ask_before_the_next(now);
        self.wait(now);
        self.begin_wave(now);
    }

    fn stop_where_too_many_failed(&mut self, now: Timestamp) {
        let failed = self.failed();
        let Some(stops_at) = self.terms.stops_at else {
            return;
        };
        let counted = failed - self.forgiven.min(failed);
        if self.paused.is_none() && counted >= stops_at && self.has_more() {
            let reason = PauseReason::Failures {
                failed: counted,
                stops_at,
            };
            self.pauses(now, reason);
        }
    }

    fn end_wave(&mut self, now: Timestamp) {
        let Some(wave) = self.wave.filter(|_| !self.ended) else {
            return;
        };
        let mut its = self.entities.iter().filter(|one| one.wave == Some(wave));
        if its.all(|one| one.standing.is_final() || one.standing == Standing::Offline) {
            self.ended = true;
            let WaveSnapshot {
                good,
                unproven,
                failed,
                offline,
                ..
            } = self.counted(wave);
            if self.terms.waves.len() > 1 {
                let change = Change::WaveEnds {
                    wave: wave + 1,
                    good,
                    unproven,
                    failed,
                    offline,
                };
                self.changes.push((now, change));
            }
        }
    }

    /// A wave that has not shown that the image is good is followed by a pause.
    fn ask_before_the_next(&mut self, now: Timestamp) {
        let Some(wave) = self.wave.filter(|_| self.ended) else {
            return;
        };
        if self.paused.is_some() || self.cleared > wave || !self.has_more() {
            return;
        }
        let counted = self.counted(wave);
        let number = wave + 1;
        let reason = if counted.good == 0 {
            PauseReason::Unproven {
                wave: number,
                unproven: counted.unproven,
                failed: counted.failed,
                offline: counted.offline,
            }
        } else if self.terms.stops_at.is_none() && counted.failed > 0 {
            PauseReason::WaveFailed {
                wave: number,
                failed: counted.failed,
            }
        } else if self.terms.proceed == Proceed::Ask {
            PauseReason::Asks { wave: number }
        } else {
            return;
        };
        self.pauses(now, reason);
    }

    /// What time has to bring before somebody else may begin.
    fn wait(&mut self, now: Timestamp) {
        let wait = self.waits_for(now);
        self.is_shut = wait.is_some();
        // Those that are under way are not waited with; they may have to be tried again.
        let wait = wait.filter(|_| self.has_more());
        let is_new = match (&self.waits, &wait) {
            (Some((_, before)), Some(wait)) => !before.is_like(wait),
            (before, wait) => before.is_some() != wait.is_some(),
        };
        if !is_new {
            return;
        }
        let change = wait.clone().map_or(Change::Goes, Change::Waits);
        self.changes.push((now, change));
        self.waits = wait.map(|wait| (now, wait));
    }

    fn waits_for(&self, now: Timestamp) -> Option<Wait> {
        if !self.needs.is_empty() {
            let credentials = self.needs.clone();
            return Some(Wait::Secrets { credentials });
        }
        // Once it was time, a clock that is set back does not make it early again.
        if let Some(until) = self.terms.start.filter(|_| self.wave.is_none())
            && now < until
        {
            return Some(Wait::Start { until });
        }
        let Ok(calendar) = self.terms.calendar.as_ref()? else {
            return Some(Wait::Window { until: None });
        };
        match calendar.hours(now) {
            Hours::Closed { opens } => Some(Wait::Window { until: opens }),
            Hours::Open { until } => {
                let left = until.duration_since(now);
                let takes = self.takes();
                if left >= SignedDuration::try_from(takes).unwrap_or(SignedDuration::MAX) {
                    return None;
                }
                let until = match calendar.hours(until) {
                    Hours::Closed { opens } => opens,
                    Hours::Open { .. } => Some(until),
                };
                let takes = takes.as_secs();
                Some(Wait::Room { until, takes })
            }
        }
    }

    /// How long one more takes.
    fn takes(&self) -> Duration {
        let said = self.terms.takes;
        match self.took {
            Some(took) if self.terms.takes_at_least => took.max(said),
            took => took.unwrap_or(said),
        }
    }

    fn begin_wave(&mut self, now: Timestamp) {
        if self.is_held() || !self.has_more() {
            return;
        }
        let next = match self.wave {
            None => 0,
            Some(wave) if self.ended => wave + 1,
            Some(_) => return,
        };
        let Some(entities) = self.terms.waves.get(next).map(Vec::len) else {
            return;
        };
        (self.wave, self.ended) = (Some(next), false);
        if self.terms.waves.len() > 1 {
            let wave = next + 1;
            self.changes
                .push((now, Change::WaveBegins { wave, entities }));
        }
    }
}

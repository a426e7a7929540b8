//! When a window is open. Nothing may begin outside of it by the clock on the wall of its zone, whichever way that is
//! read: in a doubled hour it opens with the later reading of its beginning, and closes with the earlier of its end. A
//! time that is skipped is taken for the moment at which the clock jumps.

mod notes;
#[cfg(test)]
mod tests;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};
use thiserror::Error;

use crate::model::campaign::{Days, TimeOfDay, Window};

/// Days before today on which a window can begin that is still open: it ends on the next day, or is six whole days,
/// and a skipped one may lie between.
const BEFORE: (i64, i64) = (3, 10);

/// Days for which the next opening is looked for. One that falls away opens a week later.
const AHEAD: usize = 400;

const A_DAY: u16 = 24 * 60;

/// There is no such time zone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no time zone {0:?}")]
pub struct UnknownZone(pub String);

/// Whether a window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// The first moment at which it is no longer: the end of all time for one that never closes.
    Open { until: Timestamp },
    /// The first moment at which it is again. `None`: never.
    Closed { opens: Option<Timestamp> },
}

/// A window, and the clock on the wall of its zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    days: Days,
    from: TimeOfDay,
    to: TimeOfDay,
    zone: TimeZone,
    name: String,
}

/// What a window is by the clock on the wall. Windows of consecutive days that adjoin are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: DateTime,
    /// No longer.
    to: DateTime,
}

/// The same in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opening {
    opens: Timestamp,
    closes: Timestamp,
}

/// The moment at which a clock on the wall is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Jump {
    at: Timestamp,
    /// What it would show then.
    from: DateTime,
    /// What it shows.
    to: DateTime,
}

impl Calendar {
    pub fn new(window: &Window) -> Result<Self, UnknownZone> {
        let unknown = |_| UnknownZone(window.zone.clone());
        Ok(Self {
            days: window.days,
            from: window.from,
            to: window.to,
            zone: TimeZone::get(&window.zone).map_err(unknown)?,
            name: window.zone.clone(),
        })
    }

    pub fn hours(&self, now: Timestamp) -> Hours {
        if self.is_endless() {
            return Hours::Open {
                until: Timestamp::MAX,
            };
        }
        let before = match self.adjoins() {
            true => BEFORE.1,
            false => BEFORE.0,
        };
        let earliest = self.today(now).saturating_sub(Span::new().days(before));
        let mut coming = self
            .openings(earliest, AHEAD)
            .skip_while(|opening| opening.closes <= now);
        match coming.next() {
            Some(first) if first.opens <= now => {
                // A skipped day may lie between this one and the next.
                let until = coming
                    .try_fold(first.closes, |until, next| match next.opens == until {
                        true => Ok(next.closes),
                        false => Err(until),
                    })
                    .unwrap_or_else(|until| until);
                Hours::Open { until }
            }
            next => Hours::Closed {
                opens: next.map(|next| next.opens),
            },
        }
    }

    fn today(&self, now: Timestamp) -> Date {
        self.zone.to_datetime(now).date()
    }

    /// Those that begin on so many days, in order.
    fn openings(&self, first: Date, days: usize) -> impl Iterator<Item = Opening> {
        each_day(first)
            .take(days)
            .filter_map(|day| self.opening(self.stretch(day)?))
    }

    /// `None` where nothing of it is left.
    fn opening(&self, stretch: Stretch) -> Option<Opening> {
        let opening = Opening {
            opens: self.latest(stretch.from)?,
            closes: self.earliest(stretch.to)?,
        };
        (opening.opens < opening.closes).then_some(opening)
    }

    /// The one that begins on this day.
    fn stretch(&self, day: Date) -> Option<Stretch> {
        let has = |day: Date| self.days.has(day.weekday());
        let goes_on = self.adjoins() && day.yesterday().is_ok_and(has);
        if !has(day) || goes_on {
            return None;
        }
        let last = match self.adjoins() {
            true => each_day(day).take(7).take_while(|day| has(*day)).last()?,
            false => day,
        };
        let end = match self.to <= self.from {
            true => last.tomorrow().ok()?,
            false => last,
        };
        Some(Stretch {
            from: shown(day, self.from)?,
            to: shown(end, self.to)?,
        })
    }

    /// Whether it ends when that of the next day begins.
    fn adjoins(&self) -> bool {
        self.to == self.from || self.from.minutes() + A_DAY == self.to.minutes()
    }

    fn is_endless(&self) -> bool {
        self.adjoins() && self.days == Days::ALL
    }

    /// The last moment at which a clock comes to this time.
    fn latest(&self, time: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
            AmbiguousOffset::Fold { after, .. } => after.to_timestamp(time).ok(),
            AmbiguousOffset::Gap { .. } => Some(self.jump(time)?.at),
        }
    }

    /// The first one.
    fn earliest(&self, time: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
            _ => self.latest(time),
        }
    }

    /// The one that skips or doubles this time.
    fn jump(&self, time: DateTime) -> Option<Jump> {
        let (before, after) = match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { .. } => return None,
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => {
                (before, after)
            }
        };
        // With the larger offset, and so earlier than the jump.
        let earlier = before.max(after).to_timestamp(time).ok()?;
        let set = self.zone.following(earlier);
        let at = set.into_iter().find(|set| set.offset() == after)?;
        Some(Jump {
            at: at.timestamp(),
            from: before.to_datetime(at.timestamp()),
            to: after.to_datetime(at.timestamp()),
        })
    }
}

/// This day and those after it.
fn each_day(first: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
}

/// What the clock shows then.
fn shown(day: Date, time: TimeOfDay) -> Option<DateTime> {
    match time.time() {
        Some(time) => Some(day.to_datetime(time)),
        None => Some(day.tomorrow().ok()?.to_datetime(Time::midnight())),
    }
}

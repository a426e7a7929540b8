//! The hours in which work may begin.

use std::fmt;

use jiff::civil::{Time, Weekday};
use serde::{Deserialize, Serialize};

/// A stretch of the day, on some days of the week. Where it ends before it begins, it ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// On which it begins.
    pub days: Days,
    pub from: TimeOfDay,
    pub to: TimeOfDay,
    /// By its name in the IANA time zone database, as `Europe/Berlin`.
    pub zone: String,
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days(u8);

impl Days {
    pub const ALL: Self = Self(0b111_1111);

    pub fn new(days: impl IntoIterator<Item = Weekday>) -> Self {
        let bits = days.into_iter().map(bit);
        Self(bits.fold(0, |all, one| all | one))
    }

    pub fn has(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// Hours and minutes, as a clock on the wall shows them; `24:00` is the end of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimeOfDay {
    minutes: u16,
}

impl TimeOfDay {
    pub const END: Self = Self { minutes: 24 * 60 };

    /// `None` where no clock shows it.
    pub fn new(hours: u16, minutes: u16) -> Option<Self> {
        let time = Self {
            minutes: hours.checked_mul(60)?.checked_add(minutes)?,
        };
        (minutes < 60 && time <= Self::END).then_some(time)
    }

    /// Since midnight, as the clock shows it.
    pub fn minutes(self) -> u16 {
        self.minutes
    }

    /// `None`: the end of the day, which is the next one's beginning.
    pub fn time(self) -> Option<Time> {
        let (hours, minutes) = (self.minutes / 60, self.minutes % 60);
        Time::new(i8::try_from(hours).ok()?, i8::try_from(minutes).ok()?, 0, 0).ok()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_hours_and_minutes() {
        let shown = |hours, minutes| TimeOfDay::new(hours, minutes).map(|time| time.to_string());
        assert_eq!(shown(1, 5).as_deref(), Some("01:05"));
        assert_eq!(shown(24, 0).as_deref(), Some("24:00"));
        assert_eq!(
            (shown(24, 1), shown(1, 60), shown(9999, 0)),
            (None, None, None)
        );
        assert_eq!(TimeOfDay::END.time(), None);
        let weekend = Days::new([Weekday::Saturday, Weekday::Sunday]);
        assert!(weekend.has(Weekday::Sunday) && !weekend.has(Weekday::Monday));
        assert!(Days::new([]).is_empty());
    }
}

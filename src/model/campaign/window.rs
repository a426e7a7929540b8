//! The hours in which work may begin.

use std::fmt;

use jiff::civil::{Time, Weekday};
use serde::{Deserialize, Serialize};

use super::super::complaint::{Complaint, did_you_mean};
use super::super::text::quoted;
use super::start::zone;

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

impl Window {
    /// From `mon-fri 01:00-05:00 Europe/Berlin`; without days every day.
    ///
    /// # Errors
    /// What of it can't be read.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        const HELP: &str = "write days, hours and zone: `mon-fri 01:00-05:00 Europe/Berlin`";
        let wrong = |what: &str| Complaint::new(format!("{} {what}", quoted(text)), HELP);
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, name) = match words[..] {
            [hours, name] => (Days::ALL, hours, name),
            [days, hours, name] => (Days::read(days)?, hours, name),
            _ => return Err(wrong("is no window")),
        };
        let (from, to) = hours
            .split_once('-')
            .ok_or_else(|| wrong("has no hours, from when to when"))?;
        let window = Self {
            days,
            from: TimeOfDay::read(from)?,
            to: TimeOfDay::read(to)?,
            zone: zone(name)?,
        };
        window.check()?;
        Ok(window)
    }

    /// # Errors
    /// It is open for no time, or from the end of a day.
    pub fn check(&self) -> Result<(), Complaint> {
        let (from, to) = (self.from, self.to);
        if self.days.is_empty() {
            let message = "a window on no day never opens";
            return Err(Complaint::new(message, DAYS_HELP));
        }
        if from == to {
            let message = format!("a window from {from} to {to} is open for no time");
            let help =
                "write `from: \"00:00\"` and `to: \"24:00\"` for whole days, or leave `window` out";
            return Err(Complaint::new(message, help));
        }
        if from == TimeOfDay::END {
            let message = "a window from 24:00 begins on the next day";
            let help = "write `from: \"00:00\"`, and the day on which that is";
            return Err(Complaint::new(message, help));
        }
        Ok(())
    }

    /// For how many minutes it is open, where no clock is changed meanwhile.
    pub fn minutes(&self) -> u32 {
        let (from, to) = (u32::from(self.from.minutes()), u32::from(self.to.minutes()));
        match to > from {
            true => to - from,
            false => 24 * 60 + to - from,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            days,
            from,
            to,
            zone,
        } = self;
        write!(f, "{days} {from}-{to} {zone}")
    }
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days(u8);

const DAYS_HELP: &str = "write `mon-fri`, `sat` or `mon,wed,fri`; without `days` it is every day";
const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Its place in the week, from 0.
fn day(text: &str) -> Result<usize, Complaint> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let found = WEEK.iter().position(|(name, _)| *name == lower);
    found.ok_or_else(|| {
        let names = WEEK.map(|(name, _)| name);
        let help = did_you_mean(&lower, names, || DAYS_HELP.into());
        Complaint::new(format!("{} is no day of the week", quoted(text)), help)
    })
}

impl Days {
    /// From `mon-fri`, `sat` or `mon,wed,fri`; a range may go over the end of the week.
    ///
    /// # Errors
    /// What is no day, or stands there twice.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        let mut days = Vec::new();
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (day(first)?, day(last)?),
                None => (day(part)?, day(part)?),
            };
            let length = (last + 7 - first) % 7;
            for (name, day) in WEEK.iter().cycle().skip(first).take(length + 1) {
                if days.contains(day) {
                    let message = format!("{} has {name} twice", quoted(text));
                    return Err(Complaint::new(message, DAYS_HELP));
                }
                days.push(*day);
            }
        }
        Ok(Self::new(days))
    }
}

/// As it is read: days in a row as a range.
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = Vec::new();
        let mut week = WEEK.iter().peekable();
        while let Some((first, day)) = week.next() {
            if !self.has(*day) {
                continue;
            }
            let mut row = vec![*first];
            while let Some((next, _)) = week.next_if(|(_, day)| self.has(*day)) {
                row.push(next);
            }
            match row[..] {
                [first, .., last] if row.len() > 2 => parts.push(format!("{first}-{last}")),
                _ => parts.extend(row.iter().map(|name| (*name).to_owned())),
            }
        }
        f.write_str(&parts.join(","))
    }
}

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
#[serde(try_from = "Minutes")]
pub struct TimeOfDay {
    minutes: u16,
}

/// As it is kept, whatever may stand there.
#[derive(Deserialize)]
struct Minutes {
    minutes: u16,
}

impl TryFrom<Minutes> for TimeOfDay {
    type Error = &'static str;

    fn try_from(Minutes { minutes }: Minutes) -> Result<Self, Self::Error> {
        Self::new(minutes / 60, minutes % 60).ok_or("a day has 1440 minutes")
    }
}

impl TimeOfDay {
    pub const END: Self = Self { minutes: 24 * 60 };

    /// From `01:00`.
    ///
    /// # Errors
    /// No clock shows it.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        let text = text.trim();
        let parts = text.split_once(':').filter(|(hours, minutes)| {
            let digits = |text: &str| text.bytes().all(|one| one.is_ascii_digit());
            digits(hours) && digits(minutes) && minutes.len() == 2 && hours.len() <= 2
        });
        let time = parts
            .and_then(|(hours, minutes)| Self::new(hours.parse().ok()?, minutes.parse().ok()?));
        time.ok_or_else(|| {
            let message = format!("{} is no time of day", quoted(text));
            let help = "write hours and minutes, from `\"00:00\"` to `\"24:00\"`";
            Complaint::new(message, help)
        })
    }

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
    fn windows_are_read_as_they_are_shown() {
        for (text, minutes) in [
            ("mon-fri 01:00-05:00 Europe/Berlin", 240),
            ("mon-sun 22:00-02:30 UTC", 270),
            ("mon,wed,fri-sun 00:00-24:00 America/St_Johns", 1440),
            ("sat 22:00-00:00 Asia/Kolkata", 120),
        ] {
            let window = Window::read(text).unwrap();
            assert_eq!(
                (window.to_string().as_str(), window.minutes()),
                (text, minutes)
            );
        }
        let window = Window::read("1:00-5:00 europe/berlin").unwrap();
        assert_eq!(window.to_string(), "mon-sun 01:00-05:00 Europe/Berlin");
        for (text, words) in [
            ("01:00-01:00 UTC", "open for no time"),
            ("24:00-05:00 UTC", "the next day"),
            ("01:00-25:00 UTC", "`25:00` is no time of day"),
            ("01:00-05:0 UTC", "`05:0` is no time of day"),
            ("-05:00 UTC", "`` is no time of day"),
            ("01:00 UTC", "no hours"),
            ("01:00-05:00", "is no window"),
            ("", "is no window"),
            (
                "mon-fri 01:00-05:00 Berlin",
                "no time zone `Berlin` (did you mean `Europe/Berlin`?)",
            ),
            (
                "mon-fry 01:00-05:00 UTC",
                "`fry` is no day of the week (did you mean `fri`?)",
            ),
            ("mon-fri,wed 01:00-05:00 UTC", "has wed twice"),
            ("mon,,fri 01:00-05:00 UTC", "`` is no day"),
        ] {
            let said = Window::read(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text}: {said}");
        }
        for bits in 1..128u8 {
            let days = Days(bits);
            assert_eq!(Days::read(&days.to_string()), Ok(days));
        }
        assert_eq!(Days::read("fri-mon").unwrap().to_string(), "mon,fri-sun");
        assert_eq!(Days::read("Sat").unwrap(), Days::new([Weekday::Saturday]));
    }

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

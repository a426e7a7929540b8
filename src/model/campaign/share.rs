//! Parts of a group: so many entities, or so many of a hundred.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::complaint::Complaint;
use super::super::text::quoted;

/// A part of a whole in hundredths of a percent, so that no figure of an inventory is rounded: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Percent(u16);

impl From<Percent> for u16 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl TryFrom<u16> for Percent {
    type Error = &'static str;

    fn try_from(hundredths: u16) -> Result<Self, Self::Error> {
        Self::new(hundredths).ok_or("a part of a whole is from 1 to 10000 hundredths of a percent")
    }
}

impl Percent {
    /// `hundredths`: of a percent. `None` for 0, and for more than all.
    pub fn new(hundredths: u16) -> Option<Self> {
        (1..=10_000)
            .contains(&hundredths)
            .then_some(Self(hundredths))
    }

    /// As many of a number, rounded up: a part of a few is never nobody.
    pub fn of(self, number: usize) -> usize {
        (number.saturating_mul(usize::from(self.0))).div_ceil(10_000)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        match part {
            0 => write!(f, "{whole}%"),
            part if part % 10 == 0 => write!(f, "{whole}.{}%", part / 10),
            part => write!(f, "{whole}.{part:02}%"),
        }
    }
}

/// What is no part of a group.
enum Wrong {
    Zero,
    MoreThanAll,
    Unreadable,
}

/// `3`, or `2.5%` (then as [`Percent`]).
fn part(text: &str) -> Result<Result<usize, Percent>, Wrong> {
    let Some(written) = text.strip_suffix('%').map(str::trim_end) else {
        let count: u32 = text.parse().map_err(|_| Wrong::Unreadable)?;
        return match count {
            0 => Err(Wrong::Zero),
            count => Ok(Ok(count as usize)),
        };
    };
    let (whole, behind) = written.split_once('.').unwrap_or((written, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
    if !is_number(whole) || !is_number(behind) || behind.len() > 2 {
        return Err(Wrong::Unreadable);
    }
    let hundredths: u32 = format!("{behind:0<2}")
        .parse()
        .map_err(|_| Wrong::Unreadable)?;
    let whole: u32 = whole.parse().map_err(|_| Wrong::MoreThanAll)?;
    match whole.saturating_mul(100).saturating_add(hundredths) {
        0 => Err(Wrong::Zero),
        all => {
            let percent = u16::try_from(all).ok().and_then(Percent::new);
            percent.map(Err).ok_or(Wrong::MoreThanAll)
        }
    }
}

impl Wave {
    /// From `1`, `10%` or `rest`.
    ///
    /// # Errors
    /// What it is instead.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        const HELP: &str =
            "write a number of entities (`1`), a part of all of the group (`10%`), or `rest`";
        let text = text.trim();
        let message = match part(text) {
            _ if text == "rest" => return Ok(Self::Rest),
            Ok(Ok(count)) => return Ok(Self::Count(count)),
            Ok(Err(percent)) => return Ok(Self::Percent(percent)),
            Err(Wrong::Zero) => format!("a wave of {} has nobody in it", quoted(text)),
            Err(Wrong::MoreThanAll) => format!("a wave of {} is more than all", quoted(text)),
            Err(Wrong::Unreadable) => format!("{} is no size of a wave", quoted(text)),
        };
        Err(Complaint::new(message, HELP))
    }
}

impl StopAfter {
    /// From `3` or `5%`.
    ///
    /// # Errors
    /// What it is instead.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        const HELP: &str =
            "write a number of failures from 1, or a part of all entities of the group, like `2%`";
        let text = text.trim();
        let message = match part(text) {
            Ok(Ok(count)) => return Ok(Self::Count(count)),
            Ok(Err(percent)) => return Ok(Self::Percent(percent)),
            Err(Wrong::Zero) => {
                format!(
                    "with {} it would stop before anything has failed",
                    quoted(text)
                )
            }
            Err(Wrong::MoreThanAll) => {
                format!("{} is more than all: so many can't fail", quoted(text))
            }
            Err(Wrong::Unreadable) => format!("{} is no number of failures", quoted(text)),
        };
        Err(Complaint::new(message, HELP))
    }
}

/// How many entities a wave has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wave {
    Count(usize),
    /// Of all entities of the group.
    Percent(Percent),
    /// All that are left; the last one alone.
    Rest,
}

impl fmt::Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => percent.fmt(f),
            Self::Rest => f.write_str("rest"),
        }
    }
}

/// The failures at which a group stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopAfter {
    Count(usize),
    /// Of all entities of the group.
    Percent(Percent),
}

impl StopAfter {
    /// The number of failures at which a group of this number of entities stops.
    pub fn at(self, entities: usize) -> usize {
        match self {
            Self::Count(count) => count.max(1),
            Self::Percent(percent) => percent.of(entities),
        }
    }
}

impl fmt::Display for StopAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => percent.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_none_refused() {
        let percent = |hundredths| Percent::new(hundredths).unwrap();
        for (text, wave) in [
            ("1", Wave::Count(1)),
            (" 250 ", Wave::Count(250)),
            ("10%", Wave::Percent(percent(1000))),
            ("2.5 %", Wave::Percent(percent(250))),
            ("0.01%", Wave::Percent(percent(1))),
            ("100%", Wave::Percent(percent(10_000))),
            ("rest", Wave::Rest),
        ] {
            assert_eq!(Wave::read(text), Ok(wave));
            assert_eq!(Wave::read(&wave.to_string()), Ok(wave));
        }
        for (text, words) in [
            ("0", "nobody"),
            ("0%", "nobody"),
            ("0.00%", "nobody"),
            ("100.01%", "more than all"),
            ("120%", "more than all"),
            ("99999999999%", "more than all"),
            ("-1", "no size"),
            ("1.5", "no size"),
            ("0.001%", "no size"),
            (".5%", "no size"),
            ("%", "no size"),
            ("all", "no size"),
            ("", "no size"),
        ] {
            let said = Wave::read(text).unwrap_err();
            assert!(said.message.contains(words), "{text}: {said}");
            assert!(StopAfter::read(text).is_err(), "{text}");
        }
        assert_eq!(StopAfter::read("3"), Ok(StopAfter::Count(3)));
        assert_eq!(StopAfter::read("2%"), Ok(StopAfter::Percent(percent(200))));
        assert!(StopAfter::read("rest").is_err());
    }

    #[test]
    fn a_part_of_a_few_is_one() {
        let percent = |hundredths| Percent::new(hundredths).unwrap();
        assert_eq!((Percent::new(0), Percent::new(10_001)), (None, None));
        for (part, number, expected) in [
            (1000, 200, 20),
            (1000, 1, 1),
            (1, 9, 1),
            (10_000, 7, 7),
            (3333, 10, 4),
        ] {
            assert_eq!(percent(part).of(number), expected);
        }
        assert_eq!(StopAfter::Percent(percent(200)).at(200), 4);
        assert_eq!(StopAfter::Percent(percent(200)).at(10), 1);
        assert_eq!(StopAfter::Count(3).at(10), 3);
        let said = [100, 250, 205, 10_000].map(|part| percent(part).to_string());
        assert_eq!(said, ["1%", "2.5%", "2.05%", "100%"]);
    }
}

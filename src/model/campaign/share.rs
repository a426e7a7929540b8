//! Parts of a group: so many entities, or so many of a hundred.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A part of a whole in hundredths of a percent, so that no figure of an inventory is rounded: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Percent(u16);

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

//! Caps: what they are on, and what they may be. One place for the inventory, the command line and the engine, so that
//! a cap that one of them takes is taken by all.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::complaint::Complaint;
use super::inventory::{Entity, Name};
use super::remote::Timeouts;
use super::text::quoted;
use super::units;

/// A cap below this brings nothing to an end.
pub const SLOWEST: u64 = 1024;
/// Bytes a second: 100 Gbit/s.
pub const FASTEST: u64 = 12_500_000_000;
/// Bytes that an entity must get within its `progress`: what servers wait for is not a byte but a packet.
const PIECE: u64 = 4096;

const HELP: &str = "write a size a second, like `2 MiB/s`";

/// What a cap is on. Written as `group:NAME`, `entity:NAME`, `label:KEY=VALUE` and `file-server:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Capped {
    /// What is read from it, by all groups and passes.
    FileServer(Name),
    /// What is sent to it.
    Entity(Name),
    /// What is sent to all entities with this label, in all groups.
    Label { label: Name, value: Name },
    /// What is sent to all its entities.
    Group(Name),
}

impl Capped {
    /// For a sentence: `the group adsl`, `site=north`.
    pub fn in_words(&self) -> String {
        match self {
            Self::FileServer(name) => format!("the file server {name}"),
            Self::Entity(name) => name.to_string(),
            Self::Label { label, value } => format!("{label}={value}"),
            Self::Group(name) => format!("the group {name}"),
        }
    }
}

impl fmt::Display for Capped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileServer(name) => write!(f, "file-server:{name}"),
            Self::Entity(name) => write!(f, "entity:{name}"),
            Self::Label { label, value } => write!(f, "label:{label}={value}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

impl From<Capped> for String {
    fn from(on: Capped) -> Self {
        on.to_string()
    }
}

/// What is written names nothing that a cap can be on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: write `group:NAME`, `entity:NAME`, `label:KEY=VALUE` or `file-server:NAME`", quoted(.0))]
pub struct NotCapped(String);

impl FromStr for Capped {
    type Err = NotCapped;

    fn from_str(text: &str) -> Result<Self, NotCapped> {
        let wrong = || NotCapped(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(match kind {
            "file-server" => Self::FileServer(name.into()),
            "entity" => Self::Entity(name.into()),
            "group" => Self::Group(name.into()),
            "label" => match name.split_once('=') {
                Some((label, value)) if !label.is_empty() && !value.is_empty() => Self::Label {
                    label: label.into(),
                    value: value.into(),
                },
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        })
    }
}

impl TryFrom<String> for Capped {
    type Error = NotCapped;

    fn try_from(text: String) -> Result<Self, NotCapped> {
        text.parse()
    }
}

/// A cap of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    pub on: Capped,
    /// Bytes a second.
    pub rate: u64,
}

/// `the group adsl is held to 2.0 MiB/s`.
pub fn held_to(on: &Capped, rate: Option<u64>) -> String {
    let words = on.in_words();
    match rate {
        Some(rate) => format!("{words} is held to {}", units::rate(rate as f64)),
        None => format!("{words} is held to no rate any more"),
    }
}

/// Bytes a second, from a text like `2 MiB/s`.
///
/// # Errors
/// Not a rate, or one without sense.
pub fn read_rate(text: &str) -> Result<u64, Complaint> {
    let size = (text.trim().strip_suffix("/s")).map(|size| size.trim_end());
    let has_unit = |size: &&str| size.ends_with(|c: char| c.is_ascii_alphabetic());
    match size.filter(has_unit).map(units::parse_size) {
        Some(Ok(rate)) => check_rate(rate).map(|()| rate),
        _ => Err(Complaint::new(
            format!("{} is not a rate", quoted(text)),
            HELP,
        )),
    }
}

/// The same rules for rates that came from elsewhere.
///
/// # Errors
/// One without sense.
pub fn check_rate(rate: u64) -> Result<(), Complaint> {
    if rate == 0 {
        let message = "a cap of 0 would hold everything up for ever";
        let help = format!("{HELP}, or none at all; `subtend pause` holds a group");
        return Err(Complaint::new(message, help));
    }
    if rate < SLOWEST {
        return Err(Complaint::new(
            format!("a cap of {rate} B/s brings nothing to an end"),
            format!("write at least {}", units::rate(SLOWEST as f64)),
        ));
    }
    if rate > FASTEST {
        return Err(Complaint::new(
            format!(
                "a cap of {} is more than any link carries",
                units::rate(rate as f64)
            ),
            HELP,
        ));
    }
    Ok(())
}

/// What entities that share a cap have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Under way at one time.
    pub entities: usize,
    /// The shortest time without a byte that one of them bears.
    pub progress: Duration,
    /// The largest number of bytes a second that one of them must be given.
    pub min_rate: u64,
}

impl Sharing {
    /// Of one alone.
    pub fn one(timeouts: Timeouts) -> Self {
        Self {
            entities: 1,
            progress: timeouts.progress,
            min_rate: timeouts.min_rate,
        }
    }

    /// Of these, at most `parallel` at a time; `None` where there are none.
    pub fn of<'a>(
        entities: impl Iterator<Item = &'a Entity>,
        parallel: Option<usize>,
    ) -> Option<Self> {
        let mut all: Option<Self> = None;
        for entity in entities {
            let one = Self::one(entity.timeouts);
            all = Some(all.map_or(one, |all| Self {
                entities: all.entities + 1,
                progress: all.progress.min(one.progress),
                min_rate: all.min_rate.max(one.min_rate),
            }));
        }
        let most = parallel.unwrap_or(usize::MAX);
        all.map(|all| Self {
            entities: all.entities.min(most),
            ..all
        })
    }

    /// The smallest cap that all of them survive.
    pub fn least(&self) -> u64 {
        let millis = self.progress.as_millis().max(1);
        let moving = u64::try_from(u128::from(PIECE) * 1000 / millis + 1).unwrap_or(u64::MAX);
        let each = moving.max(self.min_rate);
        each.saturating_mul(self.entities as u64).max(SLOWEST)
    }

    /// Whether all of them survive a cap.
    ///
    /// # Errors
    /// They don't, with the smallest that they do.
    pub fn check(&self, rate: u64) -> Result<(), Complaint> {
        let (least, entities) = (self.least(), self.entities);
        if rate >= least {
            return Ok(());
        }
        let each = rate as f64 / entities.max(1) as f64;
        let message = match entities {
            1 => format!("a cap of {} is too small", units::rate(rate as f64)),
            many => format!(
                "a cap of {} leaves each of {many} entities {}",
                units::rate(rate as f64),
                units::rate(each),
            ),
        };
        let (progress, min_rate) = (units::limit(self.progress), self.min_rate);
        let why = match u128::from(min_rate) * self.progress.as_millis() >= u128::from(PIECE) * 1000
        {
            true => format!("`min_rate` is {}", units::rate(min_rate as f64)),
            false => format!("`progress` is {progress}, for {}", units::size(PIECE)),
        };
        let fewer = match entities {
            1 => "",
            _ => ", or let fewer begin at one time (`parallel`)",
        };
        let help = format!("{why}: write at least {}{fewer}", exact(least));
        Err(Complaint::new(message, help))
    }
}

/// A rate that is taken as it is shown: rounded up to what is written in short.
fn exact(rate: u64) -> String {
    match rate {
        rate if rate.is_multiple_of(1 << 20) => format!("{} MiB/s", rate >> 20),
        rate => format!("{} KiB/s", rate.div_ceil(1024)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::entity;
    use super::*;

    #[test]
    fn what_a_cap_is_on_is_read_as_it_is_written() {
        for text in [
            "group:adsl",
            "entity:shelf1-01",
            "label:site=north",
            "label:site=a=b",
            "file-server:hq",
        ] {
            let on: Capped = text.parse().unwrap();
            assert_eq!(on.to_string(), text);
            let json = serde_json::to_string(&on).unwrap();
            assert_eq!(serde_json::from_str::<Capped>(&json).unwrap(), on);
        }
        for wrong in [
            "",
            "adsl",
            "group:",
            "label:site",
            "label:=north",
            "label:site=",
            "peer:a",
        ] {
            assert!(wrong.parse::<Capped>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates_without_sense_are_refused_with_what_to_write() {
        assert_eq!(read_rate("2 MiB/s"), Ok(2 << 20));
        assert_eq!(read_rate(" 1KiB/s "), Ok(1024));
        for (wrong, said) in [
            ("0 KiB/s", "a cap of 0"),
            ("0", "is not a rate"),
            ("5", "is not a rate"),
            ("5/s", "is not a rate"),
            ("2 MiB", "is not a rate"),
            ("fast", "is not a rate"),
            ("-1 MiB/s", "is not a rate"),
            ("100 B/s", "100 B/s brings nothing"),
            ("100 TiB/s", "more than any link"),
        ] {
            let complaint = read_rate(wrong).unwrap_err();
            assert!(complaint.message.contains(said), "{wrong}: {complaint:?}");
        }
    }

    #[test]
    fn the_smallest_cap_that_is_survived_is_said_and_taken() {
        for (entities, progress, min_rate) in [
            (1, 60, 1024),
            (1000, 60, 1024),
            (1000, 60, 0),
            (7, 1, 0),
            (7, 1, 5000),
            (100_000, 86_400, 0),
        ] {
            let sharing = Sharing {
                entities,
                progress: Duration::from_secs(progress),
                min_rate,
            };
            let least = sharing.least();
            assert_eq!(sharing.check(least), Ok(()));
            let complaint = sharing.check(least - 1).unwrap_err();
            let said = complaint.help.split("at least ").nth(1).unwrap();
            let written = said.split(',').next().unwrap();
            let written = read_rate(written).unwrap();
            assert_eq!(sharing.check(written), Ok(()), "{complaint:?}");
            assert!(
                written < least + 1024,
                "{written} is far from {least}: {complaint:?}"
            );
        }
    }

    #[test]
    fn no_more_share_it_than_run_at_one_time() {
        let entities: Vec<_> = (0..10).map(|n| entity(&format!("e{n}"), "1")).collect();
        let of = |parallel| Sharing::of(entities.iter(), parallel).unwrap();
        assert_eq!(of(None).entities, 10);
        assert_eq!(of(Some(4)).entities, 4);
        assert_eq!(of(Some(40)).entities, 10);
        assert_eq!(Sharing::of(std::iter::empty(), None), None);
    }
}

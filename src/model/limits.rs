//! The rules for a group's limits, and how they are said: one place for the inventory, the command
//! line and the console, so that a limit that one of them takes is taken by all.

use std::time::Duration;

use super::complaint::Complaint;
use super::group::{DeliveryPolicy, Laggards, Limits};
use super::procedure::Extent;
use super::text::quoted;
use super::units;

/// An entity that may hold up the others for longer is not to be treated as a laggard at all.
pub const LONGEST_LAGGARD: Duration = Duration::from_secs(60 * 60);
/// A run that is still tried again the next day is a mistake.
pub const LONGEST_RETRY: Duration = Duration::from_secs(24 * 60 * 60);
/// With delays that grow, more attempts than this don't fit the longest time.
pub const MOST_RETRIES: u32 = 1000;

/// What is wrong with a limit, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {help}")]
pub struct BadLimit {
    pub message: String,
    pub help: String,
}

impl From<BadLimit> for Complaint {
    fn from(BadLimit { message, help }: BadLimit) -> Self {
        Self { message, help }
    }
}

fn bad<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, BadLimit> {
    Err(BadLimit {
        message: message.into(),
        help: help.into(),
    })
}

const LAGGARD_HELP: &str = "write a time from `1ms` to `1h`, like `2s`";
const RETRY_FOR_HELP: &str = "write a time up to `24h`, like `5m`";

impl Limits {
    /// How long an entity may hold up the others, from a text like `2s`.
    ///
    /// # Errors
    /// Not a time, or one without sense.
    pub fn read_laggard(text: &str) -> Result<Duration, BadLimit> {
        match units::parse_duration(text) {
            Ok(time) => check_laggard(time, &quoted(text)),
            Err(_) => bad(format!("{} is not a time", quoted(text)), LAGGARD_HELP),
        }
    }

    /// A number of retries; 0 is never.
    ///
    /// # Errors
    /// Not a number, or one without sense.
    pub fn read_retries(text: &str) -> Result<u32, BadLimit> {
        match text.trim().parse() {
            Ok(retries) => check_retries(retries),
            Err(_) => bad(
                format!("{} is not a number of retries", quoted(text)),
                format!("write a whole number up to {MOST_RETRIES}; 0 is never"),
            ),
        }
    }

    /// How long after the first failure an attempt may begin, from a text like `5m`.
    ///
    /// # Errors
    /// Not a time, or one without sense.
    pub fn read_retry_for(text: &str) -> Result<Duration, BadLimit> {
        match units::parse_duration(text) {
            Ok(time) => check_retry_for(time, &quoted(text)),
            Err(_) => bad(format!("{} is not a time", quoted(text)), RETRY_FOR_HELP),
        }
    }

    /// The same rules for limits that came from elsewhere.
    ///
    /// # Errors
    /// The first one without sense.
    pub fn check(&self) -> Result<(), BadLimit> {
        check_laggard(self.laggard, &units::written(self.laggard))?;
        check_retries(self.retries)?;
        if self.retries > 0 {
            check_retry_for(self.retry_for, &units::written(self.retry_for))?;
        }
        Ok(())
    }

    /// Then nothing has to be written down.
    pub fn are_default(&self) -> bool {
        *self == Self::default()
    }

    /// `up to 8 within 5 min`, or `none`.
    pub fn retries_in_words(&self) -> String {
        match self.retries {
            0 => "none".into(),
            most => format!("up to {most} within {}", units::limit(self.retry_for)),
        }
    }
}

impl DeliveryPolicy {
    /// `catch-up after 2 s`, `drop after 2 s`, `wait`.
    pub fn laggards_in_words(&self) -> String {
        let word = self.laggards.word();
        match self.laggards {
            Laggards::Wait => word.into(),
            Laggards::CatchUp | Laggards::Drop => {
                format!("{word} after {}", units::limit(self.limits.laggard))
            }
        }
    }

    /// Whether devices are made to run the image.
    pub fn extent_in_words(&self) -> &'static str {
        match self.extent {
            Extent::Deliver => "later: they get the image, and go on with the one that they run",
            Extent::Upgrade => "now: they are made to run the image, and asked for its version",
            Extent::Activate => {
                "now, those that hold the image: they are made to run it, and asked for its version"
            }
        }
    }

    /// `at most 4 at a time`, or `all at a time`.
    pub fn parallel_in_words(&self) -> String {
        match self.parallel {
            Some(most) => format!("at most {most} at a time"),
            None => "all at a time".into(),
        }
    }
}

fn check_laggard(time: Duration, written: &str) -> Result<Duration, BadLimit> {
    if time < Duration::from_millis(1) {
        bad(
            format!("a laggard limit of {written} would make every entity a laggard"),
            LAGGARD_HELP,
        )
    } else if time > LONGEST_LAGGARD {
        bad(
            format!("a laggard limit of {written} is longer than an hour"),
            format!("{LAGGARD_HELP}; with `laggards: wait` there is no limit"),
        )
    } else {
        Ok(time)
    }
}

fn check_retries(retries: u32) -> Result<u32, BadLimit> {
    if retries > MOST_RETRIES {
        bad(
            format!("{retries} retries are too many"),
            format!("write a whole number up to {MOST_RETRIES}; 0 is never"),
        )
    } else {
        Ok(retries)
    }
}

fn check_retry_for(time: Duration, written: &str) -> Result<Duration, BadLimit> {
    if time.is_zero() {
        bad(
            "no retry can begin within a time of 0",
            format!("{RETRY_FOR_HELP}; 0 retries are none at all"),
        )
    } else if time > LONGEST_RETRY {
        bad(
            format!("retries for {written} are longer than a day"),
            RETRY_FOR_HELP,
        )
    } else {
        Ok(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_without_sense_are_refused_with_what_to_write() {
        assert_eq!(Limits::read_laggard("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(Limits::read_laggard("1h"), Ok(LONGEST_LAGGARD));
        for wrong in ["0s", "10us", "61m", "-2s", "2", "soon", ""] {
            let said = Limits::read_laggard(wrong).unwrap_err().to_string();
            assert!(said.contains("`2s`"), "{said}");
        }
        assert_eq!(Limits::read_retries("0"), Ok(0));
        for wrong in ["-1", "1001", "many", "", "2.5"] {
            let said = Limits::read_retries(wrong).unwrap_err().to_string();
            assert!(said.contains("up to 1000"), "{said}");
        }
        assert_eq!(Limits::read_retry_for("24h"), Ok(LONGEST_RETRY));
        for wrong in ["0s", "25h", "5", "-5m"] {
            let said = Limits::read_retry_for(wrong).unwrap_err().to_string();
            assert!(said.contains("`5m`"), "{said}");
        }
    }

    #[test]
    fn limits_from_elsewhere_obey_the_same_rules() {
        let limits = Limits::default();
        assert_eq!(limits.check(), Ok(()));
        let zero = Duration::ZERO;
        let never = Limits {
            retries: 0,
            retry_for: zero,
            ..limits
        };
        assert_eq!(never.check(), Ok(()));
        for wrong in [
            Limits {
                laggard: zero,
                ..limits
            },
            Limits {
                laggard: Duration::MAX,
                ..limits
            },
            Limits {
                retries: u32::MAX,
                ..limits
            },
            Limits {
                retry_for: zero,
                ..limits
            },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn limits_are_said_in_words() {
        let mut policy = DeliveryPolicy::default();
        assert_eq!(policy.laggards_in_words(), "catch-up after 2 s");
        assert_eq!(policy.limits.retries_in_words(), "up to 8 within 5 min");
        assert_eq!(policy.parallel_in_words(), "all at a time");
        policy.laggards = Laggards::Wait;
        policy.limits.retries = 0;
        assert_eq!(policy.laggards_in_words(), "wait");
        assert_eq!(policy.limits.retries_in_words(), "none");
    }
}

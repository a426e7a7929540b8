//! What becomes of an entity that can't be reached, as it is written.

use std::fmt;
use std::time::Duration;

use super::super::complaint::{Complaint, did_you_mean};
use super::super::text::quoted;
use super::super::units;
use super::Offline;

const HELP: &str = "write `fail`, or how long it is asked again, like `wait 14d`";

impl Offline {
    /// More than this is no campaign any more.
    pub const MOST: Duration = Duration::from_secs(366 * 24 * 3600);

    /// From `fail`, `wait 14d` or `wait 14d, first 1m`.
    ///
    /// # Errors
    /// What it is instead, or a time without sense.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        let is_gap = |c: char| c == ',' || c.is_whitespace();
        let words: Vec<&str> = text.split(is_gap).filter(|word| !word.is_empty()).collect();
        match words[..] {
            ["fail"] => Ok(Self::Fail),
            ["wait", at_most] => Self::wait(at_most, None),
            ["wait", at_most, "first", first] => Self::wait(at_most, Some(first)),
            [first, ..] => {
                let help = did_you_mean(first, ["fail", "wait"], || HELP.into());
                let help = match first {
                    "wait" => HELP.into(),
                    _ => help,
                };
                Err(Complaint::new(
                    format!("`offline` can't be {}", quoted(text)),
                    help,
                ))
            }
            [] => Err(Complaint::new("`offline` is empty", HELP)),
        }
    }

    /// From the two times as they are written.
    ///
    /// # Errors
    /// What is no time, or one without sense.
    pub fn wait(at_most: &str, first: Option<&str>) -> Result<Self, Complaint> {
        let time = |text: &str| {
            units::parse_days(text).map_err(|_| {
                let message = format!("{} is not a time", quoted(text));
                Complaint::new(
                    message,
                    "write a number with a unit, like `1m`, `12h` or `14d`",
                )
            })
        };
        let at_most = time(at_most)?;
        let first = match first {
            Some(first) => time(first)?,
            None => Self::FIRST.min(at_most),
        };
        let offline = Self::Wait { at_most, first };
        offline.check().map(|()| offline)
    }

    /// # Errors
    /// Times without sense.
    pub fn check(self) -> Result<(), Complaint> {
        let Self::Wait { at_most, first } = self else {
            return Ok(());
        };
        let [whole, interval, longest] = [at_most, first, Self::LONGEST].map(units::written_days);
        let (message, help) = if at_most.is_zero() {
            ("to wait for 0 is not to wait".into(), HELP.into())
        } else if at_most > Self::MOST {
            let message = format!("to wait for {whole} is longer than a year");
            (message, HELP.into())
        } else if first.is_zero() {
            let message = "asked again after 0, an entity would be asked without end";
            (message.into(), "write `first: 1m`, or leave it out".into())
        } else if first > at_most {
            let message = format!(
                "the entity would be asked again after {interval}, and is waited for {whole} only"
            );
            let help = format!("write a `first` of at most {whole}, or wait longer");
            (message, help)
        } else if first > Self::LONGEST {
            let message =
                format!("a first interval of {interval} is longer than the longest, {longest}");
            (message, format!("write a `first` of at most `{longest}`"))
        } else {
            return Ok(());
        };
        Err(Complaint::new(message, help))
    }
}

/// As [`Offline::read`] reads it.
impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("fail"),
            Self::Wait { at_most, first } => {
                write!(f, "wait {}", units::written_days(*at_most))?;
                match *first == Self::FIRST.min(*at_most) {
                    true => Ok(()),
                    false => write!(f, ", first {}", units::written_days(*first)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_shown() {
        for text in [
            "fail",
            "wait 14d",
            "wait 14d, first 5m",
            "wait 30s",
            "wait 1h 30m",
        ] {
            let read = Offline::read(text);
            // Times with spaces are for mappings.
            let Ok(read) = read else {
                assert!(text.contains("1h 30m"));
                continue;
            };
            assert_eq!(read.to_string(), text);
        }
        assert_eq!(
            Offline::read("wait 1d first 2m"),
            Ok(Offline::Wait {
                at_most: Duration::from_secs(86_400),
                first: Duration::from_secs(120),
            })
        );
        for (text, words) in [
            ("wait 0", "`0` is not a time"),
            ("wait 0s", "wait for 0"),
            ("wait", "can't be"),
            ("wait -1d", "not a time"),
            ("wait 2y", "not a time"),
            ("wait 900d", "longer than a year"),
            ("wait 1h first 0s", "without end"),
            (
                "wait 1h first 2h",
                "asked again after 2h, and is waited for 1h only",
            ),
            ("wait 14d first 1d", "longer than the longest, 12h"),
            ("fial", "did you mean `fail`?"),
            ("retry 1d", "write `fail`"),
            ("", "is empty"),
        ] {
            let said = Offline::read(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}

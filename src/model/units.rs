//! Sizes and times as an operator writes and reads them.
//!
//! Sizes are bytes (`8 MiB`, `256 KiB`, `1000`); times are durations (`10s`, `5m`, `250ms`). The
//! inventory and the lab read both with these functions, so a size means the same everywhere.

use std::time::Duration;

use bytesize::ByteSize;
use thiserror::Error;

/// What is written is no size, or no time, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnitError {
    #[error("`{0}` is not a size; write a number with a unit, like `8 MiB`")]
    Size(String),
    #[error("`{0}` is not a time; write a number with a unit, like `30s` or `5m`")]
    Time(String),
}

/// Reads a size in bytes: a number with an optional unit (`KiB`, `MiB`, `GiB`, `kB`, `MB`, …).
///
/// # Errors
/// The text is no size.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let size = text.trim().parse::<ByteSize>();
    size.map(|size| size.as_u64())
        .map_err(|_| UnitError::Size(text.into()))
}

/// Reads a duration: a number with a unit (`250ms`, `10s`, `5m`, `1h30m`).
///
/// # Errors
/// The text is no duration.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let signed = text.trim().parse::<jiff::SignedDuration>();
    let time = signed.and_then(Duration::try_from);
    time.map_err(|_| UnitError::Time(text.into()))
}

/// As [`parse_duration`], for what takes days (`14d`, `1w 12h`), which have 24 hours each here.
///
/// # Errors
/// The text is no duration.
pub fn parse_days(text: &str) -> Result<Duration, UnitError> {
    parse_duration(text).or_else(|error| {
        let span = text.trim().parse::<jiff::Span>();
        let days = jiff::SpanRelativeTo::days_are_24_hours();
        let time = span.and_then(|span| span.to_duration(days));
        time.and_then(Duration::try_from).map_err(|_| error)
    })
}

/// A size for people: `8.0 MiB`, `512 B`.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// A rate for people, from bytes a second.
pub fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", size(bytes_per_second.max(0.0) as u64))
}

/// A duration for people, with the precision that matters at its length: `420 ms`, `4.3 s`, `2m 05s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", time.as_millis())
    } else if seconds < 60.0 {
        let rounded = (seconds * 10.0).round() / 10.0;
        if rounded.fract() == 0.0 {
            format!("{rounded:.0} s")
        } else {
            format!("{rounded:.1} s")
        }
    } else {
        let whole = time.as_secs();
        format!("{}m {:02}s", whole / 60, whole % 60)
    }
}

/// A duration for people that may be days: `14 d`, `2 d 03 h`, `5 h 12 min`; below an hour as [`duration`].
pub fn long(time: Duration) -> String {
    let hours = time.as_secs() / 3600;
    let (of_day, minutes) = (hours % 24, time.as_secs() / 60 % 60);
    match (hours / 24, hours) {
        (_, 0) => duration(time),
        (0, _) if minutes == 0 => format!("{hours} h"),
        (0, _) => format!("{hours} h {minutes:02} min"),
        (days, _) if of_day == 0 => format!("{days} d"),
        (days, _) => format!("{days} d {of_day:02} h"),
    }
}

/// A limit for people, nothing rounded away: `2 s`, `5 min`, `1 h`, `1m 30s`.
pub fn limit(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds, time.subsec_nanos()) {
        (1.., 0) if seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        (1.., 0) if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        (0..60, 0) => format!("{seconds} s"),
        (0, nanos) if nanos.is_multiple_of(1_000_000) => format!("{} ms", nanos / 1_000_000),
        _ => written(time),
    }
}

/// A duration as [`parse_duration`] reads it, nothing rounded away: `2s`, `5m`, `1m 30s`.
pub fn written(time: Duration) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    // Less than a thousand million of them.
    let nanos = i32::try_from(time.subsec_nanos()).unwrap_or(0);
    format!("{:#}", jiff::SignedDuration::new(seconds, nanos))
}

/// A duration as [`parse_days`] reads it, nothing rounded away: `14d`, `36h`.
pub fn written_days(time: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match (time.as_secs(), time.subsec_nanos()) {
        (seconds @ 1.., 0) if seconds.is_multiple_of(DAY) => format!("{}d", seconds / DAY),
        _ => written(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_24_hours() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for (text, time, shown) in [
            ("14d", hours(336), "14d"),
            ("1w 12h", hours(180), "180h"),
            ("36h", hours(36), "36h"),
            ("48h", hours(48), "2d"),
            ("20m", Duration::from_secs(1200), "20m"),
        ] {
            assert_eq!(parse_days(text), Ok(time), "{text}");
            assert_eq!(written_days(time), shown);
            assert_eq!(parse_days(shown), Ok(time));
        }
        for text in ["-2d", "1mo", "1y", "14", "P1M", "soon"] {
            assert!(parse_days(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_times_are_read_as_written() {
        assert_eq!(parse_size("8 MiB"), Ok(8 << 20));
        assert_eq!(parse_size("256KiB"), Ok(256 << 10));
        assert_eq!(parse_size("1000"), Ok(1000));
        assert!(parse_size("eight").is_err());
        assert!(parse_size("-1 MiB").is_err());
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(parse_duration("-5s").is_err());
        assert!(parse_duration("10").is_err());
    }

    #[test]
    fn times_are_shown_with_the_precision_that_matters() {
        assert_eq!(duration(Duration::from_millis(420)), "420 ms");
        assert_eq!(duration(Duration::from_millis(4321)), "4.3 s");
        assert_eq!(duration(Duration::from_secs(30)), "30 s");
        assert_eq!(duration(Duration::from_secs(125)), "2m 05s");
    }

    #[test]
    fn long_times_are_days_and_hours() {
        for (seconds, words) in [
            (59, "59 s"),
            (3599, "59m 59s"),
            (3600, "1 h"),
            (18_720, "5 h 12 min"),
            (86_400, "1 d"),
            (183_600, "2 d 03 h"),
            (14 * 86_400 + 59, "14 d"),
        ] {
            assert_eq!(long(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn limits_are_exact_in_words_and_as_written() {
        for (time, words, text) in [
            (Duration::from_millis(250), "250 ms", "250ms"),
            (Duration::from_secs(2), "2 s", "2s"),
            (Duration::from_millis(2500), "2s 500ms", "2s 500ms"),
            (Duration::from_secs(90), "1m 30s", "1m 30s"),
            (Duration::from_secs(300), "5 min", "5m"),
            (Duration::from_secs(7200), "2 h", "2h"),
            (Duration::ZERO, "0 s", "0s"),
        ] {
            assert_eq!(
                (limit(time).as_str(), written(time).as_str()),
                (words, text)
            );
            assert_eq!(parse_duration(text), Ok(time));
        }
    }
}

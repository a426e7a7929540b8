//! Times with a zone, as operators write them. What clocks show twice or never is refused: nobody knows which is meant.

use jiff::civil::{DateTime, Time};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::super::complaint::{Complaint, did_you_mean};
use super::super::text::quoted;

/// What to write.
pub const START_HELP: &str =
    "write day, time and zone, like `2026-12-01T01:00[Europe/Berlin]`, or `2026-12-01T00:00Z`";

/// The name of a time zone, as the database has it.
///
/// # Errors
/// The database has none of this name.
pub fn zone(name: &str) -> Result<String, Complaint> {
    let found = find(name)?;
    Ok(found.iana_name().unwrap_or(name.trim()).to_owned())
}

fn find(name: &str) -> Result<TimeZone, Complaint> {
    let name = name.trim();
    TimeZone::get(name).map_err(|_| {
        let names: Vec<String> = (jiff::tz::db().available())
            .map(|name| name.as_str().to_owned())
            .collect();
        let names = || names.iter().map(String::as_str);
        // `Berlin`, and nothing beside.
        let is_city = |zone: &&str| {
            let city = zone.rsplit('/').next();
            city.is_some_and(|city| city.eq_ignore_ascii_case(name))
        };
        let help = match names().find(is_city) {
            Some(zone) => format!("did you mean {}?", quoted(zone)),
            None => did_you_mean(name, names(), || {
                "write a name of the IANA time zone database, like `Europe/Berlin` or `UTC`".into()
            }),
        };
        Complaint::new(format!("there is no time zone {}", quoted(name)), help)
    })
}

/// A time from `2026-12-01T01:00[Europe/Berlin]`, or with an offset or `Z` in place of, or beside, the zone.
///
/// # Errors
/// No such time, no zone, or a time that clocks there show twice or never.
pub fn read_start(text: &str) -> Result<Zoned, Complaint> {
    let wrong = |what: &str| Complaint::new(format!("{} {what}", quoted(text)), START_HELP);
    let pieces = Pieces::parse(text.trim()).map_err(|_| wrong("is no time with a zone"))?;
    let Some(time) = pieces.time() else {
        return Err(wrong("has a day, and no time of day"));
    };
    let civil = pieces.date().to_datetime(time);
    let annotated = match pieces.time_zone_annotation() {
        None => None,
        Some(annotation) => Some(match annotation.kind() {
            jiff::fmt::temporal::TimeZoneAnnotationKind::Named(name) => find(name.as_str())?,
            _ => (annotation.to_time_zone()).map_err(|_| wrong("is no time with a zone"))?,
        }),
    };
    match (pieces.offset(), annotated) {
        (None, None) => Err(wrong("has no time zone")),
        (None, Some(zone)) => in_zone(civil, &zone),
        (Some(PiecesOffset::Zulu), zone) => {
            let at = TimeZone::UTC.to_timestamp(civil);
            let at = at.map_err(|_| wrong("is out of range"))?;
            Ok(at.to_zoned(zone.unwrap_or(TimeZone::UTC)))
        }
        (Some(offset), zone) => {
            let offset = offset.to_numeric_offset();
            let at = offset.to_timestamp(civil);
            let at = at.map_err(|_| wrong("is out of range"))?;
            let zoned = at.to_zoned(zone.unwrap_or_else(|| TimeZone::fixed(offset)));
            if zoned.offset() != offset {
                let message = format!(
                    "{} is not the time at offset {offset} there: clocks would show {}",
                    quoted(text),
                    written(&zoned)
                );
                return Err(Complaint::new(message, "leave the offset or the zone out"));
            }
            Ok(zoned)
        }
    }
}

/// A time of a clock in a zone, each written by itself.
///
/// # Errors
/// As [`read_start`].
pub fn read_start_in(at: &str, zone: &str) -> Result<Zoned, Complaint> {
    let zone = find(zone)?;
    let wrong = |what: &str| {
        let help = "write day and time of day, like `at: \"2026-12-01 01:00\"`";
        Complaint::new(format!("{} {what}", quoted(at)), help)
    };
    let pieces = Pieces::parse(at.trim()).map_err(|_| wrong("is no time"))?;
    if pieces.offset().is_some() || pieces.time_zone_annotation().is_some() {
        return Err(wrong("has a zone already, and `zone` stands beside it"));
    }
    let Some(time) = pieces.time() else {
        return Err(wrong("has a day, and no time of day"));
    };
    in_zone(pieces.date().to_datetime(time), &zone)
}

fn in_zone(civil: DateTime, zone: &TimeZone) -> Result<Zoned, Complaint> {
    let ambiguous = zone.to_ambiguous_zoned(civil);
    let name = zone.iana_name().unwrap_or("that zone");
    let offset = ambiguous.offset();
    let out_of_range = |_| Complaint::new(format!("{civil} is out of range"), START_HELP);
    let earlier = ambiguous.clone().earlier().map_err(out_of_range)?;
    let later = ambiguous.later().map_err(out_of_range)?;
    let what = match offset {
        AmbiguousOffset::Unambiguous { .. } => return Ok(earlier),
        AmbiguousOffset::Gap { .. } => "never shown by clocks",
        AmbiguousOffset::Fold { .. } => "shown twice by clocks",
    };
    let shown = civil.strftime("%Y-%m-%d %H:%M");
    let instant = |zoned: &Zoned| {
        let offset = zoned.offset();
        format!("{} ({offset}, {})", zoned.strftime("%H:%M"), utc(zoned))
    };
    let message = format!(
        "{shown} is {what} in {name}, where they are changed: it could be {} or {}",
        instant(&earlier),
        instant(&later)
    );
    let help = format!("write `{}` or `{}`", written(&earlier), written(&later));
    Err(Complaint::new(message, help))
}

fn utc(zoned: &Zoned) -> String {
    let at: Timestamp = zoned.timestamp();
    at.strftime("%H:%MZ").to_string()
}

/// As [`read_start`] reads it, with offset and zone: `2026-12-01T01:00+01:00[Europe/Berlin]`.
pub fn written(zoned: &Zoned) -> String {
    let zone = zoned.time_zone();
    let time = match zoned.time() {
        time if time.second() == 0 && time.subsec_nanosecond() == 0 => {
            zoned.strftime("%Y-%m-%dT%H:%M").to_string()
        }
        _ => zoned.datetime().to_string(),
    };
    match zone.iana_name() {
        Some("UTC") => format!("{time}Z"),
        Some(name) => format!("{time}{}[{name}]", zoned.strftime("%:z")),
        None => format!("{time}{}", zoned.strftime("%:z")),
    }
}

/// For people: `Tue 2026-12-01 01:00 Europe/Berlin`.
pub fn in_words(zoned: &Zoned) -> String {
    let time = zoned.strftime("%a %Y-%m-%d %H:%M");
    let is_whole = zoned.time().subsec_nanosecond() == 0 && zoned.time().second() == 0;
    let seconds = match is_whole || zoned.time() == Time::midnight() {
        true => String::new(),
        false => zoned.strftime(":%S").to_string(),
    };
    match zoned.time_zone().iana_name() {
        Some(name) => format!("{time}{seconds} {name}"),
        None => format!("{time}{seconds} {}", zoned.strftime("%:z")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_with_a_zone_is_one_instant() {
        for (text, instant, shown) in [
            (
                "2026-12-01T01:00[Europe/Berlin]",
                "2026-12-01T00:00:00Z",
                "2026-12-01T01:00+01:00[Europe/Berlin]",
            ),
            (
                "2026-12-01 01:00[europe/berlin]",
                "2026-12-01T00:00:00Z",
                "2026-12-01T01:00+01:00[Europe/Berlin]",
            ),
            (
                "2026-12-01T01:00Z",
                "2026-12-01T01:00:00Z",
                "2026-12-01T01:00Z",
            ),
            (
                "2026-12-01T01:00[UTC]",
                "2026-12-01T01:00:00Z",
                "2026-12-01T01:00Z",
            ),
            (
                "2026-12-01T01:00:30-03:30",
                "2026-12-01T04:30:30Z",
                "2026-12-01T01:00:30-03:30",
            ),
            (
                "2026-10-25T02:30+02:00[Europe/Berlin]",
                "2026-10-25T00:30:00Z",
                "2026-10-25T02:30+02:00[Europe/Berlin]",
            ),
            (
                "2026-10-25T02:30+01:00[Europe/Berlin]",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:30+01:00[Europe/Berlin]",
            ),
        ] {
            let zoned = read_start(text).unwrap();
            assert_eq!(zoned.timestamp().to_string(), instant, "{text}");
            assert_eq!(written(&zoned), shown);
            let again = read_start(shown).unwrap();
            assert_eq!(again.timestamp(), zoned.timestamp());
            assert_eq!(again.time_zone(), zoned.time_zone());
        }
        let zoned = read_start_in("2026-12-01 01:00", "Europe/Berlin").unwrap();
        assert_eq!(in_words(&zoned), "Tue 2026-12-01 01:00 Europe/Berlin");
    }

    #[test]
    fn a_time_that_is_skipped_or_doubled_is_refused_with_both_instants() {
        for text in [
            "2026-03-29T02:30[Europe/Berlin]",
            "2026-10-25T02:30[Europe/Berlin]",
        ] {
            let said = read_start(text).unwrap_err();
            // What it says to write can be read, and is one of the two.
            let written: Vec<&str> = said.help.split('`').skip(1).step_by(2).collect();
            let both: Vec<String> = (written.iter())
                .map(|text| read_start(text).unwrap().timestamp().to_string())
                .collect();
            let [one, other] = &both[..] else {
                panic!("{said}")
            };
            assert_ne!(one, other);
            for instant in [one, other] {
                let time = format!("{}Z", &instant[11..16]);
                assert!(said.message.contains(&time), "{said}");
            }
        }
        let said = read_start_in("2026-03-29 02:30", "Europe/Berlin")
            .unwrap_err()
            .to_string();
        let expected = "2026-03-29 02:30 is never shown by clocks in Europe/Berlin, where they are changed: it \
                        could be 01:30 (+01, 00:30Z) or 03:30 (+02, 01:30Z) (write \
                        `2026-03-29T01:30+01:00[Europe/Berlin]` or `2026-03-29T03:30+02:00[Europe/Berlin]`)";
        assert_eq!(said, expected);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (text, words) in [
            ("2026-12-01T01:00", "has no time zone"),
            ("2026-12-01", "no time of day"),
            ("2026-13-01T01:00Z", "is no time"),
            ("tomorrow", "is no time"),
            ("", "is no time"),
            (
                "2026-12-01T01:00[Europe/Berlim]",
                "did you mean `Europe/Berlin`?",
            ),
            (
                "2026-12-01T01:00+05:00[Europe/Berlin]",
                "2026-11-30T21:00+01:00[Europe/Berlin]",
            ),
        ] {
            let said = read_start(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text}: {said}");
        }
        for (at, zone, words) in [
            ("2026-12-01 01:00Z", "Europe/Berlin", "has a zone already"),
            ("2026-12-01", "Europe/Berlin", "no time of day"),
            ("01:00", "Europe/Berlin", "is no time"),
            (
                "2026-12-01 01:00",
                "Mars/Olympus",
                "no time zone `Mars/Olympus`",
            ),
        ] {
            let said = read_start_in(at, zone).unwrap_err().to_string();
            assert!(said.contains(words), "{at}: {said}");
        }
    }
}

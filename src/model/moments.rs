//! Times as an operator reads them off a clock on the wall, and how long it is until then.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `Sat 28 Nov 01:00 CET`; with the year where `now` is far away from it.
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    const FAR: u64 = 300 * 24 * 3600;
    let is_far = at.duration_since(now).unsigned_abs().as_secs() > FAR;
    let format = match is_far {
        true => "%a %-d %b %Y %H:%M %Z",
        false => "%a %-d %b %H:%M %Z",
    };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// `22:14` of the same day, else as [`moment`].
pub fn of_today(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let [local, today] = [at, now].map(|time| time.to_zoned(zone.clone()));
    match local.date() == today.date() {
        true => local.strftime("%H:%M").to_string(),
        false => moment(at, now, zone),
    }
}

/// In at most six columns: `01:00` within a day, `Sat` within six, else `28 Nov`.
pub fn in_short(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    const DAY: i64 = 24 * 3600;
    let local = at.to_zoned(zone.clone());
    let format = match at.duration_since(now).as_secs() {
        ..DAY => "%H:%M",
        ahead if ahead < 6 * DAY => "%a",
        _ => "%-d %b",
    };
    local.strftime(format).to_string()
}

/// `in 3 h 12 min`. It changes once a minute, and once a second in the last one.
pub fn ahead(until: Timestamp, now: Timestamp) -> String {
    let left = until.duration_since(now);
    if left.is_negative() || left.is_zero() {
        return "any moment now".into();
    }
    // A part of a second still to come is one.
    let seconds = left.as_secs() + i64::from(left.subsec_nanos() > 0);
    if seconds < 60 {
        return format!("in {seconds} s");
    }
    let minutes = (seconds + 59) / 60;
    let (hours, days) = (minutes / 60, minutes / (24 * 60));
    match (days, hours, minutes % 60) {
        (0, 0, minutes) => format!("in {minutes} min"),
        (0, hours, 0) => format!("in {hours} h"),
        (0, hours, minutes) => format!("in {hours} h {minutes} min"),
        (1, hours, _) => format!("in 1 day {} h", hours % 24),
        (days @ 2..14, hours, _) => format!("in {days} days {} h", hours % 24),
        (days, ..) => format!("in {days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_those_of_the_zone_and_name_it() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let now = at("2026-11-27T20:48:00Z");
        let saturday = at("2026-11-28T00:00:00Z");
        assert_eq!(moment(saturday, now, &berlin), "Sat 28 Nov 01:00 CET");
        assert_eq!(
            moment(saturday, now, &TimeZone::UTC),
            "Sat 28 Nov 00:00 UTC"
        );
        let summer = at("2028-07-01T00:00:00Z");
        assert_eq!(moment(summer, now, &berlin), "Sat 1 Jul 2028 02:00 CEST");
        assert_eq!(of_today(at("2026-11-27T20:12:59Z"), now, &berlin), "21:12");
        assert_eq!(
            of_today(at("2026-11-26T20:12:00Z"), now, &berlin),
            "Thu 26 Nov 21:12 CET"
        );
        let short = |text| in_short(at(text), now, &berlin);
        assert_eq!(short("2026-11-28T00:00:00Z"), "01:00");
        assert_eq!(short("2026-11-30T00:00:00Z"), "Mon");
        assert_eq!(short("2026-12-30T00:00:00Z"), "30 Dec");
    }

    #[test]
    fn what_is_left_changes_once_a_minute_and_at_last_once_a_second() {
        let now = at("2026-11-27T20:48:00Z");
        let left = |seconds: i64| ahead(now + jiff::SignedDuration::from_secs(seconds), now);
        for (seconds, said) in [
            (-5, "any moment now"),
            (0, "any moment now"),
            (1, "in 1 s"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (61, "in 2 min"),
            (3600, "in 1 h"),
            (3 * 3600 + 12 * 60 - 20, "in 3 h 12 min"),
            (26 * 3600, "in 1 day 2 h"),
            (4 * 86_400 + 3600, "in 4 days 1 h"),
            (20 * 86_400, "in 20 days"),
        ] {
            assert_eq!(left(seconds), said, "{seconds}");
        }
        let texts: std::collections::BTreeSet<String> = (61..7200).map(left).collect();
        assert_eq!(texts.len(), 119, "one for each minute");
        let part = now + jiff::SignedDuration::from_millis(1500);
        assert_eq!(ahead(part, now), "in 2 s");
    }
}

//! The calendar against a clock on the wall that is read minute by minute, over whole years.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;

const WORKDAYS: [Weekday; 5] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];

fn time(text: &str) -> TimeOfDay {
    let (hours, minutes) = text.split_once(':').unwrap();
    TimeOfDay::new(hours.parse().unwrap(), minutes.parse().unwrap()).unwrap()
}

fn window(days: Days, from: &str, to: &str, zone: &str) -> Window {
    Window {
        days,
        from: time(from),
        to: time(to),
        zone: zone.to_owned(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const WEEK: usize = 7 * 24 * 60;

/// Of each minute of a week, from the Monday on, whether a clock that shows it is inside: from the keys of the window alone.
fn inside(window: &Window) -> Vec<bool> {
    let (from, to) = (window.from.minutes(), window.to.minutes());
    (0..WEEK)
        .map(|minute| {
            let day = i8::try_from(minute / 1440).unwrap();
            let day = Weekday::from_monday_zero_offset(day).unwrap();
            let minute = u16::try_from(minute % 1440).unwrap();
            let today = window.days.has(day);
            let yesterday = window.days.has(day.previous());
            match (from, to) {
                (1440, to) => yesterday && minute < to,
                (from, to) if to <= from => (today && minute >= from) || (yesterday && minute < to),
                (from, to) => today && minute >= from && minute < to,
            }
        })
        .collect()
}

/// What the clock on a wall shows, minute by minute.
struct Wall {
    first: Timestamp,
    /// In minutes since a Monday.
    shown: Vec<usize>,
    /// The latest that it does not show again, and the latest that it has shown up to then.
    lowest: Vec<usize>,
    highest: Vec<usize>,
    /// Less than three days from a minute at which it was set, or in the first days.
    eventful: Vec<bool>,
}

impl Wall {
    fn new(zone: &str, from: Date, days: i64) -> Self {
        let zone = TimeZone::get(zone).unwrap();
        let first = from.to_zoned(TimeZone::UTC).unwrap().timestamp();
        let monday = date(1900, 1, 1).at(0, 0, 0, 0);
        let shown: Vec<_> = (0..days * 24 * 60)
            .map(|minute| {
                let shown = zone.to_datetime(first + SignedDuration::from_mins(minute));
                usize::try_from(shown.duration_since(monday).as_mins()).unwrap()
            })
            .collect();
        let mut lowest = shown.clone();
        let mut later = usize::MAX;
        for lowest in lowest.iter_mut().rev() {
            let shown = *lowest;
            *lowest = shown.min(later - 1);
            later = later.min(shown);
        }
        let mut highest = shown.clone();
        for minute in 1..highest.len() {
            highest[minute] = highest[minute].max(highest[minute - 1]);
        }
        let near = 3 * 1440;
        let mut eventful = vec![false; shown.len()];
        eventful[..near].fill(true);
        for set in 1..shown.len() {
            if shown[set] != shown[set - 1] + 1 {
                let end = (set + near).min(shown.len());
                eventful[set.saturating_sub(near)..end].fill(true);
            }
        }
        Self {
            first,
            shown,
            lowest,
            highest,
            eventful,
        }
    }

    fn at(&self, minute: usize) -> Timestamp {
        self.first + SignedDuration::from_mins(i64::try_from(minute).unwrap())
    }

    /// Inside under every reading: what the clock has shown is inside too where it was set back, and so is what it is yet
    /// to show again, and the minute before, so that the time of the beginning does not come again.
    fn is_open(&self, inside: &[bool], minute: usize) -> bool {
        let (lowest, highest) = (self.lowest[minute], self.highest[minute]);
        match lowest == highest {
            true => inside[lowest % WEEK],
            false => (lowest..=highest).all(|shown| inside[shown % WEEK]),
        }
    }

    /// Of each minute whether it is open, and the first one after it at which that changes.
    fn hours(&self, window: &Window) -> Vec<(bool, Option<usize>)> {
        let inside = inside(window);
        let open: Vec<_> = (0..self.shown.len())
            .map(|minute| self.is_open(&inside, minute))
            .collect();
        let mut change = None;
        let mut hours: Vec<_> = (0..open.len())
            .rev()
            .map(|minute| {
                if open
                    .get(minute + 1)
                    .is_some_and(|next| *next != open[minute])
                {
                    change = Some(minute + 1);
                }
                (open[minute], change)
            })
            .collect();
        hours.reverse();
        hours
    }

    /// Each minute near a change while the clock is set, and others.
    fn is_asked(&self, hours: &[(bool, Option<usize>)], minute: usize) -> bool {
        let mut near = minute.saturating_sub(1)..minute + 2;
        let changes = near.any(|near| hours[near].0 != hours[minute].0);
        minute.is_multiple_of(2003) || (self.eventful[minute] && changes)
    }
}

const WINDOWS: [(&str, &str); 14] = [
    ("01:00", "05:00"),
    ("22:00", "05:00"),
    ("02:30", "05:00"),
    ("01:00", "02:30"),
    ("02:15", "02:45"),
    ("02:00", "03:00"),
    ("02:30", "02:30"),
    ("02:45", "02:15"),
    ("01:30", "02:15"),
    ("23:30", "00:30"),
    ("00:00", "24:00"),
    ("00:00", "00:00"),
    ("18:00", "24:00"),
    ("24:00", "06:00"),
];

fn check(zone: &str, from: Date, days: i64) {
    let wall = Wall::new(zone, from, days);
    let choices = [
        Days::ALL,
        Days::new(WORKDAYS),
        Days::new([Weekday::Friday]),
        Days::new([Weekday::Saturday, Weekday::Sunday]),
        Days::new(WORKDAYS.into_iter().chain([Weekday::Saturday])),
    ];
    for (days, (from, to)) in choices
        .into_iter()
        .flat_map(|days| WINDOWS.map(|window| (days, window)))
    {
        let window = window(days, from, to, zone);
        let calendar = Calendar::new(&window).unwrap();
        let hours = wall.hours(&window);
        for minute in (0..hours.len() - 3).filter(|minute| wall.is_asked(&hours, *minute)) {
            let (open, change) = hours[minute];
            // What comes after the last change is beyond what was walked.
            let found = calendar.hours(wall.at(minute));
            let (found_open, found_change) = match found {
                Hours::Open { until } => (true, Some(until)),
                Hours::Closed { opens } => (false, opens),
            };
            let about = || format!("{window:?} at {}", wall.at(minute));
            assert_eq!(found_open, open, "{}", about());
            match change {
                Some(change) => assert_eq!(found_change, Some(wall.at(change)), "{}", about()),
                None => assert!(
                    found_change.is_some_and(|found| found >= wall.at(hours.len())),
                    "{}: {found_change:?}",
                    about()
                ),
            }
        }
    }
}

/// A year in which the clocks are set as ever, each zone in its own test, so that they run beside each other.
macro_rules! whole_years {
    ($($name:ident: $zone:literal, $year:literal;)*) => {$(
        #[test]
        fn $name() {
            check($zone, date($year, 1, 1), 366);
        }
    )*};
}

whole_years! {
    a_year_in_berlin: "Europe/Berlin", 2026;
    a_year_in_new_york: "America/New_York", 2026;
    a_year_on_lord_howe_whose_clocks_are_set_by_half_an_hour: "Australia/Lord_Howe", 2026;
    a_year_in_casablanca_whose_clocks_are_set_around_ramadan: "Africa/Casablanca", 2026;
    a_year_in_havana_whose_midnight_is_skipped_and_doubled: "America/Havana", 2026;
    a_year_at_the_troll_station_whose_clocks_are_set_by_two_hours: "Antarctica/Troll", 2026;
    a_year_of_utc: "UTC", 2026;
    the_year_in_which_samoa_skipped_a_day: "Pacific/Apia", 2011;
    the_year_in_which_kwajalein_skipped_a_day: "Pacific/Kwajalein", 1993;
    a_year_that_no_table_knows_and_the_rule_at_its_end_does: "Europe/Berlin", 2100;
}

fn hours(window: &Window, now: &str) -> Hours {
    Calendar::new(window).unwrap().hours(at(now))
}

#[test]
fn windows_in_words_of_a_night_in_berlin() {
    let night = window(Days::ALL, "01:00", "05:00", "Europe/Berlin");
    let open = |until| Hours::Open { until: at(until) };
    let closed = |opens| Hours::Closed {
        opens: Some(at(opens)),
    };
    // Winter, summer, and the night between.
    for (now, expected) in [
        ("2026-01-10T12:00:00Z", closed("2026-01-11T00:00:00Z")),
        ("2026-01-11T00:00:00Z", open("2026-01-11T04:00:00Z")),
        ("2026-01-11T03:59:59.999Z", open("2026-01-11T04:00:00Z")),
        ("2026-01-11T04:00:00Z", closed("2026-01-12T00:00:00Z")),
        ("2026-07-01T12:00:00Z", closed("2026-07-01T23:00:00Z")),
        ("2026-03-29T00:30:00Z", open("2026-03-29T03:00:00Z")),
        ("2026-10-25T00:00:00Z", open("2026-10-25T04:00:00Z")),
    ] {
        assert_eq!(hours(&night, now), expected, "{now}");
    }
}

#[test]
fn one_that_never_closes_and_those_that_never_open() {
    let always = window(Days::ALL, "05:00", "05:00", "Europe/Berlin");
    let open = Hours::Open {
        until: Timestamp::MAX,
    };
    for now in ["2026-03-29T01:00:00Z", "-009999-01-03T00:00:00Z"] {
        assert_eq!(hours(&always, now), open);
    }
    let never = window(Days::new([]), "01:00", "05:00", "UTC");
    let closed = Hours::Closed { opens: None };
    assert_eq!(hours(&never, "2026-03-29T01:00:00Z"), closed);
    // At both ends of time nothing breaks down.
    let night = window(Days::ALL, "22:00", "05:00", "Pacific/Apia");
    let calendar = Calendar::new(&night).unwrap();
    assert_eq!(calendar.hours(Timestamp::MAX), closed);
    assert!(matches!(
        calendar.hours(Timestamp::MIN),
        Hours::Closed { opens: Some(_) }
    ));
    assert_eq!(calendar.notes(Timestamp::MAX, u32::MAX), [""; 0]);
}

#[test]
fn a_zone_that_there_is_not() {
    for zone in ["Europe/Berlim", "", "../etc/passwd", "CEST"] {
        let window = window(Days::ALL, "01:00", "05:00", zone);
        let error = Calendar::new(&window).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no time zone {zone:?}"));
    }
}

#[test]
fn the_zones_come_with_the_program() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    assert!(bundled.get("Europe/Berlin").is_ok());
}

fn notes(days: Days, from: &str, to: &str, zone: &str, day: &str) -> Vec<String> {
    let calendar = Calendar::new(&window(days, from, to, zone)).unwrap();
    calendar.notes(at(&format!("{day}T00:00:00Z")), 5)
}

#[test]
fn what_daylight_saving_does_is_said() {
    let berlin = |from, to, day| notes(Days::ALL, from, to, "Europe/Berlin", day);
    let skip = "clocks in Europe/Berlin skip the time from 02:00 to 03:00";
    let twice = "clocks in Europe/Berlin show the time from 02:00 to 03:00 twice";
    let (spring, autumn) = ("2026-03-27", "2026-10-23");
    let sunday = |day: &str| format!("the window of Sunday, {day}");
    let in_spring = sunday("2026-03-29");
    let in_autumn = sunday("2026-10-25");
    for (from, to, day, expected) in [
        (
            "02:30",
            "05:00",
            spring,
            vec![format!("{in_spring} opens at 03:00: {skip}")],
        ),
        (
            "01:00",
            "02:30",
            spring,
            vec![format!("{in_spring} closes at 02:00: {skip}")],
        ),
        (
            "02:15",
            "02:45",
            spring,
            vec![format!("{in_spring} does not open: {skip}")],
        ),
        (
            "01:00",
            "05:00",
            spring,
            vec![format!("{in_spring} is 60m 00s shorter: {skip}")],
        ),
        ("03:00", "05:00", spring, vec![]),
        (
            "02:30",
            "05:00",
            autumn,
            vec![format!("{in_autumn} opens at the second 02:30: {twice}")],
        ),
        (
            "01:00",
            "02:30",
            autumn,
            vec![format!("{in_autumn} closes at the first 02:30: {twice}")],
        ),
        (
            "02:15",
            "02:45",
            autumn,
            vec![format!("{in_autumn} does not open: {twice}")],
        ),
        ("01:00", "05:00", autumn, vec![]),
        ("02:30", "02:30", autumn, vec![]),
    ] {
        assert_eq!(berlin(from, to, day), expected, "{from} to {to}");
    }
    let overnight = notes(
        Days::new([Weekday::Saturday]),
        "22:00",
        "02:30",
        "Europe/Berlin",
        spring,
    );
    assert_eq!(
        overnight,
        [format!(
            "the window of Saturday, 2026-03-28 closes at 02:00: {skip}"
        )]
    );
    let samoa = notes(
        Days::new([Weekday::Friday]),
        "01:00",
        "05:00",
        "Pacific/Apia",
        "2011-12-28",
    );
    let skip = "clocks in Pacific/Apia skip the time from 2011-12-30 00:00 to 2011-12-31 00:00";
    assert_eq!(
        samoa,
        [format!(
            "the window of Friday, 2011-12-30 does not open: {skip}"
        )]
    );
}

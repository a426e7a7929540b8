//! When waves begin, by the assumed rate; and how it is said.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Pace, Schedule, schedule};
use crate::model::campaign::start::read_start;
use crate::model::campaign::{Campaign, Percent, Proceed, StopAfter, Wave, Window};
use crate::model::testing::{entity, group, image};
use crate::model::{Group, Image};
use crate::plan::PlannedGroup;

const MIB: u64 = 1 << 20;

fn scheduled(entities: usize, size: u64, campaign: Campaign, now: &str) -> Schedule {
    let entities = (1..=entities).map(|n| Arc::new(entity(&format!("s{n:03}"), "1")));
    let group = Group {
        image: Arc::new(Image {
            size: Some(size),
            ..image()
        }),
        campaign: Arc::new(campaign),
        ..group("g", entities.collect())
    };
    let now: Timestamp = now.parse().unwrap();
    schedule(&PlannedGroup::new(Arc::new(group), false), now)
}

fn waves() -> Vec<Wave> {
    vec![
        Wave::Count(1),
        Wave::Percent(Percent::new(1000).unwrap()),
        Wave::Rest,
    ]
}

fn said(schedule: &Schedule) -> Vec<String> {
    let rows = schedule.in_words().into_iter();
    rows.inspect(|row| assert!(row.label.len() <= 10, "{row:?}"))
        .map(|row| format!("{}: {}", row.label, row.text))
        .collect()
}

#[test]
fn a_group_like_any_other_has_nothing_to_say() {
    let schedule = scheduled(3, MIB, Campaign::default(), "2026-12-01T00:00:00Z");
    assert_eq!(said(&schedule), [""; 0]);
    assert_eq!(schedule.waves.len(), 1);
    assert!(schedule.notes.is_empty());
}

#[test]
fn waves_are_said_with_their_first_and_when_they_may_begin() {
    let campaign = Campaign {
        waves: waves(),
        proceed: Proceed::Ask,
        stop_after: Some(StopAfter::Percent(Percent::new(200).unwrap())),
        start: Some(read_start("2026-12-01T00:30[Europe/Berlin]").unwrap()),
        window: Some(Window::read("tue-thu 01:00-05:00 Europe/Berlin").unwrap()),
        ..Campaign::default()
    };
    // 64 MiB at 1 MiB/s are 64 s, however many they are.
    let all = scheduled(200, 64 * MIB, campaign.clone(), "2026-11-30T00:00:00Z");
    assert_eq!(
        said(&all),
        [
            "waves: 1 + 20 + 179; somebody is asked before each but the first",
            "wave 1: 1 entity, s001; not before Tue 2026-12-01 01:00 Europe/Berlin; takes about 1m 04s at an assumed 1.0 MiB/s",
            "wave 2: 20 entities, s[002-021]; not before Tue 2026-12-01 01:01:04 Europe/Berlin, and when it is let go; takes about 1m 04s at an assumed 1.0 MiB/s",
            "wave 3: 179 entities, s[022-200]; not before Tue 2026-12-01 01:02:08 Europe/Berlin, and when it is let go; takes about 1m 04s at an assumed 1.0 MiB/s",
            "window: tue-thu 01:00-05:00 Europe/Berlin; all fit into one",
            "stops: after 4 failures (2% of 200): no other begins until somebody says so",
        ]
    );
    assert!(all.notes.is_empty(), "{:?}", all.notes);
    // All together have 1 MiB/s: 225 in four hours, and the last wave ends in the second night.
    let shared = Campaign {
        rate: Some(MIB),
        ..campaign.clone()
    };
    let all = scheduled(400, 64 * MIB, shared, "2026-11-30T00:00:00Z");
    assert_eq!((all.fits, all.windows), (Some(225), Some(2)));
    let begins = all.waves[2].begins.unwrap().to_string();
    assert_eq!(begins, "2026-12-01T00:43:44Z", "behind 41 of 64 s");
    // What begins at once, and what begins in the past.
    let now = "2026-12-02T01:30:00Z";
    let late = scheduled(200, 64 * MIB, campaign, now);
    assert_eq!(late.waves[0].begins, Some(now.parse().unwrap()));
    let notes: Vec<String> = late.notes.iter().map(ToString::to_string).collect();
    let past =
        "its start, Tue 2026-12-01 00:30 Europe/Berlin, is past: it begins as soon as it may";
    assert_eq!(notes, [past]);
}

#[test]
fn what_never_fits_and_what_clocks_do_is_said() {
    let window = |text: &str| Campaign {
        window: Some(Window::read(text).unwrap()),
        ..Campaign::default()
    };
    // 7200 MiB are two hours.
    let never = scheduled(
        2,
        7200 * MIB,
        window("01:00-02:00 UTC"),
        "2026-12-01T00:00:00Z",
    );
    assert_eq!((never.fits, never.windows), (Some(0), None));
    assert_eq!(never.waves[0].begins, None);
    let notes: Vec<String> = never.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes[0].contains(
            "takes about 120m 00s at an assumed 1.0 MiB/s, and its window is open for 1 h"
        ),
        "{notes:?}"
    );
    assert!(
        said(&never)[0].contains("never begins"),
        "{:?}",
        said(&never)
    );
    // In the night of March 29th, 2026, clocks in Berlin skip the hour from two.
    let night = window("sun 02:00-04:00 Europe/Berlin");
    let spring = scheduled(2, MIB, night, "2026-03-28T00:00:00Z");
    let notes: Vec<String> = spring.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes[0].contains("2026-03-29") && notes[0].contains("skip"),
        "{notes:?}"
    );
}

proptest! {
    /// What is said to fit does fit, and one more would not.
    #[test]
    fn what_fits_is_as_much_as_can_be(
        one in 1..4000u64,
        size in 1..1000u64,
        rate in proptest::option::of(1..100u64),
        parallel in proptest::option::of(1..20usize),
        entities in 1..300usize,
        time in 1..20_000u64,
    ) {
        let pace = Pace {
            one: Duration::from_secs(one),
            size: Some(size),
            rate,
            parallel,
            assumed: None,
        };
        let time = Duration::from_secs(time);
        let fits = pace.within(entities, time);
        prop_assert!(fits <= entities);
        prop_assert!(fits == 0 || pace.all(fits) <= time, "{fits}: {:?}", pace.all(fits));
        prop_assert_eq!(fits == 0, pace.all(1) > time);
    }
}

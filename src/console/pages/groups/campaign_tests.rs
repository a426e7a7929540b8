//! What is said of groups that are gone through in waves, here and in the review.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use jiff::Timestamp;

use crate::console::pages::State;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::model::campaign::{Offline, Percent, Proceed, StopAfter, Wave};
use crate::model::{Campaign, EntityState};
use crate::protocol::{CampaignSnapshot, Held, HeldBy, PauseReason, Snapshot, Wait, WaveSnapshot};

fn percent(hundredths: u16) -> Percent {
    Percent::new(hundredths).unwrap()
}

/// `adsl` in waves, on devices with a procedure.
fn state() -> State {
    let mut inventory = testing::inventory(&format!("{}{}", testing::SITE, testing::PROCEDURE));
    let mut group = (*inventory.groups[0]).clone();
    group.campaign = Arc::new(Campaign {
        waves: vec![Wave::Count(1), Wave::Percent(percent(1000)), Wave::Rest],
        proceed: Proceed::Ask,
        stop_after: Some(StopAfter::Count(2)),
        start: Some("2026-11-28T01:00[Europe/Berlin]".parse().unwrap()),
        rate: Some(2 << 20),
        offline: Offline::Wait {
            at_most: std::time::Duration::from_secs(14 * 86_400),
            first: std::time::Duration::from_secs(60),
        },
        ..Campaign::default()
    });
    inventory.groups[0] = Arc::new(group);
    State::new(testing::site_of(inventory))
}

fn run(held: Option<HeldBy>) -> Snapshot {
    let entities = (1..=7).map(|at| {
        let state = match at {
            1 => EntityState::Upgraded,
            _ => EntityState::Waiting,
        };
        testing::entity(&format!("shelf1-{at:02}"), state, 0)
    });
    let mut group = testing::group("adsl", entities.collect());
    let at: Timestamp = "2026-11-27T20:48:00Z".parse().unwrap();
    let wave = |entities, good| WaveSnapshot {
        entities,
        good,
        ..WaveSnapshot::default()
    };
    group.campaign = Some(Box::new(CampaignSnapshot {
        waves: vec![wave(1, 1), wave(1, 0), wave(5, 0)],
        wave: 1,
        held: held.map(|by| Held { since: at, by }),
        untouched: 6,
        offline: 0,
        failed: 0,
        stops_at: Some(2),
        rate: None,
    }));
    Snapshot {
        at,
        groups: vec![Arc::new(group)],
        ..testing::idle()
    }
}

#[test]
fn how_a_group_is_gone_through_is_said_as_it_was_set() {
    let mut state = state();
    let idle = testing::idle();
    press(&mut state, &idle, "2");
    insta::assert_snapshot!("campaign_80x24", screen(&mut state, &idle, 80, 24, MONO));
    insta::assert_snapshot!(
        "campaign_120x40",
        screen(&mut state, &idle, 120, 40, COLOURS)
    );
    press(&mut state, &idle, "<Enter>");
    let details = screen(&mut state, &idle, 80, 40, ASCII);
    for wanted in [
        "procedure `card`",
        "waves     1 + 10% + rest",
        "stops     when 2",
    ] {
        assert!(details.contains(wanted), "{wanted}: {details}");
    }
    press(&mut state, &idle, "<Esc>S");
    insta::assert_snapshot!("review_80x40", screen(&mut state, &idle, 80, 40, MONO));
}

#[test]
fn how_a_run_stands_is_a_word_in_the_list() {
    let mut state = state();
    press(&mut state, &testing::idle(), "2");
    let until = Some("2026-11-28T00:00:00Z".parse().unwrap());
    for (held, word, now) in [
        (None, "wave 1/3", None),
        (
            Some(HeldBy::Pause(PauseReason::Asks { wave: 1 })),
            "= paused",
            Some("paused since 20:48: wave 1 went well; next: wave 2 of 3, 1 entity"),
        ),
        (
            Some(HeldBy::Pause(PauseReason::Failures {
                failed: 2,
                stops_at: 2,
            })),
            "= stopped",
            Some("stopped since 20:48: 2 failed, stops at 2; 6 untouched"),
        ),
        (
            Some(HeldBy::Wait(Wait::Window { until })),
            ". waits 00:00",
            Some("waits for its window, opens Sat 28 Nov 00:00 UTC"),
        ),
    ] {
        let snapshot = run(held);
        screen(&mut state, &snapshot, 80, 24, MONO);
        let shown = screen(&mut state, &snapshot, 80, 40, MONO);
        let row = shown
            .lines()
            .find(|line| line.contains("adsl-2.4"))
            .unwrap();
        assert!(row.ends_with(word), "{row}");
        assert!(now.is_none_or(|now| shown.contains(now)), "{shown}");
    }
}

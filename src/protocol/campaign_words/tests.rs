//! What is said of campaigns, and that it fits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-27T20:48:00Z")
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn wave(entities: usize, good: usize) -> WaveSnapshot {
    WaveSnapshot {
        entities,
        good,
        ..WaveSnapshot::default()
    }
}

/// 1 + 20 + 179, of which the second is half done.
fn campaign() -> CampaignSnapshot {
    let mut second = wave(20, 10);
    second.under_way = 8;
    second.failed = 2;
    CampaignSnapshot {
        waves: vec![wave(1, 1), second, wave(179, 0)],
        wave: 2,
        held: None,
        untouched: 179,
        offline: 0,
        failed: 2,
        stops_at: Some(4),
        rate: None,
    }
}

fn held(by: HeldBy) -> Option<Held> {
    let since = now() - SignedDuration::from_mins(30);
    Some(Held { since, by })
}

fn drawn(steps: &[Step]) -> String {
    let sign = |mark: Mark| match mark {
        Mark::Next => '.',
        Mark::Good => '#',
        Mark::Look => '!',
        Mark::Failed => 'X',
        Mark::Now => '>',
    };
    let steps = steps
        .iter()
        .map(|step| format!("{}{}", sign(step.mark), step.text));
    steps.collect::<Vec<_>>().join(&" ".repeat(STEP_GAP))
}

#[test]
fn waves_are_steps_and_what_is_far_is_folded() {
    let mut campaign = campaign();
    assert_eq!(drawn(&campaign.steps(80)), "#1  >10/20 2 failed  .179");
    (campaign.waves[1].under_way, campaign.waves[1].good) = (0, 18);
    assert_eq!(drawn(&campaign.steps(80)), "#1  X20 2 failed  .179");
    campaign.wave = 0;
    campaign.waves = vec![wave(1, 0), wave(20, 0), wave(179, 0)];
    assert_eq!(drawn(&campaign.steps(80)), ".1  .20  .179");
    campaign.waves = (0..40)
        .map(|number| wave(10, if number < 20 { 10 } else { 0 }))
        .collect();
    campaign.waves[3].failed = 1;
    campaign.waves[20].under_way = 4;
    campaign.wave = 21;
    assert_eq!(
        drawn(&campaign.steps(73)),
        "X18 waves of 180 1 failed  #10  #10  >0/10  .10  .10  .17 waves of 170"
    );
    assert_eq!(
        drawn(&campaign.steps(55)),
        "X20 waves of 200 1 failed  >0/10  .19 waves of 190"
    );
    assert_eq!(drawn(&campaign.steps(40)), "X20 waves  >0/10  .19 waves");
}

#[test]
fn why_nobody_begins_since_when_and_what_is_next() {
    let mut campaign = campaign();
    let said = |campaign: &CampaignSnapshot| {
        let said = campaign.held_in_words(now(), &berlin());
        (said, campaign.word(now(), &berlin()))
    };
    assert_eq!(said(&campaign), (None, Some("wave 2/3".into())));
    let operator = HeldBy::Pause(PauseReason::Operator);
    let saturday = at("2026-11-28T00:00:00Z");
    let reasons = [
        (
            operator.clone(),
            "paused since 21:18 by an operator; 8 still under way; next: wave 3 of 3, 179 entities",
            "paused",
        ),
        (
            HeldBy::Pause(PauseReason::Failures {
                failed: 4,
                stops_at: 4,
            }),
            "stopped since 21:18: 4 failed, stops at 4; 8 still under way; 179 untouched",
            "stopped",
        ),
        (
            HeldBy::Wait(Wait::Window {
                until: Some(saturday),
            }),
            "waits for its window, opens Sat 28 Nov 01:00 CET, in 3 h 12 min; 8 still under way; \
             next: wave 3 of 3, 179 entities",
            "waits 01:00",
        ),
        (
            HeldBy::Wait(Wait::Secrets {
                credentials: vec!["craft".into()],
            }),
            "waits for the secret of craft, since 21:18; 8 still under way; next: wave 3 of 3, 179 \
             entities",
            "asks secret",
        ),
    ];
    for (by, text, word) in reasons {
        campaign.held = held(by);
        assert_eq!(said(&campaign), (Some(text.into()), Some(word.into())));
    }
    campaign.held = held(HeldBy::Pause(PauseReason::Asks { wave: 1 }));
    campaign.waves[1] = wave(20, 0);
    campaign.wave = 1;
    assert_eq!(
        said(&campaign).0.unwrap(),
        "paused since 21:18: wave 1 went well; next: wave 2 of 3, 20 entities"
    );
    campaign.waves[1].good = 12;
    campaign.wave = 2;
    campaign.held = held(operator);
    assert_eq!(
        said(&campaign).0.unwrap(),
        "paused since 21:18 by an operator; next: 8 more of wave 2 of 3"
    );
    campaign.held = None;
    campaign.waves = vec![wave(7, 4)];
    (campaign.waves[0].offline, campaign.offline) = (3, 3);
    assert_eq!(
        said(&campaign),
        (
            Some("3 entities are offline, and asked again by themselves".into()),
            Some("3 offline".into())
        )
    );
}

#[test]
fn changes_are_said_in_the_readers_time() {
    let said = |change: Change| change.in_words(now(), &berlin());
    assert_eq!(
        said(Change::WaveEnds {
            wave: 2,
            good: 16,
            unproven: 0,
            failed: 3,
            offline: 1
        }),
        "wave 2 has ended: 16 good, 3 failed, 1 offline"
    );
    assert_eq!(
        said(Change::Waits(Wait::Room {
            until: Some(at("2026-12-03T00:00:00Z")),
            takes: 720
        })),
        "waits for its next window, opens Thu 3 Dec 01:00 CET (one takes 12m 00s, too long for this \
         one)"
    );
    assert_eq!(
        said(Change::Waits(Wait::Window { until: None })),
        "waits for its window, which never opens again"
    );
    let reason = PauseReason::Unproven {
        wave: 1,
        unproven: 1,
        failed: 0,
        offline: 0,
    };
    assert_eq!(
        said(Change::Paused(reason)),
        "is paused: nothing in wave 1 is proven, 1 unproven"
    );
}

fn any_wave() -> impl Strategy<Value = WaveSnapshot> {
    (0_usize..2000, prop::array::uniform5(0_usize..400)).prop_map(|(more, [g, u, f, o, w])| {
        WaveSnapshot {
            entities: more + g + u + f + o + w,
            under_way: w,
            good: g,
            unproven: u,
            failed: f,
            offline: o,
        }
    })
}

proptest! {
    /// Whatever a group is gone through in: what is not under way may be folded, and never lost.
    #[test]
    fn steps_fit_and_count_every_wave(
        waves in prop::collection::vec(any_wave(), 1..120),
        wave in 0_usize..120,
        columns in 45_usize..220,
    ) {
        let mut campaign = campaign();
        campaign.wave = wave.min(waves.len());
        campaign.waves = waves;
        let steps = campaign.steps(columns);
        prop_assert!(width_of(&steps) <= columns, "{}", drawn(&steps));
        let counted: usize = steps.iter().map(|step| {
            let folded = step.text.split_once(" waves");
            folded.map_or(1, |(many, _)| many.parse().unwrap())
        }).sum();
        prop_assert_eq!(counted, campaign.waves.len(), "{}", drawn(&steps));
    }

    #[test]
    fn a_word_has_at_most_eleven_columns(
        waves in 1_usize..1000,
        ahead in 0_i64..90_000_000,
        kind in 0..5,
    ) {
        let mut campaign = campaign();
        campaign.waves = vec![wave(1, 0); waves];
        let until = Some(now() + SignedDuration::from_secs(ahead));
        campaign.held = match kind {
            0 => None,
            1 => held(HeldBy::Pause(PauseReason::Operator)),
            2 => held(HeldBy::Wait(Wait::Window { until })),
            3 => held(HeldBy::Wait(Wait::Window { until: None })),
            _ => held(HeldBy::Wait(Wait::Secrets { credentials: Vec::new() })),
        };
        let word = campaign.word(now(), &berlin()).unwrap_or_default();
        prop_assert!(word.len() <= 12, "{word}");
    }
}

fn width_of(steps: &[Step]) -> usize {
    drawn(steps).chars().count()
}

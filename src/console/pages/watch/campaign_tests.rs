//! Groups that are gone through in waves: what the watch page shows, and that nothing begins by accident.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::console::dialogs::Dialog;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::model::{EntityState, Outcome, Verified};
use crate::protocol::{
    CampaignSnapshot, GroupPhase, Held, HeldBy, PauseReason, Wait, WaveSnapshot,
};

fn now() -> Timestamp {
    "2026-11-27T20:48:00Z".parse().unwrap()
}

fn wave(entities: usize) -> WaveSnapshot {
    WaveSnapshot {
        entities,
        ..WaveSnapshot::default()
    }
}

/// 1 + 20 + 179; the first has gone well, and of the second some are done.
fn waves(done: usize, failed: usize, under_way: usize) -> Snapshot {
    use EntityState as S;
    let entities = (1..=200).map(|at| {
        let number = match at {
            1 => 1,
            2..=21 => 2,
            _ => 3,
        };
        let state = match at {
            1 => S::Upgraded,
            _ if at <= 1 + done => S::Upgraded,
            _ if at <= 1 + done + failed => S::RolledBack,
            _ if at <= 1 + done + failed + under_way => S::Sending,
            _ => S::Waiting,
        };
        let sent = match state {
            S::Waiting => 0,
            S::Sending => 3 << 20,
            _ => 8 << 20,
        };
        let mut entity = testing::entity(&format!("line-{at:03}"), state, sent);
        entity.wave = Some(number);
        if state == S::Sending {
            entity.rate = 250_000.0;
        }
        if state == S::Upgraded {
            (entity.runs, entity.verified) = (Some("2.4".into()), Verified::Digest);
        }
        if state == S::RolledBack {
            (entity.runs, entity.cause) = (Some("2.3".into()), Some("check 1: no 2.4".into()));
        }
        entity
    });
    let mut group = testing::group("adsl", entities.collect());
    let mut second = wave(20);
    (second.good, second.failed, second.under_way) = (done, failed, under_way);
    let mut first = wave(1);
    first.good = 1;
    group.campaign = Some(Box::new(CampaignSnapshot {
        waves: vec![first, second, wave(179)],
        wave: if done + failed + under_way == 0 { 1 } else { 2 },
        held: None,
        untouched: 199 - done - failed - under_way,
        offline: 0,
        failed,
        stops_at: Some(4),
        rate: None,
    }));
    Snapshot {
        at: now(),
        groups: vec![Arc::new(group)],
        ..testing::idle()
    }
}

fn held(mut snapshot: Snapshot, by: HeldBy) -> Snapshot {
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    let since = now() - SignedDuration::from_mins(34);
    group.campaign.as_mut().unwrap().held = Some(Held { since, by });
    snapshot
}

/// After the first wave.
fn asks() -> Snapshot {
    held(waves(0, 0, 0), HeldBy::Pause(PauseReason::Asks { wave: 1 }))
}

fn stopped() -> Snapshot {
    let reason = PauseReason::Failures {
        failed: 4,
        stops_at: 4,
    };
    held(waves(14, 4, 0), HeldBy::Pause(reason))
}

fn window() -> Snapshot {
    let until = Some("2026-11-28T00:00:00Z".parse().unwrap());
    held(waves(0, 0, 0), HeldBy::Wait(Wait::Window { until }))
}

fn watching(snapshot: &Snapshot) -> State {
    let mut state = testing::state();
    state.shared.page = Page::Watch;
    state.shared.time.zone = TimeZone::get("Europe/Berlin").unwrap();
    state.observe(snapshot);
    state
}

fn shown_at(snapshot: &Snapshot, width: u16, height: u16, theme: Theme) -> String {
    screen(&mut watching(snapshot), snapshot, width, height, theme)
}

#[test]
fn waves_under_way_at_every_size_and_look() {
    let snapshot = waves(10, 2, 8);
    insta::assert_snapshot!("waves_80x24", shown_at(&snapshot, 80, 24, MONO));
    insta::assert_snapshot!("waves_60x16_ascii", shown_at(&snapshot, 60, 16, ASCII));
    insta::assert_snapshot!("waves_120x40", shown_at(&snapshot, 120, 40, COLOURS));
}

#[test]
fn a_group_that_is_held_says_why_since_when_what_is_next_and_the_key() {
    insta::assert_snapshot!("asks_80x24", shown_at(&asks(), 80, 24, MONO));
    insta::assert_snapshot!("stopped_80x24", shown_at(&stopped(), 80, 24, MONO));
    insta::assert_snapshot!("window_80x24", shown_at(&window(), 80, 24, MONO));
    insta::assert_snapshot!("stopped_60x16", shown_at(&stopped(), 60, 16, ASCII));
    insta::assert_snapshot!("window_120x40", shown_at(&window(), 120, 40, COLOURS));
    let operator = held(waves(10, 0, 8), HeldBy::Pause(PauseReason::Operator));
    insta::assert_snapshot!("pausing_80x24", shown_at(&operator, 80, 24, MONO));
    for snapshot in [asks(), stopped(), window(), operator] {
        for (width, height) in [(60, 16), (80, 24), (200, 60)] {
            let screen = shown_at(&snapshot, width, height, ASCII);
            assert!(screen.is_ascii(), "{screen}");
            let widest = screen.lines().map(str::len).max().unwrap();
            assert!(widest <= usize::from(width));
        }
    }
}

/// Rows are counted by the same function that draws them: the cursor is on the screen wherever it goes.
#[test]
fn the_cursor_is_on_the_screen_however_many_lines_stand_above() {
    for snapshot in [waves(10, 2, 8), asks(), stopped(), window()] {
        for (width, height) in [(60, 16), (80, 24), (120, 40)] {
            let mut state = watching(&snapshot);
            screen(&mut state, &snapshot, width, height, MONO);
            for keys in ["<Down>", "G", "<PgUp>", "<PgDn>", "<Up>"] {
                press(&mut state, &snapshot, keys);
                let group = shown(&state.pages.watch, &snapshot).unwrap();
                let name = selected(&state.pages.watch, group).unwrap().entity.clone();
                let screen = screen(&mut state, &snapshot, width, height, MONO);
                let rows = screen
                    .lines()
                    .filter(|line| testing::row(line).starts_with(&*name));
                // In the table, and in the line below it.
                assert_eq!(rows.count(), 2, "{keys} {name}\n{screen}");
            }
        }
    }
}

#[test]
fn p_asks_before_the_next_wave_and_enter_alone_goes_on() {
    let snapshot = asks();
    let mut state = watching(&snapshot);
    screen(&mut state, &snapshot, 80, 24, MONO);
    // However often it is pressed, and whatever else.
    assert_eq!(press(&mut state, &snapshot, "ppyYpS<Space>"), []);
    assert_eq!(state.shared.dialogs.len(), 1);
    insta::assert_snapshot!("sheet_80x24", screen(&mut state, &snapshot, 80, 24, MONO));
    assert_eq!(press(&mut state, &snapshot, "<Esc>"), []);
    assert!(state.shared.dialogs.is_empty());
    let sent = press(&mut state, &snapshot, "p<Enter>");
    let group = "adsl".to_owned();
    let held = snapshot.groups[0]
        .campaign
        .as_ref()
        .and_then(|one| one.held.as_ref());
    let since = held.map(|held| held.since);
    assert_eq!(sent, [Effect::Send(vec![Command::Resume { group, since }])]);
    // It goes on before the engine says so: what is typed meanwhile asks again, and does nothing else.
    assert_eq!(press(&mut state, &snapshot, "p"), []);
    let running = waves(0, 0, 20);
    assert_eq!(press(&mut state, &running, "<Enter>"), []);
    let said = &state.shared.message.as_ref().unwrap().text;
    assert!(said.contains("nothing was done"), "{said}");
}

/// Two consoles: the other one has let it go on, and it is paused again for another reason.
#[test]
fn what_was_asked_about_is_what_is_answered() {
    let snapshot = asks();
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "p");
    assert_eq!(press(&mut state, &stopped(), "<Enter>"), []);
    let said = &state.shared.message.as_ref().unwrap().text;
    assert!(said.contains("not held by that any more"), "{said}");
    let mut state = watching(&stopped());
    screen(&mut state, &stopped(), 60, 16, ASCII);
    press(&mut state, &stopped(), "p");
    insta::assert_snapshot!(
        "sheet_stopped_60x16",
        screen(&mut state, &stopped(), 60, 16, ASCII)
    );
}

#[test]
fn a_group_that_runs_or_waits_is_paused_at_once() {
    let group = "adsl".to_owned();
    let pause = [Effect::Send(vec![Command::Pause { group }])];
    for snapshot in [waves(10, 2, 8), window()] {
        let mut state = watching(&snapshot);
        assert_eq!(press(&mut state, &snapshot, "p"), pause);
        assert_eq!(press(&mut state, &snapshot, ":pause<Enter>"), pause);
    }
}

#[test]
fn nothing_is_paused_where_it_would_mean_nothing_or_is_not_allowed() {
    let said = |state: &State| state.shared.message.as_ref().unwrap().text.clone();
    let mut all_begun = waves(10, 2, 8);
    let group = Arc::make_mut(&mut all_begun.groups[0]);
    group.campaign.as_mut().unwrap().untouched = 0;
    let mut state = watching(&all_begun);
    assert_eq!(press(&mut state, &all_begun, "p"), []);
    assert!(said(&state).contains("nothing is left to pause"));

    let mut ended = waves(18, 2, 0);
    let group = Arc::make_mut(&mut ended.groups[0]);
    group.phase = GroupPhase::Ended(Outcome::Cancelled);
    let mut state = watching(&ended);
    assert_eq!(press(&mut state, &ended, "p"), []);
    assert!(said(&state).contains("has ended"));
    let screen_of = screen(&mut state, &ended, 80, 24, MONO);
    assert!(!screen_of.contains("p pause") && !screen_of.contains("x cancel"));

    let paused = asks();
    for key in ["p", ":pause<Enter>"] {
        let mut state = watching(&paused);
        state.shared.engine.watch_only = true;
        assert_eq!(press(&mut state, &paused, key), []);
        assert!(state.shared.dialogs.is_empty() && said(&state).contains("only watches"));
        let screen = screen(&mut state, &paused, 80, 24, MONO);
        assert!(!screen.contains("p go on"), "{screen}");
    }
    let mut state = watching(&paused);
    press(&mut state, &paused, "f");
    assert_eq!(press(&mut state, &paused, "p"), []);
    assert!(state.shared.dialogs.is_empty() && said(&state).contains("frozen"));
}

#[test]
fn a_secret_that_is_waited_for_is_given_by_the_same_key() {
    let credentials = vec!["craft".to_owned()];
    let snapshot = held(waves(0, 0, 0), HeldBy::Wait(Wait::Secrets { credentials }));
    let mut state = watching(&snapshot);
    let screen_of = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(screen_of.contains("p give it"), "{screen_of}");
    assert_eq!(press(&mut state, &snapshot, "p"), []);
    assert!(matches!(
        state.shared.dialog(),
        Some(Dialog::Password { .. })
    ));
    let sent = press(&mut state, &snapshot, "sesame<Enter>");
    let [Effect::Send(commands)] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert!(matches!(commands.as_slice(), [Command::Login { .. }]));
    assert_eq!(state.shared.page, Page::Watch);
}

/// The picture of a group that is held costs nothing until the minute is over.
#[test]
fn nothing_is_sent_while_nothing_changes() {
    let yaml = testing::inventory(testing::SITE);
    for snapshot in [asks(), stopped(), window()] {
        let mut console = testing::Watching::new(yaml.clone(), &snapshot, 80, 24);
        assert!(!console.draw(&snapshot).is_empty());
        let later = |seconds| Snapshot {
            at: snapshot.at + SignedDuration::from_secs(seconds),
            ..snapshot.clone()
        };
        console.draw(&later(-59));
        for second in -58..0 {
            assert!(console.draw(&later(second)).is_empty(), "{second}");
        }
        // Until 01:00 it is 3 h 12 min sharp.
        let drawn = console.draw(&later(0));
        assert_eq!(!drawn.is_empty(), snapshot == window());
        assert!(drawn.len() < 40, "{}", drawn.len());
    }
}

#[test]
fn entities_that_are_offline_say_when_they_are_asked_again() {
    use EntityState as S;
    let mut snapshot = waves(19, 0, 0);
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    let campaign = group.campaign.as_mut().unwrap();
    (campaign.waves[1].offline, campaign.offline) = (1, 1);
    group.entities[20].state = S::Offline;
    group.entities[20].cause =
        Some("connect: 192.0.2.41 does not answer; asked again in 4 min".into());
    let mut state = watching(&snapshot);
    screen(&mut state, &snapshot, 80, 24, MONO);
    for _ in 0..21 {
        press(&mut state, &snapshot, "<Down>");
    }
    insta::assert_snapshot!("offline_80x24", screen(&mut state, &snapshot, 80, 24, MONO));
    press(&mut state, &snapshot, "<Enter>");
    let details = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(details.contains("wave        2 of 3"), "{details}");
}

/// What was rolled back has not failed, and is not made to run the image once more by a retry.
#[test]
fn a_retry_says_what_was_rolled_back() {
    let mut snapshot = waves(18, 2, 0);
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.entities.truncate(21);
    group.phase = GroupPhase::Ended(Outcome::Partial);
    let mut state = watching(&snapshot);
    assert_eq!(press(&mut state, &snapshot, "r"), []);
    let said = &state.shared.message.as_ref().unwrap().text;
    assert!(said.contains("2 rolled back"), "{said}");
    assert!(said.len() <= 80, "{said}");
}

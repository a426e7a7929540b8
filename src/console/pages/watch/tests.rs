//! What the watch page shows and does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::model::{
    Bottleneck, DeliveryPolicy, EntityState, Extent, Holds, ImageSpec, Laggards, MadeGroup,
    Outcome, SourceSpec, Standing, Step, Verified,
};
use crate::protocol::{GroupPhase, Hint};
use crate::terminal::{Palette, Theme};

/// The page, as the loop has fed it.
fn watching(snapshot: &Snapshot) -> State {
    let mut state = testing::state();
    state.shared.page = Page::Watch;
    state.observe(snapshot);
    show(&mut state.pages.watch, &state.shared, snapshot, 0);
    state
}

/// `number` entities, with a failure, a laggard and a retry among many that send.
fn many(number: usize) -> Snapshot {
    use EntityState as S;
    let entities = (1..=number).map(|at| {
        let state = match at {
            17 | 142 => S::Failed,
            35 => S::CatchingUp,
            77 => S::Retrying,
            _ if at % 9 == 0 => S::Delivered,
            _ if at % 31 == 0 => S::Confirming,
            _ if at > 180 => S::Waiting,
            _ => S::Sending,
        };
        let sent = match state {
            S::Sending | S::Failed => (at as u64 * 37 % 100) * (8 << 20) / 100,
            S::Delivered | S::Confirming => 8 << 20,
            _ => 0,
        };
        let mut entity = testing::entity(&format!("line-{at:03}"), state, sent);
        if state == S::Sending {
            entity.rate = 1000.0 * at as f64;
            entity.lag = at as u64 % 7;
        }
        if at == 50 {
            entity.lag = 30;
        }
        if state == S::Failed {
            entity.cause = Some("the server said 552 the flash is full".into());
        }
        entity
    });
    let mut group = testing::group("adsl", entities.collect());
    group.bottleneck = Bottleneck::Entity("line-050".into());
    Snapshot {
        groups: vec![Arc::new(group)],
        ..testing::idle()
    }
}

/// `adsl` has ended with a failure and a cancelled entity; `vdsl` runs.
fn two() -> Snapshot {
    use EntityState as S;
    let mut ended = testing::group(
        "adsl",
        vec![
            testing::entity("shelf1-01", S::Delivered, 8 << 20),
            testing::entity("shelf1-02", S::Failed, 1 << 20),
            testing::entity("shelf1-03", S::Cancelled, 1 << 20),
            testing::entity("shelf1-08", S::Skipped, 0),
        ],
    );
    ended.phase = GroupPhase::Ended(Outcome::Partial);
    ended.source_bytes = 8 << 20;
    ended.sha256 = Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into());
    ended.entities[0].confirmed = 8 << 20;
    ended.entities[0].verified = Verified::Digest;
    ended.entities[1].step = Some(Step::Send);
    ended.entities[1].cause = Some("no progress for 60 s".into());
    let mut runs = testing::group(
        "vdsl",
        vec![
            testing::entity("shelf2-03", S::Failed, 0),
            testing::entity("shelf2-04", S::Sending, 4 << 20),
        ],
    );
    runs.image = "vdsl-3.1".into();
    runs.entities[1].rate = 1_000_000.0;
    Snapshot {
        groups: vec![Arc::new(ended), Arc::new(runs)],
        ..testing::idle()
    }
}

fn cursor_on(state: &State, snapshot: &Snapshot) -> String {
    let group = shown(&state.pages.watch, snapshot).unwrap();
    selected(&state.pages.watch, group).map_or("(group)".into(), |one| one.entity.to_string())
}

#[test]
fn a_running_group_at_every_size_and_look() {
    let mut snapshot = testing::snapshot();
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.entities[0].rate = 1_500_000.0;
    group.entities[2].rate = 90_000.0;
    group.bottleneck = Bottleneck::Entity("shelf1-03".into());
    group.series = Arc::new(testing::series([0, 4, 9, 20, 32, 31, 16, 12]));
    let mut state = watching(&snapshot);
    insta::assert_snapshot!("watch_80x24", screen(&mut state, &snapshot, 80, 24, MONO));
    press(&mut state, &snapshot, "<Down><Down><Down><Down><Down>");
    insta::assert_snapshot!(
        "watch_80x24_ascii",
        screen(&mut state, &snapshot, 80, 24, ASCII)
    );
    insta::assert_snapshot!("watch_60x16", screen(&mut state, &snapshot, 60, 16, MONO));
    insta::assert_snapshot!(
        "watch_120x40",
        screen(&mut state, &snapshot, 120, 40, COLOURS)
    );
    for (width, height) in [(60, 16), (80, 24), (200, 60)] {
        assert!(screen(&mut state, &snapshot, width, height, ASCII).is_ascii());
    }
}

/// Another sign, another word, another count, and what can be done about it.
#[test]
fn what_was_delivered_without_proof_is_not_shown_like_what_is_proven() {
    use EntityState as S;
    let mut group = testing::group(
        "adsl",
        (1..=4)
            .map(|at| testing::entity(&format!("shelf1-0{at}"), S::Delivered, 8 << 20))
            .chain([testing::entity("shelf1-08", S::Skipped, 0)])
            .collect(),
    );
    group.phase = GroupPhase::Ended(Outcome::Delivered);
    group.source_bytes = 8 << 20;
    group.entities[1].verified = Verified::Size;
    group.entities[2].verified = Verified::None;
    group.entities[3].verified = Verified::Readback;
    group.entities[4].cause = Some(
        "delivered by run 20261122T205000Z-1a2b on 2026-11-22 20:50 UTC; its file was read again"
            .into(),
    );
    let snapshot = Snapshot {
        groups: vec![Arc::new(group)],
        ..testing::idle()
    };
    let mut state = watching(&snapshot);
    insta::assert_snapshot!(
        "unproven_80x24",
        screen(&mut state, &snapshot, 80, 24, MONO)
    );
    insta::assert_snapshot!(
        "unproven_120x40",
        screen(&mut state, &snapshot, 120, 40, COLOURS)
    );
    press(&mut state, &snapshot, "<Down><Down>");
    insta::assert_snapshot!(
        "unproven_60x16_ascii",
        screen(&mut state, &snapshot, 60, 16, ASCII)
    );
    press(&mut state, &snapshot, "<Enter>");
    let details = screen(&mut state, &snapshot, 80, 24, ASCII);
    assert!(details.contains("delivered, unproven"), "{details}");
    for palette in [Palette::Mono, Palette::Sixteen, Palette::Indexed] {
        let theme = Theme {
            palette,
            ascii: false,
        };
        let looks = |standing: Standing| (theme.sign(standing), theme.of_state(standing));
        let (proven, unproven) = (looks(S::Delivered.into()), looks(Standing::Unproven));
        assert!(
            proven.0 != unproven.0 && proven.1 != unproven.1,
            "{palette:?}"
        );
    }
}

#[test]
fn those_that_catch_up_or_are_tried_again_say_so() {
    let mut snapshot = testing::snapshot();
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.entities[5].step = Some(Step::Send);
    group.entities[5].cause = Some("the server closed the connection".into());
    let mut state = watching(&snapshot);
    let rows = screen(&mut state, &snapshot, 100, 24, MONO);
    let row = |name: &str| {
        rows.lines()
            .find(|line| testing::row(line).starts_with(name))
            .unwrap()
    };
    let behind = row("shelf1-03");
    assert!(
        behind.contains("L catching-up") && behind.contains("in a later pass"),
        "{rows}"
    );
    let again = row("shelf1-06");
    assert!(
        again.contains("r retrying") && again.contains("after try 2: send: the server closed"),
        "{rows}"
    );
    // Under the cursor, the cause is there in full at the smallest usual size.
    press(&mut state, &snapshot, "<Down><Down><Down>");
    let details = press_and_show(&mut state, &snapshot, "<Enter>");
    assert!(
        details.contains("from the same byte in a later one"),
        "{details}"
    );
    press(&mut state, &snapshot, "<Esc><Down><Down><Down>");
    let footer = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(
        footer.contains("retrying, after try 2: send: the server closed the connection"),
        "{footer}"
    );
    // What the group was started with stands in its details.
    press(&mut state, &snapshot, "<Home>");
    let details = press_and_show(&mut state, &snapshot, "<Enter>");
    assert!(
        details.contains("catch-up after 2 s") && details.contains("up to 8 within 5 min"),
        "{details}"
    );
}

fn press_and_show(state: &mut State, snapshot: &Snapshot, keys: &str) -> String {
    press(state, snapshot, keys);
    screen(state, snapshot, 80, 24, MONO)
}

#[test]
fn two_hundred_entities_as_cells() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "em");
    insta::assert_snapshot!("dense_80x24", screen(&mut state, &snapshot, 80, 24, MONO));
    insta::assert_snapshot!(
        "dense_60x16_ascii",
        screen(&mut state, &snapshot, 60, 16, ASCII)
    );
}

#[test]
fn few_entities_as_cells_have_their_names() {
    let snapshot = testing::snapshot();
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "em");
    insta::assert_snapshot!("map_80x24", screen(&mut state, &snapshot, 80, 24, COLOURS));
    let one = many(40);
    let mut state = watching(&one);
    press(&mut state, &one, "e<Down><Down><Right>");
    insta::assert_snapshot!("map_120x40", screen(&mut state, &one, 120, 40, MONO));
}

#[test]
fn more_entities_than_rows_stand_in_columns_on_a_wide_screen() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    screen(&mut state, &snapshot, 200, 40, MONO);
    press(&mut state, &snapshot, "<PgDn>");
    insta::assert_snapshot!(
        "columns_200x40",
        screen(&mut state, &snapshot, 200, 40, MONO)
    );
}

#[test]
fn finished_groups_keep_their_results() {
    let snapshot = two();
    let mut state = watching(&snapshot);
    insta::assert_snapshot!("ended_80x24", screen(&mut state, &snapshot, 80, 24, ASCII));
    let mut empty = testing::state();
    empty.shared.page = Page::Watch;
    let shown = screen(&mut empty, &testing::idle(), 80, 24, MONO);
    assert!(shown.contains("Nothing was started yet"), "{shown}");
    assert_eq!(
        press(&mut empty, &testing::idle(), "xrme<Enter>slh<Down>"),
        []
    );
}

#[test]
fn sent_and_confirmed_are_told_apart() {
    let snapshot = testing::snapshot();
    let shown = screen(&mut watching(&snapshot), &snapshot, 100, 30, ASCII);
    let line = |name: &str| {
        shown
            .lines()
            .find(|line| testing::row(line).starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(line("shelf1-04").contains("sent, not confirmed yet"));
    assert!(
        line("shelf1-02").contains("100%")
            && line("shelf1-02").contains("delivered, by size alone")
    );
    assert!(shown.contains("confirmed 1 of 7"), "{shown}");
    assert!(line("shelf1-05").contains("send: the server said 552 the flash is full"));
}

/// `adsl` while its devices are made to run the image, and once all have said what they run.
fn upgrading() -> Snapshot {
    use EntityState as S;
    let mut group = testing::group(
        "adsl",
        [
            S::Upgraded,
            S::RolledBack,
            S::Restarting,
            S::Activating,
            S::Checking,
            S::Failed,
            S::Upgraded,
            S::Skipped,
        ]
        .into_iter()
        .zip(1..)
        .map(|(state, at)| testing::entity(&format!("shelf1-0{at}"), state, 8 << 20))
        .collect(),
    );
    (group.phase, group.read, group.used) = (GroupPhase::Draining, 8 << 20, 0);
    (group.rate, group.time_left) = (0.0, None);
    for entity in &mut group.entities {
        entity.runs = match entity.state {
            S::Upgraded => Some("2.4".into()),
            S::RolledBack => Some("2.3".into()),
            _ => None,
        };
    }
    group.entities[1].cause = Some(
        "check, step 1 of 1 (send \"show version\"): it says version `2.3`, and `2.4` was expected; \
         `undo` was carried out, and it says that it runs 2.3"
            .into(),
    );
    group.entities[5].cause = Some("activate, step 2 of 2 (restart): not back in 15 min".into());
    group.entities[5].holds = Some(Holds::New);
    Snapshot {
        groups: vec![Arc::new(group)],
        ..testing::idle()
    }
}

#[test]
fn people_see_which_version_each_device_runs() {
    let mut snapshot = upgrading();
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "<Down><Down>");
    insta::assert_snapshot!(
        "upgrading_80x24",
        screen(&mut state, &snapshot, 80, 24, MONO)
    );
    let details = press_and_show(&mut state, &snapshot, "<Enter>");
    for told in [
        "state       rolled-back: it was made to run its previous image again",
        "`undo` was carried out, and it",
        "runs        version 2.3, as it said itself",
    ] {
        assert!(details.contains(told), "{told}: {details}");
    }
    press(&mut state, &snapshot, "<Esc>");
    insta::assert_snapshot!(
        "upgrading_60x16_ascii",
        screen(&mut state, &snapshot, 60, 16, ASCII)
    );
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    for entity in &mut group.entities[2..5] {
        (entity.state, entity.runs) = (EntityState::Upgraded, Some("2.4".into()));
    }
    group.phase = GroupPhase::Ended(Outcome::Partial);
    state.observe(&snapshot);
    insta::assert_snapshot!(
        "upgraded_80x24",
        screen(&mut state, &snapshot, 80, 24, MONO)
    );
    // It stands out as a failure does.
    press(&mut state, &snapshot, "gm");
    assert_eq!(cursor_on(&state, &snapshot), "shelf1-02");
}

/// Of a run that activates only: nothing is read, and nobody learns how large the image is.
#[test]
fn devices_that_hold_the_image_have_all_of_it_although_nothing_was_sent() {
    let mut snapshot = upgrading();
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    (group.size, group.phase, group.passes) = (None, GroupPhase::Starting, 0);
    for entity in &mut group.entities {
        entity.sent = 0;
    }
    group.entities[5].state = EntityState::Restarting;
    let mut state = watching(&snapshot);
    let shown = screen(&mut state, &snapshot, 80, 24, ASCII);
    for told in [
        "adsl-2.4 version 2.4, activating",
        "sent   ################ 100%",
        "waits for 4 devices",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[test]
fn a_group_or_one_of_its_devices_goes_to_the_review_of_its_activation() {
    use EntityState as S;
    let states = [
        S::Delivered,
        S::Delivered,
        S::RolledBack,
        S::Upgraded,
        S::Failed,
    ];
    let names = (1..).map(|at| format!("shelf1-0{at}"));
    let mut group = testing::group(
        "adsl",
        (states.into_iter().zip(names))
            .map(|(state, name)| testing::entity(&name, state, 8 << 20))
            .collect(),
    );
    group.phase = GroupPhase::Ended(Outcome::Partial);
    let snapshot = Snapshot {
        groups: vec![Arc::new(group)],
        ..testing::idle()
    };
    let yaml = format!("{}{}", testing::SITE, testing::PROCEDURE);
    let open = |keys: &str| {
        let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
        state.shared.page = Page::Watch;
        state.observe(&snapshot);
        assert_eq!(press(&mut state, &snapshot, keys), [], "nothing starts");
        let said = state
            .shared
            .message
            .as_ref()
            .map(|message| message.text.clone());
        let specs = state.pages.review.specs.iter().map(|spec| match spec {
            GroupSpec::Made(made) => (made.policy.extent, made.entities.join(" ")),
            GroupSpec::Named(name) => panic!("{name}"),
        });
        (specs.collect::<Vec<_>>(), said.unwrap_or_default())
    };
    let mut state = State::new(testing::site_of(testing::inventory(&yaml)));
    state.shared.page = Page::Watch;
    state.observe(&snapshot);
    let shown = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(shown.contains("1 upgraded  2 to activate: a"), "{shown}");
    let review = |names: &str| vec![(Extent::Activate, names.to_owned())];
    assert_eq!(open("a").0, review("shelf1-01 shelf1-02"));
    assert_eq!(open("<Down><Down>a").0, review("shelf1-02"));
    let (none, said) = open("<Down><Down><Down>a");
    assert!(
        none.is_empty() && said.contains("`shelf1-03` is rolled-back"),
        "{said}"
    );
}

#[test]
fn groups_are_picked_sideways() {
    let snapshot = two();
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "<Down>l");
    assert_eq!(
        (state.pages.watch.group, cursor_on(&state, &snapshot)),
        (1, "(group)".into())
    );
    press(&mut state, &snapshot, "<Right>");
    assert_eq!(state.pages.watch.group, 1, "it is the last one");
    press(&mut state, &snapshot, "h");
    assert_eq!(state.pages.watch.group, 0);
}

#[test]
fn the_cursor_moves_over_the_group_and_its_entities() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    screen(&mut state, &snapshot, 80, 24, MONO);
    let at = |state: &mut State, keys: &str| {
        press(state, &snapshot, keys);
        let shown = screen(state, &snapshot, 80, 24, MONO);
        let name = cursor_on(state, &snapshot);
        assert!(
            shown.contains(&name) || name == "(group)",
            "{name} is not on\n{shown}"
        );
        name
    };
    assert_eq!(at(&mut state, "<Up>"), "(group)");
    assert_eq!(at(&mut state, "j"), "line-001");
    assert_eq!(at(&mut state, "<PgDn><PgDn>"), "line-025");
    assert_eq!(at(&mut state, "G"), "line-200");
    assert_eq!(at(&mut state, "k"), "line-199");
    assert_eq!(at(&mut state, "<PgUp>"), "line-187");
    assert_eq!(at(&mut state, "g"), "(group)");
}

#[test]
fn a_click_goes_to_the_row_that_is_seen_there() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    let click = |state: &mut State, row: usize| {
        let row = u16::try_from(row).unwrap();
        state.act(&snapshot, Action::Click { row, column: 5 });
        cursor_on(state, &snapshot)
    };
    press(&mut state, &snapshot, "<PgDn><PgDn>");
    let seen = screen(&mut state, &snapshot, 80, 24, MONO);
    let at = |name: &str| {
        seen.lines()
            .position(|line| testing::row(line).starts_with(name))
            .unwrap()
    };
    for name in ["line-016", "line-013", "line-024"] {
        assert_eq!(click(&mut state, at(name)), name);
    }
    // The keys at the bottom and the title are no rows.
    assert_eq!(click(&mut state, 23), "line-024");
    assert_eq!(click(&mut state, 0), "line-024");
    assert_eq!(click(&mut state, at("pool")), "(group)");
}

#[test]
fn cells_are_walked_in_two_directions() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    state.shared.columns = 80;
    let at = |state: &mut State, keys: &str| {
        press(state, &snapshot, keys);
        cursor_on(state, &snapshot)
    };
    assert_eq!(at(&mut state, "e<Down>"), "line-001");
    assert_eq!(at(&mut state, "<Right><Right>"), "line-003");
    assert_eq!(at(&mut state, "<Down>"), "line-023");
    assert_eq!(at(&mut state, &"<Down>".repeat(8)), "line-183");
    assert_eq!(
        at(&mut state, "<Down>"),
        "line-183",
        "that was the last line"
    );
    assert_eq!(at(&mut state, "<Up><Left>"), "line-162");
    assert_eq!(at(&mut state, "<Right><Right><Down>"), "line-184");
    assert_eq!(at(&mut state, &"<Up>".repeat(10)), "(group)");
    assert_eq!(at(&mut state, "Gl"), "line-200");
    // A line that is short: from above one gets to its end.
    let short = many(125);
    let mut state = watching(&short);
    press(&mut state, &short, "eG<Up>");
    press(&mut state, &short, "<Down>");
    assert_eq!(cursor_on(&state, &short), "line-125");
    // From above the part of the last line where there is nothing.
    press(&mut state, &short, &("g".to_owned() + &"<Down>".repeat(12)));
    press(&mut state, &short, "llllllll");
    assert_eq!(cursor_on(&state, &short), "line-119");
    press(&mut state, &short, "<Down>");
    assert_eq!(cursor_on(&state, &short), "line-125");
}

#[test]
fn sorting_puts_what_needs_a_look_first_and_keeps_the_cursor_on_its_entity() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    let first = |state: &State| {
        let group = shown(&state.pages.watch, &snapshot).unwrap();
        group.entities[place_of(&state.pages.watch, group, 0).unwrap()]
            .entity
            .to_string()
    };
    press(&mut state, &snapshot, "<Down><Down>");
    press(&mut state, &snapshot, "s");
    assert_eq!(
        (state.pages.watch.sort, first(&state)),
        (Sort::State, "line-017".into())
    );
    assert_eq!(cursor_on(&state, &snapshot), "line-002");
    press(&mut state, &snapshot, "s");
    assert_eq!(
        (state.pages.watch.sort, first(&state)),
        (Sort::Lag, "line-050".into())
    );
    press(&mut state, &snapshot, "s");
    assert_eq!(
        (state.pages.watch.sort, first(&state)),
        (Sort::Rate, "line-001".into())
    );
    press(&mut state, &snapshot, "s");
    assert_eq!(
        (state.pages.watch.sort, first(&state)),
        (Sort::Name, "line-001".into())
    );
    press(&mut state, &snapshot, "R");
    assert_eq!(first(&state), "line-200");
    assert_eq!(cursor_on(&state, &snapshot), "line-002");
    // New figures change the order, not where one is.
    press(&mut state, &snapshot, "ss");
    let mut later = snapshot.clone();
    Arc::make_mut(&mut later.groups[0]).entities[99].lag = 99;
    state.observe(&later);
    assert_eq!(
        (first(&state), cursor_on(&state, &later)),
        ("line-100".into(), "line-002".into())
    );
}

#[test]
fn who_is_as_slow_as_all_others_does_not_fall_behind() {
    let lagging = |lags: [u64; 3], phase| {
        let entities = lags.map(|lag| {
            let mut one = testing::entity("one", EntityState::Sending, 0);
            one.lag = lag;
            one
        });
        let mut group = testing::group("adsl", entities.to_vec());
        (group.depth, group.phase) = (32, phase);
        let limit = figures::lag_limit(&group);
        let lags = group.entities.iter().map(|one| figures::lags(one, limit));
        lags.collect::<Vec<_>>()
    };
    let reads = GroupPhase::Transferring;
    assert_eq!(lagging([30, 2, 15], reads), [true, false, false]);
    assert_eq!(lagging([30, 29, 28], reads), [false; 3]);
    assert_eq!(lagging([32, 31, 1], reads), [true, true, false]);
    assert_eq!(lagging([30, 2, 2], GroupPhase::Draining), [false; 3]);
}

#[test]
fn the_next_failure_is_found_in_later_groups_too() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    for expected in ["line-017", "line-142", "line-017"] {
        press(&mut state, &snapshot, "m");
        assert_eq!(cursor_on(&state, &snapshot), expected);
    }
    let snapshot = two();
    let mut state = watching(&snapshot);
    for expected in ["shelf1-02", "shelf2-03", "shelf1-02"] {
        press(&mut state, &snapshot, "m");
        assert_eq!(cursor_on(&state, &snapshot), expected);
    }
    let mut fine = testing::snapshot();
    Arc::make_mut(&mut fine.groups[0]).entities.truncate(2);
    let mut state = watching(&fine);
    press(&mut state, &fine, "m");
    assert_eq!(state.shared.message.unwrap().text, "nothing failed");
}

#[test]
fn details_tell_everything_about_a_failure() {
    let snapshot = testing::snapshot();
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "m<Enter>");
    insta::assert_snapshot!(
        "details_80x24",
        screen(&mut state, &snapshot, 80, 24, ASCII)
    );
    press(&mut state, &snapshot, "<Esc>");
    let mut known = snapshot.clone();
    for entity in &mut Arc::make_mut(&mut known.groups[0]).entities {
        entity.holds = Some(Holds::NewStaged);
    }
    let shown = press_and_show(&mut state, &known, "<Enter>");
    assert!(
        shown.contains("holds       new-staged: the whole image is on it"),
        "{shown}"
    );
    press(&mut state, &snapshot, "<Esc>g<Enter>");
    let shown = screen(&mut state, &snapshot, 80, 30, MONO);
    assert!(
        shown.contains("Group adsl") && shown.contains("6291456 bytes"),
        "{shown}"
    );
    for told in ["last changed: mostly empty: gives 24", "left        17 s"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[test]
fn cancelling_asks_first_and_means_what_the_cursor_is_on() {
    let snapshot = testing::snapshot();
    let mut state = watching(&snapshot);
    let cancel = |target| [Effect::Send(vec![Command::Cancel { target }])];
    assert_eq!(press(&mut state, &snapshot, "xn"), []);
    let group = Target::Group("adsl".into());
    assert_eq!(press(&mut state, &snapshot, "xy"), cancel(group));
    let entity = Target::Entity {
        group: "adsl".into(),
        entity: "shelf1-01".into(),
    };
    assert_eq!(press(&mut state, &snapshot, "<Down>xy"), cancel(entity));
    // One that has its image already is not asked about.
    assert_eq!(press(&mut state, &snapshot, "<Down>x"), []);
    assert!(state.shared.dialogs.is_empty());
    assert_eq!(
        state.shared.message.unwrap().text,
        "`shelf1-02` is delivered already"
    );
}

#[test]
fn what_failed_is_tried_again_as_a_group_of_its_own() {
    let snapshot = two();
    let mut state = watching(&snapshot);
    assert_eq!(press(&mut state, &snapshot, "r"), []);
    let question = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(
        question.contains("[x] shelf1-02  no progress for 60 s"),
        "{question}"
    );
    assert!(
        question.contains("Try again as adsl-retry: 2 of 2"),
        "{question}"
    );
    let spec = |name: &str, source| {
        GroupSpec::Made(MadeGroup {
            name: name.into(),
            image: ImageSpec::Named("adsl-2.4".into()),
            source,
            then: Vec::new(),
            entities: vec!["shelf1-02".into(), "shelf1-03".into()],
            policy: DeliveryPolicy::default(),
            campaign: Box::default(),
        })
    };
    let start = |spec, force| {
        let groups = vec![spec];
        [Effect::Send(vec![Command::Start { groups, force }])]
    };
    let server = SourceSpec::FileServer("hq".into());
    let expected = start(spec("adsl-retry", server.clone()), false);
    assert_eq!(press(&mut state, &snapshot, "<Enter>"), expected);

    // Its own retry has a name of its own, and what a later group has taken up is left alone.
    let mut later = snapshot.clone();
    let mut again = (*snapshot.groups[0]).clone();
    again.group = "adsl-retry".into();
    again.entities = again.entities[1..3].to_vec();
    later.groups.push(Arc::new(again));
    state.observe(&later);
    assert_eq!(state.pages.watch.group, 2, "what was started is shown");
    let expected = start(spec("adsl-retry-2", server), false);
    assert_eq!(press(&mut state, &later, "r<Enter>"), expected);
    let group = Arc::make_mut(&mut later.groups[2]);
    group.phase = GroupPhase::Transferring;
    for entity in &mut group.entities {
        entity.state = EntityState::Sending;
    }
    assert_eq!(press(&mut state, &later, "hhr"), []);
    assert!(
        state
            .shared
            .message
            .unwrap()
            .text
            .contains("a later group has it")
    );
}

#[test]
fn a_retry_reads_from_where_the_group_was_told_to() {
    let mut snapshot = two();
    // The engine tells which peer is read in the end; the group is to read any.
    let ended = Arc::make_mut(&mut snapshot.groups[1]);
    ended.phase = GroupPhase::Ended(Outcome::Partial);
    ended.source = "peer:shelf2-01".into();
    let mut state = watching(&snapshot);
    let effects = press(&mut state, &snapshot, "lr<Enter>");
    let [Effect::Send(commands)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let [Command::Start { groups, .. }] = &commands[..] else {
        panic!("{commands:?}");
    };
    let expected = GroupSpec::Made(MadeGroup {
        name: "vdsl-retry".into(),
        image: ImageSpec::Named("vdsl-3.1".into()),
        source: SourceSpec::AnyPeer,
        then: Vec::new(),
        entities: vec!["shelf2-03".into()],
        policy: DeliveryPolicy {
            laggards: Laggards::Wait,
            limits: crate::model::Limits {
                retries: 3,
                ..Default::default()
            },
            parallel: Some(2),
            extent: Default::default(),
        },
        campaign: Box::default(),
    });
    assert_eq!(groups, &[expected]);
}

#[test]
fn what_failed_is_tried_again_also_while_the_rest_goes_on() {
    let snapshot = two();
    let mut state = watching(&snapshot);
    let effects = press(&mut state, &snapshot, "lr<Enter>");
    assert!(
        matches!(&effects[..], [Effect::Send(commands)]
            if format!("{commands:?}").contains(r#"entities: ["shelf2-03"]"#)),
        "{effects:?}"
    );
    let mut fine = snapshot.clone();
    Arc::make_mut(&mut fine.groups[0]).entities.truncate(1);
    press(&mut state, &fine, "hr");
    assert_eq!(
        state.shared.message.unwrap().text,
        "nothing failed in `adsl`"
    );
    assert!(state.shared.dialogs.is_empty());
}

#[test]
fn forced_entities_stay_forced_when_tried_again() {
    let mut snapshot = two();
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.entities[3].state = EntityState::Failed;
    let mut state = watching(&snapshot);
    let effects = press(&mut state, &snapshot, "r<Enter>");
    assert!(
        matches!(&effects[..], [Effect::Send(commands)]
            if matches!(&commands[..], [Command::Start { force: true, .. }])),
        "shelf1-08 would be skipped: {effects:?}"
    );
}

#[test]
fn who_comes_late_sees_how_full_the_pool_was() {
    let mut snapshot = testing::snapshot();
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.series = Arc::new(testing::series([32, 32, 0, 16].into_iter().chain([0; 70])));
    let mut state = watching(&snapshot);
    let shown = |state: &mut State, snapshot: &Snapshot| {
        let screen = screen(state, snapshot, 118, 24, MONO);
        screen
            .lines()
            .find(|line| line.starts_with("pool"))
            .unwrap()
            .to_owned()
    };
    let past = shown(&mut state, &snapshot);
    assert!(past.ends_with(&"▁".repeat(30)), "{past}");
    assert!(!past.contains('█'), "{past}");
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.series = Arc::new(testing::series([32, 32, 0, 16]));
    let past = shown(&mut state, &snapshot);
    assert!(past.ends_with("  ██▁▄"), "{past}");
}

#[test]
fn a_frozen_display_stays_as_it_was() {
    let snapshot = testing::snapshot();
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "f");
    state.shared.message = None;
    let before = screen(&mut state, &snapshot, 80, 24, MONO);
    let mut later = two();
    later.at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(9);
    state.observe(&later);
    assert_eq!(screen(&mut state, &later, 80, 24, MONO), before);
    press(&mut state, &later, "f");
    state.observe(&later);
    assert_ne!(screen(&mut state, &later, 80, 24, MONO), before);
}

/// Only what is seen is drawn, and nothing is sorted for it.
#[test]
fn thousands_of_entities_are_drawn_within_a_frame() {
    let snapshot = many(2000);
    let mut state = watching(&snapshot);
    for dense in ["", "e"] {
        press(&mut state, &snapshot, dense);
        let began = std::time::Instant::now();
        for _ in 0..20 {
            screen(&mut state, &snapshot, 120, 40, MONO);
        }
        let each = began.elapsed() / 20;
        // The pace of pictures; unoptimised it takes a few milliseconds.
        assert!(each < std::time::Duration::from_millis(250), "{each:?}");
    }
}

#[test]
fn what_will_not_pass_by_itself_is_not_ticked_and_says_what_to_do() {
    let mut snapshot = two();
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.entities[1].hint = Some(Box::new(Hint {
        may_pass: false,
        advice: Some("make room on it".into()),
    }));
    let mut state = watching(&snapshot);
    press(&mut state, &snapshot, "r");
    insta::assert_snapshot!("retry_80x24", screen(&mut state, &snapshot, 80, 24, MONO));
    let entities = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Send(commands)] => match commands.as_slice() {
            [Command::Start { groups, .. }] => match &groups[0] {
                GroupSpec::Made(made) => made.entities.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let retry = press(&mut state, &snapshot, "<Enter>");
    assert_eq!(entities(retry), ["shelf1-03"]);
    for (keys, expected) in [
        ("ra<Enter>", vec!["shelf1-03", "shelf1-02"]),
        ("r*<Enter>", vec!["shelf1-02"]),
        ("r<Space><Space><Enter>", vec!["shelf1-02"]),
        ("r/02<Enter><Esc>", vec![]),
    ] {
        let mut state = watching(&snapshot);
        let effects = press(&mut state, &snapshot, keys);
        match expected.is_empty() {
            true => assert!(effects.is_empty(), "{keys}"),
            false => assert_eq!(entities(effects), expected, "{keys}"),
        }
    }
    // None at all: nothing is started.
    let mut state = watching(&snapshot);
    assert_eq!(press(&mut state, &snapshot, "ru<Enter>"), []);
    // The details say it too.
    let seen = press_and_show(&mut state, &snapshot, "m<Enter>");
    assert!(seen.contains("make room on it"), "{seen}");
}

#[test]
fn entities_are_found_by_words_and_by_sets() {
    let snapshot = many(200);
    let mut state = watching(&snapshot);
    let seen = press_and_show(&mut state, &snapshot, "/flash");
    assert!(seen.contains("/flash    `flash` 2 of 200"), "{seen}");
    let seen = press_and_show(&mut state, &snapshot, "<Enter><Down>");
    assert!(
        seen.contains("line-017 X failed") && seen.contains("line-142 X failed"),
        "{seen}"
    );
    assert!(!seen.contains("line-018"), "{seen}");
    assert_eq!(cursor_on(&state, &snapshot), "line-017");
    press(&mut state, &snapshot, "<End>");
    assert_eq!(cursor_on(&state, &snapshot), "line-142");
    // Esc shows all again, and stays on the page and on the entity.
    press(&mut state, &snapshot, "<Esc>");
    assert_eq!(
        (state.shared.page, cursor_on(&state, &snapshot)),
        (Page::Watch, "line-142".into())
    );
    let seen = press_and_show(&mut state, &snapshot, "<Home>F");
    assert!(seen.contains("failed 2 of 200 (Esc shows all)"), "{seen}");
    for set in ["not done", "slow", "unproven"] {
        let seen = press_and_show(&mut state, &snapshot, "F");
        assert!(seen.contains(set), "{set}: {seen}");
    }
    let seen = press_and_show(&mut state, &snapshot, "e/!line<Enter>");
    assert!(seen.contains("0 of 200"), "{seen}");
}

#[test]
fn one_that_is_silent_says_for_how_long_and_one_that_is_tried_again_when() {
    let mut snapshot = testing::snapshot();
    let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
    snapshot.at = at(134);
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    group.entities[0].silent_since = Some(at(100));
    group.entities[5].again_at = Some(at(146));
    group.entities[5].cause = Some("reset".into());
    group.bottleneck = Bottleneck::Entity("shelf1-01".into());
    let mut state = watching(&snapshot);
    let seen = screen(&mut state, &snapshot, 100, 24, MONO);
    assert!(
        seen.contains("waits for shelf1-01, silent 34 s of 60 s"),
        "{seen}"
    );
    assert!(seen.contains("silent 34 s of 60 s"), "{seen}");
    assert!(seen.contains("again in 12 s (try 3): reset"), "{seen}");
    let screen_of = state.screen();
    assert!(screen_of.counts_down(&snapshot), "it changes by itself");
}

#[test]
fn who_comes_to_work_that_runs_sees_that_and_not_what_has_ended_before() {
    let snapshot = two();
    let mut state = testing::state();
    state.observe(&snapshot);
    assert_eq!(
        shown(&state.pages.watch, &snapshot).map(|group| &*group.group),
        Some("vdsl")
    );
}

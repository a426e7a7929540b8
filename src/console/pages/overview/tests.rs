//! What the overview shows and does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use crate::console::page::Page;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, COLOURS, MONO, press, screen};
use crate::model::series::{Counts, Sample};
use crate::model::{Bottleneck, EntityState, Outcome, Series, Standing, Verified};
use crate::protocol::{GroupPhase, Snapshot};
use crate::terminal::Theme;

const SCREENS: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];

fn at(page: Page, snapshot: &Snapshot) -> State {
    let mut state = testing::state();
    state.observe(snapshot);
    state.go(snapshot, page);
    state
}

/// A run of 30 entities: a slow begin, a stall in the middle, a failure towards the end.
fn run(seconds: u64) -> Series {
    let mut series = Series::default();
    for tenth in 1..=seconds * 10 {
        let (part, is_stalled) = (tenth * 100 / (seconds * 10), (400..460).contains(&tenth));
        let moves = if is_stalled { 0 } else { 1 + part.min(20) };
        let of = |state, many: u64| std::iter::repeat_n(Standing::In(state), many as usize);
        let done = (part / 5).min(18);
        let failed = u64::from(part > 70);
        let standings = of(EntityState::Delivered, done)
            .chain(std::iter::repeat_n(
                Standing::Unproven,
                usize::from(part > 50),
            ))
            .chain(of(EntityState::Failed, failed))
            .chain(of(EntityState::Waiting, (100 - part) / 20))
            .chain(of(
                EntityState::Sending,
                30 - done - failed - (100 - part) / 20,
            ));
        let sample = Sample {
            read: moves * 7_000,
            delivered: moves * 120_000,
            filled: if is_stalled {
                0
            } else {
                (tenth * 37 % 24) << 16
            },
            depth: if part < 60 { 24 << 16 } else { 32 << 16 },
            counts: Counts::of(standings),
        };
        series.push(Duration::from_millis(tenth * 100), &sample);
    }
    series
}

/// Three groups: one that waits for an entity, one that has ended badly, one that waits for its source.
fn three() -> Snapshot {
    let mut snapshot = testing::snapshot();
    let adsl = Arc::make_mut(&mut snapshot.groups[0]);
    adsl.bottleneck = Bottleneck::Entity("shelf1-03".into());
    adsl.entities[0].rate = 1_500_000.0;
    adsl.entities[2].rate = 90_000.0;
    let mut old = testing::group(
        "vdsl",
        vec![
            testing::entity("shelf2-03", EntityState::Delivered, 8 << 20),
            testing::entity("shelf2-04", EntityState::Failed, 1 << 20),
        ],
    );
    old.phase = GroupPhase::Ended(Outcome::Partial);
    old.used = 0;
    let mut next = testing::group(
        "a group with a long name",
        vec![testing::entity("shelf2-05", EntityState::Connecting, 0)],
    );
    next.phase = GroupPhase::Starting;
    next.read = 0;
    next.rate = 0.0;
    next.used = 0;
    next.time_left = None;
    next.bottleneck = Bottleneck::Source;
    let adsl = Arc::make_mut(&mut snapshot.groups[0]);
    adsl.series = Arc::new(run(62));
    snapshot.groups.extend([Arc::new(old), Arc::new(next)]);
    snapshot.series = Arc::new(run(83));
    snapshot
}

/// As many groups, of which the last four run.
fn many(groups: usize) -> Snapshot {
    let of = |at: usize| {
        let entities = (0..150).map(|entity| {
            let state = match entity % 5 {
                0 => EntityState::Sending,
                _ => EntityState::Delivered,
            };
            testing::entity(&format!("n{entity}"), state, 1 << 20)
        });
        let mut group = testing::group(&format!("group-{:02}", at + 1), entities.collect());
        if at + 4 < groups {
            group.phase = GroupPhase::Ended(Outcome::Delivered);
        }
        Arc::new(group)
    };
    Snapshot {
        groups: (0..groups).map(of).collect(),
        series: Arc::new(run(700)),
        ..testing::idle()
    }
}

#[test]
fn a_run_at_every_size_and_look() {
    let snapshot = three();
    let mut state = at(Page::Overview, &snapshot);
    for (name, (columns, rows), theme) in [
        ("overview_60x16", SCREENS[0], MONO),
        ("overview_80x24", SCREENS[1], MONO),
        ("overview_80x24_ascii", SCREENS[1], ASCII),
        ("overview_120x40", SCREENS[2], COLOURS),
        ("overview_200x60_ascii", SCREENS[3], ASCII),
    ] {
        let shown = screen(&mut state, &snapshot, columns, rows, theme);
        insta::assert_snapshot!(name, shown);
    }
}

#[test]
fn it_is_of_ascii_alone_where_the_terminal_knows_no_more() {
    for snapshot in [three(), many(30), testing::idle()] {
        let mut state = at(Page::Overview, &snapshot);
        for (columns, rows) in SCREENS {
            let text = screen(&mut state, &snapshot, columns, rows, ASCII);
            assert!(text.is_ascii(), "{text}");
        }
    }
}

#[test]
fn a_lane_is_no_wider_than_its_place_and_what_is_cut_has_a_sign() {
    let mut snapshot = many(3);
    let long = Arc::make_mut(&mut snapshot.groups[0]);
    long.group = "a-group-with-a-name-that-fits-nowhere".into();
    long.bottleneck = Bottleneck::Entity("an-entity-with-a-name-that-fits-nowhere".into());
    let state = at(Page::Overview, &snapshot);
    for width in 60..200 {
        let groups: Vec<_> = snapshot.groups.iter().map(|group| &**group).collect();
        let widths = super::lanes::Widths::of(&groups, width, &MONO);
        for group in groups {
            let lane = super::lanes::lane(group, true, &widths, &state.shared, &MONO);
            assert!(lane.width() <= width, "{width}: {lane}");
        }
        assert!(super::lanes::head(&widths, &MONO).width() <= width);
        let foot = super::lanes::foot(&snapshot.groups[0], &state.shared, &MONO, width);
        assert!(foot.width() <= width, "{foot}");
        let rates = super::totals::rates(&snapshot, &MONO, width);
        let counts = super::totals::counts(&snapshot, &MONO, width);
        assert!(rates.width() <= width && counts.width() <= width);
    }
}

#[test]
fn nothing_that_was_started_says_what_to_press() {
    let snapshot = testing::idle();
    let mut state = at(Page::Overview, &snapshot);
    let text = screen(&mut state, &snapshot, 60, 16, ASCII);
    assert!(text.contains("Nothing was started yet."), "{text}");
    assert!(
        text.contains("U upgrades") && text.contains("S reviews"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.len() <= 60), "{text}");
    press(&mut state, &snapshot, "<Enter>");
    assert_eq!(state.shared.page, Page::Overview);
    assert_eq!(
        state.shared.message.unwrap().text,
        "nothing was started yet"
    );
}

#[test]
fn it_is_reached_by_0_by_name_and_by_tab() {
    let snapshot = three();
    let mut state = at(Page::Inventory, &snapshot);
    for keys in ["0", "1:overview<Enter>", "1<BackTab>", "5<Tab>"] {
        press(&mut state, &snapshot, keys);
        assert_eq!(state.shared.page, Page::Overview, "{keys}");
    }
}

#[test]
fn enter_on_a_lane_goes_to_that_group() {
    let snapshot = three();
    let mut state = at(Page::Inventory, &snapshot);
    press(&mut state, &snapshot, "0<Down><Down><Enter>");
    assert_eq!(state.shared.page, Page::Watch);
    let text = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(text.contains("3 of 3 groups"), "{text}");
    press(&mut state, &snapshot, "0");
    assert_eq!(state.shared.page, Page::Overview);
}

#[test]
fn many_groups_are_scrolled_and_the_first_that_runs_is_seen() {
    let snapshot = many(20);
    let mut state = at(Page::Overview, &snapshot);
    let text = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(
        text.contains("▌ ▸ group-17") && text.contains("17 of 20"),
        "{text}"
    );
    assert!(!text.contains("group-01"), "{text}");
    press(&mut state, &snapshot, "<Home>");
    let text = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(
        text.contains("▌ ✓ group-01") && !text.contains("group-17"),
        "{text}"
    );
    // Who has moved the cursor finds it where it was.
    press(&mut state, &snapshot, "<Down>10");
    let text = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(text.contains("▌ ✓ group-02"), "{text}");
    // A click goes to the lane that is seen there.
    let row = text
        .lines()
        .position(|line| line.contains("group-05"))
        .unwrap() as u16;
    let click = crate::console::action::Action::Click { row, column: 5 };
    crate::console::update::update(&mut state, &snapshot, click);
    let text = screen(&mut state, &snapshot, 80, 24, MONO);
    assert!(text.contains("▌ ✓ group-05"), "{text}");
}

/// The engine's series, and not what this console has seen.
#[test]
fn who_comes_late_sees_the_past() {
    let snapshot = three();
    let mut state = at(Page::Overview, &snapshot);
    let dots = |text: &str| {
        let braille = |c: &char| ('\u{2801}'..='\u{28ff}').contains(c);
        text.chars().filter(braille).count()
    };
    let before = dots(&screen(&mut state, &snapshot, 80, 24, MONO));
    assert!(before > 100, "{before}");
    let empty = Snapshot {
        series: Arc::default(),
        ..snapshot
    };
    assert_eq!(dots(&screen(&mut state, &empty, 80, 24, MONO)), 0);
}

/// What was delivered without proof is distinguished also without colour.
#[test]
fn entities_are_told_apart_without_colour() {
    let mut snapshot = three();
    let adsl = Arc::make_mut(&mut snapshot.groups[0]);
    adsl.entities[0].state = EntityState::Delivered;
    adsl.entities[0].verified = Verified::Digest;
    let mut state = at(Page::Overview, &snapshot);
    for (theme, words) in [
        (
            MONO,
            "█ 2 proven  u 1 unproven  X 2 failed  ▒ 4 under way  · 1 waiting  - 1 skipped",
        ),
        (
            ASCII,
            "# 2 proven  u 1 unproven  X 2 failed  > 4 under way  . 1 waiting  - 1 skipped",
        ),
    ] {
        let text = screen(&mut state, &snapshot, 120, 24, theme);
        assert!(text.contains(words), "{text}");
    }
}

/// The columns of a plot stay where they are: only what is new is drawn.
#[test]
fn a_second_that_passes_costs_few_bytes_and_no_news_cost_none() {
    let mut snapshot = three();
    let mut watching = testing::Watching::on(
        Page::Overview,
        testing::inventory(testing::SITE),
        &snapshot,
        80,
        24,
    );
    watching.draw(&snapshot);
    assert_eq!(watching.draw(&snapshot).len(), 0);
    let mut all = 0;
    let seconds = 84..=200;
    for second in seconds.clone() {
        snapshot.series = Arc::new(run_until(second));
        all += watching.draw(&snapshot).len();
    }
    let each = all / seconds.count();
    assert!((1..160).contains(&each), "{each} bytes a second");
}

/// A run that goes on as it was.
fn run_until(seconds: u64) -> Series {
    let mut series = Series::default();
    for tenth in 1..=seconds * 10 {
        let sample = Sample {
            read: 100_000 + tenth * 7919 % 9000,
            delivered: 1_000_000 + tenth * 7919 % 90_000,
            filled: (tenth * 37 % 24) << 16,
            depth: 32 << 16,
            counts: Counts::of(std::iter::repeat_n(Standing::In(EntityState::Sending), 11)),
        };
        series.push(Duration::from_millis(tenth * 100), &sample);
    }
    series
}

#[test]
fn thousands_of_entities_and_long_runs_are_drawn_within_a_frame() {
    let snapshot = many(20);
    let mut state = at(Page::Overview, &snapshot);
    let look = |theme: Theme, state: &mut State| {
        let began = std::time::Instant::now();
        for _ in 0..10 {
            screen(state, &snapshot, 200, 60, theme);
        }
        began.elapsed() / 10
    };
    for theme in [COLOURS, ASCII] {
        let each = look(theme, &mut state);
        assert!(each < Duration::from_millis(250), "{each:?}");
    }
}

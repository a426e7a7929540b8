//! What the log page shows and does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::console::testing::{self, ASCII, MONO, press, screen};

fn line(second: i64, level: Level, target: &str, text: &str) -> LogLine {
    LogLine {
        at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
        level,
        target: target.into(),
        text: text.into(),
    }
}

fn some() -> Vec<LogLine> {
    vec![
        line(
            1,
            Level::INFO,
            "subtend::manager",
            "group adsl: 8 entities, 32 buffers of 64 KiB",
        ),
        line(
            2,
            Level::DEBUG,
            "subtend::agent::management",
            "pass 1 of hq began",
        ),
        line(3, Level::INFO, "subtend::agent", "shelf1-01 sending"),
        line(4, Level::INFO, "subtend::agent", "shelf1-1 sending"),
        line(
            5,
            Level::WARN,
            "subtend::agent",
            "shelf1-01: retrying: the server said 451 try again later, because of \\u{1b}[31m a text that is far too long for one row of a small screen",
        ),
        line(
            6,
            Level::ERROR,
            "subtend::transport",
            "shelf1-10: größer than its flash",
        ),
    ]
}

fn logging(lines: Vec<LogLine>) -> State {
    let mut state = testing::state();
    state.page = Page::Log;
    observe(&mut state, lines);
    state
}

/// Lines `0` to `number`.
fn numbered(number: usize) -> State {
    logging(
        (0..number)
            .map(|at| line(at as i64, Level::INFO, "t", &format!("line {at} ends")))
            .collect(),
    )
}

/// The first and the last line that are on the screen.
fn window(state: &mut State) -> (usize, usize) {
    let shown = screen(state, &testing::idle(), 80, 24, MONO);
    let number = |line: &str| -> Option<usize> {
        let (_, rest) = line.split_once(": line ")?;
        rest.split(' ').next()?.parse().ok()
    };
    let mut numbers = shown.lines().filter_map(number);
    let first = numbers.next().unwrap();
    (first, numbers.next_back().unwrap_or(first))
}

#[test]
fn the_newest_lines_by_level_with_file_and_output() {
    let mut state = logging(some());
    state.site.log_file = Some("/var/lib/subtend/console.log".into());
    (state.output.total, state.output.per_second) = (5000, 312);
    let idle = testing::idle();
    insta::assert_snapshot!("log_80x24", screen(&mut state, &idle, 80, 24, MONO));
    insta::assert_snapshot!("log_60x16_ascii", screen(&mut state, &idle, 60, 16, ASCII));
    let mut empty = logging(Vec::new());
    let shown = screen(&mut empty, &idle, 80, 24, ASCII);
    assert!(
        shown.contains("Nothing was logged yet") && shown.contains("no log file"),
        "{shown}"
    );
    assert_eq!(press(&mut empty, &idle, "<PgUp><PgDn><Up>gG"), []);
}

#[test]
fn levels_are_chosen_with_either_pair_of_keys() {
    let mut state = logging(some());
    let idle = testing::idle();
    let shown = |state: &mut State, keys| {
        press(state, &idle, keys);
        screen(state, &idle, 80, 24, MONO)
    };
    assert!(!shown(&mut state, "").contains("pass 1 of hq"));
    assert!(shown(&mut state, "+").contains("pass 1 of hq"));
    let errors = shown(&mut state, "---");
    assert!(
        errors.contains("shelf1-10") && !errors.contains("retrying"),
        "{errors}"
    );
    assert_eq!(
        shown(&mut state, "-"),
        errors,
        "there is nothing below errors"
    );
    assert!(shown(&mut state, "l").contains("retrying"));
    assert_eq!(shown(&mut state, "h"), errors);
    press(&mut state, &idle, "llllllll");
    assert_eq!(state.log.level, Level::TRACE);
}

#[test]
fn targets_are_hidden_and_shown_again() {
    let mut state = logging(some());
    let idle = testing::idle();
    press(&mut state, &idle, "t");
    let list = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        list.contains("subtend::agent") && list.contains("shown, 3 lines"),
        "{list}"
    );
    // All, agent, agent::management, …: the list stays open where it was.
    press(&mut state, &idle, "<Down><Enter><Down><Down><Enter><Esc>");
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        !shown.contains("sending") && !shown.contains("32 buffers"),
        "{shown}"
    );
    assert!(
        shown.contains("shelf1-10") && shown.contains("2 of 4 targets hidden"),
        "{shown}"
    );
    press(&mut state, &idle, "t<Enter><Esc>");
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("sending") && shown.contains("all targets"),
        "{shown}"
    );
}

#[test]
fn only_the_lines_of_one_entity() {
    let mut state = logging(some());
    let idle = testing::idle();
    press(&mut state, &idle, "Eshelf1-01<Enter>");
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("only shelf1-01") && shown.contains("451 try again"),
        "{shown}"
    );
    assert!(
        !shown.contains("shelf1-10") && !shown.contains("32 buffers"),
        "{shown}"
    );
    // A name is not found in a longer one.
    press(&mut state, &idle, "E<Ctrl-U>shelf1-1<Enter>");
    assert!(
        state
            .message
            .as_ref()
            .unwrap()
            .text
            .contains("no entity `shelf1-1`")
    );
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("shelf1-1 sending") && !shown.contains("shelf1-10"),
        "{shown}"
    );
    press(&mut state, &idle, "E<Ctrl-U><Enter>");
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("all entities") && shown.contains("shelf1-10"),
        "{shown}"
    );
    assert!(names("to größe-1.", "größe-1") && !names("größe-12", "größe-1"));
}

#[test]
fn the_log_is_paged_and_follows_again() {
    let mut state = numbered(100);
    let idle = testing::idle();
    assert_eq!(window(&mut state), (81, 99));
    press(&mut state, &idle, "<PgUp>");
    assert_eq!(window(&mut state), (63, 81));
    press(&mut state, &idle, "<Up>");
    assert_eq!(window(&mut state), (62, 80));
    // What comes meanwhile does not move what is read.
    assert!(!observe(
        &mut state,
        vec![line(100, Level::INFO, "t", "line 100 ends")]
    ));
    assert_eq!(window(&mut state), (62, 80));
    press(&mut state, &idle, "g");
    assert_eq!(window(&mut state), (0, 18));
    press(&mut state, &idle, "<PgUp><Up>");
    assert_eq!(window(&mut state), (0, 18));
    press(&mut state, &idle, "<PgDn>");
    assert_eq!(window(&mut state), (18, 36));
    press(&mut state, &idle, "<End>");
    assert_eq!(window(&mut state), (82, 100));
    assert!(observe(
        &mut state,
        vec![line(101, Level::INFO, "t", "line 101 ends")]
    ));
    assert_eq!(window(&mut state), (83, 101));
    // Coming to the end by oneself follows, too.
    press(&mut state, &idle, "<Up><Down>");
    assert_eq!(state.log.bottom, None);
}

#[test]
fn old_lines_go_and_only_lines_that_are_seen_are_drawn() {
    let mut state = numbered(KEPT + 50);
    let idle = testing::idle();
    press(&mut state, &idle, "g");
    assert_eq!(window(&mut state), (50, 68));
    // What was read is gone by now: the oldest is shown instead.
    observe(
        &mut state,
        (0..100)
            .map(|at| line(at, Level::INFO, "t", "more"))
            .collect(),
    );
    assert_eq!(window(&mut state).0, 150);
    press(&mut state, &idle, "G");
    assert!(!observe(
        &mut state,
        vec![line(0, Level::DEBUG, "t", "too fine")]
    ));
    state.page = Page::Watch;
    assert!(!observe(
        &mut state,
        vec![line(0, Level::ERROR, "t", "not on this page")]
    ));
}

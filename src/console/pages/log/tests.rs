//! What the log page shows and does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::*;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, MONO, press};
use crate::terminal::Theme;

type One = (Level, &'static str, String);

fn line(level: Level, target: &'static str, text: &str) -> One {
    (level, target, text.to_owned())
}

/// A console with the log page alone before tui-logger's store.
struct Console {
    state: State,
    _alone: MutexGuard<'static, ()>,
}

impl Deref for Console {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Console {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// Lines as they come to a console; whether they are drawn.
fn came(state: &mut State, lines: Vec<One>) -> bool {
    let mut changed = false;
    // As many as wait at once.
    for lines in lines.chunks(1000) {
        for (level, target, text) in lines {
            capture::push(target, *level, text);
        }
        changed |= state.take_log();
    }
    changed
}

/// The screen, with letters for the times of its lines.
fn screen(state: &mut State, snapshot: &Snapshot, width: u16, height: u16, theme: Theme) -> String {
    let shown = testing::screen(state, snapshot, width, height, theme);
    let masked = shown.lines().map(|line| {
        let form = line
            .chars()
            .take(9)
            .map(|c| if c.is_ascii_digit() { '0' } else { c });
        match form.collect::<String>() == "00:00:00 " {
            true => format!("HH:MM:SS{}\n", &line[8..]),
            false => format!("{line}\n"),
        }
    });
    masked.collect()
}

fn some() -> Vec<One> {
    vec![
        line(
            Level::Info,
            "subtend::engine",
            "group adsl: 8 entities, 32 buffers of 64 KiB",
        ),
        line(
            Level::Debug,
            "subtend::agent::management",
            "pass 1 of hq began",
        ),
        line(Level::Info, "adsl/shelf1-01", "sending"),
        line(Level::Info, "adsl/shelf1-1", "sending"),
        line(
            Level::Warn,
            "adsl/shelf1-01",
            "retrying: the server said 451 try again later, because of \\u{1b}[31m a text that is far too long for one row of a small screen",
        ),
        line(Level::Error, "adsl/shelf1-10", "größer than its flash"),
    ]
}

fn logging(lines: Vec<One>) -> Console {
    let alone = alone();
    let mut state = testing::state();
    state.shared.page = Page::Log;
    came(&mut state, lines);
    Console {
        state,
        _alone: alone,
    }
}

/// Lines `0` to `number`.
fn numbered(number: usize) -> Console {
    logging(
        (0..number)
            .map(|at| line(Level::Info, "t", &format!("line {at} ends")))
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
    state.shared.site.log_file = Some("/var/lib/subtend/console.log".into());
    (state.shared.output.total, state.shared.output.per_second) = (5000, 312);
    let idle = testing::idle();
    insta::assert_snapshot!("log_80x24", screen(&mut state, &idle, 80, 24, MONO));
    insta::assert_snapshot!("log_60x16_ascii", screen(&mut state, &idle, 60, 16, ASCII));
    drop(state);
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
    assert_eq!(state.pages.log.level, LevelFilter::Trace);
}

/// The keys that move the cursor of the selector to a target. The store has those of other tests too.
fn to(state: &mut State, target: &str) -> String {
    for known in capture::tests::KNOWN.lock().unwrap().iter() {
        state.pages.log.targets.entry(known.clone()).or_default();
    }
    let place = state.pages.log.targets.keys().position(|one| one == target);
    format!("g{}", "<Down>".repeat(place.unwrap()))
}

/// The row of a target in tui-logger's selector: letters, cursor, name.
fn row(screen: &str, target: &str) -> String {
    let rows = screen.lines().skip(3);
    let mut rows = rows.filter(|row| {
        let name = row.get(6..).and_then(|row| row.strip_prefix(target));
        name.is_some_and(|behind| behind.is_empty() || behind.starts_with(' '))
    });
    let row = rows.next().unwrap_or_else(|| panic!("{target}\n{screen}"));
    row[..6 + target.len()].to_owned()
}

#[test]
fn targets_are_hidden_and_shown_again() {
    let mut state = logging(some());
    let idle = testing::idle();
    let keys = |state: &mut State, keys: &str| {
        press(state, &idle, keys);
        screen(state, &idle, 120, 40, ASCII)
    };
    let here = "adsl/shelf1-01";
    let there = to(&mut state, here);
    let before = keys(&mut state, "");
    let list = keys(&mut state, &format!("t{there}"));
    assert!(
        list.contains("adsl/shelf1-01: level info, 2 lines"),
        "{list}"
    );
    assert_eq!(row(&list, here), "EWI..>adsl/shelf1-01");
    assert_eq!(row(&list, "adsl/shelf1-1"), "EWI.. adsl/shelf1-1");
    assert!(list.contains("INFO adsl/shelf1-01: sending"), "{list}");
    // The list stays open where it was.
    let list = keys(&mut state, "<Enter>");
    assert_eq!(row(&list, here), ".....>adsl/shelf1-01");
    assert!(!list.contains("INFO adsl/shelf1-01: sending"), "{list}");
    let there = to(&mut state, "subtend::engine");
    keys(&mut state, &format!("{there}<Enter>"));
    let shown = keys(&mut state, "<Esc>");
    assert!(
        !shown.contains("451 try") && !shown.contains("32 buffers"),
        "{shown}"
    );
    let hidden = format!("2 of {} targets hidden", state.pages.log.targets.len());
    assert!(
        shown.contains("shelf1-10") && shown.contains(&hidden),
        "{shown}"
    );
    // A target that comes meanwhile takes nothing under the cursor's place.
    press(&mut state, &idle, &format!("t{there}"));
    assert!(came(&mut state, vec![line(Level::Debug, "TARGET", "new")]));
    let list = keys(&mut state, "");
    assert_eq!(row(&list, "subtend::engine"), ".....>subtend::engine");
    press(&mut state, &idle, "t");
    // More levels don't show what is hidden.
    let more = keys(&mut state, "+");
    assert!(
        more.contains("pass 1 of hq") && !more.contains("32 buffers"),
        "{more}"
    );
    assert_eq!(keys(&mut state, "-ta<Esc>"), before);
    let none = keys(&mut state, "ta");
    assert!(
        none.contains("No line fits") && !none.contains("all targets"),
        "{none}"
    );
    assert_eq!(keys(&mut state, "at"), before);
    assert_eq!(state.shared.page, Page::Log);
}

#[test]
fn one_target_has_a_level_of_its_own() {
    let mut state = logging(some());
    let idle = testing::idle();
    let there = to(&mut state, "subtend::agent::management");
    press(&mut state, &idle, &format!("t{there}l"));
    let shown = screen(&mut state, &idle, 120, 40, ASCII);
    assert_eq!(
        row(&shown, "subtend::agent::management"),
        "EWID.>subtend::agent::management"
    );
    assert!(shown.contains("pass 1 of hq began"), "{shown}");
    let there = to(&mut state, "adsl/shelf1-01");
    press(&mut state, &idle, &format!("{there}h"));
    let shown = screen(&mut state, &idle, 120, 40, ASCII);
    assert_eq!(row(&shown, "adsl/shelf1-01"), "EW...>adsl/shelf1-01");
    assert!(
        shown.contains("451 try") && !shown.contains("shelf1-01: sending"),
        "{shown}"
    );
    // The level of all is everyone's again.
    press(&mut state, &idle, "t-");
    let shown = screen(&mut state, &idle, 120, 40, ASCII);
    assert!(
        shown.contains("451 try") && !shown.contains("pass 1 of hq"),
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
            .shared
            .message
            .as_ref()
            .unwrap()
            .text
            .contains("no entity `shelf1-1`")
    );
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("shelf1-1: sending") && !shown.contains("shelf1-10"),
        "{shown}"
    );
    press(&mut state, &idle, "E<Ctrl-U><Enter>");
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("all entities") && shown.contains("shelf1-10"),
        "{shown}"
    );
    // In another group too, and when it is a target by itself.
    state.pages.log.entity = Some("größe-1".into());
    for target in ["vdsl/größe-1", "größe-1"] {
        assert_eq!(
            state.pages.log.level_of(target),
            LevelFilter::Info,
            "{target}"
        );
    }
    for target in ["größe", "vdsl/größe-12", "vdsl/xgröße-1"] {
        assert_eq!(
            state.pages.log.level_of(target),
            LevelFilter::Off,
            "{target}"
        );
    }
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
    assert!(!came(
        &mut state,
        vec![line(Level::Info, "t", "line 100 ends")]
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
    assert!(came(
        &mut state,
        vec![line(Level::Info, "t", "line 101 ends")]
    ));
    assert_eq!(window(&mut state), (83, 101));
    // Coming to the end by oneself follows, too.
    press(&mut state, &idle, "<Up><Down>");
    assert_eq!(state.pages.log.scrolled, None);
}

#[test]
fn old_lines_go_and_only_lines_that_are_seen_are_drawn() {
    let mut state = numbered(KEPT + 50);
    let idle = testing::idle();
    press(&mut state, &idle, "g");
    assert_eq!(window(&mut state), (50, 68));
    // What was read is gone by now: the oldest is shown instead.
    came(
        &mut state,
        (0..100).map(|_| line(Level::Info, "t", "more")).collect(),
    );
    assert_eq!(window(&mut state).0, 150);
    // Nothing came, so nothing is drawn.
    assert!(!came(&mut state, vec![]) && !state.take_log());
    press(&mut state, &idle, "G");
    assert!(!came(&mut state, vec![line(Level::Debug, "t", "too fine")]));
    state.shared.page = Page::Watch;
    assert!(!came(
        &mut state,
        vec![line(Level::Error, "t", "not on this page")]
    ));
}

/// Lines of one row and of many, up to nearly all of the screen.
fn long(number: usize) -> Console {
    let text = |at: usize| format!("line {at} {}ends", "is long, and ".repeat(at * 37 % 100));
    let target = |at: usize| if at.is_multiple_of(3) { "adsl" } else { "vdsl" };
    logging(
        (0..number)
            .map(|at| line(Level::Info, target(at), &text(at)))
            .collect(),
    )
}

#[test]
fn long_lines_are_paged_through_without_a_gap() {
    let mut state = long(60);
    let idle = testing::idle();
    for (back, forth) in [("<PgUp>", "<PgDn>"), ("<Up>", "<Down>")] {
        let mut seen = std::collections::BTreeSet::new();
        let mut look = |state: &mut State| {
            let shown = screen(state, &idle, 80, 24, MONO);
            let numbers = shown.lines().filter_map(|line| {
                let (_, rest) = line.split_once(": line ")?;
                rest.split(' ').next()?.parse::<usize>().ok()
            });
            seen.extend(numbers);
            shown
        };
        let newest = look(&mut state);
        let mut steps = 0;
        while press(&mut state, &idle, back).is_empty() && steps < 200 {
            look(&mut state);
            steps += 1;
        }
        let top = look(&mut state);
        let first = top.lines().nth(3).unwrap();
        assert!(first.ends_with("INFO adsl: line 0 ends"), "{top}");
        assert_eq!(seen.len(), 60, "{back} passes over some of them: {seen:?}");
        press(&mut state, &idle, "<End>g");
        assert_eq!(screen(&mut state, &idle, 80, 24, MONO), top);
        while state.pages.log.scrolled.is_some() {
            press(&mut state, &idle, forth);
        }
        assert_eq!(screen(&mut state, &idle, 80, 24, MONO), newest);
    }
}

#[test]
fn another_choice_leaves_the_place() {
    let mut state = long(60);
    let idle = testing::idle();
    press(&mut state, &idle, "<PgUp><PgUp><PgUp>");
    let lowest = state.pages.log.scrolled.unwrap().lowest;
    let before = screen(&mut state, &idle, 80, 24, MONO);
    press(&mut state, &idle, "--");
    let none = screen(&mut state, &idle, 80, 24, MONO);
    assert!(none.contains("No line fits"), "{none}");
    press(&mut state, &idle, "<PgUp><Down>++");
    assert_eq!(screen(&mut state, &idle, 80, 24, MONO), before);
    let there = to(&mut state, "adsl");
    press(&mut state, &idle, &format!("t{there}<Enter>t"));
    let left = state.pages.log.scrolled.unwrap();
    assert!((lowest - 2..=lowest).contains(&left.lowest), "{left:?}");
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(!shown.contains("INFO adsl:"), "{shown}");
    // What comes is counted only where it is shown, and moves nothing.
    let more = vec![
        line(Level::Error, "adsl", "hidden"),
        line(Level::Warn, "vdsl", "shown"),
    ];
    came(&mut state, more);
    let later = screen(&mut state, &idle, 80, 24, MONO);
    let lines = |shown: &str| shown.lines().skip(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&later), lines(&shown));
    assert_eq!(state.pages.log.scrolled.unwrap().below, left.below + 1);
}

//! What the history page shows and does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::console::message::Message;
use crate::console::pages::State;
use crate::console::testing::{self, ASCII, MONO, press, screen};
use crate::console::update::update;

fn run(number: usize, outcome: &str) -> PastRun {
    PastRun {
        run: format!("20261122T20{number:02}00Z-1a2b"),
        began: format!("2026-11-22 21:{number:02}"),
        outcome: outcome.into(),
        delivered: 19,
        unproven: usize::from(number == 10),
        skipped: 2,
        failed: 1,
        groups: vec!["adsl".into(), "vdsl".into()],
        about: "by craft@noc7 from 192.0.2.7 \u{1b}[31m".into(),
    }
}

#[test]
fn runs_are_read_when_the_page_is_entered_and_one_is_opened() {
    let mut state = testing::state();
    let idle = testing::idle();
    assert_eq!(press(&mut state, &idle, "H"), [Effect::ReadHistory]);
    assert!(screen(&mut state, &idle, 80, 24, MONO).contains("is being read"));
    let runs = Action::Past(vec![run(50, "partial"), run(10, "cut off")]);
    update(&mut state, &idle, runs);
    insta::assert_snapshot!("history_80x24", screen(&mut state, &idle, 80, 24, MONO));
    insta::assert_snapshot!("history_60x16", screen(&mut state, &idle, 60, 16, ASCII));

    screen(&mut state, &idle, 80, 24, MONO);
    let opened = press(&mut state, &idle, "<Down><Enter>");
    let [Effect::OpenRun { run, columns }] = opened.as_slice() else {
        panic!("{opened:?}");
    };
    assert_eq!((run.as_str(), *columns), ("20261122T201000Z-1a2b", 72));
    let text = "run x: cut off\n  by craft\n".to_owned();
    let run = run.clone();
    update(&mut state, &idle, Action::OpenedRun { run, text });
    let shown = screen(&mut state, &idle, 80, 24, MONO);
    assert!(
        shown.contains("Run 20261122T201000Z-1a2b") && shown.contains("by craft"),
        "{shown}"
    );
    press(&mut state, &idle, "<Esc><Esc>");
    assert_eq!(state.shared.page, Page::Watch);
}

#[test]
fn what_can_not_be_read_is_told() {
    let mut state = testing::state();
    let idle = testing::idle();
    press(&mut state, &idle, "H");
    let damaged = Message::complaint("the journal is damaged");
    update(&mut state, &idle, Action::Said(damaged));
    assert!(screen(&mut state, &idle, 80, 24, MONO).contains("the journal is damaged"));
    update(&mut state, &idle, Action::Past(Vec::new()));
    assert!(screen(&mut state, &idle, 80, 24, MONO).contains("no run was recorded"));
    assert_eq!(press(&mut state, &idle, "<Enter><Down>"), []);
}

#[test]
fn the_cursor_is_always_on_the_screen() {
    let mut state = testing::state();
    let idle = testing::idle();
    press(&mut state, &idle, "H");
    let runs = (0..60).map(|number| run(number, "delivered")).collect();
    update(&mut state, &idle, Action::Past(runs));
    for keys in ["G", "<PgUp>", "g", "<PgDn><PgDn><Up>"] {
        press(&mut state, &idle, keys);
        let at = state.pages.history.scroll.cursor;
        let shown = screen(&mut state, &idle, 80, 24, MONO);
        assert!(shown.contains(&format!("21:{at:02}")), "{keys}: {shown}");
    }
    // Fewer than there were.
    update(&mut state, &idle, Action::Past(vec![run(7, "failed")]));
    assert!(screen(&mut state, &idle, 80, 24, MONO).contains("21:07"));
}

/// From the list, and from a run that was opened, to which one comes back.
#[test]
fn a_report_of_a_run_is_written_from_the_list_and_from_the_run() {
    let mut state = testing::state();
    let idle = testing::idle();
    press(&mut state, &idle, "H");
    assert_eq!(press(&mut state, &idle, "w"), []);
    assert!(screen(&mut state, &idle, 80, 24, MONO).contains("there is no run to report"));
    let runs = Action::Past(vec![run(50, "partial"), run(10, "cut off")]);
    update(&mut state, &idle, runs);
    let name = "20261122T201000Z-1a2b";
    let effect = Effect::Report {
        run: name.into(),
        format: crate::model::ReportFormat::Html,
        file: format!("subtend-site-{name}.html"),
    };
    let written = press(&mut state, &idle, "<Down>w<Enter><Enter>");
    assert_eq!(written, std::slice::from_ref(&effect));
    assert!(state.shared.dialogs.is_empty());
    let text = "run x: cut off\n".to_owned();
    let opened = Action::OpenedRun {
        run: name.into(),
        text,
    };
    update(&mut state, &idle, opened);
    assert!(screen(&mut state, &idle, 80, 24, MONO).contains("w writes a report of it"));
    assert_eq!(press(&mut state, &idle, "w<Esc>"), []);
    assert_eq!(state.shared.dialogs.len(), 1, "the run is still there");
    assert_eq!(press(&mut state, &idle, "w<Enter><Enter>"), [effect]);
}

/// Names that don't fit are counted, and none is cut where another one could be taken for it.
#[test]
fn groups_that_have_no_room_are_counted() {
    let mut state = testing::state();
    let idle = testing::idle();
    press(&mut state, &idle, "H");
    let groups = (1..=9).map(|at| format!("bremen-mitte-{at}")).collect();
    let mut many = run(10, "partial");
    many.groups = groups;
    update(&mut state, &idle, Action::Past(vec![many]));
    let row = |state: &mut State, width| {
        let shown = screen(state, &idle, width, 24, ASCII);
        let line = shown.lines().nth(2).unwrap();
        line.split_once("      1 ").unwrap().1.to_owned()
    };
    assert_eq!(row(&mut state, 80), "bremen-mitte-1 and 8 more");
    assert_eq!(row(&mut state, 60), "9 groups");
    let wide = row(&mut state, 240);
    assert!(
        wide.contains("bremen-mitte-9 (1 unproven) by craft@noc7"),
        "{wide}"
    );
}

//! What a screen and a reader see, on a terminal that is emulated.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::frame::{Line, Room, Tone, frame};
use super::report::{report, report_in};
use super::screen::styled;
use super::text::width;
use super::{Ended, exit_code};
use crate::model::{Bottleneck, EntityState, Laggards, Outcome, Step, Verified};
use crate::protocol::{
    CampaignSnapshot, EntitySnapshot, EntitySummary, GroupPhase, GroupSnapshot, GroupSummary, Held,
    HeldBy, PauseReason, Snapshot, Summary, Wait, WaveSnapshot,
};
use crate::terminal::Inline;

fn entity(name: &str, state: EntityState, sent: u64) -> EntitySnapshot {
    EntitySnapshot {
        runs: None,
        entity: name.into(),
        state,
        step: None,
        cause: None,
        attempt: 1,
        sent,
        confirmed: 0,
        lag: 3,
        rate: 1.25 * 1024.0 * 1024.0,
        seconds: 4.2,
        staged: true,
        verified: match state {
            EntityState::Delivered => Verified::Digest,
            _ => Verified::None,
        },
        holds: None,
        left: None,
        offline_since: None,
        silent_since: None,
        again_at: None,
        hint: None,
        wave: None,
        past: std::sync::Arc::default(),
    }
}

fn group(name: &str, entities: Vec<EntitySnapshot>) -> GroupSnapshot {
    GroupSnapshot {
        group: name.into(),
        image: "adsl-2.4".into(),
        version: "2.4".into(),
        source: "hq".into(),
        phase: GroupPhase::Transferring,
        laggards: Laggards::CatchUp,
        size: Some(32 << 20),
        sha256: None,
        read: 16 << 20,
        source_bytes: 16 << 20,
        passes: 1,
        rate: 3.0 * 1024.0 * 1024.0,
        depth: 16,
        source_reason: None,
        depth_reason: Some("mostly empty: gives 24 buffers back".into()),
        used: 12,
        buffer_size: 256 << 10,
        bottleneck: Bottleneck::Entity("shelf1-09".into()),
        time_left: Some(17.0),
        seconds: 2.0,
        entities,
        series: Arc::default(),
        campaign: None,
    }
}

fn snapshot(groups: Vec<GroupSnapshot>) -> Snapshot {
    Snapshot {
        at: Timestamp::UNIX_EPOCH,
        run: "r1".into(),
        memory: 8 << 20,
        pool_bytes: 3 << 20,
        peak_pool_bytes: 4 << 20,
        groups: groups.into_iter().map(Arc::new).collect(),
        series: Arc::default(),
    }
}

/// One entity in each state, and a group that has ended.
fn one_of_each() -> Snapshot {
    use EntityState::*;
    let mut failed = entity("shelf1-07", Failed, 4 << 20);
    failed.step = Some(Step::Send);
    failed.cause = Some("the server said 552 Disk full\u{1b}[2J, remove a file first".into());
    failed.attempt = 3;
    let mut retrying = entity("shelf1-06", Retrying, 0);
    retrying.step = Some(Step::Connect);
    retrying.cause = Some("192.0.2.26 refused the connection; is its FTP server running?".into());
    retrying.attempt = 2;
    let mut delivered = entity("shelf1-08", Delivered, 32 << 20);
    delivered.verified = Verified::Digest;
    let mut connecting = entity("shelf1-02", Connecting, 0);
    connecting.step = Some(Step::Login);
    let first = group(
        "adsl",
        vec![
            entity("shelf1-01", Waiting, 0),
            connecting,
            entity("shelf1-03", Sending, 16 << 20),
            entity("shelf1-04", CatchingUp, 9_400_000),
            entity("shelf1-05", Confirming, 32 << 20),
            retrying,
            failed,
            delivered,
            entity("shelf1-09", Skipped, 0),
            entity("shelf1-10", Verifying, 32 << 20),
            entity("shelf1-11", Cancelled, 1 << 20),
        ],
    );
    let mut second = group("vdsl", vec![entity("shelf2-01", Delivered, 32 << 20)]);
    second.entities[0].verified = Verified::Size;
    second.phase = GroupPhase::Ended(Outcome::Delivered);
    snapshot(vec![first, second])
}

fn many(number: usize) -> Snapshot {
    use EntityState::*;
    let entities = (0..number).map(|at| match at {
        at if at == number - 2 => entity(&format!("e-{at:03}"), Failed, 0),
        at if at % 10 == 5 => entity(&format!("e-{at:03}"), Sending, 8 << 20),
        at if at % 3 == 0 => entity(&format!("e-{at:03}"), Delivered, 32 << 20),
        at => entity(&format!("e-{at:03}"), Waiting, 0),
    });
    snapshot(vec![group("adsl", entities.collect())])
}

static UTC: TimeZone = TimeZone::UTC;

fn room(columns: usize, rows: usize, utf8: bool) -> Room<'static> {
    Room {
        columns,
        rows,
        utf8,
        now: Timestamp::UNIX_EPOCH,
        zone: &UTC,
    }
}

fn text(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| format!("{}\n", line.text))
        .collect()
}

#[test]
fn a_wide_screen_tells_the_time_left_and_why_the_pool_is_as_deep_as_it_is() {
    let head = |columns| {
        let lines = frame(&one_of_each(), None, room(columns, 23, true));
        lines[0].text.clone()
    };
    assert_eq!(
        head(160),
        "adsl  adsl-2.4 from hq  47 %  3.0 MiB/s  17 s left  pool 12/16 × 256.0 KiB  \
         limited by shelf1-09  (mostly empty: gives 24 buffers back)"
    );
    assert!(head(100).contains("17 s left"));
    assert!(!head(100).contains("mostly empty"));
}

#[test]
fn the_screen_at_80_columns() {
    insta::assert_snapshot!(text(&frame(&one_of_each(), None, room(79, 23, true))));
}

#[test]
fn the_screen_at_40_columns_without_utf8() {
    insta::assert_snapshot!(text(&frame(
        &one_of_each(),
        Some("cancelling..."),
        room(39, 23, false)
    )));
}

#[test]
fn more_entities_than_rows_are_counted_and_those_that_failed_or_run_stay() {
    insta::assert_snapshot!(text(&frame(&many(200), None, room(79, 12, true))));
}

#[test]
fn more_groups_than_rows_are_counted_and_those_that_run_stay() {
    let mut groups: Vec<_> = (1..=9).map(|at| group(&format!("g{at}"), vec![])).collect();
    for ended in &mut groups[..4] {
        ended.phase = GroupPhase::Ended(Outcome::Partial);
    }
    insta::assert_snapshot!(text(&frame(&snapshot(groups), None, room(60, 4, true))));
}

proptest! {
    #[test]
    fn a_frame_always_fits(
        number in 2usize..60,
        columns in 1usize..120,
        rows in 1usize..40,
        note in prop::option::of(Just("cancelling")),
    ) {
        for snapshot in [many(number), one_of_each()] {
            let lines = frame(&snapshot, note, room(columns, rows, true));
            prop_assert!(lines.len() <= rows);
            for line in &lines {
                prop_assert!(width(&line.text) <= columns, "{}", line.text);
                prop_assert!(!line.text.contains(char::is_control));
            }
        }
    }

    /// Whatever the frames were, the terminal shows the newest one below what was there before, and
    /// the cursor rests below it.
    #[test]
    fn the_terminal_shows_the_newest_frame(
        frames in prop::collection::vec(
            prop::collection::vec(("[a-z]{0,18}", 0u8..3), 0..9),
            1..12,
        ),
        above in prop::option::of(0usize..12),
    ) {
        let mut terminal = vt100::Parser::new(10, 20, 0);
        let mut board = Inline::new(false);
        terminal.process(b"$ run\r\n");
        for (at, lines) in frames.iter().enumerate() {
            if above == Some(at) {
                terminal.process(&board.above("a log line"));
            }
            let lines: Vec<Line> = lines.iter().map(|(text, tone)| Line {
                text: text.clone(),
                tone: [Tone::Plain, Tone::Bad, Tone::Head][usize::from(*tone)],
            }).collect();
            terminal.process(&board.draw(&styled(&lines, true), (20, 10)));
            let (row, column) = terminal.screen().cursor_position();
            prop_assert_eq!(column, 0);
            // A blank that was written looks like one that was not.
            let rows = terminal.screen().rows(0, 20);
            let shown: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
            let top = usize::from(row) - lines.len();
            for (at, line) in lines.iter().enumerate() {
                prop_assert_eq!(&shown[top + at], &line.text);
            }
            prop_assert!(shown[usize::from(row)..].iter().all(String::is_empty));
            // Nothing new: not one byte.
            prop_assert!(board.draw(&styled(&lines, true), (20, 10)).is_empty());
        }
    }
}

#[test]
fn only_changed_lines_are_written() {
    let mut board = Inline::new(false);
    let mut terminal = vt100::Parser::new(24, 80, 0);
    let mut draw = |snapshot: &Snapshot| {
        let lines = frame(snapshot, None, room(79, 23, true));
        let bytes = board.draw(&styled(&lines, false), (80, 24));
        terminal.process(&bytes);
        (bytes, terminal.screen().contents())
    };
    let (first, before) = draw(&many(20));
    let mut next = many(20);
    let mut group = (*next.groups[0]).clone();
    group.entities[5].lag = 7;
    next.groups[0] = Arc::new(group);
    let (second, after) = draw(&next);
    let second = String::from_utf8(second).unwrap();
    assert!(first.len() > 500);
    let changed: Vec<_> = (before.lines().zip(after.lines()))
        .filter(|(before, after)| before != after)
        .collect();
    let [(_, line)] = changed[..] else {
        panic!("{changed:?}");
    };
    assert!(line.contains("e-005") && line.ends_with("lag 7"), "{line}");
    assert!(second.len() < 20, "{} bytes: {second:?}", second.len());
}

#[test]
fn a_smaller_terminal_shows_the_whole_frame_again() {
    let mut terminal = vt100::Parser::new(24, 80, 0);
    let mut board = Inline::new(false);
    let snapshot = one_of_each();
    let lines = frame(&snapshot, None, room(79, 23, true));
    terminal.process(&board.draw(&styled(&lines, true), (80, 24)));
    terminal.screen_mut().set_size(10, 40);
    let lines = frame(&snapshot, None, room(39, 9, true));
    terminal.process(&board.draw(&styled(&lines, true), (40, 10)));
    let contents = terminal.screen().contents();
    for line in &lines {
        assert!(
            contents.contains(line.text.as_str()),
            "{} in\n{contents}",
            line.text
        );
    }
}

#[test]
fn states_are_words_and_colour_is_only_added() {
    let lines = frame(&one_of_each(), None, room(79, 23, true));
    let bytes = |colour| Inline::new(false).draw(&styled(&lines, colour), (80, 24));
    let plain = String::from_utf8(bytes(false)).unwrap();
    let parameter = |c: char| c.is_ascii_digit() || c == ';';
    let mut sequences = plain.split("\u{1b}[").skip(1);
    assert!(!sequences.any(|rest| rest.trim_start_matches(parameter).starts_with('m')));
    assert!(
        String::from_utf8(bytes(true))
            .unwrap()
            .contains("\u{1b}[1;91m")
    );
    for state in [
        "waiting",
        "catching-up",
        "retrying",
        "failed",
        "skipped",
        "cancelled",
    ] {
        assert!(plain.contains(state), "{state}");
    }
}

fn result(name: &str, state: EntityState) -> EntitySummary {
    EntitySummary {
        runs: None,
        entity: name.into(),
        state,
        step: None,
        bytes: 32 << 20,
        seconds: 4.2,
        attempts: 1,
        staged: true,
        verified: Verified::Digest,
        cause: None,
        holds: None,
        left: None,
    }
}

fn summary() -> Summary {
    use EntityState::*;
    let mut entities: Vec<_> = (1..=17)
        .map(|at| result(&format!("shelf1-{at:02}"), Delivered))
        .collect();
    entities[3].verified = Verified::Readback;
    entities[4].staged = false;
    entities[11].verified = Verified::Size;
    entities[12].verified = Verified::None;
    for (name, why) in [
        ("shelf1-18", "the inventory says it is at version 2.4"),
        (
            "shelf1-19",
            "delivered by run 20261122T205000Z-1a2b on 2026-11-22 20:50 UTC; its file was read again",
        ),
    ] {
        let mut skipped = result(name, Skipped);
        (skipped.verified, skipped.cause) = (Verified::None, Some(why.into()));
        entities.push(skipped);
    }
    let mut failed = result("shelf1-20", Failed);
    failed.step = Some(Step::Send);
    failed.attempts = 3;
    failed.cause = Some(
        "the server said 552 Requested file action aborted, exceeded storage allocation \u{1b}]0;x"
            .into(),
    );
    failed.left = Some("/flash/image.bin.subtend".into());
    entities.push(failed);
    let adsl = GroupSummary {
        campaign: None,
        group: "adsl".into(),
        image: "adsl-2.4".into(),
        source: "hq".into(),
        size: Some(32 << 20),
        sha256: Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into()),
        seconds: 4.3,
        source_bytes: 32 << 20,
        passes: 1,
        delivered_unproven: 2,
        entities,
    };
    let lost = |at| {
        let mut entity = result(&format!("shelf2-{at:02}"), Failed);
        entity.step = Some(Step::Read);
        entity.cause =
            Some("the source hq failed: read: the data connection was lost: reset".into());
        entity
    };
    let vdsl = GroupSummary {
        campaign: None,
        group: "vdsl".into(),
        image: "vdsl-1.9".into(),
        source: "peer:shelf2-09".into(),
        size: None,
        sha256: None,
        seconds: 75.0,
        source_bytes: 9 << 20,
        passes: 2,
        delivered_unproven: 0,
        entities: (1..=4).map(lost).collect(),
    };
    Summary {
        at: Timestamp::UNIX_EPOCH,
        run: "r1".into(),
        outcome: Outcome::Partial,
        seconds: 75.2,
        memory: 8 << 20,
        peak_pool_bytes: 7 << 20,
        source_bytes: 41 << 20,
        delivered_bytes: 17 * (32 << 20),
        delivered_unproven: 2,
        groups: vec![adsl, vdsl],
    }
}

#[test]
fn the_summary_for_people() {
    let text = report(&summary(), 80);
    assert!(text.lines().all(|line| width(line) <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_summary_counts_what_runs_the_image_and_says_why_others_do_not() {
    use EntityState::{RolledBack, Upgraded};
    let mut summary = summary();
    summary.groups.truncate(1);
    let entities = &mut summary.groups[0].entities;
    entities.clear();
    for at in 1..=5 {
        let state = if at > 3 { RolledBack } else { Upgraded };
        let mut one = result(&format!("t00{at}"), state);
        one.runs = Some(if state == Upgraded { "2" } else { "1" }.into());
        if state == RolledBack {
            let cause = "check, step 1 of 1: it says version `1`, and `2` was expected";
            (one.step, one.cause) = (Some(Step::Command), Some(cause.into()));
        }
        entities.push(one);
    }
    let text = report(&summary, 80);
    for told in [
        "  3 upgraded, 2 rolled back",
        "  t[004-005]: rolled back, runs 1, 1 attempt",
        "      check, step 1 of 1: it says version `1`, and `2` was expected",
        "partial: some entities were not upgraded",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    summary.groups[0].entities.truncate(3);
    summary.outcome = Outcome::Delivered;
    assert!(report(&summary, 80).contains("\nupgraded - "));
}

#[test]
fn the_summary_fits_narrow_terminals() {
    let text = report(&summary(), 40);
    assert!(text.lines().all(|line| width(line) <= 40), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn exit_codes_are_those_that_scripts_rely_on() {
    let with = |outcome| Summary {
        outcome,
        ..summary()
    };
    assert_eq!(exit_code(&with(Outcome::Delivered)), 0);
    assert_eq!(exit_code(&with(Outcome::Partial)), 1);
    assert_eq!(exit_code(&with(Outcome::Failed)), 1);
    assert_eq!(exit_code(&with(Outcome::Cancelled)), 130);
    let ended = |groups: Vec<GroupSummary>, refused: &[&str]| Ended::Summary {
        summary: Box::new(Summary {
            groups,
            ..with(Outcome::Delivered)
        }),
        refused: refused.iter().map(|reason| (*reason).to_owned()).collect(),
    };
    assert_eq!(ended(summary().groups, &[]).exit_code(), 0);
    assert_eq!(ended(Vec::new(), &["no such group"]).exit_code(), 2);
    assert_eq!(ended(summary().groups, &["no such group"]).exit_code(), 1);
    assert_eq!(Ended::Left.exit_code(), 130);
    assert_eq!(Ended::Lost.exit_code(), 1);
}

/// 1 + 20 + 179, stopped in the second wave.
fn stopped() -> Snapshot {
    use EntityState::*;
    let wave = |entities, good, failed| WaveSnapshot {
        entities,
        good,
        failed,
        ..WaveSnapshot::default()
    };
    let reason = PauseReason::Failures {
        failed: 4,
        stops_at: 4,
    };
    let entities = (1..=200).map(|at| match at {
        1..=13 => entity(&format!("line-{at:03}"), Delivered, 32 << 20),
        14..=17 => entity(&format!("line-{at:03}"), Failed, 1 << 20),
        _ => entity(&format!("line-{at:03}"), Waiting, 0),
    });
    let mut group = group("adsl", entities.collect());
    group.campaign = Some(Box::new(CampaignSnapshot {
        waves: vec![wave(1, 1, 0), wave(20, 12, 4), wave(179, 0, 0)],
        wave: 2,
        held: Some(Held {
            since: Timestamp::UNIX_EPOCH,
            by: HeldBy::Pause(reason),
        }),
        untouched: 183,
        offline: 0,
        failed: 4,
        stops_at: Some(4),
        rate: None,
    }));
    snapshot(vec![group])
}

#[test]
fn a_group_that_is_held_says_so_below_its_header() {
    insta::assert_snapshot!(
        "held_79x12",
        text(&frame(&stopped(), None, room(79, 12, true)))
    );
    insta::assert_snapshot!(
        "held_39x12",
        text(&frame(&stopped(), None, room(39, 12, false)))
    );
    for (columns, rows) in (2..90).zip((1..30).cycle()) {
        let lines = frame(&stopped(), None, room(columns, rows, false));
        assert!(lines.len() <= rows);
        assert!(lines.iter().all(|line| width(&line.text) <= columns));
    }
}

#[test]
fn the_summary_says_where_it_stopped_and_what_to_do_next() {
    let mut snapshot = stopped();
    let told = |snapshot: &Snapshot| {
        let mut summary = summary();
        summary.groups.truncate(1);
        let campaign = snapshot.groups[0].campaign.as_deref();
        summary.groups[0].campaign = campaign.map(|campaign| Box::new(campaign.into()));
        let report = report_in(&summary, 80, &UTC);
        let line = report.lines().position(|line| line.contains(" wave"));
        let lines = report.lines().skip(line.unwrap());
        lines
            .take_while(|line| !line.is_empty())
            .map(|line| line.trim().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&snapshot),
        [
            "came to wave 2 of 3; stopped since 00:00: 4 failed, stops at 4; 183 entities",
            "untouched: see why they failed, then `subtend resume adsl` goes on, `subtend",
            "cancel adsl` ends it",
        ]
    );
    let campaign = |snapshot: &mut Snapshot, by| {
        let group = Arc::make_mut(&mut snapshot.groups[0]);
        let campaign = group.campaign.as_mut().unwrap();
        campaign.held = by;
    };
    let since = Timestamp::UNIX_EPOCH;
    let until = Some("1970-01-02T01:00:00Z".parse().unwrap());
    let by = HeldBy::Wait(Wait::Window { until });
    campaign(&mut snapshot, Some(Held { since, by }));
    assert_eq!(
        told(&snapshot),
        [
            "came to wave 2 of 3; waits for its window, opens Fri 2 Jan 01:00 UTC, in 1 day",
            "1 h; 183 entities untouched: it goes on by itself where an engine runs",
            "(`subtend serve`)",
        ]
    );
    campaign(&mut snapshot, None);
    let group = Arc::make_mut(&mut snapshot.groups[0]);
    (
        group.campaign.as_mut().unwrap().wave,
        group.campaign.as_mut().unwrap().untouched,
    ) = (3, 0);
    assert_eq!(told(&snapshot), ["all 3 waves have ended",]);
}

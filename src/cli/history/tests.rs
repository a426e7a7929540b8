//! What is printed of a journal that has one of everything.

use jiff::tz::TimeZone;

use super::*;
use crate::journal::{
    AfterCrash, Amounts, Change, Copied, Counts, EntityRow, GroupRow, Origin, PassRow, Process,
    RunStatus, StepRow,
};
use crate::model::{EntityState, Holds, Outcome};

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_795_380_600 + second).unwrap()
}

fn run(name: &str, status: RunStatus, outcome: Option<Outcome>) -> RunRow {
    RunRow {
        run: name.into(),
        started: at(0),
        ended: (status == RunStatus::Ended).then(|| at(64)),
        status,
        outcome,
        origin: Origin {
            user: "craft".into(),
            host: "noc7".into(),
            ssh_client: Some("192.0.2.7".into()),
        },
        process: Process {
            pid: 4711,
            subtend: "0.1.0".into(),
        },
        inventory_file: "/home/craft/site.yaml".into(),
        practice: false,
        groups: vec!["adsl".into(), "vdsl".into()],
        counts: Counts {
            upgraded: 0,
            rolled_back: 0,
            entities: 20,
            delivered: 17,
            delivered_unproven: 2,
            skipped: 1,
            failed: 1,
            cancelled: 0,
            unfinished: usize::from(status != RunStatus::Ended),
        },
        amounts: Amounts {
            memory: 8 << 20,
            peak_pool_bytes: Some(7 << 20),
            source_bytes: Some(32 << 20),
            delivered_bytes: Some(544 << 20),
        },
        settled: None,
        in_doubt: false,
    }
}

fn entity(name: &str, state: EntityState) -> EntityRow {
    let failed = state == EntityState::Failed;
    EntityRow {
        runs: None,
        advice: None,
        steps: Vec::new(),
        entity: name.into(),
        type_: "adsl".into(),
        address: "192.0.2.33:21".into(),
        path: "/flash/image.bin".into(),
        state,
        step: failed.then(|| "send".into()),
        cause: failed.then(|| "the server said 552 \u{1b}[2Jflash, full".into()),
        attempts: 2,
        at: at(61),
        copied: Copied {
            bytes: if failed { 0 } else { 32 << 20 },
            verified: (!failed).then(|| "size".into()),
            source: Some("hq".into()),
            left: None,
        },
        holds: Some(if failed { Holds::Old } else { Holds::New }),
        after_crash: if failed {
            AfterCrash::Staged
        } else {
            AfterCrash::Delivered
        },
        found: None,
        changes: vec![
            Change {
                at: at(1),
                state: EntityState::Retrying,
                step: Some("connect".into()),
                cause: Some("refused".into()),
                attempt: 1,
                holds: None,
            },
            Change {
                at: at(61),
                state,
                step: None,
                cause: None,
                attempt: 2,
                holds: Some(if failed { Holds::Old } else { Holds::New }),
            },
        ],
    }
}

fn whole(status: RunStatus, outcome: Option<Outcome>) -> RunWhole {
    RunWhole {
        series: None,
        run: run("20261122T205000Z-1a2b", status, outcome),
        groups: vec![GroupRow {
            group: "adsl".into(),
            started: at(0),
            image: "adsl-2.4".into(),
            version: "2.4".into(),
            type_: "adsl".into(),
            file: "adsl-2.4.bin".into(),
            size: Some(32 << 20),
            sha256: Some("9f".repeat(32)),
            source: "hq".into(),
            force: false,
            spec: None,
            passes: vec![PassRow {
                pass: 1,
                at: at(0),
                source: "hq".into(),
                offset: 0,
                ended: Some(at(60)),
                read: Some(32 << 20),
            }],
            notes: Vec::new(),
            series: None,
            entities: vec![
                entity("shelf1-01", EntityState::Delivered),
                entity("shelf1-13", EntityState::Failed),
            ],
        }],
        inventory: serde_json::Value::Null,
    }
}

fn past() -> PastRow {
    PastRow {
        run: "20261122T205000Z-1a2b".into(),
        user: "craft".into(),
        group: "adsl".into(),
        image: "adsl-2.4".into(),
        version: "2.4".into(),
        sha256: None,
        entity: entity("shelf1-13", EntityState::Failed),
    }
}

#[test]
fn history_for_people_fits_80_columns_and_escapes_what_came_from_outside() {
    let utc = &TimeZone::UTC;
    let rows = [
        run(
            "20261122T205000Z-1a2b",
            RunStatus::Ended,
            Some(Outcome::Partial),
        ),
        run("20261121T020000Z-77ff", RunStatus::CutOff, None),
    ];
    let cut_off = [CutOff {
        run: rows[1].run.clone(),
        started: at(0),
        user: "craft".into(),
        holds: [(AfterCrash::Delivered, 18), (AfterCrash::Staged, 2)].into(),
    }];
    let texts = [
        text::runs(&rows, &cut_off, utc, 80),
        text::run(
            &whole(RunStatus::Ended, Some(Outcome::Partial)),
            Steps::Short,
            utc,
            80,
        ),
        text::run(&whole(RunStatus::CutOff, None), Steps::Short, utc, 80),
        text::past(&[past()], false, Steps::Short, utc, 80),
        text::past(&[past()], true, Steps::Short, utc, 80),
    ];
    for text in &texts {
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    insta::assert_snapshot!(texts.join("----\n"));
}

#[test]
fn history_for_spreadsheets_keeps_one_line_a_row() {
    let csv = csv::past(&[past()]);
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("run,user,group,"), "{csv}");
    assert!(
        lines[1].contains("\"the server said 552 \\u{1b}[2Jflash, full\""),
        "{csv}"
    );
    let mut run = whole(RunStatus::Ended, None);
    run.groups[0].entities[0].cause = Some("=cmd|' /C calc'!A0\n".into());
    let csv = Found::Run(Box::new(run)).csv();
    assert_eq!(csv.split_terminator("\r\n").count(), 3);
    assert!(csv.contains("\"'=cmd") && !csv.contains("\n'"), "{csv}");
    assert!(csv::runs(&[]).starts_with("run,started,"));
}

#[test]
fn without_a_journal_there_is_nothing_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = HistoryArgs::default();
    let text = history(&args, folder.path(), 80).unwrap();
    assert_eq!(text, "no run was recorded yet\n");
    args.json = true;
    assert_eq!(
        history(&args, folder.path(), 80).unwrap(),
        "{\"runs\":[]}\n"
    );
    args.run = Some("2026".into());
    assert_eq!(history(&args, folder.path(), 80).unwrap_err().code, 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// One that was upgraded and one that was rolled back, with what was done on both.
fn upgraded() -> RunWhole {
    let step =
        |second: i64, part: &str, number, what: &str, outcome: Option<&str>, said: &str| StepRow {
            at: at(second),
            part: part.into(),
            number,
            what: what.into(),
            ended: outcome.map(|_| at(second + 12)),
            outcome: outcome.map(Into::into),
            said: Some(said.into()),
        };
    let steps = |version: &str| {
        vec![
            step(
                1,
                "activate",
                0,
                "send \"set boot\"",
                Some("done"),
                "set boot\nOK\n>",
            ),
            step(20, "activate", 1, "restart", Some("done"), ""),
            step(
                40,
                "check",
                0,
                "send \"show version\"",
                Some("refused"),
                &format!("  Version {version}\u{1b}[2J\n>"),
            ),
        ]
    };
    let mut whole = whole(RunStatus::Ended, Some(Outcome::Partial));
    let counts = &mut whole.run.counts;
    (counts.delivered, counts.delivered_unproven, counts.upgraded) = (0, 0, 18);
    (counts.failed, counts.rolled_back) = (0, 1);
    let entities = &mut whole.groups[0].entities;
    (entities[0].state, entities[0].runs) = (EntityState::Upgraded, Some("2.4".into()));
    (entities[1].state, entities[1].runs) = (EntityState::RolledBack, Some("2.3".into()));
    (entities[1].step, entities[1].holds) = (Some("command".into()), Some(Holds::New));
    entities[1].cause =
        Some("check, step 1 of 1: it says version `2.3`, and `2.4` was expected".into());
    (entities[0].steps, entities[1].steps) = (steps("2.4"), steps("2.3"));
    entities[1]
        .steps
        .push(step(60, "undo", 0, "send \"boot bank 1\"", None, ""));
    whole
}

#[test]
fn what_was_done_on_devices_is_told_with_its_time_and_what_they_said() {
    let utc = &TimeZone::UTC;
    let whole = upgraded();
    let of = |at: usize| PastRow {
        entity: whole.groups[0].entities[at].clone(),
        ..past()
    };
    let texts = [
        text::runs(std::slice::from_ref(&whole.run), &[], utc, 80),
        text::run(&whole, Steps::Short, utc, 80),
        text::run(&whole, Steps::OfTroubled, utc, 80),
        text::past(&[of(1)], false, Steps::Short, utc, 80),
        text::past(&[of(0)], true, Steps::All, utc, 80),
    ];
    for text in &texts {
        let fits = text.lines().all(|line| line.chars().count() <= 80);
        assert!(fits && !text.contains('\u{1b}'), "{text}");
    }
    let said = |steps| {
        text::run(&whole, steps, utc, 80)
            .matches("Version 2.4")
            .count()
    };
    assert_eq!((said(Steps::OfTroubled), said(Steps::All)), (0, 1));
    insta::assert_snapshot!(texts.join("----\n"));
}

#[test]
fn spreadsheets_and_scripts_have_the_versions_that_run() {
    let whole = upgraded();
    let csv = Found::Run(Box::new(whole.clone())).csv();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(
        lines[0].contains(",runs,run,") && lines[1].contains(",2.4,20261122T"),
        "{csv}"
    );
    let csv = csv::runs(std::slice::from_ref(&whole.run));
    assert!(
        csv.contains(",upgraded,rolled_back\r\n") && csv.ends_with(",18,1\r\n"),
        "{csv}"
    );
    let json = whole.json().unwrap();
    let entity = &json["groups"][0]["entities"][1];
    assert_eq!(
        (&entity["runs"], &entity["steps"][2]["outcome"]),
        (&"2.3".into(), &"refused".into())
    );
}

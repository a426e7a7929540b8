//! What came before what, whatever the clocks said; what was found after a run; several runs of one
//! engine, and which run has an entity.

use super::super::schema::MIGRATIONS;
use super::*;
use crate::model::{Fault, Holds};

/// A year in hours.
const YEAR: i64 = 365 * 24;

/// A clock that is wrong by this number of hours.
fn clock(hours: i64) -> Timestamp {
    Timestamp::now() + jiff::Span::new().hours(hours)
}

/// As if the host's clock had said this.
fn at(events: Vec<Event>, now: Timestamp) -> Vec<Event> {
    let mut events = events;
    for event in &mut events {
        match event {
            Event::Run { at, .. }
            | Event::State { at, .. }
            | Event::Group { at, .. }
            | Event::Stored { at, .. } => *at = now,
            other => panic!("{other:?}"),
        }
    }
    events
}

fn touch(what: What, at: Timestamp) -> Record {
    let entity = testing::entity("e1", "1");
    Record::Touch(Touch {
        at,
        address: entity.address.to_string(),
        path: entity.path.to_string(),
        what,
        staged: true,
    })
}

/// Begins a run that is about to rename its file.
fn begins(state_dir: &Path, run: &str, now: Timestamp) -> Writer {
    let mut writer = Writer::open(state_dir, run.into(), inventory(), false).unwrap();
    write(&mut writer, at(beginning(run), now));
    for what in [What::Open, What::Rename] {
        writer.add(touch(what, now));
    }
    writer.write_now();
    writer
}

fn delivers(state_dir: &Path, run: &str, now: Timestamp) {
    let mut writer = begins(state_dir, run, now);
    let done = vec![stored("e1"), state("e1", EntityState::Delivered)];
    write(&mut writer, at(done, now));
    for name in ["e2", "e3"] {
        write(
            &mut writer,
            at(vec![state(name, EntityState::Skipped)], now),
        );
    }
    write(&mut writer, vec![summary(run)]);
}

#[test]
fn a_clock_that_was_wrong_for_one_run_changes_no_answer() {
    for hours in [YEAR, -YEAR] {
        let (_folder, state_dir) = folder();
        delivers(&state_dir, "first", clock(hours));
        let known = || {
            let known = read(&state_dir).delivered().unwrap();
            known.get("e1").map(|known| known.run.clone())
        };
        assert_eq!(known().as_deref(), Some("first"));
        // It may have got another file since, though by the clocks that was long ago.
        drop(begins(&state_dir, "second", clock(0)));
        assert_eq!(known(), None, "{hours}");
        delivers(&state_dir, "third", clock(0));
        assert_eq!(known().as_deref(), Some("third"), "{hours}");
        delivers(&state_dir, "fourth", clock(hours));
        assert_eq!(known().as_deref(), Some("fourth"), "{hours}");

        let journal = read(&state_dir);
        let runs = journal.runs(None).unwrap();
        let names: Vec<&str> = runs.iter().map(|run| run.run.as_str()).collect();
        assert_eq!(names, ["fourth", "third", "second", "first"]);
        let past = journal.past("e1").unwrap();
        let names: Vec<&str> = past.iter().map(|row| row.run.as_str()).collect();
        assert_eq!(names, ["fourth", "third", "second", "first"]);
    }
}

/// What `recover --resume` would send again is not what a later run has dealt with.
#[test]
fn a_run_that_was_cut_off_is_not_taken_up_again_over_a_later_one() {
    for (first, second) in [(YEAR, 0), (0, -YEAR), (0, 0)] {
        let (_folder, state_dir) = folder();
        drop(begins(&state_dir, "first", clock(first)));
        assert_eq!(read(&state_dir).cut_off().unwrap().len(), 1);
        delivers(&state_dir, "second", clock(second));
        assert_eq!(read(&state_dir).cut_off().unwrap(), []);
        let whole = read(&state_dir).run("first").unwrap().unwrap();
        let e1 = &whole.groups[0].entities[0];
        assert_eq!((e1.after_crash, e1.holds), (AfterCrash::Later, None));
    }
    // And one that came before says nothing of it, though its clock was ahead.
    let (_folder, state_dir) = folder();
    delivers(&state_dir, "first", clock(YEAR));
    drop(begins(&state_dir, "second", clock(0)));
    let whole = read(&state_dir).run("second").unwrap().unwrap();
    let e1 = &whole.groups[0].entities[0];
    assert_eq!(
        (e1.after_crash, e1.holds),
        (AfterCrash::Unknown, Some(Holds::Unknown))
    );
}

/// A file of the first format, with what the first format knew: its rows get their numbers from the
/// order in which they were written.
#[test]
fn an_older_file_keeps_its_order() {
    let (_folder, state_dir) = folder();
    delivers(&state_dir, "first", clock(YEAR));
    drop(begins(&state_dir, "second", clock(0)));
    delivers(&state_dir, "third", clock(-YEAR));
    // A run of two groups with the same entities: each touch is its group's.
    let mut writer = begins(&state_dir, "fourth", clock(2));
    write(&mut writer, at(beginning("fourth"), clock(3)));
    writer.add(touch(What::Open, clock(4)));
    writer.write_now();
    drop(writer);
    let answers = |journal: &Journal| {
        let runs = journal.runs(None).unwrap();
        let whole: Vec<_> = (runs.iter())
            .map(|run| journal.run(&run.run).unwrap().unwrap())
            .collect();
        let delivered = journal.delivered().unwrap();
        (whole, delivered, journal.past("e1").unwrap())
    };
    let expected = answers(&read(&state_dir));
    let groups = &expected.0[0].groups;
    let of = |group: usize| groups[group].entities[0].after_crash;
    assert_eq!([of(0), of(1)], [AfterCrash::Unknown, AfterCrash::Staged]);

    // The same rows without numbers.
    let old = tempfile::tempdir().unwrap();
    let connection = Connection::open(old.path().join("journal.db")).unwrap();
    connection.execute_batch(MIGRATIONS[0]).unwrap();
    let new = state_dir.join("journal.db").display().to_string();
    connection.execute("ATTACH ?1 AS new", [new]).unwrap();
    let tables = [
        "inventories",
        "runs",
        "groups",
        "entities",
        "changes",
        "passes",
        "notes",
        "touches",
    ];
    for table in tables {
        let columns: String = connection
            .query_row(
                "SELECT group_concat(name) FROM pragma_table_info(?1, 'main')",
                [table],
                |row| row.get(0),
            )
            .unwrap();
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}");
        connection.execute(&copy, []).unwrap();
    }
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let journal = Journal::open(old.path()).unwrap().unwrap();
    assert_eq!(answers(&journal), expected);
    drop(journal);
    // And what comes is numbered after all that.
    delivers(old.path(), "fifth", clock(-YEAR));
    let newest = read(old.path()).runs(Some(1)).unwrap();
    assert_eq!(newest[0].run, "fifth");
}

#[test]
fn what_was_found_and_removed_after_a_run_is_known_from_then_on() {
    let (_folder, state_dir) = folder();
    drop(begins(&state_dir, RUN, clock(0)));
    let journal = read(&state_dir);
    let e1 = || {
        let whole = journal.run(RUN).unwrap().unwrap();
        whole.groups[0].entities[0].clone()
    };
    assert_eq!(e1().after_crash, AfterCrash::Unknown);
    let found = |holds, staging| {
        let found = Found { holds, staging };
        journal.found(RUN, "e1", found).unwrap();
        let row = e1();
        assert_eq!((row.found, row.holds), (Some(found), Some(holds)));
        row.after_crash
    };
    assert_eq!(found(Holds::Old, StagingFile::There), AfterCrash::Staged);
    assert_eq!(
        found(Holds::Old, StagingFile::Removed),
        AfterCrash::Untouched
    );
    assert_eq!(journal.past("e1").unwrap()[0].entity, e1());
    assert_eq!(
        found(Holds::New, StagingFile::Absent),
        AfterCrash::Delivered
    );
    // Of the others nothing was found, and of an entity that is none nothing is written.
    let whole = journal.run(RUN).unwrap().unwrap();
    assert_eq!(whole.groups[0].entities[1].found, None);
    let found = Found {
        holds: Holds::New,
        staging: StagingFile::Absent,
    };
    journal.found(RUN, "e9", found).unwrap();
    // It lies beside the answers, and a later delivery counts more.
    delivers(&state_dir, "later", clock(0));
    let known = read(&state_dir).delivered().unwrap();
    assert_eq!(known["e1"].run, "later");
    let gone = Found {
        holds: Holds::Nothing,
        staging: StagingFile::Absent,
    };
    journal.found("later", "e1", gone).unwrap();
    assert!(!read(&state_dir).delivered().unwrap().contains_key("e1"));
}

fn ended(run: &str) -> Event {
    let Event::Summary(summary) = summary(run) else {
        panic!("no summary");
    };
    Event::Ended {
        summary: Box::new(summary),
    }
}

fn all_are(run: &Engine, is: EntityState) {
    for name in ["e1", "e2", "e3"] {
        run.say(state(name, is));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_stays_ends_its_runs() {
    let (_folder, state_dir) = folder();
    let mut engine = Engine::start(&state_dir);
    engine.begin();
    all_are(&engine, EntityState::Delivered);
    engine.say(ended(RUN));
    let mut finals = 0;
    while finals < 3 {
        if let Event::State { state, .. } = engine.next().await {
            finals += usize::from(state.is_final());
        }
    }
    // The end comes with them or right after; what is asked now is written after it.
    engine.gate.pass(&destination(), What::Open).await;
    let runs = read(&state_dir).runs(None).unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(
        (runs[0].status, runs[0].outcome),
        (RunStatus::Ended, Some(Outcome::Partial)),
        "as its summary said"
    );

    let second = "20261122T220000Z-0002";
    for event in beginning(second) {
        engine.say(event);
    }
    // Whatever the pump is at, this belongs to the run that was begun before it.
    engine.gate.pass(&destination(), What::Open).await;
    let runs = read(&state_dir).runs(None).unwrap();
    let status: Vec<_> = runs.iter().map(|run| (&*run.run, run.status)).collect();
    assert_eq!(
        status,
        [(second, RunStatus::Running), (RUN, RunStatus::Ended)]
    );
    let whole = read(&state_dir).run(second).unwrap().unwrap();
    assert_eq!(whole.groups[0].entities[0].after_crash, AfterCrash::Staged);
    engine.run = second.into();
    engine.end().await;
    let runs = read(&state_dir).runs(None).unwrap();
    assert!(runs.iter().all(|run| run.status == RunStatus::Ended));
    assert!(runs.iter().all(|run| run.ended.is_some()));
}

/// A run of several groups: what is asked for by an agent belongs to the group that was begun last.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_asks_comes_after_its_group() {
    for _ in 0..20 {
        let (_folder, state_dir) = folder();
        let engine = Engine::start(&state_dir);
        engine.begin();
        engine.gate.pass(&destination(), What::Rename).await;
        all_are(&engine, EntityState::Failed);
        engine.begin();
        engine.gate.pass(&destination(), What::Open).await;
        let whole = read(&state_dir).run(RUN).unwrap().unwrap();
        let of = |group: usize| whole.groups[group].entities[0].after_crash;
        assert_eq!([of(0), of(1)], [AfterCrash::Unknown, AfterCrash::Staged]);
        engine.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_has_an_entity_until_it_is_done_with_it() {
    let (_folder, state_dir) = folder();
    let one = Engine::start(&state_dir);
    let two = Engine::named(&state_dir, "20261122T210000Z-0002");
    one.begin();
    two.begin();
    one.gate.hold(&destination()).await.unwrap();
    // Every attempt asks again.
    one.gate.hold(&destination()).await.unwrap();
    for refused in [
        two.gate.hold(&destination()).await.map(|()| None),
        two.gate.borrow(&destination()).await,
    ] {
        let failure = refused.unwrap_err();
        assert!(failure.is_transient());
        let Fault::Taken { by } = failure.fault else {
            panic!("{failure}");
        };
        let user = super::super::origin::Origin::of_process().user;
        assert!(by.starts_with(&format!("run {RUN} of {user}@")), "{by}");
    }
    // Between two attempts too.
    one.say(state("e1", EntityState::Retrying));
    assert!(two.gate.hold(&destination()).await.is_err());
    one.say(state("e1", EntityState::Failed));
    while two.gate.hold(&destination()).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(one.gate.borrow(&destination()).await.is_err());
    two.end().await;
    // Who only tries has it for as long as that takes.
    let tried = one.gate.borrow(&destination()).await.unwrap();
    assert!(tried.is_some());
    let three = Engine::named(&state_dir, "20261122T230000Z-0003");
    let failure = three.gate.hold(&destination()).await.unwrap_err();
    assert!(failure.to_string().contains("a check of "), "{failure}");
    drop(tried);
    three.gate.hold(&destination()).await.unwrap();
}

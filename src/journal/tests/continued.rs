//! Runs that another engine goes on with, from a real file: cut off, parked, and dealt with since.

use super::*;
use crate::model::campaign::{Proceed, Wave};
use crate::model::{Campaign, Capped, MadeGroup, Outcome};
use crate::protocol::{Change, ChangedBefore, PauseReason};

fn in_waves() -> GroupSpec {
    let mut spec = GroupSpec::of(&inventory().groups[0]);
    if let GroupSpec::Made(made) = &mut spec {
        *made.campaign = Campaign {
            waves: vec![Wave::Count(1), Wave::Rest],
            proceed: Proceed::Ask,
            ..Campaign::default()
        };
    }
    spec
}

fn change(change: Change) -> Event {
    Event::Campaign {
        at: Timestamp::now(),
        group: "adsl".into(),
        change,
    }
}

fn paused() -> Change {
    Change::Paused(PauseReason::Asks { wave: 1 })
}

/// A run of three entities, and an engine that is killed when the writer is dropped.
fn run(state_dir: &Path, name: &str, spec: GroupSpec, resident: bool) -> Writer {
    let mut writer = Writer::open(state_dir, name.into(), inventory(), false).unwrap();
    writer.is_resident(resident);
    let mut events = beginning(name);
    for event in &mut events {
        if let Event::Group { spec: of, .. } = event {
            **of = spec.clone();
        }
    }
    write(&mut writer, events);
    writer
}

fn write(writer: &mut Writer, events: Vec<Event>) {
    for event in events {
        writer.add(Record::Event(event));
    }
    assert!(matches!(writer.write_now(), Written::All));
}

fn journal(state_dir: &Path) -> Journal {
    Journal::open(state_dir).unwrap().unwrap()
}

fn waiting(state_dir: &Path) -> Vec<WaitingRun> {
    journal(state_dir).waiting().unwrap()
}

fn ended(run: &WaitingRun) -> Vec<(String, EntityState)> {
    let ended = run.groups[0].ended.iter();
    ended
        .map(|one| (one.entity.to_string(), one.state))
        .collect()
}

#[test]
fn a_run_that_was_cut_off_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let mut writer = run(dir.path(), RUN, in_waves(), false);
    write(
        &mut writer,
        vec![
            change(Change::WaveBegins {
                wave: 1,
                entities: 1,
            }),
            stored("e1"),
            state("e1", EntityState::Delivered),
            state("e2", EntityState::Failed),
            state("e3", EntityState::Sending),
            change(paused()),
        ],
    );
    // It is under way.
    assert_eq!(waiting(dir.path()), []);
    drop(writer);
    let waits = waiting(dir.path());
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0].run, RUN);
    let group = &waits[0].groups[0];
    assert_eq!(
        (&group.spec, group.force, &*group.run),
        (&in_waves(), false, RUN)
    );
    let expected = [("e1", EntityState::Delivered), ("e2", EntityState::Failed)];
    assert_eq!(
        ended(&waits[0]),
        expected.map(|(name, state)| (name.to_owned(), state))
    );
    let [first, second] = group.ended.as_slice() else {
        panic!("{group:?}");
    };
    assert_eq!((first.bytes, first.verified), (4096, Verified::Digest));
    assert_eq!((second.step, second.attempts), (Some(Step::Send), 1));
    assert!(
        second
            .cause
            .as_deref()
            .is_some_and(|cause| cause.contains("552"))
    );
    let changes: Vec<_> = group.changes.iter().map(|one| one.change.clone()).collect();
    assert_eq!(changes[1..], [paused()]);
    // Settled, it is nobody's.
    journal(dir.path()).settle(RUN).unwrap();
    assert_eq!(waiting(dir.path()), []);
}

#[test]
fn a_group_without_a_campaign_goes_on_in_an_engine_that_stays() {
    let plain = || GroupSpec::of(&inventory().groups[0]);
    for resident in [false, true] {
        let dir = TempDir::new().unwrap();
        drop(run(dir.path(), RUN, plain(), resident));
        assert_eq!(waiting(dir.path()).len(), usize::from(resident));
    }
}

#[test]
fn what_is_cancelled_after_it_was_parked_is_taken_up_again() {
    let dir = TempDir::new().unwrap();
    let mut writer = run(dir.path(), RUN, in_waves(), false);
    let before = vec![change(paused()), state("e1", EntityState::Cancelled)];
    write(&mut writer, before);
    journal(dir.path()).park(RUN).unwrap();
    write(
        &mut writer,
        vec![
            // What the end of an engine makes of a group is no part of it.
            change(Change::Goes),
            state("e2", EntityState::Cancelled),
            state("e3", EntityState::Delivered),
            summary(RUN),
        ],
    );
    drop(writer);
    let waits = waiting(dir.path());
    // The first was cancelled by somebody.
    let expected = [
        ("e1", EntityState::Cancelled),
        ("e3", EntityState::Delivered),
    ];
    assert_eq!(
        ended(&waits[0]),
        expected.map(|(name, state)| (name.to_owned(), state))
    );
    let changes: Vec<&Change> = (waits[0].groups[0].changes.iter())
        .map(|ChangedBefore { change, .. }| change)
        .collect();
    assert_eq!(changes, [&paused()]);
    // Nothing more can be parked of a run that has ended.
    let dir = TempDir::new().unwrap();
    let mut writer = run(dir.path(), RUN, in_waves(), false);
    let cancelled = ["e1", "e2", "e3"].map(|name| state(name, EntityState::Cancelled));
    write(
        &mut writer,
        cancelled.into_iter().chain([summary(RUN)]).collect(),
    );
    journal(dir.path()).park(RUN).unwrap();
    drop(writer);
    assert_eq!(waiting(dir.path()), []);
}

#[test]
fn a_parked_run_is_history_as_waiting() {
    let dir = TempDir::new().unwrap();
    let mut writer = run(dir.path(), RUN, in_waves(), false);
    journal(dir.path()).park(RUN).unwrap();
    let mut events: Vec<_> = ["e1", "e2", "e3"]
        .map(|name| state(name, EntityState::Cancelled))
        .into();
    let Event::Summary(mut at_end) = summary(RUN) else {
        panic!("a summary");
    };
    at_end.outcome = Outcome::Cancelled;
    events.push(Event::Summary(at_end));
    write(&mut writer, events);
    drop(writer);
    let runs = journal(dir.path()).runs(None).unwrap();
    assert_eq!(runs[0].outcome, Some(Outcome::Waiting));
}

#[test]
fn a_run_is_not_taken_up_twice() {
    // The engine was killed between the beginning of the new run and the settlement of the old one.
    let dir = TempDir::new().unwrap();
    drop(run(dir.path(), "r1", in_waves(), false));
    let mut second = run(dir.path(), "r2", in_waves(), false);
    assert_eq!(waiting(dir.path()), []);
    write(&mut second, vec![state("e1", EntityState::Delivered)]);
    drop(second);
    let waits = waiting(dir.path());
    assert_eq!(waits.len(), 1);
    assert_eq!((&*waits[0].run, waits[0].groups[0].ended.len()), ("r2", 1));
    // Other entities are other work.
    let dir = TempDir::new().unwrap();
    drop(run(dir.path(), "r1", in_waves(), false));
    let GroupSpec::Made(made) = in_waves() else {
        panic!("it is made");
    };
    let fewer = MadeGroup {
        entities: vec!["e1".into()],
        ..made
    };
    drop(run(dir.path(), "r2", GroupSpec::Made(fewer), false));
    let runs: Vec<_> = waiting(dir.path()).into_iter().map(|run| run.run).collect();
    assert_eq!(runs, ["r1", "r2"]);
}

#[test]
fn a_run_whose_journal_is_in_doubt_is_left_to_people() {
    let dir = TempDir::new().unwrap();
    drop(run(dir.path(), RUN, in_waves(), false));
    std::fs::write(dir.path().join("runs").join(format!("{RUN}.doubt")), "").unwrap();
    assert_eq!(waiting(dir.path()), []);
}

/// It would send people to `subtend recover`, while the engine is about to send the image itself.
#[tokio::test]
async fn an_engine_that_goes_on_with_a_run_does_not_report_it_as_cut_off() {
    let plain = || GroupSpec::of(&inventory().groups[0]);
    for (spec, tell, is_told) in [
        (in_waves(), TellCutOff::All, true),
        (in_waves(), TellCutOff::Others, false),
        // Nobody goes on with these.
        (plain(), TellCutOff::Others, true),
        (plain(), TellCutOff::None, false),
    ] {
        let dir = TempDir::new().unwrap();
        let mut writer = run(dir.path(), RUN, spec, false);
        write(&mut writer, vec![state("e1", EntityState::Sending)]);
        drop(writer);
        let engine = Engine::telling(dir.path(), "20261122T210000Z-0001", tell);
        let told = engine.end().await.into_iter().any(
            |event| matches!(event, Event::Notice { text, .. } if text.contains("was cut off")),
        );
        assert_eq!(told, is_told, "{tell:?}");
    }
}

/// Of a run with a group that nobody goes on with, that is said.
#[test]
fn a_run_is_whole_when_all_of_it_goes_on() {
    let dir = TempDir::new().unwrap();
    let mut writer = run(dir.path(), RUN, in_waves(), false);
    assert_eq!(waiting(dir.path()), []);
    let mut spec = GroupSpec::of(&inventory().groups[0]);
    if let GroupSpec::Made(made) = &mut spec {
        made.name = "beside".into();
    }
    let beside = Event::Group {
        at: Timestamp::now(),
        spec: Box::new(spec),
        force: false,
    };
    write(&mut writer, vec![beside]);
    drop(writer);
    let waits = waiting(dir.path());
    assert_eq!((waits[0].groups.len(), waits[0].is_whole), (1, false));
    let dir = TempDir::new().unwrap();
    drop(run(dir.path(), RUN, in_waves(), false));
    assert!(waiting(dir.path())[0].is_whole);
}

/// Those of its beginning and those of later, up to the moment at which it was parked.
#[test]
fn rates_that_were_changed_go_on_with_the_run() {
    let dir = TempDir::new().unwrap();
    let hq = || Capped::FileServer("hq".into());
    let label = Capped::Label {
        label: "site".into(),
        value: "north".into(),
    };
    let rate = |on: &Capped, rate| Event::Rate {
        at: Timestamp::now(),
        on: on.clone(),
        rate,
    };
    let mut writer = run(dir.path(), RUN, in_waves(), false);
    let before = vec![rate(&hq(), Some(1 << 20)), rate(&label, Some(4096))];
    write(&mut writer, before);
    write(&mut writer, vec![rate(&label, None)]);
    journal(dir.path()).park(RUN).unwrap();
    write(&mut writer, vec![rate(&hq(), None)]);
    drop(writer);
    let rates = waiting(dir.path())[0].rates.clone();
    assert_eq!(
        rates.into_iter().collect::<Vec<_>>(),
        [(hq(), Some(1 << 20)), (label, None)]
    );
}

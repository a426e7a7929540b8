//! The journal between an engine that the tests play and a watcher.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::gate::{Touch, What};
use super::writer::{Record, Writer, Written};
use super::*;
use crate::model::{
    BufferPreference, CredentialsRef, EntityState, Inventory, LoginBy, Outcome, SecretSource, Step,
    Verified, testing,
};
use crate::protocol::{Command, Event, GroupSpec, Link, Snapshot, Summary};
use crate::transport::{Destination, Endpoint, Remote};

mod continued;
mod order;
mod reports;
mod steps;

const RUN: &str = "20261122T205000Z-1a2b";
const LIMIT: Duration = Duration::from_secs(30);

fn inventory() -> Arc<Inventory> {
    let entities: Vec<_> = ["e1", "e2", "e3"]
        .map(|name| Arc::new(testing::entity(name, "1")))
        .into();
    Arc::new(Inventory {
        groups: vec![Arc::new(testing::group("adsl", entities.clone()))],
        entities,
        credentials: vec![CredentialsRef {
            name: "craft".into(),
            user: "craft".into(),
            by: LoginBy::Password,
            secret: SecretSource::Command(vec!["echo".into(), "hunter2".into()]),
        }],
        ..testing::inventory(1 << 20, BufferPreference::Size(1 << 16))
    })
}

/// An engine that says what the test says.
struct Engine {
    events: mpsc::UnboundedSender<Event>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    gate: Gate,
    link: Link,
    task: JoinHandle<()>,
    _commands: mpsc::Receiver<Command>,
    run: String,
}

impl Engine {
    fn start(state_dir: &Path) -> Self {
        Self::named(state_dir, RUN)
    }

    fn named(state_dir: &Path, run: &str) -> Self {
        Self::telling(state_dir, run, TellCutOff::All)
    }

    fn telling(state_dir: &Path, run: &str, tell_cut_off: TellCutOff) -> Self {
        let (commands, inbox) = mpsc::channel(4);
        let (events, outgoing) = mpsc::unbounded_channel();
        let (snapshots, newest) = watch::channel(snapshot(run, 0));
        let link = Link {
            commands,
            snapshots: newest,
            events: outgoing,
        };
        let (recorder, gate) = Recorder::new(Settings {
            state_dir: Ok(state_dir.to_owned()),
            practice: false,
            resident: false,
            tell_cut_off,
        });
        let (link, task) = recorder.record(link, tokio::spawn(async {}), inventory());
        Self {
            events,
            snapshots,
            gate,
            link,
            task,
            _commands: inbox,
            run: run.to_owned(),
        }
    }

    fn say(&self, event: Event) {
        self.events.send(event).unwrap();
    }

    fn begin(&self) {
        for event in beginning(&self.run) {
            self.say(event);
        }
    }

    async fn next(&mut self) -> Event {
        tokio::time::timeout(LIMIT, self.link.events.recv())
            .await
            .expect("an event comes")
            .expect("the journal passes everything on")
    }

    async fn notice(&mut self) -> String {
        loop {
            if let Event::Notice { text, .. } = self.next().await {
                return text;
            }
        }
    }

    /// The rest of what is reported, once the engine has ended.
    async fn end(mut self) -> Vec<Event> {
        self.say(summary(&self.run));
        drop((self.events, self.snapshots));
        let mut rest = Vec::new();
        while let Some(event) = tokio::time::timeout(LIMIT, self.link.events.recv())
            .await
            .unwrap()
        {
            rest.push(event);
        }
        tokio::time::timeout(LIMIT, self.task)
            .await
            .unwrap()
            .unwrap();
        rest
    }

    /// As if the process had been killed: nobody says anything any more, and the lock is gone.
    fn kill(self, state_dir: &Path) {
        let Self { task, .. } = self;
        task.abort();
        std::fs::remove_dir_all(state_dir.join("runs")).unwrap();
    }
}

fn snapshot(run: &str, mark: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        at: Timestamp::now(),
        run: run.into(),
        memory: 1 << 20,
        pool_bytes: 0,
        peak_pool_bytes: mark,
        groups: Vec::new(),
        series: Arc::default(),
    })
}

fn beginning(run: &str) -> Vec<Event> {
    let inventory = inventory();
    let mut events = vec![
        Event::Run {
            at: Timestamp::now(),
            run: run.into(),
            groups: vec!["adsl".into()],
            memory: 1 << 20,
        },
        Event::Group {
            at: Timestamp::now(),
            spec: Box::new(GroupSpec::of(&inventory.groups[0])),
            force: false,
        },
    ];
    events.extend(["e1", "e2", "e3"].map(|name| state(name, EntityState::Waiting)));
    events
}

fn state(entity: &str, state: EntityState) -> Event {
    Event::State {
        runs: None,
        at: Timestamp::now(),
        group: "adsl".into(),
        entity: entity.into(),
        state,
        step: (state == EntityState::Failed).then_some(Step::Send),
        cause: (state == EntityState::Failed).then(|| "the server said 552 \u{1b}[31mfull".into()),
        attempt: 1,
        holds: None,
        verified: None,
    }
}

fn stored(entity: &str) -> Event {
    Event::Stored {
        at: Timestamp::now(),
        group: "adsl".into(),
        entity: entity.into(),
        bytes: 4096,
        verified: Verified::Digest,
    }
}

fn summary(run: &str) -> Event {
    Event::Summary(Summary {
        at: Timestamp::now(),
        run: run.into(),
        outcome: Outcome::Partial,
        seconds: 1.0,
        memory: 1 << 20,
        peak_pool_bytes: 9,
        source_bytes: 4096,
        delivered_bytes: 4096,
        delivered_unproven: 0,
        groups: Vec::new(),
    })
}

fn destination() -> Destination {
    let entity = testing::entity("e1", "1");
    Destination {
        remote: Remote {
            endpoint: Endpoint {
                address: entity.address.clone(),
                login: Arc::new(crate::model::Login::anonymous()),
                timeouts: entity.timeouts,
                tls: crate::model::Tls::default(),
                ssh: crate::model::Ssh::default(),
                dialect: crate::model::Dialect::default(),
                http: crate::model::Http::default(),
            },
            path: entity.path.clone(),
        },
        verify: entity.verify,
        staging: entity.staging,
        delete_first: false,
        names: crate::model::staging::Names::new(&entity.path, "auto", "").unwrap(),
        size: None,
    }
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    (folder, state)
}

fn read(state_dir: &Path) -> Journal {
    Journal::open(state_dir).unwrap().unwrap()
}

fn states(state_dir: &Path, run: &str) -> Vec<EntityState> {
    let whole = read(state_dir).run(run).unwrap().unwrap();
    let entities = whole.groups.iter().flat_map(|group| &group.entities);
    entities.map(|entity| entity.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_was_written_before() {
    let (_folder, state_dir) = folder();
    let mut engine = Engine::start(&state_dir);
    engine.begin();
    engine.say(stored("e1"));
    engine.say(state("e1", EntityState::Delivered));
    engine.say(state("e2", EntityState::Failed));
    loop {
        let event = engine.next().await;
        assert!(event.is_for_watchers(), "{event:?}");
        if let Event::State { entity, state, .. } = event
            && state.is_final()
        {
            let at = if &*entity == "e1" { 0 } else { 1 };
            assert_eq!(states(&state_dir, RUN)[at], state);
            if at == 1 {
                break;
            }
        }
    }
    // A snapshot that knows of it comes after it.
    engine.say(state("e3", EntityState::Cancelled));
    engine.snapshots.send_replace(snapshot(RUN, 7));
    let newest = engine
        .link
        .snapshots
        .wait_for(|now| now.peak_pool_bytes == 7);
    tokio::time::timeout(LIMIT, newest).await.unwrap().unwrap();
    assert_eq!(states(&state_dir, RUN)[2], EntityState::Cancelled);
    assert!(engine.link.events.try_recv().is_ok());

    let rows = read(&state_dir).runs(None).unwrap();
    assert_eq!(rows[0].status, RunStatus::Running);
    let rest = engine.end().await;
    assert!(matches!(rest.last(), Some(Event::Summary(_))), "{rest:?}");
    let journal = read(&state_dir);
    let run = &journal.runs(None).unwrap()[0];
    assert_eq!(
        (run.status, run.outcome, run.groups.as_slice()),
        (
            RunStatus::Ended,
            Some(Outcome::Partial),
            &["adsl".to_owned()][..]
        )
    );
    assert_eq!(
        {
            let counts = &run.counts;
            (
                counts.entities,
                counts.delivered,
                counts.failed,
                counts.cancelled,
            )
        },
        (3, 1, 1, 1)
    );
    assert!(!run.origin.user.is_empty() && run.process.pid == std::process::id());
    let whole = journal.run(RUN).unwrap().unwrap();
    let e1 = &whole.groups[0].entities[0];
    assert_eq!(
        (e1.copied.bytes, e1.copied.verified.as_deref()),
        (4096, Some("digest"))
    );
    assert_eq!(e1.changes.len(), 2);
    let e2 = &journal.past("e2").unwrap()[0];
    assert_eq!(
        (e2.entity.step.as_deref(), e2.version.as_str()),
        (Some("send"), "2")
    );
    // As it came: what shows it escapes it.
    assert!(e2.entity.cause.as_deref().unwrap().contains('\u{1b}'));
    let known = journal.delivered().unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(
        (known["e1"].version.as_str(), known["e1"].size),
        ("2", Some(4096))
    );
    assert_eq!(journal.cut_off().unwrap(), []);
    assert_eq!(
        std::fs::read_dir(state_dir.join("runs")).unwrap().count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_this_user_alone_and_holds_no_secret() {
    let (_folder, state_dir) = folder();
    let engine = Engine::start(&state_dir);
    engine.begin();
    // Before the end: the log of the database is there too.
    let mut engine = engine;
    engine.next().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state_dir), 0o700);
    let mut seen = 0;
    for entry in std::fs::read_dir(&state_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            continue;
        }
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(7).any(|window| window == b"hunter2");
        assert!(!found, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 2);
    engine.end().await;
    let whole = read(&state_dir).run(RUN).unwrap().unwrap();
    let command = &whole.inventory["credentials"][0]["password"]["command"];
    assert_eq!(command, "echo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_can_not_be_had_is_told_and_stops_nothing() {
    let (folder, state_dir) = folder();
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    std::fs::create_dir(&state_dir).unwrap();
    let garbage = vec![0x55; 8192];
    for (dir, content, words) in [
        (
            blocked.join("state"),
            None,
            ["can't be written", "--state-dir"],
        ),
        (state_dir.clone(), Some(&garbage), ["damaged", "mv "]),
    ] {
        let file = dir.join("journal.db");
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let mut engine = Engine::start(&dir);
        let told = engine.notice().await;
        for word in words {
            assert!(told.contains(word), "{told}");
        }
        engine.begin();
        tokio::time::timeout(LIMIT, engine.gate.pass(&destination(), What::Open))
            .await
            .unwrap();
        let rest = engine.end().await;
        assert!(matches!(rest.first(), Some(Event::Run { .. })), "{rest:?}");
        assert!(matches!(rest.last(), Some(Event::Summary(_))), "{rest:?}");
        assert!(
            !rest
                .iter()
                .any(|event| matches!(event, Event::Notice { .. }))
        );
        if let Some(content) = content {
            assert_eq!(std::fs::read(&file).unwrap(), *content);
        }
        let error = Journal::open(&dir);
        assert!(matches!(error, Err(_) | Ok(None)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_journal_is_left_alone() {
    let (_folder, state_dir) = folder();
    Engine::start(&state_dir).end().await;
    let file = state_dir.join("journal.db");
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let mut engine = Engine::start(&state_dir);
    let told = engine.notice().await;
    assert!(told.contains("newer subtend (format 99"), "{told}");
    engine.begin();
    engine.end().await;
    let error = Journal::open(&state_dir).unwrap_err();
    assert!(matches!(error, JournalError::Newer { version: 99, .. }));
    let connection = Connection::open(&file).unwrap();
    let runs: i64 = connection
        .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(runs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_entity_is_about_to_get_is_written_before_it_gets_it() {
    let (_folder, state_dir) = folder();
    let mut engine = Engine::start(&state_dir);
    engine.begin();
    engine.next().await;
    let holds = || {
        let whole = read(&state_dir).run(RUN).unwrap().unwrap();
        let entities = whole.groups[0].entities.iter();
        entities
            .map(|entity| entity.after_crash)
            .collect::<Vec<_>>()
    };
    // All of the test's entities have one address; they are told apart by nothing here.
    engine.gate.pass(&destination(), What::Open).await;
    assert_eq!(holds(), [AfterCrash::Staged; 3]);
    engine.gate.pass(&destination(), What::Rename).await;
    assert_eq!(holds(), [AfterCrash::Unknown; 3]);
    engine.say(stored("e1"));
    engine.say(state("e1", EntityState::Delivered));
    while !matches!(engine.next().await, Event::State { state, .. } if state.is_final()) {}
    assert_eq!(holds()[0], AfterCrash::Delivered);
    assert_eq!(read(&state_dir).cut_off().unwrap(), []);

    engine.kill(&state_dir);
    let journal = read(&state_dir);
    let cut = journal.cut_off().unwrap();
    assert_eq!(cut.len(), 1);
    let said = cut[0].sentence();
    assert!(said.contains("1 delivered, 2 unknown"), "{said}");
    assert_eq!(journal.runs(None).unwrap()[0].status, RunStatus::CutOff);

    // The next start says it, and once it is dealt with, no more.
    let mut next = Engine::named(&state_dir, "20261122T210000Z-0001");
    assert_eq!(next.notice().await, said);
    next.end().await;
    assert_eq!(journal.find("2026112").unwrap(), Ok(RUN.to_owned()));
    journal.settle(RUN).unwrap();
    assert_eq!(journal.cut_off().unwrap(), []);
    assert!(matches!(journal.find("3").unwrap(), Err(NoRun::Unknown(_))));
}

fn write(writer: &mut Writer, events: Vec<Event>) -> Written {
    for event in events {
        writer.add(Record::Event(event));
    }
    writer.write_now()
}

#[test]
fn a_full_disk_loses_nothing() {
    let (_folder, state_dir) = folder();
    let mut writer = Writer::open(&state_dir, RUN.into(), inventory(), false).unwrap();
    assert!(matches!(write(&mut writer, beginning(RUN)), Written::All));
    let pages: i64 = writer
        .connection()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let limit = |writer: &mut Writer, pages: i64| {
        let set =
            writer
                .connection()
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
        set.unwrap();
    };
    limit(&mut writer, pages);
    let mut said = 0;
    let mut failed = None;
    for _ in 0..200 {
        said += 1;
        match write(&mut writer, vec![state("e1", EntityState::Sending)]) {
            Written::All => {}
            other => {
                failed = Some(other);
                break;
            }
        }
    }
    let Some(Written::Failed(JournalError::Full { .. })) = failed else {
        panic!("{failed:?}");
    };
    // Told once, and kept.
    for _ in 0..20 {
        said += 1;
        let written = write(&mut writer, vec![state("e1", EntityState::Sending)]);
        assert!(matches!(written, Written::StillFailing));
    }
    said += 1;
    write(&mut writer, vec![state("e1", EntityState::Delivered)]);
    assert!(writer.is_behind());
    // What it says meanwhile is not relied upon.
    let holds = || {
        let whole = read(&state_dir).run(RUN).unwrap().unwrap();
        whole.groups[0].entities[1].after_crash
    };
    assert_eq!(holds(), AfterCrash::Unknown);
    assert_eq!(
        read(&state_dir).runs(None).unwrap()[0].status,
        RunStatus::Running
    );
    limit(&mut writer, pages + 100_000);
    let written = writer.write_now();
    assert!(
        matches!(written, Written::Again { missing: 0 }),
        "{written:?}"
    );
    assert!(!writer.is_behind());
    assert_eq!(holds(), AfterCrash::Untouched);
    let whole = read(&state_dir).run(RUN).unwrap().unwrap();
    let e1 = &whole.groups[0].entities[0];
    // And the first, waiting.
    assert_eq!(
        (e1.state, e1.changes.len()),
        (EntityState::Delivered, said + 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_that_holds_the_file_delays_records_only() {
    let (_folder, state_dir) = folder();
    let mut engine = Engine::start(&state_dir);
    engine.begin();
    engine.next().await;
    let other = Connection::open(state_dir.join("journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    engine.say(state("e1", EntityState::Delivered));
    let told = engine.notice().await;
    assert!(told.contains("held by another process"), "{told}");
    // It was passed on all the same.
    let passed = engine.next().await;
    assert!(
        matches!(
            passed,
            Event::State {
                state: EntityState::Delivered,
                ..
            }
        ),
        "{passed:?}"
    );
    other.execute_batch("COMMIT").unwrap();
    let told = engine.notice().await;
    assert!(told.contains("nothing is missing"), "{told}");
    assert_eq!(states(&state_dir, RUN)[0], EntityState::Delivered);
    engine.end().await;
}

#[test]
fn many_writers_share_one_file() {
    let (_folder, state_dir) = folder();
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let state_dir = state_dir.clone();
            std::thread::spawn(move || {
                let run = format!("run{number}");
                // All of them make it at the same moment.
                let began = std::time::Instant::now();
                let mut writer = loop {
                    match Writer::open(&state_dir, run.clone(), inventory(), false) {
                        Ok(writer) => break writer,
                        Err(JournalError::Busy { .. }) if began.elapsed() < LIMIT => {}
                        Err(error) => panic!("{error}"),
                    }
                };
                write(&mut writer, beginning(&run));
                for _ in 0..50 {
                    write(&mut writer, vec![state("e1", EntityState::Sending)]);
                }
                while writer.is_behind() {
                    assert!(began.elapsed() < LIMIT);
                    writer.write_now();
                }
                write(&mut writer, vec![summary(&run)]);
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let journal = read(&state_dir);
    for run in journal.runs(None).unwrap() {
        let whole = journal.run(&run.run).unwrap().unwrap();
        assert_eq!(whole.groups[0].entities[0].changes.len(), 51);
    }
    assert_eq!(journal.runs(None).unwrap().len(), 4);
    assert_eq!(journal.runs(Some(3)).unwrap().len(), 3);
}

#[test]
fn what_a_later_run_wrote_is_told_by_that_one() {
    let (_folder, state_dir) = folder();
    let touch = |address: &str| {
        Record::Touch(Touch {
            at: Timestamp::now(),
            address: address.into(),
            path: "/flash/image.bin".into(),
            what: What::Open,
            staged: true,
        })
    };
    let start = |run: &str| {
        let mut writer = Writer::open(&state_dir, run.into(), inventory(), false).unwrap();
        write(&mut writer, beginning(run));
        writer
    };
    let address = testing::entity("e1", "1").address.to_string();
    let mut first = start("first");
    first.add(touch(&address));
    first.write_now();
    drop(first);
    let told = || -> Vec<String> {
        let runs = read(&state_dir).cut_off().unwrap();
        runs.iter().map(CutOff::sentence).collect()
    };
    assert!(told()[0].contains("first was cut off: 3 staged"));
    // One that changes nothing on them says nothing of them.
    let mut second = start("second");
    assert!(told()[0].contains("first was cut off: 3 staged"));
    second.add(touch(&address));
    write(
        &mut second,
        ["e1", "e2", "e3"]
            .map(|name| state(name, EntityState::Delivered))
            .into(),
    );
    assert_eq!(told(), [""; 0]);
    let whole = read(&state_dir).run("first").unwrap().unwrap();
    assert_eq!(whole.groups[0].entities[0].after_crash, AfterCrash::Later);
    assert_eq!(whole.run.status, RunStatus::CutOff);
}

#[test]
fn an_entity_that_may_have_got_another_file_since_is_not_known() {
    let (_folder, state_dir) = folder();
    let mut writer = Writer::open(&state_dir, RUN.into(), inventory(), false).unwrap();
    let mut events = beginning(RUN);
    events.extend([stored("e1"), state("e1", EntityState::Delivered)]);
    write(&mut writer, events);
    let known = || read(&state_dir).delivered().unwrap().contains_key("e1");
    assert!(known());
    let entity = testing::entity("e1", "1");
    for (what, still) in [(What::Open, true), (What::Rename, false)] {
        writer.add(Record::Touch(Touch {
            at: Timestamp::now(),
            address: entity.address.to_string(),
            path: entity.path.to_string(),
            what,
            staged: true,
        }));
        writer.write_now();
        assert_eq!(known(), still, "{what:?}");
    }
}

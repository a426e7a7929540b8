//! A run without a screen, against an engine that says what a test wants said.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use subtend::headless::{Board, Ended, Look, Mode, Options, run};
use subtend::model::{Bottleneck, EntityState, Laggards, Outcome, Step, Verified};
use subtend::protocol::{
    Command, EntitySnapshot, EntitySummary, Event, GroupPhase, GroupSnapshot, GroupSpec,
    GroupSummary, Link, Snapshot, Summary, Target,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Nothing here takes longer, unless it hangs.
const SOON: Duration = Duration::from_secs(20);

/// What was written, shared between the run and the test; writing can be held up or made to fail.
#[derive(Clone, Default)]
struct Paper(Arc<(Mutex<Sheet>, Condvar)>);

#[derive(Default)]
struct Sheet {
    bytes: Vec<u8>,
    stopped: bool,
    broken: bool,
    attempts: usize,
}

impl Paper {
    fn set(&self, act: impl FnOnce(&mut Sheet)) {
        act(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().bytes.clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Lets tokio's clock run, and the printing thread, which does not know of it, keep up.
    async fn comes(&self, text: &str) {
        for _ in 0..400 {
            if self.text().contains(text) {
                return;
            }
            sleep(Duration::from_millis(250)).await;
            breathe().await;
        }
        panic!("waited in vain for {text} in {}", self.text());
    }

    /// Waits in real time: tokio's clock, where paused, stands still meanwhile.
    async fn until(&self, what: &'static str, ready: impl Fn(&Sheet) -> bool + Send + 'static) {
        let paper = self.clone();
        tokio::task::spawn_blocking(move || {
            let (sheet, changed) = &*paper.0;
            let guard = sheet.lock().unwrap();
            let (_guard, result) = changed
                .wait_timeout_while(guard, SOON, |s| !ready(s))
                .unwrap();
            assert!(!result.timed_out(), "waited in vain for {what}");
        })
        .await
        .unwrap();
    }
}

async fn breathe() {
    let nap = || std::thread::sleep(Duration::from_millis(2));
    tokio::task::spawn_blocking(nap).await.unwrap();
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (sheet, changed) = &*self.0;
        let mut sheet = sheet.lock().unwrap();
        sheet.attempts += 1;
        changed.notify_all();
        let mut sheet = changed.wait_while(sheet, |sheet| sheet.stopped).unwrap();
        if sheet.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        sheet.bytes.extend_from_slice(bytes);
        changed.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The engine's end of a link.
struct Engine {
    commands: mpsc::Receiver<Command>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    events: mpsc::UnboundedSender<Event>,
}

fn link() -> (Link, Engine) {
    let (command, commands) = mpsc::channel(1);
    let (snapshots, snapshot) = watch::channel(Arc::new(snapshot(0, GroupPhase::Starting)));
    let (events, event) = mpsc::unbounded_channel();
    let link = Link {
        commands: command,
        snapshots: snapshot,
        events: event,
    };
    (
        link,
        Engine {
            commands,
            snapshots,
            events,
        },
    )
}

impl Engine {
    fn say(&self, event: Event) {
        // Nobody may listen any more.
        let _ = self.events.send(event);
    }

    fn show(&self, sent: u64, phase: GroupPhase) {
        self.snapshots.send_replace(Arc::new(snapshot(sent, phase)));
    }

    async fn command(&mut self) -> Option<Command> {
        timeout(SOON, self.commands.recv())
            .await
            .expect("a command")
    }

    fn begin(&self) {
        self.say(Event::Run {
            at: Timestamp::UNIX_EPOCH,
            run: "r1".into(),
            groups: vec!["adsl".into()],
            memory: 8 << 20,
        });
    }

    fn state(&self, state: EntityState, step: Option<Step>, cause: Option<&str>) {
        self.say(Event::State {
            runs: None,
            at: Timestamp::UNIX_EPOCH,
            group: "adsl".into(),
            entity: "shelf1-01".into(),
            state,
            step,
            cause: cause.map(Into::into),
            attempt: 1,
            holds: None,
            verified: (state == EntityState::Delivered).then_some(Verified::Size),
        });
    }

    fn end(&self, outcome: Outcome) {
        self.say(Event::Summary(summary(outcome)));
    }
}

fn snapshot(sent: u64, phase: GroupPhase) -> Snapshot {
    let entity = EntitySnapshot {
        runs: None,
        entity: "shelf1-01".into(),
        state: EntityState::Sending,
        step: Some(Step::Send),
        cause: None,
        attempt: 1,
        sent,
        confirmed: 0,
        lag: 2,
        rate: 1024.0,
        seconds: 1.0,
        staged: true,
        verified: Verified::None,
        holds: None,
        left: None,
        offline_since: None,
        silent_since: None,
        again_at: None,
        hint: None,
        wave: None,
        past: std::sync::Arc::default(),
    };
    let group = GroupSnapshot {
        group: "adsl".into(),
        image: "adsl-2.4".into(),
        version: "2.4".into(),
        source: "hq".into(),
        phase,
        laggards: Laggards::CatchUp,
        size: None,
        sha256: None,
        read: sent,
        source_bytes: sent,
        passes: 1,
        rate: 1024.0,
        depth: 4,
        depth_reason: None,
        source_reason: None,
        used: 1,
        buffer_size: 1024,
        bottleneck: Bottleneck::Entity("shelf1-01".into()),
        time_left: None,
        seconds: 1.0,
        entities: vec![entity],
        series: Arc::default(),
        campaign: None,
    };
    Snapshot {
        at: Timestamp::UNIX_EPOCH,
        run: "r1".into(),
        memory: 8 << 20,
        pool_bytes: 0,
        peak_pool_bytes: 0,
        groups: vec![Arc::new(group)],
        series: Arc::default(),
    }
}

fn summary(outcome: Outcome) -> Summary {
    let entity = EntitySummary {
        runs: None,
        entity: "shelf1-01".into(),
        state: EntityState::Delivered,
        step: None,
        bytes: 32,
        seconds: 4.2,
        attempts: 1,
        staged: true,
        verified: Verified::Size,
        cause: None,
        holds: None,
        left: None,
    };
    Summary {
        at: Timestamp::UNIX_EPOCH,
        run: "r1".into(),
        outcome,
        seconds: 4.31,
        memory: 8 << 20,
        peak_pool_bytes: 7 << 20,
        source_bytes: 32,
        delivered_bytes: 32,
        delivered_unproven: 0,
        groups: vec![GroupSummary {
            campaign: None,
            group: "adsl".into(),
            image: "adsl-2.4".into(),
            source: "hq".into(),
            size: Some(32),
            sha256: None,
            seconds: 4.3,
            source_bytes: 32,
            passes: 1,
            delivered_unproven: 0,
            entities: vec![entity],
        }],
    }
}

/// A run under test.
struct Run {
    out: Paper,
    notes: Paper,
    board: Board,
    stop: mpsc::Sender<()>,
    task: JoinHandle<Ended>,
}

impl Run {
    fn start(link: Link, mode: Mode) -> Self {
        let (out, notes, board) = (Paper::default(), Paper::default(), Board::default());
        let (stop, mut signals) = mpsc::channel(4);
        let options = Options {
            commands: vec![
                Command::Start {
                    groups: vec![GroupSpec::Named("adsl".into())],
                    force: false,
                },
                Command::Finish,
            ],
            notes: mode.is_screen().then(|| board.attach()),
            mode,
        };
        let (paper, said) = (out.clone(), notes.clone());
        let task =
            tokio::spawn(
                async move { run(link, options, &mut signals, paper, said).await.unwrap() },
            );
        Self {
            out,
            notes,
            board,
            stop,
            task,
        }
    }

    /// Waits for the end, for a time in real time: a blocking task keeps tokio's clock, where
    /// paused, from running ahead of the printing thread.
    async fn ended(self) -> Ended {
        let (done, watchdog) = std::sync::mpsc::channel::<()>();
        let late = tokio::task::spawn_blocking(move || {
            watchdog.recv_timeout(SOON) == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        });
        tokio::pin!(late);
        let ended = tokio::select! {
            ended = self.task => ended.unwrap(),
            late = &mut late => panic!("the run did not end: {late:?}"),
        };
        drop(done);
        ended
    }
}

fn screen() -> Mode {
    Mode::Screen(Look {
        size: Box::new(|| (80, 24)),
        colour: true,
        utf8: true,
    })
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

#[tokio::test(start_paused = true)]
async fn json_lines_have_the_fields_of_the_contract() {
    let (link, mut engine) = link();
    let run = Run::start(link, Mode::Json);
    let out = run.out.clone();
    assert!(matches!(
        engine.command().await,
        Some(Command::Start { force: false, .. })
    ));
    assert_eq!(engine.command().await, Some(Command::Finish));
    engine.begin();
    engine.state(EntityState::Connecting, None, None);
    engine.state(
        EntityState::Failed,
        Some(Step::Login),
        Some("the server said 530 no"),
    );
    for read in [None, Some(32)] {
        engine.say(Event::Pass {
            at: Timestamp::UNIX_EPOCH,
            group: "adsl".into(),
            pass: 1,
            source: "hq".into(),
            offset: 0,
            entities: vec!["shelf1-01".into()],
            read,
        });
    }
    engine.say(Event::Depth {
        at: Timestamp::UNIX_EPOCH,
        group: "adsl".into(),
        from: 4,
        to: 8,
        reason: "starved".into(),
    });
    engine.show(16, GroupPhase::Transferring);
    out.comes("\"progress\"").await;
    engine.end(Outcome::Partial);
    assert_eq!(run.ended().await.exit_code(), 1);

    let lines = out.lines();
    let expected: [(&str, &[&str]); 8] = [
        ("run", &["at", "event", "groups", "memory", "run"]),
        (
            "state",
            &[
                "at", "attempt", "cause", "entity", "event", "group", "state", "step",
            ],
        ),
        (
            "state",
            &[
                "at", "attempt", "cause", "entity", "event", "group", "state", "step",
            ],
        ),
        (
            "pass",
            &[
                "at", "entities", "event", "group", "offset", "pass", "source",
            ],
        ),
        (
            "pass",
            &[
                "at", "entities", "event", "group", "offset", "pass", "read", "source",
            ],
        ),
        ("depth", &["at", "event", "from", "group", "reason", "to"]),
        (
            "progress",
            &[
                "at",
                "bottleneck",
                "buffer_size",
                "depth",
                "depth_reason",
                "entities",
                "event",
                "group",
                "read",
                "size",
                "time_left",
                "used",
            ],
        ),
        (
            "summary",
            &[
                "at",
                "delivered_bytes",
                "delivered_unproven",
                "event",
                "groups",
                "memory",
                "outcome",
                "peak_pool_bytes",
                "run",
                "seconds",
                "source_bytes",
            ],
        ),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (event, fields)) in lines.iter().zip(expected) {
        assert_eq!(line["event"], event);
        assert_eq!(keys(line), fields, "{event}");
        line["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }
    assert_eq!(lines[1]["cause"], Value::Null);
    assert_eq!(lines[1]["step"], Value::Null);
    assert_eq!(lines[2]["state"], "failed");
    assert_eq!(lines[2]["step"], "login");
    assert_eq!(lines[6]["size"], Value::Null);
    assert_eq!(lines[6]["bottleneck"], "entity:shelf1-01");
    assert_eq!(
        lines[6]["entities"],
        json!([{ "entity": "shelf1-01", "sent": 16, "lag": 2, "rate": 1024.0 }])
    );
    assert_eq!(lines[7]["outcome"], "partial");
    let group = &lines[7]["groups"][0];
    assert_eq!(
        keys(group),
        [
            "delivered_unproven",
            "entities",
            "group",
            "image",
            "passes",
            "seconds",
            "sha256",
            "size",
            "source",
            "source_bytes"
        ]
    );
    let entity = &group["entities"][0];
    for field in [
        "entity", "state", "bytes", "seconds", "attempts", "staged", "verified", "cause",
    ] {
        assert!(entity.get(field).is_some(), "{field}");
    }
    assert_eq!(entity["verified"], "size");
    assert_eq!(entity["cause"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn progress_comes_at_most_twice_a_second_and_only_when_it_is_new() {
    fn samples(paper: &Paper) -> usize {
        paper
            .lines()
            .iter()
            .filter(|line| line["event"] == "progress")
            .count()
    }
    let (link, mut engine) = link();
    let run = Run::start(link, Mode::Json);
    engine.command().await;
    engine.show(1, GroupPhase::Transferring);
    sleep(Duration::from_secs(3)).await;
    // A snapshot may be ahead of the events: nothing is said of a group before its run.
    assert_eq!(run.out.text(), "");
    engine.begin();
    for at in 0..100 {
        engine.show(at, GroupPhase::Transferring);
        sleep(Duration::from_millis(100)).await;
        breathe().await;
    }
    sleep(Duration::from_secs(1)).await;
    breathe().await;
    let count = samples(&run.out);
    assert!((5..=22).contains(&count), "{count} samples in 11 s");
    // The newest figures are reported even though nothing changed since.
    let last = run.out.lines().pop().unwrap();
    assert_eq!(last["read"], 99);

    sleep(Duration::from_secs(10)).await;
    breathe().await;
    assert_eq!(samples(&run.out), count, "nothing new, nothing said");
    engine.show(200, GroupPhase::Ended(Outcome::Delivered));
    sleep(Duration::from_secs(2)).await;
    breathe().await;
    assert_eq!(samples(&run.out), count, "the group has ended");

    engine.end(Outcome::Delivered);
    let out = run.out.clone();
    assert_eq!(run.ended().await.exit_code(), 0);
    assert_eq!(out.lines().pop().unwrap()["event"], "summary");
}

#[tokio::test]
async fn a_closed_standard_output_does_not_stop_the_run() {
    for mode in [Mode::Json, Mode::Lines { utf8: true }, screen()] {
        let (link, mut engine) = link();
        let run = Run::start(link, mode);
        run.out.set(|sheet| sheet.broken = true);
        engine.command().await;
        assert_eq!(engine.command().await, Some(Command::Finish));
        engine.begin();
        engine.state(EntityState::Failed, None, Some("no"));
        run.out
            .until("a failed write", |sheet| sheet.attempts > 0)
            .await;
        for _ in 0..100 {
            engine.state(EntityState::Retrying, None, Some("no"));
        }
        // The commands still go through: the run is watched and can be cancelled.
        run.stop.send(()).await.unwrap();
        assert_eq!(
            engine.command().await,
            Some(Command::Cancel {
                target: Target::All
            })
        );
        engine.end(Outcome::Cancelled);
        let out = run.out.clone();
        assert_eq!(run.ended().await.exit_code(), 130);
        assert_eq!(out.text(), "");
    }
}

#[tokio::test]
async fn a_blocked_standard_output_neither_slows_the_run_nor_keeps_the_operator() {
    for mode in [Mode::Json, Mode::Lines { utf8: true }, screen()] {
        let (link, mut engine) = link();
        let run = Run::start(link, mode);
        run.out.set(|sheet| sheet.stopped = true);
        engine.begin();
        engine.state(EntityState::Failed, None, Some("no"));
        run.out
            .until("a blocked write", |sheet| sheet.attempts > 0)
            .await;
        engine.command().await;
        assert_eq!(engine.command().await, Some(Command::Finish));
        engine.state(EntityState::Delivered, None, None);
        engine.end(Outcome::Delivered);
        // All was seen, and waits to be read; the operator does not have to.
        timeout(SOON, engine.events.closed())
            .await
            .expect("the run ends");
        let out = run.out.clone();
        out.set(|sheet| sheet.stopped = false);
        assert_eq!(run.ended().await.exit_code(), 0);
        assert!(out.text().contains("delivered"));
    }
}

#[tokio::test]
async fn the_first_signal_cancels_and_the_second_leaves_at_once() {
    for mode in [Mode::Json, Mode::Lines { utf8: true }, screen()] {
        let json = matches!(mode, Mode::Json);
        let (link, mut engine) = link();
        let run = Run::start(link, mode);
        engine.command().await;
        assert_eq!(engine.command().await, Some(Command::Finish));
        engine.begin();
        run.stop.send(()).await.unwrap();
        assert_eq!(
            engine.command().await,
            Some(Command::Cancel {
                target: Target::All
            })
        );
        assert_eq!(engine.command().await, Some(Command::Finish));
        let said = if json {
            run.notes.clone()
        } else {
            run.out.clone()
        };
        let told = |sheet: &Sheet| String::from_utf8_lossy(&sheet.bytes).contains("press Ctrl-C");
        said.until("the notice", told).await;
        if json {
            assert!(run.out.lines().iter().all(|line| line["event"] == "run"));
        }
        // The engine is stuck and the reader has stopped: the second leaves all the same.
        run.out.set(|sheet| sheet.stopped = true);
        engine.state(EntityState::Failed, None, Some("no"));
        let stopped = run.out.clone();
        run.stop.send(()).await.unwrap();
        let ended = run.ended().await;
        stopped.set(|sheet| sheet.stopped = false);
        assert!(matches!(ended, Ended::Left), "{ended:?}");
        assert_eq!(ended.exit_code(), 130);
    }
}

#[tokio::test]
async fn an_engine_that_vanishes_is_noticed() {
    let (link, engine) = link();
    let run = Run::start(link, Mode::Lines { utf8: true });
    let out = run.out.clone();
    drop(engine);
    let ended = run.ended().await;
    assert!(matches!(ended, Ended::Lost));
    assert_eq!(ended.exit_code(), 1);
    assert!(out.text().contains("without a summary"));
}

#[tokio::test]
async fn a_refused_start_is_told_and_ends_with_2() {
    let (link, mut engine) = link();
    let run = Run::start(link, Mode::Lines { utf8: true });
    let out = run.out.clone();
    engine.command().await;
    engine.command().await;
    engine.say(Event::Refused {
        at: Timestamp::UNIX_EPOCH,
        reason: "no such group".into(),
    });
    engine.say(Event::Summary(Summary {
        groups: Vec::new(),
        ..summary(Outcome::Failed)
    }));
    assert_eq!(run.ended().await.exit_code(), 2);
    assert!(out.text().contains("refused: no such group"));
}

#[tokio::test(start_paused = true)]
async fn plain_lines_tell_what_matters_and_nothing_that_moves_a_cursor() {
    let (link, mut engine) = link();
    let run = Run::start(link, Mode::Lines { utf8: false });
    let out = run.out.clone();
    engine.command().await;
    engine.begin();
    engine.state(EntityState::Connecting, Some(Step::Login), None);
    engine.state(
        EntityState::Retrying,
        Some(Step::Send),
        Some("the server said \u{1b}[2J421"),
    );
    engine.show(16, GroupPhase::Transferring);
    out.comes("1 sending").await;
    engine.state(EntityState::Delivered, None, None);
    engine.end(Outcome::Delivered);
    run.ended().await;
    let text = out.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "1970-01-01T00:00:00Z run r1: adsl in 8.0 MiB",
            "1970-01-01T00:00:00Z adsl shelf1-01 retrying at send (attempt 1): \
             the server said \\u{1b}[2J421",
            "1970-01-01T00:00:00Z adsl - %: read 16 B at 1.0 KiB/s, pool 1/4, \
             limited by shelf1-01; 1 sending",
            "1970-01-01T00:00:00Z adsl shelf1-01 delivered, unproven (by size alone)",
            "",
        ]
    );
    assert!(text.ends_with("(run r1)\n"), "{text}");
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn the_screen_is_left_in_order_with_the_summary_below() {
    let (link, mut engine) = link();
    let run = Run::start(link, screen());
    let (out, board) = (run.out.clone(), run.board.clone());
    engine.command().await;
    engine.begin();
    engine.show(16, GroupPhase::Transferring);
    out.comes("shelf1-01").await;
    assert!(board.say("a warning of the log\n"));
    out.comes("a warning").await;
    engine.show(32, GroupPhase::Ended(Outcome::Delivered));
    engine.end(Outcome::Delivered);
    run.ended().await;
    assert!(!board.say("after it, the log writes for itself"));

    let mut terminal = vt100::Parser::new(24, 80, 0);
    // A terminal turns LF into CR LF on output.
    let bytes = out.text().replace("\r\n", "\n").replace('\n', "\r\n");
    terminal.process(bytes.as_bytes());
    let shown = terminal.screen().contents();
    assert!(
        shown.starts_with("a warning of the log\nadsl  adsl-2.4 from hq  delivered"),
        "{shown}"
    );
    assert!(shown.contains("(run r1)"), "{shown}");
    assert_eq!(terminal.screen().cursor_position().1, 0);
    assert!(!terminal.screen().hide_cursor());
    assert!(!terminal.screen().alternate_screen());
    assert_eq!(terminal.screen().fgcolor(), vt100::Color::Default);
}

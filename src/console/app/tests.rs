//! The loop with an engine and a terminal that do as the test says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::console::past_run::PastRun;
use crate::model::{Bottleneck, EntityState, Laggards, Outcome, ReportFormat, Verified};
use crate::protocol::{
    CampaignSnapshot, Command, EntitySnapshot, GroupPhase, GroupSnapshot, GroupSpec, Held, HeldBy,
    PauseReason, Target, WaveSnapshot,
};

use super::*;

const LONG: Duration = Duration::from_secs(20);
const INVENTORY: &str = include_str!("../../../inventory.yaml");

/// A terminal of 80x24 cells that has a switch.
#[derive(Clone, Default)]
struct Fake(Arc<Tty>);

#[derive(Default)]
struct Tty {
    /// It does not read.
    stopped: AtomicBool,
    gone: AtomicBool,
    screen: Mutex<Vec<u8>>,
    pictures: Mutex<usize>,
}

impl Write for Fake {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.0.stopped.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.screen.lock().unwrap().extend_from_slice(bytes);
        *self.0.pictures.lock().unwrap() += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Device for Fake {
    fn entry(&self) -> Vec<u8> {
        Vec::new()
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn is_gone(&self) -> bool {
        self.0.gone.load(Ordering::Acquire)
    }

    fn size(&self) -> (u16, u16) {
        (80, 24)
    }

    fn suspend(&self) -> io::Result<()> {
        Ok(())
    }

    fn resume(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what it is given.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<usize>>>);

impl Storage for Kept {
    type Error = io::Error;

    fn keep(&self, groups: &[GroupSpec]) -> io::Result<()> {
        self.0.lock().unwrap().push(groups.len());
        Ok(())
    }

    fn write(&self, file: &str, _: &str) -> io::Result<String> {
        Err(io::Error::other(format!("{file} exists already")))
    }

    fn report(&self, run: &str, _: ReportFormat, file: &str) -> io::Result<String> {
        Ok(format!("written: {file}, of run {run}"))
    }

    fn history(&self) -> io::Result<Vec<PastRun>> {
        Ok(Vec::new())
    }

    fn past_run(&self, run: &str, _: usize) -> io::Result<String> {
        Err(io::Error::other(format!("no run {run}")))
    }
}

struct Stage {
    tty: Fake,
    presses: mpsc::Sender<typed::Event>,
    stop: mpsc::Sender<()>,
    commands: mpsc::Receiver<Command>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    events: Option<mpsc::UnboundedSender<Event>>,
    console: JoinHandle<()>,
}

impl Stage {
    fn open(groups: usize) -> Self {
        Self::with(groups, 64, |_| {})
    }

    fn with(groups: usize, commands: usize, prepare: impl FnOnce(&mut App<Fake, Kept>)) -> Self {
        let tty = Fake::default();
        let (stop, stopped) = mpsc::channel(4);
        let (press, presses) = mpsc::channel(64);
        let (sender, commands) = mpsc::channel(commands);
        let (snapshots, newest) = watch::channel(snapshot(groups));
        let (events, incoming) = mpsc::unbounded_channel();
        let inventory = crate::inventory::parse(INVENTORY, Path::new("inventory.yaml"));
        let site = Site {
            inventory: Arc::new(inventory.map_err(|errors| errors.to_string()).unwrap()),
            kept: Vec::new(),
            without_password: BTreeMap::new(),
            to_ask: BTreeSet::new(),
            log_file: None,
            memories: crate::model::Memories::default(),
        };
        let theme = Theme::choose(ThemeName::Mono, Some(true), |_| None);
        let output = Output::start(tty.clone()).unwrap();
        let mut app = App {
            screen: Some(Screen::new(tty.clone(), output, theme)),
            work: Work::new(sender.clone(), Kept::default()),
            state: State::new(site),
            link: Link {
                commands: sender,
                snapshots: newest,
                events: incoming,
            },
            presses,
            stops: Stops {
                stop: stopped,
                hangups: signal(SignalKind::hangup()).unwrap(),
                last_hangup: None,
            },
            resized: signal(SignalKind::window_change()).unwrap(),
            continued: signal(SignalKind::from_raw(Posix::SIGCONT as i32)).unwrap(),
            resumed: None,
            pictures: Pictures::new(PACE),
            calls: Calls::new(1),
            leaving: None,
            engine: Engine::Runs,
        };
        prepare(&mut app);
        Self {
            tty,
            presses: press,
            stop,
            commands,
            snapshots,
            events: Some(events),
            console: tokio::spawn(app.run()),
        }
    }

    async fn type_in(&self, keys: &str) {
        for key in keys.chars() {
            let key = match key {
                '\r' => KeyCode::Enter,
                key => KeyCode::Char(key),
            };
            let event = KeyEvent::new(key, KeyModifiers::NONE);
            self.presses.send(typed::Event::Key(event)).await.unwrap();
        }
    }

    fn shows(&self, wanted: &str) -> bool {
        let mut terminal = vt100::Parser::new(24, 80, 0);
        terminal.process(&self.tty.0.screen.lock().unwrap());
        terminal.screen().contents().contains(wanted)
    }

    async fn until_it_shows(&self, wanted: &str) {
        let shown = async {
            while !self.shows(wanted) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, shown)
            .await
            .unwrap_or_else(|_| panic!("{wanted:?} is not shown"));
    }

    async fn ordered(&mut self) -> Command {
        timeout(LONG, self.commands.recv()).await.unwrap().unwrap()
    }

    /// The engine's work has ended.
    fn end(&mut self) {
        self.events = None;
    }

    async fn closed(self) {
        timeout(LONG, self.console)
            .await
            .expect("it closes")
            .unwrap();
    }
}

fn snapshot(running: usize) -> Arc<Snapshot> {
    let group = |number| {
        Arc::new(GroupSnapshot {
            group: format!("g{number}").into(),
            image: "adsl-2.4".into(),
            version: "2.4".into(),
            source: "hq".into(),
            phase: GroupPhase::Transferring,
            laggards: Laggards::default(),
            size: None,
            sha256: None,
            read: 0,
            source_bytes: 0,
            passes: 1,
            rate: 0.0,
            depth: 4,
            depth_reason: None,
            source_reason: None,
            used: 0,
            buffer_size: 65536,
            bottleneck: Bottleneck::None,
            time_left: None,
            seconds: 0.0,
            entities: vec![EntitySnapshot {
                runs: None,
                entity: "e1".into(),
                state: EntityState::Sending,
                step: None,
                cause: None,
                attempt: 1,
                sent: 0,
                confirmed: 0,
                lag: 0,
                rate: 0.0,
                seconds: 0.0,
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
            }],
            series: Arc::default(),
            campaign: None,
        })
    };
    Arc::new(Snapshot {
        at: Timestamp::now(),
        run: "r".into(),
        memory: 1 << 20,
        pool_bytes: 0,
        peak_pool_bytes: 0,
        groups: (0..running).map(group).collect(),
        series: Arc::default(),
    })
}

fn ended() -> Arc<Snapshot> {
    let mut all = snapshot(1);
    let group = Arc::make_mut(&mut Arc::make_mut(&mut all).groups[0]);
    group.phase = GroupPhase::Ended(Outcome::Delivered);
    all
}

const CANCEL: Command = Command::Cancel {
    target: Target::All,
};

#[tokio::test(flavor = "multi_thread")]
async fn leaving_an_idle_console_ends_the_engine_and_waits_for_it() {
    let mut stage = Stage::open(0);
    stage.until_it_shows("idle").await;
    stage.type_in("q").await;
    assert_eq!(stage.ordered().await, Command::Finish);
    assert!(!stage.console.is_finished());
    stage.end();
    stage.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_while_work_runs_asks_cancels_and_waits_and_a_second_time_leaves_at_once() {
    for patient in [true, false] {
        let mut stage = Stage::open(1);
        stage.type_in("q").await;
        stage.until_it_shows("Leave and cancel?").await;
        stage.type_in("n").await;
        stage.type_in("q").await;
        stage.until_it_shows("Leave and cancel?").await;
        assert!(stage.commands.try_recv().is_err(), "asked, not told");
        stage.type_in("y").await;
        assert_eq!(stage.ordered().await, CANCEL);
        assert_eq!(stage.ordered().await, Command::Finish);
        stage.until_it_shows("cancelling").await;
        if patient {
            // Keys still do what they can do.
            stage.type_in("4").await;
            stage.snapshots.send_replace(ended());
            stage.until_it_shows("idle").await;
            stage.end();
        } else {
            stage.type_in("q").await;
        }
        stage.closed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_cancels_and_waits_and_a_second_one_leaves_at_once() {
    for patient in [true, false] {
        let mut stage = Stage::open(1);
        stage.stop.send(()).await.unwrap();
        assert_eq!(stage.ordered().await, CANCEL);
        assert_eq!(stage.ordered().await, Command::Finish);
        stage.until_it_shows("cancelling").await;
        if patient {
            stage.end();
        } else {
            stage.stop.send(()).await.unwrap();
        }
        stage.closed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_the_terminal_cancels_nothing_and_waits_for_what_runs() {
    let mut stage = Stage::open(1);
    stage.until_it_shows("1 group runs").await;
    stage.tty.0.gone.store(true, Ordering::Release);
    let (presses, _) = mpsc::channel(1);
    stage.presses = presses;
    assert_eq!(stage.ordered().await, Command::Finish);
    stage.snapshots.send_replace(snapshot(2));
    // An operator who comes back can still end it.
    stage.stop.send(()).await.unwrap();
    assert_eq!(stage.ordered().await, CANCEL);
    assert!(!stage.console.is_finished());
    stage.end();
    stage.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_does_not_read_holds_up_nothing_and_sees_the_newest_picture_later() {
    let mut stage = Stage::open(0);
    stage.until_it_shows("idle").await;
    stage.tty.0.stopped.store(true, Ordering::Release);
    let before = *stage.tty.0.pictures.lock().unwrap();
    for running in 1..=200 {
        stage.snapshots.send_replace(snapshot(running));
        stage.type_in("45").await;
    }
    // Keys and signals are still obeyed.
    stage.type_in("X").await;
    stage.type_in("y").await;
    assert_eq!(stage.ordered().await, CANCEL);
    stage.tty.0.stopped.store(false, Ordering::Release);
    stage.until_it_shows("200 groups run").await;
    let pictures = *stage.tty.0.pictures.lock().unwrap() - before;
    assert!(pictures <= 10, "{pictures} pictures were made");
    stage.console.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_nobody_asked_for_come_four_times_a_second_at_most() {
    let stage = Stage::open(1);
    stage.until_it_shows("1 group runs").await;
    let before = *stage.tty.0.pictures.lock().unwrap();
    let began = Instant::now();
    for running in 2..=60 {
        stage.snapshots.send_replace(snapshot(running));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.until_it_shows("60 groups run").await;
    let most = began.elapsed().as_millis() / PACE.as_millis() + 1;
    let pictures = *stage.tty.0.pictures.lock().unwrap() - before;
    assert!(
        pictures >= 2 && pictures as u128 <= most,
        "{pictures} pictures, at most {most}"
    );
    stage.console.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_that_look_alike_send_nothing() {
    let stage = Stage::open(1);
    stage.until_it_shows("1 group runs").await;
    let before = stage.tty.0.screen.lock().unwrap().len();
    let began = Instant::now();
    while began.elapsed() < 3 * PACE {
        stage.snapshots.send_replace(snapshot(1));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stage.tty.0.screen.lock().unwrap().len(), before);
    // The picture was made, and is still followed.
    stage.snapshots.send_replace(snapshot(3));
    stage.until_it_shows("3 groups run").await;
    stage.console.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_does_not_take_orders_holds_up_no_key_and_gets_them_in_order() {
    let mut stage = Stage::with(0, 1, |app| {
        let names = ["a", "b", "c"];
        app.work.send(names.map(|name| Command::AskPeers {
            image: crate::model::ImageSpec::Named(name.into()),
        }));
    });
    stage.type_in("?").await;
    stage.until_it_shows("Help: Inventory").await;
    for name in ["a", "b", "c"] {
        let image = crate::model::ImageSpec::Named(name.into());
        assert_eq!(stage.ordered().await, Command::AskPeers { image });
    }
    stage.console.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_came_to_is_shown_and_groups_are_kept_before_the_end() {
    let kept = Kept::default();
    let mut stage = Stage::with(0, 64, |app| {
        app.work = Work::new(app.link.commands.clone(), kept.clone());
        app.work.add(Job::Write {
            file: "groups.yaml".into(),
            text: String::new(),
        });
    });
    stage.until_it_shows("groups.yaml exists already").await;
    stage.console.abort();
    let kept = Kept::default();
    stage = Stage::with(0, 64, |app| {
        app.work = Work::new(app.link.commands.clone(), kept.clone());
        app.leave(false);
        app.work.add(Job::Keep(vec![GroupSpec::Named("a".into())]));
        app.work.add(Job::Keep(Vec::new()));
    });
    stage.end();
    stage.closed().await;
    assert_eq!(*kept.0.lock().unwrap(), [1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_breaks_down_is_told_and_the_console_can_be_left() {
    let mut stage = Stage::open(0);
    stage.end();
    stage.until_it_shows("the engine has broken down").await;
    stage.type_in("q").await;
    stage.closed().await;
}

/// A key that was typed before its question could be read, on a slow line, begins no wave.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_ahead_of_a_question_does_not_answer_it() {
    let mut stage = Stage::open(1);
    let mut all = snapshot(1);
    let group = Arc::make_mut(&mut Arc::make_mut(&mut all).groups[0]);
    let name = group.group.to_string();
    let since = Timestamp::UNIX_EPOCH;
    group.campaign = Some(Box::new(CampaignSnapshot {
        waves: vec![WaveSnapshot {
            entities: 2,
            good: 1,
            ..WaveSnapshot::default()
        }],
        wave: 1,
        held: Some(Held {
            since,
            by: HeldBy::Pause(PauseReason::Operator),
        }),
        untouched: 1,
        offline: 0,
        failed: 0,
        stops_at: None,
        rate: None,
    }));
    stage.snapshots.send_replace(all);
    stage.type_in("4").await;
    stage.until_it_shows("by an operator").await;
    for key in ["p", "\r"] {
        stage.type_in(key).await;
    }
    stage
        .until_it_shows("before the question could be read")
        .await;
    assert!(stage.commands.try_recv().is_err(), "nothing was ordered");
    // Somebody reads.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.type_in("\r").await;
    let ordered = stage.ordered().await;
    let is_meant = matches!(&ordered, Command::Resume { group, since: Some(_) } if *group == name);
    assert!(is_meant, "{ordered:?}");
    stage.end();
}

//! Deltas, frames, and a server whose engine does as the test says.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, timeout};

use super::delta::Delta;
use super::wire::{Ask, Incoming, frame};
use super::*;
use crate::model::series::Sample;
use crate::model::{Bottleneck, EntityState, Laggards, Outcome, Series, Verified};
use crate::protocol::{
    Command, EntitySnapshot, Event, GroupPhase, GroupSnapshot, Link, Secret, Snapshot, Target,
};
use std::sync::Arc;

const LONG: Duration = Duration::from_secs(20);

fn entity(number: usize) -> EntitySnapshot {
    EntitySnapshot {
        runs: None,
        entity: format!("shelf{}-{:02}", number / 48, number % 48)
            .as_str()
            .into(),
        state: EntityState::Sending,
        step: None,
        cause: None,
        attempt: 1,
        sent: 1000 * number as u64,
        confirmed: 0,
        lag: 3,
        rate: 1024.5,
        seconds: 1.25,
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
    }
}

fn group(name: &str, entities: usize) -> GroupSnapshot {
    GroupSnapshot {
        group: name.into(),
        image: "adsl-2".into(),
        version: "2".into(),
        source: "hq".into(),
        phase: GroupPhase::Transferring,
        laggards: Laggards::default(),
        size: Some(1 << 20),
        sha256: None,
        read: 4096,
        source_bytes: 4096,
        passes: 1,
        rate: 2048.0,
        depth: 16,
        depth_reason: None,
        source_reason: None,
        used: 3,
        buffer_size: 65536,
        bottleneck: Bottleneck::None,
        time_left: Some(12.5),
        seconds: 2.5,
        entities: (0..entities).map(entity).collect(),
        series: Arc::default(),
        campaign: None,
    }
}

fn snapshot(groups: Vec<GroupSnapshot>) -> Snapshot {
    Snapshot {
        at: Timestamp::UNIX_EPOCH,
        run: "r".into(),
        memory: 1 << 20,
        pool_bytes: 4096,
        peak_pool_bytes: 8192,
        groups: groups.into_iter().map(Arc::new).collect(),
        series: Arc::default(),
    }
}

/// What it costs on the wire, and what comes out at the other end.
fn carried(before: Option<&Snapshot>, now: &Snapshot) -> (usize, Snapshot) {
    let bytes = frame(&Delta::between(before, now)).unwrap();
    let delta: Delta = serde_json::from_slice(&bytes[4..]).unwrap();
    (bytes.len(), delta.apply(before).unwrap())
}

/// A series of a second a point.
fn series(seconds: u64) -> Series {
    let mut series = Series::default();
    for second in 0..seconds {
        let sample = Sample {
            read: 1 << 20,
            delivered: 20 << 20,
            filled: 2 << 20,
            depth: 4 << 20,
            ..Sample::default()
        };
        series.push(Duration::from_secs(second), &sample);
    }
    series
}

#[test]
fn who_attaches_gets_the_past_and_then_what_is_new_of_it() {
    let at = |seconds: u64| {
        let mut one = group("adsl", 20);
        one.series = Arc::new(series(seconds));
        Snapshot {
            series: Arc::new(series(seconds)),
            ..snapshot(vec![one])
        }
    };
    let (first, next) = (at(200), at(201));
    let (_, got) = carried(None, &first);
    assert_eq!(got, first);
    let (bytes, got) = carried(Some(&first), &next);
    assert_eq!(got, next);
    assert!(bytes < 400, "{bytes}");
    // It was thinned meanwhile, and one that was away has less.
    let thinned = at(250);
    assert_eq!(carried(Some(&next), &thinned).1, thinned);
    let (bytes, _) = carried(Some(&thinned), &at(251));
    assert!(bytes < 400, "{bytes}");
    // Of another run nothing is known.
    let other = Snapshot {
        run: "other".into(),
        ..at(3)
    };
    assert_eq!(carried(Some(&thinned), &other).1, other);
    // With no more than an engine says that knows no series.
    let (_, got) = carried(None, &snapshot(vec![group("adsl", 1)]));
    assert!(got.series.points().is_empty());
}

#[test]
fn a_snapshot_of_2000_entities_costs_what_changed() {
    let first = snapshot(vec![group("adsl", 1000), group("vdsl", 1000)]);
    let (whole, got) = carried(None, &first);
    assert_eq!(got, first);
    // Made anew by the manager, and the same.
    let same = snapshot(vec![group("adsl", 1000), group("vdsl", 1000)]);
    let (unchanged, got) = carried(Some(&first), &same);
    assert_eq!(got, first);
    assert!(unchanged < 200, "{unchanged} bytes for nothing");

    let mut adsl = group("adsl", 1000);
    adsl.entities[7].sent += 4096;
    adsl.entities[8].state = EntityState::Failed;
    adsl.entities[8].cause = Some("552".into());
    let second = snapshot(vec![adsl, group("vdsl", 1000)]);
    let (little, got) = carried(Some(&first), &second);
    assert_eq!(got, second);
    assert!(little < 1000, "{little} bytes for two entities");

    // All of them moved on, which is the usual case.
    let mut third = second.clone();
    for group in &mut third.groups {
        let group = Arc::make_mut(group);
        (group.read, group.seconds) = (group.read + 4096, group.seconds + 0.25);
        for entity in &mut group.entities {
            (entity.sent, entity.seconds) = (entity.sent + 4096, entity.seconds + 0.25);
        }
    }
    let (moved, got) = carried(Some(&second), &third);
    assert_eq!(got, third);
    assert!(moved * 5 < whole, "{moved} bytes of {whole}");
    let began = std::time::Instant::now();
    for _ in 0..10 {
        frame(&Delta::between(Some(&second), &third)).unwrap();
    }
    println!("one delta takes {:?}", began.elapsed() / 10);
    println!("2000 entities: whole {whole}, unchanged {unchanged}, all moved {moved} bytes");
}

#[test]
fn groups_join_and_a_delta_that_does_not_follow_is_refused() {
    let first = snapshot(vec![group("adsl", 2)]);
    let mut ended = group("adsl", 2);
    ended.phase = GroupPhase::Ended(Outcome::Partial);
    let second = snapshot(vec![ended, group("vdsl", 3)]);
    assert_eq!(carried(Some(&first), &second).1, second);
    assert_eq!(carried(None, &snapshot(vec![])).1, snapshot(vec![]));
    // What is started while nothing runs has another name.
    let mut other = second.clone();
    other.run = "another".into();
    assert_eq!(carried(Some(&second), &other).1, other);
    let mut moved = group("adsl", 2);
    moved.entities[1].sent += 1;
    let delta = Delta::between(Some(&first), &snapshot(vec![moved]));
    delta.clone().apply(None).unwrap_err();
    delta.clone().apply(Some(&snapshot(vec![]))).unwrap_err();
    delta
        .apply(Some(&snapshot(vec![group("adsl", 1)])))
        .unwrap_err();
}

/// A server without an engine behind it.
struct Stage {
    place: Place,
    commands: mpsc::Receiver<Command>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    events: mpsc::UnboundedSender<Event>,
    stop: mpsc::Sender<()>,
    served: JoinHandle<bool>,
    folder: tempfile::TempDir,
}

impl Stage {
    fn open(first: Snapshot) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(&folder.path().join("state"), None).unwrap();
        let mut claimed = place.claim().unwrap();
        let (sender, commands) = mpsc::channel(64);
        let (snapshots, newest) = watch::channel(Arc::new(first));
        let (events, incoming) = mpsc::unbounded_channel();
        let (stop, mut stopped) = mpsc::channel(4);
        let link = Link {
            commands: sender,
            snapshots: newest,
            events: incoming,
        };
        let about = About {
            inventory: "/site.yaml".into(),
            text: "memory: 1 MiB\n".into(),
            logins: BTreeSet::new(),
            stays: false,
        };
        let served =
            tokio::spawn(async move { serve(link, &mut claimed, about, &mut stopped).await });
        Self {
            place,
            commands,
            snapshots,
            events,
            stop,
            served,
            folder,
        }
    }

    async fn client(&self, wants: Wants, who: &str) -> Connection {
        let opened = timeout(LONG, Connection::open(&self.place, wants, who)).await;
        opened.unwrap().unwrap().expect("an engine is there")
    }

    async fn ordered(&mut self) -> Command {
        timeout(LONG, self.commands.recv()).await.unwrap().unwrap()
    }

    fn say(&self, text: &str) {
        let at = Timestamp::now();
        let text = text.into();
        self.events.send(Event::Notice { at, text }).unwrap();
    }

    /// The engine ends.
    async fn end(self) -> tempfile::TempDir {
        drop((self.events, self.snapshots));
        assert!(timeout(LONG, self.served).await.unwrap().unwrap());
        self.folder
    }
}

async fn event(connection: &mut Connection, mut wanted: impl FnMut(&Event) -> bool) -> Event {
    timeout(LONG, async {
        loop {
            if let Remote::Event(event) = connection.next().await.unwrap()
                && wanted(&event)
            {
                return *event;
            }
        }
    })
    .await
    .unwrap()
}

/// A client that connects and says nothing keeps none out, nor do those that only ask.
#[tokio::test]
async fn silent_clients_keep_nobody_out() {
    let mut stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    let mut watching = stage.client(Wants::Orders, "craft on /pts/1").await;
    let mut silent = Vec::new();
    for _ in 0..80 {
        silent.push(UnixStream::connect(&stage.place.socket).await.unwrap());
    }
    let mut visits = Vec::new();
    for _ in 0..80 {
        visits.push(stage.client(Wants::Errand, "asks").await);
    }
    let mut owner = stage.client(Wants::Orders, "craft on /pts/2").await;
    // Those that watch were not sent away for them, and their orders come through.
    for connection in [&mut watching, &mut owner] {
        let order = Command::Cancel {
            target: Target::All,
        };
        connection.order(order.clone()).await.unwrap();
        assert_eq!(stage.ordered().await, order);
    }
    // As many as can watch: the next one gets an answer that says so, and can still end the engine.
    let mut all = Vec::new();
    for _ in 2..64 {
        all.push(stage.client(Wants::Watch, "noc").await);
    }
    let refused = Connection::open(&stage.place, Wants::Orders, "craft").await;
    let refused = refused.expect_err("64 watch").to_string();
    assert!(refused.contains("64 others watch"), "{refused}");
    let mut last = stage.client(Wants::Errand, "craft").await;
    last.stop(true).await.unwrap();
    assert!(matches!(stage.ordered().await, Command::Cancel { .. }));
    drop((silent, visits, all));
    stage.end().await;
}

#[tokio::test]
async fn several_watch_and_each_sees_what_the_others_order() {
    let mut stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    stage.say("an earlier run was cut off");
    let mut one = stage.client(Wants::Orders, "craft on /pts/1").await;
    event(
        &mut one,
        |event| matches!(event, Event::Notice { text, .. } if text.contains("cut off")),
    )
    .await;
    let mut two = stage.client(Wants::Orders, "noc\u{1b}[2J").await;
    // A later client gets what still matters, too.
    event(&mut two, |event| matches!(event, Event::Notice { .. })).await;
    assert_eq!(two.welcome.others, 1);
    event(&mut one, |event| {
        matches!(event, Event::Viewers { others: 1, .. })
    })
    .await;

    let order = Command::Cancel {
        target: Target::All,
    };
    two.order(order.clone()).await.unwrap();
    assert_eq!(stage.ordered().await, order);
    let Event::Did { who, what, .. } =
        event(&mut one, |event| matches!(event, Event::Did { .. })).await
    else {
        unreachable!()
    };
    assert!(who.starts_with("noc") && !who.contains('\u{1b}'), "{who:?}");
    assert_eq!(what, "cancels everything");

    let login = Command::Login {
        credentials: "craft".into(),
        secret: Secret::new("open sesame"),
    };
    one.order(login.clone()).await.unwrap();
    assert_eq!(stage.ordered().await, login);
    drop(two);
    event(&mut one, |event| {
        matches!(event, Event::Viewers { others: 0, .. })
    })
    .await;
    // An errand is not counted, and learns which secrets the engine has, not what they are.
    let errand = stage.client(Wants::Errand, "status").await;
    assert_eq!(errand.welcome.logins, ["craft"]);
    assert_eq!(errand.welcome.others, 1);
    drop((one, errand));
    stage.end().await;
}

#[tokio::test]
async fn who_only_watches_gives_no_orders() {
    let mut stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    let mut watcher = stage.client(Wants::Watch, "guest").await;
    let target = Target::All;
    watcher.order(Command::Cancel { target }).await.unwrap();
    event(
        &mut watcher,
        |event| matches!(event, Event::Refused { reason, .. } if reason.contains("only watches")),
    )
    .await;
    watcher.stop(true).await.unwrap();
    event(&mut watcher, |event| matches!(event, Event::Refused { .. })).await;
    assert!(stage.commands.try_recv().is_err(), "an order went through");
    drop(watcher);
    stage.end().await;
}

#[tokio::test]
async fn another_version_gets_a_sentence_and_nonsense_is_cut_off() {
    let stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    let said = |bytes: Vec<u8>| {
        let socket = stage.place.socket.clone();
        async move {
            let mut stream = UnixStream::connect(socket).await.unwrap();
            // It may be cut off before all of it is written.
            let _ = stream.write_all(&bytes).await;
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            // Cut off with bytes unread is a reset.
            let _ = timeout(LONG, read).await.expect("it is cut off");
            String::from_utf8_lossy(&answer).into_owned()
        }
    };
    let other = serde_json::json!({ "protocol": 99, "version": "9.9.9", "new": ["shape"] });
    let answer = said(frame(&other).unwrap().to_vec()).await;
    assert!(answer.contains("refuse"), "{answer}");
    assert!(
        answer.contains("9.9.9") && answer.contains("protocol 99"),
        "{answer}"
    );
    assert!(answer.contains("subtend stop"), "{answer}");

    for nonsense in [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        vec![0xff; 100],
        frame(&"x".repeat(1 << 20)).unwrap().to_vec(),
        frame(&serde_json::json!({ "protocol": PROTOCOL }))
            .unwrap()
            .to_vec(),
    ] {
        said(nonsense).await;
    }
    // After a good beginning, too: a frame that says it is 256 MiB long.
    let hello = Hello {
        protocol: PROTOCOL,
        version: "x".into(),
        wants: Wants::Orders,
        who: "x".into(),
    };
    let mut bytes = frame(&hello).unwrap().to_vec();
    bytes.extend_from_slice(&(256_u32 << 20).to_be_bytes());
    let answer = said(bytes).await;
    assert!(answer.contains("dropped"), "{answer}");
    // The others are served as before.
    let mut one = stage.client(Wants::Orders, "one").await;
    timeout(LONG, one.snapshot()).await.unwrap().unwrap();
    drop(one);
    stage.end().await;
}

#[tokio::test]
async fn a_viewer_that_never_reads_slows_nobody_and_is_cut_off() {
    let stage = Stage::open(snapshot(vec![group("adsl", 500)]));
    let stuck = stage.client(Wants::Orders, "stuck").await;
    let mut other = stage.client(Wants::Orders, "other").await;
    event(&mut other, |event| {
        matches!(event, Event::Viewers { others: 1, .. })
    })
    .await;
    // More than its queue and its socket hold; the other one reads all of it, in order.
    let many = 40_000;
    let padding = "x".repeat(100);
    let mut cut_off = false;
    for number in 0..many {
        stage.say(&format!("{number} {padding}"));
        if number % 256 == 0 {
            let wanted = format!("{number} ");
            event(&mut other, |event| {
                cut_off |= matches!(event, Event::Viewers { others: 0, .. });
                matches!(event, Event::Notice { text, .. } if text.starts_with(&wanted))
            })
            .await;
        }
    }
    assert!(cut_off, "it is still there");
    drop((stuck, other));
    stage.end().await;
}

#[tokio::test]
async fn a_link_over_the_socket_is_like_any_other() {
    let mut stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    let connection = stage.client(Wants::Orders, "console").await;
    let (mut link, pump) = connection.link(|_| {}, None).await.unwrap();
    assert_eq!(link.snapshots.borrow().groups[0].entities.len(), 3);
    let mut later = group("adsl", 3);
    later.read = 999_999;
    stage
        .snapshots
        .send_replace(Arc::new(snapshot(vec![later])));
    let moved = link.snapshots.wait_for(|now| now.groups[0].read == 999_999);
    timeout(LONG, moved).await.unwrap().unwrap();

    // Leaving leaves the engine its work; with a cancellation, its end is waited for.
    let target = Target::All;
    link.commands
        .send(Command::Cancel { target })
        .await
        .unwrap();
    link.commands.send(Command::Finish).await.unwrap();
    assert!(matches!(stage.ordered().await, Command::Cancel { .. }));
    let mut ended = group("adsl", 3);
    ended.phase = GroupPhase::Ended(Outcome::Cancelled);
    stage
        .snapshots
        .send_replace(Arc::new(snapshot(vec![ended])));
    timeout(LONG, pump).await.unwrap().unwrap();
    assert!(!link.snapshots.borrow().is_busy());
    while let Some(event) = link.events.recv().await {
        assert!(!matches!(event, Event::Notice { .. }), "{event:?}");
    }
    // Nobody is there and nothing runs: the engine learns that nothing more comes.
    assert_eq!(stage.ordered().await, Command::Finish);
    stage.end().await;
}

#[tokio::test]
async fn signals_and_orders_end_the_engine() {
    let mut stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    stage.stop.send(()).await.unwrap();
    assert_eq!(
        stage.ordered().await,
        Command::Cancel {
            target: Target::All
        }
    );
    assert_eq!(stage.ordered().await, Command::Finish);
    // Work still ends: it can be watched, but nothing is started.
    let mut one = stage.client(Wants::Orders, "one").await;
    let start = Command::Start {
        groups: vec![],
        force: false,
    };
    one.order(start).await.unwrap();
    event(&mut one, |event| matches!(event, Event::Refused { .. })).await;
    let folder = stage.end().await;
    assert!(matches!(
        timeout(LONG, async {
            loop {
                if let Err(error) = one.next().await {
                    return error;
                }
            }
        })
        .await,
        Ok(RemoteError::Ended)
    ));
    // Neither socket nor lock is left.
    let left = std::fs::read_dir(folder.path().join("state/engine")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_place_is_for_one_and_for_this_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let place = Place::of(&state, None).unwrap();
    let claimed = place.claim().unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.socket.parent().unwrap()), 0o700);
    assert_eq!((mode(&place.socket), mode(&place.lock)), (0o600, 0o600));
    // Another name of the same state directory is the same place.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&state, &link).unwrap();
    assert_eq!(Place::of(&link, None).unwrap(), place);
    let runtime = folder.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    let other = Place::of(&state, Some(&runtime)).unwrap();
    assert!(other.socket.starts_with(runtime.join("subtend")));
    drop(claimed);
    assert!(!place.socket.exists() && !place.lock.exists());

    // What a killed engine leaves is in nobody's way.
    std::fs::write(&place.lock, "4711\n").unwrap();
    drop(std::os::unix::net::UnixListener::bind(&place.socket).unwrap());
    assert!(place.socket.exists());
    assert!(
        Connection::open(&place, Wants::Errand, "x")
            .await
            .unwrap()
            .is_none()
    );
    drop(place.claim().unwrap());

    let open = runtime.join("subtend");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = Place::of(&state, Some(&runtime)).unwrap_err();
    assert!(matches!(error, PlaceError::Open { .. }), "{error}");
    let long = folder.path().join("x".repeat(120));
    let error = Place::of(&long, None).unwrap_err();
    assert!(matches!(error, PlaceError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn frames_come_whole_or_not_at_all() {
    let ask = Ask::Stop { cancel: true };
    let bytes = frame(&ask).unwrap();
    let mut whole = Incoming::new(&bytes[..], 1024);
    assert!(matches!(
        whole.next().await,
        Ok(Some(Ask::Stop { cancel: true }))
    ));
    assert!(matches!(whole.next::<Ask>().await, Ok(None)));
    let mut cut = Incoming::new(&bytes[..bytes.len() - 1], 1024);
    cut.next::<Ask>().await.unwrap_err();
    let mut long = Incoming::new(&bytes[..], 8);
    long.next::<Ask>().await.unwrap_err();
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_made_again() {
    let stage = Stage::open(snapshot(vec![group("adsl", 3)]));
    // Something between the two that can be cut.
    let between = Place {
        socket: stage.folder.path().join("between.sock"),
        lock: stage.place.lock.clone(),
    };
    let listener = tokio::net::UnixListener::bind(&between.socket).unwrap();
    let real = stage.place.socket.clone();
    let (cut, mut cuts) = mpsc::channel::<()>(1);
    let forward = tokio::spawn(async move {
        let mut connections = 0;
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = UnixStream::connect(&real).await.unwrap();
            connections += 1;
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return connections,
                _ = cuts.recv() => {}
            }
        }
    });
    let opened = Connection::open(&between, Wants::Orders, "console").await;
    let (mut link, pump) = opened.unwrap().unwrap().link(|_| {}, None).await.unwrap();
    cut.send(()).await.unwrap();
    let mut later = group("adsl", 3);
    later.read = 999_999;
    let _ = stage
        .snapshots
        .send_replace(Arc::new(snapshot(vec![later])));
    let moved = link.snapshots.wait_for(|now| now.groups[0].read == 999_999);
    timeout(LONG, moved).await.unwrap().unwrap();
    link.commands.send(Command::Finish).await.unwrap();
    assert_eq!(timeout(LONG, pump).await.unwrap().unwrap(), Parted::Left);
    assert_eq!(timeout(LONG, forward).await.unwrap().unwrap(), 2);
    stage.end().await;
}

//! The run outlives the terminal: the program on real terminals and without one, its engine in a
//! process of its own, against a lab in the test's.

use std::time::{Duration, Instant};

use crate::support::host::Host;
use crate::support::pty::{self, Pty};
use crate::support::{IMAGE, LONG, PATH, within};
use serde_json::Value;
use subtend::remote::{Connection, Place, Wants};

const MIB: u64 = 1 << 20;
const ENTER: &str = "\r";
const DOWN: &str = "\x1b[B";
const ENTITIES: [&str; 3] = ["e001", "e002", "e003"];

async fn until_received(site: &Host, bytes: u64) {
    within(LONG, site.lab.until_received("e001", bytes)).await;
}

/// From the groups page to the watch page.
fn start(pty: &mut Pty) {
    pty.until("idle");
    pty.type_in("2");
    pty.until("+ ready");
    pty.type_in("S");
    pty.until("Y starts.");
    pty.has_read();
    pty.type_in("Y");
    pty.until("1 group runs");
}

fn kill(process: &str) {
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", process])
        .status();
    assert!(killed.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_killed_costs_the_picture_alone() {
    let site = Host::new(8 * MIB).await;
    let mut first = site.console();
    start(&mut first);
    until_received(&site, MIB).await;
    first.signal("KILL");
    first.end();
    let then = site.lab.bytes_received("e001");
    until_received(&site, then + MIB).await;

    let mut again = site.pty(&["attach"]);
    again.until("attached to the engine");
    // Who comes back to what runs sees it.
    again.until("1 group runs");
    again.until("all: adsl-2 version 2");
    again.until("ended: delivered");
    assert_eq!(site.status().await["engine"]["viewers"], 1);
    again.type_in("q");
    assert_eq!(again.end().exit_code(), 0);
    again.is_clean().unwrap();
    site.assert_delivered(&ENTITIES);
    // One pass, whoever watched.
    assert_eq!(site.lab.bytes_served("hq"), 8 * MIB);
    site.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_vanishes_or_is_left_leaves_the_run_alone() {
    let site = Host::new(12 * MIB).await;
    let mut first = site.console();
    start(&mut first);
    until_received(&site, MIB).await;
    let status = pty::ended(first.vanish());
    assert_eq!(status.signal(), None, "{status:?}");

    // A plain `subtend` attaches. What is first offered on leaving is to leave it running.
    let mut second = site.console();
    second.until("attached to the engine");
    second.until("1 group runs");
    second.type_in("q");
    second.until("Work runs. Leave?");
    second.until("Leave it running");
    second.type_in(ENTER);
    second.until("goes on without this console");
    assert_eq!(second.end().exit_code(), 0);
    second.is_clean().unwrap();

    // A signal to a console is for the console. Without a name, it is the inventory that runs.
    let mut third = site.pty(&[]);
    third.until("attached to the engine");
    third.until("1 group runs");
    third.signal("TERM");
    third.until("goes on without this console");
    third.end();
    third.is_clean().unwrap();

    let mut last = site.pty(&["attach"]);
    last.until("1 group runs");
    last.type_in("q");
    last.until("Work runs. Leave?");
    last.type_in(DOWN);
    last.type_in(ENTER);
    assert_eq!(last.end().exit_code(), 130);
    for name in ENTITIES {
        assert!(site.lab.files(name).is_empty() || site.lab.files(name) == [PATH]);
        let file = site.lab.file(name, PATH);
        assert!(file.is_none_or(|file| !file.same_as_image(IMAGE)), "{name}");
    }
    site.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_watch_one_engine_and_see_what_the_other_does() {
    let site = Host::new(8 * MIB).await;
    let mut one = site.console();
    one.until("idle");
    let mut guest = site.pty(&["attach", "--watch"]);
    guest.until("idle, 1 other, watching");
    one.until("idle, 1 other");
    start(&mut one);
    guest.until("starts all");
    guest.until("1 group runs, 1 other, watching");
    guest.type_in("4");
    guest.until("all: adsl-2 version 2");

    // It asks, and is refused by the engine.
    guest.type_in("X");
    guest.until("Cancel everything?");
    guest.type_in("y");
    guest.until("only watches");
    let then = site.lab.bytes_received("e001");
    until_received(&site, then + MIB / 2).await;

    let mut two = site.pty(&["attach"]);
    one.until("2 others");
    two.until("1 group runs");
    two.type_in("X");
    two.until("Cancel everything?");
    two.type_in("y");
    one.until("cancels everything");
    one.until("idle");
    guest.until("idle");
    guest.type_in("q");
    guest.end();
    // Before it knows, it asks whether what runs is to go on.
    two.until("idle");
    two.type_in("q");
    two.end();
    until_gone(&mut one, "other");
    one.type_in("q");
    assert_eq!(one.end().exit_code(), 130);
    site.nothing_is_left().await;
}

/// The braille of a plot, of which an empty one has none.
fn dots(pty: &Pty) -> usize {
    let text = pty.terminal.screen().contents();
    let is_dot = |c: &char| ('\u{2801}'..='\u{28ff}').contains(c);
    text.chars().filter(is_dot).count()
}

/// The points of the pool's past on the watch page.
fn heights(pty: &Pty) -> usize {
    let mut rows = pty.terminal.screen().rows(0, 80);
    let row = rows.find(|row| row.starts_with("pool "));
    let is_height = |c: &char| ('▁'..='█').contains(c);
    let past = row.as_deref().and_then(|row| row.rsplit_once("KiB"));
    past.map_or(0, |(_, past)| past.chars().filter(is_height).count())
}

fn until_so(pty: &mut Pty, what: &str, so: impl Fn(&Pty) -> bool) {
    let began = Instant::now();
    while !so(pty) {
        let screen = pty.terminal.screen().contents();
        assert!(
            began.elapsed() < LONG,
            "{what}, waited for in vain:\n{screen}"
        );
        pty.read(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_attaches_late_sees_the_past_in_the_plots() {
    let site = Host::new(16 * MIB).await;
    let mut first = site.console();
    start(&mut first);
    until_received(&site, 6 * MIB).await;
    let mut late = site.pty(&["attach"]);
    late.until("1 group runs");
    let came = Instant::now();
    until_so(&mut late, "the past of the pool", |pty| heights(pty) >= 5);
    late.type_in("0");
    until_so(&mut late, "a plot", |pty| dots(pty) > 20);
    assert!(
        came.elapsed() < Duration::from_secs(4),
        "it saw all that itself"
    );
    late.type_in("X");
    late.until("Cancel everything?");
    late.type_in("y");
    // What has ended is there still.
    late.until("0 run, 1 ended");
    until_so(&mut late, "a plot", |pty| dots(pty) > 20);
    for mut pty in [late, first] {
        pty.until("idle");
        pty.type_in("q");
        pty.end();
    }
    site.nothing_is_left().await;
}

fn until_gone(pty: &mut Pty, what: &str) {
    let began = Instant::now();
    while pty.shows(what) {
        assert!(began.elapsed() < LONG, "{what:?} is still shown");
        pty.read(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_a_console_is_asked_after_and_cancelled() {
    let site = Host::new(32 * MIB).await;
    assert_eq!(site.status().await["engine"], Value::Null);
    let (_, code, said) = site.program(&["cancel", "--all"]).end().await;
    assert_eq!(code, Some(2), "{said}");
    let process = site.detached().await;
    until_received(&site, MIB / 2).await;
    let status = site.status().await;
    let engine = &status["engine"];
    assert_eq!(engine["process"].to_string(), process);
    assert_eq!(
        (&engine["busy"], &engine["viewers"]),
        (&true.into(), &0.into())
    );
    assert_eq!(engine["groups"][0]["entities"]["sending"], 3);
    let text = site.said(&["status"]).await;
    assert!(text.contains("all: adsl-2 from hq, transferring"), "{text}");

    // What runs already is refused, with its reason and exit code 2.
    let again = site.program(&["run", "--all", "--detach", "-i", &site.file]);
    let (_, code, said) = again.end().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("runs"), "{said}");
    // Another inventory is not mixed in.
    let other = site.folder.path().join("other.yaml");
    std::fs::copy(&site.file, &other).unwrap();
    let other = site.program(&["run", "--all", "--detach", "-i", other.to_str().unwrap()]);
    let (_, code, said) = other.end().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("on another inventory"), "{said}");

    let (_, code, said) = site.program(&["cancel", "nothing"]).end().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("no group `nothing` runs; there is all"),
        "{said}"
    );
    let said = site.said(&["cancel", "all"]).await;
    assert!(said.contains("cancelled: all"), "{said}");
    site.nothing_is_left().await;
    let (lines, ..) = site.program(&["history"]).end().await;
    assert!(lines.join("\n").contains("cancelled"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_waits_for_what_runs_or_cancels_it() {
    let site = Host::new(4 * MIB).await;
    site.detached().await;
    let said = site.said(&["stop"]).await;
    assert!(
        said.contains("work runs") && said.contains("has ended"),
        "{said}"
    );
    site.assert_delivered(&ENTITIES);
    assert!(site.left().is_empty());
    assert!(site.said(&["stop"]).await.contains("no engine runs"));

    let site = Host::new(32 * MIB).await;
    site.detached().await;
    until_received(&site, MIB / 2).await;
    let mut watching = site.pty(&["attach"]);
    watching.until("1 group runs");
    site.said(&["stop", "--cancel"]).await;
    assert!(site.left().is_empty());
    watching.until("the engine has ended");
    watching.type_in("q");
    assert_eq!(watching.end().exit_code(), 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_never_reads_slows_nobody() {
    let site = Host::new(4 * MIB).await;
    site.detached().await;
    let place = Place::of(&site.folder.path().join("state"), None).unwrap();
    let mut stuck = Vec::new();
    for _ in 0..3 {
        let opened = Connection::open(&place, Wants::Orders, "stuck").await;
        stuck.push(opened.unwrap().expect("an engine"));
    }
    let mut pty = site.pty(&["attach"]);
    pty.until("3 others");
    pty.type_in("4");
    pty.until("ended: delivered");
    site.assert_delivered(&ENTITIES);
    let engine = &site.status().await["engine"];
    let seconds = engine["groups"][0]["seconds"].as_f64().unwrap();
    // 4 MiB at 1 MiB a second: there, and back under each of its two names.
    assert!(seconds < 16.0, "{seconds} s");
    pty.type_in("q");
    pty.end();
    drop(stuck);
    site.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_was_killed_is_in_nobodys_way_and_its_run_is_told() {
    let site = Host::new(32 * MIB).await;
    let process = site.detached().await;
    until_received(&site, MIB / 2).await;
    let mut watching = site.pty(&["attach"]);
    watching.until("1 group runs");
    kill(&process);
    watching.until("the engine is gone");
    watching.until("no engine");
    watching.type_in("q");
    assert_eq!(watching.end().exit_code(), 1);
    watching.is_clean().unwrap();
    assert_eq!(site.left().len(), 2, "socket and lock are left");

    let status = site.status().await;
    assert_eq!(status["engine"], Value::Null);
    assert_eq!(status["cut_off"].as_array().unwrap().len(), 1);
    let text = site.said(&["status"]).await;
    assert!(
        text.contains("no engine runs") && text.contains("was cut off"),
        "{text}"
    );
    let (_, code, said) = site.program(&["stop"]).end().await;
    assert_eq!(code, Some(0), "{said}");

    let mut pty = site.console();
    pty.until("was cut off: 3 staged");
    assert_ne!(site.process(), process);
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    site.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_that_has_changed_is_read_anew_when_nothing_runs() {
    let site = Host::new(32 * MIB).await;
    site.detached().await;
    until_received(&site, MIB / 2).await;
    let text = std::fs::read_to_string(&site.file).unwrap();
    std::fs::write(&site.file, format!("{text}\n# changed\n")).unwrap();
    let mut pty = site.console();
    pty.until("has changed since");
    pty.until("1 group runs");
    pty.type_in("X");
    pty.until("Cancel everything?");
    pty.type_in("y");
    pty.until("idle");
    let before = site.process();
    pty.type_in("q");
    pty.end();
    let mut pty = site.console();
    pty.until("idle");
    assert_ne!(site.process(), before);
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    site.nothing_is_left().await;
}

/// Who starts a run learns that nothing will be known of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_detached_run_that_is_not_recorded_says_so() {
    let site = Host::new(MIB).await;
    let state = site.folder.path().join("state");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::write(
        state.join("journal.db"),
        "no database, and longer than a hundred bytes: ".repeat(9),
    )
    .unwrap();
    let args = ["run", "--all", "--detach", "-i", &site.file];
    let (lines, code, said) = site.program(&args).end().await;
    assert_eq!(code, Some(0), "{lines:?} {said}");
    assert!(
        said.contains("note: this run is not recorded") && said.contains("is damaged"),
        "{said}"
    );
    site.nothing_is_left().await;
    site.assert_delivered(&ENTITIES);
}

/// What an engine has delivered counts for its next start, and each start of work is a run that ends.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_stays_sends_what_is_missing_and_its_runs_end() {
    let site = Host::new(MIB).await;
    // It keeps the engine there.
    let mut pty = site.console();
    pty.until("idle");
    let runs = async || -> Vec<Value> {
        let told = site.said(&["history", "--json"]).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        told["runs"].as_array().unwrap().clone()
    };
    let start = async |before: usize| {
        site.detached().await;
        let began = Instant::now();
        loop {
            // In this order: once the run is known, an engine that is idle has ended it.
            let began_to_run = runs().await.len() > before;
            let status = site.status().await;
            if began_to_run && status["engine"]["busy"] == false {
                break;
            }
            assert!(began.elapsed() < LONG, "{status}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let newest = runs().await.remove(0);
        // The engine is there still.
        assert_eq!(
            (&newest["status"], &newest["outcome"]),
            (&"ended".into(), &"delivered".into()),
            "{newest}"
        );
        assert!(newest["ended"].is_string(), "{newest}");
        newest
    };
    let figures = |run: &Value| {
        let of = |key: &str| run[key].as_u64().unwrap();
        [of("delivered"), of("skipped"), of("delivered_bytes")]
    };
    let first = start(0).await;
    assert_eq!(figures(&first), [3, 0, 3 * MIB]);
    let process = site.process();

    let second = start(1).await;
    assert_eq!(figures(&second), [0, 3, 0]);
    assert_ne!(first["run"], second["run"]);
    assert_eq!(site.lab.bytes_received("e001"), MIB);

    // Somebody has put another file there since.
    let address = &site.lab.inventory().entity("e002").unwrap().address;
    let mut client =
        crate::support::client::Client::login(format!("{}:{}", address.host, address.port))
            .await
            .unwrap();
    let stored = client.store(PATH, b"another file").await.unwrap();
    assert!(stored.starts_with("226"), "{stored}");
    let third = start(2).await;
    assert_eq!(figures(&third), [1, 2, MIB]);
    assert_eq!(runs().await.len(), 3);
    assert_eq!(site.process(), process, "one engine did all of it");
    site.assert_delivered(&ENTITIES);
    pty.signal("KILL");
    pty.end();
    site.nothing_is_left().await;
}

/// Only root can be somebody else for a moment; elsewhere there is nothing to see.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_not_let_in() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65534;
    const VISIT: &str = "import socket, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.settimeout(30)\n\
        s.connect(sys.argv[1])\n\
        b = b'{\"protocol\":1,\"version\":\"x\",\"wants\":\"orders\",\"who\":\"x\"}'\n\
        try:\n\
        \u{20}s.send(len(b).to_bytes(4, 'big') + b)\n\
        \u{20}print(s.recv(100))\n\
        except OSError: print('cut off')\n";
    if !nix::unistd::geteuid().is_root() {
        println!("not root: skipped");
        return;
    }
    let site = Host::new(32 * MIB).await;
    site.detached().await;
    let visit = |uid: u32| {
        let socket = site
            .left()
            .into_iter()
            .find(|path| path.extension().unwrap() == "sock");
        let mut python = std::process::Command::new("python3");
        python.args(["-c", VISIT]).arg(socket.unwrap()).uid(uid);
        let said = python.output().unwrap();
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    assert!(visit(0).contains("welcome"));
    // The permissions alone keep others out.
    assert_eq!(visit(NOBODY), "");
    // And without them, it is looked at who comes.
    let engine = site.folder.path().join("state/engine");
    for (path, mode) in [
        (site.folder.path().to_owned(), 0o755),
        (site.folder.path().join("state"), 0o755),
        (engine, 0o755),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    for path in site.left() {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    }
    let said = visit(NOBODY);
    assert!(said.trim() == "cut off" || said.trim() == "b''", "{said}");
    let engine = site.folder.path().join("state/engine");
    std::fs::set_permissions(engine, std::fs::Permissions::from_mode(0o700)).unwrap();
    site.said(&["stop", "--cancel"]).await;
}

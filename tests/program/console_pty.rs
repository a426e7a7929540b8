//! The console on a real terminal: taken over, given back whatever happens, and never in the way of
//! a transfer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::pty::{Pty, attributes, ended};
use crate::support::{GROUP, IMAGE, LONG, PATH, at_rate, behave, lab, network};
use subtend::cli::signals::signals;
use subtend::console::{Options, PastRun, Site, Storage, run};
use subtend::engine::ImageManager;
use subtend::model::{EntityState, Logins, ReportFormat};
use subtend::protocol::{Command, GroupSpec};
use subtend::terminal::give_back;
use subtend::transport::ftp::FtpTransport;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");

/// The program's own console on its practice network.
fn demo(variables: &[(&str, &str)]) -> Pty {
    let state = std::env::temp_dir();
    let mut variables = variables.to_vec();
    variables.insert(0, ("XDG_STATE_HOME", state.to_str().unwrap()));
    let mut pty = Pty::start(PROGRAM, &["demo"], &variables);
    pty.until("idle");
    pty
}

#[test]
fn leaving_gives_the_terminal_back() {
    let mut pty = demo(&[]);
    pty.settle(Duration::from_millis(300));
    assert!(pty.is_taken());
    pty.type_in("q");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

/// The log goes to the state directory while the console has the terminal.
#[test]
fn what_happened_is_in_the_log_file() {
    let state = tempfile::tempdir().unwrap();
    let mut pty = demo(&[("XDG_STATE_HOME", state.path().to_str().unwrap())]);
    pty.type_in("q");
    assert!(pty.end().success());
    let log = state.path().join("subtend/subtend.log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("opens its console on"), "{log}");
    assert!(log.contains("has ended, exit code 0"), "{log}");
}

#[test]
fn signals_give_the_terminal_back() {
    for signal in ["TERM", "HUP", "INT"] {
        let mut pty = demo(&[]);
        pty.signal(signal);
        let status = pty.end();
        assert_eq!(status.signal(), None, "{signal} was not taken: {status:?}");
        pty.is_clean()
            .unwrap_or_else(|wrong| panic!("after {signal} {wrong}"));
    }
}

#[test]
fn a_terminal_that_vanishes_leaves_no_process_behind_when_nothing_runs() {
    let pty = demo(&[]);
    let status = ended(pty.vanish());
    assert_eq!(status.signal(), None, "{status:?}");
}

#[test]
fn an_idle_console_sends_nothing() {
    let mut pty = demo(&[]);
    pty.settle(Duration::from_millis(500));
    let sent = pty.stream.len();
    assert!(!pty.read(Duration::from_secs(2)), "it sends something");
    // It is still there.
    pty.type_in("?");
    pty.until("Help: Inventory");
    assert!(pty.stream.len() > sent);
}

#[test]
fn control_z_stops_with_a_clean_terminal_and_comes_back_redrawn() {
    // A shell with job control: without one there is nobody to come back from.
    let script =
        format!("set -m; '{PROGRAM}' demo; echo \"stopped: $?\"; read line; fg; echo ended");
    let mut pty = Pty::start("/bin/sh", &["-c", &script], &[]);
    pty.until("? help");
    pty.settle(Duration::from_millis(300));
    assert!(pty.is_taken());
    pty.type_in("\x1a");
    // 128 and the number of SIGTSTP.
    pty.until(&format!("stopped: {}", 128 + nix::libc::SIGTSTP));
    pty.is_clean().unwrap();
    pty.type_in("\r");
    pty.until("? help");
    pty.settle(Duration::from_millis(300));
    assert!(pty.is_taken());
    assert!(pty.shows("0 Overview 1 Inventory") && pty.shows("idle"));
    pty.type_in("q");
    pty.until("ended");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

#[test]
fn a_process_that_was_stopped_from_outside_takes_the_terminal_over_again() {
    let mut pty = demo(&[]);
    pty.settle(Duration::from_millis(300));
    pty.signal("STOP");
    // What a shell does meanwhile.
    pty.terminal.process(b"\x1b[?1049l\x1b[?25h\x1b[2J$ ");
    pty.signal("CONT");
    pty.until("0 Overview 1 Inventory");
    assert!(pty.is_taken());
    pty.type_in("q");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

#[test]
fn each_size_is_drawn_at_once_and_a_small_one_asks_for_room() {
    let mut pty = demo(&[]);
    pty.resize(60, 16);
    pty.until("q quit");
    let hints = |pty: &Pty, row| {
        let row = pty.terminal.screen().rows(0, 200).nth(row).unwrap();
        row.contains("? help")
    };
    let began = Instant::now();
    while !hints(&pty, 15) {
        assert!(began.elapsed() < LONG);
        pty.read(Duration::from_millis(50));
    }
    pty.resize(40, 10);
    pty.until("needs 60x16, has 40x10; transfers go on");
    assert!(!pty.shows("? help"));
    pty.resize(120, 40);
    pty.until("? help");
    assert!(!pty.shows("needs 60x16"));
    pty.type_in("q");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

#[test]
fn a_terminal_without_colours_gets_none_and_one_without_utf_8_ascii() {
    for (term, locale) in [("vt100", "C.UTF-8"), ("vt220", "C"), ("unheard-of", "C")] {
        let mut pty = demo(&[("TERM", term), ("LC_ALL", locale)]);
        for keys in ["?", "\x1b", "2", "3", "4", "5", "1", ":"] {
            pty.type_in(keys);
            pty.settle(Duration::from_millis(200));
        }
        pty.until("Command");
        let used = attributes(&pty.stream);
        // Attributes are below 10, colours above.
        assert!(used.iter().all(|number| *number < 10), "{term}: {used:?}");
        assert!(locale != "C" || pty.stream.is_ascii());
    }
    let mut pty = demo(&[]);
    pty.settle(Duration::from_millis(200));
    let used = attributes(&pty.stream);
    assert!(
        used.contains(&38),
        "a terminal of 256 colours gets some: {used:?}"
    );
}

#[test]
fn what_is_typed_on_a_slow_line_means_the_same() {
    let mut pty = demo(&[]);
    pty.type_in("?");
    pty.until("1-");
    for byte in ["\x1b", "[", "B"] {
        pty.type_in(byte);
        std::thread::sleep(Duration::from_millis(20));
    }
    pty.until("2-");
    // The Esc key alone closes.
    pty.type_in("\x1b");
    let began = Instant::now();
    while pty.shows("Help: Inventory") {
        assert!(began.elapsed() < LONG);
        pty.read(Duration::from_millis(50));
    }
    pty.type_in("q");
    assert!(pty.end().success());
}

// With an engine that works: this very test program, started again on a pty, is the console.

/// What the console in the pty is to do, and where it says how it went.
const PLAN: &str = "SUBTEND_TEST_CONSOLE";
const REPORT: &str = "SUBTEND_TEST_REPORT";

fn working(plan: &str) -> (Pty, TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let pty = Pty::start(
        std::env::current_exe().unwrap(),
        &[
            "--exact",
            "console_pty::the_console_in_the_pty",
            "--nocapture",
        ],
        &[(PLAN, plan), (REPORT, report.to_str().unwrap())],
    );
    (pty, folder, report)
}

/// Waits for what the console's engine has come to.
fn reported(report: &Path) -> String {
    let began = Instant::now();
    loop {
        match std::fs::read_to_string(report) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(began.elapsed() < LONG, "nothing is reported"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

struct Nowhere;

impl Storage for Nowhere {
    type Error = io::Error;

    fn keep(&self, _: &[GroupSpec]) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _: &str, _: &str) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn report(&self, _: &str, _: ReportFormat, _: &str) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn history(&self) -> io::Result<Vec<PastRun>> {
        Ok(Vec::new())
    }

    fn past_run(&self, _: &str, _: usize) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Not a test of its own: what the tests below start in a pty.
#[test]
fn the_console_in_the_pty() {
    let Ok(plan) = std::env::var(PLAN) else {
        return;
    };
    let report = PathBuf::from(std::env::var_os(REPORT).unwrap());
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back();
        usual(info);
    }));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(console(&plan, report));
}

async fn console(plan: &str, report: PathBuf) {
    // Two seconds of work.
    let (inventory, mut settings) = network(3, 1 << 20);
    behave(&mut settings, "*", at_rate(512 << 10));
    let lab = lab(&inventory, &settings).await;
    let inventory = Arc::new(lab.inventory().clone());
    let (link, engine) =
        ImageManager::start(inventory.clone(), Logins::default(), FtpTransport::new());
    let groups = vec![GroupSpec::Named(GROUP.into())];
    let start = Command::Start {
        groups,
        force: false,
    };
    link.commands.send(start).await.unwrap();
    let mut snapshots = link.snapshots.clone();
    let watched = async {
        let all_ended = snapshots
            .wait_for(|now| !now.groups.is_empty() && now.groups[0].phase.is_ended())
            .await
            .unwrap()
            .clone();
        let entities = &all_ended.groups[0].entities;
        let states: Vec<EntityState> = entities.iter().map(|entity| entity.state).collect();
        let whole = entities.iter().all(|entity| {
            lab.file(&entity.entity, PATH)
                .is_some_and(|file| file.same_as_image(IMAGE))
        });
        std::fs::write(&report, format!("{states:?} whole: {whole}\n")).unwrap();
    };
    let site = Site {
        inventory,
        kept: Vec::new(),
        without_password: BTreeMap::new(),
        to_ask: BTreeSet::new(),
        log_file: None,
        memories: Default::default(),
    };
    let signals = signals().unwrap();
    let options = Options {
        mouse: true,
        ..Options::default()
    };
    let console = run(link, site, options, Nowhere, signals.stop);
    match plan {
        "panic" => {
            let broken = async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                panic!("the report of this panic");
            };
            let (opened, ()) = tokio::join!(console, broken);
            opened.unwrap();
        }
        "panic elsewhere" => {
            let broken = tokio::spawn(async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                panic!("the report of this panic");
            });
            let (opened, broken, ()) = tokio::join!(console, broken, watched);
            assert!(broken.is_err());
            opened.unwrap();
        }
        _ => {
            let (opened, ()) = tokio::join!(console, watched);
            opened.unwrap();
        }
    }
    engine.await.unwrap();
}

const ALL_DELIVERED: &str = "[Delivered, Delivered, Delivered] whole: true\n";

/// Help, opened and closed: pictures of half a megabyte, far more than a pty holds.
fn flood(keys: &mut dyn std::io::Write) {
    for _ in 0..400 {
        keys.write_all(b"?").unwrap();
        keys.flush().unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_terminal_that_is_not_read_holds_up_no_transfer() {
    let (mut pty, _folder, report) = working("work");
    pty.until("1 group runs");
    pty.settle(Duration::from_millis(300));
    let before = pty.stream.len();
    let told = pty.unread(|keys| {
        flood(keys);
        reported(&report)
    });
    assert_eq!(told, ALL_DELIVERED);
    // It was really stopped; what was not read is little; and what comes then is the newest.
    pty.until("idle");
    let pent_up = pty.stream.len() - before;
    assert!(
        (4096..100_000).contains(&pent_up),
        "{pent_up} bytes were pent up"
    );
    // The flood has left the help open, or not.
    while pty.shows("Esc close") {
        pty.type_in("q");
        pty.settle(Duration::from_millis(300));
    }
    pty.type_in("q");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

#[test]
fn a_terminal_that_is_never_read_again_does_not_keep_a_signal_from_ending_the_console() {
    let (mut pty, _folder, report) = working("work");
    pty.until("1 group runs");
    let process = pty.process();
    let told = pty.unread(|keys| {
        flood(keys);
        let killed = std::process::Command::new("kill").arg(&process).status();
        assert!(killed.unwrap().success());
        let told = reported(&report);
        let began = Instant::now();
        while is_alive(&process) {
            assert!(began.elapsed() < LONG, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        told
    });
    assert!(told.contains("Cancelled"), "{told}");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

/// Neither gone nor waiting to be collected.
fn is_alive(process: &str) -> bool {
    let state = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", process])
        .output()
        .unwrap();
    let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// The names of a process' threads.
fn threads(process: &str) -> String {
    let threads = std::process::Command::new("ps")
        .args(["-L", "-o", "comm=", "-p", process])
        .output();
    String::from_utf8(threads.unwrap().stdout).unwrap()
}

#[test]
fn losing_the_terminal_stops_no_transfer() {
    let (mut pty, _folder, report) = working("work");
    pty.until("1 group runs");
    let process = pty.process();
    let child = pty.vanish();
    // Nor does it cost anything: nobody reads what can't come any more.
    let began = Instant::now();
    while threads(&process).contains("subtend-input") {
        assert!(began.elapsed() < LONG, "the terminal is still read");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(reported(&report), ALL_DELIVERED);
    ended(child);
}

#[test]
fn leaving_while_work_runs_asks_and_cancels_in_good_order() {
    let (mut pty, _folder, report) = working("work");
    pty.until("1 group runs");
    pty.type_in("q");
    pty.until("Leave and cancel?");
    pty.type_in("y");
    let told = reported(&report);
    assert!(
        told.contains("Cancelled") && told.contains("whole: false"),
        "{told}"
    );
    assert!(pty.end().success());
    pty.is_clean().unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_before_its_report_is_printed() {
    let (mut pty, _folder, _) = working("panic");
    pty.until("1 group runs");
    assert!(!pty.end().success());
    pty.is_clean().unwrap();
    assert!(
        pty.shows("the report of this panic"),
        "{}",
        pty.terminal.screen().contents()
    );
}

#[test]
fn a_panic_elsewhere_is_reported_and_the_console_goes_on() {
    let (mut pty, _folder, report) = working("panic elsewhere");
    pty.until("1 group runs");
    assert_eq!(reported(&report), ALL_DELIVERED);
    pty.until("idle");
    assert!(pty.is_taken());
    pty.type_in("q");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
    assert!(
        pty.shows("the report of this panic"),
        "{}",
        pty.terminal.screen().contents()
    );
}

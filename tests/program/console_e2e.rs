//! The operator's way through the console: the program on a real terminal, against a lab that the
//! test looks into afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::pty::Pty;
use crate::support::run::assert_untouched;
use crate::support::scripted::{Reply, Script, ScriptedServer};
use crate::support::{
    IMAGE, LONG, PATH, SERVER, at_rate, behave, entity, lab, network, within, yaml,
};
use subtend::lab::{Behaviour, Lab};
use subtend::model::Inventory;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");
const MIB: u64 = 1 << 20;
const ENTER: &str = "\r";
const DOWN: &str = "\x1b[B";
const ESC: &str = "\x1b";
/// Clears a line that is being typed.
const CTRL_U: &str = "\x15";

/// An inventory file in a folder of its own, beside the state directory of its console.
struct Site {
    folder: TempDir,
    text: String,
}

impl Site {
    /// The entities, the image and the file server of a lab; `more` is added as it is.
    fn new(inventory: &Inventory, more: &str) -> Self {
        let mut text = yaml(&Inventory {
            memory: MIB,
            ..inventory.clone()
        });
        text.push_str(more);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("site.yaml"), &text).unwrap();
        Self { folder, text }
    }

    /// Opens the console, with the state directory of that name and more arguments.
    fn open_with(&self, state: &str, more: &[&str]) -> Pty {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let file = path("site.yaml");
        let state = path(state);
        let args = [&["-i", &file, "--state-dir", &state], more].concat();
        let mut pty = Pty::start(Path::new(PROGRAM), &args, &[]);
        pty.until("idle");
        pty
    }

    fn open(&self) -> Pty {
        self.open_with("state", &[])
    }

    fn assert_untouched(&self) {
        let file = self.folder.path().join("site.yaml");
        assert_eq!(std::fs::read_to_string(file).unwrap(), self.text);
    }
}

/// A group of the inventory file.
fn group(name: &str, entities: &str) -> String {
    format!(
        "  {name}: {{ entities: [{entities}], image: {IMAGE}, source: {{ file_server: {SERVER} }} }}\n"
    )
}

fn until_so(pty: &mut Pty, what: &str, so: impl Fn(&Pty) -> bool) {
    let began = Instant::now();
    while !so(pty) {
        assert!(
            began.elapsed() < LONG,
            "{what}, waited for in vain:\n{}",
            pty.terminal.screen().contents()
        );
        pty.read(Duration::from_millis(50));
    }
}

fn until_gone(pty: &mut Pty, what: &str) {
    until_so(pty, &format!("{what:?} goes"), |pty| !pty.shows(what));
}

/// The first line of the screen that begins with this.
fn line(pty: &Pty, begin: &str) -> Option<String> {
    let mut lines = pty.terminal.screen().rows(0, 200);
    lines.find(|line| line.trim_start_matches(['▌', '>', ' ']).starts_with(begin))
}

fn until_line(pty: &mut Pty, begin: &str, wanted: &str) {
    until_so(pty, &format!("{begin:?} with {wanted:?}"), |pty| {
        line(pty, begin).is_some_and(|line| line.contains(wanted))
    });
}

/// The percent in the line that begins so.
fn percent(pty: &Pty, begin: &str) -> Option<u64> {
    let line = line(pty, begin)?;
    let (before, _) = line.split_once('%')?;
    before.rsplit(' ').next()?.parse().ok()
}

fn until_percent_above(pty: &mut Pty, begin: &str, above: u64) -> u64 {
    until_so(pty, &format!("{begin:?} above {above} %"), |pty| {
        percent(pty, begin).is_some_and(|now| now > above)
    });
    percent(pty, begin).unwrap()
}

/// From the groups page, over the review, to the watch page.
fn start_group(pty: &mut Pty, name: &str) {
    pty.type_in("S");
    pty.until(&format!("Group {name}"));
    pty.until("Y starts.");
    pty.has_read();
    pty.type_in("Y");
    pty.until(&format!("{name}: {IMAGE} version 2"));
}

/// Marks all with the old version and makes a group of them that gets the image from the server
/// or, `down` rows below it, from somewhere else.
fn make_group(pty: &mut Pty, name: &str, down: usize, has_it: &str) {
    pty.type_in("/");
    pty.until("/ words");
    pty.type_in("version:1");
    pty.type_in(ENTER);
    pty.until("filter: version:1");
    pty.type_in("a");
    pty.until_marked();
    pty.type_in("n");
    pty.until("Name of the new group");
    pty.type_in(CTRL_U);
    pty.type_in(name);
    pty.until(&format!("> {name}"));
    pty.type_in(ENTER);
    pty.until(&format!("{name}, made here"));
    pty.until("? no image yet");
    pty.type_in("i");
    pty.until(&format!("Image of {name}"));
    pty.type_in(ENTER);
    until_gone(pty, "? no image yet");
    pty.until("? no source yet");
    pty.type_in("o");
    pty.until(&format!("Source of {name}"));
    pty.type_in("a");
    pty.until(has_it);
    for _ in 0..down {
        pty.type_in(DOWN);
    }
    pty.type_in(ENTER);
    until_gone(pty, "? no source yet");
    pty.until("+ ready");
}

trait Marked {
    fn until_marked(&mut self);
}

impl Marked for Pty {
    /// Until all that are shown are marked.
    fn until_marked(&mut self) {
        until_so(self, "all are marked", |pty| {
            pty.terminal.screen().rows(0, 200).any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                matches!(&words[..], [marked, "marked", shown, "shown", ..]
                    if marked == shown && *marked != "0")
            })
        });
    }
}

fn assert_delivered(lab: &Lab, name: &str) {
    let file = lab.file(name, PATH).unwrap();
    assert!(file.same_as_image(IMAGE), "{name}");
    assert_eq!(lab.files(name), [PATH], "{name} holds something else too");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_marks_to_all_delivered_over_a_failure() {
    let (mut inventory, mut settings) = network(5, 3 * MIB);
    // It has the image already, and is where the others get it from.
    inventory.entities.push(Arc::new(entity("e006", "2")));
    behave(&mut settings, "*", at_rate(MIB));
    behave(&mut settings, "e002", at_rate(MIB / 2));
    let heals = Behaviour {
        drop_at: Some(MIB),
        drop_times: Some(1),
        ..at_rate(MIB)
    };
    behave(&mut settings, "e003", heals);
    let lab = lab(&inventory, &settings).await;
    let site = Site::new(lab.inventory(), "");

    let mut pty = site.open();
    make_group(&mut pty, "tonight", 2, "1 have it, 6 checked");
    pty.until("peer:e006");
    // What fails is to stay failed until the operator has it tried again.
    pty.type_in("T");
    pty.until("8 5m");
    pty.type_in(CTRL_U);
    pty.type_in("0");
    pty.type_in(ENTER);
    until_line(&mut pty, "retries", "none");

    pty.type_in("S");
    pty.until("1 group: 5 entities get an image");
    for (begin, wanted) in [
        ("image", "adsl-2, version 2"),
        ("source", "e006"),
        ("send to", "5: e[001-005]"),
        ("pool", "16 buffers of 64.0 KiB"),
    ] {
        until_line(&mut pty, begin, wanted);
    }
    assert_eq!(lab.bytes_received("e001"), 0, "a review sends nothing");

    pty.has_read();
    pty.type_in("Y");
    pty.until("1 group runs");
    let first = until_percent_above(&mut pty, "e001", 0);
    assert!(first < 100, "it was not seen running");
    until_percent_above(&mut pty, "e001", first);
    until_line(&mut pty, "source", "e006");
    until_line(&mut pty, "pool", "16 x 64 KiB");
    until_line(&mut pty, "tonight:", "waits for e002");
    until_line(&mut pty, "e003", "X failed");
    until_line(&mut pty, "e003", "426");
    pty.until("X 1 failed");

    pty.type_in("m");
    until_line(&mut pty, "e003: failed, send:", "426");
    pty.type_in("r");
    pty.until("Try again as tonight-retry: 1 of 1");
    pty.until("[x] e003");
    assert!(pty.shows("426"));
    pty.has_read();
    pty.type_in(ENTER);
    pty.until("tonight-retry: adsl-2 version 2");
    pty.until("idle");
    until_line(&mut pty, "tonight-retry:", "ended: delivered");
    until_line(&mut pty, "e003", "delivered");
    pty.type_in("h");
    until_line(&mut pty, "tonight:", "ended: partial");
    pty.until("4 delivered");

    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    pty.is_clean().unwrap();
    for number in 1..=5 {
        assert_delivered(&lab, &format!("e00{number}"));
    }
    assert_eq!(lab.bytes_served(SERVER), 0, "a peer was the source");
    site.assert_untouched();
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_asks_first_and_esc_never_aborts() {
    let (inventory, mut settings) = network(3, 32 * MIB);
    behave(&mut settings, "*", at_rate(MIB));
    let lab = lab(&inventory, &settings).await;
    let groups = format!("groups:\n{}", group("all", "e001, e002, e003"));
    let site = Site::new(lab.inventory(), &groups);

    let mut pty = site.open();
    pty.type_in("2");
    pty.until("+ ready");
    start_group(&mut pty, "all");
    within(LONG, lab.until_received("e003", MIB / 4)).await;

    pty.type_in("q");
    pty.until("Work runs. Leave?");
    pty.type_in(ESC);
    until_gone(&mut pty, "Work runs. Leave?");
    let sent = lab.bytes_received("e001");
    within(LONG, lab.until_received("e001", sent + MIB / 4)).await;

    // Esc closes questions, and otherwise goes back.
    pty.type_in("\x03");
    pty.until("Work runs. Leave?");
    pty.type_in(ESC);
    until_gone(&mut pty, "Work runs. Leave?");
    pty.type_in("4x");
    pty.until("y yes");
    pty.type_in(ESC);
    until_gone(&mut pty, "y yes");
    for _ in 0..3 {
        pty.type_in(ESC);
        // Another key, or two Esc would be one key of the terminal.
        pty.type_in("g");
    }
    let sent = lab.bytes_received("e001");
    within(LONG, lab.until_received("e001", sent + MIB / 4)).await;
    assert!(pty.shows("1 group runs"));

    pty.type_in("q");
    pty.until("Work runs. Leave?");
    pty.type_in(DOWN);
    pty.type_in(ENTER);
    assert_eq!(pty.end().exit_code(), 130);
    pty.is_clean().unwrap();
    for name in ["e001", "e002", "e003"] {
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_made_here_are_there_again_and_the_inventory_is_as_it_was() {
    let (mut inventory, settings) = network(3, MIB);
    inventory.entities.push(Arc::new(entity("e004", "2")));
    let lab = lab(&inventory, &settings).await;
    let site = Site::new(lab.inventory(), "");

    let mut pty = site.open();
    make_group(&mut pty, "tonight", 0, "1 have it, 4 checked");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    site.assert_untouched();

    let mut pty = site.open();
    pty.type_in("2");
    pty.until("tonight, made here");
    until_line(&mut pty, "image", "adsl-2: type adsl");
    until_line(&mut pty, "source", "hq: file server");
    until_line(&mut pty, "entities", "3: e[001-003]");
    pty.until("+ ready");
    start_group(&mut pty, "tonight");
    until_line(&mut pty, "tonight:", "ended: delivered");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    for name in ["e001", "e002", "e003"] {
        assert_delivered(&lab, name);
    }

    // They belong to the state directory.
    let mut pty = site.open_with("another", &[]);
    pty.type_in("2");
    until_gone(&mut pty, "e001");
    assert!(!pty.shows("tonight"));
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    site.assert_untouched();
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_at_the_start_used_and_never_echoed() {
    const PASSWORD: &str = "Xq7-harbour";
    let (inventory, settings) = network(1, MIB);
    let lab = lab(&inventory, &settings).await;
    let locked = ScriptedServer::start(
        Script::default()
            .on("USER", Reply::line("331 password?"))
            .on("PASS", Reply::line("230 welcome")),
    )
    .await;
    // e002 is no server of the lab: one that tells what password it was given.
    let more = format!(
        "  - {{ name: e002, type: adsl, version: '1', address: '{}', path: {PATH}, credentials: craft }}\n\
         credentials: {{ craft: {{ user: craft, password: {{ ask: true }} }} }}\n\
         groups:\n{}",
        locked.address(),
        group("all", "e001, e002")
    );
    let site = Site::new(lab.inventory(), &more);

    let mut pty = site.open();
    assert!(!pty.shows("assword"), "asked for before it is needed");
    pty.type_in("2");
    pty.until("+ ready");
    pty.type_in("S");
    pty.until("Y asks for passwords and starts");
    pty.until("craft (user craft): asked for at the start");
    assert_eq!(lab.bytes_received("e001"), 0);
    pty.has_read();
    pty.type_in("Y");
    pty.until("assword of craft");
    pty.type_in(PASSWORD);
    pty.type_in(ENTER);
    pty.until("all: adsl-2 version 2");
    until_line(&mut pty, "all:", "ended: delivered");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);

    let log = locked.log();
    assert!(log.commands().contains(&"USER craft"), "{log:?}");
    let passwords: Vec<&str> = log
        .commands()
        .into_iter()
        .filter(|line| line.starts_with("PASS "))
        .collect();
    assert!(!passwords.is_empty());
    assert!(
        passwords
            .iter()
            .all(|line| *line == format!("PASS {PASSWORD}")),
        "{passwords:?}"
    );
    let stored = locked.file(PATH).unwrap();
    assert!(stored == lab.image_bytes(IMAGE, 0, MIB as usize).unwrap());
    // Neither whole nor in parts: what is typed comes a key at a time.
    let drawn = String::from_utf8_lossy(&pty.stream);
    assert!(!drawn.contains(PASSWORD) && !drawn.contains("Xq7") && !drawn.contains("harbour"));
    for state in walk(&site.folder.path().join("state")) {
        let text = std::fs::read(&state).unwrap();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(PASSWORD), "{}", state.display());
    }
    locked.stop().await;
    lab.stop().await;
}

/// All files below a folder.
fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| match entry.file_type().unwrap() {
            kind if kind.is_dir() => walk(&entry.path()),
            kind if kind.is_file() => vec![entry.path()],
            // A socket has nothing in it.
            _ => Vec::new(),
        })
        .collect()
}

/// Sends to twenty entities while a page is watched, and returns the bytes a second that the terminal was sent.
async fn watched(page: &str, more: &[&str]) -> f64 {
    let (inventory, mut settings) = network(20, 4 * MIB);
    behave(&mut settings, "*", at_rate(MIB / 2));
    let lab = lab(&inventory, &settings).await;
    let names: Vec<String> = (1..=20).map(|number| format!("e{number:03}")).collect();
    let groups = format!("groups:\n{}", group("all", &names.join(", ")));
    let site = Site::new(lab.inventory(), &groups);

    let mut pty = site.open_with("state", more);
    pty.type_in("2");
    pty.until("+ ready");
    start_group(&mut pty, "all");
    pty.type_in(page);
    let began = Instant::now();
    let before = pty.stream.len();
    until_line(&mut pty, "all:", "ended: delivered");
    let (time, bytes) = (began.elapsed().as_secs_f64(), pty.stream.len() - before);
    let rate = bytes as f64 / time;
    println!(
        "page {page} with 20 entities {more:?}: {bytes} bytes in {time:.1} s, {rate:.0} bytes a second"
    );
    assert!(time > 6.0, "too short to say: {time:.1} s");
    assert!(bytes > 1000, "it was not drawn: {bytes} bytes");

    pty.settle(Duration::from_millis(500));
    assert!(
        !pty.read(Duration::from_secs(2)),
        "idle, it sends something"
    );
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    lab.stop().await;
    rate
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_twenty_entities_stays_under_2_kb_a_second() {
    let rate = watched("4", &[]).await;
    assert!(rate < 2048.0, "{rate:.0} bytes a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plots_of_twenty_entities_stay_under_2_kb_a_second() {
    let rate = watched("0", &[]).await;
    assert!(rate < 2048.0, "{rate:.0} bytes a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_slow_line_the_plots_of_twenty_entities_stay_under_900_bytes_a_second() {
    let rate = watched("0", &["--slow"]).await;
    assert!(rate < 900.0, "{rate:.0} bytes a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_started_while_another_runs() {
    let (inventory, mut settings) = network(4, 4 * MIB);
    behave(&mut settings, "*", at_rate(MIB));
    let lab = lab(&inventory, &settings).await;
    let groups = format!(
        "groups:\n{}{}",
        group("first", "e001, e002"),
        group("second", "e003, e004")
    );
    let site = Site::new(lab.inventory(), &groups);

    let mut pty = site.open();
    pty.type_in("2");
    pty.until("first, of the inventory");
    start_group(&mut pty, "first");
    pty.until("1 group runs");
    within(LONG, lab.until_received("e001", MIB / 4)).await;
    pty.type_in("2");
    pty.until("first, of the inventory");
    pty.type_in(DOWN);
    pty.until("second, of the inventory");
    start_group(&mut pty, "second");
    pty.until("2 groups run");
    pty.until("second: adsl-2 version 2");
    until_percent_above(&mut pty, "e003", 0);
    pty.until("idle");
    until_line(&mut pty, "second:", "ended: delivered");
    pty.type_in("h");
    until_line(&mut pty, "first:", "ended: delivered");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    for name in ["e001", "e002", "e003", "e004"] {
        assert_delivered(&lab, name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_told_when_the_console_opens_and_past_runs_are_on_a_page() {
    let (inventory, mut settings) = network(3, 4 * MIB);
    behave(&mut settings, "e002", at_rate(MIB));
    let lab = lab(&inventory, &settings).await;
    let groups = format!(
        "groups:\n{}{}",
        group("first", "e001"),
        group("second", "e002, e003")
    );
    let site = Site::new(lab.inventory(), &groups);

    let mut pty = site.open();
    pty.type_in("2");
    pty.until("first, of the inventory");
    start_group(&mut pty, "first");
    until_line(&mut pty, "first:", "ended: delivered");
    // The engine is there still; its run has ended.
    pty.type_in("H");
    pty.until("delivered         1       0      0 first by");
    pty.type_in("\r");
    pty.until("verified");
    pty.type_in(ESC);
    until_gone(&mut pty, "verified");
    pty.type_in("2");
    pty.until("first, of the inventory");
    pty.type_in(DOWN);
    pty.until("second, of the inventory");
    start_group(&mut pty, "second");
    within(LONG, lab.until_received("e002", MIB / 4)).await;
    // The console has no part in it; the engine has.
    let engine = std::fs::read_dir(site.folder.path().join("state/engine")).unwrap();
    let lock = engine.map(|entry| entry.unwrap().path());
    let lock = lock
        .into_iter()
        .find(|path| path.extension().unwrap() == "lock");
    let process = std::fs::read_to_string(lock.unwrap()).unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", process.trim()])
        .status();
    assert!(killed.unwrap().success());
    pty.until("the engine is gone");
    pty.type_in("q");
    pty.end();

    let mut pty = site.open();
    pty.until("was cut off: 2 staged");
    pty.type_in("H");
    pty.until("cut off");
    pty.until("second by");
    pty.type_in("\r");
    pty.until("holds");
    pty.type_in(ESC);
    until_gone(&mut pty, "holds");
    pty.type_in("q");
    assert_eq!(pty.end().exit_code(), 0);
    lab.stop().await;
}

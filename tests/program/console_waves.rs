//! Waves in the console, through the real program on the practice network: the first one ends, the group is paused,
//! and nothing begins before somebody has read the question.

use std::path::Path;
use std::time::Duration;

use subtend::lab::Lab;

use crate::support::pty::Pty;
use crate::support::upgrades::{Site, assert_sound};

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");
const ENTER: &str = "\r";
const ESC: &str = "\x1b";
/// Longer than a question has to be on the screen before it is answered.
const READ: Duration = Duration::from_millis(600);

/// How many of the first devices run the new version.
fn upgraded(lab: &Lab) -> usize {
    let names = (1..=6).map(|at| format!("t{at:03}"));
    names
        .filter(|name| lab.machine(name).unwrap().version == "2")
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_ends_the_group_is_paused_and_one_key_and_a_question_go_on() {
    let site = Site {
        numbers: [6, 1, 1],
        activate: "now",
        behaviour: "",
    };
    let lab = site.serve().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let now = "image: telnet-2, source: { file_server: hq }, activate: now";
    let text = site.as_served(&lab);
    assert!(text.contains(now));
    let text = text.replace(now, &format!("{now}, waves: [1, 2, rest], proceed: ask"));
    std::fs::write(path("site.yaml"), text).unwrap();
    let args = ["-i", &path("site.yaml"), "--state-dir", &path("state")];
    let mut pty = Pty::start(Path::new(PROGRAM), &args, &[]);
    pty.until("idle");

    pty.type_in("2");
    pty.until("telnet, of the inventory");
    pty.until("1 + 2 + rest; asks before each next one");
    pty.type_in("S");
    pty.until("Group telnet");
    pty.has_read();
    pty.type_in("Y");
    pty.until("run another image?");
    pty.has_read();
    pty.type_in("y");
    pty.until("wave 1 went well; next: wave 2 of 3, 2 entities");
    pty.until("p go on");
    assert_eq!(upgraded(&lab), 1);

    // A key that bounces on a slow line, and an Enter that was meant for something else.
    pty.type_in("pp");
    pty.type_in(ENTER);
    pty.until("Begins now: wave 2 of 3, 2 entities.");
    pty.settle(READ);
    pty.type_in(ESC);
    pty.until("1 group paused");
    pty.settle(READ);
    assert_eq!(upgraded(&lab), 1, "nothing begins by accident");

    pty.type_in("p");
    pty.until("Begins now: wave 2 of 3, 2 entities.");
    pty.settle(READ);
    pty.type_in(ENTER);
    pty.until("wave 2 went well; next: wave 3 of 3, 3 entities");
    assert_eq!(upgraded(&lab), 3);

    pty.type_in("p");
    pty.until("Begins now: wave 3 of 3, 3 entities.");
    pty.settle(READ);
    pty.type_in(ENTER);
    pty.until("ended: upgraded");
    pty.until("✓1  ✓2  ✓3");
    assert_eq!(upgraded(&lab), 6);
    pty.type_in("q");
    assert!(pty.end().success());
    pty.is_clean().unwrap();
    assert_sound(&lab);
    lab.stop().await;
}

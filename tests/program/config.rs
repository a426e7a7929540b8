//! Settings of the console: `subtend config`, a file that is wrong, and a console that obeys one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::host::Host;
use crate::support::pty::{Pty, attributes};

const PROGRAM: &str = env!("CARGO_BIN_EXE_subtend");
const MIB: u64 = 1 << 20;

fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(args);
    for name in [
        "SUBTEND_CONFIG",
        "SUBTEND_THEME",
        "NO_COLOR",
        "SUBTEND_INVENTORY",
    ] {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

fn printed(args: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(args, variables);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn file(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("config.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Without comments, which say where each value comes from.
fn values(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split("  # ").next().unwrap())
        .collect()
}

#[test]
fn what_config_prints_is_read_as_the_same_settings() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let usual = folder.path().join("subtend/config.yaml");
    let home = [("XDG_CONFIG_HOME", home)];
    let path = printed(&["config", "--path"], &home);
    assert_eq!(path.trim_end(), usual.to_str().unwrap());
    // Nothing is there yet.
    let first = printed(&["config"], &home);
    assert!(first.contains("theme: dark  # default"), "{first}");
    let with = [home[0], ("SUBTEND_THEME", "light")];
    let chosen = printed(&["config", "--time", "Europe/Berlin", "--mouse"], &with);
    for line in [
        "theme: light  # from SUBTEND_THEME",
        "time: \"Europe/Berlin\"  # from --time",
        "mouse: true  # from --mouse",
    ] {
        assert!(chosen.lines().any(|one| one == line), "{line}: {chosen}");
    }
    // Saved, it says the same by itself.
    std::fs::create_dir(usual.parent().unwrap()).unwrap();
    std::fs::write(&usual, &chosen).unwrap();
    let again = printed(&["config"], &home);
    assert_eq!(values(&again), values(&chosen));
    assert!(again.contains("theme: light  # from the file"), "{again}");
    assert_eq!(printed(&["config", "--check"], &home), "");
    // The one of the docs.
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.example.yaml");
    let shown = printed(&["--config", example, "config"], &[]);
    assert!(shown.contains("cancel: \"F9\""), "{shown}");
    let shown = printed(&["config"], &[("SUBTEND_CONFIG", example)]);
    assert!(shown.contains("cancel: \"F9\""), "{shown}");
}

#[test]
fn a_wrong_file_ends_with_2_and_is_told_whole() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = file(
        folder.path(),
        "theem: light\ntime: nowhere\nkeys: { watch: { cancel: p } }\n",
    );
    let wrong = wrong.to_str().unwrap();
    let missing = folder.path().join("none.yaml");
    for args in [&["config"][..], &["config", "--check"]] {
        let output = run(&[args, &["--config", wrong]].concat(), &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty());
        let said = String::from_utf8(output.stderr).unwrap();
        for words in [
            "config.yaml:1:1: error: unknown key `theem`",
            "did you mean `theme`?",
            "config.yaml:2:7: error: `nowhere` is no time zone",
            "config.yaml:3:18: error: p is bound twice on page Watch",
            "3 errors in",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    let output = run(&["--config", missing.to_str().unwrap(), "config"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("there is no such file"), "{said}");
    let output = run(&["config"], &[("SUBTEND_TIME", "nowhere")]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("SUBTEND_TIME is wrong"), "{said}");
    // A console does not open on it, and leaves the terminal alone; what opens none does not read it.
    let mut pty = Pty::start(PROGRAM, &["demo", "--config", wrong], &[]);
    assert_eq!(pty.end().exit_code(), 2);
    assert!(String::from_utf8_lossy(&pty.stream).contains("unknown key `theem`"));
    assert!(!String::from_utf8_lossy(&pty.stream).contains("\x1b[?1049h"));
    let output = run(&["completions", "bash", "--config", wrong], &[]);
    assert_eq!(output.status.code(), Some(0));
}

/// Another first page, other keys and colours for paper: and the keys that are gone do nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_as_the_file_says() {
    let site = Host::new(MIB).await;
    let folder = tempfile::tempdir().unwrap();
    let config = file(
        folder.path(),
        "theme: light\nstart_page: watch\nnotices: { title: false }\nkeys:\n  \
         global: { inventory: F2, quit: Q, redraw: F8 }\n  inventory: { upgrade: F4 }\n  \
         review: { begin: ctrl-g }\n",
    );
    let mut pty = site.pty(&["-i", &site.file, "--config", config.to_str().unwrap()]);
    pty.until("Select groups on the Groups page (2) and press S");
    assert!(pty.shows("F2 Inventory") && pty.shows("Q quit"));
    pty.type_in("1");
    pty.until("1 means nothing on page Watch: ? shows its keys");
    pty.type_in("\x1bOQ");
    pty.until("F4 upgrade");
    pty.type_in("U");
    pty.until("U means nothing on page Inventory");
    pty.type_in("\x1bOS");
    pty.until("Ctrl-G starts.");
    pty.type_in("Y");
    pty.until("Y means nothing on page Review");
    pty.has_read();
    pty.type_in("\x07");
    pty.until("ended: delivered");
    pty.type_in("q");
    pty.until("q means nothing on page Watch");
    pty.type_in("Q");
    assert_eq!(pty.end().exit_code(), 0);
    let stream = String::from_utf8_lossy(&pty.stream).into_owned();
    assert!(!stream.contains(" - subtend\x1b\\"), "no title is set");
    // 256 colours, of the light theme alone.
    let numbers = attributes(&pty.stream);
    let colours = numbers.windows(3).filter(|three| three[..2] == [38, 5]);
    let colours: Vec<u16> = colours.map(|three| three[2]).collect();
    let light = [241, 23, 26, 94, 160, 25];
    assert!(
        !colours.is_empty() && colours.iter().all(|one| light.contains(one)),
        "{colours:?}"
    );
}

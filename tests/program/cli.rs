//! The program itself: exit codes and streams.

use std::process::{Command, Output, Stdio};

fn subtend(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_subtend"))
        .args(args)
        .env_remove("SUBTEND_INVENTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_nothing_on_standard_output() {
    for args in [
        &["run"][..],
        &["run", "--all", "adsl"],
        &["history", "--json", "--csv"],
        &["recover", "--forget", "--clean"],
        &["-i", "none.yaml", "check"],
        &["--mono", "check"],
        &["demo", "--headless", "--slow"],
    ] {
        let output = subtend(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

/// Nothing is started, and nothing is left behind.
#[test]
fn without_a_fit_terminal_the_console_points_to_the_way_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let state_dir = state.to_str().unwrap();
    for (term, words) in [("xterm", "is no terminal"), ("dumb", "TERM=dumb")] {
        for args in [
            &[][..],
            &["--mono"],
            &["-i", "none.yaml"],
            &["demo"],
            &["demo", "--ascii"],
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_subtend"))
                .args(args)
                .args(["--state-dir", state_dir])
                .env("TERM", term)
                .env_remove("SUBTEND_INVENTORY")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
            let said = text(&output.stderr);
            assert!(
                said.contains(words) && said.contains("`subtend run --all`"),
                "{said}"
            );
            assert!(output.stdout.is_empty() && !state.exists(), "{args:?}");
        }
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = subtend(&["completions", shell]);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("entities"), "{shell}");
    }
    let page = subtend(&["man"]);
    assert!(text(&page.stdout).contains(".TH subtend 1"), "{page:?}");
    let folder = tempfile::tempdir().unwrap();
    assert!(
        subtend(&["man", "--dir", folder.path().to_str().unwrap()])
            .status
            .success()
    );
    let page = std::fs::read_to_string(folder.path().join("subtend-run.1")).unwrap();
    assert!(page.contains("laggards"), "{page}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_subtend"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

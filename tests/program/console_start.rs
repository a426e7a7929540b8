//! What keeps the console from opening, shown on a terminal that it has not taken over.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use subtend::cli::saved_groups::SavedGroups;

const LONG: Duration = Duration::from_secs(60);

/// Runs the program on a terminal to its end: its exit code, and all that it wrote.
fn on_a_terminal(args: &[&str], variables: &[(&str, &Path)]) -> (u32, String) {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_subtend"));
    command.args(args);
    command.env("TERM", "xterm");
    for name in ["SUBTEND_INVENTORY", "SUBTEND_LOG"] {
        command.env_remove(name);
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut from = pair.master.try_clone_reader().unwrap();
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // The end of a pty is an error on some systems; what was read before is there.
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    let Ok(bytes) = ended.recv_timeout(LONG) else {
        child.kill().unwrap();
        panic!("it did not end");
    };
    let code = child.wait().unwrap().exit_code();
    (code, String::from_utf8(bytes).unwrap())
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.yaml");
    std::fs::write(&file, "memory: 1 MiB\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[test]
fn a_wrong_inventory_is_told_and_ends_with_2() {
    let (folder, file) = folder();
    std::fs::write(&file, "memory: lots\nfrob: 1\n").unwrap();
    let state = folder.path().join("state");
    let (code, said) = on_a_terminal(&["-i", &file, "--state-dir", state.to_str().unwrap()], &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("frob") && said.contains("lots"), "{said}");
    assert!(!said.contains("\u{1b}[?1049h"), "{said:?}");
}

/// The state lies where the environment says, and what was kept there is not lost.
#[test]
fn kept_groups_that_are_damaged_are_told_and_moved_aside() {
    let (folder, file) = folder();
    let state = folder.path().join("subtend");
    let kept = SavedGroups::of(&state, Path::new(&file));
    std::fs::create_dir_all(kept.file().parent().unwrap()).unwrap();
    std::fs::write(kept.file(), "{ half").unwrap();
    let (code, said) = on_a_terminal(&["-i", &file], &[("XDG_STATE_HOME", folder.path())]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(".broken"), "{said}");
    assert!(!said.contains("\u{1b}[?1049h"), "{said:?}");
    let moved = format!("{}.broken", kept.file().display());
    assert_eq!(std::fs::read_to_string(moved).unwrap(), "{ half");
    assert!(!kept.file().exists());
    let log = std::fs::metadata(state.join("subtend.log")).unwrap();
    assert_eq!(log.permissions().mode() & 0o777, 0o600);
}

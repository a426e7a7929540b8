//! The program as a process, against a lab in the test's own.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Once;

use subtend::lab::{Behaviour, Lab};
use subtend::model::Inventory;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::{IMAGE, LONG, behave, lab, network, within, yaml};

const MIB: u64 = 1 << 20;

/// The program: beside the folder of the test that runs, for cargo tells the path to tests alone.
pub fn subtend() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("subtend")
}

/// A running `subtend`.
pub struct Program {
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it keeps between runs, for itself alone.
    _state: Option<TempDir>,
}

impl Program {
    pub fn start(args: &[&str]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().to_owned();
        Self {
            _state: Some(state),
            ..Self::keeping(&path, args)
        }
    }

    /// With a place for what is kept that outlives it.
    pub fn keeping(state: &Path, args: &[&str]) -> Self {
        Self::command(state, subtend().to_str().unwrap(), args)
    }

    /// Through another program, which becomes it.
    pub fn command(state: &Path, program: &str, args: &[&str]) -> Self {
        hear_interrupts();
        let mut child = Command::new(program)
            .args(args)
            .env_remove("SUBTEND_INVENTORY")
            .env_remove("XDG_RUNTIME_DIR")
            .env("XDG_STATE_HOME", state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            _state: None,
        }
    }

    pub async fn line(&mut self) -> Option<String> {
        within(LONG, self.lines.next_line()).await.unwrap()
    }

    /// Reads lines up to one that is wanted.
    pub async fn until(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line().await.expect("the program goes on");
            if wanted(&line) {
                return line;
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let process = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &process])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The most memory that it ever had resident, in bytes, while it runs.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() << 10
    }

    /// The rest of its lines, its exit code, and what it said on standard error.
    pub async fn end(mut self) -> (Vec<String>, Option<i32>, String) {
        let mut lines = Vec::new();
        let mut said = String::new();
        // At the same time: a full pipe of either would stop it.
        let mut errors = self.child.stderr.take().unwrap();
        let read = async { errors.read_to_string(&mut said).await.unwrap() };
        let print = async {
            while let Some(line) = self.line().await {
                lines.push(line);
            }
        };
        tokio::join!(read, print);
        let status = within(LONG, self.child.wait()).await.unwrap();
        (lines, status.code(), said)
    }
}

/// Signals that were ignored when this process began, one bit each (Linux); none elsewhere.
pub fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (status.lines().find_map(|line| line.strip_prefix("SigIgn:")))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Ctrl-C ends a program that this process starts, also where a script runs the tests in the background and has
/// them ignore it: a signal that is listened to is no longer ignored by what is started then.
fn hear_interrupts() {
    static HEARD: Once = Once::new();
    HEARD.call_once(|| {
        let interrupt = SignalKind::interrupt();
        if ignored_signals() & (1 << (interrupt.as_raw_value() - 1)) != 0 {
            drop(signal(interrupt).unwrap());
        }
    });
}

/// The inventory of a lab as YAML, in a folder of its own.
pub fn written(inventory: &Inventory) -> (TempDir, String) {
    let mut text = yaml(inventory);
    let server = &inventory.file_servers[0];
    writeln!(
        text,
        "groups: {{ all: {{ select: {{ type: adsl }}, image: {IMAGE}, source: {{ file_server: {} }}, retries: 0 }} }}",
        server.name
    )
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inventory.yaml");
    std::fs::write(&file, text).unwrap();
    (folder, file.to_str().unwrap().to_owned())
}

pub async fn served(
    entities: usize,
    size: u64,
    behaviours: &[(&str, Behaviour)],
) -> (Lab, TempDir, String) {
    let (mut inventory, mut settings) = network(entities, size);
    inventory.memory = MIB;
    for (names, behaviour) in behaviours {
        behave(&mut settings, names, behaviour.clone());
    }
    let lab = lab(&inventory, &settings).await;
    let (folder, file) = written(lab.inventory());
    (lab, folder, file)
}

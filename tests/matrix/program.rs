//! The program as a process, as an operator runs it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::support::real::{BASIC, PASSPHRASE, PASSWORD};

/// No user's password.
const WRONG: &str = "wrong-0815-Xy";

/// What must stand nowhere, the pairs of user and password as HTTP sends them (RFC 7617) among it.
pub(crate) const SECRETS: [&str; 5] = [
    PASSWORD,
    WRONG,
    PASSPHRASE,
    BASIC,
    "Y3JhZnQ6d3JvbmctMDgxNS1YeQ",
];

/// Longer than any of it takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(150);

/// What a command has said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn start(state: &Path, log: &str, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_subtend"))
        .args(args)
        .env_remove("SUBTEND_INVENTORY")
        .env_remove("XDG_RUNTIME_DIR")
        .env("XDG_STATE_HOME", state)
        .env("MATRIX_PASSWORD", PASSWORD)
        .env("MATRIX_WRONG", WRONG)
        .env("MATRIX_PASSPHRASE", PASSPHRASE)
        .env("MATRIX_ANYBODY", "x@")
        .env("SUBTEND_LOG", log)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Runs a command to its end.
///
/// # Errors
/// When it does not end.
pub(crate) async fn run(state: &Path, log: &str, args: &[&str]) -> Result<Said, String> {
    ended(start(state, log, args))
        .await
        .ok_or_else(|| format!("`{}` has not ended after {LIMIT:?}", args.join(" ")))
}

/// What a process says up to its end; none where it does not end.
pub(crate) async fn ended(mut child: Child) -> Option<Said> {
    let (mut out, mut err) = (child.stdout.take()?, child.stderr.take()?);
    let (mut said, mut complained) = (String::new(), String::new());
    let work = async {
        let (read, complaints, status) = tokio::join!(
            out.read_to_string(&mut said),
            err.read_to_string(&mut complained),
            child.wait()
        );
        read.unwrap();
        complaints.unwrap();
        status.unwrap().code()
    };
    let code = tokio::time::timeout(LIMIT, work).await.ok()?;
    Some(Said {
        code,
        out: said,
        err: complained,
    })
}

impl Said {
    /// The summary of a run.
    pub(crate) fn summary(&self) -> Result<Value, String> {
        let last = self.out.lines().last().unwrap_or_default();
        match serde_json::from_str::<Value>(last) {
            Ok(line) if line["event"] == "summary" => Ok(line),
            _ => Err(self.in_short()),
        }
    }

    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.out).map_err(|_| self.in_short())
    }

    /// For a cell that has no better words.
    pub(crate) fn in_short(&self) -> String {
        let last = |text: &str| text.trim().lines().last().unwrap_or_default().to_owned();
        format!(
            "exit code {:?}: {} {}",
            self.code,
            last(&self.out),
            last(&self.err)
        )
    }
}

//! What tests share: practice networks without YAML, a client that sees raw replies, and servers
//! of other makes. A crate of its own, so that each test takes what it needs of it.

pub mod client;
#[cfg(unix)]
pub mod host;
mod practice;
#[cfg(unix)]
pub mod program;
#[cfg(unix)]
pub mod pty;
#[cfg(unix)]
pub mod real;
pub mod run;
pub mod scripted;
pub mod tls;
pub mod upgrades;

use std::future::Future;
use std::time::Duration;

pub use practice::*;

/// Longer than anything here takes on a busy machine; a test that waits longer has failed.
pub const LONG: Duration = Duration::from_secs(60);

/// Runs an ignored test of this binary in a process of its own: what it changes, or listens to, is
/// the whole process's.
pub fn alone(test: &str) {
    let ran = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--test-threads=1", test])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

/// The output of a future, or the test fails: nothing waits for ever.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| panic!("still waiting after {limit:?}"))
}

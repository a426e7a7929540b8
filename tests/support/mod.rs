//! What tests share: practice networks without YAML, a client that sees raw replies, and servers
//! of other makes. Each test file takes what it needs of it.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod client;
#[cfg(feature = "lab")]
mod practice;
#[cfg(all(unix, feature = "lab"))]
pub mod program;
#[cfg(unix)]
pub mod pty;
#[cfg(unix)]
pub mod real;
#[cfg(feature = "lab")]
pub mod run;
#[cfg(feature = "lab")]
pub mod scripted;
pub mod tls;

use std::future::Future;
use std::time::Duration;

#[cfg(feature = "lab")]
pub use practice::*;

/// Longer than anything here takes on a busy machine; a test that waits longer has failed.
pub const LONG: Duration = Duration::from_secs(60);

/// The output of a future, or the test fails: nothing waits for ever.
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| panic!("still waiting after {limit:?}"))
}

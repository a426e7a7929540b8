//! The log as a whole. In a process of its own: there is one log a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::time::Duration;

use subtend::cli::{logging, signals};
use subtend::headless::Board;

/// suppaftp speaks through the `log` crate, so its lines take another way than ours.
#[test]
fn what_the_ftp_client_logs_of_a_password_is_never_written() {
    let board = Board::default();
    logging::start(3, Some("trace,suppaftp=trace"), board.clone()).unwrap();
    let mut notes = board.attach();
    log::trace!(target: "suppaftp::tokio_ftp", "PASS secret");
    log::debug!(target: "suppaftp", "PASS secret");
    log::info!(target: "suppaftp", "informs");
    tracing::trace!("ours");
    let lines = notes.rest().concat();
    assert!(!lines.contains("secret"), "{lines}");
    assert!(
        lines.contains("informs") && lines.contains("ours"),
        "{lines}"
    );
}

#[tokio::test]
async fn each_signal_is_a_message() {
    let mut signals = signals::signals().unwrap();
    for name in ["-INT", "-TERM", "-HUP"] {
        let me = std::process::id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([name, &me])
                .status()
                .unwrap()
                .success()
        );
        let message = tokio::time::timeout(Duration::from_secs(10), signals.stop.recv());
        assert_eq!(message.await.expect(name), Some(()));
    }
}

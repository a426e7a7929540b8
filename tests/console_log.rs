//! The log under the console, in a process of its own: there is one log a process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use subtend::cli::logging;
use subtend::console::LogLines;

/// What the log page shows.
fn page() -> String {
    let lines = LogLines::of_process().take().into_iter();
    lines
        .map(|line| format!("{} {}\n", line.target, line.text))
        .collect()
}

#[test]
fn lines_go_to_the_page_and_to_the_file_and_a_password_to_neither() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let filter = Some("trace,suppaftp=trace");
    let file = logging::start_for_console(3, filter, Ok(state))
        .unwrap()
        .unwrap();
    // suppaftp speaks through the `log` crate, so its lines take another way than ours.
    log::trace!(target: "suppaftp::tokio_ftp", "PASS secret");
    log::debug!(target: "suppaftp", "PASS secret");
    tracing::trace!(target: "suppaftp", "PASS secret");
    log::info!(target: "suppaftp", "it informs");
    tracing::info!(target: "subtend::entity", "adsl/shelf1-01: delivered");
    tracing::warn!(reason = "flash\u{1b}[2J", "it warns");
    // A line is in the file as soon as it is told.
    let written = std::fs::read_to_string(file).unwrap();
    let shown = page();
    for told in [&written, &shown] {
        assert!(told.contains("it informs"), "{told}");
        assert!(told.contains("adsl/shelf1-01: delivered"), "{told}");
        assert!(
            told.contains("suppaftp") && !told.contains("log.target"),
            "{told}"
        );
        assert!(told.contains("it warns"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
    assert!(shown.contains("reason=flash\\u{1b}[2J"), "{shown}");
    assert!(
        !written.contains('\u{1b}') && written.ends_with('\n'),
        "{written:?}"
    );
}

//! The log under the console, in a process of its own: there is one log per process.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use subtend::cli::logging;
use subtend::engine::log_event;
use subtend::model::EntityState;
use subtend::protocol::Event;
use tui_logger::{LevelFilter, TuiLoggerWidget, TuiWidgetState};

/// What tui-logger has of one target, or of all, as its own widget shows it.
fn page(only: Option<&str>) -> String {
    tui_logger::move_events();
    let state = match only {
        None => TuiWidgetState::new().set_default_display_level(LevelFilter::Trace),
        Some(target) => TuiWidgetState::new()
            .set_default_display_level(LevelFilter::Off)
            .set_level_for_target(target, LevelFilter::Trace),
    };
    let area = Rect::new(0, 0, 200, 50);
    let mut buffer = Buffer::empty(area);
    let widget = TuiLoggerWidget::default()
        .output_file(false)
        .output_line(false);
    widget.state(&state).render(area, &mut buffer);
    let row = |y| {
        (0..area.width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    let rows = (0..area.height).map(|y| row(y).trim_end().to_owned() + "\n");
    rows.filter(|row| row != "\n").collect()
}

#[test]
#[ignore = "run in a process of its own by `the_console_keeps_a_log`"]
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
    log_event(&Event::State {
        runs: None,
        at: Timestamp::UNIX_EPOCH,
        group: "adsl".into(),
        entity: "shelf1-01".into(),
        state: EntityState::Delivered,
        step: None,
        cause: None,
        attempt: 1,
        holds: None,
        verified: None,
    });
    tracing::warn!(reason = "flash\u{1b}[2J", "it warns");
    // A line is in the file as soon as it is logged.
    let written = std::fs::read_to_string(file).unwrap();
    let shown = page(None);
    let delivered = "INFO group{name=adsl}:entity{name=shelf1-01}: subtend::entity: delivered\n";
    assert!(written.contains(delivered), "{written}");
    assert!(
        shown.contains(":INFO :adsl/shelf1-01:delivered\n"),
        "{shown}"
    );
    // One entity alone is one target alone.
    let alone = page(Some("adsl/shelf1-01"));
    assert!(
        alone.ends_with(":adsl/shelf1-01:delivered\n") && alone.lines().count() == 1,
        "{alone}"
    );
    for told in [&written, &shown] {
        assert!(told.contains("it informs"), "{told}");
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

#[test]
fn the_console_keeps_a_log() {
    crate::support::alone(
        "console_log::lines_go_to_the_page_and_to_the_file_and_a_password_to_neither",
    );
}

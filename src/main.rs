//! The process around the library: error reports, log, runtime, exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use color_eyre::config::{HookBuilder, Theme};
use color_eyre::eyre::{Result, WrapErr};
use subtend::cli::args::Arguments;
use subtend::cli::privacy::make_private;
use subtend::cli::{execute, start_log};
use subtend::headless::Board;

fn main() -> Result<ExitCode> {
    let not_private = make_private();
    let arguments = Arguments::parse();
    let board = Board::default();
    hooks(board.clone())?;
    let log_file = start_log(&arguments, board.clone()).wrap_err("the log can't be started")?;
    for reason in not_private {
        tracing::warn!("{reason}");
    }
    let code = execute(arguments, log_file, &board).wrap_err("the runtime can't be started")?;
    Ok(ExitCode::from(code))
}

/// Reports of panics go where the log goes: past a screen that is drawn they would tear it.
fn hooks(board: Board) -> Result<()> {
    let mut builder = HookBuilder::default().display_env_section(false);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        builder = builder.theme(Theme::new());
    }
    let (panic, error) = builder.into_hooks();
    error.install()?;
    std::panic::set_hook(Box::new(move |info| {
        let report = panic.panic_report(info).to_string();
        if !board.say(&report) {
            // On the console's screen it would be lost.
            subtend::terminal::give_back();
            let _ = writeln!(std::io::stderr(), "{report}");
        }
    }));
    Ok(())
}

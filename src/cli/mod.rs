//! The command line: puts the services together and knows everything.
//!
//! - [`args`]: what is typed
//! - [`services`]: what the commands are put together from
//! - [`select`]: from arguments to what is started
//! - [`run`], [`check`], [`online`], [`verify`], [`history`], [`recover`], [`lab`], [`demo`]: a command each
//! - [`console`]: the screen, for those without a command
//! - `engine`: the engine as a process of its own; `attach`, `engine_commands`: those who talk to it
//! - `inspect`: what [`online`] and [`verify`] share: asking the engine about hosts, and waiting
//! - [`ask`], [`signals`], [`logging`]: the operator's side
//! - [`state_dir`], [`saved_groups`]: what outlives the process
//! - [`privacy`]: what keeps others from looking into it

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tracing_subscriber::util::TryInitError;

use crate::headless::{self, Board, Mode, Stop};
use crate::journal;
use crate::transport::AnyTransport;
use args::{Arguments, Verb};
use ask::Tty;
use services::Services;

pub mod args;
pub mod ask;
mod attach;
pub mod check;
pub mod console;
#[cfg(feature = "lab")]
pub mod demo;
mod engine;
mod engine_commands;
pub mod history;
mod inspect;
#[cfg(feature = "lab")]
pub mod lab;
mod log_file;
pub mod logging;
pub mod online;
pub mod privacy;
pub mod recover;
pub mod run;
pub mod saved_groups;
pub mod select;
pub mod services;
pub mod signals;
pub mod state_dir;
pub mod verify;

/// Why a command ended before it did what it is for, and the exit code that says so.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Failed {
    pub code: u8,
    message: String,
}

impl Failed {
    fn new(code: u8, error: impl Display) -> Self {
        let message = error.to_string();
        Self { code, message }
    }

    /// The command line or the inventory is wrong.
    fn usage(error: impl Display) -> Self {
        Self::new(headless::USAGE, error)
    }

    /// Something else is.
    fn other(error: impl Display) -> Self {
        Self::new(headless::NOT_DELIVERED, error)
    }
}

/// The operator's side of a run.
#[derive(Debug)]
pub struct CommandContext<'a, P> {
    pub stop: &'a mut Stop,
    pub prompt: &'a mut P,
    pub mode: Mode,
    pub board: &'a Board,
}

impl<'a, P> CommandContext<'a, P> {
    /// On the terminal of this process.
    fn new(stop: &'a mut Stop, prompt: &'a mut P, json: bool, board: &'a Board) -> Self {
        Self {
            stop,
            prompt,
            mode: run::mode(json),
            board,
        }
    }
}

/// Starts the log: to standard error, or, if the console will be opened, to its page and to a file,
/// whose path is returned.
///
/// # Errors
/// When a log was started before.
pub fn start_log(arguments: &Arguments, board: Board) -> Result<Option<PathBuf>, TryInitError> {
    let filter = std::env::var(logging::VARIABLE).ok();
    let verbose = arguments.common.verbose;
    let state_dir = state_dir::state_dir(arguments.common.state_dir.as_deref());
    if matches!(arguments.verb, Some(Verb::Engine)) {
        return logging::start_for_engine(verbose, filter.as_deref(), state_dir).map(|()| None);
    }
    if matches!(arguments.console(), Ok(Some(_))) && console::terminal().is_ok() {
        let is_client = matches!(arguments.verb, None | Some(Verb::Attach(_)));
        if is_client && state_dir.is_ok() {
            return logging::start_for_client(verbose, filter.as_deref(), state_dir);
        }
        let started = logging::start_for_console(verbose, filter.as_deref(), state_dir)?;
        // Why there is no file is in the log.
        return Ok(started.ok());
    }
    logging::start(verbose, filter.as_deref(), board).map(|()| None)
}

/// Does what was typed and returns the exit code. After it, the process is to end at once.
/// `log_file` is what [`start_log`] said.
///
/// The runtime is made here: a future is compiled where it is polled, and so this one, which is all
/// of the program, once.
///
/// # Errors
/// The runtime can't be started.
pub fn execute(arguments: Arguments, log_file: Option<PathBuf>, board: &Board) -> io::Result<u8> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().build()?;
    let code = runtime.block_on(execute_in(arguments, log_file, board));
    // An operator who pressed Ctrl-C twice waits for nothing, and after an orderly end nothing is left
    // to wait for.
    runtime.shutdown_background();
    Ok(code)
}

async fn execute_in(arguments: Arguments, log_file: Option<PathBuf>, board: &Board) -> u8 {
    let _too_large = signals::too_large();
    let journal = journal::Settings {
        state_dir: state_dir::state_dir(arguments.common.state_dir.as_deref()),
        practice: arguments.verb.as_ref().is_some_and(Verb::is_practice),
        // It reports them itself, or is about to take one of them up again.
        tell_cut_off: !matches!(arguments.verb, Some(Verb::Recover(_))),
    };
    match dispatch(
        arguments,
        &services::Production { journal },
        log_file,
        board,
    )
    .await
    {
        Ok(code) => code,
        Err(failed) => {
            // Nobody is left to report to when standard error is gone too.
            let _ = writeln!(io::stderr(), "subtend: {failed}");
            failed.code
        }
    }
}

async fn dispatch(
    arguments: Arguments,
    services: &impl Services,
    log_file: Option<PathBuf>,
    board: &Board,
) -> Result<u8, Failed> {
    let screen = arguments.console().map_err(Failed::usage)?;
    let verbose = arguments.common.verbose;
    let named = arguments.common.inventory.as_deref();
    let file = named.unwrap_or(Path::new(args::INVENTORY));
    let state_dir = state_dir::state_dir(arguments.common.state_dir.as_deref());
    if let Ok(dir) = &state_dir
        && arguments.verb.as_ref().is_none_or(Verb::keeps_state)
    {
        journal::check_folder(dir).map_err(Failed::usage)?;
    }
    let setting = |stop| console::ConsoleContext {
        args: screen.unwrap_or_default(),
        state_dir: state_dir.clone(),
        log_file,
        is_named: named.is_some(),
        verbose,
        stop,
    };
    match arguments.verb {
        None => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            console::console(file, services, setting(&mut signals.stop)).await
        }
        Some(Verb::Run(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            let tty = &mut Tty;
            let stage = CommandContext::new(&mut signals.stop, tty, args.json, board);
            if args.detach {
                let wish = engine_commands::DetachedRun {
                    args: &args,
                    file,
                    state_dir: &state_dir,
                    verbose,
                };
                return engine_commands::run_detached(wish, services, stage).await;
            }
            run::run(&args, file, services, stage).await
        }
        Some(Verb::Check(args)) if args.online => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            let (text, code) =
                online::check_online(&args, file, services, &mut signals.stop, &mut Tty).await?;
            print(&text);
            Ok(code)
        }
        Some(Verb::Verify(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            let (text, code) =
                verify::verify(&args, file, services, &mut signals.stop, &mut Tty).await?;
            print(&text);
            Ok(code)
        }
        Some(Verb::Check(args)) => {
            print(&check::check(&args, file, services)?);
            Ok(headless::OK)
        }
        Some(Verb::Attach(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            attach::attach(args.watch, services, setting(&mut signals.stop)).await
        }
        Some(Verb::Status(args)) => engine_commands::status(args.json, &state_dir).await,
        Some(Verb::Cancel(args)) => engine_commands::cancel(&args, &state_dir).await,
        Some(Verb::Stop(args)) => engine_commands::stop(args.cancel, &state_dir).await,
        Some(Verb::Detach) => {
            print(args::DETACH);
            print("\n");
            Ok(headless::OK)
        }
        Some(Verb::Engine) => engine::engine(file, state_dir, services).await,
        Some(Verb::History(args)) => {
            let state_dir = state_dir.map_err(Failed::usage)?;
            print(&history::history(&args, &state_dir, columns())?);
            Ok(headless::OK)
        }
        Some(Verb::Recover(args)) => {
            let state_dir = state_dir.map_err(Failed::usage)?;
            let mut signals = signals::signals().map_err(Failed::other)?;
            let tty = &mut Tty;
            let stage = CommandContext::new(&mut signals.stop, tty, args.json, board);
            let place = recover::Place {
                state_dir: &state_dir,
                inventory: named,
                columns: columns(),
            };
            let owner = state_dir::owner(Some(&state_dir));
            let transport = Arc::new(AnyTransport::of(owner));
            recover::recover(&args, place, services, transport, stage).await
        }
        #[cfg(feature = "lab")]
        Some(Verb::Lab(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            lab::lab(&args, file, services, &mut signals.stop).await
        }
        #[cfg(feature = "lab")]
        Some(Verb::Demo(args)) if !args.headless => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            demo::console(named, services, setting(&mut signals.stop)).await
        }
        #[cfg(feature = "lab")]
        Some(Verb::Demo(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            let tty = &mut Tty;
            let stage = CommandContext::new(&mut signals.stop, tty, args.json, board);
            demo::demo(&args, named, services, stage).await
        }
        Some(Verb::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut args::command(), "subtend", &mut script);
            print(&String::from_utf8_lossy(&script));
            Ok(headless::OK)
        }
        Some(Verb::Man { dir }) => man(dir.as_deref()),
    }
}

fn man(dir: Option<&Path>) -> Result<u8, Failed> {
    match dir {
        Some(dir) => {
            privacy::write_for_everyone();
            clap_mangen::generate_to(args::command(), dir)
                .map_err(|error| Failed::other(format!("{}: {error}", dir.display())))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(args::command())
                .render(&mut page)
                .map_err(Failed::other)?;
            print(&String::from_utf8_lossy(&page));
        }
    }
    Ok(headless::OK)
}

/// The width of the terminal, as far as lines can be read; 80 where there is none.
fn columns() -> usize {
    let size = io::stdout().is_terminal().then(crossterm::terminal::size);
    let columns = size.and_then(Result::ok).map_or(80, |(columns, _)| columns);
    usize::from(columns).clamp(60, 120)
}

/// Prints on standard output. A reader that has gone away wants no more, which is no error.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = printed
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = writeln!(
            io::stderr(),
            "subtend: standard output can't be written: {error}"
        );
    }
}

#[cfg(test)]
mod judges;
#[cfg(test)]
mod tests;

//! The command line: puts the services together and knows everything.
//!
//! - [`args`]: what is typed
//! - [`services`]: what the commands are put together from
//! - [`select`]: from arguments to what is started
//! - [`run`], [`check`], [`online`], [`verify`], [`history`], [`recover`], `try_procedure`, [`lab`], [`demo`]: a
//!   command each
//! - [`console`]: the screen, for those without a command
//! - `engine`: the engine as a process of its own; `serve`: the one that stays; `take_up`: what both go on with;
//!   `notify`: what a service manager hears; `attach`, `engine_commands`, `status`, `follow`: what talks to it
//! - `again`: the groups of a past run once more; `export`: a past run as a report, in a file by `write_file`
//! - `inspect`: what [`online`] and [`verify`] share: asking the engine about hosts, and waiting
//! - `settings`: how the console is wanted, and the command that prints that
//! - [`ask`], [`signals`](mod@signals), [`logging`]: the operator's side
//! - `failed`: why a command ended early, and the exit code that says so
//! - [`state_dir`], [`saved_groups`]: what outlives the process
//! - [`privacy`]: what keeps others from looking into it

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tracing_subscriber::util::TryInitError;

use crate::config::Place;
use crate::headless::{self, Board, Mode, Stop};
use crate::journal;
use args::{Arguments, DETACH, Verb};
use ask::Tty;
pub use failed::Failed;
use services::Services;
use signals::signals;

mod again;
pub mod args;
pub mod ask;
mod attach;
pub mod check;
pub mod console;
#[cfg(feature = "lab")]
pub mod demo;
mod engine;
mod engine_commands;
mod export;
mod failed;
mod follow;
pub mod history;
mod inspect;
#[cfg(feature = "lab")]
pub mod lab;
mod log_file;
pub mod logging;
mod notify;
pub mod online;
pub mod privacy;
pub mod recover;
pub mod run;
pub mod saved_groups;
pub mod select;
mod serve;
pub mod services;
mod settings;
pub mod signals;
pub mod state_dir;
mod status;
mod take_up;
mod try_procedure;
pub mod verify;
mod write_file;

/// The operator's side of a run.
#[derive(Debug)]
pub struct CommandContext<'a, P> {
    pub stop: &'a mut Stop,
    pub prompt: P,
    pub mode: Mode,
    pub board: &'a Board,
}

impl<'a> CommandContext<'a, Tty> {
    /// On the terminal of this process.
    fn new(stop: &'a mut Stop, json: bool, board: &'a Board) -> Self {
        Self {
            stop,
            prompt: Tty,
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
    if matches!(arguments.verb, Some(Verb::Serve(_))) {
        return logging::start_for_service(verbose, filter.as_deref()).map(|()| None);
    }
    if matches!(arguments.verb, Some(Verb::Engine)) {
        return logging::start_for_engine(verbose, filter.as_deref(), state_dir).map(|()| None);
    }
    if matches!(arguments.console(), Ok(Some(_))) && console::terminal().is_ok() {
        let is_client = matches!(arguments.verb, None | Some(Verb::Attach(_)));
        if is_client && state_dir.is_ok() {
            return logging::start_for_client(verbose, filter.as_deref(), state_dir);
        }
        return logging::start_for_console(verbose, filter.as_deref(), state_dir);
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
        state_dir: state_dir::state_dir(arguments.common.state_dir.as_deref())
            .map_err(|no_home| no_home.to_string()),
        practice: arguments.verb.as_ref().is_some_and(Verb::is_practice),
        resident: matches!(arguments.verb, Some(Verb::Serve(_))),
        tell_cut_off: match arguments.verb {
            // It reports them itself, or is about to take one of them up again.
            Some(Verb::Recover(_)) => journal::TellCutOff::None,
            Some(Verb::Serve(_) | Verb::Engine) => journal::TellCutOff::Others,
            _ => journal::TellCutOff::All,
        },
    };
    let services = services::Production { journal };
    match dispatch(arguments, &services, log_file, board).await {
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
    let screen = arguments.console()?;
    let settings = Place::of(arguments.common.config.as_deref());
    // Before anything is started, and before the screen is taken.
    let options = match &screen {
        Some(screen) => Some(settings::in_force(&settings, screen)?.into_options()),
        None => None,
    };
    let named = arguments.common.inventory.as_deref();
    let file = named.unwrap_or(Path::new(args::INVENTORY));
    let state_dir = state_dir::state_dir(arguments.common.state_dir.as_deref());
    let keeps_state = arguments.verb.as_ref().is_none_or(Verb::keeps_state);
    if let (true, Ok(dir)) = (keeps_state, &state_dir) {
        journal::check_folder(dir).map_err(Failed::usage)?;
    }
    let on_screen = |stop| console::ConsoleContext {
        options: options.unwrap_or_default(),
        state_dir: state_dir.clone(),
        log_file,
        is_named: named.is_some(),
        verbose: arguments.common.verbose,
        stop,
    };
    let Some(verb) = arguments.verb else {
        return console::console(file, services, on_screen(&mut signals()?.stop)).await;
    };
    match verb {
        Verb::Run(args) => {
            let mut signals = signals()?;
            let context = CommandContext::new(&mut signals.stop, args.json, board);
            if !args.detach {
                let asked = run::Asked::to_run(&args, file, services)?;
                if state_dir.is_err() || !asked.waits() {
                    return asked.run(services, context).await;
                }
            }
            let run = engine_commands::ResidentRun {
                wanted: engine_commands::Wanted::Arguments(&args),
                file,
                state_dir: &state_dir,
                verbose: arguments.common.verbose,
            };
            match args.detach {
                true => engine_commands::run_detached(run, services, context).await,
                false => follow::run_watched(run, args.wait, services, context).await,
            }
        }
        Verb::Activate(args) => {
            let mut signals = signals()?;
            let context = CommandContext::new(&mut signals.stop, args.json, board);
            let asked = run::Asked::to_activate(&args, file, services)?;
            if state_dir.is_err() || !asked.waits() {
                return asked.run(services, context).await;
            }
            let (specs, force) = (asked.into_specs(), false);
            let run = engine_commands::ResidentRun {
                wanted: engine_commands::Wanted::Again { specs, force },
                file,
                state_dir: &state_dir,
                verbose: arguments.common.verbose,
            };
            follow::run_watched(run, false, services, context).await
        }
        Verb::Check(args) if args.online => {
            online::check_online(&args, file, services, &mut signals()?.stop).await
        }
        Verb::Check(args) => printed(&check::check(&args, file, services)?),
        Verb::Verify(args) => verify::verify(&args, file, services, &mut signals()?.stop).await,
        Verb::TryProcedure(args) => {
            let mut signals = signals()?;
            let context = CommandContext::new(&mut signals.stop, args.json, board);
            try_procedure::try_procedure(&args, file, &state_dir, services, context).await
        }
        Verb::Attach(args) => {
            attach::attach(args.watch, services, on_screen(&mut signals()?.stop)).await
        }
        Verb::Status(args) => status::status(args.json, &state_dir).await,
        Verb::Pause(args) => engine_commands::pause(&args.group, true, &state_dir).await,
        Verb::Resume(args) => engine_commands::pause(&args.group, false, &state_dir).await,
        Verb::Login(args) => engine_commands::login(&args, &state_dir, services, &mut Tty).await,
        Verb::Cancel(args) => engine_commands::cancel(&args, &state_dir).await,
        Verb::Rate(args) => engine_commands::rate(&args, &state_dir).await,
        Verb::Stop(args) => engine_commands::stop(args.cancel, &state_dir).await,
        Verb::Engine => engine::engine(file, state_dir, services).await,
        Verb::Serve(_) => serve::serve(file, &state_dir, services).await,
        Verb::Detach => printed(&format!("{DETACH}\n")),
        Verb::History(args) => printed(&history::history(&args, &state_dir?, columns())?),
        Verb::Export(args) => export::export(&args, &state_dir?),
        Verb::Recover(args) => {
            let mut signals = signals()?;
            let context = CommandContext::new(&mut signals.stop, args.json, board);
            let sources = recover::Sources {
                state_dir: &state_dir?,
                inventory: named,
                columns: columns(),
            };
            recover::recover(&args, sources, services, context).await
        }
        Verb::Again(args) => {
            let mut signals = signals()?;
            let context = CommandContext::new(&mut signals.stop, args.json, board);
            let sources = again::Sources {
                state_dir: &state_dir,
                inventory: named,
                verbose: arguments.common.verbose,
            };
            again::again(&args, sources, services, context).await
        }
        #[cfg(feature = "lab")]
        Verb::Lab(args) => lab::lab(&args, file, services, &mut signals()?.stop).await,
        #[cfg(feature = "lab")]
        Verb::Demo(args) if !args.headless => {
            demo::console(named, services, on_screen(&mut signals()?.stop)).await
        }
        #[cfg(feature = "lab")]
        Verb::Demo(args) => {
            let mut signals = signals()?;
            let context = CommandContext::new(&mut signals.stop, args.json, board);
            demo::demo(&args, named, services, context).await
        }
        Verb::Config(args) => {
            let screen = arguments.screen.and(args.screen.clone());
            printed(&settings::config(&args, &settings, &screen)?)
        }
        Verb::Completions { shell } => completions(shell),
        Verb::Man { dir } => man(dir.as_deref()),
    }
}

fn printed(text: &str) -> Result<u8, Failed> {
    print(text);
    Ok(headless::OK)
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "subtend", &mut script);
    printed(&String::from_utf8_lossy(&script))
}

fn man(dir: Option<&Path>) -> Result<u8, Failed> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(args::command()).render(&mut page)?;
        return printed(&String::from_utf8_lossy(&page));
    };
    privacy::write_for_everyone();
    clap_mangen::generate_to(args::command(), dir)
        .map_err(|error| Failed::other(format!("{}: {error}", dir.display())))?;
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

/// On one line.
fn json_line(value: &impl Serialize) -> Result<String, Failed> {
    Ok(serde_json::to_string(value)? + "\n")
}

#[cfg(test)]
mod drawing;
#[cfg(test)]
mod judges;
#[cfg(test)]
mod tests;

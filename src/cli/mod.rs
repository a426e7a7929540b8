//! The command line: puts the parts together and knows everything.
//!
//! - [`args`]: what is typed
//! - [`parts`]: what the commands are put together from
//! - [`select`]: from arguments to what is started
//! - [`run`], [`check`], [`lab`], [`demo`]: a command each
//! - [`ask`], [`signals`], [`logging`]: the operator's side

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use thiserror::Error;

use crate::headless::{self, Board, Mode, Stop};
use args::{Arguments, Verb};
use ask::Tty;
use parts::Parts;

pub mod args;
pub mod ask;
pub mod check;
#[cfg(feature = "lab")]
pub mod console;
#[cfg(feature = "lab")]
pub mod demo;
#[cfg(feature = "lab")]
pub mod lab;
pub mod logging;
pub mod parts;
pub mod run;
pub mod select;
pub mod signals;

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
pub struct Stage<'a, P> {
    pub stop: &'a mut Stop,
    pub prompt: &'a mut P,
    pub mode: Mode,
    pub board: &'a Board,
}

impl<'a, P> Stage<'a, P> {
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

/// Does what was typed and returns the exit code. After it, the process is to end at once.
pub async fn execute(arguments: Arguments, board: &Board) -> u8 {
    match dispatch(arguments, &parts::Real, board).await {
        Ok(code) => code,
        Err(failed) => {
            // Nobody is left to tell when standard error is gone too.
            let _ = writeln!(io::stderr(), "subtend: {failed}");
            failed.code
        }
    }
}

const NO_CONSOLE: &str = "the console is not built yet; `subtend run` delivers without it, and \
                          `subtend demo --headless` shows how on a practice network";

async fn dispatch(arguments: Arguments, parts: &impl Parts, board: &Board) -> Result<u8, Failed> {
    let named = arguments.common.inventory.as_deref();
    let file = named.unwrap_or(Path::new(args::INVENTORY));
    match arguments.verb {
        None => Err(Failed::usage(NO_CONSOLE)),
        Some(Verb::Run(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            let tty = &mut Tty;
            let stage = Stage::new(&mut signals.stop, tty, args.json, board);
            run::run(&args, file, parts, stage).await
        }
        Some(Verb::Check(args)) => {
            print(&check::check(&args, file, parts)?);
            Ok(headless::OK)
        }
        #[cfg(feature = "lab")]
        Some(Verb::Lab(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            lab::lab(&args, file, parts, &mut signals.stop).await
        }
        #[cfg(feature = "lab")]
        Some(Verb::Demo(args)) if !args.headless => console::demo(named, parts, board).await,
        #[cfg(feature = "lab")]
        Some(Verb::Demo(args)) => {
            let mut signals = signals::signals().map_err(Failed::other)?;
            let tty = &mut Tty;
            let stage = Stage::new(&mut signals.stop, tty, args.json, board);
            demo::demo(&args, named, parts, stage).await
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
        Some(dir) => clap_mangen::generate_to(args::command(), dir)
            .map_err(|error| Failed::other(format!("{}: {error}", dir.display())))?,
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

/// Prints on standard output. A reader that has gone away wants no more, which is no error.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests;

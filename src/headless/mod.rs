//! A run without a screen: lines for people or JSON for scripts, over the same link.
//!
//! [`run`] watches a run to its end. It knows the link and the model only, and it can never slow a
//! transfer down: what is printed goes through a thread of its own (`terminal::Output`), and a reader that
//! is slow or gone costs figures in between, not the run.
//!
//! - `mode`: which of the three ways of showing it fits this terminal
//! - `json`, `lines`, `screen`: the three ways
//! - `frame`: what a screen shows (pure); `words`: what all three say in the same words
//! - `report`: the summary for people; `waves`: what it says of a group that was gone through in waves
//! - `board`: log lines, while a screen is drawn

mod board;
mod exit;
mod frame;
mod json;
mod lines;
mod mode;
mod report;
mod screen;
mod watch;
mod waves;
mod words;

pub(crate) use crate::model::columns as text;

pub use board::{Board, Notes};
pub use exit::{CANCELLED, NOT_DELIVERED, OK, USAGE, WAITS, exit_code};
pub use mode::{Look, Mode};
pub use report::report;
pub use watch::{Ended, Options, Stop, run};

#[cfg(test)]
mod tests;

//! The operator's console: key → action → update(state) → effect; draw(&state).
//!
//! It knows the link and the model only. What the engine does comes in as snapshots and events,
//! what the operator wants goes out as commands; nothing here waits for a socket, and losing the
//! terminal never stops a transfer.
//!
//! | file | what |
//! | --- | --- |
//! | `keymap` | the one table of keys: what a key does, what the help and the status line say |
//! | `action`, `effect` | what a key means; what the world outside is asked to do |
//! | `state` | everything that is shown, as plain data |
//! | `update` | the only code that changes the state; pure |
//! | `view` | the frame around the pages: title, status line, dialogs on top |
//! | `pages` | a page each: inventory, groups, review, watch, log, history |
//! | `dialogs` | what lies over a page until it is answered |
//! | `widgets`, `theme` | gauges, tables, colours and signs |
//! | `app` | the loop: input, snapshots, events, drawing at its own pace |
//! | `terminal` | the terminal taken over and given back, whatever happens |
//! | `input`, `keys` | bytes of the terminal in, on a thread of their own; what keys they are |
//! | `output`, `canvas` | bytes to the terminal out, on a thread of their own; pictures as bytes |
//! | `work` | what the loop has under way: commands to the engine, files to be kept |

mod action;
mod app;
#[doc(hidden)]
pub mod bench;
mod canvas;
mod dialogs;
mod effect;
mod input;
mod keymap;
mod keys;
mod output;
mod pages;
mod state;
mod terminal;
#[cfg(test)]
pub(crate) mod testing;
mod theme;
mod update;
mod view;
mod widgets;
mod work;

pub use app::{Keeper, Options, run};
pub use pages::history::PastRun;
pub use pages::log::LogCapture;
#[cfg(test)]
pub(crate) use pages::log::alone;
pub use state::Site;
pub use terminal::give_back;

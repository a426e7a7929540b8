//! The operator's console: key → action → update(state) → effect; draw(&state).
//!
//! It knows the link, the model and the terminal only. What the engine does comes in as snapshots and events,
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
//! | `widgets` | gauges, texts that fit |
//! | `app` | the loop: input, snapshots, events, drawing at its own pace |
//! | `work` | what the loop has under way: commands to the engine, files to be kept |

mod action;
mod app;
#[doc(hidden)]
pub mod bench;
mod dialogs;
mod effect;
mod keymap;
mod pages;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod update;
mod view;
mod widgets;
mod work;

pub use app::{Options, Storage, run};
pub use pages::history::PastRun;
pub use pages::log::LogCapture;
#[cfg(test)]
pub(crate) use pages::log::alone;
pub use state::Site;

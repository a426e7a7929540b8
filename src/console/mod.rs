//! The operator's console: key → action → update(state) → effect; draw(&state).
//!
//! It knows the link, the model and the terminal only. What the engine does comes in as snapshots and events,
//! what the operator wants goes out as commands; nothing here waits for a socket, and losing the
//! terminal never stops a transfer.
//!
//! Imports point down this table:
//!
//! | file | what |
//! | --- | --- |
//! | `app` | the loop: input, snapshots, events, drawing at its own pace |
//! | `work` | what the loop has under way: commands to the engine, files to be kept |
//! | `update` | the only code that changes the state; pure |
//! | `view` | the frame around the pages: title, status line, dialogs on top |
//! | `pages` | the registry of the pages, and a folder each: overview, inventory, groups, review, watch, log, history |
//! | `figures` | what pages show of a group that is not in a snapshot but follows from it |
//! | `activation` | which groups can be made to run the image that they hold |
//! | `stopping` | what is asked before work is stopped |
//! | `reports` | what is asked before a report of a run is written |
//! | `state` | what the pages share, as plain data; what a page is |
//! | `dialogs` | what lies over a page until it is answered |
//! | `asked` | what dialogs ask, and what is answered |
//! | `settings` | how the operator wants it, as plain data |
//! | `keymap` | the one table of keys: what a key does, what the help and the status line say |
//! | `scroll` | a cursor in a list |
//! | `effect`, `action` | what the world outside is asked to do; what a key means |
//! | `page`, `past_run`, `message` | the names of the pages; a run of the journal; what is said under a page |
//! | `calls` | what the terminal shows of the work when nobody looks at the picture |
//! | `presence` | which image entities are known to have got |
//! | `widgets` | gauges, plots, texts that fit, the order of names |

mod action;
mod activation;
mod app;
mod asked;
mod calls;
mod clicks;
mod dialogs;
mod effect;
mod figures;
mod guide;
mod keymap;
mod message;
mod page;
mod pages;
mod past_run;
mod plots;
mod presence;
mod reports;
mod scroll;
mod settings;
mod state;
mod stopping;
#[cfg(test)]
pub(crate) mod testing;
mod update;
mod view;
mod widgets;
mod work;

pub use app::{Options, run};
pub use keymap::Keymap;
pub(crate) use keymap::{Context, Key, named};
pub use page::Page;
pub use pages::LogCapture;
#[cfg(test)]
pub(crate) use pages::alone;
pub use past_run::PastRun;
pub use settings::{MANY, SavedFilter, Settings};
pub use state::Site;
pub use work::Storage;

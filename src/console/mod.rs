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
//! | `pages` | a page each: inventory, groups, review, watch, log |
//! | `dialogs` | what lies over a page until it is answered |
//! | `widgets`, `theme` | gauges, tables, colours and signs |
//! | `app` | the loop: input, snapshots, events, drawing at its own pace |
//! | `terminal`, `input`, `output` | the terminal taken over and given back; keys in, bytes out |

#![allow(dead_code)]

mod action;
mod dialogs;
mod effect;
mod keymap;
mod pages;
mod state;
#[cfg(test)]
mod testing;
mod theme;
mod update;
mod view;
mod widgets;

pub use state::Site;

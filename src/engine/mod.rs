//! The image manager: starts management agents, shares the memory out between their pools, and
//! reduces their reports to one state that snapshots and events are made from.
//!
//! One task owns everything here. Commands, reports and the clock reach it as messages; nobody
//! else ever touches the state, so there is nothing to lock.

#[cfg(test)]
pub(crate) mod bench;
mod bottleneck;
mod depth;
mod held;
mod host;
mod image_manager;
mod log;
mod rate;
mod shares;
mod state;
mod summary;
mod time_left;
mod usage;

pub use image_manager::{ImageManager, Surroundings};
pub use log::write as log_event;
pub(crate) use state::outcome;
pub use summary::summary;

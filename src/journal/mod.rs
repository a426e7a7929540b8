//! The journal: what happened, durable. One SQLite database in the state directory, shared by all
//! processes of its user.
//!
//! - `stage`: sits between the manager and its watchers; whatever they see was written before
//! - `gate`: a transport that writes down what it is about to change on an entity, and then does it
//! - `store`, `schema`: the file, its format, and what can be wrong with it
//! - `writer`: records into rows, and what happens when they can't be written
//! - `read`, `holds`: rows into runs, and what an entity holds after a run that was cut off
//! - `alive`: whether the process of a run is still there
//! - `origin`, `site`: who started a run, and the inventory as it was
//!
//! Text is stored as it came; whoever shows it escapes it. No password is ever handed to this module.

mod alive;
mod error;
mod gate;
mod holds;
mod origin;
mod read;
mod schema;
mod site;
mod stage;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use error::JournalError;
pub use gate::{Gate, Gated};
pub use holds::AfterCrash;
pub use read::{
    Change, CutOff, EntityRow, GroupRow, Journal, Known, NoRun, PassRow, PastRow, RunRow,
    RunStatus, RunWhole,
};
pub use stage::{Recorder, Setting};

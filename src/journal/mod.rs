//! The journal: what happened, durable. One SQLite database in the state directory, shared by all
//! processes of its user.
//!
//! - `stage`: sits between the manager and its watchers; whatever they see was written before
//! - `gate`: a transport that writes down what it is about to change on an entity, and then does it
//! - `store`, `schema`: the file, its format, and what can be wrong with it
//! - `writer`: records into rows, and what happens when they can't be written
//! - `read`, `after_crash`: rows into runs, and what an entity holds after a run that was cut off
//! - `found`: what was seen and done on an entity after its run
//! - `alive`: whether the process of a run is still there
//! - `locks`: one writer an entity
//! - `origin`, `site`: who started a run, and the inventory as it was
//!
//! Text is stored as it came; what shows it escapes it. No password is ever handed to this module.

mod after_crash;
mod alive;
mod error;
mod found;
mod gate;
mod locks;
mod origin;
mod read;
mod schema;
mod site;
mod store;
#[cfg(test)]
mod tests;
mod write_ahead;
mod writer;

pub use after_crash::AfterCrash;
pub use error::JournalError;
pub use found::{Found, StagingFile};
pub use gate::{Gate, Gated};
pub use locks::{EntityLock, NotLocked};
pub use origin::Origin;
pub use read::{
    Amounts, Change, Copied, Counts, CutOff, EntityRow, GroupRow, Journal, Known, NoRun, Note,
    PassRow, PastRow, Process, RunRow, RunStatus, RunWhole, StepRow, WaitingRun,
};
pub use store::{UnsafeFolder, check_folder};
pub use write_ahead::{Recorder, Settings, TellCutOff};

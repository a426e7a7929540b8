//! The words of the design as types: no I/O, no runtime, no terminal.
//!
//! Everything above this module speaks in these words; nothing here knows who is speaking.

pub(crate) mod columns;
pub mod dialect;
pub mod failure;
pub mod holds;
pub mod inventory;
pub mod limits;
pub mod memory;
pub mod names;
pub mod probe;
pub mod remembered;
pub mod remote;
pub mod staging;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod tls;
pub mod units;

pub use dialect::{Account, Active, DataAddress, DataMode, Dialect};
pub use failure::{Failure, Fault, FaultKind, Side, Step};
pub use holds::Holds;
pub use inventory::{
    BufferPreference, Entity, FileServer, Group, Image, ImageSpec, Inventory, Laggards, Limits,
    Manner, Name, PeerChoice, SMALLEST_BUFFER, SourceChoice, SourceSpec, Staging, VerifyMode,
};
pub use probe::{Abilities, Holding, Leftover, Probe};
pub use remembered::{Memories, Remembered};
pub use remote::{
    Address, CredentialsRef, Login, Logins, MIN_RATE, RemotePath, Scheme, SecretSource, Timeouts,
};
pub use state::{Bottleneck, EntityState, Outcome, Standing, Verified};
pub use tls::{Fingerprint, Tls, Trust};

//! The words of the design as types: no I/O, no runtime, no terminal.
//!
//! Everything above this module speaks in these words; nothing here knows what is above.

pub mod advice;
pub mod campaign;
mod causes;
pub(crate) mod columns;
pub mod complaint;
pub mod dialect;
pub mod failure;
mod fault_kind;
pub mod flaw;
pub mod group;
pub mod holds;
pub mod http;
pub mod inventory;
pub mod limits;
pub mod lookup;
pub mod memory;
pub mod moments;
pub mod names;
pub mod probe;
pub mod procedure;
pub mod rate;
pub mod remembered;
pub mod remote;
mod report_format;
pub mod scheme;
pub mod series;
pub mod serve;
pub mod ssh;
pub mod staging;
pub mod state;
pub mod step;
pub mod suggest;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod timeline;
pub mod tls;
pub mod units;
pub mod verify;

pub use campaign::Campaign;
pub use complaint::Complaint;
pub use dialect::{Account, Active, DataAddress, DataMode, Dialect};
pub use failure::{Failure, Fault};
pub use fault_kind::FaultKind;
pub use flaw::{Flaw, Thing};
pub use group::{
    DeliveryPolicy, Group, GroupSpec, ImageSpec, Laggards, Limits, MadeGroup, PeerChoice,
    SourceChoice, SourceSpec,
};
pub use holds::Holds;
pub use http::{Elsewhere, Http, Upload};
pub use inventory::{
    BufferPreference, Entity, FileServer, Image, Inventory, Name, SMALLEST_BUFFER, Staging,
};
pub use probe::{Abilities, Holding, Leftover, Probe};
pub use procedure::{Extent, Procedure, SessionAddress, TypeSpec};
pub use rate::{Cap, Capped};
pub use remembered::{Memories, Remembered};
pub use remote::{
    Address, CredentialsRef, Login, LoginBy, Logins, MIN_RATE, PathError, RemotePath, SecretSource,
    Timeouts,
};
pub use report_format::ReportFormat;
pub use scheme::Scheme;
pub use series::Series;
pub use ssh::{HostKey, HostKeyError, HostTrust, KeyFile, Ssh};
pub use state::{Bottleneck, EntityState, Outcome, Standing, Verified};
pub use step::{Side, Step};
pub use timeline::Timeline;
pub use tls::{Fingerprint, FingerprintError, Tls, Trust};
pub use units::UnitError;
pub use verify::{Evidence, UNPROVEN_HINT, VerifyMode};

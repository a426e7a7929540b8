//! A practice network on loopback, for newcomers, tests and benchmarks.
//!
//! Every file server and every entity of an inventory becomes a real FTP server inside this
//! process: libunftp speaks the protocol, and what it stores, how fast and with which faults is
//! decided here. The files:
//!
//! - `settings` what an inventory's `x-lab` key says
//! - `network` [`Lab`]: starts, shows and stops the servers of an inventory
//! - `server` one server: its listener, its counters, its end and its return
//! - `life` whether it still lives, and in which boot
//! - `relay` the control connection, where latency, silence and death are brought about
//! - `storage` what libunftp stores to and reads from; `pace` how fast; `draw` numbers that an entity
//!   draws by its name
//! - `device` the files of one server; `chunks` memory that equal files share; `image` the bytes of
//!   generated images
//! - `login` who may log in; `limits` the open files that all servers need
//!
//! The lab has a runtime of its own. libunftp starts tasks that it never hands out, so shutting
//! that runtime down is the only way to end all of them, and the only one that we need.

mod chunks;
mod device;
mod draw;
mod error;
mod image;
mod life;
mod limits;
mod login;
mod network;
mod pace;
mod relay;
mod server;
mod settings;
mod storage;

pub use device::StoredFile;
pub use error::LabError;
pub use network::{Lab, LabOptions};
pub use server::{Served, ServedKind};
pub use settings::{Behaviour, LabSettings, NameCut, Pause};

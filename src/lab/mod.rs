//! A practice network on loopback, for newcomers, tests and benchmarks.
//!
//! Every file server and every entity of an inventory becomes a real FTP server inside this
//! process: libunftp speaks the protocol, and what it stores, how fast and with which faults is
//! decided here. The files:
//!
//! - `behaviour` the words for what servers do; `settings` what an inventory's `x-lab` key says with them
//! - `network` [`Lab`]: shows and stops the servers of an inventory; `start` starts them
//! - `server` one server: its listener, its `counter`s, its end and its return
//! - `life` whether it still lives, and in which boot
//! - `storage` files with faults, whatever the protocol; `pace` how fast; `draw` numbers that an entity
//!   draws by its name
//! - `ftp` the FTP face of a server
//! - `device` the files of one server; `chunks` memory that equal files share; `image` the bytes of
//!   generated images
//! - `limits` the open files that all servers need
//!
//! The lab has a runtime of its own. libunftp starts tasks that it never hands out, so shutting
//! that runtime down is the only way to end all of them, and the only one that we need.

mod behaviour;
mod chunks;
mod counter;
mod device;
mod draw;
mod error;
mod ftp;
mod image;
mod life;
mod limits;
mod network;
mod pace;
mod server;
mod settings;
mod start;
mod storage;

pub use behaviour::{Behaviour, NameCut, Pause};
pub use device::StoredFile;
pub use error::LabError;
pub use network::{Lab, LabOptions};
pub use server::{Served, ServedKind};
pub use settings::LabSettings;

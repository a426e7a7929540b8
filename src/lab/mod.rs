//! A practice network on loopback, for newcomers, tests and benchmarks.
//!
//! Every file server and every entity of an inventory becomes a real server inside this process: libraries
//! speak the protocols (libunftp, russh, hyper), and what is stored, how fast and with which faults is decided here.
//! The files:
//!
//! - `behaviour` the words for what servers do; `settings` what an inventory's `x-lab` key says with them
//! - `network` [`Lab`]: shows and stops the servers of an inventory; `start` starts them, and
//!   `as_served` says where they are
//! - `served` what is shown of it; `server` one server: its listener, its `counter`s, its end and its return
//! - `life` whether it still lives, and in which boot
//! - `storage` files with faults, whatever the protocol; `upload` and `download` one transfer; `pace` how fast;
//!   `draw` numbers that an entity draws by its name
//! - `session` one connection to a server; `ftp`, `sftp`, `http` and `tftp` its faces; `ssh` what `sftp` and
//!   command lines have of it
//! - `device` the files of one server; `chunks` memory that equal files share; `image` the bytes of
//!   generated images
//! - `cli` the command line of a device, and the machine behind it that boots its files
//! - `limits` the open files that all servers need
//!
//! The lab has a runtime of its own. The libraries start tasks that they never hand out, so shutting
//! that runtime down is the only way to end all of them, and the only one that we need.

mod as_served;
mod behaviour;
mod chunks;
mod cli;
mod counter;
mod device;
mod download;
mod draw;
mod error;
mod ftp;
mod http;
mod image;
mod life;
mod limits;
mod network;
mod pace;
mod served;
mod server;
mod session;
mod settings;
mod sftp;
mod ssh;
mod start;
mod storage;
mod tftp;
mod upload;

pub use behaviour::{Behaviour, CommandLine, DialectName, NameCut, Pause};
pub use cli::{MachineState, Over};
pub use device::StoredFile;
pub use error::LabError;
pub use network::{Lab, LabOptions};
pub use served::{Served, ServedKind};
pub use settings::LabSettings;

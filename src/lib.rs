//! subtend: the image management software of a common element.
//!
//! Reads a software image once, from a file server or from an entity that already has it, into a
//! bounded pool of buffers, and pushes it from there to every entity of a group in parallel.
//! Imports point down this list only; `ARCHITECTURE.md` is the map.

pub mod cli;
mod config;
pub mod console;
pub mod headless;
pub mod remote;
pub mod terminal;
// The engine.
pub mod agent;
pub mod campaign;
mod caps;
pub mod engine;
mod inspect;
pub mod journal;
pub mod placement;
pub mod plan;
pub mod pool;
pub mod procedure;
pub mod report;
pub mod transport;
// Plain data, and what is made of files.
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod inventory;
#[cfg(feature = "lab")]
pub mod lab;
pub mod model;
pub mod protocol;
mod yaml;

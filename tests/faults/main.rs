//! Servers that break and servers that mean harm, through the engine and through the program.
//!
//! `classes` has each fault alone, `many` a crowd of entities of which 30 % have one at a random
//! byte (`fault` says what they are), `hostile`, `memory` and `text` what a server may try to do to this host and its operator.
#![cfg(all(target_os = "linux", feature = "lab"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

#[path = "../support/mod.rs"]
mod support;

mod classes;
mod fault;
mod flood;
mod hostile;
mod many;
mod memory;
mod program;
mod text;
mod world;

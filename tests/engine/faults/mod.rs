//! Servers that break and servers that mean harm, through the engine and through the program.
//!
//! `classes` has each fault alone, `many` a crowd of entities of which 30 % have one at a random
//! byte (`fault` says what they are), `hostile`, `memory` and `text` what a server may try to do to this host and its operator.

mod classes;
mod fault;
mod flood;
mod hostile;
mod many;
mod memory;
mod program;
mod text;
mod world;

//! The traps that others fell into, and servers as they are on devices: one test each, against a
//! server that misbehaves to the byte, through the traits that the agents use.
//!
//! A test gives the one deadline it is about a [`common::SHORT`] time and all others more than the
//! test may take: the wrong deadline, or none, fails it.
#![cfg(feature = "lab")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

use subtend_support as support;

mod believed;
mod common;
mod dialect;
mod download;
mod engine;
mod features;
mod fetched;
mod http;
mod login;
mod passive;
mod placement;
mod probe;
mod ready;
mod rename;
#[cfg(unix)]
mod scp;
#[cfg(unix)]
mod scp_devices;
mod serve_http;
mod session;
#[cfg(unix)]
mod sftp;
#[cfg(unix)]
mod terminal;
mod tftp;
mod tls;
mod upload;
mod verify;

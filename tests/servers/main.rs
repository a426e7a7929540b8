//! What everything else is tested against does what it says: the practice network, the scripted server, and
//! servers of other makes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

use subtend_support as support;

#[cfg(unix)]
mod clients;
#[cfg(all(unix, feature = "lab"))]
mod fetch;
#[cfg(all(unix, feature = "lab"))]
mod http;
#[cfg(feature = "lab")]
mod lab;
#[cfg(feature = "lab")]
mod lab_cli;
#[cfg(all(unix, feature = "lab"))]
mod lab_http;
#[cfg(all(unix, feature = "lab"))]
mod real;
#[cfg(unix)]
mod real_smoke;
#[cfg(feature = "lab")]
mod scripted;
#[cfg(feature = "lab")]
mod words;

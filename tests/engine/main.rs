//! The engine without the program: groups, sources, pressure and questions against the practice network and
//! scripted servers, random universes, and servers that break or mean harm.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

use subtend_support as support;

#[cfg(feature = "lab")]
mod campaigns;
#[cfg(feature = "lab")]
mod command_lines;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod faults;
#[cfg(all(target_os = "linux", feature = "lab"))]
mod fetch;
#[cfg(all(unix, feature = "lab"))]
mod file_source;
#[cfg(feature = "lab")]
mod groups;
#[cfg(all(unix, feature = "lab"))]
mod hands;
#[cfg(feature = "lab")]
mod offline;
#[cfg(feature = "lab")]
mod order;
#[cfg(feature = "lab")]
mod pressure;
#[cfg(feature = "lab")]
mod pressure_depth;
#[cfg(feature = "lab")]
mod procedures_ready;
#[cfg(feature = "lab")]
mod questions;
#[cfg(feature = "lab")]
mod rates;
#[cfg(feature = "lab")]
mod reach;
#[cfg(feature = "lab")]
mod reach_http;
#[cfg(feature = "lab")]
mod reach_tftp;
#[cfg(feature = "lab")]
mod series;
#[cfg(feature = "lab")]
mod sources;
#[cfg(feature = "lab")]
mod together;
#[cfg(feature = "lab")]
mod universe;
mod upgrades;
#[cfg(feature = "lab")]
mod upgrades_http;

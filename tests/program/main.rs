//! The program as its users drive it: command line, console in a pseudo-terminal, lines and JSON, journal,
//! recovery, detached runs, secrets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

use subtend_support as support;

#[cfg(all(unix, feature = "lab"))]
mod campaigns;
mod cli;
#[cfg(all(unix, feature = "lab"))]
mod commands;
#[cfg(all(unix, feature = "lab"))]
mod config;
#[cfg(all(unix, feature = "lab"))]
mod console_e2e;
mod console_jobs;
mod console_log;
#[cfg(all(unix, feature = "lab"))]
mod console_pty;
#[cfg(unix)]
mod console_start;
#[cfg(all(unix, feature = "lab"))]
mod console_upgrade;
#[cfg(all(unix, feature = "lab"))]
mod console_waves;
#[cfg(all(unix, feature = "lab"))]
mod continued;
#[cfg(all(unix, feature = "lab"))]
mod detach;
#[cfg(unix)]
mod fetch;
mod headless;
#[cfg(all(unix, feature = "lab"))]
mod journal;
#[cfg(feature = "lab")]
mod log;
#[cfg(all(unix, feature = "lab"))]
mod offline;
#[cfg(feature = "lab")]
mod online;
#[cfg(unix)]
mod privacy;
#[cfg(all(unix, feature = "lab"))]
mod procedures;
#[cfg(all(unix, feature = "lab"))]
mod recovery;
#[cfg(all(unix, feature = "lab"))]
mod reports;
#[cfg(all(unix, feature = "lab"))]
mod resident;
#[cfg(all(unix, feature = "lab"))]
mod secrets;
#[cfg(all(unix, feature = "lab"))]
mod upgrades;

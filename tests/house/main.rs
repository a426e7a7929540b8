//! What the repository promises of itself: layers, dependencies, and the inventory's text.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

mod console;
mod forwards;
mod inventory;
mod layers;
mod rates;
mod supply;
mod unit;

//! What the repository promises of itself: layers, dependencies, the inventory's text, and the fuzz targets' corpus.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

mod corpus;
mod inventory;
mod layers;
mod supply;

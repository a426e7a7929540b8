//! Pieces of pages: gauges and short histories.

pub(crate) mod gauge;

pub(crate) mod cell;

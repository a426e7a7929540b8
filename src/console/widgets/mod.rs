//! Pieces of pages: gauges and short histories, cells of tables.

pub(crate) mod cell;
pub(crate) mod gauge;

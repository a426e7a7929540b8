//! Pieces of pages: gauges and short histories, cells of tables, texts that fit.

pub(crate) mod fit;
pub(crate) mod gauge;
pub(crate) mod table;

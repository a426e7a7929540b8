//! Pieces of pages: gauges, short histories, cells of tables and texts that fit.

pub(crate) mod fit;
pub(crate) mod gauge;
pub(crate) mod table;

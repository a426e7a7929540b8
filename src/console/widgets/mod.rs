//! Pieces of pages: gauges, short histories, plots, cells of tables and texts that fit.

pub(crate) mod fit;
pub(crate) mod gauge;
pub(crate) mod plot;
pub(crate) mod table;

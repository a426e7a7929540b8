//! Pieces of pages: gauges and short histories, cells of tables, texts that fit, the order of names.

pub(crate) mod fit;
pub(crate) mod gauge;
pub(crate) mod natural;
pub(crate) mod table;

//! Pieces of pages: gauges and short histories, texts that fit.

pub(crate) mod fit;
pub(crate) mod gauge;

//! The console itself, under the names that the command line uses.

pub(super) use crate::console::{Keeper, Options, run};

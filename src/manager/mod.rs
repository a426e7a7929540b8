//! The image manager: starts agents, shares the memory out, reduces reports to snapshots.

pub mod plan;

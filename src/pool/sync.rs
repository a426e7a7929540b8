//! What the pool synchronises with, in one place, so that a model checker can put its own in here:
//! `tests/pool_loom.rs` compiles the pool's files again with loom's `Arc` and `Mutex`.

pub(super) use std::sync::{Arc, Mutex, MutexGuard};

/// For figures and final values: nothing is decided by them, so a model checker need not see them.
pub(super) use std::sync::Arc as Plain;

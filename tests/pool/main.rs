//! The buffer pool: beside a model, under stress, and in every interleaving of small cases under loom.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub
)]

mod interleavings;
mod model;
mod stress;

/// The pool's own files once more, with what `interleavings` puts in place of the standard lock.
#[path = "../../src/pool"]
mod pool {
    mod budget;
    mod buffer;
    mod figures;
    mod handle;
    mod reader;
    mod ring;
    mod shared;
    mod writer;

    /// In place of `src/pool/sync.rs`.
    mod sync {
        pub(super) use loom::sync::{Arc, Mutex, MutexGuard};
        pub(super) use std::sync::Arc as Plain;
    }

    pub use budget::Budget;
    pub use handle::BufferPool;
    pub use reader::{Next, Reader};
    pub use writer::Writer;
}

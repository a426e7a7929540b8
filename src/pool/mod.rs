//! The buffer pool: blocks of the image on their way from one transfer agent to many download
//! agents.
//!
//! It holds a window of the image (\[0018\]): the transfer agent fills free buffers with blocks, each
//! download agent takes every block in order at its own pace and in parallel with the others
//! (\[0024\]), and the last of them to let a block go frees its buffer. When no buffer is free the
//! transfer agent waits, so TCP slows the source. After the last block the pool outlives the
//! session to the source and is read until it is empty (\[0026\], step 312). Its depth can be changed
//! at any time (\[0025\]), and all pools draw on one [`Budget`], the memory available for software
//! download (\[0021\]), so that partition errors can cost time but never memory.
//!
//! A synchronous core under an async face, each in a file of its own so that it can be checked:
//!
//! | file | what |
//! | --- | --- |
//! | `ring` | the core: a state machine without locks, clocks or futures |
//! | `budget` | bytes, and the line of pools that wait for some |
//! | `shared` | the ring under its lock; which tasks are to be woken |
//! | `writer`, `reader`, `handle` | the async face: [`Writer`], [`Reader`], [`BufferPool`] |
//! | `buffer` | [`FreeBuffer`] and [`BlockRef`]: bytes without copies |
//! | `figures` | lag, waits, depth, for what watches |
//! | `sync` | the lock and the `Arc`; a model checker replaces this file |
//!
//! No runtime is named here: futures are polled, and wakers kept, by hand. `tests/pool_loom.rs`
//! checks all interleavings of small cases, `tests/pool_model.rs` compares with a naive model,
//! `tests/pool_stress.rs` runs it on tokio.

mod budget;
mod buffer;
mod figures;
mod handle;
mod reader;
mod ring;
mod shared;
mod sync;
#[cfg(test)]
mod tests;
mod writer;

pub use crate::model::memory::{Layout, layout};
pub use budget::Budget;
pub use buffer::{BlockRef, FreeBuffer};
pub use figures::{PoolStats, ReaderMeter};
pub(crate) use figures::{Stopwatch, Wait};
pub use handle::BufferPool;
pub use reader::{Next, Reader};
pub use writer::{Abandoned, Writer};

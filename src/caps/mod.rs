//! Caps: bytes a second that are not exceeded, however many share one, changed while they are in use.
//!
//! | file | what |
//! | --- | --- |
//! | `schedule` | the decision: when the next bytes may go, and how many; pure |
//! | `turns` | whose turn it is, so that all that share a cap get equally much; pure |
//! | `cap` | one cap, its line of those that wait, and how they are woken |
//! | `known` | all caps that there are, by what they are on |
//! | `pacer` | one stream of bytes under all caps that it comes under |
//! | `source` | a file that is read under the cap of its server |
//! | `held` | how long was waited, for what watches |
//!
//! In any stretch of time a cap lets through at most its rate for that long, and a tenth of a second's worth beside, three
//! tenths where a thousand streams are held: each turn costs the processor the same, however much it brings.
//! A changed rate holds from then on: what was granted under the old one and not sent is asked for anew.

mod cap;
mod held;
mod known;
mod pacer;
mod schedule;
mod source;
#[cfg(test)]
mod tests;
mod turns;

pub(crate) use held::{HeldMeter, Kind};
pub(crate) use known::{Caps, GroupCaps};
pub(crate) use pacer::Pacer;
pub(crate) use source::CappedSource;

use std::sync::{Mutex, MutexGuard, PoisonError};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The time of day, by which windows open and close. It may jump: people set clocks.

use std::fmt::Debug;

use jiff::Timestamp;

/// What says how late it is.
pub trait Clock: Send + Sync + Debug {
    fn now(&self) -> Timestamp;
}

/// That of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

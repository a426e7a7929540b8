//! How fast one transfer goes.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A rate is kept over slices of this length, so that a slow entity is slow smoothly.
const SLICE: Duration = Duration::from_millis(50);

/// A rate in bytes per second, kept by waiting after each piece; none at all without a rate.
pub(super) struct Pace {
    rate: Option<u64>,
    next: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self {
            rate,
            next: Instant::now(),
        }
    }

    /// The most bytes that should be moved at once.
    pub(super) fn slice(&self) -> usize {
        match self.rate {
            None => usize::MAX,
            Some(rate) => usize::try_from(rate / 20).unwrap_or(usize::MAX).max(1),
        }
    }

    /// Waits until this number of bytes more may have been moved.
    pub(super) async fn moved(&mut self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        // Time lost in waiting for the other side is made up for one slice at most.
        let earliest = Instant::now().checked_sub(SLICE).unwrap_or(self.next);
        self.next = self.next.max(earliest) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        sleep_until(self.next).await;
    }
}

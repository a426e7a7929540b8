//! A number that only grows, and that can be waited for.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(super) struct Counter {
    value: AtomicU64,
    grown: Notify,
}

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::AcqRel);
        self.grown.notify_waiters();
    }

    pub(super) fn get(&self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    pub(super) async fn at_least(&self, value: u64) {
        loop {
            // Registered before looking, so that no growth is missed in between.
            let grown = self.grown.notified();
            if self.get() >= value {
                return;
            }
            grown.await;
        }
    }
}

//! How much less than granted all pools have while the host is short of memory or processor time.

use std::time::{Duration, Instant};

use crate::engine::host::Host;

/// Time for which a processor is busy until it is short of time, and calm until it is not.
const BUSY: Duration = Duration::from_secs(10);
const CALM: Duration = Duration::from_secs(5);
/// Steps back after a shortage come so far apart at first, and never farther than that.
const STEP: Duration = Duration::from_secs(2);
const LONGEST_STEP: Duration = Duration::from_secs(64);

/// Maximum number of times that shares are halved; more would change no depth that there is.
const MOST: u32 = 40;

#[derive(Debug)]
pub(super) struct Squeeze {
    /// How often the depths are halved for lack of memory.
    halvings: u32,
    changed: Option<Instant>,
    /// Whether the last change was a step back, which the next shortage shows to be too soon.
    recovers: bool,
    step: Duration,
    busy: Option<Instant>,
    calm: Option<Instant>,
    capped: bool,
}

impl Default for Squeeze {
    fn default() -> Self {
        Self {
            halvings: 0,
            changed: None,
            recovers: false,
            step: STEP,
            busy: None,
            calm: None,
            capped: false,
        }
    }
}

impl Squeeze {
    /// A fresh look at the host, about once a second. Why depths change now, if they do.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        host: &Host,
        can_shrink: bool,
    ) -> Option<&'static str> {
        self.memory(now, host, can_shrink)
            .or_else(|| self.processor(now, host))
    }

    fn memory(&mut self, now: Instant, host: &Host, can_shrink: bool) -> Option<&'static str> {
        if host.lacks_memory() {
            if self.recovers {
                self.step = (self.step * 2).min(LONGEST_STEP);
                self.recovers = false;
            }
            self.changed = Some(now);
            if can_shrink && self.halvings < MOST {
                self.halvings += 1;
            }
            return Some("the host is short of memory");
        }
        let since = self.changed.map(|at| now.saturating_duration_since(at));
        if self.halvings > 0 && since.is_some_and(|since| since >= self.step) {
            self.halvings -= 1;
            self.recovers = true;
            self.changed = Some(now);
            return Some("the host has memory again");
        }
        None
    }

    fn processor(&mut self, now: Instant, host: &Host) -> Option<&'static str> {
        let lasts = |since: &mut Option<Instant>, holds: bool, long: Duration| {
            if !holds {
                *since = None;
                return false;
            }
            now.saturating_duration_since(*since.get_or_insert(now)) >= long
        };
        let busy = lasts(&mut self.busy, host.is_busy(), BUSY);
        let calm = lasts(&mut self.calm, host.is_calm(), CALM);
        if busy && !self.capped {
            self.capped = true;
            return Some("the host is short of processor time");
        }
        if calm && self.capped {
            self.capped = false;
            return Some("the host has processor time again");
        }
        None
    }

    /// Whether depths are less than granted for lack of memory.
    pub(super) fn is_on(&self) -> bool {
        self.halvings > 0
    }

    pub(super) fn limit(&self, granted: usize, fair: usize, floor: usize) -> usize {
        let halved = granted.checked_shr(self.halvings).unwrap_or(0);
        let most = match self.capped {
            true => fair / 2,
            false => usize::MAX,
        };
        halved.min(most).max(floor).min(granted)
    }
}

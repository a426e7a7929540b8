//! Bytes a second, of a count that may move in steps.
//!
//! A slow entity takes bytes when its socket has room for many: a count that moves every two seconds
//! is a steady rate, not one that falls and rises. So a step counts for the time since the one before.

use std::time::{Duration, Instant};

/// Shorter looks say more about the scheduler than about the network.
const SHORTEST: Duration = Duration::from_millis(100);
/// Time over which the rate is smoothed, where steps come faster.
const SMOOTH: f64 = 1.0;

#[derive(Debug)]
pub(super) struct RateMeter {
    looked: Instant,
    moved: Instant,
    /// Between the last two steps.
    interval: Duration,
    count: u64,
    rate: f64,
}

impl RateMeter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            looked: now,
            moved: now,
            interval: Duration::ZERO,
            count: 0,
            rate: 0.0,
        }
    }

    /// The rate, now that this number of bytes was counted.
    pub(super) fn sample(&mut self, now: Instant, count: u64) -> f64 {
        let elapsed = now.saturating_duration_since(self.looked);
        if elapsed < SHORTEST {
            return self.rate;
        }
        self.looked = now;
        // A new attempt begins to count anew.
        let step = count.checked_sub(self.count).unwrap_or(count);
        self.count = count;
        let idle = now.saturating_duration_since(self.moved);
        if step > 0 {
            // The time before the first step, or before one after a long silence, is not its own.
            let took = if self.rate > 0.0 { idle } else { elapsed };
            self.approach(step as f64 / took.as_secs_f64(), took);
            (self.moved, self.interval) = (now, took);
        } else if idle > self.interval * 2 {
            self.approach(0.0, elapsed);
        }
        self.rate
    }

    fn approach(&mut self, rate: f64, over: Duration) {
        self.rate += (rate - self.rate) * (over.as_secs_f64() / SMOOTH).min(1.0);
        if self.rate < 1.0 {
            self.rate = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates that ten looks a second show, from a count that is a function of time.
    fn rates(seconds: f64, count: impl Fn(f64) -> u64) -> Vec<f64> {
        let start = Instant::now();
        let mut meter = RateMeter::new(start);
        let looks = 1..=(seconds * 10.0) as u32;
        let look = |look| {
            let at = f64::from(look) / 10.0;
            meter.sample(start + Duration::from_millis(100) * look, count(at))
        };
        looks.map(look).collect()
    }

    #[test]
    fn a_count_that_moves_in_steps_is_a_steady_rate() {
        // 140 kB every two seconds.
        let seen = rates(60.0, |at| (at / 2.0 + 1e-9) as u64 * 140_000);
        for rate in &seen[60..] {
            assert!((60_000.0..80_000.0).contains(rate), "{rate}");
        }
    }

    #[test]
    fn what_stops_comes_to_nothing_within_seconds() {
        let seen = rates(30.0, |at| (at.min(10.0) * 1e6) as u64);
        assert!((0.9e6..1.1e6).contains(&seen[99]), "{}", seen[99]);
        assert!(seen[115] < 0.5e6, "{}", seen[115]);
        assert!(seen[299] == 0.0, "{}", seen[299]);
    }

    #[test]
    fn time_before_the_first_byte_does_not_count() {
        let seen = rates(15.0, |at| ((at - 10.0).max(0.0) * 1e6) as u64);
        assert!(seen[99] == 0.0);
        assert!(seen[125] > 0.8e6, "{}", seen[125]);
    }
}

//! How much is asked for, or sent, before it is answered: enough to fill the way to the host, and no more.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes that are under way in any case.
const LEAST: u64 = 128 << 10;
/// Before anything is known of the way.
const FIRST: u64 = 512 << 10;
/// Maximum bytes under way to one entity: 40 ms of 400 Mbit/s.
pub(super) const MOST: u64 = 2 << 20;
/// While a file is read back, which may be at the end of a pass on all entities at once.
pub(super) const MOST_BACK: u64 = 512 << 10;
/// What is measured for less than this says nothing.
const SHORTEST: Duration = Duration::from_millis(20);

/// What may be under way, from what a host takes in a second and how soon it answers: twice that, so
/// that more shows where the way carries more.
pub(super) fn size(rate: f64, latency: Duration, most: u64) -> u64 {
    let on_the_way = 2.0 * rate * latency.as_secs_f64();
    (on_the_way as u64).clamp(LEAST, most)
}

/// The window of one transfer.
#[derive(Debug)]
pub(super) struct Window {
    most: u64,
    size: u64,
    under_way: u64,
    /// The shortest time from a request to its answer.
    latency: Option<Duration>,
    /// Bytes a second, over the last period.
    rate: f64,
    period: Instant,
    answered: u64,
    /// Since when what is under way has had no answer.
    since: Instant,
}

impl Window {
    pub(super) fn new(most: u64) -> Self {
        let now = Instant::now();
        Self {
            most,
            size: FIRST.min(most),
            under_way: 0,
            latency: None,
            rate: 0.0,
            period: now,
            answered: 0,
            since: now,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.under_way < self.size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way == 0
    }

    /// A part of it, so that answers come in one after the other.
    pub(super) fn part(&self) -> usize {
        usize::try_from(self.size / 4).unwrap_or(usize::MAX)
    }

    /// From when on a host has had time to answer.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// How long what is under way will take.
    pub(super) fn time_left(&self) -> Duration {
        let seconds = self.under_way as f64 / self.rate.max(1.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    pub(super) fn sent(&mut self, bytes: usize, now: Instant) {
        if self.under_way == 0 {
            self.since = now;
            (self.period, self.answered) = (now, 0);
        }
        self.under_way += bytes as u64;
    }

    pub(super) fn answered(&mut self, bytes: usize, sent: Instant, now: Instant) {
        self.since = now;
        self.under_way = self.under_way.saturating_sub(bytes as u64);
        let took = now.saturating_duration_since(sent);
        let latency = self.latency.map_or(took, |least| least.min(took));
        self.latency = Some(latency);
        self.answered += bytes as u64;
        let measured = now.saturating_duration_since(self.period);
        if measured >= SHORTEST.max(latency) {
            self.rate = self.answered as f64 / measured.as_secs_f64();
            (self.period, self.answered) = (now, 0);
            self.size = size(self.rate, latency, self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_window_is_twice_what_is_on_the_way_within_bounds() {
        let mbit = |rate: f64| rate * 125_000.0;
        assert_eq!(size(mbit(100.0), MS(40), MOST), 1_000_000);
        assert_eq!(size(mbit(1.0), MS(40), MOST), LEAST);
        assert_eq!(size(mbit(10_000.0), MS(40), MOST), MOST);
        assert_eq!(size(mbit(100.0), MS(40), MOST_BACK), MOST_BACK);
        assert_eq!(size(0.0, MS(0), MOST), LEAST);
        assert_eq!(size(f64::INFINITY, MS(1), MOST), MOST);
    }

    /// On a way that takes `rate` bytes per second and answers after `latency`: bytes per second that a
    /// transfer reaches in its tenth second.
    fn reached(rate: f64, latency: Duration) -> f64 {
        let begun = Instant::now();
        let mut window = Window::new(MOST);
        let mut now = begun;
        let mut free = begun;
        let mut under_way = std::collections::VecDeque::new();
        let mut taken = 0;
        while now < begun + Duration::from_secs(10) {
            while window.has_room() {
                let bytes = window.part().min(32 << 10);
                free = free.max(now) + Duration::from_secs_f64(bytes as f64 / rate);
                window.sent(bytes, now);
                under_way.push_back((bytes, now, free + latency));
            }
            let (bytes, sent, answered) = under_way.pop_front().unwrap();
            now = answered;
            window.answered(bytes, sent, now);
            if now > begun + Duration::from_secs(9) {
                taken += bytes;
            }
        }
        taken as f64
    }

    #[test]
    fn links_are_filled() {
        for (rate, latency) in [
            (12.5e6, MS(40)),
            (1.25e6, MS(200)),
            (1e4, MS(40)),
            (12.5e6, MS(1)),
        ] {
            let reached = reached(rate, latency);
            assert!(reached > 0.9 * rate, "{reached} of {rate} at {latency:?}");
        }
    }

    #[test]
    fn a_slow_host_gets_little_in_advance() {
        let mut window = Window::new(MOST);
        let begun = Instant::now();
        let mut now = begun;
        for _ in 0..200 {
            window.sent(8 << 10, now);
            let sent = now;
            now += MS(100);
            window.answered(8 << 10, sent, now);
        }
        assert_eq!(window.size, LEAST);
    }
}

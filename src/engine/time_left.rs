//! When a group will have sent everything, as things go.
//!
//! The rates that a screen shows follow the last second, so that one sees a pause. An estimate must
//! not jump with every pause: it goes by rates over several seconds.

use std::time::{Duration, Instant};

use crate::caps::Kind;

use super::bottleneck::Finding;
use super::usage::smooth;

/// Time over which rates are averaged.
const OVER: Duration = Duration::from_secs(5);
/// Bytes a second; what is slower stands still.
const SLOWEST: f64 = 1.0;
/// What has not moved for longer is not foreseen: it comes back, or is given up. Devices that erase their flash pause for
/// less.
const STILL: Duration = Duration::from_secs(2);
/// An estimate from less than that is a guess.
const LEAST: Duration = Duration::from_millis(500);

/// A counter's rate, averaged over [`OVER`], and over as long as it is known before that.
#[derive(Debug, Clone, Copy, Default)]
struct Trend {
    at: Option<Instant>,
    count: u64,
    rate: f64,
    /// How much of the average is known, from 0 to 1.
    known: f64,
    span: Duration,
    /// How long it has not moved.
    still: Duration,
    /// The rate of the attempt before, until this one has its own.
    before: Option<f64>,
}

impl Trend {
    /// One that waits for its turn keeps the rate that it had.
    fn sample(&mut self, now: Instant, count: u64, may_wait: bool) {
        let Some(at) = self.at.filter(|_| count >= self.count) else {
            // The first look, or an attempt that begins to count anew.
            *self = Self {
                at: Some(now),
                count,
                before: self.own().or(self.before),
                ..Self::default()
            };
            return;
        };
        let elapsed = now.saturating_duration_since(at);
        if elapsed.is_zero() {
            return;
        }
        if may_wait && count == self.count {
            // A short pause counts once it goes on.
            return;
        }
        if may_wait && elapsed >= STILL {
            (self.at, self.count) = (Some(now), count);
            return;
        }
        self.still = match count == self.count {
            true => self.still + elapsed,
            false => Duration::ZERO,
        };
        let rate = (count - self.count) as f64 / elapsed.as_secs_f64();
        if self.rate == 0.0 && rate == 0.0 {
            // It has not begun: the time until then says nothing.
            (self.at, self.count) = (Some(now), count);
            return;
        }
        smooth(&mut self.rate, rate, elapsed, OVER);
        smooth(&mut self.known, 1.0, elapsed, OVER);
        self.span += elapsed;
        (self.at, self.count) = (Some(now), count);
    }

    /// Bytes a second, as far as that is more than a guess.
    fn own(&self) -> Option<f64> {
        (self.span >= LEAST).then(|| self.rate / self.known)
    }

    /// At most at the rate that it is held to.
    fn seconds(&self, remaining: u64, most: Option<u64>) -> Option<f64> {
        if self.still >= STILL {
            return None;
        }
        let rate = self.own().or(self.before)?;
        let rate = rate.min(most.map_or(f64::INFINITY, |most| most as f64));
        (rate >= SLOWEST).then(|| remaining as f64 / rate)
    }
}

/// How far an entity is, and whether it sends at all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sending {
    pub(super) sent: u64,
    /// It reads from the pool of the leading pass, or of a later one.
    pub(super) sends: bool,
    pub(super) catches_up: bool,
    /// It has yet to be sent to.
    pub(super) is_to_come: bool,
}

impl Sending {
    /// What it has yet to get is known to come.
    fn is_counted(&self) -> bool {
        self.sends || self.catches_up || self.is_to_come
    }
}

/// Keeps the trends of one group.
#[derive(Debug, Default)]
pub(super) struct TimeLeft {
    read: Trend,
    entities: Vec<Trend>,
}

impl TimeLeft {
    /// Seconds until all is sent. `read` is how far the leading pass has read. Entities that wait
    /// or stand still are unknown: they count neither way, but where a cap holds the whole group, for what they
    /// will get goes through it too. With the bottleneck comes the rate of the cap, if it is one.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        size: Option<u64>,
        read: u64,
        entities: &[Sending],
        (bottleneck, cap): (Finding, Option<u64>),
    ) -> Option<f64> {
        self.read.sample(now, read, false);
        self.entities.resize_with(entities.len(), Trend::default);
        for (trend, entity) in self.entities.iter_mut().zip(entities) {
            trend.sample(now, entity.sent, entity.catches_up || entity.is_to_come);
        }
        let size = size?;
        let source = match bottleneck {
            // Lack of memory slows the source itself down.
            Finding::Source | Finding::Memory if read < size => {
                self.read.seconds(size - read, None)
            }
            // Others may read there too.
            Finding::SourceCap if read < size => self.read.seconds(size - read, cap),
            _ => None,
        };
        let whole = match (bottleneck, cap) {
            (Finding::GroupCap, Some(rate)) => {
                let all = entities.iter().filter(|entity| entity.is_counted());
                let left = all.map(|entity| size.saturating_sub(entity.sent) as f64);
                Some(left.sum::<f64>() / rate as f64)
            }
            _ => None,
        };
        if whole.is_some() {
            return whole.filter(|left| *left > 0.0);
        }
        let known = |(entity_index, (trend, entity)): (usize, (&Trend, &Sending))| {
            // Those that follow the source have no time of their own; where memory is what lacks, it reads in bursts.
            let counts = match (source, bottleneck) {
                (Some(_), Finding::Source | Finding::SourceCap) => entity.catches_up,
                _ => entity.sends || entity.catches_up,
            };
            // One that is tried again begins anew, and is taken to be as fast as before. Of others that are to come
            // nothing is known.
            let counts = counts || entity.is_to_come;
            let remaining = match entity.is_to_come {
                true => size,
                false => size.saturating_sub(entity.sent),
            };
            let most = match bottleneck {
                Finding::Capped(capped, _) if capped == entity_index => cap,
                _ => None,
            };
            if !counts || remaining == 0 {
                None
            } else if let (Some(rate), Finding::Capped(_, Kind::Own)) = (most, bottleneck) {
                // Nobody else shares it, and a change of it counts at once.
                Some(remaining as f64 / rate as f64)
            } else {
                trend.seconds(remaining, most)
            }
        };
        (self.entities.iter().zip(entities).enumerate())
            .filter_map(known)
            .chain(source)
            .max_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// One second in steps of 100 ms after the other, and what is reported at its end. `sent` gives the
    /// bytes of each entity after a number of tenths of a second.
    fn after(
        tenths: u64,
        read: impl Fn(u64) -> u64,
        sent: impl Fn(u64) -> Vec<Sending>,
        bottleneck: Finding,
    ) -> Option<f64> {
        let start = Instant::now();
        let mut left = TimeLeft::default();
        let mut told = None;
        for tenth in 0..=tenths {
            let now = start + Duration::from_millis(tenth * 100);
            told = left.sample(
                now,
                Some(64 * MIB),
                read(tenth),
                &sent(tenth),
                (bottleneck, None),
            );
        }
        told
    }

    fn sends(sent: u64) -> Sending {
        Sending {
            sent,
            sends: true,
            ..Sending::default()
        }
    }

    fn near(told: Option<f64>, expected: f64) {
        let told = told.expect("it is known");
        assert!((told - expected).abs() < expected * 0.1, "{told}");
    }

    #[test]
    fn the_source_tells_the_time_where_it_is_the_bottleneck() {
        let read = |tenth| tenth * MIB / 5;
        let entities = |tenth| vec![sends(tenth * MIB / 5), sends(tenth * MIB / 6)];
        near(after(40, read, entities, Finding::Source), 28.0);
    }

    #[test]
    fn the_slowest_entity_tells_it_otherwise() {
        let entities = |tenth| vec![sends(tenth * MIB / 5), sends(tenth * MIB / 10)];
        let told = after(40, |_| 64 * MIB, entities, Finding::Entity(1));
        near(told, 60.0);
    }

    #[test]
    fn one_that_catches_up_counts_beside_the_source() {
        let read = |tenth| tenth * MIB / 5;
        let entities = |tenth| {
            let mut behind = sends(tenth * MIB / 20);
            (behind.sends, behind.catches_up) = (false, true);
            vec![sends(tenth * MIB / 5), behind]
        };
        near(after(40, read, entities, Finding::Source), 124.0);
    }

    #[test]
    fn a_pause_changes_the_estimate_little() {
        // 8 tenths at full speed, 2 of pause.
        let entities = |tenth: u64| vec![sends((tenth / 10 * 8 + (tenth % 10).min(8)) * MIB / 4)];
        for tenths in [95, 98, 100] {
            let sent = entities(tenths)[0].sent;
            let expected = (64 * MIB - sent) as f64 / (2.0 * MIB as f64);
            let told = after(tenths, |_| 64 * MIB, entities, Finding::Entity(0)).unwrap();
            assert!((told / expected - 1.0).abs() < 0.15, "{told} of {expected}");
        }
    }

    #[test]
    fn what_stands_still_or_waits_is_not_known() {
        let silent = |_| vec![sends(MIB)];
        assert_eq!(after(40, |_| MIB, silent, Finding::Entity(0)), None);
        // Offline, say.
        let waits = |tenth| {
            let mut one = sends(tenth * MIB);
            one.sends = false;
            vec![one]
        };
        assert_eq!(after(40, |_| 64 * MIB, waits, Finding::Entity(0)), None);
        let done = |_| vec![sends(64 * MIB)];
        assert_eq!(after(40, |_| 64 * MIB, done, Finding::Entity(0)), None);
    }

    #[test]
    fn one_that_falls_silent_is_not_foreseen_and_the_others_are() {
        let entities = |tenth: u64| vec![sends(tenth * MIB / 10), sends(tenth.min(50) * MIB / 10)];
        for tenth in [75, 120, 300] {
            let told = after(tenth, |_| 64 * MIB, entities, Finding::Entity(1));
            near(told, 64.0 - tenth as f64 / 10.0);
        }
        let silent = |tenth: u64| vec![sends(tenth.min(50) * MIB / 10)];
        assert_eq!(after(80, |_| 64 * MIB, silent, Finding::Entity(0)), None);
        // One that catches up by fits and starts is as fast as it is in the mean.
        let starts = |tenth: u64| {
            let mut one = sends(tenth / 10 * MIB);
            (one.sends, one.catches_up) = (false, true);
            vec![one]
        };
        near(after(100, |_| 64 * MIB, starts, Finding::Entity(0)), 54.0);
        // One that waits for a later pass is to go on as it did.
        let waits = |tenth: u64| {
            let mut one = sends(tenth.min(50) * MIB / 10);
            (one.sends, one.catches_up) = (tenth < 50, tenth >= 50);
            vec![one]
        };
        near(after(80, |_| 64 * MIB, waits, Finding::Entity(0)), 59.0);
    }

    #[test]
    fn one_that_is_tried_again_takes_as_long_as_its_rate_before_says() {
        let entities = |tenth: u64| {
            let mut one = match tenth {
                0..30 => sends(tenth * MIB / 5),
                // The next attempt has begun, a moment ago.
                60.. => sends((tenth - 60) * MIB / 5),
                _ => sends(6 * MIB),
            };
            (one.sends, one.is_to_come) = match tenth {
                30..60 => (false, true),
                _ => (true, false),
            };
            vec![one, sends(tenth * MIB / 2)]
        };
        for tenth in [35, 55, 61] {
            near(after(tenth, |_| 64 * MIB, entities, Finding::None), 32.0);
        }
    }

    #[test]
    fn a_burst_of_the_source_does_not_hide_the_slowest_entity() {
        let read = |tenth: u64| {
            if tenth < 35 {
                MIB
            } else {
                (tenth - 34) * 8 * MIB
            }
        };
        let entities = |tenth: u64| vec![sends(tenth * MIB / 10)];
        let told = after(40, read, entities, Finding::Memory);
        near(told, 60.0);
    }

    #[test]
    fn an_attempt_that_begins_anew_is_judged_anew() {
        let entities = |tenth: u64| {
            let sent = if tenth < 20 {
                tenth * 3 * MIB
            } else {
                (tenth - 20) * MIB / 10
            };
            vec![sends(sent)]
        };
        near(after(40, |_| 64 * MIB, entities, Finding::Entity(0)), 62.0);
    }

    #[test]
    fn where_a_cap_holds_the_group_its_rate_tells_the_time() {
        let entities = |tenth: u64| vec![sends(tenth * MIB / 20), sends(tenth * MIB / 20)];
        let mut left = TimeLeft::default();
        let start = Instant::now();
        let mut told = None;
        for tenth in 0..=40 {
            let mut all = entities(tenth);
            // It has not begun, and all that it will get goes through the cap too.
            all.push(Sending {
                is_to_come: true,
                ..Sending::default()
            });
            let now = start + Duration::from_millis(tenth * 100);
            let bottleneck = (Finding::GroupCap, Some(MIB));
            told = left.sample(now, Some(64 * MIB), 64 * MIB, &all, bottleneck);
        }
        // 3 of 64 MiB, less 2 that were sent to each of two.
        near(told, 3.0 * 64.0 - 4.0);
        // Raised: from that moment on.
        let bottleneck = (Finding::GroupCap, Some(4 * MIB));
        let now = start + Duration::from_millis(4100);
        let told = left.sample(now, Some(64 * MIB), 64 * MIB, &entities(41), bottleneck);
        near(told, (128.0 - 4.1) / 4.0);
    }

    #[test]
    fn one_that_its_own_cap_holds_up_takes_as_long_as_that_says() {
        let entities = |tenth: u64| vec![sends(tenth * MIB), sends(tenth * MIB / 10)];
        let mut left = TimeLeft::default();
        let start = Instant::now();
        let mut told = None;
        for tenth in 0..=20 {
            let now = start + Duration::from_millis(tenth * 100);
            let bottleneck = (Finding::Capped(1, Kind::Own), Some(MIB / 2));
            told = left.sample(now, Some(64 * MIB), 64 * MIB, &entities(tenth), bottleneck);
        }
        near(told, 124.0);
    }
}

//! When the next bytes may go, and how many: a generic cell rate algorithm, in bytes. Time is given, never asked for.
//!
//! It keeps one moment: when all that was granted would have been sent at the rate. Before it nothing is granted.
//! Who comes late may make up for a little, so that a late timer costs nothing.

use std::time::Duration;

/// A grant is at most what goes in this time.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Where many streams are held by caps, in this time for each of them: turns cost what they cost.
const OF_EACH: Duration = Duration::from_micros(250);
/// But in no longer one.
const LONGEST: Duration = Duration::from_millis(250);
/// What was granted at an old rate is waited for no longer than this.
const CHANGED: Duration = Duration::from_millis(100);
/// Time that is made up for.
const LATE: Duration = Duration::from_millis(50);
/// At a slow rate a grant may be as large as this, as long as it goes within twice [`AT_ONCE`]: each costs a turn.
const SMALL: u64 = 4096;
/// Where many share a cap, each has a turn once in this time.
const ROUND: u64 = 1;
/// And not for less than this, where the rate allows.
const LEAST: u64 = 512;

/// Turns that one which is busy elsewhere does not lose.
const TURNS_BEHIND: u64 = 4;

const NANOS: u128 = 1_000_000_000;

/// One cap's.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// Bytes a second, never 0.
    rate: u64,
    /// Since an epoch.
    next: Duration,
}

impl Schedule {
    pub(super) fn new(rate: u64, now: Duration) -> Self {
        Self {
            rate: rate.max(1),
            next: now,
        }
    }

    /// How many of `most` bytes may go now, where so many share this cap, and a crowd of so many streams is under caps at
    /// all.
    ///
    /// # Errors
    /// None: when some may.
    pub(super) fn grant(
        &mut self,
        now: Duration,
        most: usize,
        (sharing, crowd): (usize, usize),
    ) -> Result<usize, Duration> {
        if self.next > now {
            return Err(self.next);
        }
        let turn = usize::try_from(turn(self.rate, sharing, crowd)).unwrap_or(usize::MAX);
        let granted = most.min(turn);
        let begins = self.next.max(now.saturating_sub(LATE));
        self.next = begins + self.takes(granted, true);
        Ok(granted)
    }

    /// By how many bytes one that shares it may stay behind the others, and still get them.
    pub(super) fn credit(&self, sharing: usize, crowd: usize) -> u64 {
        turn(self.rate, sharing, crowd).saturating_mul(TURNS_BEHIND)
    }

    /// Bytes that were granted and are not sent.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.next = self.next.saturating_sub(self.takes(bytes, false));
    }

    /// From now on. What was granted before was granted at the old rate; what was missed is not made up for at the
    /// new one.
    pub(super) fn change(&mut self, rate: u64, now: Duration) {
        self.rate = rate.max(1);
        self.next = self.next.clamp(now, now + CHANGED);
    }

    /// How long so many bytes take, rounded against those that ask.
    fn takes(&self, bytes: usize, up: bool) -> Duration {
        let (all, rate) = (bytes as u128 * NANOS, u128::from(self.rate));
        let nanos = if up { all.div_ceil(rate) } else { all / rate };
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The most that one turn brings.
fn turn(rate: u64, sharing: usize, crowd: usize) -> u64 {
    let crowd = u32::try_from(crowd).unwrap_or(u32::MAX);
    let at_once = OF_EACH.saturating_mul(crowd).clamp(AT_ONCE, LONGEST);
    let within = |time: Duration| {
        let bytes = u128::from(rate) * time.as_nanos() / NANOS;
        u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
    };
    let whole = within(at_once).max(SMALL.min(within(2 * AT_ONCE)));
    let share = rate.saturating_mul(ROUND) / sharing.max(1) as u64;
    whole.min(share.max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_short_and_not_too_many() {
        assert_eq!(turn(10 << 20, 1, 1), (10 << 20) / 20);
        assert_eq!(turn(60 << 10, 1, 1), 4096, "rather than 3072");
        assert_eq!(turn(1 << 10, 1, 1), 102);
        assert_eq!(turn(1 << 10, 1000, 1), 102);
        assert_eq!(turn(10 << 20, 1000, 1), (10 << 20) / 1000);
        assert_eq!(turn(100 << 10, 1000, 1), 512);
        assert_eq!(turn(1, 1, 1), 1);
        assert_eq!(turn(u64::MAX, 1, 1), u64::MAX / 20);
        assert_eq!(turn(64 << 10, 1, 200), 4096);
        assert_eq!(turn(64 << 10, 1, 1000), 16 << 10);
        assert_eq!(turn(64 << 10, 1, 100_000), 16 << 10);
    }

    #[test]
    fn who_comes_late_makes_up_for_a_little() {
        let second = Duration::from_secs(1);
        let mut schedule = Schedule::new(1_000_000, second);
        assert_eq!(schedule.grant(second, usize::MAX, (1, 1)), Ok(50_000));
        let next = second + Duration::from_millis(50);
        assert_eq!(schedule.grant(second, usize::MAX, (1, 1)), Err(next));
        // 30 ms late: the one after it comes 20 ms later.
        let late = next + Duration::from_millis(30);
        assert_eq!(schedule.grant(late, usize::MAX, (1, 1)), Ok(50_000));
        let next = next + Duration::from_millis(50);
        assert_eq!(schedule.grant(late, usize::MAX, (1, 1)), Err(next));
        // A minute late: no more than 50 ms are made up for.
        let later = next + Duration::from_secs(60);
        assert_eq!(schedule.grant(later, usize::MAX, (1, 1)), Ok(50_000));
        assert_eq!(schedule.grant(later, usize::MAX, (1, 1)), Ok(50_000));
        assert!(schedule.grant(later, usize::MAX, (1, 1)).is_err());
    }

    #[test]
    fn what_is_given_back_is_there_for_others() {
        let now = Duration::from_secs(1);
        let mut schedule = Schedule::new(1000, now);
        assert_eq!(schedule.grant(now, usize::MAX, (1, 1)), Ok(100));
        schedule.give_back(60);
        let next = now + Duration::from_millis(40);
        assert_eq!(schedule.grant(now, 1, (1, 1)), Err(next));
    }
}

//! Numbers drawn by name: entities of one pattern behave alike and yet each in a way of its own, and
//! the same in every run.

use std::time::Duration;

use super::behaviour::Pause;
use super::image::{STEP, hash, mix};

/// A sequence of numbers that belongs to a name and a purpose.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(name: &str, purpose: &str) -> Self {
        Self(mix(hash(name) ^ hash(purpose).rotate_left(32)))
    }

    /// The next number, below `end`; 0 where nothing is.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0).checked_rem(end).unwrap_or(0)
    }
}

/// A byte within a file of that size, neither its first nor its end.
pub(super) fn byte_within(name: &str, size: u64) -> u64 {
    1 + Draw::new(name, "drop").below(size.saturating_sub(1))
}

/// The bytes at which an upload pauses.
#[derive(Debug)]
pub(super) struct Pauses {
    every: u64,
    length: Duration,
    next: u64,
    draw: Option<Draw>,
}

impl Pauses {
    /// Those of an upload that begins at `start`. With `random`, the first is anywhere within
    /// `every`, and the next ones follow after half of `every` to one and a half.
    pub(super) fn new(pause: Pause, random: bool, name: &str, start: u64) -> Self {
        let mut draw = random.then(|| Draw::new(name, "pause"));
        let first = match &mut draw {
            Some(draw) => 1 + draw.below(pause.every),
            None => pause.every,
        };
        Self {
            every: pause.every,
            length: pause.length,
            next: start + first,
            draw,
        }
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Pauses, if this is a byte for it.
    pub(super) async fn reached(&mut self, at: u64) {
        if self.next == at {
            tokio::time::sleep(self.length).await;
            self.advance();
        }
    }

    fn advance(&mut self) {
        let step = match &mut self.draw {
            Some(draw) => self.every / 2 + draw.below(self.every),
            None => self.every,
        };
        self.next += step.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(name: &str, random: bool) -> Vec<u64> {
        let pause = Pause {
            every: 1 << 20,
            length: Duration::from_millis(400),
        };
        let mut pauses = Pauses::new(pause, random, name, 0);
        let each = (0..1000).map(|_| {
            let at = pauses.next();
            pauses.advance();
            at
        });
        each.collect()
    }

    #[test]
    fn random_pauses_are_an_entitys_own_and_the_same_every_time() {
        let regular = bytes("a", false);
        assert_eq!(regular[..2], [1 << 20, 2 << 20]);
        assert_eq!(regular, bytes("b", false));
        let one = bytes("a", true);
        assert_eq!(one, bytes("a", true));
        let other = bytes("b", true);
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
        for pauses in [one, other] {
            assert!((1..=1 << 20).contains(&pauses[0]));
            let steps = || pauses.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(steps().all(|step| (1 << 19..3 << 19).contains(&step)));
            let mean = steps().sum::<u64>() / 999;
            assert!((1_000_000..1_100_000).contains(&mean), "{mean}");
        }
    }

    #[test]
    fn a_byte_is_within_its_file() {
        let drawn: Vec<_> = (0..100)
            .map(|number| byte_within(&format!("e{number}"), 1 << 20))
            .collect();
        assert!(drawn.iter().all(|byte| (1..1 << 20).contains(byte)));
        // Spread over the file.
        for quarter in 0..4_u64 {
            let part = (quarter << 18)..((quarter + 1) << 18);
            assert!(drawn.iter().filter(|byte| part.contains(byte)).count() > 10);
        }
        assert_eq!(byte_within("a", 0), 1);
    }
}

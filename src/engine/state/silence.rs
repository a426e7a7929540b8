//! How long an entity has taken nothing although there is something for it.

use std::time::{Duration, Instant};

/// Pauses that are shorter are nothing to be reported.
const WORTH: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The bytes that it had taken when it last moved, and when that was.
    moved: Option<(u64, Instant)>,
}

impl Silence {
    /// How long it has lasted, where that is worth a report. `sent` are the bytes that it has taken; `None`: there is
    /// nothing for it to take.
    pub(super) fn lasts(&mut self, now: Instant, sent: Option<u64>) -> Option<Duration> {
        match (sent, self.moved) {
            (Some(sent), Some((before, at))) if sent == before => {
                let lasts = now.saturating_duration_since(at);
                (lasts >= WORTH).then_some(lasts)
            }
            (Some(sent), _) => {
                self.moved = Some((sent, now));
                None
            }
            (None, _) => {
                self.moved = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_last_byte_and_ends_with_the_next_or_with_nothing_to_take() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut silence = Silence::default();
        let mut look = |seconds, sent| {
            let lasts = silence.lasts(at(seconds), sent);
            lasts.map(|lasts| lasts.as_secs())
        };
        assert_eq!(look(0, Some(10)), None);
        assert_eq!(look(4, Some(10)), None);
        assert_eq!(look(34, Some(10)), Some(34));
        assert_eq!(look(35, Some(11)), None);
        assert_eq!(look(45, Some(11)), Some(10));
        assert_eq!(look(46, None), None);
        assert_eq!(look(50, Some(11)), None);
        assert_eq!(look(56, Some(11)), Some(6));
    }
}

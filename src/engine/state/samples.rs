//! What each look at a group adds to its series, and to that of its run.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::model::series::{Counts, Sample};
use crate::model::{Series, Standing};

use super::{EntityRecord, GroupState};

/// The series of a group, and the look that is not in the one of its run yet.
#[derive(Debug)]
pub(in crate::engine) struct Samples {
    began: Instant,
    series: Arc<Series>,
    /// Bytes that had come from its sources at the last look.
    read: u64,
    newest: Sample,
    is_new: bool,
}

impl Samples {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            series: Arc::default(),
            read: 0,
            newest: Sample::default(),
            is_new: false,
        }
    }

    /// Takes a look, of which `read` is all that has come from sources so far. One at a group in which nothing is done
    /// counts only where it shows anything new: it may be at rest for days.
    pub(super) fn take(&mut self, now: Instant, is_under_way: bool, look: Sample) {
        let sample = Sample {
            read: look.read.saturating_sub(self.read),
            ..look
        };
        self.read = self.read.max(look.read);
        let says = sample.read > 0 || sample.delivered > 0 || sample.counts != self.newest.counts;
        if is_under_way || says {
            let at = now.saturating_duration_since(self.began);
            Arc::make_mut(&mut self.series).push(at, &sample);
            self.is_new = true;
        }
        self.newest = sample;
    }

    pub(super) fn series(&self) -> Arc<Series> {
        self.series.clone()
    }

    /// Whether the newest look counts, and what the group adds by it to its run. The buffers of one that has ended are
    /// those of others by then.
    pub(in crate::engine) fn newest(&mut self, is_ended: bool) -> (bool, Sample) {
        let mut sample = self.newest;
        if is_ended {
            (sample.filled, sample.depth) = (0, 0);
        }
        // Its bytes are counted once.
        (self.newest.read, self.newest.delivered) = (0, 0);
        (std::mem::take(&mut self.is_new), sample)
    }
}

impl GroupState {
    /// How its figures went up to now.
    pub(in crate::engine) fn series(&self) -> Arc<Series> {
        self.samples.series()
    }

    /// Looks at the group, of whose buffers this many are filled.
    pub(super) fn sample(&mut self, used: usize) {
        let buffer = self.buffer_size as u64;
        let mut delivered = 0;
        for (record, meter) in self.entities.iter_mut().zip(&self.meters.entities) {
            delivered += record.took(meter.sent());
        }
        let standings = self.entities.iter().map(EntityRecord::standing);
        let look = Sample {
            read: self.meters.source_bytes.load(Ordering::Relaxed),
            delivered,
            filled: used as u64 * buffer,
            depth: *self.depth.borrow() as u64 * buffer,
            counts: Counts::of(standings),
        };
        let is_under_way = self.is_under_way();
        self.samples.take(Instant::now(), is_under_way, look);
    }
}

impl EntityRecord {
    fn standing(&self) -> Standing {
        Standing::of(self.state, self.verified)
    }

    /// Bytes that it took since this was asked last, now that it has taken this many in its attempt.
    fn took(&mut self, sent: u64) -> u64 {
        // A new attempt begins to count anew.
        let step = sent.checked_sub(self.sampled).unwrap_or(sent);
        self.sampled = sent;
        step
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::EntityState;

    fn look(read: u64, delivered: u64, state: EntityState) -> Sample {
        Sample {
            read,
            delivered,
            filled: 1,
            depth: 2,
            counts: Counts::of([Standing::In(state)].into_iter()),
        }
    }

    #[test]
    fn a_group_at_rest_is_not_sampled_and_adds_no_bytes_to_its_run() {
        let began = Instant::now();
        let mut samples = Samples::new(began);
        let take = |samples: &mut Samples, second, is_under_way, look| {
            samples.take(began + Duration::from_secs(second), is_under_way, look);
            samples.newest(false)
        };
        let waiting = look(0, 0, EntityState::Waiting);
        assert_eq!(take(&mut samples, 1, false, waiting), (true, waiting));
        // Of its buffers some are another group's now.
        let fewer = Sample {
            depth: 1,
            ..waiting
        };
        assert_eq!(take(&mut samples, 2, false, fewer), (false, fewer));
        let sending = look(700, 90, EntityState::Sending);
        assert_eq!(take(&mut samples, 9, true, sending), (true, sending));
        let more = Sample {
            read: 300,
            ..sending
        };
        let (is_new, sample) = take(&mut samples, 10, true, look(1000, 90, EntityState::Sending));
        assert!(is_new);
        assert_eq!(sample, more, "what came since the look before");
        samples.newest(true);
        let left = samples.newest(true).1;
        assert_eq!(
            (left.filled, left.counts),
            (0, sending.counts),
            "it has ended"
        );
        let slots: Vec<u64> = samples
            .series()
            .points()
            .iter()
            .map(|one| one.slot)
            .collect();
        assert_eq!(slots, [1, 9, 10]);
    }
}

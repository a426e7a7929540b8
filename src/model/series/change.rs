//! What makes a series out of an earlier copy of it: mostly its newest point.

use serde::{Deserialize, Serialize};

use super::{MOST, Point, Series};

/// Follows from what is at both ends, not from what was sent before: a copy of which nothing is known gets all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    interval: u64,
    until: u64,
    /// Points of the copy that stay, once its slots are as long.
    keep: usize,
    points: Vec<Point>,
}

impl Series {
    /// All of it, as a change of an empty one.
    pub fn whole(&self) -> Change {
        Change {
            interval: self.interval,
            until: self.until,
            keep: 0,
            points: self.points.clone(),
        }
    }

    /// The series that [`Self::whole`] was made of; `None`: of none.
    pub fn of(whole: Change) -> Option<Self> {
        let series = Self::default().with(whole)?;
        let mut pairs = series.points.windows(2);
        pairs
            .all(|pair| pair[0].slot < pair[1].slot)
            .then_some(series)
    }

    /// What this one says besides an earlier copy; `None`: nothing.
    pub fn since(&self, known: &Self) -> Option<Change> {
        if self == known {
            return None;
        }
        let known = known.clone().at_interval(self.interval);
        let pairs = self.points.iter().zip(&known.points);
        let keep = pairs.take_while(|(now, known)| now == known).count();
        Some(Change {
            interval: self.interval,
            until: self.until,
            keep,
            points: self.points[keep..].to_vec(),
        })
    }

    /// The series that follows; `None`: it does not follow from this one.
    pub fn with(&self, change: Change) -> Option<Self> {
        let mut next = self.clone().at_interval(change.interval);
        if change.keep > next.points.len() || change.keep + change.points.len() > MOST {
            return None;
        }
        next.points.truncate(change.keep);
        next.points.extend(change.points);
        next.until = change.until;
        Some(next)
    }

    /// With slots of this length; empty where they are none of its own at any time.
    fn at_interval(mut self, interval: u64) -> Self {
        while self.interval < interval {
            self.thin();
        }
        if self.interval != interval {
            self.points.clear();
            self.interval = interval.max(1);
        }
        self
    }
}

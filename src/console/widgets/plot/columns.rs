//! A series as the columns of a plot.

use crate::model::Series;
use crate::model::series::Counts;

/// What stands in one column.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Column {
    /// Bytes a second.
    pub(crate) read: f64,
    pub(crate) delivered: f64,
    /// The most at any time of it.
    pub(crate) filled: u64,
    pub(crate) depth: u64,
    /// At the end of it.
    pub(crate) counts: Counts,
}

/// The columns of an axis of that many, which ends after `end` seconds; without those that are still to come. What has not
/// ended yet of a series that goes on is left out, since it would be drawn anew with every look.
pub(crate) fn columns(series: &Series, end: u64, number: usize, goes_on: bool) -> Vec<Column> {
    let interval = series.interval().as_secs_f64();
    let until = match series.newest() {
        Some(newest) if goes_on => newest.slot as f64 * interval,
        _ => series.until().as_secs_f64(),
    };
    let length = end.max(1) as f64 / number.max(1) as f64;
    let shown = ((until / length).ceil().max(0.0) as usize).min(number);
    let mut columns = vec![Column::default(); shown];
    let mut known = 0;
    for point in series.points() {
        let (begins, ends) = series.span(point);
        let (begins, ends) = (begins.as_secs_f64(), ends.as_secs_f64().min(until));
        let first = (begins / length) as usize;
        if begins >= until || first >= shown {
            break;
        }
        // Where nothing was sampled, all stayed as it was.
        for at in known.max(1)..=first {
            columns[at].counts = columns[at - 1].counts;
        }
        let [read, delivered] =
            [point.read, point.delivered].map(|bytes| bytes as f64 / (ends - begins).max(1e-3));
        for (at, column) in columns.iter_mut().enumerate().skip(first) {
            let column_begins = at as f64 * length;
            let column_ends = (column_begins + length).min(until);
            if column_begins >= ends && at > first {
                break;
            }
            let common = (ends.min(column_ends) - begins.max(column_begins)).max(0.0);
            let part = common / (column_ends - column_begins).max(1e-3);
            column.read += read * part;
            column.delivered += delivered * part;
            column.filled = column.filled.max(point.filled);
            column.depth = column.depth.max(point.depth);
            column.counts = point.counts;
            known = at + 1;
        }
    }
    for at in known.max(1)..shown {
        columns[at].counts = columns[at - 1].counts;
    }
    columns
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::series::{Class, Sample};
    use crate::model::{EntityState, Standing};

    fn series(seconds: u64) -> Series {
        let mut series = Series::default();
        for tenth in 1..=seconds * 10 {
            let state = match tenth {
                ..50 => EntityState::Waiting,
                _ => EntityState::Upgraded,
            };
            let sample = Sample {
                read: 100,
                delivered: 1000,
                filled: tenth % 13,
                depth: 16,
                counts: Counts::of([Standing::In(state)].into_iter()),
            };
            series.push(Duration::from_millis(tenth * 100), &sample);
        }
        series
    }

    #[test]
    fn a_steady_rate_is_steady_in_every_column_of_every_width() {
        for seconds in [3, 10, 59, 250, 1000] {
            let series = series(seconds);
            for (end, number) in [(10, 56), (60, 56), (1200, 28), (3600, 7)] {
                for (at, column) in columns(&series, end, number, true).iter().enumerate() {
                    let is_steady = (column.read - 1000.0).abs() < 120.0;
                    assert!(is_steady, "{seconds} {end} {number} {at}: {column:?}");
                    assert!(column.filled <= 12 && column.depth == 16);
                }
            }
        }
    }

    #[test]
    fn what_is_still_to_come_has_no_column_and_the_newest_slot_none_while_it_is_open() {
        let series = series(10);
        assert_eq!(columns(&series, 20, 40, true).len(), 20);
        assert_eq!(columns(&series, 20, 40, false).len(), 20);
        let mut more = series.clone();
        more.push(Duration::from_millis(10_900), &Sample::default());
        assert_eq!(columns(&more, 20, 40, true), columns(&series, 20, 40, true));
        assert_eq!(columns(&more, 20, 40, false).len(), 22);
        assert!(columns(&Series::default(), 10, 40, true).is_empty());
    }

    #[test]
    fn in_a_pause_nothing_moves_and_all_stays_as_it_was() {
        let mut series = series(10);
        let upgraded = series.points()[9].counts;
        let sample = Sample {
            read: 100,
            ..Sample::default()
        };
        series.push(Duration::from_secs(55), &sample);
        series.push(Duration::from_secs(58), &sample);
        let columns = columns(&series, 60, 60, false);
        assert_eq!(columns.len(), 58);
        assert_eq!(columns[5].counts.get(Class::Proven), 1, "{:?}", columns[5]);
        for column in &columns[12..55] {
            assert_eq!((column.read, column.counts), (0.0, upgraded));
        }
        assert_eq!(columns[55].counts, Counts::default());
    }
}

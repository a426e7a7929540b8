//! The ends of axes, and their labels: round, and chosen so that they move seldom, since all that is drawn moves with them.

use crate::model::columns::width;

/// Seconds at which the time axis ends; from an hour on each is at most a half longer than the one before, too.
const ENDS: [u64; 18] = [
    10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];
/// Hours, then days.
const HOURS: [u64; 11] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 48];

/// Blanks between two labels.
const GAP: usize = 2;

/// Where an axis ends on which this many seconds have their place.
pub(crate) fn time_end(seconds: u64) -> u64 {
    let hours = HOURS.iter().map(|hours| hours * 3600);
    let mut ends = ENDS.into_iter().chain(hours);
    ends.find(|end| *end >= seconds).unwrap_or_else(|| {
        let day = 24 * 3600;
        let mut end: u64 = 2 * day;
        while end < seconds {
            // By whole days.
            end = end.saturating_add((end / day / 2) * day);
        }
        end
    })
}

/// How long something has taken: `1:30`, `2:00:00`.
pub(crate) fn clock(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match hours {
        0 => format!("{minutes}:{:02}", seconds % 60),
        _ => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
    }
}

/// The same on an axis, whose times are round: `1:30`, `2h`, `2h30`, `3d`.
pub(crate) fn label(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, _) => clock(seconds),
        (72.., 0) if hours.is_multiple_of(24) => format!("{}d", hours / 24),
        (_, 0) => format!("{hours}h"),
        _ => format!("{hours}h{minutes:02}"),
    }
}

/// Labels of a time axis of this many columns, each with the column at which it begins; as many as stand apart.
pub(crate) fn ticks(end: u64, columns: usize) -> Vec<(usize, String)> {
    let tick = |part: u64, parts: u64| {
        let label = label(end / parts * part);
        let at = (columns as u64 * part / parts) as usize;
        // The last one ends where the axis does.
        (at.min(columns.saturating_sub(width(&label))), label)
    };
    let of = |parts: u64| -> Vec<(usize, String)> {
        (0..=parts).map(|part| tick(part, parts)).collect()
    };
    let are_apart = |ticks: &Vec<(usize, String)>| {
        let mut pairs = ticks.windows(2);
        pairs.all(|pair| pair[0].0 + width(&pair[0].1) + GAP <= pair[1].0)
    };
    let round = |parts: &u64| end.is_multiple_of(*parts) && is_round(end / parts);
    let parts = (1..=6).rev().filter(round);
    parts.map(of).find(are_apart).unwrap_or_default()
}

/// 0:40 is as odd as 17:00.
fn is_round(step: u64) -> bool {
    let units = [24 * 3600, 3600, 60, 1].into_iter();
    let many = units
        .filter(|unit| step.is_multiple_of(*unit))
        .map(|unit| step / unit)
        .next();
    many.is_some_and(|many| matches!(many, 1..=6 | 8 | 10 | 12 | 15 | 20 | 30))
}

/// The top of an axis on which these bytes have their place: 1, 1.5, 2, 3, 4, 6, … of a unit.
pub(crate) fn bytes_top(most: f64) -> f64 {
    let mut top = 64.0;
    while top < most {
        if top * 1.5 >= most {
            return top * 1.5;
        }
        top *= 2.0;
    }
    top
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_round_and_stand_where_they_belong() {
        let texts = |end, columns| -> Vec<String> {
            let ticks = ticks(end, columns).into_iter();
            ticks.map(|(at, label)| format!("{at} {label}")).collect()
        };
        assert_eq!(
            texts(60, 60),
            [
                "0 0:00", "10 0:10", "20 0:20", "30 0:30", "40 0:40", "50 0:50", "56 1:00"
            ]
        );
        assert_eq!(texts(60, 28), ["0 0:00", "9 0:20", "18 0:40", "24 1:00"]);
        assert_eq!(texts(45, 28), ["0 0:00", "9 0:15", "18 0:30", "24 0:45"]);
        assert_eq!(texts(7200, 28), ["0 0:00", "14 1h", "26 2h"]);
        assert_eq!(texts(5400, 40), ["0 0:00", "13 30:00", "26 1h", "36 1h30"]);
        assert_eq!(
            texts(2 * 86_400, 40),
            ["0 0:00", "10 12h", "20 24h", "30 36h", "37 48h"]
        );
        assert_eq!(texts(4 * 86_400, 20), ["0 0:00", "10 48h", "18 4d"]);
        assert_eq!(texts(10, 3), Vec::<String>::new());
    }

    #[test]
    fn tops_are_round() {
        let tops = [0.0, 65.0, 97.0, 1025.0, 1e6, 12e6].map(bytes_top);
        assert_eq!(tops, [64.0, 96.0, 128.0, 1536.0, 1_048_576.0, 12_582_912.0]);
    }

    proptest! {
        #[test]
        fn an_axis_holds_its_run_moves_seldom_and_its_labels_fit(
            seconds in 0_u64..40_000_000, columns in 0_usize..200
        ) {
            let end = time_end(seconds);
            prop_assert!(end >= seconds && (end <= 10 || end <= seconds * 2));
            prop_assert_eq!(time_end(end), end);
            let mut room = 0;
            for (at, label) in ticks(end, columns) {
                prop_assert!(at >= room, "{} {}", end, columns);
                room = at + width(&label) + 1;
                prop_assert!(room <= columns + 1);
            }
        }
    }
}

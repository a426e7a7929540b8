//! What of the page has its place on a screen: pure, since keys must know as much as drawing.

use ratatui::layout::{Constraint, Layout, Rect};

/// The lines above everything else.
const TOTALS: u16 = 2;
/// The rows of a plot where there is little room, and where there is much.
const LOW: u16 = 3;
const HIGH: u16 = 24;
/// On a screen of few rows, which may be that of a slow line.
const MIDDLE: u16 = 5;
/// From this width on plots stand beside the lanes, where there are several.
const WIDE: u16 = 120;
/// From this width on two plots stand side by side.
const TWO: u16 = 76;
/// Lanes that are not given up for higher plots.
const LANES: u16 = 11;

/// Four plots: rate delivered, rate read, pool, entities; and the times of each column of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Four {
    pub(super) plots: [Rect; 4],
    pub(super) times: Vec<Rect>,
}

/// Plots of the group under the cursor alone, below its name: rate delivered, pool, entities; where there is less room
/// without the pool, then the rate alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) name: Rect,
    pub(super) plots: Vec<Rect>,
    pub(super) times: Rect,
}

/// Where the plots are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plots {
    Four(Four),
    /// Beside the lanes; below those, where there is room, the group under the cursor.
    Beside(Four, Option<Own>),
    /// The rate delivered alone, and its times.
    One(Rect, Rect),
    /// There is no room.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) totals: Rect,
    pub(super) plots: Plots,
    /// The head of the lanes.
    pub(super) head: Rect,
    pub(super) lanes: Rect,
    /// The line about the group under the cursor.
    pub(super) foot: Rect,
}

pub(super) fn places(area: Rect, groups: usize) -> Places {
    let [totals, middle, foot] = Layout::vertical([
        Constraint::Length(TOTALS),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let groups = u16::try_from(groups).unwrap_or(u16::MAX);
    let is_beside = area.width >= WIDE && area.height >= 18 && groups > 1;
    let (lanes, plots) = match is_beside {
        true => beside(middle, groups),
        false => above(middle, groups),
    };
    let [head, lanes] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(lanes);
    Places {
        totals,
        plots,
        head,
        lanes,
        foot,
    }
}

/// Four plots under each other, with the times below them.
fn beside(middle: Rect, groups: u16) -> (Rect, Plots) {
    let width = middle.width * 42 / 100;
    let [mut lanes, _, right] = Layout::horizontal([
        Constraint::Fill(1),
        Constraint::Length(2),
        Constraint::Length(width),
    ])
    .areas(middle);
    let high = middle.height.saturating_sub(1) / 4;
    let row = |column: Rect, at: u16| Rect {
        y: middle.y + at * high,
        height: high,
        ..column
    };
    let times = |column: Rect| Rect {
        y: middle.y + 4 * high,
        height: 1,
        ..column
    };
    let four = Four {
        plots: [0, 1, 2, 3].map(|at| row(right, at)),
        times: vec![times(right)],
    };
    // The plots of one group stand beside the last ones of all, below its name, and that below all lanes.
    let first = (1..=3).find(|first| groups + 3 <= first * high);
    let own = first.map(|first| Own {
        name: Rect {
            y: middle.y + first * high - 1,
            height: 1,
            ..lanes
        },
        plots: (first..=3).map(|at| row(lanes, at)).collect(),
        times: times(lanes),
    });
    if let Some(first) = first {
        lanes.height = first * high - 2;
    }
    (lanes, Plots::Beside(four, own))
}

fn above(middle: Rect, groups: u16) -> (Rect, Plots) {
    let part = |rows: u16| -> (Rect, Rect) {
        let [plots, lanes] =
            Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(middle);
        (plots, lanes)
    };
    let last = |area: Rect| Rect {
        y: area.bottom().saturating_sub(1),
        height: 1,
        ..area
    };
    let needed = groups.clamp(3, LANES) + 1;
    if middle.width >= TWO && middle.height >= 2 * LOW + 1 + 8 {
        let most = if middle.height < 24 { MIDDLE } else { HIGH };
        let high = (middle.height.saturating_sub(needed + 1) / 2).clamp(LOW, most);
        let (plots, lanes) = part(2 * high + 1);
        let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(plots);
        let row = |column: Rect, at: u16| Rect {
            y: column.y + at * high,
            height: high,
            ..column
        };
        let plots = [row(left, 0), row(left, 1), row(right, 0), row(right, 1)];
        let times = vec![last(left), last(right)];
        return (lanes, Plots::Four(Four { plots, times }));
    }
    if middle.height >= LOW + 1 + 5 {
        let (plots, lanes) = part(LOW + 1);
        let plot = Rect {
            height: LOW,
            ..plots
        };
        return (lanes, Plots::One(plot, last(plots)));
    }
    (middle, Plots::None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(places: &Places) -> Vec<Rect> {
        let of = |four: &Four| [&four.plots[..], &four.times].concat();
        let plots = match &places.plots {
            Plots::Four(four) | Plots::Beside(four, None) => of(four),
            Plots::Beside(four, Some(own)) => {
                [of(four), own.plots.clone(), vec![own.name, own.times]].concat()
            }
            Plots::One(plot, times) => vec![*plot, *times],
            Plots::None => Vec::new(),
        };
        let mut all = vec![places.totals, places.head, places.lanes, places.foot];
        all.extend(plots);
        all
    }

    proptest! {
        #[test]
        fn nothing_lies_over_anything_else_and_there_are_lanes(
            width in 60_u16..400, height in 13_u16..120, groups in 0_usize..40
        ) {
            let area = Rect::new(0, 1, width, height);
            let places = places(area, groups);
            let all = all(&places);
            for (at, one) in all.iter().enumerate() {
                prop_assert_eq!(one.intersection(area), *one, "outside");
                for other in &all[..at] {
                    prop_assert!(one.intersection(*other).is_empty(), "{} {}", one, other);
                }
            }
            prop_assert!(usize::from(places.lanes.height) >= groups.min(4), "{:?}", places);
        }
    }

    #[test]
    fn plots_are_three_rows_high_at_80x24_and_stand_beside_the_lanes_from_120() {
        let of = |width: u16, rows: u16, groups| places(Rect::new(0, 1, width, rows - 3), groups);
        let high = |plots: &Plots| match plots {
            Plots::Four(four) | Plots::Beside(four, _) => four.plots.map(|plot| plot.height),
            Plots::One(plot, _) => [plot.height; 4],
            Plots::None => [0; 4],
        };
        let many = of(80, 24, 20);
        assert_eq!((high(&many.plots), many.lanes.height), ([3; 4], 10));
        let few = of(80, 24, 3);
        assert_eq!((high(&few.plots), few.lanes.height), ([5; 4], 6));
        assert!(matches!(of(60, 16, 3).plots, Plots::One(..)));
        let wide = of(120, 40, 3);
        assert_eq!((high(&wide.plots), wide.lanes.width), ([8; 4], 68));
        assert!(matches!(wide.plots, Plots::Beside(_, Some(_))));
        let full = of(120, 40, 20);
        assert!(matches!(full.plots, Plots::Beside(_, Some(own)) if own.plots.len() == 1));
        let more = of(120, 40, 30);
        assert_eq!(more.lanes.height, 33);
        assert!(matches!(more.plots, Plots::Beside(_, None)));
        // One group has all of the screen for its plots.
        assert!(matches!(of(200, 60, 1).plots, Plots::Four(_)));
    }
}

//! Beside the list, where there is room: how the group went from its beginning, and how the entity under the cursor has
//! come to where it is. Both on one axis of time.

mod timeline;

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::console::pages::watch::{View, selected};
use crate::console::plots::Draw;
use crate::console::widgets::plot::Times;
use crate::protocol::GroupSnapshot;
use crate::terminal::Theme;

/// The rows of a plot, at least.
const PLOT: u16 = 5;
/// Of a timeline, at least, and the part of the side that it has.
const TIMELINE: u16 = 6;
const PART: u16 = 3;

/// Where on the side things are.
#[derive(Debug, PartialEq, Eq)]
struct Places {
    /// As many as there is room for: delivered, entities, pool, read.
    plots: Vec<Rect>,
    /// The states of the entity, as signs over the same time.
    strip: Option<Rect>,
    times: Rect,
    /// The same in words.
    words: Option<Rect>,
}

fn places(area: Rect, with_entity: bool) -> Places {
    let words = match with_entity {
        true => (area.height / PART).max(TIMELINE).min(area.height / 2),
        false => 0,
    };
    let strip = u16::from(with_entity);
    let plots = area.height.saturating_sub(words + strip + 1);
    let number = (plots / PLOT).clamp(1, 4);
    let high = plots / number;
    let row = |y: u16, height: u16| Rect { y, height, ..area };
    // What can't be divided is left at the end.
    let below = area.y + number * high;
    Places {
        plots: (0..number)
            .map(|at| row(area.y + at * high, high))
            .collect(),
        strip: with_entity.then(|| row(below, 1)),
        times: row(below + strip, 1),
        words: with_entity.then(|| {
            let first = below + strip + 1;
            row(first, area.bottom().saturating_sub(first))
        }),
    }
}

pub(super) fn draw(
    view: &View,
    group: &GroupSnapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let goes_on = !group.phase.is_ended() && !group.is_at_rest();
    let times = Times::of(&group.series, goes_on);
    let entity = selected(view, group);
    let places = places(area, entity.is_some());
    let mut draw = Draw {
        times,
        theme,
        frame,
    };
    for (at, plot) in places.plots.iter().enumerate() {
        match at {
            0 => draw.delivered(*plot),
            1 => draw.classes(*plot),
            2 => draw.pool(*plot),
            _ => draw.read(*plot),
        }
    }
    draw.axis(places.times);
    let (Some(entity), Some(strip), Some(words)) = (entity, places.strip, places.words) else {
        return;
    };
    timeline::strip(entity, &times, theme, frame, strip);
    timeline::words(entity, theme, frame, words);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_has_its_place_and_nothing_lies_over_anything_else(
            height in 14_u16..100, with_entity: bool
        ) {
            let area = Rect::new(78, 7, 42, height);
            let places = places(area, with_entity);
            let rest = [Some(places.times), places.strip, places.words];
            let all = places.plots.iter().copied().chain(rest.into_iter().flatten());
            let all: Vec<Rect> = all.collect();
            for (at, one) in all.iter().enumerate() {
                prop_assert_eq!(area.intersection(*one), *one);
                for other in &all[at + 1..] {
                    prop_assert!(one.intersection(*other).is_empty(), "{} {}", one, other);
                }
            }
            prop_assert!(places.plots.iter().all(|plot| plot.height >= PLOT));
            prop_assert!(places.words.is_none_or(|words| words.height >= TIMELINE));
        }
    }

    #[test]
    fn more_room_is_more_plots() {
        let number = |height, with| places(Rect::new(0, 0, 42, height), with).plots.len();
        assert_eq!((number(15, true), number(15, false)), (1, 2));
        assert_eq!((number(31, true), number(31, false)), (3, 4));
        assert_eq!((number(50, true), number(50, false)), (4, 4));
    }
}

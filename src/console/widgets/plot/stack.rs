//! Entities by their class as a stack: what is done grows from the bottom, in proportion. One that failed among thousands
//! is less than a cell, so it is marked in the top row when it happened.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::widgets::fit::span;
use crate::model::series::{Class, Counts};
use crate::terminal::Theme;

use super::{Column, Times, Words, frame_of};

/// From the bottom to the top.
const STACKED: [Class; 6] = [
    Class::Skipped,
    Class::Proven,
    Class::Unproven,
    Class::Failed,
    Class::UnderWay,
    Class::Waiting,
];
/// What is marked when there are more of it, the worst first.
const MARKED: [Class; 2] = [Class::Failed, Class::Unproven];

/// The classes of the cells of a column, from the bottom. It is full of what has ended only when all have.
fn cells(counts: Counts, rows: usize) -> Vec<Class> {
    let (all, rows) = (u64::from(counts.all()), rows as u64);
    let (mut sum, mut cells) = (0, Vec::new());
    if all == 0 {
        return cells;
    }
    for class in STACKED.into_iter().filter(|one| counts.get(*one) > 0) {
        sum += u64::from(counts.get(class));
        let to = match class {
            Class::UnderWay => (2 * sum * rows + all) / (2 * all),
            _ => sum * rows / all,
        };
        cells.resize(cells.len().max(to as usize), class);
    }
    cells
}

/// What has happened in a column that is to be seen, however few it is of.
fn mark(before: Counts, now: Counts) -> Option<Class> {
    let has_more = |class: &Class| now.get(*class) > before.get(*class);
    MARKED.into_iter().find(has_more)
}

pub(crate) fn stack(
    times: &Times<'_>,
    words: &Words,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let inner = frame_of(words, theme, frame, area);
    let rows = usize::from(inner.height);
    let columns = times.columns(usize::from(inner.width));
    let before = std::iter::once(Counts::default()).chain(columns.iter().map(|one| one.counts));
    let column = |(column, before): (&Column, Counts)| {
        let mut cells = cells(column.counts, rows);
        if let (Some(top), Some(class)) = (cells.last_mut(), mark(before, column.counts)) {
            *top = class;
        }
        cells
    };
    let stacks: Vec<Vec<Class>> = columns.iter().zip(before).map(column).collect();
    for (from_below, row) in inner.rows().rev().enumerate() {
        let cells = stacks.iter().map(|stack| match stack.get(from_below) {
            Some(class) => {
                let (mark, style) = theme.of_class(*class);
                span(mark, style)
            }
            None => span(" ", theme.hint()),
        });
        frame.render_widget(Line::from_iter(cells), row);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{EntityState as S, Standing};

    fn counts(of: &[(Standing, usize)]) -> Counts {
        let standings = of
            .iter()
            .map(|(one, many)| std::iter::repeat_n(*one, *many));
        Counts::of(standings.flatten())
    }

    #[test]
    fn a_stack_is_in_proportion_and_full_when_all_have_ended() {
        let of = |done: usize, failed, rows| {
            let of = [
                (S::Delivered.into(), done),
                (S::Failed.into(), failed),
                (S::Sending.into(), 100 - done - failed),
            ];
            cells(counts(&of), rows)
        };
        let (done, sent) = (Class::Proven, Class::UnderWay);
        assert_eq!(of(33, 0, 3), [sent; 3]);
        assert_eq!(of(34, 0, 3), [done, sent, sent]);
        assert_eq!(of(99, 0, 3), [done, done, sent]);
        assert_eq!(of(100, 0, 3), [done; 3]);
        assert_eq!(
            of(60, 40, 5),
            [done, done, done, Class::Failed, Class::Failed]
        );
        assert_eq!(of(99, 1, 3), [done, done, Class::Failed]);
        assert!(cells(counts(&[]), 3).is_empty());
    }

    #[test]
    fn one_that_fails_among_thousands_is_marked_when_it_does() {
        let sending = (S::Sending.into(), 3000);
        let before = counts(&[sending]);
        let failed = counts(&[sending, (S::Failed.into(), 1)]);
        let both = counts(&[sending, (S::Failed.into(), 1), (Standing::Unproven, 2)]);
        assert_eq!(mark(before, failed), Some(Class::Failed));
        assert_eq!(mark(before, both), Some(Class::Failed));
        assert_eq!(mark(failed, both), Some(Class::Unproven));
        assert_eq!(mark(failed, failed), None);
    }

    proptest! {
        #[test]
        fn a_stack_is_as_high_as_its_place(
            failed in 0_usize..5, unproven in 0_usize..5, done in 0_usize..500,
            busy in 0_usize..500, waiting in 0_usize..500, rows in 1_usize..20
        ) {
            let of = [
                (S::Failed.into(), failed), (Standing::Unproven, unproven), (S::Upgraded.into(), done),
                (S::Sending.into(), busy), (S::Waiting.into(), waiting),
            ];
            let counts = counts(&of);
            let cells = cells(counts, rows);
            prop_assert_eq!(cells.len(), if counts.all() == 0 { 0 } else { rows });
            prop_assert!(cells.iter().all(|class| counts.get(*class) > 0));
        }
    }
}

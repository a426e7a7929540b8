//! A gauge of cells and half cells, or of whole ones in ASCII. Finer steps would be sent more often, and say no more
//! than the figure beside them.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::terminal::{Theme, Tone};

/// `part` of `whole` as `cells` characters. Full only when all of it is there.
pub(crate) fn gauge(part: u64, whole: u64, cells: usize, theme: &Theme) -> String {
    let (filled, empty) = halves(part, whole, cells, theme);
    filled + &empty
}

/// The same, what is filled in a style of its own and the rest faint.
pub(crate) fn coloured<'a>(
    (part, whole): (u64, u64),
    cells: usize,
    style: Style,
    theme: &Theme,
) -> Line<'a> {
    let (filled, empty) = halves(part, whole, cells, theme);
    // A block that is reversed is none.
    let style = style.remove_modifier(Modifier::REVERSED);
    Line::from(vec![
        Span::styled(filled, style),
        Span::styled(empty, theme.tone(Tone::Faint)),
    ])
}

fn halves(part: u64, whole: u64, cells: usize, theme: &Theme) -> (String, String) {
    let (full, half, empty) = theme.gauge();
    let steps = if half.is_some() { 2 } else { 1 };
    let filled = if whole == 0 {
        0
    } else {
        let most = cells * steps;
        usize::try_from(u128::from(part.min(whole)) * most as u128 / u128::from(whole))
            .unwrap_or(most)
    };
    let mut text = full.repeat(filled / steps);
    let mut used = filled / steps;
    if let Some(half) = half.filter(|_| filled % steps == 1) {
        text += half;
        used += 1;
    }
    (text, empty.repeat(cells - used))
}

/// The newest values as one character each, `whole` being the tallest.
pub(crate) fn history(
    values: impl ExactSizeIterator<Item = u64>,
    whole: u64,
    cells: usize,
    theme: &Theme,
) -> String {
    let heights = theme.heights();
    let skip = values.len().saturating_sub(cells);
    values
        .skip(skip)
        .map(|value| {
            let height = u128::from(value.min(whole)) * 7 / u128::from(whole.max(1));
            heights[usize::try_from(height).unwrap_or(7).min(7)]
        })
        .collect()
}

/// Whole percent; 100 only when all of it is there.
pub(crate) fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        0
    } else {
        u64::try_from(u128::from(part.min(whole)) * 100 / u128::from(whole)).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing::{ASCII, COLOURS, MONO};

    #[test]
    fn a_gauge_is_full_only_when_all_of_it_is_there() {
        assert_eq!(gauge(0, 8, 4, &ASCII), "....");
        assert_eq!(gauge(7, 8, 4, &ASCII), "###.");
        assert_eq!(gauge(8, 8, 4, &MONO), "████");
        assert_eq!(gauge(7, 8, 4, &MONO), "███▌");
        assert_eq!(gauge(1, 8, 4, &COLOURS), "╸───");
        assert_eq!(gauge(9, 8, 2, &ASCII), "##");
        assert_eq!(gauge(1, 0, 2, &ASCII), "..", "the size is not known yet");
        assert_eq!(gauge(u64::MAX, u64::MAX, 3, &ASCII), "###");
        assert_eq!((percent(999, 1000), percent(1000, 1000)), (99, 100));
        assert_eq!((percent(1, 0), percent(u64::MAX, u64::MAX)), (0, 100));
    }

    /// A block of a style that is reversed, as a failure is without colours, would be an empty cell.
    #[test]
    fn what_is_filled_is_seen_in_every_style() {
        let line = coloured((5, 8), 8, MONO.tone(Tone::Bad), &MONO);
        assert_eq!(line.spans[0].content, "█████");
        let mut cell = ratatui::buffer::Cell::default();
        cell.set_style(line.spans[0].style);
        assert_eq!(cell.modifier, Modifier::BOLD);
    }

    #[test]
    fn a_history_shows_its_newest_values_against_the_whole() {
        let values = [100, 0, 50, 100];
        assert_eq!(history(values.into_iter(), 100, 3, &MONO), "▁▄█");
        assert_eq!(history(values.into_iter(), 100, 9, &ASCII), "#.:#");
        assert_eq!(history([0, 3].into_iter(), 0, 9, &MONO), "▁▁");
    }
}

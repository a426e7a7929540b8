//! Texts from outside that fit the terminal: escaped, of ASCII alone where it knows no more, and
//! as wide as their place; and how the room of a row is shared out.

use ratatui::style::Style;
use ratatui::text::Span;

use crate::model::columns;
use crate::model::text::shown;
use crate::terminal::Theme;

/// The text without control characters, and with `?` for what the terminal can't show.
pub(crate) fn plain(text: &str, theme: &Theme) -> String {
    let text = shown(text);
    if !theme.ascii || text.is_ascii() {
        return text;
    }
    let ascii = |c: char| if c.is_ascii() { c } else { '?' };
    text.chars().map(ascii).collect()
}

/// [`plain`], in exactly this number of columns.
pub(crate) fn fit(text: &str, width: usize, theme: &Theme) -> String {
    columns::fit(&plain(text, theme), width, !theme.ascii)
}

/// [`plain`], in at most this number of columns.
pub(crate) fn cut(text: &str, width: usize, theme: &Theme) -> String {
    columns::cut(&plain(text, theme), width, !theme.ascii)
}

/// A text that ends at the right edge of its column, as numbers do.
pub(crate) fn right(text: &str, width: usize, theme: &Theme) -> String {
    let text = cut(text, width, theme);
    let room = width.saturating_sub(columns::width(&text));
    format!("{}{text}", " ".repeat(room))
}

/// Widths that fill at most `room`: the widest column that can give gives, until all fit. Each is
/// `(wanted, least)`; with less room than the least of all, the last ones are cut.
pub(crate) fn share(columns: &[(usize, usize)], room: usize) -> Vec<usize> {
    let mut widths: Vec<usize> = columns
        .iter()
        .map(|(wanted, least)| *wanted.max(least))
        .collect();
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let giver = (0..widths.len())
            .filter(|at| widths[*at] > columns[*at].1)
            .max_by_key(|at| widths[*at]);
        let Some(giver) = giver else { break };
        widths[giver] -= 1;
        over -= 1;
    }
    for width in widths.iter_mut().rev() {
        let less = over.min(*width);
        *width -= less;
        over -= less;
    }
    widths
}

pub(crate) fn span<'a>(text: impl Into<String>, style: Style) -> Span<'a> {
    Span::styled(text.into(), style)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::console::testing::{ASCII, MONO};

    #[test]
    fn what_is_drawn_is_escaped_fits_and_is_ascii_where_asked() {
        assert_eq!(plain("a\u{1b}[31m", &MONO), "a\\u{1b}[31m");
        assert_eq!(plain("größe", &ASCII), "gr??e");
        assert_eq!(fit("shelf1-01", 6, &ASCII), "shelf~");
        assert_eq!(fit("ab", 4, &MONO), "ab  ");
        assert_eq!(cut("shelf1-01", 6, &MONO), "shelf…");
        assert_eq!(right("7", 3, &MONO), "  7");
    }

    #[test]
    fn the_widest_column_gives_first() {
        assert_eq!(share(&[(10, 4), (20, 8), (5, 5)], 30), [10, 15, 5]);
        assert_eq!(share(&[(10, 4), (20, 8), (5, 5)], 40), [10, 20, 5]);
        assert_eq!(share(&[(10, 4), (20, 8), (5, 5)], 14), [4, 8, 2]);
    }

    proptest! {
        #[test]
        fn a_cell_is_as_wide_as_its_column(text in "\\PC{0,30}", columns in 0_usize..40) {
            prop_assert_eq!(columns::width(&fit(&text, columns, &MONO)), columns);
            prop_assert!(fit(&text, columns, &ASCII).is_ascii());
        }
    }
}

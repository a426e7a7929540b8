//! Cells of tables, lines that are wrapped, and how the room of a row is shared out.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::console::theme::Theme;
use crate::model::text::shown;

/// The text fit to be shown: escaped, and where the terminal knows ASCII alone, with `?` for the rest.
pub(crate) fn plain(text: &str, theme: &Theme) -> String {
    let text = shown(text);
    if theme.ascii && !text.is_ascii() {
        text.chars()
            .map(|c| if c.is_ascii() { c } else { '?' })
            .collect()
    } else {
        text
    }
}

/// At most so many columns of a text; what is cut off leaves a sign.
pub(crate) fn cut(text: &str, columns: usize, theme: &Theme) -> String {
    let text = plain(text, theme);
    if text.width() <= columns {
        return text;
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push_str(if theme.ascii { "~" } else { "…" });
    }
    out
}

/// A text cut and padded to exactly so many columns.
pub(crate) fn cell(text: &str, columns: usize, theme: &Theme) -> String {
    let mut text = cut(text, columns, theme);
    let room = columns.saturating_sub(text.width());
    text.extend(std::iter::repeat_n(' ', room));
    text
}

/// A text that ends at the right edge of its column, as numbers do.
pub(crate) fn right(text: &str, columns: usize, theme: &Theme) -> String {
    let text = cut(text, columns, theme);
    let room = columns.saturating_sub(text.width());
    format!("{}{text}", " ".repeat(room))
}

/// Widths that fill at most `room`: the widest column that can give gives, until all fit. Each is
/// `(wanted, least)`; with less room than the least of all, the last ones are cut.
pub(crate) fn fit(columns: &[(usize, usize)], room: usize) -> Vec<usize> {
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

/// A text on lines of at most so many columns, broken at blanks where there are some. Lines after
/// the first are indented by `indent`.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize) -> Vec<String> {
    let columns = columns.max(indent + 8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        if !line.trim().is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        // A word that is longer than a line is broken where the line ends.
        while line.width() + word.width() > columns {
            let room = columns - line.width();
            let mut at = 0;
            let mut used = 0;
            for c in word.chars() {
                used += c.width().unwrap_or(0);
                if used > room {
                    break;
                }
                at += c.len_utf8();
            }
            if at == 0 {
                break;
            }
            line.push_str(&word[..at]);
            word = &word[at..];
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        }
        line.push_str(word);
    }
    if !line.trim().is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::console::testing::{ASCII, MONO};

    #[test]
    fn cells_are_cut_with_a_sign_and_escaped() {
        assert_eq!(cell("shelf1-01", 6, &MONO), "shelf…");
        assert_eq!(cell("shelf1-01", 6, &ASCII), "shelf~");
        assert_eq!(cell("näh", 5, &ASCII), "n?h  ");
        assert_eq!(cell("a\u{1b}[2J", 12, &MONO), "a\\u{1b}[2J  ");
        assert_eq!(right("7", 3, &MONO), "  7");
        assert_eq!(cut("日本語", 4, &MONO), "日…");
    }

    #[test]
    fn the_widest_column_gives_first() {
        assert_eq!(fit(&[(10, 4), (20, 8), (5, 5)], 30), [10, 15, 5]);
        assert_eq!(fit(&[(10, 4), (20, 8), (5, 5)], 40), [10, 20, 5]);
        assert_eq!(fit(&[(10, 4), (20, 8), (5, 5)], 14), [4, 8, 2]);
    }

    #[test]
    fn lines_are_broken_at_blanks_and_long_words_where_they_must_be() {
        assert_eq!(
            wrap("one two three four", 10, 2),
            ["one two", "  three", "  four"]
        );
        assert_eq!(wrap("abcdefghijklmnop", 10, 0), ["abcdefghij", "klmnop"]);
        assert_eq!(wrap("", 10, 0), [""]);
    }

    proptest! {
        #[test]
        fn a_cell_is_as_wide_as_its_column(text in "\\PC{0,30}", columns in 0_usize..40) {
            prop_assert_eq!(cell(&text, columns, &MONO).width(), columns);
            prop_assert!(cell(&text, columns, &ASCII).is_ascii());
        }

        #[test]
        fn wrapped_lines_fit_and_lose_nothing(text in "[a-z ]{0,80}", columns in 10_usize..30) {
            let lines = wrap(&text, columns, 2);
            prop_assert!(lines.iter().all(|line| line.width() <= columns));
            let letters = |text: &str| text.replace(' ', "");
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}

//! Texts from outside that fit the terminal: escaped, of ASCII alone where it knows no more, and
//! as wide as their place.

use ratatui::style::Style;
use ratatui::text::Span;

use crate::console::theme::Theme;
use crate::model::columns;
use crate::model::text::shown;

/// The text without control characters, and with `?` for what the terminal can't show.
pub(crate) fn plain(text: &str, theme: &Theme) -> String {
    let text = shown(text);
    if !theme.ascii || text.is_ascii() {
        return text;
    }
    let ascii = |c: char| if c.is_ascii() { c } else { '?' };
    text.chars().map(ascii).collect()
}

/// [`plain`], in exactly so many columns.
pub(crate) fn fit(text: &str, width: usize, theme: &Theme) -> String {
    columns::fit(&plain(text, theme), width, !theme.ascii)
}

/// [`plain`], in at most so many columns.
pub(crate) fn cut(text: &str, width: usize, theme: &Theme) -> String {
    columns::cut(&plain(text, theme), width, !theme.ascii)
}

pub(crate) fn span<'a>(text: impl Into<String>, style: Style) -> Span<'a> {
    Span::styled(text.into(), style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing::{ASCII, MONO};

    #[test]
    fn what_is_drawn_is_escaped_fits_and_is_ascii_where_asked() {
        assert_eq!(plain("a\u{1b}[31m", &MONO), "a\\u{1b}[31m");
        assert_eq!(plain("größe", &ASCII), "gr??e");
        assert_eq!(fit("shelf1-01", 6, &ASCII), "shelf~");
        assert_eq!(fit("ab", 4, &MONO), "ab  ");
        assert_eq!(cut("shelf1-01", 6, &MONO), "shelf…");
    }
}

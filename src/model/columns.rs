//! Text in columns: width, cutting, padding, wrapping. A column is a terminal cell, not a byte.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The cells that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most `columns` cells; a cut is marked.
pub(crate) fn cut(text: &str, columns: usize, utf8: bool) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mark = if utf8 { "…" } else { "~" };
    let room = columns.saturating_sub(1);
    let mut out = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let cells = c.width().unwrap_or(0);
        if taken + cells > room {
            break;
        }
        taken += cells;
        out.push(c);
    }
    if columns > 0 {
        out.push_str(mark);
    }
    out
}

/// The text in exactly `columns` cells, filled with blanks at its end.
pub(crate) fn fit(text: &str, columns: usize, utf8: bool) -> String {
    let mut out = cut(text, columns, utf8);
    out.extend(std::iter::repeat_n(' ', columns - width(&out).min(columns)));
    out
}

/// The text on lines of at most `columns` cells, each after `indent` blanks; a word longer than a
/// line is broken. `columns` includes the indent.
pub(crate) fn wrap(text: &str, indent: usize, columns: usize) -> Vec<String> {
    indented(text, indent, indent, columns)
}

/// As [`wrap`], with a label in the indent of the first line.
pub(crate) fn labelled(label: &str, text: &str, indent: usize, columns: usize) -> Vec<String> {
    let mut lines = wrap(text, indent, columns);
    if let Some(first) = lines.first_mut() {
        first.replace_range(..indent, &format!("{label:<indent$}"));
    }
    lines
}

/// As [`wrap`], with the indent on all lines but the first; a text without words is one empty line.
pub(crate) fn hang(text: &str, indent: usize, columns: usize) -> Vec<String> {
    let lines = indented(text, 0, indent, columns);
    if lines.is_empty() {
        vec![String::new()]
    } else {
        lines
    }
}

fn indented(text: &str, first: usize, rest: usize, columns: usize) -> Vec<String> {
    let indent = |line: usize| if line == 0 { first } else { rest };
    let room = |lines: &Vec<String>| columns.saturating_sub(indent(lines.len())).max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word;
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) > room(&lines) && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > room(&lines) {
            let end = break_at(word, room(&lines));
            lines.push(word[..end].to_owned());
            word = &word[end..];
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    (lines.iter().enumerate())
        .map(|(at, line)| format!("{}{line}", " ".repeat(indent(at))))
        .collect()
}

fn break_at(word: &str, room: usize) -> usize {
    let mut taken = 0;
    for (at, c) in word.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > room && at > 0 {
            return at;
        }
    }
    word.len()
}

/// `3 groups`, `1 group`.
pub(crate) fn count(number: usize, word: &str) -> String {
    match (number, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) if word.ends_with('s') => format!("{number} {word}es"),
        (_, None) => format!("{number} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_cut_filled_and_wrapped_by_cells() {
        assert_eq!(cut("shelf1-01", 6, true), "shelf…");
        assert_eq!(cut("shelf1-01", 6, false), "shelf~");
        assert_eq!(cut("漢字漢字", 5, true), "漢字…");
        assert_eq!(fit("ab", 4, true), "ab  ");
        assert_eq!(
            wrap("the server said 530 Login incorrect", 4, 24),
            ["    the server said 530", "    Login incorrect"]
        );
        assert_eq!(wrap("0123456789ab", 0, 8), ["01234567", "89ab"]);
        assert_eq!(
            hang("one two three four", 2, 10),
            ["one two", "  three", "  four"]
        );
        assert_eq!(hang("", 2, 10), [""]);
        assert_eq!(count(1, "entity"), "1 entity");
        assert_eq!(count(3, "entity"), "3 entities");
        assert_eq!(count(2, "pass"), "2 passes");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in "[a-z漢é ]{0,120}", columns in 12usize..90) {
            prop_assert!(width(&cut(&text, columns, true)) <= columns);
            prop_assert_eq!(width(&fit(&text, columns, true)), columns);
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            for lines in [wrap(&text, 4, columns), hang(&text, 2, columns)] {
                for line in &lines {
                    prop_assert!(width(line) <= columns, "{line}");
                }
                prop_assert_eq!(squeezed(&lines.concat()), squeezed(&text));
            }
        }
    }
}

//! Texts from outside, made fit for each format. Names, causes and what servers say may be anything.

use crate::model::text::push_shown;

/// On one line, with nothing in it that is not seen: control characters, and those that turn the direction of what
/// follows, are written out. Never cut: a report is what is left of a run.
pub(super) fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\r' => {}
            '\n' | '\t' => out.push(' '),
            // No characters, and XML forbids them.
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            c => push_shown(&mut out, c),
        }
    }
    out
}

/// For HTML and XML, between tags and in attributes that stand in quotes. What XML 1.0 forbids is written out by [`line`].
pub(super) fn markup(text: &str) -> String {
    let line = line(text);
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// For an `id` and what leads to it: two names never become one.
pub(super) fn id(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => out.push(char::from(byte)),
            byte => out.push_str(&format!("_{byte:02x}")),
        }
    }
    out
}

/// A cell of comma-separated values (RFC 4180), on one line.
pub(super) fn cell(text: &str) -> String {
    let mut shown = crate::model::text::escaped(text);
    // Spreadsheets take these for formulas, and a cause may be a server's own words.
    if shown.starts_with(['=', '+', '-', '@']) {
        shown.insert(0, '\'');
    }
    match shown.contains([',', '"', ' ']) {
        true => format!("\"{}\"", shown.replace('"', "\"\"")),
        false => shown,
    }
}

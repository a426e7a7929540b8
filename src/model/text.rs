//! Text from outside, made fit to be shown.
//!
//! Replies, banners and file names come from devices that may be broken or hostile: an escape
//! sequence in one of them must never reach the operator's terminal or a log as such.

/// Maximum number of characters kept of one foreign text.
const LONGEST: usize = 300;

/// The text on one line, control characters escaped, cut at a length that fits a message.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\r' => {}
            '\n' => out.push(' '),
            c => push_shown(&mut out, c),
        }
    }
    out
}

/// As it is, with control characters escaped: not on one line, and not cut.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_shown(&mut out, c));
    out
}

/// One character, escaped where it would act on a terminal instead of being seen.
pub fn push_shown(out: &mut String, c: char) {
    if c.is_control() || is_format(c) {
        out.extend(c.escape_unicode());
    } else {
        out.push(c);
    }
}

/// For a url (RFC 3986 section 2.1): letters and digits stay, and the bytes that are `kept`.
pub fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

/// A foreign text in a message: escaped, cut to length, and marked as a quotation.
pub fn quoted(text: &str) -> String {
    // A line break in a value is nearly always what is wrong with it: it must be seen.
    let text = text.replace('\r', "\\r").replace('\n', "\\n");
    format!("`{}`", shown(&text))
}

/// Characters that change how their neighbours are shown (bidirectional overrides, zero widths).
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn escape_sequences_and_overrides_are_shown_not_sent() {
        assert_eq!(shown("no \u{1b}[31mspace\r\n"), "no \\u{1b}[31mspace");
        assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(shown("one\r\ntwo"), "one two");
        assert!(shown(&"x".repeat(10_000)).chars().count() <= 301);
    }
}

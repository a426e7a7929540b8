//! What is reported of an answer: bounded, and without characters that act on a terminal.

use crate::model::text::push_shown;

/// The maximum number of bytes of what is reported.
pub(super) const MOST: usize = 64 * 1024;
/// Of those, what says how much was left out.
const NOTE: usize = 64;

/// Escaped, but for the ends of lines and tabs.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => push_shown(&mut out, c),
        }
    }
    out
}

/// Its beginning and its end, where it is too long.
pub(super) fn bounded(text: String) -> String {
    if text.len() <= MOST {
        return text;
    }
    let half = (MOST - NOTE) / 2;
    let (mut head, mut tail) = (half, text.len() - half);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    let left_out = tail - head;
    format!("{}\n… {left_out} bytes …\n{}", &text[..head], &text[tail..])
}

/// Its last line that is not empty.
pub(super) fn last_line(text: &str) -> &str {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

/// What a program has printed, of which the beginning and the end are kept.
#[derive(Debug, Default)]
pub(super) struct Printed {
    head: Vec<u8>,
    tail: Vec<u8>,
    dropped: u64,
}

impl Printed {
    const HALF: usize = MOST / 2;

    pub(super) fn take(&mut self, data: &[u8]) {
        let room = (Self::HALF - self.head.len()).min(data.len());
        self.head.extend_from_slice(&data[..room]);
        self.tail.extend_from_slice(&data[room..]);
        if self.tail.len() > 2 * Self::HALF {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let more = self.tail.len().saturating_sub(Self::HALF);
        self.tail.drain(..more);
        self.dropped += more as u64;
    }

    /// All of it, with a line in the place of what was dropped; there `around` bytes more are, in which a part of a
    /// secret could stand.
    pub(super) fn text(mut self, around: usize) -> String {
        self.cut();
        if self.dropped == 0 {
            self.head.append(&mut self.tail);
            return String::from_utf8_lossy(&self.head).into_owned();
        }
        self.head.truncate(self.head.len().saturating_sub(around));
        self.tail.drain(..around.min(self.tail.len()));
        let dropped = self.dropped + 2 * around as u64;
        let (head, tail) = (
            String::from_utf8_lossy(&self.head),
            String::from_utf8_lossy(&self.tail),
        );
        format!("{head}\n… {dropped} bytes …\n{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_keeps_its_beginning_and_its_end() {
        let text = bounded(format!("first{}last", "ä".repeat(MOST)));
        assert!(text.len() <= MOST && text.starts_with("first") && text.ends_with("last"));
        assert!(text.contains("bytes …"));
        let short = "é".repeat(MOST / 2);
        assert_eq!(bounded(short.clone()), short);
    }

    #[test]
    fn what_is_printed_without_end_is_kept_in_part() {
        let mut printed = Printed::default();
        for number in 0..100_000 {
            printed.take(format!("line {number}\n").as_bytes());
        }
        assert!(printed.head.len() + printed.tail.len() <= 3 * MOST);
        let text = printed.text(6);
        assert!(text.starts_with("line 0\n") && text.ends_with("line 99999\n"));
        assert!(text.len() < MOST + NOTE, "{}", text.len());
        let mut printed = Printed::default();
        printed.take(b"all");
        assert_eq!(printed.text(6), "all");
    }

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_lines_stay() {
        assert_eq!(plain("a\tb\r\nc\u{1b}[2J\r"), "a\tb\nc\\u{1b}[2J\\u{d}");
        assert_eq!(last_line("a\n b \n\n"), "b");
        assert_eq!(last_line("\n"), "");
    }
}

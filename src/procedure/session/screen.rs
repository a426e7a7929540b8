//! What a device showed, as text: what its terminal would have made of its bytes, in bounded memory.
//!
//! Escape sequences (ECMA-48) act on the line that is being written, as far as pagers use them to erase what they
//! asked, and are left out otherwise. Characters that would act on a terminal are escaped.

use crate::model::text::push_shown;

/// Bytes of text that are kept of the beginning, and of the end.
const HALF: usize = 32 * 1024;
/// Characters of a line that can still be written over.
const LONGEST_LINE: usize = 4096;
/// Bytes of an escape sequence, and of a text in one.
const LONGEST_SEQUENCE: usize = 256;
const LONGEST_STRING: usize = 4096;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    /// Parameters of a control sequence.
    Control(Vec<u8>),
    /// A text that is not shown: so many bytes, and whether the last one was an escape.
    Hidden(usize, bool),
}

/// Lines that were shown, and the one that is being written.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    state: State,
    /// Bytes of a character that is not whole.
    partial: Vec<u8>,
    line: Vec<char>,
    cursor: usize,
    head: String,
    tail: String,
    dropped: u64,
    changes: u64,
}

/// What is left of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    pub head: String,
    /// Empty unless something was dropped before it.
    pub tail: String,
    /// Bytes of text between them.
    pub dropped: u64,
}

impl Shown {
    /// All of it, with a line in the place of what was dropped.
    pub fn text(&self) -> String {
        match self.dropped {
            0 => self.head.clone(),
            dropped => format!("{}\n… {dropped} bytes …\n{}", self.head, self.tail),
        }
    }
}

impl Screen {
    pub fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    /// The line that is not ended, where it is being written at its end.
    pub fn line(&self) -> Option<String> {
        let is_blank = |c: &char| *c == ' ';
        let rest = self.line.get(self.cursor..).unwrap_or_default();
        if !rest.iter().all(is_blank) || self.state != State::Text || !self.partial.is_empty() {
            return None;
        }
        Some(
            self.line[..self.cursor.min(self.line.len())]
                .iter()
                .collect(),
        )
    }

    /// The beginning, without the line that is not ended.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Another number for each line, and for one that is written anew from its first column.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Everything, the unfinished line included.
    pub fn shown(&self) -> Shown {
        let line = self.line().unwrap_or_else(|| self.line.iter().collect());
        let mut all = self.clone();
        all.keep(&line);
        if all.tail.len() > HALF {
            all.cut_tail();
        }
        if all.dropped == 0 {
            all.head.push_str(&all.tail);
            all.tail.clear();
        }
        Shown {
            head: all.head,
            tail: all.tail,
            dropped: all.dropped,
        }
    }

    fn byte(&mut self, byte: u8) {
        match std::mem::take(&mut self.state) {
            State::Text => self.text(byte),
            State::Escape => {
                self.state = match byte {
                    b'[' => State::Control(Vec::new()),
                    // OSC, DCS, SOS, PM, APC.
                    b']' | b'P' | b'X' | b'^' | b'_' => State::Hidden(0, false),
                    // What stands between, as in the choice of a character set.
                    0x1b | 0x20..=0x2f => State::Escape,
                    _ => State::Text,
                };
            }
            State::Control(mut parameters) => match byte {
                0x1b => self.state = State::Escape,
                0x20..=0x3f if parameters.len() < LONGEST_SEQUENCE => {
                    parameters.push(byte);
                    self.state = State::Control(parameters);
                }
                0x40..=0x7e => self.control(&parameters, byte),
                // No sequence: what came is not shown, and what follows is.
                _ => self.text(byte),
            },
            State::Hidden(count, escaped) => match byte {
                0x07 => {}
                b'\\' if escaped => {}
                _ if count >= LONGEST_STRING => self.text(byte),
                byte => self.state = State::Hidden(count + 1, byte == 0x1b),
            },
        }
    }

    fn text(&mut self, byte: u8) {
        if byte < 0x80 {
            self.end_partial();
        }
        match byte {
            0 | 0x07 | 0x7f => {}
            0x08 => {
                self.cursor = self.cursor.saturating_sub(1);
            }
            b'\r' => self.cursor = 0,
            b'\n' | 0x0b | 0x0c => self.end_line(),
            0x1b => self.state = State::Escape,
            b'\t' => self.put('\t'),
            0..0x80 => self.put_shown(char::from(byte)),
            byte => {
                if self.partial.len() == 4 || byte >= 0xc0 {
                    self.end_partial();
                }
                self.partial.push(byte);
                match std::str::from_utf8(&self.partial) {
                    Ok(text) => {
                        let c = text.chars().next();
                        self.partial.clear();
                        c.into_iter().for_each(|c| self.put_shown(c));
                    }
                    Err(error) if error.error_len().is_some() => self.end_partial(),
                    Err(_) => {}
                }
            }
        }
    }

    /// What never became a character.
    fn end_partial(&mut self) {
        for byte in std::mem::take(&mut self.partial) {
            for c in format!("\\x{byte:02x}").chars() {
                self.put(c);
            }
        }
    }

    fn put_shown(&mut self, c: char) {
        let mut shown = String::new();
        push_shown(&mut shown, c);
        shown.chars().for_each(|c| self.put(c));
    }

    fn put(&mut self, c: char) {
        if self.cursor >= LONGEST_LINE {
            let line: String = std::mem::take(&mut self.line).iter().collect();
            self.keep(&line);
            self.cursor = 0;
        }
        if self.cursor == 0 {
            self.changes += 1;
        }
        if self.line.len() < self.cursor {
            self.line.resize(self.cursor, ' ');
        }
        match self.line.get_mut(self.cursor) {
            Some(place) => *place = c,
            None => self.line.push(c),
        }
        self.cursor += 1;
    }

    fn end_line(&mut self) {
        let line: String = std::mem::take(&mut self.line).iter().collect();
        self.keep(line.trim_end());
        self.keep("\n");
        self.cursor = 0;
        self.changes += 1;
    }

    /// A control sequence, of which those that pagers erase with are carried out.
    fn control(&mut self, parameters: &[u8], command: u8) {
        let number = std::str::from_utf8(parameters).ok();
        let number = number.and_then(|text| text.parse::<usize>().ok());
        let steps = number.unwrap_or(1).clamp(1, LONGEST_LINE);
        match command {
            b'K' | b'J' => {
                match number.unwrap_or(0) {
                    0 => self.line.truncate(self.cursor),
                    1 => {
                        let end = self.line.len().min(self.cursor + 1);
                        self.line[..end].fill(' ');
                    }
                    _ => self.line.clear(),
                }
                if self.line.is_empty() {
                    self.changes += 1;
                }
            }
            b'C' => self.cursor = (self.cursor + steps).min(LONGEST_LINE),
            b'D' => {
                self.cursor = self.cursor.saturating_sub(steps);
            }
            b'G' => {
                self.cursor = steps - 1;
            }
            _ => {}
        }
    }

    fn keep(&mut self, text: &str) {
        let room = floor(text, HALF.saturating_sub(self.head.len()));
        // What comes later must not go before what is in the tail.
        let (first, rest) = match self.tail.is_empty() {
            true => text.split_at(room),
            false => ("", text),
        };
        self.head.push_str(first);
        self.tail.push_str(rest);
        if self.tail.len() > 2 * HALF {
            self.cut_tail();
        }
    }

    fn cut_tail(&mut self) {
        let mut from = self.tail.len() - HALF;
        while !self.tail.is_char_boundary(from) {
            from += 1;
        }
        self.dropped += from as u64;
        self.tail.drain(..from);
    }
}

/// The last place of a character that is not behind `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut screen = Screen::default();
        screen.feed(bytes);
        screen.shown().head
    }

    #[test]
    fn a_pager_erases_what_it_asked() {
        for erased in [
            "--More--\r        \rnext",
            "--More--\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}        \u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}next",
            "--More--\r\u{1b}[Knext",
            "--More--\u{1b}[8D\u{1b}[Knext",
            "--More--\u{1b}[2K\u{1b}[Gnext",
        ] {
            assert_eq!(text(erased.as_bytes()), "next", "{erased:?}");
        }
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left() {
        assert_eq!(text(b"\x1b[1;31mred\x1b[0m\x1b(B ok"), "red ok");
        assert_eq!(text(b"\x1b]0;title\x07a\x1b]0;title\x1b\\b"), "ab");
        assert_eq!(text(b"a\0b\x07c\x01"), "abc\\u{1}");
        assert_eq!(
            text(b"\xff \xc3\xa4 \xc3 \xe2\x82."),
            "\\xff \u{e4} \\xc3 \\xe2\\x82."
        );
        assert_eq!(text("a\u{202e}b\u{9b}".as_bytes()), "a\\u{202e}b\\u{9b}");
        // Sequences that do not end.
        let endless = [b"\x1b[".as_slice(), &b"1;".repeat(10_000), b"\nend"].concat();
        assert!(text(&endless).ends_with("\nend"));
        let endless = [b"\x1b]".as_slice(), &b"x".repeat(10_000), b"\nend"].concat();
        assert!(text(&endless).ends_with("\nend"));
    }

    #[test]
    fn the_beginning_and_the_end_of_an_endless_output_are_kept() {
        let mut screen = Screen::default();
        screen.feed(b"first\r\n");
        let mut sent = 6;
        for number in 0..100_000 {
            let line = format!("line {number}\r\n");
            screen.feed(line.as_bytes());
            sent += line.len() as u64 - 1;
        }
        let shown = screen.shown();
        assert!(shown.head.starts_with("first\nline 0\n"));
        assert!(shown.tail.ends_with("line 99999\n"));
        let kept = (shown.head.len() + shown.tail.len()) as u64;
        assert!(kept <= 64 * 1024, "{kept}");
        assert_eq!(kept + shown.dropped, sent);
        screen.feed(&b"x".repeat(1 << 20));
        assert!(screen.line.len() <= LONGEST_LINE);
    }
}

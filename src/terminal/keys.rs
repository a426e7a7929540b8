//! Bytes of a terminal as keys and clicks: pure, so that what a slow line does to them can be
//! tested.
//!
//! Not crossterm's own reader: that spins for ever when its terminal vanishes, can't be stopped,
//! and takes the ESC of an arrow key whose rest is late for the Esc key and the rest for letters.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// After this long an ESC with nothing behind it is the Esc key.
const ALONE: Duration = Duration::from_millis(150);
/// For this long what follows it can still turn out to be the rest of another key, and the rest of
/// a sequence is waited for.
const LATE: Duration = Duration::from_millis(1000);
/// No sequence of a terminal is longer; noise on a line can be.
const LONGEST: usize = 32;

const ESC: u8 = 0x1b;

/// What an operator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Press {
    Key(KeyEvent),
    /// A click on a row, counted from 0 at the top.
    Click {
        row: u16,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The beginning of something whose rest has not come.
    begun: Vec<u8>,
    /// `begun` is an ESC that was told as the Esc key already.
    told: bool,
}

impl Parser {
    pub(crate) fn feed(&mut self, bytes: &[u8], presses: &mut Vec<Press>) {
        for byte in bytes {
            self.byte(*byte, presses);
        }
    }

    /// How long to wait for more bytes before [`Parser::expire`]; `None`: nothing has begun.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self.begun.as_slice() {
            [] => None,
            [ESC] if !self.told => Some(ALONE),
            _ => Some(LATE),
        }
    }

    /// Nothing more came in time.
    pub(crate) fn expire(&mut self, presses: &mut Vec<Press>) {
        if self.begun == [ESC] && !self.told {
            self.told = true;
            presses.push(key(KeyCode::Esc));
        } else {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.begun.clear();
        self.told = false;
    }

    fn byte(&mut self, byte: u8, presses: &mut Vec<Press>) {
        match self.begun.as_slice() {
            [] => self.first(byte, presses),
            [ESC] if matches!(byte, b'[' | b'O') => {
                self.begun.push(byte);
                self.told = false;
            }
            [ESC] => {
                if !self.told {
                    presses.push(key(KeyCode::Esc));
                }
                self.clear();
                self.first(byte, presses);
            }
            [ESC, ..] => self.sequence(byte, presses),
            _ => self.character(byte, presses),
        }
    }

    fn first(&mut self, byte: u8, presses: &mut Vec<Press>) {
        match byte {
            ESC => self.begun.push(byte),
            b'\r' | b'\n' => presses.push(key(KeyCode::Enter)),
            b'\t' => presses.push(key(KeyCode::Tab)),
            0x08 | 0x7f => presses.push(key(KeyCode::Backspace)),
            0x01..=0x1a => {
                let letter = char::from(byte - 1 + b'a');
                let event = KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
                presses.push(Press::Key(event));
            }
            0x20..=0x7e => presses.push(key(KeyCode::Char(char::from(byte)))),
            0xc2..=0xf4 => self.begun.push(byte),
            // Other control characters, and bytes that begin nothing.
            _ => {}
        }
    }

    /// A character of more than one byte.
    fn character(&mut self, byte: u8, presses: &mut Vec<Press>) {
        self.begun.push(byte);
        match std::str::from_utf8(&self.begun) {
            Ok(text) => {
                presses.extend(text.chars().map(|c| key(KeyCode::Char(c))));
                self.clear();
            }
            // It may still become one.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.clear();
                // It is not part of the character, but may be a key of its own.
                if byte.is_ascii() {
                    self.first(byte, presses);
                }
            }
        }
    }

    fn sequence(&mut self, byte: u8, presses: &mut Vec<Press>) {
        if byte == ESC {
            self.clear();
            self.begun.push(ESC);
            return;
        }
        self.begun.push(byte);
        let done = match self.begun.as_slice() {
            [_, b'O', _] => true,
            // The old report of a mouse: three bytes behind the final one.
            [_, b'[', b'M', rest @ ..] => rest.len() == 3,
            // The function keys of a Linux console.
            [_, b'[', b'[', rest @ ..] => rest.len() == 1,
            [_, _, .., last] => matches!(last, 0x40..=0x7e),
            _ => false,
        };
        if done {
            presses.extend(meaning(&self.begun));
        }
        if done || self.begun.len() >= LONGEST {
            self.clear();
        }
    }
}

fn key(code: KeyCode) -> Press {
    Press::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

/// A complete sequence; those that mean nothing here are skipped, bracketed pastes among them.
fn meaning(sequence: &[u8]) -> Option<Press> {
    let (last, front) = sequence.split_last()?;
    let parameters = front.get(2..).unwrap_or_default();
    let code = match (parameters, last) {
        ([b'M', _, _], row) => {
            // Press of the first button, and the wheel.
            let row = u16::from(row.checked_sub(33)?);
            return mouse(u16::from(parameters[1].checked_sub(32)?), row);
        }
        ([b'[', ..], _) => return None,
        ([b'<', report @ ..], b'M') => {
            let mut numbers = numbers(report);
            let button = numbers.next()??;
            let row = numbers.nth(1)??.checked_sub(1)?;
            return mouse(button, row);
        }
        ([b'<' | b'?' | b'>', ..], _) => return None,
        (_, b'A') => KeyCode::Up,
        (_, b'B') => KeyCode::Down,
        (_, b'C') => KeyCode::Right,
        (_, b'D') => KeyCode::Left,
        (_, b'H') => KeyCode::Home,
        (_, b'F') => KeyCode::End,
        (_, b'Z') => KeyCode::BackTab,
        // Enter of a keypad.
        ([], b'M') => KeyCode::Enter,
        (parameters, b'~') => match numbers(parameters).next()?? {
            1 | 7 => KeyCode::Home,
            2 => KeyCode::Insert,
            3 => KeyCode::Delete,
            4 | 8 => KeyCode::End,
            5 => KeyCode::PageUp,
            6 => KeyCode::PageDown,
            _ => return None,
        },
        _ => return None,
    };
    Some(key(code))
}

fn mouse(button: u16, row: u16) -> Option<Press> {
    match button {
        0 => Some(Press::Click { row }),
        64 => Some(key(KeyCode::Up)),
        65 => Some(key(KeyCode::Down)),
        _ => None,
    }
}

fn numbers(parameters: &[u8]) -> impl Iterator<Item = Option<u16>> + '_ {
    parameters
        .split(|byte| *byte == b';')
        .map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presses(parts: &[&[u8]]) -> Vec<Press> {
        let (mut parser, mut presses) = (Parser::default(), Vec::new());
        for part in parts {
            parser.feed(part, &mut presses);
        }
        while parser.patience().is_some() {
            parser.expire(&mut presses);
        }
        presses
    }

    fn codes(bytes: &[u8]) -> Vec<KeyCode> {
        (presses(&[bytes]).into_iter())
            .map(|press| match press {
                Press::Key(event) => event.code,
                Press::Click { .. } => KeyCode::Null,
            })
            .collect()
    }

    #[test]
    fn keys_of_many_terminals_are_understood() {
        use KeyCode as K;
        for (bytes, code) in [
            (&b"\x1b[A"[..], K::Up),
            (b"\x1bOB", K::Down),
            (b"\x1b[1;2C", K::Right),
            (b"\x1b[5~", K::PageUp),
            (b"\x1b[6~", K::PageDown),
            (b"\x1b[2~", K::Insert),
            (b"\x1b[3;5~", K::Delete),
            (b"\x1b[1~", K::Home),
            (b"\x1b[H", K::Home),
            (b"\x1b[8~", K::End),
            (b"\x1bOF", K::End),
            (b"\x1b[Z", K::BackTab),
            (b"\x1bOM", K::Enter),
            (b"\r", K::Enter),
            (b"\n", K::Enter),
            (b"\t", K::Tab),
            (b"\x08", K::Backspace),
            (b"\x7f", K::Backspace),
            (b"\x1b", K::Esc),
            (b"G", K::Char('G')),
            ("é".as_bytes(), K::Char('é')),
            ("語".as_bytes(), K::Char('語')),
        ] {
            assert_eq!(codes(bytes), [code], "{bytes:?}");
        }
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(presses(&[b"\x03"]), [Press::Key(control)]);
    }

    #[test]
    fn a_key_that_comes_byte_by_byte_is_one_key() {
        let arrow = [key(KeyCode::Up)];
        assert_eq!(presses(&[b"\x1b", b"[", b"A"]), arrow);
        let accent = "é".as_bytes();
        assert_eq!(
            presses(&[&accent[..1], &accent[1..]]),
            [key(KeyCode::Char('é'))]
        );
    }

    /// `A` would be a command of its own.
    #[test]
    fn the_late_rest_of_an_arrow_key_is_never_taken_for_letters() {
        let (mut parser, mut presses) = (Parser::default(), Vec::new());
        parser.feed(b"\x1b", &mut presses);
        assert_eq!(parser.patience(), Some(ALONE));
        parser.expire(&mut presses);
        assert_eq!(presses, [key(KeyCode::Esc)]);
        parser.feed(b"[A", &mut presses);
        assert_eq!(presses, [key(KeyCode::Esc), key(KeyCode::Up)]);
        assert_eq!(parser.patience(), None);
    }

    #[test]
    fn escape_and_a_letter_are_two_keys() {
        let both = [key(KeyCode::Esc), key(KeyCode::Char('q'))];
        assert_eq!(presses(&[b"\x1bq"]), both);
        assert_eq!(codes(b"\x1b\x1b"), [KeyCode::Esc, KeyCode::Esc]);
        assert_eq!(codes(b"\x1b\x1b[B"), [KeyCode::Esc, KeyCode::Down]);
    }

    #[test]
    fn clicks_tell_the_row_and_other_reports_nothing() {
        assert_eq!(presses(&[b"\x1b[<0;12;7M"]), [Press::Click { row: 6 }]);
        assert_eq!(presses(&[b"\x1b[M \x25\x28"]), [Press::Click { row: 7 }]);
        assert_eq!(
            codes(b"\x1b[<64;1;1M\x1b[<65;1;1M"),
            [KeyCode::Up, KeyCode::Down]
        );
        for report in [
            &b"\x1b[<0;12;7m"[..],
            b"\x1b[?62;22c",
            b"\x1b[24;80R",
            b"\x1b[I",
            b"\x1b[200~",
            b"\x1b[[A",
            b"\x1b[<0;0M",
            b"\x1b[<0;1;0M",
            b"\x1b[<9999999;1;1M",
            b"\xff\xfe\x00\x1c",
        ] {
            assert_eq!(presses(&[report]), [], "{report:?}");
        }
    }

    #[test]
    fn noise_ends() {
        let mut noise = b"\x1b[".to_vec();
        noise.resize(5000, b'1');
        let last = presses(&[&noise, b"q"]).pop();
        assert_eq!(last, Some(key(KeyCode::Char('q'))));
        assert_eq!(codes(b"\xc3q"), [KeyCode::Char('q')]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_leave_the_parser_ready(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let (mut parser, mut presses) = (Parser::default(), Vec::new());
            parser.feed(&bytes, &mut presses);
            for _ in 0..2 {
                parser.expire(&mut presses);
            }
            proptest::prop_assert!(parser.patience().is_none());
        }
    }
}

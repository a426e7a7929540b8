//! The bytes that bring a screen from one frame to the next: changed lines only.
//!
//! Between two frames the cursor always rests at the beginning of the row below the last line, with
//! no attribute set and nothing switched off: whenever the process ends, however it ends, the
//! terminal is in order. That is also why the cursor is never hidden. Only moves that a VT100 knows
//! are used, and no alternate screen, so what was printed before stays in the scrollback.

use std::io::Write;

use super::frame::{Line, Tone};
use super::text::width;

/// What the terminal shows now.
#[derive(Debug, Default)]
pub(super) struct Paint {
    shown: Vec<Line>,
    size: (u16, u16),
    colour: bool,
}

impl Paint {
    pub(super) fn new(colour: bool) -> Self {
        Self {
            colour,
            ..Self::default()
        }
    }

    /// The bytes that make the terminal show these lines, which must fit it; none if it does.
    pub(super) fn paint(&mut self, lines: Vec<Line>, size: (u16, u16)) -> Vec<u8> {
        let mut bytes = if self.size == size || self.shown.is_empty() {
            Vec::new()
        } else {
            self.size = size;
            self.erase()
        };
        self.size = size;
        let old = self.shown.len();
        // The row that the cursor is in, counted from the first line.
        let mut row = old;
        for (at, line) in lines.iter().enumerate() {
            if self.shown.get(at) == Some(line) {
                continue;
            }
            move_to(&mut bytes, row, at);
            self.write(&mut bytes, line);
            // Rows below the old frame are new: a line feed makes them, and scrolls at the bottom.
            row = if at >= old {
                bytes.extend_from_slice(b"\r\n");
                at + 1
            } else {
                at
            };
        }
        let bottom = lines.len();
        if row != bottom || !bytes.is_empty() {
            move_to(&mut bytes, row, bottom);
        }
        if bottom < old {
            bytes.extend_from_slice(b"\x1b[J");
        }
        self.shown = lines;
        bytes
    }

    /// The bytes that print a text above the frame, which is forgotten: it is drawn anew below.
    pub(super) fn above(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = self.erase();
        for line in text.lines() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    /// Removes the frame. After a resize the terminal may have broken its lines anew: the rows that
    /// they take now are counted, as well as that can be known.
    fn erase(&mut self) -> Vec<u8> {
        let (columns, height) = (usize::from(self.size.0).max(1), usize::from(self.size.1));
        let rows: usize = self
            .shown
            .iter()
            .map(|line| width(&line.text).div_ceil(columns).max(1))
            .sum();
        let rows = rows.min(height.saturating_sub(1));
        self.shown.clear();
        let mut bytes = Vec::new();
        if rows > 0 {
            move_to(&mut bytes, rows, 0);
            bytes.extend_from_slice(b"\x1b[J");
        }
        bytes
    }

    fn write(&self, bytes: &mut Vec<u8>, line: &Line) {
        let tone = match line.tone {
            _ if !self.colour => "",
            Tone::Plain => "",
            Tone::Head => "1",
            Tone::Good => "32",
            Tone::Watch => "33",
            Tone::Bad => "31",
        };
        // Writing to memory does not fail.
        let _ = if tone.is_empty() {
            write!(bytes, "{}\x1b[K", line.text)
        } else {
            write!(bytes, "\x1b[{tone}m{}\x1b[m\x1b[K", line.text)
        };
    }
}

/// To the beginning of another row.
fn move_to(bytes: &mut Vec<u8>, from: usize, to: usize) {
    bytes.push(b'\r');
    let _ = match (from, to) {
        _ if from == to => Ok(()),
        _ if from > to => write!(bytes, "\x1b[{}A", from - to),
        _ => write!(bytes, "\x1b[{}B", to - from),
    };
}

//! Some rows of a terminal, redrawn in place below what was printed before: ratatui's inline viewport.
//!
//! Between two pictures the cursor always rests at the beginning of the row below the last line, with
//! no attribute set and nothing switched off: whenever the process ends, however it ends, the
//! terminal is in order. That is also why the cursor is never hidden. Only moves that a VT100 knows
//! are used, and no alternate screen, so what was printed before stays in the scrollback. Nobody asks
//! the terminal where its cursor is: all moves are relative, and some lines never answer.

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::Canvas;

/// What the terminal shows now.
#[derive(Debug)]
pub(crate) struct Inline {
    ascii: bool,
    size: (u16, u16),
    /// Its rows, and one more for the cursor; None: nothing is shown.
    canvas: Option<Canvas>,
    /// The cells of each line.
    shown: Vec<usize>,
}

impl Inline {
    pub(crate) fn new(ascii: bool) -> Self {
        Self {
            ascii,
            size: (0, 0),
            canvas: None,
            shown: Vec::new(),
        }
    }

    /// The bytes that make the terminal show these lines, which must fit it; none if it does.
    pub(crate) fn draw(&mut self, lines: &[(&str, Style)], size: (u16, u16)) -> Vec<u8> {
        let rows = u16::try_from(lines.len() + 1).unwrap_or(u16::MAX);
        let fits = (self.canvas.as_ref()).is_some_and(|canvas| canvas.rows() >= rows);
        let mut bytes = if self.size == size && fits {
            Vec::new()
        } else {
            self.erase(size)
        };
        let canvas = (self.canvas).get_or_insert_with(|| Canvas::inline(size.0, rows, self.ascii));
        bytes.extend(canvas.draw_above(rows - 1, |frame| {
            let room = frame.area().as_size();
            for (y, (text, style)) in (0..room.height).zip(lines) {
                let room = usize::from(room.width);
                frame.buffer_mut().set_stringn(0, y, text, room, *style);
            }
        }));
        self.shown = lines.iter().map(|(text, _)| text.width()).collect();
        bytes
    }

    /// The bytes that print a text above the lines, which are drawn anew below. ratatui would insert it cell by cell,
    /// and cut what is wider than the terminal: a line of the log is to be copied as it is.
    pub(crate) fn above(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = self.erase(self.size);
        for line in text.lines() {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    /// Removes the lines. After a resize the terminal may have broken them anew: the rows that
    /// they take now are counted, as well as that can be known.
    fn erase(&mut self, size: (u16, u16)) -> Vec<u8> {
        self.size = size;
        let (columns, height) = (usize::from(size.0).max(1), usize::from(size.1));
        let rows: usize = (self.shown.iter())
            .map(|cells| cells.div_ceil(columns).max(1))
            .sum();
        self.canvas = None;
        self.shown.clear();
        match rows.min(height.saturating_sub(1)) {
            0 => Vec::new(),
            rows => format!("\r\x1b[{rows}A\x1b[J").into_bytes(),
        }
    }
}

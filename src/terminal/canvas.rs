//! Pictures as bytes: what changed since the last picture, in as few bytes as a slow line deserves.
//!
//! A backend of its own: ratatui's sends colour resets with every picture, even one in which nothing
//! changed, names the 16 colours in a way that terminals of 16 colours do not know, and drops bold
//! and reverse under `NO_COLOR`.

use std::convert::Infallible;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use unicode_width::UnicodeWidthStr;

/// A screen and what is on it.
#[derive(Debug)]
pub(crate) struct Canvas {
    terminal: Terminal<Bytes>,
}

impl Canvas {
    /// An empty screen; its first picture clears the terminal's.
    pub(crate) fn new(columns: u16, rows: u16, ascii: bool) -> Self {
        let bytes = Bytes {
            out: b"\x1b[m\x1b[2J".to_vec(),
            size: Size::new(columns, rows),
            edge: columns,
            ascii,
            relative: false,
            pen: Pen::PLAIN,
            cursor: None,
        };
        let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
        Self::with(bytes, viewport)
    }

    /// Empty rows, from the one on that the cursor is at the beginning of.
    pub(super) fn inline(columns: u16, rows: u16, ascii: bool) -> Self {
        let bytes = Bytes {
            out: b"\x1b[J".to_vec(),
            // The last column stays free: a terminal that wraps there would add a row. What lies above and below
            // is not known, so these rows are all that ratatui learns of.
            size: Size::new(columns.saturating_sub(1).max(1), rows),
            edge: columns,
            ascii,
            relative: true,
            pen: Pen::PLAIN,
            cursor: Some(Position::ORIGIN),
        };
        Self::with(bytes, Viewport::Inline(rows))
    }

    fn with(bytes: Bytes, viewport: Viewport) -> Self {
        let options = TerminalOptions { viewport };
        let Ok(terminal) = Terminal::with_options(bytes, options);
        Self { terminal }
    }

    /// The bytes that bring the terminal from the last picture to this one; none if they are alike.
    pub(crate) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Vec<u8> {
        // `Terminal::draw` would hide the cursor each time.
        picture(&mut self.terminal.get_frame());
        let Ok(()) = self.terminal.flush();
        self.terminal.swap_buffers();
        std::mem::take(&mut self.terminal.backend_mut().out)
    }

    /// The cells of a picture that is not shown.
    pub(crate) fn cells(columns: u16, rows: u16, picture: impl FnOnce(&mut Frame<'_>)) -> Buffer {
        let mut canvas = Self::new(columns, rows, false);
        let mut frame = canvas.terminal.get_frame();
        picture(&mut frame);
        frame.buffer_mut().clone()
    }

    /// As [`Canvas::draw`], and the cursor rests at the beginning of this row.
    pub(super) fn draw_above(&mut self, row: u16, picture: impl FnOnce(&mut Frame<'_>)) -> Vec<u8> {
        let mut out = self.draw(picture);
        let backend = self.terminal.backend_mut();
        backend.go(Position::new(0, row));
        out.append(&mut backend.out);
        out
    }

    pub(super) fn rows(&self) -> u16 {
        self.terminal.backend().size.height
    }
}

/// How the terminal writes the next character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Pen {
    const PLAIN: Self = Self {
        fg: Color::Reset,
        bg: Color::Reset,
        modifier: Modifier::empty(),
    };
}

#[derive(Debug)]
struct Bytes {
    out: Vec<u8>,
    size: Size,
    /// The columns of the terminal.
    edge: u16,
    ascii: bool,
    /// Moves are from where the cursor is, which is always known: rows are not those of the terminal.
    relative: bool,
    pen: Pen,
    /// Where the terminal's cursor is, as far as that is known.
    cursor: Option<Position>,
}

impl Bytes {
    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// By moves alone that every terminal knows.
    fn step(&mut self, from: Position, to: Position) {
        let put = |bytes: &mut Self, by: u16, way: char| match by {
            0 => {}
            1 => bytes.put(&format!("\x1b[{way}")),
            by => bytes.put(&format!("\x1b[{by}{way}")),
        };
        if to.x == 0 && to.y == from.y + 1 {
            return self.put("\r\n");
        }
        put(self, from.y.saturating_sub(to.y), 'A');
        put(self, to.y.saturating_sub(from.y), 'B');
        if to.x == 0 && from.x > 0 {
            self.put("\r");
        }
        if to.x > 0 {
            put(self, from.x.saturating_sub(to.x), 'D');
        }
        put(self, to.x.saturating_sub(from.x), 'C');
    }

    fn go(&mut self, to: Position) {
        if let (true, Some(from)) = (self.relative, self.cursor) {
            self.step(from, to);
            self.cursor = Some(to);
            return;
        }
        let absolute = format!("\x1b[{};{}H", to.y + 1, to.x + 1);
        match self.cursor {
            Some(from) if from == to => {}
            Some(from) if from.y == to.y && from.x < to.x => match to.x - from.x {
                1 => self.put("\x1b[C"),
                by => {
                    let forward = format!("\x1b[{by}C");
                    self.put(if forward.len() < absolute.len() {
                        &forward
                    } else {
                        &absolute
                    });
                }
            },
            Some(from) if to.x == 0 && to.y == from.y + 1 => self.put("\r\n"),
            _ => self.put(&absolute),
        }
        self.cursor = Some(to);
    }

    fn take(&mut self, pen: Pen) {
        if pen == self.pen {
            return;
        }
        let mut codes: Vec<String> = Vec::new();
        // Not every terminal can switch one attribute off.
        let afresh = !pen.modifier.contains(self.pen.modifier)
            || pen.fg == Color::Reset && self.pen.fg != Color::Reset
            || pen.bg == Color::Reset && self.pen.bg != Color::Reset;
        let from = if afresh {
            codes.push(String::new());
            Pen::PLAIN
        } else {
            self.pen
        };
        for (modifier, code) in [
            (Modifier::BOLD, "1"),
            (Modifier::DIM, "2"),
            (Modifier::ITALIC, "3"),
            (Modifier::UNDERLINED, "4"),
            (Modifier::REVERSED, "7"),
        ] {
            if pen.modifier.contains(modifier) && !from.modifier.contains(modifier) {
                codes.push(code.to_owned());
            }
        }
        if pen.fg != from.fg {
            codes.push(colour(pen.fg, 30));
        }
        if pen.bg != from.bg {
            codes.push(colour(pen.bg, 40));
        }
        // An empty first parameter is a reset.
        let sequence = format!("\x1b[{}m", codes.join(";"));
        self.put(&sequence);
        self.pen = pen;
    }

    fn print(&mut self, at: Position, symbol: &str) {
        let width = symbol.width().max(1);
        if self.ascii && !symbol.is_ascii() {
            self.put(&"?".repeat(width));
        } else {
            self.put(symbol);
        }
        let next = usize::from(at.x) + width;
        // Terminals do not agree where the cursor is behind the last column.
        self.cursor = u16::try_from(next)
            .ok()
            .filter(|x| *x < self.edge)
            .map(|x| Position::new(x, at.y));
    }
}

/// The parameter that selects a colour; `base` is 30 for the foreground, 40 for the background.
fn colour(colour: Color, base: u8) -> String {
    let plain = |number: u8| (base + number).to_string();
    let bright = |number: u8| (base + 60 + number).to_string();
    match colour {
        Color::Reset => plain(9),
        Color::Black => plain(0),
        Color::Red => plain(1),
        Color::Green => plain(2),
        Color::Yellow => plain(3),
        Color::Blue => plain(4),
        Color::Magenta => plain(5),
        Color::Cyan => plain(6),
        Color::Gray => plain(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(index) => format!("{};5;{index}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

impl Backend for Bytes {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        for (x, y, cell) in content {
            let at = Position::new(x, y);
            self.go(at);
            self.take(Pen {
                fg: cell.fg,
                bg: cell.bg,
                modifier: cell.modifier,
            });
            self.print(at, cell.symbol());
        }
        // Whatever else is written to the terminal is not to look like the last cell.
        self.take(Pen::PLAIN);
        Ok(())
    }

    fn append_lines(&mut self, lines: u16) -> Result<(), Infallible> {
        let from = self.cursor.unwrap_or_default();
        for row in 0..lines {
            self.go(Position::new(0, from.y + row + 1));
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(self.cursor.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        self.go(position.into());
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, _: ClearType) -> Result<(), Infallible> {
        // Only ever asked for by a resize; those make a new canvas.
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize {
            columns_rows: self.size,
            pixels: Size::default(),
        })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    type Spot = (u16, u16, &'static str, Style);

    /// Each picture on a terminal, and the bytes of the last one.
    fn drawn(ascii: bool, pictures: &[&[Spot]]) -> (vt100::Parser, String) {
        let mut canvas = Canvas::new(20, 4, ascii);
        let mut terminal = vt100::Parser::new(4, 20, 0);
        let mut last = Vec::new();
        for picture in pictures {
            last = canvas.draw(|frame| {
                for (x, y, text, style) in *picture {
                    frame.buffer_mut().set_string(*x, *y, text, *style);
                }
            });
            terminal.process(&last);
        }
        (terminal, String::from_utf8(last).unwrap())
    }

    const PLAIN: Style = Style::new();

    /// What is seen: an erased cell looks like a space.
    fn cells(terminal: &vt100::Parser) -> Vec<(String, bool)> {
        let positions = (0..4).flat_map(|row| (0..20).map(move |column| (row, column)));
        positions
            .map(|(row, column)| {
                let cell = terminal.screen().cell(row, column).unwrap();
                let text = match cell.contents() {
                    "" if !cell.is_wide_continuation() => " ",
                    text => text,
                };
                (text.to_owned(), cell.bold() && text != " ")
            })
            .collect()
    }

    #[test]
    fn a_picture_like_the_last_one_is_no_bytes() {
        let picture: &[Spot] = &[(3, 1, "hello", Style::new().reversed())];
        let (terminal, last) = drawn(false, &[picture, picture]);
        assert_eq!(last, "");
        assert_eq!(terminal.screen().contents().trim(), "hello");
        assert!(terminal.screen().cell(1, 3).unwrap().inverse());
        assert!(!terminal.screen().cell(1, 8).unwrap().inverse());
    }

    #[test]
    fn only_what_changed_is_sent_and_the_terminal_is_left_plain() {
        let (terminal, last) = drawn(
            false,
            &[
                &[(0, 0, "10%", PLAIN), (10, 0, "lag 3", PLAIN)],
                &[(0, 0, "11%", PLAIN), (10, 0, "lag 4", Style::new().bold())],
            ],
        );
        // The whole of `lag 4` became bold.
        assert_eq!(last, "\x1b[1;2H1\x1b[8C\x1b[1mlag 4\x1b[m");
        assert_eq!(terminal.screen().contents(), "11%       lag 4");
    }

    #[test]
    fn the_terminal_shows_what_was_drawn_wherever_it_was() {
        let bold = Style::new().bold();
        let pictures: &[&[Spot]] = &[
            &[(0, 0, "abcdefghijklmnopqrst", PLAIN), (0, 1, "next", bold)],
            &[(0, 0, "Xbcdefghijklmnopqrs!", PLAIN), (0, 1, "line", PLAIN)],
            &[
                (0, 2, "語語x", PLAIN),
                (16, 3, "語語", PLAIN),
                (0, 3, "z", bold),
            ],
            &[
                (0, 2, "語yx", bold),
                (0, 3, "語", PLAIN),
                (18, 0, "語", PLAIN),
            ],
        ];
        for count in 1..=pictures.len() {
            let (terminal, _) = drawn(false, &pictures[..count]);
            let (whole, _) = drawn(false, &pictures[count - 1..count]);
            assert_eq!(cells(&terminal), cells(&whole), "{count}");
        }
    }

    #[test]
    fn named_colours_are_the_sixteen_of_every_colour_terminal() {
        let style = Style::new().fg(Color::Red).bg(Color::LightBlue);
        let (_, last) = drawn(false, &[&[], &[(0, 0, "x", style)]]);
        assert_eq!(last, "\x1b[1;1H\x1b[31;104mx\x1b[m");
        let (_, last) = drawn(
            false,
            &[&[], &[(0, 0, "x", Style::new().fg(Color::Indexed(202)))]],
        );
        assert_eq!(last, "\x1b[1;1H\x1b[38;5;202mx\x1b[m");
    }

    #[test]
    fn a_terminal_without_utf_8_gets_ascii_alone() {
        let (_, last) = drawn(true, &[&[], &[(0, 0, "né語", PLAIN)]]);
        assert_eq!(last, "\x1b[1;1Hn???");
    }
}

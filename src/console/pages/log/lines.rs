//! The lines of the log, drawn by tui-logger's widget.
//!
//! tui-logger 0.18.3 scrolls by half a screen alone, from the top back to the end, and near the end
//! what comes meanwhile moves what is read; there are no other moves, and where it stands can't be
//! asked. So its widget always follows, in an area that reaches below the screen by the records that
//! came after the lowest line that is read: that is the scrolling. How many rows each record takes is
//! known from the formatter, which the widget asks from the newest to the oldest.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use log::Level;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_logger::{ExtLogRecord, LogFormatter, TuiLoggerWidget, TuiWidgetState};

use crate::model::columns;
use crate::terminal::{Palette, Theme, Tone};

/// A record that the widget asked for: its number, and how many rows it takes.
pub(super) type Row = (u32, usize);

/// Draws the lines into `buffer`, without the newest `below` of those that are shown. Returns all
/// that the widget asked for, the newest first, and those below the screen too.
pub(super) fn draw(
    shown: &TuiWidgetState,
    (theme, zone): (&Theme, &TimeZone),
    below: usize,
    area: Rect,
    buffer: &mut Buffer,
) -> Vec<Row> {
    let asked = Arc::default();
    let formatter = Formatter {
        theme: *theme,
        zone: zone.clone(),
        below,
        asked: Arc::clone(&asked),
    };
    let height = usize::from(area.height).saturating_add(below);
    let area = Rect {
        height: u16::try_from(height).unwrap_or(u16::MAX),
        ..area
    };
    TuiLoggerWidget::default()
        .formatter(Box::new(formatter))
        .state(shown)
        .render(area, buffer);
    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *asked)
}

/// As [`draw`], to know the rows and not to see them.
pub(super) fn measure(shown: &TuiWidgetState, below: usize, width: u16, rows: usize) -> Vec<Row> {
    let theme = Theme {
        palette: Palette::Mono,
        ascii: false,
    };
    let height = u16::try_from(rows).unwrap_or(u16::MAX);
    let area = Rect::new(0, 0, width, height);
    let mut nothing = Buffer::empty(Rect::ZERO);
    draw(shown, (&theme, &TimeZone::UTC), below, area, &mut nothing)
}

/// `HH:MM:SS LEVEL target: text` on as many rows as it takes.
struct Formatter {
    theme: Theme,
    zone: TimeZone,
    below: usize,
    asked: Arc<Mutex<Vec<Row>>>,
}

impl LogFormatter for Formatter {
    fn min_width(&self) -> u16 {
        1
    }

    fn format(&self, width: usize, record: &ExtLogRecord) -> Vec<Line<'_>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // What tui-logger says of losses has none; it is as old as what it stands before.
        let last = asked.last().map_or(0, |(number, _)| *number);
        let number = record.line.unwrap_or(last);
        if asked.len() < self.below {
            asked.push((number, 1));
            return vec![Line::default()];
        }
        let style = style(&self.theme, record.level);
        let lines = wrapped(record, &self.zone, width, self.theme.ascii);
        asked.push((number, lines.len()));
        let lines = lines.into_iter();
        lines.map(|line| Line::styled(line, style)).collect()
    }
}

fn style(theme: &Theme, level: Level) -> Style {
    theme.tone(match level {
        Level::Error => Tone::Bad,
        Level::Warn => Tone::Look,
        Level::Info => Tone::Plain,
        Level::Debug | Level::Trace => Tone::Faint,
    })
}

/// The later rows are indented. At least one row.
fn wrapped(record: &ExtLogRecord, zone: &TimeZone, width: usize, ascii: bool) -> Vec<String> {
    let target = record.target();
    let target = target.strip_prefix("subtend::").unwrap_or(target);
    let at = record.timestamp.timestamp().to_zoned(zone.clone());
    let at = at.strftime("%H:%M:%S");
    let mut line = format!("{at} {:<5} {target}: {}", record.level, record.msg());
    // Cut and escaped where it was captured; `plain` would cut it once more.
    if ascii && !line.is_ascii() {
        let known = |c: char| if c.is_ascii() { c } else { '?' };
        line = line.chars().map(known).collect();
    }
    let lines = columns::wrap(&line, 0, width.saturating_sub(2));
    let indent = |(at, line): (usize, String)| if at == 0 { line } else { format!("  {line}") };
    lines.into_iter().enumerate().map(indent).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use log::LevelFilter;

    use super::*;

    /// All that tui-logger has, a record on a row.
    pub(crate) fn all() -> String {
        let theme = Theme::choose(crate::terminal::ThemeName::Mono, None, |_| None);
        let shown = TuiWidgetState::new().set_default_display_level(LevelFilter::Trace);
        let area = Rect::new(0, 0, 2200, 1100);
        let mut buffer = Buffer::empty(area);
        draw(&shown, (&theme, &TimeZone::UTC), 0, area, &mut buffer);
        let row = |y: u16| -> String {
            let cells = (0..area.width).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        let rows = (0..area.height).map(row).filter(|row| !row.is_empty());
        rows.map(|row| row + "\n").collect()
    }
}

//! A run redrawn in place on a terminal.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::style::Style;

use super::frame::{Line, Room, Tone, frame};
use super::lines::shown_notice;
use super::mode::Look;
use super::report::report;
use super::watch::{CANCELLING, View};
use crate::model::text::shown;
use crate::protocol::{Event, Snapshot, Summary};
use crate::terminal::{Inline, Output, Palette, Theme, Tone as Meaning};

pub(super) struct Screen {
    out: Output,
    look: Look,
    board: Inline,
    note: Option<String>,
    zone: TimeZone,
}

impl Screen {
    pub(super) fn new(out: Output, look: Look) -> Self {
        Self {
            out,
            board: Inline::new(!look.utf8),
            look,
            note: None,
            zone: TimeZone::system(),
        }
    }

    fn draw(&mut self, snapshot: &Snapshot) {
        let (columns, rows) = (self.look.size)();
        let room = Room {
            // The last column stays free: a terminal that wraps there would add a row.
            columns: usize::from(columns.max(2) - 1),
            // So does the last row: the cursor rests there.
            rows: usize::from(rows.max(2) - 1),
            utf8: self.look.utf8,
            // The engine's time stands still where nothing is done.
            now: snapshot.at.max(Timestamp::now()),
            zone: &self.zone,
        };
        let lines = frame(snapshot, self.note.as_deref(), room);
        let lines = styled(&lines, self.look.colour);
        self.out.write(self.board.draw(&lines, (columns, rows)));
    }
}

/// In the palette's 16 colours, which take the fewest bytes; without colours no attribute either, since some terminals
/// print what they don't know.
pub(super) fn styled(lines: &[Line], colour: bool) -> Vec<(&str, Style)> {
    let theme = Theme {
        palette: Palette::Sixteen,
        ascii: false,
    };
    let style = |tone| match tone {
        _ if !colour => Style::new(),
        Tone::Plain => Style::new(),
        Tone::Head => theme.title(),
        Tone::Good => theme.tone(Meaning::Good),
        Tone::Watch => theme.tone(Meaning::Look),
        Tone::Bad => theme.tone(Meaning::Bad),
    };
    (lines.iter())
        .map(|line| (line.text.as_str(), style(line.tone)))
        .collect()
}

impl View for Screen {
    fn period(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn event(&mut self, event: &Event) {
        // States are seen in the frame; a refusal is seen nowhere else.
        if let Event::Refused { reason, .. } = event {
            self.say(&format!("refused: {}", shown(reason)));
        }
        if let Event::Notice { text, .. } = event {
            self.say(&shown_notice(text));
        }
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        // A terminal that has stopped reading gets the newest frame once it goes on.
        if self.out.is_idle() {
            self.draw(snapshot);
        }
    }

    fn say(&mut self, text: &str) {
        let bytes = self.board.above(text);
        self.out.write(bytes);
    }

    fn cancelling(&mut self, snapshot: &Snapshot) {
        self.note = Some(CANCELLING.replace('…', if self.look.utf8 { "…" } else { "..." }));
        self.tick(snapshot);
    }

    fn end(&mut self, snapshot: &Snapshot, summary: &Summary) {
        self.note = None;
        self.draw(snapshot);
        let columns = usize::from((self.look.size)().0.clamp(20, 80));
        self.out.line("");
        self.out.write(report(summary, columns).into_bytes());
    }

    fn out(&mut self) -> &mut Output {
        &mut self.out
    }
}

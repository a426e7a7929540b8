//! Plots over the time of a run: one figure as an area, another one as a line over it, or entities by their class. ratatui's
//! chart draws in braille where the terminal knows that; elsewhere it is blocks of ASCII. Its axes would take two of three
//! rows, so they are our own: labels at the left, and one row of times for all plots that stand in a column.

mod columns;
mod stack;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use crate::console::widgets::fit::{cut, right};
use crate::model::Series;
use crate::model::series::scale;
use crate::terminal::{Theme, Tone};

pub(crate) use crate::model::series::scale::{bytes_top, clock};
pub(crate) use columns::Column;
pub(crate) use stack::stack;

/// Columns of the labels at the left of a plot.
const LABEL: u16 = 10;
/// Dots of braille in a cell, side by side.
const DOTS: usize = 2;
/// A plot with as many rows has its legend above it.
const WITH_LEGEND: u16 = 5;

/// How the time of a series is laid out in a column of plots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times<'s> {
    series: &'s Series,
    /// Seconds at which the axis ends.
    end: u64,
    goes_on: bool,
}

impl<'s> Times<'s> {
    pub(crate) fn of(series: &'s Series, goes_on: bool) -> Self {
        Self {
            series,
            end: scale::time_end(series.until().as_secs()),
            goes_on,
        }
    }

    /// Where the axis ends.
    pub(crate) fn end(&self) -> Duration {
        Duration::from_secs(self.end)
    }

    /// How many of this number of columns are of a time that has passed.
    pub(crate) fn shown(&self, number: usize) -> usize {
        self.columns(number).len()
    }

    /// How many entities there were last.
    pub(crate) fn entities(&self) -> u32 {
        self.series.newest().map_or(0, |newest| newest.counts.all())
    }

    fn columns(&self, number: usize) -> Vec<Column> {
        columns::columns(self.series, self.end, number, self.goes_on)
    }
}

/// The words of a plot: what it is, what its axis ends with, and what is drawn how.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) name: &'static str,
    pub(crate) top: String,
    pub(crate) legend: String,
}

/// A figure of each column, and how it is drawn.
pub(crate) struct Area {
    pub(crate) value: fn(&Column) -> f64,
    pub(crate) tone: Tone,
    /// Another figure, as a line.
    pub(crate) line: Option<fn(&Column) -> f64>,
}

impl Area {
    /// The most that it shows.
    pub(crate) fn most(&self, times: &Times<'_>, area: Rect) -> f64 {
        let columns = times.columns(usize::from(inner(area).width) * DOTS);
        let values = columns.iter().flat_map(|column| {
            let line = self.line.map(|line| line(column));
            std::iter::once((self.value)(column)).chain(line)
        });
        values.fold(0.0, f64::max)
    }
}

/// The place of what is drawn, without labels and legend.
fn inner(area: Rect) -> Rect {
    let above = u16::from(area.height >= WITH_LEGEND);
    let left = (LABEL + 1).min(area.width);
    Rect {
        x: area.x + left,
        y: area.y + above,
        width: area.width - left,
        height: area.height - above,
    }
}

/// Of one row below plots: the place of its label, what divides it from the rest, and that rest.
pub(crate) fn inner_and_label(area: Rect, theme: &Theme) -> (Rect, &'static str, Rect) {
    let line = if theme.ascii { "|" } else { "│" };
    let label = Rect {
        width: LABEL.min(area.width),
        ..area
    };
    let rest = Rect {
        height: 1,
        y: area.y,
        ..inner(Rect { height: 1, ..area })
    };
    (label, line, rest)
}

/// Legend, labels and the axis; returns the place for what is drawn.
fn frame_of(words: &Words, theme: &Theme, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let inner = inner(area);
    if inner.y > area.y {
        let room = usize::from(inner.width);
        let legend = Line::styled(cut(&words.legend, room, theme), theme.hint());
        frame.render_widget(
            legend,
            Rect {
                height: 1,
                y: area.y,
                ..inner
            },
        );
    }
    let line = if theme.ascii { "|" } else { "│" };
    let label = usize::from(LABEL);
    for (at, row) in inner.rows().enumerate() {
        let text = match at {
            0 => &*words.top,
            1 => words.name,
            at if at + 1 == usize::from(inner.height) => "0",
            _ => "",
        };
        let style = match at {
            1 => Style::new(),
            _ => theme.hint(),
        };
        let place = Rect {
            x: area.x,
            width: (LABEL + 1).min(area.width),
            ..row
        };
        let [text_at, line_at] =
            Layout::horizontal([Constraint::Length(LABEL), Constraint::Length(1)]).areas(place);
        frame.render_widget(Line::styled(right(text, label, theme), style), text_at);
        frame.render_widget(Line::styled(line, theme.hint()), line_at);
    }
    inner
}

/// An area from 0 to `top`, with its line.
pub(crate) fn area(
    figure: &Area,
    top: f64,
    times: &Times<'_>,
    words: &Words,
    theme: &Theme,
    frame: &mut Frame<'_>,
    place: Rect,
) {
    let inner = frame_of(words, theme, frame, place);
    if inner.is_empty() {
        return;
    }
    let style = theme.tone(figure.tone);
    let cells = usize::from(inner.width);
    if theme.ascii {
        let columns = times.columns(cells);
        let rows = blocks(figure, top, &columns, usize::from(inner.height));
        for (text, row) in rows.into_iter().zip(inner.rows()) {
            frame.render_widget(Line::styled(text, style), row);
        }
        return;
    }
    let dots = cells * DOTS;
    let columns = times.columns(dots);
    let points = |value: fn(&Column) -> f64| -> Vec<(f64, f64)> {
        let values = columns.iter().enumerate();
        let point = |(at, column)| (at as f64, value(column).clamp(0.0, top));
        values.map(point).collect()
    };
    let filled = points(figure.value);
    let line = figure.line.map(points).unwrap_or_default();
    let of = |data| Dataset::default().marker(Marker::Braille).data(data);
    let sets = vec![
        of(&filled).graph_type(GraphType::Bar).style(style),
        of(&line).graph_type(GraphType::Line).style(style),
    ];
    let last = dots.saturating_sub(1).max(1) as f64;
    let chart = Chart::new(sets)
        .x_axis(Axis::default().bounds([0.0, last]))
        .y_axis(Axis::default().bounds([0.0, top]))
        .legend_position(None);
    frame.render_widget(chart, inner);
}

/// The rows of an area in ASCII, the highest first.
fn blocks(figure: &Area, top: f64, columns: &[Column], rows: usize) -> Vec<String> {
    // The lower half of a cell is another sign.
    let halves = |value: f64| (value / top * (2 * rows) as f64).round() as usize;
    let cell = |column: &Column, row: usize| {
        let below = 2 * (rows - 1 - row);
        let value = (figure.value)(column);
        // What is little is not nothing.
        let high = halves(value).max(usize::from(value > 0.0));
        let line = figure.line.map(|line| halves(line(column)).max(1));
        match high.saturating_sub(below) {
            2.. => '#',
            1 => ':',
            0 if line.is_some_and(|line| (line - 1) / 2 == below / 2) => '-',
            0 if row + 1 == rows => '_',
            _ => ' ',
        }
    };
    (0..rows)
        .map(|row| columns.iter().map(|column| cell(column, row)).collect())
        .collect()
}

/// The times under a column of plots.
pub(crate) fn axis(times: &Times<'_>, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let left = (LABEL + 1).min(area.width);
    let mut text = String::new();
    for (at, label) in scale::ticks(times.end, usize::from(area.width - left)) {
        text.push_str(&" ".repeat(at.saturating_sub(text.len())));
        text.push_str(&label);
    }
    let place = Rect {
        x: area.x + left,
        width: area.width - left,
        ..area
    };
    frame.render_widget(Line::styled(text, theme.hint()), place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_ascii_halves_are_told_apart_little_is_not_nothing_and_the_line_lies_above() {
        let columns = [0.0, 1.0, 25.0, 50.0, 75.0, 100.0].map(|delivered| Column {
            delivered,
            depth: 100,
            ..Column::default()
        });
        let figure = |line| Area {
            value: |column| column.delivered,
            tone: Tone::Plain,
            line,
        };
        let alone = blocks(&figure(None), 100.0, &columns, 3);
        assert_eq!(alone, ["    :#", "   :##", "_:####"]);
        let with_line = figure(Some(|column| column.depth as f64));
        let both = blocks(&with_line, 100.0, &columns, 3);
        assert_eq!(both, ["----:#", "   :##", "_:####"]);
    }
}

//! How dialogs look: a box in the middle of the page, as small as its content allows.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::console::theme::Theme;
use crate::model::text::shown;

use super::{Dialog, Row, command};

/// ASCII borders for terminals without better ones.
const ASCII: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

pub(super) fn draw(dialog: &Dialog, rows: usize, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let (title, lines) = content(dialog, rows, usize::from(area.width), theme);
    let widest = lines
        .iter()
        .map(Line::width)
        .max()
        .unwrap_or(0)
        .max(title.len() + 2);
    let width = u16::try_from(widest + 4)
        .unwrap_or(u16::MAX)
        .clamp(30.min(area.width), area.width);
    let height = u16::try_from(lines.len() + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let set = if theme.ascii { ASCII } else { border::ROUNDED };
    let block = Block::bordered()
        .border_set(set)
        .title(Span::styled(format!(" {title} "), theme.title()))
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}

fn content<'a>(
    dialog: &'a Dialog,
    rows: usize,
    columns: usize,
    theme: &Theme,
) -> (&'a str, Vec<Line<'a>>) {
    match dialog {
        Dialog::Confirm { title, lines, .. } => {
            let mut lines = plain(lines);
            lines.push(Line::raw(""));
            lines.push(Line::styled("y yes   n no", theme.title()));
            (title, lines)
        }
        Dialog::Text {
            title,
            lines,
            input,
            secret,
            ..
        } => {
            let mut lines = plain(lines);
            let value = if *secret {
                String::new()
            } else {
                shown(input.value())
            };
            let width = columns.saturating_sub(10).clamp(1, 60);
            // The end of a long text is where it is typed.
            let skip = value.chars().count().saturating_sub(width - 1);
            let tail: String = value.chars().skip(skip).collect();
            let hint = if *secret {
                "(what you type is not shown)"
            } else {
                ""
            };
            lines.push(Line::from(vec![
                Span::raw("> "),
                Span::raw(tail),
                Span::styled("_", theme.cursor()),
                Span::styled(hint, theme.hint()),
            ]));
            (title, lines)
        }
        Dialog::Command { input } => {
            let names = command::matching(input.value()).join("  ");
            let lines = vec![
                Line::from(vec![
                    Span::raw(format!(":{}", shown(input.value()))),
                    Span::styled("_", theme.cursor()),
                ]),
                Line::styled(cut(&names, columns.saturating_sub(8)), theme.hint()),
            ];
            ("Command", lines)
        }
        Dialog::List {
            title,
            rows: all,
            scroll,
            ..
        } => {
            let widest = all
                .iter()
                .map(|row| row.label.chars().count())
                .max()
                .unwrap_or(0);
            let lines = if all.is_empty() {
                vec![Line::styled(
                    "there is nothing to choose from",
                    theme.hint(),
                )]
            } else {
                (all.iter().enumerate())
                    .skip(scroll.offset)
                    .take(rows)
                    .map(|(at, row)| list_row(row, widest, at == scroll.cursor, theme))
                    .collect()
            };
            (title, lines)
        }
        Dialog::Reading {
            title,
            lines,
            scroll,
            file,
        } => {
            let mut shown: Vec<Line<'_>> = lines
                .iter()
                .skip(scroll.offset)
                .take(rows)
                .map(|line| Line::raw(visible(line)))
                .collect();
            if lines.len() > rows {
                let last = (scroll.offset + rows).min(lines.len());
                let more = format!("{}-{last} of {}", scroll.offset + 1, lines.len());
                shown.push(Line::styled(more, theme.hint()).right_aligned());
            }
            if let Some(file) = file {
                shown.push(Line::styled(format!("w writes it to {file}"), theme.hint()));
            }
            (title, shown)
        }
    }
}

fn list_row<'a>(row: &Row, widest: usize, here: bool, theme: &Theme) -> Line<'a> {
    let line = Line::from(vec![
        Span::raw(format!("{:<widest$}", shown(&row.label))),
        Span::styled(format!("  {}", shown(&row.detail)), theme.hint()),
    ]);
    if here {
        line.style(theme.cursor())
    } else {
        line
    }
}

fn plain<'a>(lines: &[String]) -> Vec<Line<'a>> {
    lines.iter().map(|line| Line::raw(visible(line))).collect()
}

/// Control characters escaped, indentation kept.
fn visible(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", " ".repeat(indent), shown(line))
}

fn cut(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}

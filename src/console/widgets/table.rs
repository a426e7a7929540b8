//! ratatui's tables and tabs as the pages have them.

use ratatui::layout::Constraint;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Row, Table, Tabs};

use crate::terminal::Theme;

/// A table without its rows: columns as wide as given, with a number of blanks between them, and the titles above them.
pub(crate) fn table<'a>(titles: Row<'a>, widths: &[usize], gap: usize, theme: &Theme) -> Table<'a> {
    let length = |width: &usize| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX));
    Table::default()
        .header(titles.style(theme.head()))
        .widths(widths.iter().map(length))
        .column_spacing(u16::try_from(gap).unwrap_or(1))
}

/// Titles side by side, which bring the blanks around them.
pub(crate) fn tabs<'a>(
    titles: impl IntoIterator<Item = String>,
    selected: usize,
    theme: &Theme,
) -> Tabs<'a> {
    let titles = titles.into_iter().enumerate().map(|(at, title)| {
        let style = if at == selected {
            Style::new()
        } else {
            theme.tab()
        };
        Line::styled(title, style)
    });
    Tabs::new(titles)
        .select(selected)
        .highlight_style(theme.selected_tab())
        .padding("", "")
        .divider("")
}

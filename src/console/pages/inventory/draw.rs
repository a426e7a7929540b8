//! How the inventory page looks: the filter, the table's head, the rows on the screen, a footer.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::console::state::State;
use crate::console::widgets::fit::{cut, fit, plain, share};
use crate::protocol::Snapshot;
use crate::terminal::Theme;

use super::{Column, newest};

/// A sign, a blank, and the longest word.
const STATE: usize = 13;
/// Less room than this is left empty.
const LEAST_NOTE: usize = 16;
/// Before the first column, for the mark.
const MARK: usize = 2;
/// On screens that are narrower, columns stand closer together.
const ROOMY: usize = 72;

pub(crate) fn draw(
    state: &State,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let view = &state.inventory;
    let [filter, head, body, footer] = Layout::vertical([
        Constraint::Length(u16::from(view.has_filter())),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    if view.has_filter() {
        frame.render_widget(filter_line(state, theme, usize::from(filter.width)), filter);
    }
    let widths = Widths::new(state, usize::from(area.width));
    frame.render_widget(head_line(state, &widths, theme), head);
    if view.shown.is_empty() {
        let text = if state.site.inventory.entities.is_empty() {
            "the inventory has no entities"
        } else {
            "no entity matches the filter; Esc clears it"
        };
        frame.render_widget(Line::styled(text, theme.hint()), body);
    }
    // The screen may have become smaller since the cursor moved.
    let rows = usize::from(body.height);
    let mut scroll = view.scroll;
    scroll.to(scroll.cursor, view.shown.len(), rows);
    let visible = view.shown.iter().enumerate().skip(scroll.offset).take(rows);
    for (line, (row, at)) in (body.y..).zip(visible) {
        let text = entity_line(state, snapshot, theme, &widths, *at);
        let text = if row == scroll.cursor {
            text.style(theme.cursor())
        } else {
            text
        };
        let place = Rect {
            y: line,
            height: 1,
            ..body
        };
        frame.render_widget(text, place);
    }
    frame.render_widget(Line::styled(counts(state), theme.hint()), footer);
}

fn filter_line<'a>(state: &State, theme: &Theme, columns: usize) -> Line<'a> {
    let view = &state.inventory;
    let value = view.filter.value();
    if !view.typing {
        return Line::from(vec![
            Span::styled("filter: ", theme.head()),
            Span::raw(cut(value, columns.saturating_sub(24), theme)),
            Span::styled("   Esc clears it", theme.hint()),
        ]);
    }
    // What is typed is where the cursor is; of a long filter its end around it is shown.
    let typed: Vec<char> = value.chars().collect();
    let at = view.filter.cursor().min(typed.len());
    let from = (at + 4).saturating_sub(columns);
    let text = |range: std::ops::Range<usize>| {
        let text: String = typed[range].iter().collect();
        // Blanks at its ends are part of what is typed.
        text.split(' ')
            .map(|word| plain(word, theme))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let under = match typed.get(at) {
        Some(_) => text(at..at + 1),
        None => " ".into(),
    };
    let mut spans = vec![
        Span::styled("/", theme.head()),
        Span::raw(text(from.min(at)..at)),
        Span::styled(under, theme.cursor()),
    ];
    if at < typed.len() {
        spans.push(Span::raw(text(at + 1..typed.len())));
    }
    if typed.is_empty() {
        let hint = " words, type:adsl version: name: address: group: state: site=north, !not";
        spans.push(Span::styled(
            cut(hint.trim(), columns.saturating_sub(3), theme),
            theme.hint(),
        ));
    }
    Line::from(spans)
}

/// Columns of the table; a note has what is left where that is enough.
struct Widths {
    columns: Vec<usize>,
    gap: &'static str,
    note: usize,
}

impl Widths {
    fn new(state: &State, room: usize) -> Self {
        let view = &state.inventory;
        let [name, type_, version, address] = view.widest;
        let groups = state.groups.widest();
        let gap = if room < ROOMY { " " } else { "  " };
        // A head has room for its sign too, where there is room.
        let title = |column: Column| column.title().len() + if room < ROOMY { 0 } else { 2 };
        let columns = [
            (name.clamp(title(Column::Name), 32), 9),
            (type_.clamp(title(Column::Type), 14), 5),
            (version.clamp(title(Column::Version), 16), 7),
            (address.clamp(title(Column::Address), 30), 9),
            (groups.clamp(title(Column::Group), 24), 6),
            (STATE, STATE),
        ];
        let gaps = MARK + gap.len() * (columns.len() - 1);
        let columns = share(&columns, room.saturating_sub(gaps));
        let used = columns.iter().sum::<usize>() + gaps;
        let note = room.saturating_sub(used + gap.len());
        Self {
            columns,
            gap,
            note: if note < LEAST_NOTE { 0 } else { note },
        }
    }
}

fn head_line<'a>(state: &State, widths: &Widths, theme: &Theme) -> Line<'a> {
    let view = &state.inventory;
    let (down, up) = if theme.ascii {
        ("v", "^")
    } else {
        ("▾", "▴")
    };
    let mut text = " ".repeat(MARK);
    for (column, width) in Column::ALL.into_iter().zip(&widths.columns) {
        let sign = if view.reverse { up } else { down };
        let title = column.title();
        let title = match width.checked_sub(title.len()) {
            _ if column != view.sort => title_cell(title, *width),
            Some(2..) => title_cell(&format!("{title} {sign}"), *width),
            // The sign matters more than the end of the title.
            _ => title_cell(title, width.saturating_sub(1)) + sign,
        };
        text.push_str(&title);
        text.push_str(widths.gap);
    }
    if widths.note > 0 {
        text.push_str("Note");
    }
    Line::styled(text, theme.head())
}

fn title_cell(title: &str, width: usize) -> String {
    let short: String = title.chars().take(width).collect();
    format!("{short:<width$}")
}

fn entity_line<'a>(
    state: &State,
    snapshot: &Snapshot,
    theme: &Theme,
    widths: &Widths,
    at: usize,
) -> Line<'a> {
    let entity = &state.site.inventory.entities[at];
    let (marked, unmarked) = theme.mark();
    let mark = if state.marks.contains(&at) {
        marked
    } else {
        unmarked
    };
    let groups = state.groups.names_of(at).collect::<Vec<_>>().join(",");
    let texts = [
        &*entity.name,
        &entity.type_,
        &entity.version,
        &state.inventory.addresses[at],
        &groups,
    ];
    let mut text = fit(mark, MARK, theme);
    for (value, width) in texts.iter().zip(&widths.columns) {
        text.push_str(&fit(value, *width, theme));
        text.push_str(widths.gap);
    }
    let mut spans = vec![Span::raw(text)];
    let last = newest(snapshot, &entity.name);
    let room = widths.columns.last().copied().unwrap_or(STATE);
    spans.push(match last {
        Some((_, last)) => {
            let standing = last.standing();
            let text = format!("{} {standing}", theme.sign(standing));
            Span::styled(fit(&text, room, theme), theme.of_state(standing))
        }
        None => Span::raw(" ".repeat(room)),
    });
    if widths.note > 0 {
        let cause = last.and_then(|(_, last)| last.cause.clone());
        let note = cause.unwrap_or_else(|| labels(entity));
        let note = format!("{}{}", widths.gap, cut(&note, widths.note, theme));
        spans.push(Span::styled(note, theme.hint()));
    }
    Line::from(spans)
}

fn labels(entity: &crate::model::Entity) -> String {
    let labels = entity.labels.iter();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    labels.join(" ")
}

fn counts(state: &State) -> String {
    let view = &state.inventory;
    let all = state.site.inventory.entities.len();
    let mut text = format!("{} marked", state.marks.len());
    let hidden = if view.shown.len() == all || state.marks.is_empty() {
        0
    } else {
        let shown = view.shown.iter().filter(|at| state.marks.contains(at));
        state.marks.len() - shown.count()
    };
    if hidden > 0 {
        text.push_str(&format!(" ({hidden} not shown)"));
    }
    format!("{text}   {} shown   {all} in all", view.shown.len())
}

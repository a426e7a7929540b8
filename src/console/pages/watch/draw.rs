//! How a group looks: the groups at the top, the group's own figures, then its entities.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row};

use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, fit, plain, span};
use crate::console::widgets::gauge::{gauge, history, percent};
use crate::console::widgets::table::{table, tabs};
use crate::model::{Bottleneck, EntityState, Standing, columns, units};
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot, Snapshot};
use crate::terminal::{Theme, Tone};

use super::figures::{self, STATES, Totals};
use super::{Cursor, View, dense, order::Sort, place_of, selected};

/// The width of the words before a group's figures.
const LABEL: usize = 7;

/// The rows of a group's own figures; one less on a low screen, where entities matter more.
fn block_rows(page_rows: usize) -> usize {
    if page_rows >= 18 { 5 } else { 4 }
}

/// The groups, the figures of the one that is shown, the head of the table.
pub(super) fn rows_above(shared: &Shared) -> usize {
    block_rows(shared.page_rows()) + 2
}

/// Rows for entities, or lines of cells; below them there is a line about the one under the cursor.
pub(super) fn cursor_rows(shared: &Shared) -> usize {
    shared
        .page_rows()
        .saturating_sub(rows_above(shared) + 1)
        .max(1)
}

pub(super) fn draw(
    view: &View,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let Some(group) = super::shown(view, snapshot) else {
        empty(theme, frame, area);
        return;
    };
    let block = block_rows(usize::from(area.height));
    let [tabs, figures, head, list, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::try_from(block).unwrap_or(5)),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_tabs(view, snapshot, theme, frame, tabs);
    let totals = figures::totals(group);
    let lines = group_lines(view, group, &totals, theme, usize::from(area.width));
    for (line, row) in lines.into_iter().zip(figures.rows()) {
        frame.render_widget(line, row);
    }
    if view.dense {
        frame.render_widget(dense::legend(group, theme, usize::from(area.width)), head);
        dense::draw(view, group, theme, frame, list);
    } else {
        draw_entities(view, group, theme, frame, head.union(list));
    }
    frame.render_widget(footer(view, group, theme, foot.width), foot);
}

fn empty(theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let lines = [
        Line::styled("Nothing was started yet.", theme.title()),
        Line::default(),
        Line::raw("Select groups on the Groups page (2) and press S: after a review"),
        Line::raw("they start, and are seen here while they run and after they end."),
    ];
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// The groups side by side, as many as fit around the one that is shown.
fn draw_tabs(view: &View, snapshot: &Snapshot, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let count = snapshot.groups.len();
    let place = format!(" {} of {count} groups", view.group + 1);
    let room = usize::from(area.width).saturating_sub(place.len());
    let tab = |at: usize| {
        let group = &snapshot.groups[at];
        let totals = figures::totals(group);
        let name = cut(&group.group, 20, theme);
        let sign = figures::sign(group, theme);
        if group.phase.is_ended() {
            format!(" {sign} {name} ")
        } else {
            match percent(totals.sent, totals.to_send) {
                // All is sent, which does not mean that it has arrived.
                100 => format!(" {sign} {name} sent "),
                done => format!(" {sign} {name} {done:>2}% "),
            }
        }
    };
    let shown = view.group.min(count.saturating_sub(1));
    let (mut first, mut last) = (shown, shown);
    let mut texts = std::collections::VecDeque::from([tab(shown)]);
    let mut used = columns::width(&texts[0]);
    loop {
        let mut grown = false;
        if last + 1 < count {
            let text = tab(last + 1);
            if used + columns::width(&text) <= room {
                used += columns::width(&text);
                texts.push_back(text);
                (last, grown) = (last + 1, true);
            }
        }
        if first > 0 {
            let text = tab(first - 1);
            if used + columns::width(&text) <= room {
                used += columns::width(&text);
                texts.push_front(text);
                (first, grown) = (first - 1, true);
            }
        }
        if !grown {
            break;
        }
    }
    frame.render_widget(tabs(texts, shown - first, theme), area);
    frame.render_widget(Line::styled(place, theme.hint()).right_aligned(), area);
}

fn group_lines<'a>(
    view: &View,
    group: &GroupSnapshot,
    totals: &Totals,
    theme: &Theme,
    width: usize,
) -> Vec<Line<'a>> {
    let title = format!(
        "{}: {} version {}, {}",
        plain(&group.group, theme),
        plain(&group.image, theme),
        plain(&group.version, theme),
        figures::phase(group)
    );
    let style = if view.cursor.row == 0 {
        theme.cursor()
    } else {
        theme.title()
    };
    let waits = match &group.bottleneck {
        _ if group.phase.is_ended() => String::new(),
        bottleneck => cut(
            &format!("waits for {}", figures::bottleneck(bottleneck)),
            width / 2,
            theme,
        ),
    };
    let waits_style = match group.bottleneck {
        Bottleneck::None => theme.hint(),
        _ => theme.tone(Tone::Look),
    };
    let room = width.saturating_sub(columns::width(&waits) + 1);
    let mut lines = vec![Line::from(vec![
        span(fit(&title, room, theme), style),
        Span::raw(" "),
        span(waits, waits_style),
    ])];
    let cells = match width {
        ..70 => 6,
        70..100 => 16,
        _ => 30,
    };
    let label = |text: &str| span(format!("{text:<LABEL$}"), theme.hint());
    if group.phase.is_ended() {
        ended(group, totals, theme, width, &mut lines);
    } else {
        lines.push(Line::from(vec![
            label("source"),
            Span::raw(read(group, cells, theme)),
            span(format!("  {}", pass(group, theme, width)), Style::new()),
        ]));
        lines.push(pool(view, group, cells, theme, width));
    }
    let share = percent(totals.sent, totals.to_send);
    let left = if group.phase.is_ended() {
        String::new()
    } else {
        format!("  left {}", figures::time_left(group.time_left))
    };
    let sent = gauge(totals.sent, totals.to_send, cells, theme);
    let get_it = group.entities.len() - totals.states[figures::rank(EntityState::Skipped)];
    let confirmed = totals.states[figures::rank(EntityState::Delivered)]
        + totals.states[figures::rank(Standing::Unproven)];
    let figures = format!("{sent} {share:>3}%  confirmed {confirmed} of {get_it}{left}  ");
    let room = width.saturating_sub(LABEL + columns::width(&figures));
    let hint = match group.unproven() {
        many if many > 0 && group.phase.is_ended() => {
            format!("{many} unproven: v verifies")
        }
        _ => String::new(),
    };
    lines.push(Line::from(vec![
        label("sent"),
        Span::raw(figures),
        span(cut(&hint, room, theme), theme.tone(Tone::Look)),
    ]));
    lines.push(counts(totals, theme, width));
    lines
}

fn read(group: &GroupSnapshot, cells: usize, theme: &Theme) -> String {
    let size = group.size.unwrap_or(0);
    let whole = group.size.map_or("?".into(), units::size);
    format!(
        "{} {:>3}%  {} of {whole}  {}",
        gauge(group.read, size, cells, theme),
        percent(group.read, size),
        units::size(group.read),
        figures::rate(group.rate)
    )
}

fn pass(group: &GroupSnapshot, theme: &Theme, width: usize) -> String {
    let source = plain(&group.source, theme);
    match group.passes {
        0 | 1 => format!("from {source}"),
        // The bytes of all passes are in the details too.
        passes if width < 100 => format!("from {source}, pass {passes}"),
        passes => format!(
            "from {source}, pass {passes}, {} in all",
            units::size(group.source_bytes)
        ),
    }
}

/// Occupancy, depth and size, and how it was in the last seconds.
fn pool<'a>(
    view: &View,
    group: &GroupSnapshot,
    cells: usize,
    theme: &Theme,
    width: usize,
) -> Line<'a> {
    let (used, depth) = (group.used as u64, group.depth as u64);
    let figures = format!(
        "{} {} filled, {} free, {depth} x {}  ",
        gauge(used, depth, cells, theme),
        group.used,
        group.depth.saturating_sub(group.used),
        units::size(group.buffer_size).replace(".0 ", " ")
    );
    let room = width.saturating_sub(LABEL + columns::width(&figures));
    let past = view
        .history
        .get(&view.group)
        .map_or_else(String::new, |past| {
            history(
                past.samples.iter().copied(),
                100,
                room.min(super::HISTORY),
                theme,
            )
        });
    Line::from(vec![
        span(format!("{:<LABEL$}", "pool"), theme.hint()),
        Span::raw(figures),
        span(past, theme.hint()),
    ])
}

fn ended(
    group: &GroupSnapshot,
    totals: &Totals,
    theme: &Theme,
    width: usize,
    lines: &mut Vec<Line<'_>>,
) {
    let passes = match group.passes {
        1 => "once".into(),
        passes => format!("in {}", columns::count(passes as usize, "pass")),
    };
    let read = format!(
        "{} {passes} from {}, {} confirmed, in {}",
        units::size(group.source_bytes),
        group.source,
        units::size(totals.confirmed),
        units::duration(std::time::Duration::try_from_secs_f64(group.seconds).unwrap_or_default())
    );
    let digest = group.sha256.as_deref().unwrap_or("not read to its end");
    for (label, text) in [("read", read.as_str()), ("sha256", digest)] {
        lines.push(Line::from(vec![
            span(format!("{label:<LABEL$}"), theme.hint()),
            Span::raw(cut(text, width.saturating_sub(LABEL), theme)),
        ]));
    }
}

/// How many entities are in which state: in words as far as there is room, then in signs, which
/// the rows below explain.
fn counts<'a>(totals: &Totals, theme: &Theme, width: usize) -> Line<'a> {
    let present = || (STATES.iter().zip(totals.states)).filter(|(_, count)| *count > 0);
    let text = |state: Standing, count: usize, style: usize| {
        let sign = theme.sign(state);
        match style {
            0 => format!("{sign} {count} {state}  "),
            1 => format!("{sign}{count} {}  ", figures::short(state)),
            _ => format!("{sign}{count} "),
        }
    };
    let wide = |style: usize| {
        let texts = present().map(|(state, count)| columns::width(&text(*state, count, style)));
        texts.sum::<usize>() <= width
    };
    let style = (0..2).find(|style| wide(*style)).unwrap_or(2);
    let spans =
        present().map(|(state, count)| span(text(*state, count, style), theme.of_state(*state)));
    Line::from_iter(spans)
}

/// The widths of the table of entities.
struct Columns {
    name: usize,
    gauge: usize,
    width: usize,
}

const STATE: usize = 13;
const PERCENT: usize = 4;
const RATE: usize = 10;
const LAG: usize = 4;

impl Columns {
    fn new(group: &GroupSnapshot, width: usize) -> Self {
        // Only lengths: a group of thousands is looked through in microseconds.
        let longest = group.entities.iter().map(|one| one.entity.len()).max();
        let (most, gauge) = match width {
            ..70 => (14, 6),
            70..100 => (20, 10),
            _ => (32, 20),
        };
        Self {
            name: longest.unwrap_or(0).clamp(6, most),
            gauge,
            width,
        }
    }

    fn widths(&self) -> [usize; 7] {
        let left = [self.name, STATE, self.gauge, PERCENT, RATE, LAG];
        let rest = self
            .width
            .saturating_sub(left.iter().sum::<usize>() + left.len());
        let [name, state, gauge, percent, rate, lag] = left;
        [name, state, gauge, percent, rate, lag, rest]
    }

    fn head<'a>(&self, view: &View, theme: &Theme) -> Row<'a> {
        let arrow = match (view.reverse, theme.ascii) {
            (false, false) => "▾",
            (false, true) => "v",
            (true, false) => "▴",
            (true, true) => "^",
        };
        let mark = |sort: Sort| if view.sort == sort { arrow } else { "" };
        Row::new([
            Cell::new(format!("entity{}", mark(Sort::Name))),
            Cell::new(format!("state{}", mark(Sort::State))),
            Cell::new("sent"),
            Cell::new(""),
            Cell::new(format!("{:>RATE$}", format!("rate{}", mark(Sort::Rate)))),
            Cell::new(format!("{:>LAG$}", format!("lag{}", mark(Sort::Lag)))),
            Cell::new(" note"),
        ])
    }

    fn row<'a>(
        &self,
        entity: &EntitySnapshot,
        group: &GroupSnapshot,
        limit: u64,
        theme: &Theme,
        here: bool,
    ) -> Row<'a> {
        let (state, standing) = (entity.state, entity.standing());
        let size = group.size.unwrap_or(0);
        let lags = figures::lags(entity, limit);
        let sign = if lags { "!" } else { theme.sign(standing) };
        let style = if lags {
            theme.tone(Tone::Look)
        } else {
            theme.of_state(standing)
        };
        let percent = match state {
            EntityState::Confirming | EntityState::Verifying => "sent".into(),
            EntityState::Skipped => "-".into(),
            EntityState::Delivered => "100%".into(),
            _ if group.size.is_none() => "-".into(),
            _ => format!("{}%", percent(entity.sent, size)),
        };
        let bar = if state == EntityState::Skipped {
            " ".repeat(self.gauge)
        } else {
            gauge(entity.sent, size, self.gauge, theme)
        };
        let word = match state {
            EntityState::Failed | EntityState::Retrying => style,
            _ => Style::new(),
        };
        let note = |room: usize| cut(&figures::note(entity, limit), room, theme);
        let [.., rate, lag, room] = self.widths();
        let mut cells = vec![
            Cell::new(cut(&entity.entity, self.name, theme)),
            Cell::new(format!("{sign} {standing}")).style(style),
            Cell::new(bar),
            Cell::new(format!("{percent:>PERCENT$}")),
        ];
        if matches!(state, EntityState::Sending | EntityState::CatchingUp) {
            cells.push(Cell::new(format!("{:>RATE$}", figures::rate(entity.rate))));
            cells.push(Cell::new(format!("{:>LAG$}", entity.lag)));
            cells.push(Cell::new(format!(" {}", note(room.saturating_sub(1)))));
        } else {
            // Without figures there is more room for words.
            let note = note(rate + lag + room);
            cells.push(Cell::new(format!("  {note}")).style(word).column_span(3));
        }
        let row = Row::new(cells);
        if here { row.style(theme.cursor()) } else { row }
    }
}

fn draw_entities(
    view: &View,
    group: &GroupSnapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let columns = Columns::new(group, usize::from(area.width));
    let rows = usize::from(area.height.saturating_sub(1));
    let cursor = on_screen(view.cursor, group.entities.len(), rows);
    let limit = figures::lag_limit(group);
    let rows = (cursor.offset..group.entities.len()).take(rows);
    let rows = rows.filter_map(|row| {
        let entity = group.entities.get(place_of(view, group, row)?)?;
        let here = row + 1 == cursor.row;
        Some(columns.row(entity, group, limit, theme, here))
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let table = table(columns.head(view, theme), &columns.widths(), 1, theme);
    frame.render_widget(table.rows(rows), area);
}

/// The cursor as it fits this very screen, which may have been resized since it was moved.
fn on_screen(mut cursor: Cursor, entities: usize, rows: usize) -> Cursor {
    cursor.to(cursor.row, entities, rows);
    cursor
}

/// What is under the cursor, in full as far as it fits.
fn footer<'a>(view: &View, group: &GroupSnapshot, theme: &Theme, width: u16) -> Line<'a> {
    let width = usize::from(width);
    let Some(entity) = selected(view, group) else {
        let sorted = view.sort.title();
        let view = if view.dense { "cells" } else { "rows" };
        let why = match &group.depth_reason {
            Some(reason) if !group.phase.is_ended() => format!("; pool: {reason}"),
            _ => String::new(),
        };
        if group.phase.is_ended() && group.unproven() > 0 {
            let text = format!(
                "{} unproven: v, or `subtend verify {}`, looks at the content",
                columns::count(group.unproven(), "entity"),
                plain(&group.group, theme)
            );
            return Line::styled(cut(&text, width, theme), theme.tone(Tone::Look));
        }
        let text = format!(
            "{}, {view} sorted by {sorted}{why}",
            columns::count(group.entities.len(), "entity")
        );
        return Line::styled(cut(&text, width, theme), theme.hint());
    };
    let note = figures::note(entity, figures::lag_limit(group));
    let mut text = format!("{}: {}", entity.entity, entity.standing());
    // The cause of a retry needs the room, and nothing moves meanwhile.
    let still = entity.state.is_final() || entity.state == EntityState::Retrying;
    if !still && group.phase != GroupPhase::Starting {
        let size = group.size.unwrap_or(0);
        text += &format!(
            ", {}%, {}, lag {}",
            percent(entity.sent, size),
            figures::rate(entity.rate),
            entity.lag
        );
    }
    if !note.is_empty() {
        text += &format!(", {note}");
    }
    Line::styled(cut(&text, width, theme), theme.of_state(entity.standing()))
}

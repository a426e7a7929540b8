//! The table of entities, and the line below it.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row};

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::pages::watch::order::Sort;
use crate::console::pages::watch::room::{Room, Shape};
use crate::console::pages::watch::{Cursor, View, figures, listed, place_of, selected};
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, plain};
use crate::console::widgets::gauge::{coloured, percent};
use crate::console::widgets::table::table;
use crate::model::{EntityState, columns};
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot};
use crate::terminal::{Theme, Tone};

use super::{LAG, PERCENT, RATE, STATE};

/// What stands before a name: the accent of the cursor, and a blank.
const ACCENT: usize = 2;
/// A list that is narrower has no room for the lag.
const LEAST_WITH_LAG: usize = 60;
/// `wave`, and numbers of as many digits.
const WAVE: usize = 4;

/// A figure at the right of its column, if there is one.
fn right_in(text: &str, width: usize) -> String {
    match width {
        0 => String::new(),
        _ => format!("{text:>width$}"),
    }
}

/// The widths of the table of entities.
pub(super) struct Columns {
    name: usize,
    /// Where there are waves, and room for them.
    wave: Option<usize>,
    gauge: usize,
    /// Where the list is narrow, the line below it has the lag.
    lag: usize,
    width: usize,
}

impl Columns {
    fn new(group: &GroupSnapshot, width: usize) -> Self {
        // Only lengths: a group of thousands is looked through in microseconds.
        let longest = group.entities.iter().map(|one| one.entity.len()).max();
        let (most, gauge) = match width {
            ..70 => (14, 6),
            70..100 => (20, 10),
            _ => (32, 20),
        };
        let has_waves = width >= 76 && group.entities.iter().any(|one| one.wave.is_some());
        Self {
            name: longest.unwrap_or(0).clamp(6, most),
            wave: has_waves.then_some(WAVE),
            gauge,
            lag: if width < LEAST_WITH_LAG { 0 } else { LAG },
            width,
        }
    }

    fn widths(&self) -> Vec<usize> {
        let others = [STATE, self.gauge, PERCENT, RATE, self.lag];
        let mut widths: Vec<usize> = (std::iter::once(self.name + ACCENT).chain(self.wave))
            .chain(others)
            .collect();
        widths.push(self.rest(&widths));
        widths
    }

    /// What is left for words.
    fn rest(&self, others: &[usize]) -> usize {
        let taken = others.iter().sum::<usize>() + others.len();
        self.width.saturating_sub(taken)
    }

    fn head<'a>(&self, view: &View, theme: &Theme) -> Row<'a> {
        let arrow = match (view.reverse, theme.ascii) {
            (false, false) => "▾",
            (false, true) => "v",
            (true, false) => "▴",
            (true, true) => "^",
        };
        let mark = |sort: Sort| if view.sort == sort { arrow } else { "" };
        let name = Cell::new(format!("  entity{}", mark(Sort::Name)));
        let wave = self.wave.map(|_| Cell::new("wave"));
        let others = [
            Cell::new(format!("state{}", mark(Sort::State))),
            Cell::new("sent"),
            Cell::new(""),
            Cell::new(format!("{:>RATE$}", format!("rate{}", mark(Sort::Rate)))),
            Cell::new(right_in(&format!("lag{}", mark(Sort::Lag)), self.lag)),
            Cell::new(" note"),
        ];
        Row::new(std::iter::once(name).chain(wave).chain(others))
    }

    fn row<'a>(
        &self,
        (entity, note): (&EntitySnapshot, &str),
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
        let is_on = figures::is_on(entity);
        let percent = match state {
            EntityState::Confirming | EntityState::Verifying => "sent".into(),
            EntityState::Skipped => "-".into(),
            _ if is_on => "100%".into(),
            _ if group.size.is_none() => "-".into(),
            _ => format!("{}%", percent(entity.sent, size)),
        };
        // What is done needs nobody.
        let quiet = match is_on || state == EntityState::Skipped {
            true => theme.hint(),
            false => Style::new(),
        };
        let bar = match state {
            EntityState::Skipped => Line::raw(" ".repeat(self.gauge)),
            _ if is_on => coloured((1, 1), self.gauge, quiet, theme),
            _ => coloured((entity.sent, size), self.gauge, style, theme),
        };
        let word = match state {
            EntityState::Failed
            | EntityState::RolledBack
            | EntityState::Retrying
            | EntityState::Offline => style,
            _ => Style::new(),
        };
        let note = |room: usize| cut(note, room, theme);
        let room = self.widths().pop().unwrap_or_default();
        let (accent, none) = theme.accent();
        let name = cut(&entity.entity, self.name, theme);
        let mut cells = vec![match here {
            true => Cell::new(format!("{accent} {name}")).style(theme.here()),
            false => Cell::new(format!("{none} {name}")),
        }];
        cells.extend(self.wave.map(|_| {
            let wave = entity
                .wave
                .map_or_else(String::new, |wave| wave.to_string());
            Cell::new(format!("{wave:>WAVE$}"))
        }));
        cells.extend([
            Cell::new(format!("{sign} {standing}")).style(style),
            Cell::new(bar),
            Cell::new(format!("{percent:>PERCENT$}")).style(quiet),
        ]);
        if state.takes_bytes() {
            cells.push(Cell::new(format!("{:>RATE$}", figures::rate(entity.rate))));
            cells.push(Cell::new(right_in(&entity.lag.to_string(), self.lag)));
            cells.push(Cell::new(format!(" {}", note(room.saturating_sub(1)))));
        } else {
            // Without figures there is more room for words.
            let note = note(RATE + self.lag + room);
            let word = if word == Style::new() { quiet } else { word };
            cells.push(Cell::new(format!("  {note}")).style(word).column_span(3));
        }
        Row::new(cells)
    }
}

/// What is said of an entity besides its figures.
pub(in crate::console::pages::watch) fn note(
    shared: &Shared,
    group: &GroupSnapshot,
    entity: &EntitySnapshot,
    limit: u64,
    theme: &Theme,
) -> String {
    let inventory = &shared.site.inventory;
    let known = || {
        // The inventory is searched for those alone of which it says more.
        let is_silent = entity.silent_since.is_some();
        is_silent
            .then(|| inventory.entity(&entity.entity))
            .flatten()
    };
    // The inventory is searched for those alone that say more.
    let running = figures::running(entity, "").and_then(|_| {
        let known = inventory.entity(&entity.entity);
        let before = known.map(|known| &*known.version);
        figures::running(entity, &figures::versions(group, before, theme))
    });
    let now = shared.time.now;
    let known = || known().map(|known| &**known);
    running.unwrap_or_else(|| figures::note(entity, limit, now, known()))
}

pub(super) fn draw_entities(
    view: &View,
    shared: &Shared,
    group: &GroupSnapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    room: &Room,
) {
    let count = listed(view, group);
    let shape = room.shape();
    let cursor = on_screen(view.cursor, count, shape);
    let limit = figures::lag_limit(group);
    for (at, list) in room.lists.iter().enumerate() {
        let first = cursor.offset + at * shape.rows;
        let rows = first..count.min(first + shape.rows);
        draw_list(
            view,
            shared,
            group,
            theme,
            frame,
            (cursor, limit),
            (rows, *list),
        );
    }
}

/// Some rows in one column of the list.
fn draw_list(
    view: &View,
    shared: &Shared,
    group: &GroupSnapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    (cursor, limit): (Cursor, u64),
    (rows, area): (Range<usize>, Rect),
) {
    let columns = Columns::new(group, usize::from(area.width));
    let rows = rows.filter_map(|row| {
        let entity = group.entities.get(place_of(view, group, row)?)?;
        let here = row + 1 == cursor.row;
        let note = note(shared, group, entity, limit, theme);
        Some(columns.row((entity, &note), group, limit, theme, here))
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let table = table(columns.head(view, theme), &columns.widths(), 1, theme);
    frame.render_widget(table.rows(rows), area);
}

/// The cursor as it fits this very screen, which may have been resized since it was moved.
pub(super) fn on_screen(mut cursor: Cursor, entities: usize, shape: Shape) -> Cursor {
    cursor.to(cursor.row, entities, shape);
    cursor
}

/// What is under the cursor, in full as far as it fits.
pub(super) fn footer<'a>(
    view: &View,
    shared: &Shared,
    group: &GroupSnapshot,
    theme: &Theme,
    width: u16,
) -> Line<'a> {
    let width = usize::from(width);
    if view.only.is_typing {
        let typed = plain(view.only.typed.value(), theme);
        let left = view
            .only
            .in_words(listed(view, group), group.entities.len());
        let end = typed.chars().count().saturating_sub(width / 2);
        let typed: String = typed.chars().skip(end).collect();
        return Line::from(vec![
            Span::styled("/", theme.head()),
            Span::raw(typed),
            Span::styled(" ", theme.cursor()),
            Span::styled(format!("   {}", plain(&left, theme)), theme.hint()),
        ]);
    }
    let only = match view.only.is_set() {
        true => {
            let left = view
                .only
                .in_words(listed(view, group), group.entities.len());
            let back = shared.key(Page::Watch, &Action::Back);
            format!("{left} ({back} shows all); ")
        }
        false => String::new(),
    };
    let Some(entity) = selected(view, group) else {
        let sorted = view.sort.title();
        let view = if view.dense { "cells" } else { "rows" };
        let why = match &group.depth_reason {
            Some(reason) if !group.phase.is_ended() && !group.is_at_rest() => {
                format!("; pool: {reason}")
            }
            _ => String::new(),
        };
        if group.phase.is_ended() && group.unproven() > 0 {
            let text = format!(
                "{} unproven: v, or `subtend verify {}`, reads what can be read",
                columns::count(group.unproven(), "entity"),
                plain(&group.group, theme)
            );
            return Line::styled(cut(&text, width, theme), theme.tone(Tone::Look));
        }
        let text = format!(
            "{only}{}, {view} sorted by {sorted}{why}",
            columns::count(group.entities.len(), "entity")
        );
        return Line::styled(cut(&text, width, theme), theme.hint());
    };
    let note = note(shared, group, entity, figures::lag_limit(group), theme);
    let mut text = format!("{only}{}: {}", entity.entity, entity.standing());
    // The cause of a retry needs the room, and nothing moves meanwhile.
    let still = entity.state.is_final()
        || matches!(entity.state, EntityState::Retrying | EntityState::Offline)
        || entity.state == EntityState::Waiting && group.is_at_rest()
        || figures::is_made_to_run(entity);
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

//! The dense view: a cell an entity, so that hundreds are seen at once, as large as the screen allows. Failures and laggards
//! stand out; those that send show how far they are.

mod grid;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::console::state::Shared;
use crate::console::widgets::fit::{fit, span};
use crate::console::widgets::gauge::coloured;
use crate::model::{EntityState, Standing, columns};
use crate::protocol::{EntitySnapshot, GroupSnapshot};
use crate::terminal::{Theme, Tone};

use super::{View, draw, figures, listed, place_of};
use grid::{BLOCK, Grid, NAME};

/// The cells of the group on the screen that there is.
fn grid_of(view: &View, shared: &Shared, group: &GroupSnapshot) -> Grid {
    let rows = draw::cursor_rows(view, shared, group);
    let width = usize::from(shared.columns);
    Grid::of((width, rows), listed(view, group), longest(group))
}

/// Bytes of the longest name: a group of thousands is looked through in microseconds.
fn longest(group: &GroupSnapshot) -> usize {
    let names = group.entities.iter().map(|one| one.entity.len());
    names.max().unwrap_or(0)
}

pub(super) fn cells_in_a_line(view: &View, shared: &Shared, group: &GroupSnapshot) -> usize {
    grid_of(view, shared, group).in_line
}

/// How many lines of cells are seen at a time.
pub(super) fn lines_of_cells(view: &View, shared: &Shared, group: &GroupSnapshot) -> usize {
    let rows = draw::cursor_rows(view, shared, group);
    (rows / grid_of(view, shared, group).height).max(1)
}

pub(super) fn draw(
    view: &View,
    shared: &Shared,
    group: &GroupSnapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let rows = usize::from(area.height).max(1);
    let count = listed(view, group);
    let grid = Grid::of((usize::from(area.width), rows), count, longest(group));
    let visible = (rows / grid.height).max(1);
    let cursor = view.cursor.row.checked_sub(1);
    // Pages, not a moving window: cells stay where they are while one looks at them.
    let first = cursor.unwrap_or(0) / grid.in_line / visible * visible;
    let limit = figures::lag_limit(group);
    let entity = |row| group.entities.get(place_of(view, group, row)?);
    for (line, at) in (first..count.div_ceil(grid.in_line)).zip(0..visible) {
        let places = line * grid.in_line..((line + 1) * grid.in_line).min(count);
        let mut rows = vec![Vec::new(); grid.height];
        if !grid.is_named {
            let name = entity(places.start).map_or("", |entity| &*entity.entity);
            rows[0].push(span(fit(name, NAME - 1, theme), theme.hint()));
        }
        for row in places {
            if grid.width == 1 && row % BLOCK == 0 {
                rows[0].push(span(" ", Style::new()));
            }
            let Some(entity) = entity(row) else { continue };
            let here = cursor == Some(row);
            let cell = Cell::new(entity, group, limit, theme);
            match grid.is_named {
                true => {
                    let note = || draw::note(shared, group, entity, limit, theme);
                    cell.named((entity, &note), &grid, here, theme, &mut rows);
                }
                false => cell.small(&grid, here, &mut rows[0]),
            }
        }
        let top = area.y + u16::try_from(at * grid.height).unwrap_or(u16::MAX);
        for (y, spans) in (top..area.bottom()).zip(rows) {
            let row = Rect {
                y,
                height: 1,
                ..area
            };
            frame.render_widget(Line::from(spans), row);
        }
    }
}

/// The sign of an entity and how that looks.
struct Cell {
    /// The tenths that were sent while it sends, else the sign of its state.
    sign: String,
    style: Style,
    /// The bytes that it has, of those that it is to get.
    part: (u64, u64),
}

impl Cell {
    fn new(entity: &EntitySnapshot, group: &GroupSnapshot, limit: u64, theme: &Theme) -> Self {
        let style = theme.of_state(entity.standing());
        let size = group.size.unwrap_or(0);
        let part = match figures::is_on(entity) {
            true => (1, 1),
            false => (entity.sent, size),
        };
        let (sign, style) = match entity.state {
            _ if figures::lags(entity, limit) => ("!".into(), theme.tone(Tone::Look)),
            state if state.is_sending() && size > 0 => {
                let tenths = u128::from(entity.sent) * 10 / u128::from(size);
                let tenths = u8::try_from(tenths.min(9)).unwrap_or(9);
                (tenths.to_string(), theme.heat(tenths))
            }
            _ => (theme.sign(entity.standing()).into(), style),
        };
        Self { sign, style, part }
    }

    /// Without its name: its colour fills the cell, so that the whole is a map.
    fn small(self, grid: &Grid, here: bool, row: &mut Vec<Span<'_>>) {
        let style = match here {
            true => (self.style).add_modifier(Modifier::REVERSED | Modifier::UNDERLINED),
            false => self.style,
        };
        let wide = grid.width.saturating_sub(1).max(1);
        row.push(span(format!("{:<wide$}", self.sign), style));
        if grid.width > 1 {
            row.push(span(" ", Style::new()));
        }
    }

    fn named(
        self,
        (entity, note): (&EntitySnapshot, &dyn Fn() -> String),
        grid: &Grid,
        here: bool,
        theme: &Theme,
        rows: &mut [Vec<Span<'_>>],
    ) {
        let (accent, none) = theme.accent();
        let (accent, name_style) = match here {
            true => (accent, theme.here()),
            false => (none, Style::new()),
        };
        // Accent, sign, blank, name, and a blank to the next cell.
        let room = grid.width.saturating_sub(4);
        let quiet = match figures::is_on(entity) || entity.state == EntityState::Skipped {
            true => theme.hint(),
            false => name_style,
        };
        rows[0].extend([
            span(accent, theme.here()),
            span(self.sign, self.style),
            span(" ", Style::new()),
            span(
                fit(&entity.entity, room, theme),
                if here { name_style } else { quiet },
            ),
            span(" ", Style::new()),
        ]);
        if let Some(second) = rows.get_mut(1) {
            let bar = match figures::is_on(entity) {
                true => coloured((1, 1), room, theme.hint(), theme),
                false => coloured(self.part, room, theme.of_state(entity.standing()), theme),
            };
            second.push(span("   ", Style::new()));
            match entity.state {
                EntityState::Skipped => second.push(span(" ".repeat(room), Style::new())),
                _ => second.extend(bar.spans),
            }
            second.push(span(" ", Style::new()));
        }
        if let Some(third) = rows.get_mut(2) {
            let text = match entity.state.takes_bytes() && entity.rate > 0.0 {
                true => figures::rate(entity.rate),
                false => note(),
            };
            third.push(span(
                format!("   {} ", fit(&text, room, theme)),
                theme.hint(),
            ));
        }
    }
}

/// What the cells mean, as far as there is room; how many there are of each stands above.
pub(super) fn legend<'a>(group: &GroupSnapshot, theme: &Theme, width: usize) -> Line<'a> {
    let limit = figures::lag_limit(group);
    let laggards = (group.entities.iter()).filter(|one| figures::lags(one, limit));
    let sends = format!("0-9 {} tenths", figures::short(EntityState::Sending));
    let mut items = vec![sends, format!("! lags: {}", laggards.count())];
    let of_group = figures::totals(group).states;
    let present = figures::STATES.iter().zip(of_group);
    let others = present
        .filter(|(state, count)| {
            *count > 0 && !matches!(state, Standing::In(state) if state.is_sending())
        })
        .map(|(state, _)| format!("{} {}", theme.sign(*state), figures::short(*state)));
    items.extend(others);
    let mut text = String::new();
    for item in items {
        if columns::width(&text) + columns::width(&item) <= width {
            text += &item;
            text += "  ";
        }
    }
    Line::styled(text, theme.head())
}

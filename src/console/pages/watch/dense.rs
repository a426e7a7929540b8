//! The dense view: a cell an entity, so that hundreds are seen at once. Failures and laggards stand
//! out; those that send show how far they are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use crate::console::state::Shared;
use crate::console::widgets::fit::{fit, span};
use crate::model::{EntityState, Standing, columns};
use crate::protocol::{EntitySnapshot, GroupSnapshot};
use crate::terminal::{Theme, Tone};

use super::figures;
use super::{View, listed, place_of};

/// Columns for the name of a line's first entity.
const NAME: usize = 14;
/// Cells stand in blocks of ten, with a blank between, so that they can be counted.
const BLOCK: usize = 10;

pub(super) fn cells_in_a_line(shared: &Shared) -> usize {
    cells(usize::from(shared.columns))
}

fn cells(width: usize) -> usize {
    let blocks = width.saturating_sub(NAME) / (BLOCK + 1);
    blocks.max(1) * BLOCK
}

pub(super) fn draw(
    view: &View,
    group: &GroupSnapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let cells = cells(usize::from(area.width));
    let rows = usize::from(area.height).max(1);
    let cursor = view.cursor.row.checked_sub(1);
    // Pages, not a moving window: cells stay where they are while one looks at them.
    let first = cursor.unwrap_or(0) / cells / rows * rows;
    let count = listed(view, group);
    let limit = figures::lag_limit(group);
    for (line, area) in (first..count.div_ceil(cells)).zip(area.rows()) {
        let places = line * cells..((line + 1) * cells).min(count);
        let entity = |row| group.entities.get(place_of(view, group, row)?);
        let name = entity(places.start).map_or("", |entity| &*entity.entity);
        let mut spans = vec![span(fit(name, NAME - 1, theme), theme.hint())];
        for row in places {
            if row % BLOCK == 0 {
                spans.push(span(" ", Style::new()));
            }
            let Some(entity) = entity(row) else { continue };
            let (sign, mut style) = cell(entity, group, limit, theme);
            if cursor == Some(row) {
                style = style.add_modifier(Modifier::REVERSED | Modifier::UNDERLINED);
            }
            spans.push(span(sign, style));
        }
        frame.render_widget(Line::from(spans), area);
    }
}

/// The tenths that were sent while it sends, else the sign of its state.
fn cell(
    entity: &EntitySnapshot,
    group: &GroupSnapshot,
    limit: u64,
    theme: &Theme,
) -> (String, Style) {
    if figures::lags(entity, limit) {
        return ("!".into(), theme.tone(Tone::Look));
    }
    let style = theme.of_state(entity.standing());
    match (entity.state, group.size) {
        (state, Some(size)) if state.is_sending() && size > 0 => {
            let tenths = u128::from(entity.sent) * 10 / u128::from(size);
            (tenths.min(9).to_string(), style)
        }
        _ => (theme.sign(entity.standing()).into(), style),
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

//! How a group looks: the groups at the top, the group's own figures, then its entities.

mod entities;
mod group;

use entities::{draw_entities, footer};
use group::group_lines;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use crate::console::activation;
use crate::console::state::Shared;
use crate::console::widgets::fit::cut;
use crate::console::widgets::gauge::percent;
use crate::console::widgets::table::tabs;
use crate::model::{EntityState, Inventory, columns};
use crate::protocol::{EntitySnapshot, GroupSnapshot, Snapshot};
use crate::terminal::Theme;

use super::{View, dense, figures};

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
    inventory: &Inventory,
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
    let lines = group_lines(
        view,
        group,
        &totals,
        holders(inventory, snapshot, group),
        theme,
        usize::from(area.width),
    );
    for (line, row) in lines.into_iter().zip(figures.rows()) {
        frame.render_widget(line, row);
    }
    if view.dense {
        frame.render_widget(dense::legend(group, theme, usize::from(area.width)), head);
        dense::draw(view, group, theme, frame, list);
    } else {
        draw_entities(view, inventory, group, theme, frame, head.union(list));
    }
    frame.render_widget(footer(view, inventory, group, theme, foot.width), foot);
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
/// How many of an ended group hold the image, and can be made to run it.
fn holders(inventory: &Inventory, snapshot: &Snapshot, group: &GroupSnapshot) -> usize {
    let image = inventory
        .image(&group.image)
        .filter(|_| group.phase.is_ended());
    let can = image.is_some_and(|image| activation::can_activate(inventory, &image.type_).is_ok());
    let delivered = |one: &&EntitySnapshot| one.state == EntityState::Delivered;
    let names = group.entities.iter().filter(|one| can && delivered(one));
    match names.clone().next() {
        None => 0,
        Some(_) => activation::holders(snapshot, &group.image, names.map(|one| &*one.entity)).len(),
    }
}

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
        } else if figures::activates(group) {
            let (done, all) = figures::upgraded(group);
            format!(" {sign} {name} {done}/{all} ")
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

const STATE: usize = 13;
const PERCENT: usize = 4;
const RATE: usize = 10;
const LAG: usize = 4;

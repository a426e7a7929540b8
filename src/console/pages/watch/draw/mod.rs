//! How a group looks: the groups at the top, the group's own figures, then its entities.

mod campaign;
mod entities;
mod group;

use entities::{draw_entities, footer};

pub(super) use entities::note;
use group::{Face, group_lines};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::console::widgets::fit::cut;
use crate::console::widgets::gauge::percent;
use crate::console::widgets::table::tabs;
use crate::model::{Extent, columns};
use crate::protocol::{GroupSnapshot, Snapshot};
use crate::terminal::Theme;

use super::room::{Room, Shape, divide};
use super::{View, dense, figures, listed, retry, side};

/// The width of the words before a group's figures.
const LABEL: usize = 7;

/// The screen is so low that entities matter more than the last figures of their group.
fn is_low(page_rows: usize) -> bool {
    page_rows < 18
}

/// The rows of a group's own figures.
fn block_rows(view: &View, shared: &Shared, group: &GroupSnapshot, page_rows: usize) -> usize {
    let more = campaign::rows(shared, group);
    let rows = 5 + more
        - match reads(view, shared, group) {
            Reads::Now => 0,
            // Neither source nor pool, and in place of them what devices run.
            Reads::Nothing => 1,
            Reads::Rests => 2,
        };
    match is_low(page_rows) {
        false => rows,
        // Without the counts, and without the pool where there is more to say.
        true => rows - 1 - usize::from(more > 0 && reads(view, shared, group) == Reads::Now),
    }
}

/// What of a group is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// Or was.
    Now,
    /// Its devices are made to run what they hold.
    Nothing,
    /// It is paused, or waits.
    Rests,
}

fn reads(view: &View, shared: &Shared, group: &GroupSnapshot) -> Reads {
    if group.phase.is_ended() && group.passes > 0 {
        return Reads::Now;
    }
    // Only where it can matter, since groups are searched for it.
    let only_activates = || {
        let known = retry::known(view, shared, group);
        let known = known.is_some_and(|made| made.policy.extent == Extent::Activate);
        known || figures::upgrades(group)
    };
    match group.passes {
        _ if figures::activates(group) => Reads::Nothing,
        0 if only_activates() => Reads::Nothing,
        _ if group.is_at_rest() => Reads::Rests,
        _ => Reads::Now,
    }
}

/// The groups, the figures of the one that is shown, the head of the table.
pub(super) fn rows_above(view: &View, shared: &Shared, group: &GroupSnapshot) -> usize {
    block_rows(view, shared, group, shared.page_rows()) + 2
}

/// Rows for entities, or lines of cells; below them there is a line about the one under the cursor.
pub(super) fn cursor_rows(view: &View, shared: &Shared, group: &GroupSnapshot) -> usize {
    shared
        .page_rows()
        .saturating_sub(rows_above(view, shared, group) + 1)
        .max(1)
}

/// The room for the list, and for what stands beside it.
pub(super) fn room(view: &View, shared: &Shared, group: &GroupSnapshot) -> Room {
    let above = rows_above(view, shared, group);
    // The head of the list is part of it.
    let height = shared.page_rows().saturating_sub(above);
    let rows = |rows: usize| u16::try_from(rows).unwrap_or(u16::MAX);
    let area = Rect::new(0, rows(above), shared.columns, rows(height));
    divide(area, listed(view, group))
}

/// How many entities are shown at a time; in the dense view lines of cells.
pub(super) fn shape(view: &View, shared: &Shared, group: &GroupSnapshot) -> Shape {
    match view.dense {
        true => Shape::one(cursor_rows(view, shared, group)),
        false => room(view, shared, group).shape(),
    }
}

pub(super) fn draw(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let Some(group) = super::shown(view, snapshot) else {
        empty(shared, theme, frame, area);
        return;
    };
    let inventory = &shared.site.inventory;
    let block = block_rows(view, shared, group, usize::from(area.height));
    let [tabs, figures, head, list, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::try_from(block).unwrap_or(5)),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_tabs(view, shared, snapshot, theme, frame, tabs);
    let lines = group_lines(&Face {
        view,
        shared,
        group,
        totals: &figures::totals(group),
        holders: figures::holders(inventory, snapshot, group),
        reads: reads(view, shared, group),
        theme,
        width: usize::from(area.width),
        is_low: is_low(usize::from(area.height)),
    });
    for (line, row) in lines.into_iter().zip(figures.rows()) {
        frame.render_widget(line, row);
    }
    if view.dense {
        frame.render_widget(dense::legend(group, theme, usize::from(area.width)), head);
        dense::draw(view, shared, group, theme, frame, list);
    } else {
        let room = divide(head.union(list), listed(view, group));
        draw_entities(view, shared, group, theme, frame, &room);
        if let Some(area) = room.side {
            side::draw(view, group, theme, frame, area);
        }
    }
    frame.render_widget(footer(view, shared, group, theme, foot.width), foot);
}

fn empty(shared: &Shared, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let lines = [
        Line::styled("Nothing was started yet.", theme.title()),
        Line::default(),
        Line::raw(format!(
            "Select groups on the Groups page ({}) and press {}: after a review",
            shared.key(Page::Watch, &Action::Go(Page::Groups)),
            shared.key(Page::Groups, &Action::Start)
        )),
        Line::raw("they start, and are seen here while they run and after they end."),
    ];
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

/// The groups side by side, as many as fit around the one that is shown.
fn draw_tabs(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
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
        } else if let Some(word) = figures::rests(group, &shared.time) {
            format!(" {sign} {name} {word} ")
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

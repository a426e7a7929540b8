//! Where keys and clicks lead to on the watch page.

use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::state::Shared;
use crate::model::EntityState;
use crate::protocol::{GroupSnapshot, Snapshot};

use super::room::Shape;
use super::{View, listed, ordered, show, shown, sort};
use super::{dense, draw};

/// The group beside this one; in the dense view the cell beside this one.
pub(super) fn sideways(view: &mut View, shared: &Shared, snapshot: &Snapshot, by: isize) {
    if view.dense && view.cursor.row > 0 {
        let len = shown(view, snapshot).map_or(0, |group| listed(view, group));
        let row = view.cursor.row.saturating_add_signed(by).max(1);
        view.cursor.to(row, len, Shape::one(len));
        return;
    }
    let last = snapshot.groups.len().saturating_sub(1);
    let place = view.group.saturating_add_signed(by).min(last);
    if place != view.group {
        // An operator who looks around does not want to be taken elsewhere.
        view.awaited = None;
        show(view, shared, snapshot, place);
    }
}

/// A row of the table, or the group's own figures. Cells are too small to be clicked by their row.
pub(super) fn click(
    view: &mut View,
    shared: &Shared,
    group: &GroupSnapshot,
    (row, column): (u16, u16),
) {
    // Above the page there is the title.
    let first = 1 + draw::rows_above(view, shared, group);
    let shape = draw::shape(view, shared, group);
    let len = listed(view, group);
    match usize::from(row).checked_sub(first) {
        None if row > 0 => view.cursor.to(0, len, shape),
        Some(at) if at < shape.rows && !view.dense => {
            let lists = draw::room(view, shared, group).lists;
            let of = |list: &Rect| (list.left()..list.right()).contains(&column);
            let at = lists.iter().position(of).map(|list| list * shape.rows + at);
            let at = at.map(|at| view.cursor.offset + at);
            if let Some(at) = at.filter(|at| *at < len) {
                view.cursor.to(at + 1, len, shape);
            }
        }
        _ => {}
    }
}

/// Up and down move by a line of cells.
pub(super) fn dense_move(view: &mut View, shared: &Shared, group: &GroupSnapshot, action: &Action) {
    let len = listed(view, group);
    let line = dense::cells_in_a_line(view, shared, group);
    let page = line * dense::lines_of_cells(view, shared, group);
    let row = view.cursor.row;
    let row = match action {
        Action::Up => row.saturating_sub(line),
        Action::Down if row == 0 => 1,
        Action::Down if row + line <= len => row + line,
        // The last line may be short.
        Action::Down if (row - 1) / line < len.saturating_sub(1) / line => len,
        Action::PageUp => row.saturating_sub(page),
        Action::PageDown => row + page,
        Action::First => 0,
        Action::Last => len,
        _ => row,
    };
    view.cursor.to(row, len, Shape::one(len));
}

/// To the next entity that failed, in this group from the cursor on, then in those after it.
pub(super) fn next_failure(view: &mut View, shared: &mut Shared, snapshot: &Snapshot) {
    let count = snapshot.groups.len();
    let failed = |group: &GroupSnapshot, order: &[usize], rows: std::ops::Range<usize>| {
        rows.into_iter().find(|row| {
            let entity = order.get(*row).and_then(|place| group.entities.get(*place));
            entity.is_some_and(|entity| {
                matches!(entity.state, EntityState::Failed | EntityState::RolledBack)
            })
        })
    };
    let found = (0..=count).find_map(|step| {
        let place = (view.group + step) % count.max(1);
        let group = snapshot.groups.get(place)?;
        let order = ordered(view, group);
        // The group itself is looked at twice: after the cursor first, before it last.
        let rows = match step {
            0 => view.cursor.row..order.len(),
            _ if step == count => 0..view.cursor.row.min(order.len()),
            _ => 0..order.len(),
        };
        failed(group, &order, rows).map(|row| (place, row))
    });
    let Some((place, row)) = found else {
        shared.say("nothing failed");
        return;
    };
    if place != view.group {
        show(view, shared, snapshot, place);
    }
    sort(view, shared, snapshot);
    let Some(group) = shown(view, snapshot) else {
        return;
    };
    let shape = draw::shape(view, shared, group);
    view.cursor.to(row + 1, listed(view, group), shape);
}

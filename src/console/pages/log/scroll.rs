//! Where one reads in the log, which goes on being written.

use crate::console::action::Action;
use crate::console::state::Shared;

use super::lines;
use super::{HEAD, Scrolled, View};

pub(super) fn rows(shared: &Shared) -> usize {
    shared.page_rows().saturating_sub(HEAD).max(1)
}

/// The rows of the shown records but the newest `below`, as they are on this screen.
pub(super) fn measure(view: &View, shared: &Shared, below: usize, rows: usize) -> Vec<lines::Row> {
    let width = shared.columns - view.selector(shared.columns);
    lines::measure(&view.shown(), below, width, rows)
}

/// After another choice of what is shown, the place is the same, also when another choice follows.
pub(super) fn settle(view: &mut View, shared: &Shared) {
    if let Some(at) = view.scrolled {
        let (_, below) = find(view, shared, at.lowest);
        view.scrolled = Some(Scrolled { below, ..at });
    }
}

/// Makes this record the lowest, or the next one before it that is shown.
pub(super) fn go_to(view: &mut View, shared: &Shared, lowest: u32) {
    let (shown, below) = find(view, shared, lowest);
    stop_at(view, &shown, below);
}

/// All that are shown, and how many are below the screen if this record is the lowest; those on the
/// first screen never are.
pub(super) fn find(view: &View, shared: &Shared, lowest: u32) -> (Vec<lines::Row>, usize) {
    let all = measure(view, shared, usize::MAX, 0);
    let newer = all.iter().take_while(|(number, _)| *number > lowest);
    let below = newer.count();
    // Each of them takes a row or more, so that as many as there are rows are enough.
    let first = all.len().saturating_sub(rows(shared));
    if below < first {
        return (all, below);
    }
    let oldest = measure(view, shared, first, usize::MAX);
    let oldest = oldest.get(first..).unwrap_or_default();
    let below = below.min(first + first_screen(oldest, rows(shared)));
    (all, below)
}

pub(super) fn stop_at(view: &mut View, shown: &[lines::Row], below: usize) {
    let lowest = shown.get(below).filter(|_| below > 0);
    view.scrolled = lowest.map(|(lowest, _)| Scrolled {
        lowest: *lowest,
        below,
    });
}

/// The lowest record of the first screen: of these records, the oldest of all at their end, those that
/// fit on it.
pub(super) fn first_screen(records: &[lines::Row], rows: usize) -> usize {
    let mut filled = 0;
    let fitting = records.iter().rev().take_while(|(_, takes)| {
        filled += takes;
        filled <= rows
    });
    records.len().saturating_sub(fitting.count().max(1))
}

pub(super) fn scroll(view: &mut View, shared: &Shared, action: &Action) {
    let rows = rows(shared);
    let below = view.below();
    let records = match action {
        Action::Last => return view.scrolled = None,
        Action::First => return go_to(view, shared, 0),
        Action::Up | Action::PageUp | Action::Down | Action::PageDown => {
            measure(view, shared, below, 2 * rows)
        }
        _ => return,
    };
    let here = records.get(below..).unwrap_or_default();
    if here.is_empty() {
        return;
    }
    let mut left = rows;
    let filled = here.iter().take_while(|(_, takes)| {
        let fits = *takes <= left;
        left = left.saturating_sub(*takes);
        fits
    });
    let page = filled.count().saturating_sub(1).max(1);
    let is_all = here.iter().map(|(_, takes)| takes).sum::<usize>() < 2 * rows;
    let highest = match is_all {
        true => first_screen(here, rows),
        false => here.len().saturating_sub(1),
    };
    let to = match action {
        Action::Up => below + highest.min(1),
        Action::PageUp => below + highest.min(page),
        Action::Down => below.saturating_sub(1),
        _ => below.saturating_sub(page),
    };
    stop_at(view, &records, to);
}

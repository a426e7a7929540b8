//! The inventory page: all entities as a table that is sorted, filtered and marked.
//!
//! What is shown is a list of places in the inventory, computed when the filter or the order
//! changes and not when the screen is drawn: thousands of entities scroll without delay. States
//! move on by themselves; the order and the filter take them as they are when the operator comes to
//! the page, sorts or filters, so that no row runs away from under the cursor.

mod details;
mod draw;
mod filter;
mod order;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use tui_input::{Input, InputRequest};

use crate::console::action::Action;
use crate::console::effect::Effect;
use crate::console::state::{Scroll, State};
use crate::model::{EntityState, Inventory};
use crate::protocol::{EntitySnapshot, GroupSnapshot, Snapshot};

use super::groups;
use filter::{Facts, Filter};

pub(crate) use draw::draw;
pub(crate) use order::{Column, natural};

#[derive(Debug)]
pub(crate) struct View {
    /// The filter is being typed.
    pub(crate) typing: bool,
    pub(crate) filter: Input,
    pub(crate) sort: Column,
    pub(crate) reverse: bool,
    /// Places in the inventory: all of them in order, and those that the filter leaves.
    order: Vec<usize>,
    pub(crate) shown: Vec<usize>,
    pub(crate) scroll: Scroll,
    /// The entity that was marked last, where a range begins.
    anchor: Option<usize>,
    /// As they are shown, by the place of the entity.
    addresses: Vec<String>,
    /// The widest value of each column but the last two.
    widest: [usize; 4],
}

impl View {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let entities = &inventory.entities;
        let addresses: Vec<String> = entities
            .iter()
            .map(|entity| entity.address.to_string())
            .collect();
        let mut order: Vec<usize> = (0..entities.len()).collect();
        order.sort_by(|a, b| natural(&entities[*a].name, &entities[*b].name));
        let mut widest = [0; 4];
        for (entity, address) in entities.iter().zip(&addresses) {
            let texts = [&*entity.name, &entity.type_, &entity.version, address];
            for (width, text) in widest.iter_mut().zip(texts) {
                *width = (*width).max(unicode_width::UnicodeWidthStr::width(text));
            }
        }
        Self {
            typing: false,
            filter: Input::default(),
            sort: Column::Name,
            reverse: false,
            shown: order.clone(),
            order,
            scroll: Scroll::default(),
            anchor: None,
            addresses,
            widest,
        }
    }

    /// Whether a filter is set or being typed: it has a row of its own then.
    fn has_filter(&self) -> bool {
        self.typing || !self.filter.value().is_empty()
    }

    /// The entity under the cursor, by its place in the inventory.
    pub(crate) fn current(&self) -> Option<usize> {
        self.shown.get(self.scroll.cursor).copied()
    }
}

/// The rows of the table that fit: without its head, the footer, and the filter if there is one.
fn body_rows(state: &State) -> usize {
    let around = 2 + usize::from(state.pages.inventory.has_filter());
    state.page_rows().saturating_sub(around).max(1)
}

pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let rows = body_rows(state);
    let view = &mut state.pages.inventory;
    if view.scroll.follow(&action, view.shown.len(), rows) {
        return None;
    }
    match action {
        Action::Edit(request) if view.typing => {
            edit(state, snapshot, request);
        }
        Action::Submit if view.typing => view.typing = false,
        Action::Filter => view.typing = true,
        Action::Back => {
            let was_typing = std::mem::take(&mut view.typing);
            if !view.filter.value().is_empty() {
                view.filter.reset();
                refresh(state, snapshot);
            } else if was_typing {
                keep_cursor(state, None);
            }
        }
        Action::Sort => {
            view.sort = view.sort.next();
            view.reverse = false;
            refresh(state, snapshot);
        }
        Action::SortReverse => {
            view.reverse = !view.reverse;
            refresh(state, snapshot);
        }
        Action::Mark => mark(state),
        Action::MarkRange => mark_range(state),
        Action::MarkAll => state.marks.extend(&state.pages.inventory.shown),
        Action::MarkInvert => {
            for at in &state.pages.inventory.shown {
                if !state.marks.remove(at) {
                    state.marks.insert(*at);
                }
            }
        }
        Action::MarkNone => {
            state.marks.clear();
            state.pages.inventory.anchor = None;
        }
        Action::Details => {
            let at = state.pages.inventory.current()?;
            let dialog = details::dialog(state, snapshot, at);
            state.dialogs.push(dialog);
        }
        Action::Click { row } => click(state, row),
        Action::NewGroup | Action::AutoGroup => return groups::update(state, snapshot, action),
        _ => {}
    }
    None
}

/// The list anew: when the operator comes to the page, sorts, filters, or changes groups.
pub(crate) fn refresh(state: &mut State, snapshot: &Snapshot) {
    let here = state.pages.inventory.current();
    let states = states(snapshot);
    let inventory = &state.site.inventory;
    let view = &state.pages.inventory;
    let entities = &inventory.entities;
    let state_of = |at: usize| states.get(&*entities[at].name).copied();

    let mut order = view.order.clone();
    let by_name = |a: &usize, b: &usize| natural(&entities[*a].name, &entities[*b].name);
    order.sort_by(|a, b| {
        let order = match view.sort {
            Column::Name => std::cmp::Ordering::Equal,
            Column::Type => natural(&entities[*a].type_, &entities[*b].type_),
            Column::Version => natural(&entities[*a].version, &entities[*b].version),
            Column::Address => natural(&view.addresses[*a], &view.addresses[*b]),
            Column::Group => {
                // Those without a group stand last.
                let first = |at: usize| state.pages.groups.names_of(at).next();
                match (first(*a), first(*b)) {
                    (Some(a), Some(b)) => natural(a, b),
                    (a, b) => a.is_none().cmp(&b.is_none()),
                }
            }
            Column::State => order::urgency(state_of(*a)).cmp(&order::urgency(state_of(*b))),
        };
        let order = order.then_with(|| by_name(a, b));
        if view.reverse { order.reverse() } else { order }
    });

    let groups: Vec<Vec<&str>> = (0..entities.len())
        .map(|at| state.pages.groups.names_of(at).collect())
        .collect();
    let facts = |at: usize| Facts {
        entity: &entities[at],
        address: &view.addresses[at],
        groups: &groups[at],
        state: state_of(at).map_or("none", EntityState::as_str),
    };
    let filter = Filter::new(view.filter.value(), (0..entities.len()).map(facts));
    let shown = order
        .iter()
        .copied()
        .filter(|at| filter.matches(&facts(*at)))
        .collect();

    state.pages.inventory.order = order;
    state.pages.inventory.shown = shown;
    keep_cursor(state, here);
}

/// Puts the cursor on this entity if it is shown, else where it was.
fn keep_cursor(state: &mut State, here: Option<usize>) {
    let rows = body_rows(state);
    let view = &mut state.pages.inventory;
    let row = here
        .and_then(|here| view.shown.iter().position(|at| *at == here))
        .unwrap_or(view.scroll.cursor);
    view.scroll.to(row, view.shown.len(), rows);
}

fn edit(state: &mut State, snapshot: &Snapshot, request: InputRequest) {
    let changed = state.pages.inventory.filter.handle(request);
    if changed.is_some_and(|changed| changed.value) {
        refresh(state, snapshot);
    }
}

fn mark(state: &mut State) {
    let Some(at) = state.pages.inventory.current() else {
        return;
    };
    if !state.marks.remove(&at) {
        state.marks.insert(at);
    }
    state.pages.inventory.anchor = Some(at);
    let rows = body_rows(state);
    let view = &mut state.pages.inventory;
    view.scroll.by(1, view.shown.len(), rows);
}

fn mark_range(state: &mut State) {
    let view = &mut state.pages.inventory;
    let Some(here) = view.current() else { return };
    let from = view
        .anchor
        .and_then(|anchor| view.shown.iter().position(|at| *at == anchor));
    let Some(from) = from else {
        view.anchor = Some(here);
        state.marks.insert(here);
        state.say("marked; v marks from here to where you go next");
        return;
    };
    let to = view.scroll.cursor;
    let range = from.min(to)..=from.max(to);
    state.marks.extend(&view.shown[range]);
    view.anchor = Some(here);
}

/// The title and the head of the table stand above the first row, and the filter if there is one.
fn click(state: &mut State, row: u16) {
    let above = 2 + usize::from(state.pages.inventory.has_filter());
    let rows = body_rows(state);
    let view = &mut state.pages.inventory;
    let Some(line) = usize::from(row).checked_sub(above) else {
        return;
    };
    let at = view.scroll.offset + line;
    if line < rows && at < view.shown.len() {
        view.scroll.to(at, view.shown.len(), rows);
    }
}

/// The newest state of every entity that is or was in a run.
fn states(snapshot: &Snapshot) -> HashMap<&str, EntityState> {
    let entities = snapshot.groups.iter().flat_map(|group| &group.entities);
    entities
        .map(|entity| (&*entity.entity, entity.state))
        .collect()
}

/// The newest group that has an entity, and how it stands there.
pub(crate) fn newest<'s>(
    snapshot: &'s Snapshot,
    name: &str,
) -> Option<(&'s GroupSnapshot, &'s EntitySnapshot)> {
    snapshot.groups.iter().rev().find_map(|group| {
        let entity = group.entities.iter().find(|one| &*one.entity == name)?;
        Some((&**group, entity))
    })
}

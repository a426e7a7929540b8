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

use ratatui::Frame;
use ratatui::layout::Rect;
use tui_input::{Input, InputRequest};

use crate::console::action::Action;
use crate::console::asked::{Answer, Asked, OfInventory};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::scroll::Scroll;
use crate::console::state::{Request, Screen, Shared};
use crate::model::names::natural;
use crate::model::{EntityState, columns};
use crate::protocol::{EntitySnapshot, GroupSnapshot, Snapshot};
use crate::terminal::Theme;

use filter::{Facts, Filter};
use order::Column;

#[derive(Debug)]
pub(crate) struct View {
    /// The filter is being typed.
    pub(crate) typing: bool,
    pub(crate) sort: Column,
    pub(crate) reverse: bool,
    /// All places in the inventory, in their order.
    order: Vec<usize>,
    pub(crate) scroll: Scroll,
    /// The entity that was marked last, where a range begins.
    anchor: Option<usize>,
    /// As they are shown, by the place of the entity.
    addresses: Vec<String>,
    /// What the filter's words are found in is marked.
    words: Vec<String>,
    /// The widest value of each column but the last two.
    widest: [usize; 4],
    /// The widest value of each label that is to have a column.
    labels: Vec<usize>,
}

impl View {
    /// All entities are shown.
    pub(crate) fn new(shared: &mut Shared) -> Self {
        let entities = &shared.site.inventory.entities;
        let addresses: Vec<String> = entities
            .iter()
            .map(|entity| entity.address.with_scheme())
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
        let widest_of = |label: &String| {
            let values = entities
                .iter()
                .filter_map(|one| one.labels.get(label.as_str()));
            values.map(|value| columns::width(value)).max().unwrap_or(0)
        };
        let labels = shared.settings.columns.iter().map(widest_of).collect();
        shared.picks.shown.clone_from(&order);
        Self {
            typing: false,
            sort: Column::Name,
            reverse: false,
            order,
            scroll: Scroll::default(),
            anchor: None,
            addresses,
            words: Vec::new(),
            widest,
            labels,
        }
    }

    /// Whether a filter is set or being typed: it has a row of its own then.
    fn has_filter(&self, shared: &Shared) -> bool {
        self.typing || !shared.picks.filter.value().is_empty()
    }

    /// The entity under the cursor, by its place in the inventory.
    fn current(&self, shared: &Shared) -> Option<usize> {
        shared.picks.shown.get(self.scroll.cursor).copied()
    }
}

impl Screen for View {
    fn update(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        action: Action,
    ) -> Option<Effect> {
        update(self, shared, snapshot, action)
    }

    fn draw(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        theme: &Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        draw::draw(self, shared, snapshot, theme, frame, area);
    }

    fn is_typing(&self) -> bool {
        self.typing
    }

    fn enter(&mut self, shared: &mut Shared, snapshot: &Snapshot) -> Option<Effect> {
        refresh(self, shared, snapshot);
        None
    }

    fn requested(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        request: Request,
    ) -> Option<Effect> {
        if request == Request::Regrouped {
            refresh(self, shared, snapshot);
        }
        None
    }
}

/// The rows of the table that fit: without its head, the footer, and the filter if there is one.
fn body_rows(view: &View, shared: &Shared) -> usize {
    let around = 2 + usize::from(view.has_filter(shared));
    shared.page_rows().saturating_sub(around).max(1)
}

pub(crate) fn update(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    action: Action,
) -> Option<Effect> {
    let rows = body_rows(view, shared);
    if view.scroll.follow(&action, shared.picks.shown.len(), rows) {
        return None;
    }
    match action {
        Action::Edit(request) if view.typing => {
            edit(view, shared, snapshot, request);
        }
        Action::Submit if view.typing => view.typing = false,
        Action::Filter => view.typing = true,
        Action::SavedFilters => saved(shared),
        Action::Back => {
            let was_typing = std::mem::take(&mut view.typing);
            if !shared.picks.filter.value().is_empty() {
                shared.picks.filter.reset();
                refresh(view, shared, snapshot);
            } else if was_typing {
                keep_cursor(view, shared, None);
            }
        }
        Action::Sort => {
            view.sort = view.sort.next();
            view.reverse = false;
            refresh(view, shared, snapshot);
        }
        Action::SortReverse => {
            view.reverse = !view.reverse;
            refresh(view, shared, snapshot);
        }
        Action::Upgrade => upgrade(view, shared),
        Action::Mark => mark(view, shared),
        Action::MarkRange => mark_range(view, shared),
        Action::MarkAll => shared.picks.marks.extend(&shared.picks.shown),
        Action::MarkInvert => {
            for at in &shared.picks.shown {
                if !shared.picks.marks.remove(at) {
                    shared.picks.marks.insert(*at);
                }
            }
        }
        Action::MarkNone => {
            shared.picks.marks.clear();
            view.anchor = None;
        }
        Action::Details => {
            let at = view.current(shared)?;
            let dialog = details::dialog(shared, snapshot, at);
            shared.dialogs.push(dialog);
        }
        Action::Click { row, .. } => click(view, shared, row),
        _ => {}
    }
    None
}

/// The list anew: when the operator comes to the page, sorts, filters, or changes groups.
pub(crate) fn refresh(view: &mut View, shared: &mut Shared, snapshot: &Snapshot) {
    let here = view.current(shared);
    let states = states(snapshot);
    let inventory = &shared.site.inventory;
    let entities = &inventory.entities;
    let state_of = |at: usize| states.get(&*entities[at].name).copied();

    let versions: Vec<_> = entities
        .iter()
        .map(|one| shared.presence.version(one))
        .collect();
    let mut order = view.order.clone();
    let by_name = |a: &usize, b: &usize| natural(&entities[*a].name, &entities[*b].name);
    order.sort_by(|a, b| {
        let order = match view.sort {
            Column::Name => std::cmp::Ordering::Equal,
            Column::Type => natural(&entities[*a].type_, &entities[*b].type_),
            Column::Version => natural(&versions[*a], &versions[*b]),
            Column::Address => natural(&view.addresses[*a], &view.addresses[*b]),
            Column::Group => {
                // Those without a group stand last.
                let first = |at: usize| shared.resolved.names_of(at).next();
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
        .map(|at| shared.resolved.names_of(at).collect())
        .collect();
    let facts = |at: usize| Facts {
        entity: &entities[at],
        version: &versions[at],
        address: &view.addresses[at],
        groups: &groups[at],
        state: state_of(at).map_or("none", EntityState::as_str),
    };
    let filter = Filter::new(shared.picks.filter.value(), (0..entities.len()).map(facts));
    let shown = order
        .iter()
        .copied()
        .filter(|at| filter.matches(&facts(*at)))
        .collect();

    view.words = filter.words();
    view.order = order;
    shared.picks.shown = shown;
    keep_cursor(view, shared, here);
}

/// Puts the cursor on this entity if it is shown, else where it was.
fn keep_cursor(view: &mut View, shared: &Shared, here: Option<usize>) {
    let rows = body_rows(view, shared);
    let row = here
        .and_then(|here| shared.picks.shown.iter().position(|at| *at == here))
        .unwrap_or(view.scroll.cursor);
    view.scroll.to(row, shared.picks.shown.len(), rows);
}

fn edit(view: &mut View, shared: &mut Shared, snapshot: &Snapshot, request: InputRequest) {
    let changed = shared.picks.filter.handle(request);
    if changed.is_some_and(|changed| changed.value) {
        refresh(view, shared, snapshot);
    }
}

/// The filters that have a name, to choose one.
fn saved(shared: &mut Shared) {
    let filters = &shared.settings.filters;
    if filters.is_empty() {
        shared.say("no filter has a name: `filters` in the settings (`subtend config`) gives them");
        return;
    }
    let rows = filters.iter().map(|filter| Row {
        label: filter.name.clone(),
        detail: filter.words.clone(),
        value: filter.words.clone(),
    });
    let asked = Asked::Inventory(OfInventory::SavedFilter);
    let dialog = Dialog::list("Filter", rows.collect(), asked);
    shared.dialogs.push(dialog);
}

/// One of them was chosen: it is as if it had been typed.
pub(crate) fn chosen(view: &mut View, shared: &mut Shared, snapshot: &Snapshot, answer: Answer) {
    if let Answer::Chosen(words) = answer {
        shared.picks.filter = Input::new(words);
        view.typing = false;
        refresh(view, shared, snapshot);
    }
}

/// The marked ones, else what a filter leaves, else the one under the cursor.
fn upgrade(view: &View, shared: &mut Shared) {
    let picked: Vec<usize> = if !shared.picks.marks.is_empty() {
        shared.picks.marks.iter().copied().collect()
    } else if !shared.picks.filter.value().trim().is_empty() {
        shared.picks.shown.clone()
    } else {
        view.current(shared).into_iter().collect()
    };
    match picked.is_empty() {
        true => shared.say("no entity is shown: there is nothing to upgrade"),
        false => shared.request(Request::Upgrade(picked)),
    }
}

fn mark(view: &mut View, shared: &mut Shared) {
    let Some(at) = view.current(shared) else {
        return;
    };
    if !shared.picks.marks.remove(&at) {
        shared.picks.marks.insert(at);
    }
    view.anchor = Some(at);
    let rows = body_rows(view, shared);
    view.scroll.by(1, shared.picks.shown.len(), rows);
}

fn mark_range(view: &mut View, shared: &mut Shared) {
    let Some(here) = view.current(shared) else {
        return;
    };
    let from = view
        .anchor
        .and_then(|anchor| shared.picks.shown.iter().position(|at| *at == anchor));
    let Some(from) = from else {
        view.anchor = Some(here);
        shared.picks.marks.insert(here);
        let key = shared.key(Page::Inventory, &Action::MarkRange);
        shared.say(format!(
            "marked; {key} marks from here to where you go next"
        ));
        return;
    };
    let to = view.scroll.cursor;
    let range = from.min(to)..=from.max(to);
    shared.picks.marks.extend(&shared.picks.shown[range]);
    view.anchor = Some(here);
}

/// The title and the head of the table stand above the first row, and the filter if there is one.
fn click(view: &mut View, shared: &Shared, row: u16) {
    let above = 2 + usize::from(view.has_filter(shared));
    let rows = body_rows(view, shared);
    let Some(line) = usize::from(row).checked_sub(above) else {
        return;
    };
    let at = view.scroll.offset + line;
    if line < rows && at < shared.picks.shown.len() {
        view.scroll.to(at, shared.picks.shown.len(), rows);
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

//! The watch page: one group at a time, live; finished groups keep their results.
//!
//! The cursor is on the group itself (row 0) or on one of its entities, and stays on that entity
//! while the order changes under it.

use std::collections::BTreeMap;

use moves::{click, dense_move, next_failure, sideways};
use only::Only;
use order::Sort;
use ratatui::Frame;
use ratatui::layout::Rect;
use room::Shape;

use crate::console::action::Action;
use crate::console::asked::{Answer, OfWatch};
use crate::console::effect::Effect;
use crate::console::figures;
use crate::console::keymap::Hints;
use crate::console::page::Page;
use crate::console::reports;
use crate::console::state::{Request, Screen, Shared};
use crate::console::stopping::confirm_cancel;
use crate::model::text::quoted;
use crate::protocol::{Command, EntitySnapshot, GroupSnapshot, GroupSpec, Snapshot, Target};
use crate::terminal::Theme;

mod activate;
#[cfg(test)]
mod campaign_tests;
mod copied;
mod dense;
mod details;
mod draw;
mod hints;
mod moves;
mod only;
mod order;
mod pause;
mod retry;
mod room;
mod side;
#[cfg(test)]
mod tests;

#[derive(Debug, Default)]
pub(crate) struct View {
    /// The group that is shown, by its place in the snapshot: groups are never taken out of it.
    group: usize,
    cursor: Cursor,
    dense: bool,
    sort: Sort,
    reverse: bool,
    only: Only,
    /// Places of the shown group's entities, in the order in which they are shown.
    order: Vec<usize>,
    /// Groups that were there in the last snapshot.
    seen: usize,
    /// What was started here, by name: a retry is made from it.
    pub(super) started: BTreeMap<String, GroupSpec>,
    /// A group that was just started is shown as soon as the engine has it.
    awaited: Option<Awaited>,
}

/// Where one is in a group, and what of it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cursor {
    /// 0 is the group itself, then come the entities in their order.
    row: usize,
    /// Entities above the first one that is shown.
    offset: usize,
}

impl Cursor {
    /// Goes to a row of a group of `entities`.
    fn to(&mut self, row: usize, entities: usize, shape: Shape) {
        let rows = shape.all();
        self.row = row.min(entities);
        let entity = self.row.saturating_sub(1);
        if shape.columns > 1 {
            // Pages: in columns, all would move with each row.
            self.offset = entity / rows * rows;
            return;
        }
        self.offset = (self.offset)
            .clamp((entity + 1).saturating_sub(rows), entity)
            .min(entities.saturating_sub(rows));
    }

    fn follow(&mut self, action: &Action, entities: usize, shape: Shape) {
        let page = match shape.columns {
            1 => shape.rows.saturating_sub(1).max(1),
            _ => shape.all(),
        };
        let row = match action {
            Action::Up => self.row.saturating_sub(1),
            Action::Down => self.row + 1,
            Action::PageUp => self.row.saturating_sub(page),
            Action::PageDown => self.row + page,
            Action::First => 0,
            Action::Last => entities,
            _ => return,
        };
        self.to(row, entities, shape);
    }
}

#[derive(Debug)]
struct Awaited {
    name: String,
    /// Groups that were there before.
    from: usize,
}

impl View {
    pub(crate) fn answered(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        asked: OfWatch,
        answer: Answer,
    ) -> Option<Effect> {
        match (asked, answer) {
            (OfWatch::Retry(retry), Answer::Ticked(entities)) => {
                let Some(groups) = retry::of(*retry.clone(), entities) else {
                    shared.say("nothing is tried again: none was ticked");
                    return None;
                };
                expect(self, &groups);
                let force = retry.force;
                Some(Effect::Send(vec![Command::Start { groups, force }]))
            }
            (OfWatch::Resume { group, held }, Answer::Yes) => {
                pause::resumed(shared, snapshot, &group, &held)
            }
            _ => None,
        }
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
        self.only.is_typing
    }

    fn hints(&self, shared: &Shared, snapshot: &Snapshot) -> Hints {
        hints::hints(self, shared, snapshot)
    }

    fn counts_down(&self, snapshot: &Snapshot) -> bool {
        let group = shown(self, snapshot);
        let waits = |one: &EntitySnapshot| one.again_at.is_some() || one.silent_since.is_some();
        if group.is_some_and(|group| group.entities.iter().any(waits)) {
            return true;
        }
        let campaign = group.and_then(|group| group.campaign.as_deref());
        let held = campaign.and_then(|campaign| campaign.held.as_ref());
        held.is_some_and(|held| held.until().is_some())
    }

    fn observe(&mut self, shared: &mut Shared, snapshot: &Snapshot) {
        observe(self, shared, snapshot);
    }

    fn requested(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        request: Request,
    ) -> Option<Effect> {
        match request {
            Request::Expect(groups) => expect(self, &groups),
            Request::Watch(place) => {
                shared.page = Page::Watch;
                // Who looks at one group does not want to be taken to another one.
                self.awaited = None;
                show(self, shared, snapshot, place);
            }
            _ => {}
        }
        None
    }
}

/// These groups are about to be started: the first of them is shown when it appears.
pub(crate) fn expect(view: &mut View, specs: &[GroupSpec]) {
    for spec in specs {
        (view.started).insert(spec.name().to_owned(), spec.clone());
    }
    view.awaited = specs.first().map(|spec| Awaited {
        name: spec.name().to_owned(),
        // Not in the snapshot yet; the newest of that name is looked for from here.
        from: view.seen,
    });
}

/// A new snapshot: called by the loop at its own pace, at most 4 times a second. Nothing of it is
/// shown while the display is frozen.
pub(crate) fn observe(view: &mut View, shared: &Shared, snapshot: &Snapshot) {
    if shared.frozen.is_some() {
        return;
    }
    let is_first = view.seen == 0 && !snapshot.groups.is_empty();
    view.seen = snapshot.groups.len();
    // Who comes to work that runs already comes to see that, not what has ended before it.
    let runs = |group: &std::sync::Arc<GroupSnapshot>| !group.phase.is_ended();
    if is_first && let Some(place) = snapshot.groups.iter().position(runs) {
        show(view, shared, snapshot, place);
    }
    if let Some(awaited) = &view.awaited {
        let found = (snapshot.groups.iter().enumerate())
            .skip(awaited.from)
            .find(|(_, group)| *group.group == *awaited.name);
        if let Some((place, _)) = found {
            view.awaited = None;
            show(view, shared, snapshot, place);
        }
    }
    sort(view, shared, snapshot);
}

fn shown<'a>(view: &View, snapshot: &'a Snapshot) -> Option<&'a GroupSnapshot> {
    snapshot.groups.get(view.group).map(|group| &**group)
}

/// Shows a group from its beginning.
fn show(view: &mut View, shared: &Shared, snapshot: &Snapshot, place: usize) {
    view.group = place;
    view.cursor = Cursor::default();
    view.order.clear();
    sort(view, shared, snapshot);
}

/// The places of the entities that are shown, in their order.
fn ordered(view: &View, group: &GroupSnapshot) -> Vec<usize> {
    let order = order::order(group, view.sort, view.reverse);
    view.only.left(group, order)
}

/// How many entities are shown.
fn listed(view: &View, group: &GroupSnapshot) -> usize {
    match view.only.is_set() {
        true => view.order.len(),
        false => group.entities.len(),
    }
}

/// Sorts anew and keeps the cursor on its entity.
fn sort(view: &mut View, shared: &Shared, snapshot: &Snapshot) {
    let Some(group) = shown(view, snapshot) else {
        return;
    };
    let shape = draw::shape(view, shared, group);
    let here = view.cursor.row.checked_sub(1);
    let here = here.and_then(|row| view.order.get(row)).copied();
    view.order = ordered(view, group);
    let row = here.and_then(|place| view.order.iter().position(|one| *one == place));
    let row = row.map_or(view.cursor.row, |row| row + 1);
    view.cursor.to(row, view.order.len(), shape);
}

/// The place of a row's entity in its group, also before the first order was made.
fn place_of(view: &View, group: &GroupSnapshot, row: usize) -> Option<usize> {
    if view.only.is_set() || view.order.len() == group.entities.len() {
        view.order.get(row).copied()
    } else {
        (row < group.entities.len()).then_some(row)
    }
}

/// The entity under the cursor; `None` on the group itself.
fn selected<'a>(view: &View, group: &'a GroupSnapshot) -> Option<&'a EntitySnapshot> {
    let row = view.cursor.row.checked_sub(1)?;
    group.entities.get(place_of(view, group, row)?)
}

pub(crate) fn update(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    action: Action,
) -> Option<Effect> {
    if action == Action::Back && (view.only.is_set() || view.only.is_typing) {
        view.only.clear();
        sort(view, shared, snapshot);
        return None;
    }
    if action == Action::Back {
        shared.page = Page::Groups;
        return None;
    }
    if action == Action::Report {
        reports::of_newest(shared, snapshot);
        return None;
    }
    let Some(group) = shown(view, snapshot) else {
        shared.say("nothing was started yet");
        return None;
    };
    let len = listed(view, group);
    let shape = draw::shape(view, shared, group);
    match action {
        Action::Filter => view.only.is_typing = true,
        Action::Submit => view.only.is_typing = false,
        Action::Edit(request) => {
            view.only.typed.handle(request);
            sort(view, shared, snapshot);
        }
        Action::NextSet => {
            view.only.set = view.only.set.next();
            sort(view, shared, snapshot);
            shared.say(format!("shown: {}", view.only.set.word()));
        }
        Action::Left => sideways(view, shared, snapshot, -1),
        Action::Right => sideways(view, shared, snapshot, 1),
        Action::Zoom => {
            view.dense = !view.dense;
            let row = view.cursor.row;
            view.cursor.to(row, len, shape);
        }
        Action::Sort => {
            view.sort = view.sort.next();
            view.reverse = false;
            sort(view, shared, snapshot);
            let by = view.sort.title();
            shared.say(format!("sorted by {by}"));
        }
        Action::SortReverse => {
            view.reverse = !view.reverse;
            sort(view, shared, snapshot);
        }
        Action::NextFailure => next_failure(view, shared, snapshot),
        Action::Details => {
            let columns = usize::from(shared.columns);
            let dialog = match selected(view, group) {
                Some(entity) => details::of_entity(&shared.site, group, entity, columns),
                None => {
                    let origin = retry::known(view, shared, group);
                    details::of_group(shared, group, origin.as_ref(), columns)
                }
            };
            shared.dialogs.push(dialog);
        }
        Action::Copy => return Some(Effect::Copy(copied::text(view, shared, group))),
        Action::Cancel => return cancel(view, shared, snapshot, group),
        Action::Pause => return pause::press(shared, group),
        Action::Retry => match retry::retry(view, shared, snapshot, view.group) {
            Ok(retry) => {
                let dialog = retry::question(retry, group);
                shared.dialogs.push(dialog);
            }
            Err(reason) => shared.say(reason.to_string()),
        },
        Action::Activate => match activate::spec(view, shared, snapshot, group) {
            Ok(spec) => shared.request(Request::Review(vec![spec])),
            Err(reason) => shared.say(reason),
        },
        Action::Verify => {
            let name = group.group.to_string();
            let started = view.started.get(&name).cloned();
            let spec = started.unwrap_or(GroupSpec::Named(name));
            shared.request(Request::Verify(vec![spec]));
        }
        Action::Click { row, column } => click(view, shared, group, (row, column)),
        action if view.dense => dense_move(view, shared, group, &action),
        action => view.cursor.follow(&action, len, shape),
    }
    None
}

/// Asks whether what the cursor is on is to be cancelled: the group, or one of its entities.
fn cancel(
    view: &View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    group: &GroupSnapshot,
) -> Option<Effect> {
    let name = group.group.to_string();
    match selected(view, group) {
        Some(entity) if entity.state.is_final() => {
            let text = format!("{} is {} already", quoted(&entity.entity), entity.state);
            shared.say(text);
            None
        }
        Some(entity) => {
            let title = format!("Cancel {}?", quoted(&entity.entity));
            let target = Target::Entity {
                group: name,
                entity: entity.entity.to_string(),
            };
            confirm_cancel(shared, snapshot, target, &title)
        }
        None => {
            let title = format!("Cancel the group {}?", quoted(&name));
            confirm_cancel(shared, snapshot, Target::Group(name), &title)
        }
    }
}

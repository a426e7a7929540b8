//! The groups page: groups are made, filled, given an image and a source, and taken to the review.
//!
//! | file | what |
//! | --- | --- |
//! | `members` | what is said of a group's members |
//! | `conflicts` | what is wrong with it, in words |
//! | `make` | new groups: from marks, from the filter, by type and version |
//! | `change` | members, name, deletion, laggards, retries; copies of the inventory's groups |
//! | `image`, `browse` | choosing an image, or a file on a file server |
//! | `activate` | making devices run the image: with the delivery, or those that hold it already |
//! | `source` | choosing a file server or a peer |
//! | `yaml` | the groups made here in the inventory's format |
//!
//! The inventory's groups are never changed: a change is offered on a copy of them. Every change of
//! the groups made here is kept at once ([`Effect::Keep`]).

use std::collections::BTreeSet;

use conflicts::Conflict;
use names::{chosen, made};
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::asked::{Answer, Asked, OfGroups, Place};
use crate::console::dialogs::Dialog;
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::scroll::Scroll;
use crate::console::state::{Request, Resolved, Screen, Shared};
use crate::protocol::{Event, Snapshot};
use crate::terminal::Theme;

mod activate;
mod browse;
#[cfg(test)]
mod campaign_tests;
mod change;
mod conflicts;
mod draw;
mod image;
mod make;
mod members;
mod names;
mod source;
#[cfg(test)]
mod tests;
mod yaml;

#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) scroll: Scroll,
    /// Groups selected for the start, by their place in the list.
    pub(crate) selected: BTreeSet<usize>,
    conflicts: Vec<Vec<Conflict>>,
}

impl View {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            conflicts: conflicts::of_all(&shared.site.inventory, &shared.drafts, &shared.resolved),
            ..Self::default()
        }
    }

    /// The group under the cursor.
    fn current(&self, shared: &Shared) -> Option<usize> {
        (self.scroll.cursor < shared.resolved.groups.len()).then_some(self.scroll.cursor)
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

    fn hear(&mut self, shared: &mut Shared, event: &Event) {
        if matches!(event, Event::Peers { .. } | Event::Directory { .. }) {
            arrived(shared);
        }
    }
}

pub(crate) fn update(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    action: Action,
) -> Option<Effect> {
    let rows = draw::list_rows(shared);
    if shared.page == Page::Groups
        && view
            .scroll
            .follow(&action, shared.resolved.groups.len(), rows)
    {
        return None;
    }
    match action {
        Action::NewGroup => {
            make::ask_name(shared);
            None
        }
        Action::AutoGroup => {
            make::ask_how(shared);
            None
        }
        Action::ShowYaml => {
            yaml::show(view, shared);
            None
        }
        Action::Back => {
            view.selected.clear();
            None
        }
        Action::Click { row, .. } => {
            // The title and the head of the list stand above its first row.
            let line = usize::from(row).checked_sub(2)?;
            let at = view.scroll.offset + line;
            if line < rows && at < shared.resolved.groups.len() {
                view.scroll.to(at, shared.resolved.groups.len(), rows);
            }
            None
        }
        Action::Start => start(view, shared),
        Action::Activate => {
            activate::review(view, shared, snapshot);
            None
        }
        Action::Mark
        | Action::Details
        | Action::AddMembers
        | Action::RemoveMembers
        | Action::RenameGroup
        | Action::DeleteGroup
        | Action::PickImage
        | Action::PickSource
        | Action::Laggards
        | Action::Retries
        | Action::Parallel
        | Action::Extent => {
            let Some(at) = view.current(shared) else {
                let key = |action| shared.key(Page::Groups, &action);
                let (new, auto) = (key(Action::NewGroup), key(Action::AutoGroup));
                shared.say(format!(
                    "there is no group yet: {new} makes one, {auto} makes them by type and version"
                ));
                return None;
            };
            of_group(view, shared, snapshot, action, at)
        }
        _ => None,
    }
}

/// What is done to the group under the cursor.
fn of_group(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    action: Action,
    at: usize,
) -> Option<Effect> {
    let changes = !matches!(action, Action::Mark | Action::Details | Action::DeleteGroup);
    if changes && shared.drafts[at].from_inventory {
        change::offer_copy(shared, at, action);
        return None;
    }
    match action {
        Action::Mark => {
            let rows = draw::list_rows(shared);
            if !view.selected.remove(&at) {
                view.selected.insert(at);
            }
            view.scroll.by(1, shared.resolved.groups.len(), rows);
            None
        }
        Action::Details => {
            draw::details(view, shared, snapshot, at);
            None
        }
        Action::AddMembers => change::add(view, shared, at),
        Action::RemoveMembers => change::remove(view, shared, at),
        Action::RenameGroup => {
            change::ask_name(shared, at);
            None
        }
        Action::DeleteGroup => {
            change::ask_delete(shared, at);
            None
        }
        Action::PickImage => {
            image::ask(shared, at);
            None
        }
        Action::PickSource => {
            source::open(shared, at);
            None
        }
        Action::Laggards => {
            change::ask_laggards(shared, at);
            None
        }
        Action::Retries => {
            change::ask_retries(shared, at);
            None
        }
        Action::Parallel => {
            change::ask_parallel(shared, at);
            None
        }
        Action::Extent => {
            activate::ask(shared, at);
            None
        }
        _ => None,
    }
}

/// To the review with what is selected, else with the group under the cursor; all or none.
fn start(view: &mut View, shared: &mut Shared) -> Option<Effect> {
    match chosen(view, shared) {
        Ok(specs) => shared.request(Request::Review(specs)),
        Err(reason) => shared.complain(reason),
    }
    None
}

/// What stands against starting the first groups of the list.
#[cfg(test)]
pub(crate) fn against(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    groups: usize,
) -> Vec<String> {
    let mut found = Vec::new();
    for at in 0..groups {
        let runs = conflicts::beside_runs(
            &shared.site.inventory,
            &shared.resolved.groups[at],
            snapshot,
        );
        let fixed = view.conflicts[at].iter().chain(&runs);
        found.extend(fixed.map(|one| one.words(shared.keys())));
    }
    found
}

pub(crate) fn answered(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    asked: OfGroups,
    answer: Answer,
) -> Option<Effect> {
    match (asked, answer) {
        (OfGroups::Name { entities }, Answer::Text(name)) => {
            make::named(view, shared, entities, &name)
        }
        (OfGroups::How { entities }, Answer::Chosen(how)) => {
            make::grouped(view, shared, &entities, &how)
        }
        (OfGroups::Copy { at, then }, Answer::Yes) => {
            change::copy(view, shared, snapshot, at, *then)
        }
        (OfGroups::Rename { at }, Answer::Text(name)) => change::rename(view, shared, at, &name),
        (OfGroups::Delete { at }, Answer::Yes) => change::delete(view, shared, at),
        (OfGroups::Laggards { at }, Answer::Chosen(how)) => {
            change::set_laggards(view, shared, at, &how)
        }
        (OfGroups::LaggardLimit { at }, Answer::Text(limit)) => {
            change::set_laggard_limit(view, shared, at, &limit)
        }
        (OfGroups::Retries { at }, Answer::Text(limits)) => {
            change::set_retries(view, shared, at, &limits)
        }
        (OfGroups::Parallel { at }, Answer::Text(count)) => {
            change::set_parallel(view, shared, at, &count)
        }
        (OfGroups::Extent { at }, Answer::Chosen(how)) => activate::set(view, shared, at, &how),
        (OfGroups::Image { at }, Answer::Chosen(image)) => image::chosen(view, shared, at, &image),
        (OfGroups::Server { at }, Answer::Chosen(server)) => browse::look(
            shared,
            Place {
                at,
                server,
                path: String::new(),
            },
        ),
        (OfGroups::Browse(place), Answer::Chosen(row)) => browse::chosen(shared, place, &row),
        (OfGroups::FileType(file), Answer::Text(type_)) => {
            browse::typed(shared, file, &type_);
            None
        }
        (OfGroups::FileVersion(file), Answer::Text(version)) => {
            browse::described(view, shared, file, &version)
        }
        (OfGroups::LowerVersion { file, version }, Answer::Yes) => {
            browse::taken(view, shared, file, &version)
        }
        (OfGroups::Source { at }, Answer::Ask) => source::ask_peers(shared, at),
        (OfGroups::Source { at }, Answer::Chosen(source)) => {
            source::chosen(view, shared, at, &source)
        }
        _ => None,
    }
}

/// An answer of the engine came: lists that wait for it show it.
pub(crate) fn arrived(shared: &mut Shared) {
    let open = shared.dialogs.iter().enumerate().rev();
    let asked = open
        .filter_map(|(place, dialog)| match dialog {
            Dialog::List {
                intent: Asked::Groups(asked @ (OfGroups::Browse(_) | OfGroups::Source { .. })),
                ..
            } => Some((place, asked.clone())),
            _ => None,
        })
        .next();
    let Some((place, asked)) = asked else { return };
    let new = match &asked {
        OfGroups::Browse(place) => browse::rows(shared, place),
        OfGroups::Source { at } => source::rows(shared, *at),
        _ => return,
    };
    let shown = shared.list_rows();
    if let Some(dialog) = shared.dialogs.get_mut(place) {
        dialog.put_rows(new, shown);
    }
}

fn push(shared: &mut Shared, dialog: Dialog) {
    shared.dialogs.push(dialog);
}

/// A line of text to be typed, with what has to be known for it.
fn push_text(shared: &mut Shared, title: String, lines: Vec<String>, value: &str, asked: OfGroups) {
    let mut dialog = Dialog::text(title, value, Asked::Groups(asked));
    if let Dialog::Text { lines: place, .. } = &mut dialog {
        *place = lines;
    }
    push(shared, dialog);
}

/// Everything that follows from a change of the groups; what is made here is kept.
fn changed(view: &mut View, shared: &mut Shared) -> Option<Effect> {
    shared.resolved = Resolved::new(&shared.site.inventory, &shared.drafts);
    view.conflicts = conflicts::of_all(&shared.site.inventory, &shared.drafts, &shared.resolved);
    let rows = draw::list_rows(shared);
    view.selected
        .retain(|at| *at < shared.resolved.groups.len());
    view.scroll
        .to(view.scroll.cursor, shared.resolved.groups.len(), rows);
    shared.request(Request::Regrouped);
    let made = shared.drafts.iter().filter(|draft| !draft.from_inventory);
    Some(Effect::Keep(made.map(|draft| draft.spec.clone()).collect()))
}

//! The groups page: groups are made, filled, given an image and a source, and taken to the review.
//!
//! | file | what |
//! | --- | --- |
//! | `members` | what is said of a group's members |
//! | `conflicts` | what is wrong with it, in words |
//! | `make` | new groups: from marks, from the filter, by type and version |
//! | `change` | members, name, deletion, laggards, retries; copies of the inventory's groups |
//! | `image`, `browse` | choosing an image, or a file on a file server |
//! | `source` | choosing a file server or a peer |
//! | `yaml` | the groups made here in the inventory's format |
//!
//! The inventory's groups are never changed: a change is offered on a copy of them. Every change of
//! the groups made here is kept at once ([`Effect::Keep`]).

mod browse;
mod change;
mod conflicts;
mod draw;
mod image;
mod make;
mod members;
mod source;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::BTreeSet;

use crate::console::action::Action;
use crate::console::dialogs::{Answer, Dialog, Intent};
use crate::console::effect::Effect;
use crate::console::pages::{inventory, review};
use crate::console::state::{Draft, Page, Scroll, Site, State};
use crate::model::lookup::Lookup;
use crate::model::{Inventory, MadeGroup, names};
use crate::plan::ResolvedDraft;
use crate::protocol::{GroupSpec, Snapshot};

use conflicts::Conflict;

pub(crate) use draw::draw;

#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) scroll: Scroll,
    /// Groups selected for the start, by their place in the list.
    pub(crate) selected: BTreeSet<usize>,
    /// The drafts looked up, made anew when they change and not when they are drawn.
    groups: Vec<ResolvedDraft>,
    conflicts: Vec<Vec<Conflict>>,
    /// The groups of each entity.
    of_entity: Vec<Vec<usize>>,
    /// Columns of the longest list of groups that an entity is in.
    widest: usize,
}

impl View {
    pub(crate) fn new(inventory: &Inventory, drafts: &[Draft]) -> Self {
        let lookup = Lookup::new(inventory);
        let groups: Vec<ResolvedDraft> = drafts
            .iter()
            .map(|draft| ResolvedDraft::new(&lookup, &draft.spec))
            .collect();
        let mut of_entity = vec![Vec::new(); inventory.entities.len()];
        for (at, group) in groups.iter().enumerate() {
            for member in &group.members {
                of_entity[*member].push(at);
            }
        }
        let conflicts = (0..groups.len())
            .map(|at| conflicts::conflicts(inventory, drafts, &groups, &of_entity, at))
            .collect();
        let width = |of: &Vec<usize>| {
            let names = of.iter().map(|at| groups[*at].name.chars().count() + 1);
            names.sum::<usize>().saturating_sub(1)
        };
        let widest = of_entity.iter().map(width).max().unwrap_or(0);
        Self {
            groups,
            conflicts,
            of_entity,
            widest,
            ..Self::default()
        }
    }

    /// The names of the groups that an entity is in.
    pub(crate) fn names_of(&self, entity: usize) -> impl Iterator<Item = &str> {
        let groups = self.of_entity.get(entity).into_iter().flatten();
        groups.map(|at| &*self.groups[*at].name)
    }

    pub(crate) fn widest(&self) -> usize {
        self.widest
    }

    /// The group under the cursor.
    fn current(&self) -> Option<usize> {
        (self.scroll.cursor < self.groups.len()).then_some(self.scroll.cursor)
    }
}

/// The groups of the inventory, and those that were made here earlier.
pub(crate) fn drafts(site: &Site) -> Vec<Draft> {
    let named = site.inventory.groups.iter().map(|group| Draft {
        spec: GroupSpec::Named(group.name.to_string()),
        from_inventory: true,
    });
    let made = site
        .kept
        .iter()
        .filter(|spec| matches!(spec, GroupSpec::Made(_)))
        .map(|spec| Draft {
            spec: spec.clone(),
            from_inventory: false,
        });
    named.chain(made).collect()
}

pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let rows = draw::list_rows(state);
    let view = &mut state.pages.groups;
    if state.page == Page::Groups && view.scroll.follow(&action, view.groups.len(), rows) {
        return None;
    }
    match action {
        Action::NewGroup => {
            make::ask_name(state);
            None
        }
        Action::AutoGroup => {
            make::ask_how(state);
            None
        }
        Action::ShowYaml => {
            yaml::show(state);
            None
        }
        Action::Back => {
            state.pages.groups.selected.clear();
            None
        }
        Action::Click { row } => {
            // The title and the head of the list stand above its first row.
            let line = usize::from(row).checked_sub(2)?;
            let at = view.scroll.offset + line;
            if line < rows && at < view.groups.len() {
                view.scroll.to(at, view.groups.len(), rows);
            }
            None
        }
        Action::Start => start(state),
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
        | Action::Parallel => {
            let Some(at) = view.current() else {
                state.say("there is no group yet: n makes one, A makes them by type and version");
                return None;
            };
            of_group(state, snapshot, action, at)
        }
        _ => None,
    }
}

/// What is done to the group under the cursor.
fn of_group(state: &mut State, snapshot: &Snapshot, action: Action, at: usize) -> Option<Effect> {
    let changes = !matches!(action, Action::Mark | Action::Details | Action::DeleteGroup);
    if changes && state.drafts[at].from_inventory {
        change::offer_copy(state, at, action);
        return None;
    }
    match action {
        Action::Mark => {
            let rows = draw::list_rows(state);
            let view = &mut state.pages.groups;
            if !view.selected.remove(&at) {
                view.selected.insert(at);
            }
            view.scroll.by(1, view.groups.len(), rows);
            None
        }
        Action::Details => {
            draw::details(state, snapshot, at);
            None
        }
        Action::AddMembers => change::add(state, snapshot, at),
        Action::RemoveMembers => change::remove(state, snapshot, at),
        Action::RenameGroup => {
            change::ask_name(state, at);
            None
        }
        Action::DeleteGroup => {
            change::ask_delete(state, at);
            None
        }
        Action::PickImage => {
            image::ask(state, at);
            None
        }
        Action::PickSource => source::ask(state, at),
        Action::Laggards => {
            change::ask_laggards(state, at);
            None
        }
        Action::Retries => {
            change::ask_retries(state, at);
            None
        }
        Action::Parallel => {
            change::ask_parallel(state, at);
            None
        }
        _ => None,
    }
}

/// To the review with what is selected, else with the group under the cursor; all or none.
fn start(state: &mut State) -> Option<Effect> {
    match chosen(state) {
        Ok(specs) => review::open(state, specs),
        Err(reason) => state.complain(reason),
    }
    None
}

/// What would be started, or why it can't be: a group that lacks something, or one that is wrong.
fn chosen(state: &State) -> Result<Vec<GroupSpec>, String> {
    let view = &state.pages.groups;
    let groups: Vec<usize> = if view.selected.is_empty() {
        view.current().into_iter().collect()
    } else {
        view.selected.iter().copied().collect()
    };
    if groups.is_empty() {
        return Err("there is no group to start: n makes one".into());
    }
    for at in &groups {
        if let Some(conflict) = view.conflicts[*at].iter().find(|one| one.blocks()) {
            return Err(format!("{}: {}", view.groups[*at].name, conflict.words()));
        }
        let together = view.conflicts[*at].iter().find(|one| match one {
            Conflict::Overlap { other, .. } => {
                groups.iter().any(|at| view.groups[*at].name == *other)
            }
            _ => false,
        });
        if let Some(conflict) = together {
            return Err(format!("{}: {}", view.groups[*at].name, conflict.words()));
        }
    }
    let specs = groups.iter().map(|at| state.drafts[*at].spec.clone());
    Ok(specs.collect())
}

/// What stands against starting the first groups of the list.
#[cfg(test)]
pub(crate) fn against(state: &State, snapshot: &Snapshot, groups: usize) -> Vec<String> {
    let view = &state.pages.groups;
    let mut found = Vec::new();
    for at in 0..groups {
        let runs = conflicts::beside_runs(&state.site.inventory, &view.groups[at], snapshot);
        let fixed = view.conflicts[at].iter().chain(&runs);
        found.extend(fixed.map(Conflict::words));
    }
    found
}

/// What this page asks in dialogs. Groups are told by their place: while a dialog is open, none is
/// made or deleted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// The name of a new group of these entities.
    Name {
        entities: Vec<usize>,
    },
    /// How to group these entities.
    How {
        entities: Vec<usize>,
    },
    /// Whether to do this to a copy of a group of the inventory.
    Copy {
        at: usize,
        then: Box<Action>,
    },
    Rename {
        at: usize,
    },
    Delete {
        at: usize,
    },
    Laggards {
        at: usize,
    },
    LaggardLimit {
        at: usize,
    },
    Retries {
        at: usize,
    },
    Parallel {
        at: usize,
    },
    Image {
        at: usize,
    },
    /// Which file server to look at.
    Server {
        at: usize,
    },
    Browse(browse::Place),
    /// The type of the entities that a file is for, then its version.
    FileType(browse::File),
    FileVersion(browse::File),
    Source {
        at: usize,
    },
}

pub(crate) fn answered(
    state: &mut State,
    snapshot: &Snapshot,
    asked: Asked,
    answer: Answer,
) -> Option<Effect> {
    match (asked, answer) {
        (Asked::Name { entities }, Answer::Text(name)) => {
            make::named(state, snapshot, entities, &name)
        }
        (Asked::How { entities }, Answer::Chosen(how)) => {
            make::grouped(state, snapshot, &entities, &how)
        }
        (Asked::Copy { at, then }, Answer::Yes) => change::copy(state, snapshot, at, *then),
        (Asked::Rename { at }, Answer::Text(name)) => change::rename(state, snapshot, at, &name),
        (Asked::Delete { at }, Answer::Yes) => change::delete(state, snapshot, at),
        (Asked::Laggards { at }, Answer::Chosen(how)) => {
            change::set_laggards(state, snapshot, at, &how)
        }
        (Asked::LaggardLimit { at }, Answer::Text(limit)) => {
            change::set_laggard_limit(state, snapshot, at, &limit)
        }
        (Asked::Retries { at }, Answer::Text(limits)) => {
            change::set_retries(state, snapshot, at, &limits)
        }
        (Asked::Parallel { at }, Answer::Text(count)) => {
            change::set_parallel(state, snapshot, at, &count)
        }
        (Asked::Image { at }, Answer::Chosen(image)) => image::chosen(state, snapshot, at, &image),
        (Asked::Server { at }, Answer::Chosen(server)) => browse::look(
            state,
            browse::Place {
                at,
                server,
                path: String::new(),
            },
        ),
        (Asked::Browse(place), Answer::Chosen(row)) => browse::chosen(state, place, &row),
        (Asked::FileType(file), Answer::Text(type_)) => {
            browse::typed(state, file, &type_);
            None
        }
        (Asked::FileVersion(file), Answer::Text(version)) => {
            browse::described(state, snapshot, file, &version)
        }
        (Asked::Source { at }, Answer::Chosen(source)) => {
            source::chosen(state, snapshot, at, &source)
        }
        _ => None,
    }
}

/// An answer of the engine came: lists that wait for it show it.
pub(crate) fn arrived(state: &mut State) {
    let open = state.dialogs.iter().enumerate().rev();
    let asked = open
        .filter_map(|(place, dialog)| match dialog {
            Dialog::List {
                intent: Intent::Groups(asked @ (Asked::Browse(_) | Asked::Source { .. })),
                ..
            } => Some((place, asked.clone())),
            _ => None,
        })
        .next();
    let Some((place, asked)) = asked else { return };
    let new = match &asked {
        Asked::Browse(place) => browse::rows(state, place),
        Asked::Source { at } => source::rows(state, *at),
        _ => return,
    };
    let shown = crate::console::dialogs::list_rows(state);
    if let Some(Dialog::List { rows, scroll, .. }) = state.dialogs.get_mut(place) {
        // The cursor stays on what it was on.
        let here = rows.get(scroll.cursor).map(|row| row.value.clone());
        *rows = new;
        let row = rows
            .iter()
            .position(|row| Some(&row.value) == here.as_ref());
        scroll.to(row.unwrap_or(0), rows.len(), shown);
    }
}

fn push(state: &mut State, dialog: Dialog) {
    state.dialogs.push(dialog);
}

/// A line of text to be typed, with what has to be known for it.
fn push_text(state: &mut State, title: String, lines: Vec<String>, value: &str, asked: Asked) {
    let mut dialog = Dialog::text(title, value, Intent::Groups(asked));
    if let Dialog::Text { lines: place, .. } = &mut dialog {
        *place = lines;
    }
    push(state, dialog);
}

/// Everything that follows from a change of the groups; what is made here is kept.
fn changed(state: &mut State, snapshot: &Snapshot) -> Option<Effect> {
    let old = std::mem::take(&mut state.pages.groups);
    state.pages.groups = View {
        scroll: old.scroll,
        selected: old.selected,
        ..View::new(&state.site.inventory, &state.drafts)
    };
    let rows = draw::list_rows(state);
    let view = &mut state.pages.groups;
    view.selected.retain(|at| *at < view.groups.len());
    view.scroll.to(view.scroll.cursor, view.groups.len(), rows);
    inventory::refresh(state, snapshot);
    let made = state.drafts.iter().filter(|draft| !draft.from_inventory);
    Some(Effect::Keep(made.map(|draft| draft.spec.clone()).collect()))
}

/// A group that was made here, to change it; `None` for the inventory's.
fn made(state: &mut State, at: usize) -> Option<&mut MadeGroup> {
    match state.drafts.get_mut(at) {
        Some(Draft {
            spec: GroupSpec::Made(made),
            from_inventory: false,
        }) => Some(made),
        _ => None,
    }
}

/// Whether a group made here can be called so: by the rule for all names, so that it can go to the
/// inventory, and as no other group is.
fn check_name(state: &State, name: &str, except: Option<usize>) -> Result<(), String> {
    names::check(name).map_err(|complaint| complaint.message)?;
    let mut drafts = state.drafts.iter().enumerate();
    if drafts.any(|(at, draft)| Some(at) != except && draft.spec.name() == name) {
        return Err(format!("there is a group `{name}` already"));
    }
    Ok(())
}

/// The name, or with a number behind it if there is such a group.
fn unique(state: &State, wanted: &str) -> String {
    let taken = |name: &str| {
        let mut drafts = state.drafts.iter();
        drafts.any(|draft| draft.spec.name() == name)
    };
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let numbered = (2_u32..).map(|number| format!("{wanted}_{number}"));
    numbered
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or_default()
}

//! Changes of a group: its members, its name, how it treats laggards and failures; and its end.

use std::collections::BTreeSet;

use crate::console::action::Action;
use crate::console::dialogs::{Dialog, Intent, Row};
use crate::console::effect::Effect;
use crate::console::state::{Draft, State};
use crate::model::{ImageSpec, Laggards, Limits, MadeGroup, SourceSpec, units};
use crate::plan::ResolvedDraft;
use crate::protocol::{GroupSpec, Snapshot};

use super::{Asked, changed, check_name, made, make, push, push_text, unique, update};

const UNMARKED: &str = "mark entities first: Space on the inventory page";

fn plural(number: usize) -> String {
    match number {
        1 => "1 entity".into(),
        number => format!("{number} entities"),
    }
}

pub(super) fn add(state: &mut State, snapshot: &Snapshot, at: usize) -> Option<Effect> {
    if state.marks.is_empty() {
        state.complain(UNMARKED);
        return None;
    }
    let before: BTreeSet<usize> = state.pages.groups.groups[at]
        .members
        .iter()
        .copied()
        .collect();
    let new = state.marks.difference(&before).count();
    let members = before.union(&state.marks).copied().collect();
    let effect = set_members(state, snapshot, at, members);
    state.marks.clear();
    let name = state.pages.groups.groups[at].name.clone();
    state.say(format!("{} added to {name}", plural(new)));
    effect
}

pub(super) fn remove(state: &mut State, snapshot: &Snapshot, at: usize) -> Option<Effect> {
    if state.marks.is_empty() {
        state.complain(UNMARKED);
        return None;
    }
    let before: BTreeSet<usize> = state.pages.groups.groups[at]
        .members
        .iter()
        .copied()
        .collect();
    let left: BTreeSet<usize> = before.difference(&state.marks).copied().collect();
    let gone = before.len() - left.len();
    let name = state.pages.groups.groups[at].name.clone();
    if gone == 0 {
        state.complain(format!("none of the marked entities is in {name}"));
        return None;
    }
    let effect = set_members(state, snapshot, at, left);
    state.marks.clear();
    state.say(format!("{} taken out of {name}", plural(gone)));
    effect
}

/// The members by name, in the order of the inventory; names that it does not know any more go.
fn set_members(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    members: BTreeSet<usize>,
) -> Option<Effect> {
    let inventory = state.site.inventory.clone();
    let names = members
        .into_iter()
        .map(|member| inventory.entities[member].name.to_string());
    made(state, at)?.entities = names.collect();
    changed(state, snapshot)
}

pub(super) fn ask_name(state: &mut State, at: usize) {
    let name = state.pages.groups.groups[at].name.clone();
    let title = format!("New name of {name}");
    push_text(state, title, Vec::new(), &name, Asked::Rename { at });
}

pub(super) fn rename(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    name: &str,
) -> Option<Effect> {
    if let Err(reason) = check_name(state, name, Some(at)) {
        let title = format!("New name of {}", state.pages.groups.groups[at].name);
        push_text(
            state,
            title,
            vec![reason.clone()],
            name,
            Asked::Rename { at },
        );
        state.complain(reason);
        return None;
    }
    made(state, at)?.name = name.to_owned();
    changed(state, snapshot)
}

pub(super) fn ask_delete(state: &mut State, at: usize) {
    let group = &state.pages.groups.groups[at];
    if state.drafts[at].from_inventory {
        let reason = format!(
            "{} is of the inventory: take it out of the file",
            group.name
        );
        state.complain(reason);
        return;
    }
    let lines = vec![
        format!("The group has {}.", plural(group.members.len())),
        "Nothing on them changes, and what runs goes on.".to_owned(),
    ];
    let title = format!("Delete the group {}?", group.name);
    push(
        state,
        Dialog::confirm(title, lines, Intent::Groups(Asked::Delete { at })),
    );
}

pub(super) fn delete(state: &mut State, snapshot: &Snapshot, at: usize) -> Option<Effect> {
    made(state, at)?;
    let name = state.pages.groups.groups[at].name.clone();
    state.drafts.remove(at);
    // Those behind it move up.
    let selected = &state.pages.groups.selected;
    state.pages.groups.selected = selected
        .iter()
        .filter(|place| **place != at)
        .map(|place| if *place > at { place - 1 } else { *place })
        .collect();
    let effect = changed(state, snapshot);
    state.say(format!("group {name} is deleted"));
    effect
}

pub(super) fn offer_copy(state: &mut State, at: usize, then: Action) {
    let name = &state.pages.groups.groups[at].name;
    let lines = vec![
        format!("{name} is of the inventory, and the file is never written to."),
        format!("A copy of it, {}, can be changed.", copy_name(state, at)),
    ];
    let title = format!("Change a copy of {name}?");
    let then = Box::new(then);
    push(
        state,
        Dialog::confirm(title, lines, Intent::Groups(Asked::Copy { at, then })),
    );
}

fn copy_name(state: &State, at: usize) -> String {
    unique(
        state,
        &format!("{}-copy", state.pages.groups.groups[at].name),
    )
}

/// Copies a group of the inventory, and does to the copy what was to be done. Only the source waits
/// for another key: its list asks the engine, and the copy has to be kept first.
pub(super) fn copy(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    then: Action,
) -> Option<Effect> {
    let name = copy_name(state, at);
    let spec = spec_of(state, &state.pages.groups.groups[at], &name);
    state.drafts.push(Draft {
        spec,
        from_inventory: false,
    });
    let kept = make::show_last(state, snapshot);
    if then == Action::PickSource {
        state.say(format!("{name} is a copy: o chooses its source"));
        return kept;
    }
    state.say(format!("{name} is a copy: it can be changed here"));
    update(state, snapshot, then).or(kept)
}

/// A group in full, by name.
fn spec_of(state: &State, group: &ResolvedDraft, name: &str) -> GroupSpec {
    let entities = &state.site.inventory.entities;
    let nowhere = || SourceSpec::FileServer(String::new());
    let image = group.image.known().map(|image| image.name.to_string());
    let members = group.members.iter();
    GroupSpec::Made(MadeGroup {
        name: name.to_owned(),
        image: ImageSpec::Named(image.unwrap_or_default()),
        source: group.source.known().map_or_else(nowhere, SourceSpec::of),
        entities: members.map(|at| entities[*at].name.to_string()).collect(),
        policy: group.policy,
    })
}

const LAGGARDS: [(Laggards, &str); 3] = [
    (Laggards::CatchUp, "a slow entity goes on in a later pass"),
    (Laggards::Wait, "the others wait for a slow entity"),
    (Laggards::Drop, "a slow entity fails, the others go on"),
];

pub(super) fn ask_laggards(state: &mut State, at: usize) {
    let rows = LAGGARDS.map(|(laggards, detail)| Row {
        label: laggards.word().into(),
        detail: detail.into(),
        value: laggards.word().into(),
    });
    let title = format!("Laggards of {}", state.pages.groups.groups[at].name);
    push(
        state,
        Dialog::list(title, rows.into(), Intent::Groups(Asked::Laggards { at })),
    );
}

/// Where the choice has a limit, that is asked next.
pub(super) fn set_laggards(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    how: &str,
) -> Option<Effect> {
    let (laggards, _) = LAGGARDS.iter().find(|(one, _)| one.word() == how)?;
    made(state, at)?.policy.laggards = *laggards;
    let effect = changed(state, snapshot);
    if *laggards != Laggards::Wait {
        let limit = units::written(state.pages.groups.groups[at].policy.limits.laggard);
        ask_laggard_limit(state, at, &limit);
    }
    effect
}

fn ask_laggard_limit(state: &mut State, at: usize, value: &str) {
    let title = format!("Laggard limit of {}", state.pages.groups.groups[at].name);
    let lines = vec!["how long an entity may hold up the others".to_owned()];
    push_text(state, title, lines, value, Asked::LaggardLimit { at });
}

pub(super) fn set_laggard_limit(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    typed: &str,
) -> Option<Effect> {
    match Limits::read_laggard(typed.trim()) {
        Ok(limit) => made(state, at)?.policy.limits.laggard = limit,
        Err(wrong) => {
            ask_laggard_limit(state, at, typed);
            state.complain(wrong.to_string());
            return None;
        }
    }
    changed(state, snapshot)
}

pub(super) fn ask_retries(state: &mut State, at: usize) {
    let limits = state.pages.groups.groups[at].policy.limits;
    let value = format!("{} {}", limits.retries, units::written(limits.retry_for));
    push_retries(state, at, &value);
}

fn push_retries(state: &mut State, at: usize, value: &str) {
    let title = format!("Retries of {}", state.pages.groups.groups[at].name);
    let lines = vec![
        "how often, and how long after an entity's first failure: 8 5m".to_owned(),
        "0 for none; what can't pass by itself is never tried again".to_owned(),
    ];
    push_text(state, title, lines, value, Asked::Retries { at });
}

/// A number, and where one follows a time; else the time stays.
pub(super) fn set_retries(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    typed: &str,
) -> Option<Effect> {
    let (number, time) = typed
        .trim()
        .split_once(char::is_whitespace)
        .map_or((typed, None), |(number, time)| (number, Some(time.trim())));
    let read = Limits::read_retries(number.trim())
        .and_then(|retries| Ok((retries, time.map(Limits::read_retry_for).transpose()?)));
    match read {
        Ok((retries, time)) => {
            let limits = &mut made(state, at)?.policy.limits;
            limits.retries = retries;
            limits.retry_for = time.unwrap_or(limits.retry_for);
        }
        Err(wrong) => {
            push_retries(state, at, typed);
            state.complain(wrong.to_string());
            return None;
        }
    }
    changed(state, snapshot)
}

pub(super) fn ask_parallel(state: &mut State, at: usize) {
    let group = &state.pages.groups.groups[at];
    let title = format!("Entities of {} at a time", group.name);
    let value = group.policy.parallel.map(|count| count.to_string());
    let lines = vec!["a number; nothing for all of them".to_owned()];
    push_text(
        state,
        title,
        lines,
        &value.unwrap_or_default(),
        Asked::Parallel { at },
    );
}

pub(super) fn set_parallel(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    typed: &str,
) -> Option<Effect> {
    let typed = typed.trim();
    let count = match typed.parse::<usize>() {
        _ if typed.is_empty() => None,
        Ok(count) if count > 0 => Some(count),
        _ => {
            ask_parallel(state, at);
            state.complain(format!("`{typed}` is not a number from 1"));
            return None;
        }
    };
    made(state, at)?.policy.parallel = count;
    changed(state, snapshot)
}

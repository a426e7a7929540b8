//! Changes of a group: its members, its name, how it treats laggards and failures; and its end.

use std::collections::BTreeSet;

use crate::console::action::Action;
use crate::console::asked::{Asked, OfGroups};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::state::{Draft, Shared};
use crate::model::{ImageSpec, Laggards, Limits, MadeGroup, SourceSpec, units};
use crate::plan::{Chosen, ResolvedDraft};
use crate::protocol::{GroupSpec, Snapshot};

use super::View;
use super::names::{check_name, made, unique};
use super::{changed, make, push, push_text, update};

fn say_unmarked(shared: &mut Shared) {
    let mark = shared.key(Page::Inventory, &Action::Mark);
    shared.complain(format!("mark entities first: {mark} on the inventory page"));
}

fn plural(number: usize) -> String {
    match number {
        1 => "1 entity".into(),
        number => format!("{number} entities"),
    }
}

pub(super) fn add(view: &mut View, shared: &mut Shared, at: usize) -> Option<Effect> {
    if shared.picks.marks.is_empty() {
        say_unmarked(shared);
        return None;
    }
    let before: BTreeSet<usize> = shared.resolved.groups[at].members.iter().copied().collect();
    let new = shared.picks.marks.difference(&before).count();
    let members = before.union(&shared.picks.marks).copied().collect();
    let effect = set_members(view, shared, at, members);
    shared.picks.marks.clear();
    let name = shared.resolved.groups[at].name.clone();
    shared.say(format!("{} added to {name}", plural(new)));
    effect
}

pub(super) fn remove(view: &mut View, shared: &mut Shared, at: usize) -> Option<Effect> {
    if shared.picks.marks.is_empty() {
        say_unmarked(shared);
        return None;
    }
    let before: BTreeSet<usize> = shared.resolved.groups[at].members.iter().copied().collect();
    let left: BTreeSet<usize> = before.difference(&shared.picks.marks).copied().collect();
    let gone = before.len() - left.len();
    let name = shared.resolved.groups[at].name.clone();
    if gone == 0 {
        shared.complain(format!("none of the marked entities is in {name}"));
        return None;
    }
    let effect = set_members(view, shared, at, left);
    shared.picks.marks.clear();
    shared.say(format!("{} taken out of {name}", plural(gone)));
    effect
}

/// The members by name, in the order of the inventory; names that it does not know any more go.
fn set_members(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    members: BTreeSet<usize>,
) -> Option<Effect> {
    let inventory = shared.site.inventory.clone();
    let names = members
        .into_iter()
        .map(|member| inventory.entities[member].name.to_string());
    made(shared, at)?.entities = names.collect();
    changed(view, shared)
}

pub(super) fn ask_name(shared: &mut Shared, at: usize) {
    let name = shared.resolved.groups[at].name.clone();
    let title = format!("New name of {name}");
    push_text(shared, title, Vec::new(), &name, OfGroups::Rename { at });
}

pub(super) fn rename(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    name: &str,
) -> Option<Effect> {
    if let Err(reason) = check_name(shared, name, Some(at)) {
        let title = format!("New name of {}", shared.resolved.groups[at].name);
        push_text(
            shared,
            title,
            vec![reason.to_string()],
            name,
            OfGroups::Rename { at },
        );
        shared.complain(reason);
        return None;
    }
    made(shared, at)?.name = name.to_owned();
    changed(view, shared)
}

pub(super) fn ask_delete(shared: &mut Shared, at: usize) {
    let group = &shared.resolved.groups[at];
    if shared.drafts[at].from_inventory {
        let reason = format!(
            "{} is of the inventory: take it out of the file",
            group.name
        );
        shared.complain(reason);
        return;
    }
    let lines = vec![
        format!("The group has {}.", plural(group.members.len())),
        "Nothing on them changes, and what runs goes on.".to_owned(),
    ];
    let title = format!("Delete the group {}?", group.name);
    push(
        shared,
        Dialog::confirm(title, lines, Asked::Groups(OfGroups::Delete { at })),
    );
}

pub(super) fn delete(view: &mut View, shared: &mut Shared, at: usize) -> Option<Effect> {
    made(shared, at)?;
    let name = shared.resolved.groups[at].name.clone();
    shared.drafts.remove(at);
    // Those behind it move up.
    let selected = &view.selected;
    view.selected = selected
        .iter()
        .filter(|place| **place != at)
        .map(|place| if *place > at { place - 1 } else { *place })
        .collect();
    let effect = changed(view, shared);
    shared.say(format!("group {name} is deleted"));
    effect
}

pub(super) fn offer_copy(shared: &mut Shared, at: usize, then: Action) {
    let name = &shared.resolved.groups[at].name;
    let lines = vec![
        format!("{name} is of the inventory, and the file is never written to."),
        format!("A copy of it, {}, can be changed.", copy_name(shared, at)),
    ];
    let title = format!("Change a copy of {name}?");
    let then = Box::new(then);
    push(
        shared,
        Dialog::confirm(title, lines, Asked::Groups(OfGroups::Copy { at, then })),
    );
}

fn copy_name(shared: &Shared, at: usize) -> String {
    unique(shared, &format!("{}-copy", shared.resolved.groups[at].name))
}

/// Copies a group of the inventory, and does to the copy what was to be done. Only the source waits
/// for another key: its list asks the engine, and the copy has to be kept first.
pub(super) fn copy(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    at: usize,
    then: Action,
) -> Option<Effect> {
    let name = copy_name(shared, at);
    let spec = spec_of(shared, &shared.resolved.groups[at], &name);
    shared.drafts.push(Draft {
        spec,
        from_inventory: false,
    });
    let kept = make::show_last(view, shared);
    if then == Action::PickSource {
        let source = shared.key(Page::Groups, &Action::PickSource);
        shared.say(format!("{name} is a copy: {source} chooses its source"));
        return kept;
    }
    shared.say(format!("{name} is a copy: it can be changed here"));
    update(view, shared, snapshot, then).or(kept)
}

/// A group in full, by name.
pub(super) fn spec_of(shared: &Shared, group: &ResolvedDraft, name: &str) -> GroupSpec {
    let entities = &shared.site.inventory.entities;
    let nowhere = || SourceSpec::FileServer(String::new());
    let image = group.image.known().map(|image| image.name.to_string());
    let members = group.members.iter();
    GroupSpec::Made(MadeGroup {
        name: name.to_owned(),
        image: ImageSpec::Named(image.unwrap_or_default()),
        source: group.source.known().map_or_else(nowhere, SourceSpec::of),
        then: group
            .then
            .iter()
            .filter_map(Chosen::known)
            .map(SourceSpec::of)
            .collect(),
        entities: members.map(|at| entities[*at].name.to_string()).collect(),
        policy: group.policy,
        campaign: Box::new((*group.campaign).clone()),
    })
}

const LAGGARDS: [(Laggards, &str); 3] = [
    (Laggards::CatchUp, "a slow entity goes on in a later pass"),
    (Laggards::Wait, "the others wait for a slow entity"),
    (Laggards::Drop, "a slow entity fails, the others go on"),
];

pub(super) fn ask_laggards(shared: &mut Shared, at: usize) {
    let rows = LAGGARDS.map(|(laggards, detail)| Row {
        label: laggards.word().into(),
        detail: detail.into(),
        value: laggards.word().into(),
    });
    let title = format!("Laggards of {}", shared.resolved.groups[at].name);
    push(
        shared,
        Dialog::list(title, rows.into(), Asked::Groups(OfGroups::Laggards { at })),
    );
}

/// Where the choice has a limit, that is asked next.
pub(super) fn set_laggards(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    how: &str,
) -> Option<Effect> {
    let (laggards, _) = LAGGARDS.iter().find(|(one, _)| one.word() == how)?;
    made(shared, at)?.policy.laggards = *laggards;
    let effect = changed(view, shared);
    if *laggards != Laggards::Wait {
        let limit = units::written(shared.resolved.groups[at].policy.limits.laggard);
        ask_laggard_limit(shared, at, &limit);
    }
    effect
}

fn ask_laggard_limit(shared: &mut Shared, at: usize, value: &str) {
    let title = format!("Laggard limit of {}", shared.resolved.groups[at].name);
    let lines = vec!["how long an entity may hold up the others".to_owned()];
    push_text(shared, title, lines, value, OfGroups::LaggardLimit { at });
}

pub(super) fn set_laggard_limit(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    typed: &str,
) -> Option<Effect> {
    match Limits::read_laggard(typed.trim()) {
        Ok(limit) => made(shared, at)?.policy.limits.laggard = limit,
        Err(wrong) => {
            ask_laggard_limit(shared, at, typed);
            shared.complain(wrong.to_string());
            return None;
        }
    }
    changed(view, shared)
}

pub(super) fn ask_retries(shared: &mut Shared, at: usize) {
    let limits = shared.resolved.groups[at].policy.limits;
    let value = format!("{} {}", limits.retries, units::written(limits.retry_for));
    push_retries(shared, at, &value);
}

fn push_retries(shared: &mut Shared, at: usize, value: &str) {
    let title = format!("Retries of {}", shared.resolved.groups[at].name);
    let lines = vec![
        "how often, and how long after an entity's first failure: 8 5m".to_owned(),
        "0 for none; what can't pass by itself is never tried again".to_owned(),
    ];
    push_text(shared, title, lines, value, OfGroups::Retries { at });
}

/// A number, and where one follows a time; else the time stays.
pub(super) fn set_retries(
    view: &mut View,
    shared: &mut Shared,
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
            let limits = &mut made(shared, at)?.policy.limits;
            limits.retries = retries;
            limits.retry_for = time.unwrap_or(limits.retry_for);
        }
        Err(wrong) => {
            push_retries(shared, at, typed);
            shared.complain(wrong.to_string());
            return None;
        }
    }
    changed(view, shared)
}

pub(super) fn ask_parallel(shared: &mut Shared, at: usize) {
    let group = &shared.resolved.groups[at];
    let title = format!("Entities of {} at a time", group.name);
    let value = group.policy.parallel.map(|count| count.to_string());
    let lines = vec!["a number; nothing for all of them".to_owned()];
    push_text(
        shared,
        title,
        lines,
        &value.unwrap_or_default(),
        OfGroups::Parallel { at },
    );
}

pub(super) fn set_parallel(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    typed: &str,
) -> Option<Effect> {
    let typed = typed.trim();
    let count = match typed.parse::<usize>() {
        _ if typed.is_empty() => None,
        Ok(count) if count > 0 => Some(count),
        _ => {
            ask_parallel(shared, at);
            shared.complain(format!("`{typed}` is not a number from 1"));
            return None;
        }
    };
    made(shared, at)?.policy.parallel = count;
    changed(view, shared)
}

//! New groups: of the marked entities, of what the filter leaves, or by type and version (\[0019\]).

use std::collections::{BTreeMap, BTreeSet};

use crate::console::action::Action;
use crate::console::asked::{Asked, OfGroups};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::state::{Draft, Shared};
use crate::model::names::natural;
use crate::model::{DeliveryPolicy, ImageSpec, MadeGroup, SourceSpec, names};
use crate::protocol::GroupSpec;

use super::View;
use super::members::folded;
use super::names::{check_name, unique};
use super::{changed, push, push_text};

/// What a new group is made of, and where that comes from, in words.
fn entities(shared: &Shared) -> (Vec<usize>, String) {
    let count = |number: usize| match number {
        1 => "1 entity".to_owned(),
        number => format!("{number} entities"),
    };
    if !shared.picks.marks.is_empty() {
        let marked: Vec<usize> = shared.picks.marks.iter().copied().collect();
        let words = format!("{}, marked", count(marked.len()));
        return (marked, words);
    }
    let mut shown = shared.picks.shown.clone();
    shown.sort_unstable();
    let filter = shared.picks.filter.value();
    let words = if filter.is_empty() {
        format!("{}: all there are, as none is marked", count(shown.len()))
    } else {
        format!("{} that the filter `{filter}` shows", count(shown.len()))
    };
    (shown, words)
}

pub(super) fn ask_name(shared: &mut Shared) {
    let (entities, words) = entities(shared);
    if entities.is_empty() {
        shared.complain("no entity is marked or shown: there is nothing to make a group of");
        return;
    }
    let name = unique(shared, &suggestion(shared, &entities));
    ask_named(shared, entities, words, &name);
}

fn ask_named(shared: &mut Shared, entities: Vec<usize>, words: String, name: &str) {
    let lines = vec![words, short(&folded(&shared.site.inventory, &entities))];
    push_text(
        shared,
        "Name of the new group".into(),
        lines,
        name,
        OfGroups::Name { entities },
    );
}

/// A list of names that may be long, as long as a dialog is wide.
fn short(names: &str) -> String {
    const MOST: usize = 60;
    if names.chars().count() <= MOST {
        return names.to_owned();
    }
    let cut: String = names.chars().take(MOST - 3).collect();
    format!("{cut}...")
}

/// What the entities have in common.
fn suggestion(shared: &Shared, entities: &[usize]) -> String {
    let all = &shared.site.inventory.entities;
    let one = |values: BTreeSet<&str>| match values.iter().next() {
        Some(value) if values.len() == 1 && !value.is_empty() => Some((*value).to_owned()),
        _ => None,
    };
    let type_ = one(entities.iter().map(|at| &*all[*at].type_).collect());
    let version = one(entities.iter().map(|at| &*all[*at].version).collect());
    let name = match (type_, version) {
        (Some(type_), Some(version)) => format!("{type_}-{version}"),
        (Some(type_), None) => type_,
        _ => "group".into(),
    };
    names::usable(&name, LONGEST)
}

/// Of a name that is suggested.
const LONGEST: usize = 40;

pub(super) fn named(
    view: &mut View,
    shared: &mut Shared,
    entities: Vec<usize>,
    name: &str,
) -> Option<Effect> {
    if let Err(reason) = check_name(shared, name, None) {
        ask_named(shared, entities, reason.to_string(), name);
        shared.complain(reason);
        return None;
    }
    let count = entities.len();
    add(shared, name, &entities);
    shared.picks.marks.clear();
    let effect = show_last(view, shared);
    let key = |action| shared.key(Page::Groups, &action);
    let (image, source) = (key(Action::PickImage), key(Action::PickSource));
    shared.say(format!(
        "group {name} has {count} entities: {image} chooses its image, {source} its source"
    ));
    effect
}

fn add(shared: &mut Shared, name: &str, entities: &[usize]) {
    let members = entities
        .iter()
        .map(|at| shared.site.inventory.entities[*at].name.to_string());
    let draft = Draft {
        spec: GroupSpec::Made(MadeGroup {
            name: name.to_owned(),
            image: ImageSpec::Named(String::new()),
            source: SourceSpec::FileServer(String::new()),
            then: Vec::new(),
            entities: members.collect(),
            policy: DeliveryPolicy::default(),
            campaign: Box::default(),
        }),
        from_inventory: false,
    };
    shared.drafts.push(draft);
}

/// The groups page, with the cursor on the newest group.
pub(super) fn show_last(view: &mut View, shared: &mut Shared) -> Option<Effect> {
    shared.page = Page::Groups;
    view.scroll.cursor = shared.drafts.len().saturating_sub(1);
    changed(view, shared)
}

pub(super) fn ask_how(shared: &mut Shared) {
    let (entities, words) = entities(shared);
    if entities.is_empty() {
        shared.complain("no entity is marked or shown: there is nothing to group");
        return;
    }
    let rows = ["type", "version", "both"].map(|how| {
        let groups = parted(shared, &entities, how);
        let names: Vec<&str> = groups.keys().map(|key| &*key.0).collect();
        let number = match names.len() {
            1 => "1 group".to_owned(),
            number => format!("{number} groups"),
        };
        Row {
            label: match how {
                "both" => "by type and version".into(),
                how => format!("by {how}"),
            },
            detail: short(&format!("{number}: {}", names.join(", "))),
            value: how.into(),
        }
    });
    push(
        shared,
        Dialog::list(
            format!("Group {words}"),
            rows.into(),
            Asked::Groups(OfGroups::How { entities }),
        ),
    );
}

/// Orders names as people do.
#[derive(PartialEq, Eq)]
struct Key(String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        natural(&self.0, &other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The entities by what they have in common.
fn parted(shared: &Shared, entities: &[usize], how: &str) -> BTreeMap<Key, Vec<usize>> {
    let or = |text: &str, missing: &str| {
        if text.is_empty() {
            missing.to_owned()
        } else {
            text.to_owned()
        }
    };
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for at in entities {
        let entity = &shared.site.inventory.entities[*at];
        let type_ = or(&entity.type_, "no-type");
        let version = or(&entity.version, "no-version");
        let key = match how {
            "type" => type_,
            "version" => version,
            _ => format!("{type_}-{version}"),
        };
        groups.entry(Key(key)).or_default().push(*at);
    }
    groups
}

pub(super) fn grouped(
    view: &mut View,
    shared: &mut Shared,
    entities: &[usize],
    how: &str,
) -> Option<Effect> {
    let groups = parted(shared, entities, how);
    let count = groups.len();
    for (key, members) in groups {
        let wanted = names::usable(&key.0, LONGEST);
        let name = unique(shared, &wanted);
        add(shared, &name, &members);
    }
    shared.picks.marks.clear();
    let first = shared.drafts.len() - count;
    shared.page = Page::Groups;
    view.scroll.cursor = first;
    let effect = changed(view, shared);
    let key = |action| shared.key(Page::Groups, &action);
    let (image, source) = (key(Action::PickImage), key(Action::PickSource));
    shared.say(format!(
        "{count} groups made: {image} chooses the image of each, {source} its source"
    ));
    effect
}

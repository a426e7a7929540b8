//! `select` and `entities` of a group: which entities are in it.

use std::collections::BTreeSet;

use crate::model::Entity;
use crate::model::lookup::Lookup;
use crate::model::names::Pattern;

use super::defaults::NO_LABELS;
use super::error::{Complaint, Problems, Span, did_you_mean, quoted, some_of};
use super::fields::{Fields, list, mapping};
use super::tree::{Node, Value};
use super::values;

/// Entities by their index in the inventory, and where in the file each was asked for.
pub(super) type Targets<'a> = Vec<(usize, &'a Span)>;

/// The union of what `select` and `entities` say.
pub(super) fn targets<'a>(
    problems: &mut Problems,
    fields: &Fields<'a>,
    at: &'a Span,
    lookup: &Lookup<'_>,
) -> Targets<'a> {
    let (select, named) = (fields.key_span("select"), fields.key_span("entities"));
    if select.is_none() && named.is_none() {
        problems.report(
            at,
            "a group without entities",
            "add `select: { type: … }`, `entities: [NAME]`, or both",
        );
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(node) = fields.get("select") {
        found.extend(selected(problems, node, lookup));
    }
    if let Some(node) = fields.get("entities") {
        let items = values::texts(problems, node, "entities");
        if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
            problems.report(
                &node.span,
                "the list `entities` is empty",
                "name entities, or leave the key out",
            );
        }
        for (written, node) in items {
            let mut entities = BTreeSet::new();
            match lookup.named(written, &mut entities) {
                Ok(()) => found.extend(entities.into_iter().map(|at| (at, &node.span))),
                Err(flaw) => problems.complain(&node.span, flaw.into()),
            }
        }
    }
    let mut met = BTreeSet::new();
    found.retain(|(at, _)| met.insert(*at));
    found
}

/// The entities that satisfy every key of a selector.
fn selected<'a>(problems: &mut Problems, node: &'a Node, lookup: &Lookup<'_>) -> Targets<'a> {
    let entries = mapping(problems, node, "`select`", || {
        "write what the entities have in common: `select: { type: adsl, version: \"2.3\" }`".into()
    });
    let Some(entries) = entries else {
        return Vec::new();
    };
    if entries.is_empty() {
        problems.report(
            &node.span,
            "`select` is empty",
            "write `{ type: … }`; for all entities write `{ name: \"*\" }`",
        );
        return Vec::new();
    }
    let mut found: Vec<usize> = (0..lookup.entities.len()).collect();
    let mut said = Vec::new();
    let mut whole = true;
    for (key, at, value) in entries {
        let texts = values::texts(problems, value, key);
        let known = NO_LABELS.contains(&key)
            || lookup
                .entities
                .iter()
                .any(|entity| entity.labels.contains_key(key));
        if !known {
            problems.complain(at, unknown_label(key, lookup));
        }
        if matches!(&value.value, Value::Sequence(items) if items.is_empty()) {
            let message = format!("the list {} is empty", quoted(key));
            problems.report(&value.span, message, "give values, or leave the key out");
        }
        if !known || texts.is_empty() {
            whole = false;
            continue;
        }
        let words: Vec<&str> = texts.iter().map(|(text, _)| *text).collect();
        said.push(format!("{key}: {}", words.join(" or ")));
        if key == "name" {
            let mut any = BTreeSet::new();
            for (written, node) in texts {
                match Pattern::wildcards(written) {
                    Ok(pattern) => any.extend(lookup.matching(&pattern)),
                    Err(complaint) => {
                        problems.complain(&node.span, complaint);
                        whole = false;
                    }
                }
            }
            found.retain(|at| any.contains(at));
        } else {
            found.retain(|at| {
                value_of(&lookup.entities[*at], key).is_some_and(|value| words.contains(&value))
            });
        }
    }
    if !whole {
        return Vec::new();
    }
    if found.is_empty() {
        let help = nothing_help(lookup);
        let message = format!("no entity is selected by {}", quoted(&said.join(", ")));
        problems.report(&node.span, message, help);
    }
    found.into_iter().map(|at| (at, &node.span)).collect()
}

fn value_of<'e>(entity: &'e Entity, key: &str) -> Option<&'e str> {
    match key {
        "type" => Some(&entity.type_),
        "version" => Some(&entity.version),
        label => entity.labels.get(label).map(String::as_str),
    }
}

fn nothing_help(lookup: &Lookup<'_>) -> String {
    let kinds: BTreeSet<String> = lookup
        .entities
        .iter()
        .filter(|entity| !entity.type_.is_empty())
        .map(|entity| format!("{} {}", entity.type_, entity.version))
        .collect();
    match kinds.len() {
        0 => "there are no entities: describe them under `entities`".into(),
        1 => format!(
            "all entities are {}",
            some_of(kinds.iter().map(String::as_str))
        ),
        _ => format!("there are {}", some_of(kinds.iter().map(String::as_str))),
    }
}

fn unknown_label(key: &str, lookup: &Lookup<'_>) -> Complaint {
    let labels = lookup
        .entities
        .iter()
        .flat_map(|entity| entity.labels.keys());
    let known: BTreeSet<&str> = NO_LABELS
        .into_iter()
        .chain(labels.map(String::as_str))
        .collect();
    let help = did_you_mean(key, known.iter().copied(), || {
        let known: Vec<&str> = known.iter().copied().collect();
        format!("entities are selected by {}", list(&known))
    });
    Complaint::new(format!("no entity has a label {}", quoted(key)), help)
}

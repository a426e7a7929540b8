//! `groups`: which entities get which image, and from where.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::limits::BadLimit;
use crate::model::lookup::Lookup;
use crate::model::names::Pattern;
use crate::model::{Entity, Group, Image, Laggards, Limits, PeerChoice, SourceChoice};

use super::defaults::NO_LABELS;
use super::error::{Complaint, Problems, Span, did_you_mean, quoted, some_of};
use super::fields::{Fields, Shape, list, mapping, section};
use super::tree::{Node, Value};
use super::values;

const GROUP: Shape = Shape {
    what: "a group",
    known: &[
        "select",
        "entities",
        "image",
        "source",
        "laggards",
        "laggard_limit",
        "retries",
        "retry_for",
        "parallel",
    ],
    extensions: false,
    may_be_empty: &[],
};

const SOURCE: Shape = Shape {
    what: "`source`",
    known: &["file_server", "peer"],
    extensions: false,
    may_be_empty: &[],
};

const SOURCE_HELP: &str = "write `{ file_server: NAME }`, `{ peer: ENTITY }` or `{ peer: any }`";

/// Entities by their place in the inventory, and where in the file each was asked for.
type Targets<'a> = Vec<(usize, &'a Span)>;

/// Reads the section. Groups with errors are left out.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    lookup: &Lookup<'_>,
) -> Vec<Arc<Group>> {
    let mut groups = Vec::new();
    let mut taken: HashMap<usize, &str> = HashMap::new();
    for (name, at, node) in section(problems, node, "groups") {
        let Some(fields) = Fields::read(problems, node, &GROUP) else {
            continue;
        };
        let targets = targets(problems, &fields, at, lookup);
        claim(problems, name, &targets, lookup, &mut taken);
        groups.extend(read_group(problems, name, &fields, &targets, lookup));
    }
    groups
}

fn read_group(
    problems: &mut Problems,
    name: &str,
    fields: &Fields<'_>,
    targets: &Targets<'_>,
    lookup: &Lookup<'_>,
) -> Option<Arc<Group>> {
    let image = fields
        .require(problems, "image", "adsl-2.4")
        .and_then(|node| {
            let name = values::text(problems, node, "image")?;
            let image = lookup.image(name);
            image
                .map_err(|flaw| problems.complain(&node.span, flaw.into()))
                .ok()
        });
    let wanted: BTreeSet<usize> = targets.iter().map(|(at, _)| *at).collect();
    if let Some(image) = image {
        // What `select` and what each item of `entities` brought in is reported where it stands.
        let mut origins: Vec<(&Span, Vec<usize>)> = Vec::new();
        for (target, at) in targets {
            match origins.iter_mut().find(|(origin, _)| origin == at) {
                Some((_, group)) => group.push(*target),
                None => origins.push((at, vec![*target])),
            }
        }
        for (at, targets) in origins {
            for flaw in lookup.wrong_types(image, targets) {
                problems.complain(at, flaw.into());
            }
        }
    }
    let source = fields
        .require(problems, "source", "{ file_server: NAME }")
        .and_then(|node| source(problems, node, image.map(|image| &**image), &wanted, lookup));
    let laggards = fields.get("laggards").map(|node| {
        let choices = [
            ("catch-up", Laggards::CatchUp),
            ("wait", Laggards::Wait),
            ("drop", Laggards::Drop),
        ];
        values::choice(problems, node, "laggards", &choices)
    });
    let limits = read_limits(problems, fields);
    let parallel = fields.get("parallel");
    let parallel = parallel.map(|node| values::count(problems, node, "parallel"));
    Some(Arc::new(Group {
        name: name.into(),
        image: Arc::clone(image?),
        source: source?,
        entities: wanted
            .iter()
            .map(|at| Arc::clone(&lookup.entities[*at]))
            .collect(),
        laggards: laggards.flatten().unwrap_or_default(),
        limits,
        parallel: parallel.flatten(),
    }))
}

/// Each has its default where it is absent.
fn read_limits(problems: &mut Problems, fields: &Fields<'_>) -> Limits {
    let default = Limits::default();
    Limits {
        laggard: limit(problems, fields, "laggard_limit", Limits::read_laggard)
            .unwrap_or(default.laggard),
        retries: limit(problems, fields, "retries", Limits::read_retries)
            .unwrap_or(default.retries),
        retry_for: limit(problems, fields, "retry_for", Limits::read_retry_for)
            .unwrap_or(default.retry_for),
    }
}

fn limit<T>(
    problems: &mut Problems,
    fields: &Fields<'_>,
    key: &str,
    read: impl Fn(&str) -> Result<T, BadLimit>,
) -> Option<T> {
    let node = fields.get(key)?;
    let written = values::text(problems, node, key)?;
    read(written)
        .map_err(|wrong| problems.complain(&node.span, wrong.into()))
        .ok()
}

/// An entity gets one image at a time: `run --all` runs all groups at once.
fn claim<'n>(
    problems: &mut Problems,
    group: &'n str,
    targets: &Targets<'_>,
    lookup: &Lookup<'_>,
    taken: &mut HashMap<usize, &'n str>,
) {
    // By the group that has them already; in the order in which they are met.
    let mut twice: Vec<(&str, &Span, Vec<usize>)> = Vec::new();
    for (target, at) in targets {
        match taken.get(target) {
            Some(other) if *other == group => {}
            Some(other) => match twice.iter_mut().find(|(known, _, _)| known == other) {
                Some((_, _, entities)) => entities.push(*target),
                None => twice.push((other, at, vec![*target])),
            },
            None => {
                taken.insert(*target, group);
            }
        }
    }
    for (other, at, entities) in twice {
        let names = some_of(entities.iter().map(|at| &*lookup.entities[*at].name));
        let (are, them) = if entities.len() == 1 {
            ("is", "it")
        } else {
            ("are", "them")
        };
        problems.report(
            at,
            format!("{names} {are} in the group {} already", quoted(other)),
            format!("groups run at the same time, with one image an entity: leave {them} out here"),
        );
    }
}

/// The union of what `select` and `entities` say.
fn targets<'a>(
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

fn source(
    problems: &mut Problems,
    node: &Node,
    image: Option<&Image>,
    targets: &BTreeSet<usize>,
    lookup: &Lookup<'_>,
) -> Option<SourceChoice> {
    if let Some(written) = node.text() {
        let help = match written {
            _ if lookup.file_server(written).is_ok() => {
                format!("write `{{ file_server: {written} }}`")
            }
            "any" => "write `{ peer: any }`".into(),
            _ if lookup.named(written, &mut BTreeSet::new()).is_ok() => {
                format!("write `{{ peer: {written} }}`")
            }
            _ => SOURCE_HELP.into(),
        };
        let message = "`source` must say what kind of source it is";
        problems.report(&node.span, message, help);
        return None;
    }
    let fields = Fields::read(problems, node, &SOURCE)?;
    match (fields.key_span("file_server"), fields.key_span("peer")) {
        (Some(_), None) => {
            let node = fields.get("file_server")?;
            let name = values::text(problems, node, "file_server")?;
            match lookup.file_server(name) {
                Ok(server) => Some(SourceChoice::FileServer(Arc::clone(server))),
                Err(flaw) => {
                    problems.complain(&node.span, flaw.into());
                    None
                }
            }
        }
        (None, Some(_)) => {
            let node = fields.get("peer")?;
            let name = values::text(problems, node, "peer")?;
            let peer = if name != "any" {
                let peer = lookup.named_peer(name, image, targets);
                peer.map(|at| PeerChoice::Named(Arc::clone(&lookup.entities[at])))
            } else if let Some(image) = image {
                lookup.any_peer(image, targets).map_err(|flaw| vec![flaw])
            } else {
                Ok(PeerChoice::Any(Vec::new()))
            };
            match peer {
                Ok(peer) => Some(SourceChoice::Peer(peer)),
                Err(flaws) => {
                    for flaw in flaws {
                        problems.complain(&node.span, flaw.into());
                    }
                    None
                }
            }
        }
        (both, _) => {
            let message = match both {
                Some(_) => "`source` has both `file_server` and `peer`",
                None => "`source` names neither a file server nor a peer",
            };
            problems.report(&node.span, message, SOURCE_HELP);
            None
        }
    }
}

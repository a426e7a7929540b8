//! `groups`: which entities get which image, and from where.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::limits::BadLimit;
use crate::model::lookup::Lookup;
use crate::model::{Flaw, Group, Image, Laggards, Limits, PeerChoice, SourceChoice};

use super::error::{Problems, Span, quoted, some_of};
use super::fields::{Fields, Shape, section};
use super::members::{Targets, targets};
use super::tree::Node;
use super::values;

const GROUP: Shape = Shape::new(
    "a group",
    &[&[
        "select",
        "entities",
        "image",
        "source",
        "laggards",
        "laggard_limit",
        "retries",
        "retry_for",
        "parallel",
    ]],
);

const SOURCE: Shape = Shape::new("`source`", &[&["file_server", "peer"]]);

const SOURCE_HELP: &str = "write `{ file_server: NAME }`, `{ peer: ENTITY }` or `{ peer: any }`";

/// Reads the section. Groups with errors are left out.
pub(super) fn read(
    problems: &mut Problems,
    node: Option<&Node>,
    lookup: &Lookup<'_>,
) -> Vec<Arc<Group>> {
    let mut groups = Vec::new();
    let mut taken: HashMap<usize, &str> = HashMap::new();
    for (name, at, node) in section(problems, node, "groups") {
        let fields = Fields::read(problems, node, &GROUP);
        if !fields.are_there() {
            continue;
        }
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
    let image = fields.require(problems, "image", "adsl-2.4");
    let image = image.and_then(|node| {
        let name = values::text(problems, node, "image")?;
        problems.ok(&node.span, lookup.image(name))
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
    let laggards = fields.value(problems, "laggards", |problems, node, key| {
        let choices = [Laggards::CatchUp, Laggards::Wait, Laggards::Drop];
        values::choice(problems, node, key, &choices.map(|one| (one.word(), one)))
    });
    let limits = read_limits(problems, fields);
    let parallel = fields.value(problems, "parallel", values::count);
    Some(Arc::new(Group {
        name: name.into(),
        image: Arc::clone(image?),
        source: source?,
        entities: wanted
            .iter()
            .map(|at| Arc::clone(&lookup.entities[*at]))
            .collect(),
        laggards: laggards.unwrap_or_default(),
        limits,
        parallel,
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
    problems.ok(&node.span, read(written))
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
        return problems.refuse(&node.span, message, help);
    }
    let fields = Fields::read(problems, node, &SOURCE);
    if !fields.are_there() {
        return None;
    }
    match (fields.key_span("file_server"), fields.key_span("peer")) {
        (Some(_), None) => {
            let node = fields.get("file_server")?;
            let name = values::text(problems, node, "file_server")?;
            let server = problems.ok(&node.span, lookup.file_server(name))?;
            Some(SourceChoice::FileServer(Arc::clone(server)))
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
            let report = |flaws: Vec<Flaw>| {
                flaws
                    .into_iter()
                    .for_each(|flaw| problems.complain(&node.span, flaw.into()));
            };
            peer.map(SourceChoice::Peer).map_err(report).ok()
        }
        (both, _) => {
            let message = match both {
                Some(_) => "`source` has both `file_server` and `peer`",
                None => "`source` names neither a file server nor a peer",
            };
            problems.refuse(&node.span, message, SOURCE_HELP)
        }
    }
}

//! `subtend check`: validates the inventory and prints the plan, as text or as one JSON object.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::Failed;
use super::args::CheckArgs;
use super::online::Online;
use super::parts::Parts;
use super::select;
use crate::headless::text::{count, wrap};
use crate::manager::plan::{GroupPlan, Plan, plan};
use crate::model::text::shown;
use crate::model::{
    Entity, Group, Inventory, Laggards, Name, PeerChoice, SourceChoice, VerifyMode, names, units,
};

/// The plan as it is to be printed.
///
/// # Errors
/// When the inventory or a name is wrong.
pub fn check(args: &CheckArgs, file: &Path, parts: &impl Parts) -> Result<String, Failed> {
    let planned = Planned::new(args, file, parts)?;
    match args.json {
        true => planned.json(None),
        false => Ok(planned.text()),
    }
}

/// An inventory, groups of it, and what a run of them would be.
pub(super) struct Planned {
    pub(super) inventory: Inventory,
    pub(super) groups: Vec<Arc<Group>>,
    pub(super) plan: Plan,
}

impl Planned {
    pub(super) fn new(args: &CheckArgs, file: &Path, parts: &impl Parts) -> Result<Self, Failed> {
        let inventory = parts.load(file).map_err(Failed::usage)?;
        let groups = select::groups(&args.groups, &inventory).map_err(Failed::usage)?;
        let plan = plan(&inventory, &groups).map_err(Failed::usage)?;
        Ok(Self {
            inventory,
            groups,
            plan,
        })
    }

    pub(super) fn text(&self) -> String {
        text(&self.inventory, &self.plan)
    }

    pub(super) fn json(&self, online: Option<&Online>) -> Result<String, Failed> {
        let json = Json::new(&self.plan, online);
        let mut json = serde_json::to_string(&json).map_err(Failed::other)?;
        json.push('\n');
        Ok(json)
    }
}

pub(super) const COLUMNS: usize = 80;

/// The plan for people.
pub fn text(inventory: &Inventory, plan: &Plan) -> String {
    let head = format!(
        "{}: {}, {} for {}",
        inventory.file.display(),
        count(inventory.entities.len(), "entity"),
        units::size(plan.memory),
        count(plan.groups.len(), "group")
    );
    let mut lines = wrap(&shown(&head), 0, COLUMNS);
    for one in &plan.groups {
        lines.push(String::new());
        group(one, &mut lines);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn group(one: &GroupPlan, lines: &mut Vec<String>) {
    let group = &one.group;
    let image = &group.image;
    let (skipped, sent) = parted(one);
    lines.push(format!(
        "{}: {}",
        shown(&group.name),
        count(sent.len(), "entity")
    ));
    let [name, type_, version, file] =
        [&*image.name, &image.type_, &image.version, &image.file].map(shown);
    row(
        "image",
        &format!("{name}, type {type_}, version {version}, file {file}"),
        lines,
    );
    let sha256 = match image.sha256 {
        Some(sha256) => hex::encode(sha256),
        None => "not in the inventory: what the source sends is taken as it is".into(),
    };
    row("sha256", &sha256, lines);
    row("source", &source(&group.source), lines);
    let listed = |entities: &[&Arc<Entity>]| match entities {
        [] => "none".to_owned(),
        some => folded(some),
    };
    row("entities", &listed(&sent), lines);
    if !skipped.is_empty() {
        let reason = format!(
            "{} (the inventory says version {version})",
            folded(&skipped)
        );
        row("skipped", &reason, lines);
    }
    if !sent.is_empty() {
        let sent = sent.iter().map(|entity| &***entity);
        row("verify", &VerifyMode::of_all_in_words(sent), lines);
    }
    let (share, size) = (units::size(one.share), units::size(one.buffer_size));
    row(
        "memory",
        &format!("{share}: {} of {size}", count(one.buffers, "buffer")),
        lines,
    );
    let manner = group.manner();
    row("laggards", &manner.laggards_in_words(), lines);
    row("retries", &manner.limits.retries_in_words(), lines);
    row("parallel", &manner.parallel_in_words(), lines);
}

/// Entities that already have the image, and those that it is sent to.
fn parted(one: &GroupPlan) -> (Vec<&Arc<Entity>>, Vec<&Arc<Entity>>) {
    one.group
        .entities
        .iter()
        .partition(|entity| one.group.has_image(entity))
}

/// Names in short, each fit to be shown. Not `shown` as a whole: a long list is not to be cut.
fn folded(entities: &[&Arc<Entity>]) -> String {
    let names: Vec<String> = entities.iter().map(|entity| shown(&entity.name)).collect();
    names::compress(&names).join(", ")
}

fn source(source: &SourceChoice) -> String {
    match source {
        SourceChoice::FileServer(server) => {
            format!("file server {} at {}", shown(&server.name), server.address)
        }
        SourceChoice::Peer(PeerChoice::Named(peer)) => {
            format!(
                "peer {} at {}, {}",
                shown(&peer.name),
                peer.address,
                shown(peer.path.as_str())
            )
        }
        SourceChoice::Peer(PeerChoice::Any(peers)) => {
            let peers: Vec<&Arc<Entity>> = peers.iter().collect();
            match peers.as_slice() {
                [] => "any peer, but no entity has the image".into(),
                some => format!("any peer of {}", folded(some)),
            }
        }
    }
}

/// A label, and its text wrapped beside it.
fn row(label: &str, text: &str, lines: &mut Vec<String>) {
    const INDENT: usize = 12;
    let mut rows = wrap(text, INDENT, COLUMNS);
    if let Some(first) = rows.first_mut() {
        first.replace_range(..INDENT, &format!("  {label:<10}"));
    }
    lines.append(&mut rows);
}

#[derive(Serialize)]
struct Json<'a> {
    memory: u64,
    groups: Vec<JsonGroup<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<&'a Online>,
}

#[derive(Serialize)]
struct JsonGroup<'a> {
    group: &'a Name,
    image: &'a Name,
    #[serde(rename = "type")]
    type_: &'a str,
    version: &'a str,
    file: &'a str,
    sha256: Option<String>,
    source: String,
    entities: Vec<&'a Name>,
    /// Those of the entities that already have the image.
    skipped: Vec<&'a Name>,
    /// How the others are checked: entities by mode, modes without any left out.
    verify: BTreeMap<&'static str, Vec<&'a Name>>,
    share: u64,
    buffers: usize,
    buffer_size: u64,
    laggards: Laggards,
    /// Seconds.
    laggard_limit: f64,
    retries: u32,
    /// Seconds.
    retry_for: f64,
    parallel: Option<usize>,
}

impl<'a> Json<'a> {
    fn new(plan: &'a Plan, online: Option<&'a Online>) -> Self {
        let names = |entities: Vec<&'a Arc<Entity>>| entities.iter().map(|e| &e.name).collect();
        let groups = plan.groups.iter().map(|one| {
            let group = &one.group;
            let (skipped, sent) = parted(one);
            let mut verify: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for entity in sent {
                let of_mode = verify.entry(entity.verify.word()).or_default();
                of_mode.push(&entity.name);
            }
            JsonGroup {
                group: &group.name,
                image: &group.image.name,
                type_: &group.image.type_,
                version: &group.image.version,
                file: &group.image.file,
                sha256: group.image.sha256.map(hex::encode),
                source: group.source.label(),
                entities: names(group.entities.iter().collect()),
                skipped: names(skipped),
                verify,
                share: one.share,
                buffers: one.buffers,
                buffer_size: one.buffer_size,
                laggards: group.laggards,
                laggard_limit: group.limits.laggard.as_secs_f64(),
                retries: group.limits.retries,
                retry_for: group.limits.retry_for.as_secs_f64(),
                parallel: group.parallel,
            }
        });
        Self {
            memory: plan.memory,
            groups: groups.collect(),
            online,
        }
    }
}

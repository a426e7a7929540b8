//! `subtend check`: validates the inventory and prints the plan, as text or as one JSON object.

mod json;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::args::CheckArgs;
use super::services::Services;
use super::{Failed, json_line, select};
use crate::headless::text::{count, labelled, wrap};
use crate::model::text::shown;
use crate::model::{
    Entity, Group, GroupSpec, Inventory, Name, PeerChoice, SourceChoice, VerifyMode, names, units,
};
use crate::plan::{Finding, Plan, PlannedGroup, plan, said, schedule};
use crate::protocol::ProbeCheck;
use crate::protocol::inspect::Findings;
use crate::transport::serve::missing_right;
use json::Json;

/// The plan as it is to be printed.
///
/// # Errors
/// When the inventory or a name is wrong.
pub fn check(args: &CheckArgs, file: &Path, services: &impl Services) -> Result<String, Failed> {
    let planned = Planned::new(args, file, services)?;
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
    pub(super) fn new(
        args: &CheckArgs,
        file: &Path,
        services: &impl Services,
    ) -> Result<Self, Failed> {
        Self::of(args, services.load(file)?)
    }

    pub(super) fn of(args: &CheckArgs, inventory: Inventory) -> Result<Self, Failed> {
        let groups = select::groups(&args.groups, &inventory)?;
        let named = |group: &Arc<Group>| GroupSpec::Named(group.name.to_string());
        let specs: Vec<GroupSpec> = groups.iter().map(named).collect();
        let plan = plan(&inventory, &[], &specs, false).served(&inventory.serve, missing_right);
        if !plan.blockers.is_empty() {
            return Err(Failed::usage(said(&plan.blockers).join("\n")));
        }
        Ok(Self {
            inventory,
            groups,
            plan,
        })
    }

    pub(super) fn text(&self) -> String {
        text(&self.inventory, &self.plan, Timestamp::now())
    }

    pub(super) fn json(&self, online: Option<&Findings<ProbeCheck>>) -> Result<String, Failed> {
        json_line(&Json::new(&self.plan, online, Timestamp::now()))
    }
}

pub(super) const COLUMNS: usize = 80;

/// The plan for people, of a start at that time.
pub fn text(inventory: &Inventory, plan: &Plan, now: Timestamp) -> String {
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
        group(plan, one, now, &mut lines);
    }
    lines.join("\n") + "\n"
}

fn group(plan: &Plan, one: &PlannedGroup, now: Timestamp, lines: &mut Vec<String>) {
    let group = &one.group;
    let image = &group.image;
    let (skipped, sent) = (&one.skip, &one.send);
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
    let mut from = group
        .sources()
        .map(source)
        .collect::<Vec<_>>()
        .join("; then ");
    for finding in &plan.findings {
        if matches!(finding, Finding::PeersLeftOut { group: of, .. } if *of == group.name) {
            from += &format!("; {finding}");
        }
    }
    row("source", &from, lines);
    let listed = match sent.as_slice() {
        [] => "none".to_owned(),
        some => folded(some),
    };
    row("entities", &listed, lines);
    if !skipped.is_empty() {
        let reason = format!("{} (the inventory says version {version})", folded(skipped));
        row("skipped", &reason, lines);
    }
    if !sent.is_empty() {
        let sent = sent.iter().map(|entity| &**entity);
        row("verify", &VerifyMode::of_all_in_words(sent), lines);
    }
    if let Some(served) = served(plan, &group.name) {
        row("serve", &served.to_string(), lines);
    }
    let legacy = (plan.findings.iter())
        .find(|one| matches!(one, Finding::LegacySsh { group: of, .. } if *of == group.name));
    if let Some(legacy) = legacy {
        row("ssh", &legacy.to_string(), lines);
    }
    if let Some(pool) = &one.pool {
        let size = units::size(pool.layout.buffer_size as u64);
        let buffers = count(pool.layout.buffers, "buffer");
        let share = units::size(pool.share);
        row("memory", &format!("{share}: {buffers} of {size}"), lines);
    }
    let policy = group.policy();
    row("laggards", &policy.laggards_in_words(), lines);
    row("retries", &policy.limits.retries_in_words(), lines);
    row("parallel", &policy.parallel_in_words(), lines);
    if let Some(procedure) = &group.procedure {
        row("procedure", &procedure.in_words(), lines);
        row("activate", policy.extent_in_words(), lines);
    }
    campaign(plan, one, now, lines);
}

/// Where some of its entities fetch the image from.
fn served<'a>(plan: &'a Plan, group: &Name) -> Option<&'a Finding> {
    let mut findings = plan.findings.iter();
    findings.find(|one| matches!(one, Finding::Served { group: of, .. } if of == group))
}

/// How it is gone through, and what is to be known before.
fn campaign(plan: &Plan, one: &PlannedGroup, now: Timestamp, lines: &mut Vec<String>) {
    let schedule = schedule(one, now);
    for said in schedule.in_words() {
        row(&said.label, &said.text, lines);
    }
    let of_group = |one_of: &&Finding| matches!(one_of, Finding::NotCompared { group, .. } if *group == one.group.name);
    let notes = plan.findings.iter().filter(of_group).chain(&schedule.notes);
    for note in notes {
        row("note", &note.to_string(), lines);
    }
}

/// Names in short, each fit to be shown. Not `shown` as a whole: a long list is not to be cut.
fn folded(entities: &[Arc<Entity>]) -> String {
    let names: Vec<String> = entities.iter().map(|entity| shown(&entity.name)).collect();
    names::compress(&names).join(", ")
}

fn source(source: &SourceChoice) -> String {
    match source {
        SourceChoice::FileServer(server) => {
            format!("file server {} at {}", shown(&server.name), server.address)
        }
        SourceChoice::File(path) => format!("file {} of this host", shown(path.as_str())),
        SourceChoice::Peer(PeerChoice::Named(peer)) => {
            format!(
                "peer {} at {}, {}",
                shown(&peer.name),
                peer.address,
                shown(peer.path.as_str())
            )
        }
        SourceChoice::Peer(PeerChoice::Any(peers)) => match peers.as_slice() {
            [] => "any peer that has the image, which no entity does by the inventory".into(),
            some => format!("any peer of {}", folded(some)),
        },
    }
}

fn row(label: &str, text: &str, lines: &mut Vec<String>) {
    lines.extend(labelled(&format!("  {label}"), text, 12, COLUMNS));
}

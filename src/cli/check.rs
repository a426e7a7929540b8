//! `subtend check`: validates the inventory and prints the plan, as text or as one JSON object.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::args::CheckArgs;
use super::services::Services;
use super::{Failed, json_line, select};
use crate::headless::text::{count, labelled, wrap};
use crate::model::procedure::{Part, Way};
use crate::model::text::shown;
use crate::model::{
    Entity, Group, GroupSpec, Inventory, Laggards, Name, PeerChoice, SourceChoice, VerifyMode,
    names, units,
};
use crate::plan::{Finding, Plan, PlannedGroup, plan, said, schedule};
use crate::protocol::ProbeCheck;
use crate::protocol::inspect::Findings;

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
        let plan = plan(&inventory, &[], &specs, false);
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

#[derive(Serialize)]
struct Json<'a> {
    memory: u64,
    groups: Vec<JsonGroup<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<&'a Findings<ProbeCheck>>,
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
    /// Those that go on where it fails, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    then: Vec<String>,
    entities: Vec<&'a Name>,
    /// Those of the entities that already have the image.
    skipped: Vec<&'a Name>,
    /// How the others are checked: entities by mode, modes without any left out.
    verify: BTreeMap<&'static str, Vec<&'a Name>>,
    #[serde(flatten)]
    pool: JsonPool,
    #[serde(flatten)]
    policy: JsonPolicy,
    /// What is done beside the image, and how far a run goes with it; nothing where nothing is.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    done: Option<JsonDone<'a>>,
    /// How it is gone through, where that is not as always.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<JsonCampaign>,
}

#[derive(Serialize)]
struct JsonCampaign {
    waves: Vec<JsonWave>,
    /// Entities that are done in one window, where there is one, and windows that all of them take.
    fits: Option<usize>,
    windows: Option<usize>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct JsonWave {
    entities: Vec<Name>,
    /// Not before, at the assumed rate. Null: never.
    begins: Option<Timestamp>,
}

impl JsonCampaign {
    fn of(one: &PlannedGroup, now: Timestamp) -> Option<Self> {
        if one.group.campaign.is_default() {
            return None;
        }
        let schedule = schedule(one, now);
        let waves = schedule.waves.iter().map(|wave| JsonWave {
            entities: wave.entities.iter().map(|one| one.name.clone()).collect(),
            begins: wave.begins,
        });
        Some(Self {
            waves: waves.collect(),
            fits: schedule.fits,
            windows: schedule.windows,
            notes: said(&schedule.notes),
        })
    }
}

#[derive(Serialize)]
struct JsonDone<'a> {
    procedure: JsonProcedure<'a>,
    activate: &'static str,
}

#[derive(Serialize)]
struct JsonProcedure<'a> {
    name: &'a Name,
    session: Option<JsonSession>,
    /// Where requests go, where that is not the entity's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    web: Option<JsonSession>,
    /// The number of steps in each part.
    steps: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct JsonSession {
    way: &'static str,
    port: u16,
    /// Whether passwords can be read on the way.
    clear_text: bool,
}

impl<'a> JsonDone<'a> {
    fn of(group: &'a Group) -> Option<Self> {
        let procedure = group.procedure.as_ref()?;
        let session = procedure.session.as_ref();
        let steps = Part::ALL.map(|part| (part.word(), procedure.part(part).len()));
        Some(Self {
            procedure: JsonProcedure {
                name: &procedure.name,
                session: session.map(|session| JsonSession {
                    way: session.way.word(),
                    port: session.port,
                    clear_text: session.way == Way::Telnet,
                }),
                web: procedure.web.as_ref().map(|web| JsonSession {
                    way: web.scheme.word(),
                    port: web.port,
                    clear_text: !web.scheme.is_encrypted(),
                }),
                steps: steps.into(),
            },
            activate: group.extent.word(),
        })
    }
}

#[derive(Serialize)]
struct JsonPool {
    share: u64,
    buffers: usize,
    buffer_size: u64,
}

#[derive(Serialize)]
struct JsonPolicy {
    laggards: Laggards,
    /// Seconds.
    laggard_limit: f64,
    retries: u32,
    /// Seconds.
    retry_for: f64,
    parallel: Option<usize>,
}

impl<'a> Json<'a> {
    fn new(plan: &'a Plan, online: Option<&'a Findings<ProbeCheck>>, now: Timestamp) -> Self {
        let names = |entities: &'a [Arc<Entity>]| entities.iter().map(|one| &one.name).collect();
        let groups = plan.groups.iter().map(|one| {
            let group = &one.group;
            let mut verify: BTreeMap<_, Vec<_>> = BTreeMap::new();
            for entity in &one.send {
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
                then: group.then.iter().map(SourceChoice::label).collect(),
                entities: names(&group.entities),
                skipped: names(&one.skip),
                verify,
                pool: JsonPool {
                    share: one.pool.map_or(0, |pool| pool.share),
                    buffers: one.pool.map_or(0, |pool| pool.layout.buffers),
                    buffer_size: one.pool.map_or(0, |pool| pool.layout.buffer_size as u64),
                },
                policy: JsonPolicy {
                    laggards: group.laggards,
                    laggard_limit: group.limits.laggard.as_secs_f64(),
                    retries: group.limits.retries,
                    retry_for: group.limits.retry_for.as_secs_f64(),
                    parallel: group.parallel,
                },
                done: JsonDone::of(group),
                campaign: JsonCampaign::of(one, now),
            }
        });
        Self {
            memory: plan.memory,
            groups: groups.collect(),
            online,
        }
    }
}

//! The plan as one JSON object.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::served;
use crate::model::procedure::{Part, Way};
use crate::model::{Entity, Group, Laggards, Name, SourceChoice};
use crate::plan::{Finding, Plan, PlannedGroup, said, schedule};
use crate::protocol::ProbeCheck;
use crate::protocol::inspect::Findings;

#[derive(Serialize)]
pub(super) struct Json<'a> {
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
    /// Where entities fetch it from, and which do; nothing where all are sent it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    served: Option<JsonServed<'a>>,
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
struct JsonServed<'a> {
    serve: BTreeMap<&'static str, String>,
    fetching: &'a [Name],
    /// Seconds that the others wait for one to ask. Null: for as long as it takes.
    gather: Option<f64>,
}

impl<'a> JsonServed<'a> {
    fn of(plan: &'a Plan, group: &Name) -> Option<Self> {
        let Some(Finding::Served { at, by, gather, .. }) = served(plan, group) else {
            return None;
        };
        let at = at.iter().map(|(over, at)| (over.word(), at.to_string()));
        Some(Self {
            serve: at.collect(),
            fetching: by,
            gather: gather.map(|time| time.as_secs_f64()),
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
    pub(super) fn new(
        plan: &'a Plan,
        online: Option<&'a Findings<ProbeCheck>>,
        now: Timestamp,
    ) -> Self {
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
                served: JsonServed::of(plan, &group.name),
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

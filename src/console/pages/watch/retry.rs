//! Trying again what failed: a group of its own, of the entities that did not get the image. The
//! first group may still run: it is done with these.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use thiserror::Error;

use crate::console::asked::{Asked, OfWatch, Retry};
use crate::console::dialogs::{Dialog, Row};
use crate::console::state::Shared;
use crate::model::text::quoted;
use crate::model::{
    DeliveryPolicy, EntityState, GroupSpec, ImageSpec, MadeGroup, Name, SourceSpec,
};
use crate::protocol::{EntitySnapshot, GroupSnapshot, Snapshot};

use super::View;

/// Why nothing is tried again. Groups and images go by their names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum NoRetry {
    #[error("no group was started yet")]
    NoGroup,
    #[error("nothing failed in {}", quoted(.0))]
    NothingFailed(Name),
    /// To be tried again it would have to be made to run what it did not run well.
    #[error("nothing failed in {}, {many} rolled back: its start (2, S) sends to them again", quoted(.group))]
    RolledBack { group: Name, many: usize },
    #[error("nothing is left to try again in {}: a later group has it", quoted(.0))]
    TakenUp(Name),
    #[error("the image {} is not known any more", quoted(.0))]
    UnknownImage(Name),
}

/// # Errors
/// There is nothing to try again, or it can't be done now.
pub(super) fn retry(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    at: usize,
) -> Result<Retry, NoRetry> {
    let group = snapshot.groups.get(at).ok_or(NoRetry::NoGroup)?;
    let later = taken_up(snapshot, at);
    let entities: Vec<String> = (group.entities.iter())
        .filter(|one| matches!(one.state, EntityState::Failed | EntityState::Cancelled))
        .filter(|one| !later.contains(&*one.entity))
        .map(|one| one.entity.to_string())
        .collect();
    if entities.is_empty() {
        let back = |one: &&EntitySnapshot| one.state == EntityState::RolledBack;
        let many = group.entities.iter().filter(back).count();
        return Err(match later.is_empty() {
            true if many > 0 => NoRetry::RolledBack {
                group: group.group.clone(),
                many,
            },
            true => NoRetry::NothingFailed(group.group.clone()),
            false => NoRetry::TakenUp(group.group.clone()),
        });
    }
    let inventory = &shared.site.inventory;
    let origin =
        origin(view, shared, group).ok_or_else(|| NoRetry::UnknownImage(group.image.clone()))?;
    let force = entities.iter().any(|name| {
        let entity = inventory.entity(name);
        entity.is_some_and(|entity| entity.version == group.version)
    });
    let spec = GroupSpec::Made(MadeGroup {
        name: free_name(view, shared, snapshot, &group.group),
        entities: entities.clone(),
        ..origin
    });
    Ok(Retry {
        spec,
        force,
        entities,
    })
}

/// Entities that a later group gave, or gives, the same image.
fn taken_up(snapshot: &Snapshot, at: usize) -> HashSet<&str> {
    let image = snapshot.groups.get(at).map(|group| &group.image);
    (snapshot.groups.iter().skip(at + 1))
        .filter(|later| Some(&later.image) == image)
        .flat_map(|later| &later.entities)
        .filter(|one| !matches!(one.state, EntityState::Failed | EntityState::Cancelled))
        .map(|one| &*one.entity)
        .collect()
}

/// What the group was made from: as it was started here, as it is in the inventory, or as the
/// engine tells.
pub(super) fn origin(view: &View, shared: &Shared, group: &GroupSnapshot) -> Option<MadeGroup> {
    known(view, shared, group).or_else(|| {
        let image = shared.site.inventory.image(&group.image)?;
        Some(MadeGroup {
            name: group.group.to_string(),
            image: ImageSpec::Named(image.name.to_string()),
            source: SourceSpec::from_label(&group.source),
            then: Vec::new(),
            entities: Vec::new(),
            policy: DeliveryPolicy {
                laggards: group.laggards,
                ..DeliveryPolicy::default()
            },
            campaign: Box::default(),
        })
    })
}

/// As it was started here, or as it is described, where that is known here.
pub(super) fn known(view: &View, shared: &Shared, group: &GroupSnapshot) -> Option<MadeGroup> {
    let inventory = &shared.site.inventory;
    let drafts = shared.drafts.iter().map(|draft| &draft.spec);
    let mut known = (view.started.get(&*group.group).into_iter())
        .chain(drafts.filter(|spec| spec.name() == &*group.group))
        .filter_map(|spec| match spec {
            GroupSpec::Made(made) => Some(made.clone()),
            GroupSpec::Named(name) => inventory.group(name).map(|group| MadeGroup {
                name: name.clone(),
                image: ImageSpec::Named(group.image.name.to_string()),
                source: SourceSpec::of(&group.source),
                then: group.then.iter().map(SourceSpec::of).collect(),
                entities: Vec::new(),
                policy: group.policy(),
                campaign: Box::new((*group.campaign).clone()),
            }),
        });
    // A draft may have been given another image since.
    known.find(|made| made.image.name() == &*group.image)
}

/// The same name with `-retry` behind it, and a number where that is taken.
fn free_name(view: &View, shared: &Shared, snapshot: &Snapshot, name: &str) -> String {
    let base = match name.rsplit_once("-retry") {
        Some((base, rest))
            if rest
                .trim_start_matches('-')
                .chars()
                .all(|c| c.is_ascii_digit()) =>
        {
            base
        }
        _ => name,
    };
    let taken: HashSet<&str> = (snapshot.groups.iter().map(|group| &*group.group))
        .chain(shared.drafts.iter().map(|draft| draft.spec.name()))
        .chain(view.started.keys().map(String::as_str))
        .collect();
    std::iter::once(format!("{base}-retry"))
        .chain((2..).map(|number| format!("{base}-retry-{number}")))
        .find(|name| !taken.contains(name.as_str()))
        .unwrap_or_default()
}

/// Of these entities alone; `None` where there are none.
pub(super) fn of(retry: Retry, entities: Vec<String>) -> Option<Vec<GroupSpec>> {
    let mut spec = retry.spec;
    if let GroupSpec::Made(made) = &mut spec {
        made.entities = entities;
        (!made.entities.is_empty()).then_some(())?;
    }
    Some(vec![spec])
}

/// Which are tried again. Those are ticked for which that may help.
pub(super) fn question(retry: Retry, group: &GroupSnapshot) -> Dialog {
    let known: BTreeMap<&str, &EntitySnapshot> = (group.entities.iter())
        .map(|one| (&*one.entity, one))
        .collect();
    let helps = |one: &EntitySnapshot| one.hint.as_ref().is_none_or(|hint| hint.may_pass);
    let mut ticked = BTreeSet::new();
    let mut rows: Vec<(bool, Row)> = Vec::new();
    for name in &retry.entities {
        let entity = known.get(name.as_str());
        let may_pass = entity.is_none_or(|one| helps(one));
        if may_pass {
            ticked.insert(name.clone());
        }
        let cause = entity.and_then(|one| one.cause.as_deref());
        let cause = match (entity.map(|one| one.state), cause) {
            (Some(EntityState::Cancelled), None) => "cancelled",
            (_, cause) => cause.unwrap_or_default(),
        };
        let advice = entity.and_then(|one| one.hint.as_ref()?.advice.as_deref());
        let detail = match (may_pass, advice) {
            (true, _) => cause.to_owned(),
            (false, Some(advice)) => format!("{cause}: {advice}"),
            (false, None) => format!("stays: {cause}"),
        };
        let row = Row {
            label: name.clone(),
            detail,
            value: name.clone(),
        };
        rows.push((may_pass, row));
    }
    // Those for which it helps stand first, in the order of the group.
    rows.sort_by_key(|(may_pass, _)| !may_pass);
    let title = format!(
        "Try again as {}: {} of {}",
        retry.spec.name(),
        ticked.len(),
        rows.len()
    );
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Dialog::ticks(
        title,
        rows,
        ticked,
        Asked::Watch(OfWatch::Retry(Box::new(retry))),
    )
}

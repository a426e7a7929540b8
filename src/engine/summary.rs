//! The whole run in figures, at its end.

use jiff::Timestamp;

use crate::model::Outcome;
use crate::protocol::{
    EntitySnapshot, EntitySummary, GroupPhase, GroupSnapshot, GroupSummary, Snapshot, Summary,
};

use super::state::outcome;

/// The summary of a snapshot, after a number of seconds. Of groups that still run it shows how they stand.
pub fn summary(snapshot: &Snapshot, seconds: f64) -> Summary {
    let entities = || snapshot.groups.iter().flat_map(|group| &group.entities);
    let is_stopped =
        (snapshot.groups.iter()).any(|group| group.phase == GroupPhase::Ended(Outcome::Cancelled));
    Summary {
        at: Timestamp::now(),
        run: snapshot.run.clone(),
        outcome: outcome(entities().map(|entity| entity.state), is_stopped),
        seconds: rounded(seconds),
        memory: snapshot.memory,
        peak_pool_bytes: snapshot.peak_pool_bytes,
        source_bytes: snapshot.groups.iter().map(|group| group.source_bytes).sum(),
        delivered_bytes: entities().map(|entity| entity.confirmed).sum(),
        delivered_unproven: snapshot.groups.iter().map(|group| group.unproven()).sum(),
        groups: snapshot
            .groups
            .iter()
            .map(|group| of_group(group))
            .collect(),
    }
}

fn of_group(group: &GroupSnapshot) -> GroupSummary {
    GroupSummary {
        group: group.group.clone(),
        image: group.image.clone(),
        source: group.source.clone(),
        size: group.size,
        sha256: group.sha256.clone(),
        seconds: rounded(group.seconds),
        source_bytes: group.source_bytes,
        passes: group.passes,
        delivered_unproven: group.unproven(),
        campaign: (group.campaign.as_deref()).map(|campaign| Box::new(campaign.into())),
        entities: group.entities.iter().map(of_entity).collect(),
    }
}

fn of_entity(entity: &EntitySnapshot) -> EntitySummary {
    EntitySummary {
        entity: entity.entity.clone(),
        state: entity.state,
        step: if entity.cause.is_some() {
            entity.step
        } else {
            None
        },
        bytes: entity.confirmed,
        seconds: rounded(entity.seconds),
        attempts: entity.attempt,
        staged: entity.staged,
        verified: entity.verified,
        cause: entity.cause.clone(),
        holds: entity.holds,
        runs: entity.runs.clone(),
        left: entity.left.clone(),
    }
}

/// Seconds to the millisecond: more digits say nothing.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

//! Which entities of a group begin together, and in which order.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use crate::model::Entity;
use crate::model::campaign::{Campaign, OrderBy, Wave};
use crate::model::names::natural;

/// Places in the group, in the order in which they begin, wave by wave. Every place is in one wave, and no wave is
/// empty: what the sizes leave over is one more wave, and a size for which nobody is left makes none.
pub fn waves(campaign: &Campaign, entities: &[Arc<Entity>]) -> Vec<Vec<usize>> {
    let order = order(campaign, entities);
    let mut sets = sets(campaign, entities, &order).into_iter().peekable();
    let mut waves = Vec::new();
    for wave in campaign.waves.iter().chain([&Wave::Rest]) {
        let size = match wave {
            Wave::Count(count) => *count,
            Wave::Percent(percent) => percent.of(entities.len()),
            Wave::Rest => usize::MAX,
        };
        let mut ranks = Vec::new();
        while ranks.len() < size {
            let Some(set) = sets.next() else { break };
            ranks.extend(set);
        }
        // Sets may lie in each other.
        ranks.sort_unstable();
        if !ranks.is_empty() {
            waves.push(ranks.into_iter().map(|rank| order[rank]).collect());
        }
    }
    waves
}

/// All places, sorted by each label in turn; those that are equal in all of them stay as they are in the group.
fn order(campaign: &Campaign, entities: &[Arc<Entity>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..entities.len()).collect();
    order.sort_by(|a, b| {
        let by = campaign.order.iter();
        by.map(|by| compare(by, &entities[*a], &entities[*b]))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    order
}

fn compare(by: &OrderBy, a: &Entity, b: &Entity) -> Ordering {
    let value = |entity: &Entity| entity.labels.get(&by.label).cloned();
    match (value(a), value(b)) {
        (Some(a), Some(b)) => {
            // One that is not listed has a rank behind all that are.
            let rank = |value: &String| {
                let listed = by.values.iter().position(|one| one == value);
                listed.unwrap_or(by.values.len())
            };
            rank(&a).cmp(&rank(&b)).then_with(|| natural(&a, &b))
        }
        // Without the label, last.
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

/// Ranks in the order that stay together, in the order of their first.
fn sets(campaign: &Campaign, entities: &[Arc<Entity>], order: &[usize]) -> Vec<Vec<usize>> {
    let mut sets: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (rank, place) in order.iter().enumerate() {
        let by = campaign.by.as_ref();
        let value = by.and_then(|label| entities[*place].labels.get(label));
        let set = value.map(|value| *known.entry(value).or_insert(sets.len()));
        match set.and_then(|set| sets.get_mut(set)) {
            Some(set) => set.push(rank),
            None => sets.push(vec![rank]),
        }
    }
    sets
}

#[cfg(test)]
mod tests;

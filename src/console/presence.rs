//! Which image entities are known to have got, from earlier runs and from this engine: that goes before the version of
//! the inventory, which somebody has to write by hand. The engine asks such an entity before it skips it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::model::{Entity, EntityState, Group, Holds, Image, Memories, Name};
use crate::protocol::{EntitySnapshot, Snapshot};

#[derive(Debug, Clone, Default)]
pub(crate) struct Presence {
    /// Of earlier runs, as the console was opened.
    earlier: Memories,
    /// Of this engine.
    seen: HashMap<Name, Seen>,
}

/// What an entity was left with by the newest group that it was in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Has {
        image: Name,
        version: String,
        /// It holds the image and runs another version.
        runs: Option<String>,
    },
    /// It may hold anything: what was known before counts no more.
    Unknown,
}

impl Presence {
    pub(crate) fn new(earlier: Memories) -> Self {
        Self {
            earlier,
            seen: HashMap::new(),
        }
    }

    /// What the groups of a snapshot have come to.
    pub(crate) fn observe(&mut self, snapshot: &Snapshot) {
        for group in &snapshot.groups {
            for entity in &group.entities {
                let seen = match left_with(entity) {
                    Some(true) => Seen::Has {
                        image: group.image.clone(),
                        version: group.version.clone(),
                        runs: entity.runs.clone(),
                    },
                    Some(false) => Seen::Unknown,
                    None => continue,
                };
                if self.seen.get(&entity.entity) != Some(&seen) {
                    self.seen.insert(entity.entity.clone(), seen);
                }
            }
        }
    }

    /// The version that is on an entity now, as far as is known.
    pub(crate) fn version<'a>(&'a self, entity: &'a Entity) -> Cow<'a, str> {
        match self.seen.get(&entity.name) {
            Some(Seen::Has { version, runs, .. }) => runs.as_ref().unwrap_or(version).into(),
            Some(Seen::Unknown) => (&*entity.version).into(),
            None => match self.earlier.0.get(&entity.name) {
                Some(known) if known.type_ == entity.type_ => (&*known.version).into(),
                _ => (&*entity.version).into(),
            },
        }
    }

    /// Whether it is known to have got the image of a group, whatever the inventory says.
    pub(crate) fn has(&self, entity: &Entity, group: &Group) -> bool {
        let image: &Image = &group.image;
        match self.seen.get(&entity.name) {
            Some(Seen::Has {
                image: had,
                version,
                ..
            }) => *had == image.name && *version == image.version,
            Some(Seen::Unknown) => false,
            None => self.earlier.of(entity, image).is_some(),
        }
    }
}

/// Whether it was left with the image; `None` where that has not changed, or not yet.
fn left_with(entity: &EntitySnapshot) -> Option<bool> {
    match entity.state {
        EntityState::Failed | EntityState::Cancelled => match entity.holds {
            Some(Holds::New) => Some(true),
            Some(Holds::Old) => None,
            _ if entity.sent == 0 => None,
            _ => Some(false),
        },
        state if state.has_image() || state == EntityState::RolledBack => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::testing;

    #[test]
    fn what_was_delivered_goes_before_the_inventory_until_it_is_in_doubt() {
        let inventory = testing::inventory(testing::SITE);
        let entity = |name: &str| inventory.entity(name).unwrap().clone();
        let group = Arc::new(inventory.group("adsl").unwrap().clone());
        let mut presence = Presence::default();
        let mut snapshot = testing::snapshot();
        presence.observe(&snapshot);
        // Delivered, under way, failed in the middle, skipped as the inventory says that it has it.
        for (name, version, has) in [
            ("shelf1-02", "2.4", true),
            ("shelf1-01", "2.3", false),
            ("shelf1-05", "2.3", false),
            ("shelf1-08", "2.4", false),
        ] {
            let entity = entity(name);
            assert_eq!(presence.version(&entity), version, "{name}");
            assert_eq!(presence.has(&entity, &group), has, "{name}");
        }
        // A later group has left it in doubt.
        let failed = testing::entity("shelf1-02", EntityState::Failed, 5);
        (snapshot.groups).push(testing::group("again", vec![failed]).into());
        presence.observe(&snapshot);
        assert!(!presence.has(&entity("shelf1-02"), &group));
    }
}

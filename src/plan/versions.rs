//! Whether the image may be put on what entities run, by their versions in the inventory.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::campaign::{Downgrade, Fit};
use crate::model::procedure::Versions;
use crate::model::{Entity, Group, Name};

use super::blocker::{Blocker, Finding};

/// Entities by the version that they run.
pub(super) type ByVersion = Vec<(String, Vec<Name>)>;

/// Why the image must not be put on these entities of the group: it is older than what they run, or they don't run what
/// it may be put on. That entities are to get it again (`force`) does not mean that they may get an older one.
pub(super) fn blockers(group: &Group, send: &[Arc<Entity>], versions: Versions) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    let (campaign, image) = (&group.campaign, &group.image);
    let fit = Fit {
        campaign,
        versions,
        image: &image.version,
    };
    let newer = by_version(send, |version| fit.is_downgrade(version));
    if !newer.is_empty() {
        blockers.push(Blocker::Downgrade {
            group: group.name.to_string(),
            image: image.name.clone(),
            version: image.version.clone(),
            newer,
        });
    }
    if let Some(from) = &campaign.from {
        let others = by_version(send, |version| fit.is_foreign(version));
        if !others.is_empty() {
            blockers.push(Blocker::NotFrom {
                group: group.name.to_string(),
                image: image.name.clone(),
                from: from.clone(),
                others,
            });
        }
    }
    blockers
}

/// Entities of which nobody can say whether the image is older than what they run, where that is asked.
pub(super) fn finding(group: &Group, send: &[Arc<Entity>], versions: Versions) -> Option<Finding> {
    if versions == Versions::None || group.campaign.downgrade == Downgrade::Allow {
        return None;
    }
    let image = &group.image.version;
    let unknown = by_version(send, |version| versions.compare(version, image).is_none());
    (!unknown.is_empty()).then(|| Finding::NotCompared {
        group: group.name.clone(),
        version: image.clone(),
        how: versions,
        unknown,
    })
}

fn by_version(send: &[Arc<Entity>], is_meant: impl Fn(&str) -> bool) -> ByVersion {
    let mut found: BTreeMap<&str, Vec<Name>> = BTreeMap::new();
    for entity in send.iter().filter(|entity| is_meant(&entity.version)) {
        let names = found.entry(&entity.version).or_default();
        names.push(entity.name.clone());
    }
    let found = found.into_iter();
    found
        .map(|(version, names)| (version.to_owned(), names))
        .collect()
}

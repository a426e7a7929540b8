//! From a group as a command names it to a group that can be run, or a sentence that says why not.

use std::sync::Arc;

use crate::inventory::{SourceWanted, make_group};
use crate::link::{GroupSpec, SourceSpec};
use crate::model::{Group, Inventory};

pub(super) fn resolve(inventory: &Inventory, spec: &GroupSpec) -> Result<Arc<Group>, String> {
    match spec {
        GroupSpec::Named(name) => inventory
            .group(name)
            .cloned()
            .ok_or_else(|| format!("the inventory has no group `{name}`")),
        GroupSpec::Made {
            name,
            image,
            source,
            entities,
            laggards,
            parallel,
        } => {
            let source = match source {
                SourceSpec::FileServer(name) => SourceWanted::FileServer(name.clone()),
                SourceSpec::Peer(name) => SourceWanted::Peer(name.clone()),
                SourceSpec::AnyPeer => SourceWanted::AnyPeer,
            };
            make_group(
                inventory, name, image, source, entities, *laggards, *parallel,
            )
            .map(Arc::new)
            .map_err(|reasons| reasons.join("; "))
        }
    }
}

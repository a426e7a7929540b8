//! From a group as a command names it to a group that can be run, or a sentence that says why not.

use std::sync::Arc;

use crate::inventory::{find_group, make_group};
use crate::link::GroupSpec;
use crate::model::{Group, Inventory};

pub(super) fn resolve(inventory: &Inventory, spec: &GroupSpec) -> Result<Arc<Group>, String> {
    match spec {
        GroupSpec::Named(name) => find_group(inventory, name).cloned(),
        GroupSpec::Made {
            name,
            image,
            source,
            entities,
            laggards,
            parallel,
        } => {
            let source = source.clone();
            make_group(
                inventory, name, image, source, entities, *laggards, *parallel,
            )
            .map(Arc::new)
            .map_err(|reasons| reasons.join("; "))
        }
    }
}

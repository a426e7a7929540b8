//! Making devices run an image that they hold: who holds it, as far as this engine's runs tell.

use std::collections::HashMap;

use crate::model::text::quoted;
use crate::model::{EntityState, Holds, Inventory};
use crate::protocol::{EntitySnapshot, Snapshot};

/// Whether devices of a type can be made to run an image.
///
/// # Errors
/// Why not, in words.
pub(crate) fn can_activate(inventory: &Inventory, type_: &str) -> Result<(), String> {
    let procedure = inventory.procedure(type_);
    match procedure.is_some_and(|procedure| !procedure.activate.is_empty()) {
        true => Ok(()),
        false => Err(format!(
            "no procedure says how devices of type {} are made to run an image",
            quoted(type_)
        )),
    }
}

/// Of these entities, those that hold the image and are still to run it; one of which no run of this engine knows
/// is left to the engine's journal.
pub(crate) fn holders<'a>(
    snapshot: &Snapshot,
    image: &str,
    names: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let mut newest: HashMap<&str, &EntitySnapshot> = HashMap::new();
    for group in snapshot
        .groups
        .iter()
        .filter(|group| &*group.image == image)
    {
        newest.extend(group.entities.iter().map(|one| (&*one.entity, one)));
    }
    let holds = |name: &&str| newest.get(name).is_none_or(|one| is_holder(one));
    names.filter(holds).map(str::to_owned).collect()
}

/// One that was rolled back may not start with the image: it is no member of a group that is activated as a whole.
fn is_holder(entity: &EntitySnapshot) -> bool {
    match entity.state {
        EntityState::Delivered | EntityState::Skipped => true,
        EntityState::Failed | EntityState::Cancelled => entity.holds == Some(Holds::New),
        _ => false,
    }
}

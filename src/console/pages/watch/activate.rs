//! Making devices run the image that they hold: the group, or the one under the cursor.

use crate::console::activation::{can_activate, holders};
use crate::console::state::Shared;
use crate::model::text::quoted;
use crate::model::{Extent, GroupSpec, ImageSpec};
use crate::protocol::{GroupSnapshot, Snapshot};

use super::{View, retry, selected};

/// What the review is to show.
///
/// # Errors
/// Nothing can be activated; why, in words.
pub(super) fn spec(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    group: &GroupSnapshot,
) -> Result<GroupSpec, String> {
    let inventory = &shared.site.inventory;
    let mut made = retry::origin(view, shared, group)
        .ok_or_else(|| format!("the image {} is not known any more", quoted(&group.image)))?;
    let type_ = match &made.image {
        ImageSpec::Described { type_, .. } => Some(&**type_),
        ImageSpec::Named(name) => inventory.image(name).map(|image| &*image.type_),
    };
    can_activate(inventory, type_.unwrap_or_default())?;
    let one = selected(view, group);
    let names = group.entities.iter().map(|one| &*one.entity);
    made.entities = match one {
        Some(one) => holders(snapshot, &group.image, std::iter::once(&*one.entity)),
        None => holders(snapshot, &group.image, names),
    };
    if made.entities.is_empty() {
        return Err(match one {
            Some(one) => format!(
                "{} is {}: it is not to be made to run the image",
                quoted(&one.entity),
                one.state
            ),
            None => format!(
                "nobody in {} holds the image and is still to run it",
                quoted(&group.group)
            ),
        });
    }
    made.name = group.group.to_string();
    made.policy.extent = Extent::Activate;
    Ok(GroupSpec::Made(made))
}

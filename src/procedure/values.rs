//! What placeholders stand for, for one entity of one run.

use crate::model::procedure::{Placeholder, Values};
use crate::model::{Entity, Image};

/// The values of an entity that gets an image.
pub fn values(entity: &Entity, image: &Image, run: &str) -> Values {
    let mut values = values_without_image(entity, run);
    values.insert(Placeholder::Image, image.name.to_string());
    values.insert(Placeholder::Version, image.version.clone());
    values
}

/// Those that are known although no image was chosen.
pub fn values_without_image(entity: &Entity, run: &str) -> Values {
    let labels = entity.labels.iter();
    let labels = labels.map(|(label, value)| (Placeholder::Label(label.clone()), value.clone()));
    let known = [
        (Placeholder::Entity, entity.name.to_string()),
        (Placeholder::Address, entity.address.host.clone()),
        (Placeholder::Path, entity.path.to_string()),
        (Placeholder::Previous, entity.version.clone()),
        (Placeholder::Run, run.to_owned()),
    ];
    known.into_iter().chain(labels).collect()
}

/// The same, of a device that is to say that it runs its previous version again.
pub(super) fn back(values: &Values) -> Values {
    let mut values = values.clone();
    if let Some(previous) = values.get(&Placeholder::Previous).cloned() {
        values.insert(Placeholder::Version, previous);
    }
    values
}

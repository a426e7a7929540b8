//! Entities that hold an image because this run delivered it to them: sources for later passes and
//! for other groups that want the same image (\[0027\], \[0028\]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Entity, Image, Name};

/// Who holds what, for all groups of a run. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holders(Arc<Mutex<Vec<Held>>>);

type Held = (Arc<Image>, Arc<Entity>);

impl Holders {
    /// The entity was delivered, and its copy verified.
    pub(crate) fn add(&self, image: &Arc<Image>, entity: &Arc<Entity>) {
        let mut held = self.lock();
        held.retain(|(_, holder)| holder.name != entity.name);
        held.push((image.clone(), entity.clone()));
    }

    /// The entity is about to be written.
    pub(crate) fn forget(&self, entity: &Name) {
        self.lock().retain(|(_, holder)| holder.name != *entity);
    }

    /// Those that hold the image, in the order in which they got it.
    pub(crate) fn of(&self, image: &Image) -> Vec<Arc<Entity>> {
        (self.lock().iter())
            .filter(|(held, _)| **held == *image)
            .map(|(_, holder)| holder.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

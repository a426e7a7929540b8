//! Steps of earlier tries of which it is not known what they came to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Entity, Image, Name};

use super::course::PastStep;

/// Those of one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSteps {
    /// Where the entity was, and what it was made to run.
    pub address: String,
    pub path: String,
    pub version: String,
    /// In order.
    pub steps: Vec<PastStep>,
}

impl OpenSteps {
    pub fn new(entity: &Entity, image: &Image, steps: Vec<PastStep>) -> Self {
        Self {
            address: entity.address.to_string(),
            path: entity.path.to_string(),
            version: image.version.clone(),
            steps,
        }
    }
}

/// Those of all entities, as far as this process knows.
#[derive(Debug, Clone, Default)]
pub struct AllOpenSteps(Arc<Mutex<HashMap<Name, OpenSteps>>>);

impl AllOpenSteps {
    pub fn new(known: HashMap<Name, OpenSteps>) -> Self {
        Self(Arc::new(Mutex::new(known)))
    }

    /// Of an entity that is still where it was, and the same image.
    pub fn of(&self, entity: &Entity, image: &Image) -> Vec<PastStep> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |known: &&OpenSteps| {
            let wanted = OpenSteps::new(entity, image, Vec::new());
            (&known.address, &known.path, &known.version)
                == (&wanted.address, &wanted.path, &wanted.version)
        };
        let found = known.get(&entity.name).filter(is_same);
        found.map(|known| known.steps.clone()).unwrap_or_default()
    }

    /// What is open now; with no steps, nothing is.
    pub fn set(&self, entity: &Entity, image: &Image, steps: Vec<PastStep>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match steps.is_empty() {
            true => known.remove(&entity.name),
            false => known.insert(entity.name.clone(), OpenSteps::new(entity, image, steps)),
        };
    }
}

//! Which entities this run has locked for itself, from before the first touch to the final state.

use crate::journal::locks::{EntityLock, NotLocked};
use crate::protocol::Event;

use super::Locks;

impl Locks {
    /// Lets those go that have a final state.
    pub(super) fn follow(&mut self, event: &Event) {
        match event {
            Event::Run { run, .. } => self.run.clone_from(run),
            Event::State { entity, state, .. } if state.is_final() => {
                if let Some(entity) = self.inventory.entity(entity) {
                    let file = (entity.address.to_string(), entity.path.to_string());
                    self.held.remove(&file);
                }
            }
            _ => {}
        }
    }

    /// # Errors
    /// Who has it.
    pub(super) fn take(
        &mut self,
        address: String,
        path: String,
        for_run: bool,
    ) -> Result<Option<EntityLock>, String> {
        let file = (address, path);
        let Some(state_dir) = &self.state_dir else {
            return Ok(None);
        };
        if self.held.contains_key(&file) {
            return Ok(None);
        }
        let run = for_run.then_some(self.run.as_str());
        match EntityLock::acquire(state_dir, &file.0, &file.1, run) {
            Ok(lock) if for_run => {
                self.held.insert(file, lock);
                Ok(None)
            }
            Ok(lock) => Ok(Some(lock)),
            Err(NotLocked::Busy { by }) => Err(by),
            // Nobody is kept from its image by a full disk.
            Err(error) => {
                tracing::warn!("{error}; another run would not be kept off the same entity");
                Ok(None)
            }
        }
    }
}

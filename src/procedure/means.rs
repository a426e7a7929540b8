//! What a process has to carry procedures out with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::model::serve::Serve;
use crate::model::{Entity, Logins, Procedure};
use crate::transport::serve::SharedDesk;

use super::device::Target;
use super::ledger::{Ledger, Unwritten};
use super::open_steps::AllOpenSteps;

/// Sessions with command lines that are open at one time: more are of no use on a host of two cores.
const SESSIONS: usize = 64;

/// The folder of what is read from devices to be kept: one of its own, so that nothing of it can take the place of what
/// else stands in the state directory. Without one, below the folder of the inventory.
pub fn kept(state_dir: Option<&Path>, folder: &Path) -> PathBuf {
    state_dir.unwrap_or(folder).join("kept")
}

#[derive(Debug, Clone)]
pub struct Means {
    pub ledger: Arc<dyn Ledger>,
    pub open: AllOpenSteps,
    /// Below it stands what is read from devices to be kept.
    pub keep: PathBuf,
    /// Of the inventory: where the names of programs begin.
    pub folder: PathBuf,
    /// Taken while a session is open.
    pub sessions: Arc<Semaphore>,
    /// Where devices fetch their image.
    pub desk: SharedDesk,
}

impl Means {
    pub fn new(
        ledger: Arc<dyn Ledger>,
        open: AllOpenSteps,
        keep: PathBuf,
        folder: PathBuf,
    ) -> Self {
        // That of an inventory in the working directory: no program can be started in a directory without a name.
        let folder = match folder.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => folder,
        };
        Self {
            ledger,
            open,
            keep,
            folder,
            sessions: Arc::new(Semaphore::new(SESSIONS)),
            desk: SharedDesk::default(),
        }
    }

    /// With what the inventory says of where devices fetch their image.
    pub fn serving(self, serve: Serve) -> Self {
        let desk = SharedDesk::new(serve);
        Self { desk, ..self }
    }

    /// What is done on an entity, and what is needed for that.
    pub fn target(
        &self,
        entity: &Arc<Entity>,
        procedure: &Arc<Procedure>,
        logins: &Arc<Logins>,
    ) -> Target {
        Target {
            entity: entity.clone(),
            procedure: procedure.clone(),
            logins: logins.clone(),
            keep: self.keep.clone(),
            folder: self.folder.clone(),
            sessions: self.sessions.clone(),
        }
    }

    /// Nothing is written down, and what is kept stands below the folder of the inventory.
    pub fn unwritten(folder: PathBuf) -> Self {
        let keep = folder.clone();
        Self::new(Arc::new(Unwritten), AllOpenSteps::default(), keep, folder)
    }
}

//! Whether the process of a run is still there: it holds a lock that the system takes from it when
//! it ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::store;

/// Held for as long as this lives. The file is removed with it, in good order; it stays when the
/// process is killed.
#[derive(Debug)]
pub(super) struct Alive {
    path: PathBuf,
    doubted: PathBuf,
    is_doubted: bool,
    _locked: File,
}

fn path(state_dir: &Path, run: &str) -> PathBuf {
    state_dir.join("runs").join(format!("{run}.lock"))
}

/// What the file is called while the journal can't be written.
fn doubted(state_dir: &Path, run: &str) -> PathBuf {
    state_dir.join("runs").join(format!("{run}.doubt"))
}

impl Alive {
    pub(super) fn new(state_dir: &Path, run: &str) -> io::Result<Self> {
        let path = path(state_dir, run);
        store::make_folder(&state_dir.join("runs"))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                path,
                doubted: doubted(state_dir, run),
                is_doubted: false,
                _locked: file,
            }),
            Err(TryLockError::WouldBlock) => Err(io::Error::other("another process has this run")),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Entities are changed although the journal does not say so: should the process be killed
    /// now, nothing that it says of them is certain. A new name needs no room on a full disk.
    pub(super) fn doubt(&mut self, doubted: bool) {
        let (from, to) = match doubted {
            true => (&self.path, &self.doubted),
            false => (&self.doubted, &self.path),
        };
        if self.is_doubted != doubted {
            match std::fs::rename(from, to) {
                Ok(()) => self.is_doubted = doubted,
                Err(error) => tracing::warn!("{} can't be renamed: {error}", from.display()),
            }
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // One that stays says nothing: nobody holds it. One in doubt says that records are missing.
        if !self.is_doubted {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether a process has this run. What can't be known counts as yes: nobody may take it over.
pub(super) fn is_alive(state_dir: &Path, run: &str) -> bool {
    let held = |path: PathBuf| match OpenOptions::new().read(true).open(path) {
        // Shared: processes that look do not take each other for the holder.
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    held(path(state_dir, run)) || held(doubted(state_dir, run))
}

/// Whether its process ended while the journal could not be written.
pub(super) fn is_doubted(state_dir: &Path, run: &str) -> bool {
    doubted(state_dir, run).exists()
}

/// Removes what a killed process left.
pub(super) fn forget(state_dir: &Path, run: &str) {
    if !is_alive(state_dir, run) {
        let _ = std::fs::remove_file(path(state_dir, run));
        let _ = std::fs::remove_file(doubted(state_dir, run));
    }
}

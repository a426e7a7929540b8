//! Where an engine is found: a socket and a lock, one of each per state directory. The process that holds
//! the lock is the engine; a socket whose lock none holds was left by one that was killed.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::getuid;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::net::UnixListener;

/// What a path of a socket may have, the 0 at its end not counted (unix(7); less elsewhere).
const LONGEST_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// An engine that is ending is waited for.
const ENDING: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub enum PlaceError {
    #[error("{} can't be used for the engine's socket: {reason}", .path.display())]
    Io { path: PathBuf, reason: io::Error },
    #[error(
        "{} is not for this user alone, and the engine's socket must not lie there; \
         `chmod 700` it if it is yours, or set XDG_RUNTIME_DIR",
        .path.display()
    )]
    Open { path: PathBuf },
    #[error(
        "the path {} is too long for a socket; set XDG_RUNTIME_DIR, or name a shorter --state-dir",
        .path.display()
    )]
    TooLong { path: PathBuf },
    #[error("an engine (process {process}) runs for this state directory already")]
    Taken { process: String },
}

/// The socket and the lock for one state directory. Neither need be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub socket: PathBuf,
    pub lock: PathBuf,
}

impl Place {
    /// For a state directory, which is made if it is not there: in a folder of its own below
    /// `runtime` (`$XDG_RUNTIME_DIR`), or else below the state directory.
    ///
    /// # Errors
    /// When there is no folder for this user alone.
    pub fn of(state_dir: &Path, runtime: Option<&Path>) -> Result<Self, PlaceError> {
        make(state_dir)?;
        let known = std::fs::canonicalize(state_dir).map_err(failed(state_dir))?;
        let runtime = runtime.filter(|runtime| runtime.is_absolute() && runtime.is_dir());
        let folder = match runtime {
            Some(runtime) => runtime.join("subtend"),
            None => known.join("engine"),
        };
        make(&folder)?;
        let metadata = std::fs::symlink_metadata(&folder).map_err(failed(&folder))?;
        let is_ours = metadata.is_dir() && metadata.uid() == getuid().as_raw();
        if !is_ours || metadata.mode() & 0o077 != 0 {
            return Err(PlaceError::Open { path: folder });
        }
        let digest = Sha256::digest(known.as_os_str().as_encoded_bytes());
        let name = hex::encode(&digest[..8]);
        let socket = folder.join(format!("{name}.sock"));
        if socket.as_os_str().len() > LONGEST_PATH {
            return Err(PlaceError::TooLong { path: socket });
        }
        Ok(Self {
            socket,
            lock: folder.join(format!("{name}.lock")),
        })
    }

    /// Takes the place, and begins to listen. A socket that a killed engine left is removed. Waits
    /// for one that is ending.
    ///
    /// # Errors
    /// When another engine has it.
    pub fn claim(&self) -> Result<Claimed, PlaceError> {
        let began = Instant::now();
        let lock = loop {
            if let Some(lock) = self.try_lock()? {
                break lock;
            }
            if began.elapsed() > ENDING {
                let process = std::fs::read_to_string(&self.lock).unwrap_or_default();
                let process = process.trim().to_owned();
                return Err(PlaceError::Taken { process });
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let claimed = |socket: Option<UnixListener>| Claimed {
            place: self.clone(),
            listener: socket,
            _lock: lock,
        };
        let mut claimed = claimed(None);
        match std::fs::remove_file(&self.socket) {
            Ok(()) => tracing::info!(
                "removed {}, which an engine that was killed had left",
                self.socket.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&self.socket)(error)),
        }
        let listener = UnixListener::bind(&self.socket).map_err(failed(&self.socket))?;
        // Nobody else could come as far as this folder meanwhile.
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&self.socket, mode).map_err(failed(&self.socket))?;
        claimed.listener = Some(listener);
        Ok(claimed)
    }

    fn try_lock(&self) -> Result<Option<File>, PlaceError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.lock).map_err(failed(&self.lock))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(&self.lock)(error)),
        }
        // The one before may have removed the file after it was opened here.
        let ours = file.metadata().map_err(failed(&self.lock))?;
        let there = std::fs::metadata(&self.lock);
        if !there.is_ok_and(|there| there.ino() == ours.ino()) {
            return Ok(None);
        }
        let written = file.set_len(0).and_then(|()| {
            use std::io::Write;
            writeln!(&file, "{}", std::process::id())
        });
        written.map_err(failed(&self.lock))?;
        Ok(Some(file))
    }
}

fn make(folder: &Path) -> Result<(), PlaceError> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(folder);
    made.map_err(failed(folder))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> PlaceError {
    let path = path.to_owned();
    move |reason| PlaceError::Io {
        path: path.clone(),
        reason,
    }
}

/// A place that is ours until this is dropped: then neither socket nor lock is there.
#[derive(Debug)]
pub struct Claimed {
    place: Place,
    pub(super) listener: Option<UnixListener>,
    _lock: File,
}

impl Claimed {
    /// Nobody finds it any more; the lock is still held.
    pub(super) fn close(&mut self) {
        if self.listener.take().is_some() {
            let _ = std::fs::remove_file(&self.place.socket);
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.close();
        // Before the lock goes: a process that opened it meanwhile sees that it is another one.
        let _ = std::fs::remove_file(&self.place.lock);
    }
}

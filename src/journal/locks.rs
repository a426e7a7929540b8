//! One writer an entity: a file per entity under the state directory, locked by the process that
//! writes the entity, for as long as a run is at it. The system takes the lock from a process however
//! it ends, so a file that a killed process left is in nobody's way.
//!
//! Only runs that share the state directory see each other's locks.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::origin::Origin;
use super::store;
use crate::model::text::shown;

/// A file that was removed between its opening and its locking is opened again.
const TRIES: usize = 100;
/// More than any owner's description has.
const LONGEST: u64 = 4096;

/// The run that has an entity, as it stands in the lock's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    /// `None`: it is only tried whether the entity can be written.
    run: Option<String>,
    user: String,
    host: String,
    process: u32,
}

impl Owner {
    fn sentence(&self) -> String {
        let what = match &self.run {
            Some(run) => format!("run {}", shown(run)),
            None => "a check".into(),
        };
        let (user, host) = (shown(&self.user), shown(&self.host));
        format!("{what} of {user}@{host} (process {})", self.process)
    }
}

/// Why an entity can't be had.
#[derive(Debug, Error)]
pub enum NotLocked {
    /// Another run has it: which one, and whose.
    #[error("{by} has this entity")]
    Busy { by: String },
    /// The lock can't be made here. It says nothing about others.
    #[error("the lock {} can't be had: {error}", .file.display())]
    Io { file: PathBuf, error: io::Error },
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct EntityLock {
    path: PathBuf,
    _locked: File,
}

/// The entity is what has this address and this path, whatever its name is.
fn path(state_dir: &Path, address: &str, file: &str) -> PathBuf {
    let digest = Sha256::digest(format!("{address}\n{file}"));
    let name = hex::encode(&digest[..16]);
    state_dir.join("entities").join(format!("{name}.lock"))
}

impl EntityLock {
    /// Takes an entity for a run, or for a try without one.
    ///
    /// # Errors
    /// Another run has it, of this process or another one; or there is no place for the lock.
    pub fn acquire(
        state_dir: &Path,
        address: &str,
        file: &str,
        run: Option<&str>,
    ) -> Result<Self, NotLocked> {
        let path = path(state_dir, address, file);
        let failed = |error| NotLocked::Io {
            file: path.clone(),
            error,
        };
        store::make_folder(&state_dir.join("entities")).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600);
        for _ in 0..TRIES {
            let mut locked = match options.open(&path) {
                Ok(file) => file,
                // Another one's file, which runs or was killed: nothing shows which.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && path.exists() => {
                    return Err(NotLocked::Busy { by: of_file(&path) });
                }
                Err(error) => return Err(failed(error)),
            };
            match locked.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(NotLocked::Busy { by: owner(&locked) });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // The process that had it before removes the file under its lock.
            if !is_named(&locked, &path) {
                continue;
            }
            let Origin { user, host, .. } = Origin::of_process();
            let owner = Owner {
                run: run.map(Into::into),
                user,
                host,
                process: std::process::id(),
            };
            // On a full disk the lock holds as well; it only does not say whose it is.
            if let Err(error) = write(&mut locked, &owner) {
                tracing::debug!("{} can't be written: {error}", path.display());
            }
            return Ok(Self {
                path,
                _locked: locked,
            });
        }
        Err(failed(io::Error::other("it comes and goes")))
    }
}

impl Drop for EntityLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn write(file: &mut File, owner: &Owner) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(&serde_json::to_vec(owner)?)
}

fn owner(file: &File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    let owner = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    // It is written a moment after it was locked.
    owner.map_or_else(|| "another run".into(), |owner: Owner| owner.sentence())
}

fn of_file(path: &Path) -> String {
    let user = path.metadata().ok().map(|of| Uid::from_raw(of.uid()));
    let name = user.and_then(|uid| User::from_uid(uid).ok().flatten());
    match (name, user) {
        (Some(user), _) => format!("a run of {}", shown(&user.name)),
        (None, Some(uid)) => format!("a run of user {uid}"),
        (None, None) => "another run".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(state_dir: &Path, run: &str) -> Result<EntityLock, NotLocked> {
        EntityLock::acquire(state_dir, "192.0.2.1:21", "/flash/image.bin", Some(run))
    }

    #[test]
    fn one_has_it_and_the_others_learn_who() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path(), "r1").unwrap();
        let Err(NotLocked::Busy { by }) = take(folder.path(), "r2") else {
            panic!("two have it");
        };
        let user = Origin::of_process().user;
        assert!(by.starts_with(&format!("run r1 of {user}@")), "{by}");
        assert!(by.contains(&std::process::id().to_string()), "{by}");
        // Another file, or another address, is another entity.
        for (address, file) in [
            ("192.0.2.1:21", "/flash/other.bin"),
            ("192.0.2.1:2121", "/flash/image.bin"),
        ] {
            EntityLock::acquire(folder.path(), address, file, None).unwrap();
        }
        drop(first);
        let second = take(folder.path(), "r2").unwrap();
        let kept = std::fs::read_dir(folder.path().join("entities")).unwrap();
        assert_eq!(kept.count(), 1, "those that were let go are gone");
        drop(second);
    }

    /// A file whose process is gone is taken over, whatever stands in it.
    #[test]
    fn what_a_killed_process_left_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = path(folder.path(), "192.0.2.1:21", "/flash/image.bin");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "{\"run\":\"r0\", and then it was killed, long ago").unwrap();
        let _first = take(folder.path(), "r1").unwrap();
        let Err(NotLocked::Busy { by }) = take(folder.path(), "r2") else {
            panic!("two have it");
        };
        assert!(by.starts_with("run r1 of "), "{by}");
    }

    #[test]
    fn a_lock_that_was_removed_meanwhile_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let began = std::time::Instant::now();
        let count = std::sync::atomic::AtomicUsize::new(0);
        // The one that has it is alone, however fast they follow each other.
        let alone = std::sync::atomic::AtomicBool::new(true);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while began.elapsed() < std::time::Duration::from_millis(300) {
                        let Ok(lock) = take(folder.path(), "r") else {
                            continue;
                        };
                        assert!(alone.swap(false, std::sync::atomic::Ordering::SeqCst));
                        std::thread::yield_now();
                        assert!(!alone.swap(true, std::sync::atomic::Ordering::SeqCst));
                        drop(lock);
                        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(count.into_inner() > 4);
    }
}

//! The file: where it is, who may read it, how it is opened.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Uid, User, geteuid};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use thiserror::Error;

use super::error::JournalError;
use super::schema::{MIGRATIONS, VERSION};
use crate::model::text::shown;

/// In the state directory. SQLite puts its log and its index beside it, with the same permissions.
const NAME: &str = "journal.db";
/// Another process holds the file for the time of one small transaction.
const BUSY: Duration = Duration::from_secs(1);
/// Largest file, in bytes, that is checked whole when it is opened; that takes some milliseconds.
const CHECKED: u64 = 16 << 20;

pub(super) fn file(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// Makes a folder for this user alone; one that is there stays as it is.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Why what is kept in a state directory can't be believed. Names are escaped.
#[derive(Debug, Error)]
pub enum UnsafeFolder {
    #[error(
        "the state directory {name} belongs to {owner}, who could change what is kept there; run \
         subtend as {owner}, or name another one with --state-dir"
    )]
    Foreign { name: String, owner: String },
    #[error(
        "others can write to the state directory {name} (mode {mode:03o}); take that from them \
         (`chmod go-w {name}`), or name another one with --state-dir"
    )]
    Writable { name: String, mode: u32 },
}

/// Whether what is kept in a state directory can be believed: nobody else may have put it there, or
/// may put something else there. One that is not there yet is made for this user alone.
///
/// # Errors
/// It belongs to another user, or others can write to it.
pub fn check_folder(state_dir: &Path) -> Result<(), UnsafeFolder> {
    let Ok(found) = std::fs::metadata(state_dir) else {
        // What wants to make it will see what is wrong.
        return Ok(());
    };
    let name = shown(&state_dir.display().to_string());
    let us = geteuid();
    if found.uid() != us.as_raw() {
        let owner = User::from_uid(Uid::from_raw(found.uid()));
        let owner = match owner.ok().flatten() {
            Some(user) => shown(&user.name),
            None => format!("user {}", found.uid()),
        };
        return Err(UnsafeFolder::Foreign { name, owner });
    }
    if found.mode() & 0o022 != 0 {
        let mode = found.mode() & 0o777;
        return Err(UnsafeFolder::Writable { name, mode });
    }
    Ok(())
}

/// Opens the journal to write it, and brings it to the newest format.
///
/// # Errors
/// Nothing was changed then.
pub(super) fn open(state_dir: &Path) -> Result<Connection, JournalError> {
    let file = file(state_dir);
    make_folder(state_dir).map_err(|error| JournalError::of_io(&file, &error))?;
    // One that is there is not opened here: closing it would end the locks that another connection
    // of this process has on it (POSIX).
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match options.open(&file) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(JournalError::of_io(&file, &error));
        }
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&file, flags);
    let mut connection = opened.map_err(|error| JournalError::of(&file, &error))?;
    prepare(&mut connection, &file)?;
    Ok(connection)
}

/// Opens the journal to read it; `None` where there is none yet.
///
/// # Errors
/// It is damaged, of a newer format, or can't be read.
pub(super) fn open_to_read(state_dir: &Path) -> Result<Option<Connection>, JournalError> {
    let file = file(state_dir);
    match file.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(JournalError::of_io(&file, &error)),
    }
    // Reading takes a lock in the file beside it, which must be writable.
    match open(state_dir) {
        Ok(connection) => Ok(Some(connection)),
        Err(JournalError::Denied { .. } | JournalError::Full { .. }) => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI;
            // Nobody can write it, so it needs no lock.
            let uri = format!("file:{}?immutable=1", escaped(&file));
            let read = Connection::open_with_flags(uri, flags).and_then(|connection| {
                let version = version(&connection)?;
                Ok((connection, version))
            });
            match read {
                Ok((_, version)) if version > VERSION => Err(JournalError::Newer { file, version }),
                Ok((connection, VERSION)) => Ok(Some(connection)),
                // Nothing was ever written to it.
                Ok((_, 0)) => Ok(None),
                Ok(_) => Err(JournalError::Denied {
                    file,
                    reason: "it is of an older format, and must be brought to this one first"
                        .into(),
                }),
                Err(error) => Err(JournalError::of(&file, &error)),
            }
        }
        Err(error) => Err(error),
    }
}

/// A path in a URI (<https://www.sqlite.org/uri.html>).
fn escaped(file: &Path) -> String {
    let text = file.display().to_string();
    text.replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn prepare(connection: &mut Connection, file: &Path) -> Result<(), JournalError> {
    let wrong = |error: rusqlite::Error| JournalError::of(file, &error);
    connection.busy_timeout(BUSY).map_err(wrong)?;
    let found = version(connection).map_err(wrong)?;
    if found > VERSION {
        return Err(JournalError::Newer {
            file: file.to_owned(),
            version: found,
        });
    }
    if file.metadata().is_ok_and(|of| of.len() <= CHECKED) {
        let said: String = connection
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .map_err(wrong)?;
        if said != "ok" {
            return Err(JournalError::Damaged {
                file: file.to_owned(),
                reason: shown(&said),
            });
        }
    }
    // Readers and one writer do not wait for each other.
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(wrong)?;
    if !mode.eq_ignore_ascii_case("wal") {
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
            .map_err(wrong)?;
    }
    // What an entity is about to get is on the disk before the entity gets it, so it must survive
    // a power failure too. NORMAL would leave it to the next checkpoint. A commit costs one
    // synchronisation, and all that happened meanwhile shares the next one.
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(wrong)?;
    // KiB of pages: records are small, and this host is too.
    connection
        .pragma_update(None, "cache_size", -512)
        .map_err(wrong)?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(wrong)?;
    if found < VERSION {
        migrate(connection).map_err(wrong)?;
    }
    Ok(())
}

/// All of it or nothing.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let from = usize::try_from(version(&transaction)?).unwrap_or(0);
    for step in MIGRATIONS.iter().skip(from) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

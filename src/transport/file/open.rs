//! Opening a file of this host, and telling whether it is still the one that was opened.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::path::{Path, PathBuf};

use crate::model::{Failure, Fault, Step, Timeouts};

use super::fault::{Asked, named, refused};
use super::workers::Workers;

/// A file that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// Where it really is.
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
}

/// What stays the same about a file that nobody changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Seconds and nanoseconds: of its content,
    modified: (i64, i64),
    /// and of anything about it. A file that is written over by one with an older time shows it here alone.
    changed: (i64, i64),
    /// Device and inode.
    identity: (u64, u64),
}

impl Stamp {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            identity: (metadata.dev(), metadata.ino()),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn of(metadata: &Metadata) -> Self {
        let since = metadata.modified().ok();
        let since = since.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let modified = since.map_or((0, 0), |since| {
            let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            (seconds, i64::from(since.subsec_nanos()))
        });
        Self {
            size: metadata.len(),
            modified,
            changed: (0, 0),
            identity: (0, 0),
        }
    }

    /// When its content was last changed. Not what else there is: a stick that was pulled out and put in
    /// again has other numbers for the same file.
    pub(super) fn time(&self) -> String {
        let (seconds, nanoseconds) = self.modified;
        let time = i32::try_from(nanoseconds).ok();
        let time = time.and_then(|nanoseconds| jiff::Timestamp::new(seconds, nanoseconds).ok());
        time.map_or_else(|| format!("{seconds} s"), |time| time.to_string())
    }

    /// In which way the file is not the same any more.
    fn differs(&self, now: &Self) -> Option<String> {
        if self.identity != now.identity {
            Some("another file has its name now".into())
        } else if self.size != now.size {
            Some(format!(
                "it had {} bytes and now has {}",
                self.size, now.size
            ))
        } else if self.modified != now.modified {
            Some(format!("it was written to at {}", now.time()))
        } else if self.changed != now.changed {
            Some("it was written to, or its name, links or rights changed".into())
        } else {
            None
        }
    }
}

/// Opens a file.
pub(super) async fn open(
    workers: &Workers,
    timeouts: Timeouts,
    asked: Asked,
) -> Result<Opened, Failure> {
    let open = move || opened(&asked);
    workers
        .run(Step::Open, ("open", timeouts.reply), open)
        .await
}

fn opened(asked: &Asked) -> Result<Opened, Fault> {
    let path = resolved(asked)?;
    let fault = |error| asked.fault(&asked.path, &error);
    // Before it is opened: a tape rewinds by that, and a pipe waits until something writes to it.
    check_kind(&path, fs::metadata(&path).map_err(fault)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use nix::fcntl::OFlag;
        use std::os::unix::fs::OpenOptionsExt;
        // Another thing may have taken its place by now.
        options.custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
    }
    let file = options.open(&path).map_err(fault)?;
    let metadata = file.metadata().map_err(fault)?;
    check_kind(&path, metadata.file_type())?;
    let stamp = Stamp::of(&metadata);
    Ok(Opened { file, path, stamp })
}

/// Where a path leads through all links, if that is not out of its folder: who makes a stick does not
/// choose which files of this host are sent to devices.
pub(super) fn resolved(asked: &Asked) -> Result<PathBuf, Fault> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| asked.fault(path, &error));
    let (folder, path) = (real(&asked.folder)?, real(&asked.path)?);
    match path.starts_with(&folder) {
        true => Ok(path),
        false => Err(refused(format!(
            "{} leads to {}, out of {}; name that folder in the url of a file server",
            named(&asked.path),
            named(&path),
            named(&folder)
        ))),
    }
}

/// Nothing but a file has an end and a content of its own.
fn check_kind(path: &Path, kind: FileType) -> Result<(), Fault> {
    if kind.is_file() {
        return Ok(());
    }
    let is = match kind.is_dir() {
        true => "a folder",
        false => special(kind),
    };
    let reply = format!("{} is {is}, not a file", named(path));
    Err(Fault::NotReadable { reply })
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "something else"
}

/// Whether the file that was opened, and what has its name now, are what they were then.
///
/// # Errors
/// They are not, or can't be looked at.
pub(super) fn unchanged(
    asked: &Asked,
    (file, path): (&File, &Path),
    then: &Stamp,
) -> Result<(), Fault> {
    let fault = |error| asked.fault(&asked.path, &error);
    let now = Stamp::of(&file.metadata().map_err(fault)?);
    // The name first: a file that has lost it shows that only as some change of it.
    let reason = match fs::metadata(path) {
        Ok(named) => then.differs(&Stamp::of(&named)),
        Err(error) => Some(format!("it is not there any more: {error}")),
    };
    let reason = reason.or_else(|| then.differs(&now));
    match reason {
        None => Ok(()),
        Some(reason) => Err(Fault::SourceChanged { reason }),
    }
}

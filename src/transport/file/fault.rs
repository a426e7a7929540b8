//! What the file system's errors mean, and which of them may pass.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::Fault;
use crate::model::text::shown;

/// A file that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// It is not outside of this.
    pub(super) folder: PathBuf,
    pub(super) path: PathBuf,
    /// It could be opened before in this run.
    pub(super) was_there: bool,
}

pub(super) fn named(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

/// A refusal of ours.
pub(super) fn refused(reason: String) -> Fault {
    Fault::File {
        reason,
        may_pass: false,
    }
}

impl Asked {
    /// What an error means that a call about `path` came back with: it is this file, or its folder.
    pub(super) fn fault(&self, path: &Path, error: &io::Error) -> Fault {
        let reply = format!("{}: {error}", named(path));
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if self.was_there => {
                Fault::File {
                    reason: format!("{reply}; it was there before: was its medium removed?"),
                    may_pass: true,
                }
            }
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => match path == self.folder {
                true => refused(format!("{reply}; is its medium mounted?")),
                false => Fault::NoFile { reply },
            },
            io::ErrorKind::PermissionDenied => Fault::NotReadable { reply },
            _ if is_about_the_medium(error) => Fault::File {
                reason: format!("{reply}; its medium may have been removed, or is defective"),
                may_pass: true,
            },
            _ => refused(reply),
        }
    }
}

/// A stick that was pulled out, a disk that fails, a share whose server is gone: a later call may find
/// it again.
#[cfg(unix)]
fn is_about_the_medium(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let Some(number) = error.raw_os_error() else {
        return false;
    };
    matches!(
        Errno::from_raw(number),
        Errno::EIO
            | Errno::ENXIO
            | Errno::ENODEV
            | Errno::ESTALE
            | Errno::ETIMEDOUT
            | Errno::EHOSTDOWN
            | Errno::EHOSTUNREACH
            | Errno::ENOTCONN
            | Errno::ECONNRESET
    )
}

#[cfg(not(unix))]
fn is_about_the_medium(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::NotConnected | io::ErrorKind::ConnectionReset
    )
}

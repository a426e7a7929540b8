//! The status for each refusal, in the words of a server that says what it means.

use russh_sftp::protocol::{FileAttributes, FileMode, Status, StatusCode};
use russh_sftp::server::StatusReply;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::lab::storage::Refusal;

/// Seconds since 1970, as version 3 has them.
fn seconds(time: SystemTime) -> u32 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

pub(super) fn done(id: u32) -> Status {
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message: "OK".into(),
        language_tag: "en".into(),
    }
}

pub(super) fn refused(refusal: &Refusal) -> StatusReply {
    let code = match refusal {
        Refusal::NotThere(_) => StatusCode::NoSuchFile,
        Refusal::Denied(_) => StatusCode::PermissionDenied,
        Refusal::Name(_) | Refusal::Busy | Refusal::Full => StatusCode::Failure,
        Refusal::Cut(_) => StatusCode::ConnectionLost,
        Refusal::Io(_) => StatusCode::Failure,
    };
    code.with_message(refusal.to_string())
}

/// What a line of FTP's replies comes to, which settings have for all protocols: `None` where it is a success.
pub(super) fn of_line(line: &str) -> Option<StatusReply> {
    let text = line.get(4..).unwrap_or_default();
    match line.as_bytes() {
        [b'1'..=b'3', ..] => None,
        [b'5', b'0', b'0' | b'2', ..] => Some(StatusCode::OpUnsupported.with_message(text)),
        _ => Some(StatusCode::Failure.with_message(text)),
    }
}

/// What is said of a file, or of a folder, which has no size.
pub(super) fn attributes(
    is_folder: bool,
    size: Option<u64>,
    modified: SystemTime,
) -> FileAttributes {
    let (kind, mode) = match is_folder {
        true => (FileMode::DIR, 0o755),
        false => (FileMode::REG, 0o644),
    };
    let mut attributes = FileAttributes {
        size,
        permissions: Some(mode),
        atime: Some(seconds(modified)),
        mtime: Some(seconds(modified)),
        ..FileAttributes::empty()
    };
    attributes.set_type(kind);
    attributes
}

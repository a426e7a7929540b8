//! What can be wrong with the journal, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use super::schema;
use crate::model::text::shown;

#[derive(Debug, Error)]
pub enum JournalError {
    #[error(
        "the journal {} was written by a newer subtend (format {version}, this one knows {}); use \
         that one, or name another folder with --state-dir",
        named(.file), schema::VERSION
    )]
    Newer { file: PathBuf, version: i64 },
    #[error(
        "the journal {} is damaged ({reason}); move it away (`mv {} {}.broken`), and the next start \
         makes a new one",
        named(.file), named(.file), named(.file)
    )]
    Damaged { file: PathBuf, reason: String },
    #[error("the disk of the journal {} is full; make room on it", named(.file))]
    Full { file: PathBuf },
    #[error(
        "the journal {} can't be written ({reason}); check the permissions of the file and of its \
         folder, or name another folder with --state-dir",
        named(.file)
    )]
    Denied { file: PathBuf, reason: String },
    #[error("the journal {} is held by another process: {reason}", named(.file))]
    Busy { file: PathBuf, reason: String },
    #[error("the journal {} fails: {reason}", named(.file))]
    Other { file: PathBuf, reason: String },
    /// There is no place for one.
    #[error("there is no journal: {0}")]
    NoPlace(String),
}

fn named(path: &Path) -> String {
    shown(&path.display().to_string())
}

impl JournalError {
    pub(super) fn of(file: &Path, error: &rusqlite::Error) -> Self {
        let file = file.to_owned();
        let reason = shown(&error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { file, reason }
            }
            Some(ErrorCode::DiskFull) => Self::Full { file },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::Denied { file, reason }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { file, reason }
            }
            _ => Self::Other { file, reason },
        }
    }

    pub(super) fn of_io(file: &Path, error: &io::Error) -> Self {
        let file = file.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { file },
            _ => Self::Denied {
                file,
                reason: error.to_string(),
            },
        }
    }

    /// What the environment brought about, not the record: the same record may be written later.
    pub(super) fn is_environment(error: &rusqlite::Error) -> bool {
        !matches!(
            error.sqlite_error_code(),
            None | Some(
                ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::TooBig
                    | ErrorCode::ParameterOutOfRange
                    | ErrorCode::Unknown
                    | ErrorCode::ApiMisuse
            )
        )
    }
}

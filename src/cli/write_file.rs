//! Writing a file whole or not at all: to a temporary file beside it, which is then given its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::text::quoted;

/// What becomes of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Replace,
    Keep,
}

/// Why a text was not written to a file. A file that was there is as it was.
#[derive(Debug, Error)]
pub enum WriteError {
    #[error("{} is no name of a file in this folder", quoted(.0))]
    NoName(String),
    #[error("{} is there already, and is not overwritten; choose another name", quoted(.0))]
    Exists(String),
    #[error("{} is no regular file, and is not replaced; name another one", quoted(.0))]
    NoFile(String),
    #[error("{} can't be written: {reason}", quoted(.file))]
    Unwritable { file: String, reason: io::Error },
}

/// Writes it, and says where it is.
///
/// # Errors
/// Nothing is left of it then.
pub(super) fn write_whole(
    path: &Path,
    text: &str,
    existing: Existing,
) -> Result<PathBuf, WriteError> {
    let name = path.display().to_string();
    let unwritable = |reason| WriteError::Unwritable {
        file: name.clone(),
        reason,
    };
    // Not what a link leads to: that would be replaced unseen.
    match fs::symlink_metadata(path) {
        Ok(_) if existing == Existing::Keep => return Err(WriteError::Exists(name)),
        Ok(found) if !found.is_file() => return Err(WriteError::NoFile(name)),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unwritable(error)),
    }
    let beside = beside(path).ok_or_else(|| WriteError::NoName(name.clone()))?;
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).open(&beside);
    let written = opened.and_then(|mut new| {
        let written = new
            .write_all(text.as_bytes())
            .and_then(|()| new.sync_all())
            .and_then(|()| give_name(&beside, path, text, existing));
        if written.is_err() || existing == Existing::Keep {
            // It has its name, or what is wrong is said: that this could not be removed adds nothing.
            let _ = fs::remove_file(&beside);
        }
        written
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists if existing == Existing::Keep => {
            WriteError::Exists(name.clone())
        }
        _ => unwritable(error),
    })?;
    Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// Another process may have made a file of that name meanwhile, which a rename would replace.
fn give_name(beside: &Path, path: &Path, text: &str, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replace => fs::rename(beside, path),
        Existing::Keep => match fs::hard_link(beside, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                // FAT, as on a USB stick, has no links.
                let mut new = File::create_new(path)?;
                new.write_all(text.as_bytes())?;
                new.sync_all()
            }
            linked => linked,
        },
    }
}

/// A name in the same folder that nobody else has: `.report.html.4711.tmp`.
fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name()?);
    name.push(format!(".{}.tmp", std::process::id()));
    Some(path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let files = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_written_whole_and_a_regular_one_replaced_where_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        let written = write_whole(&file, "one", Existing::Replace).unwrap();
        assert_eq!(written, file);
        write_whole(&file, "two", Existing::Replace).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        let kept = write_whole(&file, "three", Existing::Keep);
        assert!(matches!(kept, Err(WriteError::Exists(_))), "{kept:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(names(folder.path()), ["report.html"]);
    }

    /// Between the look and the writing.
    #[test]
    fn a_file_that_somebody_else_has_made_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [beside, file] = ["beside", "report"].map(|name| folder.path().join(name));
        fs::write(&beside, "mine").unwrap();
        fs::write(&file, "theirs").unwrap();
        let kept = give_name(&beside, &file, "mine", Existing::Keep).unwrap_err();
        assert_eq!(kept.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
    }

    #[test]
    fn what_is_no_regular_file_is_left_alone_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::write(&real, "kept").unwrap();
        symlink(&real, folder.path().join("link")).unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        for name in ["link", "folder"] {
            let refused = write_whole(&folder.path().join(name), "x", Existing::Replace);
            let said = refused.unwrap_err().to_string();
            assert!(
                said.contains(name) && said.contains("no regular file"),
                "{said}"
            );
        }
        assert_eq!(fs::read_to_string(&real).unwrap(), "kept");
        let missing = folder.path().join("nowhere/report.html");
        let said = write_whole(&missing, "x", Existing::Replace)
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("nowhere/report.html") && said.contains("can't be written"),
            "{said}"
        );
        assert_eq!(names(folder.path()), ["folder", "link", "real"]);
    }
}

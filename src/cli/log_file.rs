//! The log file of the console: plain lines, readable by this user alone, and bounded in size.
//!
//! What fills up is moved to `subtend.log.1`, in place of what was there, so both together never
//! take more than twice the limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tracing_subscriber::fmt::MakeWriter;

use super::state_dir::{self, NoHome};

/// Its name in the state directory.
const NAME: &str = "subtend.log";
/// Bytes of one file.
const LIMIT: u64 = 8 << 20;

/// Why there is no log file.
#[derive(Debug, Error)]
pub(super) enum LogFileError {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error("the log can't be written to {}: {reason}", .path.display())]
    Io { path: PathBuf, reason: io::Error },
}

/// Cheap to clone; all clones write to one file.
#[derive(Debug, Clone)]
pub(super) struct LogFile(Arc<Mutex<Open>>);

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl LogFile {
    /// Opens the log in a state directory, which is made if need be; also returns its path.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn open(state_dir: &Path) -> Result<(Self, PathBuf), LogFileError> {
        Self::open_limited(state_dir, LIMIT)
    }

    /// Where it is in a state directory.
    pub(super) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join(NAME)
    }

    fn open_limited(state_dir: &Path, limit: u64) -> Result<(Self, PathBuf), LogFileError> {
        let path = Self::path(state_dir);
        let opened = state_dir::create(state_dir).and_then(|()| Open::at(path.clone(), limit));
        match opened {
            Ok(open) => Ok((Self(Arc::new(Mutex::new(open))), path)),
            Err(reason) => Err(LogFileError::Io { path, reason }),
        }
    }
}

impl Open {
    fn at(path: PathBuf, limit: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        let mut file = state_dir::open(&mut options, &path)?;
        let mut written = file.metadata()?.len();
        if written >= limit {
            fs::rename(&path, path.with_extension("log.1"))?;
            file = state_dir::open(&mut options, &path)?;
            written = file.metadata()?.len();
        }
        Ok(Self {
            path,
            file,
            written,
            limit,
        })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.written + line.len() as u64 > self.limit && self.written > 0 {
            // Opening it anew moves what is full.
            self.written = self.limit;
            let path = self.path.clone();
            fs::rename(&path, path.with_extension("log.1"))?;
            *self = Self::at(path, self.limit)?;
        }
        self.file.write_all(line)?;
        self.written += line.len() as u64;
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line {
            log: self.clone(),
            text: Vec::new(),
        }
    }
}

/// One entry, written in one go when it is complete: lines of threads don't mix, and none is lost
/// in a buffer when the process dies.
pub(super) struct Line {
    log: LogFile,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            let mut open = self.log.0.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk stops no transfer, and the log page still shows the line.
            let _ = open.write(&self.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn say(log: &LogFile, text: &str) {
        log.make_writer().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_are_appended_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        for text in ["one\n", "two\n"] {
            let (log, path) = LogFile::open(&state).unwrap();
            assert_eq!(path, state.join("subtend.log"));
            say(&log, text);
        }
        let path = state.join("subtend.log");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&path)), (0o700, 0o600));
    }

    #[test]
    fn what_is_full_is_moved_once_at_the_start_and_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
        let open = || LogFile::open_limited(folder.path(), 10).unwrap().0;
        say(&open(), "0123456789");
        say(&open(), "abcde");
        assert_eq!(
            (read("subtend.log"), read("subtend.log.1")),
            ("abcde".into(), "0123456789".into())
        );
        let log = open();
        say(&log, "fghij");
        say(&log, "k");
        assert_eq!(
            (read("subtend.log"), read("subtend.log.1")),
            ("k".into(), "abcdefghij".into())
        );
        // A line longer than the limit is not lost.
        say(&log, "a line that is too long");
        assert_eq!(read("subtend.log"), "a line that is too long");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2);
    }

    #[test]
    fn a_folder_that_can_not_be_had_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = LogFile::open(&file.join("state")).unwrap_err().to_string();
        assert!(error.contains("subtend.log"), "{error}");
    }
}

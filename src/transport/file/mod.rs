//! Files of this host as sources: a stick in its USB port, a mounted share, a mirror.
//!
//! The file system is asked on the runtime's threads for blocking work, by a bounded number of them
//! (`workers`): a call into a mount that hangs can't be taken back, so it is left behind when its deadline
//! has passed.
//!
//! - `open` which files are opened, and what shows that a file is still the one that was opened
//! - `source` one reading
//! - `list` what is in a folder
//! - `fault` what the file system's errors mean

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Step};

use super::{Compared, Destination, Directory, Listed, Remote, Sink, Source, Transport};

mod fault;
mod list;
mod open;
mod source;
#[cfg(test)]
mod tests;
mod workers;

use fault::Asked;
use source::FileSource;
use workers::Workers;

/// Files of this host, with what was learned about them in this run.
#[derive(Debug, Clone, Default)]
pub struct FileTransport {
    workers: Workers,
    /// Files that could be opened before: their medium comes and goes.
    known: Arc<Mutex<HashSet<PathBuf>>>,
}

impl FileTransport {
    pub fn new() -> Self {
        Self::default()
    }

    fn known(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, remote: &Remote) -> Asked {
        let path = PathBuf::from(remote.path.as_str());
        Asked {
            was_there: self.known().contains(&path),
            folder: PathBuf::from(&remote.endpoint.address.host),
            path,
        }
    }
}

fn never_written() -> Failure {
    let reason = "files of this host are read only".to_owned();
    Failure::new(Step::Connect, Fault::Local(reason))
}

#[async_trait]
impl Transport for FileTransport {
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        let asked = self.asked(remote);
        let path = asked.path.clone();
        let source = FileSource::open(&self.workers, remote.endpoint.timeouts, asked, offset);
        let source = source.await?;
        self.known().insert(path);
        Ok(Box::new(source))
    }

    async fn open_sink(&self, _: &Destination) -> Result<Box<dyn Sink>, Failure> {
        Err(never_written())
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        let asked = self.asked(remote);
        let opened = open::open(&self.workers, remote.endpoint.timeouts, asked).await?;
        Ok(Some(opened.stamp.size))
    }

    async fn probe(&self, _: &Destination, _: &CancellationToken) -> Result<Probe, Failure> {
        Err(never_written())
    }

    async fn compare(&self, remote: &Remote, _: [u8; 32]) -> Result<Compared, Failure> {
        let size = self.size_of(remote).await?;
        Ok(Compared { size, same: None })
    }

    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure> {
        list::list(&self.workers, directory).await
    }
}

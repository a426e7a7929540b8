//! SFTP version 3 (draft-ietf-secsh-filexfer-02), with what OpenSSH adds to it where a server offers that
//! (its PROTOCOL file, section 4), over the connections of `ssh`.
//!
//! Requests are under way in both directions, as many as fill the way to the host (`window`): a write is
//! counted when it is sent, and at most a window of them has no answer yet; an upload has ended when each
//! has one, and the file is closed.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Probe};

use super::ssh::Keys;
use super::{Compared, Destination, Directory, Listed, Remote, Sink, Source, Transport};

mod download;
mod list;
mod probe;
mod prove;
mod session;
mod sink;
mod source;
mod status;
mod upload;
mod window;
mod wire;

use sink::SftpSink;
use source::SftpSource;

/// SFTP, with the private keys of this run.
#[derive(Debug, Clone, Default)]
pub(super) struct SftpTransport {
    keys: Keys,
}

#[async_trait]
impl Transport for SftpTransport {
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(
            SftpSource::open(&self.keys, remote, offset).await?,
        ))
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        Ok(Box::new(SftpSink::open(&self.keys, destination).await?))
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        source::size_of(&self.keys, remote).await
    }

    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        probe::probe(&self.keys, destination, cancel).await
    }

    async fn compare(&self, remote: &Remote, _sha256: [u8; 32]) -> Result<Compared, Failure> {
        probe::compare(&self.keys, remote).await
    }

    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure> {
        list::list(&self.keys, directory).await
    }
}

//! FTP (RFC 959, 2428, 3659) over suppaftp, kept behind [`Transport`].
//!
//! suppaftp keeps the control connection: it sends command lines and reads bounded replies. Data
//! connections are our own (`upload`, `download`), because every trap of the library lies where it
//! owns both: a transfer given up must end in a reset, a write must be watched together with the
//! control connection, and the reply that says the outcome must never be swallowed.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Probe};

use super::trial::unless_cancelled;
use super::{
    Compared, Destination, Directory, Endpoint, Listed, Orders, Remote, Sink, Source, Transport,
};

mod advice;
mod begin;
mod connect;
mod control;
mod download;
mod features;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod greeting;
mod list;
mod login;
mod meaning;
mod orders;
mod passive;
mod probe;
mod quirks;
mod reply;
mod session;
mod sink;
mod source;
mod space;
mod stream;
mod upload;

use orders::FtpOrders;
use quirks::ServerQuirks;
use sink::FtpSink;
use source::FtpSource;

/// FTP, with what it has learned about the servers of this run.
#[derive(Debug, Clone, Default)]
pub struct FtpTransport {
    quirks: ServerQuirks,
}

impl FtpTransport {
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Transport for FtpTransport {
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(
            FtpSource::open(&self.quirks, remote, offset).await?,
        ))
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        Ok(Box::new(FtpSink::open(&self.quirks, destination).await?))
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        source::size_of(&self.quirks, remote).await
    }

    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        probe::probe(&self.quirks, destination, cancel).await
    }

    async fn compare(&self, remote: &Remote, sha256: [u8; 32]) -> Result<Compared, Failure> {
        probe::compare(&self.quirks, remote, sha256).await
    }

    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure> {
        list::list(&self.quirks, directory).await
    }

    async fn orders(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Orders>, Failure> {
        unless_cancelled(cancel, async {
            let orders = FtpOrders::open(&self.quirks, endpoint).await?;
            Ok(Box::new(orders) as Box<dyn Orders>)
        })
        .await
    }
}

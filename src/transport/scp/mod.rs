//! SCP, as OpenSSH's `scp -O` speaks it, over the connections of `ssh`: for devices that have nothing else.
//!
//! A command on the server takes a file (`scp -t`) or gives one (`scp -f`); each side answers what the other
//! one sends with one byte. The size is announced first, so it has to be known.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Step};
use crate::transport::trial::unless_cancelled;

use super::ssh::Keys;
use super::{Compared, Destination, Directory, Listed, Remote, Seen, Sink, Source, Transport};

mod control;
mod exec;
mod session;
mod sink;
mod source;

use session::{Session, size_of};
use sink::ScpSink;
use source::ScpSource;

/// SCP, with the private keys of this run.
#[derive(Debug, Clone, Default)]
pub(super) struct ScpTransport {
    keys: Keys,
}

#[async_trait]
impl Transport for ScpTransport {
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(ScpSource::open(&self.keys, remote, offset).await?))
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        Ok(Box::new(ScpSink::open(&self.keys, destination).await?))
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        size_of(&self.keys, remote).await
    }

    /// The command that takes a file is begun, which shows that it is there and that the directory is, and
    /// ended before it was given one.
    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        let probing = async {
            let mut sink = ScpSink::open(&self.keys, destination).await?;
            let path = &destination.remote.path;
            let seen = sink.look(path).await?;
            let session: &mut Session = sink.session().await?;
            let begun = session.begin_taking(path).await;
            session.stop().await;
            begun.map_err(|fault| Failure::new(Step::Prepare, fault))?;
            Box::new(sink).close().await;
            let mut probe = Probe {
                file: seen.size(),
                ..Probe::default()
            };
            probe.can.rename = Some(false);
            probe.can.rest = Some(false);
            probe.can.read = (seen != Seen::Absent).then_some(seen.is_present());
            Ok(probe)
        };
        unless_cancelled(cancel, probing).await
    }

    async fn compare(&self, remote: &Remote, _: [u8; 32]) -> Result<Compared, Failure> {
        let size = self.size_of(remote).await?;
        Ok(Compared { size, same: None })
    }

    async fn list(&self, _: &Directory) -> Result<Vec<Listed>, Failure> {
        let reason =
            "SCP lists no directories; name the file, or use `sftp://` where the server has it";
        Err(Failure::new(Step::Prepare, Fault::Local(reason.into())))
    }
}

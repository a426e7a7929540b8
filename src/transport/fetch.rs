//! Devices that fetch their image: nothing is opened at their addresses, and nothing asked there.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Step};

use super::{Compared, Destination, Directory, Listed, Remote, Sink, Source, Transport, tcp};

/// Says no to whatever would be done to a device that fetches.
#[derive(Debug, Default)]
pub(super) struct FetchTransport;

fn refused(step: Step) -> Failure {
    let reason = "it fetches its image: nothing is opened at its address".to_owned();
    Failure::new(step, Fault::Local(reason))
}

#[async_trait]
impl Transport for FetchTransport {
    async fn open_source(&self, _: &Remote, _: u64) -> Result<Box<dyn Source>, Failure> {
        Err(refused(Step::Open))
    }

    async fn open_sink(&self, _: &Destination) -> Result<Box<dyn Sink>, Failure> {
        Err(refused(Step::Connect))
    }

    async fn size_of(&self, _: &Remote) -> Result<Option<u64>, Failure> {
        Err(refused(Step::Verify))
    }

    /// Its address is looked up, since it may ask from there alone; nothing is sent to it.
    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::new(Step::Prepare, Fault::Cancelled)),
            found = tcp::resolved(&destination.remote.endpoint) => found.map(|_| Probe {
                unasked: true,
                ..Probe::default()
            }),
        }
    }

    async fn compare(&self, _: &Remote, _: [u8; 32]) -> Result<Compared, Failure> {
        Err(refused(Step::Verify))
    }

    async fn list(&self, _: &Directory) -> Result<Vec<Listed>, Failure> {
        Err(refused(Step::Open))
    }
}

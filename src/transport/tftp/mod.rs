//! TFTP (RFC 1350, 2347, 2348, 2349, 7440): files written to devices in their boot loader.
//!
//! It has nothing but requests to write and to read a whole file, and a device in its boot loader takes the
//! former alone: no question, no login, no name but the final one. So nothing is asked, and a delivery is as
//! good as the acknowledgement of the last block.
//!
//! - `packet` the bytes of requests, blocks and answers
//! - `options` what is asked for with a request, and what of it is granted
//! - `request` which answer to it counts
//! - `machine` which blocks are sent when, without sockets and clocks
//! - `timer` how long is waited before they are sent again; `flight` both together, and the packets
//! - `transfer` the socket, and the deadlines
//! - `rollover` how blocks beyond the last number are numbered

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Step};

use super::{Compared, Destination, Directory, Listed, Remote, Sink, Source, Transport, tcp};

mod fault;
pub(super) mod flight;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(super) mod machine;
pub(super) mod options;
pub(super) mod packet;
mod request;
mod rollover;
mod sink;
pub(super) mod timer;
mod transfer;

use rollover::Rollover;
use sink::TftpSink;

pub(super) use request::is_about_another;

/// TFTP, with what it has learned about the servers of this run.
#[derive(Debug, Clone, Default)]
pub(super) struct TftpTransport {
    rollover: Rollover,
}

fn unasked<T>(step: Step, what: &str) -> Result<T, Failure> {
    let reason = format!("a device that takes files over TFTP {what}");
    Err(Failure::new(step, Fault::Local(reason)))
}

#[async_trait]
impl Transport for TftpTransport {
    async fn open_source(&self, _: &Remote, _: u64) -> Result<Box<dyn Source>, Failure> {
        unasked(Step::Open, "gives none")
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        let targets = tcp::resolved(&destination.remote.endpoint).await?;
        let rollover = self.rollover.clone();
        Ok(Box::new(TftpSink::new(rollover, destination, targets)))
    }

    async fn size_of(&self, _: &Remote) -> Result<Option<u64>, Failure> {
        unasked(Step::Prepare, "can't be asked about one")
    }

    /// Nothing is sent: whatever a server answers, it would write for it.
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
        Ok(Compared {
            size: None,
            same: None,
        })
    }

    async fn list(&self, _: &Directory) -> Result<Vec<Listed>, Failure> {
        unasked(Step::Prepare, "lists none")
    }
}

//! Why a reading ends early, and what is said of its source.

use crate::inspect::Chosen;
use crate::model::{Failure, Fault, Step};
use crate::transport::Transport;

use super::{Stop, TransferAgent, is_about_the_image};

impl<T: Transport> TransferAgent<T> {
    pub(super) fn leave(&self, chosen: &Chosen, reason: &str) {
        let peer = chosen.peer.as_ref().map(|peer| &peer.entity);
        self.sources.leave(&chosen.name, peer, reason);
    }

    /// A source has failed. One whose file has changed may not be the only one to have the image.
    pub(super) fn stopped(&self, chosen: &Chosen, failure: Failure) -> Stop {
        match &failure.fault {
            Fault::SourceChanged { reason }
                if chosen.is_peer()
                    || self.sources.are_others(std::slice::from_ref(&chosen.name)) =>
            {
                self.leave(chosen, reason);
                Stop::Failed(failure)
            }
            _ if is_about_the_image(&failure) => Stop::Fatal(failure),
            _ => Stop::Failed(failure),
        }
    }

    pub(super) fn check_size(&self, step: Step, actual: u64) -> Result<(), Failure> {
        match self.digests.size(self.image()) {
            Some(expected) if expected != actual => Err(Failure::new(
                step,
                Fault::UnexpectedSize { expected, actual },
            )),
            _ if actual == 0 => Err(Failure::new(step, Fault::EmptyImage)),
            _ => Ok(()),
        }
    }
}

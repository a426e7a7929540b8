//! Why a reading ends early, and what is said of its source.

use crate::inspect::Chosen;
use crate::model::{Failure, Fault, Name, Step};
use crate::transport::Transport;

use super::{Stop, TransferAgent, is_about_the_image};

impl<T: Transport> TransferAgent<T> {
    pub(super) fn leave(&self, chosen: &Chosen, reason: &str) {
        if let Some(peer) = &chosen.peer {
            self.holders.leave(&peer.entity);
            tracing::warn!("{} is read no more in this run: {reason}", chosen.name);
        }
    }

    /// A source has failed. A peer whose file has changed is not the only one to have the image.
    pub(super) fn stopped(&self, chosen: &Chosen, failure: Failure) -> Stop {
        match &failure.fault {
            Fault::SourceChanged { reason } if chosen.is_peer() => {
                self.leave(chosen, reason);
                Stop::Failed(failure)
            }
            _ if is_about_the_image(&failure) => Stop::Fatal(failure),
            _ => Stop::Failed(failure),
        }
    }

    pub(super) fn of_source(&self, name: &Name, failure: Failure) -> Failure {
        let fault = Fault::Source {
            name: name.to_string(),
            failure: Box::new(failure),
        };
        Failure::new(Step::Read, fault)
    }

    pub(super) fn check_size(&self, step: Step, actual: u64) -> Result<(), Failure> {
        match self.digests.size(&self.image) {
            Some(expected) if expected != actual => Err(Failure::new(
                step,
                Fault::UnexpectedSize { expected, actual },
            )),
            _ if actual == 0 => Err(Failure::new(step, Fault::EmptyImage)),
            _ => Ok(()),
        }
    }
}

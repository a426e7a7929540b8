//! How an attempt ends that did not deliver, and what it leaves on the entity.

use tokio::time::timeout;

use crate::agent::subscription::Subscription;
use crate::model::{Failure, Fault, Holds, Staging, Step};
use crate::placement;
use crate::placement::{Delivery, NotOpened};
use crate::pool::Next;
use crate::transport::{Destination, Transport};

use super::{Attempt, CLEAN_UP, DownloadAgent, HURRIED};

/// A file that was not opened.
pub(super) enum Unopened {
    /// The entity did not open it.
    Entity(NotOpened),
    /// Opening was given up half way, as the source failed or the others were held up: nothing is
    /// known of what the entity did.
    GivenUp(Failure),
}

pub(in crate::agent) fn cancelled(step: Step) -> Failure {
    Failure::new(step, Fault::Cancelled)
}

/// Why the source failed, once it has: the pool knows before anything else.
pub(in crate::agent) async fn source_failed(subscription: &mut Subscription) -> Failure {
    loop {
        match subscription.reader.next().await {
            Next::Failed(failure) => return failure,
            Next::Abandoned => return gone(),
            Next::Block(_) | Next::End(_) => {}
        }
    }
}

/// The transfer agent ended without a word, which only a fault of ours can bring about.
pub(in crate::agent) fn gone() -> Failure {
    Failure::new(
        Step::Read,
        Fault::Local("the transfer agent is gone".into()),
    )
}

impl<T: Transport> DownloadAgent<T> {
    pub(super) async fn give_up(&self, mut delivery: Delivery, failure: Failure) -> Attempt {
        let again = failure.is_transient() && !failure.is_cancelled();
        let path = delivery.written().to_string();
        let discard = delivery.discard(again);
        Box::pin(self.clean_up(failure.is_cancelled(), discard, path)).await;
        let (holds, confirmed) = (delivery.holds(), delivery.is_confirmed());
        Box::pin(delivery.close()).await;
        Attempt {
            result: Err(failure),
            holds: Some(holds),
            confirmed,
        }
    }

    /// `None`: it was cancelled meanwhile, so that nothing is known of what was done.
    pub(super) async fn not_opened(
        &self,
        not_opened: Option<Unopened>,
        step: Step,
        destination: &Destination,
    ) -> Attempt {
        let Some(unopened) = not_opened else {
            let path = destination.written_path().to_string();
            let discard = placement::discard(&*self.transport, destination);
            Box::pin(self.clean_up(true, discard, path)).await;
            let holds = match destination.staging {
                Staging::Rename => None,
                Staging::Direct => Some(Holds::Unknown),
            };
            return Attempt {
                result: Err(cancelled(step)),
                holds,
                confirmed: false,
            };
        };
        let (failure, holds) = match unopened {
            Unopened::Entity(NotOpened {
                failure,
                holds,
                left,
            }) => {
                if let Some(path) = left {
                    self.left(path.to_string());
                }
                (failure, holds)
            }
            Unopened::GivenUp(failure) => {
                let path = destination.written_path().to_string();
                let discard = placement::discard(&*self.transport, destination);
                Box::pin(self.clean_up(false, discard, path)).await;
                (failure, None)
            }
        };
        Attempt {
            result: Err(failure),
            holds,
            confirmed: false,
        }
    }

    /// Removes what was written, and reports what could not be removed.
    pub(super) async fn clean_up(
        &self,
        hurry: bool,
        discard: impl Future<Output = Result<(), Failure>>,
        path: String,
    ) {
        let after = match hurry {
            true => HURRIED,
            false => CLEAN_UP,
        };
        let result = timeout(after, discard).await.unwrap_or_else(|_| {
            let command = "DELE".into();
            let fault = Fault::NoReply { command, after };
            Err(Failure::new(Step::Discard, fault))
        });
        if let Err(failure) = result {
            tracing::warn!("{path} is not removed: {failure}");
            self.left(path);
        }
    }

    pub(super) fn left(&self, path: String) {
        self.reporter.left(self.entity, path);
    }
}

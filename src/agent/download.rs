//! The download agent (\[0017\], step 308): pool to one entity, from the staging file to the rename.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::model::{EntityState, Failure, Fault, Name, Step, Verified};
use crate::pool::Next;
use crate::transport::{Destination, ImageDigest, Sink, Transport};

use super::Reader;
use super::report::{GroupMeters, ReportKind, Reporter};

/// After a cancellation so much time is spent on removing what was written: the operator waits.
const CLEAN_UP: Duration = Duration::from_millis(1500);

pub(super) struct DownloadAgent<T: Transport> {
    pub(super) transport: Arc<T>,
    /// The entity's place in its group.
    pub(super) entity: usize,
    /// `group/entity`, for the log.
    pub(super) who: String,
    pub(super) destination: Result<Destination, Failure>,
    /// The source's name, for messages.
    pub(super) source: Name,
    pub(super) meters: Arc<GroupMeters>,
    pub(super) reporter: Reporter,
    pub(super) cancel: CancellationToken,
    /// The source failed: the reader tells why.
    pub(super) broken: CancellationToken,
    pub(super) attempt: u32,
}

impl<T: Transport> DownloadAgent<T> {
    /// One attempt. A final state has been reported when this returns.
    pub(super) async fn run(mut self, pass: u32, reader: Reader) {
        self.meters.entities[self.entity].begin();
        self.meters.entities[self.entity].joins(pass, reader.meter());
        let result = self.deliver(reader).await;
        self.meters.entities[self.entity].leaves();
        let (state, step, cause) = match result {
            Ok(()) => (EntityState::Delivered, None, None),
            Err(failure) if failure.is_cancelled() => {
                (EntityState::Cancelled, Some(failure.step), None)
            }
            Err(failure) => {
                let cause = failure.fault.to_string();
                (EntityState::Failed, Some(failure.step), Some(cause))
            }
        };
        let (entity, attempt) = (self.entity, self.attempt);
        self.reporter.send(ReportKind::State {
            entity,
            state,
            step,
            cause,
            attempt,
        });
    }

    fn state(&self, state: EntityState, step: Step) {
        self.reporter.state(self.entity, state, step, self.attempt);
    }

    async fn deliver(&mut self, mut reader: Reader) -> Result<(), Failure> {
        let destination = self.destination.clone()?;
        let (cancel, broken) = (self.cancel.clone(), self.broken.clone());
        let cancelled = |step| Failure::new(step, Fault::Cancelled);

        self.state(EntityState::Connecting, Step::Connect);
        let opened = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(cancelled(Step::Connect)),
            () = broken.cancelled() => Err(self.source_failed(&mut reader).await),
            opened = self.transport.open_sink(&destination) => opened,
        };
        let mut sink = match opened {
            Ok(sink) => sink,
            Err(failure) => {
                drop(reader);
                if may_have_been_opened(&failure) {
                    let discard = self.transport.discard(&destination);
                    self.clean_up(failure.is_cancelled(), discard, &destination)
                        .await;
                }
                return Err(failure);
            }
        };

        self.reporter.send(ReportKind::Opened {
            entity: self.entity,
            staged: sink.staged(),
        });
        let mut step = Step::Send;
        let sent = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(None),
            () = broken.cancelled() => Err(None),
            sent = self.send(&mut sink, &mut reader, &mut step) => sent.map_err(Some),
        };
        let sent = match sent {
            Ok(done) => Ok(done),
            Err(Some(failure)) => Err(failure),
            Err(None) if cancel.is_cancelled() => Err(cancelled(step)),
            Err(None) => Err(self.source_failed(&mut reader).await),
        };
        // An entity that needs no more blocks holds nobody up, whatever becomes of it.
        drop(reader);
        let (image, verified) = match sent {
            Ok(done) => done,
            Err(failure) => {
                self.clean_up(failure.is_cancelled(), sink.discard(), &destination)
                    .await;
                return Err(failure);
            }
        };

        // From here on nothing is cancelled: the rename happens or it does not.
        self.state(EntityState::Verifying, Step::Rename);
        if let Err(failure) = sink.commit(&image).await {
            self.clean_up(false, sink.discard(), &destination).await;
            return Err(failure);
        }
        self.reporter.send(ReportKind::Held {
            entity: self.entity,
            bytes: image.size,
            verified,
        });
        sink.close().await;
        Ok(())
    }

    /// Sends every block, waits for the entity's confirmation and verifies its copy.
    async fn send(
        &self,
        sink: &mut T::Sink,
        reader: &mut Reader,
        step: &mut Step,
    ) -> Result<(ImageDigest, Verified), Failure> {
        let meter = &self.meters.entities[self.entity];
        self.state(EntityState::Sending, Step::Send);
        let image = loop {
            match reader.next().await {
                Next::Block(block) => {
                    let mut rest: &[u8] = &block;
                    while !rest.is_empty() {
                        let count = sink.write(rest).await?;
                        meter.add_sent(count);
                        rest = &rest[count..];
                    }
                }
                Next::End(image) => break image,
                Next::Failed(failure) => return Err(self.of_source(failure)),
                Next::Abandoned => return Err(gone()),
            }
        };
        *step = Step::Confirm;
        self.state(EntityState::Confirming, Step::Confirm);
        sink.finish().await?;
        *step = Step::Verify;
        self.state(EntityState::Verifying, Step::Verify);
        let verified = sink.verify(&image).await?;
        Ok((image, verified))
    }

    /// Why the source failed, once it has: the reader is told before anybody else.
    async fn source_failed(&self, reader: &mut Reader) -> Failure {
        loop {
            match reader.next().await {
                Next::Failed(failure) => return self.of_source(failure),
                Next::Abandoned => return gone(),
                Next::Block(_) | Next::End(_) => {}
            }
        }
    }

    fn of_source(&self, failure: Failure) -> Failure {
        if failure.is_cancelled() {
            return failure;
        }
        let step = Step::Read;
        let name = self.source.to_string();
        Failure::new(
            step,
            Fault::Source {
                name,
                failure: Box::new(failure),
            },
        )
    }

    /// Removes what was written, and reports what could not be removed.
    async fn clean_up(
        &self,
        hurry: bool,
        discard: impl Future<Output = Result<(), Failure>>,
        destination: &Destination,
    ) {
        let result = if hurry {
            timeout(CLEAN_UP, discard).await.unwrap_or_else(|_| {
                let fault = Fault::NoReply {
                    command: "DELE".into(),
                    after: CLEAN_UP,
                };
                Err(Failure::new(Step::Discard, fault))
            })
        } else {
            discard.await
        };
        if let Err(failure) = result {
            let path = destination.written_path().to_string();
            tracing::warn!("{}: {path} could not be removed: {failure}", self.who);
            self.reporter.send(ReportKind::Left {
                entity: self.entity,
                path,
            });
        }
    }
}

/// The transfer agent ended without a word, which only a fault of ours can bring about.
fn gone() -> Failure {
    Failure::new(
        Step::Read,
        Fault::Local("the transfer agent is gone".into()),
    )
}

/// Whether the entity may hold a staging file although opening it failed: the server may have
/// acted on a command whose reply never came.
fn may_have_been_opened(failure: &Failure) -> bool {
    match failure.fault {
        Fault::Cancelled => true,
        Fault::Source { .. } => true,
        Fault::Reply { .. } => false,
        _ => failure.step == Step::Open,
    }
}

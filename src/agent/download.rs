//! The download agent (\[0017\], step 308): pool to one entity, from the staging file to the rename.
//!
//! It keeps its session and its file when it has to leave a pass, and goes on from the same byte in
//! another one.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::model::{EntityState, Failure, Fault, Laggards, Limits, Step, Verified};
use crate::pool::Next;
use crate::transport::{Destination, ImageDigest, Sink, Transport};

use super::report::{GroupMeters, ReportKind, Reporter};
use super::seat::{Request, Seat};
use super::transfer::is_about_the_image;

/// After a cancellation so much time is spent on removing what was written: the operator waits.
const CLEAN_UP: Duration = Duration::from_millis(1500);

pub(super) struct DownloadAgent<T: Transport> {
    pub(super) transport: Arc<T>,
    /// The entity's place in its group.
    pub(super) entity: usize,
    /// `group/entity`, for the log.
    pub(super) who: String,
    pub(super) destination: Result<Destination, Failure>,
    pub(super) meters: Arc<GroupMeters>,
    pub(super) reporter: Reporter,
    pub(super) cancel: CancellationToken,
    pub(super) laggards: Laggards,
    pub(super) limits: Limits,
    pub(super) requests: mpsc::UnboundedSender<Request>,
    pub(super) attempt: u32,
}

/// One attempt: where it is, and where it gets its blocks from.
struct Progress {
    seat: Option<Seat>,
    /// Offset in the image of the next byte that the entity is to get.
    position: u64,
    /// Passes that it had to leave.
    left: Vec<u32>,
    step: Step,
}

/// Why an agent stops taking blocks from a pass.
enum Fed {
    Whole(ImageDigest),
    /// It held up the others.
    Left,
    /// The source has failed.
    Broken(Failure),
}

impl<T: Transport> DownloadAgent<T> {
    /// One attempt, from byte 0. Without a seat, the entity is looked at first, and one is asked for
    /// when its file is open.
    pub(super) async fn run(self, seat: Option<Seat>) -> Result<Verified, Failure> {
        self.meters.entities[self.entity].begin();
        if let Some(seat) = &seat {
            self.sits(seat);
        }
        let result = self.deliver(seat).await;
        self.meters.entities[self.entity].leaves();
        result
    }

    fn sits(&self, seat: &Seat) {
        self.meters.entities[self.entity].joins(seat.pass, seat.reader.meter());
    }

    fn state(&self, state: EntityState, step: Step) {
        self.reporter.state(self.entity, state, step, self.attempt);
    }

    async fn deliver(&self, seat: Option<Seat>) -> Result<Verified, Failure> {
        let destination = self.destination.clone()?;
        let mut progress = Progress {
            seat,
            position: 0,
            left: Vec::new(),
            step: Step::Connect,
        };

        self.state(EntityState::Connecting, Step::Connect);
        let opened = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(cancelled(Step::Connect)),
            // What is not sending bytes gets memory of its own for as long as it lasts: a task
            // is as large as the largest thing that it ever does, and there is one an entity.
            opened = Box::pin(self.open(&destination, &mut progress)) => opened,
        };
        let mut sink = match opened {
            Ok(sink) => sink,
            Err(failure) => {
                drop(progress);
                if may_have_been_opened(&failure) {
                    let discard = self.transport.discard(&destination);
                    Box::pin(self.clean_up(failure.is_cancelled(), discard, &destination)).await;
                }
                return Err(failure);
            }
        };

        self.reporter.send(ReportKind::Opened {
            entity: self.entity,
            staged: sink.staged(),
        });
        let sent = tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            sent = self.send(&mut sink, &mut progress) => Some(sent),
        };
        let sent = sent.unwrap_or_else(|| Err(cancelled(progress.step)));
        // An entity that needs no more blocks holds nobody up, whatever becomes of it.
        drop(progress);
        let (image, verified) = match sent {
            Ok(done) => done,
            Err(failure) => {
                let hurry = failure.is_cancelled();
                Box::pin(self.clean_up(hurry, sink.discard(), &destination)).await;
                return Err(failure);
            }
        };

        // From here on nothing is cancelled: the rename happens or it does not.
        self.state(EntityState::Verifying, Step::Rename);
        if let Err(failure) = Box::pin(sink.commit(&image)).await {
            Box::pin(self.clean_up(false, sink.discard(), &destination)).await;
            return Err(failure);
        }
        self.reporter.send(ReportKind::Held {
            entity: self.entity,
            bytes: image.size,
            verified,
        });
        Box::pin(sink.close()).await;
        Ok(verified)
    }

    /// Opens the file on the entity. One that takes long to connect leaves the pass and goes on
    /// connecting.
    async fn open(
        &self,
        destination: &Destination,
        progress: &mut Progress,
    ) -> Result<T::Sink, Failure> {
        let mut opening = pin!(self.transport.open_sink(destination));
        if let Some(seat) = &mut progress.seat {
            tokio::select! {
                biased;
                () = seat.leave.cancelled() => {}
                () = seat.broken.cancelled() => return Err(source_failed(seat).await),
                opened = &mut opening => return opened,
            }
            self.leave(progress, Step::Connect)?;
        }
        opening.await
    }

    /// Sends every block, waits for the entity's confirmation and verifies its copy.
    async fn send(
        &self,
        sink: &mut T::Sink,
        progress: &mut Progress,
    ) -> Result<(ImageDigest, Verified), Failure> {
        progress.step = Step::Send;
        let behind = progress.seat.is_none();
        self.state(
            if behind {
                EntityState::CatchingUp
            } else {
                EntityState::Sending
            },
            Step::Send,
        );
        let image = loop {
            let Some(seat) = &mut progress.seat else {
                let seat = self.ask(sink, progress).await?;
                self.sits(&seat);
                progress.seat = Some(seat);
                continue;
            };
            match self.feed(sink, seat, &mut progress.position).await? {
                Fed::Whole(image) => break image,
                Fed::Left => {
                    self.leave(progress, Step::Send)?;
                    self.state(EntityState::CatchingUp, Step::Send);
                }
                Fed::Broken(failure) => {
                    // A later pass may not have found room at the source beside the first one.
                    let first = progress.left.is_empty();
                    if first || failure.is_cancelled() || is_about_the_image(&failure) {
                        return Err(failure);
                    }
                    let seat = progress.seat.take();
                    progress.left.extend(seat.map(|seat| seat.pass));
                }
            }
        };
        progress.seat = None;
        self.meters.entities[self.entity].leaves();
        if progress.position != image.size {
            let (sent, size) = (progress.position, image.size);
            let fault = Fault::Local(format!("{sent} bytes of {size} were sent"));
            return Err(Failure::new(Step::Send, fault));
        }
        progress.step = Step::Confirm;
        self.state(EntityState::Confirming, Step::Confirm);
        sink.finish().await?;
        progress.step = Step::Verify;
        self.state(EntityState::Verifying, Step::Verify);
        let verified = sink.verify(&image).await?;
        Ok((image, verified))
    }

    /// Writes the pass's blocks from `position` on, which it moves.
    async fn feed(
        &self,
        sink: &mut T::Sink,
        seat: &mut Seat,
        position: &mut u64,
    ) -> Result<Fed, Failure> {
        let meter = &self.meters.entities[self.entity];
        let (leave, broken) = (seat.leave.clone(), seat.broken.clone());
        let (mut leave, mut broken) = (pin!(leave.cancelled()), pin!(broken.cancelled()));
        loop {
            let next = tokio::select! {
                biased;
                () = &mut leave => return Ok(Fed::Left),
                next = seat.reader.next() => next,
            };
            let block = match next {
                Next::Block(block) => block,
                Next::End(image) => return Ok(Fed::Whole(image)),
                Next::Failed(failure) => return Ok(Fed::Broken(failure)),
                Next::Abandoned => return Err(gone()),
            };
            let begins = seat.next;
            seat.next += block.len() as u64;
            if begins > *position {
                let fault = format!("a pass at byte {begins} for an entity at {position}");
                return Err(Failure::new(Step::Send, Fault::Local(fault)));
            }
            // A pass may begin a little before the byte that is needed.
            let skipped = usize::try_from(*position - begins).unwrap_or(usize::MAX);
            let mut rest = block.get(skipped..).unwrap_or_default();
            while !rest.is_empty() {
                let count = tokio::select! {
                    biased;
                    () = &mut leave => return Ok(Fed::Left),
                    () = &mut broken => {
                        drop(block);
                        return Ok(Fed::Broken(source_failed(seat).await));
                    }
                    count = sink.write(rest) => count?,
                };
                meter.add_sent(count);
                *position += count as u64;
                rest = &rest[count..];
            }
        }
    }

    /// Leaves the pass at once: from here on the others do not wait.
    ///
    /// # Errors
    /// The group drops laggards.
    fn leave(&self, progress: &mut Progress, step: Step) -> Result<(), Failure> {
        progress
            .left
            .extend(progress.seat.take().map(|seat| seat.pass));
        self.meters.entities[self.entity].leaves();
        if self.laggards == Laggards::Drop {
            let after = self.limits.laggard;
            return Err(Failure::new(step, Fault::HeldUp { after }));
        }
        let position = progress.position;
        tracing::info!(
            "{}: leaves the pool at byte {position}: it held up the others",
            self.who
        );
        Ok(())
    }

    /// A place at a pass that brings the next byte. An entity that takes no bytes gets none: a
    /// pass would be read for nothing.
    async fn ask(&self, sink: &mut T::Sink, progress: &Progress) -> Result<Seat, Failure> {
        sink.ready().await?;
        let (grant, granted) = oneshot::channel();
        let request = Request {
            entity: self.entity,
            position: progress.position,
            left: progress.left.clone(),
            grant,
        };
        self.requests.send(request).map_err(|_| gone())?;
        granted.await.unwrap_or_else(|_| Err(gone()))
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

fn cancelled(step: Step) -> Failure {
    Failure::new(step, Fault::Cancelled)
}

/// Why the source failed, once it has: the pool is told before anybody else.
async fn source_failed(seat: &mut Seat) -> Failure {
    loop {
        match seat.reader.next().await {
            Next::Failed(failure) => return failure,
            Next::Abandoned => return gone(),
            Next::Block(_) | Next::End(_) => {}
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
        Fault::Cancelled | Fault::Source { .. } | Fault::HeldUp { .. } => true,
        Fault::Reply { .. } => false,
        _ => failure.step == Step::Open,
    }
}

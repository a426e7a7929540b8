//! The download agent (\[0017\], step 308): pool to one entity, from the staging file to the rename.
//!
//! It keeps its session and its file when it has to leave a pass, and goes on from the same byte in
//! another one.

mod giving_up;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use giving_up::Unopened;
pub(in crate::agent) use giving_up::{cancelled, gone, source_failed};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::caps::Pacer;
use crate::model::{
    EntityState, Failure, Fault, Holds, Image, Laggards, Limits, RemotePath, Staging, Step,
    Timeouts, Verified,
};
use crate::placement::{Delivery, Known, NotOpened, Opened};
use crate::pool::Next;
use crate::transport::{Destination, ImageDigest, Transport};

use super::digests::Digests;
use super::fetch::Fetching;
use super::report::{GroupMeters, Reporter};
use super::subscription::{Request, Subscription};
use super::transfer::is_about_the_image;

/// How long removing what was written may take. A live entity needs less; on a dead one it would be
/// waited in vain.
const CLEAN_UP: Duration = Duration::from_secs(5);
/// How long opening a file may go on after a cancellation.
const OPENING: Duration = Duration::from_millis(500);
/// After a cancellation: the operator waits.
const HURRIED: Duration = Duration::from_millis(1500);

pub(super) struct DownloadAgent<T: Transport> {
    pub(super) transport: Arc<T>,
    /// The entity's place in its group.
    pub(super) entity: usize,
    pub(super) destination: Result<Destination, Failure>,
    /// What is known of the image, and of this entity, from earlier attempts.
    pub(super) known: Option<Known>,
    /// What the passes know of the image by now.
    pub(super) digests: Arc<Digests>,
    pub(super) image: Arc<Image>,
    pub(super) meters: Arc<GroupMeters>,
    pub(super) reporter: Reporter,
    pub(super) cancel: CancellationToken,
    pub(super) laggards: Laggards,
    pub(super) limits: Limits,
    pub(super) requests: mpsc::UnboundedSender<Request>,
    pub(super) attempt: u32,
    /// Of a device that fetches its image.
    pub(super) fetching: Option<Fetching>,
}

/// One attempt: where it is, and where it gets its blocks from.
pub(super) struct Progress {
    pub(super) subscription: Option<Subscription>,
    /// Offset in the image of the next byte that the entity is to get.
    pub(super) position: u64,
    /// Passes that it had to leave.
    pub(super) left: Vec<u32>,
    step: Step,
    /// The caps that the entity comes under.
    pub(super) pacer: Pacer,
}

impl Progress {
    pub(super) fn new<T: Transport>(
        agent: &DownloadAgent<T>,
        subscription: Option<Subscription>,
    ) -> Self {
        let meters = &agent.meters;
        Self {
            subscription,
            position: 0,
            left: Vec::new(),
            step: Step::Connect,
            pacer: (meters.caps.to_entity(agent.entity))
                .counted_by(meters.entities[agent.entity].held.clone()),
        }
    }

    /// Its pass has failed. Whether another one may bring what is missing: a later pass may not have found room at
    /// the source beside the first one.
    pub(super) fn goes_on_after(&mut self, failure: &Failure) -> bool {
        let is_first = self.left.is_empty();
        if is_first || failure.is_cancelled() || is_about_the_image(failure) {
            return false;
        }
        let subscription = self.subscription.take();
        let left = subscription.map(|subscription| subscription.pass);
        self.left.extend(left);
        true
    }
}

/// How an attempt ended.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) result: Result<Verified, Failure>,
    /// What the entity holds after it; `None` where nobody could look.
    pub(super) holds: Option<Holds>,
    /// The entity had confirmed the file: it may be in place although the attempt failed.
    pub(super) confirmed: bool,
}

impl Attempt {
    /// Nothing was done to the entity.
    pub(super) fn not_begun(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            holds: None,
            confirmed: false,
        }
    }
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
    /// One attempt, from byte 0. Without a subscription, the entity is looked at first, and one is asked for
    /// when its file is open.
    pub(super) async fn run(self, subscription: Option<Subscription>) -> Attempt {
        self.meters.entities[self.entity].begin();
        if let Some(subscription) = &subscription {
            self.sits(subscription);
        }
        let attempt = match &self.fetching {
            Some(fetching) => Box::pin(self.fetch(fetching, subscription)).await,
            None => self.deliver(subscription).await,
        };
        self.meters.entities[self.entity].leaves();
        attempt
    }

    pub(super) fn sits(&self, subscription: &Subscription) {
        self.meters.entities[self.entity].joins(subscription.pass, subscription.reader.meter());
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.reporter.group.entities[self.entity].timeouts
    }

    pub(super) fn state(&self, state: EntityState, step: Step) {
        self.reporter.state(self.entity, state, step, self.attempt);
    }

    async fn deliver(&self, subscription: Option<Subscription>) -> Attempt {
        let mut destination = match self.destination.clone() {
            Ok(destination) => destination,
            Err(failure) => return Attempt::not_begun(failure),
        };
        let mut progress = Progress::new(self, subscription);

        self.state(EntityState::Connecting, Step::Connect);
        if destination.staging == Staging::Direct
            && let Some(subscription) = &mut progress.subscription
        {
            // What takes the file loses its old one: not before its source has sent anything.
            let sent = tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(cancelled(Step::Connect)),
                sent = first_block(subscription) => sent,
            };
            if let Err(failure) = sent {
                return Attempt::not_begun(failure);
            }
        }
        destination.size = self.digests.size(&self.image);
        // What is not sending bytes gets memory of its own for as long as it lasts: a task
        // is as large as the largest thing that it ever does, and there is one per entity.
        let mut opening = Box::pin(self.open(&destination, &mut progress));
        let opened = tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            opened = &mut opening => Some(opened.map_err(Some)),
        };
        let opened = match opened {
            Some(opened) => opened,
            // What takes the file under its own name loses its old one by it.
            None if destination.staging == Staging::Direct => Err(None),
            // As where the source fails.
            None => match timeout(OPENING, opening.as_mut()).await {
                Ok(Ok(opened)) => Ok(opened),
                Ok(Err(_)) | Err(_) => Err(None),
            },
        };
        drop(opening);
        let (mut delivery, opened) = match opened {
            Ok(opened) => opened,
            Err(not_opened) => {
                let step = progress.step;
                drop(progress);
                return self.not_opened(not_opened, step, &destination).await;
            }
        };

        (self.reporter).opened(self.entity, delivery.is_staged());
        let sent = match opened {
            Opened::Placed(verified) => {
                drop(progress);
                tracing::info!("the image is in place already");
                let bytes = delivery.image().map_or(0, |image| image.size);
                return self.placed(delivery, bytes, verified).await;
            }
            Opened::Staged if self.cancel.is_cancelled() => Err(cancelled(progress.step)),
            Opened::Staged => {
                tracing::info!("a whole copy is there already");
                delivery.image().ok_or_else(gone)
            }
            Opened::Writing => {
                let sent = tokio::select! {
                    biased;
                    () = self.cancel.cancelled() => None,
                    sent = self.send(&mut delivery, &mut progress) => Some(sent),
                };
                sent.unwrap_or_else(|| Err(cancelled(progress.step)))
            }
        };
        // An entity that needs no more blocks holds nobody up, whatever becomes of it.
        drop(progress);
        let image = match sent {
            Ok(image) => image,
            Err(failure) => return self.give_up(delivery, failure).await,
        };

        // From here on nothing is cancelled: the rename happens or it does not.
        self.state(EntityState::Verifying, Step::Rename);
        match Box::pin(delivery.commit(&image)).await {
            Ok(verified) => self.placed(delivery, image.size, verified).await,
            Err(failure) => self.give_up(delivery, failure).await,
        }
    }

    /// The image stands under its final name.
    async fn placed(&self, delivery: Delivery, bytes: u64, verified: Verified) -> Attempt {
        self.reporter.stored(self.entity, bytes, verified);
        let left: Vec<&str> = (delivery.left().into_iter())
            .map(RemotePath::as_str)
            .collect();
        if !left.is_empty() {
            self.left(left.join(", "));
        }
        let holds = delivery.holds();
        Box::pin(delivery.close()).await;
        Attempt {
            result: Ok(verified),
            holds: Some(holds),
            confirmed: true,
        }
    }

    /// Opens the file on the entity. One that takes long to connect leaves the pass and goes on
    /// connecting.
    async fn open(
        &self,
        destination: &Destination,
        progress: &mut Progress,
    ) -> Result<(Delivery, Opened), Unopened> {
        let (transport, known) = (&*self.transport, self.known.as_ref());
        if progress.subscription.is_none() && destination.staging == Staging::Direct {
            let mut granted = None;
            let sends = async {
                let subscription = granted.insert(self.ask(progress).await?);
                self.sits(subscription);
                first_block(subscription).await
            };
            let opened = Delivery::open_when(transport, destination, known, sends).await;
            progress.subscription = granted;
            return opened.map_err(Unopened::Entity);
        }
        let mut opening = pin!(Delivery::open(transport, destination, known));
        if let Some(subscription) = &mut progress.subscription {
            tokio::select! {
                biased;
                () = subscription.leave.cancelled() => {}
                () = subscription.broken.cancelled() => {
                    let failure = source_failed(subscription).await;
                    if destination.staging == Staging::Direct {
                        return Err(Unopened::GivenUp(failure));
                    }
                    // Dropped half way, it could open the file behind the back of what removes it.
                    return match timeout(CLEAN_UP, opening).await {
                        Ok(opened) => opened.map_err(|unopened| {
                            Unopened::Entity(NotOpened { failure, ..unopened })
                        }),
                        Err(_) => Err(Unopened::GivenUp(failure)),
                    };
                }
                opened = &mut opening => return opened.map_err(Unopened::Entity),
            }
            self.leave(progress, Step::Connect)
                .map_err(Unopened::GivenUp)?;
        }
        opening.await.map_err(Unopened::Entity)
    }

    /// Sends every block, waits for the entity's confirmation and verifies its copy.
    async fn send(
        &self,
        sink: &mut Delivery,
        progress: &mut Progress,
    ) -> Result<ImageDigest, Failure> {
        progress.step = Step::Send;
        let behind = progress.subscription.is_none();
        self.state(
            if behind {
                EntityState::CatchingUp
            } else {
                EntityState::Sending
            },
            Step::Send,
        );
        let image = loop {
            let Some(subscription) = &mut progress.subscription else {
                // One that takes no bytes gets no place: a pass would be read for nothing.
                sink.ready().await?;
                let subscription = self.ask(progress).await?;
                self.sits(&subscription);
                progress.subscription = Some(subscription);
                continue;
            };
            match self
                .feed(
                    sink,
                    subscription,
                    &mut progress.position,
                    &mut progress.pacer,
                )
                .await?
            {
                Fed::Whole(image) => break image,
                Fed::Left => {
                    self.leave(progress, Step::Send)?;
                    self.state(EntityState::CatchingUp, Step::Send);
                }
                Fed::Broken(failure) => {
                    if !progress.goes_on_after(&failure) {
                        return Err(failure);
                    }
                }
            }
        };
        progress.subscription = None;
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
        sink.verify(&image).await?;
        Ok(image)
    }

    /// Writes the pass's blocks from `position` on, which it moves, as fast as the caps allow.
    async fn feed(
        &self,
        sink: &mut Delivery,
        subscription: &mut Subscription,
        position: &mut u64,
        pacer: &mut Pacer,
    ) -> Result<Fed, Failure> {
        let mut caps = pacer.changes();
        let meter = &self.meters.entities[self.entity];
        let (leave, broken) = (subscription.leave.clone(), subscription.broken.clone());
        let (mut leave, mut broken) = (pin!(leave.cancelled()), pin!(broken.cancelled()));
        loop {
            let next = tokio::select! {
                biased;
                () = &mut leave => return Ok(Fed::Left),
                next = subscription.reader.next() => next,
            };
            let block = match next {
                Next::Block(block) => block,
                Next::End(image) => return Ok(Fed::Whole(image)),
                Next::Failed(failure) => return Ok(Fed::Broken(failure)),
                Next::Abandoned => return Err(gone()),
            };
            let begins = subscription.next;
            subscription.next += block.len() as u64;
            if begins > *position {
                let fault = format!("a pass at byte {begins} for an entity at {position}");
                return Err(Failure::new(Step::Send, Fault::Local(fault)));
            }
            // A pass may begin a little before the byte that is needed.
            let skipped = usize::try_from(*position - begins).unwrap_or(usize::MAX);
            let mut rest = block.get(skipped..).unwrap_or_default();
            while !rest.is_empty() {
                let written = async {
                    let granted = pacer.grant(rest.len()).await;
                    sink.write(&rest[..granted]).await
                };
                let count = tokio::select! {
                    biased;
                    () = &mut leave => return Ok(Fed::Left),
                    () = &mut broken => {
                        drop(block);
                        return Ok(Fed::Broken(source_failed(subscription).await));
                    }
                    count = written => count?,
                    // What was about to be written at once may be more than is allowed now.
                    () = caps.next() => continue,
                };
                pacer.sent(count);
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
    pub(super) fn leave(&self, progress: &mut Progress, step: Step) -> Result<(), Failure> {
        progress.left.extend(
            progress
                .subscription
                .take()
                .map(|subscription| subscription.pass),
        );
        self.meters.entities[self.entity].leaves();
        if self.laggards == Laggards::Drop {
            let after = self.limits.laggard;
            return Err(Failure::new(step, Fault::HeldUp { after }));
        }
        let position = progress.position;
        tracing::info!("leaves the pool at byte {position}: it held up the others");
        Ok(())
    }

    /// A place at a pass that brings the next byte.
    pub(super) async fn ask(&self, progress: &Progress) -> Result<Subscription, Failure> {
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
}

/// Waits until the source has sent something, or why it never will.
pub(super) async fn first_block(subscription: &mut Subscription) -> Result<(), Failure> {
    if subscription.reader.arrived().await {
        return Ok(());
    }
    Err(match subscription.reader.next().await {
        Next::Failed(failure) => failure,
        _ => gone(),
    })
}

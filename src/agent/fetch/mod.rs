//! The download agent of a device that fetches its image: the steps that make it, what it asks for meanwhile, and the
//! steps that prove what it has.
//!
//! - here: one attempt, from the first step to the proof
//! - `request` one request of the device, which reads the pool as a download agent does
//! - `covered` which bytes it was sent; `facts` from where it may ask, and what its image is; `causes` why it has none

mod causes;
mod covered;
mod facts;
mod request;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use crate::model::procedure::{Part, Placeholder, Procedure, Proves, Role, Values};
use crate::model::serve::Over;
use crate::model::{Entity, EntityState, Failure, Fault, Holds, Image, Logins, Step, Verified};
use crate::procedure::{
    Device, Doing, Hands as _, Means, PastStep, StepEnd, StepFailure, Way, values,
};
use crate::transport::serve::{Answer, Asked, Desk, Offered, Refusal, Visit, Wanted};
use crate::transport::{Destination, Transport};

use super::download::{Attempt, DownloadAgent, Progress, cancelled, first_block, source_failed};
use super::report::lock;
use super::subscription::Subscription;
use causes::{never_asked, served_in_vain, within};
use facts::{addresses, known_of_image};
use request::{Ended, Sent};

/// A request whose connection took nothing for so long gives way to another one of its device.
const STALLED: Duration = Duration::from_secs(3);
/// Until it is known what ended a request.
const MOMENT: Duration = Duration::from_millis(500);

/// What it needs beside what every download agent has.
pub(super) struct Fetching {
    /// Or why nothing is served.
    pub(super) desk: Result<Arc<Desk>, Failure>,
    pub(super) over: Over,
    pub(super) procedure: Arc<Procedure>,
    pub(super) means: Means,
    pub(super) logins: Arc<Logins>,
    pub(super) run: String,
}

type Serving<'a> = BoxFuture<'a, (Progress, Ended)>;

impl Fetching {
    /// What placeholders stand for in its steps.
    fn values(&self, desk: &Desk, entity: &Entity, offered: &Offered, image: &Image) -> Values {
        let mut all = values(entity, image, &self.run);
        let url = desk.url(self.over, offered).unwrap_or_default();
        all.insert(Placeholder::Url, url);
        if let Some(at) = desk.address(self.over) {
            all.insert(Placeholder::Server, at.ip().to_string());
            all.insert(Placeholder::Port, at.port().to_string());
        }
        all.insert(Placeholder::File, offered.name());
        all
    }
}

impl<T: Transport> DownloadAgent<T> {
    /// One attempt of a device that fetches.
    pub(super) async fn fetch(
        &self,
        fetching: &Fetching,
        subscription: Option<Subscription>,
    ) -> Attempt {
        let entity = self.reporter.group.entities[self.entity].clone();
        let destination = match self.destination.clone() {
            Ok(destination) => destination,
            Err(failure) => return Attempt::not_begun(failure),
        };
        self.state(EntityState::Connecting, Step::Connect);
        let gathers = &self.meters.entities[self.entity].gathers;
        gathers.begins();
        let attempt = self
            .attempt_to_fetch(fetching, (&entity, &destination), subscription)
            .await;
        gathers.ends();
        attempt
    }

    async fn attempt_to_fetch(
        &self,
        fetching: &Fetching,
        (entity, destination): (&Arc<Entity>, &Destination),
        subscription: Option<Subscription>,
    ) -> Attempt {
        let desk = match &fetching.desk {
            Ok(desk) => desk,
            Err(failure) => return Attempt::not_begun(failure.clone()),
        };
        if let Err(failure) = self.transport.hold(destination).await {
            return Attempt::not_begun(failure);
        }
        let from = match addresses(entity, &fetching.procedure).await {
            Ok(from) => from,
            Err(failure) => return Attempt::not_begun(failure),
        };
        let offers = desk.offers();
        let mut offered = offers.offer(&entity.name, from, &self.image.file);
        let values = fetching.values(desk, entity, &offered, &self.image);
        let target = (fetching.means).target(entity, &fetching.procedure, &fetching.logins);
        let mut device = Device::new(self.transport.clone(), target, self.cancel.clone());
        let past: Vec<PastStep> = fetching.means.open.of(entity, &self.image);
        let mut steps = Steps {
            past: past
                .into_iter()
                .filter(|step| step.part == Part::Fetch)
                .collect(),
            is_begun: false,
        };
        let sent = Sent::nothing();
        let result = self
            .fetched(
                fetching,
                (&mut device, &mut offered),
                subscription,
                (values, &sent),
                &mut steps,
            )
            .await;
        device.close().await;
        drop(offered);
        let was_sent = lock(&sent.covered).total();
        let holds = match (&result, steps.is_begun || was_sent > 0) {
            (Ok(_), _) => Holds::New,
            (Err(_), false) => Holds::Old,
            (Err(_), true) => Holds::Unknown,
        };
        let mut open = fetching.means.open.of(entity, &self.image);
        open.retain(|step| step.part != Part::Fetch);
        if result.is_err() {
            open.extend(steps.past);
        }
        fetching.means.open.set(entity, &self.image, open);
        if let Ok((bytes, verified)) = result {
            self.reporter.stored(self.entity, bytes, verified);
        }
        Attempt {
            result: result.map(|(_, verified)| verified),
            holds: Some(holds),
            confirmed: false,
        }
    }

    /// The image's size, and how it was proven.
    async fn fetched(
        &self,
        fetching: &Fetching,
        (device, offered): (&mut Device<T>, &mut Offered),
        subscription: Option<Subscription>,
        (values, sent): (Values, &Sent),
        steps: &mut Steps,
    ) -> Result<(u64, Verified), Failure> {
        let procedure = &*fetching.procedure;
        let (trigger, _) = procedure.fetches().unwrap_or_default();
        let entity = &self.reporter.group.entities[self.entity].name;
        let way = |values| Way {
            entity,
            procedure,
            values,
            ledger: &*fetching.means.ledger,
            cancel: &self.cancel,
        };
        self.reporter.opened(self.entity, false);
        for number in 0..trigger {
            let known = (steps.past.as_slice(), true);
            let report = |_: Doing<'_>| self.state(EntityState::Preparing, Step::Command);
            let (end, result) = way(&values).fetch(device, number, known, report).await;
            steps.did(number, end);
            result.map_err(|failed| within(&failed))?;
        }
        let mut progress = Progress::new(self, subscription);
        if let Some(place) = &mut progress.subscription {
            // What it is made to fetch may cost it its old file: not before its source has sent anything.
            let leave = place.leave.clone();
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(cancelled(Step::Connect)),
                () = leave.cancelled() => {}
                begun = first_block(place) => begun?,
            }
        }
        self.state(EntityState::Fetching, Step::Send);
        let known = steps.past.clone();
        let way_now = way(&values);
        let ordered = way_now.fetch(device, trigger, (&known, false), |_| {});
        let (end, ordered, broken) = self
            .while_it_fetches(ordered, offered, progress, sent)
            .await;
        self.meters.entities[self.entity].leaves();
        steps.did(trigger, end);
        // Left in its middle, because nothing could be served any more, it may have begun.
        let may_have_begun = !matches!(end, Some(StepEnd::Undone | StepEnd::Refused) | None);
        steps.is_begun |= may_have_begun || broken.is_some();
        let total = lock(&sent.covered).total();
        if let Some(failure) = broken {
            return Err(served_in_vain(failure, total));
        }
        ordered.map_err(|failed| self.unanswered(&failed, sent))?;

        self.state(EntityState::Verifying, Step::Verify);
        let image = self.digests.image(&self.image);
        let size = self.digests.size(&self.image);
        let mut known = values.clone();
        known_of_image(
            &mut known,
            size,
            image.map(|image| image.sha256),
            &self.digests.sums(),
        );
        let mut verified = Verified::None;
        for number in trigger + 1..procedure.fetch.len() {
            let report = |_: Doing<'_>| self.state(EntityState::Verifying, Step::Verify);
            let (end, result) = way(&known)
                .fetch(device, number, (&[], false), report)
                .await;
            steps.did(number, end);
            result.map_err(|failed| within(&failed))?;
            verified = match (procedure.fetch.get(number).map(|step| step.role), verified) {
                (Some(Role::Proves(Proves::Digest)), _) => Verified::Digest,
                (Some(Role::Proves(Proves::Size)), Verified::None) => Verified::Size,
                (_, verified) => verified,
            };
        }
        let is_whole = size.is_some_and(|size| lock(&sent.covered).is_whole(size));
        if !is_whole && verified == Verified::None {
            return Err(Failure::new(Step::Send, never_asked(total, size)));
        }
        Ok((size.unwrap_or(total), verified))
    }

    /// Serves what the device asks for until the step is over that makes it. And why nothing can be served any more.
    async fn while_it_fetches(
        &self,
        step: impl Future<Output = (Option<StepEnd>, Result<(), StepFailure>)>,
        offered: &mut Offered,
        progress: Progress,
        sent: &Sent,
    ) -> (Option<StepEnd>, Result<(), StepFailure>, Option<Failure>) {
        let mut step = pin!(step);
        let mut progress = Some(progress);
        let mut serving: Option<Serving<'_>> = None;
        let gathers = &self.meters.entities[self.entity].gathers;
        let (end, result, broken) = loop {
            let (leave, broken) = match progress.as_ref().and_then(|one| one.subscription.as_ref())
            {
                Some(place) => (place.leave.clone(), place.broken.clone()),
                None => Default::default(),
            };
            tokio::select! {
                biased;
                (end, result) = &mut step => break (end, result, None),
                (kept, ended) = async { match &mut serving {
                    Some(serving) => serving.await,
                    None => std::future::pending().await,
                } } => {
                    (serving, progress) = (None, Some(kept));
                    if let Ended::Broken(failure) = ended {
                        break (None, Ok(()), Some(failure));
                    }
                }
                Some(visit) = offered.visit() => {
                    let Some(asked) = self.admitted(visit, serving.is_some(), sent) else {
                        continue;
                    };
                    gathers.ends();
                    // One whose connection stands still is given up for it, with its place.
                    drop(serving.take());
                    let kept = progress.take().unwrap_or_else(|| Progress::new(self, None));
                    *lock(&sent.taken) = Instant::now();
                    serving = Some(Box::pin(self.answer(kept, asked, sent.clone())));
                }
                () = leave.cancelled() => {
                    if let Some(progress) = &mut progress
                        && let Err(failure) = self.leave(progress, Step::Send)
                    {
                        break (None, Ok(()), Some(failure));
                    }
                }
                () = broken.cancelled() => {
                    let place = progress.as_mut().and_then(|one| one.subscription.as_mut());
                    let Some(place) = place else { continue };
                    break (None, Ok(()), Some(source_failed(place).await));
                }
            }
        };
        if broken.is_some() || result.is_ok() {
            return (end, result, broken);
        }
        // What ended it may be that nothing was served any more.
        let ended = async { Some(serving?.await.1) };
        if let Ok(Some(Ended::Broken(failure))) = timeout(MOMENT, ended).await {
            return (end, result, Some(failure));
        }
        let place = progress.as_mut().and_then(|one| one.subscription.as_mut());
        let broken = match place.filter(|place| place.broken.is_cancelled()) {
            Some(place) => Some(source_failed(place).await),
            None => None,
        };
        (end, result, broken)
    }

    /// A request that is to be served now.
    fn admitted(&self, visit: Visit, is_served: bool, sent: &Sent) -> Option<Asked> {
        match visit {
            Visit::Asked(asked)
                if is_served
                    && asked.wanted == Wanted::Size
                    && self.digests.size(&self.image).is_some() =>
            {
                let size = self.digests.size(&self.image);
                let pieces = None;
                let _ = asked.answer.send(Ok(Answer { size, pieces }));
                None
            }
            Visit::Asked(asked) if is_served && lock(&sent.taken).elapsed() < STALLED => {
                let _ = asked.answer.send(Err(Refusal::Busy));
                None
            }
            Visit::Asked(asked) => Some(asked),
            Visit::FromElsewhere(address) => {
                tracing::warn!("{address} asks for this image, and is not its address");
                lock(&sent.elsewhere).get_or_insert(address);
                None
            }
        }
    }
}

impl<T: Transport> DownloadAgent<T> {
    /// Why the step failed that was to make it fetch.
    fn unanswered(&self, failed: &StepFailure, sent: &Sent) -> Failure {
        let failure = within(failed);
        let elsewhere = *lock(&sent.elsewhere);
        let total = lock(&sent.covered).total();
        match elsewhere.filter(|_| total == 0) {
            Some(address) => {
                let what = format!(
                    "{address} asked for its image and is none of its addresses, so it got nothing; if that is the \
                     device, add `fetch_from: {address}`"
                );
                let fault = Box::new(failure.fault);
                Failure::new(failure.step, Fault::Within { what, fault })
            }
            None => failure,
        }
    }
}

/// The steps of `fetch` that were carried out.
struct Steps {
    past: Vec<PastStep>,
    /// The device was made to fetch.
    is_begun: bool,
}

impl Steps {
    fn did(&mut self, number: usize, end: Option<StepEnd>) {
        let part = Part::Fetch;
        self.past.retain(|step| step.number != number);
        self.past.push(PastStep { part, number, end });
    }
}

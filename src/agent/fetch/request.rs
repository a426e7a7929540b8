//! One request of a device: a reader of the pool, as long as it lasts.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::time::timeout;

use crate::agent::download::{DownloadAgent, Progress, first_block, gone, source_failed};
use crate::agent::report::lock;
use crate::agent::subscription::Subscription;
use crate::model::{EntityState, Failure, Step};
use crate::pool::Next;
use crate::transport::Transport;
use crate::transport::serve::{Answer, Asked, Bytes, Giver, Refusal, Wanted, pieces};

use super::covered::Covered;

/// What a device has been sent, by all of its requests.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) covered: Arc<Mutex<Covered>>,
    /// When its connection took something last.
    pub(super) taken: Arc<Mutex<Instant>>,
    /// Who asked for its image, and has none of its addresses.
    pub(super) elsewhere: Arc<Mutex<Option<IpAddr>>>,
}

impl Sent {
    pub(super) fn nothing() -> Self {
        Self {
            covered: Arc::default(),
            taken: Arc::new(Mutex::new(Instant::now())),
            elsewhere: Arc::default(),
        }
    }
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The device has what it asked for, or was told why not, or is gone: it may ask again.
    Over,
    /// There is nothing to serve any more.
    Broken(Failure),
}

/// Why a place at a pass brings no more.
enum Fed {
    /// All that was asked for was given.
    All,
    Left,
    Gone,
    Broken(Failure),
}

impl<T: Transport> DownloadAgent<T> {
    /// Serves a request; the place at the pass is kept for the next one.
    pub(super) async fn answer(
        &self,
        mut progress: Progress,
        asked: Asked,
        sent: Sent,
    ) -> (Progress, Ended) {
        let ended = self.serve(&mut progress, asked, &sent).await;
        let ended = ended.unwrap_or_else(Ended::Broken);
        (progress, ended)
    }

    async fn serve(
        &self,
        progress: &mut Progress,
        asked: Asked,
        sent: &Sent,
    ) -> Result<Ended, Failure> {
        let (from, until) = match asked.wanted {
            // One that asks how large it is gets it next, mostly.
            Wanted::Size => (0, Some(0)),
            Wanted::Bytes { from, until } => (from, until),
        };
        if let Err(failure) = self.reach(progress, from).await {
            let _ = asked
                .answer
                .send(Err(Refusal::NotNow(failure.fault.to_string())));
            return Err(failure);
        }
        let size = self.digests.size(&self.image);
        if let Some(size) = size.filter(|size| from > 0 && from >= *size) {
            let _ = asked.answer.send(Err(Refusal::BeyondEnd { size }));
            return Ok(Ended::Over);
        }
        if asked.wanted == Wanted::Size {
            let pieces = None;
            let _ = asked.answer.send(Ok(Answer { size, pieces }));
            return Ok(Ended::Over);
        }
        let (giver, taker) = pieces();
        let answer = Answer {
            size,
            pieces: Some(taker),
        };
        if asked.answer.send(Ok(answer)).is_err() {
            return Ok(Ended::Over);
        }
        let (over, by) = (asked.over, asked.by);
        tracing::info!("{by} fetches from byte {from} on, over {over}");
        progress.position = from;
        self.give(progress, until, giver, sent).await
    }

    /// Gives it the bytes from `position` on, from one pass or from several.
    async fn give(
        &self,
        progress: &mut Progress,
        until: Option<u64>,
        giver: Giver,
        sent: &Sent,
    ) -> Result<Ended, Failure> {
        loop {
            let Some(mut subscription) = progress.subscription.take() else {
                let subscription = self.ask(progress).await?;
                self.sits(&subscription);
                progress.subscription = Some(subscription);
                continue;
            };
            let fed = self
                .feed_request((&mut *progress, &mut subscription), until, &giver, sent)
                .await;
            progress.subscription = Some(subscription);
            match fed {
                Fed::All => {
                    let after = self.timeouts().confirm;
                    if timeout(after, giver.end()).await.is_err() {
                        tracing::warn!("what the device asked for is not taken within {after:?}");
                    }
                    return Ok(Ended::Over);
                }
                Fed::Gone => return Ok(Ended::Over),
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
        }
    }

    async fn feed_request(
        &self,
        (progress, subscription): (&mut Progress, &mut Subscription),
        until: Option<u64>,
        giver: &Giver,
        sent: &Sent,
    ) -> Fed {
        let size = self.digests.size(&self.image);
        let until = until.or(size).unwrap_or(u64::MAX);
        if progress.position >= until {
            return Fed::All;
        }
        let mut caps = progress.pacer.changes();
        let (leave, broken) = (subscription.leave.clone(), subscription.broken.clone());
        loop {
            let next = tokio::select! {
                biased;
                () = leave.cancelled() => return Fed::Left,
                () = giver.gone() => return Fed::Gone,
                next = subscription.reader.next() => next,
            };
            let block = match next {
                Next::Block(block) => block,
                Next::End(_) => return Fed::All,
                Next::Failed(failure) => return Fed::Broken(failure),
                Next::Abandoned => return Fed::Broken(gone()),
            };
            let (begins, length) = (subscription.next, block.len() as u64);
            let ends = begins + length;
            subscription.next = ends;
            // It asked for something that comes later: what it has already goes by.
            if ends <= progress.position {
                continue;
            }
            if size == Some(ends) && until >= ends {
                // The device gets no whole image before it is known to be the right one. The end of a pass needs no
                // buffer, so that this block may be held.
                let next = tokio::select! {
                    biased;
                    () = leave.cancelled() => return Fed::Left,
                    () = giver.gone() => return Fed::Gone,
                    next = subscription.reader.next() => next,
                };
                match next {
                    Next::Failed(failure) => return Fed::Broken(failure),
                    Next::Abandoned => return Fed::Broken(gone()),
                    Next::Block(_) | Next::End(_) => {}
                }
            }
            let at = |offset: u64| usize::try_from(offset - begins).unwrap_or(usize::MAX);
            let (first, last) = (at(progress.position), at(ends.min(until)));
            let mut rest = Bytes::from_owner(block).slice(first..last);
            while !rest.is_empty() {
                let granted = tokio::select! {
                    biased;
                    () = leave.cancelled() => return Fed::Left,
                    () = broken.cancelled() => return Fed::Broken(source_failed(subscription).await),
                    () = giver.gone() => return Fed::Gone,
                    granted = progress.pacer.grant(rest.len()) => granted,
                    // What was about to be given at once may be more than is allowed now.
                    () = caps.next() => continue,
                };
                let count = granted.min(rest.len());
                let given = timeout(self.timeouts().progress, giver.give(rest.slice(..count)));
                tokio::select! {
                    biased;
                    () = leave.cancelled() => return Fed::Left,
                    () = broken.cancelled() => return Fed::Broken(source_failed(subscription).await),
                    given = given => match given {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return Fed::Gone,
                        Err(_) => {
                            tracing::warn!("the device takes nothing any more; it may ask again");
                            return Fed::Gone;
                        }
                    },
                }
                progress.pacer.sent(count);
                let begins = progress.position;
                progress.position += count as u64;
                let new = lock(&sent.covered).add(begins, progress.position);
                *lock(&sent.taken) = Instant::now();
                (self.meters.entities[self.entity]).add_sent(usize::try_from(new).unwrap_or(0));
                rest = rest.slice(count..);
            }
            if progress.position >= until {
                return Fed::All;
            }
        }
    }

    /// Has a place at a pass that brings the byte at `from`, and that has begun to bring something.
    async fn reach(&self, progress: &mut Progress, from: u64) -> Result<(), Failure> {
        let is_past = |subscription: &Subscription| subscription.next > from;
        if progress.subscription.as_ref().is_some_and(is_past) {
            progress.subscription = None;
        }
        loop {
            let Some(subscription) = &mut progress.subscription else {
                progress.position = from;
                let subscription = self.ask(progress).await?;
                self.sits(&subscription);
                progress.subscription = Some(subscription);
                continue;
            };
            let leave = subscription.leave.clone();
            tokio::select! {
                biased;
                () = leave.cancelled() => {}
                begun = first_block(subscription) => return begun,
            }
            self.leave(progress, Step::Send)?;
            self.state(EntityState::CatchingUp, Step::Send);
        }
    }
}

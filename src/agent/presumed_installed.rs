//! Entities that got the image in an earlier run. They are skipped once they have proven that they
//! hold it still: by content wherever a digest of the image is known, by size where none is.
//!
//! Reading files back takes as long as sending them, so the others wait for that no longer than
//! they wait for a laggard; one that turns out to need the image later joins them then.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::inspect::{Expected, FanOut, installed};
use crate::model::{EntityState, Failure, Holding, Holds, Step, Verified};
use crate::protocol::{DELIVERED_BY_RUN, Installed};
use crate::transport::Transport;

use super::management::Assignment;
use super::report::Reporter;
use super::spans;

/// Maximum number of entities that are asked at one time.
const AT_ONCE: usize = 16;
/// Bytes per second: an entity that sends its file more slowly has not proven anything in time.
const LEAST_RATE: u64 = 4 * 1024;

/// A target, and what an earlier run is known to have delivered to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PresumedInstalled {
    /// Its place in the group.
    pub(crate) entity: usize,
    pub(crate) expected: Expected,
    pub(crate) run: String,
    pub(crate) at: Timestamp,
}

impl PresumedInstalled {
    /// Why it is skipped; `None`: it did not prove that it holds the image.
    fn cause(&self, held: &Installed) -> Option<String> {
        if held.holds != Holding::Has {
            return None;
        }
        let at = self.at.strftime("%Y-%m-%d %H:%M UTC");
        let how = match held.verified {
            Verified::Digest => "its size and digest were asked again",
            Verified::Readback => "its file was read again",
            Verified::Size | Verified::None => {
                "its size was asked again: by size alone, no digest of it is known"
            }
        };
        Some(format!("{DELIVERED_BY_RUN}{} on {at}; {how}", self.run))
    }
}

/// Why one is not skipped.
#[derive(Debug, Default)]
pub(super) struct NotSkipped {
    /// Empty: it was cancelled.
    pub(super) why: String,
    /// It could not be looked at.
    pub(super) failure: Option<Box<Failure>>,
}

/// The questions that are not answered yet.
pub(super) struct Checks {
    asked: FanOut<PresumedInstalled, Result<String, NotSkipped>>,
    /// The places of those that are cancelled, as they are.
    cancelled: FuturesUnordered<BoxFuture<'static, usize>>,
    cancels: Vec<CancellationToken>,
    reporter: Reporter,
}

impl Checks {
    pub(super) fn begin<T: Transport>(transport: &Arc<T>, work: &Assignment) -> Self {
        let (transport, logins) = (transport.clone(), work.logins.clone());
        let (group, cancels) = (work.group.clone(), work.cancels.clone());
        let asked_of = cancels.clone();
        let ask = move |known: &PresumedInstalled| {
            let (transport, logins, known) = (transport.clone(), logins.clone(), known.clone());
            let (group, entity) = (group.clone(), group.entities[known.entity].clone());
            let cancel = asked_of[known.entity].clone();
            let span = spans::entity(&entity.name);
            let asked = async move {
                let read = AtomicU64::new(0);
                let found = installed(
                    &transport,
                    (&group, &entity),
                    &logins,
                    known.expected,
                    &read,
                );
                // What becomes of one that was cancelled is said where its turn would be.
                let Some((found, failure)) = cancel.run_until_cancelled(found).await else {
                    return Err(NotSkipped::default());
                };
                known.cause(&found).ok_or_else(|| {
                    let why = found
                        .cause
                        .unwrap_or_else(|| "it holds another file".into());
                    tracing::info!("not skipped: {why}");
                    let failure = failure.map(Box::new);
                    NotSkipped { why, failure }
                })
            };
            asked.instrument(span)
        };
        let group = work.group.clone();
        // Those that are cancelled have to answer too, so all are never cancelled at once.
        let asked = FanOut::new(AT_ONCE, &CancellationToken::new(), ask);
        Self {
            asked: asked.within(move |known| {
                let size = known.expected.size.unwrap_or(0);
                let confirm = group.entities[known.entity].timeouts.confirm;
                confirm + Duration::from_secs(size / LEAST_RATE)
            }),
            cancelled: FuturesUnordered::new(),
            cancels,
            reporter: work.reporter.clone(),
        }
    }

    /// Asks these too.
    pub(super) fn extend(&mut self, presumed: impl IntoIterator<Item = PresumedInstalled>) {
        for known in presumed {
            let (waiting, verify) = (EntityState::Waiting, Step::Verify);
            self.reporter.state(known.entity, waiting, verify, 0);
            let (entity, cancel) = (known.entity, self.cancels[known.entity].clone());
            let cancelled = async move {
                cancel.cancelled_owned().await;
                entity
            };
            self.cancelled.push(cancelled.boxed());
            self.asked.extend([known]);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_over()
    }

    /// The next answer: of whom, and why it is skipped, or else why not. `None`: there are no more.
    pub(super) async fn next(&mut self) -> Option<(PresumedInstalled, Result<String, NotSkipped>)> {
        loop {
            tokio::select! {
                biased;
                Some(entity) = self.cancelled.next() => {
                    // It need not wait for its turn to be asked; one that is asked answers itself.
                    if let Some(known) = self.asked.withdraw(|known| known.entity == entity) {
                        return Some((known, Err(NotSkipped::default())));
                    }
                }
                answer = self.asked.next() => {
                    let (known, cause) = answer?;
                    let cause = cause.unwrap_or_else(|why| {
                        let why = Failure::from(why).fault.to_string();
                        Err(NotSkipped { why, failure: None })
                    });
                    return Some((known, cause));
                }
            }
        }
    }
}

pub(super) fn skip(reporter: &Reporter, entity: usize, cause: String) {
    let skipped = (EntityState::Skipped, None);
    reporter.became(entity, skipped, Some(cause), 0, Some(Holds::New));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_says_who_delivered_it_and_how_it_was_proven() {
        let known = PresumedInstalled {
            entity: 0,
            expected: Expected {
                size: Some(7),
                sha256: None,
            },
            run: "r1".into(),
            at: Timestamp::UNIX_EPOCH,
        };
        let held = |holds, verified| Installed {
            group: "g".into(),
            entity: "e".into(),
            holds,
            verified,
            size: Some(7),
            cause: None,
        };
        let cause = |verified| known.cause(&held(Holding::Has, verified));
        let said = "delivered by run r1 on 1970-01-01 00:00 UTC; ";
        for (verified, how) in [
            (Verified::Digest, "its size and digest were asked again"),
            (Verified::Readback, "its file was read again"),
            (
                Verified::Size,
                "its size was asked again: by size alone, no digest of it is known",
            ),
        ] {
            assert_eq!(cause(verified), Some(format!("{said}{how}")));
        }
        for other in [
            Holding::Differs,
            Holding::Missing,
            Holding::Unreachable,
            Holding::Unknown,
        ] {
            assert_eq!(known.cause(&held(other, Verified::Size)), None);
        }
    }
}

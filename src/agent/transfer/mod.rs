//! The transfer agent (\[0017\], steps 304 to 312): source to pool, block by block.
//!
//! A source that breaks off, or is too slow, is opened again at the same byte, or another one goes
//! on from there; the digest over the whole proves that all of it was one image. Where that digest
//! is not known beforehand, a source goes on only when what was read so far was read from it again
//! and is the same.

mod blocks;
mod proof;
mod stopping;
#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::caps::CappedSource;
use crate::inspect::{Candidate, Chosen, SENT_ANOTHER, Sources};
use crate::model::{Failure, Fault, Image, Step};
use crate::pool::FreeBuffer;
use crate::transport::{ImageDigest, Source, Transport};

use super::digests::{Digests, Opened, State};
use super::pace::Pace;
use super::report::{GroupMeters, Reporter, lock};
use super::route::Route;
use super::trust::{Givers, to_blame, with};
use super::{PassCounters, Writer};

/// How one pass came to its end, as its transfer agent saw it.
#[derive(Debug)]
pub(super) enum PassEnd {
    /// The image was read to its end, and it is the right one.
    Whole,
    Failed(Failure),
    /// No entity is left to read for.
    Abandoned,
}

pub(super) struct TransferAgent<T: Transport> {
    pub(super) transport: Arc<T>,
    pub(super) pass: u32,
    /// Where to begin, and the state of the image's digest there.
    pub(super) origin: u64,
    pub(super) state: State,
    /// The SHA-256 that the image was proven to have on entities.
    pub(super) proven: Option<[u8; 32]>,
    /// Why the first source of this pass takes the place of another one.
    pub(super) before: Option<String>,
    pub(super) sources: Arc<Sources>,
    pub(super) digests: Arc<Digests>,
    pub(super) meters: Arc<GroupMeters>,
    pub(super) counters: Arc<PassCounters>,
    /// The name of the source that is read, or was read last.
    pub(super) reads_from: Arc<Mutex<String>>,
    pub(super) reporter: Reporter,
    pub(super) cancel: CancellationToken,
    /// Cancelled when the source has failed, after the pool has been given the cause: entities that are
    /// busy with something else than reading the pool learn it too.
    pub(super) broken: CancellationToken,
}

/// Whether what was read is of no use to the entities that got it: no source can make it good.
pub(super) fn is_about_the_image(failure: &Failure) -> bool {
    match &failure.fault {
        Fault::SourceChanged { .. } | Fault::WrongImage { .. } | Fault::Deceived { .. } => true,
        Fault::Source { failure, .. } => is_about_the_image(failure),
        Fault::NoSource { causes } => causes.iter().any(|(_, cause)| is_about_the_image(cause)),
        _ => false,
    }
}

/// How far a pass has come, whichever source brought it there.
struct Reading {
    /// Offset of the next byte in the image.
    position: u64,
    /// Of all that was published.
    published: State,
    /// Of all that was read.
    givers: Givers,
    /// Filled in part.
    buffer: Option<FreeBuffer>,
    /// What came before this pass was not compared with what its source holds there.
    is_owed_proof: bool,
}

impl Reading {
    /// The digest of all that was read.
    fn digest(&self) -> Sha256 {
        let mut digest = self.published.digest.clone();
        if let Some(buffer) = &self.buffer {
            digest.update(buffer.filled());
        }
        digest
    }
}

/// How reading from one source ended.
enum Stop {
    /// No entity is left to read for.
    Abandoned,
    /// It has failed; another reading of it, or another source, may do better.
    Failed(Failure),
    /// What sources sent is not the image. They were left; entities that got it begin anew.
    Deceived(Failure),
    /// The run must not go on with this image.
    Fatal(Failure),
}

impl<T: Transport> TransferAgent<T> {
    /// Reads the image into the pool, from the sources on a route whose first one was announced. The session lasts for the transfer of the image and is
    /// closed right after the last block, while the download agents empty the pool (step 312).
    pub(super) async fn run(self, mut route: Route, mut writer: Writer) -> PassEnd {
        let cancel = self.cancel.clone();
        let mut source = None;
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::new(Step::Read, Fault::Cancelled)),
            result = self.transfer(&mut route, &mut source, &mut writer) => result,
        };
        let end = match result {
            Ok(Some(digest)) => {
                self.reporter.image(digest.sha256);
                writer.finish(digest);
                if let Some(source) = source {
                    source.close().await;
                }
                return PassEnd::Whole;
            }
            Ok(None) => PassEnd::Abandoned,
            Err(failure) => {
                writer.fail(failure.clone());
                self.broken.cancel();
                if failure.is_cancelled() {
                    PassEnd::Abandoned
                } else {
                    PassEnd::Failed(failure)
                }
            }
        };
        // In the middle of a transfer there is no good way to end the session: it is dropped.
        drop(source);
        end
    }

    /// `None`: every reader has left.
    async fn transfer(
        &self,
        route: &mut Route,
        slot: &mut Option<Box<dyn Source>>,
        writer: &mut Writer,
    ) -> Result<Option<ImageDigest>, Failure> {
        let mut reading = Reading {
            position: self.origin,
            published: self.state.clone(),
            givers: self.state.givers.clone(),
            buffer: None,
            is_owed_proof: false,
        };
        let mut before = self.before.clone();
        loop {
            let from = reading.position;
            let name = route.current().name();
            let before_it = before.as_deref();
            let read = match self.reach(route, writer).await {
                Ok(chosen) => {
                    let read = self.read_from(&chosen, slot, &mut reading, writer, before_it);
                    read.await
                }
                Err(stop) => Err(stop),
            };
            let failure = match read {
                Ok(digest) => return Ok(Some(digest)),
                Err(Stop::Abandoned) => return Ok(None),
                Err(Stop::Fatal(failure)) => {
                    return Err(self.sources.failed(vec![(name, failure)], Step::Read));
                }
                Err(Stop::Deceived(failure)) => return Err(failure),
                Err(Stop::Failed(failure)) => failure,
            };
            *slot = None;
            // Where any peer was meant, one was found.
            let name = route.current().name();
            let position = reading.position;
            tracing::warn!("{name} failed at byte {position}: {failure}");
            before = Some(format!("{name} failed: {failure}"));
            route.moved(reading.position - from);
            let delay = match route.after(failure, Instant::now()) {
                Ok(delay) => delay,
                Err(causes) => return Err(self.sources.failed(causes, Step::Read)),
            };
            tokio::select! {
                biased;
                () = writer.abandoned() => return Ok(None),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// The source that the route has come to: peers are asked only now whether they hold the image.
    async fn reach(&self, route: &mut Route, writer: &mut Writer) -> Result<Chosen, Stop> {
        let candidate = route.current().clone();
        if let Candidate::Known(chosen) = candidate {
            return Ok(chosen);
        }
        let found = tokio::select! {
            biased;
            found = self.sources.find(&self.transport, &candidate) => found,
            () = writer.abandoned() => return Err(Stop::Abandoned),
        };
        let found = found.map_err(Stop::Failed)?;
        route.found(found).ok_or_else(|| {
            let reason = "all that hold it were read already".to_owned();
            Stop::Failed(Failure::new(Step::Select, Fault::NoPeer { reason }))
        })
    }

    /// Reads on from one source until the end of the image. `before` says why another reading
    /// has ended.
    async fn read_from(
        &self,
        chosen: &Chosen,
        slot: &mut Option<Box<dyn Source>>,
        reading: &mut Reading,
        writer: &mut Writer,
        before: Option<&str>,
    ) -> Result<ImageDigest, Stop> {
        let _session = (self.sources.holders).session(&chosen.remote.endpoint.address, false);
        let giver = chosen.giver();
        let timeouts = chosen.remote.endpoint.timeouts;
        let mut pace = Pace::new(timeouts).held_by(self.counters.held.clone());
        let opened = tokio::select! {
            biased;
            opened = self.open(chosen, reading, &mut pace) => opened?,
            () = writer.abandoned() => return Err(Stop::Abandoned),
        };
        if let Some(cause) = before {
            let (source, cause) = (chosen.name.to_string(), cause.to_owned());
            lock(&self.reads_from).clone_from(&source);
            (self.reporter).source(self.pass, source, reading.position, cause);
        }
        if chosen.is_peer() && self.expected(&with(&reading.givers, &giver)).is_none() {
            self.reporter.unproven(self.pass, &chosen.name);
        }
        let source = slot.insert(opened);
        self.read_blocks(chosen, &mut **source, reading, writer, &mut pace)
            .await?;
        let size = reading.position;
        if let Err(failure) = self.check_size(Step::Read, size) {
            // What it sent may be the beginning of the image, and a file server's word counts.
            let peers = to_blame(&reading.givers);
            return Err(match peers.is_empty() {
                true => self.stopped(chosen, failure),
                false => self.deceived(&peers, &failure.fault.to_string()),
            });
        }
        self.reporter.size(size);
        if reading.is_owed_proof && self.expected(&reading.givers).is_none() {
            // For servers that take one session at a time.
            if let Some(source) = slot.take() {
                source.close().await;
            }
            tokio::select! {
                biased;
                proved = self.prove_what_came_before(chosen, &mut pace) => proved?,
                () = writer.abandoned() => return Err(Stop::Abandoned),
            }
        }
        let sha256 = reading.published.digest.clone().finalize().into();
        let digest = ImageDigest { size, sha256 };
        self.check_digest(digest, &reading.givers)?;
        self.digests.has_sums(reading.published.sums.finished());
        Ok(digest)
    }

    /// Opens a source at the next byte, once it is certain that what it holds is what was read so
    /// far: the digest of the whole will tell, or it is read from its beginning, and compared. That
    /// its size and its time are as they were proves nothing.
    ///
    /// A pass that begins in the middle owes that proof until its end: by then another pass has
    /// mostly found out the digest of the whole, and the entity that waits for its next byte is not
    /// kept waiting.
    async fn open(
        &self,
        chosen: &Chosen,
        reading: &mut Reading,
        pace: &mut Pace,
    ) -> Result<Box<dyn Source>, Stop> {
        if self.sources.is_left(chosen) {
            let reason = SENT_ANOTHER.to_owned();
            return Err(Stop::Failed(Failure::new(
                Step::Open,
                Fault::NotTheImage { reason },
            )));
        }
        let stopped = |failure| self.stopped(chosen, failure);
        let position = reading.position;
        let is_known = self
            .expected(&with(&reading.givers, &chosen.giver()))
            .is_some();
        let owes = position > 0 && position == self.origin && !is_known;
        let from = if is_known || owes { position } else { 0 };
        let mut source = self.open_at(chosen, from).await.map_err(stopped)?;
        let opened = (self.digests)
            .opened(
                &chosen.name,
                chosen.is_peer(),
                source.size(),
                source.modified(),
            )
            .map_err(stopped)?;
        let blamed = to_blame(&reading.givers);
        if opened == Opened::PeersDiffer && !blamed.is_empty() {
            let reason = format!("{} has a file of another size", chosen.name);
            return Err(self.deceived(&blamed, &reason));
        }
        if let Some(size) = source.size() {
            self.check_size(Step::Open, size).map_err(stopped)?;
            self.reporter.size(size);
        } else if let Some(hint) = source.size_hint().filter(|_| position == 0) {
            self.reporter.size(hint);
        }
        if from < position {
            let so_far = reading.digest();
            self.prove(
                chosen,
                &mut *source,
                (position, so_far),
                &reading.givers,
                pace,
            )
            .await?;
            reading.is_owed_proof = false;
        } else if owes {
            reading.is_owed_proof = true;
        }
        Ok(source)
    }

    /// A source of this pass, under the cap of its server.
    async fn open_at(&self, chosen: &Chosen, from: u64) -> Result<Box<dyn Source>, Failure> {
        let source = self.transport.open_source(&chosen.remote, from).await?;
        if chosen.is_peer() {
            return Ok(source);
        }
        let pacer = self.meters.caps.from_server(chosen.name.clone());
        let held = self.counters.held.clone();
        Ok(CappedSource::boxed(source, pacer.counted_by(held)))
    }

    fn image(&self) -> &Image {
        &self.sources.group.image
    }

    fn count(&self, bytes: usize) {
        self.counters
            .read
            .fetch_add(bytes as u64, Ordering::Relaxed);
        let all = &self.meters.source_bytes;
        all.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

//! The transfer agent (\[0017\], steps 304 to 312): source to pool, block by block.
//!
//! A source that breaks off is opened again at the same byte, or another one goes on from there;
//! the digest over the whole proves that all of it was one image.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Image, Limits, Name, Step};
use crate::pool::FreeBuffer;
use crate::transport::{ImageDigest, Source, Transport};

use super::Writer;
use super::choice::Chosen;
use super::digests::Digests;
use super::report::{GroupMeters, ReportKind, Reporter};
use super::route::Route;

/// Bytes of one read while a prefix is proved.
const PROOF: usize = 64 * 1024;

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
    /// The group's name, for the log.
    pub(super) group: Name,
    pub(super) pass: u32,
    /// The first is the one that was announced; not empty.
    pub(super) candidates: Vec<Chosen>,
    pub(super) limits: Limits,
    /// Where to begin, and the state of the image's digest there.
    pub(super) origin: u64,
    pub(super) state: Sha256,
    pub(super) digests: Arc<Digests>,
    pub(super) image: Arc<Image>,
    pub(super) meters: Arc<GroupMeters>,
    /// Bytes read by this pass.
    pub(super) read: Arc<AtomicU64>,
    pub(super) reporter: Reporter,
    pub(super) cancel: CancellationToken,
    /// Cancelled when the source has failed, after the pool has been told why: entities that are
    /// busy with something else than reading the pool learn it too.
    pub(super) broken: CancellationToken,
}

/// Whether no source can make a pass good that failed like this.
pub(super) fn is_about_the_image(failure: &Failure) -> bool {
    match &failure.fault {
        Fault::SourceChanged { .. } | Fault::WrongImage { .. } => true,
        Fault::Source { failure, .. } => is_about_the_image(failure),
        _ => false,
    }
}

/// How far a pass has come, whichever source brought it there.
struct Reading {
    /// Offset of the next byte in the image.
    position: u64,
    /// Of all that was published.
    digest: Sha256,
    /// Filled in part.
    buffer: Option<FreeBuffer>,
}

/// How reading from one source ended.
enum Stop {
    /// No entity is left to read for.
    Abandoned,
    /// It has failed; another reading of it, or another source, may do better.
    Failed(Failure),
    /// The run must not go on with this image.
    Fatal(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        if is_about_the_image(&failure) {
            Self::Fatal(failure)
        } else {
            Self::Failed(failure)
        }
    }
}

impl<T: Transport> TransferAgent<T> {
    /// Reads the image into the pool. The session lasts for the transfer of the image and is
    /// closed right after the last block, while the download agents empty the pool (step 312).
    pub(super) async fn run(self, mut writer: Writer) -> PassEnd {
        let cancel = self.cancel.clone();
        let mut source = None;
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::new(Step::Read, Fault::Cancelled)),
            result = self.transfer(&mut source, &mut writer) => result,
        };
        let end = match result {
            Ok(Some(digest)) => {
                self.reporter.send(ReportKind::Digest(digest.sha256));
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
        slot: &mut Option<T::Source>,
        writer: &mut Writer,
    ) -> Result<Option<ImageDigest>, Failure> {
        let mut reading = Reading {
            position: self.origin,
            digest: self.state.clone(),
            buffer: None,
        };
        let mut route = Route::new(self.candidates.clone(), self.limits);
        let mut before: Option<String> = None;
        loop {
            let chosen = route.current().clone();
            let from = reading.position;
            let named = |failure: Failure| self.of_source(&chosen.name, failure);
            let failure = match self
                .read_from(&chosen, slot, &mut reading, writer, before.as_deref())
                .await
            {
                Ok(digest) => return Ok(Some(digest)),
                Err(Stop::Abandoned) => return Ok(None),
                Err(Stop::Fatal(failure)) => return Err(named(failure)),
                Err(Stop::Failed(failure)) => failure,
            };
            *slot = None;
            tracing::warn!(
                "{}: pass {}: {} failed at byte {}: {failure}",
                self.group,
                self.pass,
                chosen.name,
                reading.position
            );
            before = Some(format!("{} failed: {failure}", chosen.name));
            route.moved(reading.position - from);
            let delay = match route.after(failure, Instant::now()) {
                Ok(delay) => delay,
                Err((name, failure)) => return Err(self.of_source(&name, failure)),
            };
            tokio::select! {
                biased;
                () = writer.abandoned() => return Ok(None),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }

    /// Reads on from one source until the end of the image. `before` tells why another reading
    /// has ended.
    async fn read_from(
        &self,
        chosen: &Chosen,
        slot: &mut Option<T::Source>,
        reading: &mut Reading,
        writer: &mut Writer,
        before: Option<&str>,
    ) -> Result<ImageDigest, Stop> {
        let opened = tokio::select! {
            biased;
            opened = self.open(chosen, reading) => opened?,
            () = writer.abandoned() => return Err(Stop::Abandoned),
        };
        if let Some(cause) = before {
            self.reporter.send(ReportKind::Replaced {
                pass: self.pass,
                source: chosen.name.to_string(),
                offset: reading.position,
                cause: cause.to_owned(),
            });
        }
        let source = slot.insert(opened);
        // A source that does not tell its size itself could go on for ever.
        let most = self.digests.size(&self.image);
        let mut at_end = false;
        while !at_end {
            let buffer = match &mut reading.buffer {
                Some(buffer) => buffer,
                empty => {
                    let free = writer.free().await.map_err(|_| Stop::Abandoned)?;
                    empty.insert(free)
                }
            };
            while !buffer.is_full() {
                let count = tokio::select! {
                    biased;
                    count = source.read(buffer.spare()) => count?,
                    () = writer.abandoned() => return Err(Stop::Abandoned),
                };
                if count == 0 {
                    at_end = true;
                    break;
                }
                buffer.advance(count);
                reading.position += count as u64;
                self.count(count);
                if let Some(size) = most.filter(|most| reading.position > *most) {
                    return Err(Failure::new(Step::Read, Fault::LongImage { size }).into());
                }
            }
            if let Some(buffer) = reading.buffer.take().filter(|buffer| !buffer.is_empty()) {
                let begins = reading.position - buffer.len() as u64;
                self.digests.pass_by(begins, &reading.digest);
                reading.digest.update(buffer.filled());
                writer.publish(buffer);
            }
        }
        let size = reading.position;
        self.check_size(Step::Read, size)?;
        self.reporter.send(ReportKind::Size(size));
        let sha256 = reading.digest.clone().finalize().into();
        let digest = ImageDigest { size, sha256 };
        // Entities have these bytes already: no other source can make them right.
        (self.digests.whole(&self.image, digest)).map_err(Stop::Fatal)?;
        Ok(digest)
    }

    /// Opens a source at the next byte, once it is certain that what it holds is what was read so
    /// far: it has said the same of its file before, or the digest of the whole will tell, or else
    /// it is read from its beginning.
    async fn open(&self, chosen: &Chosen, reading: &Reading) -> Result<T::Source, Failure> {
        let position = reading.position;
        let source = self.transport.open_source(&chosen.remote, position).await?;
        if let Some(size) = source.size() {
            self.check_size(Step::Open, size)?;
            self.reporter.send(ReportKind::Size(size));
        } else if let Some(hint) = source.size_hint().filter(|_| position == 0) {
            self.reporter.send(ReportKind::Size(hint));
        }
        let known = (self.digests).opened(&chosen.name, source.size(), source.modified())?;
        if position == 0 || known || self.digests.expected(&self.image).is_some() {
            return Ok(source);
        }
        drop(source);
        let mut source = self.transport.open_source(&chosen.remote, 0).await?;
        let (mut proof, mut left) = (Sha256::new(), position);
        let mut bytes = vec![0; PROOF];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PROOF).min(PROOF);
            let count = source.read(&mut bytes[..most]).await?;
            if count == 0 {
                break;
            }
            proof.update(&bytes[..count]);
            left -= count as u64;
            self.count(count);
        }
        // What was read into the buffer that is being filled counts too.
        let mut so_far = reading.digest.clone();
        if let Some(buffer) = &reading.buffer {
            so_far.update(buffer.filled());
        }
        if proof.finalize() == so_far.finalize() {
            Ok(source)
        } else {
            let reason = format!(
                "the first {position} bytes of {} are not those that were read before",
                chosen.name
            );
            Err(Failure::new(Step::Open, Fault::NotTheImage { reason }))
        }
    }

    fn count(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        let all = &self.meters.source_bytes;
        all.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn of_source(&self, name: &Name, failure: Failure) -> Failure {
        let fault = Fault::Source {
            name: name.to_string(),
            failure: Box::new(failure),
        };
        Failure::new(Step::Read, fault)
    }

    fn check_size(&self, step: Step, actual: u64) -> Result<(), Failure> {
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

//! The transfer agent (\[0017\], steps 304 to 312): source to pool, block by block.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Image, Step};
use crate::transport::{ImageDigest, Remote, Source, Transport};

use super::Writer;
use super::report::{GroupMeters, ReportKind, Reporter};

/// How one pass came to its end, as its transfer agent saw it.
#[derive(Debug)]
pub(super) enum PassEnd {
    /// The whole image was read, and it is the right one.
    Whole,
    Failed(Failure),
    /// No entity is left to read for.
    Abandoned,
}

pub(super) struct TransferAgent<T: Transport> {
    pub(super) transport: Arc<T>,
    pub(super) source: Remote,
    /// The source's name, for messages.
    pub(super) name: String,
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
            Err(failure) if failure.is_cancelled() => {
                writer.fail(failure);
                self.broken.cancel();
                PassEnd::Abandoned
            }
            Err(failure) => {
                tracing::warn!(source = %self.name, "source failed: {failure}");
                writer.fail(failure.clone());
                self.broken.cancel();
                PassEnd::Failed(failure)
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
        let opened = tokio::select! {
            biased;
            opened = self.transport.open_source(&self.source, 0) => opened?,
            () = writer.abandoned() => return Ok(None),
        };
        let source = slot.insert(opened);
        if let Some(size) = source.size() {
            self.check_size(Step::Open, size)?;
            self.reporter.send(ReportKind::Size(size));
        }
        let mut digest = Sha256::new();
        let mut read = 0_u64;
        let mut at_end = false;
        while !at_end {
            let Ok(mut buffer) = writer.free().await else {
                return Ok(None);
            };
            while !buffer.is_full() {
                let count = tokio::select! {
                    biased;
                    count = source.read(buffer.spare()) => count?,
                    () = writer.abandoned() => return Ok(None),
                };
                if count == 0 {
                    at_end = true;
                    break;
                }
                buffer.advance(count);
                read += count as u64;
                self.read.fetch_add(count as u64, Ordering::Relaxed);
                let all = &self.meters.source_bytes;
                all.fetch_add(count as u64, Ordering::Relaxed);
            }
            if !buffer.is_empty() {
                digest.update(buffer.filled());
                writer.publish(buffer);
            }
        }
        self.check_size(Step::Read, read)?;
        self.reporter.send(ReportKind::Size(read));
        let sha256: [u8; 32] = digest.finalize().into();
        match self.image.sha256 {
            Some(expected) if expected != sha256 => Err(Failure::new(
                Step::Read,
                Fault::WrongImage {
                    expected: hex::encode(expected),
                    actual: hex::encode(sha256),
                },
            )),
            _ => Ok(Some(ImageDigest { size: read, sha256 })),
        }
    }

    fn check_size(&self, step: Step, actual: u64) -> Result<(), Failure> {
        match self.image.size {
            Some(expected) if expected != actual => Err(Failure::new(
                step,
                Fault::UnexpectedSize { expected, actual },
            )),
            _ if actual == 0 => Err(Failure::new(step, Fault::EmptyImage)),
            _ => Ok(()),
        }
    }
}

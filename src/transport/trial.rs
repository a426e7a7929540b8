//! What a probe finds under an entity's names, and tries there with one byte, in every protocol that renames.
//!
//! Only writing shows whether a directory can be written: permissions, a full flash, a data
//! connection that a firewall blocks are in no listing. So one byte is stored under the staging
//! name, which a run would write and remove in any case, and deleted again; the image that the
//! entity runs from is never touched, and the byte is renamed to a second name that was seen to be
//! free, since nothing else shows that a rename is more than a reply. Three things keep that safe on
//! devices:
//! - a staging name that is taken is left alone: it may be the only copy of an image, and shows that
//!   the directory can be written;
//! - with `staging: direct` nothing is written, since there is only the final name;
//! - once the byte may be there, nothing but the entity's own deadlines ends the probe before it is
//!   deleted, in a session of its own if need be.

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::model::staging::File;
use crate::model::{Failure, Fault, Leftover, Probe, Step, VerifyMode};

use super::{Destination, How, ImageDigest, Proof, Reply, Seen, Sink};

/// An empty file is refused by some servers, and takes no room on any.
pub(super) const BYTE: &[u8] = b"\n";

/// Looking writes nothing, so it ends at once.
///
/// # Errors
/// Those of `look`, and that it was cancelled.
pub(super) async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    look: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Failure::new(Step::Prepare, Fault::Cancelled)),
        looked = look => looked,
    }
}

/// What a probe has found, and how far it has gone.
pub(super) struct Trial {
    pub(super) probe: Probe,
    /// Names of its own that were seen to be free.
    free: Vec<File>,
    /// The byte may be there.
    pub(super) begun: bool,
}

impl Trial {
    /// Begins with what stands under the final name.
    pub(super) fn new(named: Seen) -> Self {
        let mut probe = Probe {
            file: named.size(),
            ..Probe::default()
        };
        probe.can.size = named.is_present().then_some(named.size().is_some());
        Self {
            probe,
            free: Vec::new(),
            begun: false,
        }
    }

    /// Looks what stands under the names that a delivery would use beside the final one.
    pub(super) async fn look_beside(
        &mut self,
        sink: &mut dyn Sink,
        destination: &Destination,
    ) -> Result<(), Failure> {
        for file in [File::Staging, File::Spare, File::Aside] {
            let path = destination.names.of(file);
            match sink.look(path).await? {
                Seen::Present { size } if self.probe.staging.is_none() => {
                    self.probe.staging = Some(Leftover {
                        modified: sink.modified(path).await?,
                        path: path.to_string(),
                        size,
                    });
                }
                Seen::Absent => self.free.push(file),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn is_free(&self, file: File) -> bool {
        self.free.contains(&file)
    }

    /// The byte was stored: whether its size is reported, as the verification may need it.
    pub(super) async fn try_size(
        &mut self,
        sink: &mut dyn Sink,
        destination: &Destination,
    ) -> Result<(), Failure> {
        let size = sink.look(destination.written_path()).await?.size();
        self.probe.can.size = Some(size.is_some());
        if size.is_none() && destination.verify == VerifyMode::Size {
            let reason = "the entity does not tell the size of a file".to_owned();
            return Err(Failure::new(Step::Verify, Fault::NotVerifiable { reason }));
        }
        Ok(())
    }

    /// Reads the byte back, where the verification would: without a digest, or as it is asked to.
    pub(super) async fn try_reading_back(
        &mut self,
        sink: &mut dyn Sink,
        destination: &Destination,
    ) -> Result<(), Failure> {
        let is_asked = match destination.verify {
            VerifyMode::Best => self.probe.can.digest.is_none(),
            mode => mode == VerifyMode::Readback,
        };
        if !is_asked {
            return Ok(());
        }
        let byte = ImageDigest {
            size: BYTE.len() as u64,
            sha256: Sha256::digest(BYTE).into(),
        };
        let how = How::As(VerifyMode::Readback);
        let proof = sink.prove(destination.written_path(), &byte, how).await?;
        self.probe.can.read = match proof {
            Proof::Same(_) => Some(true),
            Proof::Untold(_) if destination.verify == VerifyMode::Best => Some(false),
            Proof::Other(failure) | Proof::Missing(failure) | Proof::Untold(failure) => {
                return Err(failure);
            }
        };
        Ok(())
    }

    /// Renames the byte to the spare name, where that is free. `no_rename` makes the failure of a
    /// refusal.
    pub(super) async fn try_rename(
        &mut self,
        sink: &mut dyn Sink,
        destination: &Destination,
        no_rename: impl FnOnce(Failure) -> Failure,
    ) -> Result<(), Failure> {
        if !self.is_free(File::Spare) {
            return Ok(());
        }
        let (path, spare) = (
            destination.written_path(),
            destination.names.of(File::Spare),
        );
        if let Reply::Refused(refusal) = sink.rename(path, spare).await? {
            self.probe.can.rename = Some(false);
            return Err(no_rename(refusal.failure));
        }
        let moved = sink.look(path).await? == Seen::Absent;
        self.probe.can.rename = Some(moved);
        match moved {
            true => Ok(()),
            false => Err(Failure::new(Step::Rename, Fault::NotRenamed)),
        }
    }

    /// Removes the byte, under whichever name it stands: both were free before.
    pub(super) async fn remove(&mut self, sink: &mut dyn Sink, destination: &Destination) {
        let mut names = vec![File::Staging];
        if self.is_free(File::Spare) {
            names.push(File::Spare);
        }
        for file in names {
            let path = destination.names.of(file);
            let is_there = async |sink: &mut dyn Sink| match sink.look(path).await {
                Ok(seen) => seen != Seen::Absent,
                Err(_) => true,
            };
            if is_there(sink).await {
                let deleted = sink.delete(path).await;
                if !matches!(deleted, Ok(Reply::Done)) && is_there(sink).await {
                    self.probe.left = Some(path.to_string());
                }
            }
        }
    }

    /// A failure does not hide that the byte is still there.
    pub(super) fn failed(&self, failure: Failure) -> Failure {
        let Some(path) = &self.probe.left else {
            return failure;
        };
        let fault = failure.fault;
        let reason = format!("{path}, which was written to try that, stays; {fault}");
        Failure::new(failure.step, Fault::Leftover { reason })
    }
}

/// What a refused rename says, in the words of the entity.
pub(super) fn no_rename(refused: Failure) -> Failure {
    let reply = refused.fault.to_string();
    Failure::new(Step::Rename, Fault::NoRename { reply })
}

//! Looking at an entity before anything is sent to it, under the rules of the probe of FTP: one byte is
//! written under the staging name where that is free, renamed to a second name that was seen to be free,
//! and deleted again. Once it may be there, nothing but the entity's own deadlines ends the probe before
//! that.

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::model::staging::File;
use crate::model::{Failure, Fault, Leftover, Probe, Staging, Step, VerifyMode};
use crate::transport::ssh::Keys;
use crate::transport::{Compared, Destination, How, ImageDigest, Proof, Remote, Reply, Seen, Sink};

use super::sink::{SftpSink, is_refusal, split};
use super::source::size_of;
use super::wire::{self, Answer, Kind, Packet};
use super::{session::Session, upload};

const BYTE: &[u8] = b"\n";

pub(super) async fn probe(
    keys: &Keys,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let (mut sink, mut look) = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Failure::new(Step::Prepare, Fault::Cancelled)),
        looked = look(keys, destination) => looked?,
    };
    let directory = split(destination.remote.path.as_str()).0.to_owned();
    let tried = match destination.staging {
        Staging::Direct => is_directory(sink.session().await?, &directory).await,
        Staging::Rename if look.probe.staging.is_some() => Ok(()),
        Staging::Rename => {
            let tried = write(&mut sink, destination, &mut look).await;
            if look.begun {
                remove(&mut sink, destination, &mut look).await;
            }
            tried
        }
    };
    if let Err(failure) = tried {
        Box::new(sink).close().await;
        return Err(with_left(failure, look.probe.left));
    }
    let mut probe = look.probe;
    if let Ok(session) = sink.session().await {
        probe.free = free(session, &directory).await;
    }
    Box::new(sink).close().await;
    Ok(probe)
}

struct Look {
    probe: Probe,
    /// The probe's file may be there.
    begun: bool,
    /// A second name is free, so that a rename can be tried.
    spare_is_free: bool,
}

/// Everything that can be asked without writing.
async fn look(keys: &Keys, destination: &Destination) -> Result<(SftpSink, Look), Failure> {
    let mut sink = SftpSink::open(keys, destination).await?;
    let named = sink.look(&destination.remote.path).await?;
    let mut probe = Probe {
        file: named.size(),
        ..Probe::default()
    };
    // Any server can begin in the middle of a file.
    probe.can.rest = Some(true);
    probe.can.size = named.is_present().then_some(named.size().is_some());
    let mut spare_is_free = false;
    if destination.staging == Staging::Rename {
        for file in [File::Staging, File::Spare, File::Aside] {
            let path = destination.names.of(file);
            match sink.look(path).await? {
                Seen::Present { size } if probe.staging.is_none() => {
                    probe.staging = Some(Leftover {
                        modified: sink.modified(path).await?,
                        path: path.to_string(),
                        size,
                    });
                }
                Seen::Absent if file == File::Spare => spare_is_free = true,
                _ => {}
            }
        }
        if probe.staging.is_none() {
            let taken = named.is_present().then_some(&destination.remote.path);
            sink.can_rename(destination.written_path(), taken).await?;
        }
    }
    let look = Look {
        probe,
        begun: false,
        spare_is_free,
    };
    Ok((sink, look))
}

/// Stores one byte under the staging name, and tries on it what a delivery would do.
async fn write(
    sink: &mut SftpSink,
    destination: &Destination,
    look: &mut Look,
) -> Result<(), Failure> {
    let path = destination.written_path();
    let directory = split(path.as_str()).0;
    look.begun = true;
    let stored = upload::whole(sink.session().await?, path.as_str(), directory, BYTE).await;
    if let Err(failure) = stored {
        if !is_refusal(&failure.fault) {
            return Err(failure);
        }
        // A directory that is not there is refused in the same words by some.
        is_directory(sink.session().await?, directory).await?;
        return Err(failure);
    }
    look.probe.written = true;
    let told = sink.look(path).await?.size();
    look.probe.can.size = Some(told.is_some());
    if told.is_none() && destination.verify == VerifyMode::Size {
        let reason = "the entity does not tell the size of a file".to_owned();
        return Err(Failure::new(Step::Verify, Fault::NotVerifiable { reason }));
    }
    if matches!(destination.verify, VerifyMode::Best | VerifyMode::Readback) {
        let byte = ImageDigest {
            size: BYTE.len() as u64,
            sha256: Sha256::digest(BYTE).into(),
        };
        let how = How::As(VerifyMode::Readback);
        look.probe.can.read = match sink.prove(path, &byte, how).await? {
            Proof::Same(_) => Some(true),
            Proof::Untold(_) if destination.verify == VerifyMode::Best => Some(false),
            Proof::Other(failure) | Proof::Missing(failure) | Proof::Untold(failure) => {
                return Err(failure);
            }
        };
    }
    if look.spare_is_free {
        let spare = destination.names.of(File::Spare);
        if let Reply::Refused(refusal) = sink.rename(path, spare).await? {
            look.probe.can.rename = Some(false);
            let reply = refusal.failure.fault.to_string();
            return Err(Failure::new(Step::Rename, Fault::NoRename { reply }));
        }
        let moved = sink.look(path).await? == Seen::Absent;
        look.probe.can.rename = Some(moved);
        if !moved {
            return Err(Failure::new(Step::Rename, Fault::NotRenamed));
        }
    }
    Ok(())
}

/// A failure does not hide that the byte is still there.
fn with_left(failure: Failure, left: Option<String>) -> Failure {
    let Some(path) = left else {
        return failure;
    };
    let fault = failure.fault;
    let reason = format!("{path}, which was written to try that, stays; {fault}");
    Failure::new(failure.step, Fault::Leftover { reason })
}

/// Removes the byte, under whichever name it stands: both were free before.
async fn remove(sink: &mut SftpSink, destination: &Destination, look: &mut Look) {
    let mut names = vec![File::Staging];
    if look.spare_is_free {
        names.push(File::Spare);
    }
    for file in names {
        let path = destination.names.of(file);
        let is_there = async |sink: &mut SftpSink| match sink.look(path).await {
            Ok(seen) => seen != Seen::Absent,
            Err(_) => true,
        };
        if is_there(sink).await {
            let deleted = sink.delete(path).await;
            if !matches!(deleted, Ok(Reply::Done)) && is_there(sink).await {
                look.probe.left = Some(path.to_string());
            }
        }
    }
}

async fn is_directory(session: &mut Session, directory: &str) -> Result<(), Failure> {
    let reply = match session.stat(Step::Prepare, Kind::Stat, directory).await? {
        Ok(attributes) if attributes.permissions.is_none() || attributes.is_directory() => {
            return Ok(());
        }
        Ok(_) => "it is a file".to_owned(),
        Err(status) if status.code == wire::NO_SUCH_FILE => {
            format!("the server said {}", status.said())
        }
        // Not every server says it of directories.
        Err(_) => return Ok(()),
    };
    let directory = directory.to_owned();
    Err(Failure::new(
        Step::Prepare,
        Fault::NoDirectory { directory, reply },
    ))
}

/// Bytes that are free in a directory, where the server reports it.
pub(super) async fn free(session: &mut Session, directory: &str) -> Option<u64> {
    if !session.offers.statvfs {
        return None;
    }
    let asked = session.ask(Step::Prepare, "statvfs", |id| {
        let packet = Packet::new(Kind::Extended, id).string(b"statvfs@openssh.com");
        packet.string(directory.as_bytes())
    });
    match asked.await {
        Ok(Ok(Answer::Extended(said))) => wire::free_bytes(&said),
        _ => None,
    }
}

/// Its size: no server computes a digest.
pub(super) async fn compare(keys: &Keys, remote: &Remote) -> Result<Compared, Failure> {
    let size = size_of(keys, remote).await?;
    Ok(Compared { size, same: None })
}

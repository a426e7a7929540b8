//! Looking at an entity before anything is sent to it, as far as that is done by the rules of SFTP; those that all
//! protocols have are in [`crate::transport::trial`].

use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Staging, Step};
use crate::transport::ssh::Keys;
use crate::transport::trial::{BYTE, Trial, no_rename, unless_cancelled};
use crate::transport::{Compared, Destination, Remote, Sink, split};

use super::sink::{SftpSink, is_refusal};
use super::source::size_of;
use super::wire::{self, Answer, Kind, Packet};
use super::{session::Session, upload};

pub(super) async fn probe(
    keys: &Keys,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let (mut sink, mut trial) = unless_cancelled(cancel, look(keys, destination)).await?;
    let directory = split(destination.remote.path.as_str()).0.to_owned();
    let tried = match destination.staging {
        Staging::Direct => is_directory(sink.session().await?, &directory).await,
        Staging::Rename if trial.probe.staging.is_some() => Ok(()),
        Staging::Rename => {
            let tried = write(&mut sink, destination, &mut trial).await;
            if trial.begun {
                trial.remove(&mut sink, destination).await;
            }
            tried
        }
    };
    if let Err(failure) = tried {
        Box::new(sink).close().await;
        return Err(trial.failed(failure));
    }
    let mut probe = trial.probe;
    if let Ok(session) = sink.session().await {
        probe.free = free(session, &directory).await;
    }
    Box::new(sink).close().await;
    Ok(probe)
}

/// Everything that can be asked without writing.
async fn look(keys: &Keys, destination: &Destination) -> Result<(SftpSink, Trial), Failure> {
    let mut sink = SftpSink::open(keys, destination).await?;
    let named = sink.look(&destination.remote.path).await?;
    let mut trial = Trial::new(named);
    // Any server can begin in the middle of a file.
    trial.probe.can.rest = Some(true);
    if destination.staging == Staging::Rename {
        trial.look_beside(&mut sink, destination).await?;
        if trial.probe.staging.is_none() {
            let taken = named.is_present().then_some(&destination.remote.path);
            sink.can_rename(destination.written_path(), taken).await?;
        }
    }
    Ok((sink, trial))
}

/// Stores one byte under the staging name, and tries on it what a delivery would do.
async fn write(
    sink: &mut SftpSink,
    destination: &Destination,
    trial: &mut Trial,
) -> Result<(), Failure> {
    let path = destination.written_path();
    let directory = split(path.as_str()).0;
    trial.begun = true;
    let stored = upload::whole(sink.session().await?, path.as_str(), directory, BYTE).await;
    if let Err(failure) = stored {
        if !is_refusal(&failure.fault) {
            return Err(failure);
        }
        // A directory that is not there is refused in the same words by some.
        is_directory(sink.session().await?, directory).await?;
        return Err(failure);
    }
    trial.probe.written = true;
    trial.try_size(sink, destination).await?;
    // No server computes a digest.
    trial.try_reading_back(sink, destination).await?;
    trial.try_rename(sink, destination, no_rename).await
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

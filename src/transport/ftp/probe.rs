//! Looking at an entity before anything is sent to it, and at its file afterwards.
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
//!
//! Commands that devices may not answer (`REST`, those of [`space`]) come last, when nothing is left
//! to be lost with the session.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::model::staging::File;
use crate::model::{
    Abilities, Failure, Fault, Leftover, Probe, RemotePath, Staging, Step, VerifyMode,
};
use crate::transport::digest::{Algorithm, Hasher};
use crate::transport::{Compared, Destination, How, ImageDigest, Proof, Remote, Reply, Seen, Sink};

use super::features;
use super::quirks::ServerQuirks;
use super::session::Session;
use super::sink::FtpSink;
use super::sink::{self, prove};
use super::source::size;
use super::space;

/// An empty file is refused by some servers, and takes no room on any.
const BYTE: &[u8] = b"\n";
/// A server that takes longer for `REST` does not know it.
const REST_DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn probe(
    quirks: &ServerQuirks,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let once = || probe_once(quirks, destination, cancel);
    quirks
        .while_learning(&destination.remote.endpoint.address, once)
        .await
}

async fn probe_once(
    quirks: &ServerQuirks,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let (mut sink, mut look) = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Failure::new(Step::Prepare, Fault::Cancelled)),
        looked = look(quirks, destination) => looked?,
    };
    let directory = directory(&destination.remote.path).to_owned();
    match destination.staging {
        Staging::Direct => {
            let change = format!("CWD {directory}");
            let reply = sink.ask(Step::Prepare, &change).await?;
            if !reply.is_done() && !reply.is_unknown_command() {
                let reply = reply.to_string();
                let fault = Fault::NoDirectory { directory, reply };
                return Err(Failure::new(Step::Prepare, fault));
            }
        }
        Staging::Rename if look.probe.staging.is_some() => {}
        Staging::Rename => {
            let tried = write(&mut sink, destination, &mut look).await;
            sink.abort();
            if look.begun {
                remove(&mut sink, destination, &mut look).await;
            }
            if let Err(failure) = tried {
                if look.probe.written || !sink::is_refusal(&failure) {
                    sink.end().await;
                    return Err(with_left(failure, look.probe.left));
                }
                return Err(why_refused(&mut sink, &destination.remote, failure).await);
            }
        }
    }
    let Look {
        mut probe,
        features,
        ..
    } = look;
    let epsv = !quirks.of(&destination.remote.endpoint.address).no_epsv;
    probe.can.epsv = probe.written.then_some(epsv);
    if let Ok(session) = sink.session().await {
        probe.can.rest = rest(session).await;
        if session.in_step() {
            let at = match destination.staging {
                Staging::Rename => &*directory,
                // It is there already, and its name may be a relative one.
                Staging::Direct => ".",
            };
            probe.free = space::free(session, at, features.as_deref()).await;
        }
    }
    sink.end().await;
    Ok(probe)
}

struct Look {
    probe: Probe,
    features: Option<String>,
    /// The probe's file may be there.
    begun: bool,
    /// A second name is free, so that a rename can be tried.
    spare_is_free: bool,
}

/// Everything that can be asked without writing.
async fn look(
    quirks: &ServerQuirks,
    destination: &Destination,
) -> Result<(FtpSink, Look), Failure> {
    let mut sink = FtpSink::open(quirks, destination).await?;
    let features = features::features(sink.session().await?).await?;
    let digest = features.as_deref().and_then(features::strongest);
    let mut can = Abilities {
        digest: digest.map(|command| command.algorithm().name().to_owned()),
        ..Abilities::default()
    };
    let named = sink.look(&destination.remote.path).await?;
    if let Seen::Present { size } = named {
        can.size = Some(size.is_some());
    }
    let mut staging = None;
    let mut spare_is_free = false;
    if destination.staging == Staging::Rename {
        for file in [File::Staging, File::Spare, File::Aside] {
            let path = destination.names.of(file);
            match sink.look(path).await? {
                Seen::Present { size } if staging.is_none() => {
                    staging = Some(Leftover {
                        modified: sink.modified(path).await?,
                        path: path.to_string(),
                        size,
                    });
                }
                Seen::Absent if file == File::Spare => spare_is_free = true,
                _ => {}
            }
        }
        if staging.is_none() {
            let path = destination.written_path();
            let taken = named.is_present().then_some(&destination.remote.path);
            sink.can_rename(path, taken).await?;
        }
    }
    let probe = Probe {
        can,
        file: named.size(),
        staging,
        ..Probe::default()
    };
    let look = Look {
        probe,
        features,
        begun: false,
        spare_is_free,
    };
    Ok((sink, look))
}

/// Stores one byte under the staging name, and tries on it what a delivery would do.
async fn write(
    sink: &mut FtpSink,
    destination: &Destination,
    look: &mut Look,
) -> Result<(), Failure> {
    let path = destination.written_path();
    look.begun = true;
    sink.store(path)
        .await
        .map_err(|not_stored| not_stored.failure)?;
    sink.write(BYTE).await?;
    sink.finish().await?;
    look.probe.written = true;
    let told = sink.look(path).await?.size();
    look.probe.can.size = Some(told.is_some());
    if told.is_none() && destination.verify == VerifyMode::Size {
        let reason = "the entity does not tell the size of a file".to_owned();
        return Err(Failure::new(Step::Verify, Fault::NotVerifiable { reason }));
    }
    let offered = look.features.as_deref().and_then(features::strongest);
    if let Some(command) = offered.filter(|_| destination.verify.asks_digest()) {
        let mut hasher = Hasher::new(command.algorithm());
        hasher.update(BYTE);
        let session = sink.session().await?;
        // One byte is digested at once.
        let confirm = session.timeouts.confirm;
        session.timeouts.confirm = confirm.min(session.timeouts.reply);
        let expected = hasher.finish();
        let digested = prove::by_digest(session, path.as_str(), command, &expected).await;
        session.timeouts.confirm = confirm;
        if !digested? {
            look.probe.can.digest = None;
        }
    }
    let proves = match destination.verify {
        VerifyMode::Best => look.probe.can.digest.is_none(),
        mode => mode == VerifyMode::Readback,
    };
    if proves {
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
            return Err(match refusal.failure.fault {
                Fault::Reply { code, text } => {
                    let reply = format!("{code} {text}");
                    Failure::new(Step::Rename, Fault::NoRename { reply })
                }
                _ => refusal.failure,
            });
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
    let reason = format!(
        "{path}, which was written to try that, stays; {}",
        failure.fault
    );
    Failure {
        fault: Fault::Leftover { reason },
        ..failure
    }
}

/// Removes the byte, under whichever name it stands: both were free before.
async fn remove(sink: &mut FtpSink, destination: &Destination, look: &mut Look) {
    let mut names = vec![File::Staging];
    if look.spare_is_free {
        names.push(File::Spare);
    }
    for file in names {
        let path = destination.names.of(file);
        let is_there = async |sink: &mut FtpSink| match sink.look(path).await {
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

/// A directory that is not there is refused in the same words as one that can't be written. Where
/// the upload had begun, another session must show.
async fn why_refused(sink: &mut FtpSink, remote: &Remote, failure: Failure) -> Failure {
    let Fault::Reply { code, text } = &failure.fault else {
        return failure;
    };
    let reply = format!("the server said {code} {text}");
    let directory = directory(&remote.path).to_owned();
    let change = format!("CWD {directory}");
    let fault = match sink.ask(Step::Open, &change).await {
        Ok(there) if there.is_done() || there.is_unknown_command() => {
            Fault::NotWritable { directory, reply }
        }
        Ok(there) => Fault::NoDirectory {
            directory,
            reply: format!("the server said {there}"),
        },
        Err(_) => return failure,
    };
    Failure::new(Step::Open, fault)
}

fn directory(path: &RemotePath) -> &str {
    match path.as_str().rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => ".",
    }
}

/// Whether the server can begin in the middle of a file. Nothing is read: the offset is taken back.
async fn rest(session: &mut Session) -> Option<bool> {
    if session.known().no_rest {
        return Some(false);
    }
    let deadline = session.timeouts.reply.min(REST_DEADLINE);
    let asked = session.command_within(Step::Prepare, "REST 1", deadline);
    let can = asked.await.ok()?.code == 350;
    if can {
        let back = session.command_within(Step::Prepare, "REST 0", deadline);
        let _ = back.await;
    }
    Some(can)
}

/// What the server says of its file beside a SHA-256: its size, and whether that is its digest.
pub(super) async fn compare(
    quirks: &ServerQuirks,
    remote: &Remote,
    sha256: [u8; 32],
) -> Result<Compared, Failure> {
    let once = || compare_once(quirks, remote, sha256);
    quirks.while_learning(&remote.endpoint.address, once).await
}

async fn compare_once(
    quirks: &ServerQuirks,
    remote: &Remote,
    sha256: [u8; 32],
) -> Result<Compared, Failure> {
    let mut session = Session::open(quirks, remote).await?;
    let path = remote.path.as_str();
    let size = size(&mut session, path).await?;
    let offered = features::best_digest(&mut session).await?;
    // A weaker one could not be compared with what is known of the image.
    let command = offered.filter(|command| command.algorithm() == Algorithm::Sha256);
    let same = match command {
        None => None,
        Some(command) => {
            let expected = hex::encode(sha256);
            match prove::by_digest(&mut session, path, command, &expected).await {
                Ok(true) => Some(true),
                Ok(false) => None,
                Err(failure) if matches!(failure.fault, Fault::WrongDigest { .. }) => Some(false),
                Err(failure) => return Err(failure),
            }
        }
    };
    session.close().await;
    Ok(Compared { size, same })
}

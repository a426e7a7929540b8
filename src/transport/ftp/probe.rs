//! Looking at an entity before anything is sent to it, and at its file afterwards.
//!
//! Only writing shows whether a directory can be written: permissions, a full flash, a data
//! connection that a firewall blocks are in no listing. So one byte is stored under the staging
//! name, which a run would write and remove in any case, and deleted again; the image that the
//! entity runs from is never touched. Three things keep that safe on devices:
//! - a staging name that is taken is left alone: it may be an upload of somebody else, and shows
//!   that the directory can be written;
//! - with `staging: direct` nothing is written, since there is only the final name;
//! - once the byte may be there, nothing but the entity's own deadlines ends the probe before it is
//!   deleted, in a session of its own if need be.
//!
//! Commands that devices may not answer (`REST`, those of [`space`]) come last, when nothing is left
//! to be lost with the session.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::model::{
    Abilities, Failure, Fault, Leftover, Probe, RemotePath, Staging, Step, VerifyMode,
};
use crate::transport::digest::{Algorithm, Hasher};
use crate::transport::{Compared, Destination, ImageDigest, Remote};

use super::data::Upload;
use super::features;
use super::session::Session;
use super::source::{modified, size};
use super::{Memory, sink, space, verify};

/// An empty file is refused by some servers, and takes no room on any.
const BYTE: &[u8] = b"\n";
/// Who takes longer for `REST` does not know it.
const REST_DEADLINE: Duration = Duration::from_secs(5);

pub(super) async fn probe(
    memory: &Memory,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let once = || probe_once(memory, destination, cancel);
    memory
        .while_learning(&destination.remote.address, once)
        .await
}

async fn probe_once(
    memory: &Memory,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let (mut session, mut look) = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Failure::new(Step::Prepare, Fault::Cancelled)),
        looked = look(memory, destination) => looked?,
    };
    let directory = directory(&destination.remote.path).to_owned();
    match destination.staging {
        Staging::Direct => {
            let change = format!("CWD {directory}");
            let reply = session.command(Step::Prepare, &change).await?;
            if !reply.is_done() && !reply.is_unknown_command() {
                let reply = reply.to_string();
                let fault = Fault::NoDirectory { directory, reply };
                return Err(Failure::new(Step::Prepare, fault));
            }
        }
        Staging::Rename if look.probe.staging.is_some() => {}
        Staging::Rename => {
            if let Err(failure) = write(&mut session, destination, &mut look).await {
                if look.begun && !session.in_step() {
                    // The upload was broken off, and perhaps the byte is there.
                    let _ = sink::discard(memory, destination).await;
                }
                if look.probe.written || !sink::is_refusal(&failure) {
                    session.close().await;
                    return Err(failure);
                }
                return Err(why_refused(memory, session, &destination.remote, failure).await);
            }
        }
    }
    let Look {
        mut probe,
        features,
        ..
    } = look;
    let epsv = !session.memory.of(&session.address).no_epsv;
    probe.can.epsv = probe.written.then_some(epsv);
    probe.can.rest = rest(&mut session).await;
    if session.in_step() {
        let at = match destination.staging {
            Staging::Rename => &*directory,
            // It is there already, and its name may be a relative one.
            Staging::Direct => ".",
        };
        probe.free = space::free(&mut session, at, features.as_deref()).await;
    }
    session.close().await;
    Ok(probe)
}

struct Look {
    probe: Probe,
    features: Option<String>,
    /// The probe's file may be there.
    begun: bool,
}

/// Everything that can be asked without writing.
async fn look(memory: &Memory, destination: &Destination) -> Result<(Session, Look), Failure> {
    let mut session = Session::open(memory, &destination.remote).await?;
    let features = features::features(&mut session).await?;
    let digest = features.as_deref().and_then(features::strongest);
    let mut can = Abilities {
        digest: digest.map(|command| command.algorithm().name().to_owned()),
        ..Abilities::default()
    };
    let file = match size(&mut session, destination.remote.path.as_str()).await {
        Ok(told) => {
            can.size = Some(told.is_some());
            told
        }
        Err(failure) => none_if_missing(failure)?,
    };
    let mut staging = None;
    if destination.staging == Staging::Rename {
        let path = destination.written_path();
        let from = format!("RNFR {path}");
        let reply = session.command(Step::Prepare, &from).await?;
        if reply.is_unknown_command() {
            let reply = reply.to_string();
            return Err(Failure::new(Step::Prepare, Fault::NoRename { reply }));
        }
        if reply.code == 421 {
            return Err(Failure::new(Step::Prepare, reply.fault()));
        }
        let told = match size(&mut session, path.as_str()).await {
            Ok(told) => told,
            Err(failure) => none_if_missing(failure)?,
        };
        if reply.code == 350 || told.is_some() {
            can.rename = (reply.code == 350).then_some(true);
            staging = Some(Leftover {
                modified: modified(&mut session, path.as_str()).await?,
                path: path.to_string(),
                size: told,
            });
        }
    }
    let probe = Probe {
        can,
        file,
        staging,
        ..Probe::default()
    };
    let look = Look {
        probe,
        features,
        begun: false,
    };
    Ok((session, look))
}

fn none_if_missing(failure: Failure) -> Result<Option<u64>, Failure> {
    match failure.fault {
        Fault::NoFile { .. } => Ok(None),
        _ => Err(failure),
    }
}

/// Stores one byte under the staging name, tries on it what a delivery would do, and deletes it.
async fn write(
    session: &mut Session,
    destination: &Destination,
    look: &mut Look,
) -> Result<(), Failure> {
    let path = destination.written_path();
    look.begun = true;
    let stored = async {
        let mut upload = Upload::open(session, path.as_str()).await?;
        upload.write(session, BYTE).await?;
        upload.finish(session).await
    };
    let tried = match stored.await {
        Ok(()) => {
            look.probe.written = true;
            attempt(session, destination, &path, look).await
        }
        Err(failure) => Err(failure),
    };
    // Some servers create the file before they refuse it.
    if session.in_step() {
        let dele = format!("DELE {path}");
        let is_gone = session.command(Step::Discard, &dele).await?.is_done();
        if !is_gone && look.probe.written {
            look.probe.left = Some(path.to_string());
        }
    }
    tried
}

/// What a delivery does with the file once it is stored.
async fn attempt(
    session: &mut Session,
    destination: &Destination,
    path: &RemotePath,
    look: &mut Look,
) -> Result<(), Failure> {
    // One byte is confirmed and digested at once.
    session.timeouts.confirm = session.timeouts.confirm.min(session.timeouts.reply);
    let told = match size(session, path.as_str()).await {
        Ok(told) => told,
        Err(failure) => none_if_missing(failure)?,
    };
    look.probe.can.size = Some(told.is_some());
    if told.is_none() && destination.verify == VerifyMode::Size {
        let reason = "the entity does not tell the size of a file".to_owned();
        return Err(Failure::new(Step::Verify, Fault::NotVerifiable { reason }));
    }
    let offered = look.features.as_deref().and_then(features::strongest);
    if let Some(command) = offered.filter(|_| destination.verify.asks_digest()) {
        let mut hasher = Hasher::new(command.algorithm());
        hasher.update(BYTE);
        if !verify::by_digest(session, path.as_str(), command, &hasher.finish()).await? {
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
        look.probe.can.read = match verify::by_reading(session, path.as_str(), &byte).await {
            Ok(_) => Some(true),
            Err(failure)
                if destination.verify == VerifyMode::Best
                    && verify::is_unreadable(session, &failure) =>
            {
                Some(false)
            }
            Err(failure) => return Err(failure),
        };
    }
    let from = format!("RNFR {path}");
    let reply = session.command(Step::Rename, &from).await?;
    look.probe.can.rename = Some(reply.code == 350);
    if reply.code != 350 {
        let reply = reply.to_string();
        return Err(Failure::new(Step::Rename, Fault::NoRename { reply }));
    }
    Ok(())
}

/// A directory that is not there is refused in the same words as one that can't be written. Where
/// the upload had begun, another session must tell.
async fn why_refused(
    memory: &Memory,
    session: Session,
    remote: &Remote,
    failure: Failure,
) -> Failure {
    let Fault::Reply { code, text } = &failure.fault else {
        session.close().await;
        return failure;
    };
    let reply = format!("the server said {code} {text}");
    let directory = directory(&remote.path).to_owned();
    let mut session = match session.in_step() {
        true => session,
        false => {
            session.close().await;
            match Session::open(memory, remote).await {
                Ok(session) => session,
                Err(_) => return failure,
            }
        }
    };
    let change = format!("CWD {directory}");
    let there = session.command(Step::Open, &change).await;
    session.close().await;
    let fault = match there {
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
    if session.memory.of(&session.address).no_rest {
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
    memory: &Memory,
    remote: &Remote,
    sha256: [u8; 32],
) -> Result<Compared, Failure> {
    let once = || compare_once(memory, remote, sha256);
    memory.while_learning(&remote.address, once).await
}

async fn compare_once(
    memory: &Memory,
    remote: &Remote,
    sha256: [u8; 32],
) -> Result<Compared, Failure> {
    let mut session = Session::open(memory, remote).await?;
    let path = remote.path.as_str();
    let size = size(&mut session, path).await?;
    let offered = features::best_digest(&mut session).await?;
    // A weaker one could not be compared with what is known of the image.
    let command = offered.filter(|command| command.algorithm() == Algorithm::Sha256);
    let same = match command {
        None => None,
        Some(command) => {
            let expected = hex::encode(sha256);
            match verify::by_digest(&mut session, path, command, &expected).await {
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

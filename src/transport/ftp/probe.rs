//! Looking at an entity before anything is sent to it, and at its file afterwards, as far as that is done by
//! the rules of FTP; those that all protocols have are in [`crate::transport::trial`].
//!
//! Commands that devices may not answer (`REST`, those of [`space`]) come last, when nothing is left
//! to be lost with the session.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::model::{Failure, Fault, Probe, Staging, Step};
use crate::transport::digest::{Algorithm, Hasher};
use crate::transport::trial::{BYTE, Trial, unless_cancelled};
use crate::transport::{Compared, Destination, Remote, Sink, split};

use super::features;
use super::quirks::ServerQuirks;
use super::session::Session;
use super::sink::FtpSink;
use super::sink::{self, prove};
use super::source::size;
use super::space;

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
    let looked = unless_cancelled(cancel, look(quirks, destination)).await?;
    let (mut sink, mut trial, features) = looked;
    let features = features.as_deref();
    let directory = split(destination.remote.path.as_str()).0.to_owned();
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
        Staging::Rename if trial.probe.staging.is_some() => {}
        Staging::Rename => {
            let tried = write(&mut sink, destination, &mut trial, features).await;
            sink.abort();
            if trial.begun {
                trial.remove(&mut sink, destination).await;
            }
            if let Err(failure) = tried {
                if trial.probe.written || !sink::is_refusal(&failure) {
                    sink.end().await;
                    return Err(trial.failed(failure));
                }
                return Err(why_refused(&mut sink, &destination.remote, failure).await);
            }
        }
    }
    let mut probe = trial.probe;
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
            probe.free = space::free(session, at, features).await;
        }
    }
    sink.end().await;
    Ok(probe)
}

/// Everything that can be asked without writing, and what `FEAT` says.
async fn look(
    quirks: &ServerQuirks,
    destination: &Destination,
) -> Result<(FtpSink, Trial, Option<String>), Failure> {
    let mut sink = FtpSink::open(quirks, destination).await?;
    let features = features::features(sink.session().await?).await?;
    let digest = features.as_deref().and_then(features::strongest);
    let named = sink.look(&destination.remote.path).await?;
    let mut trial = Trial::new(named);
    trial.probe.can.digest = digest.map(|command| command.algorithm().name().to_owned());
    if destination.staging == Staging::Rename {
        trial.look_beside(&mut sink, destination).await?;
        if trial.probe.staging.is_none() {
            let path = destination.written_path();
            let taken = named.is_present().then_some(&destination.remote.path);
            sink.can_rename(path, taken).await?;
        }
    }
    Ok((sink, trial, features))
}

/// Stores one byte under the staging name, and tries on it what a delivery would do.
async fn write(
    sink: &mut FtpSink,
    destination: &Destination,
    trial: &mut Trial,
    features: Option<&str>,
) -> Result<(), Failure> {
    trial.begun = true;
    sink.store(destination.written_path())
        .await
        .map_err(|not_stored| not_stored.failure)?;
    sink.write(BYTE).await?;
    sink.finish().await?;
    trial.probe.written = true;
    trial.try_size(sink, destination).await?;
    try_digest(sink, destination, trial, features).await?;
    trial.try_reading_back(sink, destination).await?;
    let no_rename = |refused: Failure| match refused.fault {
        Fault::Reply { code, text } => {
            let reply = format!("{code} {text}");
            Failure::new(Step::Rename, Fault::NoRename { reply })
        }
        _ => refused,
    };
    trial.try_rename(sink, destination, no_rename).await
}

/// Lets the server digest the byte by the strongest command that it offers, where a delivery would.
async fn try_digest(
    sink: &mut FtpSink,
    destination: &Destination,
    trial: &mut Trial,
    features: Option<&str>,
) -> Result<(), Failure> {
    let offered = features.and_then(features::strongest);
    let Some(command) = offered.filter(|_| destination.verify.asks_digest()) else {
        return Ok(());
    };
    let mut hasher = Hasher::new(command.algorithm());
    hasher.update(BYTE);
    let session = sink.session().await?;
    // One byte is digested at once.
    let confirm = session.timeouts.confirm;
    session.timeouts.confirm = confirm.min(session.timeouts.reply);
    let expected = hasher.finish();
    let path = destination.written_path().as_str();
    let digested = prove::by_digest(session, path, command, &expected).await;
    session.timeouts.confirm = confirm;
    if !digested? {
        trial.probe.can.digest = None;
    }
    Ok(())
}

/// A directory that is not there is refused in the same words as one that can't be written. Where
/// the upload had begun, another session must show.
async fn why_refused(sink: &mut FtpSink, remote: &Remote, failure: Failure) -> Failure {
    let Fault::Reply { code, text } = &failure.fault else {
        return failure;
    };
    let reply = format!("the server said {code} {text}");
    let directory = split(remote.path.as_str()).0.to_owned();
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

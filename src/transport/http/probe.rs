//! Looking at an entity of HTTP before anything is sent to it. Where files are staged, one byte is tried as in other
//! protocols ([`crate::transport::trial`]), but only where both of its names were seen to be free.

use tokio_util::sync::CancellationToken;

use crate::model::staging::File;
use crate::model::{Failure, Probe, Staging};
use crate::transport::trial::{Trial, no_rename, unless_cancelled};
use crate::transport::{Destination, Reply, Seen, Sink};

use super::HttpTransport;
use super::sink::HttpSink;

pub(super) async fn probe(
    transport: &HttpTransport,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let (mut sink, mut trial) = unless_cancelled(cancel, look(transport, destination)).await?;
    if !trial.is_free(File::Staging) || !trial.is_free(File::Spare) {
        return Ok(trial.probe);
    }
    // From here on a byte may be there: only the deadlines of the entity end this before it is removed.
    let tried = write(&mut sink, destination, &mut trial).await;
    remove(&mut sink, destination, &mut trial.probe).await;
    match tried {
        Ok(()) => Ok(trial.probe),
        Err(failure) => Err(trial.failed(failure)),
    }
}

/// Not every server says whether there is a file. After a `DELETE` only one that is seen is left, unlike in
/// protocols where not knowing is a fault.
async fn remove(sink: &mut HttpSink, destination: &Destination, probe: &mut Probe) {
    for file in [File::Staging, File::Spare] {
        let path = destination.names.of(file);
        if matches!(sink.look(path).await, Ok(Seen::Absent)) {
            continue;
        }
        let deleted = sink.delete(path).await;
        if !matches!(deleted, Ok(Reply::Done))
            && !matches!(sink.look(path).await, Ok(Seen::Absent | Seen::Unknown))
        {
            probe.left = Some(path.to_string());
        }
    }
}

/// Everything that can be asked without writing.
async fn look(
    transport: &HttpTransport,
    destination: &Destination,
) -> Result<(HttpSink, Trial), Failure> {
    let mut sink = HttpSink::open(transport, destination).await?;
    sink.reach(&destination.remote.path).await?;
    let named = sink.look(&destination.remote.path).await?;
    let mut trial = Trial::new(named);
    if destination.staging == Staging::Rename {
        trial.look_beside(&mut sink, destination).await?;
        if trial.probe.staging.is_none() {
            sink.can_rename(destination.written_path(), None).await?;
        }
    }
    Ok((sink, trial))
}

/// Stores one byte under the staging name, and tries on it what a delivery would do.
async fn write(
    sink: &mut HttpSink,
    destination: &Destination,
    trial: &mut Trial,
) -> Result<(), Failure> {
    sink.put_byte(destination.written_path()).await?;
    trial.probe.written = true;
    trial.try_size(sink, destination).await?;
    trial.try_reading_back(sink, destination).await?;
    trial.try_rename(sink, destination, no_rename).await
}

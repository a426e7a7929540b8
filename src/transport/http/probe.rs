//! Looking at an entity of HTTP before anything is sent to it.
//!
//! Where files are staged, one byte is stored under the staging name and renamed, as a delivery would, and
//! deleted again: nothing else shows that the entity lets this login do that. Otherwise there is only the final
//! name, and nothing is written.

use tokio_util::sync::CancellationToken;

use crate::model::staging::File;
use crate::model::{Abilities, Failure, Fault, Leftover, Probe, Staging, Step};
use crate::transport::{Destination, Reply, Seen, Sink};

use super::HttpTransport;
use super::sink::HttpSink;

pub(super) async fn probe(
    transport: &HttpTransport,
    destination: &Destination,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let (mut sink, mut probe, is_free) = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(Failure::new(Step::Prepare, Fault::Cancelled)),
        looked = look(transport, destination) => looked?,
    };
    if !is_free {
        return Ok(probe);
    }
    // From here on a byte may be there: only the deadlines of the entity end this before it is removed.
    let tried = write(&mut sink, destination, &mut probe).await;
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
    match (tried, &probe.left) {
        (Ok(()), _) => Ok(probe),
        (Err(failure), None) => Err(failure),
        (Err(failure), Some(path)) => Err(Failure {
            fault: Fault::Leftover {
                reason: format!(
                    "{path}, which was written to try that, stays; {}",
                    failure.fault
                ),
            },
            ..failure
        }),
    }
}

/// Everything that can be asked without writing. `true`: both staging names are free.
async fn look(
    transport: &HttpTransport,
    destination: &Destination,
) -> Result<(HttpSink, Probe, bool), Failure> {
    let mut sink = HttpSink::open(transport, destination).await?;
    sink.reach(&destination.remote.path).await?;
    let named = sink.look(&destination.remote.path).await?;
    let mut probe = Probe {
        file: named.size(),
        can: Abilities {
            size: named.is_present().then_some(named.size().is_some()),
            ..Abilities::default()
        },
        ..Probe::default()
    };
    if destination.staging == Staging::Direct {
        return Ok((sink, probe, false));
    }
    let mut is_free = true;
    for file in [File::Staging, File::Spare, File::Aside] {
        let path = destination.names.of(file);
        let seen = sink.look(path).await?;
        is_free &= file == File::Aside || seen == Seen::Absent;
        if let Seen::Present { size } = seen
            && probe.staging.is_none()
        {
            probe.staging = Some(Leftover {
                modified: sink.modified(path).await?,
                path: path.to_string(),
                size,
            });
        }
    }
    if probe.staging.is_none() {
        sink.can_rename(destination.written_path(), None).await?;
    }
    Ok((sink, probe, is_free))
}

/// Stores one byte under the staging name, and tries on it what a delivery would do.
async fn write(
    sink: &mut HttpSink,
    destination: &Destination,
    probe: &mut Probe,
) -> Result<(), Failure> {
    let (path, spare) = (
        destination.written_path(),
        destination.names.of(File::Spare),
    );
    sink.put_byte(path).await?;
    probe.written = true;
    let told = sink.look(path).await?.size();
    probe.can.size = Some(told.is_some());
    if let Reply::Refused(refusal) = sink.rename(path, spare).await? {
        probe.can.rename = Some(false);
        let reply = refusal.failure.fault.to_string();
        return Err(Failure::new(Step::Rename, Fault::NoRename { reply }));
    }
    let moved = sink.look(path).await? == Seen::Absent;
    probe.can.rename = Some(moved);
    match moved {
        true => Ok(()),
        false => Err(Failure::new(Step::Rename, Fault::NotRenamed)),
    }
}

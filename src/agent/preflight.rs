//! Looking at what a group needs before anything is sent: its source, and each entity.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::{Entity, Failure, Fault, FileServer, Group, Logins, Name, Probe, Step};
use crate::transport::{Source, Transport};

use super::choice::{Sources, destination};
use super::holders::Holders;

/// How much of a source's file is read to see that it can be.
const FIRST_BYTES: usize = 512;

/// The source that a run would read first, by its name in reports, and the bytes of its file where
/// it tells.
///
/// # Errors
/// It can't be read, or what it holds can't be the image. Beside it the source's name where one
/// was chosen.
pub(crate) async fn look_at_source<T: Transport>(
    transport: &Arc<T>,
    group: &Arc<Group>,
    logins: &Arc<Logins>,
    holders: &Holders,
    file_servers: &[Arc<FileServer>],
) -> Result<(Name, Option<u64>), Failure> {
    let chosen =
        Sources::choose(transport, group, logins, (holders, holders), file_servers).await?;
    let Some(first) = chosen.candidates().into_iter().next() else {
        let reason = "there is no source".to_owned();
        return Err(Failure::new(Step::Select, Fault::NoPeer { reason }));
    };
    // Nothing but reading shows that a data connection can be had, and that the file may be read.
    let mut source = transport.open_source(&first.remote, 0).await?;
    let size = source.size();
    source.read(&mut [0; FIRST_BYTES]).await?;
    drop(source);
    match (size, group.image.size) {
        (Some(0), _) => Err(Failure::new(Step::Prepare, Fault::EmptyImage)),
        (Some(actual), Some(expected)) if actual != expected => {
            let fault = Fault::WrongSize { expected, actual };
            Err(Failure::new(Step::Prepare, fault))
        }
        _ => Ok((first.name, size)),
    }
}

/// # Errors
/// What would make a delivery to the entity fail.
pub(crate) async fn look_at_entity<T: Transport>(
    transport: &Arc<T>,
    entity: &Entity,
    logins: &Logins,
    cancel: &CancellationToken,
) -> Result<Probe, Failure> {
    let destination = destination(&**transport, entity, logins)?;
    transport.probe(&destination, cancel).await
}

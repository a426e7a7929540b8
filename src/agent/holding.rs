//! What an entity holds at its final path, and whether that is the image.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::model::{Entity, Failure, Fault, FileServer, Group, Holding, Logins, Step, Verified};
use crate::transport::{Source, Transport};

use super::choice::{Sources, remote};
use super::holders::Holders;

/// What one reading may hold in memory.
const BUFFER: usize = 64 * 1024;

/// What is known of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) size: Option<u64>,
    pub(crate) sha256: Option<[u8; 32]>,
}

/// What was found on an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) holds: Holding,
    pub(crate) verified: Verified,
    pub(crate) size: Option<u64>,
    pub(crate) cause: Option<String>,
}

/// What the entities of a group are to hold: from the inventory, or else from the source, which is
/// read once. What earlier runs have delivered would be asked here, before the source is.
///
/// # Errors
/// The source can't be read.
pub(crate) async fn expected<T: Transport>(
    transport: &Arc<T>,
    group: &Arc<Group>,
    logins: &Arc<Logins>,
    file_servers: &[Arc<FileServer>],
    size_only: bool,
    read: &AtomicU64,
) -> Result<Expected, Failure> {
    let image = &group.image;
    let known = Expected {
        size: image.size,
        sha256: image.sha256.filter(|_| !size_only),
    };
    if if size_only {
        known.size.is_some()
    } else {
        known.sha256.is_some()
    } {
        return Ok(known);
    }
    let holders = Holders::default();
    let sources =
        Sources::choose(transport, group, logins, (&holders, &holders), file_servers).await?;
    let mut failure = None;
    for chosen in sources.candidates() {
        let found = if size_only {
            let size = transport.size_of(&chosen.remote).await;
            size.map(|size| Expected { size, ..known })
        } else {
            let whole = digest(transport, &chosen.remote, None, read).await;
            whole.map(|(size, sha256)| Expected {
                size: Some(size),
                sha256: Some(sha256),
            })
        };
        match found {
            Ok(found) => return Ok(found),
            Err(one) => failure = Some(of_source(&chosen.name, one)),
        }
    }
    Err(failure.unwrap_or_else(|| {
        let reason = "there is no source".to_owned();
        Failure::new(Step::Select, Fault::NoPeer { reason })
    }))
}

fn of_source(name: &str, failure: Failure) -> Failure {
    let step = failure.step;
    let fault = Fault::Source {
        name: name.to_owned(),
        failure: Box::new(failure),
    };
    Failure::new(step, fault)
}

/// Bytes and SHA-256 of a file; not more is read than one byte over `size`.
async fn digest<T: Transport>(
    transport: &Arc<T>,
    remote: &crate::transport::Remote,
    size: Option<u64>,
    read: &AtomicU64,
) -> Result<(u64, [u8; 32]), Failure> {
    let mut source = transport.open_source(remote, 0).await?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut length = 0_u64;
    loop {
        let count = source.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        length += count as u64;
        read.fetch_add(count as u64, Ordering::Relaxed);
        if size.is_some_and(|size| length > size) {
            break;
        }
    }
    source.close().await;
    Ok((length, hasher.finalize().into()))
}

/// Looks at one entity: with a digest that it computes, else by reading its file; by its size alone
/// where no SHA-256 is given.
pub(crate) async fn hold<T: Transport>(
    transport: &Arc<T>,
    entity: &Entity,
    logins: &Logins,
    expected: Expected,
    read: &AtomicU64,
) -> Held {
    match look(transport, entity, logins, expected, read).await {
        Ok(held) => held,
        Err(failure) => {
            let holds = match failure.fault {
                Fault::NoFile { .. } => Holding::Missing,
                _ => Holding::Unreachable,
            };
            Held {
                holds,
                verified: Verified::None,
                size: None,
                cause: Some(failure.to_string()),
            }
        }
    }
}

async fn look<T: Transport>(
    transport: &Arc<T>,
    entity: &Entity,
    logins: &Logins,
    expected: Expected,
    read: &AtomicU64,
) -> Result<Held, Failure> {
    let remote = remote(entity, logins)?;
    let found = |same: bool, verified, size, cause: String| Held {
        holds: if same { Holding::Has } else { Holding::Differs },
        verified,
        size,
        cause: (!same).then_some(cause),
    };
    let sizes = |size: u64, right: u64| format!("it has {size} bytes; the image has {right}");
    let Some(sha256) = expected.sha256 else {
        let size = transport.size_of(&remote).await?;
        return Ok(match (size, expected.size) {
            (Some(size), Some(right)) => found(
                size == right,
                Verified::Size,
                Some(size),
                sizes(size, right),
            ),
            (size, _) => Held {
                holds: Holding::Unknown,
                verified: Verified::None,
                size,
                cause: Some(match size {
                    None => "it does not tell the size of its file; verify without --size".into(),
                    Some(_) => "the size of the image is not known".into(),
                }),
            },
        });
    };
    let told = transport.compare(&remote, sha256).await?;
    if let (Some(size), Some(right)) = (told.size, expected.size)
        && size != right
    {
        return Ok(found(false, Verified::Size, Some(size), sizes(size, right)));
    }
    let other = || "it holds another file of that size: its SHA-256 differs".to_owned();
    if let Some(same) = told.same {
        return Ok(found(same, Verified::Digest, told.size, other()));
    }
    let (size, actual) = digest(transport, &remote, expected.size, read).await?;
    let cause = match expected.size {
        Some(right) if size != right => {
            format!("its file is not as long as the image's {right} bytes")
        }
        Some(_) => other(),
        None => "it holds another file: its SHA-256 differs".to_owned(),
    };
    Ok(found(
        actual == sha256,
        Verified::Readback,
        Some(size),
        cause,
    ))
}

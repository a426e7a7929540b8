//! What entities hold at their final path, and whether that is the image.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};

use crate::model::text::quoted;
use crate::model::{Entity, Failure, Fault, Group, Holding, Logins, Name, Scheme, Step, Verified};
use crate::protocol::{Event, Installed};
use crate::transport::read_and_hash::read_and_hash;
use crate::transport::{ImageDigest, Remote, Transport};

use super::{AT_ONCE, FanOut, Inspector, PeerRegistry, Sources};

/// How often it is reported how much was read.
const TOLD: Duration = Duration::from_millis(500);

/// What is known of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) size: Option<u64>,
    pub(crate) sha256: Option<[u8; 32]>,
}

fn unknown(group: &Group, entity: &Entity, cause: String) -> Installed {
    Installed {
        group: group.name.clone(),
        entity: entity.name.clone(),
        holds: Holding::Unknown,
        verified: Verified::None,
        size: None,
        cause: Some(cause),
    }
}

impl<T: Transport> Inspector<T> {
    /// What the entities of groups hold. `written`: those that are being upgraded, and in which
    /// group; they are not asked.
    pub(crate) async fn verify(
        self: Arc<Self>,
        groups: Vec<Arc<Group>>,
        size_only: bool,
        written: HashMap<Name, Name>,
    ) -> Event {
        let read = Arc::new(AtomicU64::new(0));
        let event = |checks, left, ended| Event::Held {
            at: Timestamp::now(),
            checks,
            left,
            read: read.load(Ordering::Relaxed),
            ended,
            stopped: ended && left > 0,
        };
        let mut left: usize = groups.iter().map(|group| group.entities.len()).sum();
        // Images first; of one that several groups get, each reads its own source.
        let (inspector, all) = (self.clone(), read.clone());
        let mut images = FanOut::new(AT_ONCE, &self.cancel, move |group: &Arc<Group>| {
            let (inspector, group, read) = (inspector.clone(), group.clone(), all.clone());
            async move { inspector.expected(&group, size_only, &read).await }
        });
        images.extend(groups);
        type Asked = (Arc<Group>, Arc<Entity>, Expected);
        let (inspector, all) = (self.clone(), read.clone());
        let mut entities = FanOut::new(AT_ONCE, &self.cancel, move |asked: &Asked| {
            let (inspector, asked, read) = (inspector.clone(), asked.clone(), all.clone());
            async move {
                let (transport, logins) = (&inspector.transport, &inspector.logins);
                let (group, entity, expected) = asked;
                let (found, _) =
                    installed(transport, (&group, &entity), logins, expected, &read).await;
                found
            }
        });
        let mut told = interval(TOLD);
        told.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let checks: Vec<Installed> = tokio::select! {
                biased;
                Some((group, found)) = images.next() => {
                    let found = found.unwrap_or_else(|why| Err(why.into()));
                    let mut checks = Vec::new();
                    for entity in &group.entities {
                        let cause = match (&found, written.get(&entity.name)) {
                            (Err(failure), _) => {
                                format!("what the image must be is not known: {failure}")
                            }
                            (_, Some(by)) => format!("it is being upgraded in group {}", quoted(by)),
                            (Ok(expected), None) => {
                                entities.extend([(group.clone(), entity.clone(), *expected)]);
                                continue;
                            }
                        };
                        checks.push(unknown(&group, entity, cause));
                    }
                    checks
                }
                Some(((group, entity, _), found)) = entities.next() => {
                    vec![found.unwrap_or_else(|why| {
                        unknown(&group, &entity, Failure::from(why).to_string())
                    })]
                }
                _ = told.tick(), if !(images.is_over() && entities.is_over()) => Vec::new(),
                else => break,
            };
            left -= checks.len();
            self.tell(event(checks, left, false));
        }
        event(Vec::new(), left, true)
    }

    /// What the entities of a group are to hold: from the inventory, or else from the source, which is
    /// read once. What earlier runs have delivered would be asked here, before the source is.
    async fn expected(
        &self,
        group: &Arc<Group>,
        size_only: bool,
        read: &AtomicU64,
    ) -> Result<Expected, Failure> {
        let image = &group.image;
        let known = Expected {
            size: image.size,
            sha256: image.sha256.filter(|_| !size_only),
        };
        if known.sha256.is_some() || size_only && known.size.is_some() {
            return Ok(known);
        }
        let nobody = PeerRegistry::default();
        let (transport, servers) = (&self.transport, &self.inventory.file_servers);
        let sources = Sources::choose(transport, group, &self.logins, &nobody, servers).await?;
        let (candidates, first) = sources.order(false, &HashSet::new());
        let mut causes = Vec::new();
        for candidate in candidates.iter().skip(first) {
            let found = match sources.find(transport, candidate).await {
                Ok(found) => found,
                Err(failure) => {
                    causes.push((candidate.name(), failure));
                    continue;
                }
            };
            for chosen in found {
                let found = if size_only {
                    let size = transport.size_of(&chosen.remote).await;
                    size.map(|size| Expected { size, ..known })
                } else {
                    let whole = digest(&**transport, &chosen.remote, None, read).await;
                    whole.map(|ImageDigest { size, sha256 }| Expected {
                        size: Some(size),
                        sha256: Some(sha256),
                    })
                };
                match found {
                    Ok(found) => return Ok(found),
                    Err(failure) => causes.push((chosen.name, failure)),
                }
            }
        }
        let step = causes
            .last()
            .map_or(Step::Select, |(_, failure)| failure.step);
        Err(sources.failed(causes, step))
    }
}

/// Bytes and SHA-256 of a file; not more is read than one byte over `size`.
async fn digest<T: Transport>(
    transport: &T,
    remote: &Remote,
    size: Option<u64>,
    read: &AtomicU64,
) -> Result<ImageDigest, Failure> {
    let mut source = transport.open_source(remote, 0).await?;
    let most = size.map(|size| size.saturating_add(1));
    let digest = read_and_hash(&mut *source, most, |count| {
        read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(())
    });
    let digest = digest.await?;
    source.close().await;
    Ok(digest)
}

/// Looks at one entity: with a digest that it computes, else by reading its file; by its size alone
/// where no SHA-256 is given. And why it could not be looked at, where it could not.
pub(crate) async fn installed<T: Transport>(
    transport: &Arc<T>,
    (group, entity): (&Group, &Entity),
    logins: &Logins,
    expected: Expected,
    read: &AtomicU64,
) -> (Installed, Option<Failure>) {
    let scheme = entity.address.scheme;
    if !scheme.evidence().can_be_asked() {
        let cause = match scheme {
            Scheme::Fetch => "its file can't be asked about: the device fetches it".to_owned(),
            scheme => format!(
                "nothing can be asked about a file over {}",
                scheme.in_words()
            ),
        };
        return (unknown(group, entity, cause), None);
    }
    let compared = match Remote::of_entity(entity, logins) {
        Ok(remote) => compare(&**transport, &remote, expected, read).await,
        Err(failure) => Err(failure),
    };
    let failure = compared.as_ref().err().cloned();
    let (holds, verified, size, cause) = compared.unwrap_or_else(|failure| {
        let holds = match failure.fault {
            Fault::NoFile { .. } => Holding::Missing,
            _ => Holding::Unreachable,
        };
        (holds, Verified::None, None, failure.to_string())
    });
    let cause = Some(cause).filter(|_| holds != Holding::Has);
    let found = Installed {
        holds,
        verified,
        size,
        cause,
        ..unknown(group, entity, String::new())
    };
    (found, failure)
}

type Compared = (Holding, Verified, Option<u64>, String);

async fn compare<T: Transport>(
    transport: &T,
    remote: &Remote,
    expected: Expected,
    read: &AtomicU64,
) -> Result<Compared, Failure> {
    let found = |same: bool, verified, size, cause: String| {
        let holds = if same { Holding::Has } else { Holding::Differs };
        Ok((holds, verified, size, cause))
    };
    let sizes = |size: u64, right: u64| format!("it has {size} bytes; the image has {right}");
    let unknown = |size, cause: &str| Ok((Holding::Unknown, Verified::None, size, cause.into()));
    let Some(sha256) = expected.sha256 else {
        let told = transport.size_of(remote).await?;
        return match (told, expected.size) {
            (Some(size), Some(right)) => {
                found(size == right, Verified::Size, told, sizes(size, right))
            }
            (None, _) => unknown(
                told,
                "it does not tell the size of its file; verify without --size",
            ),
            (Some(_), None) => unknown(told, "the size of the image is not known"),
        };
    };
    let told = transport.compare(remote, sha256).await?;
    if let (Some(size), Some(right)) = (told.size, expected.size)
        && size != right
    {
        return found(false, Verified::Size, told.size, sizes(size, right));
    }
    let other = "it holds another file of that size: its SHA-256 differs".to_owned();
    if let Some(same) = told.same {
        return found(same, Verified::Digest, told.size, other);
    }
    let actual = digest(transport, remote, expected.size, read).await?;
    let cause = match expected.size {
        Some(right) if actual.size != right => {
            format!("its file is not as long as the image's {right} bytes")
        }
        Some(_) => other,
        None => "it holds another file: its SHA-256 differs".to_owned(),
    };
    let same = actual.sha256 == sha256;
    found(same, Verified::Readback, Some(actual.size), cause)
}

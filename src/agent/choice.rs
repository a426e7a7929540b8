//! Where a group's image is read from: the file server, one named peer, or any peer that has it
//! (Figure 4, \[0027\]).

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::model::{
    Entity, Failure, Fault, Group, Image, Logins, Name, PeerChoice, SourceChoice, Step,
};
use crate::transport::{Destination, Remote, Transport};

/// So many peers are asked at one time.
const ASKED_AT_ONCE: usize = 16;

/// A source that was chosen, by its name in reports.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) name: Name,
    pub(super) remote: Remote,
}

/// # Errors
/// Step `select`, with what every peer that was asked said.
pub(super) async fn choose<T: Transport>(
    transport: &Arc<T>,
    group: &Group,
    logins: &Logins,
) -> Result<Chosen, Failure> {
    let no_login = |failure: Failure| Failure {
        step: Step::Select,
        ..failure
    };
    match &group.source {
        SourceChoice::FileServer(server) => {
            let path = server
                .path_of(&group.image)
                .map_err(|reason| Failure::new(Step::Select, Fault::Local(reason)))?;
            let login = login(logins, server.credentials.as_ref()).map_err(no_login)?;
            let (address, timeouts) = (server.address.clone(), server.timeouts);
            Ok(Chosen {
                name: server.name.clone(),
                remote: Remote {
                    address,
                    login,
                    path,
                    timeouts,
                },
            })
        }
        SourceChoice::Peer(PeerChoice::Named(peer)) => {
            check(peer, &group.image)?;
            let remote = remote(peer, logins).map_err(no_login)?;
            let size = transport.size_of(&remote).await;
            match size {
                Err(failure) => Err(no_peer(format!("{}: {failure}", peer.name))),
                Ok(Some(actual)) if group.image.size.is_some_and(|size| size != actual) => {
                    let reason = format!("{} holds {actual} bytes, not the image", peer.name);
                    Err(no_peer(reason))
                }
                Ok(_) => Ok(Chosen {
                    name: peer_name(peer),
                    remote,
                }),
            }
        }
        SourceChoice::Peer(PeerChoice::Any(peers)) => {
            any(transport, peers, &group.image, logins).await
        }
    }
}

fn no_peer(reason: String) -> Failure {
    Failure::new(Step::Select, Fault::NoPeer { reason })
}

fn peer_name(peer: &Entity) -> Name {
    format!("peer:{}", peer.name).into()
}

fn check(peer: &Entity, image: &Image) -> Result<(), Failure> {
    if peer.type_ != image.type_ {
        let reason = format!(
            "{} is of type {}; the image is for {}",
            peer.name, peer.type_, image.type_
        );
        return Err(no_peer(reason));
    }
    if peer.version != image.version {
        let reason = format!(
            "{} is at version {}; the image is {}",
            peer.name, peer.version, image.version
        );
        return Err(no_peer(reason));
    }
    Ok(())
}

/// The first peer, in the inventory's order, that holds a file of the right size: the size that
/// the inventory gives, or else the one that most of the peers hold.
async fn any<T: Transport>(
    transport: &Arc<T>,
    peers: &[Arc<Entity>],
    image: &Image,
    logins: &Logins,
) -> Result<Chosen, Failure> {
    let mut refusals = Vec::new();
    let mut holders: Vec<(usize, u64, Chosen)> = Vec::new();
    for batch in peers.chunks(ASKED_AT_ONCE) {
        let mut asked = JoinSet::new();
        for (place, peer) in batch.iter().enumerate() {
            if let Err(failure) = check(peer, image) {
                refusals.push(failure.fault.to_string());
                continue;
            }
            let (transport, peer, remote) = (transport.clone(), peer.clone(), remote(peer, logins));
            asked.spawn(async move {
                let size = match &remote {
                    Ok(remote) => transport.size_of(remote).await,
                    Err(failure) => Err(failure.clone()),
                };
                (place, peer, remote, size)
            });
        }
        while let Some(answer) = asked.join_next().await {
            let Ok((place, peer, remote, size)) = answer else {
                continue;
            };
            match (remote, size) {
                (Ok(remote), Ok(Some(size))) if size > 0 => {
                    holders.push((
                        place,
                        size,
                        Chosen {
                            name: peer_name(&peer),
                            remote,
                        },
                    ));
                }
                (_, Ok(_)) => {
                    refusals.push(format!("{} does not tell the size of its file", peer.name))
                }
                (_, Err(failure)) => refusals.push(format!("{}: {failure}", peer.name)),
            }
        }
        holders.sort_by_key(|(place, ..)| *place);
        let right = image
            .size
            .or_else(|| most_common(holders.iter().map(|(_, size, _)| *size)));
        if let Some(found) = holders.iter().position(|(_, size, _)| Some(*size) == right) {
            return Ok(holders.swap_remove(found).2);
        }
        for (_, size, chosen) in holders.drain(..) {
            refusals.push(format!("{} holds {size} bytes, not the image", chosen.name));
        }
    }
    Err(no_peer(if refusals.is_empty() {
        format!(
            "no entity of type {} is at version {}",
            image.type_, image.version
        )
    } else {
        refusals.join("; ")
    }))
}

fn most_common(sizes: impl Iterator<Item = u64>) -> Option<u64> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for size in sizes {
        *counts.entry(size).or_default() += 1;
    }
    counts
        .into_iter()
        .max_by_key(|(size, count)| (*count, *size))
        .map(|(size, _)| size)
}

fn login(logins: &Logins, credentials: Option<&Name>) -> Result<Arc<crate::model::Login>, Failure> {
    logins.get(credentials).ok_or_else(|| {
        let name = credentials.map(ToString::to_string).unwrap_or_default();
        let reason = "they were not looked up".to_owned();
        Failure::new(Step::Login, Fault::NoCredentials { name, reason })
    })
}

fn remote(entity: &Entity, logins: &Logins) -> Result<Remote, Failure> {
    Ok(Remote {
        address: entity.address.clone(),
        login: login(logins, entity.credentials.as_ref())?,
        path: entity.path.clone(),
        timeouts: entity.timeouts,
    })
}

/// Where an entity's file goes.
pub(super) fn destination(entity: &Entity, logins: &Logins) -> Result<Destination, Failure> {
    Ok(Destination {
        remote: remote(entity, logins)?,
        verify: entity.verify,
        staging: entity.staging,
        delete_first: entity.delete_first,
    })
}

//! Where a group's image is read from: the file server, one named peer, or any peer that has it
//! (Figure 4, \[0027\]).

use std::sync::Arc;

use crate::model::{
    Entity, Failure, Fault, Group, Image, Logins, Name, PeerChoice, SourceChoice, Step,
};
use crate::transport::{Destination, Remote, Transport};

use super::peers::{ASKED_AT_ONCE, ask, can_serve, right_size};

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
                    tls: server.tls.clone(),
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
    can_serve(peer, image).map_err(no_peer)
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
    let mut holders: Vec<(u64, Chosen)> = Vec::new();
    for batch in peers.chunks(ASKED_AT_ONCE) {
        let (able, unable): (Vec<_>, Vec<_>) =
            (batch.iter().map(|peer| (peer, can_serve(peer, image))))
                .partition(|(_, check)| check.is_ok());
        refusals.extend(unable.into_iter().filter_map(|(_, check)| check.err()));
        let able: Vec<Arc<Entity>> = able.into_iter().map(|(peer, _)| peer.clone()).collect();
        for (peer, answer) in able.iter().zip(ask(transport, &able, logins).await) {
            match (remote(peer, logins), answer) {
                (Ok(remote), Ok(Some(size))) if size > 0 => {
                    let name = peer_name(peer);
                    holders.push((size, Chosen { name, remote }));
                }
                (_, Ok(_)) => {
                    refusals.push(format!("{} does not tell the size of its file", peer.name))
                }
                (_, Err(failure)) => refusals.push(format!("{}: {failure}", peer.name)),
            }
        }
        let right = right_size(image, holders.iter().map(|(size, _)| *size));
        if let Some(found) = holders.iter().position(|(size, _)| Some(*size) == right) {
            return Ok(holders.swap_remove(found).1);
        }
        for (size, chosen) in holders.drain(..) {
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

/// # Errors
/// The password was not looked up.
pub(crate) fn login(
    logins: &Logins,
    credentials: Option<&Name>,
) -> Result<Arc<crate::model::Login>, Failure> {
    logins.get(credentials).ok_or_else(|| {
        let name = credentials.map(ToString::to_string).unwrap_or_default();
        let reason = "they were not looked up".to_owned();
        Failure::new(Step::Login, Fault::NoCredentials { name, reason })
    })
}

pub(super) fn remote(entity: &Entity, logins: &Logins) -> Result<Remote, Failure> {
    Ok(Remote {
        address: entity.address.clone(),
        login: login(logins, entity.credentials.as_ref())?,
        path: entity.path.clone(),
        timeouts: entity.timeouts,
        tls: entity.tls.clone(),
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

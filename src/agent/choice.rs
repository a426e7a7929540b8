//! Where a group's image is read from: the file server, one named peer, or any peer that has it
//! (Figure 4, \[0027\]), and who can take over when that fails.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::staging::{Names, NamesError};
use crate::model::{
    Entity, Failure, Fault, FileServer, Group, Image, Logins, Name, PeerChoice, SourceChoice, Step,
};
use crate::transport::{Destination, Remote, Transport};

use super::holders::Holders;
use super::peers::{ASKED_AT_ONCE, ask, can_serve, right_size};

/// A source that was chosen, by its name in reports.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) name: Name,
    pub(super) remote: Remote,
    /// Devices come and go: a peer that fails is replaced, a file server is first tried again.
    pub(super) is_peer: bool,
}

/// Everything that a group's image can be read from.
#[derive(Debug)]
pub(super) struct Sources {
    group: Arc<Group>,
    logins: Arc<Logins>,
    holders: Holders,
    /// What the operator asked for: one, or every peer that holds the right size.
    asked_for: Vec<Chosen>,
    /// They take over from peers.
    file_servers: Vec<Chosen>,
}

impl Sources {
    /// # Errors
    /// Step `select`, with what every peer that was asked said.
    pub(super) async fn choose<T: Transport>(
        transport: &Arc<T>,
        group: &Arc<Group>,
        logins: &Arc<Logins>,
        (holders, remembered): (&Holders, &Holders),
        file_servers: &[Arc<FileServer>],
    ) -> Result<Self, Failure> {
        let mut delivered = holders.of(&group.image);
        delivered.extend(remembered.of(&group.image));
        let (asked_for, file_servers) = match &group.source {
            SourceChoice::FileServer(server) => {
                (vec![of_server(server, group, logins)?], Vec::new())
            }
            SourceChoice::Peer(peer) => {
                let asked_for = match peer {
                    PeerChoice::Named(peer) => {
                        vec![named(transport, peer, group, logins, &delivered).await?]
                    }
                    PeerChoice::Any(peers) => {
                        let mut peers = peers.clone();
                        let known: HashSet<Name> = (peers.iter().chain(&group.entities))
                            .map(|peer| peer.name.clone())
                            .collect();
                        let others = delivered.iter();
                        peers.extend(others.filter(|one| !known.contains(&one.name)).cloned());
                        any(transport, &peers, group, logins, &delivered).await?
                    }
                };
                let servers = file_servers.iter();
                let able = servers.filter_map(|server| of_server(server, group, logins).ok());
                (asked_for, able.collect())
            }
        };
        Ok(Self {
            group: group.clone(),
            logins: logins.clone(),
            holders: holders.clone(),
            asked_for,
            file_servers,
        })
    }

    /// What a pass can read from, the best first. For a later pass those are the entities that this
    /// run has delivered: they spare the file server.
    pub(super) fn candidates(&self, later: bool) -> Vec<Chosen> {
        let holders = (self.holders.of(&self.group.image).into_iter()).filter_map(|holder| {
            let remote = remote(&holder, &self.logins).ok()?;
            let name = peer_name(&holder);
            let is_peer = true;
            Some(Chosen {
                name,
                remote,
                is_peer,
            })
        });
        let mut order: Vec<Chosen> = Vec::new();
        if later {
            order.extend(holders);
            order.extend(self.asked_for.iter().cloned());
        } else {
            order.extend(self.asked_for.iter().cloned());
            order.extend(holders);
        }
        order.extend(self.file_servers.iter().cloned());
        let mut seen = HashSet::new();
        order.retain(|chosen| seen.insert(chosen.name.clone()));
        order
    }
}

fn no_login(failure: Failure) -> Failure {
    Failure {
        step: Step::Select,
        ..failure
    }
}

fn of_server(server: &FileServer, group: &Group, logins: &Logins) -> Result<Chosen, Failure> {
    let path = (server.path_of(&group.image))
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
            dialect: server.dialect.clone(),
        },
        is_peer: false,
    })
}

async fn named<T: Transport>(
    transport: &Arc<T>,
    peer: &Arc<Entity>,
    group: &Group,
    logins: &Logins,
    delivered: &[Arc<Entity>],
) -> Result<Chosen, Failure> {
    check(peer, &group.image, delivered)?;
    let remote = remote(peer, logins).map_err(no_login)?;
    match transport.size_of(&remote).await {
        Err(failure) => Err(no_peer(format!("{}: {failure}", peer.name))),
        Ok(Some(actual)) if group.image.size.is_some_and(|size| size != actual) => {
            let reason = format!("{} holds {actual} bytes, not the image", peer.name);
            Err(no_peer(reason))
        }
        Ok(_) => Ok(Chosen {
            name: peer_name(peer),
            remote,
            is_peer: true,
        }),
    }
}

fn no_peer(reason: String) -> Failure {
    Failure::new(Step::Select, Fault::NoPeer { reason })
}

fn peer_name(peer: &Entity) -> Name {
    format!("peer:{}", peer.name).into()
}

/// What was delivered, by this run or an earlier one, is known better than the inventory knows it.
fn check(peer: &Entity, image: &Image, delivered: &[Arc<Entity>]) -> Result<(), Failure> {
    if delivered.iter().any(|holder| holder.name == peer.name) {
        return Ok(());
    }
    can_serve(peer, image).map_err(no_peer)
}

/// The peers, in the inventory's order, that hold a file of the right size: the size that the
/// inventory gives, or else the one that most of the peers hold. Asked a few at a time, until
/// there are some.
async fn any<T: Transport>(
    transport: &Arc<T>,
    peers: &[Arc<Entity>],
    group: &Group,
    logins: &Logins,
    delivered: &[Arc<Entity>],
) -> Result<Vec<Chosen>, Failure> {
    let image = &group.image;
    let mut refusals = Vec::new();
    let mut held: Vec<(u64, Chosen)> = Vec::new();
    for batch in peers.chunks(ASKED_AT_ONCE) {
        let (able, unable): (Vec<_>, Vec<_>) = (batch
            .iter()
            .map(|peer| (peer, check(peer, image, delivered))))
        .partition(|(_, check)| check.is_ok());
        let unable = unable.into_iter().filter_map(|(_, check)| check.err());
        refusals.extend(unable.map(|failure| match failure.fault {
            Fault::NoPeer { reason } => reason,
            fault => fault.to_string(),
        }));
        let able: Vec<Arc<Entity>> = able.into_iter().map(|(peer, _)| peer.clone()).collect();
        for (peer, answer) in able.iter().zip(ask(transport, &able, logins).await) {
            match (remote(peer, logins), answer) {
                (Ok(remote), Ok(Some(size))) if size > 0 => {
                    let name = peer_name(peer);
                    let is_peer = true;
                    held.push((
                        size,
                        Chosen {
                            name,
                            remote,
                            is_peer,
                        },
                    ));
                }
                (_, Ok(_)) => {
                    refusals.push(format!("{} does not tell the size of its file", peer.name))
                }
                (_, Err(failure)) => refusals.push(format!("{}: {failure}", peer.name)),
            }
        }
        let right = right_size(image, held.iter().map(|(size, _)| *size));
        if held.iter().any(|(size, _)| Some(*size) == right) {
            held.retain(|(size, _)| Some(*size) == right);
            return Ok(held.into_iter().map(|(_, chosen)| chosen).collect());
        }
        for (size, chosen) in held.drain(..) {
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

pub(crate) fn remote(entity: &Entity, logins: &Logins) -> Result<Remote, Failure> {
    Ok(Remote {
        address: entity.address.clone(),
        login: login(logins, entity.credentials.as_ref())?,
        path: entity.path.clone(),
        timeouts: entity.timeouts,
        tls: entity.tls.clone(),
        dialect: entity.dialect.clone(),
    })
}

/// Where an entity's file goes.
///
/// # Errors
/// The password was not looked up, or there is no staging name for its path.
pub(crate) fn destination<T: Transport>(
    transport: &T,
    entity: &Entity,
    logins: &Logins,
) -> Result<Destination, Failure> {
    let names = Names::new(&entity.path, &entity.staging_name, transport.owner());
    let no_name = |error: NamesError| Failure::new(Step::Prepare, Fault::Local(error.to_string()));
    Ok(Destination {
        remote: remote(entity, logins)?,
        verify: entity.verify,
        staging: entity.staging,
        delete_first: entity.delete_first,
        names: names.map_err(no_name)?,
    })
}

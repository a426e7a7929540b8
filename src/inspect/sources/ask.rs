//! Asking peers whether they hold the image, when it is their turn.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::inspect::peers::{AT_ONCE, ask, can_serve, right_size};
use crate::inspect::registry::server;
use crate::model::{Entity, Failure, Fault, Group, Image, Logins, Name, PeerChoice, Step};
use crate::transport::{Remote, Transport};

use super::{Candidate, Chosen, Sources, no_login};

/// An entity that holds the image, and the SHA-256 that its copy was proven to have.
type Proven = (Arc<Entity>, [u8; 32]);

impl Sources {
    /// Asks peers of a candidate whether they hold the image: those that do, the best first, and never
    /// none. A file server is asked when it is read.
    ///
    /// # Errors
    /// Step `select`, with what every peer that was asked said.
    pub(crate) async fn find<T: Transport>(
        &self,
        transport: &Arc<T>,
        candidate: &Candidate,
    ) -> Result<Vec<Chosen>, Failure> {
        let (group, logins, holders) = (&self.group, &self.logins, &self.holders);
        let delivered = holders.known(&group.image);
        let mut found = match candidate {
            Candidate::Known(chosen) => vec![chosen.clone()],
            Candidate::Unfit(_, failure) => return Err(failure.clone()),
            Candidate::Peers(PeerChoice::Named(peer)) => {
                vec![named(transport, peer, group, logins, &delivered).await?]
            }
            Candidate::Peers(PeerChoice::Any(peers)) => {
                let mut peers = peers.clone();
                let known: HashSet<Name> = (peers.iter().chain(&group.entities))
                    .map(|peer| peer.name.clone())
                    .collect();
                let others = delivered.iter().map(|(entity, _)| entity);
                peers.extend(others.filter(|one| !known.contains(&one.name)).cloned());
                peers.retain(|peer| !holders.is_left(&peer.name));
                any(transport, &peers, group, logins, &delivered).await?
            }
        };
        // A device may take one session at a time.
        let is_written = |chosen: &Chosen| {
            let place = server(&chosen.remote.endpoint.address);
            holders.sessions(&place).writing > 0
        };
        found.sort_by_key(is_written);
        Ok(found)
    }
}

async fn named<T: Transport>(
    transport: &Arc<T>,
    peer: &Arc<Entity>,
    group: &Group,
    logins: &Logins,
    delivered: &[Proven],
) -> Result<Chosen, Failure> {
    check(peer, &group.image, delivered)?;
    let remote = Remote::of_entity(peer, logins).map_err(no_login)?;
    match transport.size_of(&remote).await {
        Err(failure) => Err(no_peer(format!("{}: {failure}", peer.name))),
        Ok(Some(actual)) if group.image.size.is_some_and(|size| size != actual) => {
            let reason = format!("{} holds {actual} bytes, not the image", peer.name);
            Err(no_peer(reason))
        }
        Ok(_) => Ok(Chosen::peer(peer, remote, proven(peer, delivered))),
    }
}

fn no_peer(reason: String) -> Failure {
    Failure::new(Step::Select, Fault::NoPeer { reason })
}

fn proven(peer: &Entity, delivered: &[Proven]) -> Option<[u8; 32]> {
    let is = |(holder, _): &&Proven| holder.name == peer.name;
    delivered.iter().find(is).map(|(_, sha256)| *sha256)
}

/// What was delivered, by this run or an earlier one, is known better than the inventory knows it.
fn check(peer: &Entity, image: &Image, delivered: &[Proven]) -> Result<(), Failure> {
    if proven(peer, delivered).is_some() {
        return Ok(());
    }
    can_serve(peer, image).map_err(|unfit| no_peer(unfit.to_string()))
}

/// The peers, in the inventory's order and the proven ones first, that hold a file of the right size:
/// the size that the inventory gives, or else the one that most of the peers hold. Asked a few at a time, until
/// there are some.
async fn any<T: Transport>(
    transport: &Arc<T>,
    peers: &[Arc<Entity>],
    group: &Group,
    logins: &Arc<Logins>,
    delivered: &[Proven],
) -> Result<Vec<Chosen>, Failure> {
    let image = &group.image;
    let mut refusals = Vec::new();
    let mut held: Vec<(u64, Chosen)> = Vec::new();
    // They don't report the size of their file, and come last.
    let mut sizeless = Vec::new();
    for batch in peers.chunks(AT_ONCE) {
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
        for (peer, answer) in able
            .iter()
            .zip(ask(transport, &able, logins, &CancellationToken::new()).await)
        {
            match (Remote::of_entity(peer, logins), answer) {
                (Ok(remote), Ok(Some(size))) if size > 0 => {
                    held.push((size, Chosen::peer(peer, remote, proven(peer, delivered))));
                }
                // The digest of what it sends will show that.
                (Ok(remote), Ok(None)) if image.sha256.is_some() => {
                    sizeless.push(Chosen::peer(peer, remote, proven(peer, delivered)));
                }
                (_, Ok(_)) => {
                    refusals.push(format!("{} does not tell the size of its file", peer.name))
                }
                (_, Err(failure)) => refusals.push(format!("{}: {failure}", peer.name)),
            }
        }
        let is_proven = |one: &Chosen| one.peer.as_ref().is_some_and(|peer| peer.proven.is_some());
        let proven = held.iter().find(|(_, chosen)| is_proven(chosen));
        let right = match (image.size, proven) {
            (None, Some((size, _))) => Some(*size),
            _ => right_size(image, held.iter().map(|(size, _)| *size)),
        };
        if held.iter().any(|(size, _)| Some(*size) == right) {
            held.retain(|(size, _)| Some(*size) == right);
            let mut able: Vec<Chosen> = held.into_iter().map(|(_, chosen)| chosen).collect();
            able.append(&mut sizeless);
            able.sort_by_key(|one| !is_proven(one));
            return Ok(able);
        }
        for (size, chosen) in held.drain(..) {
            refusals.push(format!("{} holds {size} bytes, not the image", chosen.name));
        }
    }
    if !sizeless.is_empty() {
        return Ok(sizeless);
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

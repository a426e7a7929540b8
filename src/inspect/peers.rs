//! Asking entities whether their file is there, and what makes a file the image: the one rule for
//! what reads from a peer and for what shows the peers to choose from.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::model::text::quoted;
use crate::model::{Entity, Failure, Fault, Image, Logins, Name, Step};
use crate::protocol::{Event, PeerCheck};
use crate::transport::{Remote, Transport};

use super::{FanOut, Inspector};

/// Maximum number of peers that are asked at one time.
pub(super) const AT_ONCE: usize = 16;

impl<T: Transport> Inspector<T> {
    /// Which of the entities of the image's type hold it. Those that `written` names with the group
    /// that writes them are not asked: they may serve one session at a time, and that one is taken.
    pub(crate) async fn peers(
        self: Arc<Self>,
        image: Arc<Image>,
        written: HashMap<Name, Name>,
    ) -> Event {
        let of_type = |entity: &&Arc<Entity>| entity.type_ == image.type_;
        let of_type = || self.inventory.entities.iter().filter(of_type);
        let free = |entity: &&Arc<Entity>| !written.contains_key(&entity.name);
        let asked: Vec<Arc<Entity>> = of_type().filter(free).cloned().collect();
        let answers = ask(&self.transport, &asked, &self.logins, &self.cancel).await;
        let mut answers = answers.into_iter();
        let mut peers: Vec<PeerCheck> = Vec::new();
        for entity in of_type() {
            let file = match written.get(&entity.name) {
                Some(group) => Err(format!("it is being upgraded in group {}", quoted(group))),
                None => match answers.next() {
                    Some(answer) => answer.map_err(|failure| failure.to_string()),
                    None => Err("it was not asked".into()),
                },
            };
            peers.push(PeerCheck {
                entity: entity.name.clone(),
                has_it: can_serve(entity, &image).is_ok() && !matches!(file, Err(_) | Ok(Some(0))),
                file,
            });
        }
        let sizes = peers.iter().filter(|peer| peer.has_it);
        let sizes = sizes.filter_map(|peer| peer.file.as_ref().ok().copied().flatten());
        let right = right_size(&image, sizes);
        for peer in &mut peers {
            if let (Ok(Some(size)), Some(right)) = (&peer.file, right) {
                peer.has_it &= *size == right;
            }
        }
        Event::Peers {
            at: Timestamp::now(),
            image: image.name.clone(),
            peers,
        }
    }
}

/// The size of each peer's file in bytes, where it reports it; in the order of the peers.
pub(super) async fn ask<T: Transport>(
    transport: &Arc<T>,
    peers: &[Arc<Entity>],
    logins: &Arc<Logins>,
    cancel: &CancellationToken,
) -> Vec<Result<Option<u64>, Failure>> {
    let cancelled = || Err(Failure::new(Step::Select, Fault::Cancelled));
    let mut answers: Vec<_> = peers.iter().map(|_| cancelled()).collect();
    let (transport, logins) = (transport.clone(), logins.clone());
    let mut asked = FanOut::new(AT_ONCE, cancel, move |(_, peer): &(usize, Arc<Entity>)| {
        let (transport, remote) = (transport.clone(), Remote::of_entity(peer, &logins));
        async move { transport.size_of(&remote?).await }
    });
    asked.extend(peers.iter().cloned().enumerate());
    while let Some(((place, _), answer)) = asked.next().await {
        answers[place] = answer.unwrap_or_else(|why| Err(why.into()));
    }
    answers
}

/// Why an entity can't have the image, as far as the inventory knows.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit<'a> {
    #[error("{} is of type {}; the image is for {}", .0.name, .0.type_, .1.type_)]
    Type(&'a Entity, &'a Image),
    #[error("{} is at version {}; the image is {}", .0.name, .0.version, .1.version)]
    Version(&'a Entity, &'a Image),
    #[error("nothing can be read from {} over {}", .0.name, .0.address.scheme.in_words())]
    Protocol(&'a Entity),
}

/// Whether an entity can have the image, as far as the inventory knows.
pub(super) fn can_serve<'a>(peer: &'a Entity, image: &'a Image) -> Result<(), Unfit<'a>> {
    if peer.type_ != image.type_ {
        return Err(Unfit::Type(peer, image));
    }
    if peer.version != image.version {
        return Err(Unfit::Version(peer, image));
    }
    if !peer.address.scheme.can_give() {
        return Err(Unfit::Protocol(peer));
    }
    Ok(())
}

/// The size that the image's file has: what the inventory says, or else what most of those files
/// have that could be it.
pub(super) fn right_size(image: &Image, held: impl Iterator<Item = u64>) -> Option<u64> {
    image.size.or_else(|| most_common(held))
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

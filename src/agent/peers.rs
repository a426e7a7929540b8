//! Asking entities whether their file is there, and what makes a file the image: the one rule for
//! what reads from a peer and for what shows the peers to choose from.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::model::{Entity, Failure, Fault, Image, Logins, Step};
use crate::transport::Transport;

use super::choice::remote;

/// Maximum number of peers that are asked at one time.
pub(super) const ASKED_AT_ONCE: usize = 16;

/// The size of each peer's file in bytes, where it tells; in the order of the peers.
pub(crate) async fn ask<T: Transport>(
    transport: &Arc<T>,
    peers: &[Arc<Entity>],
    logins: &Logins,
) -> Vec<Result<Option<u64>, Failure>> {
    let mut answers: Vec<Result<Option<u64>, Failure>> = (peers.iter())
        .map(|_| {
            let fault = Fault::Local("it was not asked: a fault in subtend itself".into());
            Err(Failure::new(Step::Select, fault))
        })
        .collect();
    let mut asked = JoinSet::new();
    let mut next = peers.iter().enumerate();
    loop {
        while asked.len() < ASKED_AT_ONCE
            && let Some((place, peer)) = next.next()
        {
            match remote(peer, logins) {
                Ok(remote) => {
                    let transport = transport.clone();
                    asked.spawn(async move { (place, transport.size_of(&remote).await) });
                }
                Err(failure) => answers[place] = Err(failure),
            }
        }
        match asked.join_next().await {
            Some(Ok((place, answer))) => answers[place] = answer,
            Some(Err(error)) => tracing::error!("a peer could not be asked: {error}"),
            None => return answers,
        }
    }
}

/// Whether an entity can have the image, as far as the inventory knows.
///
/// # Errors
/// Why it can't, as a sentence.
pub(crate) fn can_serve(peer: &Entity, image: &Image) -> Result<(), String> {
    if peer.type_ != image.type_ {
        return Err(format!(
            "{} is of type {}; the image is for {}",
            peer.name, peer.type_, image.type_
        ));
    }
    if peer.version != image.version {
        return Err(format!(
            "{} is at version {}; the image is {}",
            peer.name, peer.version, image.version
        ));
    }
    Ok(())
}

/// The size that the image's file has: what the inventory says, or else what most of those files
/// have that could be it.
pub(crate) fn right_size(image: &Image, held: impl Iterator<Item = u64>) -> Option<u64> {
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

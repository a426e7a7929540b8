//! What can't go on at the same time: two groups that write the same entity, and an entity that
//! would be read while it is written.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{Entity, Group, Image, Name, PeerChoice, SourceChoice};

use super::blocker::Blocker;

/// What a group takes up while it runs.
#[derive(Debug, Clone)]
pub struct Footprint {
    pub group: String,
    pub image: Name,
    /// The entities that no other group may have meanwhile: its targets, but for those that it is
    /// done with, whatever became of them. That is how what failed is tried again while the rest
    /// goes on.
    pub targets: Vec<Name>,
    /// Those of them that it writes: the others are skipped.
    pub written: HashSet<Name>,
    /// The entities that it may read from, in a later pass too.
    pub read: Vec<Name>,
    /// The one that it has to read from.
    pub peer: Option<Name>,
    /// It may read something else than peers, too.
    pub reads_no_peer: bool,
    /// Entities that have the image get it too.
    pub force: bool,
}

impl Footprint {
    /// Of a group that is not done with these of its targets. With `force`, entities that have the
    /// image get it too.
    pub fn of<'a>(
        group: &Group,
        targets: impl IntoIterator<Item = &'a Arc<Entity>>,
        force: bool,
    ) -> Self {
        let mut footprint = Self::new(&group.name, Some(&group.image), group.sources(), force);
        for target in targets {
            footprint.add(target, Some(&group.image));
        }
        footprint
    }

    /// Of a group without targets yet.
    pub(super) fn new<'a>(
        group: &str,
        image: Option<&Image>,
        sources: impl Iterator<Item = &'a SourceChoice>,
        force: bool,
    ) -> Self {
        let sources: Vec<&SourceChoice> = sources.collect();
        let mut met = HashSet::new();
        let peers = sources.iter().flat_map(|source| source.peers());
        let peers = peers
            .map(|peer| &peer.name)
            .filter(|name| met.insert(*name));
        let is_peer = |source: &&SourceChoice| matches!(source, SourceChoice::Peer(_));
        Self {
            group: group.into(),
            image: image.map_or("".into(), |image| image.name.clone()),
            targets: Vec::new(),
            written: HashSet::new(),
            read: peers.cloned().collect(),
            peer: match sources[..] {
                [SourceChoice::Peer(PeerChoice::Named(peer))] => Some(peer.name.clone()),
                _ => None,
            },
            reads_no_peer: !sources.iter().all(is_peer),
            force,
        }
    }

    pub(super) fn add(&mut self, target: &Entity, image: Option<&Image>) {
        let has_it = image.is_some_and(|image| image.is_on(target));
        if self.force || !has_it {
            self.written.insert(target.name.clone());
        }
        self.targets.push(target.name.clone());
    }

    fn shared_with(&self, other: &Self) -> Vec<Name> {
        let taken: HashSet<&Name> = other.targets.iter().collect();
        let targets = self.targets.iter();
        targets
            .filter(|name| taken.contains(name))
            .cloned()
            .collect()
    }

    fn peer_is_written(&self, other: &Self) -> Option<Blocker> {
        let peer = (self.peer.as_ref()).filter(|peer| other.written.contains(*peer))?;
        Some(Blocker::SourceIsWritten {
            group: self.group.clone(),
            peer: peer.clone(),
            other: other.group.clone(),
        })
    }
}

/// Why a group can't be started while another runs.
pub fn beside(group: &Footprint, running: &Footprint) -> Option<Blocker> {
    let (name, other) = (group.group.clone(), running.group.clone());
    if name == other {
        return Some(Blocker::RunsAlready { group: name });
    }
    let entities = group.shared_with(running);
    if !entities.is_empty() {
        return Some(Blocker::InARun {
            group: name,
            other,
            entities,
        });
    }
    let read = running.read.iter();
    let read: Vec<Name> = (read.filter(|peer| group.written.contains(*peer)))
        .cloned()
        .collect();
    if !read.is_empty() {
        return Some(Blocker::ReadByARun {
            group: name,
            other,
            entities: read,
        });
    }
    group.peer_is_written(running)
}

/// Why two groups can't be started together.
pub(super) fn together(one: &Footprint, other: &Footprint) -> Option<Blocker> {
    if one.group == other.group {
        let group = one.group.clone();
        return Some(Blocker::StartedTwice { group });
    }
    let entities = one.shared_with(other);
    if !entities.is_empty() {
        return Some(Blocker::NotTogether {
            one: one.group.clone(),
            other: other.group.clone(),
            entities,
        });
    }
    (one.peer_is_written(other)).or_else(|| other.peer_is_written(one))
}

/// The peers that a group that could read from any of several sources must leave out: those that would
/// be read while they are written, by itself or by others of `all`. Of its own targets those that
/// have the image are skipped, and so can serve, unless forced.
///
/// # Errors
/// There is no other.
pub fn left_out<'a>(
    group: &Footprint,
    all: impl Iterator<Item = &'a Footprint> + Clone,
) -> Result<Vec<Name>, Blocker> {
    if group.peer.is_some() {
        return Ok(Vec::new());
    }
    let is_written = |peer: &&Name| all.clone().any(|one| one.written.contains(*peer));
    let written: Vec<Name> = (group.read.iter().filter(is_written)).cloned().collect();
    if group.reads_no_peer || written.len() < group.read.len() || written.is_empty() {
        return Ok(written);
    }
    Err(Blocker::NoPeerLeft {
        group: group.group.clone(),
        image: group.image.clone(),
        written,
        force: group.force,
    })
}

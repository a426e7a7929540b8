//! Entities that are proven to hold an image, because this run or an earlier one delivered it and
//! verified it by content: sources for later passes and for other groups that want the same image
//! (\[0027\], \[0028\]). And those that are read no more, because what they sent was not it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Address, Entity, Image, Name};

/// Which entity holds what, for all groups of a run. Cheap to clone; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerRegistry(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    held: Vec<Held>,
    /// By entity.
    left: HashSet<Name>,
    sessions: HashMap<Server, Sessions>,
}

#[derive(Debug)]
struct Held {
    /// An earlier run delivered it.
    before: bool,
    image: Arc<Image>,
    entity: Arc<Entity>,
    sha256: [u8; 32],
}

/// One server: several entities may be behind it.
pub(crate) type Server = (String, u16);

pub(crate) fn server(address: &Address) -> Server {
    (address.host.to_ascii_lowercase(), address.port)
}

/// The sessions that this run has with one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) reading: usize,
    pub(crate) writing: usize,
}

impl Sessions {
    fn of(&mut self, is_writing: bool) -> &mut usize {
        if is_writing {
            &mut self.writing
        } else {
            &mut self.reading
        }
    }
}

/// A session that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    holders: PeerRegistry,
    server: Server,
    is_writing: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut known = self.holders.lock();
        if let Some(sessions) = known.sessions.get_mut(&self.server) {
            let count = sessions.of(self.is_writing);
            *count = count.saturating_sub(1);
            if *sessions == Sessions::default() {
                known.sessions.remove(&self.server);
            }
        }
    }
}

impl PeerRegistry {
    /// An earlier run delivered the entity, and verified its copy to have this digest.
    pub(crate) fn remember(&self, image: &Arc<Image>, entity: &Arc<Entity>, sha256: [u8; 32]) {
        self.hold(true, image, entity, sha256);
    }

    /// The entity was delivered, and its copy verified to have this digest. What it sent before it
    /// was written is no matter any more.
    pub(crate) fn add(&self, image: &Arc<Image>, entity: &Arc<Entity>, sha256: [u8; 32]) {
        self.lock().left.remove(&entity.name);
        self.hold(false, image, entity, sha256);
    }

    fn hold(&self, before: bool, image: &Arc<Image>, entity: &Arc<Entity>, sha256: [u8; 32]) {
        let mut known = self.lock();
        known.held.retain(|held| held.entity.name != entity.name);
        known.held.push(Held {
            before,
            image: image.clone(),
            entity: entity.clone(),
            sha256,
        });
    }

    /// The entity is about to be written.
    pub(crate) fn forget(&self, entity: &Name) {
        self.lock().held.retain(|held| held.entity.name != *entity);
    }

    /// What the entity sent was not the image: nobody reads it any more.
    pub(crate) fn leave(&self, entity: &Name) {
        let mut known = self.lock();
        (known.held).retain(|held| held.before || held.entity.name != *entity);
        known.left.insert(entity.clone());
    }

    pub(crate) fn is_left(&self, entity: &Name) -> bool {
        self.lock().left.contains(entity)
    }

    /// Those that this run gave the image, in the order in which they got it, and their copies'
    /// SHA-256.
    pub(crate) fn of(&self, image: &Image) -> Vec<(Arc<Entity>, [u8; 32])> {
        self.holding(image, false)
    }

    /// As [`Self::of`], followed by those that earlier runs gave it.
    pub(crate) fn known(&self, image: &Image) -> Vec<(Arc<Entity>, [u8; 32])> {
        let mut known = self.of(image);
        known.extend(self.holding(image, true));
        known
    }

    fn holding(&self, image: &Image, before: bool) -> Vec<(Arc<Entity>, [u8; 32])> {
        (self.lock().held.iter())
            .filter(|held| held.before == before && *held.image == *image)
            .map(|held| (held.entity.clone(), held.sha256))
            .collect()
    }

    /// Counts a session.
    pub(crate) fn session(&self, address: &Address, is_writing: bool) -> Session {
        let server = server(address);
        let mut known = self.lock();
        *(known.sessions.entry(server.clone()).or_default()).of(is_writing) += 1;
        Session {
            holders: self.clone(),
            server,
            is_writing,
        }
    }

    pub(crate) fn sessions(&self, server: &Server) -> Sessions {
        self.lock()
            .sessions
            .get(server)
            .copied()
            .unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{address, entity, image};

    fn names(holders: &PeerRegistry) -> Vec<String> {
        let of = holders.of(&image());
        of.iter().map(|(one, _)| one.name.to_string()).collect()
    }

    #[test]
    fn only_what_is_proven_by_content_counts() {
        use crate::model::Verified::{self, Digest, None, Readback, Size};
        let by_content: Vec<bool> = [Digest, Readback, Size, None]
            .map(Verified::is_proof)
            .into();
        assert_eq!(by_content, [true, true, false, false]);
    }

    #[test]
    fn a_holder_that_is_left_comes_back_when_it_is_delivered_anew() {
        let (holders, image) = (PeerRegistry::default(), Arc::new(image()));
        let [a, b] = ["a", "b"].map(|name| Arc::new(entity(name, "1")));
        holders.add(&image, &a, [1; 32]);
        holders.add(&image, &b, [1; 32]);
        assert_eq!(names(&holders), ["a", "b"]);
        holders.leave(&a.name);
        assert_eq!(names(&holders), ["b"]);
        assert!(holders.is_left(&a.name) && !holders.is_left(&b.name));
        holders.add(&image, &a, [1; 32]);
        assert_eq!(names(&holders), ["b", "a"]);
        assert!(!holders.is_left(&a.name));
        holders.forget(&b.name);
        assert_eq!(names(&holders), ["a"]);
    }

    #[test]
    fn sessions_are_counted_by_server_and_let_go() {
        let holders = PeerRegistry::default();
        let (here, other) = (address("Device"), address("other"));
        let count = |address| {
            let sessions = holders.sessions(&server(address));
            (sessions.reading, sessions.writing)
        };
        let one = holders.session(&here, true);
        let two = holders.session(&address("device"), true);
        let three = holders.session(&here, false);
        assert_eq!((count(&here), count(&other)), ((1, 2), (0, 0)));
        drop(one);
        drop(three);
        assert_eq!(count(&here), (0, 1));
        drop(two);
        assert!(holders.lock().sessions.is_empty());
    }
}

//! What earlier runs are known to have delivered: it complements the `version` of the inventory,
//! which somebody has to write by hand.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Entity, Image, Name};

/// The image that an entity got last, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    pub type_: String,
    pub version: String,
    /// Bytes, where they are known.
    pub size: Option<u64>,
    pub sha256: Option<[u8; 32]>,
    /// The run that delivered it, and when.
    pub run: String,
    pub at: Timestamp,
    /// Its copy was verified by content then: by its digest, or read back.
    pub proven: bool,
}

impl Remembered {
    /// The SHA-256 that its copy was proven to have.
    pub fn proven(&self) -> Option<[u8; 32]> {
        self.sha256.filter(|_| self.proven)
    }
}

/// By the entity's name; only entities that are still at the same address and path are in it.
#[derive(Debug, Clone, Default)]
pub struct Memories(pub HashMap<Name, Remembered>);

impl Memories {
    /// What is remembered of an entity, if it says that the entity has the image.
    pub fn of(&self, entity: &Entity, image: &Image) -> Option<&Remembered> {
        let known = self.0.get(&entity.name)?;
        let same_digest = match (known.sha256, image.sha256) {
            (Some(known), Some(wanted)) => known == wanted,
            _ => true,
        };
        let same_size = match (known.size, image.size) {
            (Some(known), Some(wanted)) => known == wanted,
            _ => true,
        };
        let same = known.type_ == image.type_
            && known.version == image.version
            && same_size
            && same_digest;
        same.then_some(known)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entity, image};
    use super::*;

    #[test]
    fn what_is_remembered_must_be_this_image() {
        let (entity, image) = (entity("e1", "1"), image());
        let known = Remembered {
            type_: image.type_.clone(),
            version: image.version.clone(),
            size: Some(7),
            sha256: Some([1; 32]),
            run: "r1".into(),
            at: Timestamp::UNIX_EPOCH,
            proven: true,
        };
        let memories = |known: Remembered| Memories(HashMap::from([("e1".into(), known)]));
        let is = |known: &Remembered, image: &Image| {
            memories(known.clone()).of(&entity, image).is_some()
        };
        assert!(is(&known, &image));
        assert!(Memories::default().of(&entity, &image).is_none());
        let with = |size, sha256| Image {
            size,
            sha256,
            ..image.clone()
        };
        assert!(is(&known, &with(Some(7), Some([1; 32]))));
        assert!(!is(&known, &with(Some(8), None)));
        assert!(!is(&known, &with(None, Some([2; 32]))));
        let older = Remembered {
            version: "0".into(),
            ..known
        };
        assert!(!is(&older, &image));
    }
}

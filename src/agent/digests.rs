//! What is known of the image's bytes while passes read it.
//!
//! Every pass proves the whole image, also one that begins in the middle: the state of the SHA-256
//! is kept at block boundaries as passes go by, a later pass begins at one of them, and its digest
//! must come out as that of the whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::model::{Failure, Fault, Image, Name, Step};
use crate::transport::ImageDigest;

/// So many states are kept; when there are more, every other one goes. One is 112 bytes.
const KEPT: usize = 512;

/// Shared by the passes of a group.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// States by the offset up to which they stand for.
    states: BTreeMap<u64, Sha256>,
    /// Bytes between two states at least.
    apart: u64,
    /// Of the whole image, from the first pass that reached its end.
    whole: Option<ImageDigest>,
    size: Option<u64>,
    stamps: HashMap<Name, Stamp>,
}

/// How a source's file was when it was first opened.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    size: Option<u64>,
    modified: Option<String>,
}

impl Digests {
    /// A pass has read up to here.
    pub(super) fn pass_by(&self, offset: u64, state: &Sha256) {
        let mut known = self.lock();
        let last = known.states.range(..=offset).next_back();
        if last.is_some_and(|(at, _)| offset < at + known.apart) {
            return;
        }
        known.states.insert(offset, state.clone());
        if known.states.len() > KEPT {
            let mut odd = false;
            known.states.retain(|_, _| {
                odd = !odd;
                odd
            });
            let (first, last) = (known.states.keys().next(), known.states.keys().next_back());
            if let (Some(first), Some(last)) = (first, last) {
                known.apart = (last - first) / (KEPT as u64 / 2);
            }
        }
    }

    /// Where a pass for an entity at `offset` can begin: there or a little before.
    pub(super) fn before(&self, offset: u64) -> (u64, Sha256) {
        let known = self.lock();
        let found = known.states.range(..=offset).next_back();
        found.map_or_else(|| (0, Sha256::new()), |(at, state)| (*at, state.clone()))
    }

    /// The image's SHA-256, where it is known by now.
    pub(super) fn expected(&self, image: &Image) -> Option<[u8; 32]> {
        image.sha256.or(self.lock().whole.map(|whole| whole.sha256))
    }

    /// The whole image, where it is known by now.
    pub(super) fn image(&self, image: &Image) -> Option<ImageDigest> {
        let known = self.lock();
        known.whole.or_else(|| {
            Some(ImageDigest {
                size: image.size.or(known.size)?,
                sha256: image.sha256?,
            })
        })
    }

    /// The image's size, where it is known by now.
    pub(super) fn size(&self, image: &Image) -> Option<u64> {
        image.size.or(self.lock().size)
    }

    /// A source's file was opened. Whether the source has said the same of it before, the time of
    /// its last change included: then it is the same file.
    ///
    /// # Errors
    /// It has another size or time than when it was opened first.
    pub(super) fn opened(
        &self,
        source: &Name,
        size: Option<u64>,
        modified: Option<&str>,
    ) -> Result<bool, Failure> {
        let mut known = self.lock();
        known.size = known.size.or(size);
        let stamp = Stamp {
            size,
            modified: modified.map(str::to_owned),
        };
        let Some(first) = known.stamps.get(source) else {
            known.stamps.insert(source.clone(), stamp);
            return Ok(false);
        };
        let reason = match (first.size, size, &first.modified, modified) {
            (Some(first), Some(now), ..) if first != now => {
                format!("{source} had {first} bytes and now has {now}")
            }
            (_, _, Some(first), Some(now)) if first != now => {
                format!("{source} was changed at {now}, and before at {first}")
            }
            _ => return Ok(first.size.is_some() && modified.is_some() && *first == stamp),
        };
        Err(Failure::new(Step::Open, Fault::SourceChanged { reason }))
    }

    /// A pass has read to the end of the image.
    ///
    /// # Errors
    /// It is not what the inventory says, or not what another pass has read.
    pub(super) fn whole(&self, image: &Image, digest: ImageDigest) -> Result<(), Failure> {
        if let Some(expected) = image.sha256.filter(|expected| *expected != digest.sha256) {
            let (expected, actual) = (hex::encode(expected), hex::encode(digest.sha256));
            let fault = Fault::WrongImage { expected, actual };
            return Err(Failure::new(Step::Read, fault));
        }
        let mut known = self.lock();
        let first = *known.whole.get_or_insert(digest);
        if first != digest {
            let (first, now) = (hex::encode(first.sha256), hex::encode(digest.sha256));
            let reason = format!("its SHA-256 is {now}, and {first} was read before");
            return Err(Failure::new(Step::Read, Fault::SourceChanged { reason }));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::image;

    fn of(bytes: &[u8]) -> ImageDigest {
        ImageDigest {
            size: bytes.len() as u64,
            sha256: Sha256::digest(bytes).into(),
        }
    }

    #[test]
    fn a_pass_from_the_middle_comes_to_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let digests = Digests::default();
        let mut state = Sha256::new();
        let mut at = 0;
        for block in bytes.chunks(70) {
            digests.pass_by(at, &state);
            state.update(block);
            at += block.len() as u64;
        }
        assert!(digests.lock().states.len() <= KEPT);
        let apart = digests.lock().apart;
        for offset in [0, 69, 70, 71, 50_000, 99_999] {
            let (begin, mut state) = digests.before(offset);
            assert!(
                begin <= offset && offset - begin < 3 * apart.max(70),
                "{offset}: {begin}"
            );
            state.update(&bytes[usize::try_from(begin).unwrap()..]);
            assert_eq!(<[u8; 32]>::from(state.finalize()), of(&bytes).sha256);
        }
    }

    #[test]
    fn passes_must_agree_on_the_image() {
        let image = image();
        let digests = Digests::default();
        assert_eq!(digests.expected(&image), None);
        digests.whole(&image, of(b"one")).unwrap();
        digests.whole(&image, of(b"one")).unwrap();
        assert_eq!(digests.expected(&image), Some(of(b"one").sha256));
        let failure = digests.whole(&image, of(b"two")).unwrap_err();
        assert!(
            matches!(failure.fault, Fault::SourceChanged { .. }),
            "{failure}"
        );
    }

    #[test]
    fn a_file_that_changed_is_found_out() {
        let (hq, other): (Name, Name) = ("hq".into(), "other".into());
        let digests = Digests::default();
        let open = |name, size, modified| digests.opened(name, size, modified);
        assert_eq!(
            open(&hq, Some(7), Some("20260101000000")),
            Ok(false),
            "the first time"
        );
        assert_eq!(open(&hq, Some(7), Some("20260101000000")), Ok(true));
        assert_eq!(open(&hq, Some(7), None), Ok(false), "it may be the same");
        assert!(open(&hq, Some(8), Some("20260101000000")).is_err());
        assert!(open(&hq, Some(7), Some("20260101000001")).is_err());
        assert_eq!(open(&other, Some(8), None), Ok(false));
        assert_eq!(open(&other, Some(8), None), Ok(false), "nothing tells");
    }
}

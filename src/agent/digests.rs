//! What is known of the image's bytes while passes read it.
//!
//! Every pass proves the whole image, also one that begins in the middle: the state of the SHA-256
//! is kept at block boundaries as passes go by, a later pass begins at one of them, and its digest
//! must come out as that of the whole. Beside each state stand the sources that gave the bytes
//! that it stands for: when those turn out to be others than the image's, they are to blame.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::Sha256;

use crate::model::procedure::Sum;
use crate::model::{Failure, Fault, Image, Name, Step};
use crate::transport::ImageDigest;

use super::sums::Sums;
use super::trust::Givers;

/// Maximum number of states that are kept; when there are more, every other one goes. One is 112 bytes.
const KEPT: usize = 512;

/// Shared by the passes of a group.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// States by the offset up to which they stand for.
    states: BTreeMap<u64, State>,
    /// Bytes between two states at least.
    apart: u64,
    /// Of the whole image, from the first pass that reached its end.
    whole: Option<ImageDigest>,
    /// More than a peer that nothing proves has that digest.
    is_proven: bool,
    size: Option<Told>,
    /// What procedures name beside SHA-256.
    wanted: Vec<Sum>,
    /// Those of the whole image.
    sums: BTreeMap<Sum, String>,
    stamps: HashMap<Name, Stamp>,
}

/// The digest of the image up to an offset, and the sources that gave the bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) digest: Sha256,
    pub(super) sums: Sums,
    pub(super) givers: Givers,
}

/// A size, and whether nobody but a peer has reported it.
#[derive(Debug, Clone, Copy)]
struct Told {
    size: u64,
    by_peer: bool,
}

/// What a source that was opened says of its file, beside what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Fits,
    /// It is a file server, and peers have reported another size: they hold something else.
    PeersDiffer,
}

/// How a source's file was when it was first opened.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    size: Option<u64>,
    modified: Option<String>,
}

impl Digests {
    /// A pass has read up to here.
    pub(super) fn pass_by(&self, offset: u64, state: &State) {
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
    pub(super) fn before(&self, offset: u64) -> (u64, State) {
        let known = self.lock();
        let found = known.states.range(..=offset).next_back();
        let beginning = || {
            let sums = Sums::of(&known.wanted);
            (
                0,
                State {
                    sums,
                    ..State::default()
                },
            )
        };
        found.map_or_else(beginning, |(at, state)| (*at, state.clone()))
    }

    /// Bytes that passes have read are not the image's. The states are forgotten, whichever they are
    /// of: a pass that begins in the middle is read from the beginning then. So is the size that was
    /// told.
    pub(super) fn forget(&self) {
        let mut known = self.lock();
        known.states.clear();
        known.apart = 0;
        known.size = None;
    }

    /// The image's SHA-256, where it is known by now.
    pub(super) fn expected(&self, image: &Image) -> Option<[u8; 32]> {
        image.sha256.or(self.lock().whole.map(|whole| whole.sha256))
    }

    /// The whole image, where it is known by now.
    pub(super) fn image(&self, image: &Image) -> Option<ImageDigest> {
        let known = self.lock();
        let size = image.size.or(known.size.map(|told| told.size));
        known.whole.filter(|_| known.is_proven).or_else(|| {
            Some(ImageDigest {
                size: size?,
                sha256: image.sha256?,
            })
        })
    }

    /// The SHA-256 that entities are proven to have when theirs is the same as what was read: not
    /// where a peer that nothing proves is all that it was read from.
    pub(super) fn proven(&self, image: &Image) -> Option<[u8; 32]> {
        let known = self.lock();
        let whole = known.whole.filter(|_| known.is_proven);
        image.sha256.or(whole.map(|whole| whole.sha256))
    }

    /// Each pass from here on computes these too.
    pub(super) fn wants(&self, sums: Vec<Sum>) {
        self.lock().wanted = sums;
    }

    /// Other digests of the whole image, of those that are wanted.
    pub(super) fn sums(&self) -> BTreeMap<Sum, String> {
        self.lock().sums.clone()
    }

    pub(super) fn has_sums(&self, sums: BTreeMap<Sum, String>) {
        self.lock().sums.extend(sums);
    }

    /// The image's size, where it is known by now.
    pub(super) fn size(&self, image: &Image) -> Option<u64> {
        image.size.or(self.lock().size.map(|told| told.size))
    }

    /// A source's file was opened.
    ///
    /// # Errors
    /// It has another size or time than when it was opened first. That both are the same proves
    /// nothing: a file that was replaced may have them too.
    pub(super) fn opened(
        &self,
        source: &Name,
        is_peer: bool,
        size: Option<u64>,
        modified: Option<&str>,
    ) -> Result<Opened, Failure> {
        let mut known = self.lock();
        let stamp = Stamp {
            size,
            modified: modified.map(str::to_owned),
        };
        let first = known.stamps.entry(source.clone()).or_insert(stamp);
        let reason = match (first.size, size, &first.modified, modified) {
            (Some(first), Some(now), ..) if first != now => {
                Some(format!("{source} had {first} bytes and now has {now}"))
            }
            (_, _, Some(first), Some(now)) if first != now => Some(format!(
                "{source} gave its file the time or tag {first} before, and now {now}"
            )),
            _ => None,
        };
        if let Some(reason) = reason {
            return Err(Failure::new(Step::Open, Fault::SourceChanged { reason }));
        }
        let told = size.map(|size| Told {
            size,
            by_peer: is_peer,
        });
        match (known.size, told) {
            (Some(peers), Some(server)) if peers.by_peer && !is_peer => {
                known.size = Some(server);
                if peers.size != server.size {
                    return Ok(Opened::PeersDiffer);
                }
            }
            (None, told) => known.size = told,
            _ => {}
        }
        Ok(Opened::Fits)
    }

    /// A pass has read to the end of the image. `is_proven`: from sources that are proven to hold
    /// it, or are where it comes from.
    ///
    /// # Errors
    /// It is not what the inventory says, or not what another pass has read.
    pub(super) fn whole(
        &self,
        image: &Image,
        digest: ImageDigest,
        is_proven: bool,
    ) -> Result<(), Failure> {
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
        known.is_proven |= is_proven;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

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
        let mut state = State::default();
        let mut at = 0;
        for block in bytes.chunks(70) {
            digests.pass_by(at, &state);
            state.digest.update(block);
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
            state
                .digest
                .update(&bytes[usize::try_from(begin).unwrap()..]);
            assert_eq!(<[u8; 32]>::from(state.digest.finalize()), of(&bytes).sha256);
        }
    }

    #[test]
    fn passes_must_agree_on_the_image() {
        let image = image();
        let digests = Digests::default();
        assert_eq!(digests.expected(&image), None);
        digests.whole(&image, of(b"one"), false).unwrap();
        assert_eq!(digests.expected(&image), Some(of(b"one").sha256));
        assert_eq!(digests.proven(&image), None);
        digests.whole(&image, of(b"one"), true).unwrap();
        digests.whole(&image, of(b"one"), false).unwrap();
        assert_eq!(digests.proven(&image), Some(of(b"one").sha256));
        let failure = digests.whole(&image, of(b"two"), true).unwrap_err();
        assert!(
            matches!(failure.fault, Fault::SourceChanged { .. }),
            "{failure}"
        );
    }

    #[test]
    fn a_file_that_changed_is_found_out() {
        let (hq, other): (Name, Name) = ("hq".into(), "other".into());
        let digests = Digests::default();
        let open = |name, size, modified| digests.opened(name, false, size, modified);
        let fits = Ok(Opened::Fits);
        assert_eq!(open(&hq, Some(7), Some("20260101000000")), fits);
        assert_eq!(open(&hq, Some(7), Some("20260101000000")), fits);
        assert_eq!(open(&hq, Some(7), None), fits, "it may be the same");
        assert!(open(&hq, Some(8), Some("20260101000000")).is_err());
        assert!(open(&hq, Some(7), Some("20260101000001")).is_err());
        assert_eq!(open(&other, Some(8), None), fits);
        assert_eq!(open(&other, Some(8), None), fits, "nothing tells");
    }

    #[test]
    fn a_file_server_knows_the_size_better_than_peers() {
        let image = image();
        let digests = Digests::default();
        let open = |name: &str, is_peer, size| digests.opened(&name.into(), is_peer, size, None);
        assert_eq!(open("peer:a", true, None), Ok(Opened::Fits));
        assert_eq!(digests.size(&image), None);
        assert_eq!(open("peer:b", true, Some(7)), Ok(Opened::Fits));
        assert_eq!(open("peer:c", true, Some(8)), Ok(Opened::Fits));
        assert_eq!(digests.size(&image), Some(7), "the first one counts");
        assert_eq!(open("hq", false, Some(9)), Ok(Opened::PeersDiffer));
        assert_eq!(digests.size(&image), Some(9));
        assert_eq!(open("hq", false, Some(9)), Ok(Opened::Fits));
        assert_eq!(open("other", false, Some(7)), Ok(Opened::Fits));
        assert_eq!(digests.size(&image), Some(9));
    }

    #[test]
    fn a_pass_from_the_middle_knows_who_gave_what_came_before() {
        let giver = |name: &str| super::super::trust::Giver {
            name: name.into(),
            peer: None,
            proven: false,
        };
        let digests = Digests::default();
        let mut state = State::default();
        digests.pass_by(0, &state);
        state.givers = [giver("hq")].into();
        digests.pass_by(70, &state);
        assert!(digests.before(69).1.givers.is_empty());
        assert_eq!(digests.before(70).1.givers[..], [giver("hq")]);
        digests.forget();
        assert_eq!(digests.before(70).0, 0);
    }
}

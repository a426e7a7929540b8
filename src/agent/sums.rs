//! Digests of the image that procedures compare, beside its SHA-256: devices know others.

use std::collections::BTreeMap;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha512};

use crate::model::procedure::Sum;

/// Those of what was read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums(Vec<Hasher>);

#[derive(Debug, Clone)]
enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha512(Sha512),
}

impl Sums {
    /// Of nothing yet. SHA-256 is known anyway.
    pub(super) fn of(wanted: &[Sum]) -> Self {
        let hashers = wanted.iter().filter_map(|sum| match sum {
            Sum::Md5 => Some(Hasher::Md5(Md5::new())),
            Sum::Sha1 => Some(Hasher::Sha1(Sha1::new())),
            Sum::Sha512 => Some(Hasher::Sha512(Sha512::new())),
            Sum::Sha256 => None,
        });
        Self(hashers.collect())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for hasher in &mut self.0 {
            match hasher {
                Hasher::Md5(one) => one.update(bytes),
                Hasher::Sha1(one) => one.update(bytes),
                Hasher::Sha512(one) => one.update(bytes),
            }
        }
    }

    /// In small hexadecimal digits.
    pub(super) fn finished(&self) -> BTreeMap<Sum, String> {
        let finished = self.0.iter().cloned().map(|hasher| match hasher {
            Hasher::Md5(one) => (Sum::Md5, hex::encode(one.finalize())),
            Hasher::Sha1(one) => (Sum::Sha1, hex::encode(one.finalize())),
            Hasher::Sha512(one) => (Sum::Sha512, hex::encode(one.finalize())),
        });
        finished.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_that_every_device_computes() {
        let mut sums = Sums::of(&[Sum::Md5, Sum::Sha1, Sum::Sha256]);
        sums.update(b"ab");
        sums.update(b"c");
        let known = [
            (Sum::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Sum::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ];
        assert_eq!(
            sums.finished(),
            known.map(|(sum, text)| (sum, text.to_owned())).into()
        );
    }
}

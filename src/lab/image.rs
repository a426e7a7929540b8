//! The bytes of generated images: known everywhere, stored nowhere.
//!
//! An image of the lab is a pure function of its name and size, computed at any offset. So the file
//! server of a practice network needs no memory for its images, and a test can say what an entity
//! must hold without having kept it.

use sha2::{Digest, Sha256};

/// The size of an image that nothing is said about: 8 MiB.
pub(super) const DEFAULT_SIZE: u64 = 8 << 20;

/// The step of splitmix64's counter.
pub(super) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A file that is computed where it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generated {
    seed: u64,
    size: u64,
}

impl Generated {
    pub(super) fn new(name: &str, size: u64) -> Self {
        Self {
            seed: mix(hash(name) ^ size),
            size,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `out` with the bytes at `offset`; returns how many there are before the end.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let left = self.size.saturating_sub(offset);
        let count = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let mut done = 0;
        while done < count {
            let at = offset + done as u64;
            let word = mix(self.seed.wrapping_add((at / 8 + 1).wrapping_mul(STEP))).to_le_bytes();
            let part = &word[(at % 8) as usize..];
            let take = part.len().min(count - done);
            out[done..done + take].copy_from_slice(&part[..take]);
            done += take;
        }
        count
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut at = 0;
        loop {
            let count = self.read(at, &mut buffer);
            if count == 0 {
                return digest.finalize().into();
            }
            digest.update(&buffer[..count]);
            at += count as u64;
        }
    }
}

/// FNV-1a: names that differ in one digit must give files that differ everywhere.
pub(super) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finalizer of splitmix64 (Steele, Lea and Flood, 2014): any counter to a well spread word.
pub(super) fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::Generated;

    #[test]
    fn an_image_is_the_same_however_it_is_read() {
        let image = Generated::new("adsl-2.4", 10_001);
        let mut whole = vec![0; 20_000];
        assert_eq!(image.read(0, &mut whole), 10_001);
        whole.truncate(10_001);
        let mut pieces = Vec::new();
        let mut buffer = [0; 37];
        loop {
            match image.read(pieces.len() as u64, &mut buffer) {
                0 => break,
                count => pieces.extend_from_slice(&buffer[..count]),
            }
        }
        assert!(pieces == whole);
        assert_eq!(image.read(10_001, &mut buffer), 0);
        assert_eq!(image.read(u64::MAX, &mut buffer), 0);
        // What a transfer in the wrong type would mangle is in there.
        for byte in [b'\r', b'\n', 0, 0xff] {
            assert!(whole.contains(&byte));
        }
        let mut other = vec![0; 64];
        Generated::new("adsl-2.5", 10_001).read(0, &mut other);
        assert!(other != whole[..64]);
    }
}

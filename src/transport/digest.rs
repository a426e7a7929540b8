//! Digests that an entity may offer to compute of its copy, strongest first.
//!
//! The image's SHA-256 is computed once as it passes. Entities that offer only a weaker digest have
//! it computed by their own sink from what was sent.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Algorithm {
    Crc32,
    Md5,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Length of the digest in hex digits.
    pub(super) fn hex_len(self) -> usize {
        match self {
            Algorithm::Crc32 => 8,
            Algorithm::Md5 => 32,
            Algorithm::Sha1 => 40,
            Algorithm::Sha256 => 64,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC-32",
            Algorithm::Md5 => "MD5",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Sha256 => "SHA-256",
        }
    }
}

/// A digest of bytes that come in pieces.
pub(super) enum Hasher {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Hasher::Crc32(crc32fast::Hasher::new()),
            Algorithm::Md5 => Hasher::Md5(Md5::new()),
            Algorithm::Sha1 => Hasher::Sha1(Sha1::new()),
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Hasher::Crc32(hasher) => hasher.update(data),
            Hasher::Md5(hasher) => hasher.update(data),
            Hasher::Sha1(hasher) => hasher.update(data),
            Hasher::Sha256(hasher) => hasher.update(data),
        }
    }

    /// Lower-case hex.
    pub(super) fn finish(self) -> String {
        match self {
            Hasher::Crc32(hasher) => format!("{:08x}", hasher.finalize()),
            Hasher::Md5(hasher) => hex::encode(hasher.finalize()),
            Hasher::Sha1(hasher) => hex::encode(hasher.finalize()),
            Hasher::Sha256(hasher) => hex::encode(hasher.finalize()),
        }
    }
}

/// The digest in a reply like `213 SHA-256 0-49 6102… file.bin` or `250 D41D8…`, lower-case.
///
/// A CRC-32 may come without its leading zeros.
pub(super) fn in_reply(text: &str, algorithm: Algorithm) -> Option<String> {
    let words = text
        .split(|c: char| c.is_whitespace() || c == '=' || c == '"')
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_hexdigit()));
    let full = words.clone().find(|word| word.len() == algorithm.hex_len());
    let word = match algorithm {
        Algorithm::Crc32 => full.or_else(|| words.clone().find(|word| word.len() < 8))?,
        _ => full?,
    };
    Some(format!(
        "{:0>width$}",
        word.to_ascii_lowercase(),
        width = algorithm.hex_len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_in_the_replies_of_the_field() {
        let sha = "a".repeat(64);
        for reply in [
            format!("SHA-256 0-49 {sha} filename.ext"),
            sha.to_uppercase(),
            format!("SHA256={sha}"),
        ] {
            assert_eq!(in_reply(&reply, Algorithm::Sha256), Some(sha.clone()));
        }
        assert_eq!(in_reply("1F2", Algorithm::Crc32), Some("000001f2".into()));
        let echoed = in_reply("a.bin fed 352441C2", Algorithm::Crc32);
        assert_eq!(echoed, Some("352441c2".into()));
        assert_eq!(in_reply("not here", Algorithm::Md5), None);
    }

    #[test]
    fn the_standard_check_values_come_out() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        ] {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"1234");
            hasher.update(b"56789");
            assert_eq!(hasher.finish(), expected);
        }
    }
}

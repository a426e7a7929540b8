//! Which algorithms are offered, and in which order.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

const KEX: [kex::Name; 12] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    // No algorithms: what RFC 8308 and the defence against CVE-2023-48795 are asked for with.
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const KEX_LEGACY: [kex::Name; 3] = [kex::DH_GEX_SHA1, kex::DH_G14_SHA1, kex::DH_G1_SHA1];

/// In hardware AES-GCM is the fastest by far.
const CIPHERS: [cipher::Name; 6] = [
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];

const CIPHERS_LEGACY: [cipher::Name; 3] = [
    cipher::AES_128_CBC,
    cipher::AES_192_CBC,
    cipher::AES_256_CBC,
];

/// HMAC is not broken with its hash (RFC 6151 section 2.3 says so of MD5): many devices know SHA-1 alone.
const MACS: [mac::Name; 6] = [
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA1,
];

const KEYS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// Signed with SHA-1.
const KEY_LEGACY: Algorithm = Algorithm::Rsa { hash: None };

/// What is offered to a server. Its keys of the types in `first` come before others; those of the types in
/// `without` are not asked for.
pub(super) fn preferred(legacy: bool, first: &[Algorithm], without: &[Algorithm]) -> Preferred {
    let mut keys: Vec<Algorithm> = KEYS.to_vec();
    let mut kex = KEX.to_vec();
    let mut ciphers = CIPHERS.to_vec();
    if !has_aes() {
        ciphers.swap(0, 2);
    }
    if legacy {
        keys.push(KEY_LEGACY);
        kex.extend(KEX_LEGACY);
        ciphers.extend(CIPHERS_LEGACY);
    }
    let is_one_of = |types: &[Algorithm], key: &Algorithm| types.iter().any(|one| same(one, key));
    keys.retain(|key| !is_one_of(without, key));
    keys.sort_by_key(|key| !is_one_of(first, key));
    Preferred {
        kex: Cow::Owned(kex),
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Owned(ciphers),
        mac: Cow::Borrowed(&MACS),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

/// Whether both are of one type of key: with which hash it signs is not in the key.
pub(super) fn same(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
    }
}

fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<T: AsRef<str>>(names: &[T]) -> Vec<&str> {
        names.iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn what_is_broken_is_offered_only_where_it_is_let_in() {
        for legacy in [false, true] {
            let offered = preferred(legacy, &[], &[]);
            let keys: Vec<String> = offered.key.iter().map(Algorithm::to_string).collect();
            let all = [names(&offered.kex), names(&offered.cipher), names(&keys)].concat();
            for old in [
                "diffie-hellman-group1-sha1",
                "diffie-hellman-group14-sha1",
                "diffie-hellman-group-exchange-sha1",
                "aes128-cbc",
                "aes256-cbc",
                "ssh-rsa",
            ] {
                assert_eq!(all.contains(&old), legacy, "{old}: {all:?}");
            }
            assert!(!all.contains(&"none") && !all.contains(&"clear"), "{all:?}");
            assert!(all.contains(&"kex-strict-c-v00@openssh.com"), "{all:?}");
        }
    }

    #[test]
    fn keys_that_are_known_come_first_and_those_that_were_wrong_not_at_all() {
        let rsa = Algorithm::Rsa { hash: None };
        let offered = preferred(false, std::slice::from_ref(&rsa), &[Algorithm::Ed25519]);
        let keys: Vec<String> = offered.key.iter().map(Algorithm::to_string).collect();
        assert_eq!(keys[..2], ["rsa-sha2-512", "rsa-sha2-256"]);
        assert!(!keys.contains(&"ssh-ed25519".to_owned()), "{keys:?}");
        assert!(!keys.contains(&"ssh-rsa".to_owned()), "{keys:?}");
    }
}

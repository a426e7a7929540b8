//! The public key in a certificate that is pinned, read without asking anything else of it.
//!
//! Devices show certificates that webpki does not read: of version 1, as `openssl` made them for
//! long. A pinned one is known by its bytes, and only a server that shows it must hold its key.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// rsaEncryption (RFC 3279 section 2.3.1).
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// The tag of the version, which version 1 leaves out (RFC 5280 section 4.1).
const VERSION: u8 = 0xA0;

/// A certificate's `SubjectPublicKeyInfo`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicKey<'a> {
    /// All of it, in DER.
    whole: &'a [u8],
    /// What its `AlgorithmIdentifier` holds.
    algorithm: &'a [u8],
    key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(super) fn of(certificate: &'a [u8]) -> Result<Self, Error> {
        find(certificate).ok_or_else(|| CertificateError::BadEncoding.into())
    }

    /// How long it is, where it is one of RSA.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        let oid = Element::of(self.algorithm)?.tagged(OBJECT_IDENTIFIER)?;
        if oid.content != RSA {
            return None;
        }
        let numbers = Element::of(self.key)?.tagged(SEQUENCE)?;
        let modulus = Element::of(numbers.content)?.tagged(INTEGER)?.content;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.get(zeros)?;
        Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
    }

    pub(super) fn verify_tls12(
        &self,
        message: &[u8],
        signature: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        let scheme = algorithms.mapping.iter();
        let fitting = scheme
            .filter(|(scheme, _)| *scheme == signature.scheme)
            .flat_map(|(_, algorithms)| *algorithms)
            .find(|algorithm| algorithm.public_key_alg_id().as_ref() == self.algorithm)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        fitting
            .verify_signature(self.key, message, signature.signature())
            .map(|()| HandshakeSignatureValid::assertion())
            .map_err(|_| CertificateError::BadSignature.into())
    }

    pub(super) fn verify_tls13(
        &self,
        message: &[u8],
        signature: &DigitallySignedStruct,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(self.whole);
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }
}

fn find(certificate: &[u8]) -> Option<PublicKey<'_>> {
    let outer = Element::of(certificate)?.tagged(SEQUENCE)?;
    let mut rest = Element::of(outer.content)?.tagged(SEQUENCE)?.content;
    let first = Element::of(rest)?;
    if first.tag == VERSION {
        rest = first.rest;
    }
    // Serial number, algorithm of the signature, issuer, validity, subject.
    for _ in 0..5 {
        rest = Element::of(rest)?.rest;
    }
    let info = Element::of(rest)?.tagged(SEQUENCE)?;
    let algorithm = Element::of(info.content)?.tagged(SEQUENCE)?;
    let key = Element::of(algorithm.rest)?.tagged(BIT_STRING)?;
    // How many bits of the last byte are not used: none, of a key.
    let (0, key) = key.content.split_first()? else {
        return None;
    };
    Some(PublicKey {
        whole: info.whole,
        algorithm: algorithm.content,
        key,
    })
}

/// One value of DER, and what follows it.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn of(input: &'a [u8]) -> Option<Self> {
        let (tag, after) = input.split_first()?;
        let (length, after) = after.split_first()?;
        let (length, after) = match *length {
            short @ ..=0x7F => (usize::from(short), after),
            // The length takes this number of bytes. Nothing here is larger than 3 can say.
            long @ 0x81..=0x83 => {
                let (bytes, after) = after.split_at_checked(usize::from(long & 0x7F))?;
                let length = bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, after)
            }
            _ => return None,
        };
        let (content, rest) = after.split_at_checked(length)?;
        let whole = &input[..input.len() - rest.len()];
        Some(Self {
            tag: *tag,
            content,
            whole,
            rest,
        })
    }

    fn tagged(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_as_a_library_finds_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["device".into()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let found = PublicKey::of(certificate.der()).unwrap();
        assert_eq!(
            found.whole,
            rcgen::PublicKeyData::subject_public_key_info(&key)
        );
        assert_eq!(found.key, rcgen::PublicKeyData::der_bytes(&key));
        for length in 0..certificate.der().len() {
            assert!(PublicKey::of(&certificate.der()[..length]).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_fall_over(bytes: Vec<u8>) {
            let _ = find(&bytes);
        }
    }
}

//! How a server proves its identity, where it is spoken to over SSH, and what this host shows it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use base64::engine::general_purpose::STANDARD_NO_PAD;
use base64::{DecodeError, DecodeSliceError, Engine};
use secrecy::SecretString;
use thiserror::Error;

/// What holds for the SSH of one server. Of no use where its [`super::Scheme`] is none of SSH.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Ssh {
    pub trust: HostTrust,
    /// Algorithms are offered too that are broken or nearly so: old devices know no others.
    pub legacy: bool,
}

/// Which host keys are accepted. There is no choice that accepts any.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum HostTrust {
    /// What the user's own file of known hosts says (`~/.ssh/known_hosts`), which is never written.
    #[default]
    Unset,
    /// These keys, and no others.
    Key(Arc<[HostKey]>),
    /// What this file says, in OpenSSH's format, and no other one.
    KnownHosts(Arc<PathBuf>),
}

/// The SHA-256 of a host's public key in the encoding of RFC 4253 section 6.6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostKey(pub [u8; 32]);

/// Digits of 32 bytes in base64, without padding.
const LENGTH: usize = 43;
const PREFIX: &str = "SHA256:";

impl fmt::Display for HostKey {
    /// As `ssh-keygen -l` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is no fingerprint of a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HostKeyError {
    #[error("it does not begin with `SHA256:`")]
    Prefix,
    #[error("it is a public key, not its fingerprint")]
    WholeKey,
    #[error("MD5 is no proof of a key any more")]
    Md5,
    #[error("`{}` is not a digit of base64", .0.escape_debug())]
    Digit(char),
    #[error("it has {0} digits behind `SHA256:`, not 43")]
    Length(usize),
    #[error("its last digit stands for bits that there are not")]
    LastDigit,
}

impl FromStr for HostKey {
    type Err = HostKeyError;

    fn from_str(text: &str) -> Result<Self, HostKeyError> {
        let Some(digits) = text.strip_prefix(PREFIX) else {
            let is_key = ["ssh-", "ecdsa-", "sk-", "AAAA"].iter();
            return Err(match () {
                () if text.starts_with("MD5:") => HostKeyError::Md5,
                () if is_key.clone().any(|begin| text.starts_with(begin)) => HostKeyError::WholeKey,
                () => HostKeyError::Prefix,
            });
        };
        let digits = digits.trim_end_matches('=');
        let mut bytes = [0; 32];
        match STANDARD_NO_PAD.decode_slice(digits, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            Err(DecodeSliceError::DecodeError(DecodeError::InvalidByte(at, byte))) => {
                let digit = digits.get(at..).and_then(|rest| rest.chars().next());
                Err(HostKeyError::Digit(digit.unwrap_or(byte.into())))
            }
            Err(DecodeSliceError::DecodeError(DecodeError::InvalidLastSymbol { .. }))
                if digits.len() == LENGTH =>
            {
                Err(HostKeyError::LastDigit)
            }
            _ => Err(HostKeyError::Length(digits.chars().count())),
        }
    }
}

/// A private key by which this host identifies itself. It is read when it is needed. Its `Debug`
/// shows no passphrase.
#[derive(Debug, Clone)]
pub struct KeyFile {
    pub path: Arc<PathBuf>,
    /// Empty where the key needs none.
    pub passphrase: SecretString,
}

/// Whether a private key in a file is encrypted: in OpenSSH's own format (its PROTOCOL.key), in
/// PKCS#8 (RFC 5958 section 3), or with the header of RFC 1421 section 4.6.1.3.
pub fn is_encrypted(key: &str) -> bool {
    /// What a key begins with that has `none` for its cipher.
    const NO_CIPHER: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbm";
    let mut lines = key.lines().map(str::trim);
    let Some(kind) = lines.find(|line| line.starts_with("-----BEGIN ")) else {
        return false;
    };
    match kind {
        "-----BEGIN OPENSSH PRIVATE KEY-----" => {
            let body = lines.find(|line| !line.is_empty()).unwrap_or("");
            !body.starts_with(NO_CIPHER)
        }
        "-----BEGIN ENCRYPTED PRIVATE KEY-----" => true,
        _ => lines.any(|line| line.starts_with("Proc-Type:") && line.ends_with("ENCRYPTED")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_ssh_keygen_writes_it() {
        let known = "SHA256:ce6K7EcHJu9n86cG7tk98JBABtVNrkwdTKRxhCXAa8o";
        let bytes = "71ee8aec470726ef67f3a706eed93df0904006d54dae4c1d4ca4718425c06bca";
        let key: HostKey = known.parse().unwrap();
        assert_eq!(hex::encode(key.0), bytes);
        assert_eq!(key.to_string(), known);
        assert_eq!(format!("{known}=").parse(), Ok(key));
        for byte in [0, 0x55, 0xAA, 0xFF] {
            let key = HostKey([byte; 32]);
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_no_fingerprint_of_a_key_is_refused() {
        let digits = "A".repeat(43);
        for (wrong, why) in [
            ("Q".repeat(43), HostKeyError::Prefix),
            (format!("sha256:{digits}"), HostKeyError::Prefix),
            ("MD5:aa:bb".into(), HostKeyError::Md5),
            ("ssh-ed25519 AAAAC3Nz".into(), HostKeyError::WholeKey),
            ("AAAAC3Nz".into(), HostKeyError::WholeKey),
            (format!("SHA256:{digits}A"), HostKeyError::Length(44)),
            ("SHA256:".into(), HostKeyError::Length(0)),
            ("SHA256:é".into(), HostKeyError::Digit('é')),
            (
                format!("SHA256:{}B", "A".repeat(42)),
                HostKeyError::LastDigit,
            ),
        ] {
            assert_eq!(wrong.parse::<HostKey>(), Err(why), "{wrong}");
        }
    }

    #[test]
    fn keys_that_need_a_passphrase_are_told_from_those_that_do_not() {
        let key = |kind: &str, body: &str| {
            format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n")
        };
        let openssh = "OPENSSH PRIVATE KEY";
        for (text, encrypted) in [
            (
                key(openssh, "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"),
                false,
            ),
            // aes256-ctr
            (
                key(openssh, "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAG"),
                true,
            ),
            (key("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEI"), false),
            (key("ENCRYPTED PRIVATE KEY", "MIGbMFcGCSqGSIb3DQEF"), true),
            (key("RSA PRIVATE KEY", "MIIEpAIBAAKCAQEA"), false),
            (
                key(
                    "RSA PRIVATE KEY",
                    "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nqq",
                ),
                true,
            ),
            ("no key at all".into(), false),
        ] {
            assert_eq!(is_encrypted(&text), encrypted, "{text}");
            assert_eq!(
                is_encrypted(&text.replace('\n', "\r\n")),
                encrypted,
                "{text}"
            );
        }
    }

    #[test]
    fn a_passphrase_is_not_shown() {
        let key = KeyFile {
            path: Arc::new("id".into()),
            passphrase: "open sesame".into(),
        };
        assert!(!format!("{key:?} {key:#?}").contains("sesame"));
    }
}

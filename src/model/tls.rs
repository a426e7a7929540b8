//! How a server proves its identity, where it is spoken to over TLS.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// What holds for the TLS of one server. Of no use where its [`super::Scheme`] is clear text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Tls {
    pub trust: Trust,
    /// Not TLS 1.3, which some devices can't refuse in good order.
    pub max_1_2: bool,
    /// The PEM file with the certificate and the key by which this host identifies itself.
    pub client: Option<Arc<PathBuf>>,
}

/// Which certificates are accepted. There is no choice that accepts any.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// What the certificate authorities that this host trusts have signed.
    #[default]
    System,
    /// What the authorities in this PEM file have signed, and no others.
    CaFile(Arc<PathBuf>),
    /// This one certificate, whatever stands in it.
    Pinned(Fingerprint),
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    /// As `openssl x509 -fingerprint -sha256` writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FingerprintError {
    #[error("`{}` is not a hexadecimal digit", .0.escape_debug())]
    Digit(char),
    #[error("it has {0} digits, not 64")]
    Length(usize),
    #[error("the colons stand in wrong places")]
    Colons,
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Hexadecimal digits of either case, with colons between the bytes or without.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digits: String = text.split(':').collect();
        if let Some(c) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            return Err(FingerprintError::Digit(c));
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(&digits, &mut bytes)
            .map_err(|_| FingerprintError::Length(digits.len()))?;
        if text.contains(':') && text.split(':').any(|byte| byte.len() != 2) {
            return Err(FingerprintError::Colons);
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_tools_write_it() {
        let shown = Fingerprint([0xAB; 32]).to_string();
        assert!(shown.starts_with("AB:AB:") && shown.len() == 95, "{shown}");
        for written in [shown.clone(), shown.to_lowercase(), "ab".repeat(32)] {
            assert_eq!(written.parse(), Ok(Fingerprint([0xAB; 32])));
        }
        for (wrong, why) in [
            ("AB:CD", "4 digits"),
            ("", "0 digits"),
            (&"é".repeat(32), "not a hexadecimal digit"),
            (&format!("{}:", "AB".repeat(32)), "colons"),
        ] {
            let said = wrong.parse::<Fingerprint>().unwrap_err().to_string();
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }
}

//! Who this host is to a server that asks: a certificate and its key, both in one PEM file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::model::text;

use super::PROVIDER;

/// Shows the certificate where there is one, and remembers that one was asked for.
#[derive(Debug)]
pub(super) struct Client {
    key: Option<Arc<CertifiedKey>>,
    asked: Arc<AtomicBool>,
}

impl Client {
    pub(super) fn new(key: Option<Arc<CertifiedKey>>, asked: Arc<AtomicBool>) -> Self {
        Self { key, asked }
    }
}

impl ResolvesClientCert for Client {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    /// Otherwise nobody would ask.
    fn has_certs(&self) -> bool {
        true
    }
}

/// # Errors
/// A sentence: the file is not there, is open to others, or does not hold both.
pub(super) fn of_file(path: &Path) -> Result<CertifiedKey, String> {
    let shown = text::shown(&path.display().to_string());
    let unreadable = |error: &dyn std::fmt::Display| format!("{shown} can't be read: {error}");
    refuse_if_open_to_others(path, &shown).map_err(|error| match error {
        Refused::Unreadable(error) => unreadable(&error),
        Refused::Open(reason) => reason,
    })?;
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))? {
        chain.push(certificate.map_err(|error| unreadable(&error))?);
    }
    if chain.is_empty() {
        return Err(format!("there is no certificate (PEM) in {shown}"));
    }
    // What is wrong with a key is not repeated: it might be a piece of it.
    let key = PrivateKeyDer::from_pem_file(path)
        .map_err(|_| format!("there is no private key (PEM, without a password) in {shown}"))?;
    CertifiedKey::from_der(chain, key, &PROVIDER)
        .map_err(|error| format!("the key and the certificate in {shown} are of no use: {error}"))
}

enum Refused {
    Unreadable(std::io::Error),
    Open(String),
}

/// Whoever has the key is this host to every server.
#[cfg(unix)]
fn refuse_if_open_to_others(path: &Path, shown: &str) -> Result<(), Refused> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = std::fs::metadata(path).map_err(Refused::Unreadable)?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Refused::Open(format!(
        "others can read or write {shown}, which holds a key; run `chmod 600 {shown}`"
    )))
}

#[cfg(not(unix))]
fn refuse_if_open_to_others(path: &Path, _: &str) -> Result<(), Refused> {
    std::fs::metadata(path)
        .map(|_| ())
        .map_err(Refused::Unreadable)
}

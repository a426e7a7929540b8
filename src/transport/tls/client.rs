//! Who this host is to a server that asks: a certificate and its key, both in one PEM file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::PROVIDER;
use super::error::CertificateFault;

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
/// The file is not there, is open to others, or does not hold both.
pub(super) fn of_file(path: &Path) -> Result<CertifiedKey, CertificateFault> {
    let file = || path.to_owned();
    refuse_if_open_to_others(path)?;
    let chain = certificates(path)?;
    let key = PrivateKeyDer::from_pem_file(path).map_err(|_| CertificateFault::NoKey(file()))?;
    CertifiedKey::from_der(chain, key, &PROVIDER).map_err(|reason| CertificateFault::KeyOfNoUse {
        file: file(),
        reason,
    })
}

/// The certificates of a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(CertificateFault::NoCertificate(path.to_owned())),
        Ok(all) => Ok(all),
        Err(error) => Err(CertificateFault::unreadable(path, error)),
    }
}

/// The key makes its holder this host to every server.
fn refuse_if_open_to_others(path: &Path) -> Result<(), CertificateFault> {
    let metadata = std::fs::metadata(path);
    let metadata = metadata.map_err(|error| CertificateFault::unreadable(path, error))?;
    match is_open_to_others(&metadata) {
        true => Err(CertificateFault::OpenToOthers(path.to_owned())),
        false => Ok(()),
    }
}

#[cfg(unix)]
fn is_open_to_others(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;

    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open_to_others(_: &std::fs::Metadata) -> bool {
    false
}

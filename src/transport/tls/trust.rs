//! Whom a server's certificate is believed: authorities, or one fingerprint. Never anybody.
//!
//! The system's authorities are those of this host (rustls-native-certs), not a list that is
//! compiled in: in the networks that this is for, the operator's own authority is installed there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::model::{Fault, Fingerprint, Trust, text};

use super::PROVIDER;
use super::client;
use super::error::CertificateFault;
use super::key::PublicKey;

/// Who vouches for servers, and the certificates that were named themselves.
#[derive(Debug)]
struct Known {
    verifier: Arc<WebPkiServerVerifier>,
    /// Of a file: a server that shows one of them is the very one that was meant, though tools flag
    /// what signed itself as an authority, which no server may be.
    named: Vec<CertificateDer<'static>>,
}

type Loaded<T> = Arc<OnceCell<Arc<T>>>;

/// What was read so far: once for all sessions of a run.
#[derive(Debug, Clone, Default)]
pub(in crate::transport) struct Authorities {
    known: Arc<Mutex<HashMap<Trust, Loaded<Known>>>>,
    clients: Arc<Mutex<HashMap<Arc<PathBuf>, Loaded<CertifiedKey>>>>,
}

impl Authorities {
    /// The certificate of this host, with its key.
    pub(super) async fn client(&self, file: &Arc<PathBuf>) -> Result<Arc<CertifiedKey>, Fault> {
        let loaded = {
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clients.entry(Arc::clone(file)).or_default())
        };
        let load = async {
            let file = Arc::clone(file);
            let read = tokio::task::spawn_blocking(move || client::of_file(&file));
            read.await?.map(Arc::new)
        };
        let key = loaded.get_or_try_init(|| load).await;
        key.cloned()
            .map_err(|error: CertificateFault| Fault::ClientCertificate {
                reason: error.to_string(),
            })
    }

    async fn of(&self, trust: &Trust) -> Result<Arc<Known>, Fault> {
        let loaded = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(trust.clone()).or_default())
        };
        let load = async {
            let trust = trust.clone();
            // Files are read.
            let roots = tokio::task::spawn_blocking(move || match trust {
                Trust::CaFile(path) => of_file(&path),
                Trust::System | Trust::Pinned(_) => of_system().map(|roots| (roots, Vec::new())),
            });
            let (roots, named) = roots.await??;
            let provider = Arc::clone(&PROVIDER);
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            Ok(Arc::new(Known { verifier, named }))
        };
        let verifier = loaded.get_or_try_init(|| load).await;
        verifier
            .cloned()
            .map_err(|error: CertificateFault| Fault::NoAuthorities {
                reason: error.to_string(),
            })
    }
}

fn of_system() -> Result<RootCertStore, CertificateFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let why = found.errors.first().map(ToString::to_string);
    let why = why.unwrap_or_else(|| "nothing was found".into());
    Err(CertificateFault::NoneHere(why))
}

type Roots = (RootCertStore, Vec<CertificateDer<'static>>);

fn of_file(path: &Path) -> Result<Roots, CertificateFault> {
    let mut roots = RootCertStore::empty();
    let named = client::certificates(path)?;
    for certificate in &named {
        roots.add(certificate.clone()).map_err(|reason| {
            let file = path.to_owned();
            CertificateFault::CertificateOfNoUse { file, reason }
        })?;
    }
    Ok((roots, named))
}

#[derive(Debug)]
enum Check {
    Authorities(Arc<Known>),
    Pin(Fingerprint),
}

impl Check {
    /// The certificate itself was named, whatever stands in it.
    fn is_named(&self, certificate: &CertificateDer<'_>) -> bool {
        match self {
            Check::Authorities(known) => known.named.iter().any(|named| named == certificate),
            Check::Pin(pinned) => *pinned == fingerprint(certificate),
        }
    }
}

fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    Fingerprint(Sha256::digest(certificate).into())
}

/// Checks a server's certificate, and keeps for the operator why it was not accepted.
#[derive(Debug)]
pub(super) struct Verifier {
    check: Check,
    /// As the inventory has it, for causes.
    trust: Trust,
    refused: Arc<Mutex<Option<Fault>>>,
}

impl Verifier {
    pub(super) async fn new(
        authorities: &Authorities,
        trust: &Trust,
        refused: Arc<Mutex<Option<Fault>>>,
    ) -> Result<Self, Fault> {
        let check = match trust {
            Trust::Pinned(fingerprint) => Check::Pin(*fingerprint),
            trust => Check::Authorities(authorities.of(trust).await?),
        };
        Ok(Self {
            check,
            trust: trust.clone(),
            refused,
        })
    }

    /// What can be done about a certificate that is not accepted, and was not done yet.
    fn advice(&self) -> String {
        const COMPARE: &str = "compare the fingerprint with the device's own";
        match &self.trust {
            Trust::System => format!(
                "name its authority (`tls: {{ ca: FILE }}`), or {COMPARE} and pin it (`tls: {{ \
                 fingerprint: … }}`)"
            ),
            Trust::CaFile(file) => format!(
                "{} is of no use for it: {COMPARE}, and pin it (`tls: {{ fingerprint: … }}`) in \
                 its place",
                text::shown(&file.display().to_string())
            ),
            Trust::Pinned(_) => format!(
                "where the device has a new certificate, {COMPARE} and write it in place of the \
                 old one; otherwise somebody else answers at its address"
            ),
        }
    }
}

/// The shortest key of RSA that the library takes.
const LEAST_RSA: usize = 2048;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = fingerprint(end_entity);
        let refuse = |reason: &str, advice: String| {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused = Some(Fault::TlsCertificate {
                reason: text::shown(reason),
                fingerprint: shown.to_string(),
                advice,
            });
        };
        let bits = PublicKey::of(end_entity)
            .ok()
            .and_then(|key| key.rsa_bits());
        if let Some(bits) = bits.filter(|bits| *bits < LEAST_RSA) {
            refuse(
                &format!("its key of RSA has {bits} bits, and {LEAST_RSA} are the least here"),
                "no setting changes that: the device needs another certificate".into(),
            );
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        if self.check.is_named(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let checked = match &self.check {
            Check::Authorities(known) => known.verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            ),
            Check::Pin(_) => Err(CertificateError::ApplicationVerificationFailure.into()),
        };
        checked.inspect_err(|error| {
            let reason = match &self.check {
                Check::Pin(pinned) => format!("it is not the one that is pinned, \"{pinned}\""),
                Check::Authorities(_) => reason(error),
            };
            refuse(&reason, self.advice());
        })
    }

    // Whoever shows a certificate must also hold its key, pinned or not.

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        match self.check.is_named(certificate) {
            false => verify_tls12_signature(message, certificate, signature, algorithms),
            true => PublicKey::of(certificate)?.verify_tls12(message, signature, algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        match self.check.is_named(certificate) {
            false => verify_tls13_signature(message, certificate, signature, algorithms),
            true => PublicKey::of(certificate)?.verify_tls13(message, signature, algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

/// The usual reasons in words of an operator's.
fn reason(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else {
        return error.to_string();
    };
    match error {
        CertificateError::UnknownIssuer => "nobody who is trusted here has signed it".into(),
        CertificateError::BadSignature => {
            "the authority of that name, which is trusted here, has not signed it".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("it has expired ({error}), or this host's clock is wrong")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("it is not valid yet ({error}), or this host's clock is wrong")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is for another host ({error})")
        }
        error if error.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's own, as of devices that signed theirs themselves".into()
        }
        error => error.to_string(),
    }
}

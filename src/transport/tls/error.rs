//! What is wrong with the certificates that this host is to use.

use std::path::{Path, PathBuf};

use crate::model::text;

#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateFault {
    #[error("{} can't be read: {reason}", shown(file))]
    Unreadable { file: PathBuf, reason: String },
    #[error("others can read or write {shown}, which holds a key; run `chmod 600 {shown}`", shown = shown(.0))]
    OpenToOthers(PathBuf),
    #[error("there is no certificate (PEM) in {}", shown(.0))]
    NoCertificate(PathBuf),
    /// What is wrong with a key is not repeated: it might be a piece of it.
    #[error("there is no private key (PEM, without a password) in {}", shown(.0))]
    NoKey(PathBuf),
    #[error(
        "the key and the certificate in {} are of no use: {reason}",
        shown(file)
    )]
    KeyOfNoUse {
        file: PathBuf,
        reason: rustls::Error,
    },
    #[error("a certificate in {} is of no use: {reason}", shown(file))]
    CertificateOfNoUse {
        file: PathBuf,
        reason: rustls::Error,
    },
    #[error(
        "this host has none ({0}); install its certificates (Debian: ca-certificates), or name a file \
         with `tls: {{ ca: FILE }}`"
    )]
    NoneHere(String),
    #[error("{0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    #[error("{0}")]
    Reading(#[from] tokio::task::JoinError),
}

impl CertificateFault {
    pub(super) fn unreadable(file: &Path, error: impl ToString) -> Self {
        Self::Unreadable {
            file: file.to_owned(),
            reason: error.to_string(),
        }
    }
}

fn shown(file: &Path) -> String {
    text::shown(&file.display().to_string())
}

//! Which faults may pass, and which stay until somebody does something.

use serde::{Deserialize, Serialize};

use super::Fault;

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    Transient,
    Permanent,
}

impl Fault {
    /// Transient or permanent. Replies of the 4yz series are transient (RFC 959 section 4.2.1),
    /// except 452 and 4yz logins, which stay so until somebody makes room or changes a password.
    pub fn kind(&self) -> FaultKind {
        use FaultKind::{Permanent, Transient};
        match self {
            Fault::Refused { .. }
            | Fault::Unreachable { .. }
            | Fault::ConnectTimeout { .. }
            | Fault::NoReply { .. }
            | Fault::Stalled { .. }
            | Fault::TooSlow { .. }
            | Fault::NotConfirmed { .. }
            | Fault::Lost { .. }
            | Fault::Busy { .. }
            | Fault::TlsGarbled { .. }
            | Fault::EarlyConfirmation { .. }
            | Fault::Taken { .. }
            | Fault::ShortImage { .. }
            | Fault::WrongDigest { .. }
            | Fault::Deceived { .. }
            | Fault::OtherWriter
            | Fault::Unanswered { .. }
            | Fault::Overdue { .. }
            | Fault::NotProven { .. } => Transient,
            Fault::Reply { code, .. } | Fault::BeforeStore { code, .. } => {
                transient_if(matches!(code, 400..=499) && !matches!(code, 430 | 452))
            }
            Fault::Answer { may_pass, .. } | Fault::File { may_pass, .. } => {
                transient_if(*may_pass)
            }
            Fault::Source { failure, .. } => failure.fault.kind(),
            Fault::NoSource { causes } => {
                transient_if(causes.iter().any(|(_, failure)| failure.is_transient()))
            }
            Fault::DataWay { fault, .. } | Fault::Within { fault, .. } => fault.kind(),
            Fault::Unresolved { .. }
            | Fault::Malformed { .. }
            | Fault::LongImage { .. }
            | Fault::WrongImage { .. }
            | Fault::UnexpectedSize { .. }
            | Fault::EmptyImage
            | Fault::NotVerifiable { .. }
            | Fault::NoRename { .. }
            | Fault::NameRefused { .. }
            | Fault::NoDirectory { .. }
            | Fault::NotWritable { .. }
            | Fault::NoFile { .. }
            | Fault::NotReadable { .. }
            | Fault::Wants { .. }
            | Fault::ClientCertificate { .. }
            | Fault::NoPeer { .. }
            | Fault::NoCredentials { .. }
            | Fault::TlsRefused { .. }
            | Fault::TlsCertificate { .. }
            | Fault::TlsHandshake { .. }
            | Fault::TlsSession { .. }
            | Fault::NoAuthorities { .. }
            | Fault::HostKeyUnknown { .. }
            | Fault::HostKeyChanged { .. }
            | Fault::HostKeyRevoked { .. }
            | Fault::NoCommonAlgorithm { .. }
            | Fault::LoginRefused { .. }
            | Fault::Local(_)
            | Fault::HeldUp { .. }
            | Fault::SourceChanged { .. }
            | Fault::NotTheImage { .. }
            // It was asked twice.
            | Fault::WrongSize { .. }
            | Fault::NamesAlike
            | Fault::TwoCopies
            | Fault::Leftover { .. }
            | Fault::NotRenamed
            | Fault::NotPutBack { .. }
            | Fault::Vanished
            | Fault::Kept { .. }
            | Fault::Unexpected { .. }
            | Fault::Differs { .. }
            | Fault::Program { .. }
            | Fault::StaysUp { .. }
            | Fault::StaysDown { .. }
            | Fault::Cancelled => Permanent,
        }
    }
}

fn transient_if(may_pass: bool) -> FaultKind {
    match may_pass {
        true => FaultKind::Transient,
        false => FaultKind::Permanent,
    }
}

//! What went wrong, as a value: which step, what kind of fault, and in whose words.
//!
//! Every failure names the step and the cause in words that an operator can act on (promise 6);
//! the name of the entity is added by whoever knows it. A fault is transient when the same thing
//! may work a moment later, and permanent when trying again changes nothing.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::units;

/// One step of a transfer, in the order in which they happen; the `step` of JSON lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Looking for a peer that has the image.
    Select,
    /// The TCP connection, and the server's greeting.
    Connect,
    Login,
    /// `TYPE I`, asking what the server can do, the size of the file.
    Prepare,
    /// Opening the data connection and the file.
    Open,
    /// Reading blocks of the image from its source.
    Read,
    /// Writing blocks to the entity.
    Send,
    /// Waiting for the entity to say that it has stored the file.
    Confirm,
    Verify,
    /// Renaming the staging file to its final name.
    Rename,
    /// Removing the staging file.
    Discard,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::Select => "select",
            Step::Connect => "connect",
            Step::Login => "login",
            Step::Prepare => "prepare",
            Step::Open => "open",
            Step::Read => "read",
            Step::Send => "send",
            Step::Confirm => "confirm",
            Step::Verify => "verify",
            Step::Rename => "rename",
            Step::Discard => "discard",
        })
    }
}

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    Transient,
    Permanent,
}

/// Which connection a fault was seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Control,
    Data,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Control => "control connection",
            Side::Data => "data connection",
        })
    }
}

/// The cause of a failure. Text from servers is already fit to be shown ([`super::text::shown`]).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("{address} refused the connection; is its FTP server running?")]
    Refused { address: String },
    #[error("{address} can't be reached: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("{name} has no address: {reason}")]
    Unresolved { name: String, reason: String },
    #[error("no connection to {address} within {}", units::duration(*.after))]
    ConnectTimeout { address: String, after: Duration },
    /// The server said no; `code` and `text` are its own (RFC 959 section 4.2).
    #[error("the server said {code} {text}")]
    Reply { code: u16, text: String },
    #[error("no reply to {command} within {}", units::duration(*.after))]
    NoReply { command: String, after: Duration },
    #[error("no progress for {}", units::duration(*.after))]
    Stalled { after: Duration },
    /// In bytes a second: what came in the mean over `after`, and what had to.
    #[error(
        "it sent {} for {}; `min_rate` is {}",
        units::rate(*.rate as f64), units::duration(*.after), units::rate(*.least as f64)
    )]
    TooSlow {
        rate: u64,
        least: u64,
        after: Duration,
    },
    #[error("the file was sent, but not confirmed within {}", units::duration(*.after))]
    NotConfirmed { after: Duration },
    #[error("the {side} was lost: {reason}")]
    Lost { side: Side, reason: String },
    #[error("the server's reply makes no sense: {reply}")]
    Malformed { reply: String },
    #[error("the server confirmed the file after {sent} bytes, before its end was sent")]
    EarlyConfirmation { sent: u64 },
    #[error("the source ended after {read} bytes; the file has {size}")]
    ShortImage { read: u64, size: u64 },
    #[error("the source sent more than the {size} bytes of the file")]
    LongImage { size: u64 },
    #[error("the source's file has {actual} bytes; the inventory says {expected}")]
    UnexpectedSize { expected: u64, actual: u64 },
    #[error("the source's file is empty")]
    EmptyImage,
    #[error("the image's SHA-256 is {actual}; the inventory says {expected}")]
    WrongImage { expected: String, actual: String },
    #[error("the entity holds {actual} bytes; {expected} were sent")]
    WrongSize { expected: u64, actual: u64 },
    #[error("the entity's {algorithm} is {actual}; that of what was sent is {expected}")]
    WrongDigest {
        algorithm: String,
        expected: String,
        actual: String,
    },
    #[error("this can't be verified as asked: {reason}")]
    NotVerifiable { reason: String },
    #[error(
        "the entity can't rename files ({reply}); `staging: direct` would write under the final name"
    )]
    NoRename { reply: String },
    #[error(
        "there is no directory {directory}: {reply}; create it, or correct the entity's `path`"
    )]
    NoDirectory { directory: String, reply: String },
    #[error("the directory {directory} can't be written: {reply}")]
    NotWritable { directory: String, reply: String },
    #[error("no such file: {reply}")]
    NoFile { reply: String },
    #[error("no peer has the image: {reason}")]
    NoPeer { reason: String },
    #[error("no credentials for `{name}`: {reason}")]
    NoCredentials { name: String, reason: String },
    /// The source of the whole pass failed; `source` names it.
    #[error("the source {name} failed: {failure}")]
    Source { name: String, failure: Box<Failure> },
    /// `reply` is the server's answer to `command`: `AUTH TLS`, `PBSZ 0`, `PROT P`.
    #[error(
        "the server offers no TLS here ({command}: {reply}); use another port, or an ftp:// \
         address if clear text is good enough"
    )]
    TlsRefused { command: String, reply: String },
    /// `fingerprint` is that of the certificate which was shown ([`super::Fingerprint`]).
    #[error(
        "the server's certificate is not accepted: {reason}; name its authority (`tls: {{ ca: FILE \
         }}`), or compare its fingerprint with the device's own and pin it (`tls: {{ fingerprint: \
         \"{fingerprint}\" }}`)"
    )]
    TlsCertificate { reason: String, fingerprint: String },
    #[error(
        "no TLS on the {side}: {reason}; a device that can't do TLS 1.3 well may need `tls_max: 1.2`"
    )]
    TlsHandshake { side: Side, reason: String },
    /// The server wants data connections to go on with the TLS session of the control connection.
    #[error("the server took no data connection over TLS ({reply})")]
    TlsSession { reply: String },
    /// The certificate authorities that are to be trusted are not there.
    #[error("no certificate authorities to check the server with: {reason}")]
    NoAuthorities { reason: String },
    /// A local limit or a fault of this host.
    #[error("{0}")]
    Local(String),
    #[error("it held up the others for {}", units::duration(*.after))]
    HeldUp { after: Duration },
    /// Another file than the one that was begun with, under the same name.
    #[error("the source's file changed while it was read: {reason}")]
    SourceChanged { reason: String },
    /// What a source holds is not what another one held.
    #[error("it holds another image: {reason}")]
    NotTheImage { reason: String },
    /// Of an entity that got bytes which are not the image's: it is sent those of another source.
    #[error("what {name} sent is not the image: {reason}; another source is read instead")]
    Deceived { name: String, reason: String },
    #[error("cancelled")]
    Cancelled,
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
            | Fault::EarlyConfirmation { .. }
            | Fault::ShortImage { .. }
            | Fault::WrongSize { .. }
            | Fault::Deceived { .. }
            | Fault::WrongDigest { .. } => Transient,
            Fault::Reply { code, .. } => match code {
                430 | 452 => Permanent,
                400..=499 => Transient,
                _ => Permanent,
            },
            Fault::Source { failure, .. } => failure.fault.kind(),
            Fault::Unresolved { .. }
            | Fault::Malformed { .. }
            | Fault::LongImage { .. }
            | Fault::WrongImage { .. }
            | Fault::UnexpectedSize { .. }
            | Fault::EmptyImage
            | Fault::NotVerifiable { .. }
            | Fault::NoRename { .. }
            | Fault::NoDirectory { .. }
            | Fault::NotWritable { .. }
            | Fault::NoFile { .. }
            | Fault::NoPeer { .. }
            | Fault::NoCredentials { .. }
            | Fault::TlsRefused { .. }
            | Fault::TlsCertificate { .. }
            | Fault::TlsHandshake { .. }
            | Fault::TlsSession { .. }
            | Fault::NoAuthorities { .. }
            | Fault::Local(_)
            | Fault::HeldUp { .. }
            | Fault::SourceChanged { .. }
            | Fault::NotTheImage { .. }
            | Fault::Cancelled => Permanent,
        }
    }
}

/// A fault and the step in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{step}: {fault}")]
pub struct Failure {
    pub step: Step,
    pub fault: Fault,
}

impl Failure {
    pub fn new(step: Step, fault: Fault) -> Self {
        Self { step, fault }
    }

    pub fn is_cancelled(&self) -> bool {
        self.fault == Fault::Cancelled
    }

    pub fn is_transient(&self) -> bool {
        self.fault.kind() == FaultKind::Transient
    }
}

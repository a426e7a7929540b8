//! What went wrong, as a value: which step, what kind of fault, and in whose words.
//!
//! Every failure names the step and the cause in words that an operator can act on (promise 7);
//! the name of the entity is added where it is known. A fault is transient when the same thing
//! may work a moment later, and permanent when trying again changes nothing.

use std::time::Duration;

use thiserror::Error;

use super::causes::{after_colon, causes_in_words, refused_login, unanswered};
use super::fault_kind::FaultKind;
use super::step::{Side, Step};
use super::units;

/// The cause of a failure. Text from servers is already fit to be shown ([`super::text::shown`]).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// `server`: what was expected to run there ([`super::Scheme::service`]).
    #[error("{address} refused the connection; is its {server} server running?")]
    Refused {
        address: String,
        server: &'static str,
    },
    #[error("{address} can't be reached: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("{name} has no address: {reason}")]
    Unresolved { name: String, reason: String },
    #[error("no connection to {address} within {}", units::duration(*.after))]
    ConnectTimeout { address: String, after: Duration },
    /// The server said no; `code` and `text` are its own (RFC 959 section 4.2).
    #[error("the server said {code} {text}")]
    Reply { code: u16, text: String },
    /// As [`Fault::Reply`], of a server that has no such codes: what it said, with its own code or status.
    #[error("the server said {said}")]
    Answer {
        said: String,
        /// The same may be granted a moment later.
        may_pass: bool,
    },
    /// As [`Fault::Reply`], where the same worked before, or the words are about room for sessions or
    /// ports: it may pass.
    #[error(
        "the server said {code} {text}; that may pass: it has room for so many at a time only, and \
         `parallel` lets fewer ask at once"
    )]
    Busy { code: u16, text: String },
    /// As [`Fault::Reply`], where it shows which setting the server waits for.
    #[error("the server said {code} {text}; {advice}")]
    Wants {
        code: u16,
        text: String,
        advice: String,
    },
    /// A command of `before_store`, of which `verb` is the first word.
    #[error("the server said {code} {text} to {verb}, a command of `before_store`")]
    BeforeStore {
        verb: String,
        code: u16,
        text: String,
    },
    /// `fault` ended the step of a procedure that `what` names; or `what` says what it means for an entity.
    #[error("{what}: {fault}")]
    Within { what: String, fault: Box<Fault> },
    /// `fault` is about a data connection, whose way may be the wrong one.
    #[error("{fault}; {hint}")]
    DataWay { fault: Box<Fault>, hint: String },
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
    /// It renames onto other files: moved aside, the old image could not be put back either.
    #[error(
        "the entity renames a file onto others, and refuses this very name ({reason}), so the old image was \
         not moved aside; the name may be protected there. `staging: direct` would write over it"
    )]
    NameRefused { reason: String },
    #[error(
        "there is no directory {directory}: {reply}; create it, or correct the entity's `path`"
    )]
    NoDirectory { directory: String, reply: String },
    #[error("the directory {directory} can't be written: {reply}")]
    NotWritable { directory: String, reply: String },
    #[error("no such file: {reply}")]
    NoFile { reply: String },
    /// There is something of that name.
    #[error("it can't be read: {reply}")]
    NotReadable { reply: String },
    #[error("no peer has the image: {reason}")]
    NoPeer { reason: String },
    #[error("no credentials for `{name}`: {reason}")]
    NoCredentials { name: String, reason: String },
    /// The source of the whole pass failed; `source` names it.
    #[error("the source {name} failed: {failure}")]
    Source { name: String, failure: Box<Failure> },
    /// Of several sources none can be read; what became of each, by its name.
    #[error("no source can be read: {}", causes_in_words(.causes))]
    NoSource { causes: Vec<(String, Failure)> },
    /// `reply` is the server's answer to `command`: `AUTH TLS`, `PBSZ 0`, `PROT P`.
    #[error(
        "the server refused {command}: {reply}; nothing is sent without encryption where the \
         inventory asks for it. TLS may be spoken on another port, or from the first byte on \
         (`ftps+implicit://`, usually port 990)"
    )]
    TlsRefused { command: String, reply: String },
    /// `fingerprint` is that of the certificate which was shown ([`super::Fingerprint`]), all of it.
    #[error(
        "the server's certificate is not accepted: {reason} (its SHA-256 fingerprint is \
         \"{fingerprint}\"); {advice}"
    )]
    TlsCertificate {
        reason: String,
        fingerprint: String,
        /// What can be done that is not done yet.
        advice: String,
    },
    #[error("no TLS on the {side}: {reason}")]
    TlsHandshake { side: Side, reason: String },
    /// What came was no TLS, though the server had agreed to it.
    #[error("no TLS on the {side}, which the server had agreed to: {reason}")]
    TlsGarbled { side: Side, reason: String },
    /// What this host shows where it is asked to identify itself.
    #[error("the certificate of this host (`tls: {{ client: FILE }}`) can't be used: {reason}")]
    ClientCertificate { reason: String },
    /// The server wants data connections to go on with the TLS session of the control connection.
    #[error("the server took no data connection over TLS ({reply})")]
    TlsSession { reply: String },
    /// `shown` is the type and the fingerprint of the key that the server shows. Once, so that what to do about
    /// it is not cut off.
    #[error(
        "the host key of {address} is not known, so nothing was sent: it shows {shown}. If the device says \
         the same of its own key (`ssh-keygen -lf`), write it beside the address as `host_key`, or name a \
         file of `known_hosts`"
    )]
    HostKeyUnknown { address: String, shown: String },
    #[error(
        "the host key of {address} is not the right one, so nothing was sent: it shows {shown}, and \
         {expected}. The device was replaced or has new keys, or another host answers in its place"
    )]
    HostKeyChanged {
        address: String,
        shown: String,
        expected: String,
    },
    #[error(
        "the host key of {address} is revoked in {file}, so nothing was sent: it shows {shown}"
    )]
    HostKeyRevoked {
        address: String,
        shown: String,
        file: String,
    },
    /// What the server offers of this kind, none of which is taken.
    #[error(
        "there is no common algorithm for {kind}; the server offers {theirs}. `ssh_legacy: true` beside \
         its address lets old ones in"
    )]
    NoCommonAlgorithm { kind: &'static str, theirs: String },
    /// `with`: what was tried; empty: nothing could be.
    #[error("{}", refused_login(.user, .with, .offers, .why))]
    LoginRefused {
        user: String,
        with: String,
        offers: String,
        why: String,
    },
    /// The certificate authorities that are to be trusted are not there.
    #[error("no certificate authorities to check the server with: {reason}")]
    NoAuthorities { reason: String },
    /// A file of this host that is a source; `reason` names it.
    #[error("{reason}")]
    File { reason: String, may_pass: bool },
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
    /// The entity may take the staging name for the final one, as far as it can be asked.
    #[error(
        "the staging name can't be told from the file's own name on this entity, so nothing was \
         written; set `staging_name` to a name that it keeps apart"
    )]
    NamesAlike,
    #[error(
        "there is no file under the final name, and two that may each be the only copy of an image \
         under staging names; remove the one that is not needed by hand"
    )]
    TwoCopies,
    /// What an earlier run left under the staging name.
    #[error("a leftover under the staging name can't be removed: {reason}; remove it by hand")]
    Leftover { reason: String },
    #[error("the file under the staging name grows: something else is writing to this entity")]
    OtherWriter,
    #[error("the entity said that it renamed the file, and it did not")]
    NotRenamed,
    /// What stands under the final name is not known, or not the image.
    #[error("what has the final name can't be shown to be the image: {reason}")]
    NotProven { reason: String },
    #[error(
        "the old image was moved aside and can't be put back under its name: {reason}; the next run \
         tries again, or rename it by hand"
    )]
    NotPutBack { reason: String },
    #[error(
        "the entity confirmed the file, and there is no such file now: an entity that installs what \
         it gets needs `verify: none`, and something that asks it for its version"
    )]
    Vanished,
    /// What was written is not removed.
    #[error("kept: {why}")]
    Kept { why: String },
    /// One run at a time writes an entity; `by` names the other one and its user.
    #[error(
        "{by} has this entity, and one run at a time may write it; wait for its end, or cancel it"
    )]
    Taken { by: String },
    /// Of an entity that got bytes which are not the image's: it is sent those of another source.
    #[error("what {name} sent is not the image: {reason}; another source is read instead")]
    Deceived { name: String, reason: String },
    /// `showed`: the end of what came after the command, empty where nothing did.
    #[error("{}", unanswered(.command, *.after, .showed))]
    Unanswered {
        command: String,
        after: Duration,
        showed: String,
    },
    /// The prompt came back without what was expected before it.
    #[error("the device answered {command} with: {answer}")]
    Unexpected { command: String, answer: String },
    /// `what`: the named group that was compared.
    #[error("the device says {what} `{is}`, and `{wanted}` was expected")]
    Differs {
        what: String,
        is: String,
        wanted: String,
    },
    /// A program, of this host or of a device; `said`: the last line of its output.
    #[error("{program} {}{}", .why, after_colon(.said))]
    Program {
        program: String,
        why: String,
        said: String,
    },
    /// What a step of a procedure does by itself, whatever its parts wait for.
    #[error("{what} was not done within {}", units::duration(*.after))]
    Overdue { what: String, after: Duration },
    #[error("it did not go down within {}", units::duration(*.after))]
    StaysUp { after: Duration },
    /// `why`: what the last attempt to reach it came to.
    #[error("it did not come back within {}: {why}", units::duration(*.after))]
    StaysDown { after: Duration, why: String },
    #[error("cancelled")]
    Cancelled,
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

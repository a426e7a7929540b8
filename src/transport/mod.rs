//! Reading from and writing to a remote file; the only place that names suppaftp.
//!
//! Agents know these traits alone: a [`Source`] is one reading of a remote file from an offset to
//! its end, a [`Sink`] is a session with an entity that gets one. [`ftp::FtpTransport`] is the
//! implementation over FTP; \[0030\] foresees others.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::staging::{File, Names};
use crate::model::{
    Address, Dialect, Failure, Login, Probe, RemotePath, Staging, Timeouts, Tls, VerifyMode,
};

mod answers;
mod digest;
pub mod ftp;
mod reach;
pub(crate) mod read_and_hash;

pub use crate::protocol::Entry as Listed;
pub use answers::{How, Proof, Refusal, RefusalKind, Reply, Seen};

/// A file on a remote host and how to get at it.
#[derive(Debug, Clone)]
pub struct Remote {
    pub address: Address,
    pub login: Arc<Login>,
    pub path: RemotePath,
    pub timeouts: Timeouts,
    pub tls: Tls,
    pub dialect: Dialect,
}

/// A directory on a remote host and how to get at it.
#[derive(Debug, Clone)]
pub struct Directory {
    pub address: Address,
    pub login: Arc<Login>,
    /// Empty for the directory that a login leads to.
    pub path: String,
    pub timeouts: Timeouts,
    pub tls: Tls,
    pub dialect: Dialect,
}

/// A file to be written on an entity.
#[derive(Debug, Clone)]
pub struct Destination {
    pub remote: Remote,
    pub verify: VerifyMode,
    pub staging: Staging,
    /// Whether the old file may be deleted when the entity can neither rename onto it nor move it
    /// aside.
    pub delete_first: bool,
    pub names: Names,
}

impl Destination {
    /// The name that data is written to at first.
    pub fn written_path(&self) -> &RemotePath {
        self.names.of(match self.staging {
            Staging::Rename => File::Staging,
            Staging::Direct => File::Final,
        })
    }
}

/// What was read from a source, and so what every entity must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageDigest {
    pub size: u64,
    pub sha256: [u8; 32],
}

/// What a host says of its file, without sending it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    pub size: Option<u64>,
    /// Whether the host's own SHA-256 of the file is the right one; `None` where it computes none.
    pub same: Option<bool>,
}

/// The way to remote files. Every call ends within the deadlines of its [`Timeouts`].
pub trait Transport: Send + Sync + 'static {
    type Source: Source;
    type Sink: Sink;

    /// Different on hosts that write to the same entities: their staging names
    /// are not the same.
    fn owner(&self) -> &str;

    /// Opens the file for reading from `offset`. A host that can't begin there sends all of it, and
    /// what comes before is thrown away here.
    fn open_source(
        &self,
        remote: &Remote,
        offset: u64,
    ) -> impl Future<Output = Result<Self::Source, Failure>> + Send;

    /// Opens a session with the entity; nothing is written yet.
    fn open_sink(
        &self,
        destination: &Destination,
    ) -> impl Future<Output = Result<Self::Sink, Failure>> + Send;

    /// Whether the file is there; its size in bytes where the host reports it.
    fn size_of(&self, remote: &Remote)
    -> impl Future<Output = Result<Option<u64>, Failure>> + Send;

    /// Whether a file could be written there, and what the host can do, over a session of its own.
    /// Nothing that stays is written, and nothing that is there is changed. Cancelled, it ends at
    /// once, or when it has removed what it wrote.
    ///
    /// # Errors
    /// What would make a delivery fail too.
    fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Probe, Failure>> + Send;

    /// What the host says of its file beside a SHA-256, as far as it does.
    fn compare(
        &self,
        remote: &Remote,
        sha256: [u8; 32],
    ) -> impl Future<Output = Result<Compared, Failure>> + Send;

    /// What a directory holds: directories first, each kind by name.
    ///
    /// # Errors
    /// Also for a directory of more than 10,000 entries or 4 MiB of text.
    fn list(
        &self,
        directory: &Directory,
    ) -> impl Future<Output = Result<Vec<Listed>, Failure>> + Send;
}

/// One reading of a remote file.
pub trait Source: Send {
    /// Bytes of the whole file, where the host has reported.
    fn size(&self) -> Option<u64>;

    /// Bytes of the whole file as far as anything hints at them: for a gauge, and for nothing else.
    fn size_hint(&self) -> Option<u64> {
        self.size()
    }

    /// When the file was last changed, in the host's own words (`MDTM`, RFC 3659 section 3), where
    /// it tells: fit to be compared with what the same host said before, and for nothing else.
    fn modified(&self) -> Option<&str>;

    /// Reads some bytes; 0 means the end, and that the host has said that this was all.
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// Ends the session in good order, without waiting long.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A file that an entity did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStored {
    pub failure: Failure,
    /// The entity may have begun to write it.
    pub may_have_begun: bool,
}

/// A session with an entity that gets a file. It only carries out what it is asked for: which name
/// is written, deleted or renamed when is for `placement` to decide. A session that was lost is
/// opened again by the next call.
pub trait Sink: Send {
    fn look(&mut self, path: &RemotePath) -> impl Future<Output = Result<Seen, Failure>> + Send;

    /// When the file was last changed, in the entity's own words.
    fn modified(
        &mut self,
        path: &RemotePath,
    ) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    fn delete(&mut self, path: &RemotePath) -> impl Future<Output = Result<Reply, Failure>> + Send;

    fn rename(
        &mut self,
        from: &RemotePath,
        to: &RemotePath,
    ) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// Stores a file of one byte that is no part of any image; `false`: it was refused.
    fn put(&mut self, path: &RemotePath) -> impl Future<Output = Result<bool, Failure>> + Send;

    /// Compares a file with the image.
    fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> impl Future<Output = Result<Proof, Failure>> + Send;

    /// Learns before anything is sent whether the entity can rename at all. There is no file of
    /// the first name; the second is one of a file that is there.
    ///
    /// # Errors
    /// It can't, or the entity is lost.
    fn can_rename(
        &mut self,
        free: &RemotePath,
        taken: Option<&RemotePath>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Waits before something is asked again; `again` counts from 0.
    fn pause(&mut self, again: u32) -> impl Future<Output = ()> + Send;

    /// Opens a file for writing.
    fn store(&mut self, path: &RemotePath) -> impl Future<Output = Result<(), NotStored>> + Send;

    /// Writes some bytes and says how many the entity's host has taken.
    fn write(&mut self, data: &[u8]) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// Waits until the entity takes more bytes, without giving it any. An entity that takes none
    /// fails by its progress deadline, which counts from the last byte that it took.
    fn ready(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Ends the file and waits until the entity confirms that it has stored it.
    fn finish(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Gives a file up that is being written: resets the data connection, so that the entity does
    /// not take it for whole.
    fn abort(&mut self);

    /// Ends the session in good order, without waiting long.
    fn close(self) -> impl Future<Output = ()> + Send;
}

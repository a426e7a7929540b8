//! Reading from and writing to a remote file, whatever the protocol.
//!
//! Agents know these traits alone: a [`Source`] is one reading of a remote file from an offset to
//! its end, a [`Sink`] is a session with an entity that gets one, and a [`Transport`] opens them.
//! [`AnyTransport`] is the one place that chooses by an address which protocol's transport that is;
//! each protocol has a folder of its own (`ftp`; \[0030\] foresees others), the only place that
//! names its library.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::procedure::Way;
use crate::model::staging::{File, Names};
use crate::model::{
    Address, Dialect, Failure, Fault, Http, Login, Probe, RemotePath, Ssh, Staging, Step, Timeouts,
    Tls, VerifyMode,
};

mod answers;
mod any;
mod command;
mod digest;
mod fetch;
pub mod file;
pub mod ftp;
mod http;
mod orders;
mod prove;
mod reach;
pub(crate) mod read_and_hash;
mod redact;
mod requests;
mod scp;
pub mod serve;
mod sftp;
mod ssh;
mod tcp;
mod telnet;
mod terminal;
pub(crate) mod tftp;
mod tls;
mod trial;

pub use crate::protocol::Entry as Listed;
pub use answers::{How, Proof, Refusal, RefusalKind, Reply, Seen};
pub use any::AnyTransport;
pub use command::{Exit, RemoteCommand};
pub(crate) use http::plain as page_text;
pub use orders::Orders;
pub(crate) use reach::NoDirectory;
pub(crate) use redact::Redact;
pub use requests::{Answered, Asked, Requests};
pub(crate) use tcp::{knock, knock_at};
pub use terminal::Terminal;

/// A server and how to get at it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub address: Address,
    pub login: Arc<Login>,
    pub timeouts: Timeouts,
    pub tls: Tls,
    pub ssh: Ssh,
    pub dialect: Dialect,
    pub http: Http,
}

/// A file on a remote host.
#[derive(Debug, Clone)]
pub struct Remote {
    pub endpoint: Endpoint,
    pub path: RemotePath,
}

/// A directory on a remote host.
#[derive(Debug, Clone)]
pub struct Directory {
    pub endpoint: Endpoint,
    /// Empty for the directory that a login leads to.
    pub path: String,
}

/// A path's directory, and the name in it.
fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((directory, name)) => (directory, name),
        None => (".", path),
    }
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
    /// Bytes that will be written, where they are known before: some protocols announce them, and with
    /// `staging: direct`, where the source is waited for first, they are known as soon as the source
    /// reports them.
    pub size: Option<u64>,
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
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Different on hosts that write to the same entities, whose staging names then differ too.
    fn owner(&self) -> &str {
        ""
    }

    /// Opens the file for reading from `offset`. A host that can't begin there sends all of it, and
    /// what comes before is thrown away here.
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure>;

    /// Opens a session with the entity; nothing is written yet.
    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure>;

    /// Takes the entity for this run alone, before anything is done to it.
    ///
    /// # Errors
    /// Another run has it.
    async fn hold(&self, _: &Destination) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether the file is there; its size in bytes where the host reports it.
    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure>;

    /// Whether a file could be written there, and what the host can do, over a session of its own.
    /// Nothing that stays is written, and nothing that is there is changed. Cancelled, it ends at
    /// once, or when it has removed what it wrote.
    ///
    /// # Errors
    /// What would make a delivery fail too.
    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure>;

    /// What the host says of its file beside a SHA-256, as far as it does.
    async fn compare(&self, remote: &Remote, sha256: [u8; 32]) -> Result<Compared, Failure>;

    /// What a directory holds: directories first, each kind by name.
    ///
    /// # Errors
    /// Also for a directory of more than 10,000 entries or 4 MiB of text.
    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure>;

    /// Opens a command line; over [`Way::Ssh`] the user is logged in, over [`Way::Telnet`] nobody is.
    ///
    /// # Errors
    /// Also where no command line is reached this way.
    async fn terminal(
        &self,
        way: Way,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Terminal>, Failure> {
        let (address, _) = (&endpoint.address, cancel);
        let reason = format!(
            "no command line of {address} is reached over {}",
            way.word()
        );
        Err(Failure::new(Step::Connect, Fault::Local(reason)))
    }

    /// Opens a connection over SSH for one command.
    ///
    /// # Errors
    /// The device can't be reached, lets nobody in, or has no room for another.
    async fn command(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn RemoteCommand>, Failure> {
        let (address, _) = (&endpoint.address, cancel);
        let reason = format!("no commands are carried out at {address}");
        Err(Failure::new(Step::Connect, Fault::Local(reason)))
    }

    /// Opens a session for `SITE` commands (RFC 959 section 4.1.3).
    ///
    /// # Errors
    /// Also where the protocol has none.
    async fn orders(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Orders>, Failure> {
        let (scheme, _) = (endpoint.address.scheme.word(), cancel);
        let reason = format!("there are no SITE commands over {scheme}");
        Err(Failure::new(Step::Connect, Fault::Local(reason)))
    }

    /// Connects to a web server, for one request.
    ///
    /// # Errors
    /// Also where the address is not one of HTTP. Nothing was asked.
    async fn requests(&self, endpoint: &Endpoint) -> Result<Box<dyn Requests>, Failure> {
        let scheme = endpoint.address.scheme.word();
        let reason = format!("nothing is asked of a web server over {scheme}");
        Err(Failure::new(Step::Connect, Fault::Local(reason)))
    }
}

/// One reading of a remote file.
#[async_trait]
pub trait Source: Send {
    /// Bytes of the whole file, where the host has reported.
    fn size(&self) -> Option<u64>;

    /// Bytes of the whole file as far as anything hints at them: for a gauge, and for nothing else.
    fn size_hint(&self) -> Option<u64> {
        self.size()
    }

    /// When the file was last changed, in the host's own words, where it reports that: fit to be compared
    /// with what the same host said before, and for nothing else.
    fn modified(&self) -> Option<&str>;

    /// Reads some bytes; 0 means the end, and that the host has said that this was all.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure>;

    /// Ends the session in good order, without waiting long.
    async fn close(self: Box<Self>);
}

/// A file that an entity did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStored {
    pub failure: Failure,
    /// The entity may have begun to write it.
    pub may_have_begun: bool,
}

/// Before something is asked again, the first time; then twice as long each time.
const AGAIN: Duration = Duration::from_millis(500);

/// A session with an entity that gets a file. It only carries out what it is asked for: which name
/// is written, deleted or renamed when is for `placement` to decide. A session that was lost is
/// opened again by the next call.
#[async_trait]
pub trait Sink: Send {
    /// Whether there are files that can be looked at and removed. What a program took that a form was sent to
    /// can't be.
    fn has_names(&self) -> bool {
        true
    }

    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure>;

    /// Whether two more looks, and the question when the file was last changed, all say that there is none.
    async fn is_absent(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        Ok(self.look(path).await? == Seen::Absent
            && self.look(path).await? == Seen::Absent
            && self.modified(path).await?.is_none())
    }

    /// When the file was last changed, in the entity's own words.
    async fn modified(&mut self, path: &RemotePath) -> Result<Option<String>, Failure>;

    async fn delete(&mut self, path: &RemotePath) -> Result<Reply, Failure>;

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<Reply, Failure>;

    /// Stores a file of one byte that is no part of any image; `false`: it was refused.
    async fn put(&mut self, path: &RemotePath) -> Result<bool, Failure>;

    /// Compares a file with the image.
    async fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure>;

    /// Learns before anything is sent whether the entity can rename at all. There is no file of
    /// the first name; the second is one of a file that is there.
    ///
    /// # Errors
    /// It can't, or the entity is lost.
    async fn can_rename(
        &mut self,
        free: &RemotePath,
        taken: Option<&RemotePath>,
    ) -> Result<(), Failure>;

    /// Waits before something is asked again; `again` counts from 0.
    async fn pause(&mut self, again: u32) {
        tokio::time::sleep(AGAIN.saturating_mul(1 << again.min(6))).await;
    }

    /// Opens a file for writing.
    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored>;

    /// Writes some bytes and says how many the entity's host has taken.
    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure>;

    /// Waits until the entity takes more bytes, without giving it any. An entity that takes none
    /// fails by its progress deadline, which counts from the last byte that it took.
    async fn ready(&mut self) -> Result<(), Failure>;

    /// Ends the file and waits until the entity confirms that it has stored it.
    async fn finish(&mut self) -> Result<(), Failure>;

    /// Gives a file up that is being written: resets the data connection, so that the entity does
    /// not take it for whole.
    fn abort(&mut self);

    /// Ends the session in good order, without waiting long.
    async fn close(self: Box<Self>);
}

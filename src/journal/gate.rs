//! A transport that writes down what it is about to change on an entity before it does it.
//!
//! Two moments matter after a crash: from when on there may be a staging file, and from when on the
//! final name may hold the image. States are reported while agents go on, so a crash can come
//! between a command and the record of it; what stands here was on the disk before the command.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::locks::EntityLock;
use super::write_ahead::Ask;
use crate::model::procedure::Way;
use crate::model::{Failure, Fault, Probe, RemotePath, Staging, Step};
use crate::procedure::{Ledger, StepBegins, StepEnded};
use crate::transport::{
    Compared, Destination, Directory, Endpoint, How, ImageDigest, Listed, NotStored, Orders, Proof,
    Remote, RemoteCommand, Reply, Requests, Seen, Sink, Source, Terminal, Transport,
};

/// Maximum wait of a transfer: a disk that hangs stops none.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is about to happen on an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A file is written.
    Open,
    /// The written file gets the final name.
    Rename,
}

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Rename => "rename",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Touch {
    pub(super) at: Timestamp,
    pub(super) address: String,
    /// The final name.
    pub(super) path: String,
    pub(super) what: What,
    pub(super) staged: bool,
}

/// The way to the journal for agents that are about to change something.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(super) inbox: mpsc::UnboundedSender<Ask>,
}

impl Gate {
    /// Returns when it is written, or when it is clear that it can't be.
    pub(super) async fn pass(&self, destination: &Destination, what: What) {
        let (done, written) = oneshot::channel();
        let touch = Touch {
            at: Timestamp::now(),
            address: destination.remote.endpoint.address.to_string(),
            path: destination.remote.path.to_string(),
            what,
            staged: destination.staging == Staging::Rename,
        };
        if self.inbox.send(Ask::Touch { touch, done }).is_ok() {
            // Without an answer there is no journal any more, which its stage has reported.
            let _ = timeout(PATIENCE, written).await;
        }
    }

    /// Takes the entity for the run, until it has a final state.
    ///
    /// # Errors
    /// Another run has it.
    pub(super) async fn hold(&self, destination: &Destination) -> Result<(), Failure> {
        self.take(destination, true).await.map(|_| ())
    }

    /// Takes the entity for as long as the lock lives, if the run does not have it anyway.
    ///
    /// # Errors
    /// Another run has it.
    pub(super) async fn borrow(
        &self,
        destination: &Destination,
    ) -> Result<Option<EntityLock>, Failure> {
        self.take(destination, false).await
    }

    async fn take(
        &self,
        destination: &Destination,
        for_run: bool,
    ) -> Result<Option<EntityLock>, Failure> {
        let (done, taken) = oneshot::channel();
        let ask = Ask::Hold {
            address: destination.remote.endpoint.address.to_string(),
            path: destination.remote.path.to_string(),
            for_run,
            done,
        };
        if self.inbox.send(ask).is_err() {
            return Ok(None);
        }
        match timeout(PATIENCE, taken).await {
            Ok(Ok(Err(by))) => Err(Failure::new(Step::Connect, Fault::Taken { by })),
            Ok(Ok(Ok(lock))) => Ok(lock),
            // There is no stage any more, or a disk that hangs.
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }
}

#[async_trait]
impl Ledger for Gate {
    async fn begins(&self, step: StepBegins) {
        let (done, written) = oneshot::channel();
        if self.inbox.send(Ask::StepBegins { step, done }).is_ok() {
            let _ = timeout(PATIENCE, written).await;
        }
    }

    fn ended(&self, step: StepEnded) {
        // Without a stage nobody writes anything, which was reported.
        let _ = self.inbox.send(Ask::StepEnded(step));
    }
}

/// A transport behind the gate.
#[derive(Debug)]
pub struct Gated<T> {
    inner: T,
    gate: Gate,
}

impl<T: Transport> Gated<T> {
    pub fn new(inner: T, gate: Gate) -> Self {
        Self { inner, gate }
    }
}

#[async_trait]
impl<T: Transport> Transport for Gated<T> {
    fn owner(&self) -> &str {
        self.inner.owner()
    }

    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        self.inner.open_source(remote, offset).await
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        // Before all else: what is refused here has touched nothing.
        self.gate.hold(destination).await?;
        Ok(Box::new(GatedSink {
            inner: self.inner.open_sink(destination).await?,
            gate: self.gate.clone(),
            destination: destination.clone(),
            passed: None,
        }))
    }

    async fn hold(&self, destination: &Destination) -> Result<(), Failure> {
        self.gate.hold(destination).await
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        self.inner.size_of(remote).await
    }

    /// What it writes is a byte under the staging name, which it removes again.
    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        let _lock = self.gate.borrow(destination).await?;
        self.inner.probe(destination, cancel).await
    }

    async fn compare(&self, remote: &Remote, sha256: [u8; 32]) -> Result<Compared, Failure> {
        self.inner.compare(remote, sha256).await
    }

    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure> {
        self.inner.list(directory).await
    }

    /// What is done there is written down by those who do it, step by step.
    async fn terminal(
        &self,
        way: Way,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Terminal>, Failure> {
        self.inner.terminal(way, endpoint, cancel).await
    }

    async fn command(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn RemoteCommand>, Failure> {
        self.inner.command(endpoint, cancel).await
    }

    async fn orders(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Orders>, Failure> {
        self.inner.orders(endpoint, cancel).await
    }

    async fn requests(&self, endpoint: &Endpoint) -> Result<Box<dyn Requests>, Failure> {
        self.inner.requests(endpoint).await
    }
}

struct GatedSink {
    inner: Box<dyn Sink>,
    gate: Gate,
    destination: Destination,
    /// The weightiest change that was written down.
    passed: Option<What>,
}

impl GatedSink {
    /// Each kind of change is written down once per session, before the first of its kind.
    async fn changes(&mut self, paths: &[&RemotePath]) {
        let named = &self.destination.remote.path;
        let what = match paths.contains(&named) && self.destination.staging == Staging::Rename {
            true => What::Rename,
            false => What::Open,
        };
        if self.passed == Some(What::Rename) || self.passed == Some(what) {
            return;
        }
        self.gate.pass(&self.destination, what).await;
        self.passed = Some(what);
    }
}

#[async_trait]
impl Sink for GatedSink {
    fn has_names(&self) -> bool {
        self.inner.has_names()
    }

    async fn is_absent(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        self.inner.is_absent(path).await
    }

    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        self.inner.look(path).await
    }

    async fn modified(&mut self, path: &RemotePath) -> Result<Option<String>, Failure> {
        self.inner.modified(path).await
    }

    async fn delete(&mut self, path: &RemotePath) -> Result<Reply, Failure> {
        self.changes(&[path]).await;
        self.inner.delete(path).await
    }

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<Reply, Failure> {
        self.changes(&[from, to]).await;
        self.inner.rename(from, to).await
    }

    async fn put(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        self.changes(&[path]).await;
        self.inner.put(path).await
    }

    async fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        self.inner.prove(path, image, how).await
    }

    async fn can_rename(
        &mut self,
        free: &RemotePath,
        taken: Option<&RemotePath>,
    ) -> Result<(), Failure> {
        self.inner.can_rename(free, taken).await
    }

    async fn pause(&mut self, again: u32) {
        self.inner.pause(again).await;
    }

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        self.changes(&[path]).await;
        self.inner.store(path).await
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        self.inner.write(data).await
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        self.inner.ready().await
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        self.inner.finish().await
    }

    fn abort(&mut self) {
        self.inner.abort();
    }

    async fn close(self: Box<Self>) {
        self.inner.close().await;
    }
}

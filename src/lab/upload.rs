//! A file that a server of the lab receives, a piece at a time: what happens at which byte of it.

use std::sync::Arc;

use super::device::File;
use super::draw::Pauses;
use super::pace::Pace;
use super::served::ServedKind;
use super::storage::{Face, PIECE, Refusal, Result, Storage, corrupt, until};

/// An upload. What has arrived stays on the device, however it ends.
pub(super) struct Upload {
    storage: Storage,
    path: String,
    file: Arc<File>,
    start: u64,
    at: u64,
    drop_at: Option<u64>,
    truncate_at: Option<u64>,
    pace: Pace,
    pauses: Option<Pauses>,
}

/// What comes next in an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// No more than this number of bytes.
    Room(usize),
    /// It is cut on purpose: see [`Storage::cut`].
    Cut,
}

impl Upload {
    pub(super) fn begin(storage: &Storage, path: &str, start: u64) -> Result<Self> {
        let server = &*storage.server;
        let (device, behaviour) = (&server.device, &server.behaviour);
        if behaviour.read_only {
            return Err(Refusal::Name("read-only"));
        }
        let is_taken = start == 0 && device.file(path).is_some();
        if behaviour.no_replace && is_taken {
            return Err(Refusal::Name("file exists"));
        }
        let path = match behaviour.store_elsewhere && is_taken {
            true => format!("{path}.1"),
            false => path.to_owned(),
        };
        let file = device.open_for_writing(&path, start);
        let file = file.ok_or(Refusal::NotThere("no such offset"))?;
        let is_entity = server.kind == ServedKind::Entity;
        let random = behaviour.random_pauses;
        Ok(Self {
            storage: storage.clone(),
            path,
            file,
            start,
            at: start,
            drop_at: storage.drops_at(ServedKind::Entity),
            truncate_at: behaviour.truncate_at.filter(|_| is_entity),
            pace: Pace::new(behaviour.rate),
            pauses: (behaviour.pause).map(|pause| Pauses::new(pause, random, &server.name, start)),
        })
    }

    /// Where the next byte goes.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Lets happen what happens at this byte.
    pub(super) async fn next(&mut self, face: &impl Face) -> Next {
        let server = &*self.storage.server;
        let (behaviour, at) = (&server.behaviour, self.at);
        if self.drop_at == Some(at) && server.drops_now() {
            return Next::Cut;
        }
        if behaviour.silent_at == Some(at) {
            std::future::pending::<()>().await;
        }
        if behaviour.confirm_at == Some(at) {
            face.confirm_early();
            std::future::pending::<()>().await;
        }
        if behaviour.hang_up_at == Some(at) {
            face.hang_up();
            // Where the session is all there is, nothing more is taken.
            tokio::task::yield_now().await;
        }
        if let Some(pauses) = &mut self.pauses {
            pauses.reached(at).await;
        }
        Next::Room(until(
            at,
            PIECE.min(self.pace.slice()),
            &[
                behaviour.disk_full_at,
                self.drop_at,
                self.truncate_at,
                behaviour.silent_at,
                behaviour.confirm_at,
                behaviour.hang_up_at,
                self.pauses.as_ref().map(Pauses::next),
            ],
        ))
    }

    /// Takes bytes piece by piece, and lets happen what happens at each. [`Refusal::Cut`]: the connection is
    /// to be closed.
    pub(super) async fn take(&mut self, face: &impl Face, mut bytes: &mut [u8]) -> Result<()> {
        while !bytes.is_empty() {
            let most = match self.next(face).await {
                Next::Room(most) => most.min(bytes.len()),
                Next::Cut => return Err(self.storage.cut().await),
            };
            let (piece, rest) = bytes.split_at_mut(most);
            self.put(piece).await?;
            bytes = rest;
        }
        Ok(())
    }

    /// There are no more bytes: what happens at the last one happens before [`Self::finish`].
    pub(super) async fn end(&mut self, face: &impl Face) -> Result<()> {
        match self.next(face).await {
            Next::Room(_) => Ok(()),
            Next::Cut => Err(self.storage.cut().await),
        }
    }

    /// Takes bytes, no more than there is room for.
    pub(super) async fn put(&mut self, bytes: &mut [u8]) -> Result<()> {
        let server = &*self.storage.server;
        let (behaviour, at) = (&server.behaviour, self.at);
        if !server.serves(self.storage.boot) {
            // Silenced or killed while it was read: what polls this stops doing so.
            std::future::pending::<()>().await;
        }
        if behaviour.disk_full_at.is_some_and(|full| at >= full) {
            return Err(Refusal::Full);
        }
        corrupt(behaviour.corrupt_at, at, bytes);
        if self.truncate_at.is_none_or(|end| at < end) {
            self.file.append(server.device.chunks(), bytes);
        }
        server.received.add(bytes.len() as u64);
        self.at += bytes.len() as u64;
        self.pace.moved(bytes.len()).await;
        Ok(())
    }

    /// There are no more bytes: what a device does until it confirms that. The bytes of this upload.
    pub(super) async fn finish(self) -> u64 {
        let server = &*self.storage.server;
        let behaviour = &server.behaviour;
        self.file.close();
        if let Some(time) = behaviour.confirm_after {
            tokio::time::sleep(time).await;
        }
        if behaviour.no_confirm {
            std::future::pending::<()>().await;
        }
        if behaviour.gone_after_store {
            server.device.delete(&self.path);
        }
        server.stored();
        self.at - self.start
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.file.close();
    }
}

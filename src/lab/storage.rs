//! What a server stores to and sends from, whatever protocol asks: its device, with the faults of its
//! settings. `upload` and `download` are the transfers, a piece at a time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::device::{File, clean};
use super::download::Download;
use super::life::Boot;
use super::served::ServedKind;
use super::server::Server;
use super::upload::{Next, Upload};

/// Why a device does not do what it is asked to. Each protocol has a reply of its own for it.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Name(&'static str),
    #[error("{0}")]
    NotThere(&'static str),
    #[error("{0}")]
    Denied(&'static str),
    #[error("busy")]
    Busy,
    #[error("disk full on purpose")]
    Full,
    /// The connection of the transfer is to be closed.
    #[error("{0}")]
    Cut(&'static str),
    #[error("{0}")]
    Io(#[from] io::Error),
}

pub(super) type Result<T> = std::result::Result<T, Refusal>;

/// What only the protocol of a session can do in the middle of an upload.
pub(super) trait Face {
    /// Says that the upload is whole, which it is not.
    fn confirm_early(&self);
    /// Ends the session.
    fn hang_up(&self);
}

/// A server's device in one boot.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub(super) server: Arc<Server>,
    pub(super) boot: Boot,
}

/// A name of a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// `None`: a folder.
    pub(super) size: Option<u64>,
    pub(super) modified: SystemTime,
}

/// Bytes that a transfer moves at once.
pub(super) const PIECE: usize = 32 * 1024;
/// How long a transfer that is cut waits for bytes that it leaves unread.
const UNREAD: Duration = Duration::from_millis(100);

impl Storage {
    /// Receives a file into the device; what has arrived stays there, however this ends.
    pub(super) async fn receive(
        &self,
        face: &impl Face,
        input: impl AsyncRead + Unpin,
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let _token = self.server.token();
        self.while_alive(self.take(face, input, path, start)).await
    }

    /// Sends a file of the device.
    pub(super) async fn send(
        &self,
        output: &mut (impl AsyncWrite + Unpin + ?Sized),
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let _token = self.server.token();
        self.while_alive(self.give(output, path, start)).await
    }

    pub(super) fn delete(&self, path: &str) -> Result<()> {
        if self.server.behaviour.no_delete {
            return Err(Refusal::Denied("deletes nothing"));
        }
        match self.server.device.delete(path) {
            true => Ok(()),
            false => Err(Refusal::NotThere("no such file")),
        }
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (server, behaviour) = (&self.server, &self.server.behaviour);
        if behaviour.refuse_rename {
            return Err(Refusal::Name("renames nothing"));
        }
        if server.rename_is_busy() {
            return Err(Refusal::Busy);
        }
        if behaviour.no_rename_to.as_deref() == Some(to) {
            return Err(Refusal::Name("a name of its own"));
        }
        if behaviour.false_rename {
            return Ok(());
        }
        if behaviour.no_overwrite && server.device.file(to).is_some() {
            return Err(Refusal::Name("file exists"));
        }
        let elsewhere = format!("{to}.1");
        let to = match behaviour.rename_elsewhere {
            true => &elsewhere,
            false => to,
        };
        match server.device.rename(from, to) {
            true => Ok(()),
            false => Err(Refusal::NotThere("no such file")),
        }
    }

    /// What the work comes to, or an error once the server is dead, which is never sent.
    pub(super) async fn while_alive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        (self.server.while_alive(self.boot, work).await)
            .unwrap_or(Err(Refusal::Cut("the server is gone")))
    }

    /// The names of a folder, sorted, and those of its folders once.
    pub(super) fn list(&self, folder: &str) -> Vec<Entry> {
        let device = &self.server.device;
        let prefix = format!("{}/", clean(folder).trim_end_matches('/'));
        let mut found: Vec<Entry> = Vec::new();
        for path in device.names() {
            let Some(rest) = path.strip_prefix(&prefix) else {
                continue;
            };
            let entry = match (rest.split_once('/'), device.file(&path)) {
                (Some((folder, _)), _) => Entry {
                    name: folder.into(),
                    size: None,
                    modified: SystemTime::UNIX_EPOCH,
                },
                (None, Some(file)) => Entry {
                    name: rest.into(),
                    size: Some(file.size()),
                    modified: file.modified(),
                },
                (None, None) => continue,
            };
            // Names are sorted, so those below one folder follow each other.
            if found.last().is_none_or(|last| last.name != entry.name) {
                found.push(entry);
            }
        }
        found
    }

    async fn take(
        &self,
        face: &impl Face,
        mut input: impl AsyncRead + Unpin,
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let mut upload = Upload::begin(self, path, start)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let most = match upload.next(face).await {
                Next::Room(most) => most,
                Next::Cut => {
                    // With bytes that nobody read, the end of a connection is a reset (RFC 1122,
                    // section 4.2.2.13); the system's socket is out of reach.
                    let _ = tokio::time::timeout(UNREAD, input.read(&mut [0])).await;
                    return Err(self.cut().await);
                }
            };
            match input.read(&mut buffer[..most]).await? {
                0 => break,
                count => upload.put(&mut buffer[..count]).await?,
            }
        }
        drop(input);
        Ok(upload.finish().await)
    }

    async fn give(
        &self,
        output: &mut (impl AsyncWrite + Unpin + ?Sized),
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let mut download = Download::begin(self, path, start)?;
        let mut buffer = vec![0; PIECE];
        loop {
            let count = download.read(&mut buffer).await?;
            if count == 0 {
                output.flush().await?;
                return Ok(download.at() - start);
            }
            output.write_all(&buffer[..count]).await?;
            download.sent(count).await;
        }
    }

    /// The end of a transfer that is cut on purpose, and of this boot, where the cut is a reboot: it never
    /// comes back then.
    pub(super) async fn cut(&self) -> Refusal {
        if let Some(down_for) = self.server.behaviour.down_for {
            if let Some(back) = self.server.restart(down_for) {
                // It waits for the end of this very transfer. The lab's runtime ends it at the latest.
                tokio::spawn(back);
            }
            std::future::pending::<()>().await;
        }
        Refusal::Cut("dropped on purpose")
    }

    pub(super) fn find(&self, path: &str) -> Result<Arc<File>> {
        self.server
            .device
            .file(path)
            .ok_or(Refusal::NotThere("no such file"))
    }

    /// Where a transfer is cut, in the direction that this kind of server is about.
    pub(super) fn drops_at(&self, kind: ServedKind) -> Option<u64> {
        self.server
            .behaviour
            .drop_at
            .filter(|_| self.server.kind == kind)
    }
}

/// How many bytes may be moved at once without passing one of the offsets where something happens;
/// at least one.
pub(super) fn until(at: u64, most: usize, offsets: &[Option<u64>]) -> usize {
    offsets
        .iter()
        .flatten()
        .filter(|offset| **offset > at)
        .fold(most, |most, offset| {
            usize::try_from(offset - at).map_or(most, |left| most.min(left))
        })
        .max(1)
}

/// Changes the byte at an offset, where it is among these.
pub(super) fn corrupt(offset: Option<u64>, at: u64, bytes: &mut [u8]) {
    if let Some(index) = offset.and_then(|offset| offset.checked_sub(at))
        && let Ok(index) = usize::try_from(index)
        && let Some(byte) = bytes.get_mut(index)
    {
        *byte ^= 0x55;
    }
}

//! What a server stores to and sends from, whatever protocol asks: its device, with the faults of its
//! settings.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::device::File;
use super::draw::Pauses;
use super::life::Boot;
use super::pace::Pace;
use super::server::{ServedKind, Server};

/// Bytes that a transfer moves at once.
const PIECE: usize = 32 * 1024;
/// How long a transfer that is cut waits for bytes that it leaves unread.
const UNREAD: Duration = Duration::from_millis(100);

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

type Result<T> = std::result::Result<T, Refusal>;

/// What only the protocol of a session can do in the middle of an upload.
pub(super) trait Face {
    /// Says that the upload is whole.
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
    async fn while_alive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        (self.server.while_alive(self.boot, work).await)
            .unwrap_or(Err(Refusal::Cut("the server is gone")))
    }

    /// Receives a file into the device; what has arrived stays there, however this ends.
    async fn take(
        &self,
        face: &impl Face,
        mut input: impl AsyncRead + Unpin,
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let server = &*self.server;
        let behaviour = &server.behaviour;
        let (path, file) = self.open_for_writing(path, start)?;
        let drop_at = self.cut(ServedKind::Entity);
        let truncate_at = (behaviour.truncate_at).filter(|_| server.kind == ServedKind::Entity);
        let mut pace = Pace::new(behaviour.rate);
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        let mut pauses = behaviour
            .pause
            .map(|pause| Pauses::new(pause, behaviour.random_pauses, &server.name, start));
        let result = loop {
            if drop_at == Some(at) && server.drops_now() {
                // With bytes that nobody read, the end of a connection is a reset (RFC 1122,
                // section 4.2.2.13); the system's socket is out of reach.
                let _ = tokio::time::timeout(UNREAD, input.read(&mut [0])).await;
                self.go_down().await;
                break Err(Refusal::Cut("dropped on purpose"));
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
            }
            if let Some(pauses) = &mut pauses {
                pauses.reached(at).await;
            }
            let most = until(
                at,
                PIECE.min(pace.slice()),
                &[
                    behaviour.disk_full_at,
                    drop_at,
                    truncate_at,
                    behaviour.silent_at,
                    behaviour.confirm_at,
                    behaviour.hang_up_at,
                    pauses.as_ref().map(Pauses::next),
                ],
            );
            let count = match input.read(&mut buffer[..most]).await {
                Ok(0) => break Ok(at - start),
                Ok(count) => count,
                Err(error) => break Err(Refusal::Io(error)),
            };
            if !server.serves(self.boot) {
                // Silenced or killed while it was read: what polls this stops doing so.
                std::future::pending::<()>().await;
            }
            if behaviour.disk_full_at.is_some_and(|full| at >= full) {
                break Err(Refusal::Full);
            }
            corrupt(behaviour.corrupt_at, at, &mut buffer[..count]);
            if truncate_at.is_none_or(|end| at < end) {
                file.append(server.device.chunks(), &buffer[..count]);
            }
            server.received.add(count as u64);
            at += count as u64;
            pace.moved(count).await;
        };
        file.close();
        drop(input);
        if result.is_ok() {
            self.before_confirmation(&path).await;
        }
        result
    }

    /// The file that an upload goes to, under the name that it really gets.
    fn open_for_writing(&self, path: &str, start: u64) -> Result<(String, Arc<File>)> {
        let (device, behaviour) = (&self.server.device, &self.server.behaviour);
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
        Ok((path, file.ok_or(Refusal::NotThere("no such offset"))?))
    }

    /// What a device does between the last byte of an upload and its confirmation.
    async fn before_confirmation(&self, path: &str) {
        let behaviour = &self.server.behaviour;
        if let Some(time) = behaviour.confirm_after {
            tokio::time::sleep(time).await;
        }
        if behaviour.no_confirm {
            std::future::pending::<()>().await;
        }
        if behaviour.gone_after_store {
            self.server.device.delete(path);
        }
        self.server.stored();
    }

    /// Sends a file of the device.
    async fn give(
        &self,
        output: &mut (impl AsyncWrite + Unpin + ?Sized),
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let server = &*self.server;
        let behaviour = &server.behaviour;
        let file = self.find(path)?;
        if behaviour.no_read {
            return Err(Refusal::Denied("not to be read"));
        }
        let is_source = server.kind == ServedKind::FileServer;
        let size = file.size();
        if start > size {
            return Err(Refusal::NotThere("no such offset"));
        }
        let end = match behaviour.truncate_at {
            Some(early) => size.min(early),
            None => size,
        };
        let drop_at = self.cut(ServedKind::FileServer);
        let silent_at = behaviour.silent_at.filter(|_| is_source);
        let mut pace = Pace::new(behaviour.read_rate.or(behaviour.rate));
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        loop {
            if drop_at == Some(at) && server.drops_now() {
                self.go_down().await;
                return Err(Refusal::Cut("dropped on purpose"));
            }
            if silent_at == Some(at) {
                std::future::pending::<()>().await;
            }
            let dies_at = (behaviour.dies_at)
                .map(|all| at.saturating_add(all.saturating_sub(server.sent.get())));
            if dies_at == Some(at) {
                server.kill();
                // What polls this stops doing so.
                std::future::pending::<()>().await;
            }
            let most = until(
                at,
                PIECE.min(pace.slice()),
                &[Some(end), drop_at, silent_at, dies_at],
            );
            let most = if at < end { most } else { 0 };
            let count = file.read(at, &mut buffer[..most]);
            if count == 0 {
                output.flush().await?;
                return Ok(at - start);
            }
            if is_source {
                corrupt(behaviour.corrupt_at, at, &mut buffer[..count]);
            }
            corrupt(behaviour.corrupt_read_at, at, &mut buffer[..count]);
            output.write_all(&buffer[..count]).await?;
            server.sent.add(count as u64);
            at += count as u64;
            pace.moved(count).await;
        }
    }

    /// The end of this boot, where a cut is one; never comes back then.
    async fn go_down(&self) {
        let Some(down_for) = self.server.behaviour.down_for else {
            return;
        };
        if let Some(back) = self.server.restart(down_for) {
            // It waits for the end of this very transfer. The lab's runtime ends it at the latest.
            tokio::spawn(back);
        }
        std::future::pending::<()>().await;
    }

    pub(super) fn find(&self, path: &str) -> Result<Arc<File>> {
        self.server
            .device
            .file(path)
            .ok_or(Refusal::NotThere("no such file"))
    }

    /// Where a transfer is cut, in the direction that this kind of server is about.
    fn cut(&self, kind: ServedKind) -> Option<u64> {
        self.server
            .behaviour
            .drop_at
            .filter(|_| self.server.kind == kind)
    }
}

/// How many bytes may be moved at once without passing one of the offsets where something happens;
/// at least one.
fn until(at: u64, most: usize, offsets: &[Option<u64>]) -> usize {
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
fn corrupt(offset: Option<u64>, at: u64, bytes: &mut [u8]) {
    if let Some(index) = offset.and_then(|offset| offset.checked_sub(at))
        && let Ok(index) = usize::try_from(index)
        && let Some(byte) = bytes.get_mut(index)
    {
        *byte ^= 0x55;
    }
}

//! A file that a server of the lab sends, a piece at a time: what happens at which byte of it.

use std::sync::Arc;

use super::device::File;
use super::pace::Pace;
use super::served::ServedKind;
use super::storage::{PIECE, Refusal, Result, Storage, corrupt, until};

/// A download.
pub(super) struct Download {
    storage: Storage,
    file: Arc<File>,
    at: u64,
    drop_at: Option<u64>,
    silent_at: Option<u64>,
    pace: Pace,
}

impl Download {
    pub(super) fn begin(storage: &Storage, path: &str, start: u64) -> Result<Self> {
        let server = &*storage.server;
        let behaviour = &server.behaviour;
        let file = storage.find(path)?;
        if behaviour.no_read {
            return Err(Refusal::Denied("not to be read"));
        }
        if start > file.size() {
            return Err(Refusal::NotThere("no such offset"));
        }
        let is_source = server.kind == ServedKind::FileServer;
        Ok(Self {
            storage: storage.clone(),
            file,
            at: start,
            drop_at: storage.drops_at(ServedKind::FileServer),
            silent_at: behaviour.silent_at.filter(|_| is_source),
            pace: Pace::new(behaviour.read_rate.or(behaviour.rate)),
        })
    }

    /// Where the next byte comes from.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Goes on elsewhere.
    pub(super) fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// Fills the buffer with what may be sent at once; 0 at the end.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let server = &*self.storage.server;
        let (behaviour, at) = (&server.behaviour, self.at);
        let size = self.file.size();
        let end = behaviour.truncate_at.map_or(size, |early| size.min(early));
        if self.drop_at == Some(at) && server.drops_now() {
            return Err(self.storage.cut().await);
        }
        if self.silent_at == Some(at) {
            std::future::pending::<()>().await;
        }
        let dies_at =
            (behaviour.dies_at).map(|all| at.saturating_add(all.saturating_sub(server.sent.get())));
        if dies_at == Some(at) {
            server.kill();
            // What polls this stops doing so.
            std::future::pending::<()>().await;
        }
        if at >= end || buffer.is_empty() {
            return Ok(0);
        }
        let most = until(
            at,
            PIECE.min(self.pace.slice()).min(buffer.len()),
            &[Some(end), self.drop_at, self.silent_at, dies_at],
        );
        let count = self.file.read(at, &mut buffer[..most]);
        if server.kind == ServedKind::FileServer {
            corrupt(behaviour.corrupt_at, at, &mut buffer[..count]);
        }
        corrupt(behaviour.corrupt_read_at, at, &mut buffer[..count]);
        Ok(count)
    }

    /// Bytes that were read were sent.
    pub(super) async fn sent(&mut self, count: usize) {
        self.storage.server.sent.add(count as u64);
        self.at += count as u64;
        self.pace.moved(count).await;
    }
}

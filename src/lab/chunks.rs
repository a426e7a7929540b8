//! Memory that files with the same contents share.
//!
//! Twenty entities that got the same 64 MiB image hold 64 MiB together, not 1.25 GiB: every full
//! chunk is looked up among all chunks of the lab, and equal ones are kept once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a full chunk.
pub(super) const CHUNK: usize = 64 * 1024;

type Chunk = Arc<[u8]>;

/// All chunks of a lab by their CRC-32; equality is decided by comparing the bytes themselves.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    by_crc: Mutex<HashMap<u32, Vec<Chunk>>>,
}

impl Chunks {
    /// The shared chunk with these bytes.
    pub(super) fn share(&self, bytes: &[u8]) -> Chunk {
        let crc = crc32fast::hash(bytes);
        let known = self.lock().get(&crc).cloned().unwrap_or_default();
        if let Some(chunk) = known.into_iter().find(|chunk| **chunk == *bytes) {
            return chunk;
        }
        let chunk: Chunk = bytes.into();
        let mut chunks = self.lock();
        let known = chunks.entry(crc).or_default();
        // Another upload of the same image may have been quicker.
        if let Some(other) = known.iter().find(|other| ***other == *bytes) {
            return Arc::clone(other);
        }
        known.push(Arc::clone(&chunk));
        chunk
    }

    /// Forgets the chunks that no file holds any more.
    pub(super) fn sweep(&self) {
        self.lock().retain(|_, chunks| {
            chunks.retain(|chunk| Arc::strong_count(chunk) > 1);
            !chunks.is_empty()
        });
    }

    /// Bytes that are really held.
    pub(super) fn held(&self) -> u64 {
        let held = self.lock();
        held.values()
            .flatten()
            .map(|chunk| chunk.len() as u64)
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Vec<Chunk>>> {
        self.by_crc.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The files of one server, in memory.
//!
//! A file that is being written is there under its name with what has arrived so far, as in a
//! device's flash: a transfer that is cut off leaves a partial file behind. That is what the
//! staging names of subtend are for, so the lab must not be kinder than life.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::behaviour::NameCut;
use super::chunks::{CHUNK, Chunks};
use super::image::Generated;

/// From the modification time of a file to that of the one which replaces it.
const LATER: Duration = Duration::from_secs(60);

/// What a file holds.
#[derive(Debug)]
enum Content {
    Generated(Generated),
    /// Full chunks, and what has arrived of the next.
    Stored {
        full: Vec<Arc<[u8]>>,
        tail: Vec<u8>,
    },
}

/// A file, shared between its name and the transfers that use it.
#[derive(Debug)]
pub(super) struct File {
    content: Mutex<Content>,
    modified: Mutex<SystemTime>,
}

impl File {
    fn new(content: Content) -> Arc<Self> {
        Arc::new(Self {
            content: Mutex::new(content),
            modified: Mutex::new(SystemTime::now()),
        })
    }

    pub(super) fn size(&self) -> u64 {
        match &*lock(&self.content) {
            Content::Generated(generated) => generated.size(),
            Content::Stored { full, tail } => (full.len() * CHUNK + tail.len()) as u64,
        }
    }

    pub(super) fn modified(&self) -> SystemTime {
        *lock(&self.modified)
    }

    /// Fills `out` with the bytes at `offset`; returns how many there are before the end.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        match &*lock(&self.content) {
            Content::Generated(generated) => generated.read(offset, out),
            Content::Stored { full, tail } => {
                let Ok(mut at) = usize::try_from(offset) else {
                    return 0;
                };
                let mut done = 0;
                while done < out.len() {
                    let chunk = full.get(at / CHUNK).map_or(&tail[..], |chunk| &chunk[..]);
                    let start = if at / CHUNK < full.len() {
                        at % CHUNK
                    } else {
                        at - full.len() * CHUNK
                    };
                    let Some(part) = chunk.get(start..).filter(|part| !part.is_empty()) else {
                        break;
                    };
                    let take = part.len().min(out.len() - done);
                    out[done..done + take].copy_from_slice(&part[..take]);
                    done += take;
                    at += take;
                }
                done
            }
        }
    }

    /// Adds bytes at the end.
    pub(super) fn append(&self, chunks: &Chunks, mut bytes: &[u8]) {
        let mut content = lock(&self.content);
        let Content::Stored { full, tail } = &mut *content else {
            // Only files that were opened for writing are written to.
            return;
        };
        while !bytes.is_empty() {
            if tail.capacity() < CHUNK {
                tail.reserve_exact(CHUNK - tail.len());
            }
            let take = bytes.len().min(CHUNK - tail.len());
            tail.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if tail.len() == CHUNK {
                full.push(chunks.share(tail));
                tail.clear();
            }
        }
    }

    /// Whether it is, byte for byte, that file.
    pub(super) fn is(&self, other: &Generated) -> bool {
        let mut buffer = vec![0; CHUNK];
        self.size() == other.size()
            && self.each(|at, bytes| {
                let count = other.read(at, &mut buffer[..bytes.len()]);
                buffer[..count] == *bytes
            })
    }

    /// Calls `check` for each piece until it says no; whether it never did.
    pub(super) fn each(&self, mut check: impl FnMut(u64, &[u8]) -> bool) -> bool {
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        loop {
            let count = self.read(at, &mut buffer);
            if count == 0 {
                return true;
            }
            if !check(at, &buffer[..count]) {
                return false;
            }
            at += count as u64;
        }
    }

    /// Says that nobody writes to it any more.
    pub(super) fn close(&self) {
        if let Content::Stored { tail, .. } = &mut *lock(&self.content) {
            tail.shrink_to_fit();
        }
        *lock(&self.modified) = SystemTime::now();
    }
}

/// What a device makes of the names that it is given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Naming {
    pub(super) cut: Option<NameCut>,
    pub(super) fold_case: bool,
}

impl Naming {
    /// The name under which a file really is.
    fn of(self, path: &str) -> String {
        let path = clean(path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let first = |text: &str, most| text.chars().take(most).collect::<String>();
        let name = match (self.cut, name.split_once('.')) {
            (None, _) => name.to_owned(),
            (Some(NameCut::At(most)), _) => first(name, most),
            // What comes after a second dot is cut off too.
            (Some(NameCut::Dos), Some((stem, rest))) => {
                let end = rest.split('.').next().unwrap_or_default();
                format!("{}.{}", first(stem, 8), first(end, 3))
            }
            (Some(NameCut::Dos), None) => first(name, 8),
        };
        let path = format!("{folder}/{name}");
        match self.fold_case {
            true => path.to_lowercase(),
            false => path,
        }
    }
}

/// The flash of an entity, or the disk of a file server.
#[derive(Debug)]
pub(super) struct Device {
    files: Mutex<BTreeMap<String, Arc<File>>>,
    chunks: Arc<Chunks>,
    naming: Naming,
}

impl Device {
    pub(super) fn new(chunks: Arc<Chunks>) -> Self {
        Self {
            files: Mutex::default(),
            chunks,
            naming: Naming::default(),
        }
    }

    /// The same, empty, with what it makes of names.
    pub(super) fn naming(self, naming: Naming) -> Self {
        Self { naming, ..self }
    }

    pub(super) fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// Puts a generated file there.
    pub(super) fn place(&self, path: &str, generated: Generated) {
        lock(&self.files).insert(
            self.naming.of(path),
            File::new(Content::Generated(generated)),
        );
    }

    /// Puts a generated file in the place of another, later by a time that every server can tell
    /// (`MDTM` knows seconds). Whether there was such a file.
    pub(super) fn replace(&self, path: &str, generated: Generated) -> bool {
        let file = File::new(Content::Generated(generated));
        let mut files = lock(&self.files);
        let Some(old) = files.get_mut(&self.naming.of(path)) else {
            return false;
        };
        *lock(&file.modified) = old.modified() + LATER;
        *old = file;
        true
    }

    pub(super) fn file(&self, path: &str) -> Option<Arc<File>> {
        lock(&self.files).get(&self.naming.of(path)).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        lock(&self.files).keys().cloned().collect()
    }

    /// The file for an upload, kept up to `start` (`REST`), or `None` when it isn't that long.
    pub(super) fn open_for_writing(&self, path: &str, start: u64) -> Option<Arc<File>> {
        let path = self.naming.of(path);
        let file = File::new(Content::Stored {
            full: Vec::new(),
            tail: Vec::new(),
        });
        if start > 0 {
            let old = lock(&self.files).get(&path).cloned()?;
            if old.size() < start {
                return None;
            }
            let mut buffer = vec![0; CHUNK];
            let mut at = 0;
            while at < start {
                let want = usize::try_from(start - at).map_or(CHUNK, |left| left.min(CHUNK));
                let count = old.read(at, &mut buffer[..want]);
                if count == 0 {
                    return None;
                }
                file.append(&self.chunks, &buffer[..count]);
                at += count as u64;
            }
        }
        let replaced = lock(&self.files).insert(path, Arc::clone(&file));
        self.forget(replaced);
        Some(file)
    }

    /// Whether there was such a file.
    pub(super) fn delete(&self, path: &str) -> bool {
        let removed = lock(&self.files).remove(&self.naming.of(path));
        let existed = removed.is_some();
        self.forget(removed);
        existed
    }

    /// Renames, onto an existing file too. Whether there was such a file.
    pub(super) fn rename(&self, from: &str, to: &str) -> bool {
        let replaced = {
            let mut files = lock(&self.files);
            let Some(file) = files.remove(&self.naming.of(from)) else {
                return false;
            };
            files.insert(self.naming.of(to), file)
        };
        self.forget(replaced);
        true
    }

    fn forget(&self, file: Option<Arc<File>>) {
        let stored = file
            .as_ref()
            .is_some_and(|file| matches!(&*lock(&file.content), Content::Stored { .. }));
        drop(file);
        if stored {
            self.chunks.sweep();
        }
    }
}

/// A file that a server of the lab really holds; what it holds may still change.
#[derive(Debug, Clone)]
pub struct StoredFile {
    pub(super) file: Arc<File>,
    pub(super) images: Arc<BTreeMap<String, Generated>>,
}

impl StoredFile {
    pub fn size(&self) -> u64 {
        self.file.size()
    }

    /// Fills `out` with the bytes at `offset`; returns how many there are before the end.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        self.file.read(offset, out)
    }

    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(self.size()).unwrap_or_default()];
        let count = self.read(0, &mut out);
        out.truncate(count);
        out
    }

    pub fn sha256(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        self.file.each(|_, bytes| {
            digest.update(bytes);
            true
        });
        digest.finalize().into()
    }

    /// Whether it is, byte for byte, the image of that name.
    pub fn same_as_image(&self, image: &str) -> bool {
        (self.images.get(image)).is_some_and(|image| self.file.is(image))
    }
}

/// The one spelling of a path: absolute, without `.`, `..` and empty parts.
pub(super) fn clean(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_files_share_their_memory_and_give_it_back() {
        let chunks = Arc::new(Chunks::default());
        let devices: Vec<_> = (0..20).map(|_| Device::new(Arc::clone(&chunks))).collect();
        let mut bytes = vec![0; 10 * CHUNK];
        Generated::new("image", bytes.len() as u64).read(0, &mut bytes);
        for device in &devices {
            let file = device.open_for_writing("a", 0).unwrap();
            // Pieces that never end where a chunk does.
            for piece in bytes.chunks(1000) {
                file.append(&chunks, piece);
            }
            file.close();
            assert_eq!(file.size(), bytes.len() as u64);
        }
        assert_eq!(chunks.held(), bytes.len() as u64);
        for device in &devices {
            assert!(device.delete("/a"));
        }
        assert_eq!(chunks.held(), 0);
    }

    #[test]
    fn an_upload_that_is_resumed_keeps_what_was_there() {
        let device = Device::new(Arc::default());
        let file = device.open_for_writing("/a", 0).unwrap();
        file.append(device.chunks(), &vec![1; CHUNK + 10]);
        let file = device.open_for_writing("x/../a", CHUNK as u64 - 1).unwrap();
        file.append(device.chunks(), &[2, 2]);
        assert_eq!(file.size(), CHUNK as u64 + 1);
        let mut end = [0; 8];
        assert_eq!(file.read(CHUNK as u64 - 2, &mut end), 3);
        assert_eq!(end[..3], [1, 2, 2]);
        assert!(device.open_for_writing("/a", u64::MAX).is_none());
    }
}

//! Reading an image from a file of this host.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::timeout;

use crate::model::{Failure, Fault, Step, Timeouts};
use crate::transport::Source;

use super::fault::Asked;
use super::open::{self, Opened, Stamp, unchanged};
use super::workers::{Call, Workers};

/// Maximum bytes that are read at once: the way to a thread and back costs little beside them.
const MOST: usize = 256 * 1024;

/// One reading of a file. While its bytes are used, the next ones are read.
pub(super) struct FileSource {
    workers: Workers,
    timeouts: Timeouts,
    asked: Asked,
    path: PathBuf,
    stamp: Stamp,
    modified: String,
    /// Offset of the next byte that is given.
    position: u64,
    state: State,
}

enum State {
    Idle(Chunk),
    Reading(Call<(Chunk, io::Result<()>)>),
    /// Nothing changed until the end.
    Ended,
    /// A call did not come back.
    Lost,
}

/// The file, and what was read of it.
struct Chunk {
    file: Arc<File>,
    bytes: Vec<u8>,
    /// What of it was not given yet.
    left: Range<usize>,
}

impl FileSource {
    pub(super) async fn open(
        workers: &Workers,
        timeouts: Timeouts,
        asked: Asked,
        offset: u64,
    ) -> Result<Self, Failure> {
        let Opened { file, path, stamp } = open::open(workers, timeouts, asked.clone()).await?;
        if stamp.size < offset {
            let size = stamp.size;
            let reason = format!("it has {size} bytes, and was to be read from byte {offset} on");
            return Err(Failure::new(Step::Open, Fault::SourceChanged { reason }));
        }
        let chunk = Chunk {
            file: Arc::new(file),
            bytes: Vec::new(),
            left: 0..0,
        };
        Ok(Self {
            workers: workers.clone(),
            timeouts,
            asked,
            path,
            stamp,
            modified: stamp.time(),
            position: offset,
            state: State::Idle(chunk),
        })
    }

    /// Reads on where what was read is given. `room`: bytes that are wanted next.
    fn begin(&mut self, mut chunk: Chunk, room: usize) {
        let at = self.position;
        let left = usize::try_from(self.stamp.size - at).unwrap_or(MOST);
        let most = room.clamp(1, MOST).min(left);
        self.state = State::Reading(self.workers.begin(move || {
            chunk.bytes.resize(most, 0);
            let read = fill(&chunk.file, at, &mut chunk.bytes);
            chunk.left = 0..read.as_ref().map_or(0, |count| *count);
            (chunk, read.map(|_| ()))
        }));
    }

    /// Waits for what is being read.
    async fn arrived(&mut self) -> Result<(), Failure> {
        let State::Reading(call) = &mut self.state else {
            return Ok(());
        };
        let after = self.timeouts.progress;
        let done = timeout(after, call).await;
        self.state = State::Lost;
        let failed = |fault| Failure::new(Step::Read, fault);
        let (chunk, read) =
            (done.map_err(|_| failed(Fault::Stalled { after }))?).map_err(failed)?;
        read.map_err(|error| failed(self.asked.fault(&self.asked.path, &error)))?;
        if chunk.left.is_empty() {
            // It is shorter than it was when it was opened.
            self.check(chunk.file).await?;
            let (read, size) = (self.position, self.stamp.size);
            return Err(failed(Fault::ShortImage { read, size }));
        }
        self.state = State::Idle(chunk);
        Ok(())
    }

    /// Whether what was read is all from one file.
    async fn check(&mut self, file: Arc<File>) -> Result<(), Failure> {
        let (asked, path, stamp) = (self.asked.clone(), self.path.clone(), self.stamp);
        let check = move || unchanged(&asked, (&file, &path), &stamp);
        let limit = ("stat", self.timeouts.reply);
        self.workers.run(Step::Read, limit, check).await
    }
}

/// Reads until the buffer is full, or the file ends.
fn fill(mut file: &File, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What came before the error is good.
            Err(_) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[async_trait]
impl Source for FileSource {
    fn size(&self) -> Option<u64> {
        Some(self.stamp.size)
    }

    fn modified(&self) -> Option<&str> {
        Some(&self.modified)
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Lost) {
                State::Idle(mut chunk) if !chunk.left.is_empty() => {
                    let count = chunk.left.len().min(buffer.len());
                    let from = chunk.left.start;
                    buffer[..count].copy_from_slice(&chunk.bytes[from..from + count]);
                    chunk.left.start += count;
                    self.position += count as u64;
                    match chunk.left.is_empty() && self.position < self.stamp.size {
                        true => self.begin(chunk, buffer.len()),
                        false => self.state = State::Idle(chunk),
                    }
                    return Ok(count);
                }
                State::Idle(chunk) if self.position >= self.stamp.size => {
                    self.check(chunk.file).await?;
                    self.state = State::Ended;
                }
                State::Idle(chunk) => self.begin(chunk, buffer.len()),
                reading @ State::Reading(_) => {
                    self.state = reading;
                    self.arrived().await?;
                }
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(0);
                }
                State::Lost => {
                    let reason = "the file is not read any more".to_owned();
                    return Err(Failure::new(Step::Read, Fault::Local(reason)));
                }
            }
        }
    }

    async fn close(self: Box<Self>) {}
}

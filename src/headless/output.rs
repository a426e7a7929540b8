//! Where printed bytes go: a thread of its own that alone may wait for the reader.
//!
//! A pipe whose reader is slow, a terminal stopped with Ctrl-S, a closed standard output: the thread
//! waits or gives up, the run goes on. Views look at [`Output::is_idle`] before they print figures
//! that may be skipped, so what waits to be written stays small.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

/// Bytes, about, that are written in one go.
const BATCH: usize = 64 << 10;
/// A reader that set its pipe to non-blocking is asked again after this time.
const AGAIN: Duration = Duration::from_millis(20);

/// The sender's end. Dropped without [`Output::finish`], it leaves the thread to write what it has.
#[derive(Debug)]
pub(super) struct Output {
    bytes: Option<Sender<Vec<u8>>>,
    state: Arc<State>,
    done: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// Handed over and not yet written.
    waiting: AtomicUsize,
    closed: AtomicBool,
    /// Why nothing more is written.
    failure: OnceLock<io::Error>,
}

impl Output {
    /// # Errors
    /// When the host has no thread left.
    pub(super) fn start(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (bytes, receiver) = mpsc::channel();
        let (tell, done) = oneshot::channel();
        let state = Arc::new(State::default());
        let thread = std::thread::Builder::new()
            .name("subtend-output".into())
            .spawn({
                let state = state.clone();
                move || {
                    pump(writer, &receiver, &state);
                    // The other end may have left without waiting.
                    let _ = tell.send(());
                }
            })?;
        Ok(Self {
            bytes: Some(bytes),
            state,
            done,
            thread: Some(thread),
        })
    }

    /// Never waits. Does nothing once the reader is gone.
    pub(super) fn write(&self, bytes: Vec<u8>) {
        if bytes.is_empty() || self.is_closed() {
            return;
        }
        if let Some(sender) = &self.bytes {
            self.state.waiting.fetch_add(bytes.len(), Ordering::AcqRel);
            // The thread ends early only when the reader is gone.
            let _ = sender.send(bytes);
        }
    }

    pub(super) fn line(&self, line: &str) {
        self.write(format!("{line}\n").into_bytes());
    }

    /// Whether everything was written: there is room for figures that may be skipped.
    pub(super) fn is_idle(&self) -> bool {
        self.state.waiting.load(Ordering::Acquire) == 0
    }

    /// Whether the reader is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.state.closed.load(Ordering::Acquire)
    }

    /// Why not everything was printed, in words.
    pub(super) fn failure(&self) -> Option<String> {
        let error = self.state.failure.get()?;
        Some(match error.kind() {
            io::ErrorKind::BrokenPipe => "whoever read standard output has closed it".into(),
            _ => format!("standard output can't be written: {error}"),
        })
    }

    /// Waits until everything is written or the reader is gone. Safe to give up and call again.
    pub(super) async fn finish(&mut self) {
        self.bytes = None;
        if let Some(thread) = &self.thread {
            if !thread.is_finished() {
                // An error means that the thread is gone: as good as done.
                let _ = (&mut self.done).await;
            }
            if let Some(thread) = self.thread.take() {
                // It has said that it is done, so this returns at once.
                let _ = thread.join();
            }
        }
    }
}

fn pump(mut writer: impl Write, receiver: &Receiver<Vec<u8>>, state: &State) {
    let mut batch = Vec::new();
    while let Ok(bytes) = receiver.recv() {
        batch.clear();
        batch.extend_from_slice(&bytes);
        while batch.len() < BATCH {
            match receiver.try_recv() {
                Ok(bytes) => batch.extend_from_slice(&bytes),
                Err(_) => break,
            }
        }
        if let Err(error) = write(&mut writer, &batch) {
            let _ = state.failure.set(error);
            state.closed.store(true, Ordering::Release);
            return;
        }
        state.waiting.fetch_sub(batch.len(), Ordering::AcqRel);
    }
}

fn write(writer: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) => retry(error)?,
        }
    }
    loop {
        match writer.flush() {
            Ok(()) => return Ok(()),
            Err(error) => retry(error)?,
        }
    }
}

fn retry(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => {
            std::thread::sleep(AGAIN);
            Ok(())
        }
        _ => Err(error),
    }
}

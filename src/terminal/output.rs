//! Bytes out: a thread of its own that alone may wait for their reader.
//!
//! A terminal stopped with Ctrl-S, a serial server's XOFF, a stalled connection, a pipe whose reader is
//! slow, a closed standard output: the thread waits or gives up, everything else goes on. What may be
//! skipped (a picture, figures) is made only when nothing is on its way ([`Output::is_idle`]), so that
//! what is shown next is the newest, and what waits to be written stays small.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The rate is the mean over this time.
const WINDOW: Duration = Duration::from_secs(10);
/// Bytes, about, that are written in one go.
const BATCH: usize = 64 << 10;
/// What is non-blocking, because others share it, is asked again after this time.
const AGAIN: Duration = Duration::from_millis(20);

/// What the terminal has been sent, for the log page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OutputFigures {
    /// Bytes since the console was opened.
    pub(crate) total: u64,
    /// Bytes a second over the last ten seconds.
    pub(crate) per_second: u64,
}

/// The sender's end. Dropped without [`Output::finish`], it leaves the thread to write what it has; nobody
/// waits for that, since a terminal may never read again.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Option<Sender<Vec<u8>>>,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
    total: u64,
    recent: VecDeque<(Instant, u64)>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes handed over and not yet written.
    waiting: AtomicUsize,
    /// The thread has ended.
    ended: AtomicBool,
    /// `waiting` became nothing, or the thread has ended.
    changed: Notify,
    /// Why nothing more is written.
    failure: OnceLock<io::Error>,
}

impl Output {
    /// # Errors
    /// When the host has no thread left.
    pub(crate) fn start(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let (bytes, receiver) = mpsc::channel();
        let state = Arc::new(State::default());
        let shared = state.clone();
        let thread = std::thread::Builder::new()
            .name("subtend-output".into())
            .spawn(move || pump(writer, &receiver, &shared))?;
        Ok(Self {
            bytes: Some(bytes),
            state,
            thread: Some(thread),
            total: 0,
            recent: VecDeque::new(),
        })
    }

    /// Never waits. Does nothing once the reader is gone.
    pub(crate) fn write(&self, bytes: Vec<u8>) {
        if bytes.is_empty() || self.is_lost() {
            return;
        }
        if let Some(sender) = &self.bytes {
            self.state.waiting.fetch_add(bytes.len(), Ordering::AcqRel);
            // The thread ends early only when the reader is gone.
            let _ = sender.send(bytes);
        }
    }

    pub(crate) fn line(&self, line: &str) {
        self.write(format!("{line}\n").into_bytes());
    }

    /// Sends a picture; never waits. One that comes while something else is on its way is not taken: `false`.
    pub(crate) fn send(&mut self, picture: Vec<u8>, now: Instant) -> bool {
        if picture.is_empty() {
            return true;
        }
        if self.is_lost() || !self.is_idle() {
            return false;
        }
        let bytes = picture.len() as u64;
        self.write(picture);
        self.total += bytes;
        self.recent.push_back((now, bytes));
        true
    }

    /// Whether everything has arrived: there is room for what may be skipped.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.waiting.load(Ordering::Acquire) == 0
    }

    /// Whether the reader is gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.state.ended.load(Ordering::Acquire)
    }

    /// Why it is gone.
    pub(crate) fn failure(&self) -> Option<&io::Error> {
        self.state.failure.get()
    }

    /// Waits until everything has arrived or the reader is gone.
    pub(crate) async fn idle(&self) {
        self.until(|output| output.is_idle() || output.is_lost())
            .await;
    }

    /// The last: waits until everything is written or the reader is gone. Safe to give up and call again.
    pub(crate) async fn finish(&mut self) {
        self.bytes = None;
        self.until(Self::is_lost).await;
        if let Some(thread) = self.thread.take() {
            // It has said that it is done, so this returns at once.
            let _ = thread.join();
        }
    }

    async fn until(&self, reached: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if reached(self) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn figures(&mut self, now: Instant) -> OutputFigures {
        while let Some((at, _)) = self.recent.front() {
            if now.saturating_duration_since(*at) < WINDOW {
                break;
            }
            self.recent.pop_front();
        }
        let bytes: u64 = self.recent.iter().map(|(_, bytes)| bytes).sum();
        OutputFigures {
            total: self.total,
            per_second: bytes / WINDOW.as_secs(),
        }
    }
}

fn pump(mut writer: impl Write, receiver: &Receiver<Vec<u8>>, state: &State) {
    // Also when the writer panics, nobody waits for this thread.
    struct Ended<'a>(&'a State);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.ended.store(true, Ordering::Release);
            self.0.changed.notify_waiters();
        }
    }
    let _ended = Ended(state);
    while let Ok(mut batch) = receiver.recv() {
        while batch.len() < BATCH {
            match receiver.try_recv() {
                Ok(bytes) => batch.extend_from_slice(&bytes),
                Err(_) => break,
            }
        }
        if let Err(error) = write(&mut writer, &batch) {
            let _ = state.failure.set(error);
            return;
        }
        state.waiting.fetch_sub(batch.len(), Ordering::AcqRel);
        state.changed.notify_waiters();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that reads only when it is let.
    struct Stopped {
        may: Receiver<io::Result<()>>,
        seen: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().unwrap_or(Ok(()))?;
            let _ = self.seen.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stopped() -> (Output, mpsc::Sender<io::Result<()>>, Receiver<Vec<u8>>) {
        let (let_it, may) = mpsc::channel();
        let (seen, pictures) = mpsc::channel();
        (
            Output::start(Stopped { may, seen }).unwrap(),
            let_it,
            pictures,
        )
    }

    async fn ready(output: &Output) {
        tokio::time::timeout(Duration::from_secs(10), output.idle())
            .await
            .expect("the terminal reads again");
    }

    #[tokio::test]
    async fn while_a_terminal_does_not_read_one_picture_is_on_its_way_and_no_other_is_taken() {
        let (mut output, let_it, pictures) = stopped();
        let now = Instant::now();
        assert!(output.send(b"first".to_vec(), now));
        assert!(!output.is_idle());
        for _ in 0..100 {
            assert!(!output.send(b"in between".to_vec(), now));
        }
        let_it.send(Ok(())).unwrap();
        ready(&output).await;
        assert!(output.send(b"newest".to_vec(), now));
        let_it.send(Ok(())).unwrap();
        ready(&output).await;
        assert_eq!(pictures.recv().unwrap(), b"first");
        assert_eq!(pictures.recv().unwrap(), b"newest");
        assert_eq!(output.figures(now).total, 11);
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_told_with_its_cause() {
        let (mut output, let_it, _pictures) = stopped();
        assert!(output.send(b"picture".to_vec(), Instant::now()));
        let_it.send(Err(io::Error::other("hung up"))).unwrap();
        ready(&output).await;
        assert!(output.is_lost());
        assert_eq!(output.failure().unwrap().to_string(), "hung up");
        assert!(!output.send(b"another".to_vec(), Instant::now()));
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut output = Output::start(io::sink()).unwrap();
        let begin = Instant::now();
        let send = |output: &mut Output, after: u64| {
            while !output.is_idle() {
                std::thread::yield_now();
            }
            assert!(output.send(vec![b'x'; 5000], begin + Duration::from_secs(after)));
        };
        send(&mut output, 0);
        send(&mut output, 8);
        let mut at = |seconds| output.figures(begin + Duration::from_secs(seconds));
        let figures = |total, per_second| OutputFigures { total, per_second };
        assert_eq!(at(9), figures(10_000, 1000));
        assert_eq!(at(12), figures(10_000, 500));
        assert_eq!(at(18), figures(10_000, 0));
    }
}

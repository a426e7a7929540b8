//! Bytes out: a thread of its own that alone may wait for the terminal.
//!
//! A terminal can stop reading (Ctrl-S, a serial server's XOFF, a stalled connection). Then one
//! picture is on its way, no other is drawn until it has arrived, and the one drawn next is the
//! newest: pictures in between are never made.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Over this time the bytes a second are reckoned.
const WINDOW: Duration = Duration::from_secs(10);

/// A terminal that is non-blocking is asked again after this time.
const AGAIN: Duration = Duration::from_millis(20);

/// What the terminal has been sent, for the log page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OutputFigures {
    /// Bytes since the console was opened.
    pub(crate) total: u64,
    /// Bytes a second over the last ten seconds.
    pub(crate) per_second: u64,
}

#[derive(Debug)]
pub(crate) struct Output {
    pictures: SyncSender<Vec<u8>>,
    state: Arc<State>,
    total: u64,
    recent: VecDeque<(Instant, u64)>,
}

#[derive(Debug, Default)]
struct State {
    busy: AtomicBool,
    lost: AtomicBool,
    /// `busy` or `lost` has changed.
    changed: Notify,
    /// When the thread ended and why: an error of the terminal, for the log.
    error: Mutex<Option<io::Error>>,
}

impl Output {
    /// The thread ends when this is dropped and what is on its way has arrived or was given up by
    /// the host; nobody waits for it, since a terminal may never read again.
    ///
    /// # Errors
    /// When the host has no thread left.
    pub(crate) fn start(terminal: impl Write + Send + 'static) -> io::Result<Self> {
        // One picture at a time: `busy` is set until it was written.
        let (pictures, receiver) = mpsc::sync_channel(1);
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::Builder::new()
            .name("subtend-output".into())
            .spawn(move || pump(terminal, &receiver, &shared))?;
        Ok(Self {
            pictures,
            state,
            total: 0,
            recent: VecDeque::new(),
        })
    }

    /// Whether the last picture has arrived, so that another may be sent.
    pub(crate) fn is_ready(&self) -> bool {
        !self.state.busy.load(Ordering::Acquire)
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.state.lost.load(Ordering::Acquire)
    }

    /// Why the terminal is lost, the first time that it is asked for.
    pub(crate) fn error(&self) -> Option<io::Error> {
        let mut error = self.state.error.lock();
        error
            .as_mut()
            .map_or_else(|poisoned| poisoned.get_mut().take(), |error| error.take())
    }

    /// Waits until the last picture has arrived or the terminal is lost.
    pub(crate) async fn ready(&self) {
        loop {
            let changed = self.state.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_ready() || self.is_lost() {
                return;
            }
            changed.await;
        }
    }

    /// Sends a picture; never waits. One that comes while another is on its way is not taken:
    /// `false`.
    pub(crate) fn send(&mut self, picture: Vec<u8>, now: Instant) -> bool {
        if picture.is_empty() {
            return true;
        }
        if self.is_lost() || self.state.busy.swap(true, Ordering::AcqRel) {
            return false;
        }
        let bytes = picture.len() as u64;
        if self.pictures.try_send(picture).is_err() {
            // The thread is gone, and has said why.
            self.state.busy.store(false, Ordering::Release);
            return false;
        }
        self.total += bytes;
        self.recent.push_back((now, bytes));
        true
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

fn pump(mut terminal: impl Write, pictures: &Receiver<Vec<u8>>, state: &State) {
    // Also when the terminal's writer panics, nobody waits for this thread.
    struct Gone<'a>(&'a State);
    impl Drop for Gone<'_> {
        fn drop(&mut self) {
            self.0.lost.store(true, Ordering::Release);
            self.0.changed.notify_waiters();
        }
    }
    let _gone = Gone(state);
    while let Ok(picture) = pictures.recv() {
        if let Err(error) = write(&mut terminal, &picture) {
            let mut place = state.error.lock().unwrap_or_else(PoisonError::into_inner);
            *place = Some(error);
            return;
        }
        state.busy.store(false, Ordering::Release);
        state.changed.notify_waiters();
    }
}

fn write(terminal: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match terminal.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Whoever shares the terminal may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(AGAIN),
            Err(error) => return Err(error),
        }
    }
    terminal.flush()
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
        tokio::time::timeout(Duration::from_secs(10), output.ready())
            .await
            .expect("the terminal reads again");
    }

    #[tokio::test]
    async fn while_a_terminal_does_not_read_one_picture_is_on_its_way_and_no_other_is_taken() {
        let (mut output, let_it, pictures) = stopped();
        let now = Instant::now();
        assert!(output.send(b"first".to_vec(), now));
        assert!(!output.is_ready());
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
        assert_eq!(output.error().unwrap().to_string(), "hung up");
        assert!(!output.send(b"another".to_vec(), Instant::now()));
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let mut output = Output::start(io::sink()).unwrap();
        let begin = Instant::now();
        let send = |output: &mut Output, after: u64| {
            while !output.is_ready() {
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

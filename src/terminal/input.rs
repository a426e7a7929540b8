//! Keys in: a thread of its own that waits for the terminal, and for nothing else.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use secrecy::zeroize::Zeroize;
use tokio::sync::mpsc;

use super::keys::{Parser, Press};

/// Presses that wait for the loop.
const WAITING: usize = 64;
/// It ends at once; should it not, nobody waits longer.
const LEAVING: Duration = Duration::from_millis(100);

/// The terminal's input. The channel ends when the terminal is gone.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) presses: mpsc::Receiver<Press>,
    /// Dropped, it wakes the thread, which then ends.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Input {
    /// # Errors
    /// When there is no terminal, or the host has no thread or file left.
    pub(crate) fn start() -> io::Result<Self> {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            Self::read(stdin.as_fd().try_clone_to_owned()?.into())
        } else {
            Self::read(File::open("/dev/tty")?)
        }
    }

    fn read(tty: File) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        let (sender, presses) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("subtend-input".into())
            .spawn(move || pump(tty, &woken, &sender))?;
        Ok(Self {
            presses,
            wake: Some(wake),
            thread: Some(thread),
        })
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.presses.close();
        self.wake = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It could wait in a read if another process took the bytes that woke it.
        let began = std::time::Instant::now();
        while !thread.is_finished() && began.elapsed() < LEAVING {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

fn pump(mut tty: File, woken: &UnixStream, sender: &mpsc::Sender<Press>) {
    let mut parser = Parser::default();
    let mut bytes = [0; 1024];
    let mut presses = Vec::new();
    loop {
        let timeout = parser
            .patience()
            .and_then(|wait| PollTimeout::try_from(wait).ok())
            .unwrap_or(PollTimeout::NONE);
        let (tty_says, wake_says) = {
            let mut fds = [
                PollFd::new(tty.as_fd(), PollFlags::POLLIN),
                PollFd::new(woken.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            let says = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::empty());
            (says(&fds[0]), says(&fds[1]))
        };
        if !wake_says.is_empty() {
            return;
        }
        if tty_says.is_empty() {
            parser.expire(&mut presses);
        } else {
            // A terminal that is gone is readable too: an end or an error comes out of it.
            match tty.read(&mut bytes) {
                Ok(0) => return,
                Ok(count) => {
                    parser.feed(&bytes[..count], &mut presses);
                    // A password may be among them.
                    bytes[..count].zeroize();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if tty_says.contains(PollFlags::POLLHUP) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
        for press in presses.drain(..) {
            if sender.blocking_send(press).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    fn line() -> (UnixStream, Input) {
        let (operator, tty) = UnixStream::pair().unwrap();
        (operator, Input::read(OwnedFd::from(tty).into()).unwrap())
    }

    async fn next(input: &mut Input) -> Option<Press> {
        tokio::time::timeout(Duration::from_secs(10), input.presses.recv())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn keys_arrive_a_lone_escape_too_and_a_line_that_ends_ends_the_channel() {
        let (mut operator, mut input) = line();
        operator.write_all(b"q\x1b").unwrap();
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            let press = Press::Key(KeyEvent::new(code, KeyModifiers::NONE));
            assert_eq!(next(&mut input).await, Some(press));
        }
        drop(operator);
        assert_eq!(next(&mut input).await, None);
    }

    #[tokio::test]
    async fn the_thread_ends_with_its_owner_although_the_line_is_silent() {
        let (operator, mut input) = line();
        let thread = input.thread.take().unwrap();
        drop(input);
        let joined = tokio::task::spawn_blocking(move || thread.join());
        tokio::time::timeout(Duration::from_secs(10), joined)
            .await
            .expect("it ends")
            .unwrap()
            .unwrap();
        drop(operator);
    }
}

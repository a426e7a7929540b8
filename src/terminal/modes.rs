//! The terminal taken over, and given back whatever happens.
//!
//! What has to be given back is kept in one place for the whole process, so that the report of a
//! panic can give it back as well as the end of the console.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{self, FlushArg, SetArg, Termios};

/// Alternate screen; cursor hidden; no bracketed paste.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004l";
/// Clicks, told with numbers instead of single bytes.
const MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
/// CAN ends a sequence that was cut short. Whatever could have been switched on is switched off;
/// a terminal without an alternate screen gets its prompt on a line below the picture.
const LEAVE: &str = "\x18\x1b[m\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[999;1H\r\n\x1b[?1049l\x1b[?25h";
/// A terminal that does not read for this long gets what it has not read thrown away, and after
/// this long again is left as it is.
const STUCK: Duration = Duration::from_millis(500);
/// The number of portions.
const TIMES: u32 = 10;

/// What has to be given back; `None` while the terminal is not ours.
static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    tty: File,
    modes: Termios,
}

/// What the loop asks of a terminal.
pub(crate) trait Device {
    /// What it has to be sent first, whenever it has been taken over.
    fn entry(&self) -> Vec<u8>;

    /// Whether it is still ours: it is given back to print the report of a panic.
    fn is_ours(&self) -> bool;

    /// Whether it is gone: hung up, or its line lost.
    fn is_gone(&self) -> bool;

    /// Columns and rows; 80x24 where the terminal does not know.
    fn size(&self) -> (u16, u16);

    /// Gives it back and stops this process, until the shell continues it; then takes it over
    /// again.
    fn suspend(&self) -> io::Result<()>;

    /// Takes it over again after somebody else has used it.
    fn resume(&self) -> io::Result<()>;
}

/// The terminal, ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Terminal {
    tty: File,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal of standard output over. What [`Terminal::entry`] says is to be written
    /// before anything else.
    ///
    /// # Errors
    /// When standard output is no terminal, or one that is gone.
    pub(crate) fn take(mouse: bool) -> io::Result<Self> {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "standard output is no terminal; `subtend run` works without one",
            ));
        }
        let tty = File::from(stdout.as_fd().try_clone_to_owned()?);
        let terminal = Self { tty, mouse };
        terminal.seize()?;
        Ok(terminal)
    }

    fn seize(&self) -> io::Result<()> {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        // Not given back since: what stands there now may be our own modes.
        if taken.is_none() {
            *taken = Some(Taken {
                tty: self.tty.try_clone()?,
                modes: termios::tcgetattr(&self.tty)?,
            });
        }
        let Some(Taken { modes, .. }) = taken.as_ref() else {
            return Ok(());
        };
        let mut raw = modes.clone();
        termios::cfmakeraw(&mut raw);
        if let Err(error) = termios::tcsetattr(&self.tty, SetArg::TCSANOW, &raw) {
            *taken = None;
            return Err(error.into());
        }
        Ok(())
    }

    pub(crate) fn writer(&self) -> io::Result<File> {
        self.tty.try_clone()
    }
}

impl Device for Terminal {
    fn entry(&self) -> Vec<u8> {
        let mouse = if self.mouse { MOUSE } else { "" };
        [ENTER, mouse].concat().into_bytes()
    }

    fn is_ours(&self) -> bool {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        taken.is_some()
    }

    fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(self.tty.as_fd(), PollFlags::empty())];
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        poll(&mut fds, PollTimeout::ZERO).is_ok()
            && fds[0].revents().is_some_and(|says| says.intersects(gone))
    }

    fn size(&self) -> (u16, u16) {
        match crossterm::terminal::window_size() {
            Ok(size) if size.columns > 0 && size.rows > 0 => (size.columns, size.rows),
            _ => (80, 24),
        }
    }

    fn suspend(&self) -> io::Result<()> {
        give_back();
        // To this thread, which stops before it returns; a signal to the process could stop it
        // only after the terminal was taken over again.
        raise(Signal::SIGTSTP)?;
        self.seize()
    }

    fn resume(&self) -> io::Result<()> {
        self.seize()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back if it was taken over: modes, screen, cursor, mouse, attributes. For
/// reports of panics, which would be lost on the screen of the console. Waits a second at most.
pub fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Taken { tty, modes }) = taken else {
        return;
    };
    // A terminal that does not read must not hold up the end.
    let (tell, done) = mpsc::channel();
    let written = tty.try_clone().and_then(|mut tty| {
        std::thread::Builder::new()
            .name("subtend-leave".into())
            .spawn(move || {
                let _ = tty.write_all(LEAVE.as_bytes()).and_then(|()| tty.flush());
                let _ = tell.send(());
            })
    });
    if written.is_ok() && done.recv_timeout(STUCK).is_err() {
        // What it has not read is of no use any more, and in the way of what matters. A picture
        // can be longer than what the host holds for a terminal.
        for _ in 0..TIMES {
            let _ = termios::tcflush(&tty, FlushArg::TCOFLUSH);
            if done.recv_timeout(STUCK / TIMES).is_ok() {
                break;
            }
        }
    }
    // It may be gone: then there is nothing to give back.
    let _ = termios::tcsetattr(&tty, SetArg::TCSANOW, &modes);
}

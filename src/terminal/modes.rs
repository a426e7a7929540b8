//! The terminal taken over, and given back whatever happens.
//!
//! What has to be given back is known in one place for the whole process, so that the report of a
//! panic can give it back as well as the end of the console.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture};
use crossterm::queue;
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::sys::termios::{self, FlushArg};

use super::notices::Understands;

/// Clicks alone, reported with numbers instead of single bytes: crossterm's command asks for each move of the mouse too,
/// which a slow line would have to carry.
const CLICKS: &str = "\x1b[?1000h\x1b[?1006h";
/// The keypad sends digits and Enter as the other keys do (DECKPNM): crossterm knows no others.
const KEYPAD: &str = "\x1b>";
/// Ends a sequence that was cut short.
const CAN: &str = "\x18";
/// A terminal that does not read for this long gets what it has not read thrown away, and after
/// this long again is left as it is.
const STUCK: Duration = Duration::from_millis(500);
/// The number of portions.
const TIMES: u32 = 10;

/// The terminal, while it is ours. crossterm keeps the modes that it had before.
static TAKEN: Mutex<Option<(File, Understands)>> = Mutex::new(None);

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
    understands: Understands,
}

impl Terminal {
    /// Takes the terminal of standard output over. What [`Terminal::entry`] says is to be written
    /// before anything else.
    ///
    /// # Errors
    /// When standard output is no terminal, or one that is gone.
    pub(crate) fn take(mouse: bool, understands: Understands) -> io::Result<Self> {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "standard output is no terminal; `subtend run` works without one",
            ));
        }
        let tty = File::from(stdout.as_fd().try_clone_to_owned()?);
        let terminal = Self {
            tty,
            mouse,
            understands,
        };
        terminal.seize()?;
        Ok(terminal)
    }

    fn seize(&self) -> io::Result<()> {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.is_some() {
            // Somebody else may have set modes since; ours are set again, and the first ones kept.
            disable_raw_mode()?;
        }
        *taken = None;
        let tty = self.tty.try_clone()?;
        enable_raw_mode()?;
        *taken = Some((tty, self.understands));
        Ok(())
    }

    pub(crate) fn writer(&self) -> io::Result<File> {
        self.tty.try_clone()
    }
}

impl Device for Terminal {
    fn entry(&self) -> Vec<u8> {
        let clicks = Print(if self.mouse { CLICKS } else { "" });
        bytes(|out| {
            queue!(
                out,
                EnterAlternateScreen,
                Hide,
                DisableBracketedPaste,
                Print(KEYPAD),
                Print(self.understands.enter()),
                clicks
            )
        })
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
    let Some((tty, understands)) = taken else {
        return;
    };
    // A terminal that does not read must not hold up the end.
    let (tell, done) = mpsc::channel();
    let written = tty.try_clone().and_then(|mut tty| {
        std::thread::Builder::new()
            .name("subtend-leave".into())
            .spawn(move || {
                let _ = tty
                    .write_all(&leave(understands))
                    .and_then(|()| tty.flush());
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
    let _ = disable_raw_mode();
}

/// Whatever could have been switched on is switched off; a terminal without an alternate screen gets its prompt on a
/// line below the picture.
fn leave(understands: Understands) -> Vec<u8> {
    bytes(|out| {
        queue!(
            out,
            Print(CAN),
            SetAttribute(Attribute::Reset),
            Print(understands.leave()),
            DisableMouseCapture,
            DisableBracketedPaste,
            MoveTo(0, 998),
            Print("\r\n"),
            LeaveAlternateScreen,
            Show,
        )
    })
}

fn bytes(commands: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = commands(&mut out);
    out
}

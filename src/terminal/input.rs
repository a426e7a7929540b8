//! Keys in: a thread of its own that waits for the terminal, and for nothing else.
//!
//! The keys are crossterm's. It is asked only when the terminal has something to read and is not gone: its reader
//! can't be stopped while it waits, and does not say that a terminal has vanished.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use crossterm::event::{self, Event};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc;

use super::mender::Mender;

/// Events that wait for the loop.
const WAITING: usize = 64;
/// Time that crossterm has to look whether more has come; nothing is reported in less.
const MORE: Duration = Duration::from_millis(1);
/// It ends at once; should it not, nobody waits longer.
const LEAVING: Duration = Duration::from_millis(100);

/// The terminal's input. The channel ends when the terminal is gone.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) events: mpsc::Receiver<Event>,
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
            Self::read(stdin.as_fd().try_clone_to_owned()?.into(), typed)
        } else {
            Self::read(File::open("/dev/tty")?, typed)
        }
    }

    fn read(
        tty: File,
        typed: impl FnMut(&mut Vec<Event>) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        let (sender, events) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("subtend-input".into())
            .spawn(move || pump(&tty, &woken, &sender, typed))?;
        Ok(Self {
            events,
            wake: Some(wake),
            thread: Some(thread),
        })
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.events.close();
        self.wake = None;
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It could wait in a read for the rest of a key, or if another process took the bytes that woke it.
        let began = std::time::Instant::now();
        while !thread.is_finished() && began.elapsed() < LEAVING {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

/// What has been typed, all of it, as crossterm sees it.
fn typed(events: &mut Vec<Event>) -> io::Result<()> {
    while event::poll(MORE)? {
        events.push(event::read()?);
    }
    Ok(())
}

fn pump(
    tty: &File,
    woken: &UnixStream,
    sender: &mpsc::Sender<Event>,
    mut typed: impl FnMut(&mut Vec<Event>) -> io::Result<()>,
) {
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let mut mender = Mender::default();
    let (mut events, mut mended) = (Vec::new(), Vec::new());
    loop {
        let timeout = (mender.patience())
            .and_then(|wait| PollTimeout::try_from(wait).ok())
            .unwrap_or(PollTimeout::NONE);
        let mut fds = [
            PollFd::new(tty.as_fd(), PollFlags::POLLIN),
            PollFd::new(woken.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout) {
            Ok(0) => mender.expire(&mut mended),
            Ok(_) => {
                let [tty, woken] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
                if tty.intersects(gone) || !woken.is_empty() || typed(&mut events).is_err() {
                    return;
                }
            }
            Err(Errno::EINTR) => {}
            Err(_) => return,
        }
        for event in events.drain(..) {
            mender.feed(event, &mut mended);
        }
        for event in mended.drain(..) {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::OwnedFd;

    use crossterm::event::KeyCode;

    use super::*;

    /// A line, and a reader of letters and ESC instead of crossterm's, which reads the terminal of the process alone.
    fn line() -> (UnixStream, Input) {
        let (operator, tty) = UnixStream::pair().unwrap();
        let mut bytes = tty.try_clone().unwrap();
        let typed = move |events: &mut Vec<Event>| {
            let mut byte = [0];
            bytes.read_exact(&mut byte)?;
            let code = match byte[0] {
                0x1b => KeyCode::Esc,
                letter => KeyCode::Char(letter.into()),
            };
            events.push(Event::Key(code.into()));
            Ok(())
        };
        let input = Input::read(OwnedFd::from(tty).into(), typed).unwrap();
        (operator, input)
    }

    async fn next(input: &mut Input) -> Option<Event> {
        tokio::time::timeout(Duration::from_secs(10), input.events.recv())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn keys_arrive_a_lone_escape_too_and_a_line_that_ends_ends_the_channel() {
        let (mut operator, mut input) = line();
        operator.write_all(b"q\x1b").unwrap();
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert_eq!(next(&mut input).await, Some(Event::Key(code.into())));
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

    // crossterm reads the process's own terminal: this test program, started again on a pty, says what it reads.

    #[test]
    #[ignore = "run on a pty by the test below"]
    fn the_events_of_a_pty() {
        crossterm::terminal::enable_raw_mode().unwrap();
        let mut input = Input::start().unwrap();
        let mut out = std::io::stdout();
        write!(out, "ready\r\n").unwrap();
        while let Some(event) = input.events.blocking_recv() {
            let said = match event {
                Event::Key(key) => format!("{:?} {:?}", key.code, key.modifiers),
                Event::Mouse(mouse) => format!("{:?} {}", mouse.kind, mouse.row),
                other => format!("{other:?}"),
            };
            write!(out, "event {said}\r\n").unwrap();
        }
    }

    #[test]
    fn keys_of_many_terminals_are_understood() {
        let pair = portable_pty::native_pty_system()
            .openpty(portable_pty::PtySize::default())
            .unwrap();
        let mut command = portable_pty::CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.arg("terminal::input::tests::the_events_of_a_pty");
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut typist = pair.master.take_writer().unwrap();
        let screen = std::io::BufReader::new(pair.master.try_clone_reader().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(screen).map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut event = |bytes: &[u8], events: &[&str]| {
            typist.write_all(bytes).unwrap();
            let mut said = Vec::new();
            while said.len() < events.len() {
                let line = lines.recv_timeout(Duration::from_secs(10));
                let line = line.unwrap_or_else(|_| panic!("{bytes:?}: {said:?}"));
                if let Some(event) = line.trim_end().strip_prefix("event ") {
                    said.push(event.to_owned());
                } else if line.trim_end().ends_with("ready") {
                    return;
                }
            }
            assert_eq!(said, events, "{bytes:?}");
        };
        event(b"", &["ready"]);
        for (bytes, code) in [
            (&b"\x1b[A"[..], "Up"),
            (b"\x1bOB", "Down"),
            (b"\x1b[5~", "PageUp"),
            (b"\x1b[6~", "PageDown"),
            (b"\x1b[2~", "Insert"),
            (b"\x1b[1~", "Home"),
            (b"\x1b[H", "Home"),
            (b"\x1b[8~", "End"),
            (b"\x1bOF", "End"),
            (b"\r", "Enter"),
            (b"\n", "Enter"),
            (b"\t", "Tab"),
            (b"\x7f", "Backspace"),
            (b"\x1b", "Esc"),
            ("é".as_bytes(), "Char('é')"),
            ("語".as_bytes(), "Char('語')"),
        ] {
            event(bytes, &[&format!("{code} KeyModifiers(0x0)")]);
        }
        for (bytes, said) in [
            (&b"\x1b[1;2C"[..], "Right KeyModifiers(SHIFT)"),
            (b"\x1b[3;5~", "Delete KeyModifiers(CONTROL)"),
            (b"\x1b[Z", "BackTab KeyModifiers(SHIFT)"),
            (b"G", "Char('G') KeyModifiers(SHIFT)"),
            (b"\x03", "Char('c') KeyModifiers(CONTROL)"),
            (b"\x08", "Backspace KeyModifiers(0x0)"),
            (b"\x1b[<0;12;7M", "Down(Left) 6"),
            (b"\x1b[M \x25\x28", "Down(Left) 7"),
            (b"\x1b[<64;1;1M", "ScrollUp 0"),
            (b"\x1b[<65;1;1M", "ScrollDown 0"),
        ] {
            event(bytes, &[said]);
        }
        // What means nothing to the console takes no key that follows with it.
        for (bytes, said) in [
            (&b"\x1b[<0;12;7m"[..], &["Up(Left) 6"][..]),
            (b"\x1b[?62;22c", &[]),
            (b"\x1b[24;80R", &[]),
            (b"\x1b[I", &["FocusGained"]),
            (b"\x1b[[A", &["F(1) KeyModifiers(0x0)"]),
            (b"\x1b[<0;0M", &[]),
            (b"\x1b[<0;1;0M", &["Down(Left) 65535"]),
            (b"\x1b[<9999999;1;1M", &[]),
            (
                b"\xff\xfe\x00\x1c",
                &[
                    "Char(' ') KeyModifiers(CONTROL)",
                    "Char('4') KeyModifiers(CONTROL)",
                ],
            ),
        ] {
            event(bytes, said);
            event(b"q", &["Char('q') KeyModifiers(0x0)"]);
        }
        drop(typist);
        let _ = child.kill();
        child.wait().unwrap();
    }
}

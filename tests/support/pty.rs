//! A program in a real pty: what it draws, what it leaves behind, and a reader that can stop.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::termios::LocalFlags;
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

use super::LONG;

pub struct Pty {
    /// None once the terminal has vanished.
    child: Option<Box<dyn Child + Send + Sync>>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    /// Holding it stops the reader; `false` ends it.
    reading: Arc<Mutex<bool>>,
    reader: Option<JoinHandle<()>>,
    pub terminal: vt100::Parser,
    /// Everything that was ever read.
    pub stream: Vec<u8>,
}

impl Pty {
    /// Starts a program on a terminal of 80x24 cells.
    pub fn start(program: impl AsRef<Path>, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(80, 24)).unwrap();
        let mut command = CommandBuilder::new(program.as_ref());
        command.args(args);
        for name in [
            "NO_COLOR",
            "COLORTERM",
            "SUBTEND_INVENTORY",
            "SUBTEND_CONFIG",
            "SUBTEND_LOG",
            "XDG_RUNTIME_DIR",
            "ENV",
        ] {
            command.env_remove(name);
        }
        let usual = [
            ("TERM", "xterm-256color"),
            ("LC_ALL", "C.UTF-8"),
            ("RUST_BACKTRACE", "0"),
            // The settings of the user who runs the tests are no part of them.
            ("XDG_CONFIG_HOME", "/nonexistent"),
        ];
        for (name, value) in usual.iter().chain(variables) {
            command.env(name, value);
        }
        command.cwd(std::env::current_dir().unwrap());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut from = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let reading = Arc::new(Mutex::new(true));
        let (sender, bytes) = mpsc::channel();
        let may_read = Arc::clone(&reading);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let go_on = *may_read.lock().unwrap();
                if !go_on || count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child: Some(child),
            master: pair.master,
            keys,
            bytes,
            reading,
            reader: Some(reader),
            terminal: vt100::Parser::new(24, 80, 0),
            stream: Vec::new(),
        }
    }

    pub fn type_in(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).unwrap();
        self.terminal.screen_mut().set_size(rows, columns);
    }

    /// Takes what comes within this time; `false` when nothing did.
    pub fn read(&mut self, limit: Duration) -> bool {
        match self.bytes.recv_timeout(limit) {
            Ok(bytes) => {
                self.terminal.process(&bytes);
                self.stream.extend_from_slice(&bytes);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            // The program has ended.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(limit.min(Duration::from_millis(5)));
                false
            }
        }
    }

    /// Reads until the screen shows this.
    pub fn until(&mut self, wanted: &str) {
        let began = Instant::now();
        while !self.shows(wanted) {
            assert!(
                began.elapsed() < LONG,
                "{wanted:?} is not shown:\n{}",
                self.terminal.screen().contents()
            );
            self.read(Duration::from_millis(50));
        }
    }

    pub fn shows(&self, wanted: &str) -> bool {
        self.terminal.screen().contents().contains(wanted)
    }

    /// Reads until nothing comes for this long.
    pub fn settle(&mut self, silence: Duration) {
        let began = Instant::now();
        while self.read(silence) {
            assert!(began.elapsed() < LONG, "it never falls silent");
        }
    }

    /// Reads what is asked, as long as a person does at least: a key that comes sooner begins no work.
    pub fn has_read(&mut self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(600) {
            self.read(Duration::from_millis(50));
        }
    }

    /// Does something while nobody reads what the program writes.
    pub fn unread<T>(&mut self, act: impl FnOnce(&mut dyn Write) -> T) -> T {
        let reading = Arc::clone(&self.reading);
        let _stopped = reading.lock().unwrap();
        act(&mut self.keys)
    }

    pub fn process(&self) -> String {
        let child = self.child.as_ref().unwrap();
        child.process_id().unwrap().to_string()
    }

    pub fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &self.process()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The terminal goes away in the middle of a key; what is left is the program.
    pub fn vanish(mut self) -> Box<dyn Child + Send + Sync> {
        // The reader has the terminal open too: something to read ends it.
        *self.reading.lock().unwrap() = false;
        self.type_in("\x0c\x1b[");
        self.reader.take().unwrap().join().unwrap();
        self.child.take().unwrap()
    }

    /// Whether the terminal is as a shell wants it: lines, echo, the cursor, its own screen.
    pub fn is_clean(&self) -> Result<(), String> {
        let modes = self.master.get_termios().unwrap().local_flags.bits();
        for (flag, name) in [
            (LocalFlags::ICANON, "lines"),
            (LocalFlags::ECHO, "echo"),
            (LocalFlags::ISIG, "signals"),
        ] {
            if modes & flag.bits() == 0 {
                return Err(format!("{name} are off"));
            }
        }
        let screen = self.terminal.screen();
        if screen.hide_cursor() {
            return Err("the cursor is hidden".into());
        }
        if screen.alternate_screen() {
            return Err("the alternate screen is on".into());
        }
        if screen.bracketed_paste() {
            return Err("bracketed paste is on".into());
        }
        if screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None {
            return Err("the mouse is on".into());
        }
        if screen.bold() || screen.inverse() || screen.fgcolor() != vt100::Color::Default {
            return Err("attributes are left".into());
        }
        Ok(())
    }

    /// Whether the console has the terminal.
    pub fn is_taken(&self) -> bool {
        let modes = self.master.get_termios().unwrap().local_flags.bits();
        let screen = self.terminal.screen();
        modes & LocalFlags::ICANON.bits() == 0 && screen.alternate_screen() && screen.hide_cursor()
    }

    /// Waits for the end of the program and reads the rest.
    pub fn end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            while self.read(Duration::from_millis(50)) {}
            if let Some(status) = ended {
                return status;
            }
            assert!(
                began.elapsed() < LONG,
                "it does not end:\n{}",
                self.terminal.screen().contents()
            );
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// Waits for a program whose terminal is gone.
pub fn ended(mut child: Box<dyn Child + Send + Sync>) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < LONG, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The numbers of all `SGR` sequences in a stream: attributes and colours.
pub fn attributes(stream: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(stream);
    text.split("\x1b[")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            rest[end..].starts_with('m').then(|| &rest[..end])
        })
        .flat_map(|numbers| numbers.split(';'))
        .map(|number| number.parse().unwrap_or(0))
        .collect()
}

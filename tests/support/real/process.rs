//! A server's process and those that it has started, some of them in sessions of their own
//! (`setsid`), where a signal to its group does not reach them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::Shows;
use super::ports::{is_listener, receives};

/// A server greets within this time of its start, also on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A process and its children; killed when dropped.
#[derive(Debug)]
pub(super) struct Daemon(pub(super) Child);

impl Daemon {
    /// Starts what leads a process group.
    pub(super) fn start(command: &mut Command) -> Self {
        // What a server says when it does not come up.
        match std::env::var_os("SUBTEND_SERVERS_TALK") {
            Some(_) => command.stdout(Stdio::inherit()).stderr(Stdio::inherit()),
            None => command.stdout(Stdio::null()).stderr(Stdio::null()),
        };
        Self(command.spawn().unwrap())
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it serves before it ends or the time is up. What another process says at the address
    /// counts for nothing: a test would write there, and look for its file here.
    pub(super) fn is_ready(&mut self, address: SocketAddr, shows: Shows) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < READY {
            if self.0.try_wait().unwrap().is_some() {
                return false;
            }
            if shows == Shows::Datagrams {
                if receives(self.id(), address.port()) {
                    return true;
                }
            } else if let Ok(socket) = TcpStream::connect(address) {
                return is_listener(self.id(), address.port()) && greets(socket, shows);
            }
            // Nothing says when it listens but trying.
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// It and all its children stand still; their sockets stay open.
    pub(super) fn pause(&self) {
        let mut stopped = Vec::new();
        loop {
            let running: Vec<_> = (self.tree().into_iter())
                .filter(|process| !stopped.contains(process))
                .collect();
            if running.is_empty() {
                break;
            }
            for process in running {
                signal(process, Signal::SIGSTOP);
                stopped.push(process);
            }
        }
    }

    pub(super) fn go_on(&self) {
        for process in self.tree() {
            signal(process, Signal::SIGCONT);
        }
    }

    /// Ends its children: their connections break off, and it goes on.
    pub(super) fn kill_children(&self) {
        for process in self.tree().into_iter().skip(1) {
            signal(process, Signal::SIGKILL);
        }
    }

    /// It, then its children, then theirs (`proc(5)`: `/proc/PID/stat`).
    fn tree(&self) -> Vec<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(process) = (entry.file_name().to_str()).and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // The parent is the second field behind the name, which is in parentheses.
            let parent = stat.rsplit_once(')').and_then(|(_, fields)| {
                let parent: u32 = fields.split_whitespace().nth(1)?.parse().ok()?;
                Some(parent)
            });
            if let Some(parent) = parent {
                children.entry(parent).or_default().push(process);
            }
        }
        let mut all = vec![self.id()];
        let mut at = 0;
        while let Some(process) = all.get(at) {
            all.extend(children.remove(process).unwrap_or_default());
            at += 1;
        }
        all
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Standing still, none of them starts another meanwhile.
        self.pause();
        for process in self.tree() {
            signal(process, Signal::SIGKILL);
        }
        // Those whose parent is gone.
        let _ = killpg(pid(self.id()), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// One that is gone needs no signal.
fn signal(process: u32, signal: Signal) {
    let _ = kill(pid(process), signal);
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(process.try_into().unwrap())
}

fn greets(mut socket: TcpStream, shows: Shows) -> bool {
    let Shows::Greeting(wanted) = shows else {
        return true;
    };
    socket.set_read_timeout(Some(READY)).unwrap();
    let mut line = String::new();
    let read = BufReader::new(&mut socket).read_line(&mut line);
    if read.is_err() || !line.starts_with(wanted) {
        return false;
    }
    if wanted == "220" {
        // Gone in good order: where one session is allowed, this one is over then.
        use std::io::{Read, Write};
        let _ = socket.write_all(b"QUIT\r\n");
        let _ = socket.read_to_end(&mut Vec::new());
    }
    true
}

//! One server that runs, its files, and what can be done to it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::inetd::Inetd;
use super::ports::{free_datagrams, free_listener, free_ports};
use super::private::with_disk;
use super::process::Daemon;
use super::{Make, Options, Place, Secure, Serves, Shows, is_root, ssh};

/// Where nginx keeps, among its files, what has not come to its end.
pub(super) const BODY: &str = ".body";

/// A running server, killed with all its sessions when dropped. Its paths are relative: use
/// `image.bin`, not `/image.bin`, for some see the root of this host.
#[derive(Debug)]
pub struct RealServer {
    pub make: &'static dyn Make,
    pub address: SocketAddr,
    pub user: &'static str,
    pub password: &'static str,
    files: PathBuf,
    /// Where the files are, seen from here: on a disk of the server's own this is another way.
    seen: PathBuf,
    running: Running,
    dir: tempfile::TempDir,
}

#[derive(Debug)]
enum Running {
    Daemon {
        process: Option<Daemon>,
        command: Command,
        shows: Shows,
        /// Has a disk of its own.
        disk: bool,
    },
    Inetd {
        serves: Option<Inetd>,
        command: Vec<String>,
        limit: Option<usize>,
    },
}

impl RealServer {
    /// Starts one, and waits until it greets. Blocks for a moment.
    pub fn start(make: &'static dyn Make) -> Self {
        Self::start_with(make, &Options::default())
    }

    pub fn start_secure(make: &'static dyn Make, secure: Secure<'_>) -> Self {
        let secure = Some(secure);
        let options = Options {
            secure,
            ..Options::default()
        };
        Self::start_with(make, &options)
    }

    pub fn start_with(make: &'static dyn Make, options: &Options<'_>) -> Self {
        // Another process can take a free port first; then the server does not come up.
        for _ in 0..5 {
            if let Some(server) = Self::attempt(make, options) {
                return server;
            }
        }
        panic!("{} does not start", make.name());
    }

    fn attempt(make: &'static dyn Make, options: &Options<'_>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let files = dir.path().join("files");
        fs::create_dir(&files).unwrap();
        if let Some(owner) = make.owner() {
            chown(&files, Some(owner), Some(owner)).unwrap();
        }
        let shows = make.shows();
        let (address, listener) = match shows {
            Shows::Datagrams => (free_datagrams(), None),
            _ => {
                let listener = free_listener();
                (listener.local_addr().unwrap(), Some(listener))
            }
        };
        let tls = options.secure.map(|secure| {
            let pem = dir.path().join("server.pem");
            fs::write(&pem, secure.identity.pem()).unwrap();
            fs::set_permissions(&pem, fs::Permissions::from_mode(0o600)).unwrap();
            (pem, secure.implicit)
        });
        let shows = match &tls {
            Some((_, true)) => Shows::Listening,
            _ => shows,
        };
        let place = Place {
            dir: dir.path(),
            files: &files,
            address,
            tls,
            sessions: options.sessions,
            ports: options.ports.map(free_ports),
            ssh: options.ssh,
            command_line: options.command_line,
        };
        let running = match make.serves(&place) {
            Serves::Sessions(command) => Running::Inetd {
                serves: Some(Inetd::start(listener?, command.clone(), options.sessions)),
                command,
                limit: options.sessions,
            },
            Serves::Daemon(mut command) => {
                drop(listener);
                if let Some(bytes) = options.disk {
                    command = with_disk(&command, &files, make.owner().unwrap_or(0), bytes);
                }
                command.stdin(Stdio::null()).process_group(0);
                Running::Daemon {
                    process: None,
                    command,
                    shows,
                    disk: options.disk.is_some() && is_root(),
                }
            }
        };
        let (user, password) = make.login();
        let mut server = Self {
            make,
            address,
            user,
            password,
            seen: files.clone(),
            files,
            running,
            dir,
        };
        server.up().then_some(server)
    }

    /// Whether it serves, started if it is a process.
    fn up(&mut self) -> bool {
        let (process, command, shows, disk) = match &mut self.running {
            Running::Daemon {
                process,
                command,
                shows,
                disk,
            } => (process, command, shows, disk),
            Running::Inetd {
                serves,
                command,
                limit,
            } => {
                if serves.is_none() {
                    let listener = TcpListener::bind(self.address).ok();
                    *serves =
                        listener.map(|listener| Inetd::start(listener, command.clone(), *limit));
                }
                return serves.is_some();
            }
        };
        let mut daemon = Daemon::start(command);
        if !daemon.is_ready(self.address, *shows) {
            return false;
        }
        if *disk {
            let root = PathBuf::from(format!("/proc/{}/root", daemon.id()));
            self.seen = root.join(self.files.strip_prefix("/").unwrap());
        }
        *process = Some(daemon);
        true
    }

    fn process(&self) -> &Daemon {
        match &self.running {
            Running::Daemon {
                process: Some(daemon),
                ..
            } => daemon,
            _ => panic!("{} is no process that runs", self.make.name()),
        }
    }

    /// It stands still, and so do its sessions: nothing is closed, and nothing is answered.
    pub fn pause(&self) {
        self.process().pause();
    }

    pub fn go_on(&self) {
        self.process().go_on();
    }

    /// Its sessions are killed, and it goes on where each of them is a process.
    pub fn break_off(&self) {
        self.process().kill_children();
    }

    /// It is killed, with its sessions.
    pub fn stop(&mut self) {
        match &mut self.running {
            Running::Daemon { process, .. } => drop(process.take()),
            Running::Inetd { serves, .. } => drop(serves.take()),
        }
    }

    /// Killed if it runs, and started at the same address. A disk of its own is empty then.
    pub fn restart(&mut self) {
        self.stop();
        // The port is free as soon as the kernel has closed its sockets.
        assert!(
            (0..5).any(|_| self.up()),
            "{} does not start again",
            self.make.name()
        );
    }

    /// What is its own: its settings, its keys and its log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The fingerprint of its host key of a kind, `ed25519` or `rsa`, as `SHA256:…`.
    pub fn host_key(&self, kind: &str) -> String {
        ssh::fingerprint(&self.dir().join(format!("host_{kind}.pub")))
    }

    /// Its host keys as a file in the form of `known_hosts`.
    pub fn known_hosts(&self) -> PathBuf {
        ssh::known_hosts(self.dir(), self.address)
    }

    /// Other host keys from now on, as after a replacement of the device.
    pub fn change_host_keys(&mut self) {
        ssh::host_keys(self.dir());
        self.restart();
    }

    /// A private key that it lets in.
    pub fn client_key(&self) -> PathBuf {
        self.dir().join("client")
    }

    /// Another one, locked with [`super::PASSPHRASE`].
    pub fn locked_key(&self) -> PathBuf {
        self.dir().join("locked")
    }

    /// Nothing can be made, renamed or removed among its files from now on.
    pub fn forbid(&self) {
        fs::set_permissions(&self.seen, fs::Permissions::from_mode(0o555)).unwrap();
        if is_root() {
            chown(&self.seen, Some(0), Some(0)).unwrap();
        }
    }

    /// A file that its user can't read.
    pub fn forbid_reading(&self, name: &str) {
        let file = self.seen.join(name);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        if is_root() {
            chown(&file, Some(0), Some(0)).unwrap();
        }
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.seen.join(name), bytes).unwrap();
        self.hand_over(name);
    }

    /// Makes a folder, empty.
    pub fn put_folder(&self, name: &str) {
        fs::create_dir(self.seen.join(name)).unwrap();
        self.hand_over(name);
    }

    fn hand_over(&self, name: &str) {
        if let Some(owner) = self.make.owner() {
            chown(self.seen.join(name), Some(owner), Some(owner)).unwrap();
        }
    }

    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.seen.join(name)).ok()
    }

    /// Bytes of a file.
    pub fn size(&self, name: &str) -> Option<u64> {
        Some(fs::metadata(self.seen.join(name)).ok()?.len())
    }

    /// Bytes of the largest file but this one, also where the server keeps what has not come to its
    /// end elsewhere.
    pub fn largest_but(&self, name: &str) -> u64 {
        let folders = [
            self.seen.clone(),
            self.seen.join(BODY),
            self.dir().join("body"),
        ];
        let files = folders.iter().flat_map(fs::read_dir).flatten().flatten();
        (files.filter(|file| file.file_name() != name))
            .filter_map(|file| Some(file.metadata().ok()?.len()))
            .max()
            .unwrap_or(0)
    }

    /// A file loses what it has beyond this size.
    pub fn cut(&self, name: &str, size: u64) {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(self.seen.join(name));
        file.unwrap().set_len(size).unwrap();
    }

    /// The names of all files, sorted, but for those that say who may log in.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.seen)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != ".ssh" && name != BODY)
            .collect();
        names.sort();
        names
    }
}

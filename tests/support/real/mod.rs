//! FTP servers of other makes, as child processes: what subtend meets in the field.
//!
//! Each runs on a free port of 127.0.0.1 with a folder of its own. `.ci/servers` brings all of them
//! to `target/servers`; what is in PATH is taken too. A make says in [`Make`] how it is started;
//! all else stands here once.

mod daemons;
mod inetd;
mod ports;
mod scripts;

use std::fmt::Debug;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use self::inetd::Inetd;
use self::ports::{free_listener, free_ports, is_listener};
use super::tls::Identity;

pub use self::daemons::{PROFTPD, PURE_FTPD, VSFTPD};
pub use self::inetd::INETUTILS;
pub use self::scripts::{AIOFTP, FTP_SRV, FTPD_JS, PYFTPDLIB, TWISTED};

/// A server greets within this time of its start, also on a busy machine.
const READY: Duration = Duration::from_secs(30);
/// Whom the sessions of some run as: their users can't be root.
const NOBODY: u32 = 65534;
/// Who logs in, except where a make says otherwise.
const USER: &str = "craft";
const PASSWORD: &str = "secret";

/// Every make, in the order in which they are shown.
pub const MAKES: [&dyn Make; 9] = [
    &VSFTPD, &PURE_FTPD, &PROFTPD, &INETUTILS, &PYFTPDLIB, &AIOFTP, &TWISTED, &FTP_SRV, &FTPD_JS,
];

/// A kind of server.
pub trait Make: Debug + Sync {
    fn name(&self) -> &'static str;

    /// Why it can't be run here, where it can't.
    fn missing(&self) -> Option<String>;

    /// What it can be asked for in [`Options`]; what it can't, it does not have.
    fn offers(&self) -> Offers;

    /// What serves at a place.
    fn serves(&self, place: &Place<'_>) -> Serves;

    /// Who the files must belong to, where that is not this process's user.
    fn owner(&self) -> Option<u32> {
        None
    }

    fn login(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Offers {
    /// FTPS by `AUTH TLS`.
    pub explicit: bool,
    /// FTPS before the greeting.
    pub implicit: bool,
    /// A limit of sessions.
    pub sessions: bool,
    /// A range of passive ports.
    pub ports: bool,
}

/// How a server is set up. Nothing by default: clear text, without limits.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Without TLS it lets nobody in.
    pub secure: Option<Secure<'a>>,
    /// The number of sessions at one time.
    pub sessions: Option<usize>,
    /// The number of ports for passive data connections.
    pub ports: Option<u16>,
}

#[derive(Debug, Clone, Copy)]
pub struct Secure<'a> {
    pub identity: &'a Identity,
    pub implicit: bool,
}

/// Where one server runs and what is wanted of it.
#[derive(Debug)]
pub struct Place<'a> {
    /// For what is its own.
    pub dir: &'a Path,
    /// What it serves.
    pub files: &'a Path,
    pub address: SocketAddr,
    /// The file with the key and the certificate, and whether TLS is implicit.
    pub tls: Option<(PathBuf, bool)>,
    pub sessions: Option<usize>,
    pub ports: Option<RangeInclusive<u16>>,
}

/// What accepts connections.
#[derive(Debug)]
pub enum Serves {
    /// The server's own process.
    Daemon(Command),
    /// [`Inetd`] does, and starts this for each: its arguments.
    Sessions(Vec<String>),
}

/// Whether a test with this server is to go on. Where it can't be run, the test is skipped with a
/// notice; under `CI=true` it fails instead, so that it is never skipped there unseen.
pub fn require_or_skip(make: &dyn Make) -> bool {
    let Some(why) = make.missing() else {
        return true;
    };
    assert!(!must_be_here(), "{}: {why}", make.name());
    println!("skipped: {}: {why}", make.name());
    false
}

/// Whether a server that is not here is a failure.
pub fn must_be_here() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

fn is_root() -> bool {
    tempfile::tempdir()
        .and_then(|dir| dir.path().metadata())
        .is_ok_and(|facts| facts.uid() == 0)
}

/// What `.ci/servers` has brought.
fn brought() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/servers")
}

fn program(name: &str) -> Option<PathBuf> {
    let debian = brought().join("debian");
    let path = std::env::var_os("PATH").unwrap_or_default();
    ["usr/sbin", "usr/bin"]
        .map(|dir| debian.join(dir))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A running server, killed with all its sessions when dropped. Its paths are relative: use
/// `image.bin`, not `/image.bin`, for some see the root of this host.
#[derive(Debug)]
pub struct RealServer {
    pub make: &'static dyn Make,
    pub address: SocketAddr,
    pub user: &'static str,
    pub password: &'static str,
    files: PathBuf,
    _running: Running,
    /// Removed last.
    _dir: tempfile::TempDir,
}

#[derive(Debug)]
enum Running {
    Daemon { _process: Daemon },
    Inetd { _serves: Inetd },
}

/// A process and its children, which are of its group.
#[derive(Debug)]
struct Daemon(Child);

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
        let listener = free_listener();
        let address = listener.local_addr().unwrap();
        let tls = options.secure.map(|secure| {
            let pem = dir.path().join("server.pem");
            fs::write(&pem, secure.identity.pem()).unwrap();
            fs::set_permissions(&pem, fs::Permissions::from_mode(0o600)).unwrap();
            (pem, secure.implicit)
        });
        let greets = tls.as_ref().is_none_or(|(_, implicit)| !implicit);
        let place = Place {
            dir: dir.path(),
            files: &files,
            address,
            tls,
            sessions: options.sessions,
            ports: options.ports.map(free_ports),
        };
        let running = match make.serves(&place) {
            Serves::Sessions(command) => Running::Inetd {
                _serves: Inetd::start(listener, command, options.sessions),
            },
            Serves::Daemon(mut command) => {
                drop(listener);
                command.stdin(Stdio::null()).process_group(0);
                // What a server says when it does not come up.
                match std::env::var_os("SUBTEND_SERVERS_TALK") {
                    Some(_) => command.stdout(Stdio::inherit()).stderr(Stdio::inherit()),
                    None => command.stdout(Stdio::null()).stderr(Stdio::null()),
                };
                let mut daemon = Daemon(command.spawn().unwrap());
                if !daemon.is_ready(address, greets) {
                    return None;
                }
                Running::Daemon { _process: daemon }
            }
        };
        let (user, password) = make.login();
        Some(Self {
            make,
            address,
            user,
            password,
            files,
            _running: running,
            _dir: dir,
        })
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.files.join(name), bytes).unwrap();
        self.hand_over(name);
    }

    /// Makes a folder, empty.
    pub fn put_folder(&self, name: &str) {
        fs::create_dir(self.files.join(name)).unwrap();
        self.hand_over(name);
    }

    fn hand_over(&self, name: &str) {
        if let Some(owner) = self.make.owner() {
            chown(self.files.join(name), Some(owner), Some(owner)).unwrap();
        }
    }

    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.files.join(name)).ok()
    }

    /// Bytes of a file.
    pub fn size(&self, name: &str) -> Option<u64> {
        Some(fs::metadata(self.files.join(name)).ok()?.len())
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.files)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Daemon {
    /// Whether it listens, and greets where it does so in clear text, before it ends or the time is
    /// up. What another process says at the address counts for nothing: a test would write there,
    /// and look for its file here.
    fn is_ready(&mut self, address: SocketAddr, greets: bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < READY {
            if self.0.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut socket) = TcpStream::connect(address) {
                if !is_listener(self.0.id(), address.port()) {
                    return false;
                }
                if !greets {
                    return true;
                }
                socket.set_read_timeout(Some(READY)).unwrap();
                let mut line = String::new();
                let mut lines = BufReader::new(&mut socket);
                let read = lines.read_line(&mut line);
                if read.is_err() || !line.starts_with("220") {
                    return false;
                }
                // Gone in good order: where one session is allowed, this one is over then.
                use std::io::{Read, Write};
                let _ = socket.write_all(b"QUIT\r\n");
                let _ = socket.read_to_end(&mut Vec::new());
                return true;
            }
            // Nothing says when it listens but trying.
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Sessions are processes of the same group.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

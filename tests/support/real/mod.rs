//! Servers of other makes, as child processes: what subtend meets in the field.
//!
//! Each runs on a free port of 127.0.0.1 with a folder of its own. `.ci/servers` brings all of them
//! to `target/servers`; what is in PATH is taken too. A make says in [`Make`] how it is started;
//! [`RealServer`] is one that runs.

mod daemons;
mod http;
mod inetd;
pub mod ports;
mod private;
mod process;
mod scripts;
mod server;
mod ssh;
mod telnet;
mod tftp;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tls::Identity;

pub use self::daemons::{PROFTPD, PURE_FTPD, VSFTPD};
pub use self::http::{HTTP_MAKES, LIGHTTPD, NGINX, UPLOADSERVER};
pub use self::inetd::INETUTILS;
pub use self::scripts::{AIOFTP, FTP_SRV, FTPD_JS, PYFTPDLIB, TWISTED};
pub use self::server::RealServer;
pub use self::ssh::{DROPBEAR, OPENSSH, PASSPHRASE, PROFTPD_SFTP, SSH_MAKES, SshLogin, SshSetup};
pub use self::telnet::{BUSYBOX_TELNETD, INETUTILS_TELNETD};
pub use self::tftp::{ATFTPD, TFTP_MAKES, TFTPD_HPA};

/// Whom the sessions of some run as: their users can't be root.
const NOBODY: u32 = 65534;
/// Who logs in, except where a make says otherwise.
const USER: &str = "craft";
pub const PASSWORD: &str = "hush-4711-Wv";
/// [`USER`] and [`PASSWORD`] as HTTP sends them (RFC 7617).
pub const BASIC: &str = "Y3JhZnQ6aHVzaC00NzExLVd2";

/// Every make for FTP, in the order in which they are shown.
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

    /// What shows that it serves.
    fn shows(&self) -> Shows {
        Shows::Greeting("220")
    }

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
    /// Bytes of its disk: as root a file system of its own, else the most that one file may have.
    pub disk: Option<u64>,
    /// Of SSH alone.
    pub ssh: SshSetup,
    /// Of SSH and telnet: the program that every session runs, whatever it asks for.
    pub command_line: Option<&'a Path>,
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
    pub ssh: SshSetup,
    pub command_line: Option<&'a Path>,
}

/// What shows that a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// A line that begins like this.
    Greeting(&'static str),
    /// That it accepts a connection.
    Listening,
    /// That it has a socket for datagrams.
    Datagrams,
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

/// Where a client's program is; as [`require_or_skip`] where it is not here.
pub fn program_or_skip(name: &str) -> Option<PathBuf> {
    let found = program(name);
    assert!(found.is_some() || !must_be_here(), "{name} is not here");
    if found.is_none() {
        println!("skipped: {name} is not here");
    }
    found
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
    ["usr/sbin", "usr/bin", "bin"]
        .map(|dir| debian.join(dir))
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

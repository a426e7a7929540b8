//! FTP servers of other makes, as child processes: what subtend meets in the field.
//!
//! vsftpd, pure-ftpd and proftpd run on free ports of 127.0.0.1 with a folder of their own each.
//! Debian's packages of them conflict: install one, and unpack the others (`apt-get download
//! pure-ftpd && dpkg -x pure-ftpd_*.deb DIR`) with their `usr/sbin` and `usr/bin` in PATH. proftpd's
//! TLS is in `proftpd-mod-crypto`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::tls::Identity;

/// A server greets within this time of its start.
const READY: Duration = Duration::from_secs(10);
/// Whom pure-ftpd's sessions run as: its virtual users can't be root.
const NOBODY: u32 = 65534;
/// The password `secret` as MD5-crypt. What pure-pw would make of it takes seconds to check at each
/// login.
const SECRET: &str = "$1$subtend$5agwPOINUlXdzQZAb.nxh1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Vsftpd,
    PureFtpd,
    Proftpd,
}

/// How a server speaks TLS, without which it lets nobody in.
#[derive(Debug, Clone, Copy)]
pub struct Secure<'a> {
    pub identity: &'a Identity,
    /// Before the greeting. (pure-ftpd can't.)
    pub implicit: bool,
}

impl Make {
    /// Those that clear text is tried with.
    pub const ALL: [Self; 2] = [Self::Vsftpd, Self::PureFtpd];
    /// Those that TLS is tried with. vsftpd and proftpd want the control connection's TLS session
    /// on data connections.
    pub const SECURE: [Self; 3] = [Self::Vsftpd, Self::PureFtpd, Self::Proftpd];

    /// The name of its program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vsftpd => "vsftpd",
            Self::PureFtpd => "pure-ftpd",
            Self::Proftpd => "proftpd",
        }
    }
}

/// Whether a program of that name is installed, and can be used by this user.
pub fn available(name: &str) -> bool {
    // They change their root, and their user for each session.
    let needs = match name {
        "pure-ftpd" => is_root() && program("pure-pw").is_some(),
        "proftpd" => is_root() && program(name).is_some_and(|file| modules(&file).is_some()),
        _ => true,
    };
    program(name).is_some() && needs
}

/// The folder of proftpd's modules, with that for TLS in it.
fn modules(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?.parent()?.join("lib/proftpd");
    folder.join("mod_tls.so").is_file().then_some(folder)
}

/// Whether a test with this server is to go on. Where it is not available, the test is skipped with
/// a notice; under `CI=true` it fails instead, so that it is never skipped there unseen.
pub fn require_or_skip(name: &str) -> bool {
    if available(name) {
        return true;
    }
    let why = format!("{name} is not installed, or can't be used without root");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    println!("skipped: {why}");
    false
}

fn is_root() -> bool {
    tempfile::tempdir()
        .and_then(|dir| dir.path().metadata())
        .is_ok_and(|facts| facts.uid() == 0)
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// A running server, killed with all its sessions when dropped. Its paths are relative: use
/// `image.bin`, not `/image.bin`, for vsftpd sees the root of this host.
#[derive(Debug)]
pub struct RealServer {
    pub make: Make,
    pub address: SocketAddr,
    pub user: &'static str,
    pub password: &'static str,
    /// What it serves.
    files: PathBuf,
    child: Child,
    /// Removed last.
    _dir: tempfile::TempDir,
}

impl RealServer {
    /// Starts one, and waits until it greets. Blocks for a moment.
    pub fn start(make: Make) -> Self {
        Self::start_with(make, None)
    }

    pub fn start_secure(make: Make, secure: Secure<'_>) -> Self {
        Self::start_with(make, Some(secure))
    }

    fn start_with(make: Make, secure: Option<Secure<'_>>) -> Self {
        // Another process can take the free port first; then the server does not come up.
        for _ in 0..5 {
            if let Some(server) = Self::attempt(make, secure) {
                return server;
            }
        }
        panic!("{} does not start", make.name());
    }

    fn attempt(make: Make, secure: Option<Secure<'_>>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let files = dir.path().join("files");
        fs::create_dir(&files).unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let pem = dir.path().join("server.pem");
        if let Some(secure) = secure {
            fs::write(&pem, secure.identity.pem()).unwrap();
            fs::set_permissions(&pem, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let tls = secure.map(|secure| (pem.as_path(), secure.implicit));
        let (mut command, user, password) = match make {
            Make::Vsftpd => (vsftpd(dir.path(), &files, address, tls), "anonymous", "x@"),
            Make::PureFtpd => (
                pure_ftpd(dir.path(), &files, address, tls),
                "craft",
                "secret",
            ),
            Make::Proftpd => (proftpd(dir.path(), &files, address, tls), "craft", "secret"),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut server = Self {
            make,
            address,
            user,
            password,
            files,
            child,
            _dir: dir,
        };
        let greets = secure.is_none_or(|secure| !secure.implicit);
        server.is_ready(greets).then_some(server)
    }

    /// Whether it listens, and greets where it does so in clear text, before it ends or the time is
    /// up.
    fn is_ready(&mut self, greets: bool) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < READY {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(socket) = TcpStream::connect(self.address) {
                if !greets {
                    return true;
                }
                socket.set_read_timeout(Some(READY)).unwrap();
                let mut line = String::new();
                let read = BufReader::new(socket).read_line(&mut line);
                return read.is_ok() && line.starts_with("220");
            }
            // Nothing says when it listens but trying.
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.files.join(name);
        fs::write(&file, bytes).unwrap();
        if self.make != Make::Vsftpd {
            std::os::unix::fs::chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Makes a folder, empty.
    pub fn put_folder(&self, name: &str) {
        let folder = self.files.join(name);
        fs::create_dir(&folder).unwrap();
        if self.make != Make::Vsftpd {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.files.join(name)).ok()
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

impl Drop for RealServer {
    fn drop(&mut self) {
        // Sessions are processes of the same group.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file with the key and the certificate, and whether TLS is implicit.
type TlsFile<'a> = Option<(&'a Path, bool)>;

fn vsftpd(dir: &Path, files: &Path, address: SocketAddr, tls: TlsFile<'_>) -> Command {
    let empty = dir.join("empty");
    fs::create_dir(&empty).unwrap();
    let config = dir.join("vsftpd.conf");
    let mut text = format!(
        "listen=YES\nlisten_ipv6=NO\nlisten_address={}\nlisten_port={}\nbackground=NO\n\
         run_as_launching_user=YES\nanonymous_enable=YES\nlocal_enable=NO\nno_anon_password=NO\n\
         anon_root={}\nwrite_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\n\
         anon_other_write_enable=YES\nanon_world_readable_only=NO\nanon_umask=022\n\
         allow_writeable_chroot=YES\nsecure_chroot_dir={}\nseccomp_sandbox=NO\nisolate=NO\n\
         isolate_network=NO\nconnect_from_port_20=NO\nxferlog_enable=NO\n\
         ascii_upload_enable=YES\nascii_download_enable=YES\n",
        address.ip(),
        address.port(),
        files.display(),
        empty.display(),
    );
    if let Some((pem, implicit)) = tls {
        let (pem, implicit) = (pem.display(), if implicit { "YES" } else { "NO" });
        text += &format!(
            "ssl_enable=YES\nimplicit_ssl={implicit}\nrsa_cert_file={pem}\n\
             rsa_private_key_file={pem}\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\n\
             force_anon_data_ssl=YES\nmax_per_ip=200\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\n"
        );
    }
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program("vsftpd").unwrap());
    command.arg(config);
    command
}

fn pure_ftpd(dir: &Path, files: &Path, address: SocketAddr, tls: TlsFile<'_>) -> Command {
    std::os::unix::fs::chown(files, Some(NOBODY), Some(NOBODY)).unwrap();
    let users = dir.join("users");
    let database = dir.join("users.pdb");
    let line = format!(
        "craft:{SECRET}:{NOBODY}:{NOBODY}::{}/./::::::::::::\n",
        files.display()
    );
    fs::write(&users, line).unwrap();
    let made = Command::new(program("pure-pw").unwrap())
        .arg("mkdb")
        .arg(&database)
        .arg("-f")
        .arg(&users)
        .status()
        .unwrap();
    assert!(made.success());
    let mut command = Command::new(program("pure-ftpd").unwrap());
    // Only users of the database, in their folders, without name look-ups, over IPv4.
    command
        .args(["-E", "-A", "-H", "-4", "-u", "1", "-S"])
        .arg(format!("{},{}", address.ip(), address.port()))
        .arg("-l")
        .arg(format!("puredb:{}", database.display()))
        .arg("-g")
        .arg(dir.join("pid"));
    if let Some((pem, _)) = tls {
        // For control and data connections.
        command.args(["-Y", "3", "-2"]).arg(pem);
    }
    command
}

fn proftpd(dir: &Path, files: &Path, address: SocketAddr, tls: TlsFile<'_>) -> Command {
    std::os::unix::fs::chown(files, Some(NOBODY), Some(NOBODY)).unwrap();
    let program = program("proftpd").unwrap();
    let users = dir.join("users");
    let line = format!(
        "craft:{SECRET}:{NOBODY}:{NOBODY}::{}:/bin/false\n",
        files.display()
    );
    fs::write(&users, line).unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    let place = dir.display();
    let mut text = format!(
        "ModulePath {}\nServerType standalone\nDefaultAddress {}\nPort {}\nUseIPv6 off\n\
         UseReverseDNS off\nPidFile {place}/pid\nScoreboardFile none\nDelayTable none\n\
         WtmpLog off\nTransferLog none\nSystemLog {place}/log\nUser nobody\nGroup nogroup\n\
         AuthOrder mod_auth_file.c\nAuthUserFile {}\nRequireValidShell off\nDefaultRoot ~\n\
         AllowOverwrite on\nAllowRetrieveRestart on\n",
        modules(&program).unwrap().display(),
        address.ip(),
        address.port(),
        users.display(),
    );
    if let Some((pem, implicit)) = tls {
        let pem = pem.display();
        text += &format!(
            "LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSLog {place}/tls\n\
             TLSProtocol TLSv1.2 TLSv1.3\nTLSECCertificateFile {pem}\n\
             TLSECCertificateKeyFile {pem}\nTLSVerifyClient off\n"
        );
        if implicit {
            text += "TLSOptions UseImplicitSSL\n";
        }
    }
    let config = dir.join("proftpd.conf");
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.args(["-n", "-q", "-c"]).arg(config);
    command
}

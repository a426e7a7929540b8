//! OpenSSH's server as a child process, with files in a folder of its own.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use subtend::model::staging::{AUTO, Names};
use subtend::model::{
    Address, HostKey, HostTrust, KeyFile, Login, RemotePath, Scheme, Ssh, Staging, VerifyMode,
};
use subtend::transport::{Destination, Endpoint, Remote};

use crate::common::{image, patient};
use crate::support::real::ports::{free_listener, is_listener};

/// One that runs, killed when dropped.
pub struct Sshd {
    pub port: u16,
    pub dir: tempfile::TempDir,
    process: Child,
}

/// Whether it is here; under `CI=true` it has to be.
pub fn is_here() -> bool {
    let found = program().is_some();
    assert!(
        found || std::env::var("CI").as_deref() != Ok("true"),
        "no sshd"
    );
    if !found {
        println!("skipped: OpenSSH's sshd is not here");
    }
    found
}

fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].map(PathBuf::from);
    places.into_iter().find(|place| place.is_file())
}

/// Keys of the server and of users: name, passphrase, and how they are made.
const KEYS: [(&str, &str, &[&str]); 5] = [
    ("ed25519", "", &["-t", "ed25519"]),
    ("rsa", "", &["-t", "rsa"]),
    ("user", "", &["-t", "ed25519"]),
    ("user_rsa", "open sesame", &["-t", "rsa"]),
    ("user_pem", "open sesame", &["-t", "rsa", "-m", "PEM"]),
];

/// They take a while, and are made once.
fn keys() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        for (name, passphrase, how) in KEYS {
            let file = dir.path().join(name).display().to_string();
            keygen(&[&["-q", "-N", passphrase, "-f", &file], how].concat());
        }
        dir
    });
    made.path()
}

pub fn keygen(arguments: &[&str]) -> String {
    let ran = Command::new("ssh-keygen").args(arguments).output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).unwrap()
}

fn user() -> String {
    let ran = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

impl Sshd {
    pub fn start() -> Self {
        Self::with("internal-sftp", "")
    }

    /// With this SFTP server, and more lines of its configuration.
    pub fn with(subsystem: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in KEYS
            .iter()
            .flat_map(|(name, ..)| [(*name).to_owned(), format!("{name}.pub")])
        {
            fs::copy(keys().join(&name), at(&name)).unwrap();
        }
        let users = ["user.pub", "user_rsa.pub", "user_pem.pub"];
        let users = users.map(|name| fs::read_to_string(at(name)).unwrap());
        fs::write(at("authorized"), users.concat()).unwrap();
        fs::create_dir(at("flash")).unwrap();
        // Where the one of root keeps an empty folder.
        let _ = fs::create_dir_all("/run/sshd");
        for _ in 0..5 {
            let port = free_listener().local_addr().unwrap().port();
            let config = format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile \
                 none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication \
                 no\nPermitRootLogin yes\nMaxStartups 200\nSubsystem sftp {subsystem}\n{more}\n",
                at("ed25519"),
                at("rsa"),
                at("authorized"),
            );
            fs::write(at("config"), config).unwrap();
            let log = fs::File::create(at("log")).unwrap();
            let mut command = Command::new(program().unwrap());
            command.args(["-D", "-e", "-f", &at("config")]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            let mut process = command.process_group(0).spawn().unwrap();
            if listens(&mut process, port) {
                return Self { port, dir, process };
            }
        }
        panic!(
            "sshd does not start: {}",
            fs::read_to_string(at("log")).unwrap()
        );
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its key of this type, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self, kind: &str) -> HostKey {
        let file = self.at(&format!("{kind}.pub")).display().to_string();
        let shown = keygen(&["-lf", &file]);
        shown.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn pinned(&self, kind: &str) -> HostTrust {
        HostTrust::Key([self.fingerprint(kind)].into())
    }

    pub fn with_key(&self, name: &str, passphrase: &str) -> Login {
        Login {
            key: Some(KeyFile {
                path: Arc::new(self.at(name)),
                passphrase: passphrase.into(),
            }),
            ..Login::with_password(user(), "")
        }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            address: Address {
                scheme: Scheme::Sftp,
                host: "127.0.0.1".into(),
                port: self.port,
            },
            login: Arc::new(self.with_key("user", "")),
            timeouts: patient(),
            tls: subtend::model::Tls::default(),
            ssh: Ssh {
                trust: self.pinned("ed25519"),
                legacy: false,
            },
            dialect: subtend::model::Dialect::default(),
            http: subtend::model::Http::default(),
        }
    }

    pub fn path(&self) -> RemotePath {
        RemotePath::new(&self.at("flash/image.bin").display().to_string()).unwrap()
    }

    pub fn remote(&self) -> Remote {
        Remote {
            endpoint: self.endpoint(),
            path: self.path(),
        }
    }

    pub fn destination(&self) -> Destination {
        let path = self.path();
        Destination {
            remote: self.remote(),
            verify: VerifyMode::Best,
            staging: Staging::Rename,
            delete_first: false,
            names: Names::new(&path, AUTO, "").unwrap(),
            size: None,
        }
    }

    /// The old image, under the final name.
    pub fn put_old(&self) -> Vec<u8> {
        let old = image(5000);
        fs::write(self.at("flash/image.bin"), &old).unwrap();
        old
    }

    pub fn file(&self) -> Option<Vec<u8>> {
        fs::read(self.at("flash/image.bin")).ok()
    }

    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.at("flash")).unwrap();
        let names = entries.map(|one| one.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// To it and to the processes of its connections.
    pub fn signal(&self, signal: &str) {
        let processes = family(self.process.id());
        let mut kill = Command::new("kill");
        let sent = kill.args(["-s", signal]).args(processes).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let processes = family(self.process.id());
        let mut kill = Command::new("kill");
        kill.arg("-KILL").args(processes).stderr(Stdio::null());
        let _ = kill.status();
        let _ = self.process.wait();
    }
}

/// A process and its descendants (`proc(5)`): each connection of sshd is a session of its own.
fn family(process: u32) -> Vec<String> {
    let parent_of = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        Some(fields.split_whitespace().nth(1)?.to_owned())
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.map(|one| one.file_name().to_string_lossy().into_owned());
    let parents: Vec<_> = all
        .filter_map(|pid| Some((parent_of(&pid)?, pid)))
        .collect();
    let mut found = vec![process.to_string()];
    let mut at = 0;
    while let Some(parent) = found.get(at).cloned() {
        let children = parents.iter().filter(|(of, _)| *of == parent);
        found.extend(children.map(|(_, pid)| pid.clone()));
        at += 1;
    }
    found
}

fn listens(process: &mut Child, port: u16) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if is_listener(process.id(), port) {
            return true;
        }
        // Nothing says when it listens but looking.
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// A line for a file of known hosts.
pub fn known_hosts_line(sshd: &Sshd, kind: &str, host: &str) -> String {
    let key = fs::read_to_string(sshd.at(&format!("{kind}.pub"))).unwrap();
    format!("{host} {key}")
}

pub fn write(path: &Path, text: &str) -> HostTrust {
    fs::write(path, text).unwrap();
    HostTrust::KnownHosts(Arc::new(path.into()))
}

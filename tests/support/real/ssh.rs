//! Servers for SSH: OpenSSH, dropbear, and the module of proftpd.
//!
//! As root their user is [`USER`], at home among the files, with a password and two keys. OpenSSH
//! serves an ordinary user too, who is let in by key alone, and only over SFTP begins among the files.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::{Uid, User};

use super::daemons::{absent, command, needs_root, proftpd, proftpd_module};
use super::private::{Mount, passwords, rules, users, with_mounts};
use super::{Make, NOBODY, Offers, PASSWORD, Place, Serves, Shows, USER, is_root, program};

/// What unlocks [`super::RealServer::locked_key`].
pub const PASSPHRASE: &str = "latch-1508-Qz";

/// How an SSH server is set up: it lets people in by password and by key, and can all that it can.
#[derive(Debug, Clone, Copy, Default)]
pub struct SshSetup {
    pub login: SshLogin,
    /// It offers only what devices had before 2012: `ssh-rsa`, SHA-1, group 14, CBC. OpenSSH alone.
    pub legacy: bool,
    /// Requests of SFTP that it refuses, as OpenSSH's `sftp-server -P` names them. OpenSSH alone.
    pub refuses: &'static [&'static str],
}

/// What a server takes as proof of who comes. OpenSSH alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SshLogin {
    /// A password or a key.
    #[default]
    Either,
    Password,
    Key,
    /// Its questions, one of them for the password (keyboard-interactive).
    Questions,
}

#[derive(Debug)]
pub struct OpenSsh;
#[derive(Debug)]
pub struct Dropbear;
#[derive(Debug)]
pub struct ProftpdSftp;

pub const OPENSSH: OpenSsh = OpenSsh;
pub const DROPBEAR: Dropbear = Dropbear;
pub const PROFTPD_SFTP: ProftpdSftp = ProftpdSftp;

/// Every make for SSH, in the order in which they are shown.
pub const SSH_MAKES: [&dyn Make; 3] = [&OPENSSH, &DROPBEAR, &PROFTPD_SFTP];

impl Make for OpenSsh {
    fn name(&self) -> &'static str {
        "openssh"
    }

    fn missing(&self) -> Option<String> {
        let nameless = || {
            own_name()
                .is_none()
                .then(|| "this user has no name".to_owned())
        };
        absent("sshd")
            .or_else(|| absent("ssh-keygen"))
            .or_else(|| match is_root() {
                true => absent("unshare"),
                false => nameless(),
            })
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn shows(&self) -> Shows {
        Shows::Greeting("SSH-2.0")
    }

    fn owner(&self) -> Option<u32> {
        is_root().then_some(NOBODY)
    }

    fn login(&self) -> (&'static str, &'static str) {
        match is_root() {
            true => (USER, PASSWORD),
            false => (own_name().unwrap_or(USER), ""),
        }
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        host_keys(place.dir);
        let authorized = client_keys(place.dir);
        let here = place.dir.display();
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let login = place.ssh.login;
        let either = login == SshLogin::Either;
        let mut text = format!(
            "ListenAddress {}\nHostKey {here}/host_ed25519\nHostKey {here}/host_rsa\n\
             AuthorizedKeysFile {}\nStrictModes no\nPidFile none\nUseDNS no\nPrintMotd no\n\
             PrintLastLog no\nMaxStartups 500\nUsePAM {}\nPubkeyAuthentication {}\n\
             PasswordAuthentication {}\nKbdInteractiveAuthentication {}\n",
            place.address,
            authorized.display(),
            yes(is_root()),
            yes(either || login == SshLogin::Key),
            yes(either || login == SshLogin::Password),
            yes(login == SshLogin::Questions),
        );
        if place.ssh.legacy {
            text += "HostKeyAlgorithms ssh-rsa\nPubkeyAcceptedAlgorithms ssh-rsa,ssh-ed25519\n\
                     KexAlgorithms diffie-hellman-group14-sha1\nCiphers aes128-cbc,3des-cbc\n\
                     MACs hmac-sha1\n";
        }
        text += &format!("Subsystem sftp internal-sftp -d {}", place.files.display());
        if !place.ssh.refuses.is_empty() {
            text += &format!(" -P {}", place.ssh.refuses.join(","));
        }
        text.push('\n');
        if let Some(program) = place.command_line {
            text += &format!("ForceCommand {}\n", program.display());
        }
        let config = place.dir.join("sshd.conf");
        fs::write(&config, text).unwrap();
        let mut command = command("sshd");
        command.args(["-D", "-e", "-f"]).arg(config);
        if !is_root() {
            return Serves::Daemon(command);
        }
        let mounts = [
            users(place),
            passwords(place),
            rules(place, &["sshd", "other"], "pam_unix.so"),
            Mount::Run("sshd"),
        ];
        Serves::Daemon(with_mounts(&command, &mounts))
    }
}

impl Make for Dropbear {
    fn name(&self) -> &'static str {
        "dropbear"
    }

    /// It asks the system who its users are, and has its SFTP from OpenSSH.
    fn missing(&self) -> Option<String> {
        let sftp = || match Path::new("/usr/lib/sftp-server").exists() {
            true => None,
            false => Some("OpenSSH's sftp-server is not installed".to_owned()),
        };
        absent("dropbear")
            .or_else(|| absent("ssh-keygen"))
            .or_else(|| absent("unshare"))
            .or_else(sftp)
            .or_else(needs_root)
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn shows(&self) -> Shows {
        Shows::Greeting("SSH-2.0")
    }

    fn owner(&self) -> Option<u32> {
        Some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        host_keys(place.dir);
        let authorized = client_keys(place.dir);
        // Where it looks for them, and with whom they must belong to.
        let folder = place.files.join(".ssh");
        fs::create_dir(&folder).unwrap();
        fs::copy(authorized, folder.join("authorized_keys")).unwrap();
        for (path, mode) in [(folder.join("authorized_keys"), 0o600), (folder, 0o700)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = command("dropbear");
        command
            .args(["-F", "-E", "-p"])
            .arg(place.address.to_string())
            .arg("-P")
            .arg(place.dir.join("pid"));
        if let Some(program) = place.command_line {
            command.arg("-c").arg(program);
        }
        for kind in ["ed25519", "rsa"] {
            command
                .arg("-r")
                .arg(place.dir.join(format!("dropbear_{kind}")));
        }
        Serves::Daemon(with_mounts(&command, &[users(place), passwords(place)]))
    }
}

impl Make for ProftpdSftp {
    fn name(&self) -> &'static str {
        "proftpd"
    }

    fn missing(&self) -> Option<String> {
        let module = || match proftpd_module("mod_sftp.so") {
            Some(_) => None,
            None => Some("its module for SFTP is not installed".to_owned()),
        };
        absent("proftpd")
            .or_else(|| absent("ssh-keygen"))
            .or_else(module)
            .or_else(needs_root)
    }

    fn offers(&self) -> Offers {
        Offers {
            sessions: true,
            ..Offers::default()
        }
    }

    fn shows(&self) -> Shows {
        Shows::Greeting("SSH-2.0")
    }

    fn owner(&self) -> Option<u32> {
        Some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        host_keys(place.dir);
        let authorized = client_keys(place.dir);
        let here = place.dir.display();
        // It reads public keys as RFC 4716 writes them, one file of any number.
        let lines = fs::read_to_string(authorized).unwrap();
        let mut keys = String::new();
        for (number, line) in lines.lines().enumerate() {
            let file = place.dir.join(format!("authorized_{number}"));
            fs::write(&file, format!("{line}\n")).unwrap();
            keys += &keygen(&["-e", "-f", file.to_str().unwrap()]);
        }
        fs::write(place.dir.join("authorized_proftpd"), keys).unwrap();
        let text = format!(
            "LoadModule mod_sftp.c\nSFTPEngine on\nSFTPHostKey {here}/host_ed25519\n\
             SFTPHostKey {here}/host_rsa\nSFTPAuthMethods publickey password\n\
             SFTPAuthorizedUserKeys file:{here}/authorized_proftpd\nSFTPLog {here}/sftplog\n"
        );
        Serves::Daemon(proftpd(place, &text))
    }
}

/// The name of who runs this; for good, as names of logins are here.
fn own_name() -> Option<&'static str> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    NAME.get_or_init(|| Some(User::from_uid(Uid::current()).ok()??.name))
        .as_deref()
}

/// Makes host keys, in the place of any that are there.
pub(super) fn host_keys(dir: &Path) {
    for kind in ["ed25519", "rsa"] {
        let file = dir.join(format!("host_{kind}"));
        make_key(&file, kind, "");
        // Dropbear has a form of its own.
        if let Some(converts) = program("dropbearconvert") {
            let converted = Command::new(converts)
                .args(["openssh", "dropbear"])
                .arg(&file)
                .arg(dir.join(format!("dropbear_{kind}")))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            assert!(converted.unwrap().success());
        }
    }
}

/// Makes the keys of who comes, one of them locked: the file with their public ones.
fn client_keys(dir: &Path) -> PathBuf {
    let mut lines = String::new();
    for (name, passphrase) in [("client", ""), ("locked", PASSPHRASE)] {
        let file = dir.join(name);
        make_key(&file, "ed25519", passphrase);
        lines += &fs::read_to_string(file.with_extension("pub")).unwrap();
    }
    let authorized = dir.join("authorized");
    fs::write(&authorized, lines).unwrap();
    authorized
}

fn make_key(file: &Path, kind: &str, passphrase: &str) {
    let _ = fs::remove_file(file);
    let name = file.to_str().unwrap();
    keygen(&[
        "-q", "-t", kind, "-a", "2", "-N", passphrase, "-C", "", "-f", name,
    ]);
}

/// What `ssh-keygen` says.
fn keygen(arguments: &[&str]) -> String {
    let said = Command::new(program("ssh-keygen").unwrap())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8(said.stdout).unwrap()
}

/// `SHA256:…` of a public key.
pub(super) fn fingerprint(public: &Path) -> String {
    let said = keygen(&["-l", "-f", public.to_str().unwrap()]);
    said.split_whitespace().nth(1).unwrap().to_owned()
}

/// A file in the form of `known_hosts`.
pub(super) fn known_hosts(dir: &Path, address: SocketAddr) -> PathBuf {
    let lines = ["ed25519", "rsa"].map(|kind| {
        let public = fs::read_to_string(dir.join(format!("host_{kind}.pub"))).unwrap();
        format!("[{}]:{} {public}", address.ip(), address.port())
    });
    let file = dir.join("known_hosts");
    fs::write(&file, lines.concat()).unwrap();
    file
}

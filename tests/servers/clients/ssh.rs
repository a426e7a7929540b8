//! sftp and scp with OpenSSH, dropbear and proftpd.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{client, image, installed, succeeds};
use crate::support::real::{
    OPENSSH, Options, PASSPHRASE, RealServer, SSH_MAKES, SshLogin, SshSetup, require_or_skip,
};

/// `sftp` or `scp`, which believe the server's own list of its keys, and its password where there
/// is a folder for the program that says it.
fn ssh(program: &str, server: &RealServer, key: &Path, says: Option<&Path>) -> Command {
    let mut command = Command::new(program);
    command.args(["-q", "-F", "none", "-P"]);
    command.arg(server.address.port().to_string());
    let known = server.known_hosts();
    for option in [
        format!("UserKnownHostsFile={}", known.display()),
        "GlobalKnownHostsFile=none".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        format!("IdentityFile={}", key.display()),
        "IdentityAgent=none".to_owned(),
        "NumberOfPasswordPrompts=1".to_owned(),
    ] {
        command.arg("-o").arg(option);
    }
    if let Some(says) = says {
        command
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env("SSH_ASKPASS", says);
    }
    command
}

/// A program that says it when asked.
fn saying(server: &RealServer, what: &str) -> PathBuf {
    let file = server.dir().join("says");
    std::fs::write(&file, format!("#!/bin/sh\necho '{what}'\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

fn remote(server: &RealServer, name: &str) -> String {
    format!("{}@127.0.0.1:{name}", server.user)
}

fn a_batch(server: &RealServer, lines: &str) -> PathBuf {
    let file = server.dir().join("batch");
    std::fs::write(&file, lines).unwrap();
    file
}

#[test]
fn openssh_dropbear_and_proftpd_take_files_over_sftp_and_scp() {
    if !installed("sftp") || !installed("scp") {
        return;
    }
    for make in SSH_MAKES {
        if !require_or_skip(make) {
            continue;
        }
        let server = RealServer::start(make);
        let image = image();
        let local = server.dir().join("local");
        std::fs::write(&local, &image).unwrap();
        server.put("image.bin", b"old");
        let lines = format!(
            "put {0} new.tmp\nrename new.tmp image.bin\nget image.bin {0}.back\n",
            local.display()
        );
        let batch = a_batch(&server, &lines);
        let key = server.client_key();
        let mut command = ssh("sftp", &server, &key, None);
        succeeds(
            command
                .arg("-b")
                .arg(batch)
                .arg(format!("{}@127.0.0.1", server.user)),
        );
        assert!(
            server.file("image.bin").unwrap() == image,
            "{}",
            make.name()
        );
        assert!(std::fs::read(local.with_extension("back")).unwrap() == image);
        assert_eq!(server.files(), ["image.bin"], "{}", make.name());
        if server.password.is_empty() {
            continue; // An ordinary user: over SCP its files are at home.
        }
        // By the password, and by the locked key.
        for (name, says, key) in [
            ("password.bin", server.password, Path::new("/dev/null")),
            ("locked.bin", PASSPHRASE, &server.locked_key()),
        ] {
            let says = saying(&server, says);
            let mut command = ssh("scp", &server, key, Some(&says));
            succeeds(command.arg("-O").arg(&local).arg(remote(&server, name)));
            assert!(
                server.file(name).unwrap() == image,
                "{} {name}",
                make.name()
            );
        }
        let says = saying(&server, "a wrong one");
        let mut command = ssh("scp", &server, Path::new("/dev/null"), Some(&says));
        let (good, _) = client(command.arg("-O").arg(&local).arg(remote(&server, "no.bin")));
        assert!(!good && server.file("no.bin").is_none(), "{}", make.name());
    }
}

#[test]
fn openssh_asks_questions_is_old_and_refuses_requests_when_it_is_set_up_so() {
    if !installed("sftp") || !installed("scp") || !require_or_skip(&OPENSSH) {
        return;
    }
    let start = |ssh| {
        let options = Options {
            ssh,
            ..Options::default()
        };
        let server = RealServer::start_with(&OPENSSH, &options);
        server.put("image.bin", &image());
        server
    };
    let none = Path::new("/dev/null");
    let server = start(SshSetup {
        refuses: &["rename", "posix-rename"],
        ..SshSetup::default()
    });
    let batch = a_batch(&server, "rename image.bin other.bin\n");
    let mut command = ssh("sftp", &server, &server.client_key(), None);
    let (good, said) = client(
        command
            .arg("-b")
            .arg(batch)
            .arg(format!("{}@127.0.0.1", server.user)),
    );
    assert!(!good && said.contains("ermission denied"), "{said}");
    assert_eq!(server.files(), ["image.bin"]);

    if server.password.is_empty() {
        return; // The rest needs a password.
    }
    for (login, key) in [
        (SshLogin::Questions, none.to_owned()),
        (SshLogin::Password, none.to_owned()),
    ] {
        let server = start(SshSetup {
            login,
            ..SshSetup::default()
        });
        let says = saying(&server, server.password);
        let back = server.dir().join("back");
        let mut command = ssh("scp", &server, &key, Some(&says));
        command
            .args(["-v", "-O"])
            .arg(remote(&server, "image.bin"))
            .arg(&back);
        succeeds(&mut command);
        assert!(std::fs::read(&back).unwrap() == image(), "{login:?}");
        // The key that others take is not taken.
        let mut command = ssh("scp", &server, &server.client_key(), None);
        command
            .arg("-O")
            .arg("-B")
            .arg(remote(&server, "image.bin"))
            .arg(&back);
        assert!(!client(&mut command).0, "{login:?}");
    }
    let server = start(SshSetup {
        legacy: true,
        ..SshSetup::default()
    });
    let back = server.dir().join("back");
    let copy = |old: bool| {
        let mut command = ssh("scp", &server, &server.client_key(), None);
        if old {
            command.args([
                "-o",
                "HostKeyAlgorithms=ssh-rsa",
                "-o",
                "Ciphers=aes128-cbc",
            ]);
            command.args(["-o", "KexAlgorithms=diffie-hellman-group14-sha1"]);
        }
        client(
            command
                .arg("-O")
                .arg(remote(&server, "image.bin"))
                .arg(&back),
        )
    };
    let (good, said) = copy(false);
    assert!(!good, "{said}");
    let (good, said) = copy(true);
    assert!(good && std::fs::read(&back).unwrap() == image(), "{said}");
}

#[test]
fn a_server_has_other_keys_later_stands_still_breaks_off_and_has_a_small_disk() {
    if !installed("sftp") || !require_or_skip(&OPENSSH) {
        return;
    }
    let disk = Some(64 << 10);
    let options = Options {
        disk,
        ..Options::default()
    };
    let mut server = RealServer::start_with(&OPENSSH, &options);
    let local = server.dir().join("local");
    std::fs::write(&local, image()).unwrap();
    let lines = format!("put {} image.bin\n", local.display());
    let batch = a_batch(&server, &lines);
    let put = |server: &RealServer| {
        let mut command = ssh("sftp", server, &server.client_key(), None);
        client(
            command
                .arg("-b")
                .arg(&batch)
                .arg(format!("{}@127.0.0.1", server.user)),
        )
    };
    let (good, said) = put(&server);
    let size = server.size("image.bin");
    assert!(!good && size > Some(0) && size <= disk, "{size:?} {said}");

    let before = (server.host_key("ed25519"), server.host_key("rsa"));
    assert!(
        before.0.starts_with("SHA256:") && before.0 != before.1,
        "{before:?}"
    );
    let known = std::fs::read(server.known_hosts()).unwrap();
    server.change_host_keys();
    assert_ne!(before.0, server.host_key("ed25519"));
    assert_ne!(before.1, server.host_key("rsa"));
    let mut command = ssh("sftp", &server, &server.client_key(), None);
    std::fs::write(server.dir().join("known_hosts"), known).unwrap();
    let (good, said) = client(
        command
            .arg("-b")
            .arg(&batch)
            .arg(format!("{}@127.0.0.1", server.user)),
    );
    assert!(!good && !said.contains("No space"), "{said}");

    // A connection that is accepted by the kernel and greeted by nobody, until it goes on.
    server.pause();
    let socket = TcpStream::connect(server.address).unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(&socket);
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(lines.read_line(&mut line).is_err(), "{line}");
    socket.set_read_timeout(None).unwrap();
    server.go_on();
    lines.read_line(&mut line).unwrap();
    assert!(line.starts_with("SSH-2.0"), "{line}");
    server.break_off();
    // Reset, or closed: whatever it still had to say was said before.
    let _ = lines.read_to_end(&mut Vec::new());
    drop(RealServer::start(&OPENSSH));
    server.stop();
    assert!(TcpStream::connect(server.address).is_err());
}

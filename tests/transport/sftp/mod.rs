//! SFTP against OpenSSH's own server, and logins against one of russh that wants to be logged in to in all
//! ways.

mod login;
mod rounds;
pub mod sshd;

use std::fs;
use std::process::Command;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtend::model::staging::File;
use subtend::model::{
    EntityState, Failure, Fault, HostKey, HostTrust, Logins, Scheme, Step, Timeouts, Verified,
};
use subtend::transport::{
    AnyTransport, Destination, Directory, Endpoint, How, ImageDigest, Proof, Reply, Seen, Sink,
    Transport,
};
use tokio_util::sync::CancellationToken;

use crate::common::{SHORT, SOON, deliver, image, patient, read_to_end};
use crate::support::run::Run;
use crate::support::{LONG, network, within};
use sshd::{Sshd, is_here, keygen, known_hosts_line, write};

async fn connect(endpoint: Endpoint) -> Result<(), Failure> {
    let path = String::new();
    let directory = Directory { endpoint, path };
    let listed = AnyTransport::default().list(&directory).await;
    listed.map(drop)
}

async fn refused(endpoint: Endpoint) -> Failure {
    within(LONG, connect(endpoint)).await.unwrap_err()
}

async fn open_sink(destination: &Destination) -> Box<dyn Sink> {
    let opened = AnyTransport::default().open_sink(destination).await;
    opened.unwrap()
}

#[tokio::test]
async fn an_image_is_delivered_over_an_old_one_and_proven_by_content() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    for size in [0, 1, 100_000, 9 << 20] {
        sshd.put_old();
        let bytes = image(size);
        let verified = deliver(&sshd.destination(), &bytes).await;
        assert_eq!(verified, Ok(Verified::Readback));
        assert!(sshd.file().unwrap() == bytes, "other bytes");
        assert_eq!(sshd.files(), ["image.bin"]);
    }
    let mode = fs::metadata(sshd.at("flash/image.bin")).unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(mode.permissions().mode() & 0o777, 0o644);
}

/// A server that renames onto nothing: the old image is moved aside.
#[tokio::test]
async fn without_posix_rename_the_old_image_is_moved_aside() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::with("internal-sftp -P posix-rename", "");
    sshd.put_old();
    let bytes = image(300_000);
    let verified = deliver(&sshd.destination(), &bytes).await;
    assert_eq!(verified, Ok(Verified::Readback));
    assert!(sshd.file().unwrap() == bytes, "other bytes");
    assert_eq!(sshd.files(), ["image.bin"]);
}

#[tokio::test]
async fn a_source_is_read_from_any_offset() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let bytes = image((3 << 20) + 77);
    fs::write(sshd.at("flash/image.bin"), &bytes).unwrap();
    let transport = AnyTransport::default();
    for offset in [0, 1, 1 << 20, bytes.len() as u64] {
        let remote = sshd.remote();
        let opened = transport.open_source(&remote, offset);
        let mut source = within(LONG, opened).await.unwrap();
        assert_eq!(source.size(), Some(bytes.len() as u64));
        assert!(source.modified().is_some());
        let read = read_to_end(&mut *source).await.unwrap();
        assert!(
            read == bytes[offset as usize..],
            "other bytes from {offset}"
        );
        within(SOON, source.close()).await;
    }
    let remote = sshd.remote();
    let beyond = transport.open_source(&remote, bytes.len() as u64 + 1);
    let failure = within(LONG, beyond).await.err().unwrap();
    assert!(
        matches!(failure.fault, Fault::SourceChanged { .. }),
        "{failure}"
    );
    let size = within(LONG, transport.size_of(&sshd.remote())).await;
    assert_eq!(size, Ok(Some(bytes.len() as u64)));
    fs::remove_file(sshd.at("flash/image.bin")).unwrap();
    let failure = within(LONG, transport.size_of(&sshd.remote())).await;
    let failure = failure.unwrap_err();
    assert!(matches!(failure.fault, Fault::NoFile { .. }), "{failure}");
}

#[tokio::test]
async fn a_source_that_changes_is_no_image() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let path = sshd.at("flash/image.bin");
    let whole = image(4 << 20);
    let transport = AnyTransport::default();
    for change in ["grows", "shrinks", "is touched"] {
        fs::write(&path, &whole).unwrap();
        let remote = sshd.remote();
        let opened = transport.open_source(&remote, 0);
        let mut source = within(LONG, opened).await.unwrap();
        let mut first = [0; 1000];
        within(LONG, source.read(&mut first)).await.unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        match change {
            "grows" => file.set_len(whole.len() as u64 + 1).unwrap(),
            "shrinks" => file.set_len(whole.len() as u64 - 1).unwrap(),
            _ => file.set_modified(std::time::UNIX_EPOCH).unwrap(),
        }
        let failure = read_to_end(&mut *source).await.unwrap_err();
        let is_noticed = match change {
            "grows" => matches!(failure.fault, Fault::LongImage { .. }),
            "shrinks" => matches!(failure.fault, Fault::ShortImage { .. }),
            _ => matches!(failure.fault, Fault::SourceChanged { .. }),
        };
        assert!(is_noticed, "{change}: {failure}");
    }
}

#[tokio::test]
async fn only_a_host_whose_key_is_known_is_logged_in_to() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let file = sshd.at("known_hosts");
    let with = |trust: HostTrust| {
        let mut endpoint = sshd.endpoint();
        endpoint.ssh.trust = trust;
        endpoint
    };
    let host = format!("[127.0.0.1]:{}", sshd.port);
    let line = known_hosts_line(&sshd, "ed25519", &host);
    let rsa = known_hosts_line(&sshd, "rsa", &host);
    // A fingerprint does not say which of its keys it is of.
    connect(with(sshd.pinned("ed25519"))).await.unwrap();
    connect(with(sshd.pinned("rsa"))).await.unwrap();
    connect(with(write(&file, &line))).await.unwrap();
    connect(with(write(&file, &rsa))).await.unwrap();
    write(&file, &line);
    keygen(&["-q", "-H", "-f", &file.display().to_string()]);
    connect(with(HostTrust::KnownHosts(Arc::new(file.clone()))))
        .await
        .unwrap();

    let shown = format!("ssh-ed25519 {}", sshd.fingerprint("ed25519"));
    let wrong = HostTrust::Key([HostKey([7; 32])].into());
    let failure = refused(with(wrong)).await;
    assert_eq!(failure.step, Step::Connect);
    let Fault::HostKeyChanged {
        shown: said,
        expected,
        ..
    } = &failure.fault
    else {
        panic!("{failure}");
    };
    assert_eq!(
        (said, expected),
        (&shown, &format!("`host_key` is {}", HostKey([7; 32])))
    );
    let failure = refused(with(write(&file, "other ssh-ed25519 AAAA\n"))).await;
    assert!(
        matches!(&failure.fault, Fault::HostKeyUnknown { shown: said, .. } if *said == shown),
        "{failure}"
    );
    let revoked = format!(
        "{line}@revoked * {}",
        known_hosts_line(&sshd, "ed25519", "").trim()
    );
    let failure = refused(with(write(&file, &revoked))).await;
    assert!(
        matches!(failure.fault, Fault::HostKeyRevoked { .. }),
        "{failure}"
    );
    let other = sshd.at("other").display().to_string();
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", &other]);
    let changed = known_hosts_line(&sshd, "other", &host);
    let failure = refused(with(write(&file, &changed))).await;
    let Fault::HostKeyChanged {
        shown: said,
        expected,
        ..
    } = &failure.fault
    else {
        panic!("{failure}");
    };
    assert_eq!(*said, shown);
    let known = sshd.fingerprint("other").to_string();
    assert!(
        expected.contains(&known) && expected.contains("(line 1)"),
        "{expected}"
    );
    assert!(!failure.is_transient());
    // And nobody was asked for a name.
    let log = fs::read_to_string(sshd.at("log")).unwrap();
    assert!(
        !log.contains("Invalid user") && !log.contains("Failed"),
        "{log}"
    );
}

#[tokio::test]
async fn a_key_logs_in_with_its_passphrase_and_in_every_form() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let with = |name: &str, passphrase: &str| Endpoint {
        login: Arc::new(sshd.with_key(name, passphrase)),
        ..sshd.endpoint()
    };
    for (name, passphrase) in [
        ("user", ""),
        ("user_rsa", "open sesame"),
        ("user_pem", "open sesame"),
    ] {
        let connected = connect(with(name, passphrase)).await;
        connected.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    }
    for (name, passphrase, why) in [
        ("user_rsa", "wrong", "is its passphrase right?"),
        ("user_rsa", "", "there is no passphrase"),
        ("none", "", "can't be read"),
        ("config", "", "run: chmod 600"),
        // One that the server does not know.
        ("ed25519", "", "does not let"),
    ] {
        let failure = refused(with(name, passphrase)).await;
        assert_eq!(failure.step, Step::Login);
        let said = failure.to_string();
        assert!(said.contains(why), "{name}: {said}");
        assert!(!said.contains("wrong"), "{said}");
        assert!(!failure.is_transient());
    }
}

#[tokio::test]
async fn the_directory_is_listed() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    fs::create_dir(sshd.at("flash/b")).unwrap();
    fs::write(sshd.at("flash/z"), "12345").unwrap();
    fs::write(sshd.at("flash/a b"), "").unwrap();
    let path = sshd.at("flash").display().to_string();
    let endpoint = sshd.endpoint();
    let directory = Directory { endpoint, path };
    let listed = AnyTransport::default().list(&directory).await.unwrap();
    let listed: Vec<_> = (listed.iter())
        .map(|one| (one.name.as_str(), one.is_directory, one.size))
        .collect();
    assert_eq!(
        listed,
        [
            ("b", true, None),
            ("a b", false, Some(0)),
            ("z", false, Some(5))
        ]
    );
}

#[tokio::test]
async fn files_are_looked_at_renamed_and_deleted() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let old = sshd.put_old();
    let destination = sshd.destination();
    let mut sink = open_sink(&destination).await;
    let (path, free) = (sshd.path(), destination.names.of(File::Staging).clone());
    let size = Some(old.len() as u64);
    assert_eq!(sink.look(&path).await, Ok(Seen::Present { size }));
    assert_eq!(sink.look(&free).await, Ok(Seen::Absent));
    assert!(sink.modified(&path).await.unwrap().is_some());
    assert_eq!(sink.can_rename(&free, Some(&path)).await, Ok(()));
    assert!(matches!(
        sink.rename(&free, &path).await,
        Ok(Reply::Refused(_))
    ));
    assert_eq!(sink.put(&free).await, Ok(true));
    assert_eq!(sink.rename(&path, &free).await, Ok(Reply::Done));
    let image = ImageDigest {
        size: old.len() as u64,
        sha256: Sha256::digest(&old).into(),
    };
    let proof = sink.prove(&free, &image, How::Content).await;
    assert_eq!(proof, Ok(Proof::Same(Verified::Readback)));
    let missing = sink.prove(&path, &image, How::Content).await;
    assert!(matches!(missing, Ok(Proof::Missing(_))), "{missing:?}");
    let other = ImageDigest {
        sha256: [0; 32],
        ..image
    };
    let proof = sink.prove(&free, &other, How::Content).await;
    assert!(matches!(proof, Ok(Proof::Other(_))), "{proof:?}");
    // A link that leads nowhere has its name all the same.
    std::os::unix::fs::symlink("nowhere", sshd.at("flash/image.bin")).unwrap();
    assert_eq!(sink.look(&path).await, Ok(Seen::Present { size: None }));
    assert_eq!(sink.delete(&path).await, Ok(Reply::Done));
    assert_eq!(sink.delete(&free).await, Ok(Reply::Done));
    assert!(sshd.files().is_empty());
    within(SOON, sink.close()).await;
}

#[tokio::test]
async fn a_probe_leaves_nothing_and_names_what_is_wrong() {
    if !is_here() {
        return;
    }
    let cancel = CancellationToken::new();
    let transport = AnyTransport::default();
    let sshd = Sshd::start();
    let old = sshd.put_old();
    let probe = within(LONG, transport.probe(&sshd.destination(), &cancel))
        .await
        .unwrap();
    assert!(probe.written && probe.free > Some(0), "{probe:?}");
    let can = (probe.can.rename, probe.can.read, probe.can.size);
    assert_eq!(can, (Some(true), Some(true), Some(true)));
    assert_eq!(probe.file, Some(old.len() as u64));
    assert_eq!(sshd.files(), ["image.bin"]);

    let mut nowhere = sshd.destination();
    nowhere.remote.path = subtend::model::RemotePath::new("/nowhere/image.bin").unwrap();
    nowhere.names = subtend::model::staging::Names::new(&nowhere.remote.path, "auto", "").unwrap();
    let failure = within(LONG, transport.probe(&nowhere, &cancel))
        .await
        .unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NoDirectory { .. }),
        "{failure}"
    );

    let read_only = Sshd::with("internal-sftp -R", "");
    read_only.put_old();
    let failure = within(LONG, transport.probe(&read_only.destination(), &cancel)).await;
    let failure = failure.unwrap_err();
    let is_named = matches!(
        failure.fault,
        Fault::NotWritable { .. } | Fault::NoRename { .. }
    );
    assert!(
        is_named && failure.to_string().contains("ermission denied"),
        "{failure}"
    );
    assert_eq!(read_only.files(), ["image.bin"]);
}

#[tokio::test]
async fn what_is_refused_is_said_and_the_old_image_stays() {
    if !is_here() {
        return;
    }
    for (denied, step) in [("open", Step::Open), ("write", Step::Send)] {
        let sshd = Sshd::with(&format!("internal-sftp -P {denied}"), "");
        let old = sshd.put_old();
        let failure = deliver(&sshd.destination(), &image(1 << 20))
            .await
            .unwrap_err();
        assert_eq!(failure.step, step, "{failure}");
        assert!(
            failure.to_string().contains("ermission denied"),
            "{failure}"
        );
        assert!(!failure.is_transient());
        assert!(sshd.file().unwrap() == old, "{denied}");
        assert_eq!(sshd.files(), ["image.bin"], "{denied}");
    }
    let sshd = Sshd::start();
    let mut destination = sshd.destination();
    let plain = format!("Subsystem sftp {}", "/nonexistent/sftp-server");
    let broken = Sshd::with("/nonexistent/sftp-server", &plain.replace("Subsystem", "#"));
    destination.remote = broken.remote();
    let failure = deliver(&destination, &image(10)).await.unwrap_err();
    assert_eq!(failure.step, Step::Login, "{failure}");
}

/// The entity is killed in the middle: that may pass, and its old image is what it had.
#[tokio::test]
async fn a_server_that_is_killed_is_a_lost_connection() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let old = sshd.put_old();
    let destination = sshd.destination();
    let mut sink = open_sink(&destination).await;
    sink.store(destination.written_path()).await.unwrap();
    let block = image(256 << 10);
    let mut written = 0;
    while written < 4 << 20 {
        written += within(SOON, sink.write(&block)).await.unwrap();
    }
    sshd.signal("KILL");
    let failure = within(SOON, async {
        loop {
            if let Err(failure) = sink.write(&block).await {
                return failure;
            }
        }
    });
    let failure = failure.await;
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}");
    assert_eq!(failure.step, Step::Send);
    assert!(failure.is_transient());
    assert!(sshd.file().unwrap() == old);
    sink.abort();
    within(SOON, sink.close()).await;
}

/// Halted, it takes nothing and does not say so. What waits for it can be dropped at any time.
#[tokio::test]
async fn a_server_that_is_halted_fails_by_the_progress_deadline() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let mut destination = sshd.destination();
    destination.remote.endpoint.timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let mut sink = open_sink(&destination).await;
    sink.store(destination.written_path()).await.unwrap();
    let block = image(256 << 10);
    within(SOON, sink.write(&block)).await.unwrap();
    sshd.signal("STOP");
    let failure = within(SOON, async {
        loop {
            if let Err(failure) = sink.write(&block).await {
                return failure;
            }
        }
    });
    let failure = failure.await;
    assert_eq!(
        failure,
        Failure::new(Step::Send, Fault::Stalled { after: SHORT })
    );
    let failure = within(SOON, sink.ready()).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::Stalled { .. }), "{failure}");
    within(SOON, sink.close()).await;

    let source = Sshd::start();
    fs::write(source.at("flash/image.bin"), image(8 << 20)).unwrap();
    let mut remote = source.remote();
    remote.endpoint.timeouts.progress = SHORT;
    let transport = AnyTransport::default();
    let mut reading = transport.open_source(&remote, 0).await.unwrap();
    source.signal("STOP");
    let failure = read_to_end(&mut *reading).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::new(Step::Read, Fault::Stalled { after: SHORT })
    );
}

/// A new key after every 64 KiB, on both sides of what is written and read.
#[tokio::test]
async fn keys_are_exchanged_anew_in_the_middle_of_a_transfer() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::with("internal-sftp", "RekeyLimit 64K");
    let bytes = image(6 << 20);
    let verified = deliver(&sshd.destination(), &bytes).await;
    assert_eq!(verified, Ok(Verified::Readback));
    assert!(sshd.file().unwrap() == bytes, "other bytes");
}

#[test]
fn the_agents_keys_are_tried() {
    if !is_here() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ran = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--ignored",
            "--test-threads=1",
            "sftp::with_an_agent",
        ])
        .env("SSH_AUTH_SOCK", dir.path().join("agent"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let is_good = ran.status.success() && said.contains("1 passed");
    assert!(is_good, "{said}{}", String::from_utf8_lossy(&ran.stderr));
}

/// Where its socket is stands in the environment, which is the whole process's.
#[tokio::test]
#[ignore = "run by the_agents_keys_are_tried"]
async fn with_an_agent() {
    let sshd = Sshd::start();
    let socket = std::path::PathBuf::from(std::env::var_os("SSH_AUTH_SOCK").unwrap());
    let mut endpoint = sshd.endpoint();
    endpoint.login = Arc::new(subtend::model::Login {
        key: None,
        agent: true,
        ..sshd.with_key("user", "")
    });
    let said = async |endpoint: &Endpoint| refused(endpoint.clone()).await.to_string();
    let none = said(&endpoint).await;
    assert!(none.contains("no SSH agent answers"), "{none}");
    let mut agent = Command::new("ssh-agent");
    let mut agent = agent.arg("-D").arg("-a").arg(&socket).spawn().unwrap();
    within(SOON, async {
        while !socket.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let add = |key: &str| {
        let added = Command::new("ssh-add").arg(sshd.at(key)).status();
        assert!(added.unwrap().success());
    };
    let empty = said(&endpoint).await;
    assert!(empty.contains("has no key"), "{empty}");
    // One that the server does not know comes first.
    add("ed25519");
    let unknown = said(&endpoint).await;
    assert!(unknown.contains("1 of the SSH agent's keys"), "{unknown}");
    add("user");
    connect(endpoint).await.unwrap();
    agent.kill().unwrap();
    agent.wait().unwrap();
}

/// Some entities of a group are spoken to over FTP and some over SFTP, from one pool.
#[tokio::test]
async fn a_group_mixes_protocols_on_one_pool() {
    if !is_here() {
        return;
    }
    let (inventory, settings) = network(4, 3 << 20);
    let lab = subtend::lab::Lab::start(&inventory, &settings, subtend::lab::LabOptions::default());
    let lab = lab.await.unwrap();
    let mut inventory = lab.inventory().clone();
    let sshds = [Sshd::start(), Sshd::start()];
    let mut logins = Logins::default();
    let mut changed: Vec<_> = inventory.entities.clone();
    for (number, sshd) in sshds.iter().enumerate() {
        sshd.put_old();
        let name = format!("sshd{number}");
        logins.insert(name.as_str().into(), sshd.with_key("user", ""));
        let entity = Arc::make_mut(&mut changed[2 * number]);
        entity.address = sshd.endpoint().address;
        assert_eq!(entity.address.scheme, Scheme::Sftp);
        entity.ssh = sshd.endpoint().ssh;
        entity.path = sshd.path();
        entity.credentials = Some(name.as_str().into());
    }
    let mut group = (*inventory.groups[0]).clone();
    group.entities = changed.clone();
    inventory.groups = vec![Arc::new(group)];
    inventory.entities = changed;
    let run = Run::with_logins(&inventory, logins);
    run.begin(&["all"]).await;
    let (summary, _) = run.finish().await;
    for entity in &summary.groups[0].entities {
        assert_eq!(entity.state, EntityState::Delivered, "{entity:?}");
    }
    let delivered = fs::read(sshds[0].at("flash/image.bin")).unwrap();
    assert_eq!(delivered.len(), 3 << 20);
    for sshd in &sshds {
        assert!(sshd.file().unwrap() == delivered, "other bytes");
        assert_eq!(sshd.files(), ["image.bin"]);
    }
    let over_ftp = lab.file("e002", crate::support::PATH).unwrap();
    assert!(over_ftp.same_as_image("adsl-2"));
    lab.stop().await;
}

/// Servers say no more of it than "failure".
#[tokio::test]
async fn what_is_free_is_said_beside_a_failure_without_words() {
    if !is_here() {
        return;
    }
    let server = ["/usr/lib/openssh/sftp-server", "/usr/lib/sftp-server"];
    let Some(server) = server.into_iter().find(|path| fs::exists(path).unwrap()) else {
        println!("skipped: OpenSSH's sftp-server is not here");
        return;
    };
    // No file may be longer than 32 KiB; the disk itself is not full.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("limited");
    fs::write(
        &script,
        format!("trap '' XFSZ; ulimit -f 64; exec {server}\n"),
    )
    .unwrap();
    let sshd = Sshd::with(&format!("/bin/sh {}", script.display()), "");
    let old = sshd.put_old();
    let failure = deliver(&sshd.destination(), &image(9 << 20))
        .await
        .unwrap_err();
    let said = failure.to_string();
    assert!(
        said.contains("failure (code 4); ") && said.contains(" are free there"),
        "{said}"
    );
    assert!(sshd.file().unwrap() == old);
}

/// Why `transport/sftp/wire.rs` is there: servers of devices leave the text out of a status (it came with version 3
/// of the draft), or have codes of their own, and neither may end a session.
#[test]
fn the_library_for_sftp_takes_no_status_of_such_a_device() {
    let status = |code: u8, text: &[u8]| {
        let mut packet = vec![101, 0, 0, 0, 1, 0, 0, 0, code];
        packet.extend(text);
        let mut packet = packet.into();
        russh_sftp::protocol::Packet::try_from(&mut packet).is_ok()
    };
    let (no_text, empty_text) = (&[][..], &[0; 8][..]);
    assert!(status(4, empty_text), "what OpenSSH sends");
    assert!(!status(4, no_text) && !status(31, empty_text));
}

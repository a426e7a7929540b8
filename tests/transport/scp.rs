//! SCP against the `scp` of OpenSSH, which its own server runs.

use std::fs;
use std::sync::Arc;

use subtend::model::staging::{AUTO, Names};
use subtend::model::{Fault, RemotePath, Scheme, Staging, Step, Verified, VerifyMode};
use subtend::transport::{AnyTransport, Destination, Remote, Seen, Sink, Transport};
use tokio_util::sync::CancellationToken;

use crate::common::{SHORT, deliver, image, read_to_end};
use crate::sftp::sshd::{Sshd, is_here};
use crate::support::{LONG, within};

/// Runs each command with what comes before.
fn forced(before: &str) -> Sshd {
    let command = format!(r#"ForceCommand {before}; exec sh -c "$SSH_ORIGINAL_COMMAND""#);
    Sshd::with("internal-sftp", &command)
}

fn remote(sshd: &Sshd) -> Remote {
    let mut remote = sshd.remote();
    remote.endpoint.address.scheme = Scheme::Scp;
    remote
}

fn destination(sshd: &Sshd, size: Option<usize>) -> Destination {
    Destination {
        remote: remote(sshd),
        staging: Staging::Direct,
        size: size.map(|size| size as u64),
        ..sshd.destination()
    }
}

fn named(destination: Destination, path: &str) -> Destination {
    let path = RemotePath::new(path).unwrap();
    Destination {
        names: Names::new(&path, AUTO, "").unwrap(),
        remote: Remote {
            path,
            ..destination.remote
        },
        ..destination
    }
}

async fn open(destination: &Destination) -> Box<dyn Sink> {
    let opened = within(LONG, AnyTransport::default().open_sink(destination)).await;
    opened.unwrap()
}

#[tokio::test]
async fn an_image_is_written_over_an_old_one_and_proven_by_reading_it_back() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    for size in [0, 1, 100_000, 9 << 20] {
        sshd.put_old();
        let bytes = image(size);
        let verified = deliver(&destination(&sshd, Some(size)), &bytes).await;
        assert_eq!(verified, Ok(Verified::Readback), "{size}");
        assert!(sshd.file().unwrap() == bytes, "other bytes");
        assert_eq!(sshd.files(), ["image.bin"]);
    }
}

#[tokio::test]
async fn a_name_is_a_name_whatever_a_shell_would_make_of_it() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let bytes = image(1000);
    for name in [
        "a b.bin",
        "it's;rm -rf $HOME.bin",
        "$(touch never)`id`",
        "ä*?.bin",
    ] {
        let path = sshd.at("flash").join(name).display().to_string();
        let destination = named(destination(&sshd, Some(bytes.len())), &path);
        assert_eq!(deliver(&destination, &bytes).await, Ok(Verified::Readback));
        assert_eq!(sshd.files(), [name]);
        assert!(fs::read(&path).unwrap() == bytes);
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn without_a_size_nothing_is_begun() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let old = sshd.put_old();
    let failure = deliver(&destination(&sshd, None), &image(10))
        .await
        .unwrap_err();
    assert!(
        failure.to_string().contains("give the image a `size`"),
        "{failure}"
    );
    assert!(sshd.file().unwrap() == old);
}

#[tokio::test]
async fn a_source_is_read_from_any_byte() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let bytes = image(3 << 20);
    fs::write(sshd.at("flash/image.bin"), &bytes).unwrap();
    let transport = AnyTransport::default();
    for offset in [0, 1, 1 << 20, 3 << 20] {
        let source = transport.open_source(&remote(&sshd), offset as u64).await;
        let mut source = source.unwrap();
        assert_eq!(source.size(), Some(3 << 20));
        let read = within(LONG, read_to_end(&mut *source)).await.unwrap();
        assert!(read == bytes[offset..], "from {offset}");
        source.close().await;
    }
    let beyond = transport.open_source(&remote(&sshd), (3 << 20) + 1).await;
    let failure = beyond.err().unwrap();
    assert!(
        matches!(failure.fault, Fault::SourceChanged { .. }),
        "{failure}"
    );
    assert_eq!(transport.size_of(&remote(&sshd)).await, Ok(Some(3 << 20)));
    fs::remove_file(sshd.at("flash/image.bin")).unwrap();
    let failure = transport
        .open_source(&remote(&sshd), 0)
        .await
        .err()
        .unwrap();
    assert!(matches!(failure.fault, Fault::NoFile { .. }), "{failure}");
}

#[tokio::test]
async fn what_is_there_is_seen_and_what_can_be_written_is_found_out_without_writing() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let wanted = destination(&sshd, Some(10));
    let mut sink = open(&wanted).await;
    assert_eq!(sink.look(&wanted.remote.path).await, Ok(Seen::Absent));
    let old = sshd.put_old();
    let seen = sink.look(&wanted.remote.path).await;
    assert_eq!(
        seen,
        Ok(Seen::Present {
            size: Some(old.len() as u64)
        })
    );
    sink.close().await;

    let transport = AnyTransport::default();
    let cancel = CancellationToken::new();
    let probe = transport.probe(&wanted, &cancel).await.unwrap();
    assert_eq!((probe.file, probe.written), (Some(old.len() as u64), false));
    assert_eq!(probe.can.rename, Some(false));
    assert!(sshd.file().unwrap() == old);
    let lost = sshd.at("nowhere/image.bin").display().to_string();
    let failure = deliver(&named(wanted, &lost), &image(10))
        .await
        .unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NoDirectory { .. }),
        "{failure}"
    );
}

#[tokio::test]
async fn what_the_server_says_is_the_cause() {
    if !is_here() {
        return;
    }
    for (before, size, step, cause) in [
        // Its disk is full; this is how a process is made to believe so.
        (
            "trap '' XFSZ; ulimit -f 64",
            1 << 20,
            Step::Confirm,
            "File too large",
        ),
        (
            "echo Welcome to shelf 7",
            10,
            Step::Open,
            "elcome to shelf 7",
        ),
        (
            "echo no scp here >&2; exit 127",
            10,
            Step::Open,
            "no scp here (its scp ended with status 127)",
        ),
    ] {
        let sshd = forced(before);
        let failure = deliver(&destination(&sshd, Some(size)), &image(size))
            .await
            .unwrap_err();
        assert!(failure.to_string().contains(cause), "{failure}");
        assert!(failure.step <= step, "{failure}");
        assert!(!failure.is_transient(), "{failure}");
    }
}

#[tokio::test]
async fn a_server_that_is_killed_or_stops_is_lost_for_now() {
    if !is_here() {
        return;
    }
    for signal in ["KILL", "STOP"] {
        let sshd = Sshd::start();
        let mut wanted = destination(&sshd, Some(64 << 20));
        wanted.remote.endpoint.timeouts.progress = SHORT;
        let mut sink = open(&wanted).await;
        sink.store(&wanted.remote.path).await.unwrap();
        let block = image(64 << 10);
        let count = within(LONG, sink.write(&block)).await.unwrap();
        assert!(count > 0);
        sshd.signal(signal);
        let failure = within(LONG, async {
            loop {
                if let Err(failure) = sink.write(&block).await {
                    break failure;
                }
            }
        });
        let failure = failure.await;
        match signal {
            "KILL" => assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}"),
            _ => assert_eq!(failure.fault, Fault::Stalled { after: SHORT }),
        }
        assert!(failure.is_transient());
        sink.abort();
        within(LONG, sink.close()).await;
    }
}

#[tokio::test]
async fn an_entity_that_gives_no_files_is_believed_as_far_as_it_says() {
    if !is_here() {
        return;
    }
    // `scp -t` alone is let through.
    let sshd = Sshd::with(
        "internal-sftp",
        r#"ForceCommand case "$SSH_ORIGINAL_COMMAND" in "scp -t "*) exec sh -c "$SSH_ORIGINAL_COMMAND";; *) echo denied >&2; exit 1;; esac"#,
    );
    let bytes = image(50_000);
    let mut wanted = destination(&sshd, Some(bytes.len()));
    assert_eq!(deliver(&wanted, &bytes).await, Ok(Verified::None));
    assert!(sshd.file().unwrap() == bytes);
    wanted.verify = VerifyMode::Readback;
    let failure = deliver(&wanted, &bytes).await.unwrap_err();
    assert!(failure.to_string().contains("denied"), "{failure}");
}

#[tokio::test]
async fn the_key_of_the_host_is_judged_as_over_sftp() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    let mut wanted = destination(&sshd, Some(10));
    wanted.remote.endpoint.ssh.trust =
        subtend::model::HostTrust::Key(Arc::new([subtend::model::HostKey([7; 32])]));
    let failure = deliver(&wanted, &image(10)).await.unwrap_err();
    assert_eq!(failure.step, Step::Connect);
    assert!(failure.to_string().contains("SHA256:"), "{failure}");
    assert!(sshd.file().is_none());
}

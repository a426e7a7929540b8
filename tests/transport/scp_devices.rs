//! SCP against devices that refuse, lie or ask back: scripts in the place of OpenSSH's `scp`, and dropbear.

use std::fs;
use std::sync::Arc;

use subtend::model::staging::{AUTO, Names};
use subtend::model::{
    Failure, Fault, HostTrust, Login, RemotePath, Scheme, Staging, Step, Timeouts, Verified,
};
use subtend::placement::Delivery;
use subtend::transport::{AnyTransport, Destination, Remote, Transport};

use crate::common::{SHORT, deliver, image, patient, read_to_end, try_to_deliver};
use crate::sftp::sshd::{Sshd, is_here};
use crate::support::real::{DROPBEAR, Make, RealServer};
use crate::support::{LONG, within};

fn over_scp(sshd: &Sshd) -> Remote {
    let mut remote = sshd.remote();
    remote.endpoint.address.scheme = Scheme::Scp;
    remote
}

fn destination(sshd: &Sshd, size: usize) -> Destination {
    Destination {
        remote: over_scp(sshd),
        staging: Staging::Direct,
        size: Some(size as u64),
        ..sshd.destination()
    }
}

/// An entity whose `scp` is a script, with the old image on it. It has `$path`; `real` is what was asked for.
struct Device {
    sshd: Sshd,
    _script: tempfile::TempDir,
}

impl Device {
    /// The script's case for a file that is written, and that for one that is read.
    fn with(takes: &str, gives: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("scp.sh");
        let script = format!(
            "path=${{SSH_ORIGINAL_COMMAND##* }}\nreal() {{ $SSH_ORIGINAL_COMMAND; }}\n\
             case $SSH_ORIGINAL_COMMAND in\n'scp -t '*) {takes} ;;\n'scp -f '*) {gives} ;;\nesac\n"
        );
        fs::write(&file, script).unwrap();
        let forced = format!("ForceCommand sh {}", file.display());
        let sshd = Sshd::with("internal-sftp", &forced);
        sshd.put_old();
        Self { sshd, _script: dir }
    }

    async fn gets(&self, bytes: &[u8], timeouts: Timeouts) -> Result<Verified, (Failure, bool)> {
        let mut destination = destination(&self.sshd, bytes.len());
        destination.remote.endpoint.timeouts = timeouts;
        try_to_deliver(&destination, bytes).await
    }
}

/// The cause is in the device's own words, and what it has is what it had where it took nothing.
#[tokio::test]
async fn devices_that_refuse_lie_or_ask_back_are_seen_through() {
    if !is_here() {
        return;
    }
    let begins = "printf '\\0'; read -r line; printf '\\0'";
    let all = "head -c 400000 >/dev/null; head -c 1 >/dev/null";
    let cases: [(&str, String, Step, &str, bool); 10] = [
        (
            "full",
            "printf '\\001scp: x: No space left on device\\n'".into(),
            Step::Open,
            "No space left",
            false,
        ),
        (
            "asks back",
            "printf 'Destination filename [image.bin]? '; cat >/dev/null".into(),
            Step::Open,
            "Destination filename",
            false,
        ),
        (
            "has none",
            "echo 'sh: scp: not found' >&2; exit 127".into(),
            Step::Open,
            "not found (its scp ended with status 127)",
            false,
        ),
        (
            "no directory",
            "printf '\\0'; read -r line; printf '\\001scp: /x/y: No such file or directory\\n'"
                .into(),
            Step::Open,
            "there is no directory",
            false,
        ),
        (
            "breaks off",
            format!("{begins}; head -c 1000 >/dev/null; exit 1"),
            Step::Send,
            "status 1",
            false,
        ),
        (
            "fails on the way",
            format!(
                "{begins}; head -c 1000 >/dev/null; printf '\\001flash error\\n'; cat >/dev/null"
            ),
            Step::Send,
            "flash error",
            false,
        ),
        (
            "confirms at once",
            format!("{begins}; printf '\\0'; cat >/dev/null"),
            Step::Send,
            "confirmed the file after",
            false,
        ),
        (
            "fails at the end",
            format!("{begins}; {all}; printf '\\002no flash\\n'"),
            Step::Confirm,
            "no flash",
            false,
        ),
        (
            "takes it back",
            format!("{begins}; {all}; printf '\\0'; echo 'bad image' >&2; exit 3"),
            Step::Confirm,
            "bad image (its scp ended with status 3",
            false,
        ),
        (
            "stores nothing",
            format!("{begins}; {all}; printf '\\0'"),
            Step::Verify,
            "the entity holds 5000 bytes",
            true,
        ),
    ];
    for (name, takes, step, said, confirmed) in cases {
        // More than is under way before it is heard what the device says.
        let bytes = match step {
            Step::Send => image(9 << 20),
            _ => image(400_000),
        };
        let device = Device::with(&takes, "real");
        let got = device.gets(&bytes, patient()).await;
        let (failure, was_confirmed) = got.unwrap_err();
        assert!(failure.to_string().contains(said), "{name}: {failure}");
        assert_eq!(
            (failure.step, was_confirmed),
            (step, confirmed),
            "{name}: {failure}"
        );
        assert!(device.sshd.file().unwrap() == image(5000), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_byte_is_found_by_reading_back() {
    if !is_here() {
        return;
    }
    let spoils = "real; printf X | dd of=$path bs=1 seek=7 conv=notrunc 2>/dev/null";
    let device = Device::with(spoils, "real");
    let (failure, confirmed) = device.gets(&image(90_000), patient()).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::WrongDigest { .. }),
        "{failure}"
    );
    assert!(confirmed);
}

/// It is delivered, and nobody says that it was looked at.
#[tokio::test]
async fn a_device_that_gives_nothing_back_is_delivered_without_proof() {
    if !is_here() {
        return;
    }
    for gives in [
        "echo 'write only' >&2; exit 1",
        "exit 0",
        "echo 'no, thank you'",
    ] {
        let device = Device::with("real", gives);
        let bytes = image(90_000);
        let verified = device.gets(&bytes, patient()).await;
        assert_eq!(verified, Ok(Verified::None), "{gives}");
        assert!(device.sshd.file().unwrap() == bytes, "other bytes");
    }
}

#[tokio::test]
async fn each_wait_has_a_deadline_of_its_own() {
    if !is_here() {
        return;
    }
    let begins = "printf '\\0'; read -r line; printf '\\0'";
    let silent = Device::with("exec sleep 20", "real");
    let reply = Timeouts {
        reply: SHORT * 10,
        ..patient()
    };
    let (failure, _) = silent.gets(&image(10), reply).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::NoReply { .. }), "{failure}");

    let stalls = Device::with(&format!("{begins}; exec sleep 20"), "real");
    let progress = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let (failure, _) = stalls.gets(&image(9 << 20), progress).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::Stalled { .. }), "{failure}");

    let keeps_quiet = format!("{begins}; head -c 10 >/dev/null; exec sleep 20");
    let quiet = Device::with(&keeps_quiet, "real");
    let confirm = Timeouts {
        confirm: SHORT,
        ..patient()
    };
    let (failure, _) = quiet.gets(&image(10), confirm).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NotConfirmed { .. }),
        "{failure}"
    );
}

/// A source that says one size and sends another number of bytes, or fails in its middle.
#[tokio::test]
async fn a_source_that_is_cut_short_or_fails_is_no_image() {
    if !is_here() {
        return;
    }
    let announces = "head -c 1 >/dev/null; printf 'C0644 9 x\\n'; head -c 1 >/dev/null";
    for (sends, said) in [
        ("printf 12345", "ended after 5 bytes; the file has 9"),
        ("printf '123456789\\001scp: read error\\n'", "read error"),
        ("printf '1234567890\\0'", "more than the 9 bytes"),
    ] {
        let device = Device::with("real", &format!("{announces}; {sends}"));
        let transport = AnyTransport::default();
        let remote = over_scp(&device.sshd);
        let mut source = within(LONG, transport.open_source(&remote, 0))
            .await
            .unwrap();
        let failure = within(LONG, read_to_end(&mut *source)).await.unwrap_err();
        assert!(failure.to_string().contains(said), "{sends}: {failure}");
    }
}

/// What was given up is not whole, and the next one is.
#[tokio::test]
async fn a_file_that_is_given_up_is_never_taken_for_whole() {
    if !is_here() {
        return;
    }
    let sshd = Sshd::start();
    sshd.put_old();
    let bytes = image(3 << 20);
    let destination = destination(&sshd, bytes.len());
    let transport = AnyTransport::default();
    let opened = within(LONG, Delivery::open(&transport, &destination, None)).await;
    let (mut sink, _) = opened.map_err(|not_opened| not_opened.failure).unwrap();
    within(LONG, sink.write(&bytes[..30_000])).await.unwrap();
    let _ = within(LONG, sink.discard(false)).await;
    assert!(!sink.is_confirmed());
    within(LONG, sink.close()).await;
    assert!(sshd.file().unwrap() != bytes);
    assert_eq!(deliver(&destination, &bytes).await, Ok(Verified::Readback));
    assert!(sshd.file().unwrap() == bytes, "other bytes");
}

#[tokio::test]
async fn dropbear_takes_an_image_and_gives_it() {
    if let Some(missing) = DROPBEAR.missing() {
        let must = std::env::var("CI").as_deref() == Ok("true");
        assert!(!must, "{missing}");
        println!("skipped: {missing}");
        return;
    }
    let server = RealServer::start(&DROPBEAR);
    let path = RemotePath::new("image.bin").unwrap();
    let remote = Remote {
        endpoint: subtend::transport::Endpoint {
            address: subtend::model::Address {
                scheme: Scheme::Scp,
                host: server.address.ip().to_string(),
                port: server.address.port(),
            },
            login: Arc::new(Login::with_password(server.user, server.password)),
            timeouts: patient(),
            tls: subtend::model::Tls::default(),
            ssh: subtend::model::Ssh {
                trust: HostTrust::Key([server.host_key("ed25519").parse().unwrap()].into()),
                legacy: false,
            },
            dialect: subtend::model::Dialect::default(),
            http: subtend::model::Http::default(),
        },
        path: path.clone(),
    };
    let bytes = image(3 << 20);
    let destination = Destination {
        remote,
        verify: subtend::model::VerifyMode::Best,
        staging: Staging::Direct,
        delete_first: false,
        names: Names::new(&path, AUTO, "").unwrap(),
        size: Some(bytes.len() as u64),
    };
    server.put("image.bin", &image(5000));
    assert_eq!(deliver(&destination, &bytes).await, Ok(Verified::Readback));
    assert!(server.file("image.bin").unwrap() == bytes, "other bytes");
    assert_eq!(server.files(), ["image.bin"]);
}

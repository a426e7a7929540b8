//! What was verified, and how, is reported as it was.

use subtend::model::{Fault, RemotePath, Step, Verified, VerifyMode};
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Reply, Script};
use crate::support::within;

const DIGESTS: [(&str, &str, usize); 5] = [
    ("HASH", "SHA-256", 64),
    ("XSHA256", "SHA-256", 64),
    ("XSHA1", "SHA-1", 40),
    ("XMD5", "MD5", 32),
    ("XCRC", "CRC-32", 8),
];

fn offering(verb: &'static str) -> Script {
    Script {
        digests: vec![verb],
        ..Script::default()
    }
}

#[tokio::test]
async fn each_digest_is_used_and_reported() {
    for (verb, _, _) in DIGESTS {
        let server = device(offering(verb)).await;
        let bytes = image(70_000);
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Digest), "{verb}");
        assert_delivered(&server, &bytes);
        assert_eq!(server.log().count(verb), 1);
    }
}

#[tokio::test]
async fn a_wrong_digest_leaves_nothing_but_the_old_image() {
    for (verb, algorithm, digits) in DIGESTS {
        let wrong = "0f".repeat(digits / 2);
        let script = offering(verb).on(verb, Reply::line(&format!("250 {wrong}")));
        let server = device(script).await;
        let failure = send(&destination(&server), &image(1000)).await.unwrap_err();
        assert_eq!(failure.step, Step::Verify);
        assert!(
            matches!(&failure.fault, Fault::WrongDigest { algorithm: named, actual, .. }
                if named == algorithm && *actual == wrong),
            "{verb}: {failure}"
        );
        assert_untouched(&server);
    }
}

/// Right size, other bytes: what the size can't tell, a digest can.
#[tokio::test]
async fn bytes_that_changed_on_the_entity_are_found() {
    for (verb, mode) in [
        ("HASH", VerifyMode::Best),
        ("XCRC", VerifyMode::Best),
        ("NONE", VerifyMode::Readback),
    ] {
        let server = device(offering(verb)).await;
        let bytes = image(1000);
        let mut destination = destination(&server);
        destination.verify = mode;
        let mut sink = open_sink(&FtpTransport::new(), &destination).await.unwrap();
        write_all(&mut sink, &bytes).await.unwrap();
        within(SOON, sink.finish()).await.unwrap();
        let mut worn = bytes.clone();
        worn[500] ^= 1;
        server.put(&staging(), worn);
        let failure = within(SOON, sink.verify(&digest(&bytes)))
            .await
            .unwrap_err();
        let found = matches!(failure.fault, Fault::WrongDigest { .. });
        assert!(found && failure.step == Step::Verify, "{failure}");
        assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
        assert_untouched(&server);
    }
}

#[tokio::test]
async fn a_digest_that_was_offered_and_is_refused_gives_way_to_the_size() {
    for (verb, reply) in [
        ("HASH", "504 not today"),
        ("OPTS", "501 no such algorithm"),
        ("HASH", "213 no digest in here"),
    ] {
        let server = device(offering("HASH").on(verb, Reply::line(reply))).await;
        let bytes = image(1000);
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{verb}: {reply}");
        assert_delivered(&server, &bytes);
    }
}

/// The entity reads its flash meanwhile.
#[tokio::test]
async fn a_digest_may_take_as_long_as_the_confirmation() {
    let server = device(offering("XMD5").delay("XMD5", SHORT * 3)).await;
    let bytes = image(1000);
    let result = send(&destination_with(&server, impatient()), &bytes).await;
    assert_eq!(result, Ok(Verified::Digest));

    let server = device(offering("XMD5").on("XMD5", Reply::Never)).await;
    let timeouts = subtend::model::Timeouts {
        confirm: SHORT,
        ..patient()
    };
    let result = send(&destination_with(&server, timeouts), &bytes).await;
    assert_eq!(result, Err(no_reply(Step::Verify, "XMD5")));
    assert_untouched(&server);
}

#[tokio::test]
async fn an_entity_without_size_is_verified_by_nothing_or_as_asked_not_at_all() {
    let script = Script::default().on("SIZE", Reply::line("500 what?"));
    let server = device(script).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::None));
    assert_delivered(&server, &bytes);

    server.put(PATH, OLD);
    destination.verify = VerifyMode::Size;
    let failure = send(&destination, &bytes).await.unwrap_err();
    assert_eq!(failure.step, Step::Verify);
    assert!(
        matches!(failure.fault, Fault::NotVerifiable { .. }),
        "{failure}"
    );
    assert_untouched(&server);
}

#[tokio::test]
async fn a_wrong_size_leaves_nothing_but_the_old_image() {
    let script = Script::default().on("SIZE", Reply::line("213 999"));
    for mode in [VerifyMode::Best, VerifyMode::Size] {
        let server = device(script.clone()).await;
        let mut destination = destination(&server);
        destination.verify = mode;
        let result = send(&destination, &image(1000)).await;
        let fault = Fault::WrongSize {
            expected: 1000,
            actual: 999,
        };
        assert_eq!(result, failed(Step::Verify, fault));
        assert_untouched(&server);
    }
}

#[tokio::test]
async fn reading_back_is_done_and_reported() {
    let server = device(Script::default()).await;
    let bytes = image(70_000);
    let mut destination = destination(&server);
    destination.verify = VerifyMode::Readback;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
    assert_delivered(&server, &bytes);
    assert!(
        server
            .log()
            .commands()
            .contains(&&*format!("RETR {}", staging()))
    );
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_is_wanted() {
    let server = device(offering("HASH")).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    destination.verify = VerifyMode::None;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::None));
    assert_delivered(&server, &bytes);
    let log = server.log();
    assert_eq!(
        (log.count("FEAT"), log.count("HASH"), log.count("SIZE")),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn names_with_spaces_are_written_verified_and_renamed() {
    for (verb, _, _) in DIGESTS {
        let server = device(offering(verb)).await;
        let bytes = image(1000);
        let mut destination = destination(&server);
        destination.remote.path = RemotePath::new("/flash/my new image.bin").unwrap();
        let result = send(&destination, &bytes).await;
        assert_eq!(result, Ok(Verified::Digest), "{verb}");
        assert_eq!(server.files(), [PATH, "/flash/my new image.bin"]);
        assert!(server.file("/flash/my new image.bin").unwrap() == bytes);
    }
}

//! What was verified, and how, is reported as it was.

use subtend::model::{Fault, Step, Verified, VerifyMode};
use subtend::placement::Delivery;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Action, Data, Reply, Retrieve, Script, ScriptedServer};
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
        // Of the copy, and again of what has the final name.
        assert_eq!(server.log().count(verb), 2);
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

/// Right size, other bytes: what the size can't show, a digest can.
#[tokio::test]
async fn bytes_that_changed_on_the_entity_are_found() {
    for (verb, mode) in [
        ("HASH", VerifyMode::Best),
        ("XCRC", VerifyMode::Best),
        ("XCRC", VerifyMode::Quick),
        ("NONE", VerifyMode::Best),
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
        assert_found_out(sink, &bytes, &server).await;
    }
}

/// The copy is not the image, which is found, and removed.
async fn assert_found_out(mut sink: Delivery, bytes: &[u8], server: &ScriptedServer) {
    let failure = within(SOON, sink.verify(&digest(bytes))).await.unwrap_err();
    let found = matches!(failure.fault, Fault::WrongDigest { .. });
    assert!(found && failure.step == Step::Verify, "{failure}");
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_untouched(server);
}

/// Whatever is said instead of a digest: `best` reads the file back, `quick` asks for its size.
#[tokio::test]
async fn a_digest_that_was_offered_and_is_not_given_gives_way_to_the_next_proof() {
    for (verb, reply) in [
        ("HASH", "504 not today"),
        ("HASH", "550 permission denied"),
        ("OPTS", "501 no such algorithm"),
        ("HASH", "213 no digest in here"),
        ("HASH", "213 SHA-256 0-1000 0f0f0f image.bin"),
    ] {
        for (mode, proof) in [
            (VerifyMode::Best, Verified::Readback),
            (VerifyMode::Quick, Verified::Size),
        ] {
            let server = device(offering("HASH").on(verb, Reply::line(reply))).await;
            let bytes = image(1000);
            let mut destination = destination(&server);
            destination.verify = mode;
            let result = send(&destination, &bytes).await;
            assert_eq!(result, Ok(proof), "{verb}: {reply}");
            assert_delivered(&server, &bytes);
        }
    }
}

/// A flash that wears flips a bit of what it was given, and reports the right size.
#[tokio::test]
async fn by_default_a_flipped_byte_is_found() {
    for script in [
        offering("HASH"),
        Script::default(),
        // Offers a digest, and then says something else.
        offering("HASH").on("HASH", Reply::line("213 done")),
    ] {
        let server = device(script).await;
        let bytes = image(70_000);
        let mut destination = destination(&server);
        destination.verify = VerifyMode::default();
        let mut sink = open_sink(&FtpTransport::new(), &destination).await.unwrap();
        let mut worn = bytes.clone();
        worn[69_999] ^= 0x40;
        write_all(&mut sink, &worn).await.unwrap();
        within(SOON, sink.finish()).await.unwrap();
        assert_found_out(sink, &bytes, &server).await;
    }
}

/// An upload box: what it can't prove it is not asked for again, and it is said how little was.
#[tokio::test]
async fn an_entity_that_lets_nobody_read_is_verified_by_its_size() {
    for refusal in [
        "550 permission denied",
        "502 not implemented",
        "500 what?",
        "532 need account",
        "553 not allowed",
    ] {
        let server = device(Script::default().on("RETR", Reply::line(refusal))).await;
        let bytes = image(1000);
        let mut destination = destination(&server);
        destination.verify = VerifyMode::Best;
        let result = send(&destination, &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{refusal}");
        assert_delivered(&server, &bytes);

        // What was asked for by name is not taken for less.
        server.put(PATH, OLD);
        destination.verify = VerifyMode::Readback;
        let failure = send(&destination, &bytes).await.unwrap_err();
        assert_eq!(failure.step, Step::Verify, "{refusal}");
        assert_untouched(&server);
    }
}

/// What can't be read now may be readable a moment later: that is no reason to believe a size.
#[tokio::test]
async fn a_reading_that_fails_for_a_while_is_a_failure_that_may_pass() {
    for refusal in ["450 busy", "425 no data connection", "421 going down"] {
        let server = device(Script::default().on("RETR", Reply::line(refusal))).await;
        let mut destination = destination(&server);
        destination.verify = VerifyMode::Best;
        let failure = send(&destination, &image(1000)).await.unwrap_err();
        assert!(failure.is_transient(), "{failure}");
        assert_eq!(failure.step, Step::Verify, "{refusal}");
    }
    // In the middle of the file.
    let script = Script {
        retrieve: Retrieve {
            at: Some(500),
            data: Data::Reset,
            ..Retrieve::default()
        },
        ..Script::default()
    };
    let server = device(script).await;
    let mut destination = destination(&server);
    destination.verify = VerifyMode::Best;
    let failure = send(&destination, &image(1000)).await.unwrap_err();
    assert!(
        failure.is_transient() && failure.step == Step::Verify,
        "{failure}"
    );
    assert_untouched(&server);
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
async fn an_entity_without_size_is_verified_by_reading_or_nothing_or_as_asked_not_at_all() {
    let script = || Script::default().on("SIZE", Reply::line("500 what?"));
    let server = device(script()).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    // Nothing else tells it from the old image.
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
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

    // What can't be asked for anything is believed, and it is said that it was.
    let script = (script().on("MDTM", Reply::line("500 what?")))
        .on("RETR", Reply::line("550 permission denied"));
    let server = device(script).await;
    destination.remote = remote(&server);
    for mode in [VerifyMode::Best, VerifyMode::Quick] {
        server.put(PATH, OLD);
        destination.verify = mode;
        assert_eq!(send(&destination, &bytes).await, Ok(Verified::None));
        assert_delivered(&server, &bytes);
    }
}

#[tokio::test]
async fn a_wrong_size_leaves_nothing_but_the_old_image() {
    let script = Script::default().handle(|line, state| {
        let stored = state.commands.iter().any(|line| line.starts_with("STOR"));
        match line == format!("SIZE {}", staging()) && stored {
            true => Action::Reply(Reply::line("213 999")),
            false => Action::Default,
        }
    });
    for mode in [VerifyMode::Quick, VerifyMode::Size] {
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

/// Some devices report what is in their flash, which is not all of it yet.
#[tokio::test]
async fn a_size_that_is_late_by_a_moment_is_asked_for_again() {
    let script = Script::default().handle(|line, state| {
        let asked = |one: &&String| **one == format!("SIZE {}", staging());
        // Once before the upload, and once after it.
        let second = state.commands.iter().filter(asked).count() == 2;
        match line == format!("SIZE {}", staging()) && second {
            true => Action::Reply(Reply::line("213 512")),
            false => Action::Default,
        }
    });
    let server = device(script).await;
    let bytes = image(1000);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
}

#[tokio::test]
async fn reading_back_is_done_and_reported() {
    let server = device(Script::default()).await;
    let bytes = image(70_000);
    let mut destination = destination(&server);
    destination.verify = VerifyMode::Readback;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
    assert_delivered(&server, &bytes);
    let log = server.log();
    let read: Vec<_> = (log.commands().into_iter())
        .filter(|line| line.starts_with("RETR"))
        .collect();
    assert_eq!(
        read,
        [format!("RETR {}", staging()), format!("RETR {PATH}")]
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
    let log = server.until(|log| log.count("QUIT") == 1).await;
    assert_eq!((log.count("FEAT"), log.count("HASH")), (0, 0));
    // Only whether the name to write to is free again: a reply to a rename may be a lie.
    let commands = log.commands();
    let stored = commands.iter().position(|line| line.starts_with("STOR"));
    let expected = [
        format!("STOR {}", staging()),
        format!("RNFR {}", staging()),
        format!("RNTO {PATH}"),
        format!("SIZE {}", staging()),
        "QUIT".to_owned(),
    ];
    assert_eq!(commands[stored.unwrap()..], expected);
}

#[tokio::test]
async fn names_with_spaces_are_written_verified_and_renamed() {
    for (verb, _, _) in DIGESTS {
        let server = device(offering(verb)).await;
        let bytes = image(1000);
        let destination = at_path(destination(&server), "/flash/my new image.bin");
        let result = send(&destination, &bytes).await;
        assert_eq!(result, Ok(Verified::Digest), "{verb}");
        assert_eq!(server.files(), [PATH, "/flash/my new image.bin"]);
        assert!(server.file("/flash/my new image.bin").unwrap() == bytes);
    }
}

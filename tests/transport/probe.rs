//! What is found out about an entity before anything is sent, and that nothing of it stays there.

use subtend::model::{Abilities, Failure, Fault, Leftover, Probe, Staging, Step, VerifyMode};
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{Compared, Destination, Transport};
use tokio_util::sync::CancellationToken;

use crate::common::*;
use crate::support::scripted::{Action, Passive, Reply, Script, ScriptedServer, Store};
use crate::support::within;

pub async fn probe(destination: &Destination) -> Result<Probe, Failure> {
    let cancel = CancellationToken::new();
    within(SOON, FtpTransport::new().probe(destination, &cancel)).await
}

fn able() -> Abilities {
    Abilities {
        epsv: Some(true),
        size: Some(true),
        rest: Some(true),
        rename: Some(true),
        digest: None,
        read: None,
    }
}

/// A server that says this at the end of an upload.
fn confirming(reply: &str) -> Behaviour {
    Behaviour {
        confirm_reply: Some(reply.into()),
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn a_good_entity_tells_what_it_can_and_keeps_nothing() {
    let script = Script {
        digests: vec!["HASH"],
        ..Script::default()
    };
    let server = device(script.on("SITE", Reply::line("200 12 MB free of 64 MB"))).await;
    let found = probe(&destination(&server)).await.unwrap();
    let expected = Probe {
        written: true,
        can: Abilities {
            digest: Some("SHA-256".into()),
            ..able()
        },
        file: Some(OLD.len() as u64),
        free: Some(12 << 20),
        staging: None,
        left: None,
        unasked: false,
    };
    assert_eq!(found, expected);
    assert_untouched(&server);
    let log = server.log();
    assert_eq!((log.connections.len(), log.uploads.len()), (1, 1));
    assert_eq!(
        (&*log.uploads[0].path, log.uploads[0].taken),
        (&*staging(), 1)
    );
    // The byte, and never the image.
    let renames: Vec<_> = (log.commands().into_iter())
        .filter(|line| line.starts_with("RNTO"))
        .collect();
    assert_eq!(renames, [format!("RNTO {}", spare())]);
}

#[tokio::test]
async fn the_room_is_asked_with_avbl_where_that_is_offered() {
    let script = Script::default()
        .on("FEAT", Reply::raw("211-I can\r\n AVBL\r\n211 end\r\n"))
        .on("AVBL", Reply::line("213 1048576"));
    let server = device(script).await;
    assert_eq!(
        probe(&destination(&server)).await.unwrap().free,
        Some(1 << 20)
    );
    let log = server.log();
    assert!(
        log.commands().contains(&"AVBL /flash"),
        "{:?}",
        log.commands()
    );
    assert_eq!(log.count("SITE"), 0);
}

/// It is an earlier run's, or another one writes it now: nobody knows.
#[tokio::test]
async fn a_staging_file_is_told_and_left_alone() {
    let server = device(Script::default()).await;
    server.put(&staging(), b"half an image".to_vec());
    let found = probe(&destination(&server)).await.unwrap();
    let left = Leftover {
        path: staging(),
        size: Some(13),
        modified: Some("20020709120000".into()),
    };
    assert_eq!((found.staging, found.written), (Some(left), false));
    assert_eq!(server.file(&staging()).unwrap(), b"half an image");
    assert_eq!(server.file(PATH).unwrap(), OLD);
    assert!(server.log().uploads.is_empty() && server.log().count("DELE") == 0);
}

#[tokio::test]
async fn a_directory_that_is_missing_and_one_that_is_read_only_are_told_apart() {
    let refused = || Script::default().on("STOR", Reply::line("550 no"));
    let server = device(refused().on("CWD", Reply::line("550 no such directory"))).await;
    let failure = probe(&destination(&server)).await.unwrap_err();
    let fault = Fault::NoDirectory {
        directory: "/flash".into(),
        reply: "the server said 550 no such directory".into(),
    };
    assert_eq!(failure, Failure::new(Step::Open, fault));

    // Some refuse only when the data comes.
    let late = Script::behaving(confirming("550 no"));
    let server = device(late.on("CWD", Reply::line("550 no such directory"))).await;
    let failure = probe(&destination(&server)).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NoDirectory { .. }),
        "{failure}"
    );
    assert_untouched(&server);

    let server = device(refused()).await;
    let failure = probe(&destination(&server)).await.unwrap_err();
    let fault = Fault::NotWritable {
        directory: "/flash".into(),
        reply: "the server said 550 no".into(),
    };
    assert_eq!(failure, Failure::new(Step::Open, fault));
    assert_untouched(&server);
}

/// The file was created before it was refused, or its confirmation was.
#[tokio::test]
async fn what_a_refused_byte_left_is_removed() {
    let refusing = Store {
        refuse: Some("552 full"),
        ..Store::default()
    };
    let refusing = Script {
        store: refusing,
        ..Script::default()
    };
    let unconfirmed = Script::behaving(confirming("552 full"));
    for (script, step) in [(refusing, Step::Open), (unconfirmed, Step::Confirm)] {
        let server = device(script).await;
        let failure = probe(&destination(&server)).await.unwrap_err();
        assert_eq!(failure, said(step, 552, "full"));
        assert_untouched(&server);
    }
}

/// The reply that would end the upload never comes: the byte is removed over a second session.
#[tokio::test]
async fn a_byte_that_was_never_confirmed_is_removed() {
    let script = Script::behaving(Behaviour {
        no_confirm: true,
        ..Behaviour::default()
    });
    let server = device(script).await;
    let mut destination = destination(&server);
    destination.remote.endpoint.timeouts.confirm = SHORT;
    let failure = probe(&destination).await.unwrap_err();
    assert_eq!(
        failure,
        Failure::new(Step::Confirm, Fault::NotConfirmed { after: SHORT })
    );
    assert_untouched(&server);
}

#[tokio::test]
async fn what_would_fail_later_is_told_now() {
    // No data connection gets through, in either way.
    let script = Script {
        passive: Passive::DeadPort,
        ..Script::default()
    };
    let failure = probe(&destination(&device(script).await))
        .await
        .unwrap_err();
    assert!(matches!(failure.fault, Fault::Refused { .. }), "{failure}");

    let server = device(Script::default().on("PASS", Reply::line("530 no"))).await;
    assert_eq!(
        probe(&destination(&server)).await,
        Err(said(Step::Login, 530, "no"))
    );

    let server = device(Script::default().on("RNFR", Reply::line("502 what?"))).await;
    let failure = probe(&destination(&server)).await.unwrap_err();
    assert!(matches!(failure.fault, Fault::NoRename { .. }), "{failure}");

    let server = device(Script::default().on("SIZE", Reply::line("502 what?"))).await;
    let mut strict = destination(&server);
    strict.verify = VerifyMode::Size;
    let failure = probe(&strict).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NotVerifiable { .. }),
        "{failure}"
    );
    assert_untouched(&server);
}

#[tokio::test]
async fn servers_that_know_little_are_no_problem() {
    let script = Script {
        digests: vec!["XMD5"],
        ..Script::default()
    };
    let script = (script.on("XMD5", Reply::line("502 not today")))
        .on("EPSV", Reply::line("500 what?"))
        .on("SIZE", Reply::line("500 what?"))
        .on("MDTM", Reply::line("500 what?"))
        .on("REST", Reply::line("500 what?"));
    let server = device(script).await;
    let found = probe(&destination(&server)).await.unwrap();
    let little = Abilities {
        epsv: Some(false),
        size: Some(false),
        rest: Some(false),
        // A second name is not seen to be free.
        rename: None,
        ..able()
    };
    assert_eq!((found.can, found.free, found.written), (little, None, true));
    assert_untouched(&server);
}

/// They come last: what is lost with the session then is nothing but their answer.
#[tokio::test]
async fn commands_that_are_never_answered_cost_nothing_else() {
    for verb in ["REST", "SITE"] {
        let server = device(Script::default().on(verb, Reply::Never)).await;
        let found = probe(&destination_with(&server, impatient()))
            .await
            .unwrap();
        assert!(found.written && found.free.is_none(), "{verb}: {found:?}");
        assert_untouched(&server);
    }
    let server = device(Script::default().on("FEAT", Reply::Never)).await;
    let found = probe(&destination_with(&server, impatient()))
        .await
        .unwrap();
    assert!(found.written, "{found:?}");
}

#[tokio::test]
async fn a_byte_that_can_not_be_removed_is_told() {
    let server = device(Script::default().on("DELE", Reply::line("550 no"))).await;
    let found = probe(&destination(&server)).await.unwrap();
    // It was renamed before.
    assert_eq!(found.left.as_deref(), Some(&*spare()));
    assert_eq!(server.files(), [PATH.to_owned(), spare()]);
}

#[tokio::test]
async fn without_staging_nothing_is_written() {
    let server = device(Script::default()).await;
    let mut direct = destination(&server);
    direct.staging = Staging::Direct;
    let found = probe(&direct).await.unwrap();
    assert_eq!((found.written, found.file), (false, Some(OLD.len() as u64)));
    assert!(server.log().uploads.is_empty());
    assert_untouched(&server);
    let server = device(Script::default().on("CWD", Reply::line("550 no"))).await;
    direct.remote = remote(&server);
    let failure = probe(&direct).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::NoDirectory { .. }),
        "{failure}"
    );
}

/// Before the byte is on its way a probe ends at once; afterwards it removes the byte first.
#[tokio::test]
async fn a_cancelled_probe_leaves_nothing() {
    for verb in ["FEAT", "STOR"] {
        let cancel = CancellationToken::new();
        let seen = cancel.clone();
        let script = Script::default().handle(move |line, _| {
            if line.starts_with(verb) {
                seen.cancel();
                if verb == "FEAT" {
                    return Action::Reply(Reply::Never);
                }
            }
            Action::Default
        });
        let server = device(script).await;
        let destination = destination(&server);
        let found = within(SOON, FtpTransport::new().probe(&destination, &cancel)).await;
        match verb {
            "FEAT" => assert_eq!(found, failed(Step::Prepare, Fault::Cancelled)),
            _ => assert!(found.unwrap().written),
        }
        assert_untouched(&server);
    }
}

#[tokio::test]
async fn a_file_is_compared_without_reading_it() {
    async fn compared(server: &ScriptedServer, bytes: &[u8]) -> Result<Compared, Failure> {
        let (transport, remote) = (FtpTransport::new(), remote(server));
        within(SOON, transport.compare(&remote, digest(bytes).sha256)).await
    }
    let size = Some(OLD.len() as u64);
    for (offered, right, wrong) in [
        (vec!["HASH"], Some(true), Some(false)),
        (vec!["XSHA256"], Some(true), Some(false)),
        // They say nothing about a SHA-256.
        (vec!["XMD5"], None, None),
        (vec![], None, None),
    ] {
        let script = Script {
            digests: offered,
            ..Script::default()
        };
        let server = device(script).await;
        assert_eq!(
            compared(&server, OLD).await,
            Ok(Compared { size, same: right })
        );
        let other = compared(&server, b"the new image").await;
        assert_eq!(other, Ok(Compared { size, same: wrong }));
        assert!(server.log().data.is_empty(), "nothing is read");
        server.remove(PATH);
        let failure = compared(&server, OLD).await.unwrap_err();
        assert!(matches!(failure.fault, Fault::NoFile { .. }), "{failure}");
    }
}

/// Whether a delivery can be proven by content is tried on the byte, where that will be needed.
#[tokio::test]
async fn whether_a_copy_can_be_read_back_is_found_out() {
    let digest = Script {
        digests: vec!["HASH"],
        ..Script::default()
    };
    let refuses = Script::default().on("RETR", Reply::line("550 permission denied"));
    for (script, mode, read) in [
        (Script::default(), VerifyMode::Best, Some(true)),
        (Script::default(), VerifyMode::Readback, Some(true)),
        (Script::default(), VerifyMode::Quick, None),
        (digest, VerifyMode::Best, None),
        (refuses.clone(), VerifyMode::Best, Some(false)),
    ] {
        let server = device(script).await;
        let mut destination = destination(&server);
        destination.verify = mode;
        let found = probe(&destination).await.unwrap();
        assert_eq!(found.can.read, read, "{mode:?}");
        assert_untouched(&server);
    }
    let server = device(refuses).await;
    let mut destination = destination(&server);
    destination.verify = VerifyMode::Readback;
    let failure = probe(&destination).await.unwrap_err();
    assert_eq!(failure.step, Step::Verify, "{failure}");
    assert_untouched(&server);
}

//! The last step: the staging file gets its final name, or the old image stays.

use subtend::model::{Failure, Fault, Staging, Step, Verified};
use subtend::placement::Delivery;
use subtend::transport::Destination;
use subtend::transport::ftp::{FtpSink, FtpTransport};

use crate::common::*;
use crate::support::scripted::{Reply, Script, ScriptedServer};
use crate::support::within;

/// It is known before a byte is sent, not after an hour of sending.
#[tokio::test]
async fn an_entity_without_rename_is_named_before_anything_is_sent() {
    for reply in ["500 what?", "502 not here", "504 no", "202 superfluous"] {
        let server = device(Script::default().on("RNFR", Reply::line(reply))).await;
        let mut destination = destination(&server);
        let result = send(&destination, b"x").await;
        let fault = Fault::NoRename {
            reply: reply.into(),
        };
        assert_eq!(result, failed(Step::Prepare, fault));
        assert_eq!(server.log().count("STOR"), 0);
        assert_untouched(&server);

        // As the message says: where the operator allows it, it is written in place.
        destination.staging = Staging::Direct;
        let bytes = image(1000);
        assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
        assert_delivered(&server, &bytes);
    }
}

#[tokio::test]
async fn an_entity_that_does_not_overwrite_has_its_old_file_deleted_only_where_allowed() {
    let script = Script {
        no_overwrite: true,
        ..Script::default()
    };
    let server = device(script).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    let result = send(&destination, &bytes).await;
    assert_eq!(result, Err(said(Step::Rename, 553, "file exists")));
    assert_untouched(&server);

    destination.delete_first = true;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
    assert_delivered(&server, &bytes);
}

/// And where files are written in place.
#[tokio::test]
async fn an_entity_that_does_not_replace_has_its_old_file_deleted_only_where_allowed() {
    let script = Script {
        no_replace: true,
        ..Script::default()
    };
    let server = device(script).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    destination.staging = Staging::Direct;
    let result = send(&destination, &bytes).await;
    assert_eq!(result, Err(said(Step::Open, 553, "file exists")));
    assert_untouched(&server);

    destination.delete_first = true;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
    assert_delivered(&server, &bytes);
}

/// An entity whose old file was deleted must not lose the new one too.
#[tokio::test]
async fn the_only_copy_is_kept() {
    let server = device(Script::default().on("RNTO", Reply::line("553 never"))).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    destination.delete_first = true;
    let mut sink = verified(&destination, &bytes).await;
    let refused = within(SOON, sink.commit(&digest(&bytes))).await;
    assert_eq!(refused, Err(said(Step::Rename, 553, "never")));
    let kept = within(SOON, sink.discard(false)).await.unwrap_err();
    assert!(kept.to_string().contains("only copy"), "{kept}");
    assert_eq!(server.files(), [staging()]);
    assert!(server.file(&staging()).unwrap() == bytes);
}

/// The answer to the deletion was lost: it may have happened.
#[tokio::test]
async fn what_may_be_the_only_copy_is_kept() {
    let script = Script {
        unsaid: vec!["DELE"],
        ..Script::default()
    };
    let server = device(script.on("RNTO", Reply::line("553 file exists"))).await;
    let bytes = image(1000);
    let mut destination = destination_with(&server, impatient());
    destination.delete_first = true;
    let mut sink = verified(&destination, &bytes).await;
    let failure = within(SOON, sink.commit(&digest(&bytes)))
        .await
        .unwrap_err();
    assert_eq!(failure.step, Step::Rename);
    let kept = within(SOON, sink.discard(false)).await.unwrap_err();
    assert!(kept.to_string().contains("only copy"), "{kept}");
    assert_eq!(server.files(), [staging()]);
    assert!(server.file(&staging()).unwrap() == bytes);
}

/// A sink that is ready to be committed.
async fn verified(destination: &Destination, bytes: &[u8]) -> Delivery<FtpSink> {
    let mut sink = open_sink(&FtpTransport::new(), destination).await.unwrap();
    write_all(&mut sink, bytes).await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    within(SOON, sink.verify(&digest(bytes))).await.unwrap();
    sink
}

/// Commits, and gives up where that failed, on a server that may have lost a reply.
async fn commit(server: &ScriptedServer, bytes: &[u8]) -> Result<(), Failure> {
    let destination = destination_with(server, impatient());
    let mut sink = verified(&destination, bytes).await;
    let committed = within(SOON, sink.commit(&digest(bytes))).await;
    match &committed {
        Ok(_) => within(SOON, sink.close()).await,
        Err(_) => assert_eq!(within(SOON, sink.discard(false)).await, Ok(())),
    }
    committed.map(|_| ())
}

fn without_size(script: Script) -> Script {
    script.on("SIZE", Reply::line("500 what?"))
}

#[tokio::test]
async fn a_rename_whose_reply_was_lost_counts_where_it_happened() {
    let lost = || Script {
        unsaid: vec!["RNTO"],
        one_session: true,
        ..Script::default()
    };
    for script in [lost(), without_size(lost())] {
        let server = device(script).await;
        let bytes = image(1000);
        assert_eq!(commit(&server, &bytes).await, Ok(()));
        assert_delivered(&server, &bytes);
    }
}

#[tokio::test]
async fn a_rename_whose_reply_was_lost_is_a_failure_where_it_did_not_happen() {
    for reply in [Reply::Close, Reply::Reset, Reply::Never] {
        for sized in [true, false] {
            let script = Script::default().on("RNTO", reply.clone());
            let script = if sized { script } else { without_size(script) };
            let server = device(script).await;
            let failure = commit(&server, &image(1000)).await.unwrap_err();
            assert_eq!(failure.step, Step::Rename);
            assert!(failure.is_transient(), "{failure}");
            assert_untouched(&server);
        }
    }
}

/// The staging file is gone, but what has the final name is not the image.
#[tokio::test]
async fn a_staging_file_that_vanished_is_not_a_rename() {
    let script = Script::default()
        .on("RNFR", Reply::line("350 to what?"))
        .on("RNTO", Reply::Close);
    let server = device(script).await;
    let bytes = image(1000);
    let mut sink = verified(&destination(&server), &bytes).await;
    server.remove(&staging());
    let failure = within(SOON, sink.commit(&digest(&bytes)))
        .await
        .unwrap_err();
    assert_eq!(failure.step, Step::Rename);
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_untouched(&server);
}

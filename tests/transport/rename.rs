//! The last step: the staging file gets its final name, or the old image stays.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use subtend::model::{Failure, Fault, Holds, Staging, Step, Verified};
use subtend::placement::{self, Delivery, Known, Opened};
use subtend::transport::Destination;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Action, Reply, Script, ScriptedServer};
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

/// Some answer a name that is not there as if they did not know the command. Where there is no image
/// yet, nothing shows that they do, and nothing that they don't.
#[tokio::test]
async fn an_entity_that_says_500_of_a_missing_name_can_rename_all_the_same() {
    for has_old in [true, false] {
        let script = Script::default().handle(move |line, _| {
            let missing = match has_old {
                true => line.starts_with("RNFR") && !line.ends_with(PATH),
                false => line.starts_with("RNFR"),
            };
            static ASKED: AtomicBool = AtomicBool::new(false);
            // The staging name is there when it is asked for again.
            if missing && !ASKED.swap(true, SeqCst) {
                return Action::Reply(Reply::line("500 what?"));
            }
            if line.starts_with("RNTO") {
                ASKED.store(false, SeqCst);
            }
            Action::Default
        });
        let server = match has_old {
            true => device(script).await,
            false => ScriptedServer::start(script).await,
        };
        let bytes = image(1000);
        let sent = send(&destination(&server), &bytes).await;
        assert_eq!(sent, Ok(Verified::Size), "{has_old}");
        assert_delivered(&server, &bytes);
    }
}

/// Moved aside instead: there is always a whole image, and the old one is removed last. Before that,
/// a rename onto a file of one byte has shown that it is not the name that is refused.
#[tokio::test]
async fn an_entity_that_does_not_overwrite_has_its_old_file_moved_aside() {
    for delete_first in [false, true] {
        let script = Script::behaving(Behaviour {
            no_overwrite: true,
            ..Behaviour::default()
        });
        let server = device(script).await;
        let bytes = image(1000);
        let mut destination = destination(&server);
        destination.delete_first = delete_first;
        assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
        assert_delivered(&server, &bytes);
        let log = server.log();
        let changes: Vec<_> = (log.commands().into_iter())
            .filter(|line| ["STOR", "RNTO", "DELE"].contains(&&line[..4]))
            .map(str::to_owned)
            .collect();
        let rehearsal = match delete_first {
            // The operator allows less.
            true => vec![],
            false => vec![
                format!("STOR {}", spare()),
                format!("RNTO {}", spare()),
                format!("DELE {}", spare()),
            ],
        };
        let expected = [
            vec![format!("STOR {}", staging()), format!("RNTO {PATH}")],
            rehearsal,
            vec![
                format!("RNTO {}", aside()),
                format!("RNTO {PATH}"),
                format!("DELE {}", aside()),
            ],
        ];
        assert_eq!(changes, expected.concat());
    }
}

/// Moved aside, the old image could not be put back: the entity would be left without any.
#[tokio::test]
async fn an_entity_that_keeps_its_final_name_to_itself_keeps_its_old_image() {
    for reply in ["553 permission denied", "550 no", "501 bad name"] {
        let server = device(Script::behaving(Behaviour {
            no_rename_to: Some(PATH.into()),
            rename_reply: Some(reply.into()),
            ..Behaviour::default()
        }))
        .await;
        let destination = destination(&server);
        for _ in 0..2 {
            let bytes = image(1000);
            let mut sink = verified(&destination, &bytes).await;
            let refused = within(SOON, sink.commit(&digest(&bytes))).await;
            let fault = Fault::NameRefused {
                reason: format!("the server said {reply}"),
            };
            assert_eq!(refused, failed(Step::Rename, fault));
            assert_eq!(sink.holds(), Holds::Old);
            assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
            within(SOON, sink.close()).await;
            assert_untouched(&server);
        }
        let named = server.log().count(&format!("RNFR {PATH}"));
        assert_eq!(named, 0, "the old image is not touched");

        // A rehearsal that was cut off has left its byte.
        server.put(&spare(), b"x");
        let sent = send(&destination, &image(1000)).await;
        assert!(
            matches!(
                sent,
                Err(Failure {
                    fault: Fault::NameRefused { .. },
                    ..
                })
            ),
            "{sent:?}"
        );
        assert_untouched(&server);
    }
}

/// What stands under the other staging name and may be the old image by another name is not renamed
/// onto: without a rehearsal nothing is moved aside.
#[tokio::test]
async fn an_entity_on_which_nothing_can_be_rehearsed_keeps_its_old_image() {
    let full = Script::behaving(Behaviour {
        no_overwrite: true,
        ..Behaviour::default()
    })
    .handle(|line, _| match line == format!("STOR {}", spare()) {
        true => Action::Reply(Reply::line("553 not that name")),
        false => Action::Default,
    });
    let server = device(full).await;
    let sent = send(&destination(&server), &image(1000)).await;
    assert_eq!(sent, Err(said(Step::Rename, 553, "file exists")));
    assert_untouched(&server);
}

/// The final name only while it is taken, and never the name for the old image.
fn keeps_its_old_file(mut script: Script) -> Script {
    script.behaviour.no_overwrite = true;
    script.handle(|line, _| match line == format!("RNTO {}", aside()) {
        true => Action::Reply(Reply::line("553 not that name")),
        false => Action::Default,
    })
}

#[tokio::test]
async fn an_old_file_that_can_not_be_moved_aside_is_deleted_only_where_allowed() {
    let server = device(keeps_its_old_file(Script::default())).await;
    let bytes = image(1000);
    let mut destination = destination(&server);
    let result = send(&destination, &bytes).await;
    assert_eq!(result, Err(said(Step::Rename, 553, "file exists")));
    assert_untouched(&server);

    destination.delete_first = true;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
    assert_delivered(&server, &bytes);
}

/// And where files are written in place nothing is deleted, whatever is allowed: there is no copy
/// of the new one yet.
#[tokio::test]
async fn an_entity_that_does_not_replace_keeps_its_old_file() {
    for delete_first in [false, true] {
        let script = Script::behaving(Behaviour {
            no_replace: true,
            ..Behaviour::default()
        });
        let server = device(script).await;
        let mut destination = destination(&server);
        destination.staging = Staging::Direct;
        destination.delete_first = delete_first;
        let result = send(&destination, &image(1000)).await;
        assert_eq!(result, Err(said(Step::Open, 553, "file exists")));
        assert_eq!(server.log().count("DELE"), 0);
        assert_untouched(&server);
    }
}

/// As [`keeps_its_old_file`], and once that is deleted nothing gets its name, for a while.
fn loses_its_old_file(script: Script, comes_right: &Arc<AtomicBool>) -> Script {
    let comes_right = Arc::clone(comes_right);
    script.handle(move |line, _| {
        let refused = [format!("RNTO {PATH}"), format!("RNTO {}", aside())];
        match refused.iter().any(|refused| line == refused) && !comes_right.load(SeqCst) {
            true => Action::Reply(Reply::line("553 never")),
            false => Action::Default,
        }
    })
}

/// An entity whose old file was deleted must not lose the new one too: not by giving up, not by
/// what comes later. And the next attempt goes on from it.
#[tokio::test]
async fn the_only_copy_is_kept() {
    // The second time the answer to the deletion is lost: it may have happened.
    for lost in [None, Some("DELE".to_owned())] {
        let comes_right = Arc::default();
        let script = Script::behaving(Behaviour {
            hang_up_after: lost,
            ..Behaviour::default()
        });
        let server = device(loses_its_old_file(script, &comes_right)).await;
        let bytes = image(1000);
        let mut destination = destination_with(&server, impatient());
        destination.delete_first = true;
        let mut sink = verified(&destination, &bytes).await;
        let refused = within(SOON, sink.commit(&digest(&bytes))).await;
        assert_eq!(refused, Err(said(Step::Rename, 553, "never")));
        assert_eq!(sink.holds(), Holds::NewStaged);
        let kept = within(SOON, sink.discard(false)).await.unwrap_err();
        assert!(kept.to_string().contains("only copy"), "{kept}");
        within(SOON, sink.close()).await;
        let only = server.files();
        assert!(only.len() == 1 && only[0] != PATH, "{only:?}");
        assert!(server.file(&only[0]).unwrap() == bytes);

        // What tidies up finds nothing that may go.
        let transport = FtpTransport::new();
        let _ = within(SOON, placement::discard(&transport, &destination)).await;
        assert_eq!(server.files(), only);

        // Another image is written beside it.
        let other = image(500);
        let mut sink = verified(&destination, &other).await;
        let _ = within(SOON, sink.commit(&digest(&other))).await;
        let _ = within(SOON, sink.discard(false)).await;
        within(SOON, sink.close()).await;
        assert!(server.file(&only[0]).unwrap() == bytes);
        if let Some(other) = server.files().iter().find(|path| **path != only[0]) {
            server.remove(other);
        }

        comes_right.store(true, SeqCst);
        let known = Known {
            image: digest(&bytes),
            may_be_placed: true,
        };
        let sent = server.log().count("STOR");
        let opened = Delivery::open(&transport, &destination, Some(&known));
        let (mut sink, opened) = within(SOON, opened).await.unwrap();
        assert_eq!(opened, Opened::Staged);
        within(SOON, sink.commit(&digest(&bytes))).await.unwrap();
        within(SOON, sink.close()).await;
        assert_delivered(&server, &bytes);
        assert_eq!(server.log().count("STOR"), sent, "it is not sent again");
    }
}

/// A sink that is ready to be committed.
async fn verified(destination: &Destination, bytes: &[u8]) -> Delivery {
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
    let lost = || {
        Script::behaving(Behaviour {
            hang_up_after: Some("RNTO".into()),
            ..one_session()
        })
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

//! Sending: what the server says meanwhile, how long it may take, and giving up.

use std::time::{Duration, Instant};

use subtend::model::{Failure, Fault, Side, Step, Timeouts, Verified};
use subtend::placement;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Action, Data, Reply, Script, ScriptedServer, Store, UploadEnd};
use crate::support::within;

/// More than all sockets on the way hold.
const MUCH: usize = 24 << 20;
/// Fits into them.
const LITTLE: usize = 10_000;

fn stores(store: Store) -> Script {
    Script {
        store,
        ..Script::default()
    }
}

/// The first upload is interfered with after 5000 bytes.
fn interferes(reply: Option<&'static str>, data: Data) -> Script {
    stores(Store {
        at: Some(5000),
        reply,
        data,
        times: Some(1),
        ..Store::default()
    })
}

/// As an entity that gave up half an upload must be left.
async fn assert_reset(server: &ScriptedServer) {
    let log = server
        .until(|log| log.uploads[0].end != UploadEnd::Open)
        .await;
    assert!(log.uploads[0].ended_by_reset(), "{log:#?}");
    assert_removed(server);
}

/// In a session of its own.
fn assert_removed(server: &ScriptedServer) {
    let log = server.log();
    let dele = format!("DELE {}", staging());
    assert!(!log.connections[0].commands.contains(&dele), "{log:#?}");
    assert!(log.connections[1].commands.contains(&dele), "{log:#?}");
    assert_untouched(server);
}

/// A plain write would wait till it is called stalled, and call it that.
#[tokio::test]
async fn a_refusal_in_the_middle_is_seen_while_the_data_connection_stays_open() {
    for (reply, code, text) in [
        ("552 flash is full", 552, "flash is full"),
        ("426 broken", 426, "broken"),
        ("522 of its own", 522, "of its own"),
    ] {
        for length in [MUCH, LITTLE] {
            let server = device(interferes(Some(reply), Data::LeaveOpen)).await;
            let failure = send(&destination(&server), &image(length))
                .await
                .unwrap_err();
            let step = failure.step;
            assert_eq!(failure, said(step, code, text));
            assert!(step == Step::Send || length == LITTLE && step == Step::Confirm);
            assert!(failure.to_string().contains(reply), "{failure}");
            // A little was ended before the reply came; what counts then is that it is removed.
            if length == MUCH {
                assert_reset(&server).await;
            } else {
                assert_removed(&server);
            }
        }
    }
}

#[tokio::test]
async fn an_early_confirmation_is_not_a_success() {
    for data in [Data::LeaveOpen, Data::GoOn] {
        let server = device(interferes(Some("226 stored"), data)).await;
        let failure = send(&destination(&server), &image(MUCH)).await.unwrap_err();
        assert!(
            matches!(failure.fault, Fault::EarlyConfirmation { sent } if sent >= 5000),
            "{failure}"
        );
        assert_eq!(failure.step, Step::Send);
        assert_reset(&server).await;
    }
}

/// Everything is in the sockets by then, and only the end of the file is still to be sent.
#[tokio::test]
async fn a_confirmation_before_the_end_was_sent_is_not_a_success() {
    let server = device(interferes(Some("226 stored"), Data::GoOn)).await;
    let mut sink = open_sink(&FtpTransport::new(), &destination(&server))
        .await
        .unwrap();
    let bytes = image(LITTLE);
    let count = within(SOON, sink.write(&bytes)).await.unwrap();
    assert_eq!(count, LITTLE, "it goes in one piece");
    // It was confirmed after the first half of that.
    server.until(|log| log.uploads[0].taken == 10_000).await;
    let failure = within(SOON, sink.finish()).await.unwrap_err();
    let sent = LITTLE as u64;
    assert_eq!(failure.fault, Fault::EarlyConfirmation { sent });
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_reset(&server).await;
}

/// The data connection breaks first, and the reply that says why comes a moment later.
#[tokio::test]
async fn a_reply_behind_a_broken_pipe_is_the_cause() {
    for (reply, code, text) in [
        ("552 flash is full", 552, "flash is full"),
        ("451 bad block", 451, "bad block"),
    ] {
        let script = stores(Store {
            at: Some(5000),
            reply: Some(reply),
            reply_after: Some(Duration::from_millis(300)),
            data: Data::Reset,
            ..Store::default()
        });
        let server = device(script).await;
        let result = send(&destination(&server), &image(MUCH)).await;
        assert_eq!(result, Err(said(Step::Send, code, text)));
        assert_removed(&server);
    }
}

#[tokio::test]
async fn a_confirmation_behind_a_broken_pipe_is_not_a_success() {
    let script = stores(Store {
        at: Some(5000),
        reply: Some("226 stored"),
        reply_after: Some(Duration::from_millis(300)),
        data: Data::Reset,
        ..Store::default()
    });
    let server = device(script).await;
    let failure = send(&destination(&server), &image(MUCH)).await.unwrap_err();
    assert!(
        matches!(failure.fault, Fault::EarlyConfirmation { .. }),
        "{failure}"
    );
    assert_removed(&server);
}

#[tokio::test]
async fn a_broken_data_connection_without_a_reply_is_the_cause() {
    let server = device(interferes(None, Data::Reset)).await;
    let failure = send(&destination(&server), &image(MUCH)).await.unwrap_err();
    assert!(
        matches!(
            failure.fault,
            Fault::Lost {
                side: Side::Data,
                ..
            }
        ),
        "{failure}"
    );
    assert!(failure.is_transient());
    assert_removed(&server);
}

#[tokio::test]
async fn a_control_connection_that_is_dropped_in_the_middle_is_the_cause() {
    for data in [Data::GoOn, Data::LeaveOpen] {
        let script = stores(Store {
            at: Some(5000),
            close_control: true,
            data,
            times: Some(1),
            ..Store::default()
        });
        let server = device(script).await;
        let failure = send(&destination(&server), &image(MUCH)).await.unwrap_err();
        assert!(
            matches!(
                failure.fault,
                Fault::Lost {
                    side: Side::Control,
                    ..
                }
            ),
            "{failure}"
        );
        assert_eq!(failure.step, Step::Send);
        assert_reset(&server).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_reading_has_a_deadline() {
    let server = device(interferes(None, Data::LeaveOpen)).await;
    let timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let result = send(&destination_with(&server, timeouts), &image(MUCH)).await;
    assert_eq!(result, failed(Step::Send, Fault::Stalled { after: SHORT }));
    assert_reset(&server).await;
}

#[tokio::test]
async fn a_confirmation_that_never_comes_has_a_deadline() {
    let never = Script::behaving(Behaviour {
        no_confirm: true,
        ..Behaviour::default()
    });
    // Each of these is a sign of life, and none is a confirmation.
    let talks = stores(Store {
        keeps_saying: Some("150 still writing"),
        ..Store::default()
    });
    for script in [never, talks] {
        let server = device(script).await;
        let timeouts = Timeouts {
            confirm: SHORT,
            ..patient()
        };
        let result = send(&destination_with(&server, timeouts), &image(LITTLE)).await;
        let fault = Fault::NotConfirmed { after: SHORT };
        assert_eq!(result, failed(Step::Confirm, fault));
        assert_removed(&server);
    }
}

/// The flash is written between the last byte and the reply.
#[tokio::test]
async fn a_late_confirmation_is_waited_for() {
    let script = Script::behaving(Behaviour {
        confirm_after: Some(SHORT * 3),
        ..Behaviour::default()
    });
    let server = device(script).await;
    let bytes = image(LITTLE);
    let timeouts = Timeouts {
        reply: SHORT,
        progress: SHORT,
        ..patient()
    };
    let begun = Instant::now();
    let result = send(&destination_with(&server, timeouts), &bytes).await;
    assert_eq!(result, Ok(Verified::Size));
    assert!(begun.elapsed() >= SHORT * 3);
    assert_delivered(&server, &bytes);
}

#[tokio::test]
async fn a_refusal_in_place_of_the_confirmation_is_the_cause() {
    let script = Script::behaving(Behaviour {
        confirm_reply: Some("552 checksum of the image is wrong".into()),
        ..Behaviour::default()
    });
    let server = device(script).await;
    let result = send(&destination(&server), &image(LITTLE)).await;
    let text = "checksum of the image is wrong";
    assert_eq!(result, Err(said(Step::Confirm, 552, text)));
    assert_removed(&server);
}

/// A plain end would be the end of the file for the server, which would keep half of it.
#[tokio::test]
async fn giving_up_resets_the_data_connection_and_removes_what_was_written() {
    let server = device(Script::default()).await;
    let transport = FtpTransport::new();
    let destination = destination(&server);
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, &image(LITTLE)).await.unwrap();
    server
        .until(|log| log.uploads[0].taken == LITTLE as u64)
        .await;
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_reset(&server).await;

    // An agent that is cancelled while it opens drops everything, and then discards by name.
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, &image(LITTLE)).await.unwrap();
    server
        .until(|log| log.uploads[1].taken == LITTLE as u64)
        .await;
    drop(sink);
    assert_eq!(
        within(SOON, placement::discard(&transport, &destination)).await,
        Ok(())
    );
    let log = server
        .until(|log| log.uploads[1].end != UploadEnd::Open)
        .await;
    assert!(log.uploads[1].ended_by_reset());
    assert_untouched(&server);
}

/// Nothing was written at all, so there is nothing to be left.
#[tokio::test]
async fn discarding_what_is_not_there_is_no_failure() {
    let server = device(Script::default()).await;
    let discarded = within(
        SOON,
        placement::discard(&FtpTransport::new(), &destination(&server)),
    )
    .await;
    assert_eq!(discarded, Ok(()));
    assert_untouched(&server);
}

#[tokio::test]
async fn what_can_not_be_removed_is_said() {
    let server = device(Script::default().on("DELE", Reply::line("550 not yours"))).await;
    server.put(&staging(), b"half");
    let discarded = within(
        SOON,
        placement::discard(&FtpTransport::new(), &destination(&server)),
    )
    .await;
    assert_eq!(discarded, Err(said(Step::Discard, 550, "not yours")));
}

#[tokio::test]
async fn a_server_that_will_not_open_the_file_is_quoted() {
    for (reply, code, text) in [
        ("552 full", 552, "full"),
        ("522 odd", 522, "odd"),
        ("550 read-only", 550, "read-only"),
    ] {
        let server = device(Script::default().on("STOR", Reply::line(reply))).await;
        let result = send(&destination(&server), b"x").await;
        assert_eq!(result, Err(said(Step::Open, code, text)));
        assert_untouched(&server);
    }
}

/// vsftpd, for one, creates the file before it finds that there is no data connection.
#[tokio::test]
async fn an_empty_file_of_a_failed_opening_is_removed() {
    let script = stores(Store {
        refuse: Some("425 no data"),
        ..Store::default()
    });
    let server = device(script).await;
    let result = send(&destination(&server), b"x").await;
    assert_eq!(result, Err(said(Step::Open, 425, "no data")));
    assert_untouched(&server);
}

/// A file of an earlier run, on servers that write no file that exists.
#[tokio::test]
async fn a_stale_staging_file_is_no_obstacle() {
    let no_replace = || {
        Script::behaving(Behaviour {
            no_replace: true,
            ..Behaviour::default()
        })
    };
    let server = device(no_replace()).await;
    server.put(&staging(), image(50_000));
    let bytes = image(LITTLE);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
    assert_eq!(server.log().count("STOR"), 1);

    // Where it is not seen before the upload is refused, it goes then, and the next attempt gets
    // through.
    let blind = no_replace().handle(|line, state| {
        let stored = state.commands.iter().any(|line| line.starts_with("STOR"));
        match line == format!("SIZE {}", staging()) && !stored {
            true => Action::Reply(Reply::line("550 hm")),
            false => Action::Default,
        }
    });
    let server = device(blind).await;
    server.put(&staging(), image(50_000));
    let refused = send(&destination(&server), &bytes).await;
    assert_eq!(refused, Err(said(Step::Open, 553, "file exists")));
    assert_untouched(&server);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
}

#[tokio::test]
async fn the_end_of_a_file_without_a_final_reply_and_without_a_session_is_named() {
    let script = stores(Store {
        at: Some(LITTLE as u64),
        close_control: true,
        data: Data::Close,
        ..Store::default()
    });
    let server = device(script).await;
    let failure: Failure = send(&destination(&server), &image(LITTLE))
        .await
        .unwrap_err();
    assert!(matches!(failure.fault, Fault::Lost { .. }), "{failure}");
    assert_untouched(&server);
}

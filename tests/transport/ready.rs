//! An entity that takes no bytes for a while: waiting for it without giving it any, giving a write
//! up and going on later, and from when its deadline counts.

use std::time::{Duration, Instant};

use subtend::model::{Failure, Fault, Step, Timeouts};
use subtend::placement::Delivery;
use subtend::transport::Destination;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Data, Script, ScriptedServer, Store};
use crate::support::within;

/// More than all sockets on the way hold.
const MUCH: usize = 24 << 20;
/// Time for which a write is tried before it is given up.
const SLICE: Duration = Duration::from_millis(100);

/// An entity that takes nothing after 5000 bytes, and what it does when it goes on.
async fn pausing(reply: Option<&'static str>, data: Data) -> ScriptedServer {
    let store = Store {
        at: Some(5000),
        waits: true,
        reply,
        data,
        times: Some(1),
        ..Store::default()
    };
    device(Script {
        store,
        ..Script::default()
    })
    .await
}

async fn open(destination: &Destination) -> Delivery {
    open_sink(&FtpTransport::new(), destination).await.unwrap()
}

fn with_progress(server: &ScriptedServer, progress: Duration) -> Destination {
    let timeouts = Timeouts {
        progress,
        ..patient()
    };
    destination_with(server, timeouts)
}

/// Writes until the entity takes no more, and gives the write up that waits then. How many bytes
/// it has taken.
async fn fill(sink: &mut Delivery, bytes: &[u8]) -> usize {
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(SLICE, sink.write(&bytes[sent..])).await {
        sent += written.unwrap();
    }
    assert!(sent < bytes.len(), "the sockets hold all of it");
    sent
}

/// The way of an agent that leaves a pool: it gives the pending write up, waits until the entity
/// takes bytes again, and goes on at the byte where it stood.
#[tokio::test]
async fn a_write_that_is_given_up_and_taken_up_again_loses_and_doubles_no_byte() {
    let server = pausing(None, Data::GoOn).await;
    let bytes = image(MUCH);
    let mut sink = open(&destination(&server)).await;
    let mut sent = fill(&mut sink, &bytes).await;
    for _ in 0..3 {
        // Other bytes than those that it would take: none of them may ever arrive.
        let wrong = [0xEE; 1000];
        let waited = tokio::time::timeout(SLICE, sink.write(&wrong)).await;
        assert!(waited.is_err(), "the entity takes nothing");
        let waited = tokio::time::timeout(SLICE, sink.ready()).await;
        assert!(waited.is_err(), "the entity takes nothing");
    }
    server.go_on();
    assert_eq!(within(SOON, sink.ready()).await, Ok(()));
    while sent < bytes.len() {
        within(SOON, sink.ready()).await.unwrap();
        sent += within(SOON, sink.write(&bytes[sent..])).await.unwrap();
    }
    within(SOON, sink.finish()).await.unwrap();
    within(SOON, sink.verify(&digest(&bytes))).await.unwrap();
    within(SOON, sink.commit(&digest(&bytes))).await.unwrap();
    assert_delivered(&server, &bytes);
}

/// However often the wait is given up: an agent looks up from it when there is something to do.
#[tokio::test]
async fn the_deadline_counts_from_the_last_byte_through_all_waits() {
    let server = pausing(None, Data::GoOn).await;
    let limit = SLICE * 10;
    let bytes = image(MUCH);
    let mut sink = open(&with_progress(&server, limit)).await;
    let begun = Instant::now();
    let sent = fill(&mut sink, &bytes).await;
    let failure = within(SOON, async {
        loop {
            if let Ok(ended) = tokio::time::timeout(SLICE, sink.ready()).await {
                return ended.unwrap_err();
            }
            if let Ok(ended) = tokio::time::timeout(SLICE, sink.write(&bytes[sent..])).await {
                return ended.unwrap_err();
            }
        }
    })
    .await;
    assert!(begun.elapsed() >= limit, "it had the time it was given");
    let fault = Fault::Stalled { after: limit };
    assert_eq!(failure, Failure::new(Step::Send, fault));
}

#[tokio::test]
async fn one_wait_has_the_deadline_too() {
    let server = pausing(None, Data::GoOn).await;
    let mut sink = open(&with_progress(&server, SHORT)).await;
    fill(&mut sink, &image(MUCH)).await;
    let failure = within(SOON, sink.ready()).await.unwrap_err();
    let fault = Fault::Stalled { after: SHORT };
    assert_eq!(failure, Failure::new(Step::Send, fault));
}

/// The pool may have nothing for an entity for longer than its deadline.
#[tokio::test]
async fn time_in_which_nobody_writes_does_not_count() {
    for waits_first in [true, false] {
        let server = pausing(None, Data::GoOn).await;
        let bytes = image(MUCH);
        let mut sink = open(&with_progress(&server, SHORT)).await;
        let sent = fill(&mut sink, &bytes).await;
        server.go_on();
        server
            .until(|log| log.uploads[0].taken == sent as u64)
            .await;
        tokio::time::sleep(SHORT * 2).await;
        if waits_first {
            assert_eq!(within(SOON, sink.ready()).await, Ok(()));
        }
        let written = within(SOON, sink.write(&bytes[sent..][..1000])).await;
        assert_eq!(written, Ok(1000));
        // And from then on it counts anew.
        tokio::time::sleep(SHORT * 2).await;
        let written = within(SOON, sink.write(&bytes[sent + 1000..][..1000])).await;
        assert_eq!(written, Ok(1000));
    }
}

#[tokio::test]
async fn what_the_server_says_while_it_is_waited_for_is_the_cause() {
    for data in [Data::LeaveOpen, Data::Reset] {
        for (reply, code, text) in [
            ("552 flash is full", 552, "flash is full"),
            ("426 broken", 426, "broken"),
        ] {
            let server = pausing(Some(reply), data).await;
            let mut sink = open(&destination(&server)).await;
            fill(&mut sink, &image(MUCH)).await;
            let (ready, ()) = tokio::join!(within(SOON, sink.ready()), async {
                tokio::time::sleep(SLICE).await;
                server.go_on();
            });
            assert_eq!(ready, Err(said(Step::Send, code, text)), "{data:?}");
        }
    }
    let server = pausing(Some("226 stored"), Data::LeaveOpen).await;
    let mut sink = open(&destination(&server)).await;
    let sent = fill(&mut sink, &image(MUCH)).await as u64;
    server.go_on();
    let failure = within(SOON, sink.ready()).await.unwrap_err();
    let fault = Fault::EarlyConfirmation { sent };
    assert_eq!(failure, Failure::new(Step::Send, fault));
}

/// Said while nobody listened, and found although the deadline has passed meanwhile.
#[tokio::test]
async fn what_the_server_said_before_counts_more_than_the_deadline() {
    let server = pausing(Some("552 flash is full"), Data::LeaveOpen).await;
    let mut sink = open(&with_progress(&server, SHORT)).await;
    fill(&mut sink, &image(MUCH)).await;
    server.go_on();
    tokio::time::sleep(SHORT * 2).await;
    let failure = within(SOON, sink.ready()).await.unwrap_err();
    assert_eq!(failure, said(Step::Send, 552, "flash is full"));
}

#[tokio::test]
async fn a_file_that_was_ended_is_never_ready() {
    let server = device(Script::default()).await;
    let mut sink = open(&destination(&server)).await;
    within(SOON, sink.ready()).await.unwrap();
    write_all(&mut sink, b"all of it").await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    let failure = within(SOON, sink.ready()).await.unwrap_err();
    assert_eq!(failure.step, Step::Send);
    within(SOON, sink.close()).await;
}

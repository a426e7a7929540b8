//! Packets that are lost, doubled, late or none of this transfer's, and devices that fail.

use super::*;

fn windows() -> Device {
    Device::granting(&[("blksize", 512), ("windowsize", 4)])
}

/// Every few packets something happens to one, at other places each time.
fn troubled(came: &Came) -> Do {
    match came {
        Came::Data { nth, .. } if nth % 13 == 5 => Do::Nothing,
        Came::Data { nth, .. } if nth % 7 == 3 => Do::Twice,
        Came::Data { nth, .. } if nth % 11 == 2 => Do::Late,
        _ => Do::AsItShould,
    }
}

#[tokio::test]
async fn what_is_lost_doubled_or_late_changes_no_byte() {
    let bytes = image(40_000);
    for device in [Device::old(), windows()] {
        let device = device.start(troubled).await;
        assert_eq!(sent(&device, &bytes).await, Ok(Verified::None));
        assert_has(&device, &bytes);
    }
}

#[tokio::test]
async fn a_request_and_its_answer_may_be_lost() {
    for what in [Do::Nothing, Do::Late] {
        let plan = move |came: &Came| match came {
            Came::Request { nth: 0, .. } => what.clone(),
            _ => Do::AsItShould,
        };
        let device = windows().start(plan).await;
        assert_eq!(sent(&device, b"0123").await, Ok(Verified::None));
        assert_has(&device, b"0123");
    }
}

/// Else each acknowledgement that the network doubles would double all blocks after it.
#[tokio::test]
async fn a_doubled_acknowledgement_is_not_answered() {
    let device = Device::old().start(|_| Do::Twice).await;
    let bytes = image(20_000);
    assert_eq!(sent(&device, &bytes).await, Ok(Verified::None));
    assert_has(&device, &bytes);
    assert_eq!(device.log().numbers.len(), 20_000 / 512 + 1);
}

#[tokio::test]
async fn what_comes_from_another_port_is_refused_and_changes_nothing() {
    for stray in [ack(2), ack(40), error(3, "full"), b"\0".to_vec()] {
        let is_error = stray[..] == error(3, "full");
        let plan = move |came: &Came| match came {
            Came::Data { nth: 1, .. } => Do::AndElsewhere(stray.clone()),
            _ => Do::AsItShould,
        };
        let device = Device::old().start(plan).await;
        let bytes = image(20_000);
        assert_eq!(sent(&device, &bytes).await, Ok(Verified::None));
        assert_has(&device, &bytes);
        if !is_error {
            let log = within(SOON, device.until(|log| !log.errors.is_empty())).await;
            assert_eq!(log.errors, [(5, false)]);
        }
    }
}

/// It would have emptied the file in the middle, and would hold only its end.
#[tokio::test]
async fn a_request_that_is_carried_out_again_in_the_middle_spoils_the_file() {
    let plan = |came: &Came| match came {
        Came::Data { nth: 3, .. } => Do::AndElsewhere(ack(0)),
        _ => Do::AsItShould,
    };
    let device = Device::old().start(plan).await;
    let failure = fails(&to(&device), &image(20_000)).await;
    assert!(failure.to_string().contains("a second time"), "{failure}");
    assert!(failure.is_transient());
    // Neither goes on with it.
    let log = within(SOON, device.until(|log| log.errors.len() > 1)).await;
    assert!(log.errors.contains(&(5, false)) && log.errors.contains(&(0, true)));
    assert!(!log.is_whole);
}

/// Only Linux has more than one address of its own without being asked for it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn packets_of_other_hosts_are_not_looked_at() {
    let device = Device::old().start(usual).await;
    let stranger = tokio::net::UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let (transport, destination) = (transport(), to(&device));
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let client = device.log().requests[0].0;
    for packet in [error(3, "full"), ack(1), ack(0), oack(&[])] {
        stranger.send_to(&packet, client).await.unwrap();
    }
    let bytes = image(20_000);
    write_all(&mut sink, &bytes).await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    assert_has(&device, &bytes);
}

#[tokio::test]
async fn an_error_in_the_middle_is_the_cause() {
    for (code, text, may_pass) in [(3, "flash is full", false), (0, "reset", true)] {
        let plan = move |came: &Came| match came {
            Came::Data { nth: 9, .. } => Do::Say(error(code, text)),
            _ => Do::AsItShould,
        };
        let device = windows().start(plan).await;
        let failure = fails(&to(&device), &image(40_000)).await;
        assert_eq!(failure.step, Step::Send);
        assert_eq!(failure.is_transient(), may_pass);
        assert!(failure.to_string().contains(text), "{failure}");
        // It knows already.
        assert!(device.log().errors.is_empty());
    }
}

#[tokio::test]
async fn a_device_that_takes_nothing_more_stalls_and_is_let_know() {
    let plan = |came: &Came| match came {
        Came::Data { nth: 9, .. } => Do::Dies,
        _ => Do::AsItShould,
    };
    let device = windows().start(plan).await;
    let timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let destination = destination_at(device.address, timeouts, None);
    let failure = fails(&destination, &image(40_000)).await;
    let stalled = Fault::Stalled { after: SHORT };
    assert_eq!(failure, Failure::new(Step::Send, stalled));
    within(SOON, device.until(|log| log.errors == [(0, true)])).await;
}

#[tokio::test]
async fn what_is_never_acknowledged_to_its_end_is_not_confirmed() {
    let plan = |came: &Came| match came {
        // The last one.
        Came::Data { number: 8, .. } => Do::Dies,
        _ => Do::AsItShould,
    };
    let device = Device::old().start(plan).await;
    let timeouts = Timeouts {
        confirm: SHORT,
        ..patient()
    };
    let destination = destination_at(device.address, timeouts, None);
    let failure = fails(&destination, &image(4000)).await;
    let expected = Fault::NotConfirmed { after: SHORT };
    assert_eq!(failure, Failure::new(Step::Confirm, expected));
    assert!(failure.is_transient());
}

/// It may write all of its flash before it acknowledges the last window.
#[tokio::test]
async fn the_last_blocks_have_the_time_of_a_confirmation() {
    let plan = {
        let mut last = 0;
        move |came: &Came| match came {
            // Sent four times before it is answered.
            Came::Data { number: 8, .. } if last < 3 => {
                last += 1;
                Do::Nothing
            }
            _ => Do::AsItShould,
        }
    };
    let device = Device::old().start(plan).await;
    let timeouts = Timeouts {
        progress: SHORT,
        ..patient()
    };
    let destination = destination_at(device.address, timeouts, None);
    let bytes = image(4000);
    let done = send_with(&transport(), &destination, &bytes).await;
    assert_eq!(done, Ok(Verified::None));
    assert_has(&device, &bytes);
}

#[tokio::test]
async fn what_is_given_up_is_never_whole_and_the_device_is_let_know() {
    let device = windows().start(usual).await;
    let (transport, destination) = (transport(), to(&device));
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, &image(20_000)).await.unwrap();
    // Dropped in the middle of a wait, as when it is cancelled.
    drop(sink);
    let log = within(SOON, device.until(|log| !log.errors.is_empty())).await;
    assert_eq!(log.errors, [(0, true)]);
    assert!(!log.is_whole);
}

/// A wait that is given up, as when its pass is left, takes nothing with it.
#[tokio::test]
async fn waits_that_are_given_up_lose_no_byte() {
    let device = windows().start(troubled).await;
    let (transport, destination) = (transport(), to(&device));
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    let bytes = image(30_000);
    let mut rest = &bytes[..];
    within(SOON, async {
        let mut turn = 0_u32;
        while !rest.is_empty() {
            turn += 1;
            tokio::select! {
                biased;
                written = sink.write(&rest[..rest.len().min(700)]) => rest = &rest[written.unwrap()..],
                () = async { for _ in 0..turn % 3 { tokio::task::yield_now().await } } => {}
            }
        }
        sink.finish().await.unwrap();
    })
    .await;
    assert_has(&device, &bytes);
}

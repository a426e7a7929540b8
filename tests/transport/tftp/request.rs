//! What a request is answered with: options, refusals, nothing, too much.

use super::*;

#[tokio::test]
async fn a_request_names_the_path_and_what_is_known() {
    let device = Device::granting(&[("blksize", 1428)]).start(usual).await;
    let destination = destination_at(device.address, patient(), Some(4));
    let done = send_with(&transport(), &destination, b"0123").await;
    assert_eq!(done, Ok(Verified::None));
    let log = device.log();
    let words: Vec<&str> = log.requests[0].1.iter().map(|word| &**word).collect();
    assert_eq!(
        words,
        [
            PATH,
            "octet",
            "blksize",
            "1428",
            "windowsize",
            "16",
            "timeout",
            "5",
            "tsize",
            "4"
        ]
    );
    assert_eq!(log.requests.len(), 1);
}

/// From another port: what comes late for the first one must not be taken for its answer.
#[tokio::test]
async fn where_options_are_refused_a_request_without_them_follows() {
    for (refusal, code) in [
        (error(8, "no options"), None),
        (error(4, "illegal operation"), None),
        (oack(&[("blksize", "1429")]), Some(8)),
        (oack(&[("multicast", "1")]), Some(8)),
        (oack(&[("windowsize", "many")]), Some(8)),
        (b"\0\x06blksize".to_vec(), Some(8)),
    ] {
        let said = refusal.clone();
        let plan = move |came: &Came| match came {
            Came::Request { options, .. } if !options.is_empty() => Do::Say(said.clone()),
            _ => Do::AsItShould,
        };
        let device = Device::old().start(plan).await;
        let bytes = image(3000);
        assert_eq!(
            sent(&device, &bytes).await,
            Ok(Verified::None),
            "{refusal:?}"
        );
        assert_has(&device, &bytes);
        let log = device.log();
        assert_eq!(log.requests[1].1, [PATH, "octet"]);
        assert_ne!(log.requests[0].0, log.requests[1].0);
        assert_eq!(log.requests.len(), 2);
        // What it answered with was refused at its own port, which the next request has closed.
        assert!(log.errors.len() <= usize::from(code.is_some()));
    }
}

#[tokio::test]
async fn an_answer_that_grants_too_much_is_refused_with_its_code() {
    let plan = |came: &Came| match came {
        Came::Request { nth: 0, .. } => Do::Say(oack(&[("blksize", "65464")])),
        _ => Do::Nothing,
    };
    let device = Device::old().start(plan).await;
    let destination = destination_at(device.address, patient(), None);
    let transport = transport();
    let sending = send_with(&transport, &destination, b"0123");
    tokio::select! {
        done = sending => panic!("{done:?}"),
        log = within(SOON, device.until(|log| !log.errors.is_empty())) => {
            assert_eq!(log.errors, [(8, true)]);
        }
    }
}

#[tokio::test]
async fn options_that_nobody_asked_for_are_no_answer() {
    let plan = |_: &Came| Do::Say(oack(&[("multicast", "1")]));
    let device = Device::old().start(plan).await;
    let failure = sent(&device, b"0123").await.unwrap_err();
    assert_eq!(failure.step, Step::Open);
    assert!(
        matches!(failure.fault, Fault::Malformed { .. }),
        "{failure}"
    );
}

#[tokio::test]
async fn a_device_that_ignores_options_is_asked_without_them() {
    let plan = |came: &Came| match came {
        Came::Request { options, .. } if !options.is_empty() => Do::Nothing,
        _ => Do::AsItShould,
    };
    let device = Device::old().start(plan).await;
    let timeouts = Timeouts {
        reply: SHORT * 2,
        ..patient()
    };
    let destination = destination_at(device.address, timeouts, None);
    let done = send_with(&transport(), &destination, b"0123").await;
    assert_eq!(done, Ok(Verified::None));
    assert_has(&device, b"0123");
}

#[tokio::test]
async fn silence_is_waited_for_as_long_as_a_reply_may_take() {
    let device = Device::old().start(|_| Do::Nothing).await;
    let failure = fails(&destination_at(device.address, impatient(), None), b"0").await;
    assert_eq!(failure, no_reply(Step::Open, "the request to write"));
    let log = device.log();
    let options: Vec<usize> = log
        .requests
        .iter()
        .map(|(_, words)| words.len() - 2)
        .collect();
    assert_eq!((options[0], options[options.len() - 1]), (6, 0));
}

#[tokio::test]
async fn a_refusal_is_the_cause_and_says_whether_it_may_pass() {
    for (code, text, may_pass) in [
        (0, "busy", true),
        (0, "No space left on device", false),
        (1, "File not found", false),
        (2, "\x1b[2J", false),
        (3, "full", false),
        (6, "exists", false),
    ] {
        let device = Device::old()
            .start(move |_| Do::Say(error(code, text)))
            .await;
        let failure = sent(&device, b"0123").await.unwrap_err();
        assert_eq!(failure.step, Step::Open);
        assert_eq!(failure.is_transient(), may_pass, "{failure}");
        let said = failure.to_string();
        assert!(
            said.contains(&format!("the server said error {code}")),
            "{said}"
        );
        assert!(!said.contains('\x1b'), "{said}");
        assert_eq!(device.log().requests.len(), 1);
    }
}

/// Some open the file for each request that comes, and empty it thereby.
#[tokio::test]
async fn a_request_that_is_answered_twice_is_settled_before_anything_is_sent() {
    let plan = |came: &Came| match came {
        Came::Request { .. } => Do::AndElsewhere(ack(0)),
        Came::Data { .. } => Do::AsItShould,
    };
    let device = Device::old().start(plan).await;
    let bytes = image(3000);
    // Whichever is heard first is the one; the other one is refused.
    let transport = transport();
    let destination = to(&device);
    let sending = send_with(&transport, &destination, &bytes);
    let log = tokio::select! {
        done = sending => {
            assert_eq!(done, Ok(Verified::None));
            assert_has(&device, &bytes);
            within(SOON, device.until(|log| !log.errors.is_empty())).await
        }
        log = within(SOON, device.until(|log| !log.errors.is_empty())) => log,
    };
    assert_eq!(log.errors[0].0, 5);
}

#[tokio::test]
async fn a_path_that_fits_into_no_request_is_not_asked_for() {
    let device = Device::old().start(usual).await;
    let path = format!("/{}", "x".repeat(503));
    let failure = fails(&at_path(to(&device), &path), b"0").await;
    assert!(failure.to_string().contains("512 bytes"), "{failure}");
    assert!(device.log().requests.is_empty());
    // One that has room for no options goes without.
    let path = format!("/{}", "x".repeat(480));
    let done = send_with(&transport(), &at_path(to(&device), &path), b"0").await;
    assert_eq!(done, Ok(Verified::None));
}

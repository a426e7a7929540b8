//! From the first byte of a greeting to `TYPE I`.

use std::sync::Arc;
use std::time::Duration;

use subtend::model::{Fault, Login, Side, Step, Timeouts, Verified};
use subtend::transport::Transport;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{FOREVER, Greeting, Reply, Script};
use crate::support::within;

fn greets(bytes: impl Into<Vec<u8>>) -> Script {
    Script {
        greeting: Greeting::Bytes(bytes.into()),
        ..Script::default()
    }
}

#[tokio::test]
async fn a_connection_that_is_never_accepted_has_a_deadline() {
    let port = FullPort::new().await;
    let timeouts = Timeouts {
        connect: SHORT,
        ..patient()
    };
    let result = open_source(&remote_at(port.address(), timeouts), 0).await;
    let address = port.address().to_string();
    let fault = Fault::ConnectTimeout {
        address,
        after: SHORT,
    };
    assert_eq!(result.map(drop), failed(Step::Connect, fault));
}

#[tokio::test]
async fn a_closed_port_is_called_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let result = open_source(&remote_at(address, patient()), 0).await;
    let address = address.to_string();
    assert_eq!(
        result.map(drop),
        failed(Step::Connect, Fault::Refused { address })
    );
}

#[tokio::test]
async fn a_greeting_that_never_comes_drips_or_does_not_end_has_a_deadline() {
    let drip = Greeting::Drip {
        bytes: [b"220 ".as_slice(), &[b'x'; 200], b"\r\n"].concat(),
        every: Duration::from_millis(50),
    };
    let without_end = Greeting::Bytes(b"220 no line end".to_vec());
    for greeting in [Greeting::Never, Greeting::Endless, drip, without_end] {
        let server = device(Script {
            greeting: greeting.clone(),
            ..Script::default()
        })
        .await;
        let result = send(&destination_with(&server, impatient()), b"x").await;
        assert_eq!(
            result,
            Err(no_reply(Step::Connect, "the connection (no greeting)")),
            "{greeting:?}"
        );
        assert_untouched(&server);
    }
}

#[tokio::test]
async fn a_server_that_closes_without_a_greeting_is_called_so() {
    let server = device(greets("")).await;
    // Its script is: say nothing, then end with the first line. A client can't bring that about,
    // so the reset comes from a server that goes away.
    let mut opening = tokio::spawn({
        let destination = destination(&server);
        async move { send(&destination, b"x").await }
    });
    server.until(|log| log.connections.len() == 1).await;
    server.stop().await;
    let result = within(SOON, &mut opening).await.unwrap();
    let failure = result.unwrap_err();
    assert_eq!(failure.step, Step::Connect);
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
}

#[tokio::test]
async fn greetings_of_120_are_waited_through() {
    for greeting in [
        "120 ready in 1 minute\r\n220 ready\r\n",
        "120-busy\r\n120-still\r\n120 busy\r\n120 busy\r\n220-ready\r\n220 now\r\n",
    ] {
        let server = device(greets(greeting)).await;
        let bytes = image(1000);
        assert_eq!(
            send(&destination(&server), &bytes).await,
            Ok(Verified::Size)
        );
        assert_delivered(&server, &bytes);
    }
}

/// The minutes that `120` asks for are more than any reply takes.
#[tokio::test]
async fn a_server_that_said_120_has_as_long_as_for_its_flash() {
    let later = |after| Script {
        greeting: Greeting::Later {
            first: b"120 wait\r\n".to_vec(),
            after,
            then: b"220 ready\r\n".to_vec(),
        },
        ..Script::default()
    };
    let server = device(later(SHORT * 2)).await;
    let bytes = image(1000);
    let result = send(&destination_with(&server, impatient()), &bytes).await;
    assert_eq!(result, Ok(Verified::Size));

    let server = device(later(FOREVER)).await;
    let timeouts = Timeouts {
        confirm: SHORT,
        ..patient()
    };
    let result = send(&destination_with(&server, timeouts), &bytes).await;
    assert_eq!(
        result,
        Err(no_reply(Step::Connect, "the connection (no greeting)"))
    );
}

#[tokio::test]
async fn replies_of_many_lines_and_bare_line_feeds_are_read() {
    let many = |last: &str| {
        let code = &last[..3];
        Reply::raw(format!(
            "{code}-one\r\n  {code} two\r\n 999 three\r\nfour\r\n{code}-five\r\n{last}\r\n"
        ))
    };
    let script = greets("220-one\r\n  220 two\r\nthree\r\n220 four\r\n")
        .on("PASS", many("230 in"))
        .on("OPTS", many("200 fine"))
        .on("QUIT", many("221 bye"));
    let server = device(script).await;
    let bytes = image(1000);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);

    let script = greets("220 bare\n").on("PASS", Reply::raw("230 line\n"));
    let server = device(script).await;
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
}

#[tokio::test]
async fn a_greeting_of_421_is_the_cause() {
    let server = device(greets("421 too many users\r\n")).await;
    let result = send(&destination(&server), b"x").await;
    assert_eq!(result, Err(said(Step::Connect, 421, "too many users")));
}

#[tokio::test]
async fn a_refused_login_is_named_and_not_tried_again() {
    let server = device(Script::default().on("PASS", Reply::line("530 who are you?"))).await;
    let result = send(&destination(&server), b"x").await;
    assert_eq!(result, Err(said(Step::Login, 530, "who are you?")));
    assert!(!result.unwrap_err().is_transient());
    assert_eq!(server.log().count("PASS"), 1);
    assert_untouched(&server);
}

/// No secret reaches a screen or a log, whoever says it.
#[tokio::test]
async fn a_password_that_the_server_repeats_is_hidden() {
    for reply in ["530 not `PASS hunter2`", "PASS hunter2?"] {
        let server = device(Script::default().on("PASS", Reply::line(reply))).await;
        let mut destination = destination(&server);
        destination.remote.login = Arc::new(Login {
            user: "craft".into(),
            password: "hunter2".into(),
        });
        let failure = send(&destination, b"x").await.unwrap_err();
        assert_eq!(failure.step, Step::Login);
        assert!(
            !format!("{failure} {failure:?}").contains("hunter2"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_user_without_a_password_is_logged_in() {
    let server = device(Script::default().on("USER", Reply::line("230 come in"))).await;
    let bytes = image(1000);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_eq!(server.log().count("PASS"), 0);
}

#[tokio::test]
async fn an_account_that_is_asked_for_is_the_cause() {
    for verb in ["USER", "PASS"] {
        let server = device(Script::default().on(verb, Reply::line("332 account?"))).await;
        let result = send(&destination(&server), b"x").await;
        assert_eq!(result, Err(said(Step::Login, 332, "account?")), "{verb}");
    }
}

#[tokio::test]
async fn a_login_that_is_never_answered_has_a_deadline() {
    for verb in ["USER", "PASS"] {
        let server = device(Script::default().on(verb, Reply::Never)).await;
        let result = send(&destination_with(&server, impatient()), b"x").await;
        let fault = Fault::NoReply {
            command: "USER and PASS".into(),
            after: SHORT * 2,
        };
        assert_eq!(result, failed(Step::Login, fault), "{verb}");
    }
}

/// The default type is ASCII, in which this server mangles what it stores and what it sends.
#[tokio::test]
async fn the_type_is_binary_both_ways() {
    let server = device(Script::default()).await;
    let bytes = image(100_000);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
    let (size, read) = receive(&remote(&server), 0).await.unwrap();
    assert_eq!(size, Some(bytes.len() as u64));
    assert!(read == bytes, "other bytes were read");
}

#[tokio::test]
async fn a_server_without_binary_transfers_gets_nothing() {
    let server = device(Script::default().on("TYPE", Reply::line("504 text only"))).await;
    let result = send(&destination(&server), b"x").await;
    assert_eq!(result, Err(said(Step::Prepare, 504, "text only")));
    assert_untouched(&server);
}

#[tokio::test]
async fn escape_sequences_are_shown_and_not_sent_to_the_terminal() {
    let reply = Reply::raw("530-go \x1b[2J\x07away\r\n530 \u{202e}now\x1b]0;x\x07\r\n");
    let server = device(Script::default().on("PASS", reply)).await;
    let failure = send(&destination(&server), b"x").await.unwrap_err();
    let shown = failure.to_string();
    assert!(shown.contains("\\u{1b}[2J\\u{7}away"), "{shown}");
    assert!(
        !shown.chars().any(|c| c.is_control() || c == '\u{202e}'),
        "{shown:?}"
    );
}

#[tokio::test]
async fn goodbye_is_not_waited_for() {
    let server = device(Script::default().delay("QUIT", FOREVER)).await;
    let sink = open_sink(&FtpTransport::new(), &destination(&server)).await;
    drop(sink);
    // `size_of` opens a session, asks and closes it.
    let asked = FtpTransport::new();
    let size = within(Duration::from_secs(5), asked.size_of(&remote(&server))).await;
    assert_eq!(size, Ok(Some(OLD.len() as u64)));
    assert_eq!(server.log().count("QUIT"), 1);
}

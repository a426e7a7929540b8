//! From the first byte of a greeting to `TYPE I`.

use std::sync::Arc;
use std::time::Duration;

use subtend::model::{Fault, Login, Side, Step, Timeouts, Verified};
use subtend::transport::Transport;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Action, FOREVER, Greeting, Reply, Script};
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
        failed(
            Step::Connect,
            Fault::Refused {
                address,
                server: "FTP"
            }
        )
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
    let server = device(Script {
        greeting: Greeting::Never,
        ..Script::default()
    })
    .await;
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
        destination.remote.endpoint.login = Arc::new(Login::with_password("craft", "hunter2"));
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
        let failure = send(&destination(&server), b"x").await.unwrap_err();
        let fault = &failure.fault;
        assert!(matches!(fault, Fault::Wants { code: 332, text, .. } if text == "account?"));
        assert!(failure.to_string().contains("`account: …`"), "{failure}");
        assert!(!failure.is_transient());
    }
}

/// The server's own words decide: some say 530 and some 421, of logins that are right.
#[tokio::test]
async fn a_limit_of_sessions_is_not_a_wrong_password() {
    for reply in [
        "530 Sorry, the maximum number of clients (2) are already connected",
        "530 too many users",
        "530 craft is already logged in",
        "550 user limit reached",
    ] {
        for verb in ["USER", "PASS"] {
            let server = device(Script::default().handle(move |line, state| {
                match state.connection < 2 && line.starts_with(verb) {
                    true => Action::Reply(Reply::line(reply)),
                    false => Action::Default,
                }
            }))
            .await;
            let bytes = image(1000);
            // The server notices in a moment that the last session ended.
            let result = send(&destination(&server), &bytes).await;
            assert_eq!(result, Ok(Verified::Size), "{reply}");
            assert_eq!(server.log().connections.len(), 3);
        }
    }
    let server = device(Script::default().on("PASS", Reply::line("530 too many users"))).await;
    let failure = send(&destination(&server), b"x").await.unwrap_err();
    assert!(failure.is_transient(), "{failure}");
    assert!(failure.to_string().contains("530 too many users"));
}

/// The password can't have become wrong meanwhile.
#[tokio::test]
async fn a_login_that_worked_before_may_work_again() {
    let server = device(Script::default().handle(|line, state| {
        match state.connection > 0 && line.starts_with("PASS") {
            true => Action::Reply(Reply::line("530 Login incorrect.")),
            false => Action::Default,
        }
    }))
    .await;
    let (transport, destination) = (FtpTransport::new(), destination(&server));
    let bytes = image(1000);
    let first = send_with(&transport, &destination, &bytes).await;
    assert_eq!(first, Ok(Verified::Size));
    let failure = send_with(&transport, &destination, &bytes)
        .await
        .unwrap_err();
    assert!(failure.is_transient(), "{failure}");
    // Another run knows nothing of it, and may have another password.
    let failure = send(&destination, &bytes).await.unwrap_err();
    assert_eq!(failure, said(Step::Login, 530, "Login incorrect."));
    assert!(!failure.is_transient());
}

#[tokio::test]
async fn logins_are_confirmed_in_many_ways() {
    for reply in [
        "202 no need for that",
        "232 in, and trusted",
        "230-hello\r\n200 MB free\r\n230 in",
        "230-hello\r\n500 MB free, 530 MB used\r\n999 nights\r\n230 in",
        "202-no need\r\n230 in",
        // The end of a welcome that comes when nobody waits for it any more.
        "230 in\r\n230 really",
    ] {
        let script = Script::default().on("PASS", Reply::raw(format!("{reply}\r\n")));
        let server = device(script).await;
        let bytes = image(1000);
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{reply}");
        assert_delivered(&server, &bytes);
    }
    // A refusal behind a welcome is a refusal.
    let script = Script::default().on("PASS", Reply::raw("230-hello\r\n530 not you\r\n"));
    let failure = send(&destination(&device(script).await), b"x").await;
    assert_eq!(failure.unwrap_err().step, Step::Login);
}

#[tokio::test]
async fn names_are_told_to_be_utf8_where_they_are_not_ascii() {
    let features = |line: &str| Reply::raw(format!("211-I can\r\n{line}211 end\r\n"));
    for (path, feature, is_told) in [
        ("/flash/größe.bin", " UTF8\r\n", true),
        ("/flash/größe.bin", " utf8\r\n", true),
        ("/flash/größe.bin", " SIZE\r\n", false),
        (PATH, " UTF8\r\n", false),
    ] {
        let server = device(Script::default().on("FEAT", features(feature))).await;
        server.put(path, OLD);
        let destination = at_path(destination(&server), path);
        let bytes = image(1000);
        assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
        assert!(server.file(path).unwrap() == bytes);
        let log = server.log();
        let commands = log.commands();
        let told = commands.iter().position(|line| *line == "OPTS UTF8 ON");
        assert_eq!(told.is_some(), is_told, "{path} {feature}");
        let named = commands.iter().position(|line| line.contains("/flash/"));
        assert!(told <= named, "{commands:?}");
        assert_eq!(log.count("FEAT"), 1);
    }
}

#[tokio::test]
async fn a_login_that_is_never_answered_has_a_deadline() {
    for verb in ["USER", "PASS"] {
        let server = device(Script::default().on(verb, Reply::Never)).await;
        let result = send(&destination_with(&server, impatient()), b"x").await;
        assert_eq!(result, Err(no_reply(Step::Login, verb)));
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

/// It may have binary ones alone; where that is not so, the size tells.
#[tokio::test]
async fn a_server_that_knows_no_types_has_one() {
    for reply in ["500 what?", "502 never heard of it", "504 not that"] {
        for is_binary in [true, false] {
            let server = device(Script::default().handle(move |line, state| {
                if !line.starts_with("TYPE") {
                    return Action::Default;
                }
                state.binary = is_binary;
                Action::Reply(Reply::line(reply))
            }))
            .await;
            let bytes = image(10_000);
            let result = send(&destination(&server), &bytes).await;
            if is_binary {
                assert_eq!(result, Ok(Verified::Size), "{reply}");
                assert_delivered(&server, &bytes);
            } else {
                let fault = result.unwrap_err().fault;
                assert!(matches!(fault, Fault::WrongSize { .. }), "{fault}");
                assert_untouched(&server);
            }
        }
    }
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
    // `size_of` opens a session, asks and closes it.
    let asked = FtpTransport::new();
    let size = within(Duration::from_secs(5), asked.size_of(&remote(&server))).await;
    assert_eq!(size, Ok(Some(OLD.len() as u64)));
    assert_eq!(server.log().count("QUIT"), 1);
}

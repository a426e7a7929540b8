//! Deadlines of commands, and sessions that missed a reply.

use std::time::Duration;

use subtend::model::{Failure, Fault, Staging, Step, Verified, VerifyMode};
use subtend::transport::Transport;
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Action, ConnState, Reply, Script, ScriptedServer, Store};
use crate::support::within;

/// Longer than the deadline of a test, in bytes that each come in time.
fn drip(first: &str) -> Reply {
    Reply::Drip {
        bytes: [first.as_bytes(), &[b'x'; 200], b"\r\n"].concat(),
        every: Duration::from_millis(60),
    }
}

/// One overall deadline a command, whether the reply never comes, comes byte by byte, never ends
/// its line, or has no space after its code.
#[tokio::test]
async fn every_command_has_its_deadline() {
    for (verb, step, good) in [
        ("TYPE", Step::Prepare, "200"),
        ("RNFR", Step::Prepare, "550"),
        ("PASV", Step::Open, "227"),
        ("SIZE", Step::Verify, "213"),
        ("RNTO", Step::Rename, "250"),
    ] {
        for reply in [
            Reply::Never,
            drip(&format!("{good} ")),
            Reply::raw(format!("{good} without an end")),
            Reply::raw(format!("{good}\r\n")),
        ] {
            let script = Script::default()
                .on("EPSV", Reply::line("500 no"))
                .on(verb, reply.clone());
            let server = device(script).await;
            let result = send(&destination_with(&server, impatient()), b"x").await;
            let failure = result.unwrap_err();
            assert!(
                matches!(&failure.fault, Fault::NoReply { command, after: SHORT } if command == verb),
                "{verb}, {reply:?}: {failure}"
            );
            assert!(failure.is_transient());
            // Before the verification only `SIZE` itself can show where it was asked.
            assert!(verb == "SIZE" || failure.step == step, "{verb}: {failure}");
            assert_untouched(&server);
        }
    }
}

#[tokio::test]
async fn a_reply_without_an_end_is_refused_before_it_fills_the_memory() {
    let lines = "211-and another thing\r\n".repeat(300 * 1024 / 23);
    let server = device(Script::default().on("SIZE", Reply::raw(lines))).await;
    let failure = receive(&remote(&server), 0).await.unwrap_err();
    let fault = Fault::Malformed {
        reply: "it has no end (over 64 KiB)".into(),
    };
    assert_eq!(failure, Failure::new(Step::Prepare, fault));
}

/// The size is asked for after the upload, in the first session.
fn verifies(line: &str, state: &ConnState) -> bool {
    let stored = state.commands.iter().any(|line| line.starts_with("STOR"));
    state.connection == 0 && stored && line.starts_with("SIZE")
}

/// After this reply to the `SIZE` that verifies the staging file must go, over a session that is in
/// step.
async fn given_up_after(
    reply: Reply,
    timeouts: subtend::model::Timeouts,
) -> (ScriptedServer, Failure) {
    let server = device(Script::default().handle(move |line, state| {
        if verifies(line, state) {
            Action::Reply(reply.clone())
        } else {
            Action::Default
        }
    }))
    .await;
    let bytes = image(1000);
    let transport = FtpTransport::new();
    let destination = destination_with(&server, timeouts);
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, &bytes).await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    let failure = within(SOON, sink.verify(&digest(&bytes)))
        .await
        .unwrap_err();
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    (server, failure)
}

fn assert_removed_in_a_new_session(server: &ScriptedServer) {
    let log = server.log();
    assert_eq!(log.connections.len(), 2, "{log:#?}");
    assert_eq!(
        log.connections[0].commands.last().unwrap(),
        &format!("SIZE {}", staging())
    );
    let second = &log.connections[1].commands;
    assert!(
        second.contains(&format!("DELE {}", staging())),
        "{second:?}"
    );
    assert_untouched(server);
}

#[tokio::test]
async fn a_session_is_not_used_again_after_a_timeout() {
    let (server, failure) = given_up_after(Reply::Never, impatient()).await;
    assert!(matches!(failure.fault, Fault::NoReply { .. }), "{failure}");
    assert_removed_in_a_new_session(&server);
}

#[tokio::test]
async fn a_session_is_not_used_again_after_a_malformed_reply() {
    let (server, failure) = given_up_after(Reply::line("what?"), patient()).await;
    assert!(
        matches!(failure.fault, Fault::Malformed { .. }),
        "{failure}"
    );
    assert_removed_in_a_new_session(&server);
}

/// The reply to each command would be that to the one before.
#[tokio::test]
async fn a_session_is_not_used_again_after_a_reply_to_something_else() {
    for stray in ["230 in", "350 to what?", "220 hello"] {
        let (server, failure) = given_up_after(Reply::line(stray), patient()).await;
        let reply = format!("{stray}, to SIZE");
        assert_eq!(failure.fault, Fault::Malformed { reply });
        assert_removed_in_a_new_session(&server);
    }
}

#[tokio::test]
async fn a_session_that_the_server_ends_is_not_used_again() {
    let (server, failure) = given_up_after(Reply::line("421 going down"), patient()).await;
    assert_eq!(failure, said(Step::Verify, 421, "going down"));
    assert_removed_in_a_new_session(&server);
}

/// What a server said on leaving is the cause.
#[tokio::test]
async fn a_server_that_leaves_is_quoted() {
    let script = Script::default().on("SIZE", Reply::line("421 idle for too long"));
    let server = device(script).await;
    let result = send(&destination(&server), b"x").await;
    assert_eq!(result, Err(said(Step::Prepare, 421, "idle for too long")));
    assert_untouched(&server);
}

/// Where the reply itself was of no interest nothing is lost with the session.
#[tokio::test]
async fn a_server_that_leaves_instead_of_saying_what_it_can_gets_its_image() {
    let script = Script::default().on("FEAT", Reply::line("421 idle for too long"));
    let server = device(script).await;
    let bytes = image(1000);
    assert_eq!(
        send(&destination(&server), &bytes).await,
        Ok(Verified::Size)
    );
    assert_delivered(&server, &bytes);
    assert_eq!(server.log().count("FEAT"), 1);
}

#[tokio::test]
async fn a_cancelled_command_is_not_taken_up_again() {
    // An agent that is cancelled while the entity verifies drops that future and then gives the file up.
    let server = device(Script::default().handle(|line, state| {
        if verifies(line, state) {
            Action::Reply(Reply::Never)
        } else {
            Action::Default
        }
    }))
    .await;
    let mut sink = open_sink(&FtpTransport::new(), &destination(&server))
        .await
        .unwrap();
    write_all(&mut sink, b"x").await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    let image = digest(b"x");
    tokio::select! {
        verified = sink.verify(&image) => panic!("{verified:?}"),
        _ = server.until(|log| {
            let commands = &log.connections[0].commands;
            let stored = commands.iter().position(|line| line.starts_with("STOR"));
            stored.is_some_and(|at| commands[at..].iter().any(|line| line.starts_with("SIZE")))
        }) => {}
    }
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_removed_in_a_new_session(&server);
}

/// Where there is room for one session only, the next one is refused until the server has noticed
/// that the last one ended.
#[tokio::test]
async fn a_second_session_is_asked_for_again() {
    let script = Script::behaving(Behaviour {
        busy_after: Some(1),
        busy_times: Some(2),
        ..Behaviour::default()
    });
    let server = device(script.on("RNTO", Reply::line("550 no"))).await;
    let transport = FtpTransport::new();
    let mut sink = open_sink(&transport, &destination(&server)).await.unwrap();
    write_all(&mut sink, &image(1000)).await.unwrap();
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_eq!(server.log().connections.len(), 4);
    assert_untouched(&server);
}

#[tokio::test]
async fn one_session_at_a_time_is_enough() {
    let server = device(Script::behaving(one_session())).await;
    let transport = FtpTransport::new();
    let destination = destination(&server);
    let bytes = image(50_000);
    assert_eq!(
        send_with(&transport, &destination, &bytes).await,
        Ok(Verified::Size)
    );
    let remote = remote(&server);
    let size = within(SOON, transport.size_of(&remote)).await;
    assert_eq!(size, Ok(Some(50_000)));
    let (_, read) = receive(&remote, 0).await.unwrap();
    assert!(read == bytes);
    let mut sink = open_sink(&transport, &destination).await.unwrap();
    write_all(&mut sink, &bytes).await.unwrap();
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
    assert_delivered(&server, &bytes);
}

/// A NAT that forgot the connection, or a device that crashed.
#[tokio::test]
async fn a_control_connection_that_is_reset_is_the_cause() {
    let server = device(Script::default().on("RNFR", Reply::Reset)).await;
    let failure = send(&destination(&server), b"x").await.unwrap_err();
    assert_eq!(failure.step, Step::Prepare);
    let cause = failure.to_string();
    assert!(cause.contains("control connection was lost"), "{cause}");
}

/// A session without anything that is not in RFC 959's minimum (section 5.1) besides what moves a
/// file and renames it.
#[tokio::test]
async fn a_server_with_next_to_nothing_gets_its_image() {
    let mut script = Script::default();
    for verb in ["EPSV", "SIZE", "REST", "FEAT", "OPTS", "MDTM", "NOOP"] {
        script = script.on(verb, Reply::line("500 what?"));
    }
    let server = device(script).await;
    let bytes = image(50_000);
    let mut destination = destination(&server);
    // Only reading tells it from the old image.
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
    assert_delivered(&server, &bytes);
    destination.verify = VerifyMode::Readback;
    destination.staging = Staging::Direct;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
    assert_delivered(&server, &bytes);
}

/// Some servers confirm a file twice, at once or a moment later, or say before the end that they are
/// at work, also where most have nothing to say.
#[tokio::test]
async fn replies_about_what_is_over_and_about_work_are_read_off() {
    for (confirm, before) in [
        ("226 stored\r\n226 stored", ""),
        ("250 stored\r\n250 stored", ""),
        ("226 stored", "226 stored, really\r\n"),
        ("226 stored", "150 looking\r\n"),
        ("250 stored", "250 stored\r\n"),
    ] {
        let store = Store {
            confirm,
            ..Store::default()
        };
        let script = Script {
            store,
            ..Script::default()
        };
        let bytes = image(1000);
        let answer = Reply::raw(format!("{before}213 {}\r\n", bytes.len()));
        let server = device(script.handle(move |line, state| {
            let stored = state.commands.iter().any(|line| line.starts_with("STOR"));
            let renamed = state.commands.iter().any(|line| line.starts_with("RNTO"));
            match stored && !renamed && line.starts_with("SIZE") {
                true => Action::Reply(answer.clone()),
                false => Action::Default,
            }
        }))
        .await;
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{confirm}, {before}");
        assert_delivered(&server, &bytes);
        assert_eq!(server.log().connections.len(), 1);
    }
}

/// RFC 959 has a family for each digit, and servers choose within it.
#[tokio::test]
async fn replies_of_the_same_family_are_taken() {
    // `RNFR` is taken with 200 or 250, and `DELE` says first that it is at work.
    for code in ["200", "250", "350"] {
        let server = device(Script::default().handle(move |line, state| {
            let stored = state.commands.iter().any(|line| line.starts_with("STOR"));
            let Some(from) = line.strip_prefix("RNFR ").filter(|_| stored) else {
                return Action::Default;
            };
            state.rename_from = Some(from.to_owned());
            Action::Reply(Reply::line(&format!("{code} to what?")))
        }))
        .await;
        let bytes = image(1000);
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{code}");
        assert_delivered(&server, &bytes);
    }
    let deletes = Reply::raw("150 erasing\r\n250 gone\r\n");
    let server = device(Script::default().on("DELE", deletes)).await;
    let mut sink = open_sink(&FtpTransport::new(), &destination(&server))
        .await
        .unwrap();
    write_all(&mut sink, b"x").await.unwrap();
    within(SOON, sink.finish()).await.unwrap();
    assert_eq!(within(SOON, sink.discard(false)).await, Ok(()));
}

#[tokio::test]
async fn an_upload_that_begins_with_200_or_250_or_without_a_word_is_one() {
    for preliminary in [Some("200 go on"), Some("250 go on"), None] {
        let store = Store {
            preliminary,
            ..Store::default()
        };
        let server = device(Script {
            store,
            ..Script::default()
        })
        .await;
        let timeouts = subtend::model::Timeouts {
            reply: SHORT * 4,
            ..patient()
        };
        let bytes = image(50_000);
        let result = send(&destination_with(&server, timeouts), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{preliminary:?}");
        assert_delivered(&server, &bytes);
    }
}

/// A server that has not answered `STOR` may be one that says nothing before the end, or one that
/// hangs: then the confirmation does not come.
#[tokio::test]
async fn a_store_that_is_never_answered_has_a_deadline() {
    let server = device(Script::default().on("STOR", Reply::Never)).await;
    let timeouts = subtend::model::Timeouts {
        confirm: SHORT,
        ..impatient()
    };
    let failure = send(&destination_with(&server, timeouts), b"x")
        .await
        .unwrap_err();
    assert_eq!(
        failure,
        Failure::new(Step::Confirm, Fault::NotConfirmed { after: SHORT })
    );
    assert!(failure.is_transient());
    assert_untouched(&server);
}

/// "The server said 200 fine" would be no cause.
#[tokio::test]
async fn no_cause_reads_like_a_success() {
    for (verb, reply) in [
        ("EPSV", "200 fine"),
        ("TYPE", "331 and?"),
        ("RNTO", "350 and?"),
        ("STOR", "226 stored"),
    ] {
        let script = Script::default()
            .on("PASV", Reply::line("200 fine"))
            .on(verb, Reply::line(reply));
        let script = match verb {
            "EPSV" => script,
            _ => Script::default().on(verb, Reply::line(reply)),
        };
        let server = device(script).await;
        let failure = send(&destination(&server), b"x").await.unwrap_err();
        let words = failure.to_string();
        let is_plain = words.ends_with(&format!("the server said {reply}"));
        assert!(!is_plain, "{words}");
    }
}

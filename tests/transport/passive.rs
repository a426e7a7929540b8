//! Data connections: how they are asked for, and where they go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use subtend::model::{DataAddress, Fault, Step, Timeouts, Verified};
use subtend::transport::ftp::FtpTransport;

use crate::common::*;
use crate::support::scripted::{Action, Passive, Reply, Script, ScriptedServer};

/// Delivers two images over sessions of one transport, which remembers.
async fn twice(server: &ScriptedServer, timeouts: Timeouts) {
    let transport = FtpTransport::new();
    let destination = destination_with(server, timeouts);
    for length in [20_000, 1000] {
        let bytes = image(length);
        let result = send_with(&transport, &destination, &bytes).await;
        assert_eq!(result, Ok(Verified::Size));
        assert_delivered(server, &bytes);
    }
}

fn count(server: &ScriptedServer) -> (usize, usize) {
    let log = server.log();
    (log.count("EPSV"), log.count("PASV"))
}

#[tokio::test]
async fn extended_passive_mode_comes_first_and_stays() {
    let server = device(Script::default()).await;
    twice(&server, patient()).await;
    assert_eq!(count(&server), (2, 0));
}

#[tokio::test]
async fn a_server_without_epsv_is_asked_for_it_once() {
    for refusal in [
        "500 what?",
        "502 no",
        "522 not this one",
        "425 no",
        "200 fine",
    ] {
        let server = device(Script::default().on("EPSV", Reply::line(refusal))).await;
        twice(&server, patient()).await;
        assert_eq!(count(&server), (1, 2), "{refusal}");
    }
}

/// `425` may be over soon. A server that knows no `PASV` is quoted in what it said of `EPSV`, and
/// asked for that again.
#[tokio::test]
async fn a_server_that_knows_epsv_alone_may_have_no_data_connection_for_now() {
    let busy = Arc::new(AtomicBool::new(true));
    let first = Arc::clone(&busy);
    let script = Script::default().on("PASV", Reply::line("502 what?"));
    let script = script.handle(move |line, _| {
        match line.starts_with("STOR") && first.swap(false, Ordering::SeqCst) {
            true => Action::Reply(Reply::line("425 not now")),
            false => Action::Default,
        }
    });
    let server = device(script).await;
    let (transport, bytes) = (FtpTransport::new(), image(1000));
    let failure = send_with(&transport, &destination(&server), &bytes).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.step, Step::Open);
    assert_eq!(failure.fault.to_string(), "the server said 425 not now");
    assert!(failure.is_transient());
    assert_untouched(&server);
    let result = send_with(&transport, &destination(&server), &bytes).await;
    assert_eq!(result, Ok(Verified::Size));
    assert_delivered(&server, &bytes);
}

/// It is lost with its session, but the next one does without.
#[tokio::test]
async fn a_server_that_never_answers_epsv_gets_its_image() {
    let server = device(Script::default().on("EPSV", Reply::Never)).await;
    twice(&server, impatient()).await;
    assert_eq!(count(&server), (1, 2));
    assert_eq!(server.log().connections.len(), 3);

    let bytes = image(1000);
    let server = library(Script::default().on("EPSV", Reply::Never), &bytes).await;
    let remote = remote_at(server.address(), impatient());
    assert_eq!(receive(&remote, 0).await, Ok((Some(1000), bytes)));
}

/// A firewall that knows `PASV` only.
#[tokio::test]
async fn a_port_of_epsv_that_leads_nowhere_is_not_asked_for_again() {
    let closed = Reply::line("229 Extended Passive (|||9|)");
    let server = device(Script::default().on("EPSV", closed)).await;
    twice(&server, patient()).await;
    assert_eq!(count(&server), (1, 2));

    let port = FullPort::new().await;
    let silent = format!("229 Extended Passive (|||{}|)", port.address().port());
    let server = device(Script::default().on("EPSV", Reply::line(&silent))).await;
    let timeouts = Timeouts {
        connect: SHORT,
        ..patient()
    };
    twice(&server, timeouts).await;
    assert_eq!(count(&server), (1, 2));
}

#[tokio::test]
async fn a_data_connection_that_is_never_accepted_has_a_deadline() {
    let port = FullPort::new().await;
    let number = port.address().port();
    let epsv = format!("229 Extended Passive (|||{number}|)");
    let pasv = format!("227 Passive (127,0,0,1,{},{})", number / 256, number % 256);
    let script = Script::default()
        .on("EPSV", Reply::line(&epsv))
        .on("PASV", Reply::line(&pasv));
    let server = device(script).await;
    let timeouts = Timeouts {
        connect: SHORT,
        ..patient()
    };
    let result = send(&destination_with(&server, timeouts), b"x").await;
    let fault = Fault::ConnectTimeout {
        address: format!("127.0.0.1:{number} (data connection)"),
        after: SHORT,
    };
    assert_eq!(result, failed(Step::Open, fault));
    assert_untouched(&server);
}

#[tokio::test]
async fn a_closed_data_port_is_called_so() {
    let script = Script {
        passive: Passive::DeadPort,
        ..Script::default()
    };
    let server = device(script).await;
    let failure = send(&destination(&server), b"x").await.unwrap_err();
    assert_eq!(failure.step, Step::Open);
    let cause = failure.to_string();
    assert!(cause.contains("(data connection) refused"), "{cause}");
    assert_untouched(&server);
}

/// Neither a wrong address behind a NAT nor a hostile one.
#[tokio::test]
async fn another_host_in_the_reply_is_not_gone_to() {
    for host in [[0, 0, 0, 0], [192, 0, 2, 1], [127, 0, 0, 2]] {
        let script = Script::behaving(Behaviour {
            pasv_host: Some(host.into()),
            ..Behaviour::default()
        });
        let server = device(script.on("EPSV", Reply::line("500 what?"))).await;
        let bytes = image(1000);
        let result = send(&destination(&server), &bytes).await;
        assert_eq!(result, Ok(Verified::Size), "{host:?}");
        assert_delivered(&server, &bytes);
        assert_eq!(server.log().data.len(), 1);
    }
}

#[tokio::test]
async fn a_reply_without_parentheses_is_understood() {
    let script = Script {
        passive: Passive::NoParentheses,
        ..Script::default()
    };
    let server = device(script.on("EPSV", Reply::line("500 what?"))).await;
    twice(&server, patient()).await;
}

#[tokio::test]
async fn a_reply_without_a_port_is_quoted() {
    for reply in [
        "227 Entering Passive Mode",
        "227 ok (1,2,3)",
        "227 (1,2,3,4,999,1)",
    ] {
        let script = Script::default()
            .on("EPSV", Reply::line("500 what?"))
            .on("PASV", Reply::line(reply));
        let server = device(script).await;
        let result = send(&destination(&server), b"x").await;
        let fault = Fault::Malformed {
            reply: reply[4..].into(),
        };
        assert_eq!(result, failed(Step::Open, fault));
        assert_untouched(&server);
    }
}

#[tokio::test]
async fn a_server_without_passive_mode_is_quoted() {
    let script = Script::default()
        .on("EPSV", Reply::line("522 use another protocol"))
        .on("PASV", Reply::line("502 no"));
    let server = device(script).await;
    let failure = send(&destination(&server), b"x").await.unwrap_err();
    let cause = failure.to_string();
    assert!(cause.contains("522 use another protocol"), "{cause}");
    assert!(cause.contains("`data: active`"), "{cause}");
    assert!(!failure.is_transient());
}

/// More sessions than ports: the next one may find one free.
#[tokio::test]
async fn a_server_that_is_out_of_ports_is_asked_again_later() {
    for (epsv, pasv) in [
        ("500 OOPS: vsf_sysutil_bind", "500 OOPS: vsf_sysutil_bind"),
        ("502 no", "550 no free ports"),
        ("500 can't bind", "500 can't bind"),
        ("425 no", "425 no"),
        ("553 not now", "501 not now"),
    ] {
        let script = Script::default()
            .on("EPSV", Reply::line(epsv))
            .on("PASV", Reply::line(pasv));
        let server = device(script).await;
        let failure = send(&destination(&server), b"x").await.unwrap_err();
        assert!(failure.is_transient(), "{epsv}, {pasv}: {failure}");
        assert_eq!(failure.step, Step::Open);
        assert_untouched(&server);
    }
    // vsftpd leaves after it.
    let script = Script::default()
        .on("EPSV", Reply::line("500 OOPS: vsf_sysutil_bind"))
        .on("PASV", Reply::Close);
    let server = device(script).await;
    let failure = send(&destination(&server), b"x").await.unwrap_err();
    assert!(failure.is_transient(), "{failure}");
    assert!(failure.to_string().contains("500 OOPS"), "{failure}");
    // What worked before is known, whatever it is called now.
    let script = Script::default().handle(|line, state| {
        match state.connection > 0 && (line == "EPSV" || line == "PASV") {
            true => Action::Reply(Reply::line("502 no")),
            false => Action::Default,
        }
    });
    let server = device(script).await;
    let (transport, destination) = (FtpTransport::new(), destination(&server));
    let first = send_with(&transport, &destination, b"x").await;
    assert_eq!(first, Ok(Verified::Size));
    let failure = send_with(&transport, &destination, b"y").await.unwrap_err();
    assert!(failure.is_transient(), "{failure}");
}

/// What answered at the port was a gateway, perhaps, that knows the older command alone.
#[tokio::test]
async fn a_connection_of_epsv_that_the_server_does_not_see_is_tried_with_pasv() {
    let script = Script::default().handle(|line, state| {
        let before = state.commands.iter().rev();
        let mut ways = before.filter(|line| *line == "EPSV" || *line == "PASV");
        let is_extended = ways.next().is_some_and(|way| way == "EPSV");
        match is_extended && (line.starts_with("STOR") || line.starts_with("RETR")) {
            true => Action::Reply(Reply::line("425 no data connection")),
            false => Action::Default,
        }
    });
    let server = device(script).await;
    twice(&server, patient()).await;
    assert_eq!(count(&server), (1, 2));
    let remote = remote(&server);
    assert!(receive(&remote, 0).await.is_ok());
}

#[tokio::test]
async fn a_device_with_another_address_for_its_data_is_gone_to_where_that_is_allowed() {
    let bytes = image(1000);
    let server = device(
        Script {
            passive: Passive::OnlyAt([127, 0, 0, 2]),
            ..Script::default()
        }
        .on("EPSV", Reply::line("500 what?")),
    )
    .await;
    let mut destination = destination(&server);
    let failure = send(&destination, &bytes).await.unwrap_err();
    let cause = failure.to_string();
    assert!(cause.contains("the server named 127.0.0.2"), "{cause}");
    assert!(cause.contains("`data_address: as-told`"), "{cause}");
    assert_untouched(&server);
    destination.remote.endpoint.dialect.data_address = DataAddress::AsTold;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
    assert_delivered(&server, &bytes);
}

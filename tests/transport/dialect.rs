//! What a server wants said or done that others do not ask for, as the inventory's settings have it.

use subtend::model::{Account, Active, DataMode, Fault, Step, Verified, VerifyMode};

use crate::common::*;
use crate::support::scripted::{Action, Reply, Script, ScriptedServer};

/// A server that takes names in the directory that it is in, and no others.
fn bare_names_only() -> Script {
    Script::behaving(Behaviour {
        no_paths: true,
        ..Behaviour::default()
    })
}

#[tokio::test]
async fn a_server_that_takes_bare_names_only_is_gone_into_its_directory() {
    let bytes = image(20_000);
    let server = ScriptedServer::start(bare_names_only()).await;
    let mut destination = destination(&server);
    // The cause says what to write.
    let failure = send(&destination, &bytes).await.unwrap_err();
    assert!(failure.to_string().contains("`cwd: true`"), "{failure}");
    assert!(server.files().is_empty());

    destination.remote.endpoint.dialect.cwd = true;
    destination.verify = VerifyMode::Readback;
    assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
    assert!(server.file("image.bin").unwrap() == bytes);
    assert_eq!(server.files(), ["/image.bin"]);
    let log = server.log();
    assert!(log.commands().contains(&"CWD /flash"), "{log:?}");
    // Also as a source.
    let (_, read) = receive(&destination.remote, 0).await.unwrap();
    assert!(read == bytes);
}

#[tokio::test]
async fn a_directory_that_can_not_be_entered_is_named() {
    let server = device(Script::default().on("CWD", Reply::line("550 no such directory"))).await;
    let mut destination = destination(&server);
    destination.remote.endpoint.dialect.cwd = true;
    let result = send(&destination, b"x").await;
    let fault = Fault::NoDirectory {
        directory: "/flash".into(),
        reply: "550 no such directory".into(),
    };
    assert_eq!(result, failed(Step::Prepare, fault));
}

#[tokio::test]
async fn an_account_is_given_where_it_is_asked_for_and_never_shown() {
    for verb in ["USER", "PASS"] {
        let script = Script::default()
            .on(verb, Reply::line("332 account?"))
            .on("ACCT", Reply::line("230 welcome"));
        let server = device(script).await;
        let mut destination = destination(&server);
        destination.remote.endpoint.dialect.account = Some(Account::new("4711-x"));
        let bytes = image(1000);
        assert_eq!(send(&destination, &bytes).await, Ok(Verified::Size));
        assert_eq!(server.log().count("ACCT"), 1);
        assert!(server.log().commands().contains(&"ACCT 4711-x"));
        assert!(!format!("{destination:?}").contains("4711-x"));
    }
    // A server that repeats it in its refusal.
    let script = Script::default()
        .on("PASS", Reply::line("332 account?"))
        .on("ACCT", Reply::line("530 no account `4711-x`"));
    let server = device(script).await;
    let mut destination = destination(&server);
    destination.remote.endpoint.dialect.account = Some(Account::new("4711-x"));
    let failure = send(&destination, b"x").await.unwrap_err();
    assert!(
        !format!("{failure} {failure:?}").contains("4711-x"),
        "{failure}"
    );
    // What is there is not advised.
    assert!(!failure.to_string().contains("`account"), "{failure}");
}

#[tokio::test]
async fn an_account_that_is_wanted_for_storing_only_is_given_at_login() {
    let script = Script::default().handle(|line, state| {
        let given = state.commands.iter().any(|line| line == "ACCT 4711");
        match line.split(' ').next() {
            Some("ACCT") => Action::Reply(Reply::line("202 noted")),
            Some("STOR") if !given => Action::Reply(Reply::line("532 need account")),
            _ => Action::Default,
        }
    });
    let server = device(script).await;
    let mut destination = destination(&server);
    let failure = send(&destination, b"x").await.unwrap_err();
    assert!(failure.to_string().contains("`account: …`"), "{failure}");
    destination.remote.endpoint.dialect.account = Some(Account::new("4711"));
    assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
    assert_delivered(&server, b"new");
}

/// A server without room for what was not announced, and whose medium must be chosen.
#[tokio::test]
async fn commands_before_a_file_is_stored_are_sent_in_their_order() {
    let script = Script::default().handle(|line, state| {
        let given = |wanted: &str| state.commands.iter().any(|line| line == wanted);
        match line.split(' ').next() {
            Some("ALLO") => Action::Reply(Reply::line("202 fine")),
            Some("SITE") => Action::Reply(Reply::raw("150 a moment\r\n200 chosen\r\n")),
            Some("STOR") if !given("ALLO 1000") => {
                Action::Reply(Reply::line("550 send ALLO first"))
            }
            _ => Action::Default,
        }
    });
    let server = device(script).await;
    let mut destination = destination(&server);
    let failure = send(&destination, b"x").await.unwrap_err();
    assert!(failure.to_string().contains("`before_store: "), "{failure}");
    assert_untouched(&server);

    let commands = ["SITE MEDIA FLASH".to_owned(), "ALLO 1000".to_owned()];
    destination.remote.endpoint.dialect.before_store = commands.into();
    assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
    assert_delivered(&server, b"new");
    let log = server.log();
    let all = log.commands();
    let at = |wanted: &str| {
        all.iter()
            .rposition(|line| line.starts_with(wanted))
            .unwrap()
    };
    assert!(
        at("SITE") < at("ALLO") && at("ALLO") < at("STOR"),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_command_before_a_file_that_is_refused_is_named_without_its_words() {
    let server = device(Script::default()).await;
    let mut destination = destination(&server);
    destination.remote.endpoint.dialect.before_store = ["SITE UNLOCK 4711".to_owned()].into();
    let failure = send(&destination, b"x").await.unwrap_err();
    let cause = failure.to_string();
    assert!(cause.contains("502 never heard of it to SITE"), "{cause}");
    assert!(!cause.contains("4711"), "{cause}");
    assert_untouched(&server);
}

fn active_only() -> Script {
    Script {
        active: true,
        ..Script::default()
    }
    .on("EPSV", Reply::line("502 active mode only"))
    .on("PASV", Reply::line("502 active mode only"))
}

#[tokio::test]
async fn a_server_that_opens_data_connections_itself_is_listened_for() {
    let bytes = image(3 << 20);
    let server = device(active_only()).await;
    let mut destination = destination(&server);
    let failure = send(&destination, &bytes).await.unwrap_err();
    assert!(failure.to_string().contains("`data: active`"), "{failure}");
    destination.verify = VerifyMode::Readback;
    for address in [None, Some([127, 0, 0, 1].into())] {
        destination.remote.endpoint.dialect.data = DataMode::Active(Active {
            address,
            ports: None,
        });
        assert_eq!(send(&destination, &bytes).await, Ok(Verified::Readback));
        assert_delivered(&server, &bytes);
        let (_, read) = receive(&destination.remote, 1000).await.unwrap();
        assert!(read == bytes[1000..]);
        // A file that has been sent before anybody looks.
        server.put(PATH, OLD);
        let (_, read) = receive(&destination.remote, 0).await.unwrap();
        assert!(read == OLD);
    }
    assert_eq!(server.log().count("EPRT"), 0);
}

#[tokio::test]
async fn a_server_that_knows_eprt_only_is_told_so() {
    let server = device(active_only().on("PORT", Reply::line("502 no"))).await;
    let mut destination = destination(&server);
    destination.remote.endpoint.dialect.data = DataMode::Active(Active::default());
    assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
    assert_delivered(&server, b"new");
    assert_eq!(server.log().count("EPRT"), 1);
}

/// Each waits until a port is free again.
#[tokio::test]
async fn active_mode_keeps_to_the_ports_that_it_may_use() {
    // One that is free now is likely to be so in a moment.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let server = device(active_only()).await;
    let mut destination = destination(&server);
    destination.remote.endpoint.dialect.data = DataMode::Active(Active {
        address: None,
        ports: Some(port..=port),
    });
    assert_eq!(send(&destination, b"new").await, Ok(Verified::Size));
    assert_delivered(&server, b"new");
    let told = format!("PORT 127,0,0,1,{},{}", port / 256, port % 256);
    assert!(server.log().commands().contains(&told.as_str()));
}

#[tokio::test]
async fn a_connection_that_never_comes_is_called_so_with_where_it_was_to_go() {
    // It says that it has begun, and does nothing.
    let script = active_only().on("STOR", Reply::line("150 go on"));
    let server = device(script).await;
    let timeouts = subtend::model::Timeouts {
        connect: SHORT,
        ..patient()
    };
    let mut destination = destination_with(&server, timeouts);
    destination.remote.endpoint.dialect.data = DataMode::Active(Active::default());
    let failure = send(&destination, b"x").await.unwrap_err();
    let cause = failure.to_string();
    assert!(
        cause.contains("it was asked to connect to 127.0.0.1:"),
        "{cause}"
    );
    assert!(failure.is_transient());
}

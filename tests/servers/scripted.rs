//! The scripted server is what its options say: tests of subtend's own client stand on it.

use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::scripted::{
    Action, Behaviour, Data, FOREVER, Greeting, Passive, Reply, Retrieve, Script, ScriptedServer,
    Store, UploadEnd,
};
use crate::support::{LONG, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes that a transfer in the wrong type would mangle.
const TRICKY: &[u8] = b"one\r\ntwo\nthree\rfour\0\xff\r";

/// Whether nothing arrives within a moment.
async fn is_quiet(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::time::timeout(Duration::from_millis(150), stream.read(&mut byte))
        .await
        .is_err()
}

fn big() -> Vec<u8> {
    TRICKY.iter().copied().cycle().take(1 << 20).collect()
}

#[tokio::test]
async fn without_a_script_it_is_a_good_server() {
    let server = ScriptedServer::start(Script::default()).await;
    let mut client = Client::login(server.address()).await.unwrap();
    assert_eq!(client.greeting, "220 scripted");
    let bytes = big();
    let reply = client.store("/flash/a", &bytes).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    assert!(server.file("flash/a").unwrap() == bytes);
    assert_eq!(
        client.command("SIZE /flash/a").await.unwrap(),
        "213 1048576"
    );
    let (back, reply) = client.retrieve("flash/a", 0).await.unwrap();
    assert!(back == bytes && reply.starts_with("226"), "{reply}");
    let (back, _) = client.retrieve("/flash/a", 1_048_570).await.unwrap();
    assert!(back == bytes[1_048_570..]);
    assert!(
        client
            .command("RNFR /flash/a")
            .await
            .unwrap()
            .starts_with("350")
    );
    assert!(
        client
            .command("RNTO /flash/b")
            .await
            .unwrap()
            .starts_with("250")
    );
    assert_eq!(server.files(), ["/flash/b"]);
    assert!(
        client
            .command("MDTM /flash/b")
            .await
            .unwrap()
            .starts_with("213")
    );
    assert!(client.command("FEAT").await.unwrap().ends_with("211 end"));
    assert!(
        client
            .command("DELE /flash/b")
            .await
            .unwrap()
            .starts_with("250")
    );
    assert!(server.files().is_empty());
    assert!(client.command("QUIT").await.unwrap().starts_with("221"));
    let log = server.until(|log| log.connections[0].ended).await;
    assert_eq!(log.count("RETR"), 2);
    assert_eq!(log.uploads[0].end, UploadEnd::Closed);
    assert_eq!(log.data.len(), 3);
    assert!(log.data[0].peer.ip().is_loopback());
    server.stop().await;
}

#[tokio::test]
async fn it_converts_line_ends_unless_told_that_the_type_is_image() {
    let server = ScriptedServer::start(Script::default()).await;
    server.put("b", TRICKY);
    let mut client = Client::login(server.address()).await.unwrap();
    client.command("TYPE A").await.unwrap();
    client.store("a", TRICKY).await.unwrap();
    assert_eq!(server.file("a").unwrap(), b"one\ntwo\nthree\rfour\0\xff\r");
    let (bytes, _) = client.retrieve("b", 0).await.unwrap();
    assert_eq!(bytes, b"one\r\r\ntwo\r\nthree\rfour\0\xff\r");
}

#[tokio::test]
async fn greetings_and_replies_are_the_scripts() {
    let script = Script {
        greeting: Greeting::Bytes(b"120 wait\r\n220-two\r\n220 lines\r\n".to_vec()),
        ..Script::default()
    }
    .on("FEAT", Reply::line("211 nothing"))
    .on("NOOP", Reply::raw("200"))
    .on("SYST", Reply::Reset)
    .on(
        "PWD",
        Reply::Drip {
            bytes: b"257 \"/\"\r\n".to_vec(),
            every: Duration::from_millis(20),
        },
    )
    .handle(|line, state| match line {
        "STAT" if state.commands.len() == 1 => Action::Reply(Reply::line("211 the first")),
        _ => Action::Default,
    });
    let server = ScriptedServer::start(script).await;
    let mut client = Client::connect(server.address()).await.unwrap();
    assert_eq!(client.greeting, "120 wait");
    assert_eq!(client.reply().await.unwrap(), "220-two\r\n220 lines");
    assert_eq!(client.command("STAT").await.unwrap(), "211 the first");
    assert!(client.command("STAT").await.unwrap().starts_with("502"));
    assert_eq!(client.command("FEAT").await.unwrap(), "211 nothing");
    let begun = Instant::now();
    assert_eq!(client.command("PWD").await.unwrap(), "257 \"/\"");
    assert!(begun.elapsed() >= Duration::from_millis(140));
    let error = client.command("SYST").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(server.log().commands()[0], "STAT");
}

#[tokio::test]
async fn silence_is_silence_and_endless_is_endless() {
    let script = Script {
        greeting: Greeting::Never,
        ..Script::default()
    };
    let server = ScriptedServer::start(script).await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    assert!(is_quiet(&mut socket).await);

    let script = Script::default().delay("NOOP", FOREVER);
    let server = ScriptedServer::start(script).await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let mut greeting = [0; 14];
    socket.read_exact(&mut greeting).await.unwrap();
    socket.write_all(b"NOOP\r\n").await.unwrap();
    assert!(is_quiet(&mut socket).await);
    drop(socket);
    server.until(|log| log.connections[0].ended).await;

    let script = Script {
        greeting: Greeting::Endless,
        ..Script::default()
    };
    let server = ScriptedServer::start(script).await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let mut much = vec![0; 2000];
    within(LONG, socket.read_exact(&mut much)).await.unwrap();
    assert!(much.starts_with(b"220-"));
}

#[tokio::test]
async fn passive_replies_are_as_odd_as_asked_for() {
    let script = Script {
        passive: Passive::NoParentheses,
        ..Script::default()
    }
    .on("EPSV", Reply::line("500 what?"));
    let server = ScriptedServer::start(script).await;
    let mut client = Client::login(server.address()).await.unwrap();
    assert_eq!(client.command("EPSV").await.unwrap(), "500 what?");
    let reply = client.command("PASV").await.unwrap();
    assert!(reply.contains("Mode 127,0,0,1,"), "{reply}");

    let server = ScriptedServer::start(Script::behaving(Behaviour {
        pasv_host: Some([192, 0, 2, 1].into()),
        ..Behaviour::default()
    }))
    .await;
    let mut client = Client::login(server.address()).await.unwrap();
    let reply = client.command("PASV").await.unwrap();
    assert!(reply.contains("(192,0,2,1,"), "{reply}");

    let script = Script {
        passive: Passive::DeadPort,
        ..Script::default()
    };
    let server = ScriptedServer::start(script).await;
    let mut client = Client::login(server.address()).await.unwrap();
    let error = client.data().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn it_says_552_in_the_middle_and_leaves_the_data_connection_open() {
    let script = Script {
        store: Store {
            at: Some(5000),
            reply: Some("552 full"),
            times: Some(1),
            ..Store::default()
        },
        ..Script::default()
    };
    let server = ScriptedServer::start(script).await;
    let mut client = Client::login(server.address()).await.unwrap();
    let mut data = client.open_store("a").await.unwrap();
    data.write_all(&[7; 6000]).await.unwrap();
    assert_eq!(client.reply().await.unwrap(), "552 full");
    assert!(is_quiet(&mut data).await);
    assert_eq!(server.file("a").unwrap().len(), 5000);
    // The client gives up: with a reset, and not with an end of file.
    socket2::SockRef::from(&data)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(data);
    drop(client);
    let log = server
        .until(|log| log.uploads[0].end != UploadEnd::Open)
        .await;
    assert!(log.uploads[0].ended_by_reset());
    assert_eq!(log.uploads[0].taken, 5000);

    // It happens a number of times, and then no more.
    let mut client = Client::login(server.address()).await.unwrap();
    assert_eq!(client.store("a", &big()).await.unwrap(), "226 stored");
}

#[tokio::test]
async fn uploads_can_be_confirmed_early_late_or_never() {
    let early = Script {
        store: Store {
            at: Some(100),
            reply: Some("226 done"),
            data: Data::GoOn,
            ..Store::default()
        },
        ..Script::default()
    };
    let server = ScriptedServer::start(early).await;
    let mut client = Client::login(server.address()).await.unwrap();
    let mut data = client.open_store("a").await.unwrap();
    data.write_all(&[7; 200]).await.unwrap();
    assert_eq!(client.reply().await.unwrap(), "226 done");
    drop(data);
    server
        .until(|log| log.uploads[0].end == UploadEnd::Closed)
        .await;
    // No second confirmation: the next reply is that of the next command.
    assert_eq!(client.command("SIZE a").await.unwrap(), "213 200");

    let late = Script::behaving(Behaviour {
        confirm_after: Some(Duration::from_millis(200)),
        ..Behaviour::default()
    });
    let server = ScriptedServer::start(late).await;
    let mut client = Client::login(server.address()).await.unwrap();
    let begun = Instant::now();
    assert_eq!(client.store("a", b"x").await.unwrap(), "226 stored");
    assert!(begun.elapsed() >= Duration::from_millis(200));

    let never = Script::behaving(Behaviour {
        no_confirm: true,
        ..Behaviour::default()
    });
    let server = ScriptedServer::start(never).await;
    let mut client = Client::login(server.address()).await.unwrap();
    drop(client.open_store("a").await.unwrap());
    server
        .until(|log| log.uploads[0].end == UploadEnd::Closed)
        .await;
    let waited = tokio::time::timeout(Duration::from_millis(150), client.reply()).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn uploads_can_be_cut_with_or_without_a_reply() {
    for (data, reply, close_control) in [
        (Data::Close, Some("426 broken"), false),
        (Data::Reset, None, true),
        (Data::GoOn, None, true),
    ] {
        let script = Script {
            store: Store {
                at: Some(100),
                reply,
                close_control,
                data,
                ..Store::default()
            },
            ..Script::default()
        };
        let server = ScriptedServer::start(script).await;
        let mut client = Client::login(server.address()).await.unwrap();
        let mut sending = client.open_store("a").await.unwrap();
        sending.write_all(&[7; 200]).await.unwrap();
        match reply {
            Some(reply) => assert_eq!(client.reply().await.unwrap(), reply),
            None => assert!(client.closed().await),
        }
        drop(sending);
        let log = server
            .until(|log| log.uploads[0].end != UploadEnd::Open)
            .await;
        let taken = if data == Data::GoOn { 200 } else { 100 };
        assert_eq!(log.uploads[0].taken, taken);
        assert_eq!(
            log.uploads[0].end == UploadEnd::ByServer,
            data != Data::GoOn
        );
    }
}

#[tokio::test]
async fn downloads_end_early_or_go_on_too_long() {
    for (retrieve, length, ends) in [
        (
            Retrieve {
                at: Some(10),
                reply: Some("226 sent"),
                data: Data::Close,
                ..Retrieve::default()
            },
            10,
            "226 sent",
        ),
        (
            Retrieve {
                at: Some(10),
                reply: Some("426 broken"),
                data: Data::Close,
                ..Retrieve::default()
            },
            10,
            "426 broken",
        ),
        (
            Retrieve {
                extra: 5,
                ..Retrieve::default()
            },
            25,
            "226 sent",
        ),
        (
            Retrieve {
                at: Some(10),
                times: Some(0),
                ..Retrieve::default()
            },
            20,
            "226 sent",
        ),
    ] {
        let server = ScriptedServer::start(Script {
            retrieve,
            ..Script::default()
        })
        .await;
        server.put("a", [7; 20]);
        let mut client = Client::login(server.address()).await.unwrap();
        assert_eq!(client.command("SIZE a").await.unwrap(), "213 20");
        let (bytes, reply) = client.retrieve("a", 0).await.unwrap();
        assert_eq!((bytes.len(), &*reply), (length, ends));
    }
}

#[tokio::test]
async fn a_second_session_is_refused_where_one_is_the_limit() {
    let script = Script::behaving(Behaviour {
        max_sessions: Some(1),
        ..Behaviour::default()
    });
    let server = ScriptedServer::start(script).await;
    let first = Client::login(server.address()).await.unwrap();
    let mut second = Client::connect(server.address()).await.unwrap();
    assert!(second.greeting.starts_with("421"), "{}", second.greeting);
    assert!(second.closed().await);
    drop((first, second));
    server
        .until(|log| log.connections.iter().all(|one| one.ended))
        .await;
    Client::login(server.address()).await.unwrap();
}

#[tokio::test]
async fn digests_are_offered_and_right() {
    let script = Script {
        digests: vec!["HASH", "XSHA256", "XSHA1", "XMD5", "XCRC"],
        ..Script::behaving(Behaviour {
            no_overwrite: true,
            ..Behaviour::default()
        })
    };
    let server = ScriptedServer::start(script).await;
    server.put("a", "abc");
    server.put("b", "");
    let mut client = Client::login(server.address()).await.unwrap();
    assert!(
        client
            .command("FEAT")
            .await
            .unwrap()
            .contains(" HASH SHA-256*")
    );
    // FIPS 180-4 and RFC 1321, of `abc`.
    let reply = client.command("HASH a").await.unwrap();
    assert!(reply.starts_with("213 SHA-256 0-3 ba7816bf"), "{reply}");
    assert!(
        client
            .command("XSHA256 a")
            .await
            .unwrap()
            .starts_with("250 BA7816BF")
    );
    assert!(
        client
            .command("XSHA1 a")
            .await
            .unwrap()
            .starts_with("250 A9993E36")
    );
    assert!(
        client
            .command("XMD5 a")
            .await
            .unwrap()
            .starts_with("250 90015098")
    );
    assert_eq!(client.command("XCRC a").await.unwrap(), "250 352441C2");
    client.command("RNFR a").await.unwrap();
    assert!(client.command("RNTO b").await.unwrap().starts_with("553"));
    assert_eq!(server.files(), ["/a", "/b"]);
}

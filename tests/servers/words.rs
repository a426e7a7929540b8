//! One vocabulary: what a setting makes of the lab's server it makes of the scripted one, which
//! the tests of the engine are run against. Both are asked the same, and both must answer so.

use std::time::{Duration, Instant};

use subtend::lab::{Behaviour, Lab, NameCut};
use tokio::io::AsyncWriteExt;

use crate::lab::address;
use crate::support::client::Client;
use crate::support::scripted::{Script, ScriptedServer};
use crate::support::{LONG, PATH, behave, lab, network, within};

const NEW: &str = "/flash/image.new";

/// One of the two, with an old file at [`PATH`].
enum Server {
    Lab(Box<Lab>),
    Scripted(ScriptedServer),
}

impl Server {
    async fn both(behaviour: Behaviour) -> [Self; 2] {
        let (inventory, mut settings) = network(1, 1000);
        behave(&mut settings, "e001", behaviour.clone());
        let lab = lab(&inventory, &settings).await;
        let scripted = ScriptedServer::start(Script::behaving(behaviour)).await;
        scripted.put(PATH, lab.file("e001", PATH).unwrap().bytes());
        [Self::Lab(Box::new(lab)), Self::Scripted(scripted)]
    }

    fn address(&self) -> String {
        match self {
            Self::Lab(lab) => address(lab, "e001"),
            Self::Scripted(server) => server.address().to_string(),
        }
    }

    fn files(&self) -> Vec<String> {
        match self {
            Self::Lab(lab) => lab.files("e001"),
            Self::Scripted(server) => server.files(),
        }
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        match self {
            Self::Lab(lab) => lab.file("e001", path).map(|file| file.bytes()),
            Self::Scripted(server) => server.file(path),
        }
    }

    async fn login(&self) -> Client {
        Client::login(self.address()).await.unwrap()
    }
}

/// The code of a reply, or that there was none.
fn code(reply: std::io::Result<String>) -> String {
    match reply {
        Ok(reply) => reply.chars().take(3).collect(),
        Err(_) => "gone".into(),
    }
}

/// Says lines in one session, where `STOR` stores three bytes, and gives the codes of the answers.
async fn said(server: &Server, lines: &[&str]) -> Vec<String> {
    let mut client = server.login().await;
    let mut codes = Vec::new();
    for line in lines {
        let Some(path) = line.strip_prefix("STOR ") else {
            codes.push(code(client.command(line).await));
            continue;
        };
        codes.push(match client.store(path, b"new").await {
            // A refusal before the data is an error of its own, with the reply in it.
            Err(refused) if refused.get_ref().is_some() => code(Ok(refused.to_string())),
            reply => code(reply),
        });
    }
    codes
}

/// Both answer so, and hold these files then.
async fn both_say(behaviour: Behaviour, lines: &[(&str, &str)], files: &[&str]) {
    for server in Server::both(behaviour.clone()).await {
        let who = match &server {
            Server::Lab(_) => "the lab",
            Server::Scripted(_) => "the scripted server",
        };
        let asked: Vec<_> = lines.iter().map(|(line, _)| *line).collect();
        let codes: Vec<_> = lines.iter().map(|(_, code)| *code).collect();
        assert_eq!(said(&server, &asked).await, codes, "{who}: {behaviour:?}");
        assert_eq!(server.files(), files, "{who}: {behaviour:?}");
    }
}

/// A behaviour, lines and the codes of their answers, and the files that are there then.
type Case<'a> = (Behaviour, &'a [(&'a str, &'a str)], &'a [&'a str]);

const STORE: (&str, &str) = ("STOR /flash/image.new", "226");
const FROM: (&str, &str) = ("RNFR /flash/image.new", "350");
const TO: &str = "RNTO /flash/image.bin";
const BOTH: [&str; 2] = [PATH, NEW];

#[tokio::test]
async fn a_good_server_does_what_it_is_asked() {
    let lines = [
        STORE,
        ("SIZE /flash/image.new", "213"),
        FROM,
        (TO, "250"),
        ("RNFR /flash/image.new", "550"),
    ];
    both_say(Behaviour::default(), &lines, &[PATH]).await;
}

#[tokio::test]
async fn what_is_refused_is_refused_in_the_same_words() {
    let good = Behaviour::default;
    let cases: Vec<Case<'_>> = vec![
        (
            Behaviour {
                no_rename: true,
                ..good()
            },
            &[STORE, ("RNFR /flash/image.new", "502")],
            &BOTH,
        ),
        (
            Behaviour {
                refuse_rename: true,
                ..good()
            },
            &[STORE, FROM, (TO, "553")],
            &BOTH,
        ),
        (
            Behaviour {
                refuse_rename: true,
                rename_reply: Some("501 bad name".into()),
                ..good()
            },
            &[STORE, FROM, (TO, "501")],
            &BOTH,
        ),
        (
            Behaviour {
                no_overwrite: true,
                rename_reply: Some("550 no".into()),
                ..good()
            },
            &[STORE, FROM, (TO, "550"), FROM, ("RNTO /flash/b", "250")],
            &["/flash/b", PATH],
        ),
        (
            Behaviour {
                no_rename_to: Some(PATH.into()),
                ..good()
            },
            &[STORE, FROM, (TO, "553"), FROM, ("RNTO /flash/b", "250")],
            &["/flash/b", PATH],
        ),
        (
            Behaviour {
                busy_renames: Some(1),
                ..good()
            },
            &[STORE, FROM, (TO, "450"), FROM, (TO, "250")],
            &[PATH],
        ),
        (
            Behaviour {
                busy_renames: Some(1),
                rename_reply: Some("451 erasing".into()),
                ..good()
            },
            &[STORE, FROM, (TO, "451"), FROM, (TO, "250")],
            &[PATH],
        ),
        (
            Behaviour {
                no_delete: true,
                no_size: true,
                no_rest: true,
                ..good()
            },
            &[
                ("DELE /flash/image.bin", "550"),
                ("SIZE /flash/image.bin", "550"),
                ("REST 5", "502"),
            ],
            &[PATH],
        ),
        (
            Behaviour {
                no_replace: true,
                ..good()
            },
            &[STORE, ("STOR /flash/image.new", "553")],
            &BOTH,
        ),
        (
            Behaviour {
                read_only: true,
                ..good()
            },
            &[("STOR /flash/image.new", "553")],
            &[PATH],
        ),
    ];
    for (behaviour, lines, files) in cases {
        both_say(behaviour, lines, files).await;
    }
}

#[tokio::test]
async fn what_is_a_lie_is_the_same_lie() {
    let good = Behaviour::default;
    let renamed = [STORE, FROM, (TO, "250")];
    let cases: Vec<Case<'_>> = vec![
        (
            Behaviour {
                false_rename: true,
                ..good()
            },
            &renamed,
            &BOTH,
        ),
        (
            Behaviour {
                rename_elsewhere: true,
                ..good()
            },
            &renamed,
            &[PATH, "/flash/image.bin.1"],
        ),
        (
            Behaviour {
                rnfr_any: true,
                ..good()
            },
            &[("RNFR /flash/never", "350"), ("SIZE /flash/never", "550")],
            &[PATH],
        ),
        (
            Behaviour {
                store_elsewhere: true,
                ..good()
            },
            &[("STOR /flash/image.bin", "226")],
            &[PATH, "/flash/image.bin.1"],
        ),
        (
            Behaviour {
                gone_after_store: true,
                ..good()
            },
            &[STORE, ("SIZE /flash/image.new", "550")],
            &[PATH],
        ),
        (
            Behaviour {
                confirm_reply: Some("552 bad checksum".into()),
                ..good()
            },
            &[("STOR /flash/image.new", "552")],
            &BOTH,
        ),
    ];
    for (behaviour, lines, files) in cases {
        both_say(behaviour, lines, files).await;
    }
}

#[tokio::test]
async fn names_are_taken_in_the_same_way() {
    let good = Behaviour::default;
    for (cut, held) in [
        // What comes after a second dot is cut off too.
        (NameCut::Dos, "/flash/firmware.4"),
        (NameCut::At(10), "/flash/firmware-2"),
    ] {
        let cut = Behaviour {
            cut_names: Some(cut),
            ..good()
        };
        let stored = [("STOR /flash/firmware-2.4.bin.new", "226")];
        let mut files = [held, PATH];
        files.sort_unstable();
        both_say(cut, &stored, &files).await;
    }
    let folded = Behaviour {
        fold_case: true,
        ..good()
    };
    let lines = [
        ("STOR /flash/NEW", "226"),
        ("DELE /FLASH/Image.Bin", "250"),
        ("SIZE /flash/new", "213"),
    ];
    both_say(folded, &lines, &["/flash/new"]).await;

    let encoded = Behaviour {
        encode_names: true,
        ..good()
    };
    let lines = [
        ("STOR /flash/é", "226"),
        ("OPTS UTF8 ON", "200"),
        ("SIZE /flash/é", "550"),
        ("STOR /flash/é", "226"),
    ];
    both_say(encoded, &lines, &[PATH, "/flash/Ã©", "/flash/é"]).await;

    let bare = Behaviour {
        no_paths: true,
        ..good()
    };
    let lines = [
        ("SIZE /flash/image.bin", "553"),
        ("STOR /flash/image.new", "553"),
    ];
    both_say(bare, &lines, &[PATH]).await;
}

#[tokio::test]
async fn commands_have_replies_and_delays_of_their_own() {
    let wants = |needed: &str| Behaviour {
        store_needs: Some(needed.into()),
        ..Behaviour::default()
    };
    let lines = [
        ("STOR /flash/image.new", "532"),
        ("ACCT 4711", "200"),
        STORE,
    ];
    both_say(wants("ACCT"), &lines, &BOTH).await;
    let lines = [
        ("STOR /flash/image.new", "503"),
        ("SITE IMAGE 1", "200"),
        STORE,
    ];
    both_say(wants("SITE IMAGE 1"), &lines, &BOTH).await;
    let behaviour = Behaviour {
        replies: [("TYPE".to_owned(), "502 what?".to_owned())].into(),
        delays: [("NOOP".to_owned(), Duration::from_millis(200))].into(),
        size_block: Some(1000),
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut client = server.login().await;
        assert_eq!(client.command("TYPE I").await.unwrap(), "502 what?");
        let size = client.command(&format!("SIZE {PATH}")).await.unwrap();
        assert_eq!(size, "213 5000", "4096 bytes are five blocks");
        let begun = Instant::now();
        client.command("NOOP").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(200));
    }
}

#[tokio::test]
async fn a_size_that_comes_late_is_zero_until_then() {
    let late = Duration::from_millis(700);
    let behaviour = Behaviour {
        size_after: Some(late),
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut client = server.login().await;
        let begun = Instant::now();
        client.store(NEW, b"new").await.unwrap();
        let size = client.command(&format!("SIZE {NEW}")).await.unwrap();
        assert!(size == "213 0" || begun.elapsed() >= late, "{size}");
        tokio::time::sleep(late).await;
        let size = client.command(&format!("SIZE {NEW}")).await.unwrap();
        assert_eq!(size, "213 3");
    }
}

/// Before a command is acted on, or after it and in place of its reply; as often as asked for.
#[tokio::test]
async fn sessions_are_lost_before_or_after_what_they_do() {
    for verb in ["RNTO", "DELE", "STOR"] {
        for done in [false, true] {
            let behaviour = Behaviour {
                hang_up_on: (!done).then(|| verb.into()),
                hang_up_after: done.then(|| verb.into()),
                hang_up_skip: Some(1),
                hang_up_times: Some(1),
                ..Behaviour::default()
            };
            for server in Server::both(behaviour).await {
                // Each of them once, and no harm done.
                let lines = ["STOR /a", "RNFR /a", "RNTO /b", "DELE /b"];
                let codes = said(&server, &lines).await;
                assert_eq!(codes, ["226", "350", "250", "250"], "{verb}");
                let mut client = server.login().await;
                if verb != "STOR" {
                    client.store(NEW, b"new").await.unwrap();
                }
                match verb {
                    "RNTO" => {
                        client.command(&format!("RNFR {NEW}")).await.unwrap();
                        let lost = client.command(&format!("RNTO {PATH}")).await;
                        assert!(lost.is_err(), "{lost:?}");
                        assert_eq!(server.file(NEW).is_none(), done);
                    }
                    "DELE" => {
                        let lost = client.command(&format!("DELE {NEW}")).await;
                        assert!(lost.is_err(), "{lost:?}");
                        assert_eq!(server.file(NEW).is_none(), done);
                    }
                    _ => {
                        let lost = client.store(NEW, b"new").await;
                        assert!(lost.is_err(), "{lost:?}");
                        assert_eq!(server.file(NEW).is_some(), done);
                    }
                }
                // And never again.
                let codes = said(&server, &lines).await;
                assert_eq!(codes, ["226", "350", "250", "250"], "{verb}");
            }
        }
    }
}

#[tokio::test]
async fn uploads_end_in_the_same_way() {
    let good = Behaviour::default;
    let at = Some(10_000);
    let image = vec![7; 400_000];
    // What is answered; what is stored; whether the session goes on.
    let cases: Vec<(Behaviour, Option<&str>, usize)> = vec![
        (
            Behaviour {
                disk_full_at: at,
                ..good()
            },
            Some("552"),
            10_000,
        ),
        (
            Behaviour {
                drop_at: at,
                ..good()
            },
            Some("426"),
            10_000,
        ),
        (
            Behaviour {
                confirm_at: at,
                ..good()
            },
            Some("226"),
            10_000,
        ),
        (
            Behaviour {
                truncate_at: at,
                ..good()
            },
            Some("226"),
            10_000,
        ),
        (
            Behaviour {
                silent_at: at,
                ..good()
            },
            None,
            10_000,
        ),
        (
            Behaviour {
                no_confirm: true,
                ..good()
            },
            None,
            image.len(),
        ),
    ];
    for (behaviour, answer, kept) in cases {
        for server in Server::both(behaviour.clone()).await {
            let mut client = server.login().await;
            let mut data = client.open_store(NEW).await.unwrap();
            // As much as is taken: some of them read no more.
            let sending = tokio::time::timeout(Duration::from_millis(300), data.write_all(&image));
            if sending.await.is_ok_and(|sent| sent.is_ok()) {
                let _ = data.shutdown().await;
            }
            match answer {
                Some(answer) => {
                    let reply = within(LONG, client.reply()).await.unwrap();
                    assert!(reply.starts_with(answer), "{reply}: {behaviour:?}");
                }
                None => {
                    let wait = Duration::from_millis(300);
                    let reply = tokio::time::timeout(wait, client.reply()).await;
                    assert!(reply.is_err(), "{reply:?}: {behaviour:?}");
                }
            }
            let stored = server.file(NEW).unwrap();
            assert!(stored == image[..kept], "{}: {behaviour:?}", stored.len());
        }
    }
}

#[tokio::test]
async fn a_control_connection_is_lost_in_the_middle_of_an_upload() {
    let behaviour = Behaviour {
        hang_up_at: Some(10_000),
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut client = server.login().await;
        let mut data = client.open_store(NEW).await.unwrap();
        data.write_all(&[7; 9_999]).await.unwrap();
        let early = tokio::time::timeout(Duration::from_millis(100), client.reply()).await;
        assert!(early.is_err(), "{early:?}");
        data.write_all(&[7; 2]).await.unwrap();
        assert!(within(LONG, client.closed()).await);
    }
}

#[tokio::test]
async fn bytes_are_wrong_in_what_is_stored_or_only_in_what_is_sent() {
    let image = vec![7; 20_000];
    for (stored, sent) in [(Some(9_999), None), (None, Some(9_999))] {
        let behaviour = Behaviour {
            corrupt_at: stored,
            corrupt_read_at: sent,
            ..Behaviour::default()
        };
        for server in Server::both(behaviour).await {
            let mut client = server.login().await;
            client.store(NEW, &image).await.unwrap();
            let differs = |bytes: &[u8]| {
                let wrong = (0..image.len()).filter(|at| bytes[*at] != image[*at]);
                wrong.collect::<Vec<_>>()
            };
            let kept = server.file(NEW).unwrap();
            let expected: Vec<_> = stored.iter().map(|_| 9_999).collect();
            assert_eq!(differs(&kept), expected);
            let (read, _) = client.retrieve(NEW, 0).await.unwrap();
            assert_eq!(differs(&read), [9_999]);
        }
    }
}

#[tokio::test]
async fn sessions_are_turned_away_in_the_same_way() {
    let behaviour = Behaviour {
        busy_after: Some(1),
        busy_times: Some(2),
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut greetings = Vec::new();
        for _ in 0..4 {
            let mut client = Client::connect(server.address()).await.unwrap();
            greetings.push(client.greeting.chars().take(3).collect::<String>());
            let _ = client.command("QUIT").await;
        }
        assert_eq!(greetings, ["220", "421", "421", "220"]);
    }
    for (reply, greeting) in [
        (None, Some("421")),
        (Some("530 logged in already"), Some("530 logged")),
        (Some(""), None),
    ] {
        let behaviour = Behaviour {
            max_sessions: Some(1),
            busy_reply: reply.map(str::to_owned),
            ..Behaviour::default()
        };
        for server in Server::both(behaviour).await {
            let mut first = server.login().await;
            match (Client::connect(server.address()).await, greeting) {
                (Ok(second), Some(greeting)) => {
                    assert!(second.greeting.starts_with(greeting), "{}", second.greeting);
                }
                (Err(_), None) => {}
                (other, _) => panic!("{:?} {reply:?}", other.map(|client| client.greeting)),
            }
            first.command("QUIT").await.unwrap();
            assert!(first.closed().await);
            // It is forgotten a moment later.
            within(LONG, async {
                while Client::connect(server.address())
                    .await
                    .is_ok_and(|client| !client.greeting.starts_with("220"))
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn another_host_is_named_with_the_right_port() {
    let behaviour = Behaviour {
        pasv_host: Some([192, 0, 2, 1].into()),
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut client = server.login().await;
        let reply = client.command("PASV").await.unwrap();
        let numbers = reply.split_once("(192,0,2,1,").expect(&reply).1;
        let numbers: Vec<u16> = (numbers.split_once(')').expect(&reply).0.split(','))
            .map(|number| number.parse().unwrap())
            .collect();
        let port = numbers[0] * 256 + numbers[1];
        let mut data = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        let reply = client.command(&format!("STOR {NEW}")).await.unwrap();
        assert!(reply.starts_with("150"), "{reply}");
        data.write_all(b"new").await.unwrap();
        drop(data);
        client.reply().await.unwrap();
        assert_eq!(server.file(NEW).unwrap(), b"new");
    }
}

#[tokio::test]
async fn what_is_not_to_be_read_or_entered_is_not() {
    let behaviour = Behaviour {
        no_read: true,
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut client = server.login().await;
        // Before the data, or after none of it.
        let reply = match client.open_retrieve(PATH, 0).await {
            Ok(_) => client.reply().await.unwrap(),
            Err(refused) => refused.to_string(),
        };
        assert!(reply.starts_with("550"), "{reply}");
    }
    let behaviour = Behaviour {
        refuse_login: true,
        ..Behaviour::default()
    };
    for server in Server::both(behaviour).await {
        let mut client = Client::connect(server.address()).await.unwrap();
        client.command("USER anonymous").await.unwrap();
        assert_eq!(code(client.command("PASS x@").await), "530");
    }
}

//! What a server may try: to send for ever, to lie about sizes, to answer byte by byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use subtend::model::{EntityState, Holds, Inventory, Login, Step, Timeouts, VerifyMode};
use subtend::protocol::Summary;
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{Directory, Endpoint, Transport};
use tokio::task::JoinSet;

use crate::faults::fault::{Fault, OLD};
use crate::faults::world::*;
use crate::support::run::{Run, entity};
use crate::support::scripted::{Action, Reply, Retrieve, Script, ScriptedServer};
use crate::support::{GROUP, PATH, within};

const SIZE: u64 = 200_000;

async fn finish(inventory: &Inventory) -> Summary {
    let run = Run::start(inventory, &[GROUP]).await;
    run.finish_within(PATIENCE).await.0
}

/// With a size in the inventory, that is the bound of an image whose source tells none; without
/// one, the room on the entities is. The source is left as soon as nobody takes any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_image_ends_at_its_size_or_where_no_entity_has_room() {
    let image = image(SIZE);
    let endless = Script {
        retrieve: Retrieve {
            endless: true,
            ..Retrieve::default()
        },
        ..Script::default()
    };
    let source = ScriptedServer::start(endless.on("SIZE", Reply::line("502 not here"))).await;
    source.put("/images/adsl-2.bin", image.as_slice());
    for (size, fault, words) in [
        (Some(SIZE), Fault::None, "sent more than the 200000 bytes"),
        (None, Fault::DiskFullAt(SIZE), "552 flash is full"),
    ] {
        let devices = [device("one", (fault, false), &image).await];
        let mut inventory = inventory_of(source.address(), &devices);
        let mut group = (*inventory.groups[0]).clone();
        let mut wanted = (*group.image).clone();
        wanted.size = size;
        group.image = Arc::new(wanted);
        inventory.images = vec![Arc::clone(&group.image)];
        inventory.groups = vec![Arc::new(group)];
        let summary = finish(&inventory).await;
        let said = entity(&summary, "one");
        assert_eq!(said.state, EntityState::Failed, "{said:?}");
        let cause = said.cause.as_deref().unwrap();
        assert!(cause.contains(words), "{cause}");
        let server = &devices[0].server.server;
        assert!(server.file(PATH).unwrap() == OLD);
        assert_eq!(server.files(), [PATH]);
        // What was read ahead of the entity was bounded by the memory.
        assert!(summary.source_bytes <= SIZE + inventory.memory + (1 << 20));
    }
}

/// Every answer to `SIZE` is a claim that the bytes have to bear out.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lies_about_its_size_delivers_nothing() {
    let image = image(SIZE);
    for (reply, words) in [
        (
            "213 18446744073709551615",
            Some("200000 bytes; the file has"),
        ),
        ("213 200001", Some("200000 bytes; the file has 200001")),
        ("213 199999", Some("more than the 199999 bytes")),
        ("213 1", Some("more than the 1 bytes")),
        ("213 0", Some("empty")),
        // No claim at all.
        ("213 -1", None),
        ("213 18446744073709551616", None),
        ("213 200000 or so", None),
    ] {
        let source = ScriptedServer::start(Script::default().on("SIZE", Reply::line(reply))).await;
        source.put("/images/adsl-2.bin", image.as_slice());
        let devices = [device("one", (Fault::None, false), &image).await];
        let summary = finish(&inventory_of(source.address(), &devices)).await;
        let said = entity(&summary, "one");
        let file = devices[0].server.server.file(PATH).unwrap();
        match words {
            Some(words) => {
                let cause = said.cause.as_deref().unwrap_or_default();
                assert!(cause.contains(words), "{reply}: {said:?}");
                assert_eq!(said.state, EntityState::Failed, "{reply}");
                assert!(file == OLD, "{reply}");
            }
            None => {
                assert_eq!(said.state, EntityState::Delivered, "{reply}: {said:?}");
                assert!(file == *image, "{reply}");
            }
        }
    }
}

/// An entity's too, before the rename. What lies of every file it has is left alone at the first
/// look: such names may be one file.
#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_tells_another_size_keeps_its_old_file() {
    let image = image(SIZE);
    for size in ["18446744073709551615", "0", "199999"] {
        let reply = Reply::line(&format!("213 {size}"));
        // Of what was stored it lies, or of every name.
        let stored = Arc::new(AtomicBool::new(false));
        let later = reply.clone();
        let lies_later = Script::default().handle(move |line, _| {
            if line.starts_with("STOR") {
                stored.store(true, Ordering::SeqCst);
            }
            match line.starts_with("SIZE") && stored.load(Ordering::SeqCst) {
                true => Action::Reply(later.clone()),
                false => Action::Default,
            }
        });
        let lies_always = Script::default().on("SIZE", reply);
        for (script, step, words) in [
            (lies_later, Step::Verify, size),
            (lies_always, Step::Prepare, "staging_name"),
        ] {
            let source = ScriptedServer::start(Script::default()).await;
            source.put("/images/adsl-2.bin", image.as_slice());
            let server = ScriptedServer::start(script).await;
            server.put(PATH, "old");
            let devices = [device("one", (Fault::None, false), &image).await];
            let mut inventory = inventory_of(source.address(), &devices);
            at_another(&mut inventory, &server, PATIENCE);
            let summary = finish(&inventory).await;
            let said = entity(&summary, "one");
            assert_eq!(
                (said.state, said.step),
                (EntityState::Failed, Some(step)),
                "{said:?}"
            );
            let cause = said.cause.as_deref().unwrap();
            assert!(cause.contains(words), "{cause}");
            assert_eq!(cause.contains("the entity holds"), step == Step::Verify);
            assert_eq!(said.holds, Some(Holds::Old), "{said:?}");
            assert_eq!(server.file(PATH).as_deref(), Some(b"old".as_slice()));
            assert_eq!(server.files(), [PATH]);
        }
    }
}

/// Moves the only entity to another server, with a deadline for replies. It is asked for its size
/// rather than read: what it says is what this is about.
fn at_another(inventory: &mut Inventory, server: &ScriptedServer, reply: Duration) {
    let mut group = (*inventory.groups[0]).clone();
    let mut one = (*group.entities[0]).clone();
    one.address = at(server.address());
    one.verify = VerifyMode::Quick;
    one.timeouts = Timeouts {
        reply,
        confirm: reply,
        ..one.timeouts
    };
    group.entities = vec![Arc::new(one)];
    inventory.entities.clone_from(&group.entities);
    inventory.groups = vec![Arc::new(group)];
}

/// A deadline is for the whole reply, however steadily its bytes come.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_drips_has_the_deadline_of_its_command() {
    let image = image(SIZE);
    let mut running = JoinSet::new();
    for (verb, code, words) in [
        ("USER", "331", Some("no reply to USER within 800 ms")),
        ("PASS", "230", Some("no reply to PASS within 800 ms")),
        ("TYPE", "200", Some("no reply to TYPE within")),
        ("RNFR", "350", Some("no reply to RNFR within")),
        // Some say nothing before the end of a file: it is sent, and then nothing confirms it.
        ("STOR", "150", Some("not confirmed within")),
        ("SIZE", "213", Some("no reply to SIZE within")),
        // What it does not need to know is not asked again.
        ("FEAT", "211", None),
        ("EPSV", "229", None),
        // Good manners are not waited for.
        ("QUIT", "221", None),
    ] {
        running.spawn(drips(verb, code, words, Arc::clone(&image)));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// One run to an entity that answers a command byte by byte.
async fn drips(verb: &str, code: &str, words: Option<&str>, image: Arc<Vec<u8>>) {
    let reply = Duration::from_millis(800);
    let drip = Reply::Drip {
        bytes: [code.as_bytes(), b" ", &[b'x'; 2000]].concat(),
        every: Duration::from_millis(40),
    };
    let source = ScriptedServer::start(Script::default()).await;
    source.put("/images/adsl-2.bin", image.as_slice());
    let server = ScriptedServer::start(Script::default().on(verb, drip)).await;
    let devices = [device("one", (Fault::None, false), &image).await];
    let mut inventory = inventory_of(source.address(), &devices);
    at_another(&mut inventory, &server, reply);
    let summary = finish(&inventory).await;
    let said = entity(&summary, "one");
    match words {
        Some(words) => {
            let cause = said.cause.as_deref().unwrap_or_default();
            assert!(cause.contains(words), "{verb}: {said:?}");
            assert_eq!(server.files(), Vec::<String>::new(), "{verb}");
        }
        None => {
            assert_eq!(said.state, EntityState::Delivered, "{verb}: {said:?}");
            assert!(server.file(PATH).unwrap() == *image, "{verb}");
        }
    }
    assert!(said.seconds < 10.0, "{verb}: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_that_drips_has_its_deadline() {
    let image = image(SIZE);
    let devices = [device("one", (Fault::DripConfirmation, false), &image).await];
    let summary = run(&image, &devices).await;
    let said = assert_as_expected(&devices[0], &summary, &image);
    assert!(said.seconds < 10.0, "{said:?}");
}

/// A name from a listing becomes part of a path that is sent back.
#[tokio::test]
async fn names_that_would_be_another_path_or_another_command_are_not_listed() {
    let hostile = [
        "..",
        ".",
        "",
        "../../etc/passwd",
        "a/b",
        "a\0b",
        "a\rDELE b",
        "caf\u{0}",
    ];
    let facts = |name: &str| format!("type=file;size=1; {name}\r\n");
    let people = |name: &str| format!("-rw-r--r-- 1 a b 1 Nov 22 18:01 {name}\r\n");
    let bare = |name: &str| format!("{name}\r\n");
    let text = |line: &dyn Fn(&str) -> String| -> Vec<u8> {
        let lines: String = hostile.iter().map(|name| line(name)).collect();
        // And a name that is not UTF-8 beside a good one.
        [
            lines.as_bytes(),
            b"\xff\xfe\r\n",
            line("good.bin").as_bytes(),
        ]
        .concat()
    };
    for script in [
        Script::default().listing("MLSD", text(&facts)),
        Script::default().listing("LIST", text(&people)),
        Script::default().listing("NLST", text(&bare)),
    ] {
        let server = ScriptedServer::start(script).await;
        let directory = Directory {
            endpoint: Endpoint {
                address: at(server.address()),
                login: Arc::new(Login::anonymous()),
                timeouts: Timeouts::default(),
                tls: subtend::model::Tls::default(),
                ssh: subtend::model::Ssh::default(),
                dialect: subtend::model::Dialect::default(),
                http: subtend::model::Http::default(),
            },
            path: "images".into(),
        };
        let listed = within(PATIENCE, FtpTransport::new().list(&directory)).await;
        let names: Vec<_> = listed.unwrap().into_iter().map(|one| one.name).collect();
        // Bare names may come with their directory, of which nothing is kept.
        let kept: Vec<_> = names
            .iter()
            .filter(|name| !["b", "passwd"].contains(&name.as_str()))
            .collect();
        assert_eq!(kept, ["good.bin"], "{names:?}");
    }
}

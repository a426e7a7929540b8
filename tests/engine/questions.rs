//! What the engine looks up for those who choose: who holds an image, and what a file server has;
//! and the passwords that it is given meanwhile.

use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_delivered, assert_failed, entity};
use crate::support::scripted::{Action, Reply, Script, ScriptedServer};
use crate::support::{GROUP, IMAGE, LONG, PATH, SERVER, behave, lab, network, takes_at};
use subtend::lab::Behaviour;
use subtend::model::{
    CredentialsRef, Entity, EntityState, FileServer, ImageSpec, Inventory, Login, LoginBy, Logins,
    SecretSource, SourceSpec, Step,
};
use subtend::protocol::{Command, Entry, Event, GroupSpec, Listing, PeerCheck, Secret};

const MIB: u64 = 1 << 20;

async fn peers(run: &mut Run, image: ImageSpec) -> Vec<PeerCheck> {
    let name = image.name().to_owned();
    run.send(Command::AskPeers { image }).await;
    match run
        .until(|event| matches!(event, Event::Peers { .. }))
        .await
    {
        Event::Peers { image, peers, .. } => {
            assert_eq!(*image, *name);
            peers
        }
        other => unreachable!("{other:?}"),
    }
}

async fn browse(run: &mut Run, server: &str, path: &str) -> Result<Listing, String> {
    run.send(Command::Browse {
        server: server.into(),
        path: path.into(),
    })
    .await;
    match run
        .until(|event| matches!(event, Event::Directory { .. }))
        .await
    {
        Event::Directory {
            server: of,
            path: at,
            listing,
            ..
        } => {
            assert_eq!((&*of, at.as_str()), (server, path));
            listing
        }
        other => unreachable!("{other:?}"),
    }
}

fn names(listing: &Listing) -> Vec<&str> {
    (listing.entries.iter())
        .map(|entry| entry.name.as_str())
        .collect()
}

fn of<'a>(peers: &'a [PeerCheck], name: &str) -> &'a PeerCheck {
    let found = peers.iter().find(|peer| &*peer.entity == name);
    found.unwrap_or_else(|| panic!("{name} was not asked: {peers:?}"))
}

/// Short deadlines, for tests that run into them.
fn in_a_hurry(inventory: &mut Inventory) {
    for entity in &mut inventory.entities {
        let mut hurried = Entity::clone(entity);
        hurried.timeouts.connect = Duration::from_secs(2);
        hurried.timeouts.reply = Duration::from_secs(2);
        *entity = Arc::new(hurried);
    }
}

fn served_by(inventory: &Inventory, server: &ScriptedServer) -> Inventory {
    let mut inventory = inventory.clone();
    inventory.file_servers[0] = Arc::new(FileServer {
        address: crate::support::local(server.address().port()),
        ..FileServer::clone(&inventory.file_servers[0])
    });
    inventory
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entity_of_the_type_is_asked_and_those_that_hold_the_image_are_told() {
    let (mut inventory, mut settings) = network(1, MIB);
    for name in ["good", "good-too", "dead", "locked"] {
        inventory
            .entities
            .push(Arc::new(crate::support::entity(name, "2")));
    }
    let mut other_type = crate::support::entity("vdsl", "2");
    other_type.type_ = "vdsl".into();
    inventory.entities.push(Arc::new(other_type));
    in_a_hurry(&mut inventory);
    let refuses = Behaviour {
        refuse_login: true,
        ..Behaviour::default()
    };
    behave(&mut settings, "locked", refuses);
    let lab = lab(&inventory, &settings).await;
    lab.kill("dead").await;

    let mut run = Run::idle(lab.inventory());
    let told = peers(&mut run, ImageSpec::Named(IMAGE.into())).await;
    let asked: Vec<&str> = told.iter().map(|peer| &*peer.entity).collect();
    assert_eq!(asked, ["e001", "good", "good-too", "dead", "locked"]);
    for name in ["good", "good-too"] {
        assert_eq!(
            (&of(&told, name).file, of(&told, name).has_it),
            (&Ok(Some(MIB)), true)
        );
    }
    // It has a file, but of another version.
    assert_eq!(
        (&of(&told, "e001").file, of(&told, "e001").has_it),
        (&Ok(Some(4096)), false)
    );
    for (name, words) in [
        ("dead", "connect: "),
        ("locked", "login: the server said 530"),
    ] {
        let peer = of(&told, name);
        assert!(!peer.has_it);
        let cause = peer.file.as_ref().unwrap_err();
        assert!(cause.contains(words), "{name}: {cause}");
    }
    assert_eq!(lab.sessions("vdsl"), 0);

    // An image that the inventory does not list, whose size is known to be another.
    let described = ImageSpec::Described {
        name: "found".into(),
        file: "found.bin".into(),
        type_: "adsl".into(),
        version: "2".into(),
        size: Some(MIB + 1),
    };
    let told = peers(&mut run, described).await;
    assert!(told.iter().all(|peer| !peer.has_it), "{told:?}");
    run.send(Command::AskPeers {
        image: ImageSpec::Named("adsl-3".into()),
    })
    .await;
    let refused = run.until_refused().await;
    assert!(refused.contains("adsl-3"), "{refused}");
    run.finish().await;
    lab.stop().await;
}

/// An entity may serve one session at a time, and that is the one that writes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_is_being_written_is_not_asked_and_a_run_goes_on_meanwhile() {
    let (mut inventory, mut settings) = network(2, 2 * MIB);
    inventory.memory = MIB;
    behave(&mut settings, "*", takes_at(MIB));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    let sending = std::cell::Cell::new(0);
    run.until(|event| {
        let is_sending = matches!(
            event,
            Event::State {
                state: EntityState::Sending,
                ..
            }
        );
        sending.set(sending.get() + usize::from(is_sending));
        sending.get() == 2
    })
    .await;
    let told = peers(&mut run, ImageSpec::Named(IMAGE.into())).await;
    for name in ["e001", "e002"] {
        let cause = of(&told, name).file.as_ref().unwrap_err();
        assert!(cause.contains("upgraded in group `all`"), "{cause}");
        assert_eq!(lab.sessions(name), 1);
    }
    let (summary, _) = run.finish().await;
    assert_delivered(&lab, &summary, "e001", IMAGE);
    assert_delivered(&lab, &summary, "e002", IMAGE);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_of_the_lab_are_listed_below_the_url() {
    let (mut inventory, settings) = network(1, MIB);
    let mut image = (*inventory.images[0]).clone();
    image.name = "old".into();
    image.file = "archive/adsl-1.bin".into();
    inventory.images.push(Arc::new(image));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::idle(lab.inventory());

    let top = browse(&mut run, SERVER, "").await.unwrap();
    assert_eq!(names(&top), ["archive", "adsl-2.bin"]);
    assert!(top.entries[0].is_directory);
    assert_eq!(
        (top.entries[1].is_directory, top.entries[1].size),
        (false, Some(MIB))
    );
    let below = browse(&mut run, SERVER, "archive").await.unwrap();
    assert_eq!(names(&below), ["adsl-1.bin"]);

    for path in ["..", "archive/../..", "a\r\nDELE adsl-2.bin"] {
        assert!(browse(&mut run, SERVER, path).await.is_err(), "{path:?}");
    }
    assert_eq!(lab.sessions(SERVER), 2);
    let unknown = browse(&mut run, "qh", "").await.unwrap_err();
    assert!(unknown.contains("`hq`"), "{unknown}");
    lab.kill(SERVER).await;
    let dead = browse(&mut run, SERVER, "").await.unwrap_err();
    assert!(dead.contains("connect: "), "{dead}");
    run.finish().await;
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_server_that_refuses_the_login_is_told_as_such() {
    let (inventory, mut settings) = network(1, MIB);
    let refuses = Behaviour {
        refuse_login: true,
        ..Behaviour::default()
    };
    settings.file_servers.insert(SERVER.into(), refuses);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = lab.inventory().clone();
    let mut run = Run::idle(&inventory);
    let refused = browse(&mut run, SERVER, "").await.unwrap_err();
    assert!(refused.contains("login: the server said 530"), "{refused}");
    run.finish().await;

    // No password was looked up for it: nothing is sent.
    let before = lab.sessions(SERVER);
    inventory.file_servers[0] = Arc::new(FileServer {
        credentials: Some("noc".into()),
        ..FileServer::clone(&inventory.file_servers[0])
    });
    let mut run = Run::idle(&inventory);
    let refused = browse(&mut run, SERVER, "").await.unwrap_err();
    assert!(refused.contains("no credentials for `noc`"), "{refused}");
    assert_eq!(lab.sessions(SERVER), before);
    run.finish().await;
    lab.stop().await;
}

/// Servers that know less fall back step by step, and the data never comes from another host.
#[tokio::test]
async fn directories_are_listed_as_well_as_the_server_can() {
    let facts = "type=cdir; .\r\ntype=pdir; ..\r\ntype=dir; sub\r\ntype=file;size=7; b c.bin\r\n\
                 type=file;size=1; ../evil\r\ntype=file;size=3; a\r\n";
    let people = "total 3\r\ndrwxr-xr-x 2 a b 4096 Nov 22 18:01 sub\r\n\
                  -rw-r--r-- 1 a b 7 Nov 22 18:01 b c.bin\r\n-rw-r--r-- 1 a b 3 Nov 22 2025 a\r\n";
    let dos = "11-22-26  06:01PM       <DIR>          sub\r\n\
               11-22-26  06:01PM                    7 b c.bin\r\n11-22-26  06:01PM  3 a\r\n";
    let entry = |name: &str, is_directory, size| Entry {
        name: name.into(),
        is_directory,
        size,
    };
    let known = [
        entry("sub", true, None),
        entry("a", false, Some(3)),
        entry("b c.bin", false, Some(7)),
    ];
    let bare = [
        entry("a", false, None),
        entry("b c.bin", false, None),
        entry("sub", false, None),
    ];
    for (script, expected) in [
        (Script::default().listing("MLSD", facts), known.as_slice()),
        (Script::default().listing("LIST", people), &known),
        (Script::default().listing("LIST", dos), &known),
        (
            Script::default()
                .listing("LIST", "b c.bin * sub * a\r\n")
                .listing("NLST", "images/sub\r\nb c.bin\r\na\r\n"),
            &bare,
        ),
        (
            Script::default().listing("NLST", "sub\nb c.bin\na\n"),
            &bare,
        ),
        (Script::default().listing("LIST", "total 0\r\n"), &[]),
        (
            Script::default()
                .on("LIST", Reply::line("450 No files found."))
                .listing("NLST", "not asked for"),
            &[],
        ),
        (
            Script {
                behaviour: Behaviour {
                    pasv_host: Some([192, 0, 2, 1].into()),
                    ..Behaviour::default()
                },
                ..Script::default()
            }
            .on("EPSV", Reply::line("500 what?"))
            .listing("MLSD", facts),
            &known,
        ),
    ] {
        let server = ScriptedServer::start(script).await;
        let inventory = served_by(&network(1, MIB).0, &server);
        let mut run = Run::idle(&inventory);
        let listing = browse(&mut run, SERVER, "").await.unwrap();
        assert_eq!(listing.entries, expected, "{:?}", server.log().commands());
        assert!(server.log().commands().contains(&"CWD images"));
        run.finish().await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_directory_that_is_refused_or_too_large_or_never_ends_is_told_as_such() {
    let many: String = (0..10_001)
        .map(|number| format!("type=file;size=1; {number}\r\n"))
        .collect();
    let long = "type=file; a\r\n".repeat(400_000);
    for (script, words) in [
        (
            Script::default().on("CWD", Reply::line("550 No such directory")),
            "open: the server said 550 No such directory",
        ),
        (
            Script::default().on("LIST", Reply::line("550 Permission denied")),
            "502 never heard of it",
        ),
        (
            Script::default().listing("MLSD", many),
            "more than 10000 entries",
        ),
        (Script::default().listing("MLSD", long), "more than 4 MiB"),
        (
            Script::default().on("MLSD", Reply::Never),
            "no reply to MLSD within 2 s",
        ),
    ] {
        let server = ScriptedServer::start(script).await;
        let mut inventory = served_by(&network(1, MIB).0, &server);
        let mut hurried = FileServer::clone(&inventory.file_servers[0]);
        hurried.timeouts.reply = Duration::from_secs(2);
        inventory.file_servers[0] = Arc::new(hurried);
        let mut run = Run::idle(&inventory);
        let refused = browse(&mut run, SERVER, "").await.unwrap_err();
        assert!(refused.contains(words), "{refused}");
        run.finish().await;
        server.stop().await;
    }
}

/// The engine ends although an answer is still missing.
#[tokio::test]
async fn a_question_under_way_holds_up_no_end() {
    let server = ScriptedServer::start(Script::default().on("CWD", Reply::Never)).await;
    let inventory = served_by(&network(1, MIB).0, &server);
    let run = Run::idle(&inventory);
    run.send(Command::Browse {
        server: SERVER.into(),
        path: String::new(),
    })
    .await;
    server.until(|log| log.count("CWD") == 1).await;
    let (_, events) = run.finish_within(Duration::from_secs(10)).await;
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::Directory { .. }))
    );
    crate::support::within(LONG, server.stop()).await;
}

/// Who asked gets an answer at once, although no host has given one.
#[tokio::test]
async fn questions_are_answered_at_once_when_they_are_cancelled() {
    let silent = Script::default().on("CWD", Reply::Never);
    let silent = ScriptedServer::start(silent.on("SIZE", Reply::Never)).await;
    let mut inventory = served_by(&network(1, MIB).0, &silent);
    inventory.entities[0] = Arc::new(Entity {
        address: crate::support::local(silent.address().port()),
        ..Entity::clone(&inventory.entities[0])
    });
    let mut run = Run::idle(&inventory);
    let image = ImageSpec::Named(IMAGE.into());
    run.send(Command::AskPeers { image }).await;
    let (server, path) = (SERVER.into(), String::new());
    run.send(Command::Browse { server, path }).await;
    silent.until(|log| log.count("CWD") == 1).await;
    silent.until(|log| log.count("SIZE") == 1).await;
    run.send(Command::CancelInspection).await;
    let (mut peers, mut listed) = (None, None);
    let answers = async {
        while peers.is_none() || listed.is_none() {
            let is_answer =
                |event: &Event| matches!(event, Event::Peers { .. } | Event::Directory { .. });
            match run.until(is_answer).await {
                Event::Peers { peers: found, .. } => peers = Some(found),
                Event::Directory { listing, .. } => listed = Some(listing),
                _ => {}
            }
        }
    };
    // Long before a deadline of theirs.
    crate::support::within(Duration::from_secs(10), answers).await;
    let peers = peers.unwrap();
    let cause = peers[0].file.clone().unwrap_err();
    assert!(cause.contains("cancelled") && !peers[0].has_it, "{cause}");
    let cause = listed.unwrap().unwrap_err();
    assert!(cause.contains("no longer asked"), "{cause}");
    // What is asked from now on is asked.
    run.send(Command::Browse {
        server: SERVER.into(),
        path: String::new(),
    })
    .await;
    silent.until(|log| log.count("CWD") == 2).await;
}

/// A password that the operator gives after a refusal is used by the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_refused_is_given_anew_and_accepted() {
    let picky = Script::default().handle(|line, _| match line.strip_prefix("PASS ") {
        Some("sesame") | None => Action::Default,
        Some(_) => Action::Reply(Reply::line("530 wrong password")),
    });
    let server = ScriptedServer::start(picky).await;
    let (inventory, settings) = network(1, MIB);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = lab.inventory().clone();
    let picky = Arc::new(Entity {
        address: crate::support::local(server.address().port()),
        credentials: Some("craft".into()),
        ..Entity::clone(&inventory.entities[0])
    });
    inventory.entities[0] = picky;
    inventory.credentials.push(CredentialsRef {
        name: "craft".into(),
        user: "craft".into(),
        by: LoginBy::Password,
        secret: SecretSource::Ask,
    });
    let mut logins = Logins::default();
    let wrong = Login::with_password("craft", "guess");
    logins.insert("craft".into(), wrong);
    let mut run = Run::with_logins(&inventory, logins);
    let made = |name: &str| Command::Start {
        groups: vec![GroupSpec::Made(subtend::model::MadeGroup {
            name: name.into(),
            image: ImageSpec::Named(IMAGE.into()),
            source: SourceSpec::FileServer(SERVER.into()),
            then: Vec::new(),
            entities: vec!["e001".into()],
            policy: subtend::model::DeliveryPolicy::default(),
            campaign: Box::default(),
        })],
        force: false,
    };
    run.send(made("first")).await;
    let failed = run.until_state("e001", EntityState::Failed).await;
    assert!(
        matches!(
            failed,
            Event::State {
                step: Some(Step::Login),
                ..
            }
        ),
        "{failed:?}"
    );

    let login = |credentials: &str, password: &str| Command::Login {
        credentials: credentials.into(),
        secret: Secret::new(password),
    };
    run.send(login("nobody", "x")).await;
    assert!(run.until_refused().await.contains("`nobody`"));
    run.send(login("craft", "ses\r\nDELE")).await;
    let refused = run.until_refused().await;
    assert!(
        refused.contains("CR, LF or NUL") && !refused.contains("DELE"),
        "{refused}"
    );
    assert!(!format!("{:?}", login("craft", "sesame")).contains("sesame"));

    run.send(login("craft", "sesame")).await;
    run.send(made("second")).await;
    run.until_state("e001", EntityState::Delivered).await;
    let (summary, events) = run.finish().await;
    assert_eq!(assert_failed(&summary, "e001", Step::Login).bytes, 0);
    assert_eq!(summary.groups[1].entities[0].state, EntityState::Delivered);
    assert_eq!(server.file(PATH).unwrap().len() as u64, MIB);
    let told = format!("{events:?}");
    assert!(
        !told.contains("sesame") && !told.contains("guess"),
        "{told}"
    );
    server.stop().await;
    lab.stop().await;
}

/// An image that was found on a file server and described is delivered like any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_described_image_is_delivered() {
    let (inventory, settings) = network(2, MIB);
    let lab = lab(&inventory, &settings).await;
    let mut inventory = lab.inventory().clone();
    // The file is there, the inventory does not say so.
    inventory.images.clear();
    inventory.groups.clear();
    let described = |size| {
        GroupSpec::Made(subtend::model::MadeGroup {
            name: "tonight".into(),
            image: ImageSpec::Described {
                name: "found".into(),
                file: "adsl-2.bin".into(),
                type_: "adsl".into(),
                version: "2".into(),
                size,
            },
            source: SourceSpec::FileServer(SERVER.into()),
            then: Vec::new(),
            entities: vec!["e*".into()],
            policy: subtend::model::DeliveryPolicy::default(),
            campaign: Box::default(),
        })
    };
    let start = |size| Command::Start {
        groups: vec![described(size)],
        force: false,
    };
    let run = Run::idle(&inventory);
    run.send(start(Some(MIB - 1))).await;
    let (summary, _) = run.finish().await;
    for name in ["e001", "e002"] {
        let cause = entity(&summary, name).cause.clone().unwrap();
        assert!(cause.contains("the source's file has 1048576"), "{cause}");
    }
    let run = Run::idle(&inventory);
    run.send(start(Some(MIB))).await;
    let (summary, _) = run.finish().await;
    assert_eq!(&*summary.groups[0].image, "found");
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
        assert_eq!(entity(&summary, name).bytes, MIB);
    }
    lab.stop().await;
}

//! The same through the engine: a good entity gets its image, and where it can't, the cause is
//! named and nobody else suffers.

use std::sync::Arc;
use std::time::Duration;

use subtend::model::{
    Address, EntityState, FileServer, Outcome, PeerChoice, Scheme, SourceChoice, Staging, Step,
    Timeouts, Verified,
};
use subtend::protocol::Summary;

use crate::common::{OLD, SHORT, device, digest, image, one_session};
use crate::support::run::{Run, entity};
use crate::support::scripted::{Behaviour, Data, Greeting, Passive, Reply, Script, ScriptedServer};
use crate::support::tls::{Authority, Identity, ServerTls};
use crate::support::{GROUP, PATH, network};

/// More than the sockets on the way hold.
const SIZE: usize = 4 << 20;

/// What an entity is, and what the inventory says of it.
struct Device {
    name: &'static str,
    script: Script,
    timeouts: Timeouts,
    staging: Staging,
    delete_first: bool,
}

fn named(name: &'static str, script: Script) -> Device {
    Device {
        name,
        script,
        timeouts: Timeouts::default(),
        staging: Staging::Rename,
        delete_first: false,
    }
}

fn refusing(verbs: &[&str]) -> Script {
    verbs.iter().fold(Script::default(), |script, verb| {
        script.on(verb, Reply::line("502 not here"))
    })
}

fn at(server: &ScriptedServer) -> Address {
    Address {
        scheme: Scheme::Ftp,
        host: "127.0.0.1".into(),
        port: server.address().port(),
    }
}

fn library() -> Script {
    // A server with few gifts will do for the source too.
    refusing(&["EPSV", "REST", "FEAT"])
}

/// One run from a source to these devices.
async fn run(
    source: Script,
    devices: Vec<Device>,
) -> (Summary, Vec<(&'static str, ScriptedServer)>) {
    let (mut inventory, _) = network(devices.len(), SIZE as u64);
    let server = ScriptedServer::start(source).await;
    server.put("/images/adsl-2.bin", image(SIZE));
    let mut servers = Vec::new();
    let mut entities = Vec::new();
    for (place, device_of) in devices.into_iter().enumerate() {
        let running = device(device_of.script).await;
        let mut entity = (*inventory.entities[place]).clone();
        entity.name = device_of.name.into();
        entity.address = at(&running);
        entity.timeouts = device_of.timeouts;
        entity.staging = device_of.staging;
        entity.delete_first = device_of.delete_first;
        entities.push(Arc::new(entity));
        servers.push((device_of.name, running));
    }
    let hq = Arc::new(FileServer {
        address: at(&server),
        ..(*inventory.file_servers[0]).clone()
    });
    let mut group = (*inventory.groups[0]).clone();
    group.source = SourceChoice::FileServer(Arc::clone(&hq));
    group.entities = entities.clone();
    inventory.file_servers = vec![hq];
    inventory.entities = entities;
    inventory.groups = vec![Arc::new(group)];
    let (summary, _) = Run::start(&inventory, &[GROUP]).await.finish().await;
    (summary, servers)
}

#[tokio::test(flavor = "multi_thread")]
async fn good_entities_on_odd_servers_get_their_image() {
    let good = Script::default;
    let keeps = || {
        Script::behaving(Behaviour {
            no_overwrite: true,
            no_replace: true,
            ..Behaviour::default()
        })
    };
    let impatient = Timeouts {
        reply: SHORT * 2,
        ..Timeouts::default()
    };
    let devices = vec![
        named("nothing odd", good()),
        named("no EPSV", refusing(&["EPSV"])),
        named("no SIZE", refusing(&["SIZE"])),
        named("no REST", refusing(&["REST"])),
        named("no FEAT", refusing(&["FEAT"])),
        named(
            "none of them",
            refusing(&["EPSV", "SIZE", "REST", "FEAT", "OPTS"]),
        ),
        Device {
            timeouts: impatient,
            ..named("silent FEAT", good().on("FEAT", Reply::Never))
        },
        Device {
            timeouts: impatient,
            ..named(
                "silent FEAT and one session",
                Script::behaving(one_session()).on("FEAT", Reply::Never),
            )
        },
        Device {
            timeouts: impatient,
            ..named("silent EPSV", good().on("EPSV", Reply::Never))
        },
        named("one-line FEAT", good().on("FEAT", Reply::line("211 none"))),
        Device {
            staging: Staging::Direct,
            ..named("no RNFR", refusing(&["RNFR", "RNTO"]))
        },
        named("no overwrite", keeps()),
        Device {
            delete_first: true,
            ..named("no overwrite, and may be deleted", keeps())
        },
        named("one session", Script::behaving(one_session())),
        named(
            "another host",
            Script {
                behaviour: Behaviour {
                    pasv_host: Some([192, 0, 2, 1].into()),
                    ..Behaviour::default()
                },
                ..refusing(&["EPSV"])
            },
        ),
        named(
            "no parentheses",
            Script {
                passive: Passive::NoParentheses,
                ..refusing(&["EPSV"])
            },
        ),
        named(
            "120",
            Script {
                greeting: Greeting::Bytes(b"120 wait\r\n220-now\r\n220 go\r\n".to_vec()),
                ..good()
            },
        ),
        named(
            "many lines",
            good().on("PASS", Reply::raw("230-one\r\n 230 two\r\n230 three\r\n")),
        ),
        named("no password", good().on("USER", Reply::line("230 in"))),
        Device {
            timeouts: impatient,
            ..named(
                "late 226",
                Script::behaving(Behaviour {
                    confirm_after: Some(Duration::from_millis(1500)),
                    ..Behaviour::default()
                }),
            )
        },
        named("silent QUIT", good().on("QUIT", Reply::Never)),
        named(
            "lost reply to RNTO",
            Script::behaving(Behaviour {
                hang_up_after: Some("RNTO".into()),
                ..Behaviour::default()
            }),
        ),
    ];
    let (summary, servers) = run(library(), devices).await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    for (name, server) in &servers {
        let said = entity(&summary, name);
        assert_eq!(said.state, EntityState::Delivered, "{said:?}");
        assert_eq!(said.verified, Verified::Readback, "{name}");
        assert_eq!(server.files(), [PATH], "{name}");
        assert!(server.file(PATH).unwrap() == image(SIZE), "{name}");
    }
    assert_eq!(summary.source_bytes, SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_an_entity_can_not_be_served_the_cause_is_named() {
    let good = Script::default;
    let at = Some(100_000);
    let impatient = Timeouts {
        reply: SHORT * 2,
        confirm: SHORT * 2,
        ..Timeouts::default()
    };
    let full = Script::behaving(Behaviour {
        disk_full_at: at,
        ..Behaviour::default()
    });
    let broken = Script::behaving(Behaviour {
        drop_at: at,
        ..Behaviour::default()
    });
    let early = Script::behaving(Behaviour {
        confirm_at: at,
        ..Behaviour::default()
    });
    let dropped = Script::behaving(Behaviour {
        hang_up_at: at,
        ..Behaviour::default()
    });
    let silent = Script::behaving(Behaviour {
        no_confirm: true,
        ..Behaviour::default()
    });
    let greets = |line: &str| Script {
        greeting: Greeting::Bytes(line.as_bytes().to_vec()),
        ..good()
    };
    let refuses = Script::behaving(Behaviour {
        refuse_rename: true,
        rename_reply: Some("553 file exists".into()),
        ..Behaviour::default()
    });
    let cases: Vec<(Device, Step, &str)> = vec![
        (named("full", full), Step::Send, "552 flash is full"),
        (named("broken", broken), Step::Send, "426 it broke"),
        (named("early", early), Step::Send, "before its end"),
        (
            named("dropped", dropped),
            Step::Send,
            "control connection was lost",
        ),
        (
            named("silent", silent),
            Step::Confirm,
            "not confirmed within",
        ),
        (
            named("no RNFR", refusing(&["RNFR"])),
            Step::Prepare,
            "staging: direct",
        ),
        (named("no rename", refuses), Step::Rename, "553 file exists"),
        (
            named("421", greets("421 too many\r\n")),
            Step::Connect,
            "421 too many",
        ),
        (
            named("530", good().on("PASS", Reply::line("530 \x1b[31mno"))),
            Step::Login,
            "530 \\u{1b}[31mno",
        ),
        (
            named("332", good().on("PASS", Reply::line("332 account"))),
            Step::Login,
            "332 account",
        ),
        (
            named("522", good().on("STOR", Reply::line("522 of its own"))),
            Step::Open,
            "522 of its own",
        ),
        (
            named("no space", good().on("TYPE", Reply::raw("200\r\n"))),
            Step::Prepare,
            "no reply to TYPE within",
        ),
        (
            named("no end", good().on("TYPE", Reply::raw("200 fine"))),
            Step::Prepare,
            "no reply to TYPE within",
        ),
    ];
    let expected: Vec<_> = (cases.iter())
        .map(|(device, step, words)| (device.name, *step, *words))
        .collect();
    let mut devices: Vec<_> = (cases.into_iter())
        .map(|(device, _, _)| Device {
            timeouts: impatient,
            ..device
        })
        .collect();
    devices.push(named("good", good()));
    let (summary, servers) = run(library(), devices).await;
    assert_eq!(summary.outcome, Outcome::Partial);
    for (name, step, words) in expected {
        let said = entity(&summary, name);
        assert_eq!(
            (said.state, said.step),
            (EntityState::Failed, Some(step)),
            "{said:?}"
        );
        let cause = said.cause.as_deref().unwrap();
        assert!(cause.contains(words), "{name}: {cause}");
        assert!(!cause.chars().any(char::is_control), "{name}: {cause:?}");
        assert_eq!(said.left, None, "{name}");
        let (_, server) = servers.iter().find(|(other, _)| *other == name).unwrap();
        assert_eq!(server.files(), [PATH], "{name}");
        assert!(server.file(PATH).unwrap() == OLD, "{name}");
    }
    assert_eq!(entity(&summary, "good").state, EntityState::Delivered);
}

/// Both an image that was cut short and one that goes on too long.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lies_about_its_end_commits_nothing() {
    use crate::support::scripted::Retrieve;
    let cut = Retrieve {
        at: Some(100_000),
        reply: Some("226 sent"),
        data: Data::Close,
        ..Retrieve::default()
    };
    let long = Retrieve {
        extra: 1,
        ..Retrieve::default()
    };
    for (retrieve, words) in [
        (cut, "100000 bytes; the file has 4194304"),
        (long, "more than"),
    ] {
        let source = Script {
            retrieve,
            ..Script::default()
        };
        let (summary, servers) = run(source, vec![named("one", Script::default())]).await;
        let said = entity(&summary, "one");
        assert_eq!(
            (said.state, said.step),
            (EntityState::Failed, Some(Step::Read))
        );
        let cause = said.cause.as_deref().unwrap();
        assert!(cause.contains("the source hq failed"), "{cause}");
        assert!(cause.contains(words), "{cause}");
        assert_eq!(servers[0].1.files(), [PATH]);
        assert!(servers[0].1.file(PATH).unwrap() == OLD);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_the_file_is_named_and_one_with_room_for_one_session_serves() {
    for has_it in [true, false] {
        let (mut inventory, _) = network(2, SIZE as u64);
        let peer = ScriptedServer::start(Script::behaving(one_session())).await;
        if has_it {
            peer.put(PATH, image(SIZE));
        }
        let target = device(Script::default()).await;
        let mut giver = (*inventory.entities[0]).clone();
        giver.version = "2".into();
        giver.address = at(&peer);
        let mut taker = (*inventory.entities[1]).clone();
        taker.address = at(&target);
        let (giver, taker) = (Arc::new(giver), Arc::new(taker));
        let mut group = (*inventory.groups[0]).clone();
        group.source = SourceChoice::Peer(PeerChoice::Named(Arc::clone(&giver)));
        group.entities = vec![Arc::clone(&taker)];
        inventory.entities = vec![giver, taker];
        inventory.groups = vec![Arc::new(group)];
        let (summary, _) = Run::start(&inventory, &[GROUP]).await.finish().await;
        let said = entity(&summary, "e002");
        if has_it {
            assert_eq!(said.state, EntityState::Delivered, "{said:?}");
            assert!(target.file(PATH).unwrap() == image(SIZE));
        } else {
            assert_eq!(said.state, EntityState::Failed);
            let cause = said.cause.as_deref().unwrap();
            assert!(cause.contains("550 no such file"), "{cause}");
            assert!(cause.contains("e001"), "{cause}");
            assert!(target.file(PATH).unwrap() == OLD);
        }
    }
}

/// What such a peer sends is measured by the digest, where that is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_tells_no_size_serves_where_the_digest_is_known() {
    for (is_known, is_image) in [(true, true), (true, false), (false, true)] {
        let (mut inventory, _) = network(2, SIZE as u64);
        let peer = ScriptedServer::start(refusing(&["SIZE", "MLST", "MDTM"])).await;
        let mut held = image(SIZE);
        held[SIZE / 2] ^= u8::from(!is_image);
        peer.put(PATH, held);
        let target = device(Script::default()).await;
        let mut giver = (*inventory.entities[0]).clone();
        giver.version = "2".into();
        giver.address = at(&peer);
        let mut taker = (*inventory.entities[1]).clone();
        taker.address = at(&target);
        let (giver, taker) = (Arc::new(giver), Arc::new(taker));
        let mut wanted = (*inventory.images[0]).clone();
        wanted.size = None;
        wanted.sha256 = is_known.then(|| digest(&image(SIZE)).sha256);
        let wanted = Arc::new(wanted);
        let mut group = (*inventory.groups[0]).clone();
        group.image = Arc::clone(&wanted);
        group.source = SourceChoice::Peer(PeerChoice::Any(vec![Arc::clone(&giver)]));
        group.entities = vec![Arc::clone(&taker)];
        inventory.images = vec![wanted];
        inventory.file_servers = Vec::new();
        inventory.entities = vec![giver, taker];
        inventory.groups = vec![Arc::new(group)];
        let (summary, _) = Run::start(&inventory, &[GROUP]).await.finish().await;
        let said = entity(&summary, "e002");
        let is_delivered = is_known && is_image;
        assert_eq!(
            said.state == EntityState::Delivered,
            is_delivered,
            "{said:?}"
        );
        let expected = if is_delivered {
            image(SIZE)
        } else {
            OLD.to_vec()
        };
        assert!(target.file(PATH).unwrap() == expected);
        if !is_known {
            let cause = said.cause.as_deref().unwrap();
            assert!(cause.contains("does not tell the size"), "{cause}");
        }
    }
}

/// From the words of the inventory to the handshake: each server is believed as is written beside
/// it, the source, the peer and the entities.
#[tokio::test(flavor = "multi_thread")]
async fn each_server_is_trusted_as_the_inventory_says() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new("the operator's authority");
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
    let signed = || ServerTls::new(authority.issue(&["localhost"]));
    let own = || ServerTls {
        implicit: true,
        max_1_2: true,
        ..ServerTls::new(Identity::self_signed())
    };
    let speaks = |tls: ServerTls| Script {
        tls: Some(tls),
        ..Script::default()
    };
    let hq = ScriptedServer::start(speaks(signed())).await;
    hq.put("/images/adsl-2.bin", image(SIZE));
    let (pinned, peer) = (own(), own());
    let pins = [&pinned, &peer].map(|tls| tls.identity.fingerprint());
    let peer = device(speaks(peer)).await;
    peer.put(PATH, image(SIZE));
    for source in ["{ file_server: hq }", "{ peer: peer }"] {
        let by_ca = device(speaks(signed())).await;
        let by_pin = device(speaks(pinned.clone())).await;
        let stranger = device(speaks(own())).await;
        let port = |server: &ScriptedServer| server.address().port();
        let text = format!(
            r#"
memory: 1 MiB
buffer_size: 64 KiB
file_servers: {{ hq: {{ url: "ftps://localhost:{}/images" }} }}
images: {{ adsl-2: {{ file: adsl-2.bin, type: adsl, version: "2" }} }}
defaults: {{ path: {PATH}, tls: {{ ca: ca.pem }} }}
entities:
  - {{ name: by-ca, type: adsl, version: "1", address: "ftps://localhost:{}" }}
  - {{ name: by-pin, type: adsl, version: "1", address: "ftps+implicit://127.0.0.1:{}",
      tls: {{ fingerprint: "{}" }}, tls_max: 1.2 }}
  - {{ name: stranger, type: adsl, version: "1", address: "ftps+implicit://127.0.0.1:{}",
      tls: {{ fingerprint: "{}" }} }}
  - {{ name: peer, type: adsl, version: "2", address: "ftps+implicit://127.0.0.1:{}",
      tls: {{ fingerprint: "{}" }} }}
groups: {{ all: {{ select: {{ version: "1" }}, image: adsl-2, source: {source} }} }}
"#,
            port(&hq),
            port(&by_ca),
            port(&by_pin),
            pins[0],
            port(&stranger),
            pins[0],
            port(&peer),
            pins[1],
        );
        let file = dir.path().join("inventory.yaml");
        let inventory = subtend::inventory::parse(&text, &file).unwrap();
        let (summary, _) = Run::start(&inventory, &["all"]).await.finish().await;
        assert_eq!(summary.outcome, Outcome::Partial, "{summary:#?}");
        for (name, server) in [("by-ca", &by_ca), ("by-pin", &by_pin)] {
            assert_eq!(entity(&summary, name).state, EntityState::Delivered);
            assert!(server.file(PATH).unwrap() == image(SIZE));
            let log = server.log();
            assert!(log.data.iter().all(|data| data.resumed == Some(true)));
        }
        let refused = entity(&summary, "stranger");
        assert_eq!(refused.state, EntityState::Failed);
        assert_eq!(refused.step, Some(Step::Connect));
        let cause = refused.cause.as_deref().unwrap();
        assert!(cause.contains("certificate is not accepted"), "{cause}");
        assert_eq!(stranger.file(PATH).unwrap(), OLD);
    }
}

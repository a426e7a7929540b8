//! The practice network does what it says: it is what everything else is tested against.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::client::Client;
use crate::support::{
    IMAGE, LONG, PATH, SERVER, at_rate, behave, entity, lab, local, network, within,
};
use subtend::lab::{Behaviour, Lab, LabError, LabOptions, LabSettings, NameCut, Pause};
use subtend::model::{CredentialsRef, Inventory, LoginBy, PeerChoice, SecretSource, SourceChoice};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MIB: u64 = 1 << 20;

pub fn address(lab: &Lab, entity: &str) -> String {
    lab.inventory().entity(entity).unwrap().address.to_string()
}

fn server_address(lab: &Lab) -> String {
    lab.inventory()
        .file_server(SERVER)
        .unwrap()
        .address
        .to_string()
}

/// A lab of one entity that behaves so, and the image.
async fn one(size: u64, behaviour: Behaviour) -> (Lab, Vec<u8>) {
    let (inventory, mut settings) = network(1, size);
    behave(&mut settings, "e001", behaviour);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, size as usize).unwrap();
    (lab, image)
}

/// A lab whose file server behaves so, and the image.
async fn source(size: u64, behaviour: Behaviour) -> (Lab, Vec<u8>) {
    let (inventory, mut settings) = network(0, size);
    settings.file_servers.insert(SERVER.into(), behaviour);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, size as usize).unwrap();
    (lab, image)
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out_byte_for_byte() {
    let (lab, image) = one(MIB + 17, Behaviour::default()).await;
    for byte in [b'\r', b'\n', 0, 0xff] {
        assert!(image.contains(&byte));
    }
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/flash/new", &image).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    let stored = lab.file("e001", "/flash/new").unwrap();
    assert!(stored.same_as_image(IMAGE));
    assert_eq!(stored.sha256(), lab.image_sha256(IMAGE).unwrap());
    assert!(stored.bytes() == image);

    let size = client.command("SIZE /flash/new").await.unwrap();
    assert_eq!(size, format!("213 {}", image.len()));
    let (bytes, reply) = client.retrieve("/flash/new", 0).await.unwrap();
    assert!(bytes == image && reply.starts_with("226"), "{reply}");
    let (bytes, _) = client.retrieve("/flash/new", 1000).await.unwrap();
    assert!(bytes == image[1000..]);
    let time = client.command("MDTM /flash/new").await.unwrap();
    assert!(time.starts_with("213 20"), "{time}");

    // Onto the old file, which was there before.
    assert_eq!(lab.files("e001"), [PATH, "/flash/new"]);
    let reply = client.command("RNFR /flash/new").await.unwrap();
    assert!(reply.starts_with("350"), "{reply}");
    let reply = client.command(&format!("RNTO {PATH}")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(lab.files("e001"), [PATH]);
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    let reply = client.command(&format!("DELE {PATH}")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert!(lab.file("e001", PATH).is_none());
    let reply = client.command(&format!("SIZE {PATH}")).await.unwrap();
    assert!(reply.starts_with("550"), "{reply}");
    let reply = client.command("QUIT").await.unwrap();
    assert!(reply.starts_with("221"), "{reply}");
    assert!(client.closed().await);
    within(LONG, lab.stop()).await;
}

#[tokio::test]
async fn the_file_server_serves_its_images_and_counts_what_it_sends() {
    let (lab, image) = source(MIB, Behaviour::default()).await;
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let (bytes, reply) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert!(bytes == image && reply.starts_with("226"), "{reply}");
    assert_eq!(lab.bytes_served(SERVER), MIB);
    let (rest, _) = client
        .retrieve("/images/adsl-2.bin", MIB - 5)
        .await
        .unwrap();
    assert!(rest == image[image.len() - 5..]);
    assert_eq!(lab.bytes_served(SERVER), MIB + 5);
    assert_eq!(lab.sessions(SERVER), 1);
}

#[tokio::test]
async fn passive_mode_announces_loopback() {
    let (lab, _) = one(MIB, Behaviour::default()).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.command("PASV").await.unwrap();
    assert!(
        reply.starts_with("227") && reply.contains("(127,0,0,1,"),
        "{reply}"
    );
}

#[tokio::test]
async fn an_entity_with_the_images_version_holds_the_image() {
    let (mut inventory, settings) = network(1, MIB);
    inventory.entities.push(Arc::new(entity("peer", "2")));
    let lab = lab(&inventory, &settings).await;
    assert!(lab.file("peer", PATH).unwrap().same_as_image(IMAGE));
    let old = lab.file("e001", PATH).unwrap();
    assert!(!old.same_as_image(IMAGE) && old.size() > 0);
}

#[tokio::test]
async fn the_served_inventory_has_the_served_addresses_everywhere() {
    let (mut inventory, settings) = network(2, MIB);
    let peer = Arc::new(entity("peer", "2"));
    inventory.entities.push(Arc::clone(&peer));
    let mut group = (*inventory.groups[0]).clone();
    group.source = SourceChoice::Peer(PeerChoice::Named(Arc::clone(&peer)));
    inventory.groups.push(Arc::new(group.clone()));
    group.source = SourceChoice::Peer(PeerChoice::Any(vec![peer]));
    inventory.groups.push(Arc::new(group));
    let lab = lab(&inventory, &settings).await;
    let served = lab.inventory();
    let known: Vec<_> = lab
        .served()
        .into_iter()
        .map(|served| served.address)
        .collect();
    assert_eq!(known.len(), 4);
    assert!(known.iter().all(|address| address.port != 0));
    for group in &served.groups {
        for entity in &group.entities {
            assert!(Arc::ptr_eq(entity, served.entity(&entity.name).unwrap()));
            assert!(known.contains(&entity.address));
        }
        match &group.source {
            SourceChoice::FileServer(server) => {
                assert!(Arc::ptr_eq(server, served.file_server(SERVER).unwrap()));
                assert!(known.contains(&server.address));
            }
            SourceChoice::File(_) => unreachable!("none is"),
            SourceChoice::Peer(PeerChoice::Named(peer)) => {
                assert!(Arc::ptr_eq(peer, served.entity("peer").unwrap()));
            }
            SourceChoice::Peer(PeerChoice::Any(peers)) => {
                assert!(Arc::ptr_eq(&peers[0], served.entity("peer").unwrap()));
            }
        }
    }
}

/// An inventory whose one entity stands at an address.
fn at(host: &str, port: u16) -> Inventory {
    let (mut inventory, _) = network(0, MIB);
    let mut entity = entity("e001", "1");
    entity.address = local(port);
    entity.address.host = host.into();
    inventory.entities.push(Arc::new(entity));
    inventory
}

#[tokio::test]
async fn an_address_in_use_is_an_error_or_gives_way_to_a_free_port() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = holder.local_addr().unwrap().port();
    let inventory = at("127.0.0.1", port);
    let settings = LabSettings::default();
    let error = Lab::start(&inventory, &settings, LabOptions::default())
        .await
        .unwrap_err();
    assert!(matches!(error, LabError::Bind { .. }));
    let text = error.to_string();
    assert!(
        text.contains("e001") && text.contains(&port.to_string()),
        "{text}"
    );

    let options = LabOptions {
        take_free_ports: true,
    };
    let lab = Lab::start(&inventory, &settings, options).await.unwrap();
    let address = &lab.inventory().entity("e001").unwrap().address;
    assert_ne!(address.port, port);
    Client::login(address).await.unwrap();
    within(LONG, lab.stop()).await;

    // An address that is free is taken as it is. (Another test may be quicker to take it.)
    drop(holder);
    for attempt in 0.. {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        match Lab::start(&at("127.0.0.1", port), &settings, LabOptions::default()).await {
            Ok(lab) => {
                let address = &lab.inventory().entity("e001").unwrap().address;
                assert_eq!(address.port, port);
                break;
            }
            Err(error) => assert!(attempt < 10, "{error}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_on_loopback_or_not_in_the_inventory_is_refused_by_name() {
    let settings = LabSettings::default();
    for host in ["192.0.2.1", "lab.example", "0.0.0.0"] {
        let error = Lab::start(&at(host, 0), &settings, LabOptions::default())
            .await
            .unwrap_err();
        assert!(matches!(error, LabError::NotLoopback { .. }));
        assert!(error.to_string().contains("e001"), "{error}");
    }
    let (inventory, mut settings) = network(1, MIB);
    behave(&mut settings, "e0[02-09]", Behaviour::default());
    let error = Lab::start(&inventory, &settings, LabOptions::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("e0[02-09]"), "{error}");

    let (inventory, mut settings) = network(1, MIB);
    behave(&mut settings, "e0[09-01]", Behaviour::default());
    let error = Lab::start(&inventory, &settings, LabOptions::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("`09` is more than `01`"),
        "{error}"
    );
}

#[tokio::test]
async fn an_entity_with_credentials_lets_only_their_user_in() {
    let (mut inventory, settings) = network(1, MIB);
    inventory.credentials.push(CredentialsRef {
        name: "craft".into(),
        user: "operator".into(),
        by: LoginBy::Password,
        secret: SecretSource::Empty,
    });
    let mut guarded = entity("guarded", "1");
    guarded.credentials = Some("craft".into());
    inventory.entities.push(Arc::new(guarded));
    let lab = lab(&inventory, &settings).await;
    for (user, answer) in [("anonymous", "530"), ("operator", "230")] {
        let mut client = Client::connect(address(&lab, "guarded")).await.unwrap();
        client.command(&format!("USER {user}")).await.unwrap();
        let reply = client.command("PASS anything").await.unwrap();
        assert!(reply.starts_with(answer), "{reply}");
    }
}

#[tokio::test]
async fn twenty_equal_files_take_the_memory_of_one() {
    let (inventory, settings) = network(20, 4 * MIB);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, 4 << 20).unwrap();
    for entity in &lab.inventory().entities {
        let mut client = Client::login(&entity.address).await.unwrap();
        client.store(PATH, &image).await.unwrap();
    }
    for entity in &lab.inventory().entities {
        assert!(lab.file(&entity.name, PATH).unwrap().same_as_image(IMAGE));
    }
    assert_eq!(lab.memory_held(), 4 * MIB);
}

#[tokio::test]
async fn a_rate_is_kept_in_both_directions_and_smoothly() {
    let behaviour = at_rate(MIB);
    let (lab, image) = one(MIB / 2, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let begun = Instant::now();
    let mut sending = client.open_store(PATH).await.unwrap();
    sending.write_all(&image).await.unwrap();
    sending.shutdown().await.unwrap();
    // Half of it is there after half of the time: not all at the end, and not at the beginning.
    within(LONG, lab.until_received("e001", MIB / 4)).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(180),
        "{:?}",
        begun.elapsed()
    );
    client.reply().await.unwrap();
    assert!(
        begun.elapsed() >= Duration::from_millis(440),
        "{:?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    let (bytes, _) = client.retrieve(PATH, 0).await.unwrap();
    assert!(bytes == image);
    assert!(
        begun.elapsed() >= Duration::from_millis(440),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_server_can_be_read_faster_than_it_is_written() {
    let behaviour = Behaviour {
        read_rate: Some(64 * MIB),
        ..at_rate(MIB)
    };
    let (lab, image) = one(MIB / 2, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let begun = Instant::now();
    client.store(PATH, &image).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(440));
    let begun = Instant::now();
    let (bytes, _) = client.retrieve(PATH, 0).await.unwrap();
    assert!(bytes == image);
    assert!(
        begun.elapsed() < Duration::from_millis(440),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn latency_delays_every_answer() {
    let behaviour = Behaviour {
        latency: Some(Duration::from_millis(80)),
        ..Behaviour::default()
    };
    let (lab, _) = one(MIB, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    for command in ["NOOP", "TYPE I", "EPSV", "SIZE /x"] {
        let begun = Instant::now();
        client.command(command).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(80), "{command}");
    }
}

#[tokio::test]
async fn pauses_and_late_confirmations_take_their_time() {
    let behaviour = Behaviour {
        pause: Some(Pause {
            every: MIB / 4,
            length: Duration::from_millis(100),
        }),
        confirm_after: Some(Duration::from_millis(200)),
        ..Behaviour::default()
    };
    let (lab, image) = one(MIB, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let begun = Instant::now();
    let mut sending = client.open_store(PATH).await.unwrap();
    let whole = within(LONG, async {
        sending.write_all(&image).await.unwrap();
        sending.shutdown().await.unwrap();
        lab.until_received("e001", MIB).await;
    });
    whole.await;
    assert!(
        begun.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begun.elapsed()
    );
    let received = Instant::now();
    let reply = client.reply().await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    assert!(received.elapsed() >= Duration::from_millis(190));
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
}

#[tokio::test]
async fn refusals_come_with_their_codes() {
    let (lab, _) = one(
        MIB,
        Behaviour {
            refuse_login: true,
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::connect(address(&lab, "e001")).await.unwrap();
    client.command("USER anonymous").await.unwrap();
    let reply = client.command("PASS x").await.unwrap();
    assert!(reply.starts_with("530"), "{reply}");

    let (lab, image) = one(
        MIB,
        Behaviour {
            no_rename: true,
            no_delete: true,
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    client.store("/a", &image).await.unwrap();
    let reply = client.command("RNFR /a").await.unwrap();
    assert!(reply.starts_with("50"), "{reply}");
    let reply = client.command("DELE /a").await.unwrap();
    assert!(reply.starts_with("550"), "{reply}");
    assert_eq!(lab.files("e001"), ["/a", PATH]);

    let (lab, image) = one(
        MIB,
        Behaviour {
            no_overwrite: true,
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    client.store("/a", &image).await.unwrap();
    client.command("RNFR /a").await.unwrap();
    let reply = client.command(&format!("RNTO {PATH}")).await.unwrap();
    assert!(reply.starts_with("553"), "{reply}");
    client.command(&format!("DELE {PATH}")).await.unwrap();
    client.command("RNFR /a").await.unwrap();
    let reply = client.command(&format!("RNTO {PATH}")).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");

    let (lab, image) = one(
        MIB,
        Behaviour {
            read_only: true,
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/a", &image).await.unwrap();
    assert!(reply.starts_with("553"), "{reply}");
    assert_eq!(lab.files("e001"), [PATH]);
}

#[tokio::test]
async fn a_full_disk_takes_what_fits_and_says_552() {
    let (lab, image) = one(
        MIB,
        Behaviour {
            disk_full_at: Some(300_000),
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/a", &image).await.unwrap();
    assert!(reply.starts_with("552"), "{reply}");
    assert_eq!(lab.file("e001", "/a").unwrap().size(), 300_000);
    let reply = client.store("/b", &image[..300_000]).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
}

#[tokio::test]
async fn a_dropped_upload_leaves_a_part_and_heals_after_so_many_times() {
    let (lab, image) = one(
        MIB,
        Behaviour {
            drop_at: Some(300_000),
            drop_times: Some(2),
            ..Behaviour::default()
        },
    )
    .await;
    for answer in ["426", "426", "226"] {
        let mut client = Client::login(address(&lab, "e001")).await.unwrap();
        let reply = client.store("/a", &image).await.unwrap();
        assert!(reply.starts_with(answer), "{reply}");
        let stored = lab.file("e001", "/a").unwrap();
        assert_eq!(stored.same_as_image(IMAGE), answer == "226");
        if answer == "426" {
            assert!(stored.bytes() == image[..300_000]);
        }
    }
}

/// Writes until the connection breaks, and says how; fails the test if it never does.
async fn broken(data: &mut tokio::net::TcpStream, bytes: &[u8]) -> std::io::ErrorKind {
    within(LONG, data.write_all(bytes))
        .await
        .unwrap_err()
        .kind()
}

/// A new connection to an address that nobody listens at.
async fn refused(address: String) {
    let error = tokio::net::TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn an_upload_is_cut_by_a_reset() {
    let (lab, image) = one(
        8 * MIB,
        Behaviour {
            drop_at: Some(300_000),
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let mut data = client.open_store("/a").await.unwrap();
    let kind = broken(&mut data, &image).await;
    assert_eq!(kind, std::io::ErrorKind::ConnectionReset);
    assert!(client.reply().await.unwrap().starts_with("426"));
}

#[tokio::test]
async fn an_entity_that_reboots_is_gone_for_its_time_and_keeps_its_files() {
    let down_for = Duration::from_millis(1500);
    let (lab, image) = one(
        8 * MIB,
        Behaviour {
            drop_at: Some(300_000),
            drop_times: Some(1),
            down_for: Some(down_for),
            ..Behaviour::default()
        },
    )
    .await;
    let address = address(&lab, "e001");
    let mut idle = Client::login(&address).await.unwrap();
    let mut client = Client::login(&address).await.unwrap();
    let mut data = client.open_store("/a").await.unwrap();
    let begun = Instant::now();
    let kind = broken(&mut data, &image).await;
    assert_eq!(kind, std::io::ErrorKind::ConnectionReset);
    // No 426: the control connections are reset too.
    for client in [&mut client, &mut idle] {
        let kind = client.reply().await.unwrap_err().kind();
        assert_eq!(kind, std::io::ErrorKind::ConnectionReset);
    }
    refused(address.clone()).await;
    assert!(begun.elapsed() < down_for, "too slow to see it gone");
    within(LONG, lab.until_serving("e001")).await;
    assert!(begun.elapsed() >= down_for, "{:?}", begun.elapsed());
    assert!(lab.file("e001", "/a").unwrap().bytes() == image[..300_000]);
    // It reboots once only.
    let mut client = Client::login(&address).await.unwrap();
    let reply = client.store("/a", &image).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    assert!(lab.file("e001", "/a").unwrap().same_as_image(IMAGE));
    within(LONG, lab.stop()).await;
}

#[tokio::test]
async fn a_server_is_restarted_and_revived_at_its_address() {
    let (lab, image) = one(MIB, Behaviour::default()).await;
    let address = address(&lab, "e001");
    let mut client = Client::login(&address).await.unwrap();
    let down_for = Duration::from_millis(300);
    let begun = Instant::now();
    within(LONG, lab.restart("e001", down_for)).await;
    assert!(client.closed().await);
    within(LONG, lab.until_serving("e001")).await;
    assert!(begun.elapsed() >= down_for);
    let mut client = Client::login(&address).await.unwrap();
    client.store("/a", &image).await.unwrap();
    within(LONG, lab.kill("e001")).await;
    assert!(client.closed().await);
    // It is still dead then: a restart is for one that lives.
    within(LONG, lab.restart("e001", Duration::ZERO)).await;
    let serving = tokio::time::timeout(Duration::from_millis(50), lab.until_serving("e001"));
    assert!(serving.await.is_err());
    within(LONG, lab.revive("e001")).await;
    let mut client = Client::login(&address).await.unwrap();
    let (bytes, _) = client.retrieve("/a", 0).await.unwrap();
    assert!(bytes == image);
    // A server that is killed while it reboots stays away, and does not hold up the end.
    within(LONG, lab.restart("e001", LONG)).await;
    within(LONG, lab.kill("e001")).await;
    within(LONG, lab.stop()).await;
}

#[tokio::test]
async fn a_server_dies_for_good_when_it_has_sent_so_much() {
    let dies = Behaviour {
        dies_at: Some(MIB + MIB / 2),
        ..at_rate(8 * MIB)
    };
    let (lab, image) = source(MIB, dies.clone()).await;
    let mut idle = Client::login(server_address(&lab)).await.unwrap();
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let (bytes, reply) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert!(bytes == image && reply.starts_with("226"), "{reply}");
    let mut data = client.open_retrieve("images/adsl-2.bin", 0).await.unwrap();
    let mut rest = Vec::new();
    let _ = within(LONG, data.read_to_end(&mut rest)).await;
    assert!(rest.len() <= image.len() / 2);
    assert!(client.reply().await.is_err());
    assert!(idle.closed().await);
    assert_eq!(lab.bytes_served(SERVER), MIB + MIB / 2);
    let serving = tokio::time::timeout(Duration::from_millis(50), lab.until_serving(SERVER));
    assert!(serving.await.is_err());

    // An entity that is read as a peer does so too.
    let (lab, image) = one(MIB, dies).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    client.store(PATH, &image).await.unwrap();
    client.retrieve(PATH, 0).await.unwrap();
    assert!(client.retrieve(PATH, 0).await.is_err());
    assert_eq!(lab.bytes_served("e001"), MIB + MIB / 2);
}

#[tokio::test]
async fn a_busy_server_turns_so_many_sessions_away() {
    let (lab, _) = one(
        MIB,
        Behaviour {
            busy_times: Some(2),
            ..Behaviour::default()
        },
    )
    .await;
    for _ in 0..2 {
        let mut client = Client::connect(address(&lab, "e001")).await.unwrap();
        assert!(client.greeting.starts_with("421"), "{}", client.greeting);
        assert!(client.closed().await);
    }
    Client::login(address(&lab, "e001")).await.unwrap();
}

#[tokio::test]
async fn a_server_without_rest_says_so() {
    let (lab, _) = source(
        MIB,
        Behaviour {
            no_rest: true,
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let reply = client.command("REST 100").await.unwrap();
    assert!(reply.starts_with("502"), "{reply}");
    let features = client.command("FEAT").await.unwrap();
    assert!(!features.contains("REST"), "{features}");
}

#[tokio::test]
async fn an_image_is_replaced_by_another_of_the_same_size_and_a_later_time() {
    let (lab, image) = source(MIB, at_rate(4 * MIB)).await;
    let path = "images/adsl-2.bin";
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let before = client.command(&format!("MDTM {path}")).await.unwrap();
    assert!(before.starts_with("213 "), "{before}");
    let mut data = client.open_retrieve(path, 0).await.unwrap();
    within(LONG, lab.until_served(SERVER, 1)).await;
    assert!(lab.replace_image(SERVER, IMAGE));
    // What is being read goes on as it was.
    let mut bytes = Vec::new();
    within(LONG, data.read_to_end(&mut bytes)).await.unwrap();
    assert!(client.reply().await.unwrap().starts_with("226"));
    assert!(bytes == image);
    let after = client.command(&format!("MDTM {path}")).await.unwrap();
    assert!(after > before, "{before}, then {after}");
    let again = client.command(&format!("MDTM {path}")).await.unwrap();
    assert_eq!(after, again);
    let (bytes, _) = client.retrieve(path, 0).await.unwrap();
    assert!(bytes.len() == image.len() && bytes != image);
    assert!(!lab.replace_image(SERVER, "other") && !lab.replace_image("other", IMAGE));
}

#[tokio::test]
async fn entities_of_one_pattern_drop_and_pause_at_bytes_of_their_own() {
    let (inventory, mut settings) = network(3, MIB);
    let everywhere = Behaviour {
        drop_somewhere: true,
        drop_times: Some(1),
        ..Behaviour::default()
    };
    behave(&mut settings, "e*", everywhere);
    let mut cuts = Vec::new();
    // In another lab they are the same.
    for _ in 0..2 {
        let lab = lab(&inventory, &settings).await;
        let image = lab.image_bytes(IMAGE, 0, MIB as usize).unwrap();
        for entity in &lab.inventory().entities {
            let mut client = Client::login(&entity.address).await.unwrap();
            let reply = client.store("/a", &image).await.unwrap();
            assert!(reply.starts_with("426"), "{reply}");
            let cut = lab.file(&entity.name, "/a").unwrap().size();
            assert!((1..MIB).contains(&cut));
            cuts.push(cut);
        }
    }
    assert!(cuts[0] != cuts[1] && cuts[1] != cuts[2] && cuts[0] != cuts[2]);
    assert_eq!(cuts[..3], cuts[3..]);

    let (inventory, mut settings) = network(2, MIB);
    let pause = Some(Pause {
        every: MIB,
        length: LONG,
    });
    let stops = Behaviour {
        pause,
        random_pauses: true,
        ..Behaviour::default()
    };
    behave(&mut settings, "e*", stops);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, MIB as usize).unwrap();
    let mut stood = Vec::new();
    for entity in &lab.inventory().entities {
        let mut client = Client::login(&entity.address).await.unwrap();
        let mut data = client.open_store("/a").await.unwrap();
        // It stands still within the first MiB, so the image is never confirmed.
        let _ = tokio::time::timeout(Duration::from_millis(300), data.write_all(&image)).await;
        let mut at = 0;
        within(LONG, async {
            while lab.bytes_received(&entity.name) > at || at == 0 {
                at = lab.bytes_received(&entity.name);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
        stood.push(at);
    }
    assert!(stood.iter().all(|at| (1..=MIB).contains(at)), "{stood:?}");
    assert_ne!(stood[0], stood[1]);
}

#[tokio::test]
async fn one_byte_is_wrong_where_it_was_to_be() {
    let behaviour = Behaviour {
        corrupt_at: Some(100_000),
        ..Behaviour::default()
    };
    let differs = |bytes: &[u8], image: &[u8]| -> Vec<usize> {
        assert_eq!(bytes.len(), image.len());
        (0..image.len())
            .filter(|at| bytes[*at] != image[*at])
            .collect()
    };
    let (lab, image) = one(MIB, behaviour.clone()).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    client.store("/a", &image).await.unwrap();
    let stored = lab.file("e001", "/a").unwrap();
    assert_eq!(differs(&stored.bytes(), &image), [100_000]);
    assert!(!stored.same_as_image(IMAGE));

    let (lab, image) = source(MIB, behaviour).await;
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let (bytes, _) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert_eq!(differs(&bytes, &image), [100_000]);
}

#[tokio::test]
async fn a_file_server_ends_early_with_and_without_saying_so() {
    let (lab, image) = source(
        MIB,
        Behaviour {
            truncate_at: Some(200_000),
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let size = client.command("SIZE images/adsl-2.bin").await.unwrap();
    assert_eq!(size, format!("213 {MIB}"));
    let (bytes, reply) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    assert!(bytes == image[..200_000]);

    let (lab, image) = source(
        MIB,
        Behaviour {
            drop_at: Some(200_000),
            drop_times: Some(1),
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let (bytes, reply) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert!(reply.starts_with("426"), "{reply}");
    assert!(bytes == image[..200_000]);
    assert_eq!(lab.bytes_served(SERVER), 200_000);
    let mut client = Client::login(server_address(&lab)).await.unwrap();
    let (bytes, _) = client.retrieve("images/adsl-2.bin", 0).await.unwrap();
    assert!(bytes == image);
}

/// Sends until the entity takes no more; fails the test if it takes everything.
async fn stuck(data: &mut tokio::net::TcpStream, bytes: &[u8]) {
    let sent = tokio::time::timeout(Duration::from_millis(300), data.write_all(bytes)).await;
    assert!(sent.is_err(), "{sent:?}");
}

#[tokio::test]
async fn a_transfer_that_falls_silent_stands_still_until_the_end_of_the_lab() {
    let (lab, image) = one(
        32 * MIB,
        Behaviour {
            silent_at: Some(300_000),
            ..Behaviour::default()
        },
    )
    .await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let mut data = client.open_store("/a").await.unwrap();
    stuck(&mut data, &image).await;
    assert_eq!(lab.bytes_received("e001"), 300_000);
    within(LONG, lab.stop()).await;
    assert!(client.closed().await);
}

#[tokio::test]
async fn a_silenced_server_neither_takes_nor_answers_nor_greets() {
    let (lab, image) = one(32 * MIB, Behaviour::default()).await;
    let mut idle = Client::login(address(&lab, "e001")).await.unwrap();
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let mut data = client.open_store("/a").await.unwrap();
    data.write_all(&image[..100_000]).await.unwrap();
    within(LONG, lab.until_received("e001", 100_000)).await;
    lab.silence("e001");
    stuck(&mut data, &image).await;
    assert_eq!(lab.bytes_received("e001"), 100_000);
    let short = Duration::from_millis(150);
    for client in [&mut idle, &mut client] {
        let answer = tokio::time::timeout(short, client.command("NOOP")).await;
        assert!(answer.is_err(), "{answer:?}");
    }
    let greeted = tokio::time::timeout(short, Client::connect(address(&lab, "e001"))).await;
    assert!(greeted.is_err());
    // Even so it can be killed.
    within(LONG, lab.kill("e001")).await;
    assert!(idle.closed().await && client.closed().await);
}

#[tokio::test]
async fn a_killed_server_is_gone_at_once_with_all_its_connections() {
    let (mut inventory, mut settings) = network(1, 32 * MIB);
    inventory.entities.push(Arc::new(entity("other", "1")));
    settings.file_servers.insert(SERVER.into(), at_rate(MIB));
    let lab = lab(&inventory, &settings).await;
    let mut idle = Client::login(address(&lab, "e001")).await.unwrap();
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let mut data = client.open_store(PATH).await.unwrap();
    let image = lab.image_bytes(IMAGE, 0, 32 << 20).unwrap();
    data.write_all(&image[..100_000]).await.unwrap();
    within(LONG, lab.until_received("e001", 100_000)).await;
    let begun = Instant::now();
    lab.kill("e001").await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    // Another test's server may have the port by now; this one does not answer.
    let sessions = lab.sessions("e001");
    if let Err(refused) = tokio::net::TcpStream::connect(address(&lab, "e001")).await {
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    assert_eq!(lab.sessions("e001"), sessions);
    assert!(idle.closed().await && client.closed().await);
    let broken = within(LONG, data.write_all(&image)).await;
    assert!(broken.is_err());
    // What had arrived is still in its flash, as a part.
    assert_eq!(lab.file("e001", PATH).unwrap().size(), 100_000);

    let mut reader = Client::login(server_address(&lab)).await.unwrap();
    let mut data = reader.open_retrieve("images/adsl-2.bin", 0).await.unwrap();
    within(LONG, lab.until_served(SERVER, 100_000)).await;
    within(LONG, lab.kill(SERVER)).await;
    let mut rest = Vec::new();
    let _ = within(LONG, data.read_to_end(&mut rest)).await;
    assert!(rest.len() < 32 << 20);
    assert!(reader.closed().await);
    // The others go on.
    Client::login(address(&lab, "other")).await.unwrap();
}

#[tokio::test]
async fn two_hundred_entities_serve_at_the_same_time() {
    let (inventory, settings) = network(200, MIB);
    let lab = lab(&inventory, &settings).await;
    let image: Arc<[u8]> = lab.image_bytes(IMAGE, 0, 1 << 20).unwrap().into();
    let mut uploads = tokio::task::JoinSet::new();
    for entity in &lab.inventory().entities {
        let (address, image) = (entity.address.clone(), Arc::clone(&image));
        uploads.spawn(async move {
            let mut client = Client::login(address).await.unwrap();
            client.store(PATH, &image).await.unwrap()
        });
    }
    within(LONG, async {
        while let Some(reply) = uploads.join_next().await {
            assert!(reply.unwrap().starts_with("226"));
        }
    })
    .await;
    for entity in &lab.inventory().entities {
        assert!(lab.file(&entity.name, PATH).unwrap().same_as_image(IMAGE));
    }
    assert_eq!(lab.memory_held(), MIB);
    within(LONG, lab.stop()).await;
}

/// What a device with that behaviour answers, command by command, and which files it has then.
async fn told(behaviour: Behaviour, commands: &[&str]) -> (Vec<String>, Vec<String>) {
    let (lab, _) = one(MIB, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/flash/image.bin.new", b"new").await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    let mut replies = Vec::new();
    for command in commands {
        replies.push(match client.command(command).await {
            Ok(reply) => reply.chars().take(3).collect(),
            Err(_) => "gone".to_owned(),
        });
    }
    (replies, lab.files("e001"))
}

#[tokio::test]
async fn names_are_cut_and_one_file_has_the_name_of_another() {
    for (cut, held) in [
        (NameCut::Dos, &["/flash/image.bin"][..]),
        (NameCut::At(9), &["/flash/image.bin"]),
        (
            NameCut::At(12),
            &["/flash/image.bin", "/flash/image.bin.ne"],
        ),
        (
            NameCut::At(14),
            &["/flash/image.bin", "/flash/image.bin.new"],
        ),
    ] {
        let cut_names = Some(cut);
        let behaviour = Behaviour {
            cut_names,
            ..Behaviour::default()
        };
        let size = ["SIZE /flash/image.bin.new"];
        let (replies, files) = told(behaviour.clone(), &size).await;
        assert_eq!(replies, ["213"], "{cut:?}");
        assert_eq!(files, held, "{cut:?}");
        // What is deleted under the one name is gone under the other, where they are one file.
        let (_, left) = told(behaviour, &["DELE /flash/image.bin.new"]).await;
        assert_eq!(left, held[..held.len() - 1], "{cut:?}");
    }
}

#[tokio::test]
async fn names_in_capitals_are_the_same_names() {
    let fold_case = true;
    let (replies, files) = told(
        Behaviour {
            fold_case,
            ..Behaviour::default()
        },
        &["SIZE /FLASH/IMAGE.BIN.NEW", "DELE /Flash/Image.Bin"],
    )
    .await;
    assert_eq!(replies, ["213", "250"]);
    assert_eq!(files, ["/flash/image.bin.new"]);
}

#[tokio::test]
async fn renames_are_refused_for_good_or_for_a_while_or_are_a_lie() {
    let rename = ["RNFR /flash/image.bin.new", "RNTO /flash/image.bin"];
    let twice = [rename, rename].concat();
    let both = ["/flash/image.bin", "/flash/image.bin.new"];
    let good = Behaviour::default();
    let refuse = Behaviour {
        refuse_rename: true,
        ..good.clone()
    };
    let (replies, files) = told(refuse, &twice).await;
    assert_eq!(replies, ["350", "553", "350", "553"]);
    assert_eq!(files, both);
    let busy = Behaviour {
        busy_renames: Some(1),
        ..good.clone()
    };
    let (replies, files) = told(busy, &twice).await;
    assert_eq!(replies, ["350", "450", "350", "250"]);
    assert_eq!(files, ["/flash/image.bin"]);
    let lie = Behaviour {
        false_rename: true,
        ..good
    };
    let (replies, files) = told(lie, &rename).await;
    assert_eq!(replies, ["350", "250"]);
    assert_eq!(files, both);
}

#[tokio::test]
async fn a_device_that_shows_nothing_of_a_file_takes_it_all_the_same() {
    let behaviour = Behaviour {
        no_size: true,
        no_read: true,
        ..Behaviour::default()
    };
    let (lab, image) = one(MIB, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/flash/new", &image).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    let reply = client.command("SIZE /flash/new").await.unwrap();
    assert!(reply.starts_with("550"), "{reply}");
    let (bytes, reply) = client.retrieve("/flash/new", 0).await.unwrap();
    assert!(bytes.is_empty() && reply.starts_with("550"), "{reply}");
    assert!(lab.file("e001", "/flash/new").unwrap().same_as_image(IMAGE));
}

#[tokio::test]
async fn an_upload_goes_elsewhere_where_its_name_is_taken() {
    let store_elsewhere = true;
    let behaviour = Behaviour {
        store_elsewhere,
        ..Behaviour::default()
    };
    let (lab, image) = one(MIB, behaviour).await;
    let old = lab.file("e001", PATH).unwrap().bytes();
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store(PATH, &image).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    assert!(lab.file("e001", PATH).unwrap().bytes() == old);
    let other = lab.file("e001", &format!("{PATH}.1")).unwrap();
    assert!(other.same_as_image(IMAGE));
}

#[tokio::test]
async fn a_confirmed_upload_is_followed_by_a_reboot() {
    let behaviour = Behaviour {
        reboot_after_store: Some(Duration::from_millis(300)),
        ..Behaviour::default()
    };
    let (lab, image) = one(MIB, behaviour).await;
    let mut client = Client::login(address(&lab, "e001")).await.unwrap();
    let reply = client.store("/flash/new", &image).await.unwrap();
    assert!(reply.starts_with("226"), "{reply}");
    assert!(client.closed().await);
    within(LONG, async {
        while Client::login(address(&lab, "e001")).await.is_err() {
            // Nothing says when a device is back but trying.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert!(lab.file("e001", "/flash/new").unwrap().same_as_image(IMAGE));
}

#[tokio::test]
async fn a_session_is_lost_instead_of_a_command() {
    let behaviour = Behaviour {
        hang_up_on: Some("RNTO".into()),
        hang_up_times: Some(1),
        ..Behaviour::default()
    };
    let (lab, _) = one(MIB, behaviour).await;
    for lost in [true, false] {
        let mut client = Client::login(address(&lab, "e001")).await.unwrap();
        client.store("/flash/new", b"new").await.unwrap();
        let reply = client.command("RNFR /flash/new").await.unwrap();
        assert!(reply.starts_with("350"), "{reply}");
        let reply = client.command(&format!("RNTO {PATH}")).await;
        match lost {
            true => assert!(reply.is_err(), "{reply:?}"),
            false => assert!(reply.unwrap().starts_with("250")),
        }
        assert_eq!(lab.file("e001", "/flash/new").is_some(), lost);
    }
}

//! Sources that can't be relied on: peers that hold something else, files that are replaced while
//! they are read, sources that hardly send, servers that take one session at a time. What counts is
//! what entities hold in the end, byte for byte, and what was read from whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_delivered, assert_failed, assert_untouched, entity};
use crate::support::scripted::{Action, Data, Reply, Retrieve, Script, ScriptedServer, Store};
use crate::support::{
    GROUP, IMAGE, PATH, SERVER, at_rate, behave, lab, network, takes_at, with_group,
};
use subtend::lab::{Behaviour, Lab, LabSettings};
use subtend::model::{
    Address, Entity, EntityState, FileServer, Inventory, Limits, Outcome, PeerChoice, RemotePath,
    Scheme, SourceChoice, Staging, Step, VerifyMode,
};
use subtend::protocol::{Event, Summary, Target};

const MIB: u64 = 1 << 20;

pub(crate) fn with_entities(inventory: &mut Inventory, change: impl Fn(&mut Entity)) {
    let changed = |old: &Arc<Entity>| {
        let mut new = (**old).clone();
        change(&mut new);
        Arc::new(new)
    };
    inventory.entities = inventory.entities.iter().map(changed).collect();
    with_group(inventory, |group| {
        group.entities = group.entities.iter().map(changed).collect();
    });
}

/// A network of which the first entities have the image already, and are the source of the others.
fn with_peers(peers: usize, entities: usize, size: u64) -> (Inventory, LabSettings) {
    let (mut inventory, settings) = network(entities, size);
    with_entities(&mut inventory, |entity| {
        let number: usize = entity.name[1..].parse().unwrap();
        if number <= peers {
            entity.version = "2".into();
        }
    });
    let any = inventory.entities[..peers].to_vec();
    with_group(&mut inventory, |group| {
        group.entities.drain(..peers);
        group.source = SourceChoice::Peer(PeerChoice::Any(any));
    });
    (inventory, settings)
}

/// The lab's inventory, as if its operator had written down what the image is.
pub(crate) fn with_sha256(lab: &Lab) -> Inventory {
    let mut inventory = lab.inventory().clone();
    let mut image = (*inventory.images[0]).clone();
    image.sha256 = lab.image_sha256(IMAGE);
    let image = Arc::new(image);
    inventory.images[0] = image.clone();
    with_group(&mut inventory, |group| group.image = image);
    inventory
}

/// One byte of what the entity holds is another one from now on; its size stays.
async fn corrupt(lab: &Lab, name: &str, at: usize) {
    let mut bytes = lab.file(name, PATH).unwrap().bytes();
    bytes[at] ^= 1;
    let address = lab.inventory().entity(name).unwrap().address.clone();
    let port = format!("{}:{}", address.host, address.port);
    let mut client = crate::support::client::Client::login(port).await.unwrap();
    let stored = client.store(PATH, &bytes).await.unwrap();
    assert!(stored.starts_with("226"), "{stored}");
}

/// Number and source of each pass.
pub(crate) fn passes(events: &[Event]) -> Vec<(u32, &str)> {
    let of = |event| match event {
        &Event::Pass {
            pass,
            ref source,
            read: None,
            ..
        } => Some((pass, source.as_str())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// Pass, source and cause of each change of source.
pub(crate) fn changes(events: &[Event]) -> Vec<(u32, &str, &str)> {
    let of = |event| match event {
        &Event::Source {
            pass,
            ref source,
            ref cause,
            ..
        } => Some((pass, source.as_str(), cause.as_str())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn notices(events: &[Event]) -> Vec<&str> {
    (events.iter())
        .filter_map(|event| match event {
            Event::Notice { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// The inventory knows the digest: a peer with other bytes is left, and whoever got them is sent
/// those of the next peer, although the operator wants no retries.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_something_else_is_left_for_the_next_one() {
    let (inventory, settings) = with_peers(2, 5, 2 * MIB);
    let lab = lab(&inventory, &settings).await;
    corrupt(&lab, "e001", MIB as usize).await;
    let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e003", "e004", "e005"] {
        assert_delivered(&lab, &summary, name, IMAGE);
        assert_eq!(entity(&summary, name).attempts, 2);
    }
    assert_eq!(passes(&events), [(1, "peer:e001"), (2, "peer:e002")]);
    let changes = changes(&events);
    let [(2, "peer:e002", cause)] = changes[..] else {
        panic!("{changes:?}");
    };
    assert!(
        cause.starts_with("what peer:e001 sent is not the image: its SHA-256 is "),
        "{cause}"
    );
    let said = events.iter().find_map(|event| match event {
        Event::State {
            state: EntityState::Retrying,
            step,
            cause: Some(cause),
            ..
        } => Some((*step, cause.as_str())),
        _ => None,
    });
    let (step, cause) = said.unwrap();
    assert_eq!(step, Some(Step::Read));
    assert!(cause.ends_with("another source is read instead"), "{cause}");
    assert_eq!(lab.bytes_served("e001"), 2 * MIB, "it was read once");
    assert_eq!(lab.bytes_served(SERVER), 0);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_peers_send_something_else_the_file_server_is_read_last() {
    let (inventory, settings) = with_peers(2, 4, MIB);
    let lab = lab(&inventory, &settings).await;
    corrupt(&lab, "e001", 0).await;
    corrupt(&lab, "e002", MIB as usize - 1).await;
    let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    let (summary, events) = run.finish().await;
    for name in ["e003", "e004"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    let expected = [(1, "peer:e001"), (2, "peer:e002"), (3, SERVER)];
    assert_eq!(passes(&events), expected);
    lab.stop().await;
}

/// There is no file server to fall back upon: the cause says what the peer did.
#[tokio::test(flavor = "multi_thread")]
async fn without_another_source_the_cause_is_what_the_peer_sent() {
    let (mut inventory, settings) = with_peers(1, 3, MIB);
    let peer = inventory.entities[0].clone();
    with_group(&mut inventory, |group| {
        group.source = SourceChoice::Peer(PeerChoice::Named(peer));
    });
    let lab = lab(&inventory, &settings).await;
    corrupt(&lab, "e001", 77).await;
    let mut inventory = with_sha256(&lab);
    inventory.file_servers.clear();
    let (summary, _) = Run::start(&inventory, &[GROUP]).await.finish().await;
    for name in ["e002", "e003"] {
        let said = entity(&summary, name);
        assert_eq!(said.state, EntityState::Failed);
        let cause = said.cause.as_deref().unwrap();
        assert!(
            cause.contains("peer:e001 failed: read: it holds another image: its SHA-256 is"),
            "{cause}"
        );
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

/// The peer dies in mid-transfer, and nothing but the file server can tell that it held something
/// else: it is believed, and everybody gets the whole of its file.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_server_is_believed_before_a_peer_that_nothing_proves() {
    let (mut inventory, mut settings) = with_peers(1, 4, 8 * MIB);
    inventory.memory = MIB;
    behave(&mut settings, "e001", at_rate(4 * MIB));
    let lab = lab(&inventory, &settings).await;
    corrupt(&lab, "e001", 1000).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_served("e001", 4 * MIB).await;
    lab.kill("e001").await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e002", "e003", "e004"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_eq!(passes(&events), [(1, "peer:e001"), (2, SERVER)]);
    let last = changes(&events).pop().unwrap();
    assert_eq!((last.0, last.1), (2, SERVER));
    assert!(
        last.2.contains("what peer:e001 sent is not the image"),
        "{last:?}"
    );
    lab.stop().await;
}

/// It may be read, for the operator has asked for it, and is labelled; not where a digest is known
/// that its bytes are compared with.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_nothing_proves_is_labelled() {
    let (inventory, settings) = with_peers(1, 3, MIB);
    let lab = lab(&inventory, &settings).await;
    for is_known in [false, true] {
        let inventory = if is_known {
            with_sha256(&lab)
        } else {
            lab.inventory().clone()
        };
        let run = Run::idle(&inventory);
        run.begin(&[GROUP]).await;
        let (summary, events) = run.finish().await;
        for name in ["e002", "e003"] {
            assert_delivered(&lab, &summary, name, IMAGE);
        }
        let notices = notices(&events);
        if is_known {
            assert!(notices.is_empty(), "{notices:?}");
        } else {
            assert_eq!(notices.len(), 1, "{notices:?}");
            let words = "all: pass 1 reads peer:e001, and nothing proves that it holds the image";
            assert!(notices[0].starts_with(words), "{notices:?}");
        }
    }
    lab.stop().await;
}

/// The first entity flips a byte and is delivered by its size; the second one is cut off, and must
/// not get the image from the first.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_by_its_size_is_no_source_of_retries() {
    let (mut inventory, mut settings) = network(2, 4 * MIB);
    with_entities(&mut inventory, |entity| entity.verify = VerifyMode::Size);
    with_group(&mut inventory, |group| group.limits = Limits::default());
    let flips = Behaviour {
        corrupt_at: Some(MIB),
        ..Behaviour::default()
    };
    let cut = Behaviour {
        drop_at: Some(3 * MIB),
        drop_times: Some(1),
        down_for: Some(Duration::from_secs(1)),
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", flips);
    behave(&mut settings, "e002", cut);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(entity(&summary, "e001").state, EntityState::Delivered);
    assert!(entity(&summary, "e002").attempts > 1);
    assert_delivered(&lab, &summary, "e002", IMAGE);
    assert!(
        passes(&events).iter().all(|(_, source)| *source == SERVER),
        "{events:?}"
    );
    assert_eq!(lab.bytes_served("e001"), 0);
    lab.stop().await;
}

/// A source that gives next to nothing is left, whatever it would bring in a day.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_hardly_sends_is_left_for_the_next_one() {
    let (mut inventory, mut settings) = with_peers(1, 3, MIB);
    with_entities(&mut inventory, |entity| {
        entity.timeouts.progress = Duration::from_secs(2);
        entity.timeouts.min_rate = 16 << 10;
    });
    let peers = inventory.entities[..1].to_vec();
    with_group(&mut inventory, |group| {
        group.source = SourceChoice::Peer(PeerChoice::Any(peers));
    });
    let hardly = Behaviour {
        read_rate: Some(1000),
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", hardly);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    for name in ["e002", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    let changes = changes(&events);
    let [(1, SERVER, cause)] = changes[..] else {
        panic!("{changes:?}");
    };
    for words in [
        "peer:e001 failed: read: it sent ",
        "`min_rate` is 16.0 KiB/s",
    ] {
        assert!(cause.contains(words), "{cause}");
    }
    lab.stop().await;
}

/// With no other source it fails, and says why, instead of going on for weeks; one that waits for
/// slow entities is not slow itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_judged_by_what_is_waited_for() {
    for (is_source, bytes) in [(true, MIB), (false, 256 << 10)] {
        let (mut inventory, mut settings) = network(1, bytes);
        // Two buffers: the source waits for the entity nearly all the time.
        inventory.memory = 16 << 10;
        inventory.buffers = subtend::model::BufferPreference::Size(8 << 10);
        let mut server = (*inventory.file_servers[0]).clone();
        server.timeouts.progress = Duration::from_secs(1);
        server.timeouts.min_rate = 512 << 10;
        let server = Arc::new(server);
        inventory.file_servers = vec![server.clone()];
        with_group(&mut inventory, |group| {
            group.source = SourceChoice::FileServer(server);
        });
        if is_source {
            let slow = at_rate(96 << 10);
            settings.file_servers.insert(SERVER.into(), slow);
        } else {
            behave(&mut settings, "e001", takes_at(96 << 10));
        }
        let lab = lab(&inventory, &settings).await;
        let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
        if is_source {
            let said = assert_failed(&summary, "e001", Step::Read);
            let cause = said.cause.as_deref().unwrap();
            assert!(cause.contains("`min_rate` is 512.0 KiB/s"), "{cause}");
            assert_untouched(&lab, "e001");
        } else {
            assert_delivered(&lab, &summary, "e001", IMAGE);
        }
        lab.stop().await;
    }
}

/// Bytes of which no two parts are alike; another seed makes others.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.extend_from_slice(&(state >> 16).to_le_bytes()[..6]);
    }
    bytes.truncate(length);
    bytes
}

fn at(address: SocketAddr) -> Address {
    Address {
        scheme: Scheme::Ftp,
        host: address.ip().to_string(),
        port: address.port(),
    }
}

/// An inventory of scripted servers: a file server, and entities by server and path.
fn scripted(source: &ScriptedServer, entities: &[(&ScriptedServer, &str)]) -> Inventory {
    let (mut inventory, _) = network(entities.len(), 0);
    let hq = Arc::new(FileServer {
        address: at(source.address()),
        ..(*inventory.file_servers[0]).clone()
    });
    inventory.file_servers = vec![hq.clone()];
    inventory.entities = (inventory.entities.iter().zip(entities))
        .map(|(entity, (server, path))| {
            Arc::new(Entity {
                address: at(server.address()),
                path: RemotePath::new(path).unwrap(),
                ..(**entity).clone()
            })
        })
        .collect();
    let entities = inventory.entities.clone();
    with_group(&mut inventory, |group| {
        group.source = SourceChoice::FileServer(hq);
        group.entities = entities;
    });
    inventory
}

const FILE: &str = "/images/adsl-2.bin";

/// A source that breaks off at the first MiB, once.
async fn breaks_off_once() -> ScriptedServer {
    ScriptedServer::start(Script {
        retrieve: Retrieve {
            at: Some(MIB),
            reply: Some("426 broken"),
            data: Data::Close,
            times: Some(1),
            ..Retrieve::default()
        },
        ..Script::default()
    })
    .await
}

/// A source breaks off, and its file is replaced by another one of the same size and time before
/// it is read on (a scripted server says one time of all its files): nobody gets a mixture.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_replaced_by_one_like_it_is_found_out() {
    const LENGTH: usize = 2 << 20;
    for is_replaced in [true, false] {
        let source = breaks_off_once().await;
        let (old, new) = (bytes(LENGTH, 1), bytes(LENGTH, 2));
        source.put(FILE, old.clone());
        let device = ScriptedServer::start(Script::default()).await;
        device.put(PATH, b"the old image");
        let mut inventory = scripted(&source, &[(&device, PATH)]);
        with_group(&mut inventory, |group| group.limits = Limits::default());
        let run = Run::start(&inventory, &[GROUP]).await;
        // The first reading has its bytes already.
        source.until(|log| !log.data.is_empty()).await;
        if is_replaced {
            source.put(FILE, new);
        }
        let (summary, _) = run.finish().await;
        if is_replaced {
            let said = assert_failed(&summary, "e001", Step::Read);
            let cause = said.cause.as_deref().unwrap();
            assert!(
                cause.contains("changed while it was read: the first ")
                    && cause.contains("bytes of hq are not those that were read before"),
                "{cause}"
            );
            assert!(device.file(PATH).unwrap() == b"the old image");
        } else {
            assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
            assert!(device.file(PATH).unwrap() == old, "other bytes");
        }
        // What was read again to be compared was read all the same. How much that was is up to
        // whether the data or the 426 came first.
        let read = summary.source_bytes;
        if is_replaced {
            assert!(
                read > 0 && read.is_multiple_of(2) && read <= 2 * MIB,
                "{read}"
            );
        } else {
            assert!(read > 2 * MIB && read <= 3 * MIB, "{read}");
        }
        assert_eq!(source.log().count("REST"), 0);
    }
}

/// With the digest in the inventory it is read on at the same byte: the digest will tell.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_known_digest_a_source_goes_on_at_its_byte() {
    let source = breaks_off_once().await;
    let image = bytes(2 << 20, 1);
    source.put(FILE, image.clone());
    let device = ScriptedServer::start(Script::default()).await;
    let mut inventory = scripted(&source, &[(&device, PATH)]);
    with_group(&mut inventory, |group| {
        group.limits = Limits::default();
        let mut image_of = (*group.image).clone();
        image_of.sha256 = Some(<sha2::Sha256 as sha2::Digest>::digest(&image).into());
        group.image = Arc::new(image_of);
    });
    let (summary, _) = Run::start(&inventory, &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    assert!(device.file(PATH).unwrap() == image, "other bytes");
    assert_eq!(summary.source_bytes, 2 * MIB);
    assert_eq!(source.log().count("REST"), 1);
}

/// An entity that fell behind goes on from its byte in a pass of its own, and the file is another
/// one by then. The first pass never came to the end, so that only the file's beginning can tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_from_the_middle_proves_what_came_before() {
    const LENGTH: usize = 64 << 20;
    for is_replaced in [true, false] {
        let waits = |at| Script {
            store: Store {
                at: Some(at),
                waits: true,
                data: Data::GoOn,
                ..Store::default()
            },
            ..Script::default()
        };
        let source = ScriptedServer::start(Script::default()).await;
        let old = bytes(LENGTH, 1);
        // Its end is the same: only what came before differs.
        let mut new = old.clone();
        new[10] ^= 1;
        source.put(FILE, old.clone());
        let ahead = ScriptedServer::start(waits(24 << 20)).await;
        let behind = ScriptedServer::start(waits(64 << 10)).await;
        let mut inventory = scripted(&source, &[(&ahead, PATH), (&behind, PATH)]);
        inventory.memory = MIB;
        with_group(&mut inventory, |group| {
            group.limits.laggard = Duration::from_millis(200);
        });
        let mut run = Run::start(&inventory, &[GROUP]).await;
        run.until_state("e002", EntityState::CatchingUp).await;
        ahead
            .until(|log| log.uploads.iter().any(|one| one.taken == 24 << 20))
            .await;
        run.cancel(Target::Entity {
            group: GROUP.into(),
            entity: "e001".into(),
        })
        .await;
        ahead.go_on();
        run.until_state("e001", EntityState::Cancelled).await;
        if is_replaced {
            source.put(FILE, new);
        }
        behind.go_on();
        let (summary, events) = run.finish().await;
        assert_eq!(passes(&events), [(1, SERVER), (2, SERVER)], "{summary:?}");
        if is_replaced {
            let said = assert_failed(&summary, "e002", Step::Read);
            let cause = said.cause.as_deref().unwrap();
            assert!(
                cause.contains("are not those that were read before"),
                "{cause}"
            );
            assert_eq!(behind.file(PATH), None);
        } else {
            assert_eq!(entity(&summary, "e002").state, EntityState::Delivered);
            assert!(behind.file(PATH).unwrap() == old, "other bytes");
        }
    }
}

/// Four entities and nothing but one session at a time: they take turns, and the file server, which
/// has nothing else to do, is read for each of them, not the one that is through. In whatever words
/// the server turns the others away.
#[tokio::test(flavor = "multi_thread")]
async fn entities_behind_a_server_of_one_session_take_turns() {
    tokio::join!(
        take_turns(None),
        take_turns(Some("530 too much connections for 'craft'")),
        take_turns(Some("")),
    );
}

async fn take_turns(busy_reply: Option<&str>) {
    let source = ScriptedServer::start(Script::default()).await;
    let image = bytes(1 << 20, 1);
    source.put(FILE, image.clone());
    let shelf = ScriptedServer::start(Script::behaving(Behaviour {
        max_sessions: Some(1),
        busy_reply: busy_reply.map(str::to_owned),
        // A session waits a moment for another one to end: this is longer.
        confirm_after: Some(Duration::from_secs(4)),
        ..Behaviour::default()
    }))
    .await;
    let paths: Vec<String> = (1..=4)
        .map(|slot| format!("/slot{slot}/image.bin"))
        .collect();
    let places: Vec<_> = paths.iter().map(|path| (&shelf, path.as_str())).collect();
    let mut inventory = scripted(&source, &places);
    with_entities(&mut inventory, |entity| {
        entity.verify = VerifyMode::Readback
    });
    with_group(&mut inventory, |group| group.limits = Limits::default());
    let (summary, events) = Run::start(&inventory, &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for path in &paths {
        assert!(
            shelf.file(path).unwrap() == image,
            "{path} holds other bytes"
        );
    }
    assert_eq!(shelf.files(), paths);
    let sources: Vec<&str> = passes(&events).iter().map(|(_, source)| *source).collect();
    assert!(
        sources.iter().all(|source| *source == SERVER),
        "{sources:?}"
    );
    // One may come a moment before the server has forgotten the session of the last one.
    assert!(sources.len() > 1 && sources.len() <= 6, "{sources:?}");
}

fn most_attempts(summary: &Summary) -> u32 {
    let entities = summary.groups.iter().flat_map(|group| &group.entities);
    entities.map(|entity| entity.attempts).max().unwrap()
}

/// Many are cut off, some of them several times: they gather.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_that_are_tried_again_read_the_source_a_few_times() {
    let (mut inventory, mut settings) = network(100, 256 << 10);
    with_group(&mut inventory, |group| group.limits = Limits::default());
    for number in 1..=100_u32 {
        let cut = Behaviour {
            drop_at: Some(64 << 10),
            drop_times: Some(number % 4),
            // They are cut off at moments of their own.
            latency: Some(Duration::from_millis(u64::from(number * 7 % 20) * 4)),
            ..Behaviour::default()
        };
        behave(&mut settings, &format!("e{number:03}"), cut);
    }
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for number in 1..=100 {
        assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
    }
    assert_eq!(most_attempts(&summary), 4);
    // Three delays, and two.
    assert!(passes(&events).len() <= 5, "{:?}", passes(&events));
    lab.stop().await;
}

/// It has confirmed the file and is gone: perhaps it installs it. Nothing is read for it again
/// until it can be looked at.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_again_for_an_entity_that_has_confirmed_and_is_gone() {
    let source = ScriptedServer::start(Script::default()).await;
    source.put(FILE, bytes(1 << 20, 1));
    let script = Script::behaving(Behaviour {
        busy_after: Some(1),
        busy_times: Some(u32::MAX),
        ..Behaviour::default()
    });
    // After its 226 it says no more, and nobody gets in again.
    let script = script.handle(|_, state| {
        let before = state.commands.iter().rev().skip(1);
        match before.into_iter().any(|line| line.starts_with("STOR")) {
            true => Action::Reply(Reply::Close),
            false => Action::Default,
        }
    });
    let device = ScriptedServer::start(script).await;
    device.put(PATH, "old");
    let mut inventory = scripted(&source, &[(&device, PATH)]);
    with_entities(&mut inventory, |entity| entity.verify = VerifyMode::Size);
    with_group(&mut inventory, |group| {
        group.limits = Limits {
            retries: 2,
            ..Limits::default()
        };
    });
    let (summary, events) = Run::start(&inventory, &[GROUP]).await.finish().await;
    let said = entity(&summary, "e001");
    assert_eq!((said.state, said.attempts), (EntityState::Failed, 3));
    assert_eq!(passes(&events).len(), 1, "{events:?}");
    assert_eq!(summary.source_bytes, MIB);
    assert_eq!(device.log().uploads.len(), 1);
    assert_eq!(device.file(PATH).as_deref(), Some(b"old".as_slice()));
}

/// It confirmed the file, which is another one, and is looked at before it is sent the image again. It is not
/// asked to take it, which would cost it what it has, while no source sends anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_direct_entity_that_is_tried_again_takes_no_file_without_a_source() {
    let (mut inventory, mut settings) = network(1, MIB);
    with_entities(&mut inventory, |entity| {
        entity.staging = Staging::Direct;
        entity.verify = VerifyMode::Readback;
    });
    with_group(&mut inventory, |group| {
        group.limits = Limits {
            retries: 1,
            ..Limits::default()
        };
    });
    let flips = Behaviour {
        corrupt_at: Some(1000),
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", flips);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e001", EntityState::Retrying).await;
    lab.kill(SERVER).await;
    let (summary, _) = run.finish().await;
    let said = entity(&summary, "e001");
    assert_eq!((said.state, said.attempts), (EntityState::Failed, 2));
    let cause = said.cause.as_deref().unwrap();
    assert!(cause.contains("the source hq failed: "), "{cause}");
    assert_eq!(
        lab.file("e001", PATH).map(|file| file.size()),
        Some(MIB),
        "it lost what it had"
    );
    assert_eq!(lab.bytes_received("e001"), MIB);
    lab.stop().await;
}

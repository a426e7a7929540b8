//! Sources in an order of preference: the next one goes on at the same byte, nothing is read twice, a source that
//! gives another image is left, and where none is left every cause is named.

use std::sync::Arc;
use std::time::Duration;

use crate::sources::{changes, passes, with_entities, with_sha256};
use crate::support::run::{Run, assert_delivered, assert_failed, assert_untouched, entity};
use crate::support::{GROUP, IMAGE, SERVER, at_rate, behave, lab, network, with_group};
use subtend::lab::{Behaviour, LabSettings};
use subtend::model::{
    EntityState, FileServer, Holds, Inventory, Limits, Outcome, PeerChoice, RemotePath,
    SourceChoice, Step, VerifyMode,
};
use subtend::protocol::Event;

const MIB: u64 = 1 << 20;

/// Entities that read `hq` first, then the file servers of these names, which all have the image.
fn ordered(entities: usize, size: u64, then: &[&str]) -> (Inventory, LabSettings) {
    let (mut inventory, settings) = network(entities, size);
    inventory.memory = MIB;
    let hq = Arc::clone(&inventory.file_servers[0]);
    let more = then.iter().map(|name| {
        Arc::new(FileServer {
            name: (*name).into(),
            ..(*hq).clone()
        })
    });
    inventory.file_servers.extend(more);
    let servers = inventory.file_servers[1..].iter().cloned();
    let then = servers.map(SourceChoice::FileServer).collect();
    with_group(&mut inventory, |group| group.then = then);
    (inventory, settings)
}

/// Slow enough that something can be done in mid-transfer.
fn slowly(settings: &mut LabSettings, server: &str) {
    settings
        .file_servers
        .insert(server.into(), at_rate(8 * MIB));
}

/// Nobody began anew, and all read one pass.
fn assert_went_on(summary: &subtend::protocol::Summary, entities: &[&str]) {
    for name in entities {
        assert_eq!(entity(summary, name).attempts, 1, "{name} was restarted");
    }
    assert_eq!(summary.groups[0].passes, 1);
}

/// What is known of the image decides how the next source proves itself: by the digest of the whole, or
/// by what was read before, which is read there again.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_one_goes_on_at_the_same_byte() {
    for is_known in [true, false] {
        let (inventory, mut settings) = ordered(3, 8 * MIB, &["mirror"]);
        slowly(&mut settings, SERVER);
        let lab = lab(&inventory, &settings).await;
        let inventory = match is_known {
            true => with_sha256(&lab),
            false => lab.inventory().clone(),
        };
        let run = Run::start(&inventory, &[GROUP]).await;
        lab.until_served(SERVER, 4 * MIB).await;
        lab.kill(SERVER).await;
        let (summary, events) = run.finish().await;
        assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
        for name in ["e001", "e002", "e003"] {
            assert_delivered(&lab, &summary, name, IMAGE);
        }
        assert_went_on(&summary, &["e001", "e002", "e003"]);
        assert_eq!(passes(&events), [(1, SERVER)]);
        let changes = changes(&events);
        let [(1, "mirror", cause)] = changes[..] else {
            panic!("{changes:?}");
        };
        assert!(cause.starts_with("hq failed: read: "), "{cause}");
        assert_eq!(summary.groups[0].source, "mirror");
        let ended = events.iter().find_map(|event| match event {
            Event::Pass {
                source,
                read: Some(_),
                ..
            } => Some(source.as_str()),
            _ => None,
        });
        assert_eq!(ended, Some("mirror"), "the one that brought the rest");
        let offset = events.iter().find_map(|event| match event {
            Event::Source { offset, .. } => Some(*offset),
            _ => None,
        });
        let at = offset.unwrap();
        assert!(at > 0 && at < 8 * MIB, "{at}");
        // Once over both, and the proof.
        let proof = if is_known { 0 } else { at };
        assert_eq!(summary.source_bytes, 8 * MIB + proof);
        assert!(summary.peak_pool_bytes <= MIB);
        lab.stop().await;
    }
}

/// Not knowing the digest, the one that was read before is believed: nobody gets a mixture, and nobody
/// begins anew.
#[tokio::test(flavor = "multi_thread")]
async fn one_with_another_image_is_left_for_the_next() {
    let (inventory, mut settings) = ordered(2, 8 * MIB, &["mirror", "vault"]);
    slowly(&mut settings, SERVER);
    let lab = lab(&inventory, &settings).await;
    assert!(lab.replace_image("mirror", IMAGE));
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_served(SERVER, 2 * MIB).await;
    lab.kill(SERVER).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_went_on(&summary, &["e001", "e002"]);
    let changes = changes(&events);
    let [(1, "vault", cause)] = changes[..] else {
        panic!("{changes:?}");
    };
    assert!(
        cause.starts_with("mirror failed: open: it holds another image: the first "),
        "{cause}"
    );
    lab.stop().await;
}

/// The digest is known at the end alone, and the bytes are of two servers: each is read by itself then,
/// and the one that holds another image is left. The first one comes last, for it may have been at fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_mixture_that_the_digest_shows_is_sent_anew_from_one() {
    let (inventory, mut settings) = ordered(2, 8 * MIB, &["mirror", "vault"]);
    slowly(&mut settings, SERVER);
    let lab = lab(&inventory, &settings).await;
    assert!(lab.replace_image("mirror", IMAGE));
    let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    lab.until_served(SERVER, 2 * MIB).await;
    lab.kill(SERVER).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_eq!(passes(&events), [(1, SERVER), (2, "mirror"), (3, "vault")]);
    assert_eq!(summary.groups[0].source, "vault");
    let told: Vec<_> = changes(&events);
    let [(1, "mirror", _), (2, "mirror", mixed), (3, "vault", alone)] = told[..] else {
        panic!("{told:?}");
    };
    let begins = |cause: &str, words: &str| assert!(cause.starts_with(words), "{cause}");
    begins(
        mixed,
        "what hq, mirror sent is not the image: its SHA-256 is ",
    );
    begins(alone, "what mirror sent is not the image: its SHA-256 is ");
    lab.stop().await;
}

/// The preferred one holds another image from the first: it is read once, and never again in this run.
#[tokio::test(flavor = "multi_thread")]
async fn a_preferred_one_with_another_image_is_left_for_the_run() {
    let (mut inventory, settings) = ordered(3, 2 * MIB, &["mirror"]);
    // Without holders that are proven, each pass comes back to the order.
    with_entities(&mut inventory, |entity| entity.verify = VerifyMode::Size);
    with_group(&mut inventory, |group| group.parallel = Some(1));
    let lab = lab(&inventory, &settings).await;
    assert!(lab.replace_image(SERVER, IMAGE));
    let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e001", "e002", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    let read: Vec<&str> = passes(&events).iter().map(|(_, source)| *source).collect();
    assert_eq!(read, [SERVER, "mirror", "mirror", "mirror"]);
    assert_eq!(lab.bytes_served(SERVER), 2 * MIB);
    lab.stop().await;
}

/// Peers are asked when it is their turn, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_goes_on_where_a_file_server_stopped() {
    let (mut inventory, mut settings) = ordered(3, 8 * MIB, &[]);
    slowly(&mut settings, SERVER);
    with_entities(&mut inventory, |entity| {
        if &*entity.name == "e001" {
            entity.version = "2".into();
        }
    });
    let peer = inventory.entities[0].clone();
    with_group(&mut inventory, |group| {
        group.entities.remove(0);
        group.then = vec![SourceChoice::Peer(PeerChoice::Any(vec![peer]))];
    });
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    lab.until_served(SERVER, 4 * MIB).await;
    assert_eq!(lab.sessions("e001"), 0, "it was troubled for nothing");
    lab.kill(SERVER).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e002", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_went_on(&summary, &["e002", "e003"]);
    let told = changes(&events);
    assert!(
        matches!(told[..], [(1, "peer:e001", cause)] if cause.starts_with("hq failed: ")),
        "{told:?}"
    );
    assert_eq!(summary.source_bytes, 8 * MIB);
    lab.stop().await;
}

/// A stick with the image: behind a file server that is gone it goes on at its byte, and where it is not
/// plugged in the file server is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_this_host_goes_on_where_a_file_server_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.bin");
    let file = SourceChoice::File(RemotePath::new(path.to_str().unwrap()).unwrap());
    let (mut inventory, mut settings) = ordered(2, 8 * MIB, &[]);
    slowly(&mut settings, SERVER);
    with_group(&mut inventory, |group| group.then = vec![file.clone()]);
    let lab = lab(&inventory, &settings).await;
    let image = lab.image_bytes(IMAGE, 0, 8 << 20).unwrap();
    std::fs::write(&path, &image).unwrap();
    let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    lab.until_served(SERVER, 2 * MIB).await;
    lab.kill(SERVER).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_went_on(&summary, &["e001", "e002"]);
    let told = changes(&events);
    let name = format!("file:{}", path.display());
    assert!(
        matches!(&told[..], [(1, source, _)] if *source == name),
        "{told:?}"
    );
    assert_eq!(summary.source_bytes, 8 * MIB);

    std::fs::remove_file(&path).unwrap();
    lab.revive(SERVER).await;
    let mut inventory = with_sha256(&lab);
    with_group(&mut inventory, |group| {
        group.then = vec![std::mem::replace(&mut group.source, file)];
    });
    let run = Run::idle(&inventory);
    run.force(&[GROUP]).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    let told = changes(&events);
    let [(1, SERVER, cause)] = told[..] else {
        panic!("{told:?}");
    };
    assert!(cause.starts_with(&format!("{name} failed: ")), "{cause}");
    lab.stop().await;
}

/// One that can't be read at the start is passed over, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_dead_from_the_first_is_passed_over() {
    let (mut inventory, settings) = ordered(2, MIB, &[]);
    with_entities(&mut inventory, |entity| {
        if &*entity.name == "e001" {
            entity.version = "2".into();
        }
    });
    let peer = inventory.entities[0].clone();
    with_group(&mut inventory, |group| {
        group.entities.remove(0);
        let hq = std::mem::replace(
            &mut group.source,
            SourceChoice::Peer(PeerChoice::Named(peer)),
        );
        group.then = vec![hq];
    });
    let lab = lab(&inventory, &settings).await;
    lab.kill("e001").await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_delivered(&lab, &summary, "e002", IMAGE);
    assert_eq!(passes(&events), [(1, SERVER)]);
    let told = changes(&events);
    assert!(
        matches!(told[..], [(1, SERVER, cause)] if cause.starts_with("peer:e001 failed: select: ")),
        "{told:?}"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hardly_sends_is_left_for_the_next() {
    let (mut inventory, mut settings) = ordered(2, MIB, &["mirror"]);
    let mut hq = (*inventory.file_servers[0]).clone();
    hq.timeouts.progress = Duration::from_secs(1);
    hq.timeouts.min_rate = 256 << 10;
    let hq = Arc::new(hq);
    inventory.file_servers[0] = hq.clone();
    with_group(&mut inventory, |group| {
        group.source = SourceChoice::FileServer(hq);
    });
    let hardly = Behaviour {
        read_rate: Some(1000),
        ..Behaviour::default()
    };
    settings.file_servers.insert(SERVER.into(), hardly);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_went_on(&summary, &["e001", "e002"]);
    let told = changes(&events);
    assert!(
        matches!(told[..], [(1, "mirror", cause)] if cause.contains("`min_rate` is 256.0 KiB/s")),
        "{told:?}"
    );
    lab.stop().await;
}

/// What became of each is said, and what the entities hold.
#[tokio::test(flavor = "multi_thread")]
async fn when_none_is_left_every_cause_is_named() {
    let (inventory, mut settings) = ordered(2, 8 * MIB, &["mirror", "vault"]);
    slowly(&mut settings, SERVER);
    slowly(&mut settings, "vault");
    let lab = lab(&inventory, &settings).await;
    assert!(lab.replace_image("mirror", IMAGE));
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_served(SERVER, 4 * MIB).await;
    lab.kill(SERVER).await;
    run.until(|event| matches!(event, Event::Source { source, .. } if source == "vault"))
        .await;
    lab.kill("vault").await;
    let (summary, _) = run.finish().await;
    for name in ["e001", "e002"] {
        let said = assert_failed(&summary, name, Step::Read);
        assert_eq!(said.holds, Some(Holds::Old));
        let cause = said.cause.as_deref().unwrap();
        for words in [
            "no source can be read: hq: read: ",
            "; mirror: open: it holds another image: the first ",
            "; vault: read: ",
        ] {
            assert!(cause.contains(words), "{cause}");
        }
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

/// While another one works it is not gone back to; a later pass begins with it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_preferred_one_that_comes_back_is_read_by_the_next_pass() {
    let (mut inventory, mut settings) = ordered(2, 8 * MIB, &["mirror"]);
    slowly(&mut settings, SERVER);
    slowly(&mut settings, "mirror");
    with_entities(&mut inventory, |entity| entity.verify = VerifyMode::Size);
    with_group(&mut inventory, |group| group.parallel = Some(1));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(&with_sha256(&lab), &[GROUP]).await;
    lab.until_served(SERVER, 2 * MIB).await;
    lab.kill(SERVER).await;
    run.until(|event| matches!(event, Event::Source { source, .. } if source == "mirror"))
        .await;
    lab.revive(SERVER).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in ["e001", "e002"] {
        assert_delivered(&lab, &summary, name, IMAGE);
        assert_eq!(entity(&summary, name).state, EntityState::Delivered);
    }
    assert_eq!(passes(&events), [(1, SERVER), (2, SERVER)]);
    assert_eq!(changes(&events).len(), 1);
    assert_eq!(summary.source_bytes, 16 * MIB);
    lab.stop().await;
}

/// A file server that breaks off once is read on itself, with retries; the next one is for when it does
/// not come back.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_breaks_off_once_is_read_on() {
    let (mut inventory, mut settings) = ordered(1, 4 * MIB, &["mirror"]);
    with_group(&mut inventory, |group| group.limits = Limits::default());
    let breaks = Behaviour {
        drop_at: Some(2 * MIB),
        drop_times: Some(1),
        ..Behaviour::default()
    };
    settings.file_servers.insert(SERVER.into(), breaks);
    behave(&mut settings, "e001", Behaviour::default());
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(&with_sha256(&lab), &[GROUP])
        .await
        .finish()
        .await;
    assert_delivered(&lab, &summary, "e001", IMAGE);
    let told = changes(&events);
    assert!(
        matches!(told[..], [(1, SERVER, cause)] if cause.starts_with("hq failed: ")),
        "{told:?}"
    );
    assert_eq!(lab.bytes_served("mirror"), 0);
    lab.stop().await;
}

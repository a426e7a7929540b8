//! What a run promises, seen from outside: the summary on one side, what the servers of the lab
//! really hold on the other.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::run::{Run, assert_delivered, assert_failed, assert_untouched, entity};
use crate::support::{GROUP, IMAGE, SERVER, at_rate, behave, lab, network, takes_at, with_group};
use subtend::lab::{Behaviour, LabSettings, Pause};
use subtend::model::{
    BufferPreference, EntityState, Group, Holds, Image, ImageSpec, Inventory, Outcome, PeerChoice,
    SourceChoice, SourceSpec, Staging, Step, Verified, VerifyMode,
};
use subtend::protocol::{Command, Event, GroupSpec, Target};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

const MIB: u64 = 1 << 20;

/// The same inventory with other entities, in the group too.
fn with_entities(inventory: &mut Inventory, change: impl Fn(&mut subtend::model::Entity)) {
    for place in 0..inventory.entities.len() {
        let mut entity = (*inventory.entities[place]).clone();
        change(&mut entity);
        inventory.entities[place] = Arc::new(entity);
    }
    let entities = inventory.entities.clone();
    with_group(inventory, |group| {
        group.entities = (group.entities.iter())
            .map(|old| {
                entities
                    .iter()
                    .find(|new| new.name == old.name)
                    .unwrap()
                    .clone()
            })
            .collect();
    });
}

/// Read once, bounded, identical (promises 1 and 2).
#[tokio::test(flavor = "multi_thread")]
async fn twenty_entities_get_64_mib_out_of_4_mib_of_memory() {
    let (mut inventory, settings) = network(20, 64 * MIB);
    inventory.memory = 4 * MIB;
    with_entities(&mut inventory, |entity| entity.verify = VerifyMode::Quick);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(summary.source_bytes, 64 * MIB);
    assert_eq!(lab.bytes_served(SERVER), 64 * MIB);
    assert_eq!(lab.sessions(SERVER), 1);
    assert_eq!(summary.delivered_bytes, 20 * 64 * MIB);
    assert!(
        summary.peak_pool_bytes <= 4 * MIB,
        "{}",
        summary.peak_pool_bytes
    );
    assert!(summary.peak_pool_bytes > 0);
    assert_eq!(summary.groups[0].passes, 1);
    let sha256 = hex::encode(lab.image_sha256(IMAGE).unwrap());
    assert_eq!(summary.groups[0].sha256.as_deref(), Some(sha256.as_str()));
    for number in 1..=20 {
        let name = format!("e{number:03}");
        assert_delivered(&lab, &summary, &name, IMAGE);
        let said = entity(&summary, &name);
        assert_eq!(
            (said.bytes, said.attempts, said.staged),
            (64 * MIB, 1, true)
        );
        assert_eq!(said.verified, Verified::Size);
    }
    // The pass ended, and its session was closed, before the last entity was done.
    let passes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Pass {
                pass,
                source,
                offset,
                read,
                entities,
                ..
            } => Some((*pass, source.as_str(), *offset, *read, entities.len())),
            _ => None,
        })
        .collect();
    assert_eq!(
        passes,
        [(1, SERVER, 0, None, 20), (1, SERVER, 0, Some(64 * MIB), 20)]
    );
    lab.stop().await;
}

/// Steps 310 and 312: the source's session ends while entities are still being fed.
#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_closed_while_the_entities_empty_the_pool() {
    let (mut inventory, mut settings) = network(2, 2 * MIB);
    inventory.memory = 4 * MIB;
    behave(&mut settings, "*", takes_at(MIB));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until(|event| matches!(event, Event::Pass { read: Some(_), .. }))
        .await;
    let confirming = run.events.iter().any(|event| {
        matches!(
            event,
            Event::State {
                state: EntityState::Confirming,
                ..
            }
        )
    });
    assert!(
        !confirming,
        "the whole image fits into the pool, and the entities are slow"
    );
    let (summary, _) = run.finish().await;
    assert_delivered(&lab, &summary, "e001", IMAGE);
    assert_delivered(&lab, &summary, "e002", IMAGE);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_entity_is_named_and_harms_no_other() {
    let (mut inventory, mut settings) = network(6, 4 * MIB);
    inventory.memory = MIB;
    let full = Behaviour {
        disk_full_at: Some(MIB),
        ..Behaviour::default()
    };
    let refuses = Behaviour {
        refuse_login: true,
        ..Behaviour::default()
    };
    let dropped = Behaviour {
        drop_at: Some(2 * MIB + 17),
        ..Behaviour::default()
    };
    behave(&mut settings, "e002", full);
    behave(&mut settings, "e004", refuses);
    behave(&mut settings, "e005", dropped);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.outcome, Outcome::Partial);
    for name in ["e001", "e003", "e006"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    for (name, step, words) in [
        ("e002", Step::Send, "552"),
        ("e004", Step::Login, "530"),
        ("e005", Step::Send, ""),
    ] {
        let said = assert_failed(&summary, name, step);
        assert!(said.cause.as_ref().unwrap().contains(words), "{said:?}");
        assert_eq!((said.bytes, said.left.as_deref()), (0, None), "{said:?}");
        // Whoever was sent something got it under a staging name.
        assert_eq!(said.staged, step == Step::Send, "{said:?}");
        assert_untouched(&lab, name);
    }
    assert_eq!(summary.source_bytes, 4 * MIB);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_server_that_dies_at_half_leaves_no_final_name_written() {
    let (mut inventory, mut settings) = network(5, 8 * MIB);
    inventory.memory = MIB;
    let steady = at_rate(4 * MIB);
    settings.file_servers.insert(SERVER.into(), steady);
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    crate::support::within(crate::support::LONG, lab.until_served(SERVER, 4 * MIB)).await;
    lab.kill(SERVER).await;
    let (summary, _) = run.finish().await;

    assert_eq!(summary.outcome, Outcome::Failed);
    for number in 1..=5 {
        let name = format!("e{number:03}");
        let said = assert_failed(&summary, &name, Step::Read);
        assert!(
            said.cause
                .as_ref()
                .unwrap()
                .contains("the source hq failed"),
            "{said:?}"
        );
        assert_untouched(&lab, &name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entity_that_dies_at_half_leaves_nineteen_delivered() {
    let (mut inventory, mut settings) = network(20, 8 * MIB);
    inventory.memory = 2 * MIB;
    let steady = at_rate(8 * MIB);
    settings.file_servers.insert(SERVER.into(), steady);
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    crate::support::within(crate::support::LONG, lab.until_received("e007", 4 * MIB)).await;
    lab.kill("e007").await;
    let (summary, _) = run.finish().await;

    assert_eq!(summary.outcome, Outcome::Partial);
    for number in (1..=20).filter(|number| *number != 7) {
        assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
    }
    let said = entity(&summary, "e007");
    assert_eq!(said.state, EntityState::Failed);
    assert!(said.cause.is_some() && said.step.is_some(), "{said:?}");
    assert_ne!(
        lab.file("e007", crate::support::PATH).unwrap().size(),
        4 * MIB,
        "a partial final name"
    );
    // What may lie there is what was written, under its own name.
    let left = said.left.as_deref().unwrap();
    assert_ne!(left, crate::support::PATH);
    assert_eq!(lab.files("e007"), [crate::support::PATH, left]);
    lab.stop().await;
}

/// The image's digest is known before any entity renames.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_image_reaches_no_final_name() {
    let (mut inventory, settings) = network(3, MIB);
    let mut image = (*inventory.images[0]).clone();
    image.sha256 = Some([7; 32]);
    let image = Arc::new(image);
    inventory.images[0] = image.clone();
    with_group(&mut inventory, |group| group.image = image);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Failed);
    for name in ["e001", "e002", "e003"] {
        let cause = entity(&summary, name).cause.clone().unwrap();
        assert!(
            cause.contains("SHA-256") && cause.contains(&"07".repeat(32)),
            "{cause}"
        );
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_ends_early_or_flips_a_byte_commits_nothing() {
    for (behaviour, words) in [
        (
            Behaviour {
                truncate_at: Some(MIB / 2),
                ..Behaviour::default()
            },
            "ended after 524288",
        ),
        (
            Behaviour {
                corrupt_at: Some(MIB / 2),
                ..Behaviour::default()
            },
            "SHA-256",
        ),
    ] {
        let (mut inventory, mut settings) = network(2, MIB);
        settings.file_servers.insert(SERVER.into(), behaviour);
        let good = lab(&network(1, MIB).0, &network(1, MIB).1).await;
        let mut image = (*inventory.images[0]).clone();
        image.sha256 = good.image_sha256(IMAGE);
        good.stop().await;
        let image = Arc::new(image);
        inventory.images[0] = image.clone();
        with_group(&mut inventory, |group| group.image = image);
        let lab = lab(&inventory, &settings).await;
        let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
        for name in ["e001", "e002"] {
            let said = entity(&summary, name);
            assert_eq!(said.state, EntityState::Failed);
            assert!(said.cause.as_ref().unwrap().contains(words), "{said:?}");
            assert_untouched(&lab, name);
        }
        lab.stop().await;
    }
}

/// Figure 4.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_read_instead_of_the_file_server() {
    for choice in ["named", "any"] {
        let (mut inventory, settings) = network(4, 2 * MIB);
        let peer = Arc::new(crate::support::entity("peer", "2"));
        let empty = Arc::new(crate::support::entity("behind", "2"));
        inventory.entities.extend([empty.clone(), peer.clone()]);
        with_group(&mut inventory, |group| {
            group.source = SourceChoice::Peer(match choice {
                "named" => PeerChoice::Named(peer),
                _ => PeerChoice::Any(vec![empty, peer]),
            });
        });
        let lab = lab(&inventory, &settings).await;
        // Of the two that should have it, one is not there.
        lab.kill("behind").await;
        let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
        assert_eq!(summary.outcome, Outcome::Delivered, "{choice}");
        assert_eq!(summary.groups[0].source, "peer:peer");
        assert_eq!(
            (lab.bytes_served(SERVER), lab.bytes_served("peer")),
            (0, 2 * MIB)
        );
        assert_eq!(summary.source_bytes, 2 * MIB);
        for number in 1..=4 {
            assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
        }
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_the_image_is_refused() {
    for (type_, version, words) in [
        ("adsl", "1", "is at version 1"),
        ("vdsl", "2", "is of type vdsl"),
    ] {
        let (mut inventory, settings) = network(2, MIB);
        let mut peer = crate::support::entity("peer", version);
        peer.type_ = type_.into();
        let peer = Arc::new(peer);
        inventory.entities.push(peer.clone());
        with_group(&mut inventory, |group| {
            group.source = SourceChoice::Peer(PeerChoice::Named(peer));
        });
        let lab = lab(&inventory, &settings).await;
        let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
        for name in ["e001", "e002"] {
            let said = assert_failed(&summary, name, Step::Select);
            assert!(said.cause.as_ref().unwrap().contains(words), "{said:?}");
            assert_untouched(&lab, name);
        }
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_has_the_image_is_skipped_unless_forced() {
    let (mut inventory, settings) = network(2, MIB);
    let has_it = Arc::new(crate::support::entity("has-it", "2"));
    inventory.entities.push(has_it.clone());
    with_group(&mut inventory, |group| group.entities.push(has_it));
    let lab = lab(&inventory, &settings).await;

    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(entity(&summary, "has-it").state, EntityState::Skipped);
    assert_eq!(entity(&summary, "has-it").bytes, 0);
    assert_eq!(
        (lab.sessions("has-it"), lab.bytes_received("has-it")),
        (0, 0)
    );
    assert_eq!(summary.delivered_bytes, 2 * MIB);

    let run = Run::idle(lab.inventory());
    run.force(&[GROUP]).await;
    let (summary, _) = run.finish().await;
    assert_delivered(&lab, &summary, "has-it", IMAGE);
    assert_eq!(lab.bytes_received("has-it"), MIB);
    lab.stop().await;
}

/// It has the image, and nothing but a peer's reader reads it: also not to tell the new image from
/// the old one, which has the same size.
fn never_read_back(name: &str) -> subtend::model::Entity {
    subtend::model::Entity {
        verify: VerifyMode::None,
        ..crate::support::entity(name, "2")
    }
}

/// A peer that is to be written is not read: what it holds would change under the reader.
#[tokio::test(flavor = "multi_thread")]
async fn a_forced_group_reads_only_from_peers_that_it_does_not_write() {
    let (mut inventory, settings) = network(2, MIB);
    let target = Arc::new(never_read_back("a-target"));
    let bystander = Arc::new(crate::support::entity("bystander", "2"));
    let peers = vec![target.clone(), bystander.clone()];
    inventory.entities.extend(peers.clone());
    with_group(&mut inventory, |group| {
        group.entities.push(target.clone());
        group.source = SourceChoice::Peer(PeerChoice::Any(peers));
    });
    let mut both = (*inventory.groups[0]).clone();
    both.name = "both".into();
    both.entities.push(bystander);
    inventory.groups.push(Arc::new(both));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::idle(lab.inventory());
    run.force(&["both"]).await;
    let refused = run.until_refused().await;
    for word in ["both", "a-target, bystander", "--force"] {
        assert!(refused.contains(word), "{refused}");
    }
    run.force(&[GROUP]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(summary.groups[0].source, "peer:bystander");
    for name in ["e001", "e002", "a-target"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_eq!(
        (lab.bytes_served("a-target"), lab.bytes_served("bystander")),
        (0, MIB)
    );
    lab.stop().await;
}

/// A group that joins does not read from what a running, forced group writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_joins_reads_from_no_peer_that_is_being_upgraded() {
    let (mut inventory, mut settings) = network(2, MIB);
    let written = Arc::new(never_read_back("a-written"));
    let free = Arc::new(crate::support::entity("free", "2"));
    inventory.entities.extend([written.clone(), free.clone()]);
    let all = inventory.groups[0].clone();
    let group = |name: &str, entities, source| {
        Arc::new(Group {
            name: name.into(),
            entities,
            source,
            ..(*all).clone()
        })
    };
    let any = |peers| SourceChoice::Peer(PeerChoice::Any(peers));
    inventory.groups = vec![
        group("writes", vec![written.clone()], all.source.clone()),
        group(
            "reads",
            vec![all.entities[0].clone()],
            any(vec![written.clone(), free]),
        ),
        group(
            "reads-it",
            vec![all.entities[1].clone()],
            any(vec![written]),
        ),
    ];
    behave(&mut settings, "a-written", takes_at(MIB / 2));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::idle(lab.inventory());
    run.force(&["writes"]).await;
    run.until_state("a-written", EntityState::Sending).await;
    run.begin(&["reads-it"]).await;
    let refused = run.until_refused().await;
    assert!(refused.contains("`reads-it` has no peer left"), "{refused}");
    run.begin(&["reads"]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(summary.groups[1].source, "peer:free");
    assert_eq!(lab.bytes_served("a-written"), 0);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_the_memory_does_not_suffice_for_is_refused() {
    let (mut inventory, mut settings) = network(2, MIB);
    inventory.memory = 255 << 10;
    let all = inventory.groups[0].clone();
    inventory.groups = (0..2)
        .map(|number| {
            Arc::new(Group {
                name: format!("group-{number}").into(),
                entities: vec![all.entities[number].clone()],
                ..(*all).clone()
            })
        })
        .collect();
    behave(&mut settings, "e001", takes_at(MIB / 2));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &["group-0"]).await;
    run.until_state("e001", EntityState::Sending).await;
    run.begin(&["group-1"]).await;
    let refused = run.until_refused().await;
    assert!(refused.contains("at least 256.0 KiB"), "{refused}");
    let (summary, _) = run.finish().await;
    assert_eq!(summary.groups.len(), 1);
    assert_delivered(&lab, &summary, "e001", IMAGE);
    assert_untouched(&lab, "e002");
    lab.stop().await;
}

/// Two groups with images of their own share the memory; a third joins, one ends.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_run_together_share_the_memory() {
    let (mut inventory, mut settings) = network(6, 4 * MIB);
    inventory.memory = 3 * MIB;
    inventory.buffers = BufferPreference::Size(64 << 10);
    let all = inventory.groups[0].clone();
    let mut images = Vec::new();
    inventory.groups = (0..3)
        .map(|number| {
            let image = Arc::new(Image {
                name: format!("image-{number}").into(),
                file: format!("image-{number}.bin"),
                ..(*all.image).clone()
            });
            images.push(image.clone());
            settings
                .images
                .entry(image.name.to_string())
                .or_default()
                .size = Some(4 * MIB);
            Arc::new(Group {
                name: format!("group-{number}").into(),
                image,
                entities: all.entities[number * 2..number * 2 + 2].to_vec(),
                ..(*all).clone()
            })
        })
        .collect();
    inventory.images = images;
    settings.images.remove(IMAGE);
    for (entities, rate) in [("e00[1-2]", 8 * MIB), ("e00[3-6]", 2 * MIB)] {
        behave(&mut settings, entities, takes_at(rate));
    }
    let lab = lab(&inventory, &settings).await;

    let mut run = Run::start(lab.inventory(), &["group-0", "group-1"]).await;
    run.until_state("e001", EntityState::Sending).await;
    let depths = |run: &Run| -> Vec<usize> {
        let snapshot = run.link.snapshots.borrow();
        snapshot.groups.iter().map(|group| group.depth).collect()
    };
    assert_eq!(
        depths(&run),
        [24, 24],
        "half of 3 MiB in buffers of 64 KiB each"
    );
    run.begin(&["group-2"]).await;
    run.until(|event| matches!(event, Event::Run { groups, .. } if groups.len() == 1))
        .await;
    run.until(|event| matches!(event, Event::Depth { group, from: 24, to: 16, .. } if &**group == "group-1")).await;
    run.until_state("e005", EntityState::Sending).await;
    // The fast group ends first, and its share goes to the others.
    run.until(|event| matches!(event, Event::Depth { group, from: 16, to: 24, .. } if &**group == "group-2")).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert!(
        summary.peak_pool_bytes <= 3 * MIB,
        "{}",
        summary.peak_pool_bytes
    );
    for number in 0..6 {
        let image = format!("image-{}", number / 2);
        assert_delivered(&lab, &summary, &format!("e{:03}", number + 1), &image);
    }
    assert_eq!(summary.source_bytes, 12 * MIB);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_leaves_nothing_behind_within_two_seconds() {
    let (mut inventory, mut settings) = network(8, 32 * MIB);
    inventory.memory = MIB;
    let slow = at_rate(MIB);
    behave(&mut settings, "*", slow);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e008", EntityState::Sending).await;
    crate::support::within(crate::support::LONG, lab.until_received("e001", MIB / 2)).await;
    let asked = Instant::now();
    run.cancel(Target::All).await;
    let (summary, _) = run.finish().await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(2), "cancelling took {took:?}");
    assert_eq!(summary.outcome, Outcome::Cancelled);
    for number in 1..=8 {
        let name = format!("e{number:03}");
        let said = entity(&summary, &name);
        assert_eq!(
            (said.state, &said.cause, &said.left),
            (EntityState::Cancelled, &None, &None)
        );
        assert_untouched(&lab, &name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entity_is_cancelled_and_the_others_go_on() {
    let (mut inventory, mut settings) = network(3, 4 * MIB);
    inventory.memory = MIB;
    behave(&mut settings, "*", takes_at(4 * MIB));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e002", EntityState::Sending).await;
    run.cancel(Target::Entity {
        group: GROUP.into(),
        entity: "e002".into(),
    })
    .await;
    run.until_state("e002", EntityState::Cancelled).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Partial);
    assert_delivered(&lab, &summary, "e001", IMAGE);
    assert_delivered(&lab, &summary, "e003", IMAGE);
    assert_untouched(&lab, "e002");
    lab.stop().await;
}

/// Every wait has an end (promise 5): an entity that falls silent fails by its progress deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_entity_fails_by_its_deadline_and_the_others_are_delivered() {
    let (mut inventory, settings) = network(4, 4 * MIB);
    inventory.memory = MIB;
    with_entities(&mut inventory, |entity| {
        entity.timeouts.progress = Duration::from_secs(2);
        entity.timeouts.reply = Duration::from_secs(2);
    });
    let mut settings: LabSettings = settings;
    behave(
        &mut settings,
        "e003",
        Behaviour {
            silent_at: Some(MIB),
            ..Behaviour::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    let said = assert_failed(&summary, "e003", Step::Send);
    assert_eq!(said.cause.as_deref(), Some("no progress for 2 s"));
    for name in ["e001", "e002", "e004"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_confirmation_and_a_pause_are_waited_for() {
    let (mut inventory, mut settings) = network(3, 2 * MIB);
    inventory.memory = MIB;
    let late = Behaviour {
        confirm_after: Some(Duration::from_millis(700)),
        ..Behaviour::default()
    };
    let pause = Pause {
        every: MIB,
        length: Duration::from_millis(300),
    };
    behave(&mut settings, "e001", late);
    behave(
        &mut settings,
        "e002",
        Behaviour {
            pause: Some(pause),
            ..Behaviour::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e001", EntityState::Confirming).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    for name in ["e001", "e002", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_found_by_default_and_it_is_said_what_was_verified() {
    let (inventory, mut settings) = network(3, MIB);
    assert_eq!(inventory.entities[0].verify, VerifyMode::default());
    behave(
        &mut settings,
        "e002",
        Behaviour {
            corrupt_at: Some(MIB / 3),
            ..Behaviour::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    for name in ["e001", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
        assert_eq!(entity(&summary, name).verified, Verified::Readback);
        // Under the staging name before the rename, and under the final one after it.
        assert_eq!(lab.bytes_served(name), 2 * MIB);
    }
    assert_failed(&summary, "e002", Step::Verify);
    assert_untouched(&lab, "e002");
    assert_eq!(summary.delivered_unproven, 0);
    lab.stop().await;
}

/// Written in place, an old image goes only when the entity takes the new one: nothing of the source
/// is a reason to touch it.
#[tokio::test(flavor = "multi_thread")]
async fn no_image_goes_for_a_source_that_can_not_be_read() {
    const TYPO: &str = "a typo in `file:`";
    const DOWN: &str = "a source that is down";
    const CANCELLED: &str = "cancelled while the source logs in";
    const SILENT: &str = "a source that says nothing, while the entities could begin";
    for what in [TYPO, DOWN, CANCELLED, SILENT] {
        let (mut inventory, settings) = network(3, MIB);
        with_entities(&mut inventory, |entity| entity.staging = Staging::Direct);
        with_group(&mut inventory, |group| group.limits.retries = 0);
        let lab = lab(&inventory, &settings).await;
        let mut served = lab.inventory().clone();
        match what {
            DOWN => lab.kill(SERVER).await,
            CANCELLED => lab.silence(SERVER),
            SILENT => {
                lab.silence(SERVER);
                let server = Arc::make_mut(&mut served.file_servers[0]);
                server.timeouts.reply = Duration::from_millis(500);
                let server = Arc::clone(&served.file_servers[0]);
                with_group(&mut served, |group| {
                    group.source = SourceChoice::FileServer(server);
                });
            }
            _ => with_group(&mut served, |group| {
                Arc::make_mut(&mut group.image).file = "no-such.bin".into();
            }),
        }
        let mut run = Run::start(&served, &[GROUP]).await;
        let cancelled = what == CANCELLED;
        if cancelled {
            run.until_state("e003", EntityState::Connecting).await;
            run.cancel(Target::All).await;
        }
        let (summary, _) = run.finish().await;
        for name in ["e001", "e002", "e003"] {
            let said = entity(&summary, name);
            let state = match cancelled {
                true => EntityState::Cancelled,
                false => EntityState::Failed,
            };
            assert_eq!(said.state, state, "{what}: {said:?}");
            assert_ne!(said.holds, Some(Holds::Nothing), "{what}: {said:?}");
            assert_ne!(said.holds, Some(Holds::New), "{what}: {said:?}");
            assert_untouched(&lab, name);
            assert_eq!(lab.bytes_received(name), 0, "{what}");
        }
        lab.stop().await;
    }
}

/// What was moved aside and can't be removed is reported, although the image is delivered.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_image_that_can_not_be_removed_is_reported() {
    let (inventory, mut settings) = network(2, MIB);
    let keeps = Behaviour {
        no_overwrite: true,
        no_delete: true,
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", keeps);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    let said = entity(&summary, "e001");
    // Beside the old image the byte that a rename was rehearsed onto.
    let left = said.left.as_deref().expect("the old image");
    let mut left: Vec<&str> = left.split(", ").collect();
    left.sort_unstable();
    assert_eq!(left.len(), 2);
    let mut files = lab.files("e001");
    files.retain(|file| file != crate::support::PATH);
    assert_eq!(files, left);
    let stands = lab.file("e001", crate::support::PATH).unwrap();
    assert!(stands.same_as_image(IMAGE));
    assert_eq!(entity(&summary, "e002").left, None);
    assert_delivered(&lab, &summary, "e002", IMAGE);
    lab.stop().await;
}

/// By its size alone it is delivered, as asked, and never counted like what is proven.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_by_its_size_alone_is_counted_apart() {
    let (mut inventory, mut settings) = network(3, MIB);
    let entity_of = |inventory: &mut Inventory, verify| {
        with_entities(inventory, |entity| match &*entity.name {
            "e001" => entity.verify = verify,
            "e002" => entity.verify = VerifyMode::None,
            _ => {}
        });
    };
    entity_of(&mut inventory, VerifyMode::Quick);
    let worn = Behaviour {
        corrupt_at: Some(MIB / 3),
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", worn);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    let verified = |name| entity(&summary, name).verified;
    assert_eq!(
        ["e001", "e002", "e003"].map(verified),
        [Verified::Size, Verified::None, Verified::Readback]
    );
    assert_eq!(
        (
            summary.delivered_unproven,
            summary.groups[0].delivered_unproven
        ),
        (2, 2)
    );
    // As it happens, too.
    for (name, how) in [("e001", Verified::Size), ("e003", Verified::Readback)] {
        assert!(
            events.iter().any(|event| matches!(event, Event::State {
                entity, state: EntityState::Delivered, verified: Some(found), ..
            } if &**entity == name && *found == how)),
            "{name}"
        );
    }
    lab.stop().await;
}

/// Entities beyond the limit get the image by a pass of their own.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_limits_how_many_are_served_at_a_time() {
    let (mut inventory, settings) = network(5, MIB);
    with_group(&mut inventory, |group| group.parallel = Some(2));
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(
        (summary.groups[0].passes, summary.source_bytes),
        (3, 3 * MIB)
    );
    let (mut busy, mut most) = (0_i32, 0);
    for event in &events {
        match event {
            Event::State {
                state: EntityState::Connecting,
                ..
            } => busy += 1,
            Event::State {
                state: EntityState::Delivered,
                ..
            } => busy -= 1,
            _ => {}
        }
        most = most.max(busy);
    }
    assert_eq!(most, 2);
    for number in 1..=5 {
        assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_started_is_refused_and_starts_nothing() {
    let (inventory, settings) = network(2, MIB);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &["nobody"]).await;
    let reason = run.until_refused().await;
    assert!(reason.contains("nobody"), "{reason}");
    run.begin(&[GROUP, GROUP]).await;
    run.until_refused().await;
    run.cancel(Target::Group(GROUP.into())).await;
    run.until_refused().await;
    let (summary, _) = run.finish().await;
    assert!(summary.groups.is_empty());
    assert_eq!(lab.sessions(SERVER), 0);
    lab.stop().await;
}

/// What failed is tried again in a group of its own while the rest of its old one still runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_entity_is_tried_again_while_its_group_runs() {
    let (mut inventory, mut settings) = network(3, 4 * MIB);
    inventory.memory = 2 * MIB;
    let flaky = Behaviour {
        drop_at: Some(MIB / 4),
        drop_times: Some(1),
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", takes_at(MIB * 2 / 3));
    behave(&mut settings, "e002", flaky);
    behave(&mut settings, "e003", takes_at(MIB * 2 / 3));
    let lab = lab(&inventory, &settings).await;
    let again = |name: &str, entities: &[&str]| Command::Start {
        groups: vec![GroupSpec::Made(subtend::model::MadeGroup {
            name: name.into(),
            image: ImageSpec::Named(IMAGE.into()),
            source: SourceSpec::FileServer(SERVER.into()),
            then: Vec::new(),
            entities: entities.iter().map(ToString::to_string).collect(),
            policy: subtend::model::DeliveryPolicy::default(),
            campaign: Box::default(),
        })],
        force: false,
    };
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e002", EntityState::Failed).await;
    // Those that are still being written stay where they are, and nothing is started by halves.
    run.send(again("both", &["e002", "e003"])).await;
    let refused = run.until_refused().await;
    assert!(
        refused.contains("e003 is in group `all`, which runs"),
        "{refused}"
    );
    run.send(again("again", &["e002"])).await;
    run.until_state("e002", EntityState::Delivered).await;
    let ended = |run: &Run, entity: &str| {
        run.events.iter().any(|event| {
            matches!(event, Event::State { entity: of, state, .. }
                if &**of == entity && state.is_final())
        })
    };
    assert!(
        !ended(&run, "e001") && !ended(&run, "e003"),
        "they were to run still"
    );

    // A group that has ended is started under the same name again.
    crate::support::within(crate::support::LONG, async {
        let groups = run
            .link
            .snapshots
            .wait_for(|snapshot| snapshot.groups.iter().all(|group| group.phase.is_ended()));
        assert_eq!(groups.await.unwrap().groups.len(), 2);
    })
    .await;
    run.send(again("again", &["e002"])).await;
    let (summary, _) = run.finish().await;
    let groups: Vec<(&str, Outcome)> = (summary.groups.iter())
        .map(|group| {
            let failed = group
                .entities
                .iter()
                .any(|one| one.state == EntityState::Failed);
            let outcome = if failed {
                Outcome::Partial
            } else {
                Outcome::Delivered
            };
            (&*group.group, outcome)
        })
        .collect();
    assert_eq!(
        groups,
        [
            (GROUP, Outcome::Partial),
            ("again", Outcome::Delivered),
            ("again", Outcome::Delivered)
        ]
    );
    for name in ["e001", "e002", "e003"] {
        assert_eq!(lab.files(name), [crate::support::PATH]);
        assert!(
            lab.file(name, crate::support::PATH)
                .unwrap()
                .same_as_image(IMAGE)
        );
    }
    assert!(
        summary.peak_pool_bytes <= 2 * MIB,
        "{}",
        summary.peak_pool_bytes
    );
    lab.stop().await;
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Agents are tasks of their own, and each says what it is about.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run in a process of its own by `agents_say_what_their_lines_are_about`"]
async fn lines_of_agents_are_about_their_group_entity_and_pass() {
    let written = Written::default();
    let writer = written.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    let ours = Targets::new().with_target("subtend", tracing::Level::DEBUG);
    let subscriber = tracing_subscriber::registry().with(ours).with(lines);
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let (mut inventory, mut settings) = network(2, 8 * MIB);
    inventory.memory = 2 * MIB;
    (settings.file_servers).insert(SERVER.into(), at_rate(8 * MIB));
    with_group(&mut inventory, |group| group.name = "logged".into());
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &["logged"]).await;
    crate::support::within(crate::support::LONG, lab.until_received("e002", MIB)).await;
    lab.kill("e002").await;
    run.finish().await;
    lab.stop().await;

    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let about = |spans: &str, words: &str| {
        let spans = format!(" group{{name=logged}}{spans}: subtend::");
        let mut lines = text.lines();
        assert!(
            lines.any(|line| line.contains(&spans) && line.contains(words)),
            "{spans} {words}: {text}"
        );
    };
    // Of the manager, the management agent, and a download agent.
    about(":entity{name=e001}", "entity: delivered");
    about(":entity{name=e002}", "entity: failed at");
    about(":pass{number=1}", "group: has read ");
    about(":pass{number=1}", "agent::management::passes: ended");
    about(":entity{name=e002}", "agent::download::giving_up: ");
    // The name is nowhere else in front of a text.
    for prefix in ["logged/e00", " logged: pass"] {
        assert!(!text.contains(prefix), "{prefix}: {text}");
    }
}

#[test]
fn agents_say_what_their_lines_are_about() {
    crate::support::alone("groups::lines_of_agents_are_about_their_group_entity_and_pass");
}

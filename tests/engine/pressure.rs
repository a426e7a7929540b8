//! What the pool does under pressure: entities of unequal speed, entities and sources that fail and
//! come back, entities that have to wait for their turn.

use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_delivered, assert_failed, assert_untouched, entity};
use crate::support::{GROUP, IMAGE, SERVER, at_rate, behave, lab, network, takes_at, with_group};
use subtend::lab::Behaviour;
use subtend::model::{
    EntityState, Inventory, Laggards, Limits, Outcome, PeerChoice, SourceChoice, Step, VerifyMode,
};
use subtend::protocol::{Event, Summary};

const MIB: u64 = 1 << 20;
/// Shorter than an operator's, so that a test need not be long.
const LIMIT: Duration = Duration::from_millis(300);

fn with_entity(
    inventory: &mut Inventory,
    name: &str,
    change: impl Fn(&mut subtend::model::Entity),
) {
    let changed = |old: &Arc<subtend::model::Entity>| {
        let mut new = (**old).clone();
        if &*new.name == name {
            change(&mut new);
        }
        Arc::new(new)
    };
    inventory.entities = inventory.entities.iter().map(changed).collect();
    with_group(inventory, |group| {
        group.entities = group.entities.iter().map(changed).collect();
    });
}

fn limits(retries: u32) -> Limits {
    Limits {
        laggard: LIMIT,
        retries,
        retry_for: Duration::from_secs(60),
    }
}

fn handled(inventory: &mut Inventory, laggards: Laggards, retries: u32) {
    with_group(inventory, |group| {
        group.laggards = laggards;
        group.limits = limits(retries);
    });
}

/// Five entities, of which `e003` does as the test says, a source of 8 MiB/s, and little memory.
fn five(behaviour: Behaviour, size: u64) -> (Inventory, subtend::lab::LabSettings) {
    let (mut inventory, mut settings) = network(5, size);
    inventory.memory = MIB;
    settings
        .file_servers
        .insert(SERVER.into(), at_rate(8 * MIB));
    behave(&mut settings, "e003", behaviour);
    (inventory, settings)
}

/// The states that an entity went through, each once.
fn states(events: &[Event], wanted: &str) -> Vec<EntityState> {
    let mut states: Vec<EntityState> = events
        .iter()
        .filter_map(|event| match event {
            Event::State { entity, state, .. } if &**entity == wanted => Some(*state),
            _ => None,
        })
        .collect();
    states.dedup();
    states
}

/// The order in which entities got their final state.
fn ended(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::State { entity, state, .. } if state.is_final() => Some(entity.to_string()),
            _ => None,
        })
        .collect()
}

/// Number, source and offset of each pass.
fn passes(events: &[Event]) -> Vec<(u32, String, u64)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Pass {
                pass,
                source,
                offset,
                read: None,
                ..
            } => Some((*pass, source.clone(), *offset)),
            _ => None,
        })
        .collect()
}

fn bounded(summary: &Summary) {
    assert!(
        summary.peak_pool_bytes <= summary.memory,
        "{} bytes in pools",
        summary.peak_pool_bytes
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_entity_catches_up_in_a_pass_of_its_own() {
    let (mut inventory, settings) = five(takes_at(MIB), 8 * MIB);
    handled(&mut inventory, Laggards::CatchUp, 0);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.outcome, Outcome::Delivered);
    for name in ["e001", "e002", "e003", "e004", "e005"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_eq!(ended(&events).last().unwrap(), "e003");
    use EntityState::{CatchingUp, Confirming, Connecting, Delivered, Sending, Verifying, Waiting};
    assert_eq!(
        states(&events, "e003"),
        [
            Waiting, Connecting, Sending, CatchingUp, Confirming, Verifying, Delivered
        ],
    );
    assert_eq!(
        states(&events, "e001"),
        [
            Waiting, Connecting, Sending, Confirming, Verifying, Delivered
        ],
        "the others never notice"
    );
    let passes = passes(&events);
    assert_eq!((passes.len(), &passes[0]), (2, &(1, SERVER.into(), 0)));
    assert!(passes[1].2 > 0 && passes[1].2 < 8 * MIB, "{passes:?}");
    assert_eq!(summary.groups[0].passes, 2);
    assert!(
        summary.source_bytes < 2 * 8 * MIB,
        "{}",
        summary.source_bytes
    );
    // It kept its session and its file.
    assert_eq!(lab.sessions("e003"), 1);
    assert_eq!(lab.bytes_received("e003"), 8 * MIB);
    assert_eq!(entity(&summary, "e003").attempts, 1);
    bounded(&summary);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_slow_entities_share_a_pass() {
    // So slow that the second one is near the first for as long as a busy host may need to notice it.
    let (mut inventory, mut settings) = five(takes_at(MIB / 2), 4 * MIB);
    behave(&mut settings, "e004", takes_at(MIB / 2));
    handled(&mut inventory, Laggards::CatchUp, 0);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    for name in ["e003", "e004"] {
        assert_delivered(&lab, &summary, name, IMAGE);
        assert!(states(&events, name).contains(&EntityState::CatchingUp));
    }
    assert_eq!(passes(&events).len(), 2, "{:?}", passes(&events));
    bounded(&summary);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_wait_all_wait_for_the_slow_one() {
    let (mut inventory, settings) = five(takes_at(4 * MIB), 8 * MIB);
    handled(&mut inventory, Laggards::Wait, 0);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(passes(&events).len(), 1);
    assert_eq!(lab.bytes_served(SERVER), 8 * MIB);
    assert!(!states(&events, "e003").contains(&EntityState::CatchingUp));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_drop_the_slow_one_fails_with_that_cause() {
    let (mut inventory, settings) = five(at_rate(MIB / 2), 8 * MIB);
    handled(&mut inventory, Laggards::Drop, 3);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    let said = assert_failed(&summary, "e003", Step::Send);
    assert_eq!(
        said.cause.as_deref(),
        Some("it held up the others for 300 ms")
    );
    assert_eq!(
        said.attempts, 1,
        "what held up the others once would do it again"
    );
    assert_untouched(&lab, "e003");
    assert_delivered(&lab, &summary, "e001", IMAGE);
    lab.stop().await;
}

/// A silent entity costs no second reading: none is begun for one that takes no bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_entity_leaves_and_fails_by_its_deadline() {
    let silent = Behaviour {
        silent_at: Some(3 * MIB),
        ..Behaviour::default()
    };
    // More than the buffers of both sockets hold.
    let (mut inventory, settings) = five(silent, 32 * MIB);
    handled(&mut inventory, Laggards::CatchUp, 0);
    with_entity(&mut inventory, "e003", |entity| {
        entity.timeouts.progress = Duration::from_secs(10);
    });
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    let said = assert_failed(&summary, "e003", Step::Send);
    assert_eq!(said.cause.as_deref(), Some("no progress for 10 s"));
    assert_eq!(
        ended(&events).last().unwrap(),
        "e003",
        "the others did not wait for it"
    );
    for name in ["e001", "e002", "e004", "e005"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    assert_eq!(passes(&events).len(), 1);
    lab.stop().await;
}

/// It joined before it was connected, and the others do not wait for that either.
#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_takes_long_to_connect_gets_a_pass_of_its_own() {
    let late = Behaviour {
        latency: Some(Duration::from_millis(400)),
        ..Behaviour::default()
    };
    let (mut inventory, settings) = five(late, 8 * MIB);
    handled(&mut inventory, Laggards::CatchUp, 0);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_delivered(&lab, &summary, "e003", IMAGE);
    assert_eq!(ended(&events).last().unwrap(), "e003");
    assert_eq!(passes(&events)[1].2, 0, "it had nothing yet");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_was_cut_off_is_tried_again() {
    let cut = Behaviour {
        drop_at: Some(3 * MIB),
        drop_times: Some(1),
        ..Behaviour::default()
    };
    let (mut inventory, settings) = five(cut, 4 * MIB);
    handled(&mut inventory, Laggards::CatchUp, 3);
    // What was read back is proven, and may be read by others.
    for name in ["e001", "e002", "e004", "e005"] {
        with_entity(&mut inventory, name, |entity| {
            entity.verify = VerifyMode::Readback;
        });
    }
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_delivered(&lab, &summary, "e003", IMAGE);
    assert_eq!(entity(&summary, "e003").attempts, 2);
    assert!(states(&events, "e003").contains(&EntityState::Retrying));
    let told = events.iter().find_map(|event| match event {
        Event::State {
            state: EntityState::Retrying,
            step,
            cause,
            attempt,
            ..
        } => Some((*step, cause.clone(), *attempt)),
        _ => None,
    });
    let (step, cause, attempt) = told.unwrap();
    assert_eq!((step, attempt), (Some(Step::Send), 1));
    assert!(cause.unwrap().contains("426"));
    // The others have it by then: one of them is read.
    let passes = passes(&events);
    assert!(
        passes[1].1.starts_with("peer:e00") && passes[1].2 == 0,
        "{passes:?}"
    );
    assert_eq!(lab.bytes_served(SERVER), 4 * MIB);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_wrong_is_given_up_and_what_is_permanent_is_not_tried_again() {
    let cut = Behaviour {
        drop_at: Some(MIB),
        ..Behaviour::default()
    };
    let full = Behaviour {
        disk_full_at: Some(MIB),
        ..Behaviour::default()
    };
    let (mut inventory, mut settings) = five(cut, 4 * MIB);
    behave(&mut settings, "e004", full);
    handled(&mut inventory, Laggards::CatchUp, 2);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    let said = assert_failed(&summary, "e003", Step::Send);
    assert_eq!(said.attempts, 3);
    let cause = said.cause.as_deref().unwrap();
    assert!(
        cause.contains("426") && cause.ends_with("; tried again 2 times"),
        "{cause}"
    );
    assert_eq!(assert_failed(&summary, "e004", Step::Send).attempts, 1);
    assert_delivered(&lab, &summary, "e001", IMAGE);
    for name in ["e003", "e004"] {
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_breaks_off_is_read_on_from_the_same_byte() {
    let (mut inventory, mut settings) = network(3, 8 * MIB);
    let breaks = Behaviour {
        drop_at: Some(5 * MIB),
        drop_times: Some(1),
        ..Behaviour::default()
    };
    settings.file_servers.insert(SERVER.into(), breaks);
    handled(&mut inventory, Laggards::CatchUp, 3);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    for name in ["e001", "e002", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
        assert_eq!(entity(&summary, name).attempts, 1, "entities do not notice");
    }
    let said = events.iter().find_map(|event| match event {
        Event::Source {
            pass,
            source,
            offset,
            cause,
            ..
        } => Some((*pass, source.clone(), *offset, cause.clone())),
        _ => None,
    });
    let (pass, source, offset, cause) = said.unwrap();
    assert_eq!((pass, source.as_str()), (1, SERVER));
    assert!(
        offset > 0 && offset <= 5 * MIB && cause.contains("426"),
        "{offset}: {cause}"
    );
    assert_eq!((lab.sessions(SERVER), passes(&events).len()), (2, 1));
    lab.stop().await;
}

/// Two entities have the image already: `e001` is read until it dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_dies_is_replaced_by_another_and_then_by_the_file_server() {
    let (mut inventory, mut settings) = network(5, 16 * MIB);
    for name in ["e001", "e002"] {
        with_entity(&mut inventory, name, |entity| entity.version = "2".into());
        behave(&mut settings, name, at_rate(8 * MIB));
    }
    let peers = inventory.entities[..2].to_vec();
    with_group(&mut inventory, |group| {
        group.entities.drain(..2);
        group.source = SourceChoice::Peer(PeerChoice::Any(peers));
    });
    handled(&mut inventory, Laggards::CatchUp, 3);
    let lab = lab(&inventory, &settings).await;
    // With the digest known beforehand nothing has to be read twice.
    let mut inventory = lab.inventory().clone();
    with_group(&mut inventory, |group| {
        let mut image = (*group.image).clone();
        image.sha256 = lab.image_sha256(IMAGE);
        group.image = Arc::new(image);
    });
    let run = Run::start(&inventory, &[GROUP]).await;
    lab.until_served("e001", 4 * MIB).await;
    lab.kill("e001").await;
    lab.until_served("e002", 4 * MIB).await;
    lab.kill("e002").await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    for name in ["e003", "e004", "e005"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    let sources: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Source { source, .. } => Some(source.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(sources, ["peer:e002", SERVER]);
    assert_eq!(passes(&events), [(1, "peer:e001".into(), 0)]);
    // A little of what was under way when they died was read again.
    assert!(summary.source_bytes < 18 * MIB, "{}", summary.source_bytes);
    let sha256 = hex::encode(lab.image_sha256(IMAGE).unwrap());
    assert_eq!(summary.groups[0].sha256.as_deref(), Some(sha256.as_str()));
    lab.stop().await;
}

/// A peer whose file is another one of the same size: what it holds is compared before it is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_other_bytes_does_not_take_over() {
    let (mut inventory, mut settings) = network(5, 8 * MIB);
    for name in ["e001", "e002"] {
        with_entity(&mut inventory, name, |entity| entity.version = "2".into());
    }
    behave(&mut settings, "e001", at_rate(4 * MIB));
    let peers = inventory.entities[..2].to_vec();
    with_group(&mut inventory, |group| {
        group.entities.drain(..2);
        group.source = SourceChoice::Peer(PeerChoice::Any(peers));
    });
    handled(&mut inventory, Laggards::CatchUp, 3);
    let lab = lab(&inventory, &settings).await;
    // One byte of its copy is not what it should be.
    let mut bytes = lab.file("e002", crate::support::PATH).unwrap().bytes();
    bytes[100] ^= 1;
    let address = lab.inventory().entity("e002").unwrap().address.clone();
    let port = format!("{}:{}", address.host, address.port);
    let mut client = crate::support::client::Client::login(port).await.unwrap();
    let stored = client.store(crate::support::PATH, &bytes).await.unwrap();
    assert!(stored.starts_with("226"), "{stored}");
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_served("e001", 4 * MIB).await;
    lab.kill("e001").await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    for name in ["e003", "e004", "e005"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Source { source, cause, .. } => Some((source.as_str(), cause.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].0 == SERVER
            && told[0]
                .1
                .contains("peer:e002 failed: open: it holds another image"),
        "{told:?}"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_beyond_the_limit_come_later_and_nobody_works_beside_too_many() {
    let (mut inventory, settings) = network(7, 2 * MIB);
    with_group(&mut inventory, |group| group.parallel = Some(3));
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    let (mut working, mut most) = (std::collections::HashSet::new(), 0);
    for event in &events {
        if let Event::State { entity, state, .. } = event {
            match state {
                EntityState::Waiting => {}
                state if state.is_final() => drop(working.remove(entity)),
                _ => drop(working.insert(entity.clone())),
            }
            most = most.max(working.len());
        }
    }
    assert_eq!(most, 3);
    for number in 1..=7 {
        assert_delivered(&lab, &summary, &format!("e00{number}"), IMAGE);
    }
    lab.stop().await;
}

/// An entity that reboots refuses connections for a while; what it held in part stays there.
#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_reboots_is_waited_for() {
    let reboots = Behaviour {
        drop_at: Some(MIB),
        drop_times: Some(1),
        down_for: Some(Duration::from_secs(2)),
        ..Behaviour::default()
    };
    let (mut inventory, settings) = five(reboots, 4 * MIB);
    handled(&mut inventory, Laggards::CatchUp, 8);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    assert_delivered(&lab, &summary, "e003", IMAGE);
    let said = entity(&summary, "e003");
    assert!(said.attempts > 2, "it was down when it was tried first");
    assert_eq!(said.left, None, "what an attempt left is gone");
    lab.stop().await;
}

/// The file server gets another file of the same size while the image is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_in_between_fails_the_run() {
    let (mut inventory, mut settings) = network(3, 8 * MIB);
    settings
        .file_servers
        .insert(SERVER.into(), at_rate(4 * MIB));
    handled(&mut inventory, Laggards::CatchUp, 3);
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_served(SERVER, 2 * MIB).await;
    assert!(lab.replace_image(SERVER, IMAGE));
    lab.restart(SERVER, Duration::from_millis(100)).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Failed);
    for name in ["e001", "e002", "e003"] {
        let said = assert_failed(&summary, name, Step::Read);
        let cause = said.cause.as_deref().unwrap();
        assert!(
            cause.contains("changed while it was read: hq gave its file the time or tag"),
            "{cause}"
        );
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

/// Without `REST` the source sends all of it again, and without `sha256` in the inventory nothing
/// is believed that was not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_rest_is_read_from_its_beginning() {
    let (mut inventory, mut settings) = network(3, 4 * MIB);
    let breaks = Behaviour {
        drop_at: Some(3 * MIB),
        drop_times: Some(1),
        no_rest: true,
        ..Behaviour::default()
    };
    settings.file_servers.insert(SERVER.into(), breaks);
    handled(&mut inventory, Laggards::CatchUp, 3);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_delivered(&lab, &summary, "e002", IMAGE);
    assert!(lab.bytes_served(SERVER) > 6 * MIB);
    lab.stop().await;
}

/// Cancelling reaches those that wait to be tried again, and those that wait for a pass.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_cancelled_at_once() {
    let cut = Behaviour {
        drop_at: Some(MIB),
        down_for: Some(Duration::from_secs(100)),
        ..Behaviour::default()
    };
    let (mut inventory, settings) = five(cut, 2 * MIB);
    handled(&mut inventory, Laggards::CatchUp, 8);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e001", EntityState::Delivered).await;
    run.until_state("e003", EntityState::Retrying).await;
    run.cancel(subtend::protocol::Target::All).await;
    let (summary, _) = run.finish_within(Duration::from_secs(10)).await;
    assert_eq!(entity(&summary, "e003").state, EntityState::Cancelled);
    lab.stop().await;
}

//! The pool under pressure, seen over the link alone: depth that follows what the groups need, and
//! what a group is said to wait for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_delivered};
use crate::support::{GROUP, IMAGE, SERVER, at_rate, behave, lab, network, takes_at};
use subtend::lab::{Behaviour, Pause};
use subtend::model::{
    Bottleneck, BufferPreference, EntityState, FileServer, Group, Image, Inventory, Laggards,
    Outcome, SourceChoice,
};
use subtend::protocol::{Event, GroupPhase, GroupSnapshot, Snapshot, Summary};

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// What a run said about one group while its source was read, sampled as snapshots came.
#[derive(Default)]
struct Watched {
    samples: HashMap<String, Vec<GroupSnapshot>>,
}

impl Watched {
    fn take(&mut self, snapshot: &Snapshot) {
        for group in &snapshot.groups {
            let samples = self.samples.entry(group.group.to_string()).or_default();
            samples.push(GroupSnapshot::clone(group));
        }
    }

    fn of(&self, group: &str) -> &[GroupSnapshot] {
        &self.samples[group]
    }

    /// The bottleneck that was reported most often while the source was read.
    fn bottleneck(&self, group: &str) -> String {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for sample in self.of(group) {
            if sample.phase == GroupPhase::Transferring && sample.bottleneck != Bottleneck::None {
                *counts.entry(sample.bottleneck.to_string()).or_default() += 1;
            }
        }
        println!("{group}: {counts:?}");
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.expect("something was told").0
    }
}

/// Watches a run to its end.
async fn watch(run: Run) -> (Summary, Vec<Event>, Watched) {
    let mut snapshots = run.link.snapshots.clone();
    let sampling = tokio::spawn(async move {
        let mut watched = Watched::default();
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            watched.take(&snapshot);
        }
        watched
    });
    let (summary, events) = run.finish().await;
    (summary, events, sampling.await.unwrap())
}

fn depths(events: &[Event], name: &str) -> Vec<(usize, usize, String)> {
    let of = |event: &Event| match event {
        Event::Depth {
            group,
            from,
            to,
            reason,
            ..
        } if &**group == name => Some((*from, *to, reason.clone())),
        _ => None,
    };
    let depths = events.iter().filter_map(of).collect();
    println!("{name}: {depths:?}");
    depths
}

fn waits(inventory: &mut Inventory) {
    let mut group = (*inventory.groups[0]).clone();
    group.laggards = Laggards::Wait;
    inventory.groups[0] = Arc::new(group);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_bound_group_gives_buffers_back_and_waits_for_its_source() {
    let (mut inventory, mut settings) = network(4, 3 * MIB);
    inventory.memory = 2 * MIB;
    inventory.buffers = BufferPreference::Size(16 * KIB);
    settings
        .file_servers
        .insert(SERVER.into(), at_rate(512 * KIB));
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let (summary, events, watched) = watch(run).await;

    assert_eq!(summary.outcome, Outcome::Delivered);
    let depths = depths(&events, GROUP);
    let (from, to, reason) = &depths[0];
    assert_eq!(*from, 128, "one group begins with all of the memory");
    assert!(*to < 64, "{to}");
    assert_eq!(
        *reason,
        format!("mostly empty: gives {} buffers back", from - to)
    );
    assert_eq!(watched.bottleneck(GROUP), "source");
    // The newest depth and its reason are in the snapshot.
    let last = watched.of(GROUP).last().unwrap();
    let (_, to, reason) = depths.last().unwrap();
    assert_eq!(
        (last.depth, last.depth_reason.as_ref()),
        (*to, Some(reason))
    );
    let known: Vec<f64> = (watched.of(GROUP).iter())
        .filter(|sample| sample.read > MIB && sample.bottleneck == Bottleneck::Source)
        .filter_map(|sample| sample.time_left)
        .collect();
    assert!(!known.is_empty(), "the time left is told");
    assert!(known.iter().all(|left| *left >= 0.0 && left.is_finite()));
    for number in 1..=4 {
        assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_groups_the_one_that_jitters_ends_with_the_larger_share() {
    let (mut inventory, mut settings) = network(6, 24 * MIB);
    inventory.memory = MIB;
    inventory.buffers = BufferPreference::Size(32 * KIB);
    let all = inventory.groups[0].clone();
    let server = Arc::new(FileServer {
        name: "slow".into(),
        ..(*inventory.file_servers[0]).clone()
    });
    inventory.file_servers.push(server.clone());
    let image = Arc::new(Image {
        name: "other".into(),
        file: "other.bin".into(),
        ..(*all.image).clone()
    });
    inventory.images.push(image.clone());
    let other = settings.images.entry("other".into()).or_default();
    other.size = Some(3 * MIB + 512 * KIB);
    let steady = Group {
        name: "steady".into(),
        image,
        source: SourceChoice::FileServer(server),
        then: Vec::new(),
        entities: all.entities[..2].to_vec(),
        ..(*all).clone()
    };
    let jitters = Group {
        name: "jitters".into(),
        entities: all.entities[2..].to_vec(),
        ..(*all).clone()
    };
    inventory.groups = vec![Arc::new(steady), Arc::new(jitters)];
    settings
        .file_servers
        .insert("slow".into(), at_rate(512 * KIB));
    settings
        .file_servers
        .insert(SERVER.into(), at_rate(6 * MIB));
    for (number, every) in [(3, 3100), (4, 3700), (5, 4300), (6, 4900)] {
        let behaviour = Behaviour {
            pause: Some(Pause {
                every: every * KIB,
                length: Duration::from_millis(400),
            }),
            ..Behaviour::default()
        };
        behave(&mut settings, &format!("e{number:03}"), behaviour);
    }
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &["steady", "jitters"]).await;
    let (summary, events, watched) = watch(run).await;

    assert_eq!(summary.outcome, Outcome::Delivered);
    assert!(summary.peak_pool_bytes <= MIB);
    let grown = depths(&events, "jitters");
    let shrunk = depths(&events, "steady");
    assert!(shrunk.iter().any(|(from, to, _)| to < from));
    assert!(
        grown
            .iter()
            .any(|(from, to, reason)| to > from && reason.contains("take turns")),
        "{grown:?}"
    );
    // While both still run, at the latest moment.
    let running = |group: &str| -> Vec<usize> {
        let samples = watched.of(group).iter();
        let reads = samples.map(|one| match one.phase {
            GroupPhase::Transferring => one.depth,
            _ => 0,
        });
        reads.collect()
    };
    let both: Vec<(usize, usize)> = (running("steady").into_iter())
        .zip(running("jitters"))
        .filter(|(steady, jitters)| *steady > 0 && *jitters > 0)
        .collect();
    let (steady, jitters) = both.last().unwrap();
    assert!(jitters > steady && *jitters > 16, "{jitters} and {steady}");
    assert!(both.iter().all(|(one, other)| one + other <= 32));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_slow_entity_is_named() {
    let (mut inventory, mut settings) = network(4, 3 * MIB);
    inventory.memory = 256 * KIB;
    inventory.buffers = BufferPreference::Size(32 * KIB);
    waits(&mut inventory);
    behave(&mut settings, "e003", takes_at(MIB));
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let (summary, events, watched) = watch(run).await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(watched.bottleneck(GROUP), "entity:e003");
    assert!(depths(&events, GROUP).is_empty(), "nothing would help");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_that_are_all_slow_are_the_bottleneck() {
    let (mut inventory, mut settings) = network(4, 3 * MIB);
    inventory.memory = 256 * KIB;
    inventory.buffers = BufferPreference::Size(32 * KIB);
    behave(&mut settings, "*", takes_at(MIB));
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let (summary, events, watched) = watch(run).await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    let bottleneck = watched.bottleneck(GROUP);
    assert!(bottleneck.starts_with("entity:e00"), "{bottleneck}");
    assert!(depths(&events, GROUP).is_empty());
    // At the end the group waits for entities only, and says so while any is left.
    let draining = watched.of(GROUP).iter().filter(|sample| {
        sample.phase == GroupPhase::Draining && sample.bottleneck == Bottleneck::Source
    });
    assert!(draining.count() <= 5, "it takes a moment to be sure");
    let sends = |sample: &&GroupSnapshot| {
        let mut entities = sample.entities.iter();
        entities.all(|one| one.state == EntityState::Sending && one.sent > MIB)
    };
    let mut known = watched.of(GROUP).iter().filter(sends);
    assert!(known.any(|sample| sample.time_left.is_some()));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_that_take_turns_to_pause_lack_memory() {
    let (mut inventory, mut settings) = network(8, 10 * MIB);
    inventory.memory = 128 * KIB;
    inventory.buffers = BufferPreference::Size(32 * KIB);
    settings
        .file_servers
        .insert(SERVER.into(), at_rate(4 * MIB));
    for number in 1..=8 {
        let behaviour = Behaviour {
            pause: Some(Pause {
                every: (900 + 130 * number) * KIB,
                length: Duration::from_millis(400),
            }),
            ..Behaviour::default()
        };
        behave(&mut settings, &format!("e{number:03}"), behaviour);
    }
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let (summary, _, watched) = watch(run).await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_eq!(watched.bottleneck(GROUP), "memory");
    lab.stop().await;
}

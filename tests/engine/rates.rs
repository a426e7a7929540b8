//! Caps on file servers, groups, entities and labels, measured at the other end: by what the servers of the lab have got
//! and given. The bounds are wide, for busy machines; `benches/rates.py` has the narrow ones.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sources::passes;
use crate::support::run::{Run, assert_delivered, entity};
use crate::support::{GROUP, IMAGE, SERVER, lab, network, with_group};
use subtend::lab::{Lab, LabSettings};
use subtend::model::campaign::Campaign;
use subtend::model::{Bottleneck, BufferPreference, Cap, Capped, Entity, Inventory, Outcome};
use subtend::protocol::{Change, Command, Event, GroupPhase, GroupSnapshot, Summary};

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;
/// How far a rate may be off over a few seconds.
const OFF: f64 = 0.1;

fn on(text: &str) -> Capped {
    text.parse().unwrap()
}

/// Entities of which the first `north` have that label, under caps.
fn capped(
    entities: usize,
    north: usize,
    size: u64,
    caps: &[(&str, u64)],
) -> (Inventory, LabSettings) {
    let (mut inventory, settings) = network(entities, size);
    let all: Vec<Arc<Entity>> = (inventory.entities.iter().enumerate())
        .map(|(at, entity)| {
            let mut entity = Entity::clone(entity);
            let site = if at < north { "north" } else { "south" };
            entity.labels.insert("site".into(), site.into());
            Arc::new(entity)
        })
        .collect();
    inventory.entities.clone_from(&all);
    // Less than the image.
    inventory.memory = 512 * KIB;
    let mut campaign = Campaign::default();
    for (text, rate) in caps {
        match on(text) {
            Capped::Group(_) => campaign.rate = Some(*rate),
            on => inventory.rates.push(Cap { on, rate: *rate }),
        }
    }
    with_group(&mut inventory, |group| {
        group.entities = all;
        group.campaign = Arc::new(campaign);
    });
    (inventory, settings)
}

/// What was seen ten times a second.
struct Sample {
    at: Instant,
    group: GroupSnapshot,
    /// By entity, and of the file server.
    moved: HashMap<String, u64>,
}

struct Seen {
    samples: Vec<Sample>,
    ended: Instant,
    summary: Summary,
    events: Vec<Event>,
}

impl Seen {
    /// Bytes a second of some of them, between a tenth and nine tenths of what they move.
    fn rate(&self, of: &[&str]) -> f64 {
        let moved = |sample: &Sample| of.iter().map(|one| sample.moved[*one]).sum::<u64>();
        let all = moved(self.samples.last().unwrap());
        let from = self
            .samples
            .iter()
            .find(|one| moved(one) * 10 > all)
            .unwrap();
        let mut before_end = self.samples.iter().rev();
        let to = before_end.find(|one| moved(one) * 10 < all * 9).unwrap();
        let seconds = to.at.duration_since(from.at).as_secs_f64();
        assert!(seconds > 1.0, "too short: {seconds}");
        (moved(to) - moved(from)) as f64 / seconds
    }

    fn is_at(&self, of: &[&str], rate: u64) {
        let measured = self.rate(of);
        let off = measured / rate as f64 - 1.0;
        println!("{of:?}: {measured:.0} of {rate}: {:.1} %", off * 100.0);
        assert!(off.abs() < OFF, "{measured} of {rate}");
    }

    /// It is what most of the samples say that say anything, and the time left was about right.
    fn was_held_by(&self, name: &str) {
        let said: Vec<&Sample> = (self.samples.iter())
            .filter(|one| !matches!(one.group.phase, GroupPhase::Ended(_)))
            .filter(|one| one.group.bottleneck != Bottleneck::None)
            .collect();
        let cap = Bottleneck::Cap(on(name));
        let held = said
            .iter()
            .filter(|one| one.group.bottleneck == cap)
            .count();
        let words: Vec<String> = said
            .iter()
            .map(|one| one.group.bottleneck.to_string())
            .collect();
        assert!(held * 10 >= said.len() * 6, "{name}: {words:?}");
    }

    /// From a tenth of the run on.
    fn knew_its_end(&self) {
        let begun = self.samples[0].at;
        let whole = self.ended.duration_since(begun);
        let mut known = 0;
        for sample in &self.samples {
            let left = self
                .ended
                .saturating_duration_since(sample.at)
                .as_secs_f64();
            let passed = sample.at.duration_since(begun);
            let is_cap = matches!(sample.group.bottleneck, Bottleneck::Cap(_));
            if let (Some(said), true) = (sample.group.time_left, is_cap)
                && passed > whole / 10
                && left > 0.5
            {
                known += 1;
                // What follows the last byte belongs to the run, and not to the sending.
                assert!((said - left).abs() < left * 0.15 + 0.4, "{said} of {left}");
            }
        }
        assert!(known > 5, "{known} estimates");
    }
}

fn moved(lab: &Lab, inventory: &Inventory) -> HashMap<String, u64> {
    let entities = inventory.entities.iter().map(|one| one.name.to_string());
    let mut moved: HashMap<String, u64> = entities
        .map(|name| (name.clone(), lab.bytes_received(&name)))
        .collect();
    moved.insert(SERVER.into(), lab.bytes_served(SERVER));
    moved
}

/// Watches a run to its end; `then` is done once it has sent something.
async fn watch(lab: &Arc<Lab>, inventory: &Inventory) -> Seen {
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let mut snapshots = run.link.snapshots.clone();
    let (lab, inventory) = (lab.clone(), inventory.clone());
    let sampling = tokio::spawn(async move {
        let mut samples = Vec::new();
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(group) = snapshot.groups.first() {
                samples.push(Sample {
                    at: Instant::now(),
                    group: GroupSnapshot::clone(group),
                    moved: moved(&lab, &inventory),
                });
            }
        }
        samples
    });
    let (summary, events) = run.finish().await;
    let ended = Instant::now();
    Seen {
        samples: sampling.await.unwrap(),
        ended,
        summary,
        events,
    }
}

async fn delivered(entities: usize, north: usize, size: u64, caps: &[(&str, u64)]) -> Seen {
    let (inventory, settings) = capped(entities, north, size, caps);
    let lab = Arc::new(lab(&inventory, &settings).await);
    let seen = watch(&lab, &inventory).await;
    assert_eq!(seen.summary.outcome, Outcome::Delivered);
    for entity in &inventory.entities {
        assert_delivered(&lab, &seen.summary, &entity.name, IMAGE);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_of_a_file_server_is_held_to_its_rate() {
    let seen = delivered(4, 0, 4 * MIB, &[("file-server:hq", MIB)]).await;
    seen.is_at(&[SERVER], MIB);
    seen.was_held_by("file-server:hq");
    seen.knew_its_end();
    assert_eq!(passes(&seen.events).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_a_group_is_held_to_its_rate_and_nobody_is_a_laggard_for_that() {
    let (mut inventory, settings) = capped(8, 0, 2 * MIB, &[("group:all", 4 * MIB)]);
    // Two buffers: whoever comes last in a round holds the others up.
    inventory.memory = 128 * KIB;
    inventory.buffers = BufferPreference::Size(64 * KIB);
    with_group(&mut inventory, |group| {
        group.limits.laggard = Duration::from_millis(150);
    });
    let lab = Arc::new(lab(&inventory, &settings).await);
    let seen = watch(&lab, &inventory).await;
    let names: Vec<String> = inventory
        .entities
        .iter()
        .map(|one| one.name.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    seen.is_at(&names, 4 * MIB);
    seen.was_held_by("group:all");
    seen.knew_its_end();
    assert_eq!(passes(&seen.events).len(), 1, "nobody had to leave");
    for name in names {
        assert_delivered(&lab, &seen.summary, name, IMAGE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_is_held_to_a_rate_catches_up_and_the_others_are_not_harmed() {
    let free = delivered(5, 0, 2 * MIB, &[]).await;
    let seen = delivered(5, 0, 2 * MIB, &[("entity:e003", 400 * KIB)]).await;
    seen.is_at(&["e003"], 400 * KIB);
    seen.knew_its_end();
    assert_eq!(passes(&seen.events).len(), 2, "it had to leave");
    let last = |seen: &Seen| {
        let others = ["e001", "e002", "e004", "e005"];
        let ended = others.map(|name| entity(&seen.summary, name).seconds);
        ended.into_iter().fold(0.0, f64::max)
    };
    // It is borne with for the two seconds of `laggard_limit`.
    let (with, without) = (last(&seen), last(&free));
    assert!(with < without * 1.5 + 3.0, "{with} and {without}");
    let e003 = entity(&seen.summary, "e003").seconds;
    assert!(e003 > 4.5 && with < e003 * 0.85, "{with} and {e003}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_of_a_label_is_shared_by_all_that_have_it() {
    let seen = delivered(6, 2, 2 * MIB, &[("label:site=north", 800 * KIB)]).await;
    seen.is_at(&["e001", "e002"], 800 * KIB);
    let ended = ["e001", "e002"].map(|name| entity(&seen.summary, name).seconds);
    assert!((ended[0] - ended[1]).abs() < 1.0, "{ended:?}");
    let south = entity(&seen.summary, "e006").seconds;
    assert!(south < ended[0] * 0.85, "{south} and {ended:?}");
    let is_label = |one: &&Sample| one.group.bottleneck == Bottleneck::Cap(on("label:site=north"));
    assert!(seen.samples.iter().filter(is_label).count() > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_changed_in_mid_run_and_lifted() {
    let (inventory, settings) = capped(4, 0, 8 * MIB, &[("group:all", 512 * KIB)]);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_received("e001", 64 * KIB).await;
    let sum = || -> u64 {
        inventory
            .entities
            .iter()
            .map(|one| lab.bytes_received(&one.name))
            .sum()
    };
    let set = |rate| Command::Rate {
        on: on("group:all"),
        rate,
    };
    let changed = |rate| move |event: &Event| matches!(event, Event::Campaign { change: Change::Rate { rate: now }, .. } if *now == rate);
    run.send(set(Some(4 * MIB))).await;
    run.until(changed(Some(4 * MIB))).await;
    let (begin, before) = (Instant::now(), sum());
    // 32 MiB would have taken a minute.
    lab.until_received("e001", 2 * MIB).await;
    let rate = (sum() - before) as f64 / begin.elapsed().as_secs_f64();
    println!("{rate:.0} after the change");
    assert!((rate / (4 * MIB) as f64 - 1.0).abs() < OFF * 1.5, "{rate}");
    let snapshot = run.link.snapshots.borrow().clone();
    let campaign = snapshot.groups[0].campaign.as_ref().unwrap();
    assert_eq!(campaign.rate, Some(4 * MIB));
    // Down, and at once.
    run.send(set(Some(256 * KIB))).await;
    run.until(changed(Some(256 * KIB))).await;
    let (begin, before) = (Instant::now(), sum());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let got = sum() - before;
    let could = (256.0 * KIB as f64 * begin.elapsed().as_secs_f64()) as u64;
    // What the sockets held by then.
    assert!(got < could * 11 / 10 + MIB, "{got} of {could}");
    run.send(set(None)).await;
    run.until(changed(None)).await;
    let lifted = Instant::now();
    let (summary, _) = run.finish().await;
    assert!(
        lifted.elapsed() < Duration::from_secs(15),
        "no rate holds it"
    );
    for one in &inventory.entities {
        assert_delivered(&lab, &summary, &one.name, IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_set_where_there_was_none_and_wrong_ones_are_refused() {
    let (inventory, settings) = capped(3, 1, 32 * MIB, &[("group:all", 8 * MIB)]);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    lab.until_received("e001", 64 * KIB).await;
    for (to, rate, why) in [
        ("group:other", Some(MIB), "there is no group:other"),
        ("entity:e009", Some(MIB), "there is no entity:e009"),
        ("label:site=west", None, "there is no label:site=west"),
        ("file-server:x", None, "there is no file-server:x"),
        ("entity:e001", Some(0), "a cap of 0"),
        ("entity:e001", Some(1000), "1000 B/s"),
        ("group:all", Some(2048), "3 entities"),
    ] {
        run.send(Command::Rate { on: on(to), rate }).await;
        let said = run.until_refused().await;
        assert!(said.contains(why), "{said}");
    }
    run.send(Command::Rate {
        on: on("entity:e002"),
        rate: Some(64 * KIB),
    })
    .await;
    run.until(
        |event| matches!(event, Event::Notice { text, .. } if text == "e002 is held to 64.0 KiB/s"),
    )
    .await;
    let (begin, before) = (Instant::now(), lab.bytes_received("e002"));
    let others = lab.bytes_received("e001");
    lab.until_received("e001", others + 4 * MIB).await;
    let got = lab.bytes_received("e002") - before;
    let could = (64.0 * KIB as f64 * begin.elapsed().as_secs_f64()) as u64;
    // What the sockets held by then.
    assert!(got < could * 11 / 10 + MIB, "{got} of {could}");
    run.cancel(subtend::protocol::Target::All).await;
    let begin = Instant::now();
    run.finish().await;
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "nobody waits for a cap any more"
    );
    lab.stop().await;
}

//! Random universes: entities of FTP, SFTP, HTTP and TFTP, of all speeds, that pause, vanish, come back, fill up and
//! fall silent, under a source that does too. Whatever happens, every healthy entity gets the image byte for
//! byte, every other ends in a final state with its true cause, nothing hangs, and the memory is
//! never exceeded. An entity that failed has its old file, but for one of TFTP: that is written over from its first
//! byte on, and what is said of it must be so. Only over TFTP nothing is proven.
//!
//! Seeds are printed. `SUBTEND_SEED=N` plays one again, `SUBTEND_UNIVERSES=N` tries N.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_delivered, assert_untouched, entity};
use crate::support::{GROUP, IMAGE, PATH, SERVER, behave, lab, network, over};
use subtend::lab::{Behaviour, Lab, Pause};
use subtend::model::{EntityState, Holds, Laggards, Limits, PeerChoice, Scheme, SourceChoice};
use subtend::protocol::EntitySummary;

const KIB: u64 = 1 << 10;
/// Longer than all deadlines and retries of one universe together.
const END: Duration = Duration::from_secs(240);

/// SplitMix64: the same seed gives the same universe on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// How an entity says what an FTP server says with this code; all of it over FTP.
fn words(scheme: Scheme, code: &'static str) -> &'static [&'static str] {
    match (scheme, code) {
        (Scheme::Sftp, "426") => &["SSH connection"],
        (Scheme::Sftp, "530") => &["does not let"],
        (Scheme::Sftp, "552") => &["disk full on purpose"],
        (Scheme::Sftp, "553") => &["read-only"],
        (Scheme::Http, "426") => &["HTTP connection was lost"],
        (Scheme::Http, "530") => &["401"],
        (Scheme::Http, "552") => &["507"],
        (Scheme::Http, "553") => &["read-only"],
        // One that is gone and one that is silent look the same.
        (Scheme::Tftp, "426") => &["no progress for", "not confirmed within"],
        (Scheme::Tftp, "552") => &["disk full on purpose"],
        (Scheme::Tftp, "553") => &["read-only"],
        (_, "426") => &["426"],
        (_, "530") => &["530"],
        (_, "552") => &["552"],
        _ => &["553"],
    }
}

/// What an entity must come to.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Delivered,
    /// With one of these in its cause.
    Fails(&'static [&'static str]),
    /// `drop` may take it for a laggard; it is delivered or fails for that.
    MayBeDropped,
}

/// What an entity does, and what must become of it.
fn entity_of(
    chance: &mut Chance,
    scheme: Scheme,
    size: u64,
    laggards: Laggards,
) -> (Behaviour, Fate) {
    let mut behaviour = Behaviour::default();
    let mut fate = Fate::Delivered;
    if chance.one_in(3) {
        behaviour.rate = Some(chance.between(300, 4000) * KIB);
    }
    if chance.one_in(3) {
        behaviour.pause = Some(Pause {
            every: chance.between(200, 1000) * KIB,
            length: Duration::from_millis(chance.between(20, 400)),
        });
        behaviour.random_pauses = chance.one_in(2);
    }
    if chance.one_in(6) {
        behaviour.latency = Some(Duration::from_millis(chance.between(1, 40)));
    }
    let at = chance.below(size);
    match chance.below(16) {
        // Over TFTP nobody logs in, and the old file is always overwritten.
        1 | 11 if scheme == Scheme::Tftp => {}
        0 => behaviour.disk_full_at = Some(at),
        1 => behaviour.refuse_login = true,
        2 => behaviour.read_only = true,
        3 => {
            behaviour.drop_at = Some(at.max(1));
            fate = Fate::Fails(words(scheme, "426"));
        }
        4 | 5 => {
            behaviour.drop_at = Some(at.max(1));
            behaviour.drop_times = Some(u32::try_from(chance.between(1, 2)).unwrap());
        }
        6 | 7 => {
            behaviour.drop_at = Some(at.max(1));
            behaviour.drop_times = Some(1);
            behaviour.down_for = Some(Duration::from_millis(chance.between(100, 2000)));
        }
        8 => behaviour.busy_times = Some(u32::try_from(chance.between(1, 3)).unwrap()),
        9 => {
            // Sockets take some more before the silence is seen, so it begins at once.
            behaviour.silent_at = Some(0);
            fate = Fate::Fails(&["no progress for", "not confirmed within"]);
        }
        10 => behaviour.confirm_after = Some(Duration::from_millis(chance.between(1, 1500))),
        // The old image is moved aside.
        11 => behaviour.no_overwrite = true,
        _ => {}
    }
    if behaviour.disk_full_at.is_some() {
        fate = Fate::Fails(words(scheme, "552"));
    } else if behaviour.refuse_login {
        fate = Fate::Fails(words(scheme, "530"));
    } else if behaviour.read_only {
        fate = Fate::Fails(words(scheme, "553"));
    }
    if laggards == Laggards::Drop && fate == Fate::Delivered {
        fate = Fate::MayBeDropped;
    }
    (behaviour, fate)
}

/// A source that every universe can be delivered from in the end.
fn source_of(chance: &mut Chance, scheme: Scheme, size: u64) -> Behaviour {
    let mut behaviour = Behaviour::default();
    if chance.one_in(2) {
        behaviour.rate = Some(chance.between(1000, 8000) * KIB);
    }
    match chance.below(5) {
        0 => {
            behaviour.drop_at = Some(chance.between(1, size - 1));
            behaviour.drop_times = Some(u32::try_from(chance.between(1, 3)).unwrap());
        }
        1 => behaviour.busy_times = Some(u32::try_from(chance.between(1, 2)).unwrap()),
        _ => {}
    }
    behaviour.no_rest = chance.one_in(4) && scheme == Scheme::Ftp;
    behaviour
}

async fn universe(seed: u64) {
    let chance = &mut Chance(seed);
    let size = chance.between(300, 3000) * KIB + chance.below(1000);
    let count = usize::try_from(chance.between(3, 12)).unwrap();
    let (mut inventory, mut settings) = network(count, size);
    inventory.memory = chance.between(4, 24) * 64 * KIB;
    let laggards = match chance.below(4) {
        0 => Laggards::Wait,
        1 => Laggards::Drop,
        _ => Laggards::CatchUp,
    };
    let source = match chance.one_in(3) {
        true => Scheme::Sftp,
        false => Scheme::Ftp,
    };
    let mut scheme = || match chance.below(6) {
        0 | 1 => Scheme::Sftp,
        2 => Scheme::Http,
        3 => Scheme::Tftp,
        _ => Scheme::Ftp,
    };
    let schemes: Vec<_> = inventory.entities.iter().map(|_| scheme()).collect();
    let mut of_entities = schemes.iter().copied();
    over(&mut inventory, |_| of_entities.next().unwrap(), source);
    let mut fates = BTreeMap::new();
    for (entity, scheme) in inventory.entities.iter().zip(&schemes) {
        let (behaviour, fate) = entity_of(chance, *scheme, size, laggards);
        behave(&mut settings, &entity.name, behaviour);
        fates.insert(entity.name.to_string(), (*scheme, fate));
    }
    settings
        .file_servers
        .insert(SERVER.into(), source_of(chance, source, size));
    let mut group = (*inventory.groups[0]).clone();
    group.laggards = laggards;
    group.limits = Limits {
        laggard: Duration::from_millis(chance.between(450, 1500)),
        retries: 5,
        retry_for: Duration::from_secs(60),
    };
    group.parallel = chance
        .one_in(3)
        .then(|| usize::try_from(chance.between(1, count as u64)).unwrap());
    for entity in &mut inventory.entities {
        let mut changed = (**entity).clone();
        changed.timeouts.progress = Duration::from_secs(3);
        changed.timeouts.reply = Duration::from_secs(3);
        changed.timeouts.confirm = Duration::from_secs(5);
        *entity = Arc::new(changed);
    }
    group.entities.clone_from(&inventory.entities);
    // A peer that dies while it is read is one more entity, which has the image.
    if chance.one_in(3) {
        let mut peer = crate::support::entity("peer", "2");
        peer.timeouts.reply = Duration::from_secs(4);
        let peer = Arc::new(peer);
        inventory.entities.push(peer.clone());
        group.source = SourceChoice::Peer(PeerChoice::Named(peer));
        let dies = Behaviour {
            dies_at: Some(chance.between(1, size)),
            ..Behaviour::default()
        };
        behave(&mut settings, "peer", dies);
    }
    inventory.groups = vec![Arc::new(group)];
    println!(
        "seed {seed}: {count} entities, {size} bytes, from {source:?}, {laggards:?}, {fates:?}"
    );

    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let (summary, _) = run.finish_within(END).await;
    let memory = inventory.memory;
    assert!(
        summary.peak_pool_bytes <= memory,
        "seed {seed}: {summary:?}"
    );
    for (name, (scheme, fate)) in &fates {
        let said = entity(&summary, name);
        let what = format!("seed {seed}: {scheme:?}, {fate:?} but {said:?}");
        match fate {
            Fate::Delivered => assert_eq!(said.state, EntityState::Delivered, "{what}"),
            Fate::Fails(why) => assert!(failed_with(said, why), "{what}"),
            Fate::MayBeDropped => assert!(
                said.state == EntityState::Delivered || failed_with(said, &[]),
                "{what}"
            ),
        }
        match said.state {
            EntityState::Delivered => {
                assert_delivered(&lab, &summary, name, IMAGE);
                let is_proven = said.verified.is_proof();
                assert_eq!(is_proven, *scheme != Scheme::Tftp, "{what}");
            }
            // One that refuses the request has not opened the file.
            _ if *scheme == Scheme::Tftp && *fate != Fate::Fails(words(*scheme, "553")) => {
                assert_true(&lab, name, said.holds, &what);
            }
            // One that is silent or gone can't be asked to remove its staging file.
            _ if said.left.is_some() => {}
            _ => assert_untouched(&lab, name),
        }
    }
    lab.stop().await;
}

/// What is said of an entity that is written under the final name at once is so.
fn assert_true(lab: &Lab, name: &str, holds: Option<Holds>, what: &str) {
    assert_eq!(lab.files(name), [PATH], "{what}");
    let file = lab.file(name, PATH).unwrap();
    let is_new = file.same_as_image(IMAGE);
    match holds {
        Some(Holds::Old) => assert_eq!(file.size(), 4096, "{what}"),
        Some(Holds::New) => assert!(is_new, "{what}"),
        Some(Holds::Nothing) => assert!(!is_new, "{what}"),
        Some(Holds::NewStaged) => panic!("there is no staging: {what}"),
        Some(Holds::Unknown) | None => {}
    }
}

/// Under `drop` a slow entity that would have failed anyway may be dropped first.
fn failed_with(said: &EntitySummary, why: &[&str]) -> bool {
    let cause = said.cause.as_deref().unwrap_or_default();
    said.state == EntityState::Failed
        && (why.iter().any(|why| cause.contains(why)) || cause.contains("held up the others"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_the_healthy_are_delivered_and_the_others_told() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("SUBTEND_SEED") {
        return universe(seed).await;
    }
    let first = RandomState::new().hash_one(0) >> 32;
    let universes: u64 = number("SUBTEND_UNIVERSES").unwrap_or(2);
    // A few at a time: most of their time is waiting.
    let mut running = tokio::task::JoinSet::new();
    for seed in first..first + universes {
        running.spawn(universe(seed));
        if running.len() >= 4 {
            running.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

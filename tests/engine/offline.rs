//! Devices that are off: those that come back get the image, those that don't fail when the time is over, and nothing
//! is held for them meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use subtend::model::campaign::{Campaign, Offline};
use subtend::model::{EntityState, Group, Holds, Inventory, Limits, Outcome, Staging};
use subtend::protocol::{Command, Continued, Event, GroupSpec, OfflineBefore, Target};

use crate::support::run::{Run, assert_delivered, assert_untouched, entity};
use crate::support::upgrades::{Site, assert_sound, logins};
use crate::support::{
    GROUP, IMAGE, LONG, SERVER, behave, lab, network, takes_at, with_group, within,
};

const MIB: u64 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const FIRST: Duration = Duration::from_millis(200);

fn waits(group: &mut Group, at_most: Duration) {
    let offline = Offline::Wait {
        at_most,
        first: FIRST,
    };
    group.campaign = Arc::new(Campaign {
        offline,
        ..Campaign::default()
    });
}

fn waiting(inventory: &mut Inventory, at_most: Duration) {
    with_group(inventory, |group| waits(group, at_most));
}

/// The states that each entity was in, in order, each once where it was reported again.
fn states(events: &[Event]) -> BTreeMap<String, Vec<EntityState>> {
    let mut states: BTreeMap<String, Vec<EntityState>> = BTreeMap::new();
    for event in events {
        if let Event::State { entity, state, .. } = event {
            let of = states.entry(entity.to_string()).or_default();
            if of.last() != Some(state) {
                of.push(*state);
            }
        }
    }
    states
}

/// Waits until each of them is offline.
async fn until_offline(run: &mut Run, names: &[&str]) {
    let mut left: BTreeSet<&str> = names.iter().copied().collect();
    while !left.is_empty() {
        let event = run
            .until(|event| {
                let state = EntityState::Offline;
                matches!(event, Event::State { state: of, .. } if *of == state)
            })
            .await;
        if let Event::State { entity, .. } = event {
            left.remove(&*entity);
        }
    }
}

/// xorshift64*: the same each time.
fn chance(seed: &mut u64) -> u64 {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
}

/// Thirty devices of two hundred are off, and come back at random times within a few seconds.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_of_two_hundred_that_come_back_get_the_image_by_few_passes() {
    let (mut inventory, settings) = network(200, MIB);
    waiting(&mut inventory, 300 * SECOND);
    let lab = lab(&inventory, &settings).await;
    let mut seed = 0x5eed;
    let mut off = BTreeSet::new();
    while off.len() < 30 {
        off.insert(format!("e{:03}", 1 + chance(&mut seed) % 200));
    }
    for name in &off {
        // Its port stays its own meanwhile.
        let after = Duration::from_millis(1500 + chance(&mut seed) % 5000);
        lab.restart(name, after).await;
    }
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    let (summary, events) = run.finish().await;

    assert_eq!(summary.outcome, Outcome::Delivered);
    let passes = summary.groups[0].passes;
    println!(
        "{passes} passes; the source was read {} times, {} bytes",
        lab.sessions(SERVER),
        lab.bytes_served(SERVER)
    );
    assert!(lab.bytes_served(SERVER) <= 3 * MIB);
    assert!(passes <= 6, "{passes}");
    for (name, states) in states(&events) {
        assert_delivered(&lab, &summary, &name, IMAGE);
        assert!(!states.contains(&EntityState::Failed));
        let was_off = states.contains(&EntityState::Offline);
        assert_eq!(was_off, off.contains(&name), "{name}: {states:?}");
        // From there it begins anew, and is not taken for one that is tried again.
        let attempts = entity(&summary, &name).attempts;
        assert!(attempts <= 2, "{name}: {attempts}");
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_comes_fails_when_its_time_is_over_and_the_others_do_not_wait() {
    let (mut inventory, settings) = network(3, MIB);
    let at_most = Duration::from_millis(1500);
    waiting(&mut inventory, at_most);
    let lab = lab(&inventory, &settings).await;
    // Its port stays its own: on one that is free, a device of another test could answer in its place.
    lab.restart("e002", Duration::from_secs(3600)).await;
    let began = Instant::now();
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    let offline = run.until_state("e002", EntityState::Offline).await;
    let Event::State { cause, holds, .. } = offline else {
        unreachable!()
    };
    let cause = cause.unwrap();
    assert!(cause.contains("refused the connection"), "{cause}");
    assert!(cause.contains("; asked again at 2"), "{cause}");
    assert_eq!(holds, None, "that is for final states");
    let (summary, events) = run.finish().await;
    assert!(began.elapsed() >= at_most);
    assert_eq!(summary.outcome, Outcome::Partial);
    for name in ["e001", "e003"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    let said = entity(&summary, "e002");
    let cause = said.cause.clone().unwrap();
    assert_eq!(
        (said.state, said.holds, said.attempts),
        (EntityState::Failed, Some(Holds::Old), 1)
    );
    let end = "it was waited for as long as it may be: 1.5 s, and asked ";
    assert!(cause.contains("refused the connection"), "{cause}");
    assert!(cause.contains(end), "{cause}");
    // It was asked after 200, 400 and 800 ms, more or less, and at the end.
    let asked = (events.iter()).filter(|event| {
        matches!(event, Event::State { entity, state: EntityState::Offline, .. } if &**entity == "e002")
    });
    let asked = asked.count();
    assert!((3..=5).contains(&asked), "{asked}");
    assert!(
        cause.ends_with(&format!("asked {asked} times meanwhile")),
        "{cause}"
    );
    lab.revive("e002").await;
    assert_untouched(&lab, "e002");
    lab.stop().await;
}

/// A group of which all that is left is offline holds no buffer, and is over at once when it is cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn those_that_are_offline_hold_nothing_and_end_at_once_when_they_are_cancelled() {
    let (mut inventory, settings) = network(6, MIB);
    waiting(&mut inventory, 14 * 24 * 3600 * SECOND);
    // Nobody asks again while this test runs.
    with_group(&mut inventory, |group| {
        let mut campaign = (*group.campaign).clone();
        campaign.offline = Offline::Wait {
            at_most: 14 * 24 * 3600 * SECOND,
            first: 3600 * SECOND,
        };
        group.campaign = Arc::new(campaign);
    });
    let lab = lab(&inventory, &settings).await;
    let off = ["e002", "e004", "e006"];
    for name in off {
        lab.kill(name).await;
    }
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    until_offline(&mut run, &off).await;
    let mut snapshots = run.link.snapshots.clone();
    let rest = snapshots.wait_for(|snapshot| {
        let all = || snapshot.groups.iter().flat_map(|group| &group.entities);
        let delivered = |state| all().filter(move |one| one.state == state).count();
        delivered(EntityState::Delivered) == 3 && delivered(EntityState::Offline) == 3
    });
    within(LONG, rest).await.unwrap();
    let empty = snapshots.wait_for(|snapshot| snapshot.pool_bytes == 0);
    let snapshot = within(LONG, empty).await.unwrap().clone();
    assert!(snapshot.is_busy());
    assert_eq!(
        (snapshot.groups[0].used, snapshot.groups[0].time_left),
        (0, None)
    );
    let passes = snapshot.groups[0].passes;

    // One of them, and then all.
    let (group, entity_name) = (GROUP.to_owned(), "e004".to_owned());
    let one = Target::Entity {
        group,
        entity: entity_name,
    };
    let began = Instant::now();
    run.cancel(one).await;
    run.until_state("e004", EntityState::Cancelled).await;
    run.cancel(Target::All).await;
    let (summary, _) = run.finish().await;
    let took = began.elapsed();
    assert!(took < 3 * SECOND, "{took:?}");
    assert_eq!(summary.outcome, Outcome::Cancelled);
    assert_eq!(
        summary.groups[0].passes, passes,
        "no pass was read for them"
    );
    for name in off {
        let said = entity(&summary, name);
        assert_eq!(
            (said.state, said.holds),
            (EntityState::Cancelled, Some(Holds::Old))
        );
    }
    lab.stop().await;
}

/// Its usual retries come first, and begin anew when it is back. What it had of the image is gone with the attempt.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_in_the_middle_and_stays_away_is_offline_after_its_retries() {
    for staging in [Staging::Rename, Staging::Direct] {
        let (mut inventory, mut settings) = network(3, 2 * MIB);
        behave(&mut settings, "e002", takes_at(MIB));
        for entity in &mut inventory.entities {
            Arc::make_mut(entity).staging = staging;
        }
        let entities = inventory.entities.clone();
        with_group(&mut inventory, |group| {
            group.entities = entities;
            group.limits = Limits {
                retries: 1,
                ..Limits::default()
            };
            waits(group, 300 * SECOND);
        });
        let lab = lab(&inventory, &settings).await;
        let mut run = Run::start(lab.inventory(), &[GROUP]).await;
        within(LONG, lab.until_received("e002", MIB / 4)).await;
        lab.kill("e002").await;
        run.until_state("e002", EntityState::Retrying).await;
        run.until_state("e002", EntityState::Offline).await;
        lab.revive("e002").await;
        let (summary, events) = run.finish().await;
        assert_eq!(summary.outcome, Outcome::Delivered);
        for name in ["e001", "e002", "e003"] {
            assert_delivered(&lab, &summary, name, IMAGE);
        }
        let states = &states(&events)["e002"];
        let place = |wanted| states.iter().position(|state| *state == wanted);
        let retrying = place(EntityState::Retrying);
        assert!(retrying < place(EntityState::Offline), "{states:?}");
        assert_eq!(entity(&summary, "e002").attempts, 3, "{states:?}");
        lab.stop().await;
    }
}

/// A device whose command line can't be reached was not touched; once it can, each step is carried out once.
#[tokio::test(flavor = "multi_thread")]
async fn devices_whose_steps_come_first_are_waited_for_too() {
    let site = Site {
        numbers: [2, 2, 2],
        activate: "now",
        behaviour: "",
    };
    let lab = site.serve().await;
    let mut inventory = lab.inventory().clone();
    for group in &mut inventory.groups {
        let group = Arc::make_mut(group);
        waits(group, 300 * SECOND);
        group.limits.retries = 0;
    }
    let off = ["t002", "s002", "f002"];
    for name in off {
        lab.kill(name).await;
    }
    // A step that waits for its session gives up after its own time, not after that of the test.
    for group in &mut inventory.groups {
        let group = Arc::make_mut(group);
        if let Some(procedure) = &mut group.procedure {
            for step in &mut Arc::make_mut(procedure).before {
                step.within = SECOND;
            }
        }
    }
    let mut run = Run::with_logins(&inventory, logins());
    run.begin(&["telnet", "ssh", "site"]).await;
    until_offline(&mut run, &off).await;
    for name in off {
        lab.revive(name).await;
    }
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    for said in summary.groups.iter().flat_map(|group| &group.entities) {
        assert_eq!(said.state, EntityState::Upgraded, "{said:?}");
        let ran = &lab.machine(&said.entity).unwrap().ran;
        println!("{}: {ran:?}", said.entity);
    }
    assert_sound(&lab);
    lab.stop().await;
}

/// What an earlier run has delivered is asked about again, not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_may_hold_the_image_is_asked_when_it_is_back() {
    let (mut inventory, settings) = network(2, MIB);
    waiting(&mut inventory, 300 * SECOND);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_ended().await;
    let received = lab.bytes_received("e001");
    lab.kill("e001").await;
    run.begin(&[GROUP]).await;
    run.until_state("e001", EntityState::Offline).await;
    lab.revive("e001").await;
    let (summary, _) = run.finish().await;
    let again = &summary.groups[1];
    for said in &again.entities {
        assert_eq!(said.state, EntityState::Skipped, "{said:?}");
    }
    assert_eq!(again.source_bytes, 0);
    assert_eq!(lab.bytes_received("e001"), received);
    lab.stop().await;
}

/// A server that says no is there.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_refuses_is_not_offline() {
    let (mut inventory, mut settings) = network(2, MIB);
    waiting(&mut inventory, 300 * SECOND);
    let full = crate::support::does("{ disk_full_at: 1 KiB }");
    behave(&mut settings, "e001", full);
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(entity(&summary, "e001").state, EntityState::Failed);
    assert!(!states(&events)["e001"].contains(&EntityState::Offline));
    lab.stop().await;
}

/// `parallel` counts those that get the image, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_does_not_mean_that_one_that_is_off_holds_up_the_rest() {
    let (mut inventory, settings) = network(4, MIB);
    with_group(&mut inventory, |group| {
        group.parallel = Some(1);
        waits(group, 300 * SECOND);
    });
    let lab = lab(&inventory, &settings).await;
    lab.kill("e001").await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    for name in ["e002", "e003", "e004"] {
        run.until_state(name, EntityState::Delivered).await;
    }
    lab.revive("e001").await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    lab.stop().await;
}

/// What an earlier engine has waited counts, and a clock that was set back since does not make it longer.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_engine_has_waited_counts() {
    let (mut inventory, settings) = network(4, MIB);
    waiting(&mut inventory, 60 * SECOND);
    let lab = lab(&inventory, &settings).await;
    lab.kill("e001").await;
    lab.kill("e002").await;
    let now = Timestamp::now();
    // It is asked at least once in the time that is left, on a busy host too.
    let long_ago = now - 55 * SECOND;
    let before = |name: &str, since| OfflineBefore {
        entity: name.into(),
        since,
    };
    let groups = vec![Continued {
        spec: GroupSpec::of(&lab.inventory().groups[0]),
        force: false,
        run: "before".into(),
        ended: Vec::new(),
        offline: vec![
            before("e001", long_ago),
            before("e002", now + 3600 * SECOND),
            // It is back.
            before("e003", long_ago),
        ],
        changes: Vec::new(),
    }];
    let mut run = Run::idle(lab.inventory());
    run.send(Command::Continue { groups }).await;
    let failed = run.until_state("e001", EntityState::Failed).await;
    let Event::State { cause, attempt, .. } = failed else {
        unreachable!()
    };
    let cause = cause.unwrap();
    assert!(cause.contains("at last: connect: "), "{cause}");
    assert!(cause.contains("as long as it may be: 1m 0"), "{cause}");
    assert_eq!(attempt, 0, "it was only asked");
    let first = run.events.iter().find_map(|event| match event {
        Event::State {
            entity,
            state: EntityState::Offline,
            at,
            ..
        } if &**entity == "e001" => Some(*at),
        _ => None,
    });
    assert_eq!(first, Some(long_ago));
    lab.revive("e002").await;
    let (summary, _) = run.finish().await;
    for name in ["e002", "e003", "e004"] {
        assert_delivered(&lab, &summary, name, IMAGE);
    }
    lab.stop().await;
}

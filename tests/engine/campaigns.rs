//! Groups that are gone through in waves, that stop by themselves, and that are paused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use crate::sources::passes;
use crate::support::run::{Run, assert_delivered, assert_untouched, entity};
use crate::support::upgrades::{Site, assert_sound, logins};
use crate::support::{GROUP, IMAGE, LONG, SERVER, behave, does, lab, network, with_group, within};
use subtend::campaign::Clock;
use subtend::lab::LabSettings;
use subtend::model::campaign::{
    Campaign, Days, Percent, Proceed, StopAfter, TimeOfDay, Wave, Window,
};
use subtend::model::{EntityState, Inventory, Logins, Outcome, Verified};
use subtend::protocol::{
    Change, ChangedBefore, Command, Continued, EndedBefore, EntitySnapshot, Event, HeldBy,
    PauseReason, Wait,
};

const MIB: u64 = 1 << 20;

fn with_campaign(inventory: &mut Inventory, campaign: Campaign) {
    with_group(inventory, |group| group.campaign = Arc::new(campaign));
}

fn percent(hundredths: u16) -> Percent {
    Percent::new(hundredths).unwrap()
}

/// One, then a tenth, then the rest.
fn waves() -> Vec<Wave> {
    vec![Wave::Count(1), Wave::Percent(percent(1000)), Wave::Rest]
}

fn name(number: usize) -> String {
    format!("e{number:03}")
}

fn changes(events: &[Event]) -> Vec<Change> {
    let changes = events.iter().filter_map(|event| match event {
        Event::Campaign { change, .. } => Some(change.clone()),
        _ => None,
    });
    changes.collect()
}

/// The entities in the order in which something was first done to them.
fn begun(events: &[Event]) -> Vec<String> {
    let mut begun = Vec::new();
    for event in events {
        if let Event::State { entity, state, .. } = event
            && *state != EntityState::Waiting
            && !begun.contains(&entity.to_string())
        {
            begun.push(entity.to_string());
        }
    }
    begun
}

fn paused(reason: PauseReason) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Campaign { change: Change::Paused(why), .. } if *why == reason)
}

async fn resume(run: &Run) {
    let group = GROUP.into();
    let since = None;
    run.send(Command::Resume { group, since }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waves_follow_each_other_and_the_source_is_read_once_a_wave_at_most() {
    let (mut inventory, settings) = network(20, MIB);
    with_campaign(
        &mut inventory,
        Campaign {
            waves: waves(),
            ..Campaign::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for number in 1..=20 {
        assert_delivered(&lab, &summary, &name(number), IMAGE);
    }
    let ended = |wave, good| Change::WaveEnds {
        wave,
        good,
        unproven: 0,
        failed: 0,
        offline: 0,
    };
    let begins = |wave, entities| Change::WaveBegins { wave, entities };
    assert_eq!(
        changes(&events),
        [
            begins(1, 1),
            ended(1, 1),
            begins(2, 2),
            ended(2, 2),
            begins(3, 17),
            ended(3, 17),
        ]
    );
    let order = begun(&events);
    assert_eq!(order[0], "e001");
    let mut second = order[1..3].to_vec();
    second.sort();
    assert_eq!(second, ["e002", "e003"]);
    // Later waves read what the first one has proven.
    assert_eq!(lab.bytes_served(SERVER), MIB);
    assert_eq!(passes(&events).len(), 3);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_stops_by_itself_in_the_wave_that_fails_and_the_rest_is_untouched() {
    let (mut inventory, mut settings) = network(40, MIB / 4);
    with_campaign(
        &mut inventory,
        Campaign {
            waves: waves(),
            stop_after: Some(StopAfter::Percent(percent(500))),
            ..Campaign::default()
        },
    );
    for number in [3, 5] {
        behave(&mut settings, &name(number), does("{ disk_full_at: 0 B }"));
    }
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    let reason = PauseReason::Failures {
        failed: 2,
        stops_at: 2,
    };
    run.until(paused(reason.clone())).await;

    let mut snapshots = run.link.snapshots.clone();
    let held = snapshots.wait_for(|snapshot| {
        let campaign = snapshot.groups[0].campaign.as_ref();
        campaign.is_some_and(|one| one.waves[1].under_way == 0 && one.held.is_some())
    });
    let snapshot = held.await.unwrap().clone();
    let campaign = snapshot.groups[0].campaign.clone().unwrap();
    assert_eq!((campaign.wave, campaign.untouched), (2, 35));
    assert_eq!((campaign.failed, campaign.stops_at), (2, Some(2)));
    assert_eq!(campaign.held.unwrap().by, HeldBy::Pause(reason));
    assert_eq!(snapshot.groups[0].entities[39].wave, Some(3));
    for number in 6..=40 {
        assert_untouched(&lab, &name(number));
        assert_eq!(lab.sessions(&name(number)), 0);
    }
    // What is known of by now stops it no more.
    resume(&run).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Partial);
    for number in 1..=40 {
        match number {
            3 | 5 => assert_eq!(entity(&summary, &name(number)).state, EntityState::Failed),
            _ => assert_delivered(&lab, &summary, &name(number), IMAGE),
        }
    }
    assert!(changes(&events).contains(&Change::Resumed { forgiven: 2 }));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_is_asked_after_a_wave_and_cancels_what_has_not_begun() {
    let (mut inventory, settings) = network(6, MIB / 4);
    with_campaign(
        &mut inventory,
        Campaign {
            waves: vec![Wave::Count(1), Wave::Count(2), Wave::Rest],
            proceed: Proceed::Ask,
            ..Campaign::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until(paused(PauseReason::Asks { wave: 1 })).await;
    resume(&run).await;
    run.until(paused(PauseReason::Asks { wave: 2 })).await;
    // A second word to go on, sent by mistake, would start what nobody has looked at.
    for number in 4..=6 {
        assert_untouched(&lab, &name(number));
    }
    run.cancel(subtend::protocol::Target::All).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Cancelled);
    for number in 1..=3 {
        assert_delivered(&lab, &summary, &name(number), IMAGE);
    }
    for number in 4..=6 {
        let said = entity(&summary, &name(number));
        assert_eq!(said.state, EntityState::Cancelled, "{said:?}");
        assert_eq!(lab.sessions(&name(number)), 0);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_a_campaign_can_be_paused() {
    let (mut inventory, settings) = network(6, MIB);
    with_group(&mut inventory, |group| group.parallel = Some(2));
    let settings = slow(settings);
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_state("e001", EntityState::Sending).await;
    let group = GROUP.to_owned();
    run.send(Command::Pause { group }).await;
    run.until(paused(PauseReason::Operator)).await;
    let mut snapshots = run.link.snapshots.clone();
    let delivered = snapshots.wait_for(|snapshot| {
        let entities = &snapshot.groups[0].entities[..2];
        entities
            .iter()
            .all(|one| one.state == EntityState::Delivered)
    });
    within(LONG, delivered).await.unwrap();
    for number in 3..=6 {
        assert_untouched(&lab, &name(number));
        assert_eq!(lab.sessions(&name(number)), 0);
    }
    resume(&run).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    lab.stop().await;
}

/// Long enough to be met on the way.
fn slow(mut settings: LabSettings) -> LabSettings {
    for number in 1..=2 {
        behave(&mut settings, &name(number), does("{ rate: 2 MiB/s }"));
    }
    settings
}

/// What another engine would be given that goes on where this one was.
fn continued(run: &str, events: &[Event]) -> Continued {
    let mut ended: BTreeMap<String, EndedBefore> = BTreeMap::new();
    let mut stored = BTreeMap::new();
    let mut changes = Vec::new();
    let mut spec = None;
    for event in events {
        match event {
            Event::Group { spec: one, .. } => spec = Some((**one).clone()),
            Event::Stored {
                entity,
                bytes,
                verified,
                ..
            } => drop(stored.insert(entity.to_string(), (*bytes, *verified))),
            Event::State {
                entity,
                state,
                step,
                cause,
                attempt,
                holds,
                runs,
                ..
            } if state.is_final() => {
                let (bytes, verified) = stored
                    .get(&**entity)
                    .copied()
                    .unwrap_or((0, Verified::None));
                ended.insert(
                    entity.to_string(),
                    EndedBefore {
                        entity: entity.clone(),
                        state: *state,
                        step: *step,
                        cause: cause.clone(),
                        attempts: *attempt,
                        holds: *holds,
                        runs: runs.clone(),
                        verified,
                        bytes,
                    },
                );
            }
            Event::Campaign { at, change, .. } => changes.push(ChangedBefore {
                at: *at,
                change: change.clone(),
            }),
            _ => {}
        }
    }
    Continued {
        spec: spec.unwrap(),
        force: false,
        run: run.into(),
        ended: ended.into_values().collect(),
        offline: Vec::new(),
        changes,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_engine_goes_on_in_the_pause_and_touches_nothing_that_has_ended() {
    let (mut inventory, mut settings) = network(6, MIB / 4);
    with_campaign(
        &mut inventory,
        Campaign {
            waves: vec![Wave::Count(2), Wave::Rest],
            ..Campaign::default()
        },
    );
    // Without `stop_after`, what fails in a wave is looked at before the next one.
    behave(&mut settings, "e002", does("{ disk_full_at: 0 B }"));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    let failed = PauseReason::WaveFailed { wave: 1, failed: 1 };
    run.until(paused(failed.clone())).await;
    let past = continued("r1", &run.events);
    run.kill();
    let sessions: Vec<u64> = (1..=2)
        .map(|number| lab.sessions(&name(number)) as u64)
        .collect();

    let mut run = Run::idle(lab.inventory());
    run.send(Command::Continue { groups: vec![past] }).await;
    run.until(paused(failed)).await;
    for number in 3..=6 {
        assert_untouched(&lab, &name(number));
    }
    let mut snapshots = run.link.snapshots.clone();
    let held = snapshots.wait_for(|snapshot| {
        let group = snapshot.groups.first();
        group.is_some_and(|group| {
            group
                .campaign
                .as_ref()
                .is_some_and(|one| one.held.is_some())
        })
    });
    assert_eq!(
        held.await.unwrap().groups[0]
            .campaign
            .as_ref()
            .unwrap()
            .untouched,
        4
    );
    resume(&run).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Partial);
    let said = entity(&summary, "e001");
    assert_eq!(
        (said.state, said.bytes, said.verified.is_proof()),
        (EntityState::Delivered, MIB / 4, true)
    );
    assert_eq!(entity(&summary, "e002").state, EntityState::Failed);
    for number in 3..=6 {
        assert_delivered(&lab, &summary, &name(number), IMAGE);
    }
    let now: Vec<u64> = (1..=2)
        .map(|number| lab.sessions(&name(number)) as u64)
        .collect();
    // It is read as a peer, perhaps, and never asked to take anything.
    assert_eq!(now[1], sessions[1]);
    lab.stop().await;
}

/// A clock that tests set.
#[derive(Debug)]
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(text.parse().unwrap())))
    }

    fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// In Berlin, clocks go from 02:00 to 03:00 on 2027-03-28.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_outside_the_window_and_a_skipped_hour_opens_at_its_end() {
    let (mut inventory, settings) = network(3, MIB / 4);
    let time = |hours, minutes| TimeOfDay::new(hours, minutes).unwrap();
    with_campaign(
        &mut inventory,
        Campaign {
            waves: vec![Wave::Count(1), Wave::Rest],
            proceed: Proceed::Ask,
            window: Some(Window {
                days: Days::ALL,
                from: time(2, 30),
                to: time(4, 0),
                zone: "Europe/Berlin".into(),
            }),
            takes: Some(Duration::from_secs(600)),
            ..Campaign::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let clock = SetClock::at("2027-03-28T00:59:59Z");
    let mut run = Run::with_clock(lab.inventory(), Logins::default(), clock.clone());
    run.begin(&[GROUP]).await;
    let opens: Timestamp = "2027-03-28T01:00:00Z".parse().unwrap();
    let waits = |wanted: Wait| move |event: &Event| matches!(event, Event::Campaign { change: Change::Waits(wait), .. } if *wait == wanted);
    run.until(waits(Wait::Window { until: Some(opens) })).await;
    assert_eq!(lab.sessions("e001"), 0);
    clock.set("2027-03-28T01:00:00Z");
    run.until(paused(PauseReason::Asks { wave: 1 })).await;

    // Let go when less is left than one takes: the next day, an hour earlier by UTC.
    clock.set("2027-03-28T01:55:00Z");
    resume(&run).await;
    let next: Timestamp = "2027-03-29T00:30:00Z".parse().unwrap();
    run.until(|event| {
        matches!(event, Event::Campaign { change: Change::Waits(Wait::Room { until, .. }), .. }
            if *until == Some(next))
    })
    .await;
    for number in 2..=3 {
        assert_untouched(&lab, &name(number));
        assert_eq!(lab.sessions(&name(number)), 0);
    }
    clock.set("2027-03-29T00:30:00Z");
    let (summary, _) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    lab.stop().await;
}

/// The image comes by day; devices are made to run it by night, in waves.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_by_day_is_made_to_run_in_the_window() {
    let site = Site {
        numbers: [4, 1, 1],
        activate: "now",
        behaviour: "",
    };
    let lab = site.serve().await;
    let mut inventory = lab.inventory().clone();
    let campaign = Campaign {
        waves: vec![Wave::Count(1), Wave::Rest],
        window: Some(Window {
            days: Days::ALL,
            from: TimeOfDay::new(1, 0).unwrap(),
            to: TimeOfDay::new(5, 0).unwrap(),
            zone: "UTC".into(),
        }),
        window_is_for_activation: true,
        ..Campaign::default()
    };
    let group = inventory
        .groups
        .iter_mut()
        .find(|group| &*group.name == "telnet");
    Arc::make_mut(group.unwrap()).campaign = Arc::new(campaign);
    let clock = SetClock::at("2026-11-27T12:00:00Z");
    let run = Run::with_clock(&inventory, logins(), clock.clone());
    run.begin(&["telnet"]).await;
    let mut snapshots = run.link.snapshots.clone();
    let delivered = snapshots.wait_for(|snapshot| {
        let Some(group) = snapshot.groups.first() else {
            return false;
        };
        let has_it = |one: &EntitySnapshot| one.confirmed > 0 && one.state == EntityState::Waiting;
        group.entities.iter().all(has_it)
    });
    let snapshot = within(LONG, delivered).await.unwrap().clone();
    let held = snapshot.groups[0].campaign.clone().unwrap().held.unwrap();
    let opens: Timestamp = "2026-11-28T01:00:00Z".parse().unwrap();
    assert_eq!(held.by, HeldBy::Wait(Wait::Window { until: Some(opens) }));
    let names = ["t001", "t002", "t003", "t004"];
    for name in names {
        let state = lab.machine(name).unwrap();
        assert_eq!(state.version, "1", "{state:?}");
    }
    clock.set("2026-11-28T01:00:00Z");
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    for name in names {
        assert_eq!(entity(&summary, name).state, EntityState::Upgraded);
        assert_eq!(lab.machine(name).unwrap().version, "2");
    }
    // The second wave begins when the first one runs the image.
    let at = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
    let first = at(
        &|event| matches!(event, Event::State { entity, state: EntityState::Upgraded, .. } if &**entity == "t001"),
    );
    let second = at(
        &|event| matches!(event, Event::State { entity, state: EntityState::Activating, .. } if &**entity != "t001"),
    );
    assert!(first < second);
    assert_sound(&lab);
    lab.stop().await;
}

/// Two operators have looked at one pause: what the second one says comes to the next, which it has not seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_to_go_on_ends_the_pause_that_was_looked_at_and_no_other() {
    let (mut inventory, settings) = network(3, MIB / 4);
    with_campaign(
        &mut inventory,
        Campaign {
            waves: vec![Wave::Count(1), Wave::Count(1), Wave::Rest],
            proceed: Proceed::Ask,
            ..Campaign::default()
        },
    );
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    let Event::Campaign { at, .. } = run.until(paused(PauseReason::Asks { wave: 1 })).await else {
        unreachable!();
    };
    let resume = || Command::Resume {
        group: GROUP.into(),
        since: Some(at),
    };
    run.send(resume()).await;
    run.until(paused(PauseReason::Asks { wave: 2 })).await;
    run.send(resume()).await;
    let reason = run.until_refused().await;
    assert!(reason.contains("another pause"), "{reason}");
    assert_untouched(&lab, "e003");
    run.cancel(subtend::protocol::Target::All).await;
    let (summary, _) = run.finish().await;
    assert_eq!(entity(&summary, "e003").state, EntityState::Cancelled);
    lab.stop().await;
}

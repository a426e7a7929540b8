//! Groups that are gone through in waves, that stop by themselves, and that are paused.

use std::sync::Arc;

use crate::sources::passes;
use crate::support::run::{Run, assert_delivered, assert_untouched, entity};
use crate::support::{GROUP, IMAGE, SERVER, behave, does, lab, network, with_group};
use subtend::lab::LabSettings;
use subtend::model::campaign::{Campaign, Percent, Proceed, StopAfter, Wave};
use subtend::model::{EntityState, Inventory, Outcome};
use subtend::protocol::{Change, Command, Event, HeldBy, PauseReason};

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
    run.send(Command::Resume { group }).await;
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
    run.until_state("e001", EntityState::Delivered).await;
    run.until_state("e002", EntityState::Delivered).await;
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

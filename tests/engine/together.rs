//! Entities that are never under way at one time: pairs in one group, and over two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use subtend::model::campaign::Campaign;
use subtend::model::{EntityState, Holds, Inventory, Outcome, Staging, Step};
use subtend::protocol::{Event, GroupSpec};

use crate::support::run::{Run, assert_delivered, assert_untouched};
use crate::support::{GROUP, IMAGE, behave, does, lab, network, with_group};

const MIB: u64 = 1 << 20;

/// Two by two have the same label, `e001` and `e002` first.
fn pairs(inventory: &mut Inventory, change: impl Fn(&mut subtend::model::Entity)) {
    for (place, entity) in inventory.entities.iter_mut().enumerate() {
        let entity = Arc::make_mut(entity);
        entity.labels = BTreeMap::from([("pair".into(), format!("p{}", place / 2))]);
        change(entity);
    }
    let entities = inventory.entities.clone();
    with_group(inventory, |group| {
        group.entities = entities;
        group.campaign = Arc::new(Campaign {
            never_together: Some("pair".into()),
            ..Campaign::default()
        });
    });
}

/// The number in a name, which says its pair.
fn pair(name: &str) -> usize {
    (name[1..].parse::<usize>().unwrap() - 1) / 2
}

/// No two of a pair were under way at one time, as it was reported.
fn assert_apart(events: &[Event]) -> usize {
    let (mut under_way, mut most) = (BTreeSet::new(), 0);
    for event in events {
        let Event::State { entity, state, .. } = event else {
            continue;
        };
        match state {
            EntityState::Waiting => continue,
            state if state.is_final() || *state == EntityState::Offline => {
                under_way.remove(&**entity);
            }
            _ => {
                under_way.insert(&**entity);
            }
        }
        let kinds: BTreeSet<usize> = under_way.iter().map(|name| pair(name)).collect();
        assert_eq!(kinds.len(), under_way.len(), "{under_way:?}");
        most = most.max(under_way.len());
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn of_each_pair_one_is_under_way_and_all_get_the_image() {
    let (mut inventory, settings) = network(12, MIB);
    pairs(&mut inventory, |_| {});
    let lab = lab(&inventory, &settings).await;
    let (summary, events) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert!(assert_apart(&events) > 1, "others are not held up");
    for number in 1..=12 {
        assert_delivered(&lab, &summary, &format!("e{number:03}"), IMAGE);
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mates_in_two_groups_are_kept_apart_too() {
    let (mut inventory, settings) = network(8, MIB);
    pairs(&mut inventory, |_| {});
    // The second group says nothing of pairs.
    let (mut first, mut second) = (
        (*inventory.groups[0]).clone(),
        (*inventory.groups[0]).clone(),
    );
    let of = |rest| {
        let entities = inventory.entities.iter().enumerate();
        let entities = entities.filter(move |(place, _)| place % 2 == rest);
        entities.map(|(_, one)| one.clone()).collect()
    };
    (first.entities, second.entities) = (of(0), of(1));
    second.name = "second".into();
    second.campaign = Arc::default();
    inventory.groups = vec![Arc::new(first), Arc::new(second)];
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP, "second"]).await;
    let (summary, events) = run.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered);
    assert_apart(&events);
    lab.stop().await;
}

/// An entity that lost its old image keeps its mate from being begun, and from that alone.
#[tokio::test(flavor = "multi_thread")]
async fn one_whose_mate_was_lost_is_not_begun_until_it_is_started_again() {
    let (mut inventory, mut settings) = network(4, MIB);
    pairs(&mut inventory, |entity| entity.staging = Staging::Direct);
    behave(&mut settings, "e001", does("{ disk_full_at: 256 KiB }"));
    let lab = lab(&inventory, &settings).await;
    let mut run = Run::start(lab.inventory(), &[GROUP]).await;
    run.until_ended().await;
    let first = run.link.snapshots.borrow().clone();
    let said = |name: &str| {
        let mut all = first.groups[0].entities.iter();
        all.find(|one| &*one.entity == name).unwrap().clone()
    };
    let lost = said("e001");
    assert_eq!(lost.state, EntityState::Failed);
    assert!(lost.holds != Some(Holds::Old), "{lost:?}");
    let mate = said("e002");
    assert_eq!(
        (mate.state, mate.step),
        (EntityState::Failed, Some(Step::Select))
    );
    let cause = mate.cause.unwrap();
    assert!(
        cause.starts_with("not begun: e001, which has the same pair (p0), has failed"),
        "{cause}"
    );
    assert_untouched(&lab, "e002");
    // The operator has looked, and starts that one alone.
    let mut alone = (**lab.inventory().groups.first().unwrap()).clone();
    alone.entities.retain(|one| &*one.name == "e002");
    run.begin_specs(vec![GroupSpec::of(&alone)]).await;
    run.until_state("e002", EntityState::Delivered).await;
    let (summary, _) = run.finish().await;
    assert_eq!(summary.groups[1].entities[0].state, EntityState::Delivered);
    lab.stop().await;
}

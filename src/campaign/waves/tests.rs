//! Examples, and what holds for any group and any campaign.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::waves;
use crate::model::Entity;
use crate::model::campaign::{Campaign, OrderBy, Percent, Wave};
use crate::model::names::natural;
use crate::model::testing::entity;

fn with(labels: &[(&str, &str)]) -> Arc<Entity> {
    let labels = labels.iter().map(|(label, value)| {
        let pair: (String, String) = ((*label).into(), (*value).into());
        pair
    });
    Arc::new(Entity {
        labels: labels.collect(),
        ..entity("e", "1")
    })
}

fn percent(percent: u16) -> Wave {
    Wave::Percent(Percent::new(percent * 100).unwrap())
}

fn by(label: &str, values: &[&str]) -> OrderBy {
    OrderBy {
        label: label.into(),
        values: values.iter().map(|value| (*value).into()).collect(),
    }
}

fn sizes(sizes: Vec<Wave>, entities: usize) -> Vec<usize> {
    let campaign = Campaign {
        waves: sizes,
        ..Campaign::default()
    };
    let waves = waves(&campaign, &vec![with(&[]); entities]);
    assert!(waves.concat().is_sorted(), "nothing asks for another order");
    waves.iter().map(Vec::len).collect()
}

#[test]
fn waves_have_the_sizes_that_are_asked_for() {
    let usual = || vec![Wave::Count(1), percent(10), Wave::Rest];
    assert_eq!(sizes(usual(), 200), [1, 20, 179]);
    assert_eq!(sizes(usual(), 3), [1, 1, 1]);
    assert_eq!(sizes(usual(), 2), [1, 1], "nobody is left for the rest");
    assert_eq!(sizes(usual(), 0), [0; 0]);
    assert_eq!(sizes(vec![], 5), [5]);
    assert_eq!(sizes(vec![Wave::Count(2), Wave::Count(2)], 5), [2, 2, 1]);
    assert_eq!(sizes(vec![Wave::Count(9), Wave::Rest], 5), [5]);
    assert_eq!(sizes(vec![percent(33); 3], 10), [4, 4, 2], "rounded up");
}

#[test]
fn entities_begin_in_the_order_of_their_labels() {
    let entities: Vec<_> = [
        &[("ring", "ring10"), ("site", "west")][..],
        &[("ring", "ring2"), ("site", "west")],
        &[("site", "lab")],
        &[("ring", "core"), ("site", "lab")],
        &[("ring", "ring2"), ("site", "lab")],
        &[],
    ]
    .map(with)
    .to_vec();
    let sorted = |order: Vec<OrderBy>| {
        let campaign = Campaign {
            order,
            ..Campaign::default()
        };
        waves(&campaign, &entities).concat()
    };
    assert_eq!(sorted(vec![]), [0, 1, 2, 3, 4, 5]);
    assert_eq!(sorted(vec![by("ring", &[])]), [3, 1, 4, 0, 2, 5]);
    let first = by("ring", &["ring10", "ring2"]);
    assert_eq!(sorted(vec![first.clone()]), [0, 1, 4, 3, 2, 5]);
    assert_eq!(sorted(vec![first, by("site", &[])]), [0, 4, 1, 3, 2, 5]);
    let site = by("site", &["west"]);
    assert_eq!(sorted(vec![site, by("ring", &[])]), [1, 0, 3, 4, 2, 5]);
}

#[test]
fn entities_of_one_value_are_in_one_wave() {
    let shelves = ["a", "b", "a", "", "c", "b", "c", "a"];
    let entities: Vec<_> = shelves
        .iter()
        .map(|shelf| match *shelf {
            "" => with(&[]),
            shelf => with(&[("shelf", shelf)]),
        })
        .collect();
    let taken = |sizes: &[Wave]| {
        let campaign = Campaign {
            waves: sizes.to_vec(),
            by: Some("shelf".into()),
            ..Campaign::default()
        };
        waves(&campaign, &entities)
    };
    assert_eq!(
        taken(&[Wave::Count(1), Wave::Count(3), Wave::Rest]),
        [vec![0, 2, 7], vec![1, 3, 5], vec![4, 6]]
    );
    assert_eq!(
        taken(&[Wave::Count(4), Wave::Count(1), Wave::Count(1)]),
        [vec![0, 1, 2, 5, 7], vec![3], vec![4, 6]]
    );
}

fn any_entities() -> impl Strategy<Value = Vec<Arc<Entity>>> {
    let value = proptest::option::of("[a-c]?[0-9]{0,2}");
    let labels = (value.clone(), value).prop_map(|(ring, shelf)| {
        let labels = [("ring", ring), ("shelf", shelf)].into_iter();
        let labels = labels.filter_map(|(label, value)| Some((label.to_owned(), value?)));
        labels.collect::<BTreeMap<String, String>>()
    });
    let entity = labels.prop_map(|labels| {
        Arc::new(Entity {
            labels,
            ..entity("e", "1")
        })
    });
    proptest::collection::vec(entity, 0..60)
}

fn any_campaign() -> impl Strategy<Value = Campaign> {
    let wave = prop_oneof![
        (0..25usize).prop_map(Wave::Count),
        (1..=10_000u16).prop_map(|part| Wave::Percent(Percent::new(part).unwrap())),
        Just(Wave::Rest),
    ];
    let label = || prop_oneof![Just("ring"), Just("shelf"), Just("nobody's")];
    let values = proptest::collection::vec("[a-c]?[0-9]{0,2}", 0..4);
    let order = (label(), values).prop_map(|(label, values)| OrderBy {
        label: label.into(),
        values,
    });
    (
        proptest::collection::vec(wave, 0..6),
        proptest::option::of(label()),
        proptest::collection::vec(order, 0..3),
    )
        .prop_map(|(waves, by, order)| Campaign {
            waves,
            by: by.map(Into::into),
            order,
            ..Campaign::default()
        })
}

/// How an order looks at an entity, in words of its own: without the label last, listed before others.
fn may_stand_before(order: &[OrderBy], a: &Entity, b: &Entity) -> bool {
    for OrderBy { label, values } in order {
        let (Some(one), Some(other)) = (a.labels.get(label), b.labels.get(label)) else {
            match a.labels.contains_key(label) == b.labels.contains_key(label) {
                true => continue,
                false => return a.labels.contains_key(label),
            }
        };
        if one == other {
            continue;
        }
        let listed = |value| values.iter().position(|one| one == value);
        return match (listed(one), listed(other)) {
            (Some(one), Some(other)) => one < other,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => natural(one, other).is_lt(),
        };
    }
    true
}

proptest! {
    #[test]
    fn everyone_is_in_one_wave(campaign in any_campaign(), entities in any_entities()) {
        let waves = waves(&campaign, &entities);
        prop_assert!(waves.iter().all(|wave| !wave.is_empty()));
        let mut all = waves.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..entities.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_wave_has_its_size_and_no_set_too_many(campaign in any_campaign(), entities in any_entities()) {
        let label = campaign.by.as_ref();
        let value = |place: &usize| label.and_then(|label| entities[*place].labels.get(label));
        let mut waves = waves(&campaign, &entities).into_iter();
        for size in &campaign.waves {
            let size = match size {
                Wave::Count(0) => continue,
                Wave::Count(count) => *count,
                Wave::Percent(percent) => percent.of(entities.len()),
                Wave::Rest => entities.len(),
            };
            let Some(wave) = waves.next() else { break };
            let left: usize = waves.clone().map(|wave| wave.len()).sum();
            prop_assert!(wave.len() >= size || left == 0);
            let mut sets: Vec<Option<&String>> = Vec::new();
            for place in &wave {
                // Without a value, each is a set.
                if value(place).is_none() || !sets.contains(&value(place)) {
                    sets.push(value(place));
                }
            }
            // Without the set that came in last it would be too small. Of the sets in a wave it is the one whose
            // first member is the last, since sets are taken in the order of their first.
            let last = sets.last().unwrap();
            let in_last = match last {
                Some(_) => wave.iter().filter(|place| value(place) == *last).count(),
                None => 1,
            };
            prop_assert!(wave.len() - in_last < size);
        }
        prop_assert!(waves.count() <= 1, "what is left is one wave");
    }

    #[test]
    fn sets_are_whole(campaign in any_campaign(), entities in any_entities()) {
        let Some(label) = &campaign.by else { return Ok(()) };
        let mut seen: BTreeMap<&String, usize> = BTreeMap::new();
        for (number, wave) in waves(&campaign, &entities).iter().enumerate() {
            for value in wave.iter().filter_map(|place| entities[*place].labels.get(label)) {
                prop_assert_eq!(*seen.entry(value).or_insert(number), number);
            }
        }
    }

    #[test]
    fn the_order_is_kept(campaign in any_campaign(), entities in any_entities()) {
        let waves = waves(&campaign, &entities);
        let stands = |a: &usize, b: &usize| {
            let (one, other) = (&entities[*a], &entities[*b]);
            let back = may_stand_before(&campaign.order, other, one);
            may_stand_before(&campaign.order, one, other) && (a < b || !back)
        };
        for wave in &waves {
            prop_assert!(wave.windows(2).all(|pair| stands(&pair[0], &pair[1])));
        }
        // Over waves as well, where no set is kept together.
        if campaign.by.is_none() {
            prop_assert!(waves.concat().windows(2).all(|pair| stands(&pair[0], &pair[1])));
        }
        // The first of each wave stands before all that come later: nobody overtakes but with its set.
        for (number, wave) in waves.iter().enumerate() {
            let later = waves[number + 1..].concat();
            prop_assert!(later.iter().all(|place| stands(&wave[0], place)));
        }
    }
}

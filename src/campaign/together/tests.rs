//! All histories of small sets of entities, in one group and in two: never two of a kind at one time, nobody is
//! forgotten, and nothing is waited for that does not come.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::model::testing::entity as plain;

/// `pair` is what may not be together; `site` is a label like any other.
fn entity(name: &str, pair: Option<&str>) -> Entity {
    let mut labels = Labels::from([("site".into(), "north".into())]);
    labels.extend(pair.map(|pair| ("pair".to_owned(), pair.to_owned())));
    Entity {
        labels,
        ..plain(name, "1")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Waits,
    UnderWay,
    Offline,
    Good,
    /// It failed, and holds what it held.
    Failed,
    Lost,
    Refused,
}

/// What can happen to the entity at a place.
#[derive(Debug, Clone, Copy)]
enum Does {
    Asks,
    Becomes(At),
}

/// The registry and the entities, played anew for each history: it can't be copied, and need not be.
struct World {
    together: Together,
    entities: Vec<(Entity, Started)>,
    at: Vec<At>,
}

impl World {
    /// Pairs by place; the last entity is in a group of its own, which says nothing of pairs.
    fn new(pairs: &[Option<&str>]) -> Self {
        let mut together = Together::default();
        let (first, second) = (together.start(Some("pair")), together.start(None));
        let entities = pairs.iter().enumerate().map(|(place, pair)| {
            let group = if place + 1 == pairs.len() {
                second
            } else {
                first
            };
            (entity(&format!("e{place}"), *pair), group)
        });
        Self {
            together,
            entities: entities.collect(),
            at: vec![At::Waits; pairs.len()],
        }
    }

    /// Whether it can happen.
    fn can(&self, place: usize, does: Does) -> bool {
        match (does, self.at[place]) {
            (Does::Asks, At::Waits | At::Offline) => true,
            (Does::Becomes(to), At::UnderWay) => to != At::UnderWay,
            _ => false,
        }
    }

    fn play(&mut self, place: usize, does: Does) {
        let (entity, started) = self.entities[place].clone();
        match does {
            Does::Asks => {
                let before = self.at.clone();
                match self.together.take(started, &entity) {
                    Answer::Begins => self.at[place] = At::UnderWay,
                    Answer::Waits(mate) => {
                        let mate = (self.entities.iter()).position(|(one, _)| one.name == mate);
                        let mate = mate.unwrap();
                        assert_eq!(before[mate], At::UnderWay, "it waits for one that will end");
                        assert!(self.are_mates(place, mate));
                    }
                    Answer::Refused(lost) => {
                        let mate =
                            (self.entities.iter()).position(|(one, _)| one.name == lost.mate);
                        let mate = mate.unwrap();
                        assert_eq!(before[mate], At::Lost);
                        assert!(self.are_mates(place, mate));
                        self.at[place] = At::Refused;
                    }
                }
            }
            Does::Becomes(to) => {
                let (state, holds) = match to {
                    At::Offline => (EntityState::Offline, None),
                    At::Good => (EntityState::Upgraded, Some(Holds::New)),
                    At::Failed => (EntityState::Failed, Some(Holds::Old)),
                    _ => (EntityState::Failed, Some(Holds::Nothing)),
                };
                self.together.became(&entity.name, state, holds);
                self.at[place] = to;
            }
        }
        self.is_sound();
    }

    fn are_mates(&self, one: usize, other: usize) -> bool {
        let pair = |place: usize| self.entities[place].0.labels.get("pair");
        one != other && pair(one).is_some() && pair(one) == pair(other)
    }

    fn is_sound(&self) {
        let under_way = |place: &usize| self.at[*place] == At::UnderWay;
        let places: Vec<usize> = (0..self.at.len()).filter(under_way).collect();
        for one in &places {
            for other in &places {
                assert!(
                    !self.are_mates(*one, *other),
                    "{one} and {other}: {:?}",
                    self.at
                );
            }
        }
    }

    /// When those that are under way have come to a good end, everybody else gets a turn, or is refused.
    fn everybody_gets_a_turn(&mut self) {
        for _ in 0..=self.at.len() {
            for place in 0..self.at.len() {
                if self.at[place] == At::UnderWay {
                    self.play(place, Does::Becomes(At::Good));
                }
            }
            for place in 0..self.at.len() {
                if self.can(place, Does::Asks) {
                    self.play(place, Does::Asks);
                }
            }
        }
        let is_waiting = |at: &&At| matches!(at, At::Waits | At::Offline | At::UnderWay);
        assert_eq!(self.at.iter().find(is_waiting), None, "{:?}", self.at);
    }
}

/// Walks every state that histories lead to.
fn walk(pairs: &[Option<&str>]) -> usize {
    let all = [
        Does::Asks,
        Does::Becomes(At::Offline),
        Does::Becomes(At::Good),
        Does::Becomes(At::Failed),
        Does::Becomes(At::Lost),
    ];
    let (mut known, mut open) = (HashSet::new(), VecDeque::from([Vec::new()]));
    while let Some(history) = open.pop_front() {
        let played = || {
            let mut world = World::new(pairs);
            for (place, does) in &history {
                world.play(*place, *does);
            }
            world
        };
        let world = played();
        if !known.insert(world.at.clone()) {
            continue;
        }
        played().everybody_gets_a_turn();
        for place in 0..pairs.len() {
            for does in all.into_iter().filter(|does| world.can(place, *does)) {
                let mut longer: Vec<(usize, Does)> = history.clone();
                longer.push((place, does));
                open.push_back(longer);
            }
        }
    }
    known.len()
}

#[test]
fn in_all_histories_no_two_of_a_pair_are_under_way_and_each_gets_its_turn() {
    let (p, q) = (Some("p"), Some("q"));
    let walked = [
        vec![p, p],
        vec![p, q],
        vec![p, p, p],
        vec![p, p, None],
        vec![p, p, q, q],
        vec![p, q, None, p],
    ]
    .map(|pairs| walk(&pairs));
    println!("{walked:?} states");
    assert!(walked[1] > walked[0], "others are not held up");
    assert!(walked[4] > 200, "{walked:?}");
}

#[test]
fn one_whose_mate_was_lost_is_refused_until_somebody_starts_it_again() {
    let (a, b) = (entity("a", Some("p1")), entity("b", Some("p1")));
    let mut together = Together::default();
    let first = together.start(Some("pair"));
    assert_eq!(together.take(first, &a), Answer::Begins);
    assert_eq!(together.take(first, &a), Answer::Begins, "it has it");
    assert_eq!(together.take(first, &b), Answer::Waits(a.name.clone()));
    // States in between change nothing.
    together.became(&a.name, EntityState::Retrying, None);
    assert_eq!(together.take(first, &b), Answer::Waits(a.name.clone()));
    together.became(&a.name, EntityState::Failed, Some(Holds::Nothing));
    let Answer::Refused(lost) = together.take(first, &b) else {
        panic!("it is the only one left");
    };
    assert_eq!(
        lost.to_string(),
        "not begun: a, which has the same pair (p1), has failed, and it holds no image; look at a first, \
         then start this one again"
    );
    // The operator starts it again.
    let second = together.start(Some("pair"));
    assert_eq!(together.take(second, &b), Answer::Begins);
    together.became(&b.name, EntityState::Delivered, Some(Holds::New));
    // One that is lost, and is well after another try, is in nobody's way.
    assert_eq!(together.take(second, &a), Answer::Begins);
    together.became(&a.name, EntityState::Upgraded, Some(Holds::New));
    assert_eq!(together.take(first, &b), Answer::Begins);
}

#[test]
fn what_an_entity_holds_says_whether_it_was_lost() {
    use EntityState::{Cancelled, Delivered, Failed, Offline, RolledBack, Skipped, Upgraded};
    for (state, holds, lost) in [
        (Failed, Some(Holds::Old), false),
        // It did not come back with it.
        (Failed, Some(Holds::New), true),
        (Failed, Some(Holds::NewStaged), true),
        (Failed, Some(Holds::Nothing), true),
        (Failed, Some(Holds::Unknown), true),
        (Failed, None, true),
        (Cancelled, Some(Holds::Old), false),
        (Cancelled, Some(Holds::New), false),
        (Cancelled, Some(Holds::Nothing), true),
        (Cancelled, None, true),
        (RolledBack, Some(Holds::New), false),
        (Delivered, Some(Holds::New), false),
        (Upgraded, Some(Holds::New), false),
        (Skipped, Some(Holds::New), false),
        (Offline, None, false),
    ] {
        assert_eq!(is_lost(state, holds), lost, "{state} {holds:?}");
    }
}

#[test]
fn a_label_matters_as_long_as_a_group_says_so() {
    let (a, b) = (entity("a", Some("p1")), entity("b", Some("p1")));
    let mut together = Together::default();
    let other = together.start(None);
    assert_eq!(together.take(other, &a), Answer::Begins);
    // A group that is started later is kept from the mates of what runs already.
    let first = together.start(Some("pair"));
    assert_eq!(together.take(first, &b), Answer::Waits(a.name.clone()));
    together.end(Some("pair"));
    assert_eq!(together.take(other, &b), Answer::Begins);
    // An end that comes twice is no harm.
    together.end(Some("pair"));
    together.start(Some("pair"));
    assert_eq!(together.never.get("pair"), Some(&1));
}

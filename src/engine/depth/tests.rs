//! Depth over simulated minutes.

use std::time::{Duration, Instant};

use super::simulation::{BUFFER, Entity, Group, World};
use super::*;
use crate::engine::bottleneck::Finding;

fn steady(count: usize, rate: f64) -> Vec<Entity> {
    (0..count).map(|_| Entity::steady(rate)).collect()
}

/// Each pauses for 0.4 s every 2 s or so, at times of its own.
fn pausing(count: usize, rate: f64) -> Vec<Entity> {
    let one = |number: usize| {
        let every = 1.9 + 0.07 * (number % 5) as f64;
        Entity::pausing(rate, every, 0.37 * number as f64, 0.4)
    };
    (0..count).map(one).collect()
}

fn grow_and_shrink(world: &World, group_index: usize) -> (usize, usize) {
    let of = |grows: bool| {
        let changes = world.changes.iter().map(|(_, change)| change);
        let of = changes.filter(|change| change.group_index == group_index);
        of.filter(|change| (change.to > change.from) == grows)
            .count()
    };
    (of(true), of(false))
}

#[test]
fn a_pool_that_is_mostly_empty_gives_back_and_loses_nothing() {
    let mut world = World::new(32, vec![Group::new(20.0, steady(5, 100.0))]);
    world.run(20.0);
    let depth = world.groups[0].depth;
    assert!((2..=6).contains(&depth), "{depth}");
    assert!(world.groups[0].published() > 0.97 * 20.0 * 20.0);
    assert_eq!(grow_and_shrink(&world, 0), (0, 1), "{:?}", world.changes);
    let (at, first) = &world.changes[0];
    assert!(*at >= 3.0, "{at}");
    assert_eq!(
        first.reason,
        format!("mostly empty: gives {} buffers back", 32 - depth)
    );
}

#[test]
fn a_pool_whose_entities_are_all_slow_does_not_grow() {
    let slow = Group::new(1000.0, steady(5, 20.0));
    let mut world = World::new(32, vec![Group::new(20.0, steady(3, 100.0)), slow]);
    world.run(30.0);
    assert!(world.groups[0].depth <= 6, "there is memory to be had");
    assert_eq!(grow_and_shrink(&world, 1), (0, 0), "{:?}", world.changes);
}

#[test]
fn one_slow_entity_is_no_reason_to_grow() {
    let mut entities = steady(5, 100.0);
    entities.push(Entity::steady(15.0));
    let slow = Group::new(60.0, entities);
    let mut world = World::new(32, vec![Group::new(20.0, steady(3, 100.0)), slow]);
    world.run(30.0);
    assert_eq!(grow_and_shrink(&world, 1), (0, 0), "{:?}", world.changes);
}

#[test]
fn the_group_whose_entities_pause_ends_up_with_the_larger_share() {
    let source_bound = Group::new(20.0, steady(5, 100.0));
    let jitters = Group::new(60.0, pausing(8, 120.0));
    let mut world = World::new(32, vec![source_bound, jitters]);
    world.run(30.0);
    let depths: Vec<usize> = world.groups.iter().map(|group| group.depth).collect();
    assert!(depths[1] > 16 && depths[1] > depths[0] * 2, "{depths:?}");
    assert!(
        world.groups[0].published() > 0.97 * 20.0 * 30.0,
        "loses nothing"
    );
    let reasons = (world.changes.iter()).filter(|(_, change)| change.group_index == 1);
    for (_, change) in reasons {
        assert_eq!(change.reason, "entities take turns to pause: more buffers");
    }
}

#[test]
fn a_pool_that_is_held_up_grows_at_once_and_wins_by_it() {
    // Few buffers at first, as after a quiet time.
    let run = |adapts: bool| {
        let mut quiet = pausing(8, 120.0);
        for entity in &mut quiet {
            entity.pause = None;
        }
        let mut world = World::new(64, vec![Group::new(60.0, quiet)]);
        world.run(8.0);
        let few = world.groups[0].depth;
        assert!(few <= 6, "{few}");
        let before = world.groups[0].published();
        world.groups[0]
            .entities
            .iter_mut()
            .zip(pausing(8, 120.0))
            .for_each(|(one, pauses)| {
                one.pause = pauses.pause;
            });
        if !adapts {
            world.depths = Depths::new(few as u64 * BUFFER, 2 * BUFFER);
            world.depths.join(0, few, BUFFER as usize);
        }
        world.changes.clear();
        world.run(20.0);
        (world.groups[0].published() - before, world)
    };
    let (fixed, _) = run(false);
    let (adaptive, world) = run(true);
    assert!(adaptive > 1.3 * fixed, "{adaptive} against {fixed} blocks");
    let (first, change) = &world.changes[0];
    assert!(*first < 9.5, "{first}");
    assert_eq!(change.to, change.from * 2);
    assert!(world.groups[0].depth >= 24, "{}", world.groups[0].depth);
}

#[test]
fn depth_settles_within_a_minute_of_jitter() {
    let rates = [(60.0, 120.0), (40.0, 60.0), (100.0, 110.0), (30.0, 300.0)];
    for ((source, rate), buffers) in rates.into_iter().zip([96, 48, 24, 12]) {
        let steady = Group::new(20.0, steady(5, 100.0));
        let jitters = Group::new(source, pausing(8, rate));
        let more = Group::new(source / 2.0, pausing(4, rate));
        let mut world = World::new(buffers, vec![steady, jitters, more]);
        world.run(60.0);
        for group_index in 0..3 {
            let turns = world.turns(group_index);
            assert!(
                turns <= 5,
                "group {group_index} turned {turns} times: {:?}",
                world.changes
            );
        }
        let late = (world.changes.iter()).filter(|(at, _)| *at > 40.0).count();
        assert!(late <= 4, "{source} {rate}: {:?}", world.changes);
    }
}

#[test]
fn pauses_that_come_now_and_then_do_not_make_it_swing() {
    // One pause every 9 s: longer than what a mostly empty pool is shrunk after.
    let entities =
        (0..4).map(|number| Entity::pausing(200.0, 36.0, 9.0 * f64::from(number) + 4.0, 0.6));
    let mut world = World::new(64, vec![Group::new(60.0, entities.collect())]);
    world.run(60.0);
    let early = world.turns(0);
    world.run(240.0);
    assert!(early <= 8, "{:?}", world.changes);
    assert!(
        world.turns(0) - early <= 6,
        "it stays deep for longer and longer: {:?}",
        world.changes
    );
}

#[test]
fn a_group_below_its_fair_share_gets_up_to_it() {
    // The first one gives back, the second takes it; then the entities of the first begin to pause.
    let first = Group::new(60.0, steady(8, 120.0));
    let second = Group::new(120.0, pausing(8, 150.0));
    let mut world = World::new(32, vec![first, second]);
    world.run(20.0);
    assert!(world.groups[0].depth < 16 && world.groups[1].depth > 16);
    let pauses = pausing(8, 120.0).into_iter().map(|entity| entity.pause);
    for (entity, pause) in world.groups[0].entities.iter_mut().zip(pauses) {
        entity.pause = pause;
    }
    world.run(20.0);
    let depths: Vec<usize> = world.groups.iter().map(|group| group.depth).collect();
    assert_eq!(depths, [16, 16]);
    assert!(world.changes.iter().any(|(_, change)| {
        change.group_index == 1 && change.reason == "another group needs buffers more"
    }));
}

#[test]
fn groups_that_join_and_end_change_the_shares() {
    let busy = || Group::new(1000.0, steady(3, 20.0));
    let mut world = World::new(32, vec![busy()]);
    world.run(5.0);
    assert_eq!(world.groups[0].depth, 32, "one group has it all");
    let changes = world.depths.make_room(1);
    assert_eq!(changes[0].reason, "a group joined");
    world.take(changes);
    assert_eq!(world.groups[0].depth, 16);
    let mut second = busy();
    second.depth = 16;
    world.groups.push(second);
    world.depths.join(1, 16, BUFFER as usize);
    world.run(5.0);
    assert_eq!(world.changes.len(), 1);
    let changes = world.depths.leave(1);
    assert_eq!(changes[0].reason, "a group ended");
    world.groups.pop();
    world.take(changes);
    assert_eq!(world.groups[0].depth, 32);
}

#[test]
fn what_a_group_gave_back_does_not_come_back_by_itself() {
    let source_bound = || Group::new(20.0, steady(5, 100.0));
    let mut world = World::new(32, vec![source_bound(), source_bound()]);
    world.run(10.0);
    let few = world.groups[0].depth;
    assert!(few <= 6);
    assert!(world.depths.leave(1).is_empty());
    world.groups.pop();
    world.run(10.0);
    assert_eq!(world.groups[0].depth, few);
}

/// What a group was said to wait for, from that second on.
fn found_after(group: &Group, seconds: f64) -> Vec<Finding> {
    let late = |group_index: &usize| {
        group
            .found
            .get(group_index + 1)
            .is_none_or(|(at, _)| *at > seconds)
    };
    let places = (0..group.found.len()).filter(late);
    places
        .map(|group_index| group.found[group_index].1)
        .collect()
}

#[test]
fn the_bottleneck_is_right_in_every_scenario() {
    let finding = |buffers: usize, group: Group, from: f64| {
        let mut world = World::new(buffers, vec![group]);
        world.run(20.0);
        found_after(&world.groups[0], from)
    };
    let fast = || Group::new(20.0, steady(20, 100.0));
    assert_eq!(finding(16, fast(), 1.0), [Finding::Source]);
    let slow = finding(16, Group::new(1000.0, steady(20, 30.0)), 2.0);
    assert!(
        matches!(slow[..], [Finding::Entity(_)]),
        "one of them, and always the same: {slow:?}"
    );
    let mut one_slow = steady(20, 100.0);
    one_slow[7].rate = 15.0;
    let one_slow = Group::new(60.0, one_slow);
    assert_eq!(finding(16, one_slow, 2.0), [Finding::Entity(7)]);
    let mut two_slow = steady(20, 100.0);
    (two_slow[7].rate, two_slow[8].rate) = (15.0, 15.0);
    let two_slow = finding(16, Group::new(60.0, two_slow), 2.0);
    assert!(
        matches!(two_slow[..], [Finding::Entity(7 | 8)]),
        "{two_slow:?}"
    );
    // One falls silent for good at second 10.
    let mut silent = steady(20, 100.0);
    silent[3].pause = Some((1000.0, 10.0, 900.0));
    let silent = Group::new(60.0, silent);
    assert_eq!(
        finding(16, silent, 5.0),
        [Finding::Source, Finding::Entity(3)]
    );
    let little = Group::new(60.0, pausing(20, 120.0));
    assert_eq!(finding(4, little, 5.0), [Finding::Memory]);
    let enough = Group::new(60.0, pausing(20, 120.0));
    assert_eq!(finding(128, enough, 1.0), [Finding::Source]);
}

fn with_available(mib: u64) -> Option<Host> {
    Some(Host {
        available: Some(mib << 20),
        total: Some(4 << 30),
        ..Host::default()
    })
}

#[test]
fn a_host_that_is_short_of_memory_gets_some_back_until_it_is_over() {
    let mut world = World::new(64, vec![Group::new(1000.0, steady(3, 20.0))]);
    world.host = with_available(1000);
    world.run(5.0);
    assert!(world.changes.is_empty());
    world.host = with_available(50);
    world.run(10.0);
    let depths: Vec<usize> = world.changes.iter().map(|(_, change)| change.to).collect();
    assert_eq!(
        depths,
        [32, 16, 8, 4, 2],
        "half a second, down to the floor"
    );
    let pairs = world.changes.windows(2);
    assert!(pairs.clone().all(|pair| pair[1].0 - pair[0].0 > 0.9));
    assert!((world.changes.iter()).all(|(_, one)| one.reason == "the host is short of memory"));
    world.host = with_available(1000);
    world.changes.clear();
    world.run(30.0);
    assert_eq!(world.groups[0].depth, 64);
    assert_eq!(world.changes.len(), 5, "step by step");
    assert_eq!(world.changes[0].1.reason, "the host has memory again");
}

#[test]
fn a_recovery_that_was_too_soon_is_tried_more_and_more_seldom() {
    let mut world = World::new(64, vec![Group::new(1000.0, steady(3, 20.0))]);
    for _ in 0..240 {
        // What the pool has above 16 buffers is what the host lacks.
        world.host = with_available(if world.groups[0].depth > 16 { 10 } else { 1000 });
        world.run(1.0);
    }
    let early = world.changes.iter().filter(|(at, _)| *at < 120.0).count();
    let late = world.changes.len() - early;
    assert!(late < early && late <= 6, "{early} and {late}");
}

#[test]
fn a_busy_processor_halves_the_share_after_a_while() {
    let busy = |percent| {
        Some(Host {
            cpu_stalls: Some(percent),
            ..Host::default()
        })
    };
    let mut world = World::new(64, vec![Group::new(1000.0, steady(3, 20.0))]);
    world.host = busy(99.0);
    world.run(9.0);
    assert!(world.changes.is_empty(), "a moment is nothing");
    world.run(4.0);
    assert_eq!(world.groups[0].depth, 32);
    assert_eq!(
        world.changes[0].1.reason,
        "the host is short of processor time"
    );
    world.host = busy(90.0);
    world.run(20.0);
    assert_eq!(world.groups[0].depth, 32, "not yet calm");
    world.host = busy(20.0);
    world.run(10.0);
    assert_eq!(world.groups[0].depth, 64);
    assert_eq!(world.changes.len(), 2);
}

#[test]
fn a_group_of_several_passes_keeps_two_buffers_for_each() {
    let mut depths = Depths::new(32 * BUFFER, 2 * BUFFER);
    depths.join(0, 32, BUFFER as usize);
    let passes = |count: u32| {
        let pass = |pass| crate::engine::usage::PassFigures {
            pass,
            published: 10,
            depth: 8,
            ..Default::default()
        };
        Figures {
            passes: (0..count).map(pass).collect(),
            ..Figures::default()
        }
    };
    let start = Instant::now();
    let mut now = start;
    let mut tick = |depths: &mut Depths, figures: &Figures| {
        now += Duration::from_millis(100);
        depths.tick(now, None, &[(0, figures)])
    };
    let mut shrunk = Vec::new();
    for _ in 0..40 {
        shrunk.extend(tick(&mut depths, &passes(1)));
    }
    assert_eq!(shrunk.len(), 1);
    assert_eq!(shrunk[0].to, 4);
    let grown = tick(&mut depths, &passes(4));
    assert_eq!((grown[0].from, grown[0].to), (4, 8));
    assert_eq!(grown[0].reason, "another pass reads: more buffers");
}

proptest::proptest! {
    /// Whatever the pools do and however groups come and go, the depths fit into the memory and
    /// every group has a buffer.
    #[test]
    fn depths_never_exceed_the_memory(
        buffers in 16_usize..100,
        steps in proptest::collection::vec((0_usize..4, proptest::bool::ANY, 0_usize..100), 1..200),
    ) {
        let memory = buffers as u64 * BUFFER;
        let mut depths = Depths::new(memory, BUFFER * 2);
        let mut known: Vec<(usize, usize)> = Vec::new();
        let mut next = 0;
        let mut now = Instant::now();
        for (what, held_up, used) in steps {
            now += Duration::from_millis(1100);
            let changes = match what {
                0 if known.len() < 4 => {
                    let share = buffers / (known.len() + 1);
                    let changes = depths.make_room(1);
                    depths.join(next, share, BUFFER as usize);
                    known.push((next, share));
                    next += 1;
                    changes
                }
                1 if !known.is_empty() => {
                    let (group_index, _) = known.remove(used % known.len());
                    depths.leave(group_index)
                }
                _ => {
                    let figures: Vec<_> = known.iter().enumerate().map(|(at, (group_index, depth))| {
                        let held_up = held_up ^ (at % 2 == 0);
                        let pass = crate::engine::usage::PassFigures {
                            published: 1,
                            depth: *depth,
                            used: used * depth / 100,
                            waits: if held_up { 1.0 } else { 0.0 },
                            held_up,
                            ..Default::default()
                        };
                        (*group_index, Figures { passes: vec![pass], ..Figures::default() })
                    }).collect();
                    let usage: Vec<_> = figures.iter().map(|(group_index, one)| (*group_index, one)).collect();
                    depths.tick(now, None, &usage)
                }
            };
            for change in changes {
                let of = known.iter_mut().find(|(group_index, _)| *group_index == change.group_index);
                if let Some((_, depth)) = of {
                    proptest::prop_assert_eq!(*depth, change.from);
                    *depth = change.to;
                }
            }
            let all: usize = known.iter().map(|(_, depth)| *depth).sum();
            proptest::prop_assert!(all <= buffers, "{:?} of {}", known, buffers);
            proptest::prop_assert!(known.iter().all(|(_, depth)| *depth >= 1));
        }
    }
}

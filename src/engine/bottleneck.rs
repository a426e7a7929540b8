//! What a group is waiting for, from how its pools are used.
//!
//! While the leading pass reads: a writer that hardly ever waits is held up by its source. One that
//! waits is held up by what holds the oldest block: by one entity if it is mostly the same one,
//! or if all are busy all the time; by lack of memory if they take turns at it while others
//! starve. After that the group waits for the entity that is furthest behind, or for the source of
//! the later pass that this entity reads from.

use std::time::{Duration, Instant};

use crate::caps::Kind;

use super::usage::{Figures, PassFigures};

/// A writer that waits for less than this part of the time is not held up.
const WAITED: f64 = 0.15;
/// A reader that starves for more than this part of the time is not the one that is waited for.
const STARVED: f64 = 0.2;
/// Readers lose this part of their time by a full pool, on average, where memory is too little.
const LOST: f64 = 0.05;
/// As in [`super::usage`].
const TURNS: f64 = 0.1;
/// Where those that read from the pool have less than this part of the blame for the waiting, it
/// was for one that has left.
const EXPLAINED: f64 = 0.1;
/// Share of the blame from which on one entity is the bottleneck.
const MOST: f64 = 0.6;
/// As long as its blame is so near to the greatest, the one that was named before stays.
const NEAR: f64 = 0.7;
/// Time that a finding must last before it is reported.
const LASTS: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Finding {
    Source,
    /// By its place in the group.
    Entity(usize),
    Memory,
    /// A cap holds this entity up: its own, or that of one of its labels.
    Capped(usize, Kind),
    /// The cap of the whole group.
    GroupCap,
    /// That of the file server that is read.
    SourceCap,
    #[default]
    None,
}

impl Finding {
    fn entity(self) -> Option<usize> {
        match self {
            Self::Entity(entity_index) | Self::Capped(entity_index, _) => Some(entity_index),
            _ => None,
        }
    }
}

/// What is known of an entity besides the use of its pool.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Progress {
    /// It has not come to its end, and is not waiting for its turn either.
    pub(super) is_active: bool,
    /// Bytes sent.
    pub(super) sent: u64,
}

#[derive(Debug, Default)]
pub(super) struct BottleneckFinder {
    told: Finding,
    /// What was found since when, if it is something else.
    next: Option<(Finding, Instant)>,
}

impl BottleneckFinder {
    pub(super) fn sample(
        &mut self,
        now: Instant,
        figures: &Figures,
        entities: &[Progress],
    ) -> Finding {
        let found = find(figures, entities, self.told);
        if found == self.told {
            self.next = None;
        } else {
            match self.next {
                Some((next, since)) if next == found => {
                    if now.saturating_duration_since(since) >= LASTS {
                        (self.told, self.next) = (found, None);
                    }
                }
                _ => self.next = Some((found, now)),
            }
        }
        self.told
    }
}

fn find(figures: &Figures, entities: &[Progress], before: Finding) -> Finding {
    if entities.iter().all(|entity| entity.sent == 0) {
        // Connecting, or opening the source.
        return Finding::None;
    }
    match figures.passes.first() {
        Some(leading) if !leading.ended => of_pass(leading, figures, before),
        _ => at_the_end(figures, entities, before),
    }
}

/// What is behind that: a cap is not the fault of what it is on.
fn behind(found: Finding, worst: Option<usize>, pass: u32, figures: &Figures) -> Finding {
    let held = &figures.held;
    let by_cap = |entity_index: usize| match held.entity(entity_index) {
        Some(Kind::Group) => Some(Finding::GroupCap),
        Some(kind) => Some(Finding::Capped(entity_index, kind)),
        None => None,
    };
    let capped = match found {
        Finding::Source if held.source(pass) => Some(Finding::SourceCap),
        Finding::Entity(entity_index) => by_cap(entity_index),
        // Those that wait for their turn at a cap take turns at holding the oldest block.
        Finding::Memory if held.holds(&figures.reads, &figures.blame, pass) => {
            worst.and_then(by_cap)
        }
        _ => None,
    };
    capped.unwrap_or(found)
}

fn of_pass(pass: &PassFigures, figures: &Figures, before: Finding) -> Finding {
    let (found, worst) = holder(pass, figures, before);
    behind(found, worst, pass.pass, figures)
}

/// What holds the pass up, and which entity does most.
fn holder(pass: &PassFigures, figures: &Figures, before: Finding) -> (Finding, Option<usize>) {
    if pass.published == 0 {
        return (Finding::None, None);
    }
    let blame: Vec<(usize, f64)> = (figures.blame.iter().enumerate())
        .filter(|(entity_index, _)| figures.reads.get(*entity_index) == Some(&Some(pass.pass)))
        .map(|(entity_index, blame)| (entity_index, *blame))
        .collect();
    let Some(worst) = blame.iter().max_by(|one, other| one.1.total_cmp(&other.1)) else {
        return (Finding::None, None);
    };
    let all: f64 = blame.iter().map(|(_, blame)| blame).sum();
    // Of many that are equally slow always the same one.
    let is_near = |entity_index: usize| {
        let mut known = blame.iter().filter(|(one, _)| *one == entity_index);
        known.any(|(_, blame)| *blame > 0.0 && *blame >= worst.1 * NEAR)
    };
    let near = before.entity().filter(|entity| is_near(*entity));
    let entity_index = near.unwrap_or(worst.0);
    let entity = Finding::Entity(entity_index);
    // What counts after that is whether the writer still waits.
    let waited = match all < pass.waited * EXPLAINED {
        true => pass.waits,
        false => pass.waited,
    };
    if waited < WAITED {
        // While a deep pool still fills, nobody waits; readers that are all busy decide.
        let fills = pass.starved < STARVED && pass.used * 2 > pass.depth;
        let found = if fills && all > 0.0 {
            entity
        } else {
            Finding::Source
        };
        return (found, Some(entity_index));
    }
    let take_turns = pass.turns >= TURNS && pass.lost >= LOST;
    let found = if take_turns && worst.1 < all * MOST {
        Finding::Memory
    } else {
        entity
    };
    (found, Some(entity_index))
}

/// Nothing is read for most of the entities any more.
fn at_the_end(figures: &Figures, entities: &[Progress], before: Finding) -> Finding {
    let active = || (entities.iter().enumerate()).filter(|(_, entity)| entity.is_active);
    let Some((last, furthest)) = active().min_by_key(|(_, entity)| entity.sent) else {
        return Finding::None;
    };
    let pass = (figures.reads.get(last).copied().flatten()).and_then(|pass| figures.of(pass));
    match pass.filter(|pass| !pass.ended) {
        Some(pass) => match of_pass(pass, figures, before) {
            Finding::None => Finding::Entity(last),
            found => found,
        },
        None => {
            // Equally far behind.
            let is_level = |entity_index: &usize| {
                active().any(|(one, entity)| one == *entity_index && entity.sent == furthest.sent)
            };
            let entity_index = before.entity().filter(is_level).unwrap_or(last);
            behind(Finding::Entity(entity_index), None, 0, figures)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::usage::{PassReading, Reading};
    use super::*;

    fn pass(waited: f64, lost: f64, turns: f64, starved: f64) -> PassFigures {
        PassFigures {
            pass: 1,
            published: 100,
            depth: 16,
            used: 8,
            waited,
            lost,
            turns,
            starved,
            ..PassFigures::default()
        }
    }

    fn figures(pass: PassFigures, blame: &[f64]) -> Figures {
        Figures {
            reads: vec![Some(pass.pass); blame.len()],
            passes: vec![pass],
            blame: blame.to_vec(),
            ..Figures::default()
        }
    }

    fn sent(bytes: &[u64]) -> Vec<Progress> {
        let progress = |sent: &u64| Progress {
            is_active: true,
            sent: *sent,
        };
        bytes.iter().map(progress).collect()
    }

    fn found(pass: PassFigures, blame: &[f64]) -> Finding {
        let entities = sent(&vec![1000; blame.len()]);
        find(&figures(pass, blame), &entities, Finding::None)
    }

    #[test]
    fn a_writer_that_hardly_waits_is_held_up_by_its_source() {
        assert_eq!(found(pass(0.02, 0.0, 0.0, 0.8), &[0.0; 3]), Finding::Source);
        // Pauses that the pool takes up cost nothing.
        assert_eq!(
            found(pass(0.1, 0.05, 0.3, 0.5), &[0.1, 0.0, 0.1]),
            Finding::Source
        );
    }

    #[test]
    fn one_that_holds_the_oldest_block_most_of_the_time_is_named() {
        assert_eq!(
            found(pass(0.8, 0.5, 0.0, 0.8), &[0.0, 0.7, 0.1]),
            Finding::Entity(1)
        );
        // Even if it is fast in between.
        assert_eq!(
            found(pass(0.4, 0.3, 0.4, 0.6), &[0.0, 0.4, 0.0]),
            Finding::Entity(1)
        );
    }

    #[test]
    fn one_that_has_left_is_not_blamed_on_another() {
        // It held the pool up for long, and nobody waits any more.
        let mut after = pass(0.6, 0.0, 0.0, 0.9);
        after.used = 0;
        assert_eq!(found(after, &[0.0, 0.01, 0.0]), Finding::Source);
        // They do still.
        after.waits = 0.9;
        assert_eq!(found(after, &[0.0, 0.01, 0.0]), Finding::Entity(1));
    }

    #[test]
    fn entities_that_take_turns_while_others_starve_lack_memory() {
        let turns = pass(0.5, 0.2, 0.4, 0.6);
        assert_eq!(found(turns, &[0.2, 0.15, 0.2]), Finding::Memory);
    }

    #[test]
    fn entities_that_are_all_busy_are_the_bottleneck_themselves() {
        let busy = pass(0.9, 0.01, 0.02, 0.05);
        assert_eq!(found(busy, &[0.3, 0.31, 0.29]), Finding::Entity(1));
        // The name does not change with every look.
        let entities = sent(&[5, 5, 5]);
        let before = Finding::Entity(2);
        let figures = figures(busy, &[0.3, 0.31, 0.29]);
        assert_eq!(find(&figures, &entities, before), before);
    }

    #[test]
    fn two_that_are_slow_are_not_a_lack_of_memory() {
        // They hold the block in turns, but neither ever waits for one.
        let two = pass(0.8, 0.6, 0.02, 0.8);
        assert_eq!(found(two, &[0.4, 0.38, 0.0]), Finding::Entity(0));
    }

    #[test]
    fn nothing_is_told_before_anything_moves() {
        let reads = figures(pass(0.9, 0.0, 0.0, 0.0), &[0.4, 0.4]);
        assert_eq!(find(&reads, &sent(&[0, 0]), Finding::None), Finding::None);
        let nothing = Figures::default();
        assert_eq!(find(&nothing, &sent(&[0]), Finding::None), Finding::None);
    }

    #[test]
    fn at_the_end_the_one_that_is_furthest_behind_is_waited_for() {
        let mut ended = pass(0.0, 0.0, 0.0, 0.0);
        ended.ended = true;
        let figures = figures(ended, &[0.0; 3]);
        let mut entities = sent(&[900, 100, 500]);
        assert_eq!(
            find(&figures, &entities, Finding::Source),
            Finding::Entity(1)
        );
        entities[1].is_active = false;
        assert_eq!(
            find(&figures, &entities, Finding::Source),
            Finding::Entity(2)
        );
    }

    #[test]
    fn a_later_pass_counts_when_the_leading_one_has_ended() {
        let mut first = pass(0.9, 0.0, 0.0, 0.0);
        let mut later = pass(0.0, 0.0, 0.0, 0.9);
        later.pass = 2;
        let mut figures = Figures {
            passes: vec![first, later],
            reads: vec![Some(1), Some(2)],
            blame: vec![0.9, 0.0],
            ..Figures::default()
        };
        let entities = sent(&[900, 100]);
        assert_eq!(
            find(&figures, &entities, Finding::None),
            Finding::Entity(0),
            "the leading pass, while it reads"
        );
        first.ended = true;
        figures.passes[0] = first;
        assert_eq!(find(&figures, &entities, Finding::None), Finding::Source);
    }

    #[test]
    fn a_moment_is_not_a_finding() {
        let mut finder = BottleneckFinder::default();
        let entities = sent(&[10, 10]);
        let source = figures(pass(0.0, 0.0, 0.0, 0.9), &[0.0, 0.0]);
        let slow = figures(pass(0.9, 0.5, 0.0, 0.9), &[0.0, 0.9]);
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(finder.sample(at(0), &source, &entities), Finding::None);
        assert_eq!(finder.sample(at(400), &source, &entities), Finding::Source);
        assert_eq!(finder.sample(at(500), &slow, &entities), Finding::Source);
        assert_eq!(finder.sample(at(600), &source, &entities), Finding::Source);
        assert_eq!(finder.sample(at(700), &slow, &entities), Finding::Source);
        assert_eq!(
            finder.sample(at(1100), &slow, &entities),
            Finding::Entity(1)
        );
    }

    /// As found after two seconds in which entities waited at caps, by their kind, for this part of the time.
    fn held_at(pass: PassFigures, blame: &[f64], kinds: [f64; 3], source: f64) -> Finding {
        let mut figures = figures(pass, blame);
        let start = Instant::now();
        for tenth in 1..=20_u32 {
            let passed = Duration::from_millis(100) * tenth;
            let reading = Reading {
                at: start + passed,
                passes: vec![PassReading {
                    pass: pass.pass,
                    depth: 16,
                    allocated: 16,
                    used: 8,
                    published: 100,
                    ended: false,
                    waited: Duration::ZERO,
                    held: passed.mul_f64(source),
                }],
                readers: vec![None; blame.len()],
                held: vec![kinds.map(|part| passed.mul_f64(part)); blame.len()],
            };
            figures.held.sample(&reading, Duration::from_millis(100));
        }
        find(&figures, &sent(&vec![1000; blame.len()]), Finding::None)
    }

    #[test]
    fn what_is_behind_it_may_be_a_cap() {
        let none = [0.0; 3];
        let waits = pass(0.9, 0.0, 0.0, 0.0);
        let starves = pass(0.0, 0.0, 0.0, 0.9);
        let turns = pass(0.5, 0.2, 0.3, 0.5);
        for (pass, kinds, source, expected) in [
            (waits, [0.9, 0.0, 0.0], 0.0, Finding::Capped(0, Kind::Own)),
            (waits, [0.2, 0.6, 0.1], 0.0, Finding::Capped(0, Kind::Label)),
            (waits, [0.0, 0.1, 0.8], 0.0, Finding::GroupCap),
            // It is slow itself.
            (waits, [0.1, 0.0, 0.2], 0.0, Finding::Entity(0)),
            (starves, none, 0.9, Finding::SourceCap),
            (starves, none, 0.3, Finding::Source),
            // What is read for it waits for the source, whatever it waited for before.
            (starves, [0.0, 0.0, 0.6], 0.1, Finding::Source),
            (turns, [0.0, 0.0, 0.8], 0.0, Finding::GroupCap),
            (turns, none, 0.0, Finding::Memory),
        ] {
            let found = held_at(pass, &[0.5, 0.4], kinds, source);
            assert_eq!(found, expected, "{pass:?} {kinds:?} {source}");
        }
    }
}

//! A group's pool in simulated time: a source, a pool, and entities that pause. What the manager
//! would read from the counters goes through the real measuring and the real decisions.

use std::time::{Duration, Instant};

use super::{Change, Depths};
use crate::engine::bottleneck::{BottleneckFinder, Finding, Progress};
use crate::engine::host::Host;
use crate::engine::usage::{PassReading, ReaderReading, Reading, Usage};

const STEP: Duration = Duration::from_millis(5);
const STEPS_A_TICK: u32 = 20;
/// Bytes of one buffer.
pub(super) const BUFFER: u64 = 1000;

/// A reader of a simulated pool.
pub(super) struct Entity {
    /// Blocks a second.
    pub(super) rate: f64,
    /// Period in seconds, the second at which a pause begins, and the pause's length in seconds.
    pub(super) pause: Option<(f64, f64, f64)>,
    done: f64,
    starved: Duration,
}

impl Entity {
    pub(super) fn steady(rate: f64) -> Self {
        Self {
            rate,
            pause: None,
            done: 0.0,
            starved: Duration::ZERO,
        }
    }

    pub(super) fn pausing(rate: f64, every: f64, from: f64, length: f64) -> Self {
        Self {
            pause: Some((every, from, length)),
            ..Self::steady(rate)
        }
    }

    fn pauses(&self, seconds: f64) -> bool {
        self.pause.is_some_and(|(every, from, length)| {
            let phase = (seconds - from).rem_euclid(every);
            phase < length
        })
    }
}

pub(super) struct Group {
    /// Blocks a second.
    pub(super) source: f64,
    pub(super) entities: Vec<Entity>,
    pub(super) depth: usize,
    usage: Usage,
    finder: BottleneckFinder,
    /// What it was said to wait for, and since when.
    pub(super) found: Vec<(f64, Finding)>,
    published: f64,
    waited: Duration,
}

impl Group {
    pub(super) fn new(source: f64, entities: Vec<Entity>) -> Self {
        Self {
            source,
            entities,
            depth: 0,
            usage: Usage::default(),
            finder: BottleneckFinder::default(),
            found: Vec::new(),
            published: 0.0,
            waited: Duration::ZERO,
        }
    }

    pub(super) fn published(&self) -> f64 {
        self.published.floor()
    }

    fn oldest(&self) -> f64 {
        let done = self.entities.iter().map(|entity| entity.done.floor());
        done.fold(f64::INFINITY, f64::min)
    }

    fn step(&mut self, seconds: f64) {
        let step = STEP.as_secs_f64();
        let most = self.oldest() + self.depth as f64;
        if self.published.floor() >= most {
            self.waited += STEP;
        } else {
            // The buffer that is being filled counts as well.
            self.published = (self.published + self.source * step).min(most);
        }
        for entity in &mut self.entities {
            if entity.pauses(seconds) {
                continue;
            }
            let there = self.published.floor();
            if entity.done >= there {
                entity.starved += STEP;
            } else {
                entity.done = (entity.done + entity.rate * step).min(there);
            }
        }
    }

    fn reading(&self, at: Instant) -> Reading {
        let published = self.published() as u64;
        let used = (self.published() - self.oldest()) as usize;
        let readers = self.entities.iter().map(|entity| {
            Some(ReaderReading {
                pass: 1,
                lag: published - entity.done as u64,
                starved: entity.starved,
            })
        });
        Reading {
            at,
            passes: vec![PassReading {
                pass: 1,
                depth: self.depth,
                allocated: self.depth.max(used),
                used,
                published,
                ended: false,
                waited: self.waited,
                held: Duration::ZERO,
            }],
            readers: readers.collect(),
            held: Vec::new(),
        }
    }
}

/// A whole run.
pub(super) struct World {
    pub(super) depths: Depths,
    pub(super) groups: Vec<Group>,
    pub(super) changes: Vec<(f64, Change)>,
    /// What the host says once a second.
    pub(super) host: Option<Host>,
    memory: u64,
    start: Instant,
    ticks: u32,
}

impl World {
    /// Groups that share `buffers` buffers, begun together.
    pub(super) fn new(buffers: usize, groups: Vec<Group>) -> Self {
        let memory = buffers as u64 * BUFFER;
        let share = buffers / groups.len();
        let mut world = Self {
            groups,
            changes: Vec::new(),
            host: None,
            memory,
            start: Instant::now(),
            ticks: 0,
            depths: Depths::new(memory, 2 * BUFFER),
        };
        for (group_index, group) in world.groups.iter_mut().enumerate() {
            group.depth = share;
            world.depths.join(group_index, share, BUFFER as usize);
        }
        world
    }

    pub(super) fn seconds(&self) -> f64 {
        f64::from(self.ticks) * 0.1
    }

    /// Carries changes out.
    pub(super) fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            assert_ne!(change.from, change.to);
            assert_eq!(self.groups[change.group_index].depth, change.from);
            self.groups[change.group_index].depth = change.to;
            self.changes.push((self.seconds(), change));
        }
    }

    pub(super) fn run(&mut self, seconds: f64) {
        let end = self.seconds() + seconds;
        while self.seconds() < end {
            for step in 0..STEPS_A_TICK {
                let now = self.seconds() + f64::from(step) * STEP.as_secs_f64();
                self.groups.iter_mut().for_each(|group| group.step(now));
            }
            self.ticks += 1;
            let now = self.start + self.ticks * STEPS_A_TICK * STEP;
            for group in &mut self.groups {
                let reading = group.reading(now);
                group.usage.sample(&reading);
                let progress: Vec<Progress> = (group.entities.iter())
                    .map(|entity| Progress {
                        is_active: true,
                        sent: entity.done as u64 * BUFFER,
                    })
                    .collect();
                let found = group.finder.sample(now, group.usage.figures(), &progress);
                if group.found.last().map(|(_, last)| *last) != Some(found) {
                    group.found.push((f64::from(self.ticks) * 0.1, found));
                }
            }
            let usage: Vec<_> = (self.groups.iter().enumerate())
                .map(|(group_index, group)| (group_index, group.usage.figures()))
                .collect();
            let host = self.host.filter(|_| self.ticks.is_multiple_of(10));
            let changes = self.depths.tick(now, host.as_ref(), &usage);
            self.take(changes);
            let held: u64 = self.groups.iter().map(|group| group.depth as u64).sum();
            assert!(held * BUFFER <= self.memory, "depths exceed the memory");
        }
    }

    /// How often the depth of a group turned from growing to shrinking or back.
    pub(super) fn turns(&self, group_index: usize) -> usize {
        let ways: Vec<bool> = (self.changes.iter())
            .filter(|(_, change)| change.group_index == group_index)
            .map(|(_, change)| change.to > change.from)
            .collect();
        ways.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

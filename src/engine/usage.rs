//! How a group's pools are used: readings of the pools' counters, taken at every tick, become
//! smoothed figures from which depth and bottleneck follow.
//!
//! Two questions matter. Is the writer held up by a full pool? And do those that hold it up take
//! turns, that is: does one that holds the oldest block now wait for blocks at other times? Then
//! more buffers would bridge its pauses. One that never waits for a block is just slow, and no
//! number of buffers makes it faster.
//!
//! Pure but for [`Reading::take`]: the clock comes with the readings.

use std::time::{Duration, Instant};

use crate::agent::GroupMeters;

use super::held::HeldFigures;

/// Time over which a writer's waits are averaged.
const SHORT: Duration = Duration::from_secs(1);
/// Time for which it is remembered which entity held the pool up and which starved: pauses come seconds apart.
const LONG: Duration = Duration::from_secs(3);
/// Shorter looks say more about the scheduler than about the network.
const SHORTEST: Duration = Duration::from_millis(20);
/// Holders that starve for this part of their time take turns.
const TURNS: f64 = 0.1;
/// A writer that waits for this part of one look is held up now.
const STALLED: f64 = 0.3;
/// One that waits for this part of the time on average is held up again and again.
const HINDERED: f64 = 0.05;

/// The counters of a group at one moment.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) passes: Vec<PassReading>,
    /// One an entity; those that read from no pool have none.
    pub(super) readers: Vec<Option<ReaderReading>>,
    /// How long each entity has waited at caps so far, by [`Kind`](crate::caps::Kind).
    pub(super) held: Vec<[Duration; 3]>,
}

/// One pass, from [`crate::pool::PoolStats`].
#[derive(Debug, Clone, Copy)]
pub(super) struct PassReading {
    pub(super) pass: u32,
    pub(super) depth: usize,
    pub(super) allocated: usize,
    pub(super) used: usize,
    pub(super) published: u64,
    pub(super) ended: bool,
    pub(super) waited: Duration,
    /// Its source was waited for at a cap.
    pub(super) held: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ReaderReading {
    pub(super) pass: u32,
    pub(super) lag: u64,
    pub(super) starved: Duration,
}

impl Reading {
    pub(super) fn take(meters: &GroupMeters) -> Self {
        let passes = meters.passes().into_iter().map(|pass| {
            let stats = pass.pool.stats();
            PassReading {
                pass: pass.pass,
                depth: stats.depth,
                allocated: stats.allocated,
                used: stats.used,
                published: stats.published,
                ended: stats.ended,
                waited: stats.writer_waited,
                held: pass.counters.held.total(),
            }
        });
        let readers = meters.entities.iter().map(|entity| {
            entity.reader().map(|(pass, reader)| ReaderReading {
                pass,
                lag: reader.lag(),
                starved: reader.starved(),
            })
        });
        Self {
            passes: passes.collect(),
            readers: readers.collect(),
            held: meters
                .entities
                .iter()
                .map(|one| one.held.totals())
                .collect(),
            at: Instant::now(),
        }
    }
}

/// What the readings of a group come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) passes: Vec<PassFigures>,
    /// The pass that each entity reads from.
    pub(super) reads: Vec<Option<u32>>,
    /// How much of the waiting each entity was the cause of, by holding the oldest block.
    pub(super) blame: Vec<f64>,
    pub(super) held: HeldFigures,
}

/// One pass. Parts of time are from 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PassFigures {
    pub(super) pass: u32,
    pub(super) ended: bool,
    pub(super) published: u64,
    pub(super) depth: usize,
    pub(super) used: usize,
    /// In the last look, and lately: the writer waited for a buffer.
    pub(super) waits: f64,
    pub(super) waited: f64,
    /// The mean of its readers: waiting for a block while the writer waits for a buffer.
    pub(super) lost: f64,
    /// The reader that starves most: waiting for a block, whatever the cause.
    pub(super) starved: f64,
    /// Those that hold it up, weighted by how much they do: how much they starve at other times.
    pub(super) turns: f64,
    /// More buffers would help at this moment.
    pub(super) held_up: bool,
}

impl Figures {
    /// Buffers that were needed in the last look: all of a pool whose writer waited.
    pub(super) fn needed(&self) -> usize {
        let needed = |pass: &PassFigures| match pass.waits > HINDERED {
            true => pass.used.max(pass.depth),
            false => pass.used,
        };
        self.passes.iter().map(needed).sum()
    }

    /// Whether any block was read yet.
    pub(super) fn has_begun(&self) -> bool {
        self.passes.iter().any(|pass| pass.published > 0)
    }

    pub(super) fn held_up(&self) -> bool {
        self.passes.iter().any(|pass| pass.held_up)
    }

    pub(super) fn of(&self, pass: u32) -> Option<&PassFigures> {
        self.passes.iter().find(|one| one.pass == pass)
    }
}

/// Makes [`Figures`] of one group's readings.
#[derive(Debug, Default)]
pub(super) struct Usage {
    at: Option<Instant>,
    passes: Vec<PassTrack>,
    readers: Vec<ReaderTrack>,
    figures: Figures,
}

#[derive(Debug, Clone, Copy, Default)]
struct PassTrack {
    pass: u32,
    waited: Duration,
    waits: f64,
    lost: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct ReaderTrack {
    pass: Option<u32>,
    starved: Duration,
    /// The part of the last look, and lately.
    now: f64,
    lately: f64,
    blame: f64,
}

impl Usage {
    pub(super) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Takes a reading in. One that comes too soon after the last is left out.
    pub(super) fn sample(&mut self, reading: &Reading) -> &Figures {
        let elapsed = match self.at {
            Some(at) => reading.at.saturating_duration_since(at),
            None => Duration::ZERO,
        };
        if self.at.is_some() && elapsed < SHORTEST {
            return &self.figures;
        }
        self.at = Some(reading.at);
        self.readers
            .resize_with(reading.readers.len(), ReaderTrack::default);
        for (track, read) in self.readers.iter_mut().zip(&reading.readers) {
            // Until there is a first block, everyone waits for the source to open.
            let counts = read.is_some_and(|read| {
                let pass = reading.passes.iter().find(|pass| pass.pass == read.pass);
                pass.is_some_and(|pass| pass.published > 0)
            });
            track.sample(read.as_ref(), elapsed, counts);
        }
        let known = std::mem::take(&mut self.passes);
        self.figures.passes.clear();
        for pass in &reading.passes {
            let track = known.iter().find(|track| track.pass == pass.pass);
            let mut track = track.copied().unwrap_or(PassTrack {
                pass: pass.pass,
                ..PassTrack::default()
            });
            let waits = part(pass.waited, track.waited, elapsed);
            track.waited = pass.waited;
            let figures = self.pass(&mut track, pass, waits, &reading.readers, elapsed);
            self.figures.passes.push(figures);
            self.passes.push(track);
        }
        self.figures.reads = self.readers.iter().map(|track| track.pass).collect();
        self.figures.blame = self.readers.iter().map(|track| track.blame).collect();
        self.figures.held.sample(reading, elapsed);
        for pass in &mut self.figures.passes {
            // More buffers make no cap faster.
            pass.held_up &=
                !self
                    .figures
                    .held
                    .holds(&self.figures.reads, &self.figures.blame, pass.pass);
        }
        &self.figures
    }

    fn pass(
        &mut self,
        track: &mut PassTrack,
        pass: &PassReading,
        waits: f64,
        readers: &[Option<ReaderReading>],
        elapsed: Duration,
    ) -> PassFigures {
        let lag_of = |read: &Option<ReaderReading>| {
            let read = read.as_ref().filter(|read| read.pass == pass.pass);
            read.map(|read| read.lag)
        };
        let most = readers.iter().filter_map(lag_of).max().unwrap_or(0);
        let is_holder = |read: &Option<ReaderReading>| most > 0 && lag_of(read) == Some(most);
        let holders = readers.iter().filter(|read| is_holder(read)).count();
        let (mut count, mut lost, mut starves, mut starved) = (0.0_f64, 0.0, 0.0_f64, 0.0_f64);
        let (mut blamed, mut turns) = (0.0, 0.0);
        for (reader, read) in self.readers.iter_mut().zip(readers) {
            if lag_of(read).is_none() {
                continue;
            }
            let blame = if is_holder(read) {
                waits / holders.max(1) as f64
            } else {
                0.0
            };
            smooth(&mut reader.blame, blame, elapsed, LONG);
            blamed += reader.blame;
            turns += reader.blame * reader.lately;
            count += 1.0;
            // Shortest time for which both waited at once.
            lost += (waits + reader.now - 1.0).max(0.0);
            starves = starves.max(reader.now);
            starved = starved.max(reader.lately);
        }
        smooth(&mut track.waits, waits, elapsed, SHORT);
        smooth(&mut track.lost, lost / count.max(1.0), elapsed, SHORT);
        let turns = if blamed > 1e-9 { turns / blamed } else { 0.0 };
        // A writer that waits below its depth waits for memory that others still hold.
        let full = !pass.ended && pass.allocated >= pass.depth;
        let stalls = waits >= STALLED && starves > 0.0 || track.waits >= HINDERED;
        PassFigures {
            pass: pass.pass,
            ended: pass.ended,
            published: pass.published,
            depth: pass.depth,
            used: pass.used,
            waits,
            waited: track.waits,
            lost: track.lost,
            starved,
            turns,
            held_up: full && waits > 0.0 && stalls && turns >= TURNS,
        }
    }
}

impl ReaderTrack {
    fn sample(&mut self, read: Option<&ReaderReading>, elapsed: Duration, counts: bool) {
        let pass = read.map(|read| read.pass);
        if pass != self.pass {
            // Another pool: other neighbours, another writer, a meter that begins anew.
            *self = Self {
                pass,
                starved: read.map_or(Duration::ZERO, |read| read.starved),
                ..Self::default()
            };
            return;
        }
        let Some(read) = read else { return };
        self.now = match counts {
            true => part(read.starved, self.starved, elapsed),
            false => 0.0,
        };
        self.starved = read.starved;
        smooth(&mut self.lately, self.now, elapsed, LONG);
    }
}

/// Which part of the time between two looks a stopwatch ran.
fn part(now: Duration, before: Duration, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        return 0.0;
    }
    let ran = now.saturating_sub(before).as_secs_f64();
    (ran / elapsed.as_secs_f64()).min(1.0)
}

/// Exponential smoothing that does not depend on how often it is done.
pub(super) fn smooth(figure: &mut f64, new: f64, elapsed: Duration, over: Duration) {
    let weight = 1.0 - (-elapsed.as_secs_f64() / over.as_secs_f64()).exp();
    *figure += (new - *figure) * weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of 8 buffers after a number of tenths of a second: entity 0 has held the oldest block
    /// all the time, and before that starved for `starved` seconds, as entity 1 does always.
    fn after(usage: &mut Usage, start: Instant, tenth: u32, pass: u32, allocated: usize) {
        let now = Duration::from_millis(100) * tenth;
        let reader = |lag, starved| Some(ReaderReading { pass, lag, starved });
        usage.sample(&Reading {
            at: start + now,
            passes: vec![PassReading {
                pass,
                depth: 8,
                allocated,
                used: allocated,
                published: 100,
                ended: false,
                waited: now.saturating_sub(Duration::from_secs(2)),
                held: Duration::ZERO,
            }],
            readers: vec![
                reader(8, now.min(Duration::from_secs(2))),
                reader(0, now),
                None,
            ],
            held: Vec::new(),
        });
    }

    #[test]
    fn one_that_starved_before_it_pauses_holds_up_the_others() {
        let (mut usage, start) = (Usage::default(), Instant::now());
        for tenth in 0..=20 {
            after(&mut usage, start, tenth, 1, 8);
        }
        assert!(!usage.figures().held_up(), "the writer does not wait");
        assert_eq!(usage.figures().needed(), 8);
        after(&mut usage, start, 21, 1, 8);
        let pass = usage.figures().passes[0];
        assert!(pass.held_up && pass.turns > TURNS, "{pass:?}");
        assert!((pass.waits - 1.0).abs() < 1e-6, "{pass:?}");
        assert!(usage.figures().blame[0] > 0.0 && usage.figures().blame[1] == 0.0);
        // It goes on like that: it is not a pause any more.
        for tenth in 22..150 {
            after(&mut usage, start, tenth, 1, 8);
        }
        assert!(!usage.figures().held_up());
    }

    #[test]
    fn a_writer_that_waits_for_the_budget_has_no_use_for_more_depth() {
        let (mut usage, start) = (Usage::default(), Instant::now());
        for tenth in 0..=22 {
            after(&mut usage, start, tenth, 1, 5);
        }
        assert!(!usage.figures().held_up());
        assert_eq!(usage.figures().needed(), 8, "but for all that it has");
    }

    #[test]
    fn another_pass_begins_with_nothing_known() {
        let (mut usage, start) = (Usage::default(), Instant::now());
        for tenth in 0..=25 {
            after(&mut usage, start, tenth, 1, 8);
        }
        after(&mut usage, start, 26, 2, 8);
        assert_eq!(usage.figures().reads, [Some(2), Some(2), None]);
        assert_eq!(usage.figures().blame[0], 1.0 - (-0.1_f64 / 3.0).exp());
        assert_eq!(usage.figures().passes.len(), 1);
        assert!(!usage.figures().held_up());
    }

    #[test]
    fn a_look_that_comes_too_soon_changes_nothing() {
        let (mut usage, start) = (Usage::default(), Instant::now());
        after(&mut usage, start, 0, 1, 8);
        after(&mut usage, start, 1, 1, 8);
        let at = usage.at;
        after(&mut usage, start + Duration::from_millis(5), 1, 1, 8);
        assert_eq!(usage.at, at);
    }
}

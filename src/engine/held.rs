//! Which part of their time the entities of a group, and its readings of sources, are held up by caps.

use std::time::Duration;

use crate::caps::Kind;

use super::usage::{Reading, smooth};

/// Time over which it is averaged.
const OVER: Duration = Duration::from_secs(1);
/// One that waits at caps for this part of the time that it does not wait for blocks is held by them.
const HELD: f64 = 0.5;

/// What the waits come to. Parts of time are from 0 to 1.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldFigures {
    entities: Vec<Track>,
    passes: Vec<PassTrack>,
}

/// Of an entity.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    totals: [Duration; 3],
    starved: Duration,
    /// The pass that it reads from.
    pass: Option<u32>,
    /// By [`Kind`].
    kinds: [f64; 3],
    starves: f64,
}

#[derive(Debug, Clone, Copy)]
struct PassTrack {
    pass: u32,
    total: Duration,
    part: f64,
}

impl HeldFigures {
    pub(super) fn sample(&mut self, reading: &Reading, elapsed: Duration) {
        self.entities.resize(reading.held.len(), Track::default());
        let readings = reading.held.iter().zip(&reading.readers);
        for (track, (totals, reader)) in self.entities.iter_mut().zip(readings) {
            let kinds = track.kinds.iter_mut().zip(totals.iter().zip(&track.totals));
            for (kind, (total, before)) in kinds {
                smooth(kind, part(*total, *before, elapsed), elapsed, OVER);
            }
            track.totals = *totals;
            let (pass, starved) = match reader {
                Some(reader) => (Some(reader.pass), reader.starved),
                None => (None, Duration::ZERO),
            };
            // Another pool has another stopwatch.
            let before = match pass == track.pass {
                true => track.starved,
                false => starved,
            };
            smooth(
                &mut track.starves,
                part(starved, before, elapsed),
                elapsed,
                OVER,
            );
            (track.pass, track.starved) = (pass, starved);
        }
        let known = std::mem::take(&mut self.passes);
        self.passes = (reading.passes.iter())
            .map(|pass| {
                let track = known.iter().find(|track| track.pass == pass.pass);
                let mut track = track.copied().unwrap_or(PassTrack {
                    pass: pass.pass,
                    total: pass.held,
                    part: 0.0,
                });
                smooth(
                    &mut track.part,
                    part(pass.held, track.total, elapsed),
                    elapsed,
                    OVER,
                );
                track.total = pass.held;
                track
            })
            .collect();
    }

    /// Whose cap holds an entity up, if any does.
    pub(super) fn entity(&self, entity: usize) -> Option<Kind> {
        let track = self.entities.get(entity)?;
        let all: f64 = track.kinds.iter().sum();
        if all <= 0.0 || all < HELD * (1.0 - track.starves) {
            return None;
        }
        let longest = |one: &Kind, other: &Kind| {
            track.kinds[*one as usize].total_cmp(&track.kinds[*other as usize])
        };
        Kind::ALL.into_iter().max_by(longest)
    }

    /// Whether the source of a pass is held up by its cap.
    pub(super) fn source(&self, pass: u32) -> bool {
        let mut passes = self.passes.iter();
        passes.any(|track| track.pass == pass && track.part >= HELD)
    }

    /// Whether most of those that hold a pass up are held by caps themselves, by how much each does.
    pub(super) fn holds(&self, reads: &[Option<u32>], blame: &[f64], pass: u32) -> bool {
        let (mut all, mut held) = (0.0, 0.0);
        for (entity, blame) in blame.iter().enumerate() {
            if reads.get(entity) == Some(&Some(pass)) {
                all += blame;
                if *blame > 0.0 && self.entity(entity).is_some() {
                    held += blame;
                }
            }
        }
        held > 0.0 && held >= all * HELD
    }
}

/// Which part of the time between two looks a stopwatch ran.
fn part(now: Duration, before: Duration, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        return 0.0;
    }
    (now.saturating_sub(before).as_secs_f64() / elapsed.as_secs_f64()).min(1.0)
}

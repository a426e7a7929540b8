//! How many buffers each group's pools may have, while the run goes on (\[0021\], \[0025\]).
//!
//! Depth begins with equal shares of the memory. A pool that stays mostly empty gives back what it
//! does not need. One that is held up by entities that take turns to pause gets twice as much at
//! once: out of memory that nobody has, else from groups above their fair share that need it less.
//! A group below its fair share that needs more always gets up to it. When the host is short of
//! memory or of processor time, all of them shrink until that is over.
//!
//! Depths together never exceed the memory at any moment; while a pool that shrank is still
//! emptied, the budget lets one that grew wait. What keeps it from swinging: a pool that grew does
//! not shrink for a while, and for twice as long each time it turns out to have shrunk too far.
//!
//! Decisions only: clocks, figures and the host's state are handed in, changes handed out.

#[cfg(test)]
mod simulation;
mod squeeze;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::model::memory::shares;

use super::host::Host;
use super::shares::depth;
use super::usage::Figures;

use squeeze::Squeeze;

/// Time for which a pool is less than half full until it counts as mostly empty.
const QUIET: Duration = Duration::from_secs(3);
/// Time for which a pool that just grew does not shrink: at first, and at most.
const KEEP: Duration = Duration::from_secs(5);
const LONGEST_KEEP: Duration = Duration::from_secs(600);

/// A group's new depth, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The group's place in the run.
    pub(super) group_index: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) reason: String,
}

/// Moves depth between the groups that run.
#[derive(Debug)]
pub(super) struct Depths {
    memory: u64,
    /// Bytes that the operator's preference needs at least for a pool.
    least: u64,
    pools: Vec<Pool>,
    squeeze: Squeeze,
}

/// The pools of one group, which share its depth.
#[derive(Debug)]
struct Pool {
    group_index: usize,
    buffer_size: u64,
    /// What an equal share of the memory comes to.
    fair: usize,
    /// What it has a right to, and what it has while the host needs it to have less.
    granted: usize,
    depth: usize,
    /// Never fewer than that.
    floor: usize,
    /// It needs less than its share, as far as is known.
    gave_back: bool,
    need: Need,
    grew: Option<Instant>,
    shrank_since: bool,
    keep: Duration,
    held_up: bool,
    reason: Option<String>,
}

/// How many buffers a pool has needed lately.
#[derive(Debug, Default)]
struct Need {
    /// Since when the pool was mostly empty, and the most that it needed in that time.
    quiet: Option<Instant>,
    peak: usize,
    /// The most that it needed in the last 3 to 6 s, in two parts.
    high: [usize; 2],
    turned: Option<Instant>,
}

impl Need {
    fn observe(&mut self, now: Instant, needed: usize, mostly_empty: bool) {
        let turned = *self.turned.get_or_insert(now);
        if now.saturating_duration_since(turned) >= QUIET {
            (self.high, self.turned) = ([needed, self.high[0]], Some(now));
        }
        self.high[0] = self.high[0].max(needed);
        if !mostly_empty {
            self.quiet = None;
            return;
        }
        if self.quiet.is_none() {
            (self.quiet, self.peak) = (Some(now), 0);
        }
        self.peak = self.peak.max(needed);
    }

    fn lately(&self) -> usize {
        self.high[0].max(self.high[1])
    }
}

impl Pool {
    fn bytes(&self) -> u64 {
        self.granted as u64 * self.buffer_size
    }

    /// Number of buffers of its own size in this number of bytes.
    fn fitting(&self, bytes: u64) -> usize {
        usize::try_from(bytes / self.buffer_size.max(1)).unwrap_or(usize::MAX)
    }

    fn grow(&mut self, now: Instant, to: usize) {
        if self.held_up {
            if self.shrank_since {
                self.keep = (self.keep * 2).min(LONGEST_KEEP);
            }
            self.shrank_since = false;
            self.gave_back = false;
            self.reason = Some("entities take turns to pause: more buffers".into());
        } else {
            self.reason = Some("another pass reads: more buffers".into());
        }
        self.grew = Some(now);
        self.granted = to;
        self.need.quiet = None;
    }

    /// What it wants on top of what it has: twice as much when it is held up.
    fn wants(&self) -> usize {
        let held_up = if self.held_up { self.granted } else { 0 };
        held_up.max(self.floor.saturating_sub(self.granted))
    }

    /// Gives back what it did not need for a while.
    fn shrink(&mut self, now: Instant) {
        let Some(quiet) = self.need.quiet else { return };
        let grew_lately =
            (self.grew).is_some_and(|at| now.saturating_duration_since(at) < self.keep);
        if grew_lately || now.saturating_duration_since(quiet) < QUIET {
            return;
        }
        // And one to be filled while another is sent, for what lies between two looks.
        let to = (self.need.peak.max(1) * 2 + 2).max(self.floor);
        // Not worth a word.
        if to * 4 > self.granted * 3 {
            return;
        }
        let count = self.granted - to;
        self.reason = Some(match count {
            1 => "mostly empty: gives 1 buffer back".into(),
            count => format!("mostly empty: gives {count} buffers back"),
        });
        self.granted = to;
        self.need.quiet = None;
        self.gave_back = true;
        self.shrank_since = true;
    }

    fn observe(&mut self, now: Instant, figures: &Figures, least: u64) {
        // One buffer is filled while another is sent; a smaller share than that is still a share.
        let passes = figures.passes.len().max(1);
        let least = usize::try_from(least.div_ceil(self.buffer_size.max(1))).unwrap_or(usize::MAX);
        self.floor = least.max(2 * passes).min(self.fair).max(1);
        self.held_up = figures.held_up();
        let needed = figures.needed();
        // Before the first block nothing is known of what it needs.
        let mostly_empty = figures.has_begun() && needed * 2 < self.granted;
        self.need.observe(now, needed, mostly_empty);
    }
}

impl Depths {
    /// For pools that together have `memory` bytes, and each at least `least` where it can be.
    pub(super) fn new(memory: u64, least: u64) -> Self {
        Self {
            memory,
            least,
            pools: Vec::new(),
            squeeze: Squeeze::default(),
        }
    }

    /// Groups join: those that run make room. Each of the new ones then has the share that
    /// [`Self::join`] is given.
    pub(super) fn make_room(&mut self, joining: usize) -> Vec<Change> {
        self.share_out(joining, "a group joined");
        self.apply(None)
    }

    pub(super) fn join(&mut self, group_index: usize, buffers: usize, buffer_size: usize) {
        self.pools.push(Pool {
            group_index,
            buffer_size: buffer_size as u64,
            fair: buffers,
            granted: buffers,
            depth: buffers,
            floor: 1,
            gave_back: false,
            need: Need::default(),
            grew: None,
            shrank_since: false,
            keep: KEEP,
            held_up: false,
            reason: None,
        });
    }

    /// A group ended: what it had goes to those that have not given theirs back.
    pub(super) fn leave(&mut self, group_index: usize) -> Vec<Change> {
        self.pools.retain(|pool| pool.group_index != group_index);
        self.share_out(0, "a group ended");
        self.apply(None)
    }

    /// Everyone gets an equal share at least, but those that gave back keep to what they need. What
    /// somebody has above the share stays as far as there is memory for it.
    fn share_out(&mut self, joining: usize, reason: &str) {
        let shares = shares(self.memory, self.pools.len() + joining);
        let before: Vec<usize> = self.pools.iter().map(|pool| pool.granted).collect();
        let mut free: u64 = shares[self.pools.len()..].iter().sum();
        free = self.memory.saturating_sub(free);
        for (pool, share) in self.pools.iter_mut().zip(shares) {
            pool.fair = depth(share, pool.buffer_size as usize);
            pool.granted = match pool.gave_back {
                true => pool.granted.min(pool.fair),
                false => pool.fair,
            };
            free = free.saturating_sub(pool.bytes());
        }
        for (pool, before) in self.pools.iter_mut().zip(before) {
            let more = before.saturating_sub(pool.granted).min(pool.fitting(free));
            pool.granted += more;
            free -= more as u64 * pool.buffer_size;
            pool.need.quiet = None;
            if pool.granted != before {
                pool.reason = Some(reason.to_owned());
            }
        }
    }

    /// Takes in how the groups' pools are used.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        host: Option<&Host>,
        usage: &[(usize, &Figures)],
    ) -> Vec<Change> {
        let figures = |group_index: usize| usage.iter().find(|(one, _)| *one == group_index);
        for pool in &mut self.pools {
            if let Some((_, figures)) = figures(pool.group_index) {
                pool.observe(now, figures, self.least);
            }
        }
        let mut host_reason = None;
        if let Some(host) = host {
            let can_shrink = self.pools.iter().any(|pool| pool.depth > pool.floor);
            host_reason = self.squeeze.sample(now, host, can_shrink);
        }
        // What is used while the host is short says nothing about what is needed.
        if self.squeeze.is_on() {
            for pool in &mut self.pools {
                pool.need.quiet = None;
            }
        } else {
            for pool in &mut self.pools {
                pool.shrink(now);
            }
            let mut needy: Vec<usize> = (0..self.pools.len())
                .filter(|&at| self.pools[at].wants() > 0)
                .collect();
            needy.sort_by_key(|&at| self.pools[at].bytes());
            for at in needy {
                self.feed(now, at);
            }
        }
        self.apply(host_reason)
    }

    /// Gives a pool what it wants, as far as there is memory.
    fn feed(&mut self, now: Instant, at: usize) {
        let (size, had) = (self.pools[at].buffer_size, self.pools[at].granted);
        let held: u64 = self.pools.iter().map(Pool::bytes).sum();
        let mut free = self.memory.saturating_sub(held);
        let wanted = self.pools[at].wants() as u64 * size;
        let below = (self.pools[at].fair.saturating_sub(had)) as u64 * size;
        for other in 0..self.pools.len() {
            if free >= wanted {
                break;
            }
            // Its own right to its share, and after that what others need less.
            let pool = &mut self.pools[other];
            let (limit, keeps) = if free < below {
                (below.min(wanted), pool.fair)
            } else {
                (wanted, pool.fair.max(pool.need.lately()))
            };
            if other == at || pool.granted <= keeps {
                continue;
            }
            let short = limit.saturating_sub(free).div_ceil(pool.buffer_size.max(1));
            let gives = usize::try_from(short).unwrap_or(usize::MAX);
            let gives = gives.min(pool.granted - keeps);
            if gives > 0 {
                pool.granted -= gives;
                pool.need.quiet = None;
                pool.reason = Some("another group needs buffers more".into());
                free += gives as u64 * pool.buffer_size;
            }
        }
        let pool = &mut self.pools[at];
        let more = pool.fitting(wanted.min(free));
        if more > 0 {
            pool.grow(now, had + more);
        }
    }

    /// What is granted becomes depth, less what the host needs.
    fn apply(&mut self, host_reason: Option<&str>) -> Vec<Change> {
        let mut changes = Vec::new();
        for pool in &mut self.pools {
            let to = self.squeeze.limit(pool.granted, pool.fair, pool.floor);
            let reason = pool.reason.take();
            if to == pool.depth {
                continue;
            }
            let reason = reason.or_else(|| host_reason.map(str::to_owned));
            changes.push(Change {
                group_index: pool.group_index,
                from: pool.depth,
                to,
                reason: reason.unwrap_or_else(|| "the memory is shared anew".into()),
            });
            pool.depth = to;
        }
        changes
    }
}

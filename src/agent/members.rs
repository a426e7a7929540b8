//! The entities of a group that get the image, each with where it is on its way there, and when a
//! pass over the whole image begins for those that can begin.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::model::{Failure, Fault, Holds, Limits, Step};

use super::gathering::Gathering;
use super::retry::{Tries, may_hold_all};

/// Time for which those that could begin wait for others that can begin with them: a pass for one is a
/// reading for one.
const GATHER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of it runs: it can begin from then on.
    Waits { from: Instant },
    /// Its download agent runs.
    Works,
    /// It is offline: what asks it says when it can begin.
    Away,
    /// It has a final state.
    Done,
}

#[derive(Debug)]
pub(super) struct Member {
    /// Its place in the group.
    pub(super) entity: usize,
    pub(super) phase: Phase,
    /// The attempt that runs, or ran last; from 1.
    pub(super) attempt: u32,
    pub(super) tries: Tries,
    /// An attempt that failed had the file confirmed, or another run was writing it: the image may be
    /// in place all the same.
    pub(super) may_be_placed: bool,
    /// What the entity was last found to hold; `None` while nobody has looked.
    pub(super) holds: Option<Holds>,
    /// Those with the same number are behind one server.
    server: usize,
    /// Those with a lower one begin first, where not all can.
    rank: usize,
    /// It may hold what it was sent: it is looked at before a pass is read for it.
    pub(super) looks_first: bool,
    /// It could have begun, had there been room: it waits for its turn, not to be tried again.
    had_no_room: bool,
}

impl Member {
    fn new(entity: usize, (limits, rank): (Limits, usize), now: Instant) -> Self {
        Self {
            entity,
            phase: Phase::Waits { from: now },
            attempt: 0,
            tries: match cfg!(test) {
                // A history of many entities is the same each time that it is played.
                true => Tries::seeded(limits, entity as u64),
                false => Tries::new(limits),
            },
            may_be_placed: false,
            holds: None,
            server: entity,
            rank,
            looks_first: false,
            had_no_room: false,
        }
    }
}

/// All targets of a group.
#[derive(Debug)]
pub(super) struct Members {
    /// By their places in the group.
    pub(super) all: Vec<Member>,
    limits: Limits,
    /// The number of each entity's server, by its place in the group.
    servers: Option<Vec<usize>>,
    /// Maximum number that work at one time.
    at_once: usize,
    /// Maximum number of entities of a server that work at one time, where it has refused more.
    most: HashMap<usize, usize>,
    /// Since when somebody can begin.
    can_begin: Option<Instant>,
    gathering: Gathering,
}

impl Members {
    pub(super) fn new(
        targets: &[usize],
        parallel: Option<usize>,
        limits: Limits,
        now: Instant,
    ) -> Self {
        let ranked = targets.iter().enumerate();
        let member = |(rank, &entity): (usize, &usize)| Member::new(entity, (limits, rank), now);
        let mut all: Vec<Member> = ranked.map(member).collect();
        all.sort_by_key(|member| member.entity);
        Self {
            all,
            limits,
            servers: None,
            at_once: parallel.unwrap_or(usize::MAX).max(1),
            most: HashMap::new(),
            can_begin: None,
            gathering: Gathering::default(),
        }
    }

    /// One more that gets the image.
    pub(super) fn join(&mut self, entity: usize, now: Instant) {
        let mut member = Member::new(entity, (self.limits, self.all.len()), now);
        let servers = self.servers.iter().flatten();
        member.server = servers.copied().nth(entity).unwrap_or(entity);
        let at = self.all.partition_point(|other| other.entity < entity);
        self.all.insert(at, member);
    }

    /// One that was offline answers. What it is to get is asked for when its file is open, and what was tried before
    /// counts no more.
    pub(super) fn answers(&mut self, entity: usize, now: Instant) {
        if self.of(entity).is_none() {
            self.join(entity, now);
        }
        let limits = self.limits;
        if let Some(member) = self.of(entity) {
            member.phase = Phase::Waits { from: now };
            member.looks_first = true;
            member.tries = Tries::new(limits);
        }
    }

    /// When it can begin again, where it waits for that.
    pub(super) fn again_from(&mut self, entity: usize) -> Option<Instant> {
        match self.of(entity)?.phase {
            Phase::Waits { from } => Some(from),
            _ => None,
        }
    }

    /// It can't be reached: nothing of it runs, and it has no turn.
    pub(super) fn away(&mut self, entity: usize) {
        if let Some(member) = self.of(entity) {
            member.phase = Phase::Away;
        }
    }

    /// It has a final state.
    pub(super) fn done(&mut self, entity: usize) {
        if let Some(member) = self.of(entity) {
            member.phase = Phase::Done;
        }
    }

    /// No pass is read for it before it was looked at.
    pub(super) fn looks_first(&mut self, entity: usize) {
        if let Some(member) = self.of(entity) {
            member.looks_first = true;
        }
    }

    /// Which entities of the group, of this number, are behind one server.
    pub(super) fn behind<S: Hash + Eq>(
        mut self,
        entities: usize,
        server: impl Fn(usize) -> S,
    ) -> Self {
        let mut numbers: HashMap<S, usize> = HashMap::new();
        let mut number = |entity| {
            let next = numbers.len();
            *numbers.entry(server(entity)).or_insert(next)
        };
        let servers: Vec<usize> = (0..entities).map(&mut number).collect();
        for member in &mut self.all {
            member.server = servers.get(member.entity).copied().unwrap_or(member.entity);
        }
        self.servers = Some(servers);
        self
    }

    pub(super) fn of(&mut self, entity: usize) -> Option<&mut Member> {
        let index = (self.all).binary_search_by_key(&entity, |member| member.entity);
        index.ok().map(|index| &mut self.all[index])
    }

    pub(super) fn all_done(&self) -> bool {
        self.all.iter().all(|member| member.phase == Phase::Done)
    }

    fn working(&self) -> usize {
        let works = |member: &&Member| member.phase == Phase::Works;
        self.all.iter().filter(works).count()
    }

    /// The entities that can begin now, in order, as many as may work beside those that do.
    pub(super) fn ready(&mut self, now: Instant) -> Vec<usize> {
        let mut room = self.at_once.saturating_sub(self.working());
        let mut rooms = self.most.clone();
        for member in self
            .all
            .iter()
            .filter(|member| member.phase == Phase::Works)
        {
            if let Some(room) = rooms.get_mut(&member.server) {
                *room = room.saturating_sub(1);
            }
        }
        let mut ready = Vec::new();
        let mut by_rank: Vec<&mut Member> = self.all.iter_mut().collect();
        by_rank.sort_by_key(|member| member.rank);
        for member in by_rank {
            if !matches!(member.phase, Phase::Waits { from } if from <= now) {
                continue;
            }
            let there = rooms.get_mut(&member.server);
            if room == 0 || there.as_ref().is_some_and(|there| **there == 0) {
                member.had_no_room = true;
                continue;
            }
            room -= 1;
            if let Some(there) = there {
                *there -= 1;
            }
            ready.push(member.entity);
        }
        ready.sort_unstable();
        if ready.is_empty() {
            self.can_begin = None;
        } else {
            self.can_begin.get_or_insert(now);
        }
        ready
    }

    /// Whether a pass is begun for those that are [`ready`](Self::ready): others that work may
    /// free a place, or be tried again, a moment later.
    pub(super) fn gathered(&self, ready: &[usize], now: Instant) -> bool {
        let is_there = |member: &&Member| !matches!(member.phase, Phase::Done | Phase::Away);
        if self.all.iter().filter(is_there).count() == 1 {
            return true;
        }
        let has_turn = self.has_turn(ready);
        let long = |since: Instant| now.duration_since(since) >= GATHER;
        let soon = |member: &Member| {
            let soon = now + GATHER;
            matches!(member.phase, Phase::Waits { from } if from > now && from <= soon)
        };
        let has_waited = self.can_begin.is_some_and(long)
            || self.working() == 0 && (has_turn || !self.all.iter().any(soon));
        has_waited && (has_turn || self.gathering.is_over(now))
    }

    /// Whether one of them waits for its turn, and not to be tried again: those need a pass each
    /// time in any case.
    fn has_turn(&self, ready: &[usize]) -> bool {
        let is_ready = |member: &Member| ready.binary_search(&member.entity).is_ok();
        let mut all = self.all.iter();
        all.any(|member| (member.attempt == 0 || member.had_no_room) && is_ready(member))
    }

    /// Whether a pass over the whole image may begin for entities that were late for one.
    pub(super) fn may_begin_late(&self, now: Instant) -> bool {
        self.gathering.is_over_for_late(now)
    }

    /// A pass over the whole image begins, for these or for such as were late.
    pub(super) fn pass_begins(&mut self, ready: &[usize], now: Instant) {
        if !self.has_turn(ready) {
            self.gathering.pass_begins(now);
        }
    }

    /// Its first or next attempt begins; its number.
    pub(super) fn begins(&mut self, entity: usize, now: Instant) -> u32 {
        self.can_begin = None;
        let Some(member) = self.of(entity) else {
            return 1;
        };
        if let Phase::Waits { from } = member.phase {
            member.tries.gathered(now.saturating_duration_since(from));
        }
        member.phase = Phase::Works;
        member.attempt += 1;
        member.had_no_room = false;
        member.attempt
    }

    /// Its attempt has failed. Whether it is tried again.
    pub(super) fn failed(&mut self, entity: usize, failure: &Failure, now: Instant) -> bool {
        let Some(member) = self.of(entity) else {
            return false;
        };
        let again = member.tries.after(failure, now);
        // Until something was sent to it anew, a connection that is refused changes nothing.
        member.looks_first =
            may_hold_all(failure) || member.looks_first && failure.step < Step::Open;
        member.phase = again.map_or(Phase::Done, |delay| Phase::Waits { from: now + delay });
        let server = member.server;
        if has_no_room(failure) {
            let works = |member: &&Member| member.phase == Phase::Works && member.server == server;
            let others = self.all.iter().filter(works).count();
            if others > 0 {
                let most = self.most.entry(server).or_insert(others);
                *most = others.min(*most);
            }
        }
        again.is_some()
    }

    /// Its attempt has come to nothing, and not by its own fault: it can begin again at once.
    /// Whether there is such an entity.
    pub(super) fn again(&mut self, entity: usize, now: Instant) -> bool {
        let member = self.of(entity);
        member.is_some_and(|member| {
            member.phase = Phase::Waits { from: now };
            true
        })
    }

    /// Those of which nothing runs and that have no final state.
    pub(super) fn waiting(&self) -> Vec<usize> {
        let waits = |member: &&Member| matches!(member.phase, Phase::Waits { .. });
        let waiting = self.all.iter().filter(waits);
        waiting.map(|member| member.entity).collect()
    }
}

/// Whether a server may have refused because it has as many sessions, or ports, as it takes: it has
/// said so before the file was open, and something that may pass. Some only hang up in place of a
/// greeting, and some go over to clear text for it.
fn has_no_room(failure: &Failure) -> bool {
    let says_so = match &failure.fault {
        Fault::Reply { .. }
        | Fault::Answer { .. }
        | Fault::Busy { .. }
        | Fault::TlsGarbled { .. } => true,
        Fault::Lost { .. } => failure.step == Step::Connect,
        _ => false,
    };
    says_so && failure.step <= Step::Open && failure.is_transient()
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::super::gathering::delays_within;
    use super::*;
    use crate::model::Side;

    fn lost() -> Failure {
        let (side, reason) = (Side::Data, "reset".into());
        Failure::new(Step::Send, Fault::Lost { side, reason })
    }

    #[test]
    fn no_more_than_allowed_work_at_one_time() {
        let now = Instant::now();
        let mut members = Members::new(&[0, 2, 4, 6, 8], Some(2), Limits::default(), now);
        assert_eq!(members.ready(now), [0, 2]);
        assert!(members.gathered(&[0, 2], now), "nobody works");
        members.begins(0, now);
        members.begins(2, now);
        assert!(members.ready(now).is_empty());
        members.of(0).unwrap().phase = Phase::Done;
        assert_eq!(members.ready(now), [4]);
        assert!(
            !members.gathered(&[4], now),
            "the other one may be done in a moment"
        );
        let later = now + GATHER;
        assert_eq!(members.ready(later), [4]);
        assert!(members.gathered(&[4], later));
        members.of(2).unwrap().phase = Phase::Done;
        assert_eq!(members.ready(later), [4, 6]);
    }

    #[test]
    fn one_that_failed_is_ready_again_after_its_delay() {
        let now = Instant::now();
        let mut members = Members::new(&[0, 1], None, Limits::default(), now);
        assert_eq!(members.begins(0, now), 1);
        assert_eq!(members.begins(1, now), 1);
        assert!(members.failed(0, &lost(), now));
        assert!(members.ready(now).is_empty());
        assert_eq!(members.waiting(), [0]);
        let later = now + Duration::from_secs(2);
        assert_eq!(members.ready(later), [0]);
        assert_eq!(members.begins(0, later), 2);
        assert!(!members.all_done());
    }

    fn refused() -> Failure {
        let address = "192.0.2.7:21".into();
        Failure::new(
            Step::Connect,
            Fault::Refused {
                address,
                server: "FTP",
            },
        )
    }

    /// What became of a group of entities, each of which is refused a number of times.
    #[derive(Debug)]
    struct Outcome {
        passes: usize,
        /// Those of them that began when all other entities were done with.
        alone: usize,
        refused: usize,
        delivered: usize,
        took: Duration,
        /// The longest time from an entity's refusal to its next attempt.
        longest_wait: Duration,
    }

    /// Plays a group in which an entity is refused a number of times, each after a time of its own, and
    /// a pass for those that are not takes `pass`. Time is made up; nobody joins a pass that runs.
    fn play(
        refusals: &[u32],
        limits: Limits,
        pass: Duration,
        mut refused_after: impl FnMut(usize) -> Duration,
    ) -> Outcome {
        let start = Instant::now();
        let targets: Vec<usize> = (0..refusals.len()).collect();
        let mut members = Members::new(&targets, None, limits, start);
        let mut refusals = refusals.to_vec();
        let mut outcome = Outcome {
            passes: 0,
            alone: 0,
            refused: 0,
            delivered: 0,
            took: Duration::ZERO,
            longest_wait: Duration::ZERO,
        };
        let mut failed_at = vec![start; targets.len()];
        let (mut now, mut reads_until) = (start, start);
        // What ends, the soonest first.
        let mut ends = BinaryHeap::new();
        while !members.all_done() {
            while let Some((std::cmp::Reverse(at), entity)) = ends.peek().copied()
                && at <= now
            {
                ends.pop();
                let left: &mut u32 = &mut refusals[entity];
                if *left == 0 {
                    outcome.delivered += 1;
                    members.of(entity).unwrap().phase = Phase::Done;
                } else {
                    *left -= 1;
                    outcome.refused += 1;
                    failed_at[entity] = now;
                    members.failed(entity, &refused(), now);
                }
            }
            let ready = members.ready(now);
            if !ready.is_empty() && now >= reads_until && members.gathered(&ready, now) {
                outcome.passes += 1;
                let is_done = |member: &&Member| member.phase == Phase::Done;
                let done = members.all.iter().filter(is_done).count();
                outcome.alone += usize::from(done + 1 == targets.len());
                members.pass_begins(&ready, now);
                let mut is_read = false;
                for entity in ready {
                    if members.begins(entity, now) > 1 {
                        let wait = now - failed_at[entity];
                        outcome.longest_wait = outcome.longest_wait.max(wait);
                    }
                    let is_good = refusals[entity] == 0;
                    is_read |= is_good;
                    let after = if is_good { pass } else { refused_after(entity) };
                    ends.push((std::cmp::Reverse(now + after), entity));
                }
                if is_read {
                    reads_until = now + pass;
                }
            }
            now += Duration::from_millis(100);
        }
        outcome.took = now - start;
        outcome
    }

    /// A trial in which servers were short of descriptors: 37,000 connects were refused before the
    /// last of 10,000 entities had the image, and its source was read 822 times.
    #[test]
    fn ten_thousand_that_are_refused_37_000_times_need_a_pass_a_delay_and_two() {
        // Between none and eight times, 3.7 in the mean.
        let refusals: Vec<u32> = (0..10_000_u32)
            .map(|entity| [0, 1, 2, 3, 4, 5, 6, 8, 3, 5][(entity % 10) as usize])
            .collect();
        assert_eq!(refusals.iter().sum::<u32>(), 37_000);
        let limits = Limits::default();
        let pass = Duration::from_millis(200);
        // Who has no descriptor for a connection refuses it at once.
        let outcome = play(&refusals, limits, pass, |_| Duration::from_millis(100));
        println!("{outcome:?}");
        assert_eq!((outcome.delivered, outcome.refused), (10_000, 37_000));
        let delays = limits.retries as usize;
        assert!(outcome.passes <= delays + 2, "{outcome:?}");

        // A busy host refuses some at once, and others after a while.
        let mut drawn = 7_u64;
        let outcome = play(&refusals, limits, pass, |_| {
            drawn = drawn
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            Duration::from_millis((drawn >> 33) % 5000)
        });
        println!("{outcome:?}");
        assert_eq!((outcome.delivered, outcome.refused), (10_000, 37_000));
        let delays = delays_within(outcome.took);
        // The last one of all has nobody to gather with, and keeps to its own delays.
        let gathered = outcome.passes - outcome.alone;
        assert!(gathered <= delays + 2, "{delays} delays: {outcome:?}");
        assert!(outcome.passes <= 16, "{outcome:?}");
    }

    /// It gathers with nobody.
    #[test]
    fn a_single_entity_is_tried_again_no_later_than_its_own_delays_say() {
        let limits = Limits::default();
        let outcome = play(&[1], limits, Duration::from_secs(5), |_| {
            Duration::from_secs(1)
        });
        assert_eq!((outcome.passes, outcome.delivered), (2, 1));
        assert!(
            outcome.longest_wait <= Duration::from_millis(1100),
            "{outcome:?}"
        );
        // The fifth delay is drawn between 8 s and 16 s.
        let outcome = play(&[5], limits, Duration::from_secs(5), |_| Duration::ZERO);
        assert_eq!((outcome.passes, outcome.delivered), (6, 1));
        assert!(
            outcome.longest_wait <= Duration::from_millis(16_200),
            "{outcome:?}"
        );
    }

    /// One of many waits for the others no longer than a group of its size needs it to.
    #[test]
    fn those_that_fail_together_are_tried_again_together() {
        let limits = Limits::default();
        let outcome = play(&[1; 500], limits, Duration::from_secs(1), |_| {
            Duration::ZERO
        });
        assert_eq!((outcome.passes, outcome.delivered), (2, 500), "{outcome:?}");
        assert!(
            outcome.longest_wait <= Duration::from_millis(1600),
            "{outcome:?}"
        );
    }

    proptest! {
        #[test]
        fn passes_are_no_more_than_delays_and_two(
            refusals in prop::collection::vec(0_u32..6, 1..60),
            pass in 0_u64..20_000,
            after in prop::collection::vec(0_u64..30_000, 1..20),
        ) {
            let mut next = 0;
            let outcome = play(
                &refusals,
                Limits::default(),
                Duration::from_millis(pass),
                |_| {
                    next += 1;
                    Duration::from_millis(after[next % after.len()])
                },
            );
            let delays = delays_within(outcome.took);
            let gathered = outcome.passes - outcome.alone;
            prop_assert!(gathered <= delays + 2, "{} delays: {:?}", delays, outcome);
            prop_assert!(outcome.alone <= 6, "each is one attempt: {:?}", outcome);
        }
    }

    fn turned_away() -> Failure {
        let text = "there are too many connections".into();
        Failure::new(Step::Connect, Fault::Reply { code: 421, text })
    }

    #[test]
    fn a_server_without_room_is_known_by_what_it_does() {
        let said = |code| {
            let text = "no".into();
            Fault::Reply { code, text }
        };
        let busy = Fault::Busy {
            code: 530,
            text: "too many".into(),
        };
        let lost = Fault::Lost {
            side: Side::Control,
            reason: "the server closed it".into(),
        };
        let garbled = Fault::TlsGarbled {
            side: Side::Control,
            reason: "clear text".into(),
        };
        for (step, fault, expected) in [
            (Step::Connect, said(421), true),
            (Step::Login, busy.clone(), true),
            (Step::Open, busy, true),
            (Step::Open, garbled.clone(), true),
            (Step::Connect, lost.clone(), true),
            // It may be on its way down.
            (Step::Open, lost, false),
            (Step::Send, garbled, false),
            (Step::Send, said(421), false),
            (Step::Login, said(530), false),
        ] {
            let failure = Failure::new(step, fault);
            assert_eq!(has_no_room(&failure), expected, "{failure}");
        }
    }

    #[test]
    fn those_behind_one_server_that_refuses_wait_for_each_other() {
        let now = Instant::now();
        let limits = Limits::default();
        // The first three are behind one server.
        let mut members =
            Members::new(&[0, 1, 2, 3], None, limits, now).behind(4, |one| one.max(2));
        for entity in 0..4 {
            members.begins(entity, now);
        }
        assert!(members.failed(1, &turned_away(), now));
        assert!(members.failed(2, &turned_away(), now));
        assert!(members.failed(3, &turned_away(), now));
        let later = now + Duration::from_secs(10);
        assert_eq!(members.ready(later), [3], "its server has refused it alone");
        members.of(0).unwrap().phase = Phase::Done;
        assert_eq!(members.ready(later), [1, 3]);
        assert!(members.gathered(&[1, 3], later), "it is its turn");
        members.begins(1, now);
        assert_eq!(members.ready(later), [3]);
        members.of(1).unwrap().phase = Phase::Done;
        assert_eq!(members.ready(later), [2, 3]);
    }
}

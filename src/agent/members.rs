//! The entities of a group that get the image, each with where it is on its way there.

use std::time::{Duration, Instant};

use crate::model::{Failure, Holds, Limits};

use super::retry::Tries;

/// So long those that could begin wait for others that can begin with them: a pass for one is a
/// reading for one.
const GATHER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing of it runs: it can begin from then on.
    Waits { from: Instant },
    /// Its download agent runs.
    Works,
    /// It has a final state.
    Done,
}

#[derive(Debug)]
pub(super) struct Member {
    /// Its place in the group.
    pub(super) entity: usize,
    pub(super) way: Way,
    /// The attempt that runs, or ran last; from 1.
    pub(super) attempt: u32,
    pub(super) tries: Tries,
    /// An attempt that failed had the file confirmed: the image may be in place all the same.
    pub(super) was_confirmed: bool,
    /// What the entity was last found to hold; `None` while nobody has looked.
    pub(super) holds: Option<Holds>,
}

impl Member {
    fn new(entity: usize, limits: Limits, now: Instant) -> Self {
        Self {
            entity,
            way: Way::Waits { from: now },
            attempt: 0,
            tries: Tries::new(limits),
            was_confirmed: false,
            holds: None,
        }
    }
}

/// All targets of a group.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) all: Vec<Member>,
    limits: Limits,
    /// At most so many work at one time.
    at_once: usize,
    /// Since when somebody can begin.
    can_begin: Option<Instant>,
}

impl Members {
    pub(super) fn new(
        targets: &[usize],
        parallel: Option<usize>,
        limits: Limits,
        now: Instant,
    ) -> Self {
        let member = |&entity: &usize| Member::new(entity, limits, now);
        Self {
            all: targets.iter().map(member).collect(),
            limits,
            at_once: parallel.unwrap_or(usize::MAX).max(1),
            can_begin: None,
        }
    }

    /// One more that gets the image.
    pub(super) fn join(&mut self, entity: usize, now: Instant) {
        self.all.push(Member::new(entity, self.limits, now));
    }

    pub(super) fn of(&mut self, entity: usize) -> Option<&mut Member> {
        self.all.iter_mut().find(|member| member.entity == entity)
    }

    pub(super) fn all_done(&self) -> bool {
        self.all.iter().all(|member| member.way == Way::Done)
    }

    fn working(&self) -> usize {
        let works = |member: &&Member| member.way == Way::Works;
        self.all.iter().filter(works).count()
    }

    /// The entities that can begin now, in order, as many as may work beside those that do.
    pub(super) fn ready(&mut self, now: Instant) -> Vec<usize> {
        let room = self.at_once.saturating_sub(self.working());
        let is_ready = |member: &&Member| matches!(member.way, Way::Waits { from } if from <= now);
        let ready = self.all.iter().filter(is_ready).take(room);
        let ready: Vec<usize> = ready.map(|member| member.entity).collect();
        if ready.is_empty() {
            self.can_begin = None;
        } else {
            self.can_begin.get_or_insert(now);
        }
        ready
    }

    /// Whether a pass is begun for those that are [`ready`](Self::ready): others that work may
    /// free a place, or be tried again, a moment later.
    pub(super) fn gathered(&self, now: Instant) -> bool {
        let long = |since: Instant| now.duration_since(since) >= GATHER;
        self.working() == 0 || self.can_begin.is_some_and(long)
    }

    /// Its first or next attempt begins; its number.
    pub(super) fn begins(&mut self, entity: usize) -> u32 {
        self.can_begin = None;
        let Some(member) = self.of(entity) else {
            return 1;
        };
        member.way = Way::Works;
        member.attempt += 1;
        member.attempt
    }

    /// Its attempt has failed. Whether it is tried again.
    pub(super) fn failed(&mut self, entity: usize, failure: &Failure, now: Instant) -> bool {
        let Some(member) = self.of(entity) else {
            return false;
        };
        let again = member.tries.after(failure, now);
        member.way = again.map_or(Way::Done, |delay| Way::Waits { from: now + delay });
        again.is_some()
    }

    /// Those of which nothing runs and that have no final state.
    pub(super) fn waiting(&self) -> Vec<usize> {
        let waits = |member: &&Member| matches!(member.way, Way::Waits { .. });
        let waiting = self.all.iter().filter(waits);
        waiting.map(|member| member.entity).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, Side, Step};

    fn lost() -> Failure {
        let (side, reason) = (Side::Data, "reset".into());
        Failure::new(Step::Send, Fault::Lost { side, reason })
    }

    #[test]
    fn no_more_than_allowed_work_at_one_time() {
        let now = Instant::now();
        let mut members = Members::new(&[0, 2, 4, 6, 8], Some(2), Limits::default(), now);
        assert_eq!(members.ready(now), [0, 2]);
        assert!(members.gathered(now), "nobody works");
        members.begins(0);
        members.begins(2);
        assert!(members.ready(now).is_empty());
        members.of(0).unwrap().way = Way::Done;
        assert_eq!(members.ready(now), [4]);
        assert!(
            !members.gathered(now),
            "the other one may be done in a moment"
        );
        let later = now + GATHER;
        assert_eq!(members.ready(later), [4]);
        assert!(members.gathered(later));
        members.of(2).unwrap().way = Way::Done;
        assert_eq!(members.ready(later), [4, 6]);
    }

    #[test]
    fn one_that_failed_is_ready_again_after_its_delay() {
        let now = Instant::now();
        let mut members = Members::new(&[0, 1], None, Limits::default(), now);
        assert_eq!(members.begins(0), 1);
        assert_eq!(members.begins(1), 1);
        assert!(members.failed(0, &lost(), now));
        assert!(members.ready(now).is_empty());
        assert_eq!(members.waiting(), [0]);
        let later = now + Duration::from_secs(2);
        assert_eq!(members.ready(later), [0]);
        assert_eq!(members.begins(0), 2);
        assert!(!members.all_done());
    }
}

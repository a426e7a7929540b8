//! All histories of small groups: whatever entities come to, whenever operators pause and resume, the window opens and
//! closes and the engine is killed, nobody begins who may not, and everybody comes to an end in the end.
//!
//! What may begin is judged by rules of their own, from what happened alone.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::calendar::Calendar;
use super::course::{Course, Terms};
use crate::model::campaign::{Days, Proceed, TimeOfDay, Window};
use crate::model::{EntityState, Verified};
use crate::protocol::Change;

/// What may become of one that is under way.
const ENDS: [(EntityState, Verified); 4] = [
    (EntityState::Delivered, Verified::Digest),
    (EntityState::Delivered, Verified::Size),
    (EntityState::Failed, Verified::None),
    (EntityState::Offline, Verified::None),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Mode {
    Idle,
    UnderWay,
    Offline,
    Ended(usize),
}

/// A group, and all that an onlooker has seen of it.
#[derive(Clone)]
struct World {
    terms: Terms,
    course: Course,
    journal: Vec<(Timestamp, Change)>,
    modes: Vec<Mode>,
    is_open: bool,
    seen: Seen,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Seen {
    paused_by_operator: bool,
    /// Since somebody has said to go on.
    failures: usize,
    /// Of each wave: it came to its end; and the next one may follow, by what it showed or because somebody said so.
    waves: Vec<(bool, bool)>,
    /// Of each entity: it has begun at some time.
    begun: Vec<bool>,
}

fn opens_daily() -> Window {
    Window {
        days: Days::ALL,
        from: TimeOfDay::new(0, 0).unwrap(),
        to: TimeOfDay::new(12, 0).unwrap(),
        zone: "UTC".into(),
    }
}

fn at(is_open: bool) -> Timestamp {
    let hour = if is_open { "06" } else { "18" };
    format!("2026-11-27T{hour}:00:00Z").parse().unwrap()
}

impl World {
    fn new(terms: Terms) -> Self {
        let entities = terms.waves.concat().len();
        let waves = terms.waves.len();
        Self {
            course: Course::new(terms.clone(), entities),
            is_open: terms.calendar.is_none(),
            terms,
            journal: Vec::new(),
            modes: vec![Mode::Idle; entities],
            seen: Seen {
                paused_by_operator: false,
                failures: 0,
                waves: vec![(false, false); waves],
                begun: vec![false; entities],
            },
        }
    }

    fn now(&self) -> Timestamp {
        at(self.is_open)
    }

    fn wave_of(&self, entity: usize) -> usize {
        let mut waves = self.terms.waves.iter();
        waves.position(|wave| wave.contains(&entity)).unwrap()
    }

    /// As the agent does it: what has changed is written down before anything is done.
    fn step(&mut self) {
        self.settle();
        let begin = self.course.begin(self.now());
        self.write();
        for entity in begin {
            self.judge(entity);
            assert_eq!(self.modes[entity], Mode::Idle, "it begins twice");
            self.modes[entity] = Mode::UnderWay;
            self.seen.begun[entity] = true;
            self.course.became(entity, EntityState::Connecting);
        }
    }

    /// Whether the onlooker finds that it may begin.
    fn judge(&self, entity: usize) {
        assert!(self.is_open, "outside the window");
        assert!(!self.seen.paused_by_operator, "paused");
        if let Some(most) = self.terms.stops_at {
            assert!(self.seen.failures < most, "{} failed", self.seen.failures);
        }
        for wave in 0..self.wave_of(entity) {
            let is_again = self.seen.begun[entity];
            let (has_ended, may_follow) = self.seen.waves[wave];
            assert!(
                is_again || has_ended && may_follow,
                "wave {wave} has not shown it"
            );
        }
    }

    /// Waves that have come to their end, and what they have shown.
    fn settle(&mut self) {
        for (number, wave) in self.terms.waves.iter().enumerate() {
            let modes: Vec<Mode> = wave.iter().map(|entity| self.modes[*entity]).collect();
            let is_settled = |mode: &Mode| matches!(mode, Mode::Offline | Mode::Ended(_));
            if self.seen.waves[number].0 || !modes.iter().all(is_settled) {
                continue;
            }
            let shows = modes.contains(&Mode::Ended(0))
                && (self.terms.stops_at.is_some() || !modes.contains(&Mode::Ended(2)))
                && self.terms.proceed == Proceed::Auto;
            self.seen.waves[number] = (true, shows);
        }
    }

    fn make(&mut self, one: Move) {
        match one {
            Move::Ends(entity, how) => {
                let (state, verified) = ENDS[how];
                self.course.stored(entity, verified);
                self.course.became(entity, state);
                self.seen.failures += usize::from(state == EntityState::Failed);
                self.modes[entity] = match state {
                    EntityState::Offline => Mode::Offline,
                    _ => Mode::Ended(how),
                };
            }
            Move::IsBack(entity) => {
                self.course.became(entity, EntityState::Connecting);
                self.modes[entity] = Mode::UnderWay;
            }
            Move::Pause => {
                self.course.pause(self.now());
                self.seen.paused_by_operator = true;
            }
            Move::Resume => {
                if self.course.resume(self.now()) {
                    self.seen.paused_by_operator = false;
                    self.seen.failures = 0;
                    let waves = self.seen.waves.iter_mut();
                    waves.filter(|wave| wave.0).for_each(|wave| wave.1 = true);
                }
            }
            Move::Clock => self.is_open = !self.is_open,
            Move::Crash => self.crash(),
        }
        self.write();
        self.step();
    }

    /// Waits are left out: an engine that goes on has a clock of its own.
    fn write(&mut self) {
        let changes = self.course.changes().into_iter();
        let lasting =
            |(_, change): &(Timestamp, Change)| !matches!(change, Change::Waits(_) | Change::Goes);
        self.journal.extend(changes.filter(lasting));
    }

    /// Another engine goes on, with what was written down.
    fn crash(&mut self) {
        let was_paused = self.course.is_paused();
        self.course = Course::new(self.terms.clone(), self.modes.len());
        for entity in 0..self.modes.len() {
            if let Mode::Ended(how) = self.modes[entity] {
                let (state, verified) = ENDS[how];
                self.course.stored(entity, verified);
                self.course.became(entity, state);
            } else {
                self.modes[entity] = Mode::Idle;
            }
        }
        self.course.restore(self.journal.iter().cloned());
        assert_eq!(self.course.is_paused(), was_paused, "a pause survives");
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (entity, mode) in self.modes.iter().enumerate() {
            match mode {
                Mode::UnderWay => moves.extend((0..ENDS.len()).map(|how| Move::Ends(entity, how))),
                Mode::Offline => moves.push(Move::IsBack(entity)),
                Mode::Idle | Mode::Ended(_) => {}
            }
        }
        match self.course.is_paused() {
            true => moves.push(Move::Resume),
            false => moves.push(Move::Pause),
        }
        if self.terms.calendar.is_some() {
            moves.push(Move::Clock);
        }
        moves.push(Move::Crash);
        moves
    }

    /// Somebody says to go on whenever that is asked, and all goes well.
    fn comes_to_an_end(&mut self) {
        for _ in 0..40 {
            if self.course.is_over() {
                return;
            }
            let under_way = |mode: &Mode| *mode == Mode::UnderWay;
            let one = if let Some(entity) = self.modes.iter().position(under_way) {
                Move::Ends(entity, 0)
            } else if let Some(entity) = self.modes.iter().position(|one| *one == Mode::Offline) {
                Move::IsBack(entity)
            } else if self.course.is_paused() {
                Move::Resume
            } else if !self.is_open {
                Move::Clock
            } else {
                panic!(
                    "nothing is left to do, and it is not over: {:?}",
                    self.course
                );
            };
            self.make(one);
        }
        panic!("it does not come to an end: {:?}", self.course);
    }
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Ends(usize, usize),
    IsBack(usize),
    Pause,
    Resume,
    Clock,
    Crash,
}

/// Walks all histories; their states are far fewer. The number of states.
fn walk(terms: &Terms) -> usize {
    let mut known = HashSet::new();
    let mut world = World::new(terms.clone());
    world.step();
    // The shortest first, so that what is written down stays short.
    let mut open = VecDeque::from([world]);
    while let Some(world) = open.pop_front() {
        let key = (
            world.modes.clone(),
            world.is_open,
            world.seen.clone(),
            world.course.key(),
        );
        if !known.insert(key) {
            continue;
        }
        for one in world.moves() {
            let mut next = world.clone();
            next.make(one);
            open.push_back(next);
        }
        let mut world = world;
        world.comes_to_an_end();
    }
    known.len()
}

fn terms(waves: &[&[usize]], stops_at: Option<usize>, proceed: Proceed, window: bool) -> Terms {
    Terms {
        waves: waves.iter().map(|wave| wave.to_vec()).collect(),
        proceed,
        stops_at,
        start: None,
        calendar: window.then(|| Calendar::new(&opens_daily())),
        takes: Duration::from_secs(60),
        takes_at_least: false,
        of_activation: false,
        rate: None,
        is_shown: true,
    }
}

#[test]
fn nobody_begins_who_may_not_and_everybody_comes_to_an_end() {
    let mut states = 0;
    for waves in [
        &[&[0_usize][..], &[1, 2]][..],
        &[&[0, 1], &[2]],
        &[&[0], &[1], &[2]],
        &[&[0, 1]],
    ] {
        for stops_at in [None, Some(1), Some(2)] {
            for proceed in [Proceed::Auto, Proceed::Ask] {
                for window in [false, true] {
                    states += walk(&terms(waves, stops_at, proceed, window));
                }
            }
        }
    }
    assert!(states > 10_000, "{states}");
}

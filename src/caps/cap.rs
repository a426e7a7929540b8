//! One cap: those that share it wait in a line, and only the first of them for the clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::held::{HeldMeter, Kind};
use super::lock;
use super::schedule::Schedule;
use super::turns::{Place, Turns};

/// Shared by all that come under it.
#[derive(Debug)]
pub(super) struct Cap {
    epoch: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None`: it was lifted, and holds nobody up any more.
    schedule: Option<Schedule>,
    turns: Turns<Arc<Notify>>,
    /// How often it was changed.
    changes: u64,
}

impl State {
    /// The first of the line looks anew.
    fn ring(&self) {
        if let Some(bell) = self.turns.first() {
            bell.notify_one();
        }
    }
}

/// What one that waits is answered.
enum Answer {
    Granted(usize),
    /// Others come first.
    Line,
    Until(Duration),
}

impl Cap {
    pub(super) fn new(rate: u64) -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            state: Mutex::new(State {
                schedule: Some(Schedule::new(rate, Duration::ZERO)),
                turns: Turns::default(),
                changes: 0,
            }),
        })
    }

    /// Another rate from now on; `None` lifts it.
    pub(super) fn change(&self, rate: Option<u64>) {
        let now = self.now();
        let mut state = lock(&self.state);
        state.changes += 1;
        state.schedule = match (state.schedule.take(), rate) {
            (Some(mut schedule), Some(rate)) => {
                schedule.change(rate, now);
                Some(schedule)
            }
            (None, Some(rate)) => Some(Schedule::new(rate, now)),
            (_, None) => None,
        };
        state.ring();
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn ask(&self, claim: &mut Claimed, place: Place, most: usize) -> Answer {
        let now = self.now();
        let mut state = lock(&self.state);
        let state = &mut *state;
        let first = state.turns.is_first(place);
        let waiting = state.turns.waiting();
        let granted = match &mut state.schedule {
            None => most,
            Some(_) if !first => return Answer::Line,
            Some(schedule) => match schedule.grant(now, most, waiting) {
                Ok(granted) => granted,
                Err(until) => return Answer::Until(until),
            },
        };
        claim.got = state.turns.served(place, granted);
        claim.changes = state.changes;
        state.ring();
        Answer::Granted(granted)
    }
}

#[derive(Debug, Default)]
struct Claimed {
    /// Bytes under this cap, as far as its line has to know.
    got: u64,
    /// At the last grant.
    changes: u64,
}

/// One of those that share a cap.
#[derive(Debug)]
pub(super) struct Claim {
    cap: Arc<Cap>,
    bell: Arc<Notify>,
    claimed: Claimed,
    kind: Kind,
    /// All entities of the group come under it.
    is_common: bool,
}

impl Claim {
    pub(super) fn new(cap: Arc<Cap>, kind: Kind, is_common: bool) -> Self {
        Self {
            cap,
            bell: Arc::default(),
            claimed: Claimed::default(),
            kind,
            is_common,
        }
    }

    /// Waits until some bytes may go: at least one, and at most `most`. Cancel safe: nothing is granted to one that has
    /// left.
    pub(super) async fn take(&mut self, most: usize, held: &HeldMeter) -> usize {
        let place = {
            let mut state = lock(&self.cap.state);
            state.turns.enter(self.claimed.got, self.bell.clone())
        };
        let mut line = Line {
            cap: &self.cap,
            place: Some(place),
        };
        let mut wait = None;
        loop {
            let until = match self.cap.ask(&mut self.claimed, place, most) {
                Answer::Granted(granted) => {
                    line.place = None;
                    return granted;
                }
                Answer::Line => None,
                Answer::Until(until) => Some(self.cap.epoch + until),
            };
            wait.get_or_insert_with(|| held.waits(self.kind, self.is_common));
            match until {
                None => self.bell.notified().await,
                Some(until) => tokio::select! {
                    biased;
                    () = self.bell.notified() => {}
                    () = sleep_until(until) => {}
                },
            }
        }
    }

    /// Bytes of the last grant that are not sent; of a cap that has changed since they are forgotten.
    pub(super) fn give_back(&mut self, bytes: usize) {
        let mut state = lock(&self.cap.state);
        if state.changes != self.claimed.changes {
            return;
        }
        if let Some(schedule) = &mut state.schedule {
            schedule.give_back(bytes);
        }
        self.claimed.got = self.claimed.got.saturating_sub(bytes as u64);
        state.ring();
    }
}

/// A place in the line, which is given up when this is dropped.
struct Line<'a> {
    cap: &'a Cap,
    place: Option<Place>,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else {
            return;
        };
        let mut state = lock(&self.cap.state);
        if state.turns.leave(place) {
            state.ring();
        }
    }
}

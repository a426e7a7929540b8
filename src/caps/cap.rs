//! One cap: those that share it wait in a line, and only the first of them for the clock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::held::{HeldMeter, Kind};
use super::lock;
use super::schedule::Schedule;
use super::turns::{Place, Turns};

/// Those that wait for the time are woken at multiples of this.
const BEAT: Duration = Duration::from_millis(10);

/// Shared by all that come under it.
#[derive(Debug)]
pub(super) struct Cap {
    clock: Arc<Clock>,
    state: Mutex<State>,
}

/// What all caps have in common.
#[derive(Debug)]
pub(super) struct Clock {
    epoch: Instant,
    /// Streams under caps.
    pub(super) crowd: AtomicUsize,
}

impl Clock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            epoch: Instant::now(),
            crowd: AtomicUsize::new(0),
        })
    }

    /// A moment at which others are woken too, soon after this one: a thousand timers cost more than a hundred. What
    /// is late by it is made up for.
    fn beat(&self, at: Duration) -> Instant {
        let beats = at.as_nanos().div_ceil(BEAT.as_nanos());
        let beats = u32::try_from(beats).unwrap_or(u32::MAX);
        self.epoch + BEAT.saturating_mul(beats)
    }
}

#[derive(Debug)]
struct State {
    /// `None`: it was lifted, and holds nobody up any more.
    schedule: Option<Schedule>,
    turns: Turns<Arc<Notify>>,
    /// Those that share it, whether or not they wait.
    sharing: usize,
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
    pub(super) fn new(rate: u64, clock: Arc<Clock>) -> Arc<Self> {
        let now = clock.epoch.elapsed();
        Arc::new(Self {
            clock,
            state: Mutex::new(State {
                schedule: Some(Schedule::new(rate, now)),
                turns: Turns::default(),
                sharing: 0,
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
        self.clock.epoch.elapsed()
    }

    fn ask(&self, claim: &mut Claimed, place: Place, most: usize) -> Answer {
        let now = self.now();
        let mut state = lock(&self.state);
        let state = &mut *state;
        let first = state.turns.is_first(place);
        let sharing = state.sharing;
        let crowd = self.clock.crowd.load(Ordering::Relaxed);
        let granted = match &mut state.schedule {
            None => most,
            Some(_) if !first => return Answer::Line,
            Some(schedule) => match schedule.grant(now, most, (sharing, crowd)) {
                Ok(granted) => granted,
                Err(until) => return Answer::Until(until),
            },
        };
        claim.got = Some(state.turns.served(place, granted));
        claim.changes = state.changes;
        state.ring();
        Answer::Granted(granted)
    }
}

#[derive(Debug, Default)]
struct Claimed {
    /// Bytes under this cap, as far as its line has to know; `None` before the first.
    got: Option<u64>,
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
        lock(&cap.state).sharing += 1;
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
            let crowd = self.cap.clock.crowd.load(Ordering::Relaxed);
            let schedule = state.schedule.as_ref();
            let credit = schedule.map_or(0, |schedule| schedule.credit(state.sharing, crowd));
            state
                .turns
                .enter(self.claimed.got, credit, self.bell.clone())
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
                Answer::Until(until) => Some(self.cap.clock.beat(until)),
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
        let got = self.claimed.got;
        self.claimed.got = got.map(|got| got.saturating_sub(bytes as u64));
        state.ring();
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.cap.state).sharing -= 1;
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

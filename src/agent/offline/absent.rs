//! Those that are waited for: tasks that knock, the words that are reported, and cancellation at any time.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::agent::management::not_delivered;
use crate::agent::report::{Reporter, lock};
use crate::agent::spans;
use crate::campaign::{Answer, Gate};
use crate::inspect::FanOut;
use crate::model::{Address, EntityState, Failure, Fault, Holds, Step};
use crate::transport::knock_at;

use super::roll::{Missed, Roll};
use super::{OFFLINE_BEFORE, is_unreachable};

/// Where it is seen whether an entity is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct Door {
    pub(in crate::agent) address: Address,
    /// For a connection.
    pub(in crate::agent) within: Duration,
}

/// One that was not reached.
#[derive(Debug, Clone)]
pub(in crate::agent) struct Away {
    pub(in crate::agent) failure: Failure,
    /// The failure in words, with what became of earlier attempts.
    pub(in crate::agent) cause: String,
    pub(in crate::agent) attempt: u32,
    pub(in crate::agent) holds: Option<Holds>,
    pub(in crate::agent) door: Door,
}

/// What happens next to one that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Turn {
    /// Somebody answers there.
    Answers(usize),
    /// It has its final state.
    Over(usize),
}

/// One, as it was missed first, and what its last question came to.
#[derive(Debug)]
struct Known {
    away: Away,
    last: Failure,
}

/// Maximum number that are asked at one time.
const AT_ONCE: usize = 32;

/// How often it is looked whether the window has opened.
const CLOSED: Duration = Duration::from_secs(1);

/// One that is asked.
struct Asked {
    entity: usize,
    door: Door,
    cancel: CancellationToken,
    span: Span,
}

impl Asked {
    /// Whether somebody is there: a connection that is closed again at once.
    async fn knock(door: Door, cancel: CancellationToken) -> Result<(), Failure> {
        // Where there is nothing to knock at, what is to be done shows whether it is there.
        if !door.address.scheme.has_connections() {
            return Ok(());
        }
        let knock = knock_at(&door.address, door.within);
        let answer = cancel.run_until_cancelled(knock).await;
        answer.unwrap_or_else(|| Err(Failure::new(Step::Connect, Fault::Cancelled)))
    }
}

/// The entities of a group that are waited for.
pub(in crate::agent) struct Absent {
    /// None: `offline: fail`.
    roll: Option<Roll>,
    known: HashMap<usize, Known>,
    knocks: FanOut<Asked, Result<(), Failure>>,
    cancels: Vec<CancellationToken>,
    /// The places of those that are cancelled, as they are.
    cancelled: FuturesUnordered<BoxFuture<'static, usize>>,
    watched: HashSet<usize>,
    reporter: Reporter,
}

impl Absent {
    pub(in crate::agent) fn new(reporter: &Reporter, cancels: &[CancellationToken]) -> Self {
        let chance = RandomState::new().hash_one(0);
        Self {
            roll: Roll::new(reporter.group.campaign.offline, chance),
            known: HashMap::new(),
            // Each ends by its own cancellation.
            knocks: FanOut::new(AT_ONCE, &CancellationToken::new(), |asked: &Asked| {
                let knock = Asked::knock(asked.door.clone(), asked.cancel.clone());
                knock.instrument(asked.span.clone())
            }),
            cancels: cancels.to_vec(),
            cancelled: FuturesUnordered::new(),
            watched: HashSet::new(),
            reporter: reporter.clone(),
        }
    }

    /// Whether a failure is one that is waited for.
    pub(in crate::agent) fn is_for(&self, entity: usize, failure: &Failure) -> bool {
        let target = self.reporter.group.entities.get(entity);
        let scheme = target.map(|target| target.address.scheme);
        self.roll.is_some() && scheme.is_some_and(|scheme| is_unreachable(failure, scheme))
    }

    /// Whether it was missed before, and was not really reached since.
    pub(in crate::agent) fn has(&self, entity: usize) -> bool {
        self.roll.as_ref().is_some_and(|roll| roll.has(entity))
    }

    /// It was really reached: whatever becomes of it, it is not offline.
    pub(in crate::agent) fn reached(&mut self, entity: usize) {
        if let Some(roll) = &mut self.roll {
            roll.strike(entity);
        }
        self.known.remove(&entity);
    }

    /// One that could not be reached, for all its retries. Whether it is waited for; else it has its final state.
    pub(in crate::agent) fn missed(&mut self, entity: usize, away: Away) -> bool {
        let Some(roll) = &mut self.roll else {
            return false;
        };
        let missed = roll.missed(entity, Instant::now());
        let last = away.failure.clone();
        let known = self.known.entry(entity).or_insert(Known {
            away: away.clone(),
            last: last.clone(),
        });
        // What was found out about it since counts.
        known.away.attempt = away.attempt;
        known.away.holds = away.holds.or(known.away.holds);
        known.last = last;
        self.watch(entity);
        self.report(entity, missed)
    }

    /// One that an earlier engine has waited for, since then, which was reported when the group began. It is asked at
    /// once.
    pub(in crate::agent) fn expect(&mut self, entity: usize, since: Timestamp, door: Door) -> bool {
        let Some(roll) = &mut self.roll else {
            return false;
        };
        // A clock that was set back since says that nobody has waited.
        let waited = Duration::try_from(Timestamp::now().duration_since(since));
        let waited = waited.unwrap_or_default();
        roll.expect(entity, waited, Instant::now());
        let failure = Failure::new(Step::Connect, Fault::Local(OFFLINE_BEFORE.into()));
        let away = Away {
            cause: failure.fault.to_string(),
            failure: failure.clone(),
            attempt: 0,
            holds: Some(Holds::Old),
            door,
        };
        let last = failure;
        self.known.insert(entity, Known { away, last });
        self.watch(entity);
        self.reporter.is_offline(entity);
        true
    }

    fn watch(&mut self, entity: usize) {
        if let Some(cancel) = self.cancels.get(entity)
            && self.watched.insert(entity)
        {
            let cancel = cancel.clone();
            let cancelled = async move {
                cancel.cancelled_owned().await;
                entity
            };
            self.cancelled.push(cancelled.boxed());
        }
    }

    fn report(&mut self, entity: usize, missed: Missed) -> bool {
        let Some(known) = self.known.get(&entity) else {
            return false;
        };
        let (away, failure) = (&known.away, &known.away.failure);
        let mut words = vec![away.cause.clone()];
        if known.last != *failure {
            words.push(format!("at last: {}", known.last));
        }
        words.push(missed.words());
        let (is_waited_for, state) = match missed {
            Missed::Waits { next, .. } => {
                if let Ok(at) = Timestamp::now().checked_add(next) {
                    let at = at.strftime("%Y-%m-%d %H:%M:%S UTC");
                    words.push(format!("asked again at {at}"));
                }
                (true, EntityState::Offline)
            }
            Missed::Over { .. } => (false, EntityState::Failed),
        };
        words.retain(|words| !words.is_empty());
        let (became, cause) = ((state, Some(failure.step)), Some(words.join("; ")));
        let holds = away.holds.filter(|_| !is_waited_for);
        (self.reporter).became(entity, became, cause, away.attempt, holds);
        if !is_waited_for {
            self.reached(entity);
        }
        is_waited_for
    }

    /// Whether nobody is waited for.
    pub(in crate::agent) fn is_empty(&self) -> bool {
        self.roll.as_ref().is_none_or(Roll::is_empty)
    }

    /// All that are waited for get this final state.
    pub(in crate::agent) fn give_up(&mut self, failure: &Failure) -> Vec<usize> {
        let Some(roll) = &mut self.roll else {
            return Vec::new();
        };
        let waits: Vec<usize> = (self.known.keys().copied())
            .filter(|entity| roll.waits(*entity))
            .collect();
        for &entity in &waits {
            self.end(entity, failure);
        }
        waits
    }

    fn end(&mut self, entity: usize, failure: &Failure) {
        if let Some(known) = self.known.get(&entity) {
            let away = &known.away;
            not_delivered(
                &self.reporter,
                entity,
                failure,
                away.attempt.max(1),
                away.holds,
            );
        }
        self.reached(entity);
    }

    /// What happens next. `None`: nobody is waited for. Can be dropped and called again.
    pub(in crate::agent) async fn next(&mut self) -> Option<Turn> {
        loop {
            if self.is_empty() {
                return None;
            }
            let gate = lock(&self.reporter.course).gate();
            let due = match gate {
                // None may begin in any case.
                Gate::Closed => Some(Instant::now() + CLOSED),
                Gate::Open | Gate::Started => {
                    self.knock();
                    self.roll.as_ref().and_then(Roll::next)
                }
            };
            let due = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(entity) = self.cancelled.next() => {
                    self.watched.remove(&entity);
                    if self.roll.as_ref().is_some_and(|roll| roll.waits(entity)) {
                        self.end(entity, &Failure::new(Step::Connect, Fault::Cancelled));
                        return Some(Turn::Over(entity));
                    }
                }
                Some((asked, answer)) = self.knocks.next() => {
                    let answer = answer.unwrap_or_else(|why| Err(why.into()));
                    if let Some(turn) = self.knocked(asked.entity, answer) {
                        return Some(turn);
                    }
                }
                () = due => {}
            }
        }
    }

    /// Asks those whose time has come.
    fn knock(&mut self) {
        let Some(roll) = &mut self.roll else {
            return;
        };
        for entity in roll.due(Instant::now()) {
            let (Some(known), Some(cancel)) =
                (self.known.get(&entity), self.cancels.get(entity).cloned())
            else {
                roll.strike(entity);
                continue;
            };
            let target = &self.reporter.group.entities[entity];
            self.knocks.extend([Asked {
                entity,
                door: known.away.door.clone(),
                cancel,
                span: spans::entity(&target.name),
            }]);
        }
    }

    /// Others may have begun meanwhile that it is never under way with. Where it is its activation that has to be
    /// admitted, that is asked then.
    fn may_begin(&self, entity: usize) -> Answer {
        match self.reporter.group.campaign.window_is_for_activation {
            true => Answer::Begins,
            false => self.reporter.take(entity),
        }
    }

    fn knocked(&mut self, entity: usize, answer: Result<(), Failure>) -> Option<Turn> {
        let roll = self.roll.as_mut().filter(|roll| roll.waits(entity))?;
        match answer {
            // It is said where its cancellation is seen.
            Err(failure) if failure.is_cancelled() => None,
            Err(failure) => {
                let missed = roll.missed(entity, Instant::now());
                if let Some(known) = self.known.get_mut(&entity) {
                    known.last = failure;
                }
                (!self.report(entity, missed)).then_some(Turn::Over(entity))
            }
            Ok(()) => match self.may_begin(entity) {
                Answer::Begins => {
                    if let Some(roll) = &mut self.roll {
                        roll.answered(entity, Instant::now());
                    }
                    Some(Turn::Answers(entity))
                }
                Answer::Waits(_) => {
                    if let Some(roll) = &mut self.roll {
                        roll.postpone(entity, Instant::now());
                    }
                    None
                }
                Answer::Refused(lost) => {
                    let fault = Fault::Local(lost.to_string());
                    self.end(entity, &Failure::new(Step::Select, fault));
                    Some(Turn::Over(entity))
                }
            },
        }
    }
}

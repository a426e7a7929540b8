//! Who of a group may begin now: one state machine, which is given what happens and how late it is, and knows no
//! clock, no task and no network.
//!
//! - An entity is admitted once, when its wave has begun and nothing holds the group.
//! - A wave begins when each entity of the one before has come to an end or is offline, and that wave has shown
//!   that the image is good: something in it is proven, and nothing failed, or less than `stop_after` allows.
//! - What holds a group is a pause, which somebody has to end, or a wait, which time ends. Entities that are under
//!   way are not held, but for another attempt outside the window.
//!
//! Each change is put out once, in order; from these and from where the entities are another course can go on where
//! this one was ([`Course::restore`]).

mod decide;
mod shown;

use std::time::Duration;

use jiff::Timestamp;

use super::calendar::{Calendar, UnknownZone};
use super::standing::Standing;
use crate::model::campaign::Proceed;
use crate::model::{EntityState, Verified};
use crate::protocol::{Change, Event, PauseReason, Wait, WaveSnapshot};

/// What a group asks for.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The places in the group of those that get the image, in the order in which they begin.
    pub waves: Vec<Vec<usize>>,
    pub proceed: Proceed,
    /// The number of failures at which it stops.
    pub stops_at: Option<usize>,
    /// None begins before.
    pub start: Option<Timestamp>,
    /// None begins outside.
    pub calendar: Option<Result<Calendar, UnknownZone>>,
    /// How long one entity takes: at least, where the operator says so, else while nothing is measured.
    pub takes: Duration,
    pub takes_at_least: bool,
    /// What has to be admitted is that they run the image: all get it at once.
    pub of_activation: bool,
    /// Bytes a second.
    pub rate: Option<u64>,
    /// The group has a campaign, so that watchers are shown it.
    pub is_shown: bool,
}

/// Whether an attempt may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    /// Those that were never tried may not.
    Started,
    /// None may.
    Closed,
}

#[derive(Debug, Clone)]
pub struct Course {
    terms: Terms,
    /// By place.
    entities: Vec<Entity>,
    /// The wave that is under way, or was last, from 0.
    wave: Option<usize>,
    /// It has ended.
    ended: bool,
    /// The operator has let go on what follows the waves before this one.
    cleared: usize,
    /// Failures that the operator knew of when the group was resumed.
    forgiven: usize,
    /// The longest that an entity took.
    took: Option<Duration>,
    paused: Option<(Timestamp, PauseReason)>,
    waits: Option<(Timestamp, Wait)>,
    /// It is not the time, whether or not somebody waits for it.
    is_shut: bool,
    /// Credentials whose secrets are missing.
    needs: Vec<String>,
    changes: Vec<(Timestamp, Change)>,
}

#[derive(Debug, Clone)]
struct Entity {
    standing: Standing,
    verified: Verified,
    wave: Option<usize>,
    /// It has the image, and may be admitted to run it.
    is_ready: bool,
}

impl Course {
    /// Of a group with this number of entities. Those that are in no wave don't matter.
    pub fn new(terms: Terms, entities: usize) -> Self {
        let mut all = vec![
            Entity {
                standing: Standing::Untouched,
                verified: Verified::None,
                wave: None,
                is_ready: !terms.of_activation,
            };
            entities
        ];
        for (number, wave) in terms.waves.iter().enumerate() {
            for place in wave {
                if let Some(entity) = all.get_mut(*place) {
                    entity.wave = Some(number);
                }
            }
        }
        Self {
            terms,
            entities: all,
            wave: None,
            ended: false,
            cleared: 0,
            forgiven: 0,
            took: None,
            paused: None,
            waits: None,
            is_shut: false,
            needs: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Goes on where another course was: `changes` are those that it has put out. Where its entities are has to be
    /// said before, by [`became`](Self::became).
    pub fn restore(&mut self, changes: impl IntoIterator<Item = (Timestamp, Change)>) {
        for (at, change) in changes {
            match change {
                Change::WaveBegins { wave, .. } => {
                    (self.wave, self.ended) = (Some(wave.saturating_sub(1)), false);
                }
                Change::WaveEnds { .. } => self.ended = true,
                Change::Paused(reason) => self.paused = Some((at, reason)),
                Change::Resumed { forgiven } => {
                    self.go_on();
                    self.forgiven = forgiven;
                }
                // How late it is is known.
                Change::Waits(_) | Change::Goes => {}
                Change::Rate { rate } => self.hold_to(rate),
            }
        }
        if self.terms.waves.len() <= 1 && self.wave.is_none() {
            let began = |entity: &Entity| !entity.standing.is_untouched();
            self.wave = self.entities.iter().any(began).then_some(0);
        }
    }

    /// An entity was reported to be in this state.
    pub fn became(&mut self, place: usize, state: EntityState) {
        if let Some(entity) = self.entities.get_mut(place) {
            // What came to an end stays there.
            if !entity.standing.is_final() {
                let standing = Standing::of(state, entity.verified);
                entity.standing = standing.unwrap_or(entity.standing);
            }
        }
    }

    /// The same, of an event.
    pub fn heard(&mut self, place: usize, event: &Event) {
        match event {
            Event::State { state, .. } => self.became(place, *state),
            Event::Stored { verified, .. } => self.stored(place, *verified),
            _ => {}
        }
    }

    /// Nothing begins before there are the secrets of these credentials.
    pub fn needs(&mut self, credentials: Vec<String>) {
        self.needs = credentials;
    }

    /// An entity has confirmed the image, and how that was checked. Comes before its state.
    pub fn stored(&mut self, place: usize, verified: Verified) {
        if let Some(entity) = self.entities.get_mut(place) {
            entity.verified = verified;
        }
    }

    /// An entity has the image, and may be admitted to run it.
    pub fn is_ready(&mut self, place: usize) {
        if let Some(entity) = self.entities.get_mut(place) {
            entity.is_ready = true;
            if !entity.standing.is_final() {
                entity.standing = Standing::Untouched;
            }
        }
    }

    /// One that went well took this long.
    pub fn took(&mut self, time: Duration) {
        self.took = Some(self.took.map_or(time, |longest| longest.max(time)));
    }

    pub fn pause(&mut self, now: Timestamp) {
        if self.paused.is_none() {
            self.pauses(now, PauseReason::Operator);
        }
    }

    /// What tells one pause from another.
    pub fn paused_since(&self) -> Option<Timestamp> {
        self.paused.as_ref().map(|(since, _)| *since)
    }

    /// Whether it was paused.
    pub fn resume(&mut self, now: Timestamp) -> bool {
        let was_paused = self.paused.is_some();
        if was_paused {
            self.go_on();
            let forgiven = self.forgiven;
            self.changes.push((now, Change::Resumed { forgiven }));
        }
        was_paused
    }

    /// Maximum rate to all its entities together from now on, in bytes per second; `None`: no limit.
    pub fn hold_to(&mut self, rate: Option<u64>) {
        self.terms.rate = rate;
    }

    /// What the operator knows of by now stops it no more.
    fn go_on(&mut self) {
        match self.paused.take() {
            Some((_, PauseReason::Failures { .. })) => self.forgiven = self.failed(),
            Some((_, PauseReason::Asks { wave } | PauseReason::Unproven { wave, .. })) => {
                self.cleared = self.cleared.max(wave);
            }
            Some((_, PauseReason::WaveFailed { wave, .. })) => {
                self.cleared = self.cleared.max(wave);
            }
            Some((_, PauseReason::Operator | PauseReason::CutOff)) | None => {}
        }
    }

    /// Those that may begin now, in order; each is returned once.
    pub fn begin(&mut self, now: Timestamp) -> Vec<usize> {
        self.begin_if(now, |_| true)
    }

    /// The same of those that nothing else keeps back, which is asked last.
    pub fn begin_if(&mut self, now: Timestamp, mut may: impl FnMut(usize) -> bool) -> Vec<usize> {
        self.look(now);
        if self.is_held() {
            return Vec::new();
        }
        let Some(wave) = self.wave else {
            return Vec::new();
        };
        let mut begin = Vec::new();
        // Entities of earlier waves that were not ready then, too.
        for place in self.terms.waves.iter().take(wave + 1).flatten() {
            if let Some(entity) = self.entities.get_mut(*place)
                && entity.standing == Standing::Untouched
                && entity.is_ready
                && may(*place)
            {
                entity.standing = Standing::Admitted;
                begin.push(*place);
            }
        }
        begin
    }

    /// Whether attempts may begin.
    pub fn gate(&self) -> Gate {
        if self.is_shut && !self.terms.of_activation {
            return Gate::Closed;
        }
        match self.paused {
            Some(_) => Gate::Started,
            None => Gate::Open,
        }
    }

    pub fn is_held(&self) -> bool {
        self.paused.is_some() || self.waits.is_some()
    }

    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// All that what it does next hangs on, but for how late it is.
    #[cfg(test)]
    pub(super) fn key(&self) -> impl Eq + std::hash::Hash + use<> {
        let standing = |entity: &Entity| (entity.standing, entity.is_ready);
        let standings: Vec<_> = self.entities.iter().map(standing).collect();
        let paused = self
            .paused
            .as_ref()
            .map(|(_, reason)| format!("{reason:?}"));
        let waits = self.waits.as_ref().map(|(_, wait)| format!("{wait:?}"));
        let wave = (self.wave, self.ended, self.cleared, self.forgiven);
        (standings, paused, waits, wave)
    }

    /// Nothing is left to do, or to wait for.
    pub fn is_over(&self) -> bool {
        self.all().all(|entity| entity.standing.is_final())
    }

    /// The entities to which nothing was done, and that no task knows of.
    pub fn not_admitted(&self) -> Vec<usize> {
        let all = self.terms.waves.iter().flatten().copied();
        all.filter(|place| {
            let entity = self.entities.get(*place);
            entity.is_some_and(|entity| entity.standing == Standing::Untouched && entity.is_ready)
        })
        .collect()
    }

    /// The places of those that get the image, in the order in which they begin.
    pub fn members(&self) -> Vec<usize> {
        self.terms.waves.concat()
    }

    /// Sorts places as they begin.
    pub fn sort(&self, places: &mut [usize]) {
        let order = self.members();
        let mut ranks = vec![usize::MAX; self.entities.len()];
        for (rank, place) in order.into_iter().enumerate() {
            if let Some(known) = ranks.get_mut(place) {
                *known = rank;
            }
        }
        places.sort_by_key(|place| ranks.get(*place).copied());
    }

    fn all(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter().filter(|entity| entity.wave.is_some())
    }

    fn failed(&self) -> usize {
        let failed = |entity: &&Entity| entity.standing == Standing::Failed;
        self.all().filter(failed).count()
    }

    /// Somebody may still begin for the first time.
    fn has_more(&self) -> bool {
        self.all().any(|entity| entity.standing.is_untouched())
    }

    fn counted(&self, wave: usize) -> WaveSnapshot {
        let mut counted = WaveSnapshot::default();
        for entity in self.entities.iter().filter(|one| one.wave == Some(wave)) {
            counted.entities += 1;
            *match entity.standing {
                Standing::Untouched | Standing::Admitted | Standing::Cancelled => continue,
                Standing::UnderWay => &mut counted.under_way,
                Standing::Offline => &mut counted.offline,
                Standing::Good => &mut counted.good,
                Standing::Unproven => &mut counted.unproven,
                Standing::Failed => &mut counted.failed,
            } += 1;
        }
        counted
    }

    fn pauses(&mut self, now: Timestamp, reason: PauseReason) {
        self.changes.push((now, Change::Paused(reason.clone())));
        self.paused = Some((now, reason));
    }
}

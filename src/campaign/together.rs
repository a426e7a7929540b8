//! Entities that are never under way at one time, over all groups of an engine: two that stand in for each other have
//! the same value of a label, and one of them works while the other one gets its image.
//!
//! Pure: it is asked before anything is done to an entity, and is given it back when it has a final state or can't be
//! reached. An entity is taken with all of its labels at once, so that none holds one and waits for another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::model::{Entity, EntityState, Holds, Name};

/// That of an engine. The lock is held for a decision alone.
pub type SharedTogether = Arc<Mutex<Together>>;

type Labels = BTreeMap<String, String>;

/// A group that was started: later ones have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Started(u64);

/// What is answered to an entity that is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is taken.
    Begins,
    /// This one is under way.
    Waits(Name),
    /// It would be the second one that may have no image. An operator who starts it again knows that.
    Refused(Lost),
}

/// One that may have no image any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub mate: Name,
    /// The label that it has in common with the one that is refused, and its value.
    pub label: String,
    pub value: String,
    pub holds: Option<Holds>,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            mate, label, value, ..
        } = self;
        let holds = match self.holds {
            Some(Holds::New) => "it did not come to run it",
            Some(holds) => holds.words(),
            None => Holds::Unknown.words(),
        };
        write!(
            f,
            "not begun: {mate}, which has the same {label} ({value}), has failed, and {holds}; look at \
             {mate} first, then start this one again"
        )
    }
}

/// One that was lost, since when.
#[derive(Debug)]
struct Loss {
    labels: Labels,
    holds: Option<Holds>,
    /// Groups that were started until then are refused.
    until: Started,
}

#[derive(Debug, Default)]
pub struct Together {
    started: u64,
    /// Labels that matter, and for how many groups.
    never: BTreeMap<String, usize>,
    under_way: BTreeMap<Name, Labels>,
    lost: BTreeMap<Name, Loss>,
}

impl Together {
    /// A group is started, of which two with equal values of this label are never under way at one time.
    pub fn start(&mut self, never: Option<&str>) -> Started {
        if let Some(label) = never {
            *self.never.entry(label.to_owned()).or_default() += 1;
        }
        self.started += 1;
        Started(self.started)
    }

    /// It has ended.
    pub fn end(&mut self, never: Option<&str>) {
        if let Some(label) = never
            && let Some(groups) = self.never.get_mut(label)
        {
            *groups = groups.saturating_sub(1);
            if *groups == 0 {
                self.never.remove(label);
            }
        }
    }

    /// Whether an entity may begin, which is taken then. One that is taken already may.
    pub fn take(&mut self, started: Started, entity: &Entity) -> Answer {
        let answer = self.answer(started, entity);
        if answer == Answer::Begins && !entity.labels.is_empty() {
            let labels = entity.labels.clone();
            self.under_way.insert(entity.name.clone(), labels);
            self.lost.remove(&entity.name);
        }
        answer
    }

    fn answer(&self, started: Started, entity: &Entity) -> Answer {
        if self.under_way.contains_key(&entity.name) {
            return Answer::Begins;
        }
        let others = self
            .under_way
            .iter()
            .filter(|(name, _)| **name != entity.name);
        let mut mates =
            others.filter(|(_, labels)| self.in_common(&entity.labels, labels).is_some());
        if let Some((mate, _)) = mates.next() {
            return Answer::Waits(mate.clone());
        }
        let lost = self.lost.iter().find_map(|(mate, loss)| {
            if *mate == entity.name || started > loss.until {
                return None;
            }
            let (label, value) = self.in_common(&entity.labels, &loss.labels)?;
            Some(Lost {
                mate: mate.clone(),
                label: label.clone(),
                value: value.clone(),
                holds: loss.holds,
            })
        });
        lost.map_or(Answer::Begins, Answer::Refused)
    }

    /// A label that matters, of which both have the same value.
    fn in_common<'a>(&self, one: &'a Labels, other: &Labels) -> Option<(&'a String, &'a String)> {
        one.iter().find(|(label, value)| {
            self.never.contains_key(*label) && other.get(*label) == Some(value)
        })
    }

    /// An entity was reported to be in this state, and to hold this.
    pub fn became(&mut self, entity: &Name, state: EntityState, holds: Option<Holds>) {
        if !state.is_final() && state != EntityState::Offline {
            return;
        }
        let Some(labels) = self.under_way.remove(entity) else {
            return;
        };
        if is_lost(state, holds) {
            let until = Started(self.started);
            let loss = Loss {
                labels,
                holds,
                until,
            };
            self.lost.insert(entity.clone(), loss);
        }
    }
}

/// Whether an entity may have no image any more, or none that it runs.
fn is_lost(state: EntityState, holds: Option<Holds>) -> bool {
    match state {
        EntityState::Failed => holds != Some(Holds::Old),
        EntityState::Cancelled => !matches!(holds, Some(Holds::Old | Holds::New)),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

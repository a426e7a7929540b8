//! Entities that can't be reached: what is kept of them while they are waited for.

use crate::agent::offline::{Away, Door};
use crate::model::{Failure, Holds};
use crate::procedure::{Arrived, Verdict};
use crate::transport::Endpoint;

use super::{Devices, Happened, Then, Why, is_begun};

impl Devices {
    /// Whether a device that an earlier run has delivered could not even be asked. One on which this run, or an
    /// earlier one, has done something keeps the deadlines of its procedure.
    pub(super) fn is_away(&self, entity: usize, arrived: &Arrived, why: &Why) -> Option<Failure> {
        let is_untouched = why.attempt == 0 && !why.past.iter().any(is_begun);
        let none_begun = !arrived.open.iter().any(is_begun);
        let is_open = matches!(arrived.verdict, Verdict::Untouched | Verdict::Unknown);
        let failure = &arrived.failures.last()?.failure;
        let is_away = is_untouched && none_begun && is_open && self.absent.is_for(entity, failure);
        is_away.then(|| failure.clone())
    }

    /// Where it is seen whether it is there.
    pub(super) fn door(&self, entity: usize, then: &Then) -> Door {
        let group = &self.reporter.group;
        let target = &group.entities[entity];
        let address = match (then, &group.procedure) {
            (Then::Before(_) | Then::Activate { .. }, Some(procedure)) => {
                Endpoint::address_of_procedure(target, procedure)
            }
            _ => target.address.clone(),
        };
        let within = target.timeouts.connect;
        Door { address, within }
    }

    /// It could not be reached, and nothing was done on it.
    pub(super) fn away(
        &mut self,
        entity: usize,
        then: Then,
        failure: &Failure,
        cause: Option<String>,
    ) -> Option<Happened> {
        let holds = match &then {
            Then::Activate { .. } => Holds::New,
            Then::Check(_) | Then::Before(_) | Then::Image => Holds::Old,
        };
        let away = Away {
            cause: cause.unwrap_or_else(|| failure.fault.to_string()),
            failure: failure.clone(),
            attempt: 1,
            holds: Some(holds),
            door: self.door(entity, &then),
        };
        if !self.absent.missed(entity, away) {
            return Some(Happened::Over(entity));
        }
        self.then.insert(entity, then);
        None
    }

    /// Whether one that was to get the image is waited for, as it can't be reached.
    pub(in crate::agent) fn is_waited_for(&self, entity: usize, failure: &Failure) -> bool {
        self.absent.is_for(entity, failure)
    }

    /// Whether it was offline before, and was not really reached since.
    pub(in crate::agent) fn was_offline(&self, entity: usize) -> bool {
        self.absent.has(entity)
    }

    pub(in crate::agent) fn reached(&mut self, entity: usize) {
        self.absent.reached(entity);
    }

    /// One that was to get the image can't be reached, for all its retries. Whether it is waited for; else it has its
    /// final state.
    pub(in crate::agent) fn missed(
        &mut self,
        entity: usize,
        (failure, cause): (Failure, String),
        attempt: u32,
        holds: Option<Holds>,
    ) -> bool {
        let away = Away {
            failure,
            cause,
            attempt,
            holds,
            door: self.door(entity, &Then::Image),
        };
        let waits = self.absent.missed(entity, away);
        if waits {
            self.then.insert(entity, Then::Image);
        }
        waits
    }

    /// Those that are waited for get a final state; which these are.
    pub(in crate::agent) fn give_up(&mut self, failure: &Failure) -> Vec<usize> {
        let given_up = self.absent.give_up(failure);
        self.then.retain(|entity, _| !given_up.contains(entity));
        given_up
    }
}

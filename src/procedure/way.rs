//! The way of one device: `before` its image; and from its image in place to one that it runs, or back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::model::procedure::{Deed, Part, Procedure, StepSpec, Values};
use crate::model::text::shown;
use crate::model::{Failure, Fault, Name, Step};

use super::course::{Course, Next, PastStep, StepEnd, Verdict, Wanted};
use super::hands::{Carried, Hands};
use super::ledger::{Ledger, StepBegins, StepEnded};
use super::values::back;

/// What a named group of `expect` is called that holds a version, where none is compared.
pub(super) const VERSION: &str = "version";

/// One device, and what is done on it.
pub struct Way<'a> {
    pub entity: &'a Name,
    pub procedure: &'a Procedure,
    pub values: &'a Values,
    pub ledger: &'a dyn Ledger,
    pub cancel: &'a CancellationToken,
}

/// A step that is about to be carried out.
#[derive(Debug, Clone, Copy)]
pub struct Doing<'a> {
    pub part: Part,
    /// From 0.
    pub number: usize,
    pub step: &'a StepSpec,
}

/// How the way ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub verdict: Verdict,
    /// The version that the device said last that it runs.
    pub runs: Option<String>,
    /// What went wrong, in order, each with its step.
    pub failures: Vec<StepFailure>,
    /// What was written down of it, where that leaves open what it runs; else nothing.
    pub open: Vec<PastStep>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    pub part: Part,
    /// From 0.
    pub number: usize,
    /// How many steps its part has.
    pub of: usize,
    pub what: String,
    pub failure: Failure,
}

impl std::fmt::Display for StepFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (part, number, of) = (self.part.word(), self.number + 1, self.of);
        let what = shown(&self.what);
        write!(
            f,
            "{part}, step {number} of {of} ({what}): {}",
            self.failure.fault
        )
    }
}

impl Arrived {
    /// Why it is not upgraded, in the words of a failure.
    pub fn cause(&self) -> Option<String> {
        let failures: Vec<String> = self.failures.iter().map(ToString::to_string).collect();
        let runs = match (&self.runs, self.verdict) {
            (_, Verdict::Upgraded) => return None,
            (Some(runs), Verdict::RolledBack) => {
                format!("`undo` was carried out, and it says that it runs {runs}")
            }
            (Some(runs), Verdict::Failed) => format!("it said last that it runs {runs}"),
            (None, Verdict::Failed) => "what it runs is not known".into(),
            (_, Verdict::Unknown) => {
                "what it runs is not known; `subtend activate` asks it before anything else".into()
            }
            _ => String::new(),
        };
        let parts = failures.into_iter().chain([runs]);
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl Way<'_> {
    /// The steps before the image. `past`: of a try that something ended. What it has carried out is not repeated, but
    /// for such as change nothing; and one of which nobody knows is not repeated before the device has answered `check`.
    /// `admits` is asked of each version that the device says it runs.
    ///
    /// # Errors
    /// The first that fails, or after which the device is not admitted.
    pub async fn before(
        &self,
        hands: &mut dyn Hands,
        past: &[PastStep],
        admits: impl Fn(&str) -> Result<(), Failure> + Send,
        mut doing: impl FnMut(Doing<'_>) + Send,
    ) -> Result<(), StepFailure> {
        for (number, step) in self.procedure.before.iter().enumerate() {
            let part = Part::Before;
            let of_step = |one: &&PastStep| (one.part, one.number) == (part, number);
            let past = past.iter().rev().find(of_step);
            if let Some(past) =
                past.filter(|_| !step.safe && !matches!(step.deed, Deed::Get { .. }))
            {
                match past.end {
                    Some(StepEnd::Done) => continue,
                    Some(StepEnd::Undone | StepEnd::Refused) => {}
                    _ => self.ask(hands, &mut doing).await?,
                }
            }
            doing(Doing { part, number, step });
            let next = self.procedure.before.get(number + 1);
            let carried = self
                .carry_out(hands, (part, number, step), next, self.values)
                .await;
            let admitted = carried.result.and_then(|groups| {
                let runs = groups.get(VERSION);
                runs.map_or(Ok(()), |runs| admits(runs))
            });
            if let Err(failure) = admitted {
                return Err(self.failure(part, number, carried.what, failure));
            }
        }
        Ok(())
    }

    /// One step of `fetch`. `past`: as of [`Self::before`]; what was carried out before is not repeated where
    /// `is_kept` says so: what makes the device fetch, and what proves what it has, is done each time.
    ///
    /// # Errors
    /// As of [`Self::before`].
    pub async fn fetch(
        &self,
        hands: &mut dyn Hands,
        number: usize,
        (past, is_kept): (&[PastStep], bool),
        mut doing: impl FnMut(Doing<'_>) + Send,
    ) -> (Option<StepEnd>, Result<(), StepFailure>) {
        let part = Part::Fetch;
        let Some(step) = self.procedure.fetch.get(number) else {
            return (None, Ok(()));
        };
        let of_step = |one: &&PastStep| (one.part, one.number) == (part, number);
        let before = past.iter().rev().find(of_step).filter(|_| !step.safe);
        match before.map(|past| past.end) {
            Some(Some(StepEnd::Done)) if is_kept => return (Some(StepEnd::Done), Ok(())),
            None | Some(Some(StepEnd::Done | StepEnd::Undone | StepEnd::Refused)) => {}
            Some(_) => {
                if let Err(failed) = self.ask(hands, &mut doing).await {
                    return (None, Err(failed));
                }
            }
        }
        doing(Doing { part, number, step });
        let next = self.procedure.fetch.get(number + 1);
        let carried = self
            .carry_out(hands, (part, number, step), next, self.values)
            .await;
        let end = end_of(&carried);
        let failed = carried.result.err();
        let failed = failed.map(|failure| self.failure(part, number, carried.what, failure));
        (Some(end), failed.map_or(Ok(()), Err))
    }

    /// Asks what it runs, whatever that is.
    ///
    /// # Errors
    /// It does not answer.
    async fn ask(
        &self,
        hands: &mut dyn Hands,
        doing: &mut (impl FnMut(Doing<'_>) + Send),
    ) -> Result<(), StepFailure> {
        let part = Part::Check;
        for (number, step) in self.procedure.check.iter().enumerate() {
            doing(Doing { part, number, step });
            let next = self.procedure.check.get(number + 1);
            let asked = (part, number, step);
            let carried = self.carry_out(hands, asked, next, self.values).await;
            match (end_of(&carried), carried.result) {
                (StepEnd::Done, _) | (_, Ok(_)) => {}
                (StepEnd::Refused, _) => return Ok(()),
                (_, Err(failure)) => return Err(self.failure(part, number, carried.what, failure)),
            }
        }
        Ok(())
    }

    /// Makes a device run the image that is in place on it. `past`: what was written
    /// down of earlier tries with the same image, in order.
    pub async fn activate(
        &self,
        hands: &mut dyn Hands,
        past: &[PastStep],
        asks_first: bool,
        mut doing: impl FnMut(Doing<'_>) + Send,
    ) -> Arrived {
        let mut course = Course::new(self.procedure, past, asks_first);
        let previous = back(self.values);
        let (mut runs, mut failures) = (None, Vec::new());
        loop {
            let (part, number, wanted, may_be_away) = match course.next() {
                Next::End(verdict) => {
                    let is_open = matches!(verdict, Verdict::Unknown | Verdict::Cancelled);
                    return Arrived {
                        verdict,
                        runs,
                        failures,
                        open: match is_open {
                            true => course.into_past(),
                            false => Vec::new(),
                        },
                    };
                }
                Next::Do {
                    part,
                    number,
                    wanted,
                    may_be_away,
                } => (part, number, wanted, may_be_away),
            };
            let Some(step) = self.procedure.part(part).get(number) else {
                course.did(StepEnd::Undone);
                continue;
            };
            let step = match may_be_away {
                true => &self.patient(step),
                false => step,
            };
            doing(Doing { part, number, step });
            let values = match wanted {
                Wanted::Image => self.values,
                Wanted::Previous => &previous,
            };
            let next = self.procedure.part(part).get(number + 1);
            let carried = self
                .carry_out(hands, (part, number, step), next, values)
                .await;
            if part == Part::Check {
                runs = says(step, &carried).or(runs);
            }
            course.did(end_of(&carried));
            if let Err(failure) = carried.result {
                failures.push(self.failure(part, number, carried.what, failure));
            }
        }
    }

    /// Written down before and after.
    pub(super) async fn carry_out(
        &self,
        hands: &mut dyn Hands,
        (part, number, step): (Part, usize, &StepSpec),
        next: Option<&StepSpec>,
        values: &Values,
    ) -> Carried {
        let what = hands.what(step, values);
        if self.cancel.is_cancelled() {
            return Carried {
                what,
                said: String::new(),
                result: Err(Failure::new(Step::Command, Fault::Cancelled)),
                is_undone: true,
            };
        }
        let entity = self.entity.clone();
        let begins = StepBegins {
            at: Timestamp::now(),
            entity: entity.clone(),
            part,
            number,
            what,
        };
        self.ledger.begins(begins).await;
        let restarts = next.is_some_and(|next| matches!(next.deed, Deed::Restart { .. }));
        let began = Instant::now();
        let carried = hands.carry_out(step, values, restarts).await;
        self.ledger.ended(StepEnded {
            at: Timestamp::now(),
            entity,
            part,
            number,
            end: end_of(&carried),
            took: began.elapsed(),
            said: carried.said.clone(),
            result: carried.result.clone(),
        });
        carried
    }

    pub(super) fn failure(
        &self,
        part: Part,
        number: usize,
        what: String,
        failure: Failure,
    ) -> StepFailure {
        let of = self.procedure.part(part).len();
        StepFailure {
            part,
            number,
            of,
            what,
            failure,
        }
    }

    /// With the time that it may take to come back.
    fn patient(&self, step: &StepSpec) -> StepSpec {
        let steps = self.procedure.steps().map(|(_, step)| &step.deed);
        let back = steps.filter_map(|deed| match deed {
            Deed::Restart { back, .. } => Some(*back),
            _ => None,
        });
        let back = back.max().unwrap_or(Duration::ZERO);
        StepSpec {
            within: step.within.max(back),
            ..step.clone()
        }
    }
}

/// What a step came to, for what is next.
fn end_of(carried: &Carried) -> StepEnd {
    match &carried.result {
        Ok(_) => StepEnd::Done,
        Err(_) if carried.is_undone => StepEnd::Undone,
        Err(failure) if failure.is_cancelled() => StepEnd::Cancelled,
        Err(failure) if is_no(&failure.fault) => StepEnd::Refused,
        Err(_) => StepEnd::Unanswered,
    }
}

/// Whether the device, or a program, gave an answer.
fn is_no(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Reply { .. }
            | Fault::Answer { .. }
            | Fault::Unexpected { .. }
            | Fault::Differs { .. }
            | Fault::Program { .. }
            | Fault::StaysUp { .. }
    )
}

/// The version that a step of `check` has shown.
fn says(step: &StepSpec, carried: &Carried) -> Option<String> {
    let (group, _) = step.expect.as_ref()?.is.as_ref()?;
    let groups: Option<&BTreeMap<String, String>> = carried.result.as_ref().ok();
    if let Some(groups) = groups {
        return groups.get(&**group).cloned();
    }
    match &carried.result {
        Err(Failure {
            fault: Fault::Differs { is, .. },
            ..
        }) => Some(is.clone()),
        _ => None,
    }
}

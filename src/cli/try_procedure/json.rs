//! What programs are given: an object for the beginning, the login, each step, and the end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::chosen::Chosen;
use super::trial::{Told, Tried};
use crate::cli::{Failed, json_line};
use crate::model::Name;
use crate::model::procedure::Placeholder;
use crate::procedure::StepEnded;

pub(super) struct Json<'a> {
    chosen: &'a Chosen,
    /// Of the step that is under way.
    what: String,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Trial {
        at: Timestamp,
        entity: &'a Name,
        #[serde(rename = "type")]
        type_: &'a str,
        procedure: &'a Name,
        until: &'static str,
        image: Option<&'a str>,
        version: Option<&'a str>,
        /// Whether passwords can be read on the way; null where `session` names nothing.
        clear_text: Option<bool>,
        /// Steps that are not marked as safe, and those of `fetch`: no image is served.
        left_out: Vec<LeftOut>,
    },
    Login {
        at: Timestamp,
        passed: bool,
        seconds: f64,
        cause: Option<String>,
    },
    Step {
        at: Timestamp,
        part: &'static str,
        /// From 1.
        step: usize,
        of: usize,
        what: &'a str,
        said: &'a str,
        passed: bool,
        end: &'static str,
        seconds: f64,
        groups: Option<&'a BTreeMap<String, String>>,
        cause: Option<String>,
        expect: Option<&'a str>,
    },
    Tried {
        at: Timestamp,
        outcome: &'static str,
        steps: usize,
        runs: Option<&'a str>,
        cause: Option<&'a str>,
    },
}

#[derive(Serialize)]
struct LeftOut {
    part: &'static str,
    step: usize,
}

impl<'a> Json<'a> {
    pub(super) fn new(chosen: &'a Chosen) -> Self {
        let what = String::new();
        Self { chosen, what }
    }

    pub(super) fn begins(&self) -> Result<String, Failed> {
        let chosen = self.chosen;
        let value = |of: Placeholder| chosen.values.get(&of).map(String::as_str);
        let left_out = chosen.left_out().map(|(part, number, _)| (part, number));
        let left_out = left_out.chain(chosen.unfetched());
        let left_out = left_out.map(|(part, number)| LeftOut {
            part: part.word(),
            step: number + 1,
        });
        json_line(&Event::Trial {
            at: Timestamp::now(),
            entity: &chosen.entity.name,
            type_: &chosen.entity.type_,
            procedure: &chosen.procedure.name,
            until: chosen.until.word(),
            image: value(Placeholder::Image),
            version: value(Placeholder::Version),
            clear_text: chosen.procedure.is_clear_text(),
            left_out: left_out.collect(),
        })
    }

    /// Nothing for the beginning of a step.
    pub(super) fn told(&mut self, told: &Told) -> Result<String, Failed> {
        match told {
            Told::LoggedIn(took, result) => json_line(&Event::Login {
                at: Timestamp::now(),
                passed: result.is_ok(),
                seconds: took.as_secs_f64(),
                cause: result.as_ref().err().map(ToString::to_string),
            }),
            Told::Begins(step) => {
                self.what.clone_from(&step.what);
                Ok(String::new())
            }
            Told::Ended(step) => self.step_ended(step),
        }
    }

    fn step_ended(&self, step: &StepEnded) -> Result<String, Failed> {
        let steps = self.chosen.procedure.part(step.part);
        let spec = steps.get(step.number);
        let expect = spec.and_then(|spec| spec.expect.as_ref());
        json_line(&Event::Step {
            at: step.at,
            part: step.part.word(),
            step: step.number + 1,
            of: steps.len(),
            what: &self.what,
            said: &step.said,
            passed: step.result.is_ok(),
            end: step.end.word(),
            seconds: step.took.as_secs_f64(),
            groups: step.result.as_ref().ok(),
            cause: step.result.as_ref().err().map(ToString::to_string),
            expect: expect.map(|expect| expect.pattern.as_str()),
        })
    }

    pub(super) fn ended(&self, tried: &Tried) -> Result<String, Failed> {
        json_line(&Event::Tried {
            at: Timestamp::now(),
            outcome: tried.outcome.word(),
            steps: tried.steps,
            runs: tried.runs.as_deref(),
            cause: tried.cause.as_deref(),
        })
    }
}

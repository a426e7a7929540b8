//! What people are shown: each step with what was sent, what came back, how long it took, and what was found.

use std::collections::BTreeMap;

use super::chosen::Chosen;
use super::trial::{Outcome, Told, Tried};
use crate::cli::args::UntilArg;
use crate::cli::check::COLUMNS;
use crate::headless::text::{count, hang, wrap};
use crate::model::procedure::{Part, StepSpec, Way};
use crate::model::text::{quoted, shown};
use crate::model::{Failure, Fault, units};
use crate::procedure::StepEnded;
use crate::transport::Endpoint;

/// Lines of an answer that are shown; of longer ones the beginning and the end.
const LINES: usize = 60;

pub(super) struct Text<'a> {
    chosen: &'a Chosen,
}

/// What the operator is asked before a device is changed.
pub(super) fn question(chosen: &Chosen) -> String {
    let (entity, procedure) = (&chosen.entity, &chosen.procedure);
    let name = shown(&entity.name);
    let restarts = format!(
        "Everything of {} is carried out on {name} ({}), which may restart: no image is sent or fetched, and what it \
         holds at {} is what it will run.",
        quoted(&procedure.name),
        entity.address,
        shown(entity.path.as_str())
    );
    let mut lines = wrap(&restarts, 0, COLUMNS);
    lines.push(format!("Type {name} to go on: "));
    lines.join("\n")
}

impl<'a> Text<'a> {
    pub(super) fn new(chosen: &'a Chosen) -> Self {
        Self { chosen }
    }

    pub(super) fn begins(&self) -> String {
        let chosen = self.chosen;
        let entity = &chosen.entity;
        let head = format!(
            "{} ({}), type {}: procedure {}",
            shown(&entity.name),
            entity.address,
            shown(&entity.type_),
            chosen.procedure.in_words()
        );
        let mut lines = wrap(&head, 0, COLUMNS);
        let left_out: Vec<String> = (chosen.left_out())
            .map(|(part, number, _)| format!("`{}` {}", part.word(), number + 1))
            .collect();
        if !left_out.is_empty() {
            let left_out = left_out.join(", ");
            let left_out = format!("Left out, since not marked `safe: true`: {left_out}");
            lines.extend(wrap(&left_out, 0, COLUMNS));
        }
        if chosen.unfetched().next().is_some() {
            let words = "Left out, since no image is served here: all of `fetch`";
            lines.extend(wrap(words, 0, COLUMNS));
        }
        paragraph(lines)
    }

    pub(super) fn told(&self, told: &Told) -> String {
        match told {
            Told::LoggedIn(took, result) => {
                let took = units::duration(*took);
                let mut lines = vec![String::new()];
                lines.extend(hang(&self.login(), 2, COLUMNS));
                match result {
                    Ok(()) => lines.extend(sentence(&format!("passed in {took}"))),
                    Err(failure) => {
                        lines.extend(failed(&took, failure));
                        lines.extend(self.waited_for(failure));
                    }
                }
                paragraph(lines)
            }
            Told::Begins(step) => {
                let of = self.chosen.procedure.part(step.part).len();
                let head = format!(
                    "{}, step {} of {of}: {}",
                    step.part.word(),
                    step.number + 1,
                    shown(&step.what)
                );
                let mut lines = vec![String::new()];
                lines.extend(hang(&head, 2, COLUMNS));
                paragraph(lines)
            }
            Told::Ended(step) => paragraph(self.step_ended(step)),
        }
    }

    fn login(&self) -> String {
        let Some(session) = &self.chosen.procedure.session else {
            return "login".into();
        };
        let address = Endpoint::address_of_session(&self.chosen.entity, session);
        let clear = match session.way {
            Way::Ssh => "",
            Way::Telnet => ", passwords in CLEAR TEXT",
        };
        format!("login over {} to {address}{clear}", session.way.word())
    }

    /// What did not come, where the device was waited for in vain.
    fn waited_for(&self, failure: &Failure) -> Vec<String> {
        match (&self.chosen.procedure.session, &failure.fault) {
            (Some(session), Fault::Unanswered { .. }) => {
                let prompt = session.prompt.as_ref().map(|prompt| shown(prompt.as_str()));
                let waited =
                    prompt.map(|prompt| format!("the prompt that was waited for: {prompt}"));
                waited.map_or_else(Vec::new, |waited| sentence(&waited))
            }
            _ => Vec::new(),
        }
    }

    fn step_ended(&self, step: &StepEnded) -> Vec<String> {
        let mut lines = answer(&step.said);
        let took = units::duration(step.took);
        let spec = self.chosen.procedure.part(step.part).get(step.number);
        match &step.result {
            Ok(groups) => {
                let mut words = format!("passed in {took}");
                for (name, value) in groups {
                    words += &format!("; {} {}", shown(name), quoted(value));
                }
                lines.extend(sentence(&words));
                lines.extend(spec.and_then(|spec| self.compared(step.part, spec, groups)));
            }
            Err(failure) => {
                lines.extend(failed(&took, failure));
                lines.extend(self.waited_for(failure));
                let expect = spec.and_then(|spec| spec.expect.as_ref());
                if let (Some(expect), Fault::Unexpected { .. } | Fault::Program { .. }) =
                    (expect, &failure.fault)
                {
                    let pattern = shown(expect.pattern.as_str());
                    lines.extend(sentence(&format!("expected was: {pattern}")));
                }
            }
        }
        lines
    }

    /// What a step of `check` would have compared after an upgrade.
    fn compared(
        &self,
        part: Part,
        step: &StepSpec,
        groups: &BTreeMap<String, String>,
    ) -> Option<String> {
        if part != Part::Check || self.chosen.until == UntilArg::Activate {
            return None;
        }
        let (group, wanted) = step.expect.as_ref()?.is.as_ref()?;
        let says = groups.get(&**group).map_or("", String::as_str);
        let says_this = format!("  says {}", shown(says));
        Some(match wanted.fill(&self.chosen.values) {
            Ok(wanted) if wanted == says => {
                format!("{says_this}, which is what it has to say after the upgrade")
            }
            Ok(wanted) => {
                let wanted = shown(&wanted);
                format!("{says_this}; after the upgrade it has to say {wanted}")
            }
            Err(_) => {
                format!("{says_this}; `--image` tells what it has to say after the upgrade")
            }
        })
    }

    pub(super) fn ended(&self, tried: &Tried) -> String {
        let name = shown(&self.chosen.entity.name);
        let steps = count(tried.steps, "step");
        let runs = tried.runs.as_deref().map(shown);
        let words = match (tried.outcome, runs) {
            (Outcome::Passed, Some(runs)) => {
                format!("Passed: {steps}; {name} says that it runs {runs}. Nothing was changed.")
            }
            (Outcome::Passed, None) => format!("Passed: {steps}. Nothing was changed."),
            (Outcome::Upgraded, runs) => {
                let runs = runs.unwrap_or_default();
                format!("Upgraded: {steps}; {name} says that it runs {runs}.")
            }
            (outcome, _) => {
                let word = match outcome {
                    Outcome::RolledBack => "Rolled back",
                    Outcome::Unknown => "Unknown",
                    Outcome::Cancelled => "Cancelled",
                    _ => "Failed",
                };
                format!("{word}: {}", tried.cause.as_deref().unwrap_or("no cause"))
            }
        };
        let mut lines = vec![String::new()];
        lines.extend(wrap(&words, 0, COLUMNS));
        paragraph(lines)
    }
}

fn paragraph(lines: Vec<String>) -> String {
    lines.join("\n") + "\n"
}

fn sentence(words: &str) -> Vec<String> {
    wrap(words, 2, COLUMNS)
}

fn failed(took: &str, failure: &Failure) -> Vec<String> {
    sentence(&format!("FAILED after {took}: {failure}"))
}

/// What came back, behind a line at the edge.
fn answer(said: &str) -> Vec<String> {
    let all: Vec<&str> = said.lines().collect();
    let edged = |line: &&str| format!("  | {line}").trim_end().to_owned();
    if all.len() <= LINES {
        return all.iter().map(edged).collect();
    }
    let (head, tail) = (&all[..LINES / 2], &all[all.len() - LINES / 2..]);
    let between = all.len() - LINES;
    let note = format!("  | … {between} lines are not shown; `--json` has them …");
    let head = head.iter().map(edged).chain([note]);
    head.chain(tail.iter().map(edged)).collect()
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn a_long_answer_keeps_its_beginning_and_its_end() {
        let said: Vec<String> = (1..=1000).map(|number| format!("line {number}")).collect();
        let lines = answer(&said.join("\n"));
        assert_eq!(lines.len(), 61);
        assert_eq!((&*lines[0], &*lines[60]), ("  | line 1", "  | line 1000"));
        assert!(
            lines[30].contains("940 lines are not shown"),
            "{}",
            lines[30]
        );
        assert_eq!(answer("a\n\nb"), ["  | a", "  |", "  | b"]);
        assert!(answer("").is_empty());
    }
}

//! The steps of a procedure that change nothing, carried out to see whether they work.

use crate::model::procedure::{Expect, Part, Procedure, StepSpec};

use super::hands::Hands;
use super::way::{StepFailure, VERSION, Way};

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsed {
    /// How many were carried out, those that failed included.
    pub steps: usize,
    /// The version that the device says it runs.
    pub runs: Option<String>,
    /// Why the last of them failed: what follows a failure is not begun.
    pub failure: Option<StepFailure>,
}

/// The steps of these parts that say of themselves that they change nothing, with their numbers from 0.
pub fn safe_steps<'a>(
    procedure: &'a Procedure,
    parts: &'a [Part],
) -> impl Iterator<Item = (Part, usize, &'a StepSpec)> {
    parts.iter().flat_map(|part| {
        let steps = procedure.part(*part).iter().enumerate();
        let safe = steps.filter(|(_, step)| step.safe);
        safe.map(move |(number, step)| (*part, number, step))
    })
}

impl Way<'_> {
    /// Carries out the safe steps of these parts, until one fails. What `check` compares is not compared: before an
    /// upgrade the device says something else.
    pub async fn rehearse(&self, hands: &mut dyn Hands, parts: &[Part]) -> Rehearsed {
        let mut rehearsed = Rehearsed::default();
        let mut seen = None;
        for (part, number, step) in safe_steps(self.procedure, parts) {
            let tried = uncompared(part, step);
            let carried = self
                .carry_out(hands, (part, number, &tried), None, self.values)
                .await;
            rehearsed.steps += 1;
            let groups = match carried.result {
                Ok(groups) => groups,
                Err(failure) => {
                    let failure = self.failure(part, number, carried.what, failure);
                    rehearsed.failure = Some(failure);
                    break;
                }
            };
            let is = step.expect.as_ref().and_then(|expect| expect.is.as_ref());
            match is {
                Some((group, _)) if part == Part::Check => {
                    rehearsed.runs = groups.get(&**group).cloned();
                }
                _ => seen = groups.get(VERSION).cloned().or(seen),
            }
        }
        rehearsed.runs = rehearsed.runs.or(seen);
        rehearsed
    }
}

fn uncompared(part: Part, step: &StepSpec) -> StepSpec {
    let mut step = step.clone();
    if part == Part::Check {
        step.expect = step.expect.map(|expect| Expect { is: None, ..expect });
    }
    step
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::model::procedure::{Deed, Template, Values};
    use crate::model::{Failure, Fault, Step};
    use crate::procedure::{Carried, Unwritten};

    /// A device that answers each command with a version, as far as that is compared with nothing else.
    #[derive(Default)]
    struct Fake {
        done: Vec<String>,
        refuses: Option<&'static str>,
    }

    #[async_trait]
    impl Hands for Fake {
        fn what(&self, step: &StepSpec, _: &Values) -> String {
            step.deed.templates()[0].as_str().to_owned()
        }

        async fn carry_out(&mut self, step: &StepSpec, values: &Values, _: bool) -> Carried {
            let what = self.what(step, values);
            self.done.push(what.clone());
            let compares = step
                .expect
                .as_ref()
                .is_some_and(|expect| expect.is.is_some());
            let refused = |why: &str| Failure::new(Step::Command, Fault::Local(why.into()));
            Carried {
                said: String::new(),
                is_undone: false,
                result: match () {
                    () if compares => Err(refused("it is compared")),
                    () if self.refuses == Some(&*what) => Err(refused("no")),
                    () => Ok(BTreeMap::from([("version".into(), what.clone())])),
                },
                what,
            }
        }

        async fn close(&mut self) {}
    }

    fn step(line: &str, safe: bool, compares: bool) -> StepSpec {
        let template = |text| Template::parse(text).unwrap();
        StepSpec {
            deed: Deed::Site(template(line)),
            expect: Some(Expect {
                pattern: r"(?<version>\S+)".parse().unwrap(),
                is: compares.then(|| ("version".into(), template("{version}"))),
            }),
            within: Duration::from_secs(1),
            safe,
            role: Default::default(),
        }
    }

    fn procedure() -> Procedure {
        Procedure {
            name: "p".into(),
            session: None,
            web: None,
            before: vec![step("b1", true, false), step("b2", false, false)],
            activate: vec![step("a1", true, false)],
            check: vec![step("c1", true, true), step("c2", true, false)],
            undo: vec![step("u1", true, false)],
            fetch: Vec::new(),
        }
    }

    async fn rehearse(hands: &mut Fake, parts: &[Part]) -> Rehearsed {
        let (procedure, values, cancel) = (procedure(), Values::new(), CancellationToken::new());
        let way = Way {
            entity: &"e1".into(),
            procedure: &procedure,
            values: &values,
            ledger: &Unwritten,
            cancel: &cancel,
        };
        way.rehearse(hands, parts).await
    }

    #[tokio::test]
    async fn only_safe_steps_are_carried_out_and_check_compares_nothing() {
        let mut hands = Fake::default();
        let both = rehearse(&mut hands, &[Part::Before, Part::Check]).await;
        assert_eq!(hands.done, ["b1", "c1", "c2"]);
        assert_eq!((both.steps, both.failure), (3, None));
        // What `check` would compare is what counts.
        assert_eq!(both.runs.as_deref(), Some("c1"));

        let mut hands = Fake::default();
        let before = rehearse(&mut hands, &[Part::Before]).await;
        assert_eq!(hands.done, ["b1"]);
        assert_eq!(before.runs.as_deref(), Some("b1"));
    }

    #[tokio::test]
    async fn what_follows_a_failure_is_not_begun() {
        let mut hands = Fake {
            refuses: Some("b1"),
            ..Fake::default()
        };
        let failed = rehearse(&mut hands, &[Part::Before, Part::Check]).await;
        assert_eq!(hands.done, ["b1"]);
        let failure = failed.failure.unwrap().to_string();
        assert_eq!(failure, "before, step 1 of 2 (b1): no");
        assert_eq!((failed.steps, failed.runs), (1, None));
    }
}

//! Devices that are looked at before a run: their command lines are logged in to, and what changes nothing is tried.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::inspect::{Looked, Procedures};
use crate::model::procedure::{Part, Procedure};
use crate::model::{Entity, Failure, Group, Logins};
use crate::protocol::ProcedureCheck;
use crate::transport::{Endpoint, Transport};

use super::device::Device;
use super::hands::Hands as _;
use super::ledger::Unwritten;
use super::means::Means;
use super::rehearse::{Rehearsed, safe_steps};
use super::values::values;
use super::way::Way;

/// What is tried: what makes a device run another image is not.
const PARTS: [Part; 2] = [Part::Before, Part::Check];

/// What looking needs.
pub(crate) struct Looks<T> {
    pub(crate) transport: Arc<T>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) means: Means,
    pub(crate) run: String,
    pub(crate) cancel: CancellationToken,
}

#[async_trait]
impl<T: Transport> Procedures for Looks<T> {
    async fn look(&self, group: &Group, entity: &Arc<Entity>) -> Option<Looked> {
        let procedure = group.procedure.as_ref()?;
        if !self.is_looked_at(group, procedure, entity) {
            return None;
        }
        let target = self.means.target(entity, procedure, &self.logins);
        let mut device = Device::new(self.transport.clone(), target, self.cancel.clone());
        let way = Way {
            entity: &entity.name,
            procedure,
            values: &values(entity, &group.image, &self.run),
            ledger: &Unwritten,
            cancel: &self.cancel,
        };
        let looked = match device.log_in().await {
            Ok(()) => looked(group, procedure, way.rehearse(&mut device, &PARTS).await),
            Err(failure) => not_let_in((group, entity), procedure, &failure),
        };
        device.close().await;
        Some(looked)
    }
}

impl<T: Transport> Looks<T> {
    /// A command line that the run has no use for is looked at where its password is there.
    fn is_looked_at(&self, group: &Group, procedure: &Procedure, entity: &Entity) -> bool {
        match &procedure.session {
            Some(session) => {
                is_used((group, entity), procedure)
                    || Endpoint::of_session(entity, session, &self.logins).is_ok()
            }
            None => safe_steps(procedure, &PARTS).next().is_some(),
        }
    }
}

/// Whether the run comes to its command line.
fn is_used((group, entity): (&Group, &Entity), procedure: &Procedure) -> bool {
    let session = procedure.session_of(group.extent, entity.fetches());
    session.is_some()
}

fn not_let_in(place: (&Group, &Entity), procedure: &Procedure, failure: &Failure) -> Looked {
    let is_used = is_used(place, procedure);
    Looked::wrong(format!("command line: {failure}"), is_used)
}

fn looked(group: &Group, procedure: &Procedure, rehearsed: Rehearsed) -> Looked {
    let has_session = procedure.session.is_some();
    if let Some(failure) = rehearsed.failure {
        let is_used = failure.part == Part::Before || group.extent.activates();
        let what = match has_session {
            true => "command line",
            false => "procedure",
        };
        return Looked::wrong(format!("{what}: {failure}"), is_used);
    }
    Looked {
        check: Some(ProcedureCheck {
            logged_in: has_session,
            steps: rehearsed.steps,
            runs: rehearsed.runs,
        }),
        problem: None,
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::procedure::{Deed, Extent, SessionSpec, StepSpec, Template, Way as Door};
    use crate::model::{Fault, Ssh, Step, testing};
    use crate::procedure::StepFailure;

    /// Nothing is sent to its command line before the image.
    fn procedure() -> Procedure {
        let line = Template::parse("show version").unwrap();
        let deed = Deed::Send {
            line,
            answers: Vec::new(),
        };
        let step = StepSpec {
            deed,
            expect: None,
            within: std::time::Duration::from_secs(1),
            safe: true,
            role: Default::default(),
        };
        Procedure {
            name: "p".into(),
            session: Some(SessionSpec {
                way: Door::Telnet,
                port: 23,
                credentials: None,
                ssh: Ssh::default(),
                prompt: Some("> $".parse().unwrap()),
            }),
            web: None,
            before: Vec::new(),
            activate: vec![step.clone()],
            check: vec![step],
            undo: Vec::new(),
            fetch: Vec::new(),
        }
    }

    fn group(extent: Extent) -> Group {
        let mut group = testing::group("g", Vec::new());
        group.extent = extent;
        group
    }

    #[test]
    fn what_the_run_comes_to_is_a_problem_and_the_rest_a_note() {
        let procedure = procedure();
        let failure = || Failure::new(Step::Login, Fault::Local("no".into()));
        let failed = |part| Rehearsed {
            failure: Some(StepFailure {
                part,
                number: 0,
                of: 1,
                what: "it".into(),
                failure: failure(),
            }),
            ..Rehearsed::default()
        };
        let is_problem = |looked: Looked| {
            assert!(looked.check.is_none() && looked.problem.is_some() != looked.note.is_some());
            looked.problem.is_some()
        };
        for (extent, uses_it) in [(Extent::Deliver, false), (Extent::Upgrade, true)] {
            let group = group(extent);
            let entity = testing::entity("e", "1");
            let let_in = not_let_in((&group, &entity), &procedure, &failure());
            assert_eq!(is_problem(let_in), uses_it, "{extent:?}");
            let checked = looked(&group, &procedure, failed(Part::Check));
            assert_eq!(is_problem(checked), uses_it, "{extent:?}");
            assert!(is_problem(looked(&group, &procedure, failed(Part::Before))));
        }
    }
}

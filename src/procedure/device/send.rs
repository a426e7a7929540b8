//! A line for the command line of the device, and what is said at the questions that come.

use crate::model::procedure::{Reaction, ReactionText, Role, StepSpec, Template, Values};
use crate::model::{Failure, Fault, Login, Side, Step};
use crate::procedure::session::{Ended, Expectation, Typed};
use crate::transport::Transport;

use regex::Regex;
use tokio::time::timeout;

use super::command::{Ran, carried_out};
use super::expected::Expected;
use super::gone::unless_gone;
use super::line::Line;
use super::said::{Printed, plain};
use super::{Device, Done, PARTING, filled_line};

impl<T: Transport> Device<T> {
    /// # Errors
    /// Nothing was sent.
    pub(super) async fn send(
        &mut self,
        step: &StepSpec,
        (line, answers): (&Template, &[Reaction]),
        values: &Values,
        before_restart: bool,
    ) -> Result<Done, Failure> {
        let line = filled_line(line, values)?;
        let answers = self.typed(answers, values)?;
        let expected = Expected::of(step, values)?;
        let named = self.name(&line);
        let door = before_restart.then(|| self.door()).transpose()?;
        if let Role::Fetches(_) = step.role {
            // It is there for as long as the device takes: others may log in meanwhile.
            self.opened(step.within).await?;
            self.permit = None;
        }
        let (line_open, is_begun) = self.opened(step.within).await?;
        *is_begun = true;
        let session = match line_open {
            Line::Shell(session) => session,
            Line::Command(command) => {
                let mut printed = Printed::default();
                let ran = carried_out(&mut **command, &line, &mut printed, step.within);
                let Some(ran) = unless_gone(ran, door.as_ref()).await else {
                    return Ok(self.is_gone());
                };
                let exit = command.exit().cloned();
                let said = plain(&self.hide(&printed.text(self.longest)));
                let how = Ran {
                    named: &named,
                    said: &said,
                    exit: exit.as_ref(),
                    before_restart,
                };
                let result = how.result(ran, &expected, step.within);
                // Where the device is to go, its connection shows that.
                if !before_restart && let Some(line) = self.line.take() {
                    let _ = timeout(PARTING, line.close()).await;
                }
                return Ok(Done { said, result });
            }
        };
        let expectation = Expectation {
            expect: expected.pattern,
            answers: &answers,
        };
        let ran = session.run(&line, expectation, step.within);
        let Some(ran) = unless_gone(ran, door.as_ref()).await else {
            return Ok(self.is_gone());
        };
        let said = session.said().to_owned();
        let output = match ran {
            Ok(output) => output,
            Err(failure) => {
                let result = Err(failure);
                return Ok(Done { said, result });
            }
        };
        let groups = output.groups.into_iter().collect();
        let judged = match output.ended {
            Ended::Closed if !before_restart => Err(Fault::Lost {
                side: Side::Session,
                reason: format!("the device ended it in answer to {named}"),
            }),
            _ => expected.compare(&groups),
        };
        let result = judged
            .map(|()| groups)
            .map_err(|fault| Failure::new(Step::Command, fault));
        Ok(Done { said, result })
    }

    fn typed(&self, answers: &[Reaction], values: &Values) -> Result<Vec<(Regex, Typed)>, Failure> {
        let typed = answers.iter().map(|reaction| {
            let typed = match &reaction.with {
                ReactionText::Line(line) => Typed::Line(filled_line(line, values)?),
                ReactionText::Password(name) => {
                    let login = self.target.logins.get(Some(name));
                    let login = login.ok_or_else(|| {
                        let (name, reason) = (name.to_string(), "they were not looked up".into());
                        Failure::new(Step::Command, Fault::NoCredentials { name, reason })
                    })?;
                    Typed::Secret(Login::secret(&login).clone())
                }
            };
            Ok((reaction.to.regex().clone(), typed))
        });
        typed.collect()
    }
}

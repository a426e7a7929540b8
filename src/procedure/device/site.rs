//! A `SITE` command, in a session of its own: many devices have room for one only, and files come and go in another.

use tokio::time::timeout;

use crate::model::procedure::{StepSpec, Template, Values};
use crate::model::{Failure, Fault, Step};
use crate::transport::Transport;

use super::expected::Expected;
use super::gone::unless_gone;
use super::{Device, Done, Groups, PARTING, filled_line};

/// What the end of a session says of an order that makes a device restart: nothing is wrong.
fn is_going(failure: &Failure) -> bool {
    matches!(
        failure.fault,
        Fault::Lost { .. } | Fault::Reply { code: 421, .. }
    )
}

/// What was answered, where there was an answer.
fn reply(fault: &Fault) -> String {
    match fault {
        Fault::Reply { code, text } => format!("{code} {text}"),
        _ => String::new(),
    }
}

impl<T: Transport> Device<T> {
    /// # Errors
    /// Nothing was sent.
    pub(super) async fn site(
        &mut self,
        step: &StepSpec,
        line: &Template,
        values: &Values,
        before_restart: bool,
    ) -> Result<Done, Failure> {
        let line = filled_line(line, values)?;
        let expected = Expected::of(step, values)?;
        let named = self.name(&format!("SITE {line}"));
        let door = before_restart.then(|| self.remote()).transpose()?;
        let door = door.map(|remote| remote.endpoint);
        let (orders, is_begun) = self.opened_orders(step.within).await?;
        *is_begun = true;
        let ordered = orders.order(&line, step.within);
        let Some(ordered) = unless_gone(ordered, door.as_ref()).await else {
            return Ok(self.is_gone());
        };
        let (said, result) = match ordered {
            Ok(said) => {
                let groups = expected.groups(&named, &said);
                (said, groups)
            }
            Err(failure) if before_restart && is_going(&failure) => {
                (reply(&failure.fault), Ok(Groups::new()))
            }
            Err(failure) => (reply(&failure.fault), Err(failure.fault)),
        };
        if !before_restart && let Some(orders) = self.orders.take() {
            let _ = timeout(PARTING, orders.close()).await;
        }
        let result = result.map_err(|fault| Failure::new(Step::Command, fault));
        Ok(Done { said, result })
    }
}

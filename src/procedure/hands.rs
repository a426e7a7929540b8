//! What carries steps out: the one place where a procedure touches anything.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::Failure;
use crate::model::procedure::{StepSpec, Values};

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// What was done, with its placeholders filled in and without secrets: `send "boot system /flash/a.bin"`.
    pub what: String,
    /// What the device or the program answered: at most 64 KiB, control characters escaped, without secrets.
    pub said: String,
    /// The named groups of `expect`; or why the step failed.
    pub result: Result<BTreeMap<String, String>, Failure>,
    /// Whether nothing reached the device or the program: it is as if the step had not been begun.
    pub is_undone: bool,
}

/// Carries out the steps of one procedure on one device, one at a time.
#[async_trait]
pub trait Hands: Send {
    /// What the step will be, filled in: for what is written down before it is done. Asks nobody.
    fn what(&self, step: &StepSpec, values: &Values) -> String;

    /// Carries a step out, within its deadline. `before_restart`: the next one waits for the device to go, so what
    /// shows that it goes is kept open.
    async fn carry_out(
        &mut self,
        step: &StepSpec,
        values: &Values,
        before_restart: bool,
    ) -> Carried;

    /// Ends what is open, without waiting long.
    async fn close(&mut self);
}

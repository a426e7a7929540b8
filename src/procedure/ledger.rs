//! What is written down of steps, before and after they are carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::procedure::Part;
use crate::model::{Failure, Name};

use super::course::StepEnd;

/// A step that is about to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepBegins {
    pub at: Timestamp,
    pub entity: Name,
    pub part: Part,
    /// From 0.
    pub number: usize,
    /// With its placeholders filled in, and without secrets.
    pub what: String,
}

/// The same step, when it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEnded {
    pub at: Timestamp,
    pub entity: Name,
    pub part: Part,
    pub number: usize,
    pub end: StepEnd,
    pub took: Duration,
    /// What was answered, escaped and without secrets.
    pub said: String,
    /// The named groups of `expect`, without secrets; or why it failed.
    pub result: Result<BTreeMap<String, String>, Failure>,
}

impl StepEnded {
    /// What was answered; then why it failed, if it did.
    pub fn told(&self) -> String {
        let why = self.result.as_ref().err();
        let why = why.map(|failure| failure.fault.to_string());
        let parts = [self.said.clone()].into_iter().chain(why);
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        parts.join("\n")
    }
}

/// Where it is written.
#[async_trait]
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// Returns when it is written, or when it is clear that it can't be.
    async fn begins(&self, step: StepBegins);

    /// Comes before what begins next.
    fn ended(&self, step: StepEnded);
}

/// Writes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwritten;

#[async_trait]
impl Ledger for Unwritten {
    async fn begins(&self, _: StepBegins) {}

    fn ended(&self, _: StepEnded) {}
}

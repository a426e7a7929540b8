//! What is written down of steps, before and after they are carried out.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::Name;
use crate::model::procedure::Part;

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
    /// What was answered, escaped and without secrets; then why it failed, if it did.
    pub said: String,
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

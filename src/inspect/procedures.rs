//! What is tried of procedures while hosts are looked at: asked for here, and done by those above who can carry
//! steps out.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{Entity, Group};
use crate::protocol::ProcedureCheck;

/// What is tried of the procedures of groups, by those who can carry steps out.
#[async_trait]
pub(crate) trait Procedures: Send + Sync {
    /// Tries what changes nothing; `None` where there is nothing to try.
    async fn look(&self, group: &Group, entity: &Arc<Entity>) -> Option<Looked>;
}

/// What came of trying a procedure.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) check: Option<ProcedureCheck>,
    /// What would make the run fail.
    pub(crate) problem: Option<String>,
    /// What would make a later one fail.
    pub(crate) note: Option<String>,
}

impl Looked {
    /// `is_used`: the run comes to it.
    pub(crate) fn wrong(why: String, is_used: bool) -> Self {
        match is_used {
            true => Self {
                problem: Some(why),
                ..Self::default()
            },
            false => Self {
                note: Some(format!("{why}; this run does not need it")),
                ..Self::default()
            },
        }
    }
}

//! The tasks of one group, which end with it.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

use crate::agent::download::Attempt;
use crate::agent::transfer::PassEnd;

/// Whom a task works for.
pub(super) enum Task {
    /// The entity's place in the group.
    Download(usize),
    /// The pass's number.
    Transfer(u32),
}

/// How it ended.
pub(super) enum Ended {
    Download(Attempt),
    Transfer(PassEnd),
}

/// The tasks of a group, and what each is there for.
#[derive(Default)]
pub(super) struct Agents {
    set: JoinSet<Ended>,
    tasks: HashMap<Id, Task>,
}

impl Agents {
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    pub(super) fn spawn(&mut self, task: Task, run: impl Future<Output = Ended> + Send + 'static) {
        let spawned = self.set.spawn(run);
        self.tasks.insert(spawned.id(), task);
    }

    /// The next one that ends, and how, unless it panicked. `None`: none runs. Can be dropped and called
    /// again.
    pub(super) async fn next(&mut self) -> Option<(Task, Option<Ended>)> {
        loop {
            let (id, ended) = match self.set.join_next_with_id().await? {
                Ok((id, ended)) => (id, Some(ended)),
                Err(error) => {
                    tracing::error!("an agent failed: {error}");
                    (error.id(), None)
                }
            };
            if let Some(task) = self.tasks.remove(&id) {
                return Some((task, ended));
            }
        }
    }
}

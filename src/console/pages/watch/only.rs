//! Which of a group's entities are shown: those that hold the words that were typed, and those of a set.

use tui_input::Input;

use crate::model::Standing;
use crate::protocol::{EntitySnapshot, GroupSnapshot};

use super::figures;

/// Sets that are asked for often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Set {
    #[default]
    All,
    Failed,
    NotDone,
    /// Behind, silent, or to be tried again.
    Slow,
    Unproven,
}

impl Set {
    pub(super) fn next(self) -> Self {
        match self {
            Self::All => Self::Failed,
            Self::Failed => Self::NotDone,
            Self::NotDone => Self::Slow,
            Self::Slow => Self::Unproven,
            Self::Unproven => Self::All,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Failed => "failed",
            Self::NotDone => "not done",
            Self::Slow => "slow",
            Self::Unproven => "unproven",
        }
    }

    fn has(self, entity: &EntitySnapshot, limit: u64) -> bool {
        use crate::model::EntityState as S;
        match self {
            Self::All => true,
            Self::Failed => matches!(entity.state, S::Failed | S::RolledBack | S::Cancelled),
            Self::NotDone => !entity.state.is_final(),
            Self::Slow => {
                figures::lags(entity, limit)
                    || entity.silent_since.is_some()
                    || matches!(entity.state, S::CatchingUp | S::Retrying | S::Offline)
            }
            Self::Unproven => entity.standing() == Standing::Unproven,
        }
    }
}

/// What leaves some out.
#[derive(Debug, Default)]
pub(super) struct Only {
    pub(super) typed: Input,
    pub(super) is_typing: bool,
    pub(super) set: Set,
}

impl Only {
    /// Whether it can leave some out.
    pub(super) fn is_set(&self) -> bool {
        self.set != Set::All || !self.typed.value().trim().is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The places that it leaves, in their order.
    pub(super) fn left(&self, group: &GroupSnapshot, order: Vec<usize>) -> Vec<usize> {
        if !self.is_set() {
            return order;
        }
        let limit = figures::lag_limit(group);
        let typed = self.typed.value().to_lowercase();
        let words: Vec<&str> = typed.split_whitespace().collect();
        let is_left = |place: &usize| {
            group.entities.get(*place).is_some_and(|entity| {
                self.set.has(entity, limit) && words.iter().all(|word| holds(entity, word))
            })
        };
        order.into_iter().filter(is_left).collect()
    }

    /// In words, with how many it leaves.
    pub(super) fn in_words(&self, left: usize, of: usize) -> String {
        let typed = self.typed.value().trim();
        let set = match self.set {
            Set::All => String::new(),
            set => format!("{} ", set.word()),
        };
        let words = match typed {
            "" => String::new(),
            typed => format!("`{typed}` "),
        };
        format!("{set}{words}{left} of {of}")
    }
}

/// In its name, its state or its cause; `!word` where none of these holds it.
fn holds(entity: &EntitySnapshot, word: &str) -> bool {
    let (excludes, word) = match word.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    let holds = |text: &str| text.to_lowercase().contains(word);
    let found = holds(&entity.entity)
        || holds(&entity.standing().to_string())
        || entity.cause.as_deref().is_some_and(holds);
    word.is_empty() || found != excludes
}

//! What the terminal shows of the work when nobody looks at the picture: a title, a bar, and when somebody is called.

use crate::model::EntityState;
use crate::model::columns::count;
use crate::protocol::{GroupSnapshot, PauseReason, Snapshot};
use crate::terminal::{Bar, Notice};

/// What was there at the last look: a call is for what is new.
#[derive(Debug)]
pub(crate) struct Calls {
    /// Percent per step: each is a new title.
    step: u8,
    seen: Option<Seen>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    busy: bool,
    failed: usize,
    /// Groups that are paused, and not by a person.
    paused: usize,
}

impl Calls {
    pub(crate) fn new(step: u8) -> Self {
        Self {
            step: step.max(1),
            seen: None,
        }
    }

    /// What is to be shown of this snapshot.
    pub(crate) fn look(&mut self, snapshot: &Snapshot, site: &str) -> Notice {
        let now = Seen {
            busy: snapshot.is_busy(),
            failed: failed(snapshot),
            paused: snapshot.running().filter(|group| is_paused(group)).count(),
        };
        let percent = percent(snapshot) / self.step * self.step;
        let before = self.seen.replace(now);
        let mut title = match now.busy {
            true => format!("{percent}% "),
            false => String::new(),
        };
        if now.failed > 0 {
            title += &format!("{} failed ", now.failed);
        }
        title += site;
        title += " - subtend";
        Notice {
            title,
            bar: match now {
                Seen { busy: false, .. } => Bar::None,
                Seen { paused: 1.., .. } => Bar::Waits(percent),
                Seen { failed: 1.., .. } => Bar::Failed(percent),
                _ => Bar::Runs(percent),
            },
            // The first look is at what is no news.
            call: before.and_then(|before| call(before, now, site)),
        }
    }
}

/// At the first failure, at a pause that a person has to end, and at the end.
fn call(before: Seen, now: Seen, site: &str) -> Option<String> {
    let text = if before.busy && !now.busy {
        match now.failed {
            0 => "all groups have ended".to_owned(),
            failed => format!("all groups have ended, {} failed", count(failed, "entity")),
        }
    } else if now.paused > before.paused {
        "a group is paused and waits for you".to_owned()
    } else if before.failed == 0 && now.failed > 0 && now.busy {
        format!("the first failure: {}", count(now.failed, "entity"))
    } else {
        return None;
    };
    Some(format!("subtend {site}: {text}"))
}

fn failed(snapshot: &Snapshot) -> usize {
    let entities = snapshot.groups.iter().flat_map(|group| &group.entities);
    let failed = |state| matches!(state, EntityState::Failed | EntityState::RolledBack);
    entities.filter(|entity| failed(entity.state)).count()
}

fn is_paused(group: &GroupSnapshot) -> bool {
    let pause = group
        .campaign
        .as_deref()
        .and_then(|campaign| campaign.pause());
    pause.is_some_and(|pause| *pause != PauseReason::Operator)
}

/// How much of what is to be sent was sent, of the groups that run.
fn percent(snapshot: &Snapshot) -> u8 {
    let (mut sent, mut all) = (0_u128, 0_u128);
    for group in snapshot.running() {
        for entity in &group.entities {
            if entity.state == EntityState::Skipped {
                continue;
            }
            let size = group.size.unwrap_or(1);
            all += u128::from(size);
            sent += match entity.state.is_final() {
                true => u128::from(size),
                false => u128::from(entity.sent.min(size)),
            };
        }
    }
    match all {
        0 => 0,
        all => u8::try_from(sent * 100 / all).unwrap_or(100),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::console::testing;
    use crate::model::Outcome;
    use crate::protocol::GroupPhase;

    #[test]
    fn somebody_is_called_at_the_first_failure_and_at_the_end_once_each() {
        let entity = |name: &str, state| testing::entity(name, state, 4 << 20);
        let at = |one, other| Snapshot {
            groups: vec![Arc::new(testing::group(
                "adsl",
                vec![entity("a", one), entity("b", other)],
            ))],
            ..testing::idle()
        };
        use EntityState as S;
        let mut calls = Calls::new(1);
        let mut look = |snapshot: &Snapshot| calls.look(snapshot, "lab");
        let first = look(&at(S::Sending, S::Sending));
        assert_eq!(
            (first.title.as_str(), first.bar),
            ("50% lab - subtend", Bar::Runs(50))
        );
        assert_eq!(first.call, None);
        let failed = look(&at(S::Sending, S::Failed));
        assert_eq!(failed.title, "75% 1 failed lab - subtend");
        assert_eq!(
            failed.call.as_deref(),
            Some("subtend lab: the first failure: 1 entity")
        );
        assert_eq!(look(&at(S::Sending, S::Failed)).call, None);
        assert_eq!(look(&at(S::Failed, S::Failed)).call, None);
        let mut ended = at(S::Failed, S::Failed);
        Arc::make_mut(&mut ended.groups[0]).phase = GroupPhase::Ended(Outcome::Failed);
        let end = look(&ended);
        assert_eq!(
            (end.title.as_str(), end.bar),
            ("2 failed lab - subtend", Bar::None)
        );
        assert_eq!(
            end.call.as_deref(),
            Some("subtend lab: all groups have ended, 2 entities failed")
        );
        assert_eq!(look(&ended).call, None);
    }
}

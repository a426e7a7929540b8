//! What is asked before work is stopped: leaving, suspending, cancelling.

use crate::model::{EntityState, Name};
use crate::protocol::{Command, Snapshot, Target};

use super::asked::{Answer, Asked};
use super::dialogs::{Dialog, Row};
use super::effect::Effect;
use super::state::Shared;

/// How one can leave an engine that is a process of its own.
const LEAVE: &str = "leave";
const CANCEL: &str = "cancel";
const STAY: &str = "stay";

/// Leaves, or asks if work runs.
pub(crate) fn quit(shared: &mut Shared, snapshot: &Snapshot) -> Option<Effect> {
    let running = unfinished(snapshot, &Target::All);
    if running.is_empty() {
        return Some(Effect::Quit { cancel: false });
    }
    if shared.engine.watch_only || shared.engine.is_gone {
        return Some(Effect::Quit { cancel: false });
    }
    if shared.engine.shared {
        let row = |label: &str, detail: &str, value: &str| Row {
            label: label.into(),
            detail: detail.into(),
            value: value.into(),
        };
        let rows = vec![
            row("Leave it running", "`subtend attach` shows it again", LEAVE),
            row(
                "Cancel it and leave",
                "entities keep the file they have",
                CANCEL,
            ),
            row("Stay", "", STAY),
        ];
        let dialog = Dialog::list("Work runs. Leave?", rows, Asked::Quit);
        shared.dialogs.push(dialog);
        return None;
    }
    let mut lines = what_is_left(&running);
    lines.insert(0, "Work runs. Leaving cancels it.".into());
    shared
        .dialogs
        .push(Dialog::confirm("Leave and cancel?", lines, Asked::Quit));
    None
}

/// Stops the program until `fg`, or asks if work runs.
pub(crate) fn suspend(shared: &mut Shared, snapshot: &Snapshot) -> Option<Effect> {
    let asks = |dialog: &Dialog| {
        matches!(
            dialog,
            Dialog::Confirm {
                intent: Asked::Suspend,
                ..
            }
        )
    };
    if shared.dialog().is_some_and(asks) {
        return None;
    }
    if shared.engine.shared || unfinished(snapshot, &Target::All).is_empty() {
        return Some(Effect::Suspend);
    }
    let lines = [
        "Transfers stop until `fg`. A server that hears nothing for too".to_owned(),
        "long may end the session, and its entity then fails.".to_owned(),
    ];
    shared
        .dialogs
        .push(Dialog::confirm("Suspend?", lines, Asked::Suspend));
    None
}

pub(crate) fn confirm_cancel_all(shared: &mut Shared, snapshot: &Snapshot) -> Option<Effect> {
    confirm_cancel(shared, snapshot, Target::All, "Cancel everything?")
}

/// Asks, and says what will be left on the entities.
pub(crate) fn confirm_cancel(
    shared: &mut Shared,
    snapshot: &Snapshot,
    target: Target,
    title: &str,
) -> Option<Effect> {
    let running = unfinished(snapshot, &target);
    if running.is_empty() {
        shared.say("nothing runs there");
        return None;
    }
    let lines = what_is_left(&running);
    shared
        .dialogs
        .push(Dialog::confirm(title, lines, Asked::Cancel(target)));
    None
}

/// The entities that a cancellation would stop.
fn unfinished(snapshot: &Snapshot, target: &Target) -> Vec<(Name, EntityState)> {
    let groups = snapshot.running().filter(|group| match target {
        Target::All => true,
        Target::Group(name) | Target::Entity { group: name, .. } => *group.group == **name,
    });
    groups
        .flat_map(|group| group.unfinished())
        .filter(|entity| match target {
            Target::Entity { entity: name, .. } => *entity.entity == **name,
            _ => true,
        })
        .map(|entity| (entity.entity.clone(), entity.state))
        .collect()
}

fn what_is_left(running: &[(Name, EntityState)]) -> Vec<String> {
    let count = running.len();
    let whom = match running {
        [(name, state)] => format!("{name} is {state}."),
        _ => format!("{count} entities are not finished."),
    };
    vec![
        whom,
        "They keep the file they have now: what was sent goes to a staging".into(),
        "file, which is removed. One that renames at this moment is delivered.".into(),
    ]
}

/// Leaves, whatever runs, as was chosen.
pub(crate) fn quit_as(answer: &Answer) -> Option<Effect> {
    match answer {
        Answer::Chosen(choice) if choice == LEAVE => Some(Effect::Quit { cancel: false }),
        Answer::Chosen(choice) if choice == STAY => None,
        _ => Some(Effect::Quit { cancel: true }),
    }
}

pub(crate) fn cancel(target: Target) -> Effect {
    Effect::Send(vec![Command::Cancel { target }])
}

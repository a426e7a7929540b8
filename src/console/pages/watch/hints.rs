//! What the status line says of the watch page: what can be done now comes first, what would do nothing is left out.

use crate::console::action::Action;
use crate::console::keymap::Hints;
use crate::console::state::Shared;
use crate::protocol::Snapshot;

use super::{View, figures, pause, retry, shown};

pub(super) fn hints(view: &View, shared: &Shared, snapshot: &Snapshot) -> Hints {
    let mut hints = Hints::default();
    let Some(group) = shown(view, snapshot) else {
        return hints;
    };
    let orders = !shared.engine.watch_only;
    match pause::hint(group).filter(|_| orders) {
        // Else it has its place in the table.
        Some(hint) if group.is_at_rest() => hints.first.push(hint),
        Some((_, "pause")) => {}
        Some(hint) => hints.first.push(hint),
        None => hints.without.push(Action::Pause),
    }
    use crate::model::EntityState as S;
    let failed = |state| matches!(state, S::Failed | S::Cancelled | S::RolledBack);
    if !group.entities.iter().any(|one| failed(one.state)) {
        hints.without.extend([Action::Retry, Action::NextFailure]);
    }
    let ended = group.phase.is_ended();
    if orders && figures::holders(&shared.site.inventory, snapshot, group) > 0 {
        hints.first.push((Action::Activate, "activate"));
    }
    if ended || !orders {
        hints.without.push(Action::Cancel);
    }
    if ended && orders && retry::retry(view, shared, snapshot, view.group).is_ok() {
        hints.first.push((Action::Retry, "retry"));
    }
    hints
}

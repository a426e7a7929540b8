//! Names of groups that are made here.

use super::conflicts::Conflict;

use crate::console::state::{Draft, Shared};
use crate::model::{MadeGroup, names};
use crate::protocol::GroupSpec;

use super::View;

/// What would be started, or why it can't be: a group that lacks something, or one that is wrong.
pub(super) fn chosen(view: &View, shared: &Shared) -> Result<Vec<GroupSpec>, String> {
    let groups: Vec<usize> = if view.selected.is_empty() {
        view.current(shared).into_iter().collect()
    } else {
        view.selected.iter().copied().collect()
    };
    if groups.is_empty() {
        return Err("there is no group to start: n makes one".into());
    }
    for at in &groups {
        if let Some(conflict) = view.conflicts[*at].iter().find(|one| one.blocks()) {
            return Err(format!(
                "{}: {}",
                shared.resolved.groups[*at].name,
                conflict.words()
            ));
        }
        let together = view.conflicts[*at].iter().find(|one| match one {
            Conflict::Overlap { other, .. } => groups
                .iter()
                .any(|at| shared.resolved.groups[*at].name == *other),
            _ => false,
        });
        if let Some(conflict) = together {
            return Err(format!(
                "{}: {}",
                shared.resolved.groups[*at].name,
                conflict.words()
            ));
        }
    }
    let specs = groups.iter().map(|at| shared.drafts[*at].spec.clone());
    Ok(specs.collect())
}

/// A group that was made here, to change it; `None` for the inventory's.
pub(super) fn made(shared: &mut Shared, at: usize) -> Option<&mut MadeGroup> {
    match shared.drafts.get_mut(at) {
        Some(Draft {
            spec: GroupSpec::Made(made),
            from_inventory: false,
        }) => Some(made),
        _ => None,
    }
}

/// Whether a group made here can be called so: by the rule for all names, so that it can go to the
/// inventory, and as no other group is.
pub(super) fn check_name(shared: &Shared, name: &str, except: Option<usize>) -> Result<(), String> {
    names::check(name).map_err(|complaint| complaint.message)?;
    let mut drafts = shared.drafts.iter().enumerate();
    if drafts.any(|(at, draft)| Some(at) != except && draft.spec.name() == name) {
        return Err(format!("there is a group `{name}` already"));
    }
    Ok(())
}

/// The name, or with a number behind it if there is such a group.
pub(super) fn unique(shared: &Shared, wanted: &str) -> String {
    let taken = |name: &str| {
        let mut drafts = shared.drafts.iter();
        drafts.any(|draft| draft.spec.name() == name)
    };
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let numbered = (2_u32..).map(|number| format!("{wanted}_{number}"));
    numbered
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or_default()
}

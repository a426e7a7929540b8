//! Names of groups that are made here.

use thiserror::Error;

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::state::{Draft, Shared};
use crate::model::{Complaint, MadeGroup, names};
use crate::protocol::GroupSpec;

use super::View;
use super::conflicts::Conflict;

/// Why the chosen groups can't be started.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum CantStart {
    #[error("there is no group to start: {key} makes one")]
    NoGroup { key: String },
    /// A group that lacks something, is wrong, or can't run with another one that is chosen.
    #[error("{group}: {conflict}")]
    Conflict { group: String, conflict: String },
}

/// Why a group made here can't be called so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BadGroupName {
    #[error("{}", .0.message)]
    Unfit(#[from] Complaint),
    #[error("there is a group `{0}` already")]
    Taken(String),
}

/// What would be started.
pub(super) fn chosen(view: &View, shared: &Shared) -> Result<Vec<GroupSpec>, CantStart> {
    let groups = chosen_groups(view, shared)?;
    let specs = groups.iter().map(|at| shared.drafts[*at].spec.clone());
    Ok(specs.collect())
}

/// The same by their places in the list: what is selected, else the group under the cursor.
pub(super) fn chosen_groups(view: &View, shared: &Shared) -> Result<Vec<usize>, CantStart> {
    let groups: Vec<usize> = if view.selected.is_empty() {
        view.current(shared).into_iter().collect()
    } else {
        view.selected.iter().copied().collect()
    };
    if groups.is_empty() {
        let key = shared.key(Page::Groups, &Action::NewGroup);
        return Err(CantStart::NoGroup { key });
    }
    let name = |at: &usize| &shared.resolved.groups[*at].name;
    for at in &groups {
        let together = |conflict: &&Conflict| match conflict {
            Conflict::Overlap { other, .. } => groups.iter().any(|at| name(at) == other),
            _ => false,
        };
        let conflicts = &view.conflicts[*at];
        let blocks = conflicts.iter().find(|one| one.blocks());
        if let Some(conflict) = blocks.or_else(|| conflicts.iter().find(together)) {
            return Err(CantStart::Conflict {
                group: name(at).clone(),
                conflict: conflict.words(shared.keys()),
            });
        }
    }
    Ok(groups)
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
pub(super) fn check_name(
    shared: &Shared,
    name: &str,
    except: Option<usize>,
) -> Result<(), BadGroupName> {
    names::check(name)?;
    let mut drafts = shared.drafts.iter().enumerate();
    if drafts.any(|(at, draft)| Some(at) != except && draft.spec.name() == name) {
        return Err(BadGroupName::Taken(name.to_owned()));
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

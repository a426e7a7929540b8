//! Making devices run the image: with its delivery, or those that hold it already.

use crate::console::action::Action;
use crate::console::activation;
use crate::console::asked::{Asked, OfGroups};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::state::{Request, Shared};
use crate::model::text::quoted;
use crate::model::{Extent, GroupSpec};
use crate::plan::ResolvedDraft;
use crate::protocol::Snapshot;

use super::View;
use super::change::spec_of;
use super::names::{chosen_groups, made};
use super::{changed, push};

const EXTENTS: [(Extent, &str, &str); 2] = [
    (
        Extent::Deliver,
        "deliver only",
        "they go on with what they run",
    ),
    (
        Extent::Upgrade,
        "deliver and activate",
        "they are made to run the image, and asked for its version",
    ),
];

pub(super) fn ask(shared: &mut Shared, at: usize) {
    let group = &shared.resolved.groups[at];
    if let Err(reason) = can_activate(shared, group) {
        shared.complain(reason);
        return;
    }
    let title = format!("How far {} goes", group.name);
    let now = group.policy.extent.activates();
    let rows = EXTENTS.map(|(extent, label, detail)| Row {
        label: label.into(),
        detail: detail.into(),
        value: extent.word().into(),
    });
    let mut dialog = Dialog::list(title, rows.into(), Asked::Groups(OfGroups::Extent { at }));
    // What it is now stands under the cursor: Enter alone changes nothing.
    if let Dialog::List { scroll, .. } = &mut dialog {
        scroll.to(usize::from(now), EXTENTS.len(), EXTENTS.len());
    }
    push(shared, dialog);
}

pub(super) fn set(view: &mut View, shared: &mut Shared, at: usize, how: &str) -> Option<Effect> {
    let (extent, ..) = EXTENTS.iter().find(|(one, ..)| one.word() == how)?;
    made(shared, at)?.policy.extent = *extent;
    changed(view, shared)
}

/// Why nothing can be activated there, in words.
fn can_activate(shared: &Shared, group: &ResolvedDraft) -> Result<(), String> {
    let Some(image) = group.image.known() else {
        let key = shared.key(Page::Groups, &Action::PickImage);
        return Err(format!("{}: no image yet: {key} chooses one", group.name));
    };
    activation::can_activate(&shared.site.inventory, &image.type_)
}

/// To the review with what is selected, else with the group under the cursor: those of each that hold the image are
/// made to run it.
pub(super) fn review(view: &View, shared: &mut Shared, snapshot: &Snapshot) {
    match specs(view, shared, snapshot) {
        Ok(specs) => shared.request(Request::Review(specs)),
        Err(reason) => shared.complain(reason),
    }
}

fn specs(view: &View, shared: &Shared, snapshot: &Snapshot) -> Result<Vec<GroupSpec>, String> {
    let groups = chosen_groups(view, shared).map_err(|reason| reason.to_string())?;
    let spec = |at: usize| {
        let group = &shared.resolved.groups[at];
        can_activate(shared, group)?;
        let spec = match (&shared.drafts[at].spec, shared.drafts[at].from_inventory) {
            // Its image may be one that the inventory does not list.
            (GroupSpec::Made(made), false) => GroupSpec::Made(made.clone()),
            _ => spec_of(shared, group, &group.name),
        };
        let GroupSpec::Made(mut made) = spec else {
            return Err(format!("{} can't be made again", quoted(&group.name)));
        };
        made.policy.extent = Extent::Activate;
        let entities = &shared.site.inventory.entities;
        let names = group.members.iter().map(|at| &*entities[*at].name);
        made.entities = activation::holders(snapshot, made.image.name(), names);
        if made.entities.is_empty() {
            let name = quoted(&group.name);
            return Err(format!(
                "nobody in {name} holds the image and is still to run it"
            ));
        }
        Ok(GroupSpec::Made(made))
    };
    groups.into_iter().map(spec).collect()
}

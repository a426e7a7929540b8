//! Choosing the image of a group: one of those for its entities' types, or another file.

use std::sync::Arc;

use crate::console::dialogs::{Dialog, Intent, Row};
use crate::console::effect::Effect;
use crate::console::state::State;
use crate::model::{Image, ImageSpec, units};
use crate::protocol::{GroupSpec, Snapshot};

use super::members::types;
use super::{Asked, browse, changed, made, push};

/// Before the name of an image of the inventory, and of one that was described here.
const LISTED: &str = "listed:";
const DESCRIBED: &str = "described:";
const ANOTHER: &str = "another";

pub(super) fn ask(state: &mut State, at: usize) {
    let inventory = &state.site.inventory;
    let group = &state.pages.groups.groups[at];
    let types = types(inventory, group);
    // Nothing is known of a group without members, so that every image may be meant.
    let fits = |type_: &str| types.is_empty() || type_.is_empty() || types.contains(type_);
    let listed = inventory.images.iter().filter(|image| fits(&image.type_));
    let mut rows: Vec<Row> = listed.map(|image| row(LISTED, image)).collect();
    for image in described(state).filter(|image| fits(&image.type_)) {
        let row = row(DESCRIBED, &image);
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows.push(Row {
        label: "another file on a file server...".into(),
        detail: "looks there".into(),
        value: ANOTHER.into(),
    });
    let types: Vec<&str> = types.into_iter().collect();
    let title = match types.as_slice() {
        [] => format!("Image of {}", group.name),
        types => format!("Image of {}, for type {}", group.name, types.join(", ")),
    };
    let current = group.image.known().map(|image| image.name.to_string());
    let mut dialog = Dialog::list(title, rows, Intent::Groups(Asked::Image { at }));
    // On the one it has.
    if let Dialog::List { rows, scroll, .. } = &mut dialog {
        let here = rows
            .iter()
            .position(|row| Some(&row.label) == current.as_ref());
        let shown = crate::console::dialogs::list_rows(state);
        scroll.to(here.unwrap_or(0), rows.len(), shown);
    }
    push(state, dialog);
}

fn row(kind: &str, image: &Image) -> Row {
    let size = image.size.map_or("size not known".into(), units::size);
    let sha256 = match (kind, image.sha256) {
        (_, Some(_)) => "SHA-256 known",
        (DESCRIBED, None) => "described here",
        (_, None) => "no SHA-256",
    };
    Row {
        label: image.name.to_string(),
        detail: format!("{} {}, {size}, {sha256}", image.type_, image.version),
        value: format!("{kind}{}", image.name),
    }
}

/// Images of other groups that are not in the inventory.
fn described(state: &State) -> impl Iterator<Item = Arc<Image>> {
    let drafts = state.drafts.iter().zip(&state.pages.groups.groups);
    drafts.filter_map(|(draft, group)| match &draft.spec {
        GroupSpec::Made(made) if matches!(made.image, ImageSpec::Described { .. }) => {
            group.image.known().cloned()
        }
        _ => None,
    })
}

pub(super) fn chosen(
    state: &mut State,
    snapshot: &Snapshot,
    at: usize,
    value: &str,
) -> Option<Effect> {
    if value == ANOTHER {
        return browse::ask_server(state, at);
    }
    let spec = if let Some(name) = value.strip_prefix(LISTED) {
        ImageSpec::Named(name.into())
    } else {
        let name = value.strip_prefix(DESCRIBED)?;
        let image = described(state).find(|image| *image.name == *name)?;
        ImageSpec::of(&image)
    };
    made(state, at)?.image = spec;
    changed(state, snapshot)
}

//! Choosing the image of a group: one of those for its entities' types, or another file.

use std::sync::Arc;

use crate::console::asked::{Asked, OfGroups};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::state::Shared;
use crate::model::{Image, ImageSpec, units};
use crate::protocol::GroupSpec;

use super::View;
use super::members::types;
use super::{browse, changed, made, push};

/// Before the name of an image of the inventory, and of one that was described here.
const LISTED: &str = "listed:";
const DESCRIBED: &str = "described:";
const ANOTHER: &str = "another";

pub(super) fn ask(shared: &mut Shared, at: usize) {
    let inventory = &shared.site.inventory;
    let group = &shared.resolved.groups[at];
    let types = types(inventory, group);
    // Nothing is known of a group without members, so that every image may be meant.
    let fits = |type_: &str| types.is_empty() || type_.is_empty() || types.contains(type_);
    let listed = inventory.images.iter().filter(|image| fits(&image.type_));
    let mut rows: Vec<Row> = listed.map(|image| row(LISTED, image)).collect();
    for image in described(shared).filter(|image| fits(&image.type_)) {
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
    let mut dialog = Dialog::list(title, rows, Asked::Groups(OfGroups::Image { at }));
    // On the one it has.
    if let Dialog::List { rows, scroll, .. } = &mut dialog {
        let here = rows
            .iter()
            .position(|row| Some(&row.label) == current.as_ref());
        let shown = shared.list_rows();
        scroll.to(here.unwrap_or(0), rows.len(), shown);
    }
    push(shared, dialog);
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
fn described(shared: &Shared) -> impl Iterator<Item = Arc<Image>> {
    let drafts = shared.drafts.iter().zip(&shared.resolved.groups);
    drafts.filter_map(|(draft, group)| match &draft.spec {
        GroupSpec::Made(made) if matches!(made.image, ImageSpec::Described { .. }) => {
            group.image.known().cloned()
        }
        _ => None,
    })
}

pub(super) fn chosen(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    value: &str,
) -> Option<Effect> {
    if value == ANOTHER {
        return browse::ask_server(shared, at);
    }
    let spec = if let Some(name) = value.strip_prefix(LISTED) {
        ImageSpec::Named(name.into())
    } else {
        let name = value.strip_prefix(DESCRIBED)?;
        let image = described(shared).find(|image| *image.name == *name)?;
        ImageSpec::of(&image)
    };
    made(shared, at)?.image = spec;
    changed(view, shared)
}

//! What the page says of a group's members, and where a file server is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::console::state::Shared;
use crate::model::names::natural;
use crate::model::{FileServer, Inventory, Name, names};
use crate::plan::ResolvedDraft;

/// The types of the members, each once. An entity whose type is not known has none.
pub(crate) fn types<'a>(inventory: &'a Inventory, group: &ResolvedDraft) -> BTreeSet<&'a str> {
    let members = group.members.iter();
    let types = members.map(|at| &*inventory.entities[*at].type_);
    types.filter(|type_| !type_.is_empty()).collect()
}

/// How many members have which version now, as far as is known, in their natural order.
pub(crate) fn versions<'a>(
    shared: &'a Shared,
    group: &ResolvedDraft,
) -> Vec<(Cow<'a, str>, usize)> {
    let entities = &shared.site.inventory.entities;
    let mut counts: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
    for at in &group.members {
        let version = shared.presence.version(&entities[*at]);
        *counts.entry(version).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| natural(&a.0, &b.0));
    counts
}

/// Where a file server is, as the inventory has it.
pub(crate) fn url(server: &FileServer) -> String {
    server.address.url(&server.root)
}

pub(crate) fn folded(inventory: &Inventory, members: &[usize]) -> String {
    let names: Vec<&Name> = members
        .iter()
        .map(|at| &inventory.entities[*at].name)
        .collect();
    names::compress(&names).join(", ")
}

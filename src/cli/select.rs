//! From the arguments of `run` to what the engine is told to start.
//!
//! Names are checked here, so that a mistyped one ends with exit code 2 before anything is started
//! or a password asked for; what groups may not do is checked again by the engine.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::args::RunArgs;
use crate::inventory::{find_group, make_group};
use crate::link::GroupSpec;
use crate::model::{
    CredentialsRef, Group, Inventory, Name, PeerChoice, SourceChoice, SourceSpec, names,
    text::shown,
};

/// What a run is made of.
#[derive(Debug)]
pub struct Selection {
    pub specs: Vec<GroupSpec>,
    /// Those that it needs, in the order of the inventory.
    pub credentials: Vec<CredentialsRef>,
}

/// What the arguments select from the inventory.
///
/// # Errors
/// Sentences, one a line, for every name that the inventory does not know.
pub fn select(args: &RunArgs, inventory: &Inventory) -> Result<Selection, String> {
    let mut used = HashSet::new();
    let specs = if args.image.is_some() {
        let (group, spec) = made(args, inventory)?;
        uses(&group, &mut used);
        vec![spec]
    } else {
        let groups = groups(&args.groups, inventory)?;
        together(&groups)?;
        for group in &groups {
            uses(group, &mut used);
        }
        groups
            .iter()
            .map(|group| GroupSpec::Named(group.name.to_string()))
            .collect()
    };
    let credentials = inventory
        .credentials
        .iter()
        .filter(|one| used.contains(&one.name))
        .cloned()
        .collect();
    Ok(Selection { specs, credentials })
}

/// The groups of these names, each once; all of them where none is named.
///
/// # Errors
/// A sentence for each name that the inventory does not know.
pub fn groups(names: &[String], inventory: &Inventory) -> Result<Vec<Arc<Group>>, String> {
    if names.is_empty() {
        if inventory.groups.is_empty() {
            return Err(format!("{} has no groups", inventory.file.display()));
        }
        return Ok(inventory.groups.clone());
    }
    let (mut found, mut wrong): (Vec<Arc<Group>>, Vec<String>) = Default::default();
    for name in names {
        match find_group(inventory, name) {
            Ok(group) if found.iter().any(|other| other.name == group.name) => {}
            Ok(group) => found.push(group.clone()),
            Err(unknown) => wrong.push(unknown),
        }
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(wrong.join("\n"))
    }
}

/// No entity may get two images at once.
fn together(groups: &[Arc<Group>]) -> Result<(), String> {
    let mut taken: HashMap<&Name, &Name> = HashMap::new();
    let mut twice: HashMap<(&Name, &Name), Vec<&Name>> = HashMap::new();
    for group in groups {
        for entity in &group.entities {
            if let Some(other) = taken.insert(&entity.name, &group.name) {
                twice
                    .entry((other, &group.name))
                    .or_default()
                    .push(&entity.name);
            }
        }
    }
    let mut wrong: Vec<String> = twice
        .iter()
        .map(|((one, other), entities)| {
            let entities = names::compress(entities).join(", ");
            format!(
                "groups `{}` and `{}` can't run together: both have {}",
                shown(one),
                shown(other),
                shown(&entities)
            )
        })
        .collect();
    wrong.sort();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

fn uses(group: &Group, used: &mut HashSet<Name>) {
    used.extend(
        group
            .entities
            .iter()
            .filter_map(|entity| entity.credentials.clone()),
    );
    match &group.source {
        SourceChoice::FileServer(server) => used.extend(server.credentials.clone()),
        SourceChoice::Peer(PeerChoice::Named(peer)) => used.extend(peer.credentials.clone()),
        SourceChoice::Peer(PeerChoice::Any(peers)) => {
            used.extend(peers.iter().filter_map(|peer| peer.credentials.clone()));
        }
    }
}

/// A group made on the spot, by the rules of those in the inventory.
fn made(args: &RunArgs, inventory: &Inventory) -> Result<(Group, GroupSpec), String> {
    let image = args.image.clone().unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(|| image.clone());
    // clap has seen to it that there is one.
    let source = args
        .source
        .clone()
        .map_or(SourceSpec::AnyPeer, |source| source.0);
    let laggards = args.laggards.map(Into::into).unwrap_or_default();
    let group = make_group(
        inventory,
        &name,
        &image,
        source.clone(),
        &args.entities,
        laggards,
        args.parallel,
    )
    .map_err(|wrong| wrong.join("\n"))?;
    let entities = group.entities.iter().map(|entity| entity.name.to_string());
    let spec = GroupSpec::Made {
        name,
        image,
        source,
        entities: entities.collect(),
        laggards,
        parallel: args.parallel,
    };
    Ok((group, spec))
}

//! From the arguments of `run` to what the engine is told to start.
//!
//! Names are checked here, so that a mistyped one ends with exit code 2 before anything is started
//! or a password asked for; what groups may not do is checked again by the engine.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::args::RunArgs;
use crate::link::{GroupSpec, SourceSpec};
use crate::model::{
    CredentialsRef, Entity, Group, Inventory, Name, PeerChoice, SourceChoice, names, text::shown,
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
        vec![made(args, inventory, &mut used)?]
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
        match inventory.group(name) {
            Some(group) if found.iter().any(|other| other.name == group.name) => {}
            Some(group) => found.push(group.clone()),
            None => wrong.push(unknown(
                "group",
                name,
                inventory.groups.iter().map(|g| &g.name),
            )),
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

/// A group made on the spot.
fn made(
    args: &RunArgs,
    inventory: &Inventory,
    used: &mut HashSet<Name>,
) -> Result<GroupSpec, String> {
    let mut wrong = Vec::new();
    let image = args.image.clone().unwrap_or_default();
    let known = inventory.image(&image);
    if known.is_none() {
        wrong.push(unknown(
            "image",
            &image,
            inventory.images.iter().map(|image| &image.name),
        ));
    }
    // clap has seen to it that there is one.
    let source = args
        .source
        .clone()
        .map_or(SourceSpec::AnyPeer, |source| source.0);
    match &source {
        SourceSpec::FileServer(name) => match inventory.file_server(name) {
            Some(server) => used.extend(server.credentials.clone()),
            None => {
                let servers = inventory.file_servers.iter().map(|server| &server.name);
                wrong.push(unknown("file server", name, servers));
            }
        },
        SourceSpec::Peer(name) => match inventory.entity(name) {
            Some(peer) => used.extend(peer.credentials.clone()),
            None => wrong.push(unknown(
                "entity",
                name,
                inventory.entities.iter().map(|e| &e.name),
            )),
        },
        SourceSpec::AnyPeer => {
            let has = |entity: &&Arc<Entity>| {
                known.is_some_and(|i| entity.type_ == i.type_ && entity.version == i.version)
            };
            let peers = inventory.entities.iter().filter(has);
            used.extend(peers.filter_map(|peer| peer.credentials.clone()));
        }
    }
    let mut entities: Vec<&Arc<Entity>> = Vec::new();
    for pattern in &args.entities {
        match matching(pattern, inventory) {
            Ok(found) => {
                for entity in found {
                    if !entities.iter().any(|other| other.name == entity.name) {
                        entities.push(entity);
                    }
                }
            }
            Err(error) => wrong.push(error),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    used.extend(
        entities
            .iter()
            .filter_map(|entity| entity.credentials.clone()),
    );
    Ok(GroupSpec::Made {
        name: args.name.clone().unwrap_or_else(|| image.clone()),
        image,
        source,
        entities: entities
            .iter()
            .map(|entity| entity.name.to_string())
            .collect(),
        laggards: args.laggards.map(Into::into).unwrap_or_default(),
        parallel: args.parallel,
    })
}

fn matching<'a>(pattern: &str, inventory: &'a Inventory) -> Result<Vec<&'a Arc<Entity>>, String> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for name in names::expand(pattern)? {
        let before = found.len();
        if name.contains(['*', '?']) {
            let all = inventory.entities.iter();
            found.extend(all.filter(|entity| names::matches(&name, &entity.name)));
        } else {
            found.extend(inventory.entity(&name));
        }
        if found.len() == before {
            missing.push(name);
        }
    }
    match missing.as_slice() {
        [] => Ok(found),
        [one] => Err(unknown(
            "entity",
            one,
            inventory.entities.iter().map(|e| &e.name),
        )),
        many => Err(format!(
            "the inventory has no entities {}",
            shown(&names::compress(many).join(", "))
        )),
    }
}

/// A name that is not there, and what there is.
fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a Name>) -> String {
    let known: Vec<&Name> = known.collect();
    let known = match names::compress(&known).join(", ") {
        none if none.is_empty() => "it has none".to_owned(),
        known => format!("it has {}", shown(&known)),
    };
    format!("the inventory has no {what} `{}`; {known}", shown(name))
}

//! From the arguments of `run` to what the engine is told to start.
//!
//! It is checked here as the engine will check it again, so that a mistyped name ends with exit
//! code 2 before anything is started or a password asked for.

use std::collections::HashSet;
use std::sync::Arc;

use super::args::RunArgs;
use crate::inventory::find_group;
use crate::link::GroupSpec;
use crate::manager::resolve::resolve;
use crate::model::{
    CredentialsRef, Group, ImageSpec, Inventory, Limits, Name, PeerChoice, SourceChoice, SourceSpec,
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
/// Sentences, one a line: every name that the inventory does not know, or else every reason why
/// the engine would refuse to start this.
pub fn select(args: &RunArgs, inventory: &Inventory) -> Result<Selection, String> {
    let mut specs = match &args.image {
        Some(image) => vec![made(args, image)],
        None => groups(&args.groups, inventory)?
            .iter()
            .map(|group| GroupSpec::Named(group.name.to_string()))
            .collect(),
    };
    let groups =
        resolve(inventory, &[], &specs, args.force).map_err(|reasons| reasons.join("\n"))?;
    for (spec, group) in specs.iter_mut().zip(&groups) {
        if let GroupSpec::Made { entities, .. } = spec {
            let names = group.entities.iter().map(|entity| entity.name.to_string());
            *entities = names.collect();
        }
    }
    Ok(Selection {
        specs,
        credentials: credentials(&groups, inventory),
    })
}

/// Groups that are to be started whatever their entities have, by the inventory, already.
///
/// # Errors
/// As [`select`].
pub(super) fn forced(specs: Vec<GroupSpec>, inventory: &Inventory) -> Result<Selection, String> {
    let groups = resolve(inventory, &[], &specs, true).map_err(|reasons| reasons.join("\n"))?;
    Ok(Selection {
        specs,
        credentials: credentials(&groups, inventory),
    })
}

/// The credentials that groups need, in the order of the inventory.
pub(super) fn credentials(groups: &[Arc<Group>], inventory: &Inventory) -> Vec<CredentialsRef> {
    let mut used = HashSet::new();
    groups.iter().for_each(|group| uses(group, &mut used));
    let known = inventory.credentials.iter();
    known
        .filter(|one| used.contains(&one.name))
        .cloned()
        .collect()
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

/// A group made on the spot, its entities as they were typed.
fn made(args: &RunArgs, image: &str) -> GroupSpec {
    GroupSpec::Made {
        name: args.name.clone().unwrap_or_else(|| image.to_owned()),
        image: ImageSpec::Named(image.to_owned()),
        // clap has seen to it that there is one.
        source: args
            .source
            .clone()
            .map_or(SourceSpec::AnyPeer, |source| source.0),
        entities: args.entities.clone(),
        laggards: args.laggards.map(Into::into).unwrap_or_default(),
        limits: limits(args),
        parallel: args.parallel,
    }
}

fn limits(args: &RunArgs) -> Limits {
    let default = Limits::default();
    Limits {
        laggard: args.laggard_limit.unwrap_or(default.laggard),
        retries: args.retries.unwrap_or(default.retries),
        retry_for: args.retry_for.unwrap_or(default.retry_for),
    }
}

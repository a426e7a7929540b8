//! From the arguments of `run` to the command that starts them.
//!
//! It is checked here as the engine will check it again, so that a mistyped name ends with exit
//! code 2 before anything is started or a password asked for.

use std::collections::HashSet;
use std::sync::Arc;

use super::Failed;
use super::args::{ActivateArg, ActivateArgs, MadeArgs, RunArgs};
use crate::model::lookup::Lookup;
use crate::model::{
    Campaign, CredentialsRef, DeliveryPolicy, Extent, Flaw, Group, GroupSpec, ImageSpec, Inventory,
    Limits, MadeGroup, Name, Procedure, SourceSpec,
};
use crate::plan::{Blocker, plan, said};
use crate::transport::serve::missing_right;

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
/// A sentence per line: every name that the inventory does not know, or else every reason why the
/// engine would refuse to start this.
pub fn select(args: &RunArgs, inventory: &Inventory) -> Result<Selection, Failed> {
    let specs = match &args.made.image {
        Some(image) => vec![made(args, image)],
        None => groups(&args.groups, inventory)?
            .iter()
            .map(|group| named(group, args.activate.map(Into::into), &campaign(args, group)))
            .collect(),
    };
    start(specs, inventory, args.force).map_err(|blockers| {
        // There is one, which need not be named.
        let made = args.made.image.is_some();
        let said = blockers.iter().map(|blocker| match blocker {
            Blocker::Flaw { flaw, .. } if made => flaw.to_string(),
            blocker => blocker.to_string(),
        });
        Failed::usage(said.collect::<Vec<_>>().join("\n"))
    })
}

/// What is activated.
///
/// # Errors
/// As [`select`]; also where none of the groups can be.
pub(super) fn activation(args: &ActivateArgs, inventory: &Inventory) -> Result<Selection, Failed> {
    let mut groups = groups(&args.groups, inventory)?;
    if args.all {
        let lookup = Lookup::new(inventory);
        groups.retain(|group| lookup.can_activate(&group.image.type_));
        if groups.is_empty() {
            let file = inventory.file.display();
            let said = format!("{file} has no group whose type has a procedure with `activate`");
            return Err(Failed::usage(said));
        }
    }
    let specs = groups
        .iter()
        .map(|group| named(group, Some(Extent::Activate), &group.campaign));
    start(specs.collect(), inventory, false)
        .map_err(|blockers| Failed::usage(said(&blockers).join("\n")))
}

/// Groups of a past run.
///
/// # Errors
/// As [`select`].
pub(super) fn again(
    specs: Vec<GroupSpec>,
    force: bool,
    inventory: &Inventory,
) -> Result<Selection, Failed> {
    start(specs, inventory, force).map_err(|blockers| Failed::usage(said(&blockers).join("\n")))
}

/// Whether any of these is gone through in a way that waits: it is to survive this process.
pub(super) fn waits(specs: &[GroupSpec], inventory: &Inventory) -> bool {
    specs.iter().any(|spec| match spec {
        GroupSpec::Made(made) => !made.campaign.is_default(),
        GroupSpec::Named(name) => {
            let group = inventory.groups.iter().find(|group| *group.name == **name);
            group.is_some_and(|group| !group.campaign.is_default())
        }
    })
}

/// Groups that are to be started whatever their entities have, by the inventory, already.
///
/// # Errors
/// As [`select`].
pub(super) fn forced(specs: Vec<GroupSpec>, inventory: &Inventory) -> Result<Selection, Failed> {
    again(specs, true, inventory)
}

fn start(
    mut specs: Vec<GroupSpec>,
    inventory: &Inventory,
    force: bool,
) -> Result<Selection, Vec<Blocker>> {
    let plan = plan(inventory, &[], &specs, force).served(&inventory.serve, missing_right);
    let credentials = plan.credentials.clone();
    // What was typed is written in full.
    for (spec, group) in specs.iter_mut().zip(plan.startable()?) {
        if let GroupSpec::Made(made) = spec {
            let names = group.entities.iter().map(|entity| entity.name.to_string());
            made.entities = names.collect();
        }
    }
    Ok(Selection { specs, credentials })
}

/// The credentials of all hosts of these groups, in the order of the inventory: what entities hold is
/// asked of those too that a run would skip.
pub(super) fn credentials(groups: &[Arc<Group>], inventory: &Inventory) -> Vec<CredentialsRef> {
    let mut used: HashSet<&Name> = HashSet::new();
    for group in groups {
        let servers = group.file_servers();
        used.extend(servers.filter_map(|server| server.credentials.as_ref()));
        let entities = group.entities.iter().chain(group.peers());
        // At the address of one that fetches nothing is opened.
        let entities = entities.filter(|entity| !entity.fetches());
        used.extend(entities.filter_map(|entity| entity.credentials.as_ref()));
    }
    let known = inventory.credentials.iter();
    let known = known.filter(|one| used.contains(&one.name));
    known.cloned().collect()
}

/// As [`credentials`], and those of command lines: what a procedure does there is tried, also where a run would not
/// come to it.
pub(super) fn credentials_with_sessions(
    groups: &[Arc<Group>],
    inventory: &Inventory,
) -> Vec<CredentialsRef> {
    let hosts = credentials(groups, inventory);
    let procedures = groups.iter().filter_map(|group| group.procedure.as_deref());
    let mut sessions: HashSet<&Name> = procedures.flat_map(of_procedure).collect();
    let takes_own = groups.iter().filter(|group| {
        let procedure = group.procedure.as_deref();
        procedure.is_some_and(takes_entitys)
    });
    let fetching = takes_own.flat_map(|group| group.entities.iter().filter(|one| one.fetches()));
    sessions.extend(fetching.filter_map(|entity| entity.credentials.as_ref()));
    let needed = |one: &&CredentialsRef| {
        sessions.contains(&one.name) || hosts.iter().any(|host| host.name == one.name)
    };
    let known = inventory.credentials.iter();
    known.filter(needed).cloned().collect()
}

/// Whether its command line, or its web server, is logged in to by the credentials of each entity.
fn takes_entitys(procedure: &Procedure) -> bool {
    let session = procedure.session.as_ref();
    let web = procedure.web.as_ref();
    session.is_some_and(|session| session.credentials.is_none())
        || web.is_some_and(|web| web.credentials.is_none())
}

/// The credentials that a procedure names, but for those that only steps of `fetch` need, which nobody tries: its
/// entities' own come beside.
pub(super) fn of_procedure(procedure: &Procedure) -> impl Iterator<Item = &Name> {
    let session = procedure.session.as_ref();
    let session = session.and_then(|session| session.credentials.as_ref());
    let asks_web = procedure.asks_web(Extent::Upgrade, false);
    let web = procedure.web.as_ref().filter(|_| asks_web);
    let web = web.and_then(|web| web.credentials.as_ref());
    let typed = procedure
        .steps_of(Extent::Upgrade, false)
        .flat_map(|(_, step)| step.deed.passwords());
    session.into_iter().chain(web).chain(typed)
}

/// The groups of these names, each once; all of them where none is named.
///
/// # Errors
/// A sentence for each name that the inventory does not know.
pub fn groups(names: &[String], inventory: &Inventory) -> Result<Vec<Arc<Group>>, Failed> {
    if names.is_empty() {
        if inventory.groups.is_empty() {
            let file = inventory.file.display();
            return Err(Failed::usage(format!("{file} has no groups")));
        }
        return Ok(inventory.groups.clone());
    }
    let lookup = Lookup::new(inventory);
    let (mut found, mut wrong): (Vec<Arc<Group>>, Vec<Flaw>) = Default::default();
    for name in names {
        match lookup.group(name) {
            Ok(group) if found.iter().any(|other| other.name == group.name) => {}
            Ok(group) => found.push(group.clone()),
            Err(unknown) => wrong.push(unknown),
        }
    }
    if wrong.is_empty() {
        Ok(found)
    } else {
        Err(Failed::usage(said(&wrong).join("\n")))
    }
}

/// The campaign of a group of the inventory, with what the arguments say in its place.
fn campaign(args: &RunArgs, group: &Group) -> Campaign {
    let mut campaign = args.campaign.over(&group.campaign);
    if let Some(activate) = args.activate {
        campaign.window_is_for_activation = activate.is_in_window();
    }
    campaign
}

/// A group of the inventory: as it is, or with another extent or campaign.
fn named(group: &Group, extent: Option<Extent>, campaign: &Campaign) -> GroupSpec {
    let extent = extent.unwrap_or(group.extent);
    if extent == group.extent && *campaign == *group.campaign {
        return GroupSpec::Named(group.name.to_string());
    }
    let mut spec = GroupSpec::of(group);
    if let GroupSpec::Made(made) = &mut spec {
        // By its name, so that what the inventory knows of it besides, like its SHA-256, is not lost.
        made.image = ImageSpec::Named(group.image.name.to_string());
        made.policy.extent = extent;
        *made.campaign = campaign.clone();
    }
    spec
}

/// A group made on the spot, its entities as they were typed.
fn made(args: &RunArgs, image: &str) -> GroupSpec {
    let activate = args.activate;
    let mut campaign = args.campaign.over(&Campaign::default());
    campaign.window_is_for_activation = activate.is_some_and(ActivateArg::is_in_window);
    campaign.rate = args.made.rate;
    let args = &args.made;
    let mut sources = args.source.iter().map(|source| source.0.clone());
    GroupSpec::Made(MadeGroup {
        name: args.name.clone().unwrap_or_else(|| image.to_owned()),
        image: ImageSpec::Named(image.to_owned()),
        // clap has seen to it that there is one.
        source: sources.next().unwrap_or(SourceSpec::AnyPeer),
        then: sources.collect(),
        entities: args.entities.clone(),
        policy: DeliveryPolicy {
            laggards: args.laggards.map(Into::into).unwrap_or_default(),
            limits: limits(args),
            parallel: args.parallel,
            extent: activate.map(Into::into).unwrap_or_default(),
        },
        campaign: Box::new(campaign),
    })
}

fn limits(args: &MadeArgs) -> Limits {
    let default = Limits::default();
    Limits {
        laggard: args.laggard_limit.unwrap_or(default.laggard),
        retries: args.retries.unwrap_or(default.retries),
        retry_for: args.retry_for.unwrap_or(default.retry_for),
    }
}

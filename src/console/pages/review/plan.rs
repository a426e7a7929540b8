//! What a start would do, from the inventory and what runs now: pure, and without any screen.
//!
//! The engine checks again and has the last word; here the operator sees it before anything is
//! sent.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::console::state::Site;
use crate::link::{GroupSnapshot, GroupSpec, Snapshot};
use crate::model::memory::{Layout, check_memory, layout, shares};
use crate::model::names::{self, Pattern};
use crate::model::text::{quoted, shown};
use crate::model::{
    Address, Entity, FileServer, Image, ImageSpec, Inventory, Manner, Name, PeerChoice, Scheme,
    SecretSource, SourceChoice, SourceSpec,
};

/// Everything that a start would do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) groups: Vec<Planned>,
    /// Groups that run already and share the memory.
    pub(super) running: usize,
    /// Why it can't be started, each a sentence.
    pub(super) refusals: Vec<String>,
    pub(super) passwords: Vec<Password>,
    /// Whom passwords would reach unencrypted, by the name of the credentials.
    pub(super) clear_text: BTreeMap<Name, Vec<String>>,
}

/// One group of it.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) image: Arc<Image>,
    pub(super) source: Source,
    pub(super) manner: Manner,
    pub(super) send: Vec<Arc<Entity>>,
    /// Those that have the image already; empty if it is sent to them all the same.
    pub(super) skip: Vec<Arc<Entity>>,
    /// `None` when the memory does not suffice.
    pub(super) pool: Option<Layout>,
}

#[derive(Debug)]
pub(super) enum Source {
    FileServer(Arc<FileServer>),
    Peer(Arc<Entity>),
    /// Those that have the image, as far as the inventory knows.
    AnyPeer(Vec<Arc<Entity>>),
}

/// Credentials whose password is not known yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Password {
    pub(super) credentials: Name,
    pub(super) user: String,
    /// Why it could not be looked up, where it should have been.
    pub(super) missing: Option<String>,
}

impl Planned {
    /// The entities whose servers are logged in to.
    fn contacted(&self) -> impl Iterator<Item = &Arc<Entity>> {
        let peers = match &self.source {
            Source::FileServer(_) => &[],
            Source::Peer(peer) => std::slice::from_ref(peer),
            Source::AnyPeer(peers) => peers.as_slice(),
        };
        self.send.iter().chain(peers)
    }

    /// Entities by the version that they have now.
    pub(super) fn versions(&self) -> BTreeMap<&str, usize> {
        let mut versions = BTreeMap::new();
        for entity in &self.send {
            *versions.entry(entity.version.as_str()).or_default() += 1;
        }
        versions
    }
}

/// Looks at a start of these groups beside what runs.
pub(super) fn plan(site: &Site, snapshot: &Snapshot, specs: &[GroupSpec], force: bool) -> Plan {
    let inventory = &*site.inventory;
    let mut plan = Plan::default();
    for spec in specs {
        match find(inventory, spec, force) {
            Ok(group) => plan.groups.push(group),
            Err(reasons) => plan.refusals.extend(reasons),
        }
    }
    let running: Vec<&GroupSnapshot> = snapshot.running().map(|group| &**group).collect();
    plan.running = running.len();
    for (place, group) in plan.groups.iter().enumerate() {
        (plan.refusals).extend(running.iter().filter_map(|other| beside(group, other)));
        let before = &plan.groups[..place];
        (plan.refusals).extend(before.iter().filter_map(|other| together(other, group)));
    }
    let pools = plan.running + specs.len();
    match check_memory(inventory, pools) {
        Ok(()) => {
            // Those that run stand first in the manager's list, too.
            let shares = shares(inventory.memory, pools)
                .into_iter()
                .skip(plan.running);
            for (group, share) in plan.groups.iter_mut().zip(shares) {
                group.pool = Some(layout(share, inventory.buffers));
            }
        }
        Err(error) => plan.refusals.push(error.to_string()),
    }
    logins(site, &mut plan);
    plan
}

fn find(inventory: &Inventory, spec: &GroupSpec, force: bool) -> Result<Planned, Vec<String>> {
    let name = spec.name().to_owned();
    let (image, source, entities, manner) = match spec {
        GroupSpec::Named(named) => {
            let group = inventory
                .group(named)
                .ok_or_else(|| vec![format!("there is no group {}", quoted(named))])?;
            let source = match &group.source {
                SourceChoice::FileServer(server) => Source::FileServer(server.clone()),
                SourceChoice::Peer(PeerChoice::Named(peer)) => Source::Peer(peer.clone()),
                SourceChoice::Peer(PeerChoice::Any(peers)) => Source::AnyPeer(peers.clone()),
            };
            let entities = group.entities.clone();
            (group.image.clone(), source, entities, group.manner())
        }
        GroupSpec::Made {
            image,
            source,
            entities,
            laggards,
            limits,
            parallel,
            ..
        } => {
            let mut wrong = Vec::new();
            let manner = Manner {
                laggards: *laggards,
                limits: *limits,
                parallel: *parallel,
            };
            if let Err(bad) = limits.check() {
                wrong.push(format!("group {}: {bad}", quoted(&name)));
            }
            let entities = targets(inventory, &name, entities, &mut wrong);
            let image = image_of(inventory, image).map_err(|reason| wrong.push(reason));
            let Ok(image) = image else {
                return Err(wrong);
            };
            if let Some(other) = entities.iter().find(|one| one.type_ != image.type_) {
                wrong.push(format!(
                    "group {}: the image {} is for type {}, and {} is of type {}",
                    quoted(&name),
                    quoted(&image.name),
                    quoted(&image.type_),
                    quoted(&other.name),
                    quoted(&other.type_),
                ));
            }
            let source = source_of(inventory, &name, source, &image, &entities)
                .map_err(|reason| wrong.push(reason));
            match source {
                Ok(source) if wrong.is_empty() => (image, source, entities, manner),
                _ => return Err(wrong),
            }
        }
    };
    let has_it = |entity: &Arc<Entity>| !force && entity.version == image.version;
    let (skip, send) = entities.into_iter().partition(has_it);
    Ok(Planned {
        name,
        image,
        source,
        manner,
        send,
        skip,
        pool: None,
    })
}

/// The entities that names, ranges and patterns stand for, each once, in the inventory's order.
fn targets(
    inventory: &Inventory,
    group: &str,
    written: &[String],
    wrong: &mut Vec<String>,
) -> Vec<Arc<Entity>> {
    let known: HashSet<&str> = inventory
        .entities
        .iter()
        .map(|entity| &*entity.name)
        .collect();
    let (mut exact, mut patterns) = (HashSet::new(), Vec::new());
    for name in written {
        // Nearly all are plain names, and there may be thousands.
        if known.contains(name.as_str()) {
            exact.insert(name.as_str());
            continue;
        }
        match Pattern::wildcards(name) {
            Ok(pattern) if known.iter().any(|one| pattern.matches(one)) => patterns.push(pattern),
            _ => wrong.push(format!(
                "group {}: there is no entity {}",
                quoted(group),
                quoted(name)
            )),
        }
    }
    let found = |entity: &&Arc<Entity>| {
        exact.contains(&*entity.name) || patterns.iter().any(|one| one.matches(&entity.name))
    };
    let entities: Vec<_> = inventory.entities.iter().filter(found).cloned().collect();
    if entities.is_empty() && wrong.is_empty() {
        wrong.push(format!("group {} has no entities", quoted(group)));
    }
    entities
}

fn image_of(inventory: &Inventory, image: &ImageSpec) -> Result<Arc<Image>, String> {
    match image {
        ImageSpec::Named(name) => inventory
            .image(name)
            .cloned()
            .ok_or_else(|| format!("there is no image {}", quoted(name))),
        ImageSpec::Described {
            name,
            file,
            type_,
            version,
            size,
        } => Ok(Arc::new(Image {
            name: name.as_str().into(),
            file: file.clone(),
            type_: type_.clone(),
            version: version.clone(),
            size: *size,
            sha256: None,
        })),
    }
}

fn source_of(
    inventory: &Inventory,
    group: &str,
    source: &SourceSpec,
    image: &Image,
    targets: &[Arc<Entity>],
) -> Result<Source, String> {
    match source {
        SourceSpec::FileServer(name) => inventory
            .file_server(name)
            .cloned()
            .map(Source::FileServer)
            .ok_or_else(|| format!("there is no file server {}", quoted(name))),
        SourceSpec::Peer(name) => {
            let peer = inventory
                .entity(name)
                .ok_or_else(|| format!("there is no entity {}", quoted(name)))?;
            if targets.iter().any(|target| target.name == peer.name) {
                return Err(format!(
                    "group {}: the peer {} is a target of it too; leave it out, or name another",
                    quoted(group),
                    quoted(name)
                ));
            }
            Ok(Source::Peer(peer.clone()))
        }
        SourceSpec::AnyPeer => {
            let holds = |one: &&Arc<Entity>| one.holds(image);
            let peers: Vec<_> = inventory.entities.iter().filter(holds).cloned().collect();
            if peers.is_empty() {
                return Err(format!(
                    "group {}: no entity of type {} has version {}, so there is no peer to read from",
                    quoted(group),
                    quoted(&image.type_),
                    quoted(&image.version)
                ));
            }
            Ok(Source::AnyPeer(peers))
        }
    }
}

/// Why a group can't be started while another runs.
fn beside(group: &Planned, running: &GroupSnapshot) -> Option<String> {
    let name = quoted(&group.name);
    if group.name == *running.group {
        return Some(format!("group {name} runs already"));
    }
    let other = quoted(&running.group);
    // Those that it is done with may be in another group.
    let taken: HashSet<&str> = running.unfinished().map(|one| &*one.entity).collect();
    let are = |names: &[&str]| if names.len() == 1 { "is" } else { "are" };
    let both = shared(group, &taken);
    if !both.is_empty() {
        return Some(format!(
            "{} {} in group {other}, which runs; {name} can start when that has ended",
            folded(&both),
            are(&both),
        ));
    }
    // Which of any peers it may still read, the engine alone knows.
    let read = running.source.strip_prefix("peer:").unwrap_or_default();
    if group.send.iter().any(|target| *target.name == *read) {
        return Some(format!(
            "{} is read by group {other}, which runs; {name} can start when that has ended",
            quoted(read)
        ));
    }
    match &group.source {
        Source::Peer(peer) if taken.contains(&*peer.name) => Some(format!(
            "{}, the source of {name}, is being upgraded in group {other}",
            quoted(&peer.name)
        )),
        _ => None,
    }
}

/// Why two groups can't be started together.
fn together(one: &Planned, other: &Planned) -> Option<String> {
    if one.name == other.name {
        return Some(format!(
            "group {} is to be started twice",
            quoted(&one.name)
        ));
    }
    let taken: HashSet<&str> = (one.send.iter().chain(&one.skip))
        .map(|entity| &*entity.name)
        .collect();
    let both = shared(other, &taken);
    if !both.is_empty() {
        return Some(format!(
            "groups {} and {} can't run together: both have {}",
            quoted(&one.name),
            quoted(&other.name),
            folded(&both)
        ));
    }
    read_while_written(one, other).or_else(|| read_while_written(other, one))
}

fn read_while_written(reads: &Planned, writes: &Planned) -> Option<String> {
    let Source::Peer(peer) = &reads.source else {
        return None;
    };
    let written = writes.send.iter().any(|target| target.name == peer.name);
    written.then(|| {
        format!(
            "{}, the source of {}, is being upgraded in group {}",
            quoted(&peer.name),
            quoted(&reads.name),
            quoted(&writes.name)
        )
    })
}

fn shared<'a>(group: &'a Planned, taken: &HashSet<&str>) -> Vec<&'a str> {
    let targets = group.send.iter().chain(&group.skip);
    targets
        .map(|entity| &*entity.name)
        .filter(|name| taken.contains(name))
        .collect()
}

fn folded(names: &[&str]) -> String {
    shown(&names::compress(names).join(", "))
}

/// Which passwords are needed, and where they would be read by anybody who listens.
fn logins(site: &Site, plan: &mut Plan) {
    let mut needed: BTreeSet<Name> = BTreeSet::new();
    let mut clear: BTreeMap<Name, Vec<&str>> = BTreeMap::new();
    for group in &plan.groups {
        let mut log_in = |credentials: &Option<Name>, address: &Address, whom| {
            let Some(credentials) = credentials else {
                return;
            };
            needed.insert(credentials.clone());
            if address.scheme == Scheme::Ftp {
                clear.entry(credentials.clone()).or_default().push(whom);
            }
        };
        if let Source::FileServer(server) = &group.source {
            log_in(&server.credentials, &server.address, &*server.name);
        }
        for entity in group.contacted() {
            log_in(&entity.credentials, &entity.address, &*entity.name);
        }
    }
    for name in needed {
        let known = site.inventory.credentials.iter();
        let Some(credentials) = known.into_iter().find(|one| one.name == name) else {
            continue;
        };
        let missing = site.without_password.get(&name);
        if missing.is_some() || site.to_ask.contains(&name) {
            plan.passwords.push(Password {
                credentials: name.clone(),
                user: credentials.user.clone(),
                missing: missing.cloned(),
            });
        }
        let heard = clear.remove(&name).unwrap_or_default();
        if !heard.is_empty() && credentials.secret != SecretSource::Empty {
            let mut seen = HashSet::new();
            let heard: Vec<&str> = heard.into_iter().filter(|one| seen.insert(*one)).collect();
            plan.clear_text.insert(name, names::compress(&heard));
        }
    }
}

//! From groups as a command names them to groups that can be run, or sentences that say why not.
//!
//! What can't work is refused before anything is started: names that are not there, two groups that
//! write the same entity, an entity that would be read while it is written, and too little memory
//! (`plan`). The engine asks with the groups that run already, the command line with none.

use std::collections::HashSet;
use std::sync::Arc;

use crate::inventory::{find_group, make_group};
use crate::link::GroupSpec;
use crate::model::memory::check_memory;
use crate::model::text::{quoted, shown};
use crate::model::{Entity, Group, Inventory, Manner, Name, PeerChoice, SourceChoice, names};

/// A group that runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// Without the entities that are done with, whatever became of them: those may be in another
    /// group, which is how what failed is tried again while the rest goes on.
    pub group: Arc<Group>,
    /// Whether entities that have the image get it too.
    pub force: bool,
}

/// The groups as they can be started beside those that run: all, or none. A group that reads from
/// any peer is left only with those that no group writes.
///
/// # Errors
/// Every reason why they can't be started, each a sentence.
pub fn resolve(
    inventory: &Inventory,
    running: &[Running],
    specs: &[GroupSpec],
    force: bool,
) -> Result<Vec<Arc<Group>>, Vec<String>> {
    let (mut joining, mut wrong) = (Vec::new(), Vec::new());
    for spec in specs {
        match find(inventory, spec) {
            Ok(group) => joining.push(Running { group, force }),
            Err(reasons) => wrong.extend(reasons),
        }
    }
    for (place, group) in joining.iter().enumerate() {
        wrong.extend(running.iter().filter_map(|other| beside(group, other)));
        let before = &joining[..place];
        wrong.extend(before.iter().filter_map(|other| together(other, group)));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let all: Vec<&Running> = running.iter().chain(&joining).collect();
    let mut groups = Vec::new();
    for group in &joining {
        match with_free_peers(group, &all) {
            Ok(group) => groups.push(group),
            Err(reason) => wrong.push(reason),
        }
    }
    if let Err(error) = check_memory(inventory, all.len()) {
        wrong.push(error.to_string());
    }
    if wrong.is_empty() {
        Ok(groups)
    } else {
        Err(wrong)
    }
}

pub(super) fn find(inventory: &Inventory, spec: &GroupSpec) -> Result<Arc<Group>, Vec<String>> {
    match spec {
        GroupSpec::Named(name) => find_group(inventory, name)
            .cloned()
            .map_err(|reason| vec![reason]),
        GroupSpec::Made {
            name,
            image,
            source,
            entities,
            laggards,
            limits,
            parallel,
        } => {
            let manner = Manner {
                laggards: *laggards,
                limits: *limits,
                parallel: *parallel,
            };
            make_group(inventory, name, image, source.clone(), entities, manner).map(Arc::new)
        }
    }
}

/// Why a group can't be started while another runs.
fn beside(group: &Running, running: &Running) -> Option<String> {
    let (name, other) = (quoted(&group.group.name), quoted(&running.group.name));
    if group.group.name == running.group.name {
        return Some(format!("group {name} runs already"));
    }
    let both = shared(&group.group, &running.group);
    if !both.is_empty() {
        let (are, both) = (is_or_are(&both), folded(&both));
        return Some(format!(
            "{both} {are} in group {other}, which runs; {name} can start when that has ended"
        ));
    }
    // A later pass may read any of the peers.
    let read = group.written_of(sources(&running.group));
    if !read.is_empty() {
        let (are, read) = (is_or_are(&read), folded(&read));
        return Some(format!(
            "{read} {are} read by group {other}, which runs; {name} can start when that has ended"
        ));
    }
    source_is_written(&group.group, running)
}

/// Why two groups can't be started together.
fn together(one: &Running, other: &Running) -> Option<String> {
    let names = [&one.group.name, &other.group.name].map(|name| quoted(name));
    if one.group.name == other.group.name {
        return Some(format!("group {} is to be started twice", names[0]));
    }
    let both = shared(&one.group, &other.group);
    if !both.is_empty() {
        return Some(format!(
            "groups {} and {} can't run together: both have {}",
            names[0],
            names[1],
            folded(&both)
        ));
    }
    source_is_written(&one.group, other).or_else(|| source_is_written(&other.group, one))
}

fn source_is_written(group: &Group, other: &Running) -> Option<String> {
    match &group.source {
        SourceChoice::Peer(PeerChoice::Named(peer))
            if !other.written_of(std::slice::from_ref(peer)).is_empty() =>
        {
            Some(format!(
                "{}, the source of {}, is being upgraded in group {}",
                quoted(&peer.name),
                quoted(&group.name),
                quoted(&other.group.name)
            ))
        }
        _ => None,
    }
}

/// The group without the peers that would be read while they are written, by itself or by others.
/// Of its own targets those that have the image are skipped, and so can serve, unless forced.
fn with_free_peers(group: &Running, all: &[&Running]) -> Result<Arc<Group>, String> {
    let SourceChoice::Peer(PeerChoice::Any(peers)) = &group.group.source else {
        return Ok(group.group.clone());
    };
    let written: HashSet<&Name> = (all.iter())
        .flat_map(|one| one.written_of(peers))
        .map(|peer| &peer.name)
        .collect();
    if written.is_empty() {
        return Ok(group.group.clone());
    }
    let (written, free): (Vec<_>, Vec<_>) =
        (peers.iter().cloned()).partition(|peer| written.contains(&peer.name));
    if free.is_empty() {
        let written: Vec<&Arc<Entity>> = written.iter().collect();
        return Err(format!(
            "group {} has no peer left to read {} from: {} would be read while the new image is \
             written there; read it from a file server, or leave one of them out{}",
            quoted(&group.group.name),
            quoted(&group.group.image.name),
            folded(&written),
            if group.force {
                ", or start without `--force`"
            } else {
                ""
            }
        ));
    }
    Ok(Arc::new(Group {
        source: SourceChoice::Peer(PeerChoice::Any(free)),
        ..(*group.group).clone()
    }))
}

impl Running {
    /// Those of the entities that the group writes: its targets, but for those that are skipped.
    fn written_of<'a>(&self, entities: &'a [Arc<Entity>]) -> Vec<&'a Arc<Entity>> {
        let targets = self.group.entities.iter();
        let written: HashSet<&Name> = targets
            .filter(|target| self.force || !self.group.has_image(target))
            .map(|target| &target.name)
            .collect();
        let written = |entity: &&Arc<Entity>| written.contains(&entity.name);
        entities.iter().filter(written).collect()
    }
}

/// The entities that a group may read from.
fn sources(group: &Group) -> &[Arc<Entity>] {
    match &group.source {
        SourceChoice::FileServer(_) => &[],
        SourceChoice::Peer(PeerChoice::Named(peer)) => std::slice::from_ref(peer),
        SourceChoice::Peer(PeerChoice::Any(peers)) => peers,
    }
}

fn shared<'a>(one: &'a Group, other: &Group) -> Vec<&'a Arc<Entity>> {
    let targets: HashSet<&Name> = other.entities.iter().map(|entity| &entity.name).collect();
    let shared = |entity: &&Arc<Entity>| targets.contains(&entity.name);
    one.entities.iter().filter(shared).collect()
}

fn folded(entities: &[&Arc<Entity>]) -> String {
    let names: Vec<&Name> = entities.iter().map(|entity| &entity.name).collect();
    shown(&names::compress(&names).join(", "))
}

fn is_or_are<T>(things: &[T]) -> &'static str {
    if things.len() == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BufferPreference;
    use crate::model::testing::{self, inventory};

    /// `old1`, `old2`, `new1` and `new2`; the new ones have the image.
    fn network() -> Inventory {
        let mut inventory = inventory(8 << 20, BufferPreference::Size(256 << 10));
        let entities = [("old1", "1"), ("old2", "1"), ("new1", "2"), ("new2", "2")];
        inventory.entities = entities
            .map(|(name, version)| Arc::new(testing::entity(name, version)))
            .into();
        inventory
    }

    fn entities(inventory: &Inventory, names: &str) -> Vec<Arc<Entity>> {
        let names = names.split_whitespace();
        names
            .map(|name| inventory.entity(name).unwrap().clone())
            .collect()
    }

    /// Adds a group with these targets, which reads from any of the peers if there are some.
    fn add(inventory: &mut Inventory, name: &str, targets: &str, peers: &str) {
        let mut group = testing::group(name, entities(inventory, targets));
        if !peers.is_empty() {
            let peers = entities(inventory, peers);
            group.source = SourceChoice::Peer(PeerChoice::Any(peers));
        }
        inventory.groups.push(Arc::new(group));
    }

    fn add_named(inventory: &mut Inventory, name: &str, targets: &str, peer: &str) {
        let mut group = testing::group(name, entities(inventory, targets));
        let peer = entities(inventory, peer).remove(0);
        group.source = SourceChoice::Peer(PeerChoice::Named(peer));
        inventory.groups.push(Arc::new(group));
    }

    /// What the groups may read from, a text each.
    fn start(
        inventory: &Inventory,
        running: &[(&str, bool)],
        names: &[&str],
        force: bool,
    ) -> Result<Vec<String>, String> {
        let running = running.iter().map(|(name, force)| Running {
            group: inventory.group(name).unwrap().clone(),
            force: *force,
        });
        let running: Vec<Running> = running.collect();
        let specs = names.iter().map(|name| GroupSpec::Named((*name).into()));
        let specs: Vec<GroupSpec> = specs.collect();
        let groups = resolve(inventory, &running, &specs, force);
        let peers = |group: Arc<Group>| {
            let names = sources(&group).iter().map(|peer| peer.name.to_string());
            names.collect::<Vec<_>>().join(" ")
        };
        groups
            .map(|groups| groups.into_iter().map(peers).collect())
            .map_err(|reasons| reasons.join("\n"))
    }

    #[test]
    fn a_forced_group_does_not_read_what_it_writes() {
        let mut network = network();
        add(&mut network, "all", "old1 new1 new2", "new1 new2");
        add(&mut network, "some", "old1 new2", "new1 new2");
        assert_eq!(
            start(&network, &[], &["all"], false).unwrap(),
            ["new1 new2"]
        );
        assert_eq!(start(&network, &[], &["some"], true).unwrap(), ["new1"]);
        assert_eq!(
            start(&network, &[], &["all"], true).unwrap_err(),
            "group `all` has no peer left to read `adsl-2` from: new[1-2] would be read while the \
             new image is written there; read it from a file server, or leave one of them out, or \
             start without `--force`"
        );
    }

    #[test]
    fn what_another_group_writes_is_not_read_either() {
        let mut network = network();
        add(&mut network, "reads", "old1", "new1 new2");
        add(&mut network, "writes", "old2 new2", "");
        add(&mut network, "writes-all", "new1 new2", "");
        let both = ["reads", "writes"];
        assert_eq!(start(&network, &[], &both, false).unwrap()[0], "new1 new2");
        assert_eq!(start(&network, &[], &both, true).unwrap()[0], "new1");
        let beside = |other: &str, force| start(&network, &[(other, force)], &["reads"], false);
        assert_eq!(beside("writes", false).unwrap(), ["new1 new2"]);
        assert_eq!(beside("writes", true).unwrap(), ["new1"]);
        let refused = beside("writes-all", true).unwrap_err();
        assert!(
            refused.contains("no peer left") && !refused.contains("--force"),
            "{refused}"
        );
        // A group that runs may read from any of its peers until it ends.
        let refused = start(&network, &[("reads", false)], &["writes"], true).unwrap_err();
        assert_eq!(
            refused,
            "new2 is read by group `reads`, which runs; `writes` can start when that has ended"
        );
        assert!(start(&network, &[("reads", false)], &["writes"], false).is_ok());
    }

    #[test]
    fn a_named_peer_is_not_written_by_another_group() {
        let mut network = network();
        add_named(&mut network, "reads", "old1", "new1");
        add(&mut network, "writes", "old2 new1", "");
        let refused = |running: &[(&str, bool)], names: &[&str], force| {
            start(&network, running, names, force).unwrap_err()
        };
        let upgraded = "`new1`, the source of `reads`, is being upgraded in group `writes`";
        assert_eq!(refused(&[], &["reads", "writes"], true), upgraded);
        assert_eq!(refused(&[], &["writes", "reads"], true), upgraded);
        assert_eq!(refused(&[("writes", true)], &["reads"], false), upgraded);
        assert!(refused(&[("reads", false)], &["writes"], true).starts_with("new1 is read by"));
        assert!(start(&network, &[], &["reads", "writes"], false).is_ok());
    }

    #[test]
    fn every_reason_is_told_in_one_go() {
        let mut network = network();
        add(&mut network, "one", "old1 old2", "");
        add(&mut network, "two", "old1 old2", "");
        let refused = |running: &[(&str, bool)], names: &[&str]| {
            start(&network, running, names, false).unwrap_err()
        };
        assert_eq!(
            refused(&[], &["nobody", "owt"]),
            "there is no group `nobody` (under `groups` there are `one` and `two`)\n\
             there is no group `owt` (under `groups` there are `one` and `two`)"
        );
        assert_eq!(
            refused(&[], &["one", "two"]),
            "groups `one` and `two` can't run together: both have old[1-2]"
        );
        assert_eq!(
            refused(&[("one", false)], &["two"]),
            "old[1-2] are in group `one`, which runs; `two` can start when that has ended"
        );
        assert_eq!(
            refused(&[("one", false)], &["one"]),
            "group `one` runs already"
        );
        assert_eq!(
            refused(&[], &["one", "one"]),
            "group `one` is to be started twice"
        );
    }

    #[test]
    fn memory_is_needed_for_those_that_run_too() {
        let mut network = network();
        network.memory = 1 << 20;
        for (name, target) in [("one", "old1"), ("two", "old2"), ("three", "new1")] {
            add(&mut network, name, target, "");
        }
        assert!(start(&network, &[("one", false)], &["two"], false).is_ok());
        let refused = start(&network, &[("one", false)], &["two", "three"], false).unwrap_err();
        assert!(refused.contains("too little for 3 groups"), "{refused}");
    }
}

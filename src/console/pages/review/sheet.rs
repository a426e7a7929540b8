//! `U`, upgrade these: a start of what is picked on the inventory page, without a group that is made first. Image, source
//! and how it is gone through are preset, and can be changed where they are read.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::console::asked::{Asked, OfReview};
use crate::console::dialogs::{Dialog, Row};
use crate::console::state::Shared;
use crate::model::columns::count;
use crate::model::names::{self, natural};
use crate::model::text::quoted;
use crate::model::{
    DeliveryPolicy, Entity, Extent, Group, GroupSpec, Image, ImageSpec, Inventory, MadeGroup, Name,
    SourceSpec, units,
};
use crate::protocol::Snapshot;

/// Of a name that is made up here.
const LONGEST: usize = 40;

/// What is picked, and what was chosen for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sheet {
    /// By their places in the inventory.
    picked: Vec<usize>,
    width: Width,
    /// By type, where another one than the newest was chosen.
    images: BTreeMap<String, Name>,
    source: Option<SourceSpec>,
    /// Whether devices are made to run it, where that was chosen.
    upgrade: Option<bool>,
}

/// Which entities are meant by those that were picked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Width {
    #[default]
    Picked,
    /// All of the same types that have the same versions.
    Versions,
    /// All of the same types.
    Types,
}

impl Sheet {
    pub(super) fn new(picked: Vec<usize>) -> Self {
        Self {
            picked,
            ..Self::default()
        }
    }

    /// Those that were picked; then all that are like them; then those alone again.
    pub(super) fn widen(&mut self) {
        self.width = match self.width {
            Width::Picked => Width::Versions,
            Width::Versions => Width::Types,
            Width::Types => Width::Picked,
        };
    }

    /// The entities that are meant, in the order of the inventory.
    fn entities<'s>(&self, shared: &'s Shared) -> Vec<&'s Arc<Entity>> {
        let all = &shared.site.inventory.entities;
        let mut picked: Vec<usize> = self.picked.clone();
        picked.sort_unstable();
        let picked: Vec<&Arc<Entity>> = picked.iter().filter_map(|at| all.get(*at)).collect();
        let version = |entity: &Entity| shared.presence.version(entity).into_owned();
        match self.width {
            Width::Picked => picked,
            Width::Versions => {
                let like: BTreeSet<(&str, String)> = (picked.iter())
                    .map(|one| (&*one.type_, version(one)))
                    .collect();
                let is_like = |one: &&Arc<Entity>| like.contains(&(&*one.type_, version(one)));
                all.iter().filter(is_like).collect()
            }
            Width::Types => {
                let types: BTreeSet<&str> = picked.iter().map(|one| &*one.type_).collect();
                all.iter()
                    .filter(|one| types.contains(&*one.type_))
                    .collect()
            }
        }
    }

    /// Who that is, in words.
    pub(super) fn who(&self, shared: &Shared) -> String {
        let entities = self.entities(shared);
        let types: BTreeSet<&str> = entities.iter().map(|one| &*one.type_).collect();
        let types: Vec<&str> = types.into_iter().collect();
        let many = count(entities.len(), "entity");
        match self.width {
            Width::Picked => format!("{many}, picked (t: all that are like them)"),
            Width::Versions => format!(
                "{many}: all of type {} with the same version (t: with any version)",
                types.join(", ")
            ),
            Width::Types => format!("{many}: all of type {} (t: those picked)", types.join(", ")),
        }
    }

    /// The groups that it comes to, one per type; and what can't be upgraded, in words.
    pub(super) fn groups(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
    ) -> (Vec<GroupSpec>, Vec<String>) {
        let inventory = &shared.site.inventory;
        let mut by_type: BTreeMap<&str, Vec<&Arc<Entity>>> = BTreeMap::new();
        for entity in self.entities(shared) {
            by_type.entry(&entity.type_).or_default().push(entity);
        }
        let (mut groups, mut without) = (Vec::new(), Vec::new());
        let mut taken: BTreeSet<String> = (shared.drafts.iter())
            .map(|draft| draft.spec.name().to_owned())
            .chain(snapshot.groups.iter().map(|group| group.group.to_string()))
            .collect();
        for (type_, entities) in by_type {
            let Some(image) = self.image(inventory, type_) else {
                let names: Vec<&str> = entities.iter().map(|one| &*one.name).collect();
                without.push(format!(
                    "{}: the inventory has no image for type {}",
                    names::compress(&names).join(", "),
                    quoted(type_)
                ));
                continue;
            };
            let spec = self.group(inventory, image, &entities, &taken);
            taken.insert(spec.name().to_owned());
            groups.push(spec);
        }
        (groups, without)
    }

    /// The one that was chosen for a type, else the newest.
    fn image<'i>(&self, inventory: &'i Inventory, type_: &str) -> Option<&'i Arc<Image>> {
        let chosen = self
            .images
            .get(type_)
            .and_then(|name| inventory.image(name));
        chosen.or_else(|| newest(inventory, type_))
    }

    /// As the inventory has a group of this image, where it has one: with its sources, waves and limits.
    fn group(
        &self,
        inventory: &Inventory,
        image: &Arc<Image>,
        entities: &[&Arc<Entity>],
        taken: &BTreeSet<String>,
    ) -> GroupSpec {
        let known = |group: &&Arc<Group>| group.image.name == image.name;
        let known = inventory.groups.iter().find(known);
        if let Some(known) = known.filter(|known| self.is_as_written(known, entities)) {
            return GroupSpec::Named(known.name.to_string());
        }
        let made = known.map(|known| GroupSpec::of(known));
        let mut made = match made {
            Some(GroupSpec::Made(made)) => made,
            _ => MadeGroup {
                name: String::new(),
                image: ImageSpec::Named(image.name.to_string()),
                source: preset(inventory),
                then: Vec::new(),
                entities: Vec::new(),
                policy: DeliveryPolicy::default(),
                campaign: Box::default(),
            },
        };
        made.name = unused(&format!("{}-{}", image.type_, image.version), taken);
        made.image = ImageSpec::Named(image.name.to_string());
        made.entities = entities.iter().map(|one| one.name.to_string()).collect();
        if let Some(source) = &self.source {
            (made.source, made.then) = (source.clone(), Vec::new());
        }
        if let Some(upgrade) = self.upgrade {
            made.policy.extent = match upgrade {
                true => Extent::Upgrade,
                false => Extent::Deliver,
            };
        }
        GroupSpec::Made(made)
    }

    /// Whether a group of the inventory is what is meant, entity for entity.
    fn is_as_written(&self, known: &Group, entities: &[&Arc<Entity>]) -> bool {
        let written: BTreeSet<&Name> = known.entities.iter().map(|one| &one.name).collect();
        let meant: BTreeSet<&Name> = entities.iter().map(|one| &one.name).collect();
        let is_upgrade = known.extent == Extent::Upgrade;
        written == meant
            && self
                .source
                .as_ref()
                .is_none_or(|one| *one == SourceSpec::of(&known.source))
            && self.upgrade.is_none_or(|upgrade| upgrade == is_upgrade)
    }

    /// Whether devices are made to run the image: the other way round.
    pub(super) fn turn_extent(&mut self, now: bool) {
        self.upgrade = Some(!now);
    }

    pub(super) fn choose_image(&mut self, inventory: &Inventory, name: &str) {
        if let Some(image) = inventory.image(name) {
            self.images.insert(image.type_.clone(), image.name.clone());
        }
    }

    pub(super) fn choose_source(&mut self, label: &str) {
        self.source = Some(SourceSpec::from_label(label));
    }

    /// The images of the types that are meant, the newest of each first.
    pub(super) fn ask_image(&self, shared: &mut Shared) {
        let inventory = shared.site.inventory.clone();
        let entities = self.entities(shared);
        let types: BTreeSet<&str> = entities.iter().map(|one| &*one.type_).collect();
        let mut images: Vec<&Arc<Image>> = (inventory.images.iter())
            .filter(|image| types.contains(&*image.type_))
            .collect();
        images.sort_by(|a, b| {
            a.type_
                .cmp(&b.type_)
                .then_with(|| compare(&inventory, b, a))
        });
        let rows = images.into_iter().map(|image| Row {
            label: image.name.to_string(),
            detail: format!(
                "{} {}, {}",
                image.type_,
                image.version,
                image.size.map_or("size not known".into(), units::size)
            ),
            value: image.name.to_string(),
        });
        let rows: Vec<Row> = rows.collect();
        let intent = Asked::Review(OfReview::Image);
        (shared.dialogs).push(Dialog::list("Which image?", rows, intent));
    }

    pub(super) fn ask_source(&self, shared: &mut Shared) {
        let servers = shared.site.inventory.file_servers.iter();
        let mut rows: Vec<Row> = servers
            .map(|server| Row {
                label: server.name.to_string(),
                detail: format!("file server {}", server.address),
                value: server.name.to_string(),
            })
            .collect();
        rows.push(Row {
            label: "any peer that has it".into(),
            detail: "an entity of the type, asked when it starts".into(),
            value: SourceSpec::AnyPeer.label(),
        });
        let intent = Asked::Review(OfReview::Source);
        (shared.dialogs).push(Dialog::list("From where?", rows, intent));
    }
}

/// The first file server, else any peer.
fn preset(inventory: &Inventory) -> SourceSpec {
    match inventory.file_servers.first() {
        Some(server) => SourceSpec::FileServer(server.name.to_string()),
        None => SourceSpec::AnyPeer,
    }
}

fn newest<'i>(inventory: &'i Inventory, type_: &str) -> Option<&'i Arc<Image>> {
    let images = inventory.images.iter().filter(|image| image.type_ == type_);
    images.max_by(|a, b| compare(inventory, a, b))
}

/// By the versions of their type, else as people order names.
fn compare(inventory: &Inventory, a: &Image, b: &Image) -> Ordering {
    let type_ = inventory.types.iter().find(|one| *one.name == *a.type_);
    let by_rule = type_.and_then(|one| one.versions.compare(&a.version, &b.version));
    by_rule.unwrap_or_else(|| natural(&a.version, &b.version))
}

/// The name, or with a number behind it where it is taken.
fn unused(wanted: &str, taken: &BTreeSet<String>) -> String {
    let wanted = names::usable(wanted, LONGEST);
    let numbered = (2_u32..).map(|number| format!("{wanted}_{number}"));
    std::iter::once(wanted.clone())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

/// The same group without some of its entities.
pub(super) fn without(
    inventory: &Inventory,
    spec: &GroupSpec,
    left_out: &BTreeSet<String>,
) -> GroupSpec {
    if left_out.is_empty() {
        return spec.clone();
    }
    let lookup = crate::model::lookup::Lookup::new(inventory);
    let group = match crate::plan::find(&lookup, spec) {
        Ok(group) => group,
        Err(_) => return spec.clone(),
    };
    if !group
        .entities
        .iter()
        .any(|one| left_out.contains(&*one.name))
    {
        return spec.clone();
    }
    let mut whole = GroupSpec::of(&group);
    if let GroupSpec::Made(made) = &mut whole {
        made.entities.retain(|name| !left_out.contains(name));
    }
    whole
}

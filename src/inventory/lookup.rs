//! Finding what names and patterns refer to, and the rules that a group must keep. Shared by the
//! groups of the file and those made on the spot.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::names::Pattern;
use crate::model::{Entity, FileServer, Group, Image, Inventory, PeerChoice};

use super::error::{Complaint, did_you_mean, quoted, some_of};

/// All that a group can refer to. Entities are known by their place in the inventory.
pub(super) struct Lookup<'a> {
    pub entities: &'a [Arc<Entity>],
    images: &'a [Arc<Image>],
    file_servers: &'a [Arc<FileServer>],
    by_name: HashMap<&'a str, usize>,
}

/// The group of this name.
///
/// # Errors
/// A sentence with what was probably meant, or what there is.
pub fn find_group<'a>(inventory: &'a Inventory, name: &str) -> Result<&'a Arc<Group>, String> {
    inventory.group(name).ok_or_else(|| {
        let names = inventory.groups.iter().map(|group| &*group.name);
        unknown("group", name, names, "groups").to_string()
    })
}

/// The entities whose names a pattern describes, in the order of the inventory: a name, `*` and
/// `?`, ranges like `[01-20]`. None for a pattern that can't be read.
pub fn expand_names(inventory: &Inventory, pattern: &str) -> Vec<Arc<Entity>> {
    let Ok(pattern) = Pattern::wildcards(pattern) else {
        return Vec::new();
    };
    let entities = inventory.entities.iter();
    entities
        .filter(|entity| pattern.matches(&entity.name))
        .cloned()
        .collect()
}

impl<'a> Lookup<'a> {
    pub(super) fn new(
        entities: &'a [Arc<Entity>],
        images: &'a [Arc<Image>],
        file_servers: &'a [Arc<FileServer>],
    ) -> Self {
        let names = entities.iter().enumerate();
        let by_name = names
            .rev()
            .map(|(at, entity)| (&*entity.name, at))
            .collect();
        Self {
            entities,
            images,
            file_servers,
            by_name,
        }
    }

    pub(super) fn image(&self, name: &str) -> Result<&'a Arc<Image>, Complaint> {
        let found = self.images.iter().find(|image| &*image.name == name);
        found.ok_or_else(|| {
            let names = self.images.iter().map(|image| &*image.name);
            unknown("image", name, names, "images")
        })
    }

    pub(super) fn file_server(&self, name: &str) -> Result<&'a Arc<FileServer>, Complaint> {
        let found = self
            .file_servers
            .iter()
            .find(|server| &*server.name == name);
        found.ok_or_else(|| {
            let names = self.file_servers.iter().map(|server| &*server.name);
            unknown("file server", name, names, "file_servers")
        })
    }

    fn entity(&self, name: &str) -> Result<usize, Complaint> {
        self.by_name.get(name).copied().ok_or_else(|| {
            let names = self.entities.iter().map(|entity| &*entity.name);
            unknown("entity", name, names, "entities")
        })
    }

    /// The entities that a name, range or pattern names: each name of a range must be there, and
    /// a pattern with wildcards must match something.
    pub(super) fn named(&self, written: &str) -> Result<Vec<usize>, Complaint> {
        let pattern = Pattern::wildcards(written)?;
        if pattern.has_wildcard() {
            let found = self.matching(&pattern);
            return if found.is_empty() {
                Err(Complaint::new(
                    format!("no entity is called like {}", quoted(written)),
                    "`*` stands for any characters, `?` for one; see the names under `entities`",
                ))
            } else {
                Ok(found)
            };
        }
        if !pattern.has_range() {
            return self.entity(written).map(|at| vec![at]);
        }
        let names = pattern.expand();
        let (found, missing): (Vec<_>, Vec<_>) = names
            .iter()
            .map(|name| (name, self.by_name.get(name.as_str())))
            .partition(|(_, at)| at.is_some());
        if missing.is_empty() {
            return Ok(found
                .into_iter()
                .filter_map(|(_, at)| at.copied())
                .collect());
        }
        let entities = if missing.len() == 1 {
            "is no entity"
        } else {
            "are no entities"
        };
        let missing = some_of(missing.into_iter().map(|(name, _)| name.as_str()));
        Err(Complaint::new(
            format!("there {entities} {missing}"),
            "write a range whose names are all under `entities`, or a pattern with `*`",
        ))
    }

    pub(super) fn matching(&self, pattern: &Pattern) -> Vec<usize> {
        let entities = self.entities.iter().enumerate();
        entities
            .filter(|(_, entity)| pattern.matches(&entity.name))
            .map(|(at, _)| at)
            .collect()
    }

    /// An image goes to entities of its own type only. Types that are missing are reported already.
    pub(super) fn check_types(
        &self,
        image: &Image,
        targets: impl IntoIterator<Item = usize>,
    ) -> Result<(), Complaint> {
        let wrong = |entity: &&Entity| {
            !image.type_.is_empty() && !entity.type_.is_empty() && entity.type_ != image.type_
        };
        let targets = targets.into_iter().map(|at| &*self.entities[at]);
        let wrong: Vec<&Entity> = targets.filter(wrong).collect();
        let Some(first) = wrong.first() else {
            return Ok(());
        };
        Err(Complaint::new(
            format!(
                "the image {} is for type {}, and {} {} of type {}",
                quoted(&image.name),
                quoted(&image.type_),
                some_of(wrong.iter().map(|entity| &*entity.name)),
                if wrong.len() == 1 { "is" } else { "are" },
                quoted(&first.type_),
            ),
            "choose an image of the entities' type, or leave these entities out",
        ))
    }

    /// One peer: of the image's type and version, and no target itself.
    pub(super) fn named_peer(
        &self,
        name: &str,
        image: Option<&Image>,
        targets: &BTreeSet<usize>,
    ) -> Result<PeerChoice, Vec<Complaint>> {
        let at = self.entity(name).map_err(|complaint| vec![complaint])?;
        let peer = &self.entities[at];
        let mut complaints = Vec::new();
        if let Some(image) = image {
            let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
            if differ(&peer.type_, &image.type_) {
                complaints.push(Complaint::new(
                    format!(
                        "the peer {} is of type {}, and the image {} is for type {}",
                        quoted(name),
                        quoted(&peer.type_),
                        quoted(&image.name),
                        quoted(&image.type_),
                    ),
                    "name a peer of the image's type, or write `{ peer: any }`",
                ));
            } else if differ(&peer.version, &image.version) {
                complaints.push(Complaint::new(
                    format!(
                        "the peer {} has version {}, and the image {} is version {}",
                        quoted(name),
                        quoted(&peer.version),
                        quoted(&image.name),
                        quoted(&image.version),
                    ),
                    "name a peer that has the image, or correct its `version` under `entities`",
                ));
            }
        }
        if targets.contains(&at) {
            complaints.push(Complaint::new(
                format!("the peer {} is a target of the group too", quoted(name)),
                "leave it out of the group (by its version, for example), or name another peer",
            ));
        }
        if complaints.is_empty() {
            Ok(PeerChoice::Named(Arc::clone(peer)))
        } else {
            Err(complaints)
        }
    }

    /// Whichever has the image, as far as the inventory knows. A target that has it is skipped by
    /// the run, so it can serve; it is asked after those that are no targets.
    pub(super) fn any_peer(
        &self,
        image: &Image,
        targets: &BTreeSet<usize>,
    ) -> Result<PeerChoice, Complaint> {
        let has = |(_, entity): &(usize, &Arc<Entity>)| entity.holds(image);
        let having = self.entities.iter().enumerate().filter(has);
        let (last, first): (Vec<_>, Vec<_>) = having.partition(|(at, _)| targets.contains(at));
        let candidates: Vec<Arc<Entity>> = first
            .into_iter()
            .chain(last)
            .map(|(_, entity)| Arc::clone(entity))
            .collect();
        // What an image lacks is reported already.
        if candidates.is_empty() && !image.type_.is_empty() && !image.version.is_empty() {
            return Err(Complaint::new(
                format!(
                    "no entity of type {} has version {}: there is no peer to read {} from",
                    quoted(&image.type_),
                    quoted(&image.version),
                    quoted(&image.name),
                ),
                "read it from a file server, or correct the `version` of the entity that has it",
            ));
        }
        Ok(PeerChoice::Any(candidates))
    }
}

fn unknown<'n>(
    what: &str,
    name: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    section: &str,
) -> Complaint {
    let help = did_you_mean(name, names.clone(), || {
        let some = some_of(names);
        if some.is_empty() {
            format!("describe it under `{section}`")
        } else {
            format!("under `{section}` there are {some}")
        }
    });
    Complaint::new(format!("there is no {what} {}", quoted(name)), help)
}

//! Finding what names and patterns refer to, and the rules that a group must keep by itself. One
//! place for the groups of the file and for those made on the spot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::complaint::{did_you_mean, some_of};
use super::flaw::{Flaw, Thing};
use super::group::{Group, PeerChoice};
use super::inventory::{Entity, FileServer, Image, Inventory, Name};
use super::names::Pattern;
use super::procedure::{Procedure, TypeSpec, Versions};
use super::remote::RemotePath;

/// All that a group can refer to. Entities are known by their index in the inventory.
pub struct Lookup<'a> {
    pub entities: &'a [Arc<Entity>],
    images: &'a [Arc<Image>],
    file_servers: &'a [Arc<FileServer>],
    groups: &'a [Arc<Group>],
    types: &'a [Arc<TypeSpec>],
    by_name: HashMap<&'a str, usize>,
    /// A type or version that is missing was reported where it should stand, and is not taken for
    /// a wrong one.
    is_being_read: bool,
}

impl<'a> Lookup<'a> {
    pub fn new(inventory: &'a Inventory) -> Self {
        Self {
            groups: &inventory.groups,
            is_being_read: false,
            ..Self::of_file(
                &inventory.entities,
                &inventory.images,
                &inventory.file_servers,
                &inventory.types,
            )
        }
    }

    /// While a file is read, whose parts may lack something.
    pub(crate) fn of_file(
        entities: &'a [Arc<Entity>],
        images: &'a [Arc<Image>],
        file_servers: &'a [Arc<FileServer>],
        types: &'a [Arc<TypeSpec>],
    ) -> Self {
        // Of several of one name the first.
        let names = entities.iter().enumerate().rev();
        Self {
            entities,
            images,
            file_servers,
            groups: &[],
            types,
            by_name: names.map(|(at, entity)| (&*entity.name, at)).collect(),
            is_being_read: true,
        }
    }

    /// # Errors
    /// There is none of this name.
    pub fn group(&self, name: &str) -> Result<&'a Arc<Group>, Flaw> {
        find(Thing::Group, self.groups, |group| &group.name, name)
    }

    /// # Errors
    /// There is none of this name.
    pub fn image(&self, name: &str) -> Result<&'a Arc<Image>, Flaw> {
        find(Thing::Image, self.images, |image| &image.name, name)
    }

    /// # Errors
    /// There is none of this name.
    pub fn file_server(&self, name: &str) -> Result<&'a Arc<FileServer>, Flaw> {
        find(
            Thing::FileServer,
            self.file_servers,
            |server| &server.name,
            name,
        )
    }

    /// What is done on entities of a type beside their image.
    pub fn procedure(&self, type_: &str) -> Option<Arc<Procedure>> {
        let found = self.types.iter().find(|one| &*one.name == type_);
        found?.procedure.clone()
    }

    /// How versions of a type compare.
    pub fn versions(&self, type_: &str) -> Versions {
        let found = self.types.iter().find(|one| &*one.name == type_);
        found.map_or(Versions::None, |one| one.versions)
    }

    /// Whether a procedure says how an image of a type is activated.
    pub fn can_activate(&self, type_: &str) -> bool {
        let procedure = self.procedure(type_);
        procedure.is_some_and(|procedure| !procedure.activate.is_empty())
    }

    /// The index of the entity of this name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    fn entity(&self, what: Thing, name: &str) -> Result<usize, Flaw> {
        self.index_of(name).ok_or_else(|| {
            let names = self.entities.iter().map(|entity| &*entity.name);
            unknown(what, name, names)
        })
    }

    /// Adds the entities that a name, range or pattern names: each name of a range must be there,
    /// and a pattern with wildcards must match something.
    ///
    /// # Errors
    /// What of it is not there, or that it can't be read.
    pub fn named(&self, written: &str, found: &mut BTreeSet<usize>) -> Result<(), Flaw> {
        // Nearly all are plain names, and there may be thousands.
        if let Some(at) = self.index_of(written) {
            found.insert(at);
            return Ok(());
        }
        let pattern = Pattern::wildcards(written).map_err(Flaw::BadPattern)?;
        if pattern.has_wildcard() {
            let mut matching = self.matching(&pattern).peekable();
            if matching.peek().is_none() {
                return Err(Flaw::NothingMatches(written.into()));
            }
            found.extend(matching);
            return Ok(());
        }
        if !pattern.has_range() {
            return self.entity(Thing::Entity, written).map(|_| ());
        }
        let mut missing = Vec::new();
        for name in pattern.expand() {
            match self.index_of(&name) {
                Some(at) => drop(found.insert(at)),
                None => missing.push(name),
            }
        }
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Flaw::MissingOfRange(missing)),
        }
    }

    /// The entities whose names a pattern describes.
    pub fn matching(&self, pattern: &Pattern) -> impl Iterator<Item = usize> {
        let entities = self.entities.iter().enumerate();
        entities
            .filter(|(_, entity)| pattern.matches(&entity.name))
            .map(|(at, _)| at)
    }

    /// An image goes to entities of its own type only: one flaw for each other type.
    pub fn wrong_types(
        &self,
        image: &Image,
        targets: impl IntoIterator<Item = usize>,
    ) -> Vec<Flaw> {
        let mut wrong: BTreeMap<&str, Vec<Name>> = BTreeMap::new();
        for entity in targets.into_iter().map(|at| &self.entities[at]) {
            if self.differ(&entity.type_, &image.type_) {
                wrong
                    .entry(&entity.type_)
                    .or_default()
                    .push(entity.name.clone());
            }
        }
        let wrong = wrong.into_iter();
        wrong
            .map(|(type_, entities)| Flaw::WrongType {
                entities,
                type_: type_.into(),
                image: image.name.clone(),
                for_type: image.type_.clone(),
            })
            .collect()
    }

    /// A file of this host.
    ///
    /// # Errors
    /// That is no whole path of a file.
    pub fn file(&self, path: &str) -> Result<RemotePath, Flaw> {
        let why = match RemotePath::new(path) {
            Ok(path) if path.as_str().starts_with('/') => return Ok(path),
            Ok(_) => "does not begin with `/`".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Flaw::BadFile {
            path: path.into(),
            why,
        })
    }

    /// One peer: of the image's type and version, and no target itself.
    ///
    /// # Errors
    /// All that it lacks.
    pub fn named_peer(
        &self,
        name: &str,
        image: Option<&Image>,
        targets: &BTreeSet<usize>,
    ) -> Result<usize, Vec<Flaw>> {
        let at = self.entity(Thing::Peer, name).map_err(|flaw| vec![flaw])?;
        let peer = &self.entities[at];
        let mut flaws = Vec::new();
        match image {
            Some(image) if self.differ(&peer.type_, &image.type_) => {
                flaws.push(Flaw::PeerWrongType {
                    peer: peer.name.clone(),
                    type_: peer.type_.clone(),
                    image: image.name.clone(),
                    for_type: image.type_.clone(),
                });
            }
            Some(image) if self.differ(&peer.version, &image.version) => {
                flaws.push(Flaw::PeerWrongVersion {
                    peer: peer.name.clone(),
                    version: peer.version.clone(),
                    image: image.name.clone(),
                    wanted: image.version.clone(),
                });
            }
            _ => {}
        }
        let scheme = peer.address.scheme;
        if !scheme.can_give() {
            flaws.push(Flaw::PeerCantGive {
                peer: peer.name.clone(),
                protocol: scheme.in_words(),
            });
        }
        if targets.contains(&at) {
            flaws.push(Flaw::PeerIsTarget(peer.name.clone()));
        }
        match flaws.is_empty() {
            true => Ok(at),
            false => Err(flaws),
        }
    }

    /// All that have the image, as far as the inventory knows. A target that has it is skipped by
    /// the run, so it can serve; it is asked after those that are no targets.
    ///
    /// # Errors
    /// None has it, and no other source is named: beside one, that is no flaw, for an earlier run may
    /// have delivered some.
    pub fn any_peer(
        &self,
        image: &Image,
        targets: &BTreeSet<usize>,
        is_only_source: bool,
    ) -> Result<PeerChoice, Flaw> {
        let has = |(_, entity): &(usize, &Arc<Entity>)| {
            entity.holds(image) && entity.address.scheme.can_give()
        };
        let having = self.entities.iter().enumerate().filter(has);
        let (last, first): (Vec<_>, Vec<_>) = having.partition(|(at, _)| targets.contains(at));
        let candidates: Vec<Arc<Entity>> = (first.into_iter().chain(last))
            .map(|(_, entity)| Arc::clone(entity))
            .collect();
        let is_known = !image.type_.is_empty() && !image.version.is_empty();
        if is_only_source && candidates.is_empty() && (is_known || !self.is_being_read) {
            return Err(Flaw::NobodyHasIt {
                image: image.name.clone(),
                type_: image.type_.clone(),
                version: image.version.clone(),
            });
        }
        Ok(PeerChoice::Any(candidates))
    }

    fn differ(&self, one: &str, other: &str) -> bool {
        let is_missing = one.is_empty() || other.is_empty();
        match is_missing {
            true => !self.is_being_read,
            false => one != other,
        }
    }
}

/// Those of an order that stand in it before.
pub fn twice<T: PartialEq>(order: &[T]) -> impl Iterator<Item = &T> {
    let again = |(at, one): &(usize, &T)| order[..*at].contains(one);
    order.iter().enumerate().filter(again).map(|(_, one)| one)
}

fn find<'a, T>(
    what: Thing,
    all: &'a [Arc<T>],
    name_of: impl Fn(&T) -> &Name + Copy,
    name: &str,
) -> Result<&'a Arc<T>, Flaw> {
    let found = all.iter().find(|one| &**name_of(one) == name);
    found.ok_or_else(|| unknown(what, name, all.iter().map(|one| &**name_of(one))))
}

fn unknown<'n>(what: Thing, name: &str, names: impl Iterator<Item = &'n str> + Clone) -> Flaw {
    let section = what.section();
    let help = did_you_mean(name, names.clone(), || {
        let some = some_of(names);
        if some.is_empty() {
            format!("describe it under `{section}`")
        } else {
            format!("under `{section}` there are {some}")
        }
    });
    Flaw::Unknown {
        what,
        name: name.into(),
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::super::BufferPreference;
    use super::super::testing::{entity, inventory};
    use super::*;

    fn network() -> Inventory {
        let mut network = inventory(8 << 20, BufferPreference::Count(4));
        network.entities = ["s1-01", "s1-02", "s1-04", "s2-9"]
            .map(|name| Arc::new(entity(name, "1")))
            .into();
        network
    }

    #[test]
    fn names_are_expanded_against_the_inventory() {
        let network = network();
        let lookup = Lookup::new(&network);
        let expand = |written: &str| {
            let mut found = BTreeSet::new();
            let flaw = lookup.named(written, &mut found).err();
            let names = found.iter().map(|at| &*network.entities[*at].name);
            (names.collect::<Vec<_>>().join(" "), flaw)
        };
        assert_eq!(expand("s1-0[1-2]"), ("s1-01 s1-02".into(), None));
        assert_eq!(expand("*-9"), ("s2-9".into(), None));
        assert_eq!(expand("s1-01"), ("s1-01".into(), None));
        // What is there of a range is known, too.
        let missing = Flaw::MissingOfRange(vec!["s1-03".into(), "s1-05".into()]);
        assert_eq!(expand("s1-0[3-5]"), ("s1-04".into(), Some(missing)));
        let nothing = Some(Flaw::NothingMatches("x*".into()));
        assert_eq!(expand("x*"), (String::new(), nothing));
        let said = |written: &str| expand(written).1.unwrap().to_string();
        assert!(said("s1-1").contains("did you mean `s1-01`?"));
        assert!(said("[9-1]").contains("is not a range"));
    }

    #[test]
    fn what_a_file_lacks_is_wrong_once_and_unknown_to_everybody_else() {
        let mut network = network();
        Arc::make_mut(&mut network.entities[0]).type_.clear();
        let image = super::super::testing::image();
        let (known, read) = (
            Lookup::new(&network),
            Lookup::of_file(&network.entities, &[], &[], &[]),
        );
        let said = known.wrong_types(&image, 0..4);
        assert_eq!(said.len(), 1);
        assert!(said[0].to_string().contains("`s1-01` is of no known type"));
        assert_eq!(read.wrong_types(&image, 0..4), []);
    }
}

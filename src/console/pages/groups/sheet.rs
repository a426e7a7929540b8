//! A group as this page sees it: its names looked up in the inventory.
//!
//! A group that is being made has gaps: an image or a source without a name is one that was not
//! chosen yet, so that such a group can be kept like any other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::console::pages::inventory::natural;
use crate::console::state::Draft;
use crate::link::GroupSpec;
use crate::model::names::{self, Pattern};
use crate::model::{
    FileServer, Group, Image, ImageSpec, Inventory, Laggards, Limits, Manner, Name, PeerChoice,
    Scheme, SourceChoice, SourceSpec,
};

/// Something that is chosen by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen<T> {
    NotYet,
    /// There is nothing of this name.
    Unknown(String),
    Known(T),
}

impl<T> Chosen<T> {
    pub(crate) fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    FileServer(Arc<FileServer>),
    /// By its place in the inventory.
    Peer(usize),
    AnyPeer,
}

#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    pub(crate) name: String,
    pub(crate) from_inventory: bool,
    /// Entities by their place in the inventory, in its order.
    pub(crate) members: Vec<usize>,
    /// Names that no entity has: the inventory has changed since.
    pub(crate) missing: Vec<String>,
    pub(crate) image: Chosen<Arc<Image>>,
    pub(crate) source: Chosen<Source>,
    pub(crate) laggards: Laggards,
    pub(crate) limits: Limits,
    pub(crate) parallel: Option<usize>,
}

/// Entities by their names, made once for all groups.
pub(super) struct Places<'a>(HashMap<&'a str, usize>);

impl<'a> Places<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        let entities = inventory.entities.iter().enumerate();
        Self(entities.map(|(at, entity)| (&*entity.name, at)).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }

    /// What a written name stands for: an entity, a range or a pattern.
    fn named(&self, written: &str, found: &mut BTreeSet<usize>) -> bool {
        if let Some(at) = self.get(written) {
            found.insert(at);
            return true;
        }
        let Ok(pattern) = Pattern::wildcards(written) else {
            return false;
        };
        let all = self.0.iter();
        let matching: Vec<usize> = all
            .filter(|(name, _)| pattern.matches(name))
            .map(|(_, at)| *at)
            .collect();
        found.extend(&matching);
        !matching.is_empty()
    }
}

impl Sheet {
    pub(super) fn new(inventory: &Inventory, places: &Places<'_>, draft: &Draft) -> Self {
        match &draft.spec {
            GroupSpec::Named(name) => match inventory.group(name) {
                Some(group) => Self::of_group(places, group),
                None => Self::empty(name, draft.from_inventory),
            },
            GroupSpec::Made {
                name,
                image,
                source,
                entities,
                laggards,
                limits,
                parallel,
            } => {
                let mut members = BTreeSet::new();
                let missing = entities
                    .iter()
                    .filter(|written| !places.named(written, &mut members))
                    .cloned()
                    .collect();
                Self {
                    members: members.into_iter().collect(),
                    missing,
                    image: find_image(inventory, image),
                    source: find_source(inventory, places, source),
                    laggards: *laggards,
                    limits: *limits,
                    parallel: *parallel,
                    ..Self::empty(name, draft.from_inventory)
                }
            }
        }
    }

    fn empty(name: &str, from_inventory: bool) -> Self {
        Self {
            name: name.to_owned(),
            from_inventory,
            members: Vec::new(),
            missing: Vec::new(),
            image: Chosen::NotYet,
            source: Chosen::NotYet,
            laggards: Laggards::default(),
            limits: Limits::default(),
            parallel: None,
        }
    }

    fn of_group(places: &Places<'_>, group: &Group) -> Self {
        let members = group.entities.iter();
        let source = match &group.source {
            SourceChoice::FileServer(server) => Chosen::Known(Source::FileServer(server.clone())),
            SourceChoice::Peer(PeerChoice::Any(_)) => Chosen::Known(Source::AnyPeer),
            SourceChoice::Peer(PeerChoice::Named(peer)) => match places.get(&peer.name) {
                Some(at) => Chosen::Known(Source::Peer(at)),
                None => Chosen::Unknown(peer.name.to_string()),
            },
        };
        Self {
            members: members
                .filter_map(|entity| places.get(&entity.name))
                .collect(),
            image: Chosen::Known(group.image.clone()),
            source,
            laggards: group.laggards,
            limits: group.limits,
            parallel: group.parallel,
            ..Self::empty(&group.name, true)
        }
    }

    pub(super) fn manner(&self) -> Manner {
        Manner {
            laggards: self.laggards,
            limits: self.limits,
            parallel: self.parallel,
        }
    }

    /// The names of the members, runs of them folded.
    pub(crate) fn folded(&self, inventory: &Inventory) -> String {
        folded(inventory, &self.members)
    }

    /// The types of the members, each once. An entity whose type is not known has none.
    pub(crate) fn types<'a>(&self, inventory: &'a Inventory) -> BTreeSet<&'a str> {
        let types = self
            .members
            .iter()
            .map(|at| &*inventory.entities[*at].type_);
        types.filter(|type_| !type_.is_empty()).collect()
    }

    /// How many members have which version, in their natural order.
    pub(crate) fn versions<'a>(&self, inventory: &'a Inventory) -> Vec<(&'a str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for at in &self.members {
            *counts.entry(&inventory.entities[*at].version).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| natural(a.0, b.0));
        counts
    }

    /// Whether a member has the image already, as far as the inventory knows: it will be skipped.
    pub(crate) fn has_image(&self, inventory: &Inventory, at: usize) -> bool {
        let image = self.image.known();
        image.is_some_and(|image| inventory.entities[at].version == image.version)
    }

    /// The source in a word, as the operator would write it.
    pub(crate) fn source_label(&self, inventory: &Inventory) -> String {
        match &self.source {
            Chosen::NotYet => String::new(),
            Chosen::Unknown(name) => name.clone(),
            Chosen::Known(Source::FileServer(server)) => server.name.to_string(),
            Chosen::Known(Source::Peer(at)) => format!("peer:{}", inventory.entities[*at].name),
            Chosen::Known(Source::AnyPeer) => "peer:any".into(),
        }
    }
}

/// Where a file server is, as the inventory has it.
pub(crate) fn url(server: &FileServer) -> String {
    let scheme = match server.address.scheme {
        Scheme::Ftp => "ftp",
        Scheme::FtpsExplicit => "ftps",
        Scheme::FtpsImplicit => "ftps+implicit",
    };
    format!("{scheme}://{}/{}", server.address, server.root)
}

pub(crate) fn folded(inventory: &Inventory, members: &[usize]) -> String {
    let names: Vec<&Name> = members
        .iter()
        .map(|at| &inventory.entities[*at].name)
        .collect();
    names::compress(&names).join(", ")
}

fn find_image(inventory: &Inventory, spec: &ImageSpec) -> Chosen<Arc<Image>> {
    match spec {
        ImageSpec::Named(name) if name.is_empty() => Chosen::NotYet,
        ImageSpec::Named(name) => match inventory.image(name) {
            Some(image) => Chosen::Known(image.clone()),
            None => Chosen::Unknown(name.clone()),
        },
        ImageSpec::Described {
            name,
            file,
            type_,
            version,
            size,
        } => Chosen::Known(Arc::new(Image {
            name: name.as_str().into(),
            file: file.clone(),
            type_: type_.clone(),
            version: version.clone(),
            size: *size,
            sha256: None,
        })),
    }
}

fn find_source(inventory: &Inventory, places: &Places<'_>, spec: &SourceSpec) -> Chosen<Source> {
    match spec {
        SourceSpec::FileServer(name) | SourceSpec::Peer(name) if name.is_empty() => Chosen::NotYet,
        SourceSpec::FileServer(name) => match inventory.file_server(name) {
            Some(server) => Chosen::Known(Source::FileServer(server.clone())),
            None => Chosen::Unknown(name.clone()),
        },
        SourceSpec::Peer(name) => match places.get(name) {
            Some(at) => Chosen::Known(Source::Peer(at)),
            None => Chosen::Unknown(format!("peer:{name}")),
        },
        SourceSpec::AnyPeer => Chosen::Known(Source::AnyPeer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;

    fn sheet(entities: &[&str], image: ImageSpec, source: SourceSpec) -> (Inventory, Sheet) {
        let inventory = testing::inventory(testing::SITE);
        let draft = Draft {
            spec: GroupSpec::Made {
                name: "x".into(),
                image,
                source,
                entities: entities.iter().map(|name| (*name).to_owned()).collect(),
                laggards: Laggards::CatchUp,
                limits: Limits::default(),
                parallel: None,
            },
            from_inventory: false,
        };
        let sheet = Sheet::new(&inventory, &Places::new(&inventory), &draft);
        (inventory, sheet)
    }

    #[test]
    fn what_is_empty_was_not_chosen_and_what_is_gone_is_unknown() {
        let none = || ImageSpec::Named(String::new());
        let (_, sheet) = sheet(&[], none(), SourceSpec::FileServer(String::new()));
        assert_eq!(
            (sheet.image, sheet.source),
            (Chosen::NotYet, Chosen::NotYet)
        );
        let (inventory, sheet) = self::sheet(
            &[
                "shelf1-02",
                "gone",
                "shelf1-01",
                "shelf2-[04-05]",
                "shelf1-0[2-3]",
            ],
            ImageSpec::Named("old".into()),
            SourceSpec::Peer("gone".into()),
        );
        assert_eq!(sheet.folded(&inventory), "shelf1-[01-03], shelf2-[04-05]");
        assert_eq!(sheet.missing, ["gone"]);
        assert_eq!(sheet.image, Chosen::Unknown("old".into()));
        assert_eq!(sheet.source, Chosen::Unknown("peer:gone".into()));
        assert_eq!(sheet.versions(&inventory), [("1.8", 2), ("2.3", 3)]);
    }
}

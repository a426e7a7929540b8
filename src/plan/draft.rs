//! A group as it is asked for, its names looked up, and what is wrong with it by itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::campaign::Judged;
use crate::model::lookup::{Lookup, twice};
use crate::model::procedure::Versions;
use crate::model::rate::{Sharing, check_rate};
use crate::model::{
    Campaign, DeliveryPolicy, Flaw, Group, GroupSpec, Image, ImageSpec, Inventory, MadeGroup,
    PeerChoice, SourceChoice, SourceSpec, names,
};

use super::beside::Footprint;
use super::blocker::Blocker;

/// Something that is chosen by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen<T> {
    NotYet,
    /// There is nothing of this name.
    Unknown(String),
    Known(T),
}

impl<T> Chosen<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            _ => None,
        }
    }

    fn into_known(self) -> Option<T> {
        match self {
            Self::Known(known) => Some(known),
            _ => None,
        }
    }
}

/// A group that may have gaps and flaws: as far as its names could be looked up.
#[derive(Debug, Clone)]
pub struct ResolvedDraft {
    pub name: String,
    /// Entities by their index in the inventory, in its order, each once.
    pub members: Vec<usize>,
    pub image: Chosen<Arc<Image>>,
    /// The preferred one.
    pub source: Chosen<SourceChoice>,
    /// Those that go on where it fails, in this order.
    pub then: Vec<Chosen<SourceChoice>>,
    pub policy: DeliveryPolicy,
    pub campaign: Arc<Campaign>,
    /// All that is wrong with it.
    pub flaws: Vec<Flaw>,
}

impl ResolvedDraft {
    pub fn new(lookup: &Lookup<'_>, spec: &GroupSpec) -> Self {
        match spec {
            GroupSpec::Made(made) => Self::of_made(lookup, made),
            GroupSpec::Named(name) => match lookup.group(name) {
                Ok(group) => Self::of_group(lookup, group),
                Err(flaw) => Self {
                    name: name.clone(),
                    members: Vec::new(),
                    image: Chosen::NotYet,
                    source: Chosen::NotYet,
                    then: Vec::new(),
                    policy: DeliveryPolicy::default(),
                    campaign: Arc::default(),
                    flaws: vec![flaw],
                },
            },
        }
    }

    /// One of the inventory, which was judged when the file was read.
    fn of_group(lookup: &Lookup<'_>, group: &Group) -> Self {
        let members = group.entities.iter();
        Self {
            name: group.name.to_string(),
            members: (members.filter_map(|entity| lookup.index_of(&entity.name))).collect(),
            image: Chosen::Known(Arc::clone(&group.image)),
            source: Chosen::Known(group.source.clone()),
            then: group.then.iter().cloned().map(Chosen::Known).collect(),
            policy: group.policy(),
            campaign: Arc::clone(&group.campaign),
            flaws: Vec::new(),
        }
    }

    fn of_made(lookup: &Lookup<'_>, made: &MadeGroup) -> Self {
        let mut flaws = Vec::new();
        flaws.extend(names::check(&made.name).map_err(Flaw::BadName).err());
        let mut members = BTreeSet::new();
        for written in &made.entities {
            flaws.extend(lookup.named(written, &mut members).err());
        }
        if made.entities.is_empty() {
            flaws.push(Flaw::NoEntities);
        }
        if made.policy.parallel == Some(0) {
            flaws.push(Flaw::NoneAtATime);
        }
        flaws.extend(made.policy.limits.check().map_err(Flaw::BadLimit).err());
        if let Some(rate) = made.campaign.rate {
            let entities = members.iter().map(|at| &*lookup.entities[*at]);
            let sharing = Sharing::of(entities, made.policy.parallel);
            let survived = sharing.map_or(Ok(()), |sharing| sharing.check(rate));
            let checked = check_rate(rate).and(survived);
            flaws.extend(checked.map_err(Flaw::BadRate).err());
        }
        let image = image_of(lookup, &made.image, &mut flaws);
        if let Some(image) = image.known() {
            flaws.extend(lookup.wrong_types(image, members.iter().copied()));
            if made.policy.extent.activates() && !lookup.can_activate(&image.type_) {
                flaws.push(Flaw::NothingActivates(image.type_.clone()));
            }
        }
        let entities: Vec<_> = (members.iter()).map(|at| &*lookup.entities[*at]).collect();
        let image_known = image.known().map(|image| &**image);
        let judged = Judged {
            entities: &entities,
            all: lookup.entities,
            image: image_known,
            versions: image_known.map_or(Versions::None, |image| lookup.versions(&image.type_)),
        };
        flaws.extend(
            made.campaign
                .flaws(&judged)
                .into_iter()
                .map(Flaw::BadCampaign),
        );
        let is_only = made.then.is_empty();
        let mut of = |spec| source_of(lookup, (spec, is_only), image.known(), &members, &mut flaws);
        let source = of(&made.source);
        let then = made.then.iter().map(of).collect();
        let order: Vec<&SourceSpec> = std::iter::once(&made.source).chain(&made.then).collect();
        flaws.extend(twice(&order).map(|spec| Flaw::SourceTwice(spec.label())));
        Self {
            name: made.name.clone(),
            members: members.into_iter().collect(),
            image,
            source,
            then,
            policy: made.policy,
            campaign: Arc::new((*made.campaign).clone()),
            flaws,
        }
    }

    /// What it would take up.
    pub fn footprint(&self, inventory: &Inventory) -> Footprint {
        let image = self.image.known().map(|image| &**image);
        let known = self.sources().filter_map(Chosen::known);
        let mut footprint = Footprint::new(&self.name, image, known, false);
        for member in &self.members {
            footprint.add(&inventory.entities[*member], image);
        }
        footprint
    }

    /// In the order of preference.
    pub fn sources(&self) -> impl Iterator<Item = &Chosen<SourceChoice>> {
        std::iter::once(&self.source).chain(&self.then)
    }

    /// The sources in a word each, as the operator would write them; empty where none was chosen.
    pub fn source_label(&self) -> String {
        let label = |source: &Chosen<SourceChoice>| match source {
            Chosen::NotYet => String::new(),
            Chosen::Unknown(label) => label.clone(),
            Chosen::Known(source) => source.label(),
        };
        self.sources().map(label).collect::<Vec<_>>().join(", ")
    }

    /// The group, where it has neither gaps nor flaws.
    fn into_group(self, lookup: &Lookup<'_>) -> Result<Group, Vec<Flaw>> {
        let then = self.then.into_iter().map(Chosen::into_known).collect();
        match (self.image, self.source, then) {
            (Chosen::Known(image), Chosen::Known(source), Some(then)) if self.flaws.is_empty() => {
                let members = self.members.iter();
                let procedure = lookup.procedure(&image.type_);
                Ok(Group {
                    name: self.name.into(),
                    image,
                    source,
                    then,
                    entities: members
                        .map(|at| Arc::clone(&lookup.entities[*at]))
                        .collect(),
                    laggards: self.policy.laggards,
                    limits: self.policy.limits,
                    parallel: self.policy.parallel,
                    extent: self.policy.extent,
                    procedure,
                    campaign: self.campaign,
                })
            }
            _ => Err(self.flaws),
        }
    }
}

/// The image as far as it is known: also one that is described badly, so that it can be shown.
fn image_of(lookup: &Lookup<'_>, image: &ImageSpec, flaws: &mut Vec<Flaw>) -> Chosen<Arc<Image>> {
    if image.name().is_empty() && matches!(image, ImageSpec::Named(_)) {
        flaws.push(Flaw::NoImage);
        return Chosen::NotYet;
    }
    match look_up_image(lookup, image) {
        Ok(image) => Chosen::Known(image),
        Err(flaw) => {
            flaws.push(flaw);
            Chosen::Unknown(image.name().into())
        }
    }
}

fn look_up_image(lookup: &Lookup<'_>, image: &ImageSpec) -> Result<Arc<Image>, Flaw> {
    match image.described() {
        Some(described) => described.map(Arc::new).map_err(Flaw::BadImage),
        None => lookup.image(image.name()).cloned(),
    }
}

fn source_of(
    lookup: &Lookup<'_>,
    (spec, is_only): (&SourceSpec, bool),
    image: Option<&Arc<Image>>,
    members: &BTreeSet<usize>,
    flaws: &mut Vec<Flaw>,
) -> Chosen<SourceChoice> {
    match spec {
        SourceSpec::FileServer(name) | SourceSpec::Peer(name) if name.is_empty() => {
            flaws.push(Flaw::NoSource);
            Chosen::NotYet
        }
        SourceSpec::FileServer(name) => match lookup.file_server(name) {
            Ok(server) => Chosen::Known(SourceChoice::FileServer(Arc::clone(server))),
            Err(flaw) => {
                flaws.push(flaw);
                Chosen::Unknown(spec.label())
            }
        },
        SourceSpec::File(path) => match lookup.file(path) {
            Ok(path) => Chosen::Known(SourceChoice::File(path)),
            Err(flaw) => {
                flaws.push(flaw);
                Chosen::Unknown(spec.label())
            }
        },
        SourceSpec::Peer(name) => {
            let found = lookup.named_peer(name, image.map(|image| &**image), members);
            flaws.extend(found.err().unwrap_or_default());
            match lookup.index_of(name) {
                Some(at) => {
                    let peer = PeerChoice::Named(Arc::clone(&lookup.entities[at]));
                    Chosen::Known(SourceChoice::Peer(peer))
                }
                None => Chosen::Unknown(spec.label()),
            }
        }
        SourceSpec::AnyPeer => {
            let nobody = || PeerChoice::Any(Vec::new());
            let peers = image.map(|image| lookup.any_peer(image, members, is_only));
            Chosen::Known(SourceChoice::Peer(match peers {
                None => nobody(),
                Some(Ok(peers)) => peers,
                Some(Err(flaw)) => {
                    flaws.push(flaw);
                    nobody()
                }
            }))
        }
    }
}

/// The group that is meant.
///
/// # Errors
/// Every reason why there can't be such a group.
pub fn find(lookup: &Lookup<'_>, spec: &GroupSpec) -> Result<Arc<Group>, Vec<Blocker>> {
    let found = match spec {
        GroupSpec::Named(name) => lookup.group(name).cloned().map_err(|flaw| vec![flaw]),
        GroupSpec::Made(made) => {
            let draft = ResolvedDraft::of_made(lookup, made);
            draft.into_group(lookup).map(Arc::new)
        }
    };
    found.map_err(|flaws| {
        let named = |flaw| Blocker::Flaw {
            group: spec.name().into(),
            flaw,
        };
        flaws.into_iter().map(named).collect()
    })
}

/// Makes a group that is not in the inventory, by the rules of those that are.
///
/// # Errors
/// Every reason why there can't be such a group.
pub fn make_group(inventory: &Inventory, made: &MadeGroup) -> Result<Group, Vec<Flaw>> {
    let lookup = Lookup::new(inventory);
    ResolvedDraft::of_made(&lookup, made).into_group(&lookup)
}

/// The image that is meant.
///
/// # Errors
/// There is none of this name, or it is described badly.
pub fn find_image(inventory: &Inventory, image: &ImageSpec) -> Result<Arc<Image>, Flaw> {
    look_up_image(&Lookup::new(inventory), image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing;
    use crate::model::{BufferPreference, RemotePath};

    fn network() -> Inventory {
        let mut inventory = testing::inventory(8 << 20, BufferPreference::Size(256 << 10));
        inventory.file_servers = vec![Arc::new(testing::server())];
        let names = [("old", "1"), ("new", "2")];
        inventory.entities = names
            .map(|(name, version)| Arc::new(testing::entity(name, version)))
            .into();
        inventory
    }

    fn described(name: &str, file: &str, type_: &str, version: &str) -> ImageSpec {
        ImageSpec::Described {
            name: name.into(),
            file: file.into(),
            type_: type_.into(),
            version: version.into(),
            size: Some(7),
        }
    }

    fn made(image: &ImageSpec, source: SourceSpec) -> Result<Group, Vec<String>> {
        let made = MadeGroup {
            name: "g".into(),
            image: image.clone(),
            source,
            then: Vec::new(),
            entities: vec!["old".into()],
            policy: DeliveryPolicy::default(),
            campaign: Box::default(),
        };
        let said = |flaws: Vec<Flaw>| flaws.iter().map(ToString::to_string).collect();
        make_group(&network(), &made).map_err(said)
    }

    #[test]
    fn a_described_image_is_as_good_as_one_of_the_inventory() {
        let found = described("found", "new/adsl 2.bin", "adsl", "2");
        let server = SourceSpec::FileServer("hq".into());
        let group = made(&found, server).unwrap();
        assert_eq!(
            (&*group.image.name, group.image.size, group.image.sha256),
            ("found", Some(7), None)
        );
        let SourceChoice::FileServer(server) = &group.source else {
            panic!("{group:?}");
        };
        let path = RemotePath::new("/images/new/adsl 2.bin");
        assert_eq!(server.path_of(&group.image), path);
        // Peers of its version have it.
        let group = made(&found, SourceSpec::AnyPeer).unwrap();
        let SourceChoice::Peer(PeerChoice::Any(peers)) = &group.source else {
            panic!("{group:?}");
        };
        assert_eq!((peers.len(), &*peers[0].name), (1, "new"));
        assert_eq!(find_image(&network(), &found).unwrap(), group.image);
    }

    #[test]
    fn what_is_described_badly_is_refused() {
        let wrong = |image: ImageSpec| {
            let reasons = made(&image, SourceSpec::FileServer("hq".into())).unwrap_err();
            assert!(find_image(&network(), &image).is_err());
            reasons.join("\n")
        };
        let mut empty = described("n", "f", "adsl", "2");
        if let ImageSpec::Described { size, .. } = &mut empty {
            *size = Some(0);
        }
        for (image, words) in [
            (described(" ", "f", "adsl", "2"), "no usable name"),
            (described("n", "", "adsl", "2"), "no usable file"),
            (described("n", "f\r\nDELE f", "adsl", "2"), "no usable file"),
            (described("n", "f", "adsl", ""), "no usable version"),
            (
                described("n", "../f", "adsl", "2"),
                "leaves the file server's folder",
            ),
            (
                described("n", "a/../../f", "adsl", "2"),
                "leaves the file server's folder",
            ),
            (described("n", "a/", "adsl", "2"), "has an empty part"),
            (described("n", "/f", "adsl", "2"), "begins with `/`"),
            (described("n", "f\u{7}", "adsl", "2"), "no usable file"),
            (empty, "a size of 0"),
        ] {
            let said = wrong(image);
            assert!(said.contains(words), "{said}");
        }
        // A good image for other entities.
        let reasons = made(
            &described("n", "f", "vdsl", "2"),
            SourceSpec::FileServer("hq".into()),
        );
        let said = reasons.unwrap_err().join("\n");
        assert!(said.contains("vdsl") && said.contains("adsl"), "{said}");
        // None of the inventory is called so.
        let unknown = find_image(&network(), &ImageSpec::Named("n".into())).unwrap_err();
        let unknown = unknown.to_string();
        assert!(unknown.contains("`n`"), "{unknown}");
    }
}

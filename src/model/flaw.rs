//! Why there can be no such group, whatever runs: typed, and said in one place.
//!
//! The inventory shows a flaw with its line and column; [`crate::plan`] shows it with the group's name.

use super::campaign::BadCampaign;
use super::complaint::{Complaint, some_of};
use super::inventory::Name;
use super::limits::BadLimit;
use super::text::quoted;

/// What can be referred to by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    Group,
    Image,
    FileServer,
    Entity,
    /// An entity that the image is to be read from.
    Peer,
}

impl Thing {
    fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Image => "image",
            Self::FileServer => "file server",
            Self::Entity | Self::Peer => "entity",
        }
    }

    /// Where the inventory describes it.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Group => "groups",
            Self::Image => "images",
            Self::FileServer => "file_servers",
            Self::Entity | Self::Peer => "entities",
        }
    }
}

/// One thing that is wrong with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    BadName(Complaint),
    /// None is named.
    NoEntities,
    /// None was chosen yet.
    NoImage,
    NoSource,
    /// The inventory has nothing of this name; `help` is what was probably meant, or what there is.
    Unknown {
        what: Thing,
        name: String,
        help: String,
    },
    BadPattern(Complaint),
    /// A pattern that no entity's name fits.
    NothingMatches(String),
    /// Names of a range that no entity has.
    MissingOfRange(Vec<String>),
    /// An image that the inventory does not list is described badly.
    BadImage(Complaint),
    /// Entities of one type that the image is not for. A type that is not known is none that it is
    /// for.
    WrongType {
        entities: Vec<Name>,
        type_: String,
        image: Name,
        for_type: String,
    },
    PeerWrongType {
        peer: Name,
        type_: String,
        image: Name,
        for_type: String,
    },
    PeerWrongVersion {
        peer: Name,
        version: String,
        image: Name,
        wanted: String,
    },
    PeerIsTarget(Name),
    /// It is written over a protocol that files can't be read with.
    PeerCantGive {
        peer: Name,
        protocol: &'static str,
    },
    /// A source that is no file of this host; `why` follows on its path.
    BadFile {
        path: String,
        why: String,
    },
    /// A source that stands twice in the order, by its label.
    SourceTwice(String),
    /// No entity is known to have the image.
    NobodyHasIt {
        image: Name,
        type_: String,
        version: String,
    },
    NoneAtATime,
    BadLimit(BadLimit),
    /// A cap without sense, or that the entities don't survive.
    BadRate(Complaint),
    BadCampaign(BadCampaign),
    /// Images of this type are to be activated, and no procedure says how.
    NothingActivates(String),
}

impl Flaw {
    /// What is wrong, and what to write instead.
    pub fn complaint(&self) -> Complaint {
        Complaint::new(self.message(), self.help())
    }

    fn message(&self) -> String {
        match self {
            Self::BadName(known)
            | Self::BadPattern(known)
            | Self::BadImage(known)
            | Self::BadRate(known) => known.message.clone(),
            Self::BadLimit(limit) => limit.message.clone(),
            Self::BadCampaign(bad) => bad.complaint.message.clone(),
            Self::NoEntities => "no entities are named".into(),
            Self::NoImage => "no image is chosen".into(),
            Self::NoSource => "no source is chosen".into(),
            Self::NoneAtATime => "no entity at a time is too few".into(),
            Self::Unknown { what, name, .. } => {
                format!("there is no {} {}", what.word(), quoted(name))
            }
            Self::NothingMatches(pattern) => {
                format!("no entity is called like {}", quoted(pattern))
            }
            Self::MissingOfRange(missing) => missing_of_range(missing),
            Self::WrongType {
                entities,
                type_,
                image,
                for_type,
            } => wrong_type(entities, type_, image, for_type),
            Self::PeerWrongType {
                peer,
                type_,
                image,
                for_type,
            } => {
                let [peer, image] = [peer, image].map(|name| quoted(name));
                let (type_, for_type) = (kind(type_), quoted(for_type));
                format!(
                    "the peer {peer} is of {type_}, and the image {image} is for type {for_type}"
                )
            }
            Self::PeerWrongVersion {
                peer,
                version,
                image,
                wanted,
            } => {
                let [peer, image] = [peer, image].map(|name| quoted(name));
                let [version, wanted] = [version, wanted].map(|version| quoted(version));
                format!(
                    "the peer {peer} has version {version}, and the image {image} is version {wanted}"
                )
            }
            Self::PeerIsTarget(peer) => {
                format!("the peer {} is a target of the group too", quoted(peer))
            }
            Self::PeerCantGive { peer, protocol } => {
                format!(
                    "nothing can be read from the peer {} over {protocol}",
                    quoted(peer)
                )
            }
            Self::BadFile { path, why } => {
                format!("{} can't be a file of this host: {why}", quoted(path))
            }
            Self::SourceTwice(label) => {
                format!("the source {} stands twice in the order", quoted(label))
            }
            Self::NothingActivates(type_) => {
                let type_ = quoted(type_);
                format!("type {type_} has no procedure with `activate`")
            }
            Self::NobodyHasIt {
                image,
                type_,
                version,
            } => {
                let [type_, version] = [type_, version].map(|text| quoted(text));
                let image = quoted(image);
                format!(
                    "no entity of type {type_} has version {version}: there is no peer to read {image} from"
                )
            }
        }
    }

    fn help(&self) -> &str {
        match self {
            Self::BadName(known)
            | Self::BadPattern(known)
            | Self::BadImage(known)
            | Self::BadRate(known) => &known.help,
            Self::BadLimit(limit) => &limit.help,
            Self::BadCampaign(bad) => &bad.complaint.help,
            Self::NoEntities => "name at least one",
            Self::NoImage | Self::NoSource => "choose one",
            Self::NoneAtATime => "give a number from 1, or none for all at a time",
            Self::Unknown { help, .. } => help,
            Self::NothingMatches(_) => {
                "`*` stands for any characters, `?` for one; see the names under `entities`"
            }
            Self::MissingOfRange(_) => {
                "write a range whose names are all under `entities`, or a pattern with `*`"
            }
            Self::WrongType { .. } => {
                "choose an image of the entities' type, or leave these entities out"
            }
            Self::PeerWrongType { .. } => {
                "name a peer of the image's type, or write `{ peer: any }`"
            }
            Self::PeerWrongVersion { .. } => {
                "name a peer that has the image, or correct its `version` under `entities`"
            }
            Self::PeerIsTarget(_) => {
                "leave it out of the group (by its version, for example), or name another peer"
            }
            Self::PeerCantGive { .. } => "name another peer, or a file server",
            Self::BadFile { .. } => "write its whole path, like `/media/usb/adsl-2.4.bin`",
            Self::SourceTwice(_) => {
                "leave it out at the later place: what failed is tried again anyway"
            }
            Self::NothingActivates(_) => {
                "describe one under `procedures` and name it under `types`; without it images are delivered, and \
                 not activated"
            }
            Self::NobodyHasIt { .. } => {
                "read it from a file server, or correct the `version` of the entity that has it"
            }
        }
    }
}

fn missing_of_range(missing: &[String]) -> String {
    let entities = match missing {
        [_] => "is no entity",
        _ => "are no entities",
    };
    let missing = some_of(missing.iter().map(String::as_str));
    format!("there {entities} {missing}")
}

fn wrong_type(entities: &[Name], type_: &str, image: &str, for_type: &str) -> String {
    let are = if entities.len() == 1 { "is" } else { "are" };
    let (image, for_type) = (quoted(image), quoted(for_type));
    let (entities, type_) = (some_of(entities.iter().map(|name| &**name)), kind(type_));
    format!("the image {image} is for type {for_type}, and {entities} {are} of {type_}")
}

/// Of an entity; `` type `adsl` `` where it has one.
fn kind(type_: &str) -> String {
    match type_ {
        "" => "no known type".into(),
        type_ => format!("type {}", quoted(type_)),
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.complaint().fmt(f)
    }
}

impl std::error::Error for Flaw {}

impl From<Flaw> for Complaint {
    fn from(flaw: Flaw) -> Self {
        flaw.complaint()
    }
}

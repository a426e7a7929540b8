//! Why there can be no such group, whatever runs: typed, and said in one place.
//!
//! The inventory shows a flaw with its line and column; [`crate::plan`] shows it with the group's name.

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
    /// No entity is known to have the image.
    NobodyHasIt {
        image: Name,
        type_: String,
        version: String,
    },
    NoneAtATime,
    BadLimit(BadLimit),
}

impl Flaw {
    /// What is wrong, and what to write instead.
    pub fn complaint(&self) -> Complaint {
        let (message, help) = match self {
            Self::BadName(complaint) | Self::BadPattern(complaint) | Self::BadImage(complaint) => {
                return complaint.clone();
            }
            Self::BadLimit(BadLimit { message, help }) => {
                return Complaint::new(message.clone(), help.clone());
            }
            Self::NoEntities => ("no entities are named".into(), "name at least one"),
            Self::NoImage => ("no image is chosen".into(), "choose one"),
            Self::NoSource => ("no source is chosen".into(), "choose one"),
            Self::Unknown { what, name, help } => (
                format!("there is no {} {}", what.word(), quoted(name)),
                help.as_str(),
            ),
            Self::NothingMatches(pattern) => (
                format!("no entity is called like {}", quoted(pattern)),
                "`*` stands for any characters, `?` for one; see the names under `entities`",
            ),
            Self::MissingOfRange(missing) => {
                let entities = match missing.as_slice() {
                    [_] => "is no entity",
                    _ => "are no entities",
                };
                let missing = some_of(missing.iter().map(String::as_str));
                (
                    format!("there {entities} {missing}"),
                    "write a range whose names are all under `entities`, or a pattern with `*`",
                )
            }
            Self::WrongType {
                entities,
                type_,
                image,
                for_type,
            } => (
                format!(
                    "the image {} is for type {}, and {} {} of {}",
                    quoted(image),
                    quoted(for_type),
                    some_of(entities.iter().map(|name| &**name)),
                    if entities.len() == 1 { "is" } else { "are" },
                    type_in_words(type_),
                ),
                "choose an image of the entities' type, or leave these entities out",
            ),
            Self::PeerWrongType {
                peer,
                type_,
                image,
                for_type,
            } => (
                format!(
                    "the peer {} is of {}, and the image {} is for type {}",
                    quoted(peer),
                    type_in_words(type_),
                    quoted(image),
                    quoted(for_type),
                ),
                "name a peer of the image's type, or write `{ peer: any }`",
            ),
            Self::PeerWrongVersion {
                peer,
                version,
                image,
                wanted,
            } => (
                format!(
                    "the peer {} has version {}, and the image {} is version {}",
                    quoted(peer),
                    quoted(version),
                    quoted(image),
                    quoted(wanted),
                ),
                "name a peer that has the image, or correct its `version` under `entities`",
            ),
            Self::PeerIsTarget(peer) => (
                format!("the peer {} is a target of the group too", quoted(peer)),
                "leave it out of the group (by its version, for example), or name another peer",
            ),
            Self::NobodyHasIt {
                image,
                type_,
                version,
            } => (
                format!(
                    "no entity of type {} has version {}: there is no peer to read {} from",
                    quoted(type_),
                    quoted(version),
                    quoted(image),
                ),
                "read it from a file server, or correct the `version` of the entity that has it",
            ),
            Self::NoneAtATime => (
                "no entity at a time is too few".into(),
                "give a number from 1, or none for all at a time",
            ),
        };
        Complaint::new(message, help)
    }
}

/// Of an entity; `` type `adsl` `` where it has one.
fn type_in_words(type_: &str) -> String {
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

//! Groups: entities that get the same image. As the engine runs them ([`Group`]), and as they are
//! asked for, by name ([`GroupSpec`]).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::campaign::Campaign;
use super::complaint::Complaint;
use super::inventory::{Entity, FileServer, Image, Name};
use super::procedure::{Extent, Procedure};
use super::remote::RemotePath;

/// Entities that get the same image (\[0019\]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: Name,
    pub image: Arc<Image>,
    /// The preferred one.
    pub source: SourceChoice,
    /// Those that go on where the preferred one fails, in this order. With any, nothing else is read but
    /// entities that the run has delivered.
    pub then: Vec<SourceChoice>,
    pub entities: Vec<Arc<Entity>>,
    pub laggards: Laggards,
    pub limits: Limits,
    /// Maximum number of entities served at one time; `None` is unlimited.
    pub parallel: Option<usize>,
    pub extent: Extent,
    /// That of the image's type, if it has one.
    pub procedure: Option<Arc<Procedure>>,
    pub campaign: Arc<Campaign>,
}

impl Group {
    pub fn policy(&self) -> DeliveryPolicy {
        DeliveryPolicy {
            laggards: self.laggards,
            limits: self.limits,
            parallel: self.parallel,
            extent: self.extent,
        }
    }

    /// In the order of preference.
    pub fn sources(&self) -> impl Iterator<Item = &SourceChoice> + Clone {
        std::iter::once(&self.source).chain(&self.then)
    }

    /// The entities that it may be read from.
    pub fn peers(&self) -> impl Iterator<Item = &Arc<Entity>> {
        self.sources().flat_map(SourceChoice::peers)
    }

    /// The file servers that it may be read from.
    pub fn file_servers(&self) -> impl Iterator<Item = &Arc<FileServer>> {
        self.sources().filter_map(|source| match source {
            SourceChoice::FileServer(server) => Some(server),
            SourceChoice::File(_) | SourceChoice::Peer(_) => None,
        })
    }

    /// Whether an entity already has this group's image, as far as the inventory knows.
    pub fn has_image(&self, entity: &Entity) -> bool {
        self.image.is_on(entity)
    }

    /// Why an entity that [has it](Self::has_image) is skipped.
    pub fn has_image_in_words(&self, entity: &Entity) -> String {
        format!("the inventory says it is at version {}", entity.version)
    }
}

/// What a file of this host begins with among labels of sources.
const FILE: &str = "file:";

/// Where a group's image is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceChoice {
    FileServer(Arc<FileServer>),
    /// The image's file on this host, by its whole path.
    File(RemotePath),
    Peer(PeerChoice),
}

/// An entity that already has the image (Figure 4, \[0027\]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerChoice {
    Named(Arc<Entity>),
    /// Whichever of these has it: of the image's type and version, and not about to be written.
    Any(Vec<Arc<Entity>>),
}

impl SourceChoice {
    /// The entities that it may be read from.
    pub fn peers(&self) -> &[Arc<Entity>] {
        match self {
            Self::FileServer(_) | Self::File(_) => &[],
            Self::Peer(PeerChoice::Named(peer)) => std::slice::from_ref(peer),
            Self::Peer(PeerChoice::Any(peers)) => peers,
        }
    }

    /// What the operator wrote: the file server's name, `file:PATH`, `peer:NAME` or `peer:any`.
    pub fn label(&self) -> String {
        match self {
            Self::FileServer(server) => server.name.to_string(),
            Self::File(path) => format!("{FILE}{path}"),
            Self::Peer(PeerChoice::Named(entity)) => format!("peer:{}", entity.name),
            Self::Peer(PeerChoice::Any(_)) => "peer:any".into(),
        }
    }
}

/// What happens to an entity that holds up the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Laggards {
    #[default]
    CatchUp,
    Wait,
    Drop,
}

impl Laggards {
    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        match self {
            Self::CatchUp => "catch-up",
            Self::Wait => "wait",
            Self::Drop => "drop",
        }
    }
}

/// How long a group bears with entities that hold up the others, and with faults that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// How long an entity may hold up the others before `catch-up` or `drop` acts.
    pub laggard: Duration,
    /// How many times an entity is tried again after a transient failure.
    pub retries: u32,
    /// No attempt is due later than this after the first failure. It begins a little later where
    /// others are tried again too, and gather for one reading of the image.
    pub retry_for: Duration,
}

impl Default for Limits {
    /// A device that writes its flash pauses for a few hundred milliseconds, and one that reboots
    /// is back after a minute or two.
    fn default() -> Self {
        Self {
            laggard: Duration::from_secs(2),
            retries: 8,
            retry_for: Duration::from_secs(300),
        }
    }
}

/// How a group is sent to, where that is left open to the operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryPolicy {
    #[serde(default)]
    pub laggards: Laggards,
    #[serde(default, skip_serializing_if = "Limits::are_default")]
    pub limits: Limits,
    /// The maximum number of entities at a time; `None` is all.
    #[serde(default)]
    pub parallel: Option<usize>,
    #[serde(default, skip_serializing_if = "Extent::is_default")]
    pub extent: Extent,
}

/// A group of the inventory, or one made on the spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there are few of them")]
pub enum GroupSpec {
    Named(String),
    Made(MadeGroup),
}

/// A group made on the spot, its parts by name. While it is being made, an image or a source that
/// was not chosen yet has no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeGroup {
    pub name: String,
    pub image: ImageSpec,
    /// The preferred one.
    pub source: SourceSpec,
    /// Those that go on where the preferred one fails, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<SourceSpec>,
    /// Names, ranges and patterns.
    pub entities: Vec<String>,
    #[serde(flatten)]
    pub policy: DeliveryPolicy,
    #[serde(default, skip_serializing_if = "Campaign::is_default")]
    pub campaign: Box<Campaign>,
}

impl GroupSpec {
    /// A group as it is, so that one like it can be made again.
    pub fn of(group: &Group) -> Self {
        let entities = group.entities.iter();
        Self::Made(MadeGroup {
            name: group.name.to_string(),
            image: ImageSpec::of(&group.image),
            source: SourceSpec::of(&group.source),
            then: group.then.iter().map(SourceSpec::of).collect(),
            entities: entities.map(|entity| entity.name.to_string()).collect(),
            policy: group.policy(),
            campaign: Box::new((*group.campaign).clone()),
        })
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Made(MadeGroup { name, .. }) => name,
        }
    }
}

impl MadeGroup {
    /// Makes a source the preferred one of an order, in which the others keep theirs; the one that is
    /// preferred already becomes the only one. Where there is one source alone, it takes its place.
    pub fn prefer(&mut self, source: SourceSpec) {
        if source == self.source {
            self.then.clear();
        } else if self.then.is_empty() {
            self.source = source;
        } else {
            self.then.retain(|other| *other != source);
            let before = std::mem::replace(&mut self.source, source);
            self.then.insert(0, before);
        }
    }
}

/// Where the image of a group made on the spot is to be read from, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceSpec {
    FileServer(String),
    /// A whole path on this host.
    File(String),
    Peer(String),
    AnyPeer,
}

impl SourceSpec {
    pub fn of(source: &SourceChoice) -> Self {
        match source {
            SourceChoice::FileServer(server) => Self::FileServer(server.name.to_string()),
            SourceChoice::File(path) => Self::File(path.to_string()),
            SourceChoice::Peer(PeerChoice::Named(peer)) => Self::Peer(peer.name.to_string()),
            SourceChoice::Peer(PeerChoice::Any(_)) => Self::AnyPeer,
        }
    }

    /// What was written, as [`SourceChoice::label`].
    pub fn label(&self) -> String {
        match self {
            Self::FileServer(name) => name.clone(),
            Self::File(path) => format!("{FILE}{path}"),
            Self::Peer(name) => format!("peer:{name}"),
            Self::AnyPeer => "peer:any".into(),
        }
    }

    /// From a [label](Self::label).
    pub fn from_label(label: &str) -> Self {
        match (label.strip_prefix("peer:"), label.strip_prefix(FILE)) {
            (Some("any"), _) => Self::AnyPeer,
            (Some(peer), _) => Self::Peer(peer.into()),
            (None, Some(path)) => Self::File(path.into()),
            (None, None) => Self::FileServer(label.into()),
        }
    }
}

/// An image of the inventory by its name, or one that the inventory does not list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImageSpec {
    Named(String),
    Described {
        name: String,
        /// Below a file server's url.
        file: String,
        #[serde(rename = "type")]
        type_: String,
        version: String,
        #[serde(default)]
        size: Option<u64>,
    },
}

impl ImageSpec {
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Described { name, .. } => name,
        }
    }

    /// An image as it is, whether the inventory lists it or not.
    pub fn of(image: &Image) -> Self {
        Self::Described {
            name: image.name.to_string(),
            file: image.file.clone(),
            type_: image.type_.clone(),
            version: image.version.clone(),
            size: image.size,
        }
    }

    /// The image that is described, by the rules of those that an inventory lists; `None` for one
    /// that is named.
    ///
    /// # Errors
    /// What is wrong with the description.
    pub fn described(&self) -> Option<Result<Image, Complaint>> {
        let Self::Described {
            name,
            file,
            type_,
            version,
            size,
        } = self
        else {
            return None;
        };
        let texts = [
            ("name", name),
            ("file", file),
            ("type", type_),
            ("version", version),
        ];
        for (what, text) in texts {
            if text.trim().is_empty() || text.chars().any(char::is_control) {
                let message = format!("the image has no usable {what}");
                return Some(Err(Complaint::new(message, "write one")));
            }
        }
        if let Err(complaint) = Image::check_file(file) {
            return Some(Err(complaint));
        }
        if *size == Some(0) {
            let message = "the image has a size of 0";
            let help = "an empty file is no image: choose another, or leave the size out";
            return Some(Err(Complaint::new(message, help)));
        }
        Some(Ok(Image {
            name: name.as_str().into(),
            file: file.clone(),
            type_: type_.clone(),
            version: version.clone(),
            size: *size,
            sha256: None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_chosen_comes_first_and_the_others_keep_their_order() {
        let spec = |label: &&str| SourceSpec::from_label(label);
        let prefer = |order: &[&str], chosen: &str| {
            let mut made = MadeGroup {
                name: "g".into(),
                image: ImageSpec::Named("i".into()),
                source: spec(&order[0]),
                then: order[1..].iter().map(spec).collect(),
                entities: Vec::new(),
                policy: DeliveryPolicy::default(),
                campaign: Box::default(),
            };
            made.prefer(SourceSpec::from_label(chosen));
            let all = std::iter::once(&made.source).chain(&made.then);
            all.map(SourceSpec::label).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(prefer(&["hq"], "peer:any"), "peer:any");
        let order = &["hq", "file:/media/a.bin", "peer:any"];
        assert_eq!(prefer(order, "peer:any"), "peer:any hq file:/media/a.bin");
        assert_eq!(
            prefer(order, "other"),
            "other hq file:/media/a.bin peer:any"
        );
        assert_eq!(prefer(order, "hq"), "hq", "the first again: it alone");
    }
}

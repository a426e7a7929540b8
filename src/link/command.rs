//! What a watcher can ask of the engine.

use serde::{Deserialize, Serialize};

use crate::model::{ImageSpec, Laggards, Limits, SourceSpec};

/// Names refer to the inventory that the engine was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Starts groups; others that run go on, and the memory is shared anew.
    Start {
        groups: Vec<GroupSpec>,
        force: bool,
    },
    Cancel {
        target: Target,
    },
    /// A password that the operator was asked for. It lives in the engine alone from here on.
    Login {
        credentials: String,
        password: Secret,
    },
    /// Which entities hold an image: answered by [`Event::Peers`](super::Event::Peers).
    AskPeers {
        image: ImageSpec,
    },
    /// What is in a directory of a file server, below its url: answered by
    /// [`Event::Directory`](super::Event::Directory).
    Browse {
        server: String,
        path: String,
    },
    /// Looks at what these groups need, without changing anything: answered by
    /// [`Event::Probed`](super::Event::Probed), as many as it takes.
    Probe {
        groups: Vec<GroupSpec>,
        /// Entities that have the image are looked at too.
        force: bool,
    },
    /// What the entities of these groups hold at their final path: answered by
    /// [`Event::Held`](super::Event::Held), as many as it takes.
    Verify {
        groups: Vec<GroupSpec>,
        /// Sizes are compared, and nothing is read.
        size_only: bool,
    },
    /// Ends all [`Self::Probe`] and [`Self::Verify`]; their last answers say so.
    StopLooking,
    /// No more groups will be started: the engine ends when those that run have ended.
    Finish,
}

/// A group of the inventory, or one made on the spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "there are few of them")]
pub enum GroupSpec {
    Named(String),
    Made {
        name: String,
        image: ImageSpec,
        source: SourceSpec,
        entities: Vec<String>,
        #[serde(default)]
        laggards: Laggards,
        #[serde(default, skip_serializing_if = "Limits::are_default")]
        limits: Limits,
        #[serde(default)]
        parallel: Option<usize>,
    },
}

impl GroupSpec {
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Made { name, .. } => name,
        }
    }
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    All,
    Group(String),
    Entity { group: String, entity: String },
}

/// A password on its way to the engine. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

//! What a watcher can ask of the engine.

use serde::{Deserialize, Serialize};

use crate::model::{Laggards, SourceSpec};

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
    /// No more groups will be started: the engine ends when those that run have ended.
    Finish,
}

/// A group of the inventory, or one made on the spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GroupSpec {
    Named(String),
    Made {
        name: String,
        image: String,
        source: SourceSpec,
        entities: Vec<String>,
        #[serde(default)]
        laggards: Laggards,
        #[serde(default)]
        parallel: Option<usize>,
    },
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    All,
    Group(String),
    Entity { group: String, entity: String },
}

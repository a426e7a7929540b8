//! What a watcher can ask of the engine.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::continued::Continued;
use crate::model::{Capped, GroupSpec, ImageSpec};

/// Names refer to the inventory that the engine was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Starts groups; others that run go on, and the memory is shared anew.
    Start {
        groups: Vec<GroupSpec>,
        force: bool,
    },
    /// Goes on with groups of a run that was left: a run of its own, which has the ends of that one in it.
    Continue {
        groups: Vec<Continued>,
    },
    Cancel {
        target: Target,
    },
    /// Lets no other entity of a group begin; those that are under way go on.
    Pause {
        group: String,
    },
    /// Lets a group go on that is paused, for whatever reason.
    Resume {
        group: String,
        /// The pause that was looked at: since when it is there. Another one is not ended by this.
        #[serde(default)]
        since: Option<Timestamp>,
    },
    /// Changes a cap while it is in use, sets one or lifts one: reported by
    /// [`Event::Campaign`](super::Event::Campaign) of a group, and by [`Event::Notice`](super::Event::Notice).
    Rate {
        on: Capped,
        /// Bytes a second; `None`: as fast as it goes.
        rate: Option<u64>,
    },
    /// What credentials log in with, a password, passphrase or token. It lives in the engine alone from here on.
    Login {
        credentials: String,
        /// On the wire by the name that it has in protocol 1 of the link.
        #[serde(rename = "password")]
        secret: Secret,
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
    /// Ends all [`Self::Probe`], [`Self::Verify`], [`Self::AskPeers`] and [`Self::Browse`]; their last
    /// answers say so.
    CancelInspection,
    /// No more groups will be started: the engine ends when those that run have ended.
    Finish,
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    All,
    Group(String),
    Entity { group: String, entity: String },
}

/// A secret on its way to the engine: wiped when it is dropped, and not shown by `Debug`. It is
/// serialised as it is, for the link alone.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A `String` is taken over: one that was made longer while it was filled leaves copies behind
    /// in memory.
    pub fn new(secret: impl Into<SecretString>) -> Self {
        Self(secret.into())
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_crosses_the_link_and_debug_does_not_show_it() {
        let command = Command::Login {
            credentials: "craft".into(),
            secret: Secret::new("open \"sesame\""),
        };
        let line = serde_json::to_string(&command).unwrap();
        assert_eq!(serde_json::from_str::<Command>(&line).unwrap(), command);
        assert!(!format!("{command:?} {command:#?}").contains("sesame"));
        let other = line.replace("sesame", "barley");
        assert_ne!(serde_json::from_str::<Command>(&other).unwrap(), command);
        // An engine of an earlier build takes it too.
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["password"], "open \"sesame\"");
    }
}

//! States and outcomes, named as in the JSON lines.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an entity stands in a run. The last six are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntityState {
    Waiting,
    Connecting,
    /// The steps of its procedure that come before the image.
    Preparing,
    Sending,
    /// The device asks for the image, or is being sent what it asked for.
    Fetching,
    CatchingUp,
    /// All bytes are sent; the entity has not yet said that it stored them.
    Confirming,
    Verifying,
    Retrying,
    /// It can't be reached, and is asked again later.
    Offline,
    /// The image is in place, and the device is made to run it, or its previous one again.
    Activating,
    /// It was made to start anew, and is waited for.
    Restarting,
    /// It is asked what it runs.
    Checking,
    Delivered,
    /// It said itself that it runs the image.
    Upgraded,
    Skipped,
    Failed,
    /// It said itself that it runs its previous image again.
    RolledBack,
    Cancelled,
}

impl EntityState {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 19] = [
        Self::Waiting,
        Self::Connecting,
        Self::Preparing,
        Self::Sending,
        Self::Fetching,
        Self::CatchingUp,
        Self::Confirming,
        Self::Verifying,
        Self::Retrying,
        Self::Offline,
        Self::Activating,
        Self::Restarting,
        Self::Checking,
        Self::Delivered,
        Self::Upgraded,
        Self::Skipped,
        Self::Failed,
        Self::RolledBack,
        Self::Cancelled,
    ];

    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Delivered
                | Self::Upgraded
                | Self::Skipped
                | Self::Failed
                | Self::RolledBack
                | Self::Cancelled
        )
    }

    /// Whether nothing is left to do: it has the image, and, where that was asked for, runs it.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Delivered | Self::Upgraded | Self::Skipped)
    }

    /// Whether it takes bytes from the first pass.
    pub fn is_sending(self) -> bool {
        matches!(self, Self::Sending | Self::Fetching)
    }

    /// Whether it takes bytes.
    pub fn takes_bytes(self) -> bool {
        self.is_sending() || self == Self::CatchingUp
    }

    /// Whether the device is being made to run an image, or its previous one.
    pub fn is_activating(self) -> bool {
        matches!(self, Self::Activating | Self::Restarting | Self::Checking)
    }

    /// Whether the image of this run is in place.
    pub fn has_image(self) -> bool {
        matches!(
            self,
            Self::Activating | Self::Restarting | Self::Checking | Self::Delivered | Self::Upgraded
        )
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Preparing => "preparing",
            Self::Sending => "sending",
            Self::Fetching => "fetching",
            Self::CatchingUp => "catching-up",
            Self::Confirming => "confirming",
            Self::Verifying => "verifying",
            Self::Retrying => "retrying",
            Self::Offline => "offline",
            Self::Activating => "activating",
            Self::Restarting => "restarting",
            Self::Checking => "checking",
            Self::Delivered => "delivered",
            Self::Upgraded => "upgraded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for EntityState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an entity stands, as people are shown it: a copy whose content nobody has looked at is not
/// shown like one that is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    In(EntityState),
    /// Delivered, by its size alone or without any check.
    Unproven,
}

impl Standing {
    pub fn of(state: EntityState, verified: Verified) -> Self {
        match state {
            EntityState::Delivered if !verified.is_proof() => Self::Unproven,
            state => Self::In(state),
        }
    }

    /// As wide as a state at most.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In(state) => state.as_str(),
            Self::Unproven => "unproven",
        }
    }
}

impl From<EntityState> for Standing {
    fn from(state: EntityState) -> Self {
        Self::In(state)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an entity's copy was checked before the rename, as it was really done (promise 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// The entity computed a digest of its copy (`HASH`, `XSHA256`, `XSHA1`, `XMD5`, `XCRC`).
    Digest,
    /// The copy was read back and its SHA-256 compared.
    Readback,
    /// The entity reported the right size.
    Size,
    None,
}

impl Verified {
    /// Whether the content of the copy was looked at: a size proves none.
    pub fn is_proof(self) -> bool {
        matches!(self, Self::Digest | Self::Readback)
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Digest => "digest",
            Self::Readback => "readback",
            Self::Size => "size",
            Self::None => "none",
        })
    }
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every entity was delivered, or skipped because it already has the image.
    Delivered,
    /// Some entities were delivered.
    Partial,
    /// None was.
    Failed,
    Cancelled,
    /// Some entity has not begun or is offline, and nothing is under way: it goes on later.
    Waiting,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Delivered => "delivered",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Waiting => "waiting",
        })
    }
}

/// What a group is waiting for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Bottleneck {
    Source,
    Entity(super::Name),
    Memory,
    /// What it is on holds the group to its rate.
    Cap(super::Capped),
    #[default]
    None,
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("source"),
            Self::Entity(name) => write!(f, "entity:{name}"),
            Self::Memory => f.write_str("memory"),
            Self::Cap(on) => write!(f, "cap:{on}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl Serialize for Bottleneck {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bottleneck {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "source" => Self::Source,
            "memory" => Self::Memory,
            "none" => Self::None,
            other => match (other.strip_prefix("entity:"), other.strip_prefix("cap:")) {
                (Some(name), _) => Self::Entity(name.into()),
                (None, Some(on)) => Self::Cap(on.parse().map_err(serde::de::Error::custom)?),
                _ => return Err(serde::de::Error::custom(format!("no bottleneck: {other}"))),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_group_waits_for_is_read_as_it_is_shown() {
        for text in [
            "source",
            "memory",
            "none",
            "entity:shelf1-01",
            "cap:group:adsl",
            "cap:entity:shelf1-01",
            "cap:label:site=north",
            "cap:file-server:hq",
        ] {
            let json = format!("\"{text}\"");
            let bottleneck: Bottleneck = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&bottleneck).unwrap(), json);
        }
        assert!(serde_json::from_str::<Bottleneck>("\"cap:\"").is_err());
        assert!(serde_json::from_str::<Bottleneck>("\"sauce\"").is_err());
    }
}

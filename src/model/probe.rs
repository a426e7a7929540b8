//! What an entity reports about itself before anything is sent to it, and what it was found to hold.

use serde::{Deserialize, Serialize};

/// An entity that can be logged in to, looked at over a session of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Whether a file of one byte was written beside the final name and removed again. Not tried
    /// where that name is taken, or where the entity is written under the final name at once.
    pub written: bool,
    pub can: Abilities,
    /// Bytes of the file under the final name, where there is one and its size is known.
    pub file: Option<u64>,
    /// Bytes that are free where the file goes; `None`: the server does not report it.
    pub free: Option<u64>,
    /// What lies under the staging name. It was left alone.
    pub staging: Option<Leftover>,
    /// Nothing could be asked of it, so that nothing is known but its address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
    /// The probe's own file, if it could not be removed.
    pub left: Option<String>,
}

/// What a server can do; `None` where that was not found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// `EPSV` (RFC 2428); else `PASV` works.
    pub epsv: Option<bool>,
    /// `SIZE` (RFC 3659 section 4).
    pub size: Option<bool>,
    /// `REST` (RFC 3659 section 5).
    pub rest: Option<bool>,
    /// `RNFR` and `RNTO` (RFC 959 section 4.1.3), as far as `RNFR` shows.
    pub rename: Option<bool>,
    /// The strongest digest that it computes, like `SHA-256`.
    pub digest: Option<String>,
    /// Whether a file that was stored can be read back; tried where a delivery would.
    #[serde(default)]
    pub read: Option<bool>,
}

/// A staging file of an earlier run, or of one that is under way elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    pub path: String,
    pub size: Option<u64>,
    /// In the server's words (`MDTM`, RFC 3659 section 3): `YYYYMMDDHHMMSS` in UTC.
    pub modified: Option<String>,
}

/// What was found of an image on an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holding {
    /// The connection, the login or the reading failed.
    Unreachable,
    /// Another file.
    Differs,
    /// No file.
    Missing,
    /// What was asked for can't be known, like the size of a file.
    Unknown,
    Has,
}

impl Holding {
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Has => "has it",
        }
    }
}

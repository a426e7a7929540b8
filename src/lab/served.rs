//! What a lab serves, for people.

use std::fmt;
use std::net::SocketAddr;

use super::cli::Over;
use crate::model::{Address, HostKey};

/// What a server of the lab stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServedKind {
    FileServer,
    Entity,
}

impl ServedKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileServer => "file server",
            Self::Entity => "entity",
        }
    }
}

/// What is served, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub name: String,
    pub kind: ServedKind,
    pub address: Address,
    /// Its command lines.
    pub lines: Vec<(Over, SocketAddr)>,
    /// What it proves its identity by, where it is spoken to over SSH.
    pub host_key: Option<HostKey>,
    /// Its settings in words; empty for a server that just serves.
    pub does: String,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str();
        let address = self.address.to_string();
        write!(f, "{address:<21}  {kind:<11}  {}", self.name)?;
        for (over, address) in &self.lines {
            write!(f, "  {}: {}", over.as_str(), address.port())?;
        }
        if let Some(key) = self.host_key {
            write!(f, "  host_key: {key}")?;
        }
        if self.does.is_empty() {
            Ok(())
        } else {
            write!(f, "  ({})", self.does)
        }
    }
}

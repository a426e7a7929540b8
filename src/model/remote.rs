//! How a remote host is reached: address, credentials, deadlines, paths.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

use super::{Name, Scheme};

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    pub scheme: Scheme,
    /// A name or a literal address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The path of a file on a remote host, as it is sent to its server. Never holds CR, LF or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemotePath(Arc<str>);

/// Why a path can't be asked for on a server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PathError {
    #[error("`{0}` does not name a file")]
    NoFile(String),
    #[error("a path can't hold CR, LF or NUL")]
    Unsendable,
    #[error("a path with `..` leads out of the file server's url")]
    LeavesUrl,
}

impl PathError {
    /// The line that a path is sent in must not end in it.
    pub(super) fn check_sendable(path: &str) -> Result<(), Self> {
        match path.contains(['\r', '\n', '\0']) {
            true => Err(Self::Unsendable),
            false => Ok(()),
        }
    }
}

impl RemotePath {
    /// # Errors
    /// The path names no file, or can't be sent.
    pub fn new(path: &str) -> Result<Self, PathError> {
        if path.is_empty() || path.ends_with('/') {
            return Err(PathError::NoFile(path.into()));
        }
        PathError::check_sendable(path)?;
        Ok(Self(path.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Deadlines, one for each kind of wait (promise 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// From a command to the whole of its reply.
    pub reply: Duration,
    /// Without one byte moving.
    pub progress: Duration,
    /// From the last byte sent to the server's confirmation: flash is written meanwhile.
    pub confirm: Duration,
    /// Bytes a second that a source must bring, in the mean over a `progress` time of waiting for
    /// it; 0: as slow as it likes.
    pub min_rate: u64,
}

/// Slower than any link that devices are upgraded over, and faster than what will not come to an
/// end: 8 MiB take more than two hours.
pub const MIN_RATE: u64 = 1024;

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            reply: Duration::from_secs(30),
            progress: Duration::from_secs(60),
            confirm: Duration::from_secs(300),
            min_rate: MIN_RATE,
        }
    }
}

/// Where a password comes from; never the password itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Env(String),
    /// Relative to the inventory's folder, already made absolute.
    File(PathBuf),
    /// A program and its arguments; the first line it prints is the password.
    Command(Vec<String>),
    /// The operator is asked.
    Ask,
    /// No password is set: an empty one is sent if the server wants one.
    Empty,
}

impl SecretSource {
    /// The variable of the environment that holds the password.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Env(variable) => Some(variable),
            _ => None,
        }
    }
}

/// Named credentials of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsRef {
    pub name: Name,
    pub user: String,
    pub secret: SecretSource,
}

/// A user and the password, once it was looked up. Its `Debug` shows no password.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub password: SecretString,
}

impl Login {
    /// RFC 1635: no account of its own.
    pub fn anonymous() -> Self {
        Self {
            user: "anonymous".into(),
            password: SecretString::from("subtend@"),
        }
    }
}

/// The logins of a run by the name of their credentials.
#[derive(Debug, Clone, Default)]
pub struct Logins(HashMap<Name, Arc<Login>>);

impl Logins {
    pub fn insert(&mut self, name: Name, login: Login) {
        self.0.insert(name, Arc::new(login));
    }

    /// The login for credentials; anonymous where none are named, `None` where they are unknown.
    pub fn get(&self, credentials: Option<&Name>) -> Option<Arc<Login>> {
        match credentials {
            None => Some(Arc::new(Login::anonymous())),
            Some(name) => self.0.get(name).cloned(),
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

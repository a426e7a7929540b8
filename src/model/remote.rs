//! How a remote host is reached: address, credentials, deadlines, paths.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::{KeyFile, Name, Scheme};

/// A host and a port; or a folder of this host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    pub scheme: Scheme,
    /// A name or a literal address, IPv6 without brackets; of [`Scheme::File`] the folder of the url, which no
    /// file that is read is outside of.
    pub host: String,
    /// 0 of [`Scheme::File`], and of [`Scheme::Fetch`] where none is written.
    pub port: u16,
}

impl Address {
    /// With the protocol, unless it is FTP in clear text, which an inventory need not name either.
    pub fn with_scheme(&self) -> String {
        match self.scheme {
            Scheme::Ftp | Scheme::File | Scheme::Fetch => self.to_string(),
            scheme => format!("{}://{self}", scheme.word()),
        }
    }

    /// The url of a file or a folder there, for people; `path` as its server is sent it.
    pub fn url(&self, path: &str) -> String {
        let scheme = self.scheme.word();
        match self.scheme {
            Scheme::File => format!("{scheme}://{path}"),
            _ => format!("{scheme}://{self}/{path}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::File {
            f.write_str("this host")
        } else if self.port == 0 {
            f.write_str(&self.host)
        } else if self.host.contains(':') {
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

/// Where a secret comes from; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    Env(String),
    /// Relative to the inventory's folder, already made absolute.
    File(PathBuf),
    /// A program and its arguments; the first line it prints is the secret.
    Command(Vec<String>),
    /// The operator is asked.
    Ask,
    /// There is none: an empty password is sent if the server wants one.
    Empty,
}

impl SecretSource {
    /// The variable of the environment that holds the secret.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Env(variable) => Some(variable),
            _ => None,
        }
    }
}

/// How credentials identify their user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LoginBy {
    #[default]
    Password,
    /// A private key in a file; the secret is its passphrase.
    Key(Arc<PathBuf>),
    /// The keys of the SSH agent of this host; there is no secret.
    Agent,
    /// A bearer token (RFC 6750); there is no user.
    Token,
}

impl LoginBy {
    /// As it is written in an inventory.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Key(_) => "key",
            Self::Agent => "agent",
            Self::Token => "token",
        }
    }

    /// What the secret is, for people.
    pub fn secret(&self) -> &'static str {
        match self {
            Self::Password | Self::Agent => "password",
            Self::Key(_) => "passphrase",
            Self::Token => "token",
        }
    }
}

/// Named credentials of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsRef {
    pub name: Name,
    /// Empty beside a token.
    pub user: String,
    pub by: LoginBy,
    pub secret: SecretSource,
}

/// A user and what identifies it, once that was looked up. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    /// Empty where something else identifies the user.
    pub password: SecretString,
    pub key: Option<KeyFile>,
    /// Whether keys of the SSH agent are tried.
    pub agent: bool,
    pub token: Option<SecretString>,
}

impl Login {
    pub fn with_password(user: impl Into<String>, password: impl Into<SecretString>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            key: None,
            agent: false,
            token: None,
        }
    }

    /// RFC 1635: no account of its own.
    pub fn anonymous() -> Self {
        Self::with_password("anonymous", "subtend@")
    }

    /// Whether nobody in particular logs in: a server that wants no login is sent none then.
    pub fn is_anonymous(&self) -> bool {
        let has_other = self.key.is_some() || self.agent || self.token.is_some();
        let nobody = Self::anonymous();
        !has_other
            && self.user == nobody.user
            && self.password.expose_secret() == nobody.password.expose_secret()
    }

    /// What identifies the user of these credentials, whose secret is known by now.
    pub fn of(credentials: &CredentialsRef, secret: SecretString) -> Self {
        let nothing = Self::with_password(&credentials.user, "");
        match &credentials.by {
            LoginBy::Password => Self {
                password: secret,
                ..nothing
            },
            LoginBy::Key(path) => Self {
                key: Some(KeyFile {
                    path: Arc::clone(path),
                    passphrase: secret,
                }),
                ..nothing
            },
            LoginBy::Agent => Self {
                agent: true,
                ..nothing
            },
            LoginBy::Token => Self {
                token: Some(secret),
                ..nothing
            },
        }
    }

    /// What it sends or uses that must be shown to nobody.
    pub fn secret(&self) -> &SecretString {
        match (&self.key, &self.token) {
            (Some(key), _) => &key.passphrase,
            (None, Some(token)) => token,
            (None, None) => &self.password,
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

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Login> {
        self.0.values().map(|login| &**login)
    }
}

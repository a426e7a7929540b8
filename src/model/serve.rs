//! Where this host serves the image to devices that fetch it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::complaint::Complaint;

/// What devices can ask over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    Http,
    Ftp,
    Tftp,
}

impl Over {
    pub const ALL: [Self; 3] = [Self::Http, Self::Ftp, Self::Tftp];

    /// As it is written in an inventory, and at the beginning of a url.
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Ftp => "ftp",
            Self::Tftp => "tftp",
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Ftp => "FTP",
            Self::Tftp => "TFTP",
        }
    }

    /// The port that a url need not name.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Ftp => 21,
            Self::Tftp => 69,
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.in_words())
    }
}

/// How long the others wait for a device to ask, where nothing is said.
const GATHER: Duration = Duration::from_secs(30);

/// The addresses of this host on which devices ask, while a group with such devices runs. Port 0: any that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serve {
    pub http: Option<SocketAddr>,
    pub ftp: Option<SocketAddr>,
    pub tftp: Option<SocketAddr>,
    /// How long a device that has begun to fetch is waited for by the others before it has asked for anything.
    pub gather: Duration,
}

impl Default for Serve {
    fn default() -> Self {
        Self {
            http: None,
            ftp: None,
            tftp: None,
            gather: GATHER,
        }
    }
}

impl Serve {
    pub fn at(&self, over: Over) -> Option<SocketAddr> {
        match over {
            Over::Http => self.http,
            Over::Ftp => self.ftp,
            Over::Tftp => self.tftp,
        }
    }

    /// What is served over, in the order in which it is preferred.
    pub fn all(&self) -> impl Iterator<Item = (Over, SocketAddr)> + '_ {
        Over::ALL
            .into_iter()
            .filter_map(|over| Some((over, self.at(over)?)))
    }

    /// Over what a device fetches whose step names it, or leaves it to what is served.
    ///
    /// # Errors
    /// That is not served, or several are.
    pub fn chosen(&self, named: Option<Over>) -> Result<Over, Complaint> {
        let mut all = self.all().map(|(over, _)| over);
        match (named, all.next(), all.next()) {
            (Some(over), ..) if self.at(over).is_some() => Ok(over),
            (Some(over), ..) => {
                let word = over.word();
                Err(Complaint::new(
                    format!("a device fetches over {over}, and `serve` has no `{word}`"),
                    format!("add `{word}: 192.0.2.1:{}`", over.default_port()),
                ))
            }
            (None, Some(over), None) => Ok(over),
            (None, ..) => Err(Complaint::new(
                "`fetch: true`, and `serve` does not have one protocol alone",
                "say over which: `fetch: http`, `fetch: ftp` or `fetch: tftp`",
            )),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

//! Where this host serves the image to devices that fetch it.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

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

/// The addresses of this host on which devices ask, while a group with such devices runs. Port 0: any that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Serve {
    pub http: Option<SocketAddr>,
    pub ftp: Option<SocketAddr>,
    pub tftp: Option<SocketAddr>,
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

    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }
}

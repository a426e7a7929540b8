//! How files are brought to a server of HTTP, and where its redirects may lead.

use std::sync::Arc;

use super::remote::Address;
use super::tls::Tls;

/// What holds for the HTTP of one server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Http {
    /// How an entity takes a file; nothing is written to one without it.
    pub upload: Option<Upload>,
    /// A part of the text that an entity answers with where it has stored a file.
    pub expect: Option<Arc<str>>,
    /// Servers of the same inventory, which a redirect may lead to.
    pub redirects: Arc<[Elsewhere]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upload {
    /// `PUT` to the path (RFC 9110 section 9.3.4).
    Put,
    /// `POST` of a form with one file in the field of this name (RFC 7578).
    Field(Arc<str>),
}

impl Http {
    /// Whether a file that was brought can be asked for under its path. A form is sent to a program of the
    /// entity, and what that answers with is no file.
    pub fn has_files(&self) -> bool {
        !matches!(self.upload, Some(Upload::Field(_)))
    }
}

/// A server that a redirect may lead to, and how it proves its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    pub address: Address,
    pub tls: Tls,
}

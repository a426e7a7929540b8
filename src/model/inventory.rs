//! The inventory as the engine uses it: checked, ranges expanded, defaults filled in.
//!
//! [`crate::inventory`] makes it from YAML; nothing else needs to know how it was written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::complaint::Complaint;
use super::dialect::Dialect;
use super::group::Group;
use super::http::Http;
use super::procedure::{Procedure, SessionAddress, TypeSpec};
use super::rate::Cap;
use super::remote::{Address, CredentialsRef, PathError, RemotePath, Timeouts};
use super::scheme::Scheme;
use super::serve::Serve;
use super::ssh::Ssh;
use super::text::quoted;
use super::tls::Tls;
use super::verify::VerifyMode;

/// The name of an entity, group, image, file server or of credentials.
pub type Name = Arc<str>;

/// Everything that an inventory file says.
#[derive(Debug, Clone)]
pub struct Inventory {
    pub file: PathBuf,
    /// Bytes available for software download, shared by all pools.
    pub memory: u64,
    pub buffers: BufferPreference,
    pub credentials: Vec<CredentialsRef>,
    pub file_servers: Vec<Arc<FileServer>>,
    pub images: Vec<Arc<Image>>,
    /// What is known of entities of a type, where anything is.
    pub types: Vec<Arc<TypeSpec>>,
    pub entities: Vec<Arc<Entity>>,
    pub groups: Vec<Arc<Group>>,
    /// Where devices fetch their image from this host.
    pub serve: Serve,
    /// Of file servers, entities and labels; that of a group is in its campaign.
    pub rates: Vec<Cap>,
}

impl Inventory {
    pub fn entity(&self, name: &str) -> Option<&Arc<Entity>> {
        self.entities.iter().find(|entity| &*entity.name == name)
    }

    /// The entities of which a label has this value.
    pub fn labelled(&self, label: &str, value: &str) -> impl Iterator<Item = &Arc<Entity>> {
        let has = move |entity: &&Arc<Entity>| {
            (entity.labels.get(label)).is_some_and(|own| own.as_str() == value)
        };
        self.entities.iter().filter(has)
    }

    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| &*group.name == name)
    }

    /// What is done on entities of a type beside their image.
    pub fn procedure(&self, type_: &str) -> Option<&Arc<Procedure>> {
        let found = self.types.iter().find(|one| &*one.name == type_);
        found?.procedure.as_ref()
    }

    pub fn image(&self, name: &str) -> Option<&Arc<Image>> {
        self.images.iter().find(|image| &*image.name == name)
    }

    pub fn file_server(&self, name: &str) -> Option<&Arc<FileServer>> {
        self.file_servers
            .iter()
            .find(|server| &*server.name == name)
    }
}

/// What is fixed about a pool's buffers; the other follows from the memory (\[0022\]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BufferPreference {
    /// Bytes of one buffer.
    Size(u64),
    /// Number of buffers.
    Count(usize),
}

/// Bytes. No buffer is made smaller than this to reach a preferred number: below it, the cost of
/// handing a block over outweighs the block.
pub const SMALLEST_BUFFER: u64 = 1024;

impl BufferPreference {
    /// The least memory of one pool, in bytes. One buffer is filled while another is sent, so less
    /// than two of a preferred size is a copy in turns; a preferred number must not make crumbs.
    pub fn least_memory(self) -> u64 {
        match self {
            Self::Size(size) => size.saturating_mul(2),
            Self::Count(count) => (count as u64).saturating_mul(SMALLEST_BUFFER),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileServer {
    pub name: Name,
    pub address: Address,
    /// The path of the url, without a trailing slash; empty for the login directory. As RFC 1738
    /// section 3.2.2 has it, it starts there too, and `//images` or `/%2Fimages` is `/images`.
    pub root: String,
    pub credentials: Option<Name>,
    pub timeouts: Timeouts,
    pub tls: Tls,
    pub ssh: Ssh,
    pub dialect: Dialect,
    pub http: Http,
}

impl FileServer {
    /// A directory below the url, as it is sent to the server; empty for the login directory.
    ///
    /// # Errors
    /// The path leads elsewhere, or can't be sent.
    pub fn directory(&self, path: &str) -> Result<String, PathError> {
        PathError::check_sendable(path)?;
        let parts: Vec<&str> = (path.split('/'))
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if parts.contains(&"..") {
            return Err(PathError::LeavesUrl);
        }
        Ok(match parts.as_slice() {
            [] => self.root.clone(),
            parts => self.below(&parts.join("/")),
        })
    }

    /// The path of an image's file on this server.
    ///
    /// # Errors
    /// As [`RemotePath::new`].
    pub fn path_of(&self, image: &Image) -> Result<RemotePath, PathError> {
        RemotePath::new(&self.below(&image.file))
    }

    fn below(&self, path: &str) -> String {
        match self.root.as_str() {
            "" => path.to_owned(),
            "/" => format!("/{path}"),
            root => format!("{root}/{path}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub name: Name,
    /// Below a file server's url.
    pub file: String,
    /// The entity type that it is for.
    pub type_: String,
    pub version: String,
    /// Bytes, where the inventory says so.
    pub size: Option<u64>,
    pub sha256: Option<[u8; 32]>,
}

impl Image {
    /// Whether an entity that is to get it has it already, as far as the inventory knows.
    pub fn is_on(&self, entity: &Entity) -> bool {
        entity.version == self.version
    }

    /// Whether a path leads to a file below the url of a file server.
    ///
    /// # Errors
    /// Where it leads instead.
    pub fn check_file(file: &str) -> Result<(), Complaint> {
        let wrong = |why: &str| {
            Err(Complaint::new(
                format!("the file {} {why}", quoted(file)),
                "write its path below the file server's url, like `adsl-2.4.bin` or `adsl/2.4.bin`",
            ))
        };
        if file.contains("://") {
            wrong("is a url")
        } else if file.starts_with('/') {
            wrong("begins with `/`")
        } else if file.split('/').any(|part| part == "..") {
            wrong("leaves the file server's folder with `..`")
        } else if file.split('/').any(|part| part.is_empty() || part == ".") {
            wrong("has an empty part")
        } else {
            Ok(())
        }
    }
}

/// A hardware entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub name: Name,
    pub type_: String,
    pub version: String,
    pub address: Address,
    /// The destination file; also where a peer is read from.
    pub path: RemotePath,
    pub credentials: Option<Name>,
    pub timeouts: Timeouts,
    pub tls: Tls,
    pub ssh: Ssh,
    pub dialect: Dialect,
    pub http: Http,
    pub verify: VerifyMode,
    pub staging: Staging,
    /// Whether the old file may be deleted when the entity can neither rename onto it nor move it
    /// aside.
    pub delete_first: bool,
    /// What the staging file is called: `auto`, or a pattern ([`super::staging::Names`]).
    pub staging_name: Name,
    pub labels: BTreeMap<String, String>,
    /// Where its command line is, if not at its address, on the port that its procedure names.
    pub session: Option<SessionAddress>,
    /// Hosts that ask for its image, where that is not the one of its address or command line alone.
    pub fetch_from: Vec<Name>,
}

/// Where the data goes until it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Staging {
    /// Under a name of its own, renamed at the end.
    #[default]
    Rename,
    /// Under the final name at once, for entities that can't rename.
    Direct,
}

impl Entity {
    /// Whether it fetches its image, instead of being sent it.
    pub fn fetches(&self) -> bool {
        self.address.scheme == Scheme::Fetch
    }

    /// Whether others can read the image from it, as far as the inventory knows.
    pub fn holds(&self, image: &Image) -> bool {
        self.type_ == image.type_ && self.version == image.version
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::server;
    use super::FileServer;

    #[test]
    fn a_directory_is_below_the_url_or_refused() {
        let at = |root: &str| FileServer {
            root: root.into(),
            ..server()
        };
        for (root, path, sent) in [
            ("", "", ""),
            ("", "a/b", "a/b"),
            ("images", "", "images"),
            ("images", "/a/./b/", "images/a/b"),
            ("/", "", "/"),
            ("/", "a", "/a"),
            ("/srv/images", "a b", "/srv/images/a b"),
        ] {
            assert_eq!(
                at(root).directory(path).as_deref(),
                Ok(sent),
                "{root} {path}"
            );
        }
        for path in ["..", "a/../..", "a/..", "a\r\nDELE b", "a\0"] {
            assert!(at("images").directory(path).is_err(), "{path:?}");
        }
        assert!(at("images").directory("..a/b..").is_ok());
    }
}

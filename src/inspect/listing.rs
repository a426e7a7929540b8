//! What is in a directory of a file server.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::lookup::Lookup;
use crate::model::text::{quoted, shown};
use crate::model::{Failure, Flaw, Name};
use crate::protocol::{Event, Listing};
use crate::transport::{Directory, NoDirectory, Transport};

use super::Inspector;

/// Why there is no listing.
#[derive(Debug, thiserror::Error)]
enum NotListed {
    #[error("{0}")]
    Unknown(Flaw),
    #[error(transparent)]
    Directory(#[from] NoDirectory),
    #[error("{}: no longer asked", shown(.0))]
    Cancelled(Name),
    #[error("{}: {failure}", shown(server))]
    Server { server: Name, failure: Failure },
    #[error("{}, directory {}: {failure}", shown(server), quoted(path))]
    Path {
        server: Name,
        path: String,
        failure: Failure,
    },
}

impl<T: Transport> Inspector<T> {
    /// A directory of a file server, by its path below the server's url, or why it can't be looked at.
    pub(crate) async fn listing(self: Arc<Self>, server: Name, path: String) -> Event {
        Event::Directory {
            at: Timestamp::now(),
            listing: (self.entries(&server, &path).await).map_err(|error| error.to_string()),
            server,
            path,
        }
    }

    async fn entries(&self, server: &Name, path: &str) -> Result<Listing, NotListed> {
        let lookup = Lookup::new(&self.inventory);
        let known = lookup.file_server(server).map_err(NotListed::Unknown)?;
        let directory = Directory::of(known, path, &self.logins)?;
        let list = self.transport.list(&directory);
        let found = self.cancel.run_until_cancelled(list).await;
        let server = server.clone();
        match found {
            None => Err(NotListed::Cancelled(server)),
            Some(Ok(entries)) => Ok(Listing { entries }),
            Some(Err(failure)) if directory.path.is_empty() => {
                Err(NotListed::Server { server, failure })
            }
            Some(Err(failure)) => Err(NotListed::Path {
                server,
                path: directory.path,
                failure,
            }),
        }
    }
}

//! What is in a directory of a file server.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::Name;
use crate::model::lookup::Lookup;
use crate::model::text::{quoted, shown};
use crate::protocol::{Event, Listing};
use crate::transport::{Directory, Transport};

use super::Inspector;

impl<T: Transport> Inspector<T> {
    /// A directory of a file server, by its path below the server's url, or why it can't be looked at.
    pub(crate) async fn listing(self: Arc<Self>, server: Name, path: String) -> Event {
        Event::Directory {
            at: Timestamp::now(),
            listing: self.entries(&server, &path).await,
            server,
            path,
        }
    }

    async fn entries(&self, server: &str, path: &str) -> Result<Listing, String> {
        let lookup = Lookup::new(&self.inventory);
        let known = (lookup.file_server(server)).map_err(|flaw| flaw.to_string())?;
        let directory = Directory::of(known, path, &self.logins);
        let directory = directory.map_err(|error| error.to_string())?;
        let list = self.transport.list(&directory);
        let found = self.cancel.run_until_cancelled(list).await;
        let server = shown(server);
        match found {
            None => Err(format!("{server}: no longer asked")),
            Some(Ok(entries)) => Ok(Listing { entries }),
            Some(Err(failure)) if directory.path.is_empty() => Err(format!("{server}: {failure}")),
            Some(Err(failure)) => {
                let path = quoted(&directory.path);
                Err(format!("{server}, directory {path}: {failure}"))
            }
        }
    }
}

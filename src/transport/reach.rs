//! How to get at what the inventory describes: addresses, logins and names of files and directories.

use std::sync::Arc;

use crate::model::staging::{Names, NamesError};
use crate::model::text::shown;
use crate::model::{Entity, Failure, Fault, FileServer, Image, Login, Logins, Name, Step};

use super::{Destination, Directory, Remote};

fn login(logins: &Logins, credentials: Option<&Name>) -> Result<Arc<Login>, Failure> {
    logins.get(credentials).ok_or_else(|| {
        let name = credentials.map(ToString::to_string).unwrap_or_default();
        let reason = "they were not looked up".to_owned();
        Failure::new(Step::Login, Fault::NoCredentials { name, reason })
    })
}

impl Remote {
    /// An entity's file.
    ///
    /// # Errors
    /// The password was not looked up.
    pub(crate) fn of_entity(entity: &Entity, logins: &Logins) -> Result<Self, Failure> {
        Ok(Self {
            address: entity.address.clone(),
            login: login(logins, entity.credentials.as_ref())?,
            path: entity.path.clone(),
            timeouts: entity.timeouts,
            tls: entity.tls.clone(),
            dialect: entity.dialect.clone(),
        })
    }

    /// An image's file on a file server.
    ///
    /// # Errors
    /// The password was not looked up, or the file can't be below the server's url.
    pub(crate) fn of_server(
        server: &FileServer,
        image: &Image,
        logins: &Logins,
    ) -> Result<Self, Failure> {
        let path = (server.path_of(image))
            .map_err(|reason| Failure::new(Step::Select, Fault::Local(reason)))?;
        Ok(Self {
            address: server.address.clone(),
            login: login(logins, server.credentials.as_ref())?,
            path,
            timeouts: server.timeouts,
            tls: server.tls.clone(),
            dialect: server.dialect.clone(),
        })
    }
}

impl Destination {
    /// Where an entity's file goes. `owner`: as [`Transport::owner`](super::Transport::owner).
    ///
    /// # Errors
    /// The password was not looked up, or there is no staging name for its path.
    pub(crate) fn of(entity: &Entity, owner: &str, logins: &Logins) -> Result<Self, Failure> {
        let names = Names::new(&entity.path, &entity.staging_name, owner);
        let no_name =
            |error: NamesError| Failure::new(Step::Prepare, Fault::Local(error.to_string()));
        Ok(Self {
            remote: Remote::of_entity(entity, logins)?,
            verify: entity.verify,
            staging: entity.staging,
            delete_first: entity.delete_first,
            names: names.map_err(no_name)?,
        })
    }
}

impl Directory {
    /// A directory of a file server, by its path below the server's url.
    ///
    /// # Errors
    /// The password was not looked up, or the path leads elsewhere.
    pub(crate) fn of(server: &FileServer, path: &str, logins: &Logins) -> Result<Self, String> {
        Ok(Self {
            address: server.address.clone(),
            path: server.directory(path)?,
            login: login(logins, server.credentials.as_ref())
                .map_err(|failure| format!("{}: {failure}", shown(&server.name)))?,
            timeouts: server.timeouts,
            tls: server.tls.clone(),
            dialect: server.dialect.clone(),
        })
    }
}

//! How to get at what the inventory describes: addresses, logins and names of files and directories.

use std::sync::Arc;

use crate::model::procedure::{Procedure, SessionSpec, WebSpec};
use crate::model::staging::Names;
use crate::model::text::shown;
use crate::model::{
    Address, Dialect, Entity, Failure, Fault, FileServer, Image, Login, Logins, Name, PathError,
    RemotePath, Scheme, Ssh, Step, Timeouts, Tls,
};

use super::{Destination, Directory, Endpoint, Remote};

fn login(logins: &Logins, credentials: Option<&Name>) -> Result<Arc<Login>, Failure> {
    logins.get(credentials).ok_or_else(|| {
        let name = credentials.map(ToString::to_string).unwrap_or_default();
        let reason = "they were not looked up".to_owned();
        Failure::new(Step::Login, Fault::NoCredentials { name, reason })
    })
}

fn local(step: Step, reason: impl ToString) -> Failure {
    Failure::new(step, Fault::Local(reason.to_string()))
}

impl Endpoint {
    fn of_server(server: &FileServer, logins: &Logins) -> Result<Self, Failure> {
        Ok(Self {
            address: server.address.clone(),
            login: login(logins, server.credentials.as_ref())?,
            timeouts: server.timeouts,
            tls: server.tls.clone(),
            ssh: server.ssh.clone(),
            dialect: server.dialect.clone(),
            http: server.http.clone(),
        })
    }

    /// Where an entity's command line is. What is spoken is said by the session's way; telnet has no scheme.
    pub(crate) fn address_of_session(entity: &Entity, session: &SessionSpec) -> Address {
        let of_entity = entity.session.as_ref();
        let host = of_entity.map_or(&entity.address.host, |address| &address.host);
        let port = of_entity.and_then(|address| address.port);
        Address {
            scheme: Scheme::Sftp,
            host: host.clone(),
            port: port.unwrap_or(session.port),
        }
    }

    /// An entity's command line.
    ///
    /// # Errors
    /// The password was not looked up.
    pub(crate) fn of_session(
        entity: &Entity,
        session: &SessionSpec,
        logins: &Logins,
    ) -> Result<Self, Failure> {
        let credentials = session.credentials.as_ref();
        Ok(Self {
            address: Self::address_of_session(entity, session),
            login: login(logins, credentials.or(entity.credentials.as_ref()))?,
            timeouts: entity.timeouts,
            tls: entity.tls.clone(),
            ssh: session.ssh.clone(),
            dialect: entity.dialect.clone(),
            http: entity.http.clone(),
        })
    }
}

impl Endpoint {
    /// Where an entity's web server is, as its procedure has it. The place that an entity names is that of its command
    /// line, where it has one.
    fn address_of_web(entity: &Entity, procedure: &Procedure, web: &WebSpec) -> Address {
        let named = entity.session.as_ref();
        let place = named.filter(|_| procedure.session.is_none());
        let host = place.map_or(&entity.address.host, |place| &place.host);
        Address {
            scheme: web.scheme,
            host: host.clone(),
            port: place.and_then(|place| place.port).unwrap_or(web.port),
        }
    }

    /// Where the `http` steps of a procedure go: the `session` of the procedure says it, else the address of the entity.
    ///
    /// # Errors
    /// The password was not looked up, or nothing says it.
    pub(crate) fn of_web(
        entity: &Entity,
        procedure: &Procedure,
        logins: &Logins,
    ) -> Result<Self, Failure> {
        let Some(web) = &procedure.web else {
            return match entity.address.scheme.is_http() {
                true => Ok(Remote::of_entity(entity, logins)?.endpoint),
                false => {
                    let name = &procedure.name;
                    let reason =
                        format!("the `session` of the procedure {name} names no web server");
                    Err(local(Step::Connect, reason))
                }
            };
        };
        let credentials = web.credentials.as_ref().or(entity.credentials.as_ref());
        Ok(Self {
            address: Self::address_of_web(entity, procedure, web),
            login: login(logins, credentials)?,
            timeouts: entity.timeouts,
            tls: web.tls.clone(),
            ssh: entity.ssh.clone(),
            dialect: entity.dialect.clone(),
            http: entity.http.clone(),
        })
    }

    /// Where it is seen whether an entity is there: its command line, else its web server where its procedure names
    /// one, else its files.
    pub(crate) fn address_of_procedure(entity: &Entity, procedure: &Procedure) -> Address {
        match (&procedure.session, &procedure.web) {
            (Some(session), _) => Self::address_of_session(entity, session),
            (None, Some(web)) => Self::address_of_web(entity, procedure, web),
            (None, None) => entity.address.clone(),
        }
    }
}

impl Remote {
    /// An entity's file. Of one that fetches, nobody logs in at its address.
    ///
    /// # Errors
    /// The password was not looked up.
    pub(crate) fn of_entity(entity: &Entity, logins: &Logins) -> Result<Self, Failure> {
        let credentials = entity.credentials.as_ref();
        let credentials = credentials.filter(|_| !entity.fetches());
        let endpoint = Endpoint {
            address: entity.address.clone(),
            login: login(logins, credentials)?,
            timeouts: entity.timeouts,
            tls: entity.tls.clone(),
            ssh: entity.ssh.clone(),
            dialect: entity.dialect.clone(),
            http: entity.http.clone(),
        };
        let path = entity.path.clone();
        Ok(Self { endpoint, path })
    }

    /// A file of this host, by its whole path.
    pub(crate) fn of_file(path: &RemotePath) -> Self {
        let folder = match path.as_str().rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => folder,
            _ => "/",
        };
        let endpoint = Endpoint {
            address: Address {
                scheme: Scheme::File,
                host: folder.to_owned(),
                port: Scheme::File.default_port(),
            },
            login: Arc::new(Login::anonymous()),
            timeouts: Timeouts::default(),
            tls: Tls::default(),
            ssh: Ssh::default(),
            dialect: Dialect::default(),
            http: crate::model::Http::default(),
        };
        let path = path.clone();
        Self { endpoint, path }
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
        let path = (server.path_of(image)).map_err(|reason| local(Step::Select, reason))?;
        let endpoint = Endpoint::of_server(server, logins)?;
        Ok(Self { endpoint, path })
    }
}

impl Destination {
    /// Where an entity's file goes. `owner`: as [`Transport::owner`](super::Transport::owner).
    ///
    /// # Errors
    /// The password was not looked up, or there is no staging name for its path.
    pub(crate) fn of(entity: &Entity, owner: &str, logins: &Logins) -> Result<Self, Failure> {
        let names = Names::new(&entity.path, &entity.staging_name, owner);
        Ok(Self {
            remote: Remote::of_entity(entity, logins)?,
            verify: entity.verify,
            staging: entity.staging,
            delete_first: entity.delete_first,
            names: names.map_err(|error| local(Step::Prepare, error))?,
            size: None,
        })
    }
}

/// Why a directory can't be looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDirectory {
    /// Its path leads elsewhere than below the server's url.
    #[error("{0}")]
    Path(PathError),
    #[error("{}: {failure}", shown(server))]
    Login { server: Name, failure: Failure },
}

impl Directory {
    /// A directory of a file server, by its path below the server's url.
    ///
    /// # Errors
    /// The password was not looked up, or the path leads elsewhere.
    pub(crate) fn of(
        server: &FileServer,
        path: &str,
        logins: &Logins,
    ) -> Result<Self, NoDirectory> {
        Ok(Self {
            path: server.directory(path).map_err(NoDirectory::Path)?,
            endpoint: Endpoint::of_server(server, logins).map_err(|failure| {
                NoDirectory::Login {
                    server: server.name.clone(),
                    failure,
                }
            })?,
        })
    }
}

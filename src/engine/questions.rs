//! What the engine looks up for people who choose: which entities hold an image, and what is in a
//! directory of a file server. Nothing is changed by it, and no group waits for it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::agent;
use crate::model::lookup::Lookup;
use crate::model::text::{quoted, shown};
use crate::model::{Entity, Image, Inventory, Logins, Name};
use crate::protocol::{Entry, Event, Listing, PeerCheck};
use crate::transport::{Directory, Listed, Transport};

/// Which of the entities of the image's type hold it. Those that `written` names with the group
/// that writes them are not asked: they may serve one session at a time, and that one is taken.
pub(super) async fn peers<T: Transport>(
    transport: Arc<T>,
    inventory: Arc<Inventory>,
    logins: Arc<Logins>,
    image: Arc<Image>,
    written: HashMap<Name, Name>,
) -> Event {
    let of_type = |entity: &&Arc<Entity>| entity.type_ == image.type_;
    let entities: Vec<Arc<Entity>> = inventory.entities.iter().filter(of_type).cloned().collect();
    let free = |entity: &&Arc<Entity>| !written.contains_key(&entity.name);
    let asked: Vec<Arc<Entity>> = entities.iter().filter(free).cloned().collect();
    let mut answers = agent::ask(&transport, &asked, &logins).await.into_iter();

    let mut peers: Vec<PeerCheck> = Vec::with_capacity(entities.len());
    for entity in &entities {
        let file = match written.get(&entity.name) {
            Some(group) => Err(format!("it is being upgraded in group {}", quoted(group))),
            None => match answers.next() {
                Some(answer) => answer.map_err(|failure| failure.to_string()),
                None => Err("it was not asked".into()),
            },
        };
        peers.push(PeerCheck {
            entity: entity.name.clone(),
            has_it: agent::can_serve(entity, &image).is_ok()
                && !matches!(file, Err(_) | Ok(Some(0))),
            file,
        });
    }
    let sizes = peers.iter().filter(|peer| peer.has_it);
    let sizes = sizes.filter_map(|peer| peer.file.as_ref().ok().copied().flatten());
    let right = agent::right_size(&image, sizes);
    for peer in &mut peers {
        if let (Ok(Some(size)), Some(right)) = (&peer.file, right) {
            peer.has_it &= *size == right;
        }
    }
    Event::Peers {
        at: Timestamp::now(),
        image: image.name.clone(),
        peers,
    }
}

/// A directory of a file server, or why it can't be looked at.
pub(super) async fn directory<T: Transport>(
    transport: Arc<T>,
    directory: Result<Directory, String>,
    server: Name,
    path: String,
) -> Event {
    let listing = match directory {
        Ok(directory) => transport.list(&directory).await.map_err(|failure| {
            let (server, path) = (shown(&server), quoted(&directory.path));
            match directory.path.is_empty() {
                true => format!("{server}: {failure}"),
                false => format!("{server}, directory {path}: {failure}"),
            }
        }),
        Err(reason) => Err(reason),
    };
    Event::Directory {
        at: Timestamp::now(),
        server,
        path,
        listing: listing.map(|found| Listing {
            entries: found.into_iter().map(entry).collect(),
        }),
    }
}

fn entry(listed: Listed) -> Entry {
    let Listed {
        name,
        is_directory,
        size,
    } = listed;
    Entry {
        name,
        is_directory,
        size,
    }
}

/// Where a file server's directory is.
///
/// # Errors
/// There is no such server, no password for it, or the path leads elsewhere.
pub(super) fn locate(
    inventory: &Inventory,
    logins: &Logins,
    server: &str,
    path: &str,
) -> Result<Directory, String> {
    let lookup = Lookup::new(inventory);
    let server = (lookup.file_server(server)).map_err(|flaw| flaw.to_string())?;
    Ok(Directory {
        address: server.address.clone(),
        path: server.directory(path)?,
        login: agent::login(logins, server.credentials.as_ref())
            .map_err(|failure| format!("{}: {failure}", shown(&server.name)))?,
        timeouts: server.timeouts,
        tls: server.tls.clone(),
        dialect: server.dialect.clone(),
    })
}

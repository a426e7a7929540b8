//! An inventory as it is really served: free ports in place of 0, and the lab's host keys where none is pinned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::cli::{Over, Unit};
use super::served::ServedKind;
use super::server::Server;
use super::ssh;
use crate::model::procedure::{Procedure, Way};
use crate::model::{
    Address, Entity, FileServer, Group, HostTrust, Inventory, Name, PeerChoice, SessionAddress,
    SourceChoice, Ssh, TypeSpec,
};

/// The servers by what they are and how they are called.
type Servers<'a> = HashMap<(ServedKind, &'a str), &'a Arc<Server>>;

/// The inventory with the served addresses, wherever an entity or a file server stands in it, and with their host
/// keys where it names none.
pub(super) fn as_served(servers: &[Arc<Server>], inventory: &Inventory) -> Inventory {
    let servers: Servers<'_> = (servers.iter())
        .map(|server| ((server.kind, &*server.name), server))
        .collect();
    let entities: BTreeMap<Name, Arc<Entity>> = (inventory.entities.iter())
        .map(|known| {
            (
                known.name.clone(),
                Arc::new(entity(&servers, inventory, known)),
            )
        })
        .collect();
    let file_servers: BTreeMap<Name, Arc<FileServer>> = (inventory.file_servers.iter())
        .map(|known| {
            let mut served = FileServer::clone(known);
            let key = (ServedKind::FileServer, &*known.name);
            at(&servers, key, &mut served.address, &mut served.ssh);
            (known.name.clone(), Arc::new(served))
        })
        .collect();
    let procedures: BTreeMap<Name, Arc<Procedure>> = (inventory.types.iter())
        .filter_map(|known| known.procedure.as_ref())
        .map(|known| (known.name.clone(), Arc::new(procedure(known))))
        .collect();

    let entity = |old: &Arc<Entity>| Arc::clone(entities.get(&old.name).unwrap_or(old));
    let all = |old: &[Arc<Entity>]| old.iter().map(entity).collect();
    let file_server =
        |old: &Arc<FileServer>| Arc::clone(file_servers.get(&old.name).unwrap_or(old));
    let procedure = |old: &Arc<Procedure>| Arc::clone(procedures.get(&old.name).unwrap_or(old));
    let source = |old: &SourceChoice| match old {
        SourceChoice::FileServer(server) => SourceChoice::FileServer(file_server(server)),
        SourceChoice::File(path) => SourceChoice::File(path.clone()),
        SourceChoice::Peer(PeerChoice::Named(peer)) => {
            SourceChoice::Peer(PeerChoice::Named(entity(peer)))
        }
        SourceChoice::Peer(PeerChoice::Any(peers)) => {
            SourceChoice::Peer(PeerChoice::Any(all(peers)))
        }
    };
    let group = |old: &Arc<Group>| {
        let mut group = Group::clone(old);
        group.entities = all(&old.entities);
        group.source = source(&old.source);
        group.then = old.then.iter().map(source).collect();
        group.procedure = old.procedure.as_ref().map(procedure);
        Arc::new(group)
    };
    let type_ = |old: &Arc<TypeSpec>| {
        let mut type_ = TypeSpec::clone(old);
        type_.procedure = old.procedure.as_ref().map(procedure);
        Arc::new(type_)
    };
    Inventory {
        file_servers: inventory.file_servers.iter().map(file_server).collect(),
        types: inventory.types.iter().map(type_).collect(),
        entities: all(&inventory.entities),
        groups: inventory.groups.iter().map(group).collect(),
        ..inventory.clone()
    }
}

fn at(servers: &Servers<'_>, key: (ServedKind, &str), address: &mut Address, ssh: &mut Ssh) {
    let Some(server) = servers.get(&key) else {
        return;
    };
    *address = server.served_address();
    if let (Some(key), HostTrust::Unset) = (server.host_key(), &ssh.trust) {
        ssh.trust = HostTrust::Key([key].into());
    }
}

fn entity(servers: &Servers<'_>, inventory: &Inventory, known: &Entity) -> Entity {
    let mut served = known.clone();
    let key = (ServedKind::Entity, &*known.name);
    at(servers, key, &mut served.address, &mut served.ssh);
    let wanted = inventory.procedure(&known.type_).and_then(|procedure| {
        let way = procedure.session.as_ref().map(|session| session.way);
        match (way, &procedure.web) {
            (Some(Way::Ssh), _) => Some(Over::Ssh),
            (Some(Way::Telnet), _) => Some(Over::Telnet),
            (None, web) => web.is_some().then_some(Over::Http),
        }
    });
    let unit = servers.get(&key).and_then(|server| server.unit.as_ref());
    if let (Some(wanted), Some(unit)) = (wanted, unit) {
        let mut doors = Unit::doors(unit).iter();
        if let Some((_, door)) = doors.find(|(over, _)| *over == wanted) {
            served.session = Some(SessionAddress {
                host: door.ip().to_string(),
                port: Some(door.port()),
            });
        }
    }
    served
}

fn procedure(known: &Procedure) -> Procedure {
    let mut served = known.clone();
    if let Some(session) = &mut served.session
        && session.way == Way::Ssh
        && session.ssh.trust == HostTrust::Unset
        && let Some(key) = ssh::host_key()
    {
        session.ssh.trust = HostTrust::Key([key].into());
    }
    served
}

//! [`Lab`]: the servers of an inventory, started, shown and stopped.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::chunks::Chunks;
use super::device::{Device, Naming, StoredFile, clean};
use super::error::LabError;
use super::image::{DEFAULT_SIZE, Generated};
use super::limits;
use super::server::{Served, ServedKind, Server, bind};
use super::settings::{Behaviour, LabSettings};
use crate::model::names::Pattern;
use crate::model::{
    Address, Entity, FileServer, Group, Image, Inventory, Name, PeerChoice, Scheme, SourceChoice,
};

/// Bytes of the file of an entity that has an old version: 4 KiB.
const OLD_SIZE: u64 = 4096;
/// Threads that serve. They mostly wait.
const THREADS: usize = 2;
/// How long the end of the lab may take before its threads are left to themselves.
const STOPPING: Duration = Duration::from_secs(5);

/// How a lab is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct LabOptions {
    /// Where an address of the inventory is in use, serve on a free port of the same host instead.
    pub take_free_ports: bool,
}

/// A running practice network. Dropping it ends it without waiting; [`Lab::stop`] waits.
#[derive(Debug)]
pub struct Lab {
    inventory: Inventory,
    servers: Vec<Arc<Server>>,
    images: Arc<BTreeMap<String, Generated>>,
    chunks: Arc<Chunks>,
    /// There until the lab is stopped.
    runtime: Option<Runtime>,
}

impl Lab {
    /// Serves every file server and every entity of an inventory at its address. An address with
    /// port 0 gets a free one.
    ///
    /// # Errors
    /// Nothing is left running when an address is not on loopback or can't be had, or when the
    /// settings name what the inventory does not have.
    pub async fn start(
        inventory: &Inventory,
        settings: &LabSettings,
        options: LabOptions,
    ) -> Result<Self, LabError> {
        known(settings, inventory)?;
        limits::raise_open_files(inventory.file_servers.len() + inventory.entities.len());
        let images: BTreeMap<_, _> = inventory
            .images
            .iter()
            .map(|image| {
                let said = settings
                    .images
                    .get(&*image.name)
                    .and_then(|image| image.size);
                let size = said.or(image.size).unwrap_or(DEFAULT_SIZE);
                (image.name.to_string(), Generated::new(&image.name, size))
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("lab")
            .enable_all()
            .build()
            .map_err(LabError::Runtime)?;
        // From here on, whatever fails drops the lab, and so ends what was started.
        let mut lab = Self {
            inventory: inventory.clone(),
            servers: Vec::new(),
            images: Arc::new(images),
            chunks: Arc::default(),
            runtime: Some(runtime),
        };
        for server in &inventory.file_servers {
            let device = lab.disk_of(server, inventory)?;
            lab.serve(
                (&server.name, ServedKind::FileServer),
                &server.address,
                settings
                    .of_file_server(&server.name)
                    .settled(&server.name, lab.smallest(inventory.images.iter())),
                server.credentials.as_ref(),
                device,
                options,
            )?;
        }
        for entity in &inventory.entities {
            let behaviour = settings.of_entity(&entity.name);
            let device = lab.flash_of(entity, inventory, &behaviour);
            let its = inventory.images.iter();
            let smallest = lab.smallest(its.filter(|image| image.type_ == entity.type_));
            lab.serve(
                (&entity.name, ServedKind::Entity),
                &entity.address,
                behaviour.settled(&entity.name, smallest),
                entity.credentials.as_ref(),
                device,
                options,
            )?;
        }
        lab.inventory = lab.as_served(inventory);
        Ok(lab)
    }

    /// The inventory with the addresses that are really served.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// All servers, file servers first, in the order of the inventory.
    pub fn served(&self) -> Vec<Served> {
        self.servers
            .iter()
            .map(|server| Served {
                name: server.name.clone(),
                kind: server.kind,
                address: server.served_address(),
                does: server.behaviour.words(),
            })
            .collect()
    }

    /// What an entity (or else a file server) of that name really holds under a path.
    pub fn file(&self, name: &str, path: &str) -> Option<StoredFile> {
        Some(StoredFile {
            file: self.find(name)?.device.file(path)?,
            images: Arc::clone(&self.images),
        })
    }

    /// The paths of all files that it holds, sorted, from the root (`/flash/image.bin`).
    pub fn files(&self, name: &str) -> Vec<String> {
        self.find(name)
            .map(|server| server.device.names())
            .unwrap_or_default()
    }

    pub fn image_size(&self, image: &str) -> Option<u64> {
        self.images.get(image).map(Generated::size)
    }

    pub fn image_sha256(&self, image: &str) -> Option<[u8; 32]> {
        self.images.get(image).map(Generated::sha256)
    }

    /// At most `len` bytes of an image from an offset; fewer at its end.
    pub fn image_bytes(&self, image: &str, offset: u64, len: usize) -> Option<Vec<u8>> {
        let mut out = vec![0; len];
        let count = self.images.get(image)?.read(offset, &mut out);
        out.truncate(count);
        Some(out)
    }

    /// File bytes that a server has sent in answer to `RETR`; 0 for an unknown one.
    pub fn bytes_served(&self, name: &str) -> u64 {
        self.find(name).map_or(0, |server| server.sent.get())
    }

    /// File bytes that a server has taken by `STOR`.
    pub fn bytes_received(&self, name: &str) -> u64 {
        self.find(name).map_or(0, |server| server.received.get())
    }

    /// Control connections that a server has accepted.
    pub fn sessions(&self, name: &str) -> u64 {
        self.find(name).map_or(0, |server| server.sessions.get())
    }

    /// Waits until a server has sent a number of file bytes; returns at once for an unknown one.
    pub async fn until_served(&self, name: &str, bytes: u64) {
        if let Some(server) = self.find(name) {
            server.sent.at_least(bytes).await;
        }
    }

    /// Waits until a server has taken a number of file bytes; returns at once for an unknown one.
    pub async fn until_received(&self, name: &str, bytes: u64) {
        if let Some(server) = self.find(name) {
            server.received.at_least(bytes).await;
        }
    }

    /// Waits until a server has accepted a number of control connections.
    pub async fn until_sessions(&self, name: &str, sessions: u64) {
        if let Some(server) = self.find(name) {
            server.sessions.at_least(sessions).await;
        }
    }

    /// Bytes of uploaded files that are really in memory, equal parts of them once. (Of a file's last
    /// chunk, and of generated files, nothing is counted.)
    pub fn memory_held(&self) -> u64 {
        self.chunks.held()
    }

    /// The server vanishes: its listener and all its connections are closed when this returns.
    pub async fn kill(&self, name: &str) {
        if let Some(server) = self.find(name) {
            server.kill();
            server.gone().await;
        }
    }

    /// The server stops answering: connections stay open, and nothing is read or sent any more.
    pub fn silence(&self, name: &str) {
        if let Some(server) = self.find(name) {
            server.silence();
        }
    }

    /// The server goes away as [`Lab::kill`] has it, and comes back at the same address when the time
    /// is over, with the files that it has. Returns when it is gone.
    pub async fn restart(&self, name: &str, down_for: Duration) {
        if let (Some(server), Some(runtime)) = (self.find(name), &self.runtime)
            && let Some(back) = server.restart(down_for)
        {
            runtime.spawn(back);
            server.gone().await;
        }
    }

    /// A server that was killed comes back at the same address, with the files that it has. Returns
    /// when it can be reached.
    pub async fn revive(&self, name: &str) {
        if let (Some(server), Some(runtime)) = (self.find(name), &self.runtime)
            && let Some(back) = server.revive()
        {
            runtime.spawn(back);
            server.until_serving().await;
        }
    }

    /// Waits until a server can be reached; returns at once for an unknown one.
    pub async fn until_serving(&self, name: &str) {
        if let Some(server) = self.find(name) {
            server.until_serving().await;
        }
    }

    /// Another file of the same size takes the place of an image on a file server, with a later
    /// modification time. Downloads under way go on with the old one, as on any file system.
    /// Whether the server has that image.
    pub fn replace_image(&self, server: &str, image: &str) -> bool {
        let of_that_name =
            (self.inventory.file_servers.iter()).find(|known| &*known.name == server);
        let (Some(known), Some(server)) = (of_that_name, self.find_file_server(server)) else {
            return false;
        };
        let path = (self.inventory.images.iter())
            .find(|known| &*known.name == image)
            .and_then(|image| known.path_of(image).ok());
        let (Some(path), Some(size)) = (path, self.image_size(image)) else {
            return false;
        };
        let other = Generated::new(&format!("{image} replaced"), size);
        server.device.replace(path.as_str(), other)
    }

    /// Ends all servers, and returns when all their tasks have ended.
    pub async fn stop(mut self) {
        for server in &self.servers {
            server.kill();
        }
        for server in &self.servers {
            server.gone().await;
        }
        if let Some(runtime) = self.runtime.take() {
            // What is left are libunftp's own tasks; the runtime ends them and joins its threads.
            let ended = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(STOPPING)).await;
            if let Err(error) = ended {
                tracing::warn!("the lab's runtime did not end well: {error}");
            }
        }
    }

    fn find(&self, name: &str) -> Option<&Arc<Server>> {
        let of = |kind| {
            self.servers
                .iter()
                .find(|server| server.kind == kind && server.name == name)
        };
        of(ServedKind::Entity).or_else(|| of(ServedKind::FileServer))
    }

    fn find_file_server(&self, name: &str) -> Option<&Arc<Server>> {
        (self.servers.iter())
            .find(|server| server.kind == ServedKind::FileServer && server.name == name)
    }

    /// The size of the smallest of these images: a byte in it is a byte of each.
    fn smallest<'a>(&self, images: impl Iterator<Item = &'a Arc<Image>>) -> u64 {
        images
            .filter_map(|image| self.image_size(&image.name))
            .min()
            .unwrap_or(DEFAULT_SIZE)
    }

    /// A file server's disk: every image, below the root of its url.
    fn disk_of(&self, server: &FileServer, inventory: &Inventory) -> Result<Device, LabError> {
        let device = Device::new(Arc::clone(&self.chunks));
        for image in &inventory.images {
            let path = server
                .path_of(image)
                .map_err(|reason| LabError::ImagePath {
                    server: server.name.to_string(),
                    image: image.name.to_string(),
                    reason,
                })?;
            if let Some(generated) = self.images.get(&*image.name) {
                device.place(path.as_str(), generated.clone());
            }
        }
        Ok(device)
    }

    /// An entity's flash: the image of its version where there is one, else some old file.
    fn flash_of(&self, entity: &Entity, inventory: &Inventory, behaviour: &Behaviour) -> Device {
        let device = Device::new(Arc::clone(&self.chunks)).naming(Naming {
            cut: behaviour.cut_names,
            fold_case: behaviour.fold_case,
        });
        let image = inventory
            .images
            .iter()
            .find(|image| image.type_ == entity.type_ && image.version == entity.version)
            .and_then(|image| self.images.get(&*image.name));
        let held = match image {
            Some(generated) => generated.clone(),
            None => Generated::new(&format!("{} old", entity.name), OLD_SIZE),
        };
        device.place(&clean(entity.path.as_str()), held);
        device
    }

    fn serve(
        &mut self,
        (name, kind): (&Name, ServedKind),
        address: &Address,
        behaviour: Behaviour,
        credentials: Option<&Name>,
        device: Device,
        options: LabOptions,
    ) -> Result<(), LabError> {
        let wanted = loopback(name, kind, address)?;
        let failed = |cause| LabError::Bind {
            kind: kind.as_str(),
            name: name.to_string(),
            address: address.to_string(),
            cause,
        };
        let Some(runtime) = &self.runtime else {
            return Ok(());
        };
        let _context = runtime.enter();
        let listener = bind(wanted, options.take_free_ports)
            .and_then(TcpListener::from_std)
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let user = self
            .inventory
            .credentials
            .iter()
            .find(|known| Some(&known.name) == credentials)
            .map(|known| known.user.clone());
        let server = Arc::new(Server::new(name, kind, address, behaviour, user, device));
        runtime.spawn(Arc::clone(&server).serve(listener));
        self.servers.push(server);
        Ok(())
    }

    /// The inventory with the served addresses, wherever an entity or a file server stands in it.
    fn as_served(&self, inventory: &Inventory) -> Inventory {
        let addresses: HashMap<_, _> = self
            .servers
            .iter()
            .map(|server| ((server.kind, &*server.name), server.served_address()))
            .collect();
        let address =
            |kind, name: &str, old: &Address| addresses.get(&(kind, name)).unwrap_or(old).clone();
        let entities: BTreeMap<Name, Arc<Entity>> = inventory
            .entities
            .iter()
            .map(|entity| {
                let mut served = Entity::clone(entity);
                served.address = address(ServedKind::Entity, &entity.name, &entity.address);
                (Arc::clone(&entity.name), Arc::new(served))
            })
            .collect();
        let file_servers: BTreeMap<Name, Arc<FileServer>> = inventory
            .file_servers
            .iter()
            .map(|server| {
                let mut served = FileServer::clone(server);
                served.address = address(ServedKind::FileServer, &server.name, &server.address);
                (Arc::clone(&server.name), Arc::new(served))
            })
            .collect();
        let entity = |old: &Arc<Entity>| Arc::clone(entities.get(&old.name).unwrap_or(old));
        let all = |old: &[Arc<Entity>]| old.iter().map(entity).collect();
        let file_server =
            |old: &Arc<FileServer>| Arc::clone(file_servers.get(&old.name).unwrap_or(old));
        let group = |old: &Arc<Group>| {
            let mut group = Group::clone(old);
            group.entities = all(&old.entities);
            group.source = match &old.source {
                SourceChoice::FileServer(server) => SourceChoice::FileServer(file_server(server)),
                SourceChoice::Peer(PeerChoice::Named(peer)) => {
                    SourceChoice::Peer(PeerChoice::Named(entity(peer)))
                }
                SourceChoice::Peer(PeerChoice::Any(peers)) => {
                    SourceChoice::Peer(PeerChoice::Any(all(peers)))
                }
            };
            Arc::new(group)
        };
        Inventory {
            file_servers: inventory.file_servers.iter().map(file_server).collect(),
            entities: all(&inventory.entities),
            groups: inventory.groups.iter().map(group).collect(),
            ..inventory.clone()
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            for server in &self.servers {
                server.kill();
            }
            runtime.shutdown_background();
        }
    }
}

/// Where to serve, if that is on loopback.
fn loopback(name: &str, kind: ServedKind, address: &Address) -> Result<SocketAddr, LabError> {
    if address.scheme != Scheme::Ftp {
        return Err(LabError::Tls {
            kind: kind.as_str(),
            name: name.into(),
        });
    }
    let ip = match &*address.host {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        host => host.parse().ok(),
    };
    match ip.filter(IpAddr::is_loopback) {
        Some(ip) => Ok(SocketAddr::new(ip, address.port)),
        None => Err(LabError::NotLoopback {
            kind: kind.as_str(),
            name: name.into(),
            address: address.to_string(),
        }),
    }
}

/// Settings about nothing are a slip of the pen: the operator would wait for a fault in vain.
fn known(settings: &LabSettings, inventory: &Inventory) -> Result<(), LabError> {
    let check = |kind, keys: Vec<&String>, names: Vec<&Name>| {
        for key in keys {
            let pattern = Pattern::wildcards(key).map_err(|wrong| {
                LabError::Settings(format!("{kind} `{key}` stands for nothing: {wrong}"))
            })?;
            if !names.iter().any(|name| pattern.matches(name)) {
                let name = key.clone();
                return Err(LabError::Unknown { kind, name });
            }
        }
        Ok(())
    };
    check(
        "the image",
        settings.images.keys().collect(),
        inventory.images.iter().map(|image| &image.name).collect(),
    )?;
    check(
        "the file server",
        settings.file_servers.keys().collect(),
        inventory
            .file_servers
            .iter()
            .map(|server| &server.name)
            .collect(),
    )?;
    check(
        "the entity",
        settings.entities.keys().collect(),
        inventory
            .entities
            .iter()
            .map(|entity| &entity.name)
            .collect(),
    )
}

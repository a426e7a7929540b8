//! [`Lab`]: the servers of an inventory, shown and stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::chunks::Chunks;
use super::cli::{MachineState, Over};
use super::device::StoredFile;
use super::image::Generated;
use super::served::{Served, ServedKind};
use super::server::Server;
use crate::model::Inventory;

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
    pub(super) inventory: Inventory,
    pub(super) servers: Vec<Arc<Server>>,
    pub(super) images: Arc<BTreeMap<String, Generated>>,
    pub(super) chunks: Arc<Chunks>,
    /// There until the lab is stopped.
    pub(super) runtime: Option<Runtime>,
}

impl Lab {
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
                lines: server
                    .unit
                    .iter()
                    .flat_map(|unit| unit.doors().to_vec())
                    .collect(),
                host_key: server.shown_key(),
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

    /// Where the command line of an entity is really served; `None` where it has none of that kind.
    pub fn command_line(&self, name: &str, over: Over) -> Option<SocketAddr> {
        let doors = self.find(name)?.unit.as_ref()?.doors();
        let door = doors.iter().find(|(kind, _)| *kind == over)?;
        Some(door.1)
    }

    /// What the machine of an entity runs and holds, and what was done to it; `None` where it can't be restarted.
    pub fn machine(&self, name: &str) -> Option<MachineState> {
        Some(self.find(name)?.unit.as_ref()?.state())
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

    /// Waits until the machine of an entity has begun to boot a number of times since the lab began.
    pub async fn until_booted(&self, name: &str, times: u64) {
        if let Some(unit) = self.find(name).and_then(|server| server.unit.as_ref()) {
            unit.until_booted(times).await;
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

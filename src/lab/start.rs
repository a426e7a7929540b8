//! The servers of an inventory, started: which listens where, and what each holds at first.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::as_served::as_served;
use super::behaviour::Behaviour;
use super::cli::{Bootable, Machine, Over, Unit, machine};
use super::device::{Device, Naming, clean};
use super::draw::Draw;
use super::error::LabError;
use super::image::{DEFAULT_SIZE, Generated};
use super::limits;
use super::network::{Lab, LabOptions};
use super::served::ServedKind;
use super::server::{Door, Server, packets};
use super::settings::LabSettings;
use crate::model::names::Pattern;
use crate::model::{Address, Entity, FileServer, Image, Inventory, Name, Scheme};

/// Bytes of the file of an entity that has an old version: 4 KiB.
const OLD_SIZE: u64 = 4096;
/// Threads that serve. They mostly wait.
const THREADS: usize = 2;

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
            // A folder of this host needs nobody to serve it.
            if server.address.scheme == Scheme::File {
                continue;
            }
            let device = lab.disk_of(server, inventory)?;
            lab.serve(
                (&server.name, ServedKind::FileServer),
                &server.address,
                settings
                    .of_file_server(&server.name)
                    .settled(&server.name, lab.smallest(inventory.images.iter())),
                server.credentials.as_ref(),
                (device, None),
                options,
            )?;
        }
        for entity in &inventory.entities {
            let behaviour = settings.of_entity(&entity.name);
            let device = lab.flash_of(entity, inventory, &behaviour);
            let machine = (behaviour.cli.is_there())
                .then(|| lab.machine_of(entity, inventory, settings, &behaviour));
            let its = inventory.images.iter();
            let smallest = lab.smallest(its.filter(|image| image.type_ == entity.type_));
            lab.serve(
                (&entity.name, ServedKind::Entity),
                &entity.address,
                behaviour.settled(&entity.name, smallest),
                entity.credentials.as_ref(),
                (device, machine),
                options,
            )?;
        }
        lab.inventory = as_served(&lab.servers, inventory);
        Ok(lab)
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
                    reason: reason.to_string(),
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
        let held = self.first_file(entity, inventory);
        let runs = behaviour.cli.runs_file.as_deref();
        device.place(&clean(runs.unwrap_or(entity.path.as_str())), held);
        device
    }

    fn first_file(&self, entity: &Entity, inventory: &Inventory) -> Generated {
        let image = inventory
            .images
            .iter()
            .find(|image| image.type_ == entity.type_ && image.version == entity.version)
            .and_then(|image| self.images.get(&*image.name));
        match image {
            Some(generated) => generated.clone(),
            None => Generated::new(&format!("{} old", entity.name), OLD_SIZE),
        }
    }

    /// A machine that runs an entity's version, and what it can boot: the images of its type, and its first file.
    fn machine_of(
        &self,
        entity: &Entity,
        inventory: &Inventory,
        settings: &LabSettings,
        behaviour: &Behaviour,
    ) -> (Machine, Vec<Bootable>, String) {
        let boots = |image: &str| {
            let percent = settings
                .images
                .get(image)
                .map_or(0, |image| image.cant_boot);
            Draw::new(&entity.name, image).below(100) >= percent.into()
        };
        let of_type = (inventory.images.iter())
            .filter(|image| image.type_ == entity.type_ && boots(&image.name));
        let mut bootable: Vec<_> = of_type
            .filter_map(|image| {
                let version = image.version.to_string();
                let image = self.images.get(&*image.name)?.clone();
                Some(Bootable { image, version })
            })
            .collect();
        bootable.push(Bootable {
            image: self.first_file(entity, inventory),
            version: entity.version.to_string(),
        });
        let path = clean(entity.path.as_str());
        let machine = machine(&entity.version, &path, &behaviour.cli);
        (machine, bootable, path)
    }

    fn serve(
        &mut self,
        (name, kind): (&Name, ServedKind),
        address: &Address,
        behaviour: Behaviour,
        credentials: Option<&Name>,
        (device, machine): (Device, Option<(Machine, Vec<Bootable>, String)>),
        options: LabOptions,
    ) -> Result<(), LabError> {
        let wanted = loopback(name, kind, address)?;
        let scheme = address.scheme;
        if let Some(key) = behaviour.unknown_to(scheme) {
            let (kind, name) = (kind.as_str(), name.to_string());
            return Err(LabError::NotThere {
                kind,
                name,
                scheme,
                key,
            });
        }
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
        let or_free = options.take_free_ports;
        let (mut doors, mut lines) = (Vec::new(), Vec::new());
        // A device that fetches its image is asked by its command line alone.
        let mut address = wanted;
        if scheme != Scheme::Fetch {
            let (door, at) = open(scheme, wanted, or_free).map_err(failed)?;
            doors.push(door);
            address = at;
        }
        let cli = &behaviour.cli;
        let ports = [
            (Over::Telnet, cli.telnet),
            (Over::Ssh, cli.ssh),
            (Over::Http, cli.http),
        ];
        for (over, port) in ports {
            let Some(port) = port else { continue };
            let wanted = SocketAddr::new(address.ip(), port);
            let listener = listen(wanted, or_free).map_err(failed)?;
            lines.push((over, listener.local_addr().map_err(failed)?));
            doors.push(Door::CommandLine(over, listener));
        }
        let unit =
            machine.map(|(machine, bootable, path)| Unit::new(machine, bootable, &path, lines));
        let user = self
            .inventory
            .credentials
            .iter()
            .find(|known| Some(&known.name) == credentials)
            .map(|known| known.user.clone());
        let at = (scheme, address);
        let held = (device, unit);
        let server = Arc::new(Server::new((name, kind), at, behaviour, user, held));
        runtime.spawn(Arc::clone(&server).serve(doors));
        self.servers.push(server);
        Ok(())
    }
}

/// Where to serve, if that is on loopback.
fn loopback(name: &str, kind: ServedKind, address: &Address) -> Result<SocketAddr, LabError> {
    if !matches!(
        address.scheme,
        Scheme::Ftp | Scheme::Sftp | Scheme::Http | Scheme::Tftp | Scheme::Fetch
    ) {
        return Err(LabError::Scheme {
            kind: kind.as_str(),
            name: name.into(),
            scheme: address.scheme,
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

/// Opens the door of a server, on an address, or where that can't be had and `or_free` says so, on a free port.
fn open(scheme: Scheme, wanted: SocketAddr, or_free: bool) -> io::Result<(Door, SocketAddr)> {
    if scheme == Scheme::Tftp {
        let socket = bound(wanted, or_free, packets)?;
        let address = socket.local_addr()?;
        return Ok((Door::Packets(socket), address));
    }
    let listener = listen(wanted, or_free)?;
    let address = listener.local_addr()?;
    Ok((Door::Connections(listener), address))
}

fn listen(wanted: SocketAddr, or_free: bool) -> io::Result<TcpListener> {
    bound(wanted, or_free, |address| {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    })
}

fn bound<T>(
    wanted: SocketAddr,
    or_free: bool,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    bind(wanted).or_else(|error| {
        // 127.0.0.2 and the like don't exist on every system.
        let ip = match error.kind() {
            io::ErrorKind::AddrNotAvailable => Ipv4Addr::LOCALHOST.into(),
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => wanted.ip(),
            _ => return Err(error),
        };
        match or_free {
            true => bind(SocketAddr::new(ip, 0)),
            false => Err(error),
        }
    })
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

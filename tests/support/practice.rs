//! Practice networks without YAML.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use subtend::lab::{Behaviour, Lab, LabOptions, LabSettings};
use subtend::model::{
    Address, BufferPreference, Entity, FileServer, Group, Image, Inventory, Laggards, Limits,
    RemotePath, Scheme, SourceChoice, Staging, Timeouts, Upload, VerifyMode,
};

/// The names in a [`network`].
pub const SERVER: &str = "hq";
pub const IMAGE: &str = "adsl-2";
pub const GROUP: &str = "all";
pub const PATH: &str = "/flash/image.bin";

/// One file server, one image, and entities `e001`, `e002`, … with an older version, in one group.
/// Everything is on port 0 of 127.0.0.1: the lab takes free ports.
pub fn network(entities: usize, image_size: u64) -> (Inventory, LabSettings) {
    let image = Arc::new(Image {
        name: IMAGE.into(),
        file: "adsl-2.bin".into(),
        type_: "adsl".into(),
        version: "2".into(),
        size: None,
        sha256: None,
    });
    let server = Arc::new(FileServer {
        name: SERVER.into(),
        address: local(0),
        root: "images".into(),
        credentials: None,
        timeouts: Timeouts::default(),
        tls: subtend::model::Tls::default(),
        ssh: subtend::model::Ssh::default(),
        dialect: subtend::model::Dialect::default(),
        http: subtend::model::Http::default(),
    });
    let entities: Vec<_> = (1..=entities)
        .map(|number| Arc::new(entity(&format!("e{number:03}"), "1")))
        .collect();
    let group = Group {
        name: GROUP.into(),
        image: Arc::clone(&image),
        source: SourceChoice::FileServer(Arc::clone(&server)),
        then: Vec::new(),
        entities: entities.clone(),
        laggards: Laggards::default(),
        // A test that is about trying again says so.
        limits: Limits {
            retries: 0,
            ..Limits::default()
        },
        parallel: None,
        extent: subtend::model::Extent::default(),
        procedure: None,
        campaign: Arc::default(),
    };
    let inventory = Inventory {
        file: "network.yaml".into(),
        memory: 4 << 20,
        buffers: BufferPreference::Size(64 << 10),
        credentials: Vec::new(),
        file_servers: vec![server],
        images: vec![image],
        types: Vec::new(),
        entities,
        groups: vec![Arc::new(group)],
        serve: Default::default(),
        rates: Vec::new(),
    };
    let mut settings = LabSettings::default();
    settings.images.entry(IMAGE.into()).or_default().size = Some(image_size);
    (inventory, settings)
}

/// The same inventory with another group in place of the first.
pub fn with_group(inventory: &mut Inventory, change: impl FnOnce(&mut Group)) {
    let mut group = (*inventory.groups[0]).clone();
    change(&mut group);
    inventory.groups[0] = Arc::new(group);
}

/// The same inventory with the entities, in their groups too, and the file servers spoken to like this. Over HTTP
/// entities take files by `PUT`, where they say nothing else, and over TFTP under their own names.
pub fn over(
    inventory: &mut Inventory,
    mut entities: impl FnMut(&Entity) -> Scheme,
    servers: Scheme,
) {
    for server in &mut inventory.file_servers {
        Arc::make_mut(server).address.scheme = servers;
    }
    for entity in &mut inventory.entities {
        let scheme = entities(entity);
        let entity = Arc::make_mut(entity);
        entity.address.scheme = scheme;
        match scheme {
            Scheme::Http => {
                entity.http.upload.get_or_insert(Upload::Put);
            }
            Scheme::Tftp => entity.staging = Staging::Direct,
            _ => {}
        }
    }
    let (all, first) = (
        inventory.entities.clone(),
        inventory.file_servers[0].clone(),
    );
    with_group(inventory, |group| {
        group.entities = all;
        group.source = SourceChoice::FileServer(first);
    });
}

/// An entity as in a [`network`].
pub fn entity(name: &str, version: &str) -> Entity {
    Entity {
        name: name.into(),
        type_: "adsl".into(),
        version: version.into(),
        address: local(0),
        path: RemotePath::new(PATH).unwrap(),
        credentials: None,
        timeouts: Timeouts::default(),
        tls: subtend::model::Tls::default(),
        ssh: subtend::model::Ssh::default(),
        dialect: subtend::model::Dialect::default(),
        http: subtend::model::Http::default(),
        verify: VerifyMode::default(),
        staging: Staging::default(),
        delete_first: false,
        staging_name: "auto".into(),
        labels: BTreeMap::new(),
        session: None,
        fetch_from: Vec::new(),
    }
}

pub fn local(port: u16) -> Address {
    Address {
        scheme: Scheme::Ftp,
        host: "127.0.0.1".into(),
        port,
    }
}

/// Sets what one entity, or those of a pattern, do.
pub fn behave(settings: &mut LabSettings, entity: &str, behaviour: Behaviour) {
    settings.entities.insert(entity.into(), behaviour);
}

/// Settings as an operator writes them: `{ disk_full_at: 1 MiB }`.
pub fn does(words: &str) -> Behaviour {
    let settings = LabSettings::from_text(&format!("entities: {{ it: {words} }}"));
    let settings = settings.unwrap_or_else(|error| panic!("{words}: {error}"));
    settings.entities["it"].clone()
}

/// A server that moves this number of bytes per second.
pub fn at_rate(rate: u64) -> Behaviour {
    Behaviour {
        rate: Some(rate),
        ..Behaviour::default()
    }
}

/// An entity that takes this number of bytes per second, and can be read back at once.
pub fn takes_at(rate: u64) -> Behaviour {
    Behaviour {
        read_rate: Some(1 << 30),
        ..at_rate(rate)
    }
}

/// A started lab on free ports.
pub async fn lab(inventory: &Inventory, settings: &LabSettings) -> Lab {
    let options = LabOptions {
        take_free_ports: true,
    };
    Lab::start(inventory, settings, options).await.unwrap()
}

/// An inventory of a lab as an operator would write it, without groups.
pub fn yaml(inventory: &Inventory) -> String {
    let server = &inventory.file_servers[0];
    let mut text = format!(
        "memory: {}\nbuffer_size: 64 KiB\n\
         file_servers: {{ {}: {{ url: 'ftp://{}/{}' }} }}\nimages:\n",
        inventory.memory, server.name, server.address, server.root
    );
    for image in &inventory.images {
        let _ = writeln!(
            text,
            "  {}: {{ file: {}, type: {}, version: '{}' }}",
            image.name, image.file, image.type_, image.version
        );
    }
    text.push_str("entities:\n");
    for entity in &inventory.entities {
        let _ = writeln!(
            text,
            "  - {{ name: {}, type: {}, version: '{}', address: '{}', path: {} }}",
            entity.name, entity.type_, entity.version, entity.address, entity.path
        );
    }
    text
}

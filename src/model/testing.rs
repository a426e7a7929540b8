//! A small network for unit tests: image `adsl-2` of type `adsl` on the file server `hq`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{
    Address, BufferPreference, Dialect, Entity, FileServer, Group, Http, Image, Inventory,
    Laggards, Limits, RemotePath, Scheme, SourceChoice, Ssh, Staging, Timeouts, Tls, VerifyMode,
};

pub(crate) fn address(host: &str) -> Address {
    Address {
        scheme: Scheme::Ftp,
        host: host.into(),
        port: 21,
    }
}

pub(crate) fn server() -> FileServer {
    FileServer {
        name: "hq".into(),
        address: address("192.0.2.10"),
        root: "/images".into(),
        credentials: None,
        timeouts: Timeouts::default(),
        tls: Tls::default(),
        ssh: Ssh::default(),
        dialect: Dialect::default(),
        http: Http::default(),
    }
}

pub(crate) fn image() -> Image {
    Image {
        name: "adsl-2".into(),
        file: "adsl-2.bin".into(),
        type_: "adsl".into(),
        version: "2".into(),
        size: None,
        sha256: None,
    }
}

pub(crate) fn entity(name: &str, version: &str) -> Entity {
    Entity {
        name: name.into(),
        type_: "adsl".into(),
        version: version.into(),
        address: address("192.0.2.21"),
        path: RemotePath::new("/flash/image.bin").unwrap(),
        credentials: None,
        timeouts: Timeouts::default(),
        tls: Tls::default(),
        ssh: Ssh::default(),
        dialect: Dialect::default(),
        http: Http::default(),
        verify: VerifyMode::Best,
        staging: Staging::Rename,
        delete_first: false,
        staging_name: super::staging::AUTO.into(),
        labels: Default::default(),
        session: None,
        fetch_from: Vec::new(),
    }
}

/// A group that reads the image from the file server.
pub(crate) fn group(name: &str, entities: Vec<Arc<Entity>>) -> Group {
    Group {
        name: name.into(),
        image: Arc::new(image()),
        source: SourceChoice::FileServer(Arc::new(server())),
        then: Vec::new(),
        entities,
        laggards: Laggards::CatchUp,
        limits: Limits::default(),
        parallel: None,
        extent: Default::default(),
        procedure: None,
        campaign: Default::default(),
    }
}

/// Nothing but memory.
pub(crate) fn inventory(memory: u64, buffers: BufferPreference) -> Inventory {
    Inventory {
        file: "site.yaml".into(),
        memory,
        buffers,
        credentials: Vec::new(),
        file_servers: Vec::new(),
        images: Vec::new(),
        types: Vec::new(),
        entities: Vec::new(),
        groups: Vec::new(),
        serve: Default::default(),
        rates: Vec::new(),
    }
}

//! `file_servers` and `images`: what there is to be distributed, and where it is kept.

use std::path::Path;
use std::sync::Arc;

use crate::model::rate::Sharing;
use crate::model::scheme::{SSH_KEYS, TLS_KEYS};
use crate::model::{
    Address, Cap, Capped, CredentialsRef, Dialect, FileServer, Http, Image, Scheme,
};

use super::address::{check_keys, parse_url};
use super::credentials::{self, check_login};
use super::defaults::{Defaults, timeouts};
use super::dialect;
use super::error::{Problems, quoted};
use super::fields::{Fields, Shape, section};
use super::http;
use super::rates;
use super::ssh;
use super::tls;
use super::tree::Node;
use super::values::{self, TIME_KEYS};

const FILE_SERVER: Shape = Shape::new(
    "a file server",
    &[
        &["url", "credentials", "rate"],
        TIME_KEYS,
        &TLS_KEYS,
        &SSH_KEYS,
        &["cwd", "account", "data", "data_address"],
    ],
);

const IMAGE: Shape = Shape::new(
    "an image",
    &[&["file", "type", "version", "sha256", "size"]],
);

/// Reads the section; those with errors are in the result too, so that they can be named.
pub(super) fn read_file_servers(
    problems: &mut Problems,
    node: Option<&Node>,
    known: &[CredentialsRef],
    (defaults, inventory): (&Defaults, &Path),
    caps: &mut Vec<Cap>,
) -> Vec<Arc<FileServer>> {
    let servers = section(problems, node, "file_servers");
    let mut servers: Vec<FileServer> = (servers.into_iter())
        .map(|(name, _, node)| {
            let fields = &Fields::read(problems, node, &FILE_SERVER);
            let url = fields.require(problems, "url", "ftp://192.0.2.10/images");
            let url = url.and_then(|node| {
                let written = values::text(problems, node, "url")?;
                problems.ok(&node.span, parse_url(written))
            });
            let (address, root) = url.unwrap_or_else(|| (nowhere(), String::new()));
            if !address.host.is_empty() {
                check_keys(problems, fields, &address);
            }
            let credentials = match fields.get("credentials") {
                None => defaults.credentials.clone(),
                own => credentials::reference(problems, own, known),
            };
            let credentials = credentials.filter(|_| address.scheme.has_login());
            if let Some(at) = fields.get("credentials").or(fields.get("url"))
                && !address.host.is_empty()
            {
                check_login(problems, at, credentials.as_ref(), known, &address);
            }
            let timeouts = timeouts(problems, fields, defaults.timeouts);
            let sharing = || Some(Sharing::one(timeouts));
            if let Some(rate) = rates::read(problems, fields, sharing) {
                let on = Capped::FileServer(name.into());
                caps.push(Cap { on, rate });
            }
            FileServer {
                name: name.into(),
                address,
                root,
                credentials,
                timeouts,
                tls: tls::read(problems, fields, &defaults.tls, inventory),
                ssh: ssh::read(problems, fields, &defaults.ssh, inventory),
                // What `defaults` says of it is about devices.
                dialect: dialect::read(problems, fields, &Dialect::default()),
                http: Http::default(),
            }
        })
        .collect();
    let redirects = http::redirects(&servers);
    for server in &mut servers {
        server.http.redirects = Arc::clone(&redirects);
    }
    servers.into_iter().map(Arc::new).collect()
}

/// Stands for an address that is wrong: it is reported, and never used.
pub(super) fn nowhere() -> Address {
    Address {
        scheme: Scheme::default(),
        host: String::new(),
        port: 0,
    }
}

/// Reads the section; those with errors are in the result too, so that they can be named. A type
/// or version that is missing is empty there.
pub(super) fn read_images(problems: &mut Problems, node: Option<&Node>) -> Vec<Arc<Image>> {
    section(problems, node, "images")
        .into_iter()
        .map(|(name, _, node)| {
            let fields = Fields::read(problems, node, &IMAGE);
            let mut require = |key: &str, example: &str| {
                let node = fields.require(problems, key, example)?;
                values::label(problems, node, key)
            };
            let file = require("file", "adsl-2.4.bin");
            let type_ = require("type", "adsl").unwrap_or_default();
            let version = require("version", "\"2.4\"").unwrap_or_default();
            if let (Some(node), Some(file)) = (fields.get("file"), &file) {
                problems.ok(&node.span, Image::check_file(file));
            }
            Arc::new(Image {
                name: name.into(),
                file: file.unwrap_or_default(),
                type_,
                version,
                sha256: fields.value(problems, "sha256", sha256),
                size: fields.value(problems, "size", values::size),
            })
        })
        .collect()
}

fn sha256(problems: &mut Problems, node: &Node, key: &str) -> Option<[u8; 32]> {
    let written = values::text(problems, node, key)?;
    let mut digest = [0; 32];
    if hex::decode_to_slice(written, &mut digest).is_ok() {
        return Some(digest);
    }
    let message = match written.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(c) => format!(
            "{} in a SHA-256 is not a hexadecimal digit",
            quoted(&c.to_string())
        ),
        None => format!(
            "a SHA-256 has 64 hexadecimal digits, and this has {}",
            written.len()
        ),
    };
    let help = "write all of what `sha256sum FILE` prints, or leave the key out";
    problems.refuse(&node.span, message, help)
}

//! `file_servers` and `images`: what there is to be distributed, and where it is kept.

use std::path::Path;
use std::sync::Arc;

use crate::model::scheme::TLS_KEYS;
use crate::model::{Address, CredentialsRef, Dialect, FileServer, Image, Scheme};

use super::address::{check_keys, parse_url};
use super::credentials;
use super::defaults::{Defaults, timeouts};
use super::dialect;
use super::error::{Problems, quoted};
use super::fields::{Fields, Shape, TIME_KEYS, section};
use super::tls;
use super::tree::Node;
use super::values;

const FILE_SERVER: Shape = Shape::new(
    "a file server",
    &[
        &["url", "credentials"],
        TIME_KEYS,
        &TLS_KEYS,
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
    defaults: &Defaults,
    inventory: &Path,
) -> Vec<Arc<FileServer>> {
    section(problems, node, "file_servers")
        .into_iter()
        .map(|(name, _, node)| {
            let fields = Fields::read(problems, node, &FILE_SERVER);
            let get = |key| fields.as_ref().and_then(|fields| fields.get(key));
            let url = fields
                .as_ref()
                .and_then(|fields| fields.require(problems, "url", "ftp://192.0.2.10/images"))
                .and_then(|node| {
                    let written = values::text(problems, node, "url")?;
                    match parse_url(written) {
                        Ok(url) => Some(url),
                        Err(complaint) => {
                            problems.complain(&node.span, complaint);
                            None
                        }
                    }
                });
            if let (Some(fields), Some((address, _))) = (&fields, &url) {
                check_keys(problems, fields, address);
            }
            let (address, root) = url.unwrap_or_else(|| (nowhere(), String::new()));
            let credentials = match get("credentials") {
                None => defaults.credentials.clone(),
                own => credentials::reference(problems, own, known),
            };
            Arc::new(FileServer {
                name: name.into(),
                address,
                root,
                credentials,
                timeouts: timeouts(problems, fields.as_ref(), defaults.timeouts),
                tls: tls::read(problems, fields.as_ref(), &defaults.tls, inventory),
                // What `defaults` says of it is about devices.
                dialect: dialect::read(problems, fields.as_ref(), &Dialect::default()),
            })
        })
        .collect()
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
                let node = fields.as_ref()?.require(problems, key, example)?;
                values::label(problems, node, key).map(|text| (node, text))
            };
            let file = require("file", "adsl-2.4.bin");
            let type_ = require("type", "adsl");
            let version = require("version", "\"2.4\"");
            let file = file.map(|(node, file)| {
                if let Err(complaint) = Image::check_file(&file) {
                    problems.complain(&node.span, complaint);
                }
                file
            });
            let get = |key| fields.as_ref().and_then(|fields| fields.get(key));
            let sha256 = get("sha256").and_then(|node| sha256(problems, node));
            let size = get("size").and_then(|node| values::size(problems, node, "size"));
            Arc::new(Image {
                name: name.into(),
                file: file.unwrap_or_default(),
                type_: type_.map(|(_, text)| text).unwrap_or_default(),
                version: version.map(|(_, text)| text).unwrap_or_default(),
                size,
                sha256,
            })
        })
        .collect()
}

fn sha256(problems: &mut Problems, node: &Node) -> Option<[u8; 32]> {
    let written = values::text(problems, node, "sha256")?;
    let mut digest = [0; 32];
    match hex::decode_to_slice(written, &mut digest) {
        Ok(()) => Some(digest),
        Err(_) => {
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
            problems.report(&node.span, message, help);
            None
        }
    }
}

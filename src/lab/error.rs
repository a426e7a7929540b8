//! Why a lab can't be started.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::model::Scheme;

/// Why a lab can't be started. Every message names the server or the setting that it is about.
#[derive(Debug, Error)]
pub enum LabError {
    #[error("can't read the lab's settings in {}: {cause}", .file.display())]
    Read { file: PathBuf, cause: io::Error },
    #[error("the lab's settings make no sense: {0}")]
    Settings(String),
    #[error(
        "the lab's settings name {kind} `{name}`, which the inventory does not have; correct or remove it"
    )]
    Unknown { kind: &'static str, name: String },
    #[error(
        "{kind} {name}: the lab serves on loopback only; give it an address like 127.0.0.1:2121, not {address}"
    )]
    NotLoopback {
        kind: &'static str,
        name: String,
        address: String,
    },
    #[error("{kind} {name}: the lab does not speak {}:// but ftp://, sftp://, http:// and tftp://", .scheme.word())]
    Scheme {
        kind: &'static str,
        name: String,
        scheme: Scheme,
    },
    #[error("{kind} {name}: `{key}` means nothing over {}; remove it", .scheme.in_words())]
    NotThere {
        kind: &'static str,
        name: String,
        scheme: Scheme,
        key: &'static str,
    },
    #[error("{kind} {name} can't be served on {address}: {cause}")]
    Bind {
        kind: &'static str,
        name: String,
        address: String,
        cause: io::Error,
    },
    #[error("file server {server}: the image {image} has no usable path: {reason}")]
    ImagePath {
        server: String,
        image: String,
        reason: String,
    },
    #[error("the lab's runtime can't be started: {0}")]
    Runtime(io::Error),
}

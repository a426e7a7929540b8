//! YAML files that people write: read into nodes that know where they stand, every error at once with its line and column.
//!
//! `tree` reads the YAML itself; `fields` and `values` walk the nodes and report what is wrong to one list (`error`).
//! What a file may hold says who reads it.

pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod tree;
pub(crate) mod values;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::model::units;

pub use error::{Errors, Problem};

/// What a file is, and how large it may be.
#[derive(Debug)]
pub(crate) struct Kind {
    /// `inventory`.
    pub what: &'static str,
    /// Larger files are refused unread.
    pub largest: u64,
    /// Nodes at most, aliased ones counted each time: a walk is bounded by it.
    pub most_nodes: usize,
    /// What to do about a file that has more.
    pub shorter: &'static str,
    /// What to do about one that is not there, and about a folder.
    pub missing: &'static str,
    pub folder: &'static str,
}

/// The text of a file.
///
/// # Errors
/// Why it can't be read: missing, a folder, not UTF-8, too large.
pub(crate) fn read_text(path: &Path, kind: &Kind) -> Result<String, Errors> {
    let whole = |message: String, help: &str| Errors::whole(path, message, help);
    let unreadable = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => whole("there is no such file".into(), kind.missing),
        ErrorKind::IsADirectory => whole("this is a folder, not a file".into(), kind.folder),
        _ => whole(
            format!("the file can't be read: {error}"),
            "check its path and its permissions",
        ),
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    file.take(kind.largest + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > kind.largest {
        return Err(whole(
            format!("the file is larger than {}", units::size(kind.largest)),
            &format!(
                "{} is a short text; is this the right file?",
                with_article(kind.what)
            ),
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let before = &error.as_bytes()[..valid];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(whole(
                format!("the file is not UTF-8 text: see line {line}"),
                "save it as UTF-8",
            ))
        }
    }
}

fn with_article(what: &str) -> String {
    let article = match what.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    };
    format!("{article} {what}")
}

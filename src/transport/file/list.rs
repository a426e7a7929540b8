//! What is in a folder of this host.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Failure, Fault, Step};
use crate::transport::{Directory, Listed};

use super::fault::{Asked, named};
use super::open::resolved;
use super::workers::Workers;

/// A folder with more is no place to choose a file from.
const MOST_ENTRIES: usize = 10_000;
/// Bytes of names.
const MOST_BYTES: usize = 4 << 20;
/// Deadline for the whole listing.
const WHOLE: Duration = Duration::from_secs(60);

pub(super) async fn list(workers: &Workers, directory: &Directory) -> Result<Vec<Listed>, Failure> {
    let asked = Asked {
        folder: PathBuf::from(&directory.endpoint.address.host),
        path: PathBuf::from(&directory.path),
        was_there: false,
    };
    let read = move || entries(&asked);
    workers.run(Step::Read, ("list", WHOLE), read).await
}

fn entries(asked: &Asked) -> Result<Vec<Listed>, Fault> {
    let folder = resolved(asked)?;
    let fault = |error| asked.fault(&asked.path, &error);
    if !fs::metadata(&folder).map_err(fault)?.is_dir() {
        let reply = format!("{} is a file, not a folder", named(&folder));
        return Err(Fault::NotReadable { reply });
    }
    let (mut found, mut bytes) = (Vec::new(), 0);
    for entry in fs::read_dir(&folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        // A name that no inventory could hold.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // Where links lead; one that leads nowhere is no file.
        let Ok(metadata) = fs::metadata(entry.path()) else {
            continue;
        };
        let is_directory = metadata.is_dir();
        if name.contains(['\r', '\n']) || !is_directory && !metadata.is_file() {
            continue;
        }
        bytes += name.len();
        let size = (!is_directory).then_some(metadata.len());
        found.push(Listed {
            name,
            is_directory,
            size,
        });
        if found.len() > MOST_ENTRIES || bytes > MOST_BYTES {
            return Err(Fault::Local(format!(
                "the folder holds more than {MOST_ENTRIES} entries, or {} MiB of names, which is too much \
                 to look at; name the file instead",
                MOST_BYTES >> 20
            )));
        }
    }
    found.sort_by(|a, b| (!a.is_directory, &a.name).cmp(&(!b.is_directory, &b.name)));
    Ok(found)
}

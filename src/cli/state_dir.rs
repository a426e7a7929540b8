//! Where state is kept: `$XDG_STATE_HOME/subtend`, or the folder of `--state-dir`. Nobody else may
//! look into it: groups and logs name the operator's hosts.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use thiserror::Error;

use crate::journal;

/// This user has no home directory, and no state directory was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no home directory to keep state in; name one with --state-dir")]
pub struct NoHome;

/// The state directory, or why there is none: not every command needs one.
pub type StateDir = Result<PathBuf, NoHome>;

/// The state directory, which need not be there yet.
///
/// # Errors
/// There is no place for one.
pub fn state_dir(named: Option<&Path>) -> StateDir {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let strategy = etcetera::choose_base_strategy().map_err(|_| NoHome)?;
    // Only Windows has none.
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(state.join("subtend"))
}

/// Identifies this host, user and state directory among others that may write to the same entities: what
/// they stage has other names.
pub(super) fn owner(state_dir: Option<&Path>) -> String {
    let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    // Hosts that were cloned have one name; containers of one host have one machine id.
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let state_dir = state_dir.map(|folder| std::path::absolute(folder).unwrap_or_default());
    format!(
        "{}\0{}\0{}\0{}",
        host.unwrap_or_default(),
        machine.trim(),
        nix::unistd::getuid(),
        state_dir.unwrap_or_default().display()
    )
}

/// Makes a folder, and those above it, for this user alone. One that is there stays as it is; one
/// that others own or can write is not used.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    journal::check_folder(folder).map_err(io::Error::other)
}

/// Opens a file that only this user can read, with mode 0600 where it is made.
pub(super) fn open(options: &mut OpenOptions, file: &Path) -> io::Result<File> {
    options.mode(0o600).open(file)
}

//! Where state is kept: `$XDG_STATE_HOME/subtend`, or the folder of `--state-dir`. Nobody else may
//! look into it: groups and logs name the operator's hosts.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::journal;

/// The state directory, which need not be there yet.
///
/// # Errors
/// A sentence, when this user has no home directory and none is named.
pub fn state_dir(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let no_home =
        || "there is no home directory to keep state in; name one with --state-dir".to_owned();
    let strategy = etcetera::choose_base_strategy().map_err(|_| no_home())?;
    // Only Windows has none.
    let state = strategy.state_dir().unwrap_or_else(|| strategy.data_dir());
    Ok(state.join("subtend"))
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

//! What the process does for its secrets before it has any: no core dump, no look from outside, and
//! a umask under which nobody else reads its files.

use std::sync::OnceLock;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// The umask that the operator gave the process.
static GIVEN: OnceLock<Mode> = OnceLock::new();

/// Makes the process private, and those that it starts. Called first of all, while there is one
/// thread and no secret. Returns what could not be done, in sentences: that stops no work.
#[must_use]
pub fn make_private() -> Vec<String> {
    // Files 0600, directories 0700, sockets too, whatever else their makers ask for.
    let given = umask(Mode::S_IRWXG | Mode::S_IRWXO);
    let _ = GIVEN.set(given);
    let mut failed = Vec::new();
    if let Err(error) = setrlimit(Resource::RLIMIT_CORE, 0, 0) {
        failed.push(format!("core dumps can't be turned off: {error}"));
    }
    // The limit alone is not enough: Linux ignores it where a program takes core dumps (core(5)).
    // Nor can another process of this user attach to this one then, or read its environment, in
    // which a password may stand.
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        failed.push(format!("the process can't be made undumpable: {error}"));
    }
    failed
}

/// Gives the operator's umask back, for files that are made for everyone to read. The process must
/// make no others after it.
pub(super) fn write_for_everyone() {
    if let Some(given) = GIVEN.get() {
        umask(*given);
    }
}

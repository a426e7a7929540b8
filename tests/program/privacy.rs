//! What the process does for its secrets first of all.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::support::alone;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::stat::{Mode, umask};
use subtend::cli::privacy::make_private;

/// In a process of its own, for all of it is the whole process's.
#[test]
fn nothing_is_left_for_others_to_look_at() {
    alone("privacy::files_and_sockets_are_the_users_alone_and_no_core_is_dumped");
}

#[test]
#[ignore = "run by the test above"]
fn files_and_sockets_are_the_users_alone_and_no_core_is_dumped() {
    umask(Mode::empty());
    assert_eq!(make_private(), Vec::<String>::new());

    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| folder.path().join(name);
    std::fs::write(made("file"), "").unwrap();
    std::fs::create_dir(made("folder")).unwrap();
    let _socket = UnixListener::bind(made("socket")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&made("file")), 0o600);
    assert_eq!(mode(&made("folder")), 0o700);
    // A socket is made executable, which means nothing.
    assert_eq!(mode(&made("socket")) & 0o077, 0);

    assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
    #[cfg(target_os = "linux")]
    assert!(!nix::sys::prctl::get_dumpable().unwrap());
}

//! The open files that a large network needs.

/// Raises this process's soft limit of open files, up to its hard limit, where `servers` servers
/// with a session each may need more. Common defaults are 1024, and 256 on macOS. What can't be
/// raised is left as it is: the accept loop waits and tries again when files run out.
pub(super) fn raise_open_files(servers: usize) {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        // A listener, the three ends of the relayed control connection, the data connection and
        // its listener, and both ends of a client in this process.
        let wanted = 128 + 8 * servers as u64;
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < wanted
            && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard)
        {
            tracing::warn!("the limit of open files stays at {soft}: {error}");
        }
    }
    #[cfg(not(unix))]
    let _ = servers;
}

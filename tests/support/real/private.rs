//! What a server sees that is not so on this host: users, rules for logins and a small disk of its
//! own. They are in a mount namespace that ends with it, so nothing is left of them; that needs root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{NOBODY, Place, USER, is_root};

/// [`super::PASSWORD`] as MD5-crypt. What pure-pw would make of it takes seconds to check at each
/// login.
pub(super) const CRYPTED: &str = "$1$subtend$O/36y/zd.2CzqliN0bOYh/";

/// Something that only the server sees.
#[derive(Debug)]
pub(super) enum Mount {
    /// A file or a folder in the place of one of this host.
    Over(PathBuf, &'static str),
    /// `/run` with this empty folder in it.
    Run(&'static str),
}

/// The command with these mounts. It stays one process: what `unshare` and the shell become is the
/// server.
pub(super) fn with_mounts(command: &Command, mounts: &[Mount]) -> Command {
    let script: String = (mounts.iter())
        .map(|mount| match mount {
            Mount::Over(own, place) => format!("mount --bind '{}' {place} && ", own.display()),
            Mount::Run(folder) => {
                format!("mount -t tmpfs -o mode=755 tmpfs /run && mkdir -m 755 /run/{folder} && ")
            }
        })
        .collect();
    within(command, &script)
}

/// The command with a disk of `bytes` for its files.
pub(super) fn with_disk(command: &Command, files: &Path, owner: u32, bytes: u64) -> Command {
    if is_root() {
        let options = format!("size={bytes},mode=755,uid={owner},gid={owner}");
        let script = format!(
            "mount -t tmpfs -o {options} tmpfs '{}' && ",
            files.display()
        );
        return within(command, &script);
    }
    // In blocks of 512 bytes. A write beyond is an error then, and not the end of the process.
    let script = format!("trap '' XFSZ && ulimit -f {} && ", bytes / 512);
    after(&["sh"], command, &script)
}

fn within(command: &Command, script: &str) -> Command {
    after(&["unshare", "-m", "sh"], command, script)
}

/// The command, run by a shell after a script.
fn after(shell: &[&str], command: &Command, script: &str) -> Command {
    let mut wrapped = Command::new(shell[0]);
    wrapped
        .args(&shell[1..])
        .arg("-c")
        .arg(format!("{script}exec \"$@\""))
        .arg("sh")
        .arg(command.get_program())
        .args(command.get_args())
        .process_group(0);
    for (key, value) in command.get_envs() {
        wrapped.env(key, value.unwrap_or_default());
    }
    wrapped
}

/// The list of users, with [`USER`] at home among the files.
pub(super) fn users(place: &Place<'_>) -> Mount {
    let file = place.dir.join("passwd");
    let list = format!(
        "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n\
         {USER}:x:{NOBODY}:{NOBODY}::{}:/bin/sh\n",
        place.files.display()
    );
    fs::write(&file, list).unwrap();
    Mount::Over(file, "/etc/passwd")
}

/// Their passwords.
pub(super) fn passwords(place: &Place<'_>) -> Mount {
    let file = place.dir.join("shadow");
    let days = "19000:0:99999:7:::";
    fs::write(&file, format!("root:*:{days}\n{USER}:{CRYPTED}:{days}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Mount::Over(file, "/etc/shadow")
}

/// Rules for logins of these services: the module that decides.
pub(super) fn rules(place: &Place<'_>, services: &[&str], module: &str) -> Mount {
    let folder = place.dir.join("pam.d");
    fs::create_dir_all(&folder).unwrap();
    let rule = format!(
        "auth required {module}\naccount required {module}\nsession required pam_permit.so\n"
    );
    for service in services {
        fs::write(folder.join(service), &rule).unwrap();
    }
    Mount::Over(folder, "/etc/pam.d")
}

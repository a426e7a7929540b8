//! A router with a scripted command line behind a real server, which goes with the router and comes back with it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use crate::support::real::{Make, Options, PASSWORD, RealServer};

/// What `enable` asks for.
pub const ENABLE: &str = "latch-4711-Qz";
/// From its power to its server.
const BOOTS: Duration = Duration::from_secs(1);

pub struct Router {
    pub port: u16,
    /// Where it is reached by SSH.
    pub host_key: Option<String>,
    folder: PathBuf,
    ended: Arc<AtomicBool>,
    power: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Router {
    /// `asks`: its command line asks who comes, as behind telnet.
    pub fn start(make: &'static dyn Make, asks: bool) -> Self {
        Self::with(make, asks, None)
    }

    /// With a folder for its flash, which something else serves.
    pub fn with(make: &'static dyn Make, asks: bool, flash: Option<&Path>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_owned();
        // The user that an SSH server gives it to is another one.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let router = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transport/terminal");
        fs::copy(router.join("router.sh"), folder.join("router.sh")).unwrap();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        fs::write(folder.join("enable"), ENABLE).unwrap();
        if let Some(flash) = flash {
            symlink(flash, folder.join("flash")).unwrap();
        }
        does(&folder, "install");
        let program = folder.join("session");
        let (here, what) = (folder.display(), if asks { "login" } else { "shell" });
        let text = format!("#!/bin/sh\nexec sh {here}/router.sh {here} {what}\n");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let server = RealServer::start_with(
            make,
            &Options {
                command_line: Some(&program),
                ..Options::default()
            },
        );
        let ended = Arc::new(AtomicBool::new(false));
        Self {
            port: server.address.port(),
            host_key: (!asks).then(|| server.host_key("ed25519")),
            power: Some(power(server, folder.clone(), Arc::clone(&ended))),
            folder,
            ended,
            _dir: dir,
        }
    }

    /// Shows passwords that are typed.
    pub fn echoes(&self) {
        fs::write(self.folder.join("echoes"), "").unwrap();
    }

    /// The image stands in place.
    pub fn has(&self, file: &str, image: &str) {
        fs::write(self.folder.join("flash").join(file), image).unwrap();
    }

    pub fn version(&self) -> String {
        let version = fs::read_to_string(self.folder.join("version"));
        version.unwrap().trim().to_owned()
    }

    /// What it boots next, in order.
    pub fn saved(&self) -> String {
        fs::read_to_string(self.folder.join("saved")).unwrap()
    }

    /// How often a line was carried out on it; `boot` and `more` are its own words.
    pub fn count(&self, line: &str) -> usize {
        let log = fs::read_to_string(self.folder.join("log")).unwrap();
        log.lines().filter(|one| *one == line).count()
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(power) = self.power.take() {
            let _ = power.join();
        }
    }
}

/// With a reload all its sessions end, and its server; both are there again when it has booted.
fn power(mut server: RealServer, folder: PathBuf, ended: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !ended.load(Ordering::SeqCst) {
            if folder.join("reload").exists() {
                server.stop();
                fs::remove_file(folder.join("reload")).unwrap();
                sleep(BOOTS);
                does(&folder, "boot");
                server.restart();
            }
            // Nothing says that it reloads but looking.
            sleep(Duration::from_millis(10));
        }
    })
}

fn does(folder: &Path, what: &str) {
    let router = folder.join("router.sh");
    let mut sh = Command::new("sh");
    sh.arg(router).arg(folder).arg(what);
    assert!(sh.status().unwrap().success(), "{what}");
}

//! A host that the program runs on, against a lab in the test's process: an inventory file, a state directory, and an
//! engine in a process of its own or as a service.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use subtend::lab::Lab;
use subtend::protocol::{GroupSnapshot, Snapshot};
use subtend::remote::{Connection, Place, Wants};
use tempfile::TempDir;

use super::program::{Program, served, subtend};
use super::pty::Pty;
use super::{IMAGE, LONG, PATH, takes_at, within};

const MIB: u64 = 1 << 20;

pub struct Host {
    pub lab: Lab,
    /// The inventory.
    pub file: String,
    pub state: String,
    pub folder: TempDir,
}

/// `subtend serve`, ready.
pub struct Serve {
    pub program: Program,
    pub place: Place,
}

impl Host {
    /// Three entities of the group `all`, which take this many bytes at 1 MiB a second.
    pub async fn new(size: u64) -> Self {
        Self::of(served(3, size, &[("*", takes_at(MIB))]).await)
    }

    pub fn of((lab, folder, file): (Lab, TempDir, String)) -> Self {
        let state = folder.path().join("state").to_str().unwrap().to_owned();
        Self {
            lab,
            file,
            state,
            folder,
        }
    }

    /// With this text as its inventory.
    pub fn with(lab: Lab, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("site.yaml");
        std::fs::write(&file, text).unwrap();
        Self::of((lab, folder, file.to_str().unwrap().to_owned()))
    }

    /// Another text in place of a part of its inventory.
    pub fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&self.file, text.replace(from, to)).unwrap();
    }

    /// Started as a service manager does it: it says when it is ready.
    pub async fn serve(&self) -> Serve {
        let socket: PathBuf = self.folder.path().join("notify");
        let _ = std::fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(LONG)).unwrap();
        let notify = format!("NOTIFY_SOCKET={}", socket.display());
        let program = subtend();
        let serve = ["serve", "-i", &self.file, "--state-dir", &self.state];
        let args = [&[&*notify, program.to_str().unwrap()][..], &serve].concat();
        let program = Program::command(self.folder.path(), "/usr/bin/env", &args);
        let heard = tokio::task::spawn_blocking(move || {
            let mut message = [0; 512];
            let length = manager
                .recv(&mut message)
                .expect("it says that it is ready");
            String::from_utf8_lossy(&message[..length]).into_owned()
        });
        let heard = heard.await.unwrap();
        assert!(heard.starts_with("READY=1\n"), "{heard}");
        let place = Place::of(Path::new(&self.state), None).unwrap();
        Serve { program, place }
    }

    fn here<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [args, &["--state-dir", &self.state]].concat()
    }

    pub fn program(&self, args: &[&str]) -> Program {
        Program::keeping(self.folder.path(), &self.here(args))
    }

    pub fn pty(&self, args: &[&str]) -> Pty {
        Pty::start(subtend(), &self.here(args), &[])
    }

    /// The console, on the engine that runs or a new one.
    pub fn console(&self) -> Pty {
        self.pty(&["-i", &self.file])
    }

    /// What a command printed, and that it went well.
    pub async fn said(&self, args: &[&str]) -> String {
        let (lines, code, said) = self.program(args).end().await;
        assert_eq!(code, Some(0), "{args:?}: {lines:?} {said}");
        lines.join("\n")
    }

    pub async fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        serde_json::from_str(&self.said(&args).await).unwrap()
    }

    pub async fn status(&self) -> Value {
        self.json(&["status"]).await
    }

    /// Starts all groups without a console; the engine's process.
    pub async fn detached(&self) -> String {
        let args = ["run", "--all", "--detach", "-i", &self.file];
        let said = self.said(&args).await;
        assert!(said.contains("all started"), "{said}");
        self.process()
    }

    /// What an engine has in the state directory while it runs.
    pub fn left(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.path().join("state/engine"));
        files.unwrap().map(|file| file.unwrap().path()).collect()
    }

    /// That of the engine.
    pub fn process(&self) -> String {
        let ends = |end: &'static str| move |path: &PathBuf| path.extension().unwrap() == end;
        let lock = self.left().into_iter().find(ends("lock")).expect("a lock");
        std::fs::read_to_string(lock).unwrap().trim().to_owned()
    }

    /// The engine ends by itself, and leaves neither socket nor lock.
    pub async fn nothing_is_left(&self) {
        let began = Instant::now();
        while !self.left().is_empty() {
            assert!(began.elapsed() < LONG, "{:?} is left", self.left());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All of these have the image, and nothing else is there.
    pub fn assert_delivered(&self, names: &[&str]) {
        for name in names {
            let file = self.lab.file(name, PATH).unwrap();
            assert!(file.same_as_image(IMAGE), "{name}");
            assert_eq!(self.lab.files(name), [PATH], "{name}");
        }
    }
}

impl Serve {
    pub async fn connection(&self) -> Connection {
        open(&self.place).await
    }

    pub async fn until(
        &self,
        group: &str,
        is_so: impl Fn(&GroupSnapshot) -> bool,
    ) -> Arc<GroupSnapshot> {
        until(&self.place, group, is_so).await
    }

    /// Nothing runs, or waits.
    pub async fn until_idle(&self) {
        let mut connection = self.connection().await;
        let idle = async { while connection.snapshot().await.unwrap().is_busy() {} };
        within(LONG, idle).await;
    }

    /// What it said.
    pub async fn kill(self) -> String {
        self.program.signal("KILL");
        let (lines, _, said) = self.program.end().await;
        lines.join("\n") + &said
    }
}

async fn open(place: &Place) -> Connection {
    let opened = Connection::open(place, Wants::Orders, "a test").await;
    opened.unwrap().expect("an engine")
}

/// Waits until the newest group of this name is so, in the engine at this place.
pub async fn until(
    place: &Place,
    name: &str,
    is_so: impl Fn(&GroupSnapshot) -> bool,
) -> Arc<GroupSnapshot> {
    let mut connection = open(place).await;
    let seen = async {
        loop {
            let snapshot: Arc<Snapshot> = connection.snapshot().await.unwrap();
            let mut groups = snapshot.groups.iter().rev();
            if let Some(group) = groups.find(|one| &*one.group == name)
                && is_so(group)
            {
                return group.clone();
            }
        }
    };
    within(LONG, seen).await
}

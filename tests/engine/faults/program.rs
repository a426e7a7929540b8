//! `subtend run` as a process of its own, on an inventory written for it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{LONG, within};

pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

/// What a process left.
pub struct Left {
    pub code: Option<i32>,
    /// Standard output and standard error.
    pub out: String,
    pub err: String,
    /// Every file of its state directory.
    pub files: String,
}

/// The inventory of one group `all` that gets `image.bin` from the source, in `memory` bytes.
pub fn yaml(source: SocketAddr, entities: &[(String, SocketAddr)], memory: u64) -> String {
    let mut text = format!(
        "memory: {memory}\n\
         file_servers: {{ hq: {{ url: 'ftp://{source}/images' }} }}\n\
         images: {{ new: {{ file: image.bin, type: adsl, version: '2' }} }}\n\
         defaults:\n  path: /flash/image.bin\n  \
         timeouts: {{ connect: 30s, reply: 20s, progress: 20s, confirm: 20s }}\n\
         entities:\n"
    );
    for (name, address) in entities {
        let one = format!("name: {name}, type: adsl, version: '1', address: '{address}'");
        writeln!(text, "  - {{ {one} }}").unwrap();
    }
    text.push_str(
        "groups: { all: { select: { type: adsl }, image: new, \
         source: { file_server: hq }, retries: 0 } }\n",
    );
    text
}

impl Program {
    pub fn start(inventory: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.yaml");
        std::fs::write(&file, inventory).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_subtend"))
            .args(["run", "all", "-i"])
            .arg(&file)
            .args(options)
            .env_remove("SUBTEND_INVENTORY")
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            folder,
        }
    }

    pub async fn line(&mut self) -> Option<String> {
        within(LONG, self.lines.next_line()).await.unwrap()
    }

    /// The most memory that it ever had resident, in bytes, while it runs.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() << 10
    }

    pub async fn end(mut self) -> Left {
        let mut out = String::new();
        let mut err = self.child.stderr.take().unwrap();
        let mut said = Vec::new();
        let read = async {
            within(LONG, err.read_to_end(&mut said)).await.unwrap();
        };
        let print = async {
            while let Some(line) = within(LONG, self.lines.next_line()).await.unwrap() {
                out += &line;
                out.push('\n');
            }
        };
        tokio::join!(read, print);
        let status = within(LONG, self.child.wait()).await.unwrap();
        let mut files = String::new();
        gather(&self.folder.path().join("state"), &mut files);
        Left {
            code: status.code(),
            out,
            err: String::from_utf8(said).unwrap(),
            files,
        }
    }
}

fn gather(folder: &std::path::Path, text: &mut String) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => gather(&path, text),
            false => *text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap()),
        }
    }
}

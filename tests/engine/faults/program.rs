//! `subtend run` as a process of its own, on an inventory written for it.

use std::fmt::Write;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::support::program::Program as Process;

pub struct Program {
    process: Process,
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
        let args = [&["run", "all", "-i", file.to_str().unwrap()], options].concat();
        Self {
            process: Process::keeping(&folder.path().join("state"), &args),
            folder,
        }
    }

    pub async fn line(&mut self) -> Option<String> {
        self.process.line().await
    }

    pub fn peak_memory(&self) -> u64 {
        self.process.peak_memory()
    }

    pub async fn end(self) -> Left {
        let (lines, code, err) = self.process.end().await;
        let mut files = String::new();
        gather(&self.folder.path().join("state"), &mut files);
        Left {
            code,
            out: lines.iter().map(|line| format!("{line}\n")).collect(),
            err,
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

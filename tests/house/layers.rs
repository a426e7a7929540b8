//! Imports point down the list of ARCHITECTURE.md, "Where things are", and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src/` in the order of the list.
fn layers() -> Vec<String> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let folder = line.strip_prefix("| `src/")?.split_once("/` |")?.0;
        Some(folder.to_owned())
    });
    rows.collect()
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

pub fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The folders that a file names behind `crate::`, with the line; comments name what they like.
fn named(text: &str) -> Vec<(usize, &str)> {
    let mut named = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for behind in code.split("crate::").skip(1) {
            let end = behind.find(|c: char| !c.is_alphanumeric() && c != '_');
            named.push((at + 1, &behind[..end.unwrap_or(behind.len())]));
        }
    }
    named
}

#[test]
fn imports_point_down_the_list_only() {
    let layers = layers();
    let place = |name: &str| layers.iter().position(|layer| layer == name);
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let Some(here) = place(name) else {
            wrong.push(format!("src/{name}/ is not in the list"));
            continue;
        };
        let mut files = Vec::new();
        sources(&folder, &mut files);
        assert!(!files.is_empty());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (line, other) in named(&text) {
                if place(other).is_none_or(|there| there < here) {
                    let file = file.strip_prefix(root()).unwrap().display();
                    wrong.push(format!("{file}:{line} names {other}, which is above it"));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "the list: {layers:?}");
}

/// Watchers know the terminal, what is reported and asked, the rulebook and the words: never an agent, a pool or a socket. What
/// their own tests are given may be made of an inventory.
#[test]
fn what_watches_knows_nothing_of_the_engine() {
    let mut wrong = Vec::new();
    for watcher in ["console", "headless"] {
        let mut files = Vec::new();
        sources(&root().join("src").join(watcher), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let tests = ["tests.rs", "testing.rs"]
                .iter()
                .any(|end| file.ends_with(end));
            for (line, other) in named(&text) {
                let is_known = ["terminal", "protocol", "plan", "model", watcher].contains(&other);
                if !(is_known || tests && other == "inventory") {
                    wrong.push(format!("{}:{line} names {other}", file.display()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

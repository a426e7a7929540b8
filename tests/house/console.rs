//! Inside the console: imports point down the table of `src/console/mod.rs`, a page knows no other page, and only the
//! registry of the pages knows one by name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::layers::{root, sources};

fn folder() -> PathBuf {
    root().join("src/console")
}

/// The modules of the console in the order of its table.
fn modules() -> Vec<String> {
    let text = fs::read_to_string(folder().join("mod.rs")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let names = rows.flat_map(|row| row.split_once(" | ").unwrap().0.split(", "));
    names
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

/// The folders in `pages/`.
fn pages() -> Vec<String> {
    let entries = fs::read_dir(folder().join("pages")).unwrap();
    let folders = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir());
    folders
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// A file of the console: its module, as a path below the console, and its text without comments and tests.
struct Source {
    module: Vec<String>,
    text: String,
}

fn console() -> Vec<Source> {
    let mut files = Vec::new();
    sources(&folder(), &mut files);
    let is_test = |file: &PathBuf| {
        let text = file.to_str().unwrap();
        ["tests.rs", "testing.rs"]
            .iter()
            .any(|end| text.ends_with(end))
    };
    files.retain(|file| !is_test(file) && *file != folder().join("mod.rs"));
    files.iter().map(|file| source(file)).collect()
}

fn source(file: &Path) -> Source {
    let below = file.strip_prefix(folder()).unwrap().with_extension("");
    let mut module: Vec<String> = below
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    module.pop_if(|last| last == "mod");
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("mod tests {").next().unwrap();
    let code = text.lines().map(|line| line.split("//").next().unwrap());
    Source {
        module,
        text: code.collect::<Vec<_>>().join("\n"),
    }
}

impl Source {
    /// Every path that begins with `crate::console::` or `super::`, as it stands below the console.
    fn named(&self) -> Vec<Vec<String>> {
        let mut named = Vec::new();
        for behind in self.text.split("crate::console::").skip(1) {
            named.extend(paths(&[], behind));
        }
        for (at, _) in self.text.match_indices("super::") {
            let (before, mut behind) = self.text.split_at(at);
            if before.ends_with("super::") {
                continue;
            }
            let mut from = &*self.module;
            while let Some(rest) = behind.strip_prefix("super::") {
                from = &from[..from.len() - 1];
                behind = rest;
            }
            named.extend(paths(from, behind));
        }
        named
    }
}

/// The first two names of each path that stands there, behind the module that it is in.
fn paths(from: &[String], text: &str) -> Vec<Vec<String>> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(group) = text.strip_prefix('{') else {
        let first = word(text);
        let mut path = [from, std::slice::from_ref(&first)].concat();
        match text[first.len()..].strip_prefix("::") {
            Some(rest) if rest.starts_with('{') => return paths(&path, rest),
            Some(rest) => path.push(word(rest)),
            None => {}
        }
        return vec![path];
    };
    let (mut depth, mut found, mut begins) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                begins = false;
                found.extend(paths(from, &group[at..]));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn imports_inside_the_console_point_down_its_table() {
    let modules = modules();
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut wrong = Vec::new();
    for source in console() {
        let here = &source.module[0];
        for path in source.named() {
            let down = place(here)
                .zip(place(&path[0]))
                .is_some_and(|(here, there)| here <= there);
            if !down {
                wrong.push(format!(
                    "{} names {}",
                    source.module.join("::"),
                    path.join("::")
                ));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new(), "the table: {modules:?}");
}

#[test]
fn a_page_is_known_to_nobody_but_the_registry() {
    let pages = pages();
    let mut wrong = Vec::new();
    for source in console() {
        if source.module == ["pages"] {
            continue;
        }
        let name = source.module.join("::");
        for path in source.named() {
            let is_page =
                path[0] == "pages" && path.get(1).is_some_and(|page| pages.contains(page));
            if is_page && !source.module.starts_with(&path[..2]) {
                wrong.push(format!("{name} names {}", path.join("::")));
            }
        }
        for page in &pages {
            let title = page[..1].to_uppercase() + &page[1..];
            let is_shell = ["app", "update", "view", "work"].contains(&&*source.module[0]);
            if is_shell && source.text.contains(&format!("Page::{title}")) {
                wrong.push(format!("{name} names the page {title}"));
            }
            let own = source.module.get(1) == Some(page);
            let flat = source.text.split_whitespace().collect::<String>();
            if !own && flat.contains(&format!("pages.{page}")) {
                wrong.push(format!("{name} reads the page {page}"));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new());
}

//! What the program is built from: the rules of deny.toml that need nothing but cargo, so that they
//! hold wherever the tests run. `cargo deny` knows more, and .ci/run asks it where it is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The texts in quotes in a list of deny.toml, from its key to the bracket that closes it.
fn list(key: &str) -> Vec<String> {
    let text = read("deny.toml");
    let start = format!("\n{key} = [");
    let (_, rest) = text.split_once(&start).unwrap();
    let (list, _) = rest.split_once("\n]").unwrap();
    let lines = list
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Name, version, source and checksum of all that Cargo.lock names.
fn locked() -> Vec<BTreeMap<String, String>> {
    let text = read("Cargo.lock");
    let packages = text.split("[[package]]").skip(1).map(|package| {
        let pairs = package.lines().filter_map(|line| {
            let (key, value) = line.split_once(" = \"")?;
            Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
        });
        pairs.collect::<BTreeMap<_, _>>()
    });
    packages.collect()
}

#[test]
fn everything_comes_from_crates_io_and_is_pinned_by_its_digest() {
    let packages = locked();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages
        .iter()
        .filter(|one| !["subtend", "subtend-support"].contains(&&*one["name"]))
    {
        assert_eq!(
            package.get("source").map(String::as_str),
            Some(CRATES_IO),
            "{package:?}"
        );
        assert_eq!(
            package.get("checksum").map_or(0, String::len),
            64,
            "{package:?}"
        );
    }
}

#[test]
fn what_is_banned_is_not_there_and_some_are_there_once() {
    let text = read("deny.toml");
    let packages = locked();
    let rules = list("deny");
    assert!(rules.len() > 5, "{rules:?}");
    for name in rules {
        let count = packages.iter().filter(|one| one["name"] == name).count();
        let once = text.contains(&format!("\"{name}\", deny-multiple-versions"));
        assert!(count <= usize::from(once), "{count} versions of {name}");
    }
}

/// Whether a licence expression (SPDX; `/` in older crates) can be met with what is allowed.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => any(words, allowed) & (words.next() == Some(")")),
        Some(name) => {
            let mut name = name.to_owned();
            if words.next_if_eq(&"WITH").is_some() {
                name = format!("{name} WITH {}", words.next().unwrap_or_default());
            }
            allowed.contains(&name)
        }
        None => false,
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_has_it() {
    let allowed = ["MIT", "ISC"].map(String::from);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("Apache-2.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT OR GPL-3.0 AND LGPL-3.0", true),
        ("(MIT OR GPL-3.0) AND LGPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("MIT WITH something", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_licence_is_one_that_deny_toml_allows() {
    let version = cargo(&["-vV"]);
    let mut lines = version.lines();
    let host = lines.find_map(|line| line.strip_prefix("host: ")).unwrap();
    // What is built here: crates of other systems need not have been downloaded.
    let metadata = cargo(&[
        "metadata",
        "--format-version=1",
        "--offline",
        "--locked",
        "--filter-platform",
        host,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let allowed = list("allow");
    assert!(packages.len() > 100 && allowed.contains(&"MIT".to_owned()));
    let bad: Vec<String> = packages
        .iter()
        .filter(|package| !is_met(package["license"].as_str().unwrap_or_default(), &allowed))
        .map(|package| {
            format!(
                "{} {}: {}",
                package["name"], package["version"], package["license"]
            )
        })
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// `forbid` can't be taken back further down, unlike `deny`; it holds in tests and benches too.
#[test]
fn unsafe_code_is_forbidden_in_every_target() {
    let manifest = read("Cargo.toml");
    let (_, lints) = manifest.split_once("[lints.rust]").unwrap();
    let (lints, _) = lints.split_once("\n[").unwrap();
    assert!(lints.contains("unsafe_code = \"forbid\""), "{lints}");
}

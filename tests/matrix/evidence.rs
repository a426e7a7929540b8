//! What must be so after a command: by the program's word, by the server's disk, and in everything that
//! was written anywhere.

use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use subtend::model::EntityState;

use crate::line::Way;
use crate::program::{SECRETS, Said, run};
use crate::site::{OLD, Site, Wanted, name};
use crate::support::LONG;

/// Why a cell is not as it should be, in the program's words where it has some.
pub(crate) type Wrong = String;

/// The beginning of what no limit excuses.
pub(crate) const LOST: &str = "LOST: ";

pub(crate) const RUN: [&str; 3] = ["run", "--all", "--json"];

pub(crate) async fn tried(site: &Site, args: &[&str]) -> Result<Said, Wrong> {
    let mut all = args.to_vec();
    all.extend(["-i", &site.inventory]);
    let said = run(&site.state(), site.log, &all).await?;
    silent(site, &said)?;
    Ok(said)
}

/// No secret in what it says, nor in its log and its journal.
pub(crate) fn silent(site: &Site, said: &Said) -> Result<(), Wrong> {
    let mut places = vec![
        ("standard output".to_owned(), said.out.clone().into_bytes()),
        ("standard error".to_owned(), said.err.clone().into_bytes()),
    ];
    read_all(&site.state(), &mut places);
    for (place, bytes) in &places {
        for secret in SECRETS {
            if bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
            {
                return Err(format!("{LOST}the secret {secret} stands in {place}"));
            }
        }
    }
    Ok(())
}

/// All files below a folder.
fn read_all(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, files);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files.push((path.display().to_string(), bytes));
        }
    }
}

/// A run that delivers, by the program's word and by the server's disk: its summary.
pub(crate) async fn delivered(site: &Site, wanted: &Wanted, args: &[&str]) -> Result<Value, Wrong> {
    let said = tried(site, args).await?;
    was_delivered(site, wanted, &said)
}

pub(crate) fn was_delivered(site: &Site, wanted: &Wanted, said: &Said) -> Result<Value, Wrong> {
    let summary = said.summary()?;
    no_failure(&summary)?;
    arrived(site, wanted)?;
    match said.code {
        Some(0) => Ok(summary),
        _ => Err(said.in_short()),
    }
}

/// A run in which each entity fails, for a cause with one of these words: the first one's summary. What
/// it holds is what the program says.
pub(crate) fn was_refused(site: &Site, said: &Said, words: &[&str]) -> Result<Value, Wrong> {
    was_refused_beside(site, said, words, OLD)
}

/// As [`was_refused`], where this is what the server had before.
pub(crate) fn was_refused_beside(
    site: &Site,
    said: &Said,
    words: &[&str],
    old: &[u8],
) -> Result<Value, Wrong> {
    let summary = said.summary()?;
    let failed = Value::from(EntityState::Failed.to_string());
    for entity in entities(&summary)? {
        let cause = entity["cause"].as_str().unwrap_or_default();
        eprintln!("         {}: {cause}", site.line.name());
        if entity["state"] != failed {
            return Err(format!("{LOST}it is {}, and not failed", entity["state"]));
        }
        let lower = cause.to_lowercase();
        if !words
            .iter()
            .any(|word| lower.contains(&word.to_lowercase()))
        {
            return Err(format!("none of {words:?} in the cause: {cause}"));
        }
    }
    if said.code != Some(1) {
        return Err(said.in_short());
    }
    let first = entities(&summary)?[0].clone();
    let has_old = site
        .server
        .file(site.name)
        .is_some_and(|bytes| bytes == old);
    match first["holds"].as_str() {
        Some("new") => Err(format!(
            "{LOST}holds: new of what has failed: {}",
            first["cause"]
        )),
        Some("old") if !site.reads && site.line.way.is_direct() && !has_old => {
            Err(format!("{LOST}holds: old, and the old file is gone"))
        }
        _ => Ok(first),
    }
}

fn entities(summary: &Value) -> Result<&Vec<Value>, Wrong> {
    let entities = summary["groups"][0]["entities"].as_array();
    (entities.filter(|all| !all.is_empty())).ok_or_else(|| "no entities in the summary".to_owned())
}

/// Each entity is delivered; else what is said of the first that is not.
pub(crate) fn no_failure(summary: &Value) -> Result<(), Wrong> {
    let entities = entities(summary)?;
    let good = Value::from(EntityState::Delivered.to_string());
    let bad: Vec<_> = (entities.iter())
        .filter(|one| one["state"] != good)
        .collect();
    let Some(first) = bad.first() else {
        return Ok(());
    };
    let of = match entities.len() {
        1 => String::new(),
        all => format!("{} of {all} not delivered: ", bad.len()),
    };
    let left = match &first["left"] {
        Value::Null => String::new(),
        left => format!(" [left: {left}]"),
    };
    let cause = first["cause"].as_str().unwrap_or("no cause");
    Err(format!("{of}{cause}{left}"))
}

/// The image is there under its final name, byte for byte, and no other file.
pub(crate) fn arrived(site: &Site, wanted: &Wanted) -> Result<(), Wrong> {
    let names: Vec<String> = (1..=wanted.entities.max(1))
        .map(|number| name(site.line, wanted, number))
        .collect();
    for name in &names {
        written(site, name);
        match site.server.file(name) {
            Some(bytes) if bytes == site.image => {}
            Some(bytes) => {
                return Err(format!("{LOST}{name} holds {} other bytes", bytes.len()));
            }
            None => return Err(format!("{LOST}{name} is not there")),
        }
    }
    let mut files = site.server.files();
    // What it had not taken whole when it was killed, uploadserver forgets.
    files.retain(|file| site.line.way != Way::Form || !file.starts_with("tmp"));
    match files {
        files if files == names => Ok(()),
        files => Err(format!("something was left: {files:?}")),
    }
}

/// atftpd acknowledges the last block before it has written it, and nothing can be asked over TFTP.
fn written(site: &Site, name: &str) {
    let begun = Instant::now();
    while site.line.make.name() == "atftpd"
        && site.server.size(name) != Some(site.image.len() as u64)
        && begun.elapsed() < LONG / 6
    {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// The old file is as it was; beside it is nothing, or what a kill has left. Where the program writes
/// over it at once, as the operator allows there, nothing is promised of it.
pub(crate) fn unharmed(site: &Site, and_others: bool) -> Result<(), Wrong> {
    if site.line.way.is_direct() {
        return Ok(());
    }
    if site.server.file(site.name).is_none_or(|bytes| bytes != OLD) {
        return Err(format!("{LOST}the old file: {:?}", site.server.files()));
    }
    match site.server.files() {
        files if and_others || files == [site.name] => Ok(()),
        files => Err(format!("something was left: {files:?}")),
    }
}

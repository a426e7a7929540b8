//! The things that are done with each server, and what must have come of them.

use std::time::{Duration, Instant};

use serde_json::Value;
use subtend::model::EntityState;

use crate::Line;
use crate::limits::expected;
use crate::program::{Said, run, start};
use crate::site::{From, NAME, OLD, SIZE, Site, Wanted, name};
use crate::support::PATH;
use crate::table::Cell;

/// One thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Online,
    Fresh,
    Overwrite,
    Best,
    Readback,
    Direct,
    Verify,
    Source,
    Peer,
    Killed,
    Recover,
    Leftover,
    OneSession,
    FourPorts,
    Explicit,
    Implicit,
}

/// In the order in which they are done.
pub(crate) const ROWS: [Row; 16] = [
    row("online", What::Online),
    row("fresh", What::Fresh),
    row("overwrite", What::Overwrite),
    row("best", What::Best),
    row("readback", What::Readback),
    row("direct", What::Direct),
    row("verify", What::Verify),
    row("source", What::Source),
    row("peer", What::Peer),
    row("killed", What::Killed),
    row("recover", What::Recover),
    row("leftover", What::Leftover),
    row("1 session", What::OneSession),
    row("4 ports", What::FourPorts),
    row("explicit", What::Explicit),
    row("implicit", What::Implicit),
];

const fn row(name: &'static str, what: What) -> Row {
    Row { name, what }
}

/// A limit of a server that its own limits are tried with.
const SESSIONS: usize = 1;
const PORTS: u16 = 4;
/// How long it may take until a run writes.
const WRITES: Duration = Duration::from_secs(60);

/// Why a cell is not as it should be, in the program's words where it has some.
type Wrong = String;

/// The beginning of what no limit excuses.
const LOST: &str = "LOST: ";

/// What came of it.
pub(crate) async fn cell(line: Line, row: Row) -> Cell {
    let offers = line.make.offers();
    let has = match row.what {
        What::OneSession => offers.sessions,
        What::FourPorts => offers.ports,
        What::Explicit => offers.explicit,
        What::Implicit => offers.implicit,
        _ => true,
    };
    if !has {
        return Cell::NotOffered;
    }
    let limit = expected(&line.name(), row.name);
    match (done(line, row).await, limit) {
        (Ok(()), None) => Cell::Delivered,
        (Ok(()), Some(limit)) => Cell::Wrong(format!("not a limit any more: {}", limit.why)),
        (Err(cause), Some(limit)) if cause.contains(limit.words) && !cause.starts_with(LOST) => {
            Cell::Limit {
                why: limit.why,
                cause,
            }
        }
        (Err(cause), _) => Cell::Wrong(cause),
    }
}

async fn done(line: Line, row: Row) -> Result<(), Wrong> {
    let plain = Wanted::default();
    match row.what {
        What::Online => online(&Site::new(line, plain).await).await,
        What::Fresh => {
            let site = Site::new(line, plain).await;
            delivered(&site, &Wanted::default(), &["run", "--all", "--json"]).await?;
            Ok(())
        }
        What::Overwrite => overwrite(line, plain).await.map(drop),
        What::Best => {
            let said = overwrite(line, plain).await?;
            match said["verified"].as_str() {
                Some("digest" | "readback") => Ok(()),
                other => Err(format!("not proven by content: {other:?}")),
            }
        }
        What::Readback => {
            let settings = ", verify: readback";
            let said = overwrite(line, Wanted { settings, ..plain }).await?;
            match said["verified"].as_str() {
                Some("readback") => Ok(()),
                other => Err(format!("not read back: {other:?}")),
            }
        }
        What::Direct => {
            let settings = ", staging: direct";
            let said = overwrite(line, Wanted { settings, ..plain }).await?;
            match said["staged"].as_bool() {
                Some(false) => Ok(()),
                other => Err(format!("not direct: {other:?}")),
            }
        }
        What::Verify => verify(&Site::new(line, plain).await).await,
        What::Source => source(line).await,
        What::Peer => {
            let source = From::Peer;
            let site = Site::new(line, Wanted { source, ..plain }).await;
            site.server.put(NAME, OLD);
            let all = ["run", "--all", "--json"];
            let summary = delivered(&site, &Wanted::default(), &all).await?;
            match &summary["groups"][0]["source"] {
                Value::String(name) if name == "peer:peer" => Ok(()),
                other => Err(format!("the peer was not read, but {other}")),
            }
        }
        What::Killed => killed(line).await,
        What::Recover => recovered(line).await,
        What::Leftover => leftover(line).await,
        What::OneSession => {
            let sessions = Some(SESSIONS);
            let entities = 4;
            many(
                line,
                Wanted {
                    sessions,
                    entities,
                    ..plain
                },
            )
            .await
        }
        What::FourPorts => {
            let ports = Some(PORTS);
            let entities = 8;
            many(
                line,
                Wanted {
                    ports,
                    entities,
                    ..plain
                },
            )
            .await
        }
        What::Explicit | What::Implicit => {
            let (explicit, implicit) = match row.what {
                What::Explicit => (true, false),
                _ => (false, true),
            };
            let settings = ", verify: readback";
            let wanted = Wanted {
                explicit,
                implicit,
                settings,
                ..plain
            };
            let line = Line {
                secure: true,
                ..line
            };
            overwrite(line, wanted).await.map(drop)
        }
    }
}

/// Nothing is found, and nothing is left of looking.
async fn online(site: &Site) -> Result<(), Wrong> {
    site.server.put(NAME, OLD);
    let said = tried(site, &["check", "--online", "--json"]).await?;
    unharmed(site, false)?;
    let found = said.json()?;
    let checks = found["online"]["checks"].as_array();
    let checks = checks.ok_or_else(|| said.in_short())?;
    for check in checks {
        if let Some(problem) = check["problem"].as_str() {
            return Err(format!("{}: {problem}", check["host"]));
        }
    }
    match said.code {
        Some(0) => Ok(()),
        _ => Err(said.in_short()),
    }
}

/// The image comes to stand in the place of another file: what is said of the entity.
async fn overwrite(line: Line, wanted: Wanted) -> Result<Value, Wrong> {
    let site = Site::new(line, wanted.clone()).await;
    site.server.put(NAME, OLD);
    let summary = delivered(&site, &wanted, &["run", "--all", "--json"]).await?;
    Ok(summary["groups"][0]["entities"][0].clone())
}

/// Before a run the file is another one, after it the image is there, and looking changes nothing.
async fn verify(site: &Site) -> Result<(), Wrong> {
    site.server.put(NAME, OLD);
    let holds = async |wanted: &str| {
        let said = tried(site, &["verify", "all", "--json"]).await?;
        // The shape is the program's own business: the word is one of the contract.
        match said.out.contains(&format!("\"{wanted}\"")) {
            true => Ok(()),
            false => Err(format!("{wanted} was to be found: {}", said.in_short())),
        }
    };
    holds("differs").await?;
    unharmed(site, false)?;
    delivered(site, &Wanted::default(), &["run", "--all", "--json"]).await?;
    holds("has").await?;
    arrived(site, &Wanted::default())
}

/// The real server is read, once, for two entities.
async fn source(line: Line) -> Result<(), Wrong> {
    let source = From::FileServer;
    let wanted = Wanted {
        source,
        ..Wanted::default()
    };
    let site = Site::new(line, wanted).await;
    let said = tried(&site, &["run", "--all", "--json"]).await?;
    let summary = said.summary()?;
    no_failure(&summary)?;
    for entity in &site.lab.inventory().entities {
        let file = site.lab.file(&entity.name, PATH);
        if file.is_none_or(|file| file.bytes() != site.image) {
            return Err(format!("{LOST}other bytes on {}", entity.name));
        }
    }
    match summary["source_bytes"].as_u64() {
        Some(SIZE) => Ok(()),
        other => Err(format!("the source was not read once: {other:?} of {SIZE}")),
    }
}

/// Killed in mid-transfer and started again, with the state that it has kept.
async fn killed(line: Line) -> Result<(), Wrong> {
    let site = interrupted(line).await?;
    let said = tried(&site, &["recover", "--check", "--json"]).await?;
    if said.code != Some(1) {
        return Err(format!("recover: {}", said.in_short()));
    }
    unharmed(&site, true)?;
    delivered(&site, &Wanted::default(), &["run", "--all", "--json"]).await?;
    Ok(())
}

/// Killed in mid-transfer, cleaned up, and taken up again.
async fn recovered(line: Line) -> Result<(), Wrong> {
    let site = interrupted(line).await?;
    let said = tried(&site, &["recover", "--clean", "--json"]).await?;
    unharmed(&site, false).map_err(|wrong| format!("{wrong}; {}", said.in_short()))?;
    delivered(
        &site,
        &Wanted::default(),
        &["recover", "--resume", "--json"],
    )
    .await?;
    Ok(())
}

/// Something lies under the staging name that nobody knows of: one that the inventory gives, for the
/// program's own are another one for each state directory.
async fn leftover(line: Line) -> Result<(), Wrong> {
    let settings = ", staging_name: left.tmp";
    let site = Site::new(
        line,
        Wanted {
            settings,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(NAME, OLD);
    // Longer than the image: what is written over it must not keep its end.
    let junk = b"left over\r\n".repeat(SIZE as usize / 10);
    site.server.put("left.tmp", &junk);
    let said = tried(&site, &["check", "--online", "--json"]).await?;
    unharmed(&site, true).map_err(|wrong| format!("{wrong}; {}", said.in_short()))?;
    delivered(&site, &Wanted::default(), &["run", "--all", "--json"]).await?;
    Ok(())
}

/// More entities than the server serves at a time.
async fn many(line: Line, wanted: Wanted) -> Result<(), Wrong> {
    let site = Site::new(line, wanted.clone()).await;
    for number in 1..=wanted.entities {
        site.server.put(&name(&wanted, number), OLD);
    }
    delivered(&site, &wanted, &["run", "--all", "--json"]).await?;
    Ok(())
}

/// A run that is killed while it writes.
async fn interrupted(line: Line) -> Result<Site, Wrong> {
    let slow = true;
    let site = Site::new(
        line,
        Wanted {
            slow,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(NAME, OLD);
    let args = ["run", "--all", "--json", "-i", &site.inventory];
    let mut child = start(&site.state(), &args);
    let begun = Instant::now();
    loop {
        let files = site.server.files();
        let other = files.iter().find(|name| *name != NAME);
        if let Some(other) = other
            && site.server.size(other) > Some(SIZE / 8)
        {
            break;
        }
        if child.try_wait().unwrap().is_some() || begun.elapsed() > WRITES {
            let said = child.wait_with_output().await.unwrap();
            let out = String::from_utf8_lossy(&said.stdout);
            let last = out.lines().last().unwrap_or_default();
            return Err(match serde_json::from_str::<Value>(last) {
                Ok(summary) if summary["event"] == "summary" => match no_failure(&summary) {
                    Ok(()) => format!("no staging file was seen: {files:?}"),
                    Err(wrong) => wrong,
                },
                _ => format!("it does not write: {last}"),
            });
        }
        // Nothing says what a server has on its disk but looking.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child.kill().await.unwrap();
    unharmed(&site, true)?;
    Ok(site)
}

async fn tried(site: &Site, args: &[&str]) -> Result<Said, Wrong> {
    let mut all = args.to_vec();
    all.extend(["-i", &site.inventory]);
    run(&site.state(), &all).await
}

/// A run that delivers, by the program's word and by the server's disk: its summary.
async fn delivered(site: &Site, wanted: &Wanted, args: &[&str]) -> Result<Value, Wrong> {
    let said = tried(site, args).await?;
    let summary = said.summary()?;
    no_failure(&summary)?;
    arrived(site, wanted)?;
    match said.code {
        Some(0) => Ok(summary),
        _ => Err(said.in_short()),
    }
}

/// Each entity is delivered; else what is said of the first that is not.
fn no_failure(summary: &Value) -> Result<(), Wrong> {
    let entities = summary["groups"][0]["entities"].as_array();
    let entities = entities.ok_or("no entities in the summary")?;
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
fn arrived(site: &Site, wanted: &Wanted) -> Result<(), Wrong> {
    let names: Vec<String> = (1..=wanted.entities.max(1))
        .map(|number| name(wanted, number))
        .collect();
    for name in &names {
        match site.server.file(name) {
            Some(bytes) if bytes == site.image => {}
            Some(bytes) => {
                return Err(format!("{LOST}{name} holds {} other bytes", bytes.len()));
            }
            None => return Err(format!("{LOST}{name} is not there")),
        }
    }
    match site.server.files() {
        files if files == names => Ok(()),
        files => Err(format!("something was left: {files:?}")),
    }
}

/// The old file is as it was; beside it is nothing, or what a kill has left.
fn unharmed(site: &Site, and_others: bool) -> Result<(), Wrong> {
    if site.server.file(NAME).is_none_or(|bytes| bytes != OLD) {
        return Err(format!("{LOST}the old file: {:?}", site.server.files()));
    }
    match site.server.files() {
        files if and_others || files == [NAME] => Ok(()),
        files => Err(format!("something was left: {files:?}")),
    }
}

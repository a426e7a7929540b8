//! Things that end with the image in its place.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::Child;

use crate::evidence::{LOST, RUN, Wrong, arrived, delivered, no_failure, silent, tried, unharmed};
use crate::line::Line;
use crate::program::{Said, ended, start};
use crate::site::{From, OLD, Pace, SIZE, Site, Wanted, name};
use crate::support::PATH;

/// How long it may take until a run writes.
const WRITES: Duration = Duration::from_secs(60);

/// Nothing is found, and nothing is left of looking.
pub(crate) async fn online(site: &Site) -> Result<(), Wrong> {
    site.server.put(site.name, OLD);
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
pub(crate) async fn overwrite(line: Line, wanted: Wanted) -> Result<Value, Wrong> {
    let site = Site::new(line, wanted.clone()).await;
    site.server.put(site.name, OLD);
    let summary = delivered(&site, &wanted, &RUN).await?;
    Ok(summary["groups"][0]["entities"][0].clone())
}

/// Before a run the file is another one, after it the image is there, and looking changes nothing.
pub(crate) async fn verify(site: &Site) -> Result<(), Wrong> {
    site.server.put(site.name, OLD);
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
    delivered(site, &Wanted::default(), &RUN).await?;
    holds("has").await?;
    arrived(site, &Wanted::default())
}

/// The real server is read, once, for two entities: what a summary says of it.
pub(crate) async fn source(line: Line, wanted: Wanted) -> Result<Value, Wrong> {
    let source = From::FileServer;
    let site = Site::new(line, Wanted { source, ..wanted }).await;
    let said = tried(&site, &RUN).await?;
    let summary = said.summary()?;
    no_failure(&summary)?;
    arrived_in_lab(&site)?;
    match summary["source_bytes"].as_u64() {
        Some(SIZE) => Ok(summary),
        other => Err(format!("the source was not read once: {other:?} of {SIZE}")),
    }
}

pub(crate) fn arrived_in_lab(site: &Site) -> Result<(), Wrong> {
    for entity in &site.lab.inventory().entities {
        let file = site.lab.file(&entity.name, PATH);
        if file.is_none_or(|file| file.bytes() != site.image) {
            return Err(format!("{LOST}other bytes on {}", entity.name));
        }
    }
    Ok(())
}

/// Killed in mid-transfer and started again, with the state that it has kept.
pub(crate) async fn killed(line: Line) -> Result<(), Wrong> {
    let site = interrupted(line).await?;
    let said = tried(&site, &["recover", "--check", "--json"]).await?;
    if said.code != Some(1) {
        return Err(format!("recover: {}", said.in_short()));
    }
    unharmed(&site, true)?;
    delivered(&site, &Wanted::default(), &RUN).await?;
    Ok(())
}

/// Killed in mid-transfer, cleaned up, and taken up again.
pub(crate) async fn recovered(line: Line) -> Result<(), Wrong> {
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
pub(crate) async fn leftover(line: Line) -> Result<(), Wrong> {
    let settings = ", staging_name: left.tmp";
    let site = Site::new(
        line,
        Wanted {
            settings,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(site.name, OLD);
    // Longer than the image: what is written over it must not keep its end.
    let junk = b"left over\r\n".repeat(SIZE as usize / 10);
    site.server.put("left.tmp", &junk);
    let said = tried(&site, &["check", "--online", "--json"]).await?;
    unharmed(&site, true).map_err(|wrong| format!("{wrong}; {}", said.in_short()))?;
    delivered(&site, &Wanted::default(), &RUN).await?;
    Ok(())
}

/// More entities than the server serves at a time.
pub(crate) async fn many(line: Line, wanted: Wanted) -> Result<(), Wrong> {
    let site = Site::new(line, wanted.clone()).await;
    for number in 1..=wanted.entities {
        site.server.put(&name(line, &wanted, number), OLD);
    }
    delivered(&site, &wanted, &RUN).await?;
    Ok(())
}

/// A run that is killed while it writes.
async fn interrupted(line: Line) -> Result<Site, Wrong> {
    let (site, mut child) = writing(line, Wanted::default()).await?;
    child.kill().await.unwrap();
    unharmed(&site, true)?;
    Ok(site)
}

/// A run that writes an image in the place of another file, some of which the server has.
pub(crate) async fn writing(line: Line, wanted: Wanted) -> Result<(Site, Child), Wrong> {
    let pace = Pace::Slow;
    let site = Site::new(line, Wanted { pace, ..wanted }).await;
    site.server.put(site.name, OLD);
    let [run, all, json] = RUN;
    let mut child = start(
        &site.state(),
        site.log,
        &[run, all, json, "-i", &site.inventory],
    );
    let begun = Instant::now();
    // What goes to the final name at once is seen there.
    let but = if line.way.is_direct() { "" } else { site.name };
    while site.server.largest_but(but) <= SIZE / 8 {
        if child.try_wait().unwrap().is_some() || begun.elapsed() > WRITES {
            let files = site.server.files();
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
    Ok((site, child))
}

/// What a run says up to its end.
pub(crate) async fn end_of(site: &Site, child: Child) -> Result<Said, Wrong> {
    let said = (ended(child).await).ok_or_else(|| "the run has not ended".to_owned())?;
    silent(site, &said)?;
    Ok(said)
}

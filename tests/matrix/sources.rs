//! What befalls a source of another make: two entities of the lab get all of the image, or keep what they
//! have.

use crate::delivery::{arrived_in_lab, end_of, source};
use crate::evidence::{LOST, RUN, Wrong, no_failure, tried, was_refused};
use crate::line::Line;
use crate::program::start;
use crate::site::{By, From, Pace, SIZE, Site, Wanted};
use crate::support::PATH;

/// What an entity of the lab has before.
const BEFORE: u64 = 4096;

fn read() -> Wanted {
    Wanted {
        source: From::FileServer,
        ..Wanted::default()
    }
}

/// It is read by who has a token, and by nobody with another one.
pub(crate) async fn token(line: Line) -> Result<(), Wrong> {
    let wanted = Wanted {
        by: By::Token,
        folder: Some("bearer/"),
        ..Wanted::default()
    };
    source(line, wanted).await.map(drop)
}

/// It ends in the middle, and is there again: it is read on. `once`: no byte is read twice.
pub(crate) async fn broken(
    line: Line,
    folder: Option<&'static str>,
    once: bool,
) -> Result<(), Wrong> {
    let pace = Pace::Slow;
    let wanted = Wanted {
        pace,
        folder,
        ..read()
    };
    let mut site = Site::new(line, wanted).await;
    let [run, all, json] = RUN;
    let child = start(
        &site.state(),
        site.log,
        &[run, all, json, "-i", &site.inventory],
    );
    has_begun(&site).await?;
    tokio::task::block_in_place(|| site.server.restart());
    let said = end_of(&site, child).await?;
    let summary = said.summary()?;
    no_failure(&summary)?;
    arrived_in_lab(&site)?;
    match summary["source_bytes"].as_u64() {
        Some(SIZE) => Ok(()),
        Some(more) if !once && more > SIZE => Ok(()),
        other => Err(format!("{other:?} bytes were read of {SIZE}")),
    }
}

/// Some of the image is on an entity of the lab.
async fn has_begun(site: &Site) -> Result<(), Wrong> {
    let begun = std::time::Instant::now();
    let entity = &site.lab.inventory().entities[0].name;
    loop {
        let files = site.lab.files(entity);
        let has = (files.iter().filter(|name| **name != PATH))
            .filter_map(|name| site.lab.file(entity, name))
            .any(|file| file.size() > SIZE / 8);
        if has {
            return Ok(());
        }
        if begun.elapsed() > crate::support::LONG {
            return Err(format!("the source is not read: {files:?}"));
        }
        // Nothing says what an entity has but looking.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// It is not read, for a cause with one of these words.
pub(crate) async fn refused(line: Line, folder: &'static str, words: &[&str]) -> Result<(), Wrong> {
    let wanted = Wanted {
        once: true,
        folder: Some(folder),
        ..read()
    };
    fails(&Site::new(line, wanted).await, words).await
}

/// Its file lacks the end.
pub(crate) async fn short(line: Line) -> Result<(), Wrong> {
    let site = Site::new(
        line,
        Wanted {
            once: true,
            ..read()
        },
    )
    .await;
    let file = site.lab.inventory().images[0].file.clone();
    site.server.cut(&file, SIZE - 1000);
    fails(&site, &["sha-256", "sha256", "digest", "size", "bytes"]).await
}

/// Its file loses the end while it is read.
pub(crate) async fn cut(line: Line) -> Result<(), Wrong> {
    let wanted = Wanted {
        once: true,
        pace: Pace::Large,
        ..read()
    };
    let site = Site::new(line, wanted).await;
    let [run, all, json] = RUN;
    let child = start(
        &site.state(),
        site.log,
        &[run, all, json, "-i", &site.inventory],
    );
    has_begun(&site).await?;
    let file = site.lab.inventory().images[0].file.clone();
    site.server.cut(&file, site.image.len() as u64 * 3 / 4);
    let said = end_of(&site, child).await?;
    was_refused(
        &site,
        &said,
        &["bytes", "clos", "short", "chang", "lost", "broken"],
    )?;
    untouched(&site)
}

/// Its file can't be read by who logs in.
pub(crate) async fn unread(line: Line) -> Result<(), Wrong> {
    let site = Site::new(
        line,
        Wanted {
            once: true,
            ..read()
        },
    )
    .await;
    let file = site.lab.inventory().images[0].file.clone();
    site.server.forbid_reading(&file);
    fails(&site, &["permi", "403", "denied", "forbidden"]).await
}

async fn fails(site: &Site, words: &[&str]) -> Result<(), Wrong> {
    let said = tried(site, &RUN).await?;
    was_refused(site, &said, words)?;
    untouched(site)
}

/// Entities of the lab have what they had, and nothing beside it.
fn untouched(site: &Site) -> Result<(), Wrong> {
    for entity in &site.lab.inventory().entities {
        let files = site.lab.files(&entity.name);
        let size = site.lab.file(&entity.name, PATH).map(|file| file.size());
        if size != Some(BEFORE) || files != [PATH] {
            return Err(format!("{LOST}{}: {size:?}, {files:?}", entity.name));
        }
    }
    Ok(())
}

//! What befalls an entity of another make while it is written: what is said of it, what it holds, and that
//! it gets its image once it is well again.

use subtend::model::EntityState;

use crate::delivery::{end_of, writing};
use crate::evidence::{LOST, RUN, Wrong, delivered, tried, unharmed, was_delivered, was_refused};
use crate::line::{Family, Line, Way};
use crate::site::{By, OLD, SIZE, Site, Wanted};
use crate::support::real::SshSetup;

/// Deadlines that a test can wait for.
const SHORT: &str = ", timeouts: { connect: 2s, reply: 2s, progress: 2s, confirm: 2s }";

/// Its server ends in the middle, and is there again: tried again, and delivered.
pub(crate) async fn broken(line: Line) -> Result<(), Wrong> {
    let (mut site, child) = writing(line, Wanted::default()).await?;
    tokio::task::block_in_place(|| site.server.restart());
    let said = end_of(&site, child).await?;
    let summary = was_delivered(&site, &Wanted::default(), &said)?;
    match summary["groups"][0]["entities"][0]["attempts"].as_u64() {
        Some(2..) => Ok(()),
        other => Err(format!("delivered in {other:?} attempts")),
    }
}

/// Its server ends in the middle, for good; later it is there again.
pub(crate) async fn gone(line: Line) -> Result<(), Wrong> {
    let once = Wanted {
        once: true,
        settings: SHORT,
        ..Wanted::default()
    };
    let (mut site, child) = writing(line, once).await?;
    tokio::task::block_in_place(|| site.server.stop());
    let said = end_of(&site, child).await?;
    let words = [
        "lost",
        "clos",
        "reset",
        "refused",
        "broke",
        "gone",
        "within",
        "no answer",
        // Over TFTP, which has no connection, nothing else shows it.
        "no progress",
    ];
    was_refused(&site, &said, &words)?;
    unharmed(&site, true)?;
    tokio::task::block_in_place(|| site.server.restart());
    delivered(&site, &Wanted::default(), &RUN).await?;
    Ok(())
}

/// Its server stands still in the middle; later it goes on.
pub(crate) async fn stalled(line: Line) -> Result<(), Wrong> {
    let once = Wanted {
        once: true,
        settings: SHORT,
        ..Wanted::default()
    };
    let (site, child) = writing(line, once).await?;
    site.server.pause();
    let said = end_of(&site, child).await?;
    let words = [
        "2s",
        "2 s",
        "no progress",
        "no answer",
        "stall",
        "silent",
        "time",
    ];
    was_refused(&site, &said, &words)?;
    unharmed(&site, true)?;
    site.server.go_on();
    delivered(&site, &Wanted::default(), &RUN).await?;
    Ok(())
}

/// Its disk is too small.
pub(crate) async fn full(line: Line) -> Result<(), Wrong> {
    let disk = Some(SIZE / 2);
    let wanted = Wanted {
        disk,
        once: true,
        ..Wanted::default()
    };
    let site = Site::new(line, wanted).await;
    site.server.put(site.name, OLD);
    let said = tried(&site, &RUN).await?;
    // What SFTP and HTTP have for it is a failure without a name, and a number.
    let words = [
        "space",
        "full",
        "507",
        "500",
        "failure",
        "quota",
        "allocation",
    ];
    let summary = said.summary()?;
    let entity = &summary["groups"][0]["entities"][0];
    let is_delivered = entity["state"] == EntityState::Delivered.to_string();
    if line.way == Way::Tftp && is_delivered && entity["verified"] == "none" {
        return Err("it has acknowledged all of it; the delivery is shown as unproven".into());
    }
    was_refused(&site, &said, &words)?;
    unharmed(&site, false)
}

/// Nothing can be made or renamed there.
pub(crate) async fn denied(line: Line) -> Result<(), Wrong> {
    // nginx says 500 for it, which may pass.
    let once = true;
    let site = Site::new(
        line,
        Wanted {
            once,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(site.name, OLD);
    site.server.forbid();
    let said = tried(&site, &["check", "--online", "--json"]).await?;
    // Over SCP nothing but writing shows it.
    let tells = line.way.family() != Family::Tftp && line.way != Way::Scp;
    if said.code != Some(1) && tells {
        return Err(format!("no problem was found: {}", said.in_short()));
    }
    if line.way.is_direct() {
        // A server may still write into a file that is there.
        site.server.forbid_reading(site.name);
    }
    let said = tried(&site, &RUN).await?;
    // The last one is what TFTP calls it.
    let words = [
        "denied",
        "permi",
        "403",
        "500",
        "forbidden",
        "access violation",
    ];
    was_refused(&site, &said, &words)?;
    unharmed(&site, false)
}

/// It takes files and renames none: it keeps its old image.
pub(crate) async fn no_rename(line: Line) -> Result<(), Wrong> {
    let ssh = SshSetup {
        refuses: &["rename", "posix-rename"],
        ..SshSetup::default()
    };
    let site = Site::new(
        line,
        Wanted {
            ssh,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(site.name, OLD);
    let said = tried(&site, &RUN).await?;
    was_refused(&site, &said, &["rename"])?;
    unharmed(&site, false)
}

/// It lets nobody in with this password.
pub(crate) async fn wrong_password(line: Line) -> Result<(), Wrong> {
    let by = By::WrongPassword;
    let words = ["password", "login", "log in", "401", "credentials"];
    let wanted = Wanted {
        by,
        ..Wanted::default()
    };
    turned_away(line, wanted, &words).await
}

/// Nor with this token.
pub(crate) async fn wrong_token(line: Line) -> Result<(), Wrong> {
    let wanted = Wanted {
        by: By::WrongToken,
        folder: Some("bearer/"),
        ..Wanted::default()
    };
    turned_away(line, wanted, &["401"]).await
}

/// It takes no file of this size, and says so while it is sent.
pub(crate) async fn too_large(line: Line) -> Result<(), Wrong> {
    for settings in ["", ", staging: direct"] {
        let wanted = Wanted {
            folder: Some("small/"),
            settings,
            ..Wanted::default()
        };
        turned_away(line, wanted, &["413"]).await?;
    }
    Ok(())
}

/// It takes nothing, for a cause with one of these words, at the first attempt; nothing is said to be left.
async fn turned_away(line: Line, wanted: Wanted, words: &[&str]) -> Result<(), Wrong> {
    let site = Site::new(line, wanted).await;
    site.server.put(site.name, OLD);
    let said = tried(&site, &RUN).await?;
    let entity = was_refused(&site, &said, words)?;
    if entity["attempts"] != 1 || !entity["left"].is_null() {
        let (attempts, left) = (&entity["attempts"], &entity["left"]);
        return Err(format!("after {attempts} attempts, left: {left}"));
    }
    match site
        .server
        .file(site.name)
        .is_some_and(|bytes| bytes == OLD)
    {
        true => Ok(()),
        false => Err(format!(
            "{LOST}written by nobody: {:?}",
            site.server.files()
        )),
    }
}

//! Host keys and algorithms.

use crate::delivery::overwrite;
use crate::evidence::{
    LOST, RUN, Wrong, delivered, tried, unharmed, was_refused, was_refused_beside,
};
use crate::line::Line;
use crate::site::{HostKeys, OLD, OTHER_KEY, Site, Wanted};
use crate::support::real::SshSetup;

/// Another key than the inventory says: both are shown, and nobody logs in.
pub(crate) async fn wrong_key(line: Line) -> Result<(), Wrong> {
    let trust = HostKeys::Other;
    let site = Site::new(
        line,
        Wanted {
            trust,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(site.name, OLD);
    let said = tried(&site, &RUN).await?;
    let cause = was_refused(&site, &said, &["key"])?["cause"].to_string();
    has_key_of(&site, &cause)?;
    if !cause.contains(OTHER_KEY) {
        return Err(format!("the key of the inventory is not shown: {cause}"));
    }
    not_written(&site, OLD)
}

/// The key of a known host changes between two runs.
pub(crate) async fn new_key(line: Line) -> Result<(), Wrong> {
    let trust = HostKeys::File;
    let mut site = Site::new(
        line,
        Wanted {
            trust,
            ..Wanted::default()
        },
    )
    .await;
    site.server.put(site.name, OLD);
    delivered(&site, &Wanted::default(), &RUN).await?;
    let before = ["ed25519", "rsa"].map(|kind| site.server.host_key(kind));
    tokio::task::block_in_place(|| site.server.change_host_keys());
    let said = tried(&site, &["run", "--all", "--force", "--json"]).await?;
    let refused = was_refused_beside(&site, &said, &["key"], &site.image);
    let cause = refused?["cause"].to_string();
    has_key_of(&site, &cause)?;
    if !before.iter().any(|key| cause.contains(key)) {
        return Err(format!("the key that was known is not shown: {cause}"));
    }
    not_written(&site, &site.image)
}

fn has_key_of(site: &Site, cause: &str) -> Result<(), Wrong> {
    let shown = ["ed25519", "rsa"]
        .iter()
        .any(|kind| cause.contains(&site.server.host_key(kind)));
    match shown {
        true => Ok(()),
        false => Err(format!("the server's key is not shown: {cause}")),
    }
}

fn not_written(site: &Site, bytes: &[u8]) -> Result<(), Wrong> {
    match site
        .server
        .file(site.name)
        .is_some_and(|file| file == bytes)
    {
        true => Ok(()),
        false => Err(format!("{LOST}it was written: {:?}", site.server.files())),
    }
}

/// A server with old algorithms alone: reached where the inventory says so, else refused with the way out.
pub(crate) async fn legacy(line: Line) -> Result<(), Wrong> {
    let ssh = SshSetup {
        legacy: true,
        ..SshSetup::default()
    };
    let wanted = Wanted {
        ssh,
        ..Wanted::default()
    };
    let site = Site::new(line, wanted.clone()).await;
    site.server.put(site.name, OLD);
    let said = tried(&site, &RUN).await?;
    was_refused(&site, &said, &["ssh_legacy"])?;
    unharmed(&site, false)?;
    let settings = ", ssh_legacy: true";
    overwrite(line, Wanted { settings, ..wanted })
        .await
        .map(drop)
}

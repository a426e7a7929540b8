//! `subtend lab`: serves the practice network of an inventory until stopped.

use std::path::Path;

use super::args::LabArgs;
use super::services::{Practice, Services};
use super::{Failed, print};
use crate::headless::{self, Stop};

/// Serves until a signal comes.
///
/// # Errors
/// When the inventory, the settings or an address is wrong. Nothing is served then.
pub async fn lab(
    args: &LabArgs,
    file: &Path,
    services: &impl Services,
    stop: &mut Stop,
) -> Result<u8, Failed> {
    let inventory = services.load(file)?;
    let settings = args.settings.as_deref();
    let lab = services
        .lab(
            Practice::File {
                inventory,
                settings,
            },
            false,
        )
        .await
        .map_err(Failed::usage)?;
    for line in &lab.serves {
        print(&format!("{line}\n"));
    }
    print("serving; press Ctrl-C to stop\n");
    // The end of the signals stops it too: nothing else could.
    let _ = stop.recv().await;
    tokio::select! {
        () = lab.stop => Ok(headless::OK),
        _ = stop.recv() => Ok(headless::CANCELLED),
    }
}

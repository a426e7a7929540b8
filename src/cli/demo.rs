//! `subtend demo --headless`: lab and distribution in one process, without any set-up.

use std::path::Path;

use super::args::{DemoArgs, RunArgs};
use super::ask::Prompt;
use super::parts::{Parts, Practice};
use super::run::start;
use super::{Failed, Stage, print};
use crate::headless::Ended;

/// Serves the practice network and delivers to all of its groups.
///
/// # Errors
/// When nothing was started.
pub async fn demo(
    args: &DemoArgs,
    file: Option<&Path>,
    parts: &impl Parts,
    stage: Stage<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let practice = match file {
        // Not the inventory of the working folder: that may be a real one.
        None => Practice::Embedded,
        Some(file) => {
            let inventory = parts.load(file).map_err(Failed::usage)?;
            Practice::File {
                inventory,
                settings: None,
            }
        }
    };
    // Ports that are in use are replaced: a demonstration must not need any set-up.
    let lab = parts.lab(practice, true).await.map_err(Failed::other)?;
    if !args.json {
        print(&format!(
            "the practice network serves {} addresses\n",
            lab.serves.len()
        ));
    }
    let all = RunArgs {
        all: true,
        json: args.json,
        ..RunArgs::default()
    };
    let stop = stage.stop;
    let inner = Stage {
        stop: &mut *stop,
        ..stage
    };
    let ended = start(&all, lab.inventory, parts, inner).await;
    // Whoever left at once, now or while the servers end, waits for nothing.
    if !matches!(ended, Ok(Ended::Left)) {
        tokio::select! {
            () = lab.stop => {}
            Some(()) = stop.recv() => {}
        }
    }
    Ok(ended?.exit_code())
}

//! `subtend demo`: lab and console in one process, without any set-up; with `--headless`, lab and
//! distribution.

use std::path::Path;

use super::args::{DemoArgs, RunArgs};
use super::ask::Prompt;
use super::console::{self, ConsoleContext};
use super::run::start;
use super::saved_groups::SavedGroups;
use super::services::{Lab, Practice, Services};
use super::{CommandContext, Failed, print};
use crate::console::Options;
use crate::headless::{Ended, Stop};

/// Serves the practice network and opens the console on it.
///
/// # Errors
/// When the console was not opened, or the terminal was lost.
pub async fn console(
    file: Option<&Path>,
    services: &impl Services,
    context: ConsoleContext<'_>,
) -> Result<u8, Failed> {
    console::terminal()?;
    let Lab {
        inventory, stop, ..
    } = serve(file, services).await?;
    let kept = (context.state_dir.clone()).map(|dir| match file {
        None => SavedGroups::of_demo(&dir),
        Some(file) => SavedGroups::of(&dir, file),
    });
    let signals = context.stop;
    let options = Options {
        practice: true,
        ..context.options
    };
    let inner = ConsoleContext {
        options,
        stop: &mut *signals,
        ..context
    };
    let ended = console::open(inventory, kept, services, inner).await;
    end(stop, signals).await;
    ended
}

/// Serves the practice network and delivers to all of its groups.
///
/// # Errors
/// When nothing was started.
pub async fn demo(
    args: &DemoArgs,
    file: Option<&Path>,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let lab = serve(file, services).await?;
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
    let stop = context.stop;
    let inner = CommandContext {
        stop: &mut *stop,
        ..context
    };
    let ended = start(&all, lab.inventory, services, inner).await;
    // An operator who left at once, now or while the servers end, waits for nothing.
    if !matches!(ended, Ok(Ended::Left)) {
        end(lab.stop, stop).await;
    }
    Ok(ended?.exit_code())
}

async fn serve(file: Option<&Path>, services: &impl Services) -> Result<Lab, Failed> {
    let practice = match file {
        // Not the inventory of the working folder: that may be a real one.
        None => Practice::Embedded,
        Some(file) => {
            let inventory = services.load(file)?;
            Practice::File {
                inventory,
                settings: None,
            }
        }
    };
    // Ports that are in use are replaced: a demonstration must not need any set-up.
    services.lab(practice, true).await.map_err(Failed::other)
}

/// Ends the servers, unless a signal comes meanwhile.
async fn end(servers: impl Future<Output = ()>, stop: &mut Stop) {
    tokio::select! {
        () = servers => {}
        Some(()) = stop.recv() => {}
    }
}

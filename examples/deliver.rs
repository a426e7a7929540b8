//! Delivers the groups of an inventory, and prints what becomes of each entity.
//!
//!     cargo run --example deliver -- inventory.yaml GROUP…
//!
//! All that a program needs of the library: an inventory, an engine, and the link between them.
//! (Logins are left out here: `inventory::secrets` looks passwords up.)

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, whose output is lines"
)]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use color_eyre::eyre::{Result, bail};
use subtend::engine::ImageManager;
use subtend::inventory;
use subtend::model::{Logins, Outcome};
use subtend::protocol::{Command, Event, GroupSpec};
use subtend::transport::ftp::FtpTransport;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let Some(file) = arguments.next() else {
        bail!("the inventory comes first, then the groups");
    };
    let inventory = Arc::new(inventory::load(Path::new(&file))?);
    let groups = arguments.map(GroupSpec::Named).collect();

    let (mut link, engine) = ImageManager::start(inventory, Logins::default(), FtpTransport::new());
    // Whether these groups can be started is judged by the engine, which says why not.
    let force = false;
    link.commands.send(Command::Start { groups, force }).await?;
    link.commands.send(Command::Finish).await?;

    let (mut outcome, mut refused) = (None, false);
    while let Some(event) = link.events.recv().await {
        match event {
            Event::State {
                entity,
                state,
                cause,
                ..
            } if state.is_final() => match cause {
                Some(cause) => println!("{entity}: {state}: {cause}"),
                None => println!("{entity}: {state}"),
            },
            // Nothing was started then, and nothing of nothing failed.
            Event::Refused { reason, .. } => {
                eprintln!("refused: {reason}");
                refused = true;
            }
            Event::Summary(summary) => {
                println!(
                    "{} bytes read, {} delivered",
                    summary.source_bytes, summary.delivered_bytes
                );
                outcome = Some(summary.outcome);
            }
            _ => {}
        }
    }
    engine.await?;
    Ok(match outcome {
        Some(Outcome::Delivered) if !refused => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

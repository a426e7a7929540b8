//! The console on the practice network: only as much as its tests in a pty need, until the command
//! line's own part takes its place.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use super::parts::{Engine, Parts, Practice};
use super::{Failed, NO_CONSOLE};
use crate::console::{Keeper, Options, Site, run};
use crate::headless::{self, Board};
use crate::link::GroupSpec;
use crate::model::Logins;

struct Nowhere;

impl Keeper for Nowhere {
    fn keep(&self, _: &[GroupSpec]) -> Result<(), String> {
        Err("groups are not kept yet".into())
    }

    fn write(&self, _: &str, _: &str) -> Result<String, String> {
        Err("files are not written yet".into())
    }
}

pub(super) async fn demo(
    file: Option<&Path>,
    parts: &impl Parts,
    board: &Board,
) -> Result<u8, Failed> {
    if !io::stdout().is_terminal() {
        return Err(Failed::usage(NO_CONSOLE));
    }
    let practice = match file {
        None => Practice::Embedded,
        Some(file) => Practice::File {
            inventory: parts.load(file).map_err(Failed::usage)?,
            settings: None,
        },
    };
    let lab = parts.lab(practice, true).await.map_err(Failed::other)?;
    let inventory = Arc::new(lab.inventory);
    let Engine { link, task } = parts.engine(inventory.clone(), Logins::default());
    let site = Site {
        inventory,
        kept: Vec::new(),
        without_password: BTreeMap::new(),
        to_ask: BTreeSet::new(),
        log_file: None,
    };
    let signals = super::signals::signals().map_err(Failed::other)?;
    let _notes = board.attach();
    run(link, site, Options::default(), Nowhere, signals.stop)
        .await
        .map_err(Failed::other)?;
    task.abort();
    Ok(headless::OK)
}

//! `subtend again`: the groups of a past run once more, with the entities that it did not bring to success.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::args::AgainArgs;
use super::ask::Prompt;
use super::engine_commands::{ResidentRun, Wanted, run_detached};
use super::follow::run_watched;
use super::history::{find, whole};
use super::recover::{free_name, listed};
use super::run::start_selected;
use super::select;
use super::services::Services;
use super::state_dir::StateDir;
use super::{CommandContext, Failed};
use crate::journal::{Journal, RunStatus, RunWhole};
use crate::model::text::shown;
use crate::model::{EntityState, GroupSpec, Inventory, MadeGroup};

/// Where things are.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    pub(super) state_dir: &'a StateDir,
    /// Where one was named; else that of the run.
    pub(super) inventory: Option<&'a Path>,
    pub(super) verbose: u8,
}

/// Starts them, and watches unless they are to run without it: the exit code.
///
/// # Errors
/// No such run, or nothing of it is left; or nothing was started.
pub(super) async fn again(
    args: &AgainArgs,
    sources: Sources<'_>,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let state_dir = sources.state_dir.as_ref().map_err(|no_home| *no_home)?;
    let Some(journal) = Journal::open(state_dir)? else {
        return Err(Failed::usage("no run was recorded yet"));
    };
    let run = whole(&journal, &find(&journal, &args.run)?)?;
    let name = shown(&run.run.run);
    if run.run.status == RunStatus::Running {
        let process = run.run.process.pid;
        return Err(Failed::usage(format!(
            "run {name} is running, in process {process}"
        )));
    }
    let file: PathBuf = match sources.inventory {
        Some(named) => named.to_owned(),
        None => run.run.inventory_file.clone().into(),
    };
    let inventory = services.load(&file)?;
    let (specs, force) = left(&run, args.failed, &inventory);
    if specs.is_empty() {
        return Err(Failed::usage(match args.failed {
            true => format!("nothing in run {name} has failed"),
            false => format!("run {name} has brought all of its entities to success"),
        }));
    }
    if !args.detach && !select::waits(&specs, &inventory) {
        let selection = select::again(specs, force, &inventory)?;
        let ended = start_selected(selection, force, inventory, services, context).await?;
        return Ok(ended.exit_code());
    }
    let run = ResidentRun {
        wanted: Wanted::Again { specs, force },
        file: &file,
        state_dir: sources.state_dir,
        verbose: sources.verbose,
    };
    match args.detach {
        true => run_detached(run, services, context).await,
        false => run_watched(run, args.wait, services, context).await,
    }
}

/// The groups of the run with those that it did not bring to success, and whether they were sent to whatever they had.
fn left(run: &RunWhole, only_failed: bool, inventory: &Inventory) -> (Vec<GroupSpec>, bool) {
    let mut newest: HashMap<&str, usize> = HashMap::new();
    for (place, group) in run.groups.iter().enumerate() {
        newest.extend(
            group
                .entities
                .iter()
                .map(|one| (one.entity.as_str(), place)),
        );
    }
    let mut specs: Vec<GroupSpec> = Vec::new();
    let mut force = false;
    for (place, group) in run.groups.iter().enumerate() {
        let Some(GroupSpec::Made(made)) = &group.spec else {
            continue;
        };
        let entities = group.entities.iter().filter(|one| {
            newest.get(one.entity.as_str()) == Some(&place) && is_meant(one.state, only_failed)
        });
        let entities: Vec<String> = entities.map(|one| one.entity.clone()).collect();
        if entities.is_empty() {
            continue;
        }
        force |= group.force;
        specs.push(GroupSpec::Made(MadeGroup {
            name: free_name(&made.name, &specs),
            image: listed(made.image.clone(), inventory),
            entities,
            ..made.clone()
        }));
    }
    (specs, force)
}

fn is_meant(state: EntityState, only_failed: bool) -> bool {
    let failed = matches!(state, EntityState::Failed | EntityState::RolledBack);
    match only_failed {
        true => failed,
        false => !state.is_success(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_to_success_is_left_alone() {
        use EntityState::{
            Cancelled, Delivered, Failed, Offline, RolledBack, Sending, Skipped, Upgraded, Waiting,
        };
        for (state, all, failed) in [
            (Delivered, false, false),
            (Upgraded, false, false),
            (Skipped, false, false),
            (Failed, true, true),
            (RolledBack, true, true),
            (Cancelled, true, false),
            (Waiting, true, false),
            (Offline, true, false),
            // Of a run that was cut off.
            (Sending, true, false),
        ] {
            assert_eq!(
                (is_meant(state, false), is_meant(state, true)),
                (all, failed),
                "{state}"
            );
        }
    }
}

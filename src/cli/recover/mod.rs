//! `subtend recover`: a run that was cut off. What each entity has, from the journal; what the
//! journal can't know, from a look at the entity; and the rest of the run.

mod inspect;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::args::RecoverArgs;
use super::ask::Prompt;
use super::history::{find, whole};
use super::inspect::Waiting;
use super::run::{log_in, start_selected};
use super::select::forced;
use super::services::Services;
use super::{CommandContext, Failed, json_line, print, printed, state_dir};
use crate::headless::{self, Ended};
use crate::journal::{AfterCrash, EntityRow, GroupRow, Journal, RunStatus, RunWhole};
use crate::model::text::shown;
use crate::model::{DeliveryPolicy, Entity, Extent, GroupSpec, ImageSpec, Inventory, MadeGroup};
use crate::transport::AnyTransport;

/// What is read, and the width of what is printed.
#[derive(Debug)]
pub struct Sources<'a> {
    pub state_dir: &'a Path,
    /// Where one was named; else that of the run.
    pub inventory: Option<&'a Path>,
    pub columns: usize,
}

/// Reports, looks, cleans up and takes up again, as far as that was asked for: the exit code.
///
/// # Errors
/// No such run, one that was not cut off, or a journal or an inventory that can't be read.
pub async fn recover(
    args: &RecoverArgs,
    sources: Sources<'_>,
    services: &impl Services,
    mut context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let journal = Journal::open(sources.state_dir)?;
    let Some((journal, run)) = chosen(args, journal)? else {
        return printed(match args.json {
            true => "{\"run\":null}\n",
            false => "no run was cut off\n",
        });
    };
    if args.forget {
        journal.settle(&run.run.run)?;
        return printed(&format!("run {} is told no more\n", shown(&run.run.run)));
    }
    let mut found = Found::of(&run);
    let looks = args.check || args.readback || args.clean || args.resume;
    if !looks {
        report(args, &run, &found, sources.columns)?;
        return Ok(found.code());
    }

    let file = Path::new(&run.run.inventory_file);
    let inventory = services.load(sources.inventory.unwrap_or(file))?;
    found.meet(&inventory);
    let used = |name: &str| found.entities.iter().any(|one| one.uses(name));
    let known = inventory.credentials.iter();
    let credentials: Vec<_> = known.filter(|one| used(&one.name)).cloned().collect();
    let logins = log_in(&credentials, &inventory, services, &mut context.prompt).await?;
    let wanted = inspect::Wanted {
        doubted: run.run.in_doubt,
        readback: args.readback,
        clean: args.clean,
    };
    let owner = state_dir::owner(Some(sources.state_dir));
    let transport = Arc::new(AnyTransport::of(owner));
    let cancel = CancellationToken::new();
    {
        let at = (&journal, run.run.run.as_str());
        let mut waiting = Waiting::default();
        let said = |done, all| waiting.say(&format!("{done} of {all} looked at"));
        let (entities, ends) = (&mut found.entities, (&cancel, said));
        let mut inspection = pin!(inspect::inspect(
            &transport, entities, &logins, at, wanted, ends
        ));
        tokio::select! {
            () = &mut inspection => {}
            Some(()) = context.stop.recv() => {
                cancel.cancel();
                inspection.await;
                return Ok(headless::CANCELLED);
            }
        }
    }
    for one in &mut found.entities {
        one.holds = (one.holds).of_a_run(one.row.state, one.group.activates());
    }
    report(args, &run, &found, sources.columns)?;
    if found.open().next().is_none() {
        journal.settle(&run.run.run)?;
        return Ok(headless::OK);
    }
    if !args.resume {
        return Ok(found.code());
    }
    let ended = resume(&found, &run, inventory, services, context).await?;
    if let Ended::Summary { refused, .. } = &ended
        && refused.is_empty()
    {
        // From here on it is the new run that reports what each of them has.
        journal.settle(&run.run.run)?;
    }
    let elsewhere = found.open().any(|one| one.entity.is_none());
    Ok(ended.exit_code().max(u8::from(elsewhere)))
}

/// Sends the image to those that lack it, as the run would have.
async fn resume(
    found: &Found<'_>,
    run: &RunWhole,
    inventory: Inventory,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<Ended, Failed> {
    let specs = found.specs(run, &inventory);
    if specs.is_empty() {
        return Err(Failed::usage(
            "nothing can be taken up again with this inventory",
        ));
    }
    if specs.iter().any(can_pause) {
        let (name, file) = (shown(&run.run.run), inventory.file.display());
        return Err(Failed::usage(format!(
            "run {name} goes in waves, or stops by itself, and nobody could let it go on from here: an engine goes on \
             with it where it was, `subtend serve -i {file}` or `subtend -i {file}`"
        )));
    }
    let selection = forced(specs, &inventory)?;
    start_selected(selection, true, inventory, services, context).await
}

/// Whether somebody may have to say that it goes on.
fn can_pause(spec: &GroupSpec) -> bool {
    match spec {
        GroupSpec::Made(made) => {
            !made.campaign.waves.is_empty() || made.campaign.stop_after.is_some()
        }
        GroupSpec::Named(_) => false,
    }
}

/// The run that is meant; none where none was cut off.
fn chosen(
    args: &RecoverArgs,
    journal: Option<Journal>,
) -> Result<Option<(Journal, RunWhole)>, Failed> {
    let Some(journal) = journal else {
        return match &args.run {
            None => Ok(None),
            Some(_) => Err(Failed::usage("no run was recorded yet")),
        };
    };
    let run = match &args.run {
        Some(prefix) => find(&journal, prefix)?,
        None => match journal.cut_off()?.into_iter().next() {
            Some(newest) => newest.run,
            None => return Ok(None),
        },
    };
    let whole = whole(&journal, &run)?;
    let name = shown(&run);
    match whole.run.status {
        RunStatus::CutOff => Ok(Some((journal, whole))),
        RunStatus::Running => Err(Failed::usage(format!(
            "run {name} is running, in process {}",
            whole.run.process.pid
        ))),
        RunStatus::Ended => Err(Failed::usage(format!(
            "run {name} was not cut off; `subtend history {name}` tells how it ended"
        ))),
    }
}

/// With `--resume --json`, standard output is for the lines of the run.
fn report(
    args: &RecoverArgs,
    run: &RunWhole,
    found: &Found<'_>,
    columns: usize,
) -> Result<(), Failed> {
    if args.json && !args.resume {
        print(&json_line(&found.json(run))?);
        return Ok(());
    }
    let text = text::report(args, run, found, columns);
    if args.json {
        // A reader that has gone away wants no more.
        let _ = io::stderr().write_all(text.as_bytes());
    } else {
        print(&text);
    }
    Ok(())
}

/// What is known of every entity of the run, the newest group of each.
struct Found<'a> {
    entities: Vec<Candidate<'a>>,
}

/// An entity that may lack the image.
struct Candidate<'a> {
    group: &'a GroupRow,
    row: &'a EntityRow,
    /// As the inventory has it now; none where it has it elsewhere or not at all.
    entity: Option<Arc<Entity>>,
    holds: AfterCrash,
    /// What a look at it has shown.
    seen: Option<String>,
}

impl Candidate<'_> {
    fn uses(&self, credentials: &str) -> bool {
        let entity = self.entity.as_ref();
        entity.and_then(|entity| entity.credentials.as_deref()) == Some(credentials)
    }
}

impl<'a> Found<'a> {
    fn of(run: &'a RunWhole) -> Self {
        let mut newest: HashMap<&str, usize> = HashMap::new();
        for (group_index, group) in run.groups.iter().enumerate() {
            for one in &group.entities {
                newest.insert(&one.entity, group_index);
            }
        }
        let mut entities = Vec::new();
        for (group_index, group) in run.groups.iter().enumerate() {
            let rows = group.entities.iter();
            let rows = rows.filter(|row| newest.get(row.entity.as_str()) == Some(&group_index));
            entities.extend(rows.map(|row| Candidate {
                group,
                row,
                entity: None,
                holds: row.after_crash,
                seen: None,
            }));
        }
        Self { entities }
    }

    /// An entity that moved is another one: it is neither looked at nor written.
    fn meet(&mut self, inventory: &Inventory) {
        for one in &mut self.entities {
            let same = |entity: &&Arc<Entity>| {
                entity.address.to_string() == one.row.address
                    && entity.path.as_str() == one.row.path
            };
            one.entity = inventory.entity(&one.row.entity).filter(same).cloned();
            if one.entity.is_none() && one.holds.is_open() {
                one.seen = Some("not looked at: the inventory does not have it there".into());
            }
        }
    }

    fn lacking(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.entities.iter().filter(|one| one.holds.lacks_image())
    }

    /// Those with which something is left to do.
    fn open(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.entities.iter().filter(|one| one.holds.is_open())
    }

    fn code(&self) -> u8 {
        match self.open().next() {
            None => headless::OK,
            Some(_) => headless::NOT_DELIVERED,
        }
    }

    /// The groups of the run with those that lack the image.
    fn specs(&self, run: &RunWhole, inventory: &Inventory) -> Vec<GroupSpec> {
        let mut specs: Vec<GroupSpec> = Vec::new();
        for group in &run.groups {
            let Some(GroupSpec::Made(made)) = &group.spec else {
                continue;
            };
            // What has the image is sent nothing: it is asked what it runs.
            for (has_image, extent) in [(false, made.policy.extent), (true, Extent::Activate)] {
                let entities: Vec<String> = (self.open())
                    .filter(|one| std::ptr::eq(one.group, group) && one.entity.is_some())
                    .filter(|one| one.holds.lacks_image() != has_image)
                    .map(|one| one.row.entity.clone())
                    .collect();
                if entities.is_empty() {
                    continue;
                }
                let made = made.clone();
                specs.push(GroupSpec::Made(MadeGroup {
                    name: free_name(&made.name, &specs),
                    image: listed(made.image, inventory),
                    entities,
                    policy: DeliveryPolicy {
                        extent,
                        ..made.policy
                    },
                    ..made
                }));
            }
        }
        specs
    }

    fn json(&self, run: &'a RunWhole) -> Report<'a> {
        let mut holds = BTreeMap::new();
        for one in &self.entities {
            *holds.entry(one.holds.as_str()).or_default() += 1;
        }
        Report {
            run: &run.run.run,
            holds,
            entities: (self.entities.iter())
                .map(|one| ReportEntity {
                    group: &one.group.group,
                    image: &one.group.image,
                    version: &one.group.version,
                    entity: &one.row.entity,
                    address: &one.row.address,
                    path: &one.row.path,
                    holds: one.holds,
                    journal: one.row.after_crash,
                    seen: one.seen.clone(),
                })
                .collect(),
        }
    }
}

/// A name that no other group has.
pub(super) fn free_name(name: &str, taken: &[GroupSpec]) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let is_free = |name: &String| taken.iter().all(|spec| spec.name() != name);
    names.find(is_free).unwrap_or_else(|| name.to_owned())
}

/// The inventory may know the digest of an image that it still lists.
pub(super) fn listed(image: ImageSpec, inventory: &Inventory) -> ImageSpec {
    match &image {
        ImageSpec::Described {
            name,
            file,
            version,
            ..
        } if inventory
            .image(name)
            .is_some_and(|known| known.file == *file && known.version == *version) =>
        {
            ImageSpec::Named(name.clone())
        }
        _ => image,
    }
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    run: &'a str,
    /// How many entities hold what.
    holds: BTreeMap<&'a str, usize>,
    entities: Vec<ReportEntity<'a>>,
}

#[derive(Debug, Serialize)]
struct ReportEntity<'a> {
    group: &'a str,
    image: &'a str,
    version: &'a str,
    entity: &'a str,
    address: &'a str,
    path: &'a str,
    /// After a look, where there was one.
    holds: AfterCrash,
    /// What the journal alone says.
    journal: AfterCrash,
    seen: Option<String>,
}

//! `subtend` and `subtend demo`: the console on an inventory.
//!
//! Nothing is drawn here. The engine is started idle, the console gets the link to it, and when it
//! has ended what ran is reported once more, on a terminal that is the operator's again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::attach;
use super::export::export_new;
use super::history;
use super::saved_groups::{KeepError, SavedGroups};
use super::services::{Engine, Services};
use super::state_dir::{NoHome, StateDir};
use super::write_file::{Existing, WriteError, write_whole};
use super::{Failed, print};
use crate::console::{self, Options, PastRun, Site, Storage};
use crate::engine::{self, summary};
use crate::headless::{self, Stop};
use crate::journal::JournalError;
use crate::model::{EntityState, Inventory, Logins, Name, Outcome, ReportFormat, SecretSource};
use crate::protocol::{GroupPhase, GroupSnapshot, GroupSpec, Link, Snapshot, Summary};

/// An engine with nothing to do ends within this time; one that does not is left behind.
const ENDING: Duration = Duration::from_secs(5);

/// Why the console can't be shown, and what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{0}, and the console needs one; `subtend run --all` delivers without it, and `subtend \
     demo --headless` shows how on a practice network"
)]
pub struct NoScreen(&'static str);

/// Whether the console can be shown at all.
///
/// # Errors
/// Why not.
pub fn terminal() -> Result<(), NoScreen> {
    let term = std::env::var("TERM").unwrap_or_default();
    fits(&term, io::stdin().is_terminal(), io::stdout().is_terminal())
}

fn fits(term: &str, input: bool, output: bool) -> Result<(), NoScreen> {
    Err(NoScreen(match (term, input, output) {
        ("dumb", ..) => "this terminal (TERM=dumb) can't move its cursor",
        (_, false, _) => "standard input is no terminal",
        (_, _, false) => "standard output is no terminal",
        _ => return Ok(()),
    }))
}

/// What the console is opened with, besides an inventory.
#[derive(Debug)]
pub struct ConsoleContext<'a> {
    pub options: Options,
    pub state_dir: StateDir,
    /// Where the log goes, if anywhere.
    pub log_file: Option<PathBuf>,
    /// Whether the operator has named an inventory.
    pub is_named: bool,
    /// For an engine in a process of its own.
    pub verbose: u8,
    pub stop: &'a mut Stop,
}

/// Opens the console on an inventory file.
///
/// # Errors
/// When it was not opened, or the terminal was lost.
pub async fn console(
    file: &Path,
    services: &impl Services,
    context: ConsoleContext<'_>,
) -> Result<u8, Failed> {
    terminal()?;
    if !context.is_named && attach::runs_elsewhere(file, &context.state_dir).await? {
        return attach::attach(false, services, context).await;
    }
    let inventory = services.load(file)?;
    if context.state_dir.is_ok() {
        return attach::console(file, services, context).await;
    }
    // An engine of its own could not be found again.
    let kept = context.state_dir.clone();
    let kept = kept.map(|dir| SavedGroups::of(&dir, file));
    open(inventory, kept, services, context).await
}

/// Opens the console on an inventory that was read already.
pub(super) async fn open(
    inventory: Inventory,
    kept: Result<SavedGroups, NoHome>,
    services: &impl Services,
    context: ConsoleContext<'_>,
) -> Result<u8, Failed> {
    let groups = match &kept {
        Ok(kept) => kept.load()?,
        // Said when there is something to keep.
        Err(_) => Vec::new(),
    };
    let looked_up = tokio::select! {
        looked_up = services.look_up(&inventory.credentials, &inventory.credentials) => looked_up,
        Some(()) = context.stop.recv() => return Ok(headless::CANCELLED),
    };
    let (logins, without_password) = looked_up;
    let inventory = Arc::new(inventory);
    let site = Site {
        to_ask: to_ask(&inventory, &logins),
        memories: services.memories(&inventory),
        inventory: inventory.clone(),
        kept: groups,
        without_password,
        log_file: (context.log_file.as_ref()).map(|file| file.display().to_string()),
    };
    tracing::info!(
        "subtend {} opens its console on {}",
        env!("CARGO_PKG_VERSION"),
        site.inventory.file.display()
    );
    let began = Instant::now();
    let Engine { link, task } = services.engine(inventory, logins);
    let snapshots = link.snapshots.clone();
    let keeper = Files {
        kept,
        state_dir: context.state_dir.clone(),
        zone: context.options.settings.zone.clone(),
    };
    let shown = show(link, site, context.options, keeper, context.stop).await;
    // The console has waited for what ran, unless the operator left at once: then nobody waits.
    let left = snapshots.borrow().is_busy();
    if !left {
        tokio::select! {
            ended = timeout(ENDING, task) => if let Ok(Err(error)) = ended {
                tracing::error!("the engine broke down: {error}");
            },
            Some(()) = context.stop.recv() => {}
        }
    }
    let snapshot = snapshots.borrow().clone();
    let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
    let (report, code) = last_words(&snapshot, began.elapsed(), columns.clamp(40, 120));
    print(&report);
    tracing::info!("the console has ended, exit code {code}");
    match shown {
        Ok(()) if left => Ok(headless::CANCELLED),
        Ok(()) => Ok(code),
        Err(error) => Err(Failed::new(
            code.max(headless::NOT_DELIVERED),
            format!("the console ended: {error}"),
        )),
    }
}

/// Shows the console until the operator has left it.
pub(super) async fn show(
    link: Link,
    site: Site,
    options: Options,
    keeper: Files,
    signals: &mut Stop,
) -> io::Result<()> {
    let (forward, stop) = mpsc::channel(4);
    let shown = console::run(link, site, options, keeper, stop);
    tokio::pin!(shown);
    loop {
        tokio::select! {
            result = &mut shown => return result,
            // Full: what was sent before already says all.
            Some(()) = signals.recv() => { let _ = forward.try_send(()); }
        }
    }
}

/// What became of everything that ran, and the exit code that says so.
pub(super) fn last_words(snapshot: &Snapshot, time: Duration, columns: usize) -> (String, u8) {
    if snapshot.groups.is_empty() {
        return (String::new(), headless::OK);
    }
    let mut summary = summary(snapshot, time.as_secs_f64());
    let stopped = |group: &Arc<GroupSnapshot>| group.phase == GroupPhase::Ended(Outcome::Cancelled);
    let stopped: BTreeSet<Name> = (snapshot.groups.iter())
        .filter(|group| stopped(group))
        .map(|group| group.group.clone())
        .collect();
    summary.outcome = outcome(&summary, &stopped);
    let report = headless::report(&summary, columns);
    (report, headless::exit_code(&summary))
}

/// What it all came to, by the rule of a run: an entity that was tried again counts as it ended, and it was stopped where the operator has
/// stopped a group as a whole, and what was cancelled in it was not delivered later.
fn outcome(summary: &Summary, stopped: &BTreeSet<Name>) -> Outcome {
    let mut last: BTreeMap<&Name, (EntityState, bool)> = BTreeMap::new();
    for group in &summary.groups {
        let is_stopped = stopped.contains(&group.group);
        let ends = (group.entities.iter()).map(|one| (&one.entity, (one.state, is_stopped)));
        last.extend(ends);
    }
    let is_cut = |end: &(EntityState, bool)| *end == (EntityState::Cancelled, true);
    let is_stopped = last.values().any(is_cut);
    engine::outcome(last.values().map(|(state, _)| *state), is_stopped)
}

/// Without those that need no secret: a key may not be encrypted.
pub(super) fn to_ask(inventory: &Inventory, logins: &Logins) -> BTreeSet<Name> {
    let credentials = inventory.credentials.iter();
    credentials
        .filter(|one| one.secret == SecretSource::Ask && !logins.contains(&one.name))
        .map(|one| one.name.clone())
        .collect()
}

/// What outlives the console.
pub(super) struct Files {
    pub(super) kept: Result<SavedGroups, NoHome>,
    pub(super) state_dir: StateDir,
    /// In which times are shown.
    pub(super) zone: TimeZone,
}

/// Why something is not kept, written or read.
#[derive(Debug, Error)]
pub(super) enum FilesError {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error("there is no journal, and so nothing to report: {0}")]
    NoJournal(NoHome),
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    PastRun(#[from] Failed),
}

impl Storage for Files {
    type Error = FilesError;

    fn keep(&self, groups: &[GroupSpec]) -> Result<(), FilesError> {
        let kept = self.kept.as_ref().map_err(|none| *none)?;
        Ok(kept.save(groups)?)
    }

    fn write(&self, file: &str, text: &str) -> Result<String, FilesError> {
        Ok(write_new(Path::new(""), file, text)?)
    }

    fn report(&self, run: &str, format: ReportFormat, file: &str) -> Result<String, FilesError> {
        let state_dir = self.state_dir.as_deref();
        let state_dir = state_dir.map_err(|none| FilesError::NoJournal(*none))?;
        Ok(export_new(run, format, Path::new(file), state_dir)?)
    }

    fn history(&self) -> Result<Vec<PastRun>, FilesError> {
        let state_dir = self.state_dir.as_deref().map_err(|none| *none)?;
        Ok(history::past_runs(state_dir, &self.zone)?)
    }

    fn past_run(&self, run: &str, columns: usize) -> Result<String, FilesError> {
        let state_dir = self.state_dir.as_deref().map_err(|none| *none)?;
        Ok(history::opened(run, state_dir, &self.zone, columns)?)
    }
}

/// Writes a file that is not there yet to a folder, and says where it is.
fn write_new(folder: &Path, file: &str, text: &str) -> Result<String, WriteError> {
    let mut parts = Path::new(file).components();
    let is_name = matches!(parts.next(), Some(Component::Normal(name)) if name == file);
    if !is_name || parts.next().is_some() {
        return Err(WriteError::NoName(file.to_owned()));
    }
    let path = write_whole(&folder.join(file), text, Existing::Keep)?;
    Ok(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verified;
    use crate::protocol::{EntitySummary, GroupSummary};

    #[test]
    fn without_a_fit_terminal_the_way_without_one_is_told() {
        assert_eq!(fits("xterm-256color", true, true), Ok(()));
        // An unknown terminal is drawn on without colours.
        assert_eq!(fits("", true, true), Ok(()));
        for (term, input, output, why) in [
            ("dumb", true, true, "TERM=dumb"),
            ("xterm", false, true, "standard input"),
            ("xterm", true, false, "standard output"),
        ] {
            let said = fits(term, input, output).unwrap_err().to_string();
            assert!(
                said.contains(why) && said.contains("`subtend run --all`"),
                "{said}"
            );
        }
    }

    #[test]
    fn exports_are_written_once_and_only_here() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| write_new(folder.path(), file, text);
        let path = write("groups.yaml", "groups:\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "groups:\n");
        let refused = write("groups.yaml", "other").unwrap_err().to_string();
        assert!(refused.contains("not overwritten"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "groups:\n");
        for file in ["", ".", "..", "../x", "/tmp/x", "a/b", "a/"] {
            assert!(write(file, "x").is_err(), "{file:?}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    fn ran(groups: &[&[(&str, EntityState)]]) -> Summary {
        let entity = |(name, state): &(&str, EntityState)| EntitySummary {
            runs: None,
            entity: (*name).into(),
            state: *state,
            step: None,
            bytes: 0,
            seconds: 0.0,
            attempts: 1,
            staged: true,
            verified: Verified::None,
            cause: None,
            holds: None,
            left: None,
        };
        let group = |entities: &&[(&str, EntityState)]| GroupSummary {
            campaign: None,
            group: "g".into(),
            image: "i".into(),
            source: "s".into(),
            size: None,
            sha256: None,
            seconds: 0.0,
            source_bytes: 0,
            passes: 1,
            delivered_unproven: 0,
            entities: entities.iter().map(entity).collect(),
        };
        Summary {
            at: jiff::Timestamp::UNIX_EPOCH,
            run: "r".into(),
            outcome: Outcome::Failed,
            seconds: 0.0,
            memory: 0,
            peak_pool_bytes: 0,
            source_bytes: 0,
            delivered_bytes: 0,
            delivered_unproven: 0,
            groups: groups.iter().map(group).collect(),
        }
    }

    #[test]
    fn nothing_that_ran_is_nothing_to_tell() {
        let snapshot = Snapshot {
            at: jiff::Timestamp::UNIX_EPOCH,
            run: "r".into(),
            memory: 1,
            pool_bytes: 0,
            peak_pool_bytes: 0,
            groups: Vec::new(),
            series: std::sync::Arc::default(),
        };
        assert_eq!(
            last_words(&snapshot, Duration::ZERO, 80),
            (String::new(), headless::OK)
        );
        assert!(!snapshot.is_busy());
    }

    #[test]
    fn an_entity_counts_as_it_ended() {
        use EntityState::{Cancelled, Delivered, Failed, Skipped};
        for (groups, expected) in [
            (
                &[&[("a", Failed), ("b", Delivered)][..], &[("a", Delivered)]][..],
                Outcome::Delivered,
            ),
            (&[&[("a", Delivered)], &[("a", Failed)]], Outcome::Failed),
            (&[&[("a", Skipped), ("b", Failed)]], Outcome::Partial),
            (
                &[&[("a", Cancelled)], &[("a", Skipped)]],
                Outcome::Delivered,
            ),
            (
                &[&[("a", Cancelled), ("b", Failed), ("c", Delivered)]],
                Outcome::Cancelled,
            ),
        ] {
            let all = BTreeSet::from([Name::from("g")]);
            assert_eq!(outcome(&ran(groups), &all), expected, "{groups:?}");
        }
        let one = ran(&[&[("a", Cancelled), ("b", Delivered)]]);
        assert_eq!(outcome(&one, &BTreeSet::new()), Outcome::Partial);
        let alone = ran(&[&[("a", Cancelled)]]);
        assert_eq!(outcome(&alone, &BTreeSet::new()), Outcome::Cancelled);
        let none = ran(&[&[("a", Cancelled), ("b", Failed)]]);
        assert_eq!(outcome(&none, &BTreeSet::new()), Outcome::Failed);
    }
}

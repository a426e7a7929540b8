//! What an engine finds at its start: runs that were cut off or parked, which it goes on with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::journal::{Journal, JournalError, WaitingRun};
use crate::model::Capped;
use crate::model::columns::count;
use crate::model::rate::held_to;
use crate::model::text::shown;
use crate::protocol::{Change, ChangedBefore, Command, Continued, Event, Link, PauseReason};

/// An engine answers within this time, with a journal on a slow disk between.
const ANSWER: Duration = Duration::from_secs(60);

/// What becomes of groups that are taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The engine is there for that.
    GoesOn,
    /// Somebody wanted something else of it: that a console is opened, or another group run, starts nothing by the way.
    Pauses,
}

/// Those that are paused already stay so, for their own reason.
fn pause(group: &mut Continued) {
    let is_paused = group.changes.iter().rev().find_map(|one| match one.change {
        Change::Paused(_) => Some(true),
        Change::Resumed { .. } => Some(false),
        _ => None,
    });
    if is_paused != Some(true) {
        group.changes.push(ChangedBefore {
            at: Timestamp::now(),
            change: Change::Paused(PauseReason::CutOff),
        });
    }
}

/// Goes on with all that waits on this inventory. What can't be taken up is logged, and keeps nothing from its start.
pub(super) async fn take_up(link: &mut Link, state_dir: &Path, inventory: &Path, then: Then) {
    let runs = match with_journal(state_dir, Journal::waiting).await {
        Ok(runs) => runs.unwrap_or_default(),
        Err(error) => {
            tracing::error!("what waits is not known: {error}");
            return;
        }
    };
    let runs = on(runs, inventory);
    let mut groups = in_order(&runs);
    if then == Then::Pauses {
        groups.iter_mut().for_each(pause);
    }
    if groups.is_empty() {
        return;
    }
    hold_to(link, rates(&runs)).await;
    let asked = groups.len();
    if link
        .commands
        .send(Command::Continue { groups })
        .await
        .is_err()
    {
        return;
    }
    let begun = match timeout(ANSWER, begun(link, asked)).await {
        Ok(begun) => begun,
        Err(_) => {
            tracing::error!("the engine does not say whether it goes on with what waits");
            return;
        }
    };
    for run in runs {
        tracing::info!("{}", said(&run, &begun));
        if !is_settled(&run, &begun) {
            continue;
        }
        // From here on it is the new run that knows what each entity has.
        let name = run.run.clone();
        let settled = with_journal(state_dir, move |journal| journal.settle(&name)).await;
        if let Err(error) = settled {
            tracing::error!("run {} is not settled: {error}", run.run);
        }
    }
}

async fn with_journal<T: Send + 'static>(
    state_dir: &Path,
    ask: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
) -> Result<Option<T>, String> {
    let state_dir: PathBuf = state_dir.to_owned();
    let asked = spawn_blocking(move || match Journal::open(&state_dir)? {
        Some(journal) => ask(&journal).map(Some),
        None => Ok(None),
    });
    let asked = asked.await.map_err(|error| error.to_string())?;
    asked.map_err(|error: JournalError| error.to_string())
}

/// Those of the inventory: entities of another one may have the same names and be others.
fn on(runs: Vec<WaitingRun>, inventory: &Path) -> Vec<WaitingRun> {
    let (ours, others): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| Path::new(&run.inventory_file) == inventory);
    for run in others {
        let file = shown(&run.inventory_file);
        tracing::warn!("run {} waits for an engine on {file}", run.run);
    }
    ours
}

/// The newest run first: where two have an entity, it is what was wanted last.
fn in_order(runs: &[WaitingRun]) -> Vec<Continued> {
    let newest = runs.iter().rev();
    newest.flat_map(|run| run.groups.iter().cloned()).collect()
}

/// What was said last of each, whichever run it was said in.
fn rates(runs: &[WaitingRun]) -> BTreeMap<Capped, Option<u64>> {
    let all = runs.iter().flat_map(|run| &run.rates);
    all.map(|(on, rate)| (on.clone(), *rate)).collect()
}

/// Before anything begins. What is not there any more is refused, and that is logged.
async fn hold_to(link: &mut Link, rates: BTreeMap<Capped, Option<u64>>) {
    for (on, rate) in rates {
        let said = held_to(&on, rate);
        if link
            .commands
            .send(Command::Rate { on, rate })
            .await
            .is_err()
        {
            return;
        }
        let answered = async {
            loop {
                match link.events.recv().await {
                    Some(Event::Notice { text, .. }) if text == said => break,
                    Some(Event::Refused { .. }) | None => break,
                    Some(_) => {}
                }
            }
        };
        if timeout(ANSWER, answered).await.is_err() {
            tracing::error!("the engine does not say whether {said}");
            return;
        }
    }
}

/// The groups that the engine has begun.
async fn begun(link: &mut Link, asked: usize) -> BTreeSet<String> {
    let mut refused = 0;
    while refused < asked {
        match link.events.recv().await {
            Some(Event::Run { groups, .. }) => {
                return groups.iter().map(ToString::to_string).collect();
            }
            // It has logged why.
            Some(Event::Refused { .. }) => refused += 1,
            Some(_) => {}
            None => break,
        }
    }
    BTreeSet::new()
}

fn is_settled(run: &WaitingRun, begun: &BTreeSet<String>) -> bool {
    (run.groups.iter()).all(|group| begun.contains(group.spec.name()))
}

fn said(run: &WaitingRun, begun: &BTreeSet<String>) -> String {
    let goes_on = run
        .groups
        .iter()
        .filter(|group| begun.contains(group.spec.name()));
    let goes_on = goes_on.count();
    let groups = count(run.groups.len(), "group");
    match goes_on {
        0 => format!("run {}: nothing of {groups} goes on", run.run),
        some => format!("run {}: {some} of {groups} goes on", run.run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GroupSpec;

    fn run(name: &str, file: &str, groups: &[&str]) -> WaitingRun {
        let groups = groups.iter().map(|group| Continued {
            spec: GroupSpec::Named((*group).to_owned()),
            force: false,
            run: name.to_owned(),
            ended: Vec::new(),
            offline: Vec::new(),
            changes: Vec::new(),
        });
        WaitingRun {
            run: name.to_owned(),
            inventory_file: file.to_owned(),
            groups: groups.collect(),
            is_whole: true,
            rates: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_wanted_last_goes_first_and_other_inventories_wait() {
        let runs = vec![
            run("r1", "/site.yaml", &["a", "b"]),
            run("r2", "/other.yaml", &["c"]),
            run("r3", "/site.yaml", &["d"]),
        ];
        let runs = on(runs, Path::new("/site.yaml"));
        let order: Vec<_> = in_order(&runs).iter().map(|one| one.run.clone()).collect();
        assert_eq!(order, ["r3", "r1", "r1"]);
    }

    #[test]
    fn what_is_taken_up_by_the_way_is_paused_once() {
        let mut run = run("r1", "/site.yaml", &["a"]);
        let group = &mut run.groups[0];
        let reasons = |group: &Continued| -> Vec<PauseReason> {
            let paused = group.changes.iter().filter_map(|one| match &one.change {
                Change::Paused(reason) => Some(reason.clone()),
                _ => None,
            });
            paused.collect()
        };
        pause(group);
        pause(group);
        assert_eq!(reasons(group), [PauseReason::CutOff]);
        group.changes.push(ChangedBefore {
            at: Timestamp::now(),
            change: Change::Resumed { forgiven: 0 },
        });
        pause(group);
        assert_eq!(reasons(group), [PauseReason::CutOff, PauseReason::CutOff]);
        // Its own reason is more than that.
        group.changes.truncate(2);
        let (at, asks) = (Timestamp::now(), PauseReason::Asks { wave: 1 });
        let change = Change::Paused(asks.clone());
        group.changes.push(ChangedBefore { at, change });
        pause(group);
        assert_eq!(reasons(group), [PauseReason::CutOff, asks]);
    }

    #[test]
    fn of_rates_the_last_one_counts() {
        let hq = || Capped::FileServer("hq".into());
        let mut first = run("r1", "/site.yaml", &["a"]);
        let other = Capped::Entity("e1".into());
        first.rates = BTreeMap::from([(hq(), Some(1 << 20)), (other.clone(), None)]);
        let mut second = run("r2", "/site.yaml", &["b"]);
        second.rates = BTreeMap::from([(hq(), Some(2 << 20))]);
        let expected = BTreeMap::from([(hq(), Some(2 << 20)), (other, None)]);
        assert_eq!(rates(&[first, second]), expected);
    }

    #[test]
    fn a_run_is_settled_when_all_of_its_groups_go_on() {
        let run = run("r1", "/site.yaml", &["a", "b"]);
        for (begun, settled) in [
            (vec![], false),
            (vec!["a"], false),
            (vec!["a", "b"], true),
            (vec!["b", "c", "a"], true),
        ] {
            let begun = begun.into_iter().map(str::to_owned).collect();
            assert_eq!(is_settled(&run, &begun), settled, "{begun:?}");
        }
    }
}
